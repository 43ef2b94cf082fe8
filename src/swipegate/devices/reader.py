"""What a card reader can do, whatever it is and however it is driven."""

import enum
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from swipegate.devices.errors import Reason
from swipegate.devices.line import LineSettings
from swipegate.v1 import track_pb2

# The message of a card request is the caller's business and is never parsed; characters.
MESSAGE_CHARACTERS_MAX = 4096


class ReadState(enum.StrEnum):
    """How far a read has come; reported in this order, FEEDING only by readers with a stock.

    DISPATCHED comes before the command that may take a card: what fails from then on may have taken one.
    """

    DISPATCHED = "DISPATCHED"
    FEEDING = "FEEDING"
    WAITING_FOR_CARD = "WAITING_FOR_CARD"
    READING = "READING"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a kind of reader has."""

    tracks: frozenset[int]
    """Tracks that its head reads."""
    has_stock: bool = False
    """It can pick a card from a stock by itself."""
    motorised: bool = False
    """It moves the card by itself."""
    can_retain: bool = False
    """It can keep a card in a bin."""


@dataclass(slots=True)
class TrackRead:
    """What a device gave for one track: text, bits, or the reason why neither."""

    number: int
    """1, 2 or 3."""
    text: bytearray | None = None
    """Characters, sentinels included where the device gives them."""
    bits: bytearray | None = None
    """Packed bits, the first of the stripe in the top bit of the first byte."""
    bit_count: int = 0
    """How many bits count."""
    error: Reason | None = None
    """Why there is neither text nor bits."""
    device_code: str = ""
    """The device's own code for the track, verbatim; empty where it has one for all."""

    def wipe(self) -> None:
        """Zero the track data."""
        for data in (self.text, self.bits):
            if data is not None:
                data[:] = bytes(len(data))

    def __repr__(self) -> str:
        form = self.error or ("text" if self.text is not None else "bits")
        return f"TrackRead({self.number}, {form})"


@dataclass(slots=True)
class ReadResult:
    """What a device gave for one card. Whoever takes it wipes it once it is delivered."""

    tracks: list[TrackRead]
    """The tracks asked for, by number."""
    device_code: str
    """The device's own status, verbatim."""

    @property
    def readable(self) -> bool:
        """Whether any track was read."""
        return any(track.error is None for track in self.tracks)

    def to_swipe(self, swipe_id: int = 0) -> track_pb2.Swipe:
        """The tracks that were read, as the track core takes them; one with an error has no form there."""
        swipe = track_pb2.Swipe(id=swipe_id)
        for track in self.tracks:
            if track.text is not None:
                swipe.tracks.add(number=track.number, text=bytes(track.text))
            elif track.bits is not None:
                bits = track_pb2.BitString(data=bytes(track.bits), bit_count=track.bit_count)
                swipe.tracks.add(number=track.number, bits=bits)
        return swipe

    def wipe(self) -> None:
        """Zero all track data."""
        for track in self.tracks:
            track.wipe()


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What a device says of itself when it is asked after a crash or a lost link."""

    card_inside: bool | None
    """Whether a card is in it; None where it cannot know."""
    details: Mapping[str, str] = field(default_factory=dict)
    """Model, firmware and the like, verbatim."""


class CardReader(ABC):
    """One reader on one port.

    Thread-safety: none; all methods belong to one event loop. One read at a time.
    """

    device: ClassVar[str] = ""
    """What it drives, for people."""
    capabilities: ClassVar[Capabilities]
    line: ClassVar[LineSettings]
    settle_time: ClassVar[float] = 10.0
    """The longest that `cancel`, `probe` and `release` take, seconds."""

    @classmethod
    @abstractmethod
    def create(cls, url: str, settings: Mapping[str, Any], line: LineSettings | None = None) -> Self:
        """A reader on the port at a pyserial URL; nothing is opened yet.

        :raises SettingsError: a setting is unknown or wrong; it is named.
        """

    @classmethod
    def line_for(cls, settings: Mapping[str, Any]) -> LineSettings:
        """How the line is set where the settings do not say it themselves.

        :raises SettingsError: as create.
        """
        return cls.line

    @abstractmethod
    async def open(self) -> None:
        """Open the port; a repeat does nothing. A lost link is opened again by the next call that needs it.

        :raises DeviceError: PORT_OPEN.
        """

    @abstractmethod
    async def read(
        self, message: str, *, deadline: float, on_state: Callable[[ReadState], None]
    ) -> ReadResult:
        """Read one card.

        `deadline` (time.monotonic seconds) is how long to wait for the card; a card that is passing then is
        still read. `message` is at most 4096 characters and is never parsed. When the task is cancelled, the
        device is told to stop, without proof that it did: probe it before the next use.

        :raises ReadCancelled: cancelled, and the device has proven that it is idle.
        :raises ReadExpired: no card came, and the device has proven that it is idle.
        :raises DeviceError: the reason; DEVICE_BUSY when another read is under way.
        :raises SettingsError: the message is too long.
        """

    async def release(self, *, accepted: bool) -> None:  # noqa: B027 - most swipe readers hold no card
        """Let go of the card of the last read: present, retain or leave it, as the settings say.

        `accepted` tells whether the card is what was wanted. A reader that holds no card has nothing to do.

        :raises DeviceError: the card could not be moved.
        """

    @abstractmethod
    async def cancel(self) -> bool:
        """Stop the read under way, and prove that the device is idle.

        True when it is idle and no card was read; False when the read ended otherwise before (it had a card
        already, or failed): then the read's own outcome stands.

        :raises DeviceError: the device does not prove that it is idle; the read fails alike.
        """

    @abstractmethod
    async def probe(self) -> ProbeReport:
        """Bring the device to rest after a crash or a lost link, and prove that it answers.

        :raises DeviceError: the reason; DEVICE_BUSY when a read is under way.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close the port, from any state, and end a read under way (ReadCancelled or LINK_LOST)."""
