"""Driver of a stocked device: a dispenser that pushes its cards into a motorised reader from behind.

A read takes a card from the stock, not from a person. A card whose read fails, is cancelled or gives no number is
nobody's, and a person who gets it could use it: unless the settings say otherwise it is retained, never presented.
So is one that is found inside after a crash. `leave` has it read by the next request, in place of another.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

from swipegate.devices.dispenser import Dispenser, StockLevel
from swipegate.devices.drivers import find_driver
from swipegate.devices.drivers.dispensers import create_dispenser
from swipegate.devices.drivers.motorised import CardSource, Disposal, MotorisedReader
from swipegate.devices.drivers.serial_reader import StateReport
from swipegate.devices.drivers.settings import settings_from
from swipegate.devices.errors import DeviceError, Reason, SettingsError
from swipegate.devices.line import LineSettings
from swipegate.devices.reader import Capabilities, CardReader, ProbeReport, ReadResult

# What a setting of the dispenser begins with, such as `dispenser_baud_rate`.
DISPENSER_PREFIX = "dispenser_"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StockedSettings:
    """What a stocked device is made of. All other settings are the reader's, or the dispenser's by their prefix."""

    reader: str
    """Driver of the reader, at the device's port."""
    dispenser: str
    """Driver of the dispenser."""
    dispenser_port: str
    """A pyserial URL."""


class DispenserSource(CardSource):
    """The stock of a dispenser whose gate leads into the reader."""

    def __init__(self, dispenser: Dispenser, name: str) -> None:
        """`name` is what the log calls it."""
        self._dispenser = dispenser
        self._name = name

    async def check(self) -> None:
        stock = await self._dispenser.stock()
        if stock.level is StockLevel.EMPTY and not stock.card_picked:
            raise DeviceError(Reason.STOCK_EMPTY, "there is no card to pick")
        if stock.level is not StockLevel.ENOUGH:
            logger.warning("%s: %s", self._name, Reason.STOCK_LOW)

    async def pick(self) -> None:
        await self._dispenser.pick()

    async def feed(self) -> None:
        await self._dispenser.feed()

    async def withdraw(self, disposal: Disposal) -> None:
        """Retain a card in the lane, or leave it there; it cannot be presented but through the reader."""
        if disposal is not Disposal.LEAVE and (await self._dispenser.stock()).card_picked:
            await self._dispenser.retain()

    async def probe(self) -> Mapping[str, str]:
        return (await self._dispenser.probe()).details


class StockedReader(CardReader):
    """A motorised reader that takes its cards from a dispenser."""

    device: ClassVar = "a dispenser and a motorised reader"
    capabilities: ClassVar = Capabilities(
        tracks=frozenset({1, 2, 3}), has_stock=True, motorised=True, can_retain=True
    )
    line: ClassVar = LineSettings()
    settle_time: ClassVar = 360.0

    def __init__(
        self, reader: MotorisedReader[Any, Any], dispenser: Dispenser, name: str = "dispenser"
    ) -> None:
        self._reader = reader
        self._dispenser = dispenser
        reader.take_from(DispenserSource(dispenser, name))

    @classmethod
    def create(cls, url: str, settings: Mapping[str, Any], line: LineSettings | None = None) -> Self:
        parts, rest = _parts(settings)
        kind = _reader_kind(parts.reader)
        for_dispenser = {
            name.removeprefix(DISPENSER_PREFIX): value
            for name, value in rest.items()
            if name.startswith(DISPENSER_PREFIX)
        }
        for_reader = {name: value for name, value in rest.items() if not name.startswith(DISPENSER_PREFIX)}
        for_reader = {"after_failure": "retain", "card_left": "retain"} | for_reader
        reader = kind.create(url, for_reader, line)
        return cls(reader, _create_dispenser(parts, for_dispenser), f"dispenser {parts.dispenser_port}")

    @classmethod
    def line_for(cls, settings: Mapping[str, Any]) -> LineSettings:
        parts, rest = _parts(settings)
        return _reader_kind(parts.reader).line_for(rest)

    async def open(self) -> None:
        await self._reader.open()
        await self._dispenser.open()

    async def read(self, message: str, *, deadline: float, on_state: StateReport) -> ReadResult:
        return await self._reader.read(message, deadline=deadline, on_state=on_state)

    async def release(self, *, accepted: bool) -> None:
        await self._reader.release(accepted=accepted)

    async def cancel(self) -> bool:
        return await self._reader.cancel()

    async def probe(self) -> ProbeReport:
        return await self._reader.probe()

    async def close(self) -> None:
        try:
            await self._reader.close()
        finally:
            await self._dispenser.close()


def _parts(settings: Mapping[str, Any]) -> tuple[StockedSettings, dict[str, Any]]:
    """What the device is made of, and the settings of its parts."""
    own = {field.name for field in fields(StockedSettings)}
    parts = settings_from(StockedSettings, {name: settings[name] for name in own & settings.keys()})
    return parts, {name: value for name, value in settings.items() if name not in own}


def _reader_kind(name: str) -> type[MotorisedReader[Any, Any]]:
    try:
        kind = find_driver(name)
    except SettingsError as error:
        raise SettingsError("reader", error.problem) from error
    if not issubclass(kind, MotorisedReader) or not kind.rear_entry:
        raise SettingsError("reader", f"{name!r} takes no card from behind")
    return kind


def _create_dispenser(parts: StockedSettings, settings: Mapping[str, Any]) -> Dispenser:
    try:
        return create_dispenser(parts.dispenser, parts.dispenser_port, settings)
    except SettingsError as error:
        names = {"dispenser": "dispenser", "url": "dispenser_port"}
        raise SettingsError(names.get(error.field, DISPENSER_PREFIX + error.field), error.problem) from error
