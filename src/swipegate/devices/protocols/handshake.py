"""The handshake of motorised readers and dispensers: command, acknowledgement, response; the host's end.

Makers differ in the control codes, in who acknowledges what, and in the times; a Dialect has the differences.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass

from swipegate.devices.errors import Reason
from swipegate.devices.protocols.framed_host import FramedHost
from swipegate.devices.protocols.framing import Framing, wipe


@dataclass(frozen=True, slots=True)
class Dialect:
    """How two ends take turns. Times in seconds."""

    framing: Callable[[], Framing]
    answers: Callable[[bytes, bytes], bool]
    """Whether a response (second) is one to a command (first)."""
    ack: bytes
    """The receiver took a frame."""
    nak: bytes
    """The receiver took a damaged frame and wants it again."""
    cancel: bytes
    """The host wants the command under way given up."""
    echoes: bool = True
    """The device echoes a cancellation; else only its next answer proves that it is idle."""
    execute: bytes = b""
    """What the host sends after the ACK to have the command carried out; empty where the ACK is enough."""
    again: bytes = b""
    """What the host sends for a damaged response to come again; where it does not acknowledge, for a lost one too.
    Empty where the device sends none again."""
    acknowledges: bool = True
    """The host acknowledges a response."""
    ack_timeout: float = 0.3
    response_timeout: float = 20.0
    gap: float = 0.25
    """The longest pause inside a frame."""
    tries: int = 3
    """How often a command, a damaged response or a cancellation is tried."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The device took the command and carries it out."""

    exchange: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The device's response. Whoever takes it wipes it."""

    exchange: int
    text: bytearray

    def __repr__(self) -> str:
        return f"Answered({self.exchange}, {len(self.text)} bytes)"


@dataclass(frozen=True, slots=True)
class Stopped:
    """The device confirms that it gave the command up."""

    exchange: int


@dataclass(frozen=True, slots=True)
class Broken:
    """The exchange ended without a response."""

    exchange: int
    reason: Reason
    detail: str


HostEvent = Acknowledged | Answered | Stopped | Broken


class _Turn(enum.Enum):
    IDLE = enum.auto()
    ACK = enum.auto()
    RESPONSE = enum.auto()
    STOP = enum.auto()


