"""A simulated CRT-591."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar, Literal

from swipegate.devices.protocols.crt591 import commands, responses
from swipegate.devices.protocols.crt591.dialect import dialect
from swipegate.devices.protocols.handshake import Dialect
from swipegate.devices.simulators.cards import SimulatedCard
from swipegate.devices.simulators.mechanism import Place, Refused
from swipegate.devices.simulators.motorised import MotorisedSimulator

VERSION = b"CRT-591-M001"
# The stock counts as low from so many cards on.
FEW = 1
PLACES = {
    Place.NOWHERE: responses.NO_CARD,
    Place.GATE: responses.AT_GATE,
    Place.INSIDE: responses.IN_LANE,
}
# Error codes by the mechanism's faults.
FAULTS = {
    "no card": "02",
    "bin full": "A1",
    "jam": "10",
    "sensor": "12",
    "long card": "13",
    "short card": "14",
    "pulled out": "45",
    "motor": "51",
    "not picked": "43",
    "stock empty": "A0",
}
UNDEFINED, NOT_RESET = "00", "B0"


class Crt591Simulator(MotorisedSimulator):
    """A CRT-591 with a stock of cards; what comes out of its gate goes to `outlet`, else to a person.

    Thread-safety: as Simulator; `outlet` is called in the thread, and tells whether it takes the card.
    """

    dialect: ClassVar[Dialect] = dialect()

    def __init__(
        self,
        wire: Literal["pty", "tcp"] = "tcp",
        *,
        stock: Iterable[SimulatedCard] = (),
        outlet: Callable[[SimulatedCard], bool] | None = None,
        path: Path | None = None,
        listen: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        self.stock = list(stock)
        self.outlet = outlet or self._take_by_hand
        super().__init__(wire, path=path, listen=listen)

    def _power_on(self) -> None:
        super()._power_on()
        self.initialised = False

    def _obey(self, command: bytes) -> None:
        if command[:2] == b"C0":
            self.initialised = True
            self._initialise(command[2:])
        elif not self.initialised:
            self._negative(NOT_RESET)
        else:
            self._obey_initialised(command)

    def _obey_initialised(self, command: bytes) -> None:
        match command:
            case commands.STATUS:
                self._positive()
            case commands.VERSION:
                self._positive(VERSION)
            case commands.PICK:
                self._act(self._pick, self._positive)
            case commands.OUT:
                self._act(self._push_out, self._positive)
            case commands.HOLD:
                self._act(self.mechanism.eject, self._positive)
            case commands.RETAIN:
                self._act(self.mechanism.retain, self._positive)
            case _:
                self._negative(UNDEFINED)

    def _initialise(self, card: bytes) -> None:
        movements = {commands.TO_GATE: self.mechanism.eject, commands.TO_BIN: self.mechanism.retain}
        if card in movements and self.mechanism.place is Place.INSIDE:
            self._act(movements[card], lambda: self._positive(VERSION))
        else:
            self._positive(VERSION)

    def _pick(self) -> None:
        if self.mechanism.card is not None:
            return
        self.mechanism.refuse_if_faulty()
        if not self.stock:
            raise Refused("stock empty")
        self.mechanism.put_inside(self.stock.pop(0))

    def _push_out(self) -> None:
        card = self.mechanism.card
        if card is None:
            raise Refused("no card")
        self.mechanism.refuse_if_faulty()
        if not self.outlet(card):
            raise Refused("jam")
        self.mechanism.pull_out()

    def _take_by_hand(self, card: SimulatedCard) -> bool:
        self.mechanism.taken.append(card)
        return True

    def _abort(self) -> None:
        """A movement that is given up leaves the card where it is."""

    def _refuse(self, fault: str) -> None:
        self._negative(FAULTS[fault])

    def _positive(self, data: bytes = b"") -> None:
        level = responses.ENOUGH
        if len(self.stock) <= FEW:
            level = responses.FEW if self.stock else responses.EMPTY
        state = PLACES[self.mechanism.place] + level + str(int(self.mechanism.bin_full))
        self._respond(responses.build(self.unit.command, state, data))

    def _negative(self, code: str) -> None:
        self._respond(responses.build(self.unit.command, code, positive=False))
