"""What can go wrong with one reply on its way to the host.

A reply is a list of pieces, each with the delay (seconds) after the piece before it; a fault turns one list
into another.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

Piece = tuple[float, bytes]
# A piece that hangs the line up instead of sending.
HANG_UP = b"\x00hang up"


class Fault(ABC):
    """Turns the pieces of one reply into what comes out of the wire."""

    @abstractmethod
    def apply(self, pieces: list[Piece]) -> list[Piece]:
        """The pieces as they come out."""


def _join(pieces: list[Piece]) -> tuple[float, bytes]:
    return pieces[0][0] if pieces else 0.0, b"".join(data for _, data in pieces)


@dataclass(frozen=True, slots=True)
class LoseByte(Fault):
    """One byte is lost; a negative index counts from the end."""

    index: int

    def apply(self, pieces: list[Piece]) -> list[Piece]:
        delay, data = _join(pieces)
        kept = bytearray(data)
        del kept[self.index]
        return [(delay, bytes(kept))]


@dataclass(frozen=True, slots=True)
class FlipBits(Fault):
    """Some bits of one byte are flipped."""

    index: int
    mask: int = 0x80

    def apply(self, pieces: list[Piece]) -> list[Piece]:
        delay, data = _join(pieces)
        flipped = bytearray(data)
        flipped[self.index] ^= self.mask
        return [(delay, bytes(flipped))]


@dataclass(frozen=True, slots=True)
class Dribble(Fault):
    """The reply comes one byte at a time."""

    interval: float = 0.002

    def apply(self, pieces: list[Piece]) -> list[Piece]:
        delay, data = _join(pieces)
        return [(self.interval if index else delay, data[index : index + 1]) for index in range(len(data))]


@dataclass(frozen=True, slots=True)
class JunkBefore(Fault):
    """Bytes that belong to nothing come first."""

    junk: bytes

    def apply(self, pieces: list[Piece]) -> list[Piece]:
        return [(0.0, self.junk), *pieces]


@dataclass(frozen=True, slots=True)
class JunkAfter(Fault):
    """Stale bytes follow the reply."""

    junk: bytes
    delay: float = 0.0

    def apply(self, pieces: list[Piece]) -> list[Piece]:
        return [*pieces, (self.delay, self.junk)]


@dataclass(frozen=True, slots=True)
class Insert(Fault):
    """A stray byte stands inside the reply; a negative index counts from the end."""

    index: int
    junk: bytes

    def apply(self, pieces: list[Piece]) -> list[Piece]:
        delay, data = _join(pieces)
        return [(delay, data[: self.index] + self.junk + data[self.index :])]


@dataclass(frozen=True, slots=True)
class Silence(Fault):
    """Nothing comes."""

    def apply(self, pieces: list[Piece]) -> list[Piece]:
        return []


@dataclass(frozen=True, slots=True)
class StopAfter(Fault):
    """The reply ends after some of its bytes."""

    count: int

    def apply(self, pieces: list[Piece]) -> list[Piece]:
        delay, data = _join(pieces)
        return [(delay, data[: self.count])]


@dataclass(frozen=True, slots=True)
class Late(Fault):
    """The reply comes late."""

    seconds: float

    def apply(self, pieces: list[Piece]) -> list[Piece]:
        return [(pieces[0][0] + self.seconds, pieces[0][1]), *pieces[1:]] if pieces else []


@dataclass(frozen=True, slots=True)
class Duplicate(Fault):
    """The reply comes twice."""

    gap: float = 0.0

    def apply(self, pieces: list[Piece]) -> list[Piece]:
        delay, data = _join(pieces)
        return [(delay, data), (self.gap, data)]


@dataclass(frozen=True, slots=True)
class Replace(Fault):
    """Other bytes come instead."""

    data: bytes

    def apply(self, pieces: list[Piece]) -> list[Piece]:
        return [(_join(pieces)[0], self.data)]


@dataclass(frozen=True, slots=True)
class HangUp(Fault):
    """The line is cut after some bytes of the reply."""

    count: int

    def apply(self, pieces: list[Piece]) -> list[Piece]:
        delay, data = _join(pieces)
        # A moment for what was sent to arrive: a cut pseudo-terminal forgets it.
        return [(delay, data[: self.count]), (0.05, HANG_UP)]


# Faults by the names that a script has for them, with the number that may follow the name.
_NAMED: dict[str, Callable[[float], Fault]] = {
    "lose-byte": lambda number: LoseByte(int(number)),
    "bad-check": lambda number: FlipBits(-1, 0x01),
    "dribble": lambda number: Dribble(number or 0.002),
    "junk-before": lambda number: JunkBefore(bytes(range(int(number or 8)))),
    "junk-after": lambda number: JunkAfter(bytes(range(int(number or 8)))),
    "silence": lambda number: Silence(),
    "stop": lambda number: StopAfter(int(number)),
    "late": lambda number: Late(number or 1.0),
    "twice": lambda number: Duplicate(),
    "hang-up": lambda number: HangUp(int(number)),
}
FAULT_NAMES = tuple(_NAMED)
FAULT_NUMBER_MAX = 255


def named_fault(name: str, number: float = 0.0) -> Fault:
    """A fault by its name in a script; `number` is the byte, the count or the seconds that it is about.

    :raises ValueError: there is no such fault, or the number makes no sense.
    """
    if name not in _NAMED:
        raise ValueError(f"{name!r} is none of {', '.join(FAULT_NAMES)}")
    if not -FAULT_NUMBER_MAX <= number <= FAULT_NUMBER_MAX:
        raise ValueError(f"{number:g} is not {-FAULT_NUMBER_MAX} to {FAULT_NUMBER_MAX}")
    return _NAMED[name](number)
