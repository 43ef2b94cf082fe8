"""Flux images of MAKStripe readers: the files of its software (.MAG), and what the reader sends.

A file is u32 count, then count x (u32 levels, f32 position), little endian. The reader's answer to a read is
`RD `, u16 count (big endian), count x (ticks, flags), perhaps one such pair of padding, `RD=OK`; bit 7 of the
flags is bit 8 of the ticks to the next pair, bits 0 to 2 are the levels (s3c/PyMAKInt, pymakint.py).
"""

import struct
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from operator import xor
from statistics import median

from swipegate.core.recordings import bounds
from swipegate.core.recordings.swipe import RawSwipe, RawTrack, RecordingError

CELL_SECONDS = 0.001
"""The middle interval of an image, which has no unit of time, is taken to be this long."""
LEVELS = {1: 0x10, 2: 0x20, 3: 0x40}
"""Track -> its bit in the levels."""
READ, READ_END = b"RD ", b"RD=OK"
"""Around what the reader sends."""
TICKS_HIGH, ANSWER_LEVELS = 0x80, 0x07
"""Bits of the flags in the reader's answer."""
POSITIONS_A_SECOND = 1000.0
"""Of a file written here; those of the real card in the tests would be milliseconds, too."""
MAX_RECORDS = 8 * bounds.MAX_TRANSITIONS
"""Records of a file; one may hold a change of every track or of none."""

Record = tuple[int, float]
"""Levels, and the position from which they hold."""

LOW: Record = (0, 0.0)
"""What is before the first record, which is no change of a track that is low in it."""


def is_one(data: bytes) -> bool:
    """Whether a file is a flux image: what the reader sends, or as long as its count of records says."""
    if data[: len(READ)] == READ:
        return True
    return len(data) >= 12 and len(data) == 4 + 8 * int.from_bytes(data[:4], "little")


def parse(data: bytes, name: str) -> list[RawSwipe]:
    """Return the one swipe of a flux image. Raises RecordingError."""
    if data[: len(READ)] == READ:
        records = _answer(data, name)
    else:
        if len(data) > 4 + 8 * MAX_RECORDS:
            raise RecordingError(name, f"more than {MAX_RECORDS} flux records")
        records = list(struct.iter_unpack("<If", data[4:]))
    tracks = []
    for number, level in LEVELS.items():
        places = [place for (before, _), (now, place) in pairwise([LOW, *records]) if (before ^ now) & level]
        intervals = [after - before for before, after in pairwise(places)]
        if intervals:
            tracks.append(RawTrack(number, intervals=scaled(intervals, name)))
    return [RawSwipe(tuple(tracks))] if tracks else []


def _answer(data: bytes, name: str) -> list[Record]:
    """Return the records in the reader's own bytes."""
    count = int.from_bytes(data[3:5], "big")
    pairs = data[5 : 5 + 2 * count]
    rest = data[5 + 2 * count : 7 + 2 * count + len(READ_END)]
    if not count or len(pairs) < 2 * count or READ_END not in rest:
        raise RecordingError(name, "flux image cut off, or not as long as it says")
    ticks = [low | (flags & TICKS_HIGH) << 1 for low, flags in zip(pairs[::2], pairs[1::2], strict=True)]
    places = accumulate(ticks[:-1], initial=0)
    return [
        ((flags & ANSWER_LEVELS) << 4, float(place)) for place, flags in zip(places, pairs[1::2], strict=True)
    ]


def scaled(intervals: Sequence[float], name: str) -> tuple[float, ...]:
    """Return intervals of no known unit with a middle one of CELL_SECONDS. Raises RecordingError."""
    if len(intervals) > bounds.MAX_TRANSITIONS:
        raise RecordingError(name, f"more than {bounds.MAX_TRANSITIONS} transitions")
    if not all(0.0 <= interval < 1e9 for interval in intervals):
        raise RecordingError(name, "flux positions do not ascend")
    scale = CELL_SECONDS / (median(intervals) or 1.0)
    return tuple(interval * scale for interval in intervals)


def build(tracks: Mapping[int, Sequence[float]]) -> bytes:
    """Return the .MAG file of the intervals, in seconds, of tracks by number. Raises ValueError for another number."""
    if not tracks or set(tracks) - set(LEVELS):
        raise ValueError("tracks: 1, 2 and 3 are known")
    changes: dict[float, int] = {}
    for number, intervals in tracks.items():
        for place in accumulate(intervals, initial=0.0):
            changes[place] = changes.get(place, 0) ^ LEVELS[number]
    places = sorted(changes)
    levels = accumulate((changes[place] for place in places), xor)
    body = b"".join(
        struct.pack("<If", level, place * POSITIONS_A_SECOND)
        for level, place in zip(levels, places, strict=True)
    )
    return struct.pack("<I", len(places)) + body