class HandshakeHost(FramedHost[HostEvent]):
    """The host's end: one exchange at a time.

    Every exchange ends with just one of Answered, Stopped and Broken, but for a `cancel` that is not echoed; every
    event tells its exchange: events cross a queue, so one of an exchange given up may be taken after the next has
    begun. What comes outside an exchange is stale and dropped.
    """

    def __init__(self, dialect: Dialect) -> None:
        super().__init__(dialect.framing(), dialect.gap)
        self._dialect = dialect
        self._turn = _Turn.IDLE
        self._exchange = 0
        self._command = b""
        self._repeatable = True
        self._within = 0.0
        self._sent = 0
        self._asked = 0

    def request(
        self,
        command: bytes,
        exchange: int,
        now: float,
        *,
        within: float | None = None,
        repeatable: bool = True,
    ) -> bytes:
        """The bytes to send for a command; its response must come within `within` seconds of its acknowledgement.

        A command that moves a card is not `repeatable`: where it gets no answer, only the device's status tells
        whether it was carried out. An exchange under way is given up.
        """
        self.wipe()
        self._exchange, self._command, self._repeatable = exchange, bytes(command), repeatable
        self._within = self._dialect.response_timeout if within is None else within
        frame = self._framing.encode(command)
        self._turn, self._until, self._sent = _Turn.ACK, now + self._dialect.ack_timeout, 1
        return frame

    def cancel(self, exchange: int, now: float) -> bytes:
        """The bytes to send to have the command under way given up; an idle device confirms that as well.

        Where the response was faster, the exchange ends with it. `exchange` may be that of the command. A device
        that echoes nothing ends the exchange at once, without an event.
        """
        self._exchange = exchange
        if not self._dialect.echoes:
            self.wipe()
            return self._dialect.cancel
        self._turn, self._until, self._asked = _Turn.STOP, now + self._dialect.ack_timeout, 1
        return self._dialect.cancel

    def wipe(self) -> None:
        super().wipe()
        self._turn = _Turn.IDLE

    def discard(self, event: HostEvent) -> None:
        if isinstance(event, Answered):
            wipe(event.text)

    @property
    def _waits(self) -> bool:
        return self._turn is not _Turn.IDLE

    def _take_control(self, code: bytes, now: float, events: list[HostEvent]) -> None:
        dialect = self._dialect
        if self._turn is _Turn.ACK and code == dialect.ack:
            self._out += dialect.execute
            self._turn, self._until, self._asked = _Turn.RESPONSE, now + self._within, 1
            events.append(Acknowledged(self._exchange))
        elif self._turn is _Turn.ACK and code == dialect.nak:
            self._repeat(now, Broken(self._exchange, Reason.NAK_EXHAUSTED, "it refuses every frame"), events)
        elif self._turn is _Turn.STOP and code == dialect.cancel:
            self._end(Stopped(self._exchange), events)
        else:
            self.stale += 1

    def _take_frame(self, text: bytearray, now: float, events: list[HostEvent]) -> None:
        if self._turn not in (_Turn.RESPONSE, _Turn.STOP) or not self._dialect.answers(
            self._command, bytes(text)
        ):
            self.stale += 1  # of a command given up, or sent twice
            wipe(text)
            return
        if self._dialect.acknowledges:
            self._out += self._dialect.ack
        self._end(Answered(self._exchange, text), events)

    def _take_damage(self, detail: str, now: float, events: list[HostEvent]) -> None:
        damaged = Broken(self._exchange, Reason.BAD_CHECK, detail)
        if self._turn is not _Turn.RESPONSE:
            self.stale += 1
        elif self._dialect.again:
            self._ask_again(now, damaged, events)
        else:
            self._repeat_or_end(now, damaged, events)

    def _ask_again(self, now: float, otherwise: Broken, events: list[HostEvent]) -> None:
        if self._asked >= self._dialect.tries:
            self._end(otherwise, events)
            return
        self._asked += 1
        self._out += self._dialect.again
        self._until = now + min(self._within, self._dialect.response_timeout)

    def _time_out(self, now: float, events: list[HostEvent]) -> None:
        dialect = self._dialect
        if self._turn is _Turn.STOP:
            self._cancel_again(now, events)
        elif self._turn is _Turn.RESPONSE:
            silent = Broken(self._exchange, Reason.RESPONSE_TIMEOUT, "no response came")
            if dialect.again and not dialect.acknowledges:  # then the device keeps its response
                self._ask_again(now, silent, events)
            else:
                self._repeat_or_end(now, silent, events)
        else:
            silent = Broken(self._exchange, Reason.ACK_TIMEOUT, "it acknowledges nothing")
            if dialect.execute:  # what it was not told to execute moves nothing
                self._repeat(now, silent, events)
            else:
                self._repeat_or_end(now, silent, events)

    def _repeat_or_end(self, now: float, otherwise: Broken, events: list[HostEvent]) -> None:
        if self._repeatable:
            self._repeat(now, otherwise, events)
        else:
            self._end(otherwise, events)

    def _cancel_again(self, now: float, events: list[HostEvent]) -> None:
        if self._asked >= self._dialect.tries:
            self._end(Broken(self._exchange, Reason.RESPONSE_TIMEOUT, "it does not give up"), events)
            return
        self._asked += 1
        self._out += self._dialect.cancel
        self._until = now + self._dialect.ack_timeout

    def _repeat(self, now: float, otherwise: Broken, events: list[HostEvent]) -> None:
        if self._sent >= self._dialect.tries:
            self._end(otherwise, events)
            return
        self._sent += 1
        self._out += self._framing.encode(self._command)
        self._turn, self._until = _Turn.ACK, now + self._dialect.ack_timeout

    def _end(self, event: HostEvent, events: list[HostEvent]) -> None:
        self._turn = _Turn.IDLE
        events.append(event)
