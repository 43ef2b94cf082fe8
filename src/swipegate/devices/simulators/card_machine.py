"""What all simulated devices that move cards share: the mechanism, and what people do to it."""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Literal

from swipegate.devices.simulators.base import Simulator
from swipegate.devices.simulators.cards import SimulatedCard
from swipegate.devices.simulators.mechanism import Mechanism, Place

# How long a movement takes, seconds; a real one takes about one.
MOVEMENT_TIME = 0.02


class CardMachine(Simulator):
    """A simulated device with a Mechanism."""

    step_size: ClassVar[int] = 3
    """Bytes at the start of a command that tell what it is."""

    def __init__(
        self,
        wire: Literal["pty", "tcp"] = "tcp",
        *,
        path: Path | None = None,
        listen: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        super().__init__(wire, path=path, listen=listen)
        self.mechanism = Mechanism(lambda seconds, task: self._after(seconds, task))
        self.received: list[bytes] = []
        self._at_commands: list[tuple[str, Callable[[], None]]] = []
        self.vanish_on_read = False
        """Somebody pulls each card out as it is read."""

    def insert(self, card: SimulatedCard, *, after: float = 0.0) -> None:
        """A person inserts a card as soon as one is taken, or `after` seconds later; people queue."""
        self._do_in_thread(lambda: self.mechanism.queue(card, after))

    @property
    def waiting(self) -> int:
        return self.mechanism.waiting

    def put_inside(self, card: SimulatedCard) -> None:
        """A card is inside from before."""
        self._do_in_thread(lambda: self.mechanism.put_inside(card))

    def push_in(self, card: SimulatedCard) -> bool:
        """Another machine pushes a card in from behind; whether it is taken."""
        taken: list[bool] = []
        self._do_in_thread(lambda: taken.append(self.mechanism.push_in(card)))
        return taken == [True]

    def take(self) -> None:
        """A person takes the card at the gate."""
        self._do_in_thread(self.mechanism.take)

    def pull_out(self) -> None:
        """Somebody pulls the card out by force."""
        self._do_in_thread(self.mechanism.pull_out)

    def name_of(self, command: bytes) -> str:
        """What a command is called in kinds of reply and in `at_command`: its beginning."""
        return command[: self.step_size].decode("latin-1")

    def at_command(self, name: str, task: Callable[[], None]) -> None:
        """Do something when a command whose name begins like this next comes, before it is obeyed."""
        self._do_in_thread(lambda: self._at_commands.append((name, task)))

    def heal(self) -> None:
        super().heal()
        self._do_in_thread(self._heal_machine)

    def _heal_machine(self) -> None:
        self.mechanism.faults.clear()
        self._at_commands.clear()

    def _note(self, command: bytes) -> None:
        """A command came: do what waited for it."""
        self.received.append(command)
        name = self.name_of(command)
        for waiting in self._at_commands:
            if name.startswith(waiting[0]):
                self._at_commands.remove(waiting)
                waiting[1]()
                return

    def fail_movement(self, fault: str, *, times: int = 1) -> None:
        """Let the next movements fail, by a name that the kind of device knows, such as `jam`."""
        self._do_in_thread(lambda: self.mechanism.faults.extend([fault] * times))

    def _card_to_read(self) -> SimulatedCard | None:
        """The card under the head, if there is one."""
        if self.vanish_on_read:
            self.mechanism.pull_out()
        return self.mechanism.card if self.mechanism.place is Place.INSIDE else None
