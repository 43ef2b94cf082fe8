"""What moves a card in a simulated motorised reader, and the people in front of it."""

from collections.abc import Callable
from enum import Enum, auto

from swipegate.devices.simulators.cards import SimulatedCard

# How long a person takes to pull a card out of the gate, seconds.
REMOVAL_TIME = 0.05
BIN_SIZE = 99


class Place(Enum):
    """Where the card is."""

    NOWHERE = auto()
    GATE = auto()
    INSIDE = auto()


class Refused(Exception):
    """A movement that is not done; `fault` names why."""

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.fault = fault


class Mechanism:
    """One card's way, a bin, and a queue of people with cards.

    `schedule` runs a task in the simulator's thread after some seconds; every method runs in that thread.
    """

    def __init__(self, schedule: Callable[[float, Callable[[], None]], None]) -> None:
        self._schedule = schedule
        self._people: list[tuple[float, SimulatedCard]] = []
        self._coming = False
        self.place = Place.NOWHERE
        self.card: SimulatedCard | None = None
        self.entry = False
        self.rear_entry = False
        self.bin: list[SimulatedCard] = []
        """Cards that were retained."""
        self.taken: list[SimulatedCard] = []
        """Cards that people took from the gate."""
        self.removal_time: float | None = REMOVAL_TIME
        """None: nobody takes the card."""
        self.faults: list[str] = []
        """Each makes the next movement fail."""
        self.on_card_in: Callable[[], None] = lambda: None

    @property
    def bin_full(self) -> bool:
        """Whether no more cards can be retained."""
        return len(self.bin) >= BIN_SIZE

    def queue(self, card: SimulatedCard, after: float) -> None:
        """A person inserts a card `after` seconds from when one is taken."""
        self._people.append((after, card))
        self._call_next()

    @property
    def waiting(self) -> int:
        """How many people wait with a card."""
        return len(self._people)

    def permit(self, entry: bool, *, rear: bool = False) -> None:
        """Take cards in from people and from behind, or do not."""
        self.entry, self.rear_entry = entry, rear
        self._call_next()

    def put_inside(self, card: SimulatedCard) -> None:
        """A card is inside, however it came there."""
        self.card, self.place = card, Place.INSIDE
        self.entry = self.rear_entry = False
        self.on_card_in()

    def push_in(self, card: SimulatedCard) -> bool:
        """Another machine pushes a card in from behind; whether it is taken."""
        if not self.rear_entry or self.place is not Place.NOWHERE:
            return False
        self.put_inside(card)
        return True

    def eject(self) -> None:
        """To the gate.

        :raises Refused: `no card`, or the fault that stands in the way.
        """
        self._move(Place.GATE)
        if self.removal_time is not None:
            self._schedule(self.removal_time, self.take)

    def retain(self) -> None:
        """To the bin.

        :raises Refused: `no card`, `bin full`, or the fault that stands in the way.
        """
        if self.card is not None and self.bin_full:
            raise Refused("bin full")
        card = self._move(Place.NOWHERE)
        self.bin.append(card)

    def pull_in(self) -> None:
        """From the gate to the inside.

        :raises Refused: `no card`, or the fault that stands in the way.
        """
        self._move(Place.INSIDE)

    def take(self) -> None:
        """A person takes the card at the gate."""
        if self.place is Place.GATE and self.card is not None:
            self.taken.append(self.card)
            self.card, self.place = None, Place.NOWHERE
            self._call_next()

    def pull_out(self) -> None:
        """Somebody pulls the card out by force."""
        self.card, self.place = None, Place.NOWHERE

    def refuse_if_faulty(self) -> None:
        """Meet the next fault.

        :raises Refused: the fault.
        """
        if self.faults:
            raise Refused(self.faults.pop(0))

    def _move(self, to: Place) -> SimulatedCard:
        if self.card is None:
            raise Refused("no card")
        self.refuse_if_faulty()
        card, self.place = self.card, to
        if to is Place.NOWHERE:
            self.card = None
        return card

    def _call_next(self) -> None:
        if self._people and not self._coming and self.entry and self.place is Place.NOWHERE:
            self._coming = True
            self._schedule(self._people[0][0], self._insert)

    def _insert(self) -> None:
        self._coming = False
        if self._people and self.entry and self.place is Place.NOWHERE:
            self.put_inside(self._people.pop(0)[1])
        else:
            self._call_next()
