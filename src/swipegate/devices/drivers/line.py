"""Driver of swipe readers that print what they read, unasked, when a card passes."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from swipegate.devices.drivers.serial_reader import ReadUnderWay, SerialReader, StateReport
from swipegate.devices.drivers.settings import Tracks, settings_from
from swipegate.devices.errors import DeviceError, ReadCancelled, ReadExpired, Reason, SettingsError
from swipegate.devices.line import LineSettings
from swipegate.devices.link import Link
from swipegate.devices.protocols.framing import wipe
from swipegate.devices.protocols.line import options
from swipegate.devices.protocols.line.errors import MARKERS
from swipegate.devices.protocols.line.host import (
    BURST_TIME_MAX,
    Broken,
    HostEvent,
    LineHost,
    Started,
    Swiped,
    TimedOut,
)
from swipegate.devices.protocols.line.swipe import Swipe, TrackText
from swipegate.devices.reader import Capabilities, ProbeReport, ReadResult, ReadState, TrackRead

# Bounds of the setting, seconds. Port-powered readers pause for 10 ms inside a swipe, to load their capacitor.
GAP_MIN, GAP_MAX = 0.03, 2.0
TEXT_FIRST, TEXT_LAST = 0x20, 0x5F  # the 6-bit alphabet of ISO/IEC 7811-2, the widest a reader decodes


@dataclass(frozen=True, slots=True)
class LineReaderSettings:
    """How a reader is used."""

    tracks: Tracks = (1, 2, 3)
    """Tracks to hand on; what the reader prints of others is wiped at once."""
    gap: float = 0.2
    """The pause that ends a swipe, seconds; it must be longer than any between two tracks."""
    lrc: bool = False
    """The reader prints the LRC behind each end sentinel."""
    options: str = ""
    """Letters of a MagTek port-powered reader's options, such as `SEC`; sent after each opening of the port."""

    def __post_init__(self) -> None:
        if not GAP_MIN <= self.gap <= GAP_MAX:
            raise SettingsError("gap", f"{self.gap} is not {GAP_MIN} to {GAP_MAX} seconds")
        known = options.LETTERS | {letter.lower() for letter in options.LETTERS}
        if not set(self.options) <= known - {options.BUFFERED} or len(self.options) > len(known):
            raise SettingsError(
                "options", "is not of the letters S, E, C, P to set and s, e, c, p, b to clear"
            )


class LineReader(SerialReader[LineHost, HostEvent]):
    """One reader on one port.

    It cannot be armed, stopped or asked: it prints whenever a card passes. So a read takes the swipe that begins
    while it waits, and what began before is dropped; `cancel` and `probe` prove that the port is open and that
    nothing of it is taken any more, and no more than that.
    """

    device: ClassVar = "swipe readers that print a line: MagTek, ID TECH, UIC"
    capabilities: ClassVar = Capabilities(tracks=frozenset({1, 2, 3}))
    line: ClassVar = LineSettings(baud_rate=9600)

    def __init__(
        self, url: str, settings: LineReaderSettings | None = None, line: LineSettings | None = None
    ) -> None:
        self._settings = settings or LineReaderSettings()
        self._set_up: Link[HostEvent] | None = None
        super().__init__(url, line)

    @classmethod
    def create(cls, url: str, settings: Mapping[str, Any], line: LineSettings | None = None) -> Self:
        return cls(url, settings_from(LineReaderSettings, settings), line)

    def _new_protocol(self) -> LineHost:
        return LineHost(gap=self._settings.gap, with_lrc=self._settings.lrc)

    async def _ensure_open(self) -> bool:
        opened = await super()._ensure_open()
        if self._set_up is not self._link:
            await self._set_options()
            self._set_up = self._link
        return opened

    async def _set_options(self) -> None:
        """Opening the port has powered the reader up, and it has forgotten its options."""
        if self._settings.options:
            await asyncio.sleep(options.POWER_UP_TIME)
            message = b"".join(map(options.command, self._settings.options))
            await self._link.send(lambda now: message)

    async def _probe(self) -> ProbeReport:
        """Prove that the port is open. Nobody can say more; a card in a slot is in a person's hand."""
        await self._leave()
        return ProbeReport(card_inside=False)

    async def _read_card(self, read: ReadUnderWay, deadline: float, on_state: StateReport) -> ReadResult:
        await self._ensure_open()
        if read.cancel.is_set():
            raise ReadCancelled
        if time.monotonic() >= deadline:
            raise ReadExpired
        on_state(ReadState.DISPATCHED)
        try:
            await self._listen(deadline)
            on_state(ReadState.WAITING_FOR_CARD)
            return await self._take_swipe(read, deadline, on_state)
        except asyncio.CancelledError:
            protocol = self._protocol
            with contextlib.suppress(DeviceError):  # the next read begins anew
                self._link.post(lambda now: protocol.leave())
            raise

    async def _take_swipe(self, read: ReadUnderWay, deadline: float, on_state: StateReport) -> ReadResult:
        patience = max(deadline - time.monotonic(), 0.0) + BURST_TIME_MAX + self._settings.gap
        event = await self._next_event_or_cancel(read, patience)
        if event is None:
            read.disarming = True
            await self._leave()
            raise ReadCancelled
        if isinstance(event, TimedOut):
            raise ReadExpired
        on_state(ReadState.READING)
        if isinstance(event, Started):
            event = await self._next_event(BURST_TIME_MAX + self._settings.gap)
        if isinstance(event, Swiped):
            return judge(event.swipe, self._settings.tracks)
        assert isinstance(event, Broken)
        raise DeviceError(event.reason, event.detail, device_code=event.form)

    async def _listen(self, deadline: float) -> None:
        exchange, protocol = self._next_exchange(), self._protocol
        await self._link.send(
            lambda now: protocol.listen(exchange, now, max(deadline - time.monotonic(), 0.0))
        )

    async def _leave(self) -> None:
        """Take no swipe any more. Of a port that is gone, this fails."""
        protocol = self._protocol
        await self._link.send(lambda now: protocol.leave())


def judge(swipe: Swipe, tracks: tuple[int, ...]) -> ReadResult:
    """Judge each track for itself. A track that was not printed is blank, but where a text lost its beginning."""
    absent = Reason.NO_START if swipe.torn else Reason.NO_ENCODING
    printed = {track.number: track for track in swipe.tracks}
    for track in swipe.tracks:
        if track.number not in tracks:
            wipe(track.text)
    judged = [
        _judge_track(printed[number]) if number in printed else TrackRead(number, error=absent)
        for number in sorted(tracks)
    ]
    return ReadResult(judged, " ".join(track.device_code for track in judged if track.device_code))


def _judge_track(track: TrackText) -> TrackRead:
    data = track.data
    if (error := MARKERS.get(data)) is not None and track.ended:
        return TrackRead(track.number, error=error, device_code=data.decode("ascii"))
    if (error := _error(track)) is not None:
        wipe(track.text)
        return TrackRead(track.number, error=error)
    if track.number == 2:  # the track core knows no other sentinel of track 2
        track.text[:1] = b";"
    return TrackRead(track.number, text=track.text)


def _error(track: TrackText) -> Reason | None:
    if not all(TEXT_FIRST <= character <= TEXT_LAST for character in track.text):
        return Reason.NOT_READ
    if not track.ended:
        return Reason.NO_END
    return None if track.data else Reason.EMPTY
