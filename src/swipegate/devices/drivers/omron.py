"""Driver of the OMRON 3S4YR motorised readers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from swipegate.devices.drivers.motorised import Disposal, MotorisedSettings, Position
from swipegate.devices.drivers.settings import settings_from
from swipegate.devices.drivers.verdict_reader import POSITIONS, VerdictReader
from swipegate.devices.errors import DeviceError, Reason
from swipegate.devices.line import LineSettings
from swipegate.devices.protocols.handshake import Dialect
from swipegate.devices.protocols.omron import commands
from swipegate.devices.protocols.omron.dialect import DIALECT, REST
from swipegate.devices.protocols.omron.errors import AWAIT_RESET, AWAIT_RETURN, ERRORS
from swipegate.devices.reader import Capabilities, TrackRead

INITIALISE_CARD = {
    Disposal.PRESENT: commands.TO_GATE,
    Disposal.RETAIN: commands.TO_BIN,
    Disposal.LEAVE: commands.HOLD,
}


@dataclass(frozen=True, slots=True)
class OmronSettings(MotorisedSettings):
    """How a 3S4YR is used."""

    magnetic_only: bool = True
    """Take in only what has a magnetic stripe."""


class OmronReader(VerdictReader):
    """One 3S4YR on one port."""

    device: ClassVar = "OMRON 3S4YR"
    capabilities: ClassVar = Capabilities(tracks=frozenset({1, 2, 3}), motorised=True, can_retain=True)
    line: ClassVar = LineSettings(baud_rate=9600, parity="E")
    settle_time: ClassVar = 120.0
    forbids_entry: ClassVar = commands.DENY
    dialect: ClassVar[Dialect] = DIALECT
    rest: ClassVar = REST
    positions: ClassVar = POSITIONS | {
        "04": Position.INSIDE,  # where the MM sensor reads
        "10": Position.INSIDE,  # under the contacts of a chip
        "11": Position.INSIDE,
    }
    errors: ClassVar = ERRORS
    _settings: OmronSettings

    @classmethod
    def create(cls, url: str, settings: Mapping[str, Any], line: LineSettings | None = None) -> Self:
        return cls(url, settings_from(OmronSettings, settings), line)

    async def _ask(self, command: bytes) -> bytearray:
        """As the base; a track that was not read is read anew, so that every answer may take as long."""
        return await self._exchange_texts(command, self.dialect.response_timeout, repeatable=True)

    async def _stop_work(self) -> None:
        """EOT, which has no echo, then entry denied: its response proves that nothing is under way.

        A device fresh from power learns the speed of its line from an initial reset, and may understand nothing
        before it (1.5.1); so one that does not understand is reset.
        """
        exchange, protocol = self._next_exchange(), self._protocol
        await self._link.send(lambda now: protocol.cancel(exchange, now))
        try:
            await self._forbid_entry()
        except DeviceError as error:
            if error.reason not in (Reason.ACK_TIMEOUT, Reason.NAK_EXHAUSTED):
                raise
            await self._initialise(self._settings.card_left)
            await self._forbid_entry()
        self._accept(await self._ask(commands.FORMAT_DATA))

    def _awaits_reset(self, error: DeviceError) -> bool:
        return error.device_code in AWAIT_RESET | AWAIT_RETURN

    async def _initialise(self, card: Disposal) -> None:
        self._accept(await self._order(commands.initial_reset(INITIALISE_CARD[card])))

    async def _position(self) -> Position:
        return self._accept(await self._ask(commands.STATUS))

    async def _permit_entry(self) -> None:
        permit = commands.PERMIT_MAGNETIC if self._settings.magnetic_only else commands.PERMIT_ANY
        self._accept(await self._ask(permit))

    async def _forbid_entry(self) -> None:
        self._accept(await self._ask(self.forbids_entry))

    async def _eject(self) -> None:
        self._accept(await self._order(commands.RETURN))

    async def _retain(self) -> None:
        self._accept(await self._order(commands.CAPTURE))

    async def _describe(self) -> dict[str, str]:
        return {"version": await self._ask_for_text(commands.VERSION)}

    async def _read_track(self, number: int) -> TrackRead:
        return await self._ask_for_track(number, commands.read_track(number))
