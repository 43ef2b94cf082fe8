"""The host's end of the CRP-1231's wire: a command is acknowledged, then polled until its job has ended."""

import enum

from swipegate.devices.errors import Reason
from swipegate.devices.protocols.framed_host import FramedHost
from swipegate.devices.protocols.framing import wipe
from swipegate.devices.protocols.handshake import Answered, Broken
from swipegate.devices.protocols.sanwa.framing import ACK, ENQ, GAP, NAK, framing
from swipegate.devices.protocols.sanwa.responses import HEAD_SIZE, UNDER_WAY

# Seconds for an acknowledgement, for the answer to a poll, and between polls.
ACK_TIMEOUT = 0.3
ANSWER_TIMEOUT = 0.5
POLL = 0.1
# How often a command or a poll is tried.
TRIES = 3

JobEvent = Answered | Broken


class _Turn(enum.Enum):
    IDLE = enum.auto()
    ACK = enum.auto()
    ANSWER = enum.auto()
    PAUSE = enum.auto()


class JobHost(FramedHost[JobEvent]):
    """One job at a time, from its command to the response that tells its end.

    Every exchange ends with just one Answered or Broken that tells its exchange. A new command makes the device
    abort the job under way, so a command that moves a card is not sent again where no acknowledgement comes: the
    device is polled, and its response tells by the command in it which job it has.
    """

    def __init__(self) -> None:
        super().__init__(framing(), GAP)
        self._turn = _Turn.IDLE
        self._exchange = 0
        self._command = b""
        self._repeatable = True
        self._taken = False
        self._within = 0.0
        self._sent = 0
        self._asked = 0
        self._job_until = 0.0

    def request(
        self, command: bytes, exchange: int, now: float, *, within: float, repeatable: bool = True
    ) -> bytes:
        """The bytes to send for a command; its job must end within `within` seconds of its acknowledgement.

        The exchange under way is given up, and its job with it.
        """
        self.wipe()
        self._exchange, self._command, self._repeatable = exchange, bytes(command), repeatable
        self._within, self._sent, self._taken = within, 1, False
        self._turn, self._until = _Turn.ACK, now + ACK_TIMEOUT
        return self._framing.encode(command)

    def wipe(self) -> None:
        super().wipe()
        self._turn = _Turn.IDLE

    def discard(self, event: JobEvent) -> None:
        if isinstance(event, Answered):
            wipe(event.text)

    @property
    def _waits(self) -> bool:
        return self._turn is not _Turn.IDLE

    def _take_control(self, code: bytes, now: float, events: list[JobEvent]) -> None:
        if self._turn is _Turn.ACK and code == ACK:
            self._taken = True
            self._begin_polls(now)
        elif self._turn is _Turn.ACK and code == NAK:
            self._repeat(now, Reason.NAK_EXHAUSTED, "it refuses every frame", events)
        else:
            self.stale += 1

    def _take_frame(self, text: bytearray, now: float, events: list[JobEvent]) -> None:
        if self._turn is not _Turn.ANSWER:
            self.stale += 1
            wipe(text)
        elif len(text) < HEAD_SIZE:
            wipe(text)
            self._take_damage("a response has no head", now, events)
        elif text[:1] != self._command[:1]:
            wipe(text)
            self._take_other_job(events)
        elif text[HEAD_SIZE - 1] not in UNDER_WAY:
            self._end(Answered(self._exchange, text), events)
        elif now >= self._job_until:
            self._end(Broken(self._exchange, Reason.RESPONSE_TIMEOUT, "the job does not end"), events)
        else:
            self._turn, self._until = _Turn.PAUSE, now + POLL

    def _take_other_job(self, events: list[JobEvent]) -> None:
        """The response is of another command: late, or the device never took ours."""
        self.stale += 1
        if not self._taken:
            self._end(Broken(self._exchange, Reason.ACK_TIMEOUT, "it did not take the command"), events)

    def _take_damage(self, detail: str, now: float, events: list[JobEvent]) -> None:
        if self._turn is _Turn.ANSWER:
            self._poll_again(now, Reason.BAD_CHECK, detail, events)
        else:
            self.stale += 1

    def _time_out(self, now: float, events: list[JobEvent]) -> None:
        if self._turn is _Turn.PAUSE:
            self._asked = 0
            self._poll(now)
        elif self._turn is _Turn.ANSWER:
            reason = Reason.RESPONSE_TIMEOUT if self._taken else Reason.ACK_TIMEOUT
            self._poll_again(now, reason, "it answers no poll", events)
        elif self._repeatable:
            self._repeat(now, Reason.ACK_TIMEOUT, "it acknowledges nothing", events)
        else:
            self._begin_polls(now)

    def _begin_polls(self, now: float) -> None:
        self._job_until, self._asked = now + self._within, 0
        self._poll(now)

    def _poll(self, now: float) -> None:
        self._asked += 1
        self._out += ENQ
        self._turn, self._until = _Turn.ANSWER, now + ANSWER_TIMEOUT

    def _poll_again(self, now: float, reason: Reason, detail: str, events: list[JobEvent]) -> None:
        if self._asked >= TRIES:
            self._end(Broken(self._exchange, reason, detail), events)
        else:
            self._poll(now)

    def _repeat(self, now: float, reason: Reason, detail: str, events: list[JobEvent]) -> None:
        if self._sent >= TRIES:
            self._end(Broken(self._exchange, reason, detail), events)
            return
        self._sent += 1
        self._out += self._framing.encode(self._command)
        self._turn, self._until = _Turn.ACK, now + ACK_TIMEOUT

    def _end(self, event: JobEvent, events: list[JobEvent]) -> None:
        self._turn = _Turn.IDLE
        events.append(event)
