"""What the host's ends of all protocols with frames and turns share: taking the line apart, and the clock."""

from abc import abstractmethod
from typing import TypeVar

from swipegate.devices.protocols.base import Protocol
from swipegate.devices.protocols.framing import Control, Damaged, Frame, Framing

E = TypeVar("E")


class FramedHost(Protocol[E]):
    """A host that hears frames and control codes, and waits for each until a time."""

    def __init__(self, framing: Framing, gap: float) -> None:
        """`gap` is the longest pause inside a frame, seconds."""
        self.stale = 0
        """Frames and control codes that answered nothing."""
        self._framing = framing
        self._gap = gap
        self._until = 0.0
        self._last = 0.0
        self._out = bytearray()

    @property
    @abstractmethod
    def _waits(self) -> bool:
        """Whether an exchange is under way, and `_until` counts."""

    @abstractmethod
    def _take_control(self, code: bytes, now: float, events: list[E]) -> None:
        """A control code came."""

    @abstractmethod
    def _take_frame(self, text: bytearray, now: float, events: list[E]) -> None:
        """A whole frame came."""

    @abstractmethod
    def _take_damage(self, detail: str, now: float, events: list[E]) -> None:
        """A frame did not come whole."""

    @abstractmethod
    def _time_out(self, now: float, events: list[E]) -> None:
        """What was waited for did not come in time."""

    def receive(self, data: bytes, now: float) -> list[E]:
        events: list[E] = []
        self._last = now
        for byte in data:
            token = self._framing.feed(byte)
            if isinstance(token, Control):
                self._take_control(token.code, now, events)
            elif isinstance(token, Frame):
                self._take_frame(token.text, now, events)
            elif isinstance(token, Damaged):
                self._take_damage(token.detail, now, events)
        return events

    def tick(self, now: float) -> list[E]:
        events: list[E] = []
        if self._framing.in_frame and now - self._last >= self._gap:
            self._framing.wipe()
            self._take_damage("a frame stopped short", now, events)
        elif self._waits and now >= self._until and not self._framing.in_frame:
            self._time_out(now, events)
        return events

    def to_send(self) -> bytes:
        out = bytes(self._out)
        self._out.clear()
        return out

    def wipe(self) -> None:
        self._framing.wipe()
        self._out.clear()
