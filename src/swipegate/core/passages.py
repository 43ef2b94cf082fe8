"""How far a track was read: the runs of its signal, their cells, and what the bits of each character say.

For people who look into one reading, the failed ones above all; decoding itself is wire's. Plain scans: milliseconds a
track, not microseconds.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple, cast

from swipegate.core import MAX_BITS, flux, symbols
from swipegate.core.codings import CODINGS, Coding
from swipegate.core.recordings import RawTrack
from swipegate.v1 import track_pb2 as pb

GUESSED = (pb.CHARACTER_CODING_ISO_5_BIT, pb.CHARACTER_CODING_ISO_7_BIT)
"""Codings in which a nearest reading is looked for unasked: the rare ones are near to any noise."""
WRONG = -2
"""What a character of wrong parity, or outside the set, takes off a reading; a right one adds 1."""
SLIP = -6
"""What a character takes off that came with bits too few or too many."""
SLIPS = (-1, 1, -2, 2)
"""How many bits too few or too many are looked for in one character."""
LEAST_SCORE = 16
"""Of a reading worth showing: both sentinels and six characters; less is in any noise."""


@dataclass(frozen=True, slots=True)
class Cells:
    """One way to cut a run into cells, one bit each."""

    bits: bytes = field(repr=False)
    """One byte of 0 or 1 a cell, in time."""
    times: "array[float] | None" = field(default=None, repr=False)
    """Seconds of the bounds, one more than bits; None for what was recorded as bits."""
    doubts: bytes = field(default=b"", repr=False)
    """How doubtful each bit is, 0 for sure to 255 for as likely wrong as right; empty when nothing tells."""
    jitter: float = 0.0
    """RMS deviation of the cells from a smooth speed, share of a cell."""


@dataclass(frozen=True, slots=True)
class Character:
    """One character of a reading, as its bits say it, before any repair."""

    first: int
    """Its first cell in time."""
    count: int
    """Its cells."""
    text: str = field(repr=False)
    """What its data bits say; empty when it came with bits too few or too many."""
    parity_ok: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """The characters in a run's cells; the nearest reading where none passes every check."""

    cells: Cells
    read: symbols.Characters
    """What the symbol stage makes of the bits."""
    characters: tuple[Character, ...] = ()
    """From the start sentinel on; behind the end sentinel comes the LRC."""
    coding: Coding | None = None
    """None when nothing looks like a track."""
    direction: int = pb.SWIPE_DIRECTION_UNSPECIFIED
    """A v1 SwipeDirection."""
    inverted: bool = False
    """Whether the bits were inverted before they were looked at."""
    ended: bool = False
    """Whether there is an end sentinel, and so the last character is the LRC."""

    @property
    def bits_per_character(self) -> int:
        """5 to 8, parity included; 0 when nothing looks like a track."""
        return self.coding.bits if self.coding is not None else 0

    @property
    def text(self) -> str:
        """The characters without the LRC, as their bits say; a blank for one that came with bits too few or many."""
        shown = self.characters[:-1] if self.ended else self.characters
        return "".join(one.text or " " for one in shown)

    @property
    def wrong(self) -> tuple[int, ...]:
        """Places of the characters that are wrong by themselves."""
        return tuple(place for place, one in enumerate(self.characters) if not one.parity_ok)

    @property
    def lrc_ok(self) -> bool | None:
        """Whether the LRC is the exclusive or of all characters; None when there is none or a character is missing."""
        if self.coding is None or not self.ended or not all(one.text for one in self.characters):
            return None
        checksum = 0
        for one in self.characters:
            checksum ^= ord(one.text) - ord(self.coding.first)
        return checksum == 0


class Passage(NamedTuple):
    """One run of a track's signal, usually one swipe."""

    readings: tuple[Reading, ...]
    """In the order in which to try them; at least one."""

    def best(self, text: str = "") -> Reading:
        """The reading that says `text`, else the first that reads, else the one that got farthest."""
        for reading in self.readings:
            if text and reading.read.text == text:
                return reading
        read = [one for one in self.readings if not one.read.errors]
        if read and not text:
            return next((one for one in read if not one.read.repairs), read[0])
        return max(self.readings, key=_weight)


