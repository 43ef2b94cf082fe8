"""What every wire protocol offers to the port that carries it."""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

E = TypeVar("E")


class Protocol(ABC, Generic[E]):
    """A protocol without I/O: it is given bytes and the monotonic clock (seconds), and gives events.

    Thread-safety: none; one thread owns it.
    """

    @abstractmethod
    def receive(self, data: bytes, now: float) -> list[E]:
        """Take bytes as they came. Any bytes are legal; what is no frame is counted, not raised."""

    @abstractmethod
    def tick(self, now: float) -> list[E]:
        """Let the clock alone make events: time-outs."""

    def to_send(self) -> bytes:
        """What the protocol itself has to say since it was last asked: acknowledgements, repeats."""
        return b""

    @abstractmethod
    def wipe(self) -> None:
        """Forget the exchange under way and zero every buffer."""

    @abstractmethod
    def discard(self, event: E) -> None:
        """Zero the track data of an event that nobody takes."""
