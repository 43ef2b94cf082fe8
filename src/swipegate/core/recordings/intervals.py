"""Times between flux transitions as text.

Lines of columns apart by commas below a header that names them: the interval in `seconds` (or milliseconds,
microseconds, nanoseconds), perhaps `track` and `swipe`. Or numbers alone, of any one unit: a track, and the next
after a blank line.
"""

import io
import re
from collections.abc import Iterator, Mapping, Sequence

from swipegate.core.recordings import bounds, flux_images
from swipegate.core.recordings.swipe import RawSwipe, RawTrack, RecordingError

UNITS = {"seconds": 1.0, "milliseconds": 1e-3, "microseconds": 1e-6, "nanoseconds": 1e-9}
"""Column -> seconds."""
HEADER = re.compile(
    rf"\A(?:\s*#[^\n]*\n)*\s*(?:(?:swipe|track)[ \t]*,[ \t]*)*(?:{'|'.join(UNITS)})[ \t]*[,\r\n]",
    re.IGNORECASE,
)
NUMBERS = re.compile(r"[0-9.eE+\-\s,;]+")
"""Of a text that is numbers alone."""
MIN_NUMBERS = 20
"""Fewer are no recording: sentinels and one character with its LRC take 20 bits."""
MAX_SECONDS = 3600.0
"""Of one interval with a unit."""


def is_one(text: str) -> bool:
    """Whether a text is intervals: its header says so, or it is numbers alone."""
    if HEADER.match(text):
        return True
    if not NUMBERS.fullmatch(text):
        return False
    return (
        sum(1 for _, _ in zip(range(MIN_NUMBERS), re.finditer(r"[^\s,;]+", text), strict=False))
        == MIN_NUMBERS
    )


def parse(text: str, name: str) -> list[RawSwipe]:
    """Return the swipes of intervals in text. Raises RecordingError."""
    if HEADER.match(text):
        return _swipes(_rows(text, name), name)
    tracks = [RawTrack(intervals=flux_images.scaled(block, name)) for block in _blocks(text, name)]
    return [RawSwipe((track,)) for track in tracks]


def _rows(text: str, name: str) -> "Iterator[tuple[int, int, float]]":
    """Yield the swipe, the track and the seconds of each row."""
    columns: list[str] = []
    for number, line in enumerate(io.StringIO(text), 1):
        cells = [cell.strip() for cell in line.split(",", 8)]
        if not line.strip() or cells[0].startswith("#"):
            continue
        if not columns:
            columns = [cell.lower() for cell in cells]
            continue
        try:
            row = dict(zip(columns, cells, strict=True))
            unit = next(column for column in columns if column in UNITS)
            seconds = float(row[unit]) * UNITS[unit]
            track, swipe = int(row.get("track", "0")), int(row.get("swipe", "1"))
        except ValueError:
            raise RecordingError(name, f"line {number}: not the numbers that the header names") from None
        if not 0.0 <= seconds <= MAX_SECONDS or not 0 <= track <= 3:
            raise RecordingError(name, f"line {number}: a track of 0 to 3 and a positive time are needed")
        yield swipe, track, seconds


def _swipes(rows: "Iterator[tuple[int, int, float]]", name: str) -> list[RawSwipe]:
    swipes: dict[int, dict[int, list[float]]] = {}
    for swipe, track, seconds in rows:
        intervals = swipes.setdefault(swipe, {}).setdefault(track, [])
        intervals.append(seconds)
        if len(intervals) > bounds.MAX_TRANSITIONS:
            raise RecordingError(name, f"more than {bounds.MAX_TRANSITIONS} transitions")
        if len(swipes) > bounds.MAX_SWIPES:
            raise RecordingError(name, f"more than {bounds.MAX_SWIPES} swipes")
    return [
        RawSwipe(tuple(RawTrack(number, intervals=tuple(one)) for number, one in sorted(tracks.items())))
        for tracks in swipes.values()
    ]


def _blocks(text: str, name: str) -> Iterator[list[float]]:
    """Yield the numbers between blank lines."""
    block: list[float] = []
    blocks = 0
    for number, line in enumerate(io.StringIO(text + "\n\n"), 1):
        if not line.strip() and block:
            yield block
            block, blocks = [], blocks + 1
            if blocks > bounds.MAX_SWIPES:
                raise RecordingError(name, f"more than {bounds.MAX_SWIPES} swipes")
        for match in re.finditer(r"[^\s,;]+", line):
            try:
                block.append(float(match[0]))
            except ValueError:
                raise RecordingError(name, f"line {number}: not a number") from None
            if len(block) > bounds.MAX_TRANSITIONS:
                raise RecordingError(name, f"more than {bounds.MAX_TRANSITIONS} transitions")


def build(swipes: Sequence[Mapping[int, Sequence[float]]]) -> bytes:
    """Return the text, with a header, of swipes that are intervals in seconds by track."""
    lines = ["swipe,track,seconds"]
    for number, tracks in enumerate(swipes, 1):
        lines += [f"{number},{track},{seconds:.9f}" for track, times in tracks.items() for seconds in times]
    return "\n".join([*lines, ""]).encode()
