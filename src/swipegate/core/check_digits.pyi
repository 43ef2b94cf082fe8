"""Check digits of card numbers: the schemes of swipegate.v1.CheckDigit."""

from collections.abc import Sequence

def agrees(text: str, scheme: int, weights: Sequence[int] = ()) -> bool:
    """Whether the last character of a text, or the last two, prove the others by a scheme.

    False for a text of one character, and for one with characters that the scheme does not know. Raises ValueError
    for an unknown scheme, and for weights that are missing, too many, over 99, or of no use to the scheme.
    """
