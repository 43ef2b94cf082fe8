"""What a reader prints for one swipe: tracks from sentinel to sentinel, with control codes and more around them."""

import re
from dataclasses import dataclass, field

from swipegate.devices.protocols.framing import wipe

# The track of each start sentinel: ISO/IEC 7811-2 for % and ; and the makers' own for a track 2 of seven bits a
# character (@) and for track 3 (+, # of AAMVA, & of seven bits, ! of California).
TRACKS = {ord("%"): 1, ord(";"): 2, ord("@"): 2, ord("+"): 3, ord("#"): 3, ord("&"): 3, ord("!"): 3}
END_SENTINEL = ord("?")
# Characters with sentinels and LRC (ISO/IEC 7811-2).
TRACK1_CHARACTERS_MAX, TRACK2_CHARACTERS_MAX = 79, 40
# ID TECH prints the sentinel of the standard on track 3 as well: a second % or ; is track 3, and so is one with
# more characters than track 2 has.
REPEATED_ON_TRACK3 = b"%;"
# Characters that a reader may be set to print before a track (ID TECH: 15).
PREAMBLE_MAX = 15

_PIECE = re.compile(rb"[^?\x00-\x1f]*\?|[^?\x00-\x1f]+")
_PIECE_WITH_LRC = re.compile(rb"[^?\x00-\x1f]*\?[\x20-\x5f]?|[^?\x00-\x1f]+")
_START = re.compile(rb"[%;]")
# What cannot stand in a track of five bits a character, and what most likely is track 2 in a track 1 that is too long.
_BEHIND_TRACK2 = re.compile(rb"[%@+#&!]")
_BEHIND_TRACK1 = re.compile(rb";(?=[0-9])")


class TwoSwipes(ValueError):
    """More came than one swipe has."""


@dataclass(slots=True)
class TrackText:
    """One track as it was printed, from its start sentinel; its text is not in the repr."""

    number: int
    text: bytearray
    """To the end sentinel, and the LRC where the reader sends it."""

    @property
    def ended(self) -> bool:
        """Whether it has its end sentinel."""
        return END_SENTINEL in self.text

    @property
    def data(self) -> bytes:
        """What is between the sentinels."""
        return bytes(self.text[1:]).partition(b"?")[0]

    def __repr__(self) -> str:
        return f"TrackText({self.number}, {len(self.text)} bytes)"


@dataclass(slots=True)
class Swipe:
    """The tracks of one swipe, by number. Whoever takes it wipes it."""

    tracks: list[TrackText] = field(default_factory=list)
    torn: bool = False
    """There was a text that ends as a track does and does not begin as one."""

    def wipe(self) -> None:
        """Zero the track data."""
        for track in self.tracks:
            wipe(track.text)

    def __bool__(self) -> bool:
        return bool(self.tracks) or self.torn


def parse(burst: bytearray, *, with_lrc: bool = False) -> Swipe:
    """The swipe in what came in one go; false where there is none.

    Of a reader without track 1, two swipes cannot be told from tracks 2 and 3 of one; the first is then track 2.

    :raises TwoSwipes: it is more than one.
    """
    swipe = Swipe()
    pattern = _PIECE_WITH_LRC if with_lrc else _PIECE
    try:
        for piece in pattern.finditer(burst):
            _take(swipe, burst, *piece.span())
    except TwoSwipes:
        swipe.wipe()
        raise
    return swipe


def _take(swipe: Swipe, burst: bytearray, place: int, end: int) -> None:
    """Take the text from `place` on that ends at an end sentinel or before a control code."""
    start = _start_of(burst, place, end)
    if start is None:
        swipe.torn |= burst.find(END_SENTINEL, place, end) >= 0
        return
    swipe.torn |= start - place > PREAMBLE_MAX
    limit = _limit_of(burst, start, end)
    _add(swipe, burst[start:limit])
    if limit < end:
        _take(swipe, burst, limit, end)


def _start_of(burst: bytearray, place: int, end: int) -> int | None:
    if burst[place] in TRACKS:
        return place
    found = _START.search(burst, place, end)
    return found.start() if found else None


def _limit_of(burst: bytearray, start: int, end: int) -> int:
    """Where the track at `start` ends: before the next one where it lost its end sentinel."""
    sentinel = burst.find(END_SENTINEL, start, end)
    limit = end if sentinel < 0 else sentinel
    following = None
    if burst[start] == ord(";"):
        following = _BEHIND_TRACK2.search(burst, start, limit)
    elif burst[start] == ord("%") and limit - start >= TRACK1_CHARACTERS_MAX:
        following = _BEHIND_TRACK1.search(burst, start, limit)
    return following.start() if following else end


def _add(swipe: Swipe, text: bytearray) -> None:
    last = swipe.tracks[-1].number if swipe.tracks else 0
    number = TRACKS[text[0]]
    long = number == 2 and len(text) > TRACK2_CHARACTERS_MAX
    if text[0] in REPEATED_ON_TRACK3 and last < 3 and (number <= last or long):
        number = 3
    told_before = len(text) > len(b"%E?") and any(track.text == text for track in swipe.tracks)
    if number <= last or told_before:
        wipe(text)
        raise TwoSwipes("more came than one swipe has")
    swipe.tracks.append(TrackText(number, text))