def passages(track: RawTrack, candidates: int = flux.CANDIDATES_MAX) -> list[Passage]:
    """The runs of a track in time; empty for a text, and for a signal in which nothing looks like cells."""
    if track.bits is not None:
        return [Passage((reading_of(Cells(track.bits), track.coding),))]
    runs: Sequence[flux.BitRun] = ()
    if track.samples is not None:
        runs = flux.swipes(track.samples, track.sample_rate, candidates=candidates)
    elif track.intervals is not None:
        runs = flux.bits_from_intervals(track.intervals, candidates=candidates)
    return [Passage(tuple(reading_of(cells, track.coding) for cells in _cells(run))) for run in runs]


def transitions(track: RawTrack) -> list[tuple[float, int]]:
    """The flux transitions of a track: seconds, and 1 or -1 in turn or by the peak's sign; empty without a signal."""
    if track.samples is not None:
        return flux.transitions(track.samples, track.sample_rate)
    if track.intervals is not None:
        times = accumulate(track.intervals, initial=0.0)
        return [(time, -1 if place % 2 else 1) for place, time in enumerate(times)]
    return []


def _cells(run: flux.BitRun) -> Iterator[Cells]:
    for bits, times, doubts, jitter in zip(run.candidates, run.times, run.doubts, run.jitters, strict=True):
        yield Cells(bits, times, doubts, jitter)


def reading_of(cells: Cells, coding: pb.CharacterCoding = pb.CHARACTER_CODING_UNSPECIFIED) -> Reading:
    """The characters of these cells: what the symbol stage read, else the nearest reading."""
    asked = CODINGS.get(coding)
    bits = cells.bits[:MAX_BITS]
    read = symbols.decode(bits, asked.bits, msb_first=asked.msb_first) if asked else symbols.decode(bits)
    if read.errors:
        return _nearest(cells, read, (coding,) if asked else GUESSED)
    width = read.bits_per_character
    starts = range(read.start_bit, read.end_bit, width)
    if read.direction == pb.SWIPE_DIRECTION_REVERSE:
        starts = range(read.end_bit - width, read.start_bit - width, -width)
    if len(starts) != len(read.text) + 1:
        return _nearest(cells, read, (coding,) if asked else GUESSED)
    spans = [(max(start, 0), min(start + width, len(cells.bits)) - max(start, 0)) for start in starts]
    its = CODINGS[cast("pb.CharacterCoding", read.coding)]
    return _reading(cells, read, spans, its, read.direction, read.inverted, True)


def _weight(reading: Reading) -> int:
    wrong = len(reading.wrong)
    return len(reading.characters) - wrong + WRONG * wrong + reading.bits_per_character * reading.ended


def _reading(
    cells: Cells,
    read: symbols.Characters,
    spans: Iterable[tuple[int, int]],
    coding: Coding,
    direction: int,
    inverted: bool,
    ended: bool,
) -> Reading:
    """The reading of characters whose cells are known."""
    characters = []
    for first, count in spans:
        bits = cells.bits[first : first + count]
        if direction == pb.SWIPE_DIRECTION_REVERSE:
            bits = bits[::-1]
        code = sum((bit ^ inverted) << place for place, bit in enumerate(bits))
        whole = count == coding.bits or (first + count == len(cells.bits) and count < coding.bits)
        text = coding.character(code) if whole else ""
        characters.append(Character(first, count, text, whole and coding.parity_ok(code)))
    return Reading(cells, read, tuple(characters), coding, direction, inverted, ended)


class _Path(NamedTuple):
    """The best way through the bits in one direction: where its characters begin and how many bits each has."""

    score: int
    spans: tuple[tuple[int, int], ...]
    ended: bool


