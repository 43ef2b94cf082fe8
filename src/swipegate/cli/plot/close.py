"""The close view: every cell with its signal, its bit and its character, in as many lines as it takes.

Cells are all as wide, whatever the speed: the signal is stretched to them, and the time stands above.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from swipegate.cli.findings import Finding
from swipegate.cli.plot import style
from swipegate.cli.plot.picture import Box, Label, Line, Picture
from swipegate.cli.plot.style import CELL, LEFT
from swipegate.core.passages import Reading
from swipegate.domain.masking import MASK
from swipegate.v1 import track_pb2 as pb

TIMES_HEIGHT = 14
SIGNAL_HEIGHT = 92
STEPS_HEIGHT = 40
"""Of flux times, which have no height of their own."""
BITS_HEIGHT = 18
CHARACTERS_HEIGHT = 48
GAP = 16
POINTS_A_CELL = 40
"""Of the signal's line, at the most."""


@dataclass(frozen=True, slots=True)
class _View:
    """One line of the picture: cells first to last - 1, drawn below y."""

    picture: Picture
    finding: Finding
    reading: Reading
    y: float
    first: int
    last: int

    def x(self, cell: float) -> float:
        """Where a cell begins."""
        return LEFT + (cell - self.first) * CELL


def lines_of(finding: Finding) -> list[tuple[int, int]]:
    """First and last cell of each line; lines of nothing but clocking zeros are left out."""
    reading = finding.reading
    if reading is None:
        return []
    count = len(reading.cells.bits)
    width = reading.bits_per_character or 5
    a_line = style.CELLS_A_LINE // width * width
    offset = reading.characters[0].first % width if reading.characters else 0
    starts = range(offset - width if offset else 0, count, a_line)
    lines = [(max(start, 0), min(start + a_line, count)) for start in starts]
    if not reading.characters:
        return lines
    low = min(one.first for one in reading.characters)
    high = max(one.first + one.count for one in reading.characters)
    zeros = bytes([int(reading.inverted)])
    return [
        (first, last)
        for first, last in lines
        if (last > low and first < high) or reading.cells.bits[first:last].strip(zeros)
    ]


def cells_of(finding: Finding) -> int:
    """How many there are."""
    return len(finding.reading.cells.bits) if finding.reading is not None else 0


def height_of(finding: Finding) -> float:
    """Of one line."""
    characters = CHARACTERS_HEIGHT if finding.texts else 0
    return _signal_height(finding) + BITS_HEIGHT + characters + GAP


def _signal_height(finding: Finding) -> float:
    if finding.raw.samples is not None:
        return TIMES_HEIGHT + SIGNAL_HEIGHT
    return TIMES_HEIGHT + STEPS_HEIGHT if finding.raw.intervals is not None else 0


def draw(picture: Picture, y: float, finding: Finding, first: int, last: int) -> None:
    """Draw the cells first to last - 1 below y."""
    assert finding.reading is not None
    view = _View(picture, finding, finding.reading, y, first, last)
    height = _signal_height(finding)
    doubts = _doubts(view)
    if height:
        _shade(view, doubts, y + TIMES_HEIGHT, height - TIMES_HEIGHT + BITS_HEIGHT)
        _bounds(view, y + TIMES_HEIGHT, height - TIMES_HEIGHT)
        _times(view)
        if finding.raw.samples is not None:
            _samples(view, y + TIMES_HEIGHT)
        else:
            _steps(view, y + TIMES_HEIGHT)
        _masks(view, y + TIMES_HEIGHT, height - TIMES_HEIGHT)
    _bits(view, doubts, y + height)
    if finding.texts:
        _characters(view, y + height + BITS_HEIGHT)


def _hidden_stretches(view: _View, hidden: bool) -> Iterator[tuple[int, int]]:
    """First and last cell of each stretch of the line that is masked, or is not."""
    cell = view.first
    while cell < view.last:
        begin = cell
        while cell < view.last and view.finding.hidden[cell] == view.finding.hidden[begin]:
            cell += 1
        if bool(view.finding.hidden[begin]) == hidden:
            yield begin, cell


def _masks(view: _View, y: float, height: float) -> None:
    for first, last in _hidden_stretches(view, True):
        style.hatch(view.picture, view.x(first), y, (last - first) * CELL, height)
        if (last - first) * CELL > 60:
            middle = (view.x(first) + view.x(last)) / 2
            view.picture.add(Label(middle, y + height / 2 + 4, "masked", 11, style.GREY, "middle"))


def _bounds(view: _View, y: float, height: float) -> None:
    for cell in range(view.first, view.last + 1):
        view.picture.add(Line(((view.x(cell), y), (view.x(cell), y + height)), style.PALE, 0.6, "bound"))


