"""Bit texts: digits 0 and 1, a track a line."""

import io
import re
from collections.abc import Sequence

from swipegate.core.recordings import bounds
from swipegate.core.recordings.swipe import RawSwipe, RawTrack, RecordingError

BITS = re.compile(r"\s*[01][01\s]*", re.ASCII)
DIGITS_TO_BITS = bytes.maketrans(b"01", b"\0\1")
BITS_TO_DIGITS = bytes.maketrans(b"\0\1", b"01")
SPACES = b" \t\r\n\v\f\x1c\x1d\x1e\x1f"
"""What \\s matches in ASCII."""


def is_one(text: str) -> bool:
    """Whether a text is digits 0 and 1 alone."""
    return bool(BITS.fullmatch(text))


def parse(text: str, name: str) -> list[RawSwipe]:
    """Return the swipes of a bit text: lines that follow each other are the tracks of one, a blank line ends it.

    Raises RecordingError.
    """
    swipes: list[RawSwipe] = []
    tracks: list[RawTrack] = []
    for line in io.StringIO(text + "\n\n", newline=None):
        bits = line.encode("ascii").translate(DIGITS_TO_BITS, SPACES)
        if len(bits) > bounds.MAX_BITS:
            raise RecordingError(name, f"a track of more than {bounds.MAX_BITS} bits")
        if bits:
            tracks.append(RawTrack(bits=bits))
        elif tracks:
            swipes.append(RawSwipe(tuple(tracks)))
            tracks = []
        if len(tracks) > bounds.MAX_TRACKS:
            raise RecordingError(name, f"a swipe of more than {bounds.MAX_TRACKS} tracks")
        if len(swipes) > bounds.MAX_SWIPES:
            raise RecordingError(name, f"more than {bounds.MAX_SWIPES} swipes")
    return swipes


def build(swipes: Sequence[Sequence[bytes]]) -> bytes:
    """Return the text of swipes whose tracks are bits, one byte a bit."""
    return b"\n".join(
        b"".join(track.translate(BITS_TO_DIGITS) + b"\n" for track in tracks) for tracks in swipes
    )
