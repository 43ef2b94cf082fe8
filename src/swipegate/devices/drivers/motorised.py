"""What all drivers of a motorised reader share: the way of a card, from its entry to what becomes of it."""

import asyncio
import contextlib
import enum
import time
from abc import abstractmethod
from dataclasses import dataclass

from swipegate.devices.drivers.serial_device import E, P
from swipegate.devices.drivers.serial_reader import ReadUnderWay, SerialReader, StateReport
from swipegate.devices.drivers.settings import Tracks
from swipegate.devices.errors import (
    UNANSWERED,
    DeviceError,
    ReadCancelled,
    ReadExpired,
    Reason,
    SettingsError,
)
from swipegate.devices.line import LineSettings
from swipegate.devices.reader import ProbeReport, ReadResult, ReadState, TrackRead

# Bounds of settings, seconds.
POLL_MIN, POLL_MAX = 0.01, 5.0
REMOVAL_TIME_MAX = 600.0


class Position(enum.Enum):
    """Where a card is."""

    NONE = enum.auto()
    GATE = enum.auto()
    INSIDE = enum.auto()


class Disposal(enum.StrEnum):
    """What becomes of a card."""

    PRESENT = "present"
    """Ejected to the gate, for the person to take."""
    RETAIN = "retain"
    """Kept in the bin."""
    LEAVE = "leave"
    """Left inside."""


@dataclass(frozen=True, slots=True)
class MotorisedSettings:
    """How a motorised reader is used. Times in seconds."""

    tracks: Tracks = (1, 2, 3)
    """Tracks to read."""
    after_read: Disposal = Disposal.PRESENT
    """What becomes of a card that was accepted."""
    after_failure: Disposal = Disposal.PRESENT
    """What becomes of a card that was not."""
    card_left: Disposal = Disposal.PRESENT
    """What becomes of a card that is inside before a read or after a fault; `leave` refuses the read."""
    removal_time: float = 30.0
    """How long a read waits for the card before it to be taken from the gate."""
    poll: float = 0.2
    """How often the device is asked whether a card is in."""

    def __post_init__(self) -> None:
        if not POLL_MIN <= self.poll <= POLL_MAX:
            raise SettingsError("poll", f"{self.poll} is not {POLL_MIN} to {POLL_MAX} seconds")
        if not 0 <= self.removal_time <= REMOVAL_TIME_MAX:
            raise SettingsError(
                "removal_time", f"{self.removal_time} is not 0 to {REMOVAL_TIME_MAX:g} seconds"
            )


