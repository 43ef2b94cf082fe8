"""Texts of tracks as Flipper Zero keeps them (.mag, .magspoof).

`Track 1:` to `Track 3:` with `Filetype: Flipper Mag device`, and before that all tracks after one `Data:` with
`Filetype: Flipper Magspoof device` (zacharyweiss/magspoof_flipper, mag_device.c and magspoof_device.c).
"""

import re
from collections.abc import Mapping

from swipegate.core.recordings import bounds
from swipegate.core.recordings.swipe import RawSwipe, RawTrack, RecordingError

TRACK_LINE = re.compile(
    r"""
    ^[ \t]*(?:Track[ ]?(?P<number>[1-3])|Data)[ \t]*:[ \t]*
    (?:"(?P<quoted>[^"]*|[^\r\n]*)"[ \t]*\r?$|(?P<text>[^\r\n]*(?:\r?\n[%;+][^\r\n]*)*))
    """,
    re.MULTILINE | re.VERBOSE | re.IGNORECASE,
)
"""A track of a Flipper .mag file; quotes around it are none of its characters."""


def is_one(text: str) -> bool:
    """Whether a text has a line of a track."""
    return bool(TRACK_LINE.search(text))


def parse(text: str, name: str) -> list[RawSwipe]:
    """Return the one swipe of a text. Raises RecordingError.

    The lines after `Data:` up to the closing quote belong to it: they are the tracks as a reader prints them.
    """
    tracks = []
    for match in TRACK_LINE.finditer(text):
        content = (match["text"] if match["quoted"] is None else match["quoted"]).strip(" \t\r\n")
        if len(content.encode()) > bounds.MAX_TEXT:
            raise RecordingError(name, f"a track of more than {bounds.MAX_TEXT} characters")
        if content:
            tracks.append(RawTrack(int(match["number"] or 0), text=content))
        if len(tracks) > bounds.MAX_TRACKS:
            raise RecordingError(name, f"more than {bounds.MAX_TRACKS} tracks")
    return [RawSwipe(tuple(tracks))] if tracks else []


def build(tracks: Mapping[int, str]) -> bytes:
    """Return the .mag file of texts by track number, as today's application writes it.

    Raises ValueError for another number than 1 to 3 or a text over several lines.
    """
    if set(tracks) - {1, 2, 3}:
        raise ValueError("tracks: 1, 2 and 3 are known")
    if any("\n" in text or "\r" in text for text in tracks.values()):
        raise ValueError("tracks: a text is one line")
    lines = [f"Track {number}: {tracks.get(number, '')}\n" for number in (1, 2, 3)]
    head = "Filetype: Flipper Mag device\nVersion: 1\n# Mag device track data\n"
    return (head + "".join(lines)).encode()
