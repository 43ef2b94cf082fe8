"""A picture of how swipes were read: signal, cell times, bits, characters, repairs, and what is wrong."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from swipegate.cli import render
from swipegate.cli.findings import Finding, story
from swipegate.cli.plot import close, overview, style
from swipegate.cli.plot.picture import Label, Line, Picture, png, svg
from swipegate.core.codings import Coding
from swipegate.v1 import track_pb2 as pb

MAX_ROWS = 12
"""Tracks in one picture."""
MAX_LINES = 60
"""Lines of cells in one picture."""
RENDERERS = {".svg": svg, ".png": png}
"""Suffix of the file -> what makes its content."""


class Row(NamedTuple):
    """One track in the picture."""

    heading: str
    """Which file, swipe and track it is."""
    finding: Finding


@dataclass(slots=True)
class Drawing:
    """What is to be drawn."""

    names: list[str] = field(default_factory=list)
    """Of the files or options."""
    rows: list[Row] = field(default_factory=list)
    """At most MAX_ROWS."""
    left_out: int = 0
    """Tracks for which there is no room."""

    def add(self, row: Row) -> None:
        """Draw this too, if there is room."""
        if len(self.rows) < MAX_ROWS:
            self.rows.append(row)
        else:
            self.left_out += 1


def write(path: Path, drawing: Drawing) -> None:
    """Draw into a file of one of the suffixes in RENDERERS. Raises OSError."""
    path.write_bytes(RENDERERS[path.suffix.lower()](draw(drawing)))


def draw(drawing: Drawing) -> Picture:
    """The picture; it says what it leaves out."""
    rows = drawing.rows
    title = drawing.names[0] if len(drawing.names) == 1 else f"{len(drawing.names)} recordings"
    picture = Picture(f"{title}: {_verdict(drawing)}", style.WIDTH)
    y = 34.0
    picture.add(Label(style.LEFT, y, picture.title, 20, style.INK, kind="title"))
    masked = any(
        row.finding.masked or (row.finding.reading is None and not row.finding.reveal) for row in rows
    )
    notes = [
        "Cells are drawn equally wide, whatever the speed; bits stand as they came; time runs to the right."
    ]
    if masked:
        notes.append(
            "Card data is masked in signal, bits and characters as on the screen; --reveal shows it."
        )
    for note in notes:
        y += 18
        picture.add(Label(style.LEFT, y, note, 12, style.GREY, kind="note"))
    y += 24
    y += style.legend(picture, y, any(row.finding.raw.bits is None for row in rows))
    left = MAX_LINES
    for row in rows:
        y, left = _row(picture, y + 14, row, left)
    if drawing.left_out:
        y += 20
        more = f"{drawing.left_out} more tracks are not drawn."
        picture.add(Label(style.LEFT, y, more, 13, style.WRONG, kind="left-out"))
    picture.height = int(y + 24)
    return picture


def _verdict(drawing: Drawing) -> str:
    rows = drawing.rows
    read = sum(_reads(row.finding) for row in rows)
    if drawing.left_out:
        return f"{read} of the first {len(rows)} tracks read"
    if len(rows) == 1:
        return "reads" if read else "does not read"
    return f"{read} of {len(rows)} tracks read"


def _reads(finding: Finding) -> bool:
    return bool(finding.decoded.text)


def _row(picture: Picture, y: float, row: Row, left: int) -> tuple[float, int]:
    """Draw one track below y with at most `left` lines; returns where it ends and the lines then left."""
    finding = row.finding
    picture.add(Line(((style.LEFT, y), (style.LEFT + style.INNER, y)), style.GREY, 1))
    y += 24
    colour = style.INK if _reads(finding) and not finding.decoded.errors else style.WRONG
    picture.add(Label(style.LEFT, y, f"{row.heading}: {_outcome(finding)}", 16, colour, kind="heading"))
    for words in (_facts(finding), *story(finding)):
        y += 18
        picture.add(Label(style.LEFT, y, words, 12, style.INK, kind="story"))
    y += 26
    y += overview.draw(picture, y, finding)
    lines = close.lines_of(finding)
    for first, last in lines[:left]:
        close.draw(picture, y, finding, first, last)
        y += close.height_of(finding)
    zeros = close.cells_of(finding) - sum(last - first for first, last in lines)
    if zeros:
        picture.add(
            Label(style.LEFT, y, f"{zeros} clocking zeros at the ends are not drawn.", 11, style.GREY)
        )
        y += 10
    if len(lines) > left:
        y += 6
        cells = sum(last - first for first, last in lines[left:])
        picture.add(
            Label(style.LEFT, y, f"{cells} more cells are not drawn.", 13, style.WRONG, kind="left-out")
        )
    return y, max(left - len(lines), 0)


def _outcome(finding: Finding) -> str:
    """The verdict on a track in a few words."""
    errors = "; ".join(render.error_words(error) for error in finding.decoded.errors)
    if not _reads(finding):
        return f"does not read: {errors}"
    if finding.decoded.repairs:
        count = len(finding.decoded.repairs)
        errors = "; ".join(filter(None, (f"{count} character{'s' if count > 1 else ''} repaired", errors)))
    return f"reads, but {errors}" if finding.decoded.errors else f"reads{', ' + errors if errors else ''}"


def _coding_words(coding: Coding | None) -> str:
    """What is not as ISO has it."""
    if coding is None:
        return ""
    words = ["without parity" * (coding.parity is None), "most significant first" * coding.msb_first]
    return "".join(f" {one}" for one in words if one)


def _facts(finding: Finding) -> str:
    """Direction, polarity, coding and how regular the cells are."""
    reading = finding.reading
    if reading is None:
        times = [time for time, _ in finding.transitions]
        within = f" in {(times[-1] - times[0]) * 1e3:.0f} ms" if times else ""
        return f"{len(times)} transitions{within}, and no cells in them."
    facts = [f"{len(reading.cells.bits)} cells"]
    if reading.cells.times is not None:
        span = reading.cells.times[-1] - reading.cells.times[0]
        facts += [f"{span * 1e3:.0f} ms", f"jitter {reading.cells.jitter:.1%} of a cell"]
    if reading.characters:
        reverse = reading.direction == pb.SWIPE_DIRECTION_REVERSE
        facts += [
            "swiped in reverse: characters run from right to left" if reverse else "swiped forward",
            "inverted bits" if reading.inverted else "true polarity",
            f"{reading.bits_per_character} bits a character{_coding_words(reading.coding)}",
        ]
    if finding.decoded.lrc:
        facts.append(f"LRC {render.short_words(pb.LrcStatus, finding.decoded.lrc)}")
    return ", ".join(facts) + "."
