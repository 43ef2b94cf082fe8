"""The device's end of the CRP-1231's wire."""

from dataclasses import dataclass

from swipegate.devices.protocols.base import Protocol
from swipegate.devices.protocols.framing import Control, Damaged, Frame
from swipegate.devices.protocols.sanwa.framing import ACK, ENQ, GAP, NAK, framing


@dataclass(frozen=True, slots=True)
class Commanded:
    """A job to begin; the one before is aborted."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Polled:
    """The host wants to know how its job stands."""


UnitEvent = Commanded | Polled


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Bytes for the host, and what they are: `ack`, `nak` or `response`."""

    kind: str
    data: bytes


class JobUnit(Protocol[UnitEvent]):
    """Takes a command at any time; says how a job stands only when it is polled."""

    def __init__(self) -> None:
        self.command = b""
        """The last command."""
        self._framing = framing()
        self._last = 0.0
        self._outgoing: list[Outgoing] = []

    def respond(self, text: bytes) -> None:
        """Answer a poll."""
        self._outgoing.append(Outgoing("response", self._framing.encode(text)))

    def receive(self, data: bytes, now: float) -> list[UnitEvent]:
        events: list[UnitEvent] = []
        self._last = now
        for byte in data:
            token = self._framing.feed(byte)
            if isinstance(token, Frame):
                self.command = bytes(token.text)
                self._outgoing.append(Outgoing("ack", ACK))
                events.append(Commanded(self.command))
            elif isinstance(token, Damaged):
                self._outgoing.append(Outgoing("nak", NAK))
            elif isinstance(token, Control) and token.code == ENQ and self.command:
                events.append(Polled())
        return events

    def tick(self, now: float) -> list[UnitEvent]:
        if self._framing.in_frame and now - self._last >= GAP:
            self._framing.wipe()
            self._outgoing.append(Outgoing("nak", NAK))
        return []

    def take_outgoing(self) -> list[Outgoing]:
        """What there is to send since it was last asked."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def wipe(self) -> None:
        self._framing.wipe()
        self._outgoing.clear()
        self.command = b""

    def discard(self, event: UnitEvent) -> None:
        """Commands hold no track data."""
