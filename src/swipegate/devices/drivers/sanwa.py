"""Driver of the Sanwa CRP-1231 (C1231LR, C1231BR, S31R): a reader with a dispenser and its stock in one.

The device gives 69 bytes of each track. They are read in its mode of 8 bits, as the 552 bits that they are, whatever
is encoded: its mode of 7 bits checks the parity of characters that no ISO/IEC 7811 stripe has. No public source says
which end of a byte was first on the stripe; `first_bit` does.

It has no bin. With `source = stock` a card that was not accepted, or whose request was cancelled or failed, stays
inside unless the settings say otherwise, and the next request reads it in place of another.
"""

import asyncio
import contextlib
import enum
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from swipegate.core.symbols import pack, unpack
from swipegate.devices.drivers.motorised import (
    CardSource,
    Disposal,
    MotorisedReader,
    MotorisedSettings,
    Position,
)
from swipegate.devices.drivers.serial_reader import ReadUnderWay, StateReport
from swipegate.devices.drivers.settings import settings_from
from swipegate.devices.errors import (
    UNANSWERED,
    DeviceError,
    Reason,
)
from swipegate.devices.line import LineSettings
from swipegate.devices.protocols.framing import wipe
from swipegate.devices.protocols.handshake import Broken
from swipegate.devices.protocols.sanwa import commands, responses
from swipegate.devices.protocols.sanwa.framing import GAP
from swipegate.devices.protocols.sanwa.host import ACK_TIMEOUT, ANSWER_TIMEOUT, TRIES, JobEvent, JobHost
from swipegate.devices.protocols.sanwa.responses import TRACK_BYTES, Model, Place, Response
from swipegate.devices.reader import Capabilities, ReadResult, ReadState, TrackRead

# Seconds for a job that moves nothing, and for one that does.
QUESTION_TIME = 2.0
MOVEMENT_TIME = 20.0
POSITIONS = {
    Place.NOWHERE: Position.NONE,
    Place.SLOT: Position.GATE,
    Place.HEAD: Position.INSIDE,
    Place.PRINTER: Position.INSIDE,
    Place.DISPENSER: Position.INSIDE,
}


class Source(enum.StrEnum):
    """Where cards come from."""

    SLOT = "slot"
    """From people."""
    STOCK = "stock"
    """From the dispenser."""


class FirstBit(enum.StrEnum):
    """Which bit of a byte was first on the stripe."""

    LOW = "low"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class SanwaSettings(MotorisedSettings):
    """How a CRP-1231 is used."""

    source: Source = Source.SLOT
    """Where cards come from."""
    model: Model = Model.LR
    """Which one it is."""
    first_bit: FirstBit = FirstBit.LOW
    """Which bit of a byte was first on the stripe."""


class _OwnStock(CardSource):
    """The stock of the reader's own dispenser, which feeds the head."""

    def __init__(self, reader: "SanwaReader") -> None:
        self._reader = reader

    async def check(self) -> None:
        await self._reader.check_stock()

    async def feed(self) -> None:
        await self._reader.dispense()

    async def probe(self) -> Mapping[str, str]:
        try:
            await self._reader.check_stock()
        except DeviceError as error:
            if error.reason not in (Reason.STOCK_EMPTY, Reason.NO_DISPENSER):
                raise
            return {"stock": "EMPTY" if error.reason is Reason.STOCK_EMPTY else str(error.reason)}
        return {"stock": "PRESENT"}


