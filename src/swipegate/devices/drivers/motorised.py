"""What all drivers of a motorised reader share: the way of a card, from its entry to what becomes of it."""

import asyncio
import contextlib
import enum
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from swipegate.devices.drivers.serial_device import E, P
from swipegate.devices.drivers.serial_reader import ReadUnderWay, SerialReader, StateReport
from swipegate.devices.drivers.settings import Tracks
from swipegate.devices.errors import (
    UNANSWERED,
    DeviceError,
    LinkLost,
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
# How long a card from a stock may take from its source to the inside, seconds.
ARRIVAL_TIME = 10.0

logger = logging.getLogger(__name__)


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
    """What becomes of a card that is inside before a read or after a fault; `leave` refuses the read, but with a
    stock has that card read in place of another."""
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


class CardSource(ABC):
    """A stock from which a motorised reader gets its cards. All methods may raise DeviceError."""

    @abstractmethod
    async def check(self) -> None:
        """Return when a card can be had; moves nothing.

        :raises DeviceError: STOCK_EMPTY, NO_DISPENSER or what else stands in the way.
        """

    async def pick(self) -> None:  # noqa: B027 - not where a card goes from the stock to the head in one
        """Have one card ready, so that it is quickly fed. What may have been done is not done again."""

    @abstractmethod
    async def feed(self) -> None:
        """Move one card on to the reader. What may have been done is not done again."""

    async def withdraw(self, disposal: Disposal) -> None:  # noqa: B027 - most sources let go of a card at once
        """Deal with a card that was picked and has not left the source."""

    @abstractmethod
    async def probe(self) -> Mapping[str, str]:
        """Bring the source to rest; what it says of itself."""


class MotorisedReader(SerialReader[P, E]):
    """A reader that takes a card in. A read leaves its card inside; `release` lets go of it.

    With a source, a read takes no card of a person but one from the stock. Where that read fails or is cancelled,
    the card is dealt with at once, as the settings say for a card that was not accepted.
    """

    rear_entry: ClassVar[bool] = False
    """It can take a card that another machine pushes in from behind."""

    def __init__(self, url: str, settings: MotorisedSettings, line: LineSettings | None = None) -> None:
        super().__init__(url, line)
        self._settings = settings
        self._at_rest = False
        if not self.capabilities.can_retain:
            for name in ("after_read", "after_failure", "card_left"):
                if getattr(settings, name) is Disposal.RETAIN:
                    raise SettingsError(name, "retain: the device has no bin")
        self._source: CardSource | None = None

    def take_from(self, source: CardSource) -> None:
        """Take cards from a stock from now on."""
        self._source = source

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

    async def _permit_rear_entry(self) -> None:
        """Take a card from behind from now on; for a device with `rear_entry`."""
        raise DeviceError(Reason.NO_DISPENSER, "this reader takes no card from behind")

    @abstractmethod
    async def _forbid_entry(self) -> None:
        """Take no card from now on."""

    @abstractmethod
    async def _read_track(self, number: int) -> TrackRead:
        """One track of the card inside; what is wrong with the track alone is in it, and not raised."""

    @abstractmethod
    async def _eject(self) -> None:
        """Move the card inside to the gate."""

    async def _retain(self) -> None:
        """Move the card inside to the bin, where the device has one."""
        raise NotImplementedError

    def _awaits_reset(self, error: DeviceError) -> bool:
        """Whether the device accepts nothing but an initialisation after an error of its own."""
        return True

    async def _describe(self) -> dict[str, str]:
        """What the device says of itself."""
        return {}

    # The calls.

    async def release(self, *, accepted: bool) -> None:
        self._refuse_if_busy()
        async with self._busy:
            if accepted:
                await self._dispose(self._settings.after_read)
            elif await self._position() is Position.INSIDE:  # a read that failed may have left none
                await self._dispose(self._settings.after_failure)

    async def _probe(self) -> ProbeReport:
        await self._come_to_rest()
        if await self._position() is Position.INSIDE:
            await self._dispose(self._settings.card_left)
        inside = await self._position() is Position.INSIDE
        details = await self._describe()
        if self._source is not None:
            await self._source.withdraw(self._settings.card_left)
            details |= await self._source.probe()
        return ProbeReport(card_inside=inside, details=details)

    async def _read_card(self, read: ReadUnderWay, deadline: float, on_state: StateReport) -> ReadResult:
        try:
            await self._make_ready(read, deadline)
            if self._source is not None:
                return await self._read_from_stock(self._source, read, on_state)
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
        """Stop what is under way. A device that says that it cannot work is initialised, or asked once more where its
        error passes by itself; a silent one is initialised too: after power-on it may learn the speed of the line
        from that."""
        self._at_rest = False
        try:
            await self._stop_work()
            await self._position()
        except LinkLost:
            raise
        except DeviceError as error:
            if error.device_code and not self._awaits_reset(error):
                await self._stop_work()
            else:
                wrong_length = error.reason in (Reason.LONG_CARD, Reason.SHORT_CARD)
                await self._bring_up(Disposal.PRESENT if wrong_length else self._settings.card_left)
        self._at_rest = True

    async def _bring_up(self, card: Disposal) -> None:
        """Initialise; where no answer came, what the device says next tells whether it did."""
        unanswered = None
        try:
            await self._initialise(card)
        except DeviceError as error:
            if error.reason not in UNANSWERED:
                raise
            unanswered = error
        try:
            await self._stop_work()
            await self._position()
        except DeviceError as error:
            raise unanswered or error from None

    async def _dispose_of_card_left(self) -> None:
        if self._settings.card_left is Disposal.LEAVE:
            if self._source is not None:
                return  # from the stock, and nobody's: it is read in place of another
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
            if read.cancel.is_set() or time.monotonic() >= deadline:
                await self._end_without_card(read)
                return
            await self._pause(read)
        await self._forbid_entry()

    async def _end_without_card(self, read: ReadUnderWay) -> None:
        """End a read that was cancelled or has expired; return where a card was faster."""
        cancelled = read.cancel.is_set()
        read.disarming = True
        await self._forbid_entry()
        if await self._position() is Position.INSIDE:
            read.disarming = False
            return
        self._at_rest = True
        raise ReadCancelled if cancelled else ReadExpired

    # The way of a card from a stock.

    async def _read_from_stock(
        self, source: CardSource, read: ReadUnderWay, on_state: StateReport
    ) -> ReadResult:
        kept = await self._position() is Position.INSIDE
        if not kept:
            await source.check()
        if read.cancel.is_set():
            raise ReadCancelled
        on_state(ReadState.DISPATCHED)
        self._at_rest = False
        try:
            if not kept:
                on_state(ReadState.FEEDING)
                await self._feed_in(source)
            if not read.cancel.is_set():
                on_state(ReadState.READING)
                result = await self._read_tracks()
                self._at_rest = True
                return result
        except DeviceError:
            await self._put_away_at_all_costs(source)
            raise
        read.disarming = True
        await self._put_away(source)
        self._at_rest = True
        raise ReadCancelled

    async def _feed_in(self, source: CardSource) -> None:
        """One card from the stock comes inside."""
        await source.pick()
        await self._permit_rear_entry()
        await source.feed()
        patience = time.monotonic() + ARRIVAL_TIME
        while await self._position() is not Position.INSIDE:
            if time.monotonic() >= patience:
                raise DeviceError(Reason.PICK_FAILED, "the card from the stock does not arrive")
            await asyncio.sleep(self._settings.poll)
        await self._forbid_entry()

    async def _put_away(self, source: CardSource) -> None:
        """Deal with a card from the stock that nobody will get, wherever it is."""
        await self._forbid_entry()
        if await self._position() is Position.INSIDE:
            await self._dispose(self._settings.after_failure)
        await source.withdraw(self._settings.after_failure)

    async def _put_away_at_all_costs(self, source: CardSource) -> None:
        """As _put_away after a failure that is told anyway; what cannot be done now, the next use finds."""
        try:
            await self._come_to_rest()
            await self._put_away(source)
        except DeviceError as error:
            logger.warning("%s: a card from the stock is still on its way (%s)", self._url, error.reason)

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
            if isinstance(error, DeviceError):
                raise await self._explained(error) from None
            raise
        return ReadResult(tracks, " ".join(track.device_code for track in tracks))

    async def _explained(self, error: DeviceError) -> DeviceError:
        """A device that cannot do as it is told has perhaps no card any more."""
        with contextlib.suppress(DeviceError):
            if (
                error.device_code
                and error.reason is Reason.DESYNC
                and await self._position() is not Position.INSIDE
            ):
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
                    raise await self._explained(error) from None
            if await self._position() is not Position.INSIDE:
                return
