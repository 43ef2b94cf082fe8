"""F2F decoding as ISO/IEC 7811-2 defines it, slow and plain: the signal stage's specification.

A transition at every cell boundary, one more in the middle of a cell that holds a 1. It reads clean flux
times whose cells change slowly; where it reads at all, the compiled stage must read the same.
"""

from collections.abc import Sequence

LONGEST_HALF = 0.75
"""Share of a cell from which an interval is a whole one: half way between a half and a whole."""


def bits_from_intervals(intervals: Sequence[float]) -> list[int]:
    """Return the bits; the first interval must be a clocking 0. Raises ValueError for half a 1."""
    bits: list[int] = []
    cell = intervals[0]
    index = 0
    while index < len(intervals):
        if intervals[index] > LONGEST_HALF * cell:
            cell = intervals[index]
            bits.append(0)
            index += 1
        else:
            if index + 1 == len(intervals) or intervals[index + 1] > LONGEST_HALF * cell:
                raise ValueError("half a cell without its other half")
            cell = intervals[index] + intervals[index + 1]
            bits.append(1)
            index += 2
    return bits


def bounds_from_intervals(intervals: Sequence[float]) -> list[float]:
    """Return when each cell begins, counted from the first transition, and when the last one ends."""
    bounds = [0.0]
    index = 0
    for bit in bits_from_intervals(intervals):
        bounds.append(bounds[-1] + sum(intervals[index : index + 1 + bit]))
        index += 1 + bit
    return bounds
