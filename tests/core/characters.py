"""A small strict character decoder (ISO/IEC 7811-2, -6), so that signal tests can speak of texts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SHORTEST_TEXT = {5: 6, 7: 6}


@dataclass(frozen=True)
class Alphabet:
    """One of the two character sets."""

    width: int
    base: int
    start: str
    end: str = "?"

    def character(self, bits: Sequence[int]) -> str | None:
        """Return the character of one group of bits; None when its parity is even."""
        if sum(bits) % 2 == 0:
            return None
        return chr(self.base + sum(bit << k for k, bit in enumerate(bits[:-1])))

    def bits(self, character: str) -> list[int]:
        """Return a character's bits, least significant first, odd parity last."""
        value = ord(character) - self.base
        data = [value >> k & 1 for k in range(self.width - 1)]
        return [*data, 1 - sum(data) % 2]

    def lrc(self, text: str) -> str:
        """Return the check character of a text."""
        value = 0
        for character in text:
            value ^= ord(character) - self.base
        return chr(self.base + value)


NUMERIC = Alphabet(5, 0x30, ";")
ALPHA = Alphabet(7, 0x20, "%")


def encode(text: str, leading: int = 20, trailing: int = 20) -> list[int]:
    """Return the stripe bits of a text with its LRC and clocking zeros on both sides."""
    alphabet = ALPHA if text.startswith("%") else NUMERIC
    body = [bit for character in text + alphabet.lrc(text) for bit in alphabet.bits(character)]
    return [0] * leading + body + [0] * trailing


def decode(bits: Sequence[int]) -> str | None:
    """Return the longest text with sentinels, right parity everywhere and a right LRC, either way round."""
    best: str | None = None
    for sequence in (list(bits), list(reversed(bits))):
        for alphabet in (NUMERIC, ALPHA):
            start = "".join(map(str, alphabet.bits(alphabet.start)))
            joined = "".join(map(str, sequence))
            place = joined.find(start)
            while place >= 0:
                text = _read(sequence, place, alphabet)
                if text and (best is None or len(text) > len(best)):
                    best = text
                place = joined.find(start, place + 1)
    return best


def first(candidates: Iterable[Sequence[int]]) -> str | None:
    """Return the text of the first reading that has one."""
    return next((text for text in map(decode, candidates) if text), None)


def _read(bits: Sequence[int], place: int, alphabet: Alphabet) -> str | None:
    text, width = "", alphabet.width
    while place + width <= len(bits):
        character = alphabet.character(bits[place : place + width])
        if character is None:
            return None
        place += width
        if text.endswith(alphabet.end):
            return text if character == alphabet.lrc(text) and len(text) >= SHORTEST_TEXT[width] else None
        text += character
    return None
