"""Lines of characters as readers print them, and nothing else: what a keyboard wedge typed into an editor."""

import re

from swipegate.core.recordings import bounds
from swipegate.core.recordings.swipe import RawSwipe, RawTrack, RecordingError

SENTINELS = "%;+"
"""Of tracks 1 to 3, the last as many readers print it."""
OTHER_THIRDS = "#!&@"
"""Of track 3 as others print it; no first line begins so."""
FRAMING = " \t\0\x02\x03"
"""What may stand around a line."""
TRACK = re.compile(r"([%;+])[^?]*\?")


def is_one(text: str) -> bool:
    """Whether every line begins with a start sentinel."""
    lines = _lines(text)
    return (
        bool(lines)
        and lines[0][0] in SENTINELS
        and all(line[0] in SENTINELS + OTHER_THIRDS for line in lines)
    )


def parse(text: str, name: str) -> list[RawSwipe]:
    """Return the swipes of a text: a line each, or a line a track where readers part them. Raises RecordingError.

    A line belongs to the swipe of the line before as long as tracks come in their order.
    """
    swipes: list[RawSwipe] = []
    last = len(SENTINELS)
    for line in _lines(text):
        if len(line.encode()) > bounds.MAX_TEXT:
            raise RecordingError(name, f"a line of more than {bounds.MAX_TEXT} characters")
        other = line[0] in OTHER_THIRDS
        first = SENTINELS.index("+" if other else line[0])
        raw = RawTrack(3 if other else 0, text=line)
        if first > last:
            swipes[-1] = RawSwipe((*swipes[-1].tracks, raw))
        else:
            swipes.append(RawSwipe((raw,)))
        last = max([first, *(SENTINELS.index(track[1]) for track in TRACK.finditer(line))])
        if len(swipes) > bounds.MAX_SWIPES:
            raise RecordingError(name, f"more than {bounds.MAX_SWIPES} swipes")
    return swipes


def _lines(text: str) -> list[str]:
    return [stripped for line in text.splitlines() if (stripped := line.strip(FRAMING))]