def _doubts(view: _View) -> bytes:
    """How doubtful each cell is; of a masked character the worst, for all its bits."""
    doubts = bytearray(view.reading.cells.doubts or bytes(len(view.reading.cells.bits)))
    for one in view.reading.characters:
        cells = slice(one.first, one.first + one.count)
        if any(view.finding.hidden[cells]):
            doubts[cells] = bytes([max(doubts[cells], default=0)]) * one.count
    return bytes(doubts)


def _shade(view: _View, doubts: bytes, y: float, height: float) -> None:
    for cell in range(view.first, view.last):
        if doubts[cell]:
            colour = style.doubt_colour(doubts[cell])
            view.picture.add(Box(view.x(cell), y, CELL, height, colour, kind="doubt"))


def _times(view: _View) -> None:
    times = view.reading.cells.times
    if times is None:
        return
    width = view.reading.bits_per_character or 5
    for cell in range(view.first, view.last + 1, width):
        view.picture.add(
            Label(view.x(cell), view.y + 10, f"{times[cell] * 1e3:.2f}", 9, style.GREY, "middle", "time")
        )
    view.picture.add(Label(LEFT - 36, view.y + 10, "ms", 9, style.GREY, "end"))


def _place(view: _View, time: float) -> float:
    """The cell at a time, with its share."""
    times = view.reading.cells.times
    assert times is not None
    cell = min(max(bisect_right(times, time) - 1, 0), len(times) - 2)
    length = times[cell + 1] - times[cell]
    return cell + (min(max((time - times[cell]) / length, 0.0), 1.0) if length > 0 else 0.0)


def _transitions(view: _View) -> list[tuple[float, float, int]]:
    """Cell, seconds and sign of the line's transitions that may be seen."""
    times = view.reading.cells.times
    assert times is not None
    end = times[view.last] if view.last < len(times) - 1 else math.inf
    found = []
    for time, sign in view.finding.transitions:
        if times[view.first] <= time < end and time <= times[-1]:
            place = _place(view, time)
            if not view.finding.hidden[min(int(place), view.last - 1)]:
                found.append((place, time, sign))
    return found


def _samples(view: _View, y: float) -> None:
    """The signal, scaled to the line's own greatest swing."""
    samples, rate, times = view.finding.raw.samples, view.finding.raw.sample_rate, view.reading.cells.times
    assert samples is not None
    assert times is not None
    begin, end = (
        min(max(round(times[cell] * rate), 0), len(samples) - 1) for cell in (view.first, view.last)
    )
    part = samples[begin : end + 1]
    low, high = min(part), max(part)
    room = style.MARK * 1.4 + 5
    scale = (SIGNAL_HEIGHT - 2 * room) / ((high - low) or 1.0)

    def down(value: float) -> float:
        return y + room + (high - value) * scale

    for first, last in _hidden_stretches(view, False):
        points = _curve(view, samples, first, last)
        view.picture.add(
            Line(tuple((view.x(place), down(value)) for place, value in points), style.WAVE, 1.3, "signal")
        )
    for place, time, sign in _transitions(view):
        value = samples[min(max(round(time * rate), 0), len(samples) - 1)]
        view.picture.add(style.triangle(view.x(place), down(value), sign))
    top = max(abs(value) for value in (min(samples), max(samples))) or 1.0
    share = max(abs(low), abs(high)) / top
    view.picture.add(
        Label(LEFT - 8, y + 16, "signal", 10, style.GREY, "end"),
        Label(LEFT - 8, y + 29, f"{share:.0%} of peak", 9, style.GREY, "end"),
    )


def _curve(view: _View, samples: Sequence[float], first: int, last: int) -> list[tuple[float, float]]:
    """Cells and values of the samples between two cells, of many in one place the least and the greatest."""
    rate, times = view.finding.raw.sample_rate, view.reading.cells.times
    assert times is not None
    begin = max(math.ceil(times[first] * rate), 0)
    end = min(math.floor(times[last] * rate), len(samples) - 1)
    points: list[tuple[float, float]] = []
    slot, low, high = -1, 0.0, 0.0
    for index in range(begin, end + 1):
        place, value = _place(view, index / rate), samples[index]
        if int(place * POINTS_A_CELL) != slot:
            slot, low, high = int(place * POINTS_A_CELL), value, value
            points.append((place, value))
        elif not low <= value <= high:
            low, high = min(low, value), max(high, value)
            points.append((place, value))
    return points


def _steps(view: _View, y: float) -> None:
    """Flux times as the magnetisation that they turn over."""
    level = {1: y + 9.0, -1: y + STEPS_HEIGHT - 9.0}
    marks = _transitions(view)
    for first, last in _hidden_stretches(view, False):
        inside = [(place, sign) for place, _, sign in marks if first <= place < last]
        if not inside:
            continue
        points = [(view.x(first), level[-inside[0][1]])]
        for place, sign in inside:
            points += [(view.x(place), points[-1][1]), (view.x(place), level[sign])]
        points.append((view.x(last), points[-1][1]))
        view.picture.add(Line(tuple(points), style.WAVE, 1.3, "signal"))
    for place, _, sign in marks:
        view.picture.add(style.triangle(view.x(place), level[sign], sign))
    view.picture.add(Label(LEFT - 8, y + 22, "flux", 10, style.GREY, "end"))


