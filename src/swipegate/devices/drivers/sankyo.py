"""Driver of the Sankyo ICT3Q8 and MCT3Q8 motorised readers."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from swipegate.devices.drivers.motorised import CardSource, Disposal, MotorisedSettings, Position
from swipegate.devices.drivers.serial_reader import ReadUnderWay, StateReport
from swipegate.devices.drivers.settings import settings_from
from swipegate.devices.drivers.verdict_reader import VerdictReader
from swipegate.devices.errors import UNANSWERED, DeviceError
from swipegate.devices.line import LineSettings
from swipegate.devices.protocols.handshake import Dialect
from swipegate.devices.protocols.sankyo import commands
from swipegate.devices.protocols.sankyo.dialect import DIALECT, REST
from swipegate.devices.protocols.sankyo.errors import ERRORS
from swipegate.devices.reader import Capabilities, ReadState, TrackRead

INITIALISE_CARD = {
    Disposal.PRESENT: commands.TO_GATE,
    Disposal.RETAIN: commands.TO_BIN,
    Disposal.LEAVE: commands.AS_IT_IS,
}


class Intake(enum.StrEnum):
    """How a card is awaited."""

    POLLED = "polled"
    """Entry is enabled, and the device asked for its status."""
    BLOCKING = "blocking"
    """One command that ends when a card is in; DLE EOT cancels it."""


@dataclass(frozen=True, slots=True)
class SankyoSettings(MotorisedSettings):
    """How an ICT3Q8 is used."""

    intake: Intake = Intake.POLLED
    """How a card is awaited."""
    magnetic_only: bool = True
    """Take in only what has a magnetic stripe where the pre-head expects it."""


class SankyoReader(VerdictReader):
    """One ICT3Q8 on one port."""

    device: ClassVar = "Sankyo ICT3Q8, MCT3Q8"
    capabilities: ClassVar = Capabilities(tracks=frozenset({1, 2, 3}), motorised=True, can_retain=True)
    line: ClassVar = LineSettings(baud_rate=38400, parity="E", hardware_flow=True)
    settle_time: ClassVar = 60.0
    forbids_entry: ClassVar = commands.DISABLE
    dialect: ClassVar[Dialect] = DIALECT
    rest: ClassVar = REST
    errors: ClassVar = ERRORS
    rear_entry: ClassVar = True
    _settings: SankyoSettings

    @classmethod
    def create(cls, url: str, settings: Mapping[str, Any], line: LineSettings | None = None) -> Self:
        return cls(url, settings_from(SankyoSettings, settings), line)

    async def _stop_work(self) -> None:
        await self._interrupt()
        await self._forbid_entry()

    async def _initialise(self, card: Disposal) -> None:
        self._accept(await self._order(commands.initialise(INITIALISE_CARD[card])))

    async def _position(self) -> Position:
        return self._accept(await self._ask(commands.STATUS))

    async def _permit_entry(self) -> None:
        enable = commands.ENABLE_MAGNETIC if self._settings.magnetic_only else commands.ENABLE_ANY
        self._accept(await self._ask(enable))

    async def _forbid_entry(self) -> None:
        self._accept(await self._ask(self.forbids_entry))

    async def _eject(self) -> None:
        self._accept(await self._order(commands.EJECT))

    async def _retain(self) -> None:
        self._accept(await self._order(commands.CAPTURE))

    async def _describe(self) -> dict[str, str]:
        return {"revision": await self._ask_for_text(commands.REVISION)}

    async def _read_track(self, number: int) -> TrackRead:
        return await self._ask_for_track(number, commands.read_track(number))

    async def _take_in(self, read: ReadUnderWay, deadline: float, on_state: StateReport) -> None:
        if self._settings.intake is Intake.POLLED:
            await super()._take_in(read, deadline, on_state)
            return
        command = commands.ENTRY_MAGNETIC if self._settings.magnetic_only else commands.ENTRY_ANY
        text = await self._await_response(
            command, read, deadline, lambda: on_state(ReadState.WAITING_FOR_CARD)
        )
        if text is None:
            await self._end_without_card(read)
        else:
            self._accept(text)

    async def _feed_in(self, source: CardSource) -> None:
        """By the rear alone, which no other command opens without the gate: no person's card may slip in."""
        await source.pick()
        try:
            self._accept(await self._await_fed(commands.ENTRY_REAR, source))
        except DeviceError as error:
            if error.reason not in UNANSWERED or await self._position() is not Position.INSIDE:
                raise
