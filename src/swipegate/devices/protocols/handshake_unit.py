"""The handshake of motorised readers and dispensers: the device's end."""

import enum
from dataclasses import dataclass

from swipegate.devices.protocols.base import Protocol
from swipegate.devices.protocols.framing import Control, Damaged, Frame, wipe
from swipegate.devices.protocols.handshake import Dialect


@dataclass(frozen=True, slots=True)
class Commanded:
    """A command to carry out."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The host wants the command under way given up; an echo, where there is one, is on its way."""


UnitEvent = Commanded | Interrupted


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Bytes for the host, and what they are: `ack`, `nak`, `echo` or `response`."""

    kind: str
    data: bytes


class _Turn(enum.Enum):
    IDLE = enum.auto()
    TAKEN = enum.auto()
    AT_WORK = enum.auto()
    RESPONDED = enum.auto()


class HandshakeUnit(Protocol[UnitEvent]):
    """Takes one command at a time; while it is at work it hears a cancellation and nothing else."""

    def __init__(self, dialect: Dialect) -> None:
        self.unheard = 0
        """Frames that came while it was at work."""
        self.refusals: list[bytes] = []
        """Beginnings of commands that it refuses once each, as if they had come damaged."""
        self._dialect = dialect
        self._framing = dialect.framing()
        self._turn = _Turn.IDLE
        self._command = b""
        self._response = bytearray()
        self._until = 0.0
        self._last = 0.0
        self._outgoing: list[Outgoing] = []

    @property
    def at_work(self) -> bool:
        """Whether a command waits for its response."""
        return self._turn is _Turn.AT_WORK

    @property
    def command(self) -> bytes:
        """The last command."""
        return self._command

    def respond(self, text: bytes, now: float) -> None:
        """Answer the command under way."""
        self._response = bytearray(self._framing.encode(text))
        self._turn, self._until = _Turn.RESPONDED, now + self._dialect.ack_timeout
        self._outgoing.append(Outgoing("response", bytes(self._response)))

    def receive(self, data: bytes, now: float) -> list[UnitEvent]:
        events: list[UnitEvent] = []
        self._last = now
        for byte in data:
            token = self._framing.feed(byte)
            if isinstance(token, Control):
                self._take_control(token.code, now, events)
            elif isinstance(token, Frame):
                self._take_frame(token.text, events)
            elif isinstance(token, Damaged):
                self._refuse()
        return events

    def tick(self, now: float) -> list[UnitEvent]:
        if self._framing.in_frame and now - self._last >= self._dialect.gap:
            self._framing.wipe()
            self._refuse()
        if self._turn is _Turn.RESPONDED and now >= self._until:
            self._turn = _Turn.IDLE
        return []

    def take_outgoing(self) -> list[Outgoing]:
        """What there is to send since it was last asked."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def wipe(self) -> None:
        self._framing.wipe()
        wipe(self._response)
        self._outgoing.clear()
        self._turn = _Turn.IDLE

    def discard(self, event: UnitEvent) -> None:
        """Commands hold no track data."""

    def _take_frame(self, text: bytearray, events: list[UnitEvent]) -> None:
        if self._turn is _Turn.AT_WORK:
            self.unheard += 1
            return
        if (refusal := next(filter(text.startswith, self.refusals), None)) is not None:
            self.refusals.remove(refusal)
            self._refuse()
            return
        self._command = bytes(text)
        self._outgoing.append(Outgoing("ack", self._dialect.ack))
        if self._dialect.execute:
            self._turn = _Turn.TAKEN
        else:
            self._set_to_work(events)

    def _set_to_work(self, events: list[UnitEvent]) -> None:
        self._turn = _Turn.AT_WORK
        events.append(Commanded(self._command))

    def _take_control(self, code: bytes, now: float, events: list[UnitEvent]) -> None:
        dialect = self._dialect
        if code == dialect.cancel:
            if self._turn is _Turn.AT_WORK:
                events.append(Interrupted())
            self._turn = _Turn.IDLE
            if dialect.echoes:
                self._outgoing.append(Outgoing("echo", dialect.cancel))
        elif self._turn is _Turn.TAKEN and code == dialect.execute:
            self._set_to_work(events)
        elif code == dialect.again and self._response and self._sends_again():
            self._turn, self._until = _Turn.RESPONDED, now + dialect.ack_timeout
            self._outgoing.append(Outgoing("response", bytes(self._response)))
        elif self._turn is _Turn.RESPONDED and code == dialect.ack:
            self._turn = _Turn.IDLE

    def _sends_again(self) -> bool:
        """A response that the host does not acknowledge may be asked for at any time."""
        return self._turn is _Turn.RESPONDED or (self._turn is _Turn.IDLE and not self._dialect.acknowledges)

    def _refuse(self) -> None:
        if self._turn is not _Turn.AT_WORK:
            self._outgoing.append(Outgoing("nak", self._dialect.nak))