def _nearest(cells: Cells, read: symbols.Characters, codings: Sequence[pb.CharacterCoding]) -> Reading:
    """The reading with most right characters, over both directions, polarities and these codings."""
    best = Reading(cells, read)
    score = LEAST_SCORE - 1
    for inverted in (False, True):
        for direction in (pb.SWIPE_DIRECTION_FORWARD, pb.SWIPE_DIRECTION_REVERSE):
            bits = bytes(bit ^ inverted for bit in cells.bits[:MAX_BITS])
            if direction == pb.SWIPE_DIRECTION_REVERSE:
                bits = bits[::-1]
            for coding in map(CODINGS.__getitem__, codings):
                path = _best_path(bits, coding) if coding.parity is not None else _first_path(bits, coding)
                if path.score <= score:
                    continue
                score = path.score
                spans = path.spans
                if direction == pb.SWIPE_DIRECTION_REVERSE:
                    spans = tuple((len(bits) - first - count, count) for first, count in spans)
                best = _reading(cells, read, spans, coding, direction, inverted, path.ended)
    return best


def _codes(bits: bytes, width: int) -> list[int]:
    """The character that begins at each bit."""
    padded = bits + bytes(width)
    return [sum(padded[place + bit] << bit for bit in range(width)) for place in range(len(bits) + 1)]


def _best_path(bits: bytes, coding: Coding) -> _Path:
    """From a start sentinel, the characters whose sum of right and wrong ones is highest."""
    count, width = len(bits), coding.bits
    start, end_code = coding.code(coding.start), coding.code(coding.end)
    codes = _codes(bits, width)
    # no data: clocking zeros of the other polarity are ones, which are a right ? in 5 bits and _ in 7
    none = (end_code, (1 << width) - 1)
    right = {one: coding.parity_ok(one) and coding.holds(one) and one not in none for one in set(codes)}
    ending = width + 1 - WRONG
    scores = [0] * (count + 1)
    steps = [0] * (count + 1)  # bits of the character that leads to a place; 0 where a reading begins
    best = _Path(0, (), False)
    end = 0
    for place, code in enumerate(codes):
        off = (code ^ start).bit_count()
        if off <= 1 and scores[place] <= (worth := width - width * off // 2):
            scores[place], steps[place] = worth, 0
        if scores[place] <= 0:
            continue
        ended = steps[place] == width and codes[place - width] == end_code and steps[place - width] > 0
        if scores[place] + ending * ended > best.score:
            best, end = _Path(scores[place] + ending * ended, (), ended), place
        for length, worth in (
            (width, 1 if right[code] else WRONG),
            *((width + slip, SLIP) for slip in SLIPS),
        ):
            after, score = place + length, scores[place] + worth
            # of two equal ways the one that slips later: it keeps to the start sentinel for longer
            if after <= count and score + (length != width) > scores[after]:
                scores[after], steps[after] = score, length
    return best._replace(spans=_walk_back(steps, end, width * best.ended))


def _first_path(bits: bytes, coding: Coding) -> _Path:
    """Without parity no character is right or wrong: from the first start sentinel to the end sentinel after it whose
    LRC agrees, else to the first, else to the last one-bit.
    """
    width, codes = coding.bits, _codes(bits, coding.bits)
    start, end_code = coding.code(coding.start), coding.code(coding.end)
    if start not in codes:
        return _Path(0, (), False)
    places = range(codes.index(start), len(bits), width)
    sums = list(accumulate((codes[place] for place in places), int.__xor__))
    ends = [number for number, place in enumerate(places) if codes[place] == end_code]
    agreeing = (number for number in ends if number + 1 < len(places) and not sums[number + 1])
    end = next(agreeing, ends[0] if ends else None)
    shown = [place for place in places if place <= bits.rfind(1)] if end is None else places[: end + 2]
    spans = tuple((place, min(width, len(bits) - place)) for place in shown)
    return _Path(len(spans) + width * (end is not None), spans, end is not None)


def _walk_back(steps: Sequence[int], end: int, lrc: int) -> tuple[tuple[int, int], ...]:
    """First bit and length of each character on the way to `end`, and of the LRC behind it."""
    spans = [(end, min(lrc, len(steps) - 1 - end))] if lrc else []
    place = end
    while length := steps[place]:
        place -= length
        spans.append((place, length))
    return tuple(reversed(spans))