class MotorisedReader(SerialReader[P, E]):
    """A reader that takes a card in. A read leaves its card inside; `release` lets go of it."""

    def __init__(self, url: str, settings: MotorisedSettings, line: LineSettings | None = None) -> None:
        super().__init__(url, line)
        self._settings = settings
        self._at_rest = False

    # What each kind of device does in its own way. All may raise DeviceError, with the device's own code where
    # the device refuses.

    @abstractmethod
    async def _stop_work(self) -> None:
        """Have a command that may be under way given up, and entry forbidden."""

    @abstractmethod
    def _post_stop(self) -> None:
        """As _stop_work, without waiting and without proof."""

    @abstractmethod
    async def _initialise(self, card: Disposal) -> None:
        """Bring the device up from any state; a card inside is dealt with as said."""

    @abstractmethod
    async def _position(self) -> Position:
        """Where a card is now."""

    @abstractmethod
    async def _permit_entry(self) -> None:
        """Take a card from now on."""

    @abstractmethod
    async def _forbid_entry(self) -> None:
        """Take no card from now on."""

    @abstractmethod
    async def _read_track(self, number: int) -> TrackRead:
        """One track of the card inside; what is wrong with the track alone is in it, and not raised."""

    @abstractmethod
    async def _eject(self) -> None:
        """Move the card inside to the gate."""

    @abstractmethod
    async def _retain(self) -> None:
        """Move the card inside to the bin."""

    async def _describe(self) -> dict[str, str]:
        """What the device says of itself."""
        return {}

    # The calls.

    async def release(self, *, accepted: bool) -> None:
        self._refuse_if_busy()
        async with self._busy:
            await self._dispose(self._settings.after_read if accepted else self._settings.after_failure)

    async def _probe(self) -> ProbeReport:
        await self._come_to_rest()
        if await self._position() is Position.INSIDE:
            await self._dispose(self._settings.card_left)
        inside = await self._position() is Position.INSIDE
        return ProbeReport(card_inside=inside, details=await self._describe())

    async def _read_card(self, read: ReadUnderWay, deadline: float, on_state: StateReport) -> ReadResult:
        try:
            await self._make_ready(read, deadline)
            on_state(ReadState.DISPATCHED)
            self._at_rest = False  # until the card is read or entry is forbidden again
            await self._take_in(read, deadline, on_state)
            on_state(ReadState.READING)
            result = await self._read_tracks()
            self._at_rest = True
            return result
        except DeviceError:
            self._at_rest = False
            raise
        except asyncio.CancelledError:
            with contextlib.suppress(DeviceError):  # the next use begins with a probe
                self._post_stop()
            raise

    # The way of a card.

    async def _make_ready(self, read: ReadUnderWay, deadline: float) -> None:
        """An open port, a device that answers, entry forbidden, and no card in the way."""
        opened = await self._ensure_open()
        if opened or not await self._is_well():
            await self._come_to_rest()
        if await self._position() is Position.INSIDE:
            await self._dispose_of_card_left()
        await self._clear_gate(read, deadline)

    async def _is_well(self) -> bool:
        """Whether the device is as the last call left it: at rest, and not switched off since."""
        try:
            return self._at_rest and isinstance(await self._position(), Position)
        except DeviceError:
            return False

    async def _come_to_rest(self) -> None:
        """Stop what is under way; a device that says that it cannot work is initialised."""
        self._at_rest = False
        try:
            await self._stop_work()
            await self._position()
        except DeviceError as error:
            if not error.device_code:  # it does not answer: what it is told now is told in vain
                raise
            wrong_length = error.reason in (Reason.LONG_CARD, Reason.SHORT_CARD)
            await self._initialise(Disposal.PRESENT if wrong_length else self._settings.card_left)
            await self._stop_work()
        self._at_rest = True

    async def _dispose_of_card_left(self) -> None:
        if self._settings.card_left is Disposal.LEAVE:
            raise DeviceError(Reason.CARD_LEFT_AT_GATE, "a card is inside, and the settings say to leave it")
        await self._dispose(self._settings.card_left)

    async def _clear_gate(self, read: ReadUnderWay, deadline: float) -> None:
        """Wait for the card before to be taken."""
        patience = time.monotonic() + self._settings.removal_time
        while True:
            at_gate = await self._position() is Position.GATE
            if read.cancel.is_set():
                raise ReadCancelled
            if time.monotonic() >= deadline:
                raise ReadExpired
            if not at_gate:
                return
            if time.monotonic() >= patience:
                raise DeviceError(Reason.CARD_LEFT_AT_GATE, "nobody takes the card before")
            await self._pause(read)

    async def _take_in(self, read: ReadUnderWay, deadline: float, on_state: StateReport) -> None:
        """Return when a card is inside."""
        await self._permit_entry()
        on_state(ReadState.WAITING_FOR_CARD)
        while await self._position() is not Position.INSIDE:
            cancelled = read.cancel.is_set()
            if cancelled or time.monotonic() >= deadline:
                if await self._came_meanwhile(read):
                    break
                raise ReadCancelled if cancelled else ReadExpired
            await self._pause(read)
        await self._forbid_entry()

    async def _came_meanwhile(self, read: ReadUnderWay) -> bool:
        """Forbid entry; whether a card was faster."""
        read.disarming = True
        await self._forbid_entry()
        if await self._position() is Position.INSIDE:
            read.disarming = False
            return True
        self._at_rest = True
        return False

    async def _pause(self, read: ReadUnderWay) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.poll):
                await read.cancel.wait()

    async def _read_tracks(self) -> ReadResult:
        tracks: list[TrackRead] = []
        try:
            for number in self._settings.tracks:
                tracks.append(await self._read_track(number))
        except BaseException as error:
            for track in tracks:
                track.wipe()
            if isinstance(error, DeviceError) and error.device_code:
                raise await self._explained(error) from error
            raise
        return ReadResult(tracks, " ".join(track.device_code for track in tracks))

    async def _explained(self, error: DeviceError) -> DeviceError:
        """A device that cannot read has perhaps no card any more."""
        with contextlib.suppress(DeviceError):
            if error.reason is Reason.DESYNC and await self._position() is not Position.INSIDE:
                gone = "the card is gone"
                return DeviceError(Reason.CARD_PULLED_OUT, gone, device_code=error.device_code)
        return error

    async def _dispose(self, disposal: Disposal) -> None:
        """Move the card inside. What brought no answer is tried again only where the card is still inside."""
        if disposal is Disposal.LEAVE:
            return
        move = self._eject if disposal is Disposal.PRESENT else self._retain
        for last in (False, True):
            try:
                await move()
                return
            except DeviceError as error:
                self._at_rest = False
                if last or error.reason not in UNANSWERED:
                    raise
            if await self._position() is not Position.INSIDE:
                return
