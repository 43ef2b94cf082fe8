"""Driver of the MSR206, MSR605 and MSR606 desktop readers (an MSR605X where it shows a serial port)."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from swipegate.devices.drivers.serial_reader import ReadUnderWay, SerialReader, StateReport
from swipegate.devices.drivers.settings import Integers, Tracks, settings_from
from swipegate.devices.errors import DeviceError, ReadCancelled, ReadExpired, Reason, SettingsError
from swipegate.devices.line import LineSettings
from swipegate.devices.protocols.msr605 import commands
from swipegate.devices.protocols.msr605.blocks import Block, Field, Status
from swipegate.devices.protocols.msr605.commands import Command
from swipegate.devices.protocols.msr605.errors import ERRORS, TRACK_ERRORS
from swipegate.devices.protocols.msr605.host import (
    BLOCK_TIME_MAX,
    BlockRead,
    BlockStarted,
    HostEvent,
    Malformed,
    Msr605Host,
    Reply,
    TimedOut,
)
from swipegate.devices.reader import Capabilities, ProbeReport, ReadResult, ReadState, TrackRead

RESET_SETTLE = 0.075  # seconds; a reset is answered by nothing and takes 50 to 100 ms
COMMUNICATION_TEST_TIMEOUT = 1.0  # seconds
# A byte lost on the line must not fail a request; a reset, a test and a setting may be repeated.
COMMUNICATION_TEST_ATTEMPTS = 2
# The attempts at the communication test, three resets, two questions; seconds.
SETTLE_TIME = COMMUNICATION_TEST_ATTEMPTS * (RESET_SETTLE + COMMUNICATION_TEST_TIMEOUT) + RESET_SETTLE + 3.0
SETTING_TIMEOUT = 1.0  # seconds
SETTING_ATTEMPTS = 2
# Text comes with its sentinels; on track 3 units differ in the first.
START_SENTINELS = {1: b"%", 2: b";@", 3: b";+#!&@%"}
END_SENTINEL = ord("?")
TEXT_FIRST, TEXT_LAST = 0x20, 0x5F  # the 6-bit alphabet of ISO/IEC 7811-2, the widest a unit decodes
# At 8 bits a character a raw field is the bits of the stripe, packed; how it is laid out at others no source tells.
PACKED = (8, 8, 8)


@dataclass(frozen=True, slots=True)
class Msr605Settings:
    """How a unit is used."""

    mode: str = "iso"
    """iso: the unit decodes; raw: it gives the bits of the stripe."""
    tracks: Tracks = (1, 2, 3)
    """Tracks to hand on; what the unit gives of others is wiped at once."""
    bits_per_character: Integers | None = None
    """Set before each read; raw takes 8, 8, 8 alone and sets it by itself, iso leaves the unit as it is."""

    def __post_init__(self) -> None:
        if self.mode not in ("iso", "raw"):
            raise SettingsError("mode", f"{self.mode!r} is neither iso nor raw")
        bits = self.bits_per_character
        if bits is not None and (len(bits) != 3 or not all(n in (5, 6, 7, 8) for n in bits)):
            raise SettingsError("bits_per_character", f"{bits!r} is not three numbers from 5 to 8")
        if self.mode == "raw" and bits not in (None, PACKED):
            raise SettingsError("bits_per_character", f"{bits!r} is not 8, 8, 8, which raw wants")

    @property
    def bits_to_set(self) -> tuple[int, ...] | None:
        """Bits per character to set before a read."""
        return PACKED if self.mode == "raw" else self.bits_per_character


class Msr605Reader(SerialReader[Msr605Host, HostEvent]):
    """One MSR605 on one port.

    A unit has no motor, no stock and no memory of a swipe: what passed while nobody listened is gone.
    """

    device: ClassVar = "MSR206, MSR605, MSR606"
    capabilities: ClassVar = Capabilities(tracks=frozenset({1, 2, 3}))
    line: ClassVar = LineSettings(baud_rate=9600)
    settle_time: ClassVar = SETTLE_TIME

    def __init__(
        self, url: str, settings: Msr605Settings | None = None, line: LineSettings | None = None
    ) -> None:
        super().__init__(url, line)
        self._settings = settings or Msr605Settings()
        self._armed = False

    @classmethod
    def create(cls, url: str, settings: Mapping[str, Any], line: LineSettings | None = None) -> Self:
        return cls(url, settings_from(Msr605Settings, settings), line)

    def _new_protocol(self) -> Msr605Host:
        return Msr605Host()

    async def _probe(self) -> ProbeReport:
        await self._come_to_rest()
        details = {
            "model": await self._ask(commands.GET_MODEL),
            "firmware": await self._ask(commands.GET_FIRMWARE),
        }
        return ProbeReport(card_inside=False, details={k: v for k, v in details.items() if v})

    # The steps of a read.

    async def _read_card(self, read: ReadUnderWay, deadline: float, on_state: StateReport) -> ReadResult:
        try:
            await self._ensure_open()
            await self._come_to_rest()
            await self._set_bits_per_character()
            if read.cancel.is_set():
                raise ReadCancelled
            if time.monotonic() >= deadline:
                raise ReadExpired
            # A unit acknowledges no read: its answer to the test must do, and from here on it may hold a
            # card's data.
            on_state(ReadState.DISPATCHED)
            command = commands.READ_RAW if self._settings.mode == "raw" else commands.READ_ISO
            self._armed = True
            await self._send(command, max(deadline - time.monotonic(), 0.0))
            on_state(ReadState.WAITING_FOR_CARD)
            result = await self._take_card(read, deadline, on_state)
            self._armed = False
            return result
        finally:
            if self._armed:  # whatever went wrong, no swipe may be taken for a later request
                self._post_reset()

    async def _take_card(self, read: ReadUnderWay, deadline: float, on_state: StateReport) -> ReadResult:
        event = await self._next_event_or_cancel(read, max(deadline - time.monotonic(), 0.0))
        if event is None:
            await self._disarm(read)
            raise ReadCancelled
        if isinstance(event, TimedOut):
            await self._disarm(read)
            raise ReadExpired
        if isinstance(event, BlockStarted):
            on_state(ReadState.READING)
            event = await self._next_event(BLOCK_TIME_MAX)
        if isinstance(event, BlockRead):
            return self._judge(event.block)
        raise _failure(event, Reason.RESPONSE_TIMEOUT)

    async def _disarm(self, read: ReadUnderWay) -> None:
        read.disarming = True
        await self._come_to_rest()
        self._armed = False

    def _judge(self, block: Block) -> ReadResult:
        try:
            return judge_block(block, self._settings.tracks)
        finally:
            block.wipe()

    # Exchanges with the unit.

    async def _come_to_rest(self) -> None:
        """Reset, drop what was on the way, test, reset: the unit is idle and has proven to answer."""
        for attempt in range(1, COMMUNICATION_TEST_ATTEMPTS + 1):
            await self._reset()
            await self._send(commands.COMMUNICATION_TEST, COMMUNICATION_TEST_TIMEOUT)
            event = await self._next_event(COMMUNICATION_TEST_TIMEOUT)
            if isinstance(event, Reply):
                break
            if attempt == COMMUNICATION_TEST_ATTEMPTS:
                raise _failure(event, Reason.ACK_TIMEOUT)
        await self._reset()

    async def _reset(self) -> None:
        await self._send(commands.RESET, 0.0)
        await asyncio.sleep(RESET_SETTLE)  # what comes in meanwhile belongs to no exchange, and is dropped

    async def _set_bits_per_character(self) -> None:
        bits = self._settings.bits_to_set
        if bits is None:
            return
        for _ in range(SETTING_ATTEMPTS):
            await self._send(commands.set_bpc(*bits), SETTING_TIMEOUT)
            event = await self._next_event(SETTING_TIMEOUT)
            if isinstance(event, Reply):
                break
        if not isinstance(event, Reply) or event.body != bytes((Status.OK, *bits)):
            raise _failure(event, Reason.RESPONSE_TIMEOUT)

    async def _ask(self, command: Command) -> str:
        """What the unit says of itself, or nothing: not every firmware knows every question."""
        await self._send(command, SETTING_TIMEOUT)
        event = await self._next_event(SETTING_TIMEOUT)
        return event.body.decode("ascii", "backslashreplace") if isinstance(event, Reply) else ""

    async def _send(self, command: Command, within: float) -> None:
        exchange, protocol = self._next_exchange(), self._protocol
        await self._link.send(lambda now: protocol.request(command, exchange, now, within))

    def _post_reset(self) -> None:
        exchange, protocol = self._next_exchange(), self._protocol
        with contextlib.suppress(DeviceError):  # the next read begins with a reset
            self._link.post(lambda now: protocol.request(commands.RESET, exchange, now, 0.0))


def _failure(event: HostEvent, silence: Reason) -> DeviceError:
    """The failure that an event means which is not what was asked for; `silence` names the lack of any."""
    if isinstance(event, Malformed):
        return DeviceError(Reason.DESYNC, event.detail)
    if isinstance(event, TimedOut) and event.in_block:
        return DeviceError(Reason.RESPONSE_TIMEOUT, "the block stopped short")
    if isinstance(event, TimedOut) and event.noise:
        return DeviceError(Reason.DESYNC, f"{event.noise} bytes came that are no answer")
    if isinstance(event, TimedOut):
        return DeviceError(silence, "no answer")
    if isinstance(event, Reply):
        code = event.body[0]
        return DeviceError(
            ERRORS.get(code, Reason.DESYNC), f"the unit answers status {code:02X}", device_code=f"{code:02X}"
        )
    return DeviceError(Reason.DESYNC, "an event out of turn")


def judge_block(block: Block, tracks: tuple[int, ...]) -> ReadResult:
    """Judge each track for itself: a status of 30 does not mean that all were read, nor 31 that none was.

    Where the status is a failure and no track shows which, none is trusted.
    """
    assert block.status is not None
    judged = [_judge_field(number, field, block.raw) for number, field in enumerate(block.fields, start=1)]
    if block.status != Status.OK and all(track.error is None for track in judged):
        for track in judged:
            track.wipe()
        judged = [TrackRead(track.number, error=Reason.NOT_READ) for track in judged]
    for track in judged:
        if track.number not in tracks:
            track.wipe()
    wanted = [track for track in judged if track.number in tracks]
    return ReadResult(wanted, f"{block.status:02X}")


def _judge_field(number: int, field: Field, raw: bool) -> TrackRead:
    if field.mark in TRACK_ERRORS:
        return TrackRead(number, error=TRACK_ERRORS[field.mark])
    if raw:
        if not any(field.data):
            return TrackRead(number, error=Reason.NO_ENCODING)
        return TrackRead(number, bits=bytearray(field.data), bit_count=8 * len(field.data))
    if (error := _text_error(number, field.data)) is not None:
        return TrackRead(number, error=error)
    return TrackRead(number, text=bytearray(field.data))


def _text_error(number: int, text: bytearray) -> Reason | None:
    """A text has its sentinels, or it lost characters on the line: there is no LRC in it that would tell."""
    if not all(TEXT_FIRST <= character <= TEXT_LAST for character in text):
        return Reason.NOT_READ
    if text[0] not in START_SENTINELS[number]:
        return Reason.NO_START
    if text[-1] != END_SENTINEL:
        return Reason.NO_END
    return Reason.EMPTY if len(text) <= 2 else None