class SanwaReader(MotorisedReader[JobHost, JobEvent]):
    """One CRP-1231 on one port."""

    device: ClassVar = "Sanwa CRP-1231"
    capabilities: ClassVar = Capabilities(tracks=frozenset({1, 2, 3}), has_stock=True, motorised=True)
    line: ClassVar = LineSettings(baud_rate=9600)
    settle_time: ClassVar = 120.0
    _settings: SanwaSettings

    def __init__(self, url: str, settings: SanwaSettings, line: LineSettings | None = None) -> None:
        super().__init__(url, settings, line)
        if settings.source is Source.STOCK:
            self.take_from(_OwnStock(self))

    @classmethod
    def create(cls, url: str, settings: Mapping[str, Any], line: LineSettings | None = None) -> Self:
        if settings.get("source") == Source.STOCK:
            settings = {"after_failure": "leave", "card_left": "leave", **settings}
        return cls(url, settings_from(SanwaSettings, settings), line)

    def _new_protocol(self) -> JobHost:
        return JobHost()

    # The dispenser.

    async def check_stock(self) -> None:
        """Return when there is a card; nothing moves.

        :raises DeviceError: STOCK_EMPTY or NO_DISPENSER.
        """
        for _ in range(2):  # the end of the job is told once: where it came damaged, ask anew
            response = _accept(await self._ask(commands.CHECK_STOCK))
            if response.s == responses.STOCK_PRESENT:
                return
        raise DeviceError(Reason.DESYNC, "the stock is not told", device_code=response.code)

    async def dispense(self) -> None:
        """A card from the stock to the head. Where the outcome is not known, the place of the card tells it."""
        try:
            _accept(await self._order(commands.DISPENSE))
        except DeviceError as error:
            if error.reason not in UNANSWERED or await self._position() is not Position.INSIDE:
                raise
        if await self._position() is not Position.INSIDE:
            await self.check_stock()
            raise DeviceError(Reason.PICK_FAILED, "no card came from the stock")

    # What MotorisedReader asks for.

    async def _stop_work(self) -> None:
        await self._forbid_entry()

    def _post_stop(self) -> None:
        for command in (commands.CANCEL, *self._shutter(commands.CLOSE_SHUTTER)):
            self._link.post(self._request(command, QUESTION_TIME, repeatable=True))

    async def _initialise(self, card: Disposal) -> None:
        present = card is Disposal.PRESENT
        _accept(await self._order(commands.INITIALISE_AND_EJECT if present else commands.INITIALISE))

    async def _position(self) -> Position:
        response = _accept(await self._ask(commands.STATUS))
        place = response.place(self._settings.model)
        if place is None:
            raise DeviceError(Reason.DESYNC, "a place that no device has", device_code=response.code)
        return POSITIONS[place]

    async def _permit_entry(self) -> None:
        for command in self._shutter(commands.OPEN_SHUTTER):
            _accept(await self._ask(command))

    async def _permit_rear_entry(self) -> None:
        """The dispenser is inside."""

    async def _forbid_entry(self) -> None:
        for command in (commands.CANCEL, *self._shutter(commands.CLOSE_SHUTTER)):
            _accept(await self._ask(command))

    async def _take_in(self, read: ReadUnderWay, deadline: float, on_state: StateReport) -> None:
        await self._permit_entry()
        on_state(ReadState.WAITING_FOR_CARD)
        if await self._capture(read, deadline):
            await self._forbid_entry()
        else:
            await self._end_without_card(read)

    async def _capture(self, read: ReadUnderWay, deadline: float) -> bool:
        """Pull a card in; False when the read was cancelled or expired first, with the job still under way."""
        waiting = max(0.0, deadline - time.monotonic())
        # the deadline is kept here, and the card's way in comes after it
        await self._begin(commands.CAPTURE, waiting + MOVEMENT_TIME, repeatable=False)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(waiting):
                event = await self._next_event_or_cancel(read, waiting + MOVEMENT_TIME)
                if event is not None:
                    _accept(_answer(event))
                    return True
        return False

    async def _read_tracks(self) -> ReadResult:
        """All tracks in one pass; one by one where the device could not read them all."""
        numbers = sorted(self._settings.tracks)
        response = _parsed(await self._order(commands.read(numbers)))
        if response.p in responses.UNREAD:
            wipe(response.data)
            return await super()._read_tracks()
        try:
            parts = _split(_checked(response), len(numbers))
        except DeviceError as error:
            raise await self._explained(error) from error
        tracks = {number: self._track(number, part) for number, part in zip(numbers, parts, strict=True)}
        return ReadResult([tracks[number] for number in self._settings.tracks], response.code)

    async def _read_track(self, number: int) -> TrackRead:
        response = _parsed(await self._order(commands.read([number])))
        if response.p in responses.UNREAD:
            wipe(response.data)
            return TrackRead(number, error=Reason.NOT_READ, device_code=f"P{response.p:02X}")
        (part,) = _split(_checked(response), 1)
        return self._track(number, part)

    def _track(self, number: int, part: bytearray) -> TrackRead:
        return TrackRead(number, bits=self._first_bit_high(part), bit_count=8 * TRACK_BYTES)

    def _first_bit_high(self, part: bytearray) -> bytearray:
        if self._settings.first_bit is FirstBit.HIGH:
            return part
        turned = bytearray(pack(unpack(part, lsb_first=True)))
        wipe(part)
        return turned

    async def _eject(self) -> None:
        _accept(await self._order(commands.EJECT))

    async def _describe(self) -> dict[str, str]:
        version = _accept(await self._ask(commands.VERSION))
        return {"version": version.data.decode("ascii", "backslashreplace")}

    def _shutter(self, command: bytes) -> tuple[bytes, ...]:
        """A command to the shutter, for a model that has one."""
        return (command,) if self._settings.model is Model.BR else ()

    # Jobs.

    async def _ask(self, command: bytes) -> bytearray:
        """The response at the end of a job that moves nothing, and so may be repeated."""
        return await self._do(command, QUESTION_TIME, repeatable=True)

    async def _order(self, command: bytes) -> bytearray:
        """The response at the end of a job that moves a card; it is sent once."""
        return await self._do(command, MOVEMENT_TIME, repeatable=False)

    async def _do(self, command: bytes, within: float, *, repeatable: bool) -> bytearray:
        await self._begin(command, within, repeatable=repeatable)
        return _answer(await self._next_event(TRIES * (ACK_TIMEOUT + ANSWER_TIMEOUT + GAP) + within))

    async def _begin(self, command: bytes, within: float, *, repeatable: bool) -> None:
        await self._link.send(self._request(command, within, repeatable=repeatable))

    def _request(self, command: bytes, within: float, *, repeatable: bool) -> Callable[[float], bytes]:
        """What makes the next exchange."""
        exchange, protocol = self._next_exchange(), self._protocol
        return lambda now: protocol.request(command, exchange, now, within=within, repeatable=repeatable)


def _answer(event: JobEvent) -> bytearray:
    if isinstance(event, Broken):
        raise DeviceError(event.reason, event.detail)
    return event.text


def _accept(text: bytearray) -> Response:
    """A response that tells of no error."""
    return _checked(_parsed(text))


def _checked(response: Response) -> Response:
    reason = responses.JOB_ERRORS.get(response.s)
    if reason is None and response.p != responses.WELL:
        reason = responses.ERRORS.get(response.p, Reason.DESYNC)
    if reason is not None:
        wipe(response.data)
        raise DeviceError(reason, "the device tells of an error", device_code=response.code)
    return response


def _split(response: Response, count: int) -> list[bytearray]:
    """The tracks of a response."""
    data = response.data
    try:
        if len(data) != TRACK_BYTES * count:
            raise DeviceError(Reason.DESYNC, "the tracks are not whole", device_code=response.code)
        return [data[at : at + TRACK_BYTES] for at in range(0, len(data), TRACK_BYTES)]
    finally:
        wipe(data)


def _parsed(text: bytearray) -> Response:
    try:
        return responses.parse(text)
    finally:
        wipe(text)
