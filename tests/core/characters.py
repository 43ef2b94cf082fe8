"""The character stage as signal tests want it: texts in, texts out."""

from collections.abc import Iterable, Sequence

from swipegate import core
from swipegate.core import symbols


def encode(text: str, leading: int = 20, trailing: int = 20) -> list[int]:
    """The stripe bits of a text with its LRC and clocking zeros on both sides."""
    return list(symbols.encode(text, 7 if text.startswith("%") else 5, leading, trailing))


def decode(bits: Sequence[int]) -> str | None:
    """The text in a string of bits, unrepaired; None when it does not read, or is longer than any track."""
    return symbols.decode(bytes(bits[: core.MAX_BITS]), repair=False).text or None


def first(candidates: Iterable[Sequence[int]]) -> str | None:
    """The text of the first reading that has one."""
    return next((text for text in map(decode, candidates) if text), None)
