"""Driver of the Creator CRT-591 (CRT-571 alike) and ACT F3 card dispensers."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from swipegate.devices.dispenser import Dispenser, Stock, StockLevel
from swipegate.devices.drivers.handshake_device import HandshakeDevice
from swipegate.devices.drivers.settings import settings_from
from swipegate.devices.errors import UNANSWERED, DeviceError, LinkLost, Reason, SettingsError
from swipegate.devices.line import LineSettings
from swipegate.devices.protocols.crt591 import commands, responses
from swipegate.devices.protocols.crt591.dialect import ADDRESS_MAX, dialect
from swipegate.devices.protocols.crt591.errors import ERRORS
from swipegate.devices.protocols.crt591.responses import Response
from swipegate.devices.protocols.handshake import Dialect, HandshakeHost
from swipegate.devices.reader import ProbeReport

LEVELS = {
    responses.EMPTY: StockLevel.EMPTY,
    responses.FEW: StockLevel.LOW,
    responses.ENOUGH: StockLevel.ENOUGH,
}


@dataclass(frozen=True, slots=True)
class Crt591Settings:
    """How a CRT-591 is addressed."""

    address: int = 0
    """As its switches say."""

    def __post_init__(self) -> None:
        if not 0 <= self.address <= ADDRESS_MAX:
            raise SettingsError("address", f"{self.address} is not 0 to {ADDRESS_MAX}")


@dataclass(frozen=True, slots=True)
class _Status:
    """What every positive response tells."""

    place: str
    stock: Stock


class Crt591Dispenser(HandshakeDevice, Dispenser):
    """One CRT-591 on one port. Every call begins with its status."""

    line: ClassVar = LineSettings(baud_rate=9600)
    settle_time: ClassVar = 120.0
    dialect: ClassVar[Dialect] = dialect()

    def __init__(self, url: str, settings: Crt591Settings, line: LineSettings | None = None) -> None:
        self._settings = settings
        self._at_rest = False
        super().__init__(url, line)

    @classmethod
    def create(cls, url: str, settings: Mapping[str, Any], line: LineSettings | None = None) -> Self:
        return cls(url, settings_from(Crt591Settings, settings), line)

    def _new_protocol(self) -> HandshakeHost:
        return HandshakeHost(dialect(self._settings.address))

    # The calls.

    async def stock(self) -> Stock:
        async with self._call() as status:
            return status.stock

    async def pick(self) -> None:
        async with self._call() as status:
            await self._pick(status)

    async def feed(self) -> None:
        async with self._call() as status:
            await self._pick(status)
            await self._move(commands.OUT, lambda status: status.place == responses.NO_CARD)

    async def present(self) -> None:
        async with self._call() as status:
            _require_card(status)
            await self._move(commands.HOLD, lambda status: status.place != responses.IN_LANE)

    async def retain(self) -> None:
        async with self._call() as status:
            _require_card(status)
            await self._move(commands.RETAIN, lambda status: status.place == responses.NO_CARD)

    async def probe(self) -> ProbeReport:
        self._at_rest = False
        async with self._call() as status:
            version = _parsed(await self._ask(commands.VERSION))
            details = (
                {"dispenser": version.data.decode("ascii", "backslashreplace")} if version.positive else {}
            )
            return ProbeReport(status.stock.card_picked, details | status.stock.details())

    @contextlib.asynccontextmanager
    async def _call(self) -> AsyncIterator[_Status]:
        """One call: an open port, a device that works, and how it stands."""
        self._refuse_if_busy()
        async with self._busy:
            opened = await self._ensure_open()
            self._at_rest = self._at_rest and not opened
            status = await self._status_if_well() or await self._come_to_rest()
            self._at_rest = False  # unless the call ends well
            yield status
            self._at_rest = True

    async def _status_if_well(self) -> _Status | None:
        """How the device stands, if it is as the last call left it."""
        with contextlib.suppress(DeviceError):
            return await self._status() if self._at_rest else None
        return None

    async def _come_to_rest(self) -> _Status:
        """Stop what is under way. A device that says that it cannot work is initialised, its card left in place; so
        is a silent one: after power-on it learns the speed of the line from its first initialisation."""
        try:
            await self._interrupt()
            return await self._status()
        except LinkLost:
            raise
        except DeviceError:
            return await self._initialise()

    async def _initialise(self) -> _Status:
        """Bring the device up; where no answer came, the status tells whether it did."""
        try:
            return _accept(await self._order(commands.initialise(commands.AS_IT_IS)))
        except DeviceError as error:
            if error.reason not in UNANSWERED:
                raise
            unanswered = error
        try:
            return await self._status()
        except DeviceError:
            raise unanswered from None

    # The way of a card.

    async def _pick(self, status: _Status) -> None:
        """One card from the stock into the lane, if there is none."""
        if status.place != responses.NO_CARD:
            return
        if status.stock.level is StockLevel.EMPTY:
            raise DeviceError(Reason.STOCK_EMPTY, "there is no card to pick")
        status = await self._move(commands.PICK, lambda status: status.place != responses.NO_CARD)
        _require_card(status)

    async def _move(self, command: bytes, done: Callable[[_Status], bool]) -> _Status:
        """Order a movement. One that brought no answer is ordered again only where the status says: not done."""
        try:
            return _accept(await self._order(command))
        except DeviceError as error:
            if error.reason not in UNANSWERED:
                raise await self._explained(error, command) from None
        status = await self._come_to_rest()
        return status if done(status) else _accept(await self._order(command))

    async def _explained(self, error: DeviceError, command: bytes) -> DeviceError:
        """A dispenser that cannot move a card has perhaps none any more."""
        with contextlib.suppress(DeviceError):
            refused = bool(error.device_code) and error.reason is Reason.DESYNC and command != commands.PICK
            if refused and (await self._status()).place == responses.NO_CARD:
                return DeviceError(Reason.CARD_PULLED_OUT, "the card is gone", device_code=error.device_code)
        return error

    async def _status(self) -> _Status:
        return _accept(await self._ask(commands.STATUS))


def _require_card(status: _Status) -> None:
    if status.place == responses.NO_CARD:
        raise DeviceError(Reason.PICK_FAILED, "there is no card in the lane")


def _accept(text: bytearray) -> _Status:
    """How a positive response says that the device stands."""
    response = _parsed(text)
    if not response.positive:
        reason = ERRORS.get(response.code, Reason.DESYNC)
        raise DeviceError(reason, "the dispenser refuses", device_code=response.code)
    place, level, bin_state = tuple(response.code)
    if level not in LEVELS:
        raise DeviceError(Reason.DESYNC, "a status that no dispenser has", device_code=response.code)
    picked = place != responses.NO_CARD
    return _Status(place, Stock(LEVELS[level], bin_state == responses.BIN_FULL, picked))


def _parsed(text: bytearray) -> Response:
    try:
        return responses.parse(text)
    except ValueError as error:
        raise DeviceError(Reason.DESYNC, str(error)) from None
