"""New identifiers, in the order of time."""

import os
from collections.abc import Iterator

_COUNTS = 1 << 12
_RANDOM = 8
"""Bytes an identifier, of which 60 bits are used."""


def new(now: int) -> str:
    """A new UUID, as `ordered` makes them."""
    chance, clock = os.urandom(_RANDOM).hex(), f"{now // 1000:012x}"
    return f"{clock[:8]}-{clock[8:]}-7000-8{chance[:3]}-{chance[3:15]}"


def ordered(count: int, now: int) -> Iterator[str]:
    """`count` new UUIDs in ascending order; `now` is microseconds since 1970.

    UUIDv7 (RFC 9562, 5.7) with a counter in rand_a (6.2, method 1): neighbours in time are neighbours in an index,
    so a thousand rows touch a few of its pages, where random ones would touch a thousand.
    """
    chance = os.urandom(_RANDOM * count).hex()
    milliseconds = now // 1000
    for first in range(0, count, _COUNTS):  # a counter that is full borrows from the clock
        clock = f"{milliseconds + first // _COUNTS:012x}"
        head = f"{clock[:8]}-{clock[8:]}-7"
        for number in range(min(_COUNTS, count - first)):
            at = 2 * _RANDOM * (first + number)
            yield f"{head}{number:03x}-8{chance[at : at + 3]}-{chance[at + 3 : at + 15]}"
