"""What all simulated motorised readers and dispensers with a handshake share."""

import time
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Literal

from swipegate.devices.protocols.handshake import Dialect
from swipegate.devices.protocols.handshake_unit import Commanded, HandshakeUnit, Interrupted, UnitEvent
from swipegate.devices.simulators.card_machine import MOVEMENT_TIME, CardMachine
from swipegate.devices.simulators.mechanism import Refused

# What an initialisation begins with.
INITIALISE = b"C0"


class MotorisedSimulator(CardMachine):
    """Kinds of reply for `inject`: `ack`, `nak`, `echo`, `response`; each also for one command: `response C62`."""

    dialect: ClassVar[Dialect]

    def __init__(
        self,
        wire: Literal["pty", "tcp"] = "tcp",
        *,
        path: Path | None = None,
        listen: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        super().__init__(wire, path=path, listen=listen)
        self.unit = HandshakeUnit(self.dialect)
        self.deaf = False
        """It hears nothing before an initialisation tells it the speed of the line."""
        self._power_on()

    def refuse(self, beginning: bytes, *, times: int = 1) -> None:
        """Refuse the next commands with this beginning, with NAK."""
        self._do_in_thread(lambda: self.unit.refusals.extend([beginning] * times))

    def _heal_machine(self) -> None:
        super()._heal_machine()
        self.unit.refusals.clear()

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
        if self.deaf:
            heard = HandshakeUnit(self.dialect).receive(data, now)
            self.deaf = not any(isinstance(e, Commanded) and e.text.startswith(INITIALISE) for e in heard)
        if self.deaf:
            return
        self._take(self.unit.receive(data, now))

    def _on_clock(self, now: float) -> None:
        self._take(self.unit.tick(now))

    def _take(self, events: list[UnitEvent]) -> None:
        self._send_outgoing()
        for event in events:
            if isinstance(event, Commanded):
                self._note(event.text)
                if self.unit.at_work:  # the power may have gone
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
        name = self.name_of(self.unit.command)
        for outgoing in self.unit.take_outgoing():
            self._reply(f"{outgoing.kind} {name}", outgoing.kind, data=outgoing.data)
