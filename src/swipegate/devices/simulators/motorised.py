"""What all simulated motorised readers share: the handshake, the mechanism, and what people do to it."""

import time
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Literal

from swipegate.devices.protocols.handshake import Dialect
from swipegate.devices.protocols.handshake_unit import Commanded, HandshakeUnit, Interrupted, UnitEvent
from swipegate.devices.simulators.base import Simulator
from swipegate.devices.simulators.cards import SimulatedCard
from swipegate.devices.simulators.mechanism import Mechanism, Place, Refused

# How long a movement takes, seconds; a real one takes about one.
MOVEMENT_TIME = 0.02


class MotorisedSimulator(Simulator):
    """Kinds of reply for `inject`: `ack`, `nak`, `echo`, `response`; each also for one command: `response C62`."""

    dialect: ClassVar[Dialect]

    def __init__(self, wire: Literal["pty", "tcp"] = "tcp", *, path: Path | None = None) -> None:
        super().__init__(wire, path=path)
        self.unit = HandshakeUnit(self.dialect)
        self.mechanism = Mechanism(lambda seconds, task: self._after(seconds, task))
        self.received: list[bytes] = []
        self.vanish_on_read = False
        """Somebody pulls each card out as it is read."""
        self._power_on()

    def insert(self, card: SimulatedCard, *, after: float = 0.0) -> None:
        """A person inserts a card as soon as one is taken, or `after` seconds later; people queue."""
        self._do_in_thread(lambda: self.mechanism.queue(card, after))

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

    def fail_movement(self, fault: str, *, times: int = 1) -> None:
        """Let the next movements fail, by a name that the kind of device knows, such as `jam`."""
        self._do_in_thread(lambda: self.mechanism.faults.extend([fault] * times))

    def _card_to_read(self) -> SimulatedCard | None:
        """The card under the head, if there is one."""
        if self.vanish_on_read:
            self.mechanism.pull_out()
        return self.mechanism.card if self.mechanism.place is Place.INSIDE else None

    @abstractmethod
    def _obey(self, command: bytes) -> None:
        """Carry a command out; `_respond` at its end."""

    @abstractmethod
    def _abort(self) -> None:
        """Give the command under way up."""

    @abstractmethod
    def _refuse(self, fault: str) -> None:
        """Respond that a movement failed."""

    def _power_on(self) -> None:
        self.unit.wipe()
        self.mechanism.permit(entry=False)

    def _on_bytes(self, data: bytes, now: float) -> None:
        self._take(self.unit.receive(data, now))

    def _on_clock(self, now: float) -> None:
        self._take(self.unit.tick(now))

    def _take(self, events: list[UnitEvent]) -> None:
        self._send_outgoing()
        for event in events:
            if isinstance(event, Commanded):
                self.received.append(event.text)
                self._obey(event.text)
            elif isinstance(event, Interrupted):
                self._abort()

    def _respond(self, text: bytes) -> None:
        if self.unit.at_work:  # else it was given up
            self.unit.respond(text, time.monotonic())
            self._send_outgoing()

    def _move(self, movement: str, response: bytes) -> None:
        """Do a movement of the mechanism by name, then respond."""
        self._act(getattr(self.mechanism, movement), lambda: self._respond(response))

    def _act(self, action: Callable[[], None], then: Callable[[], None]) -> None:
        """Do what takes as long as a movement, then go on; what the mechanism refuses is responded."""

        def end() -> None:
            if not self.unit.at_work:
                return
            try:
                action()
            except Refused as refused:
                self._refuse(refused.fault)
            else:
                then()

        self._after(MOVEMENT_TIME, end)

    def _send_outgoing(self) -> None:
        command = self.unit.command[:3].decode("latin-1")
        for outgoing in self.unit.take_outgoing():
            self._reply(f"{outgoing.kind} {command}", outgoing.kind, data=outgoing.data)
