"""What a card dispenser can do, whatever it is: a stock of cards, and no head that reads one."""

import enum
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from swipegate.devices.errors import Reason
from swipegate.devices.line import LineSettings
from swipegate.devices.reader import ProbeReport


class StockLevel(enum.StrEnum):
    """How many cards are left."""

    EMPTY = "EMPTY"
    LOW = "LOW"
    ENOUGH = "ENOUGH"


@dataclass(frozen=True, slots=True)
class Stock:
    """How a dispenser stands."""

    level: StockLevel
    bin_full: bool
    card_picked: bool
    """A card was picked and has not left: the next `feed` moves that one."""

    def details(self) -> dict[str, str]:
        """As a ProbeReport tells it."""
        told = {"stock": str(self.level), "bin": "full" if self.bin_full else "not full"}
        return told | ({"warning": str(Reason.STOCK_LOW)} if self.level is StockLevel.LOW else {})


class Dispenser(ABC):
    """One dispenser on one port.

    All movements raise DeviceError with the reason, among them STOCK_EMPTY, NO_DISPENSER, PICK_FAILED, JAM and
    RETAIN_FULL, and DEVICE_BUSY while another call is under way. A movement whose outcome is not known is done
    again only where the device's status tells that it was not done. A lost link is opened again by the next call.
    When the task is cancelled, a movement under way is not proven to have ended; the next call asks first.

    Thread-safety: none; all methods belong to one event loop.
    """

    line: ClassVar[LineSettings]
    settle_time: ClassVar[float] = 60.0
    """The longest that a call takes, seconds."""

    @classmethod
    @abstractmethod
    def create(cls, url: str, settings: Mapping[str, Any], line: LineSettings | None = None) -> Self:
        """A dispenser on the port at a pyserial URL; nothing is opened yet.

        :raises SettingsError: a setting is unknown or wrong; it is named.
        """

    @abstractmethod
    async def open(self) -> None:
        """Open the port; a repeat does nothing.

        :raises DeviceError: PORT_OPEN.
        """

    @abstractmethod
    async def stock(self) -> Stock:
        """How many cards are left; moves nothing.

        :raises DeviceError: the reason.
        """

    @abstractmethod
    async def pick(self) -> None:
        """Move one card from the stock into the lane; nothing where one was picked already.

        :raises DeviceError: the reason; STOCK_EMPTY before anything moves.
        """

    @abstractmethod
    async def feed(self) -> None:
        """Move one card out to the reader: the one that was picked already, else one from the stock.

        :raises DeviceError: the reason; STOCK_EMPTY before anything moves.
        """

    @abstractmethod
    async def present(self) -> None:
        """Hold the card that was picked at the gate, for a person to take.

        :raises DeviceError: the reason; PICK_FAILED when there is no card to move.
        """

    @abstractmethod
    async def retain(self) -> None:
        """Move the card that was picked to the bin.

        :raises DeviceError: the reason; PICK_FAILED when there is no card to move.
        """

    @abstractmethod
    async def probe(self) -> ProbeReport:
        """Bring the dispenser to rest after a crash or a lost link, and prove that it answers; moves no card.

        :raises DeviceError: the reason.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close the port, from any state."""