# bits and characters


def _bits(view: _View, doubts: bytes, y: float) -> None:
    parity = _parity_cells(view.reading)
    flipped = _flipped(view.finding)
    for cell in range(view.first, view.last):
        x = view.x(cell)
        if view.finding.hidden[cell]:
            fill = style.doubt_colour(doubts[cell]) if doubts[cell] > style.NOTABLE_DOUBT else style.HIDDEN
            view.picture.add(Box(x, y + 1, CELL, BITS_HEIGHT - 2, fill, kind="masked"))
            continue
        if cell in flipped:
            view.picture.add(
                Box(
                    x + 2,
                    y + 1,
                    CELL - 4,
                    BITS_HEIGHT - 2,
                    style.REPAIRED_GROUND,
                    style.REPAIRED,
                    1.5,
                    "flipped",
                )
            )
        colour = style.PARITY if cell in parity else style.INK
        bit = str(view.reading.cells.bits[cell])
        view.picture.add(Label(x + CELL / 2, y + 13, bit, 11, colour, "middle", "bit"))
        if cell in parity:
            view.picture.add(Line(((x + 6, y + 15.5), (x + CELL - 6, y + 15.5)), style.PARITY, 1))
    view.picture.add(Label(LEFT - 8, y + 13, "bits", 10, style.GREY, "end"))


def _parity_cells(reading: Reading) -> set[int]:
    if reading.coding is None or reading.coding.parity is None:
        return set()
    reverse = reading.direction == pb.SWIPE_DIRECTION_REVERSE
    return {one.first if reverse else one.first + one.count - 1 for one in reading.characters if one.text}


def _flipped(finding: Finding) -> set[int]:
    """Cells whose bit a repair turned round, as far as that may be seen."""
    reading = finding.reading
    cells: set[int] = set()
    if reading is None or reading.coding is None:
        return cells
    width = reading.coding.bits
    for place in finding.repairs:
        one, text = reading.characters[place], finding.texts[place]
        if text == MASK or one.count != width:
            continue
        code = [reading.coding.code(text) >> bit & 1 for bit in range(width)]
        if reading.direction == pb.SWIPE_DIRECTION_REVERSE:
            code.reverse()
        bits = reading.cells.bits[one.first : one.first + width]
        cells |= {one.first + k for k in range(width) if bits[k] ^ reading.inverted != code[k]}
    return cells


def _characters(view: _View, y: float) -> None:
    for place, one in enumerate(view.reading.characters):
        first, last = max(one.first, view.first), min(one.first + one.count, view.last)
        if first >= last:
            continue
        fill, line = style.colours(view.finding, place)
        x, width = view.x(first), (last - first) * CELL
        view.picture.add(Box(x + 1, y, width - 2, CHARACTERS_HEIGHT, fill, line, 1, "character"))
        if line == style.WRONG:
            view.picture.add(Box(x + 4, y + 3, width - 8, CHARACTERS_HEIGHT - 6, "none", line, 1))
        if 2 * (last - first) <= one.count:
            continue  # the greater part is on another line
        text = view.finding.texts[place]
        middle = x + width / 2
        view.picture.add(Label(middle, y + 20, style.visible(text), 17, style.INK, "middle", f"text {place}"))
        for row, words in enumerate(_notes(view.finding, place)):
            view.picture.add(Label(middle, y + 32 + 10 * row, words, 9, style.INK, "middle", "note"))
    view.picture.add(Label(LEFT - 8, y + 20, "characters", 10, style.GREY, "end"))


def _notes(finding: Finding, place: int) -> tuple[str, ...]:
    """What stands below a character: its place and part, and what is wrong with it or was."""
    reading = finding.reading
    assert reading is not None
    one = reading.characters[place]
    count = len(reading.characters)
    part = str(place)
    if place == 0:
        part = "0: start"
    elif reading.ended and place >= count - 2:
        part = f"{place}: {'LRC' if place == count - 1 else 'end'}"
    elif finding.texts[place] == " " and one.text:
        part = f"{place}: blank"
    method = finding.repairs.get(place)
    if method is not None:
        return part, f"repaired: {method}"
    slip = one.count - reading.bits_per_character
    if not one.text:
        return part, f"{abs(slip)} bit{'' if abs(slip) == 1 else 's'} too {'few' if slip < 0 else 'many'}"
    if not one.parity_ok:
        return part, "wrong parity"
    if reading.ended and place == count - 1:
        if finding.repairs:
            return part, "agrees after repair"
        return part, {True: "agrees", False: "disagrees", None: "not checked"}[reading.lrc_ok]
    return (part,)
