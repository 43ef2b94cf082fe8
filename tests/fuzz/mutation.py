"""Mutations without an engine: the same seed gives the same inputs, so that the test suite can replay them."""

import random

CHANGES = 6
"""Most changes at once."""
CHUNK = 32
"""Most bytes a change moves."""
EDGES = (0, 1, 0x7F, 0x80, 0xFF)
"""Bytes at which numbers turn."""


def mutate(
    data: bytes, longest: int, chance: random.Random, words: tuple[bytes, ...] = (), other: bytes = b""
) -> bytes:
    """Change data here and there, at most to `longest` bytes; words and parts of `other` are put in."""
    mutated = bytearray(data)
    for _ in range(chance.randint(1, CHANGES)):
        _change(mutated, chance, words, other)
    return bytes(mutated[:longest])


def _change(data: bytearray, chance: random.Random, words: tuple[bytes, ...], other: bytes) -> None:
    place = chance.randint(0, len(data))
    size = min(chance.randint(1, CHUNK), len(data) - place)
    kind = chance.randrange(7)
    if kind == 0 and size:
        data[place] ^= 1 << chance.randrange(8)
    elif kind == 1 and size:
        data[place] = chance.choice(EDGES) if chance.random() < 0.5 else chance.randrange(256)
    elif kind == 2:
        del data[place : place + size]
    elif kind == 3:
        data[place:place] = data[place : place + size] * chance.randint(1, 4)
    elif kind == 4:
        data[place:place] = chance.randbytes(chance.randint(1, 8))
    elif kind == 5 and words:
        word = chance.choice(words)
        data[place : place + (len(word) if chance.random() < 0.5 else 0)] = word
    elif other:
        start = chance.randint(0, len(other))
        data[place : place + size] = other[start : start + CHUNK]
