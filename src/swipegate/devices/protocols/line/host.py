"""The host's end of a line on which a reader prints unasked. A pause ends a swipe."""

import re
from dataclasses import dataclass

from swipegate.devices.errors import Reason
from swipegate.devices.protocols.base import Protocol
from swipegate.devices.protocols.framing import wipe
from swipegate.devices.protocols.line.encrypted import form_of
from swipegate.devices.protocols.line.swipe import Swipe, TwoSwipes, parse

# The longest swipe that a reader prints is an encrypted one of about 1100 bytes. Bytes.
BURST_BYTES_MAX = 2048
# No swipe lasts longer than this, however it dribbles in: 300 characters at 2400 baud take 1.3 s. Seconds.
BURST_TIME_MAX = 5.0
# A reader's own words, such as its sign-on `21088819A01` or a sensor digit; longer ones are no longer let pass.
CHATTER_BYTES_MAX = 64
# Bytes that stand in no text: so many may be sparks on the line, more are a line that is set wrongly.
NOISE_BYTES_MAX = 8

_BEGUN = re.compile(rb"[\x00-\x1f]*[%;@+#&!]")
_NOISE = re.compile(rb"[^\x20-\x7e\x02\x03\r\n\x10\x1b]")


@dataclass(frozen=True, slots=True)
class Started:
    """A swipe has begun to come in."""

    exchange: int


@dataclass(frozen=True, slots=True)
class Swiped:
    """A swipe has come. Whoever takes it wipes it."""

    exchange: int
    swipe: Swipe


@dataclass(frozen=True, slots=True)
class Broken:
    """What came is no swipe that can be used; `detail` has none of its bytes."""

    exchange: int
    reason: Reason
    detail: str
    form: str = ""
    """The encrypted form that it is in, by name."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """No swipe came in time."""

    exchange: int


HostEvent = Started | Swiped | Broken | TimedOut


class LineHost(Protocol[HostEvent]):
    """Listens for one swipe at a time.

    What began to come before a `listen` is dropped to its end, which is a pause: half a swipe is nobody's. Every
    `listen` that is not ended by `leave` ends with just one of Swiped, Broken and TimedOut.
    """

    def __init__(self, *, gap: float, with_lrc: bool) -> None:
        """`gap` is the pause that ends a swipe, seconds; `with_lrc`: the reader sends each track's LRC."""
        self.dropped = 0
        """Bytes that were nobody's."""
        self._gap = gap
        self._with_lrc = with_lrc
        self._exchange = 0
        self._listening = False
        self._dropping = False
        self._burst = bytearray()
        self._told = False
        self._began = self._last = self._deadline = 0.0

    def listen(self, exchange: int, now: float, within: float) -> bytes:
        """Take the swipe that begins within `within` seconds; there is nothing to send for it."""
        self.wipe()
        self._exchange, self._listening, self._deadline = exchange, True, now + within
        self._notice_pause(now)
        return b""

    def leave(self) -> bytes:
        """Take no swipe any more; there is nothing to send for it."""
        self.wipe()
        return b""

    def receive(self, data: bytes, now: float) -> list[HostEvent]:
        events = self.tick(now)  # what was there before may be at its end
        self._last = now
        if not self._listening or self._dropping:
            self._dropping = True
            self.dropped += len(data)
            return events
        if not self._burst:
            self._began = now
        self._burst += data
        if len(self._burst) > BURST_BYTES_MAX:
            self._break(Reason.DESYNC, f"over {BURST_BYTES_MAX} bytes without a pause", events)
        elif not self._told and _BEGUN.match(self._burst):
            self._told = True
            events.append(Started(self._exchange))
        return events

    def tick(self, now: float) -> list[HostEvent]:
        events: list[HostEvent] = []
        self._notice_pause(now)
        if self._burst and now - self._last >= self._gap:
            self._take_burst(events)
        elif self._burst and now - self._began >= BURST_TIME_MAX:
            self._break(Reason.RESPONSE_TIMEOUT, f"a line that goes on for {BURST_TIME_MAX:g} s", events)
        if self._listening and not self._burst and now >= self._deadline:
            self._give_up(events)
        return events

    def wipe(self) -> None:
        self.dropped += len(self._burst)
        self._dropping |= bool(self._burst)
        self._listening = self._told = False
        wipe(self._burst)

    def discard(self, event: HostEvent) -> None:
        if isinstance(event, Swiped):
            event.swipe.wipe()

    def _notice_pause(self, now: float) -> None:
        self._dropping &= now - self._last < self._gap

    def _take_burst(self, events: list[HostEvent]) -> None:
        burst, self._burst = self._burst, bytearray()
        try:
            self._judge(burst, events)
        except TwoSwipes as error:
            self._break(Reason.DESYNC, str(error), events)
        finally:
            wipe(burst)

    def _judge(self, burst: bytearray, events: list[HostEvent]) -> None:
        noise = len(_NOISE.findall(burst))
        if form := form_of(burst):
            clear = f"an encrypted swipe of {form}; set the reader to send clear tracks"
            self._break(Reason.NOT_INITIALISED, clear, events, form)
        elif noise > max(NOISE_BYTES_MAX, len(burst) // 4):
            wrong = f"{noise} of {len(burst)} bytes are no text; see to the settings of the line"
            self._break(Reason.DESYNC, wrong, events)
        elif swipe := parse(burst, with_lrc=self._with_lrc):
            events.append(Swiped(self._exchange, swipe))
            self.wipe()
        elif len(burst) > CHATTER_BYTES_MAX:
            self._break(Reason.DESYNC, "a line without a track", events)
        else:
            self.dropped += len(burst)

    def _give_up(self, events: list[HostEvent]) -> None:
        if self._dropping:
            self._break(Reason.DESYNC, "the line never pauses", events)
        else:
            events.append(TimedOut(self._exchange))
            self.wipe()

    def _break(self, reason: Reason, detail: str, events: list[HostEvent], form: str = "") -> None:
        events.append(Broken(self._exchange, reason, detail, form))
        self.wipe()
