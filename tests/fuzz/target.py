"""What a fuzz target is: seeds, a check that any bytes must pass, and the work they may cause."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

Mutator = Callable[[bytes, int, int], bytes]
"""Data, greatest length and seed -> mutated data."""


@dataclass(frozen=True)
class Target:
    """One stage under test."""

    name: str
    seeds: Callable[[], Iterator[bytes]]
    """Inputs to begin with, made from the project's vectors."""
    check: Callable[[bytes], None]
    """Runs the stage and asserts what must hold of every input; any exception is a finding."""
    longest: int
    """Bytes of an input."""
    blocks: int
    """Basic blocks that an empty input may run."""
    blocks_a_byte: int
    """Basic blocks that each byte of an input may add: work is linear, with a bound that no input exceeds."""
    replays: int
    """Mutated inputs of the short run in the test suite."""
    words: tuple[bytes, ...] = ()
    """What the format is made of."""
    mutator: Mutator | None = None
    """One that knows the format, beside the engine's own."""


class Source:
    """Takes an input apart, front to back; past its end everything is 0 or empty."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def byte(self) -> int:
        return (self.take(1) or b"\0")[0]

    def take(self, count: int) -> bytes:
        part = self._data[self._place : self._place + count]
        self._place += count
        return part

    def rest(self) -> bytes:
        return self.take(len(self._data))
