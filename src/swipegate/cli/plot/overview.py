"""The whole swipe at a glance: its signal and its cell times over time."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from swipegate.cli.findings import Finding
from swipegate.cli.plot import style
from swipegate.cli.plot.picture import Area, Box, Label, Line, Picture
from swipegate.core.passages import Cells

WAVE_HEIGHT = 84
CELL_TIME_HEIGHT = 110
COARSE = 12
"""Cells of a masked stretch that are drawn as one: their peaks say nothing of a bit."""
SMOOTH = 9
"""Cells on either side of which a masked cell is given the middle time."""
TICKS = 12
"""Ticks of an axis at the most."""


def draw(picture: Picture, y: float, finding: Finding) -> float:
    """Draw both panels below y; returns their height, 0 where there is neither signal nor time."""
    span = _span(finding)
    if span is None:
        return 0
    height = 0.0
    if finding.raw.samples is not None:
        _signal(picture, y, finding, span)
        height += WAVE_HEIGHT + 22
    if finding.reading is not None and finding.reading.cells.times is not None:
        _cell_times(picture, y + height, finding, span)
        height += CELL_TIME_HEIGHT + 22
    _time_axis(picture, y, height - 22, span)
    return height + 18


def _span(finding: Finding) -> tuple[float, float] | None:
    """Seconds that the panels show."""
    raw, cells = finding.raw, finding.reading.cells if finding.reading else None
    if cells is not None and cells.times is not None:
        margin = 0.02 * (cells.times[-1] - cells.times[0])
        first, last = cells.times[0] - margin, cells.times[-1] + margin
    elif raw.samples is not None:
        first, last = 0.0, len(raw.samples) / raw.sample_rate
    else:
        return None
    return (first, last) if last > first else None


def _time_axis(picture: Picture, y: float, height: float, span: tuple[float, float]) -> None:
    first, last = span
    step = _round_step((last - first) / TICKS)
    place = math.ceil(first / step) * step
    while place <= last:
        x = style.LEFT + (place - first) / (last - first) * style.INNER
        picture.add(
            Line(((x, y + height), (x, y + height + 4)), style.GREY),
            Label(x, y + height + 15, f"{place * 1e3:.6g}", 10, style.GREY, "middle"),
        )
        place += step
    picture.add(Label(style.LEFT - 8, y + height + 15, "time, ms", 10, style.GREY, "end"))


def _round_step(least: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)


# the signal


def _signal(picture: Picture, y: float, finding: Finding, span: tuple[float, float]) -> None:
    picture.add(Box(style.LEFT, y, style.INNER, WAVE_HEIGHT, style.GROUND))
    _strips(picture, y, finding, span)
    columns = _columns(finding, span)
    low, high = min(low for low, _ in columns), max(high for _, high in columns)
    scale = (WAVE_HEIGHT - 14) / ((high - low) or 1.0)
    upper = [(style.LEFT + x, y + 3 + (high - top) * scale) for x, (_, top) in enumerate(columns)]
    lower = [(style.LEFT + x, y + 4 + (high - bottom) * scale) for x, (bottom, _) in enumerate(columns)]
    picture.add(Area((*upper, *reversed(lower)), style.WAVE, "envelope"))
    picture.add(
        Label(style.LEFT - 8, y + 12, "signal", 10, style.GREY, "end"),
        Label(style.LEFT - 8, y + 24, "(envelope)", 9, style.GREY, "end"),
    )


def _columns(finding: Finding, span: tuple[float, float]) -> list[tuple[float, float]]:
    """Least and greatest sample of each pixel; of a whole stretch of cells where they are masked."""
    samples, rate = finding.raw.samples, finding.raw.sample_rate
    assert samples is not None
    step = (span[1] - span[0]) / style.INNER
    stretches: dict[int, tuple[float, float]] = {}
    columns = []
    for column in range(style.INNER):
        time = span[0] + column * step
        stretch = _stretch(finding, time, span)
        if stretch is None:
            columns.append(_extremes(samples, time * rate, (time + step) * rate))
            continue
        place, first, last = stretch
        if place not in stretches:
            stretches[place] = _extremes(samples, first * rate, last * rate)
        columns.append(stretches[place])
    return columns


def _stretch(finding: Finding, time: float, span: tuple[float, float]) -> tuple[int, float, float] | None:
    """The masked stretch at a time, with its bounds in seconds."""
    if finding.reading is None or finding.reading.cells.times is None:
        if finding.reveal:
            return None
        length = (span[1] - span[0]) / 60
        place = int((time - span[0]) / length)
        return place, span[0] + place * length, span[0] + (place + 1) * length
    times = finding.reading.cells.times
    cell = bisect_right(times, time) - 1
    if not (0 <= cell < len(finding.hidden) and finding.hidden[cell]):
        return None
    place = cell // COARSE
    return place, times[place * COARSE], times[min((place + 1) * COARSE, len(times) - 1)]


def _extremes(samples: Sequence[float], first: float, last: float) -> tuple[float, float]:
    low = min(max(int(first), 0), len(samples) - 1)
    part = samples[low : max(low + 1, int(last) + 1)]
    return min(part), max(part)


def _strips(picture: Picture, y: float, finding: Finding, span: tuple[float, float]) -> None:
    """Behind and below the signal, what each character is."""
    reading = finding.reading
    if reading is None or reading.cells.times is None:
        return
    times, scale = reading.cells.times, style.INNER / (span[1] - span[0])
    for place, one in enumerate(reading.characters):
        fill, line = style.colours(finding, place)
        x = style.LEFT + (times[one.first] - span[0]) * scale
        width = (times[one.first + one.count] - times[one.first]) * scale
        if (fill, line) != style.PLAIN:
            picture.add(Box(x, y, width, WAVE_HEIGHT, fill))
        picture.add(Box(x, y + WAVE_HEIGHT - 6, width, 6, fill, line, 0.7))


# cell times


def _cell_times(picture: Picture, y: float, finding: Finding, span: tuple[float, float]) -> None:
    assert finding.reading is not None
    cells = finding.reading.cells
    assert cells.times is not None
    lengths = [max(after - before, 1e-9) * 1e3 for before, after in pairwise(cells.times)]
    smooth = [median(lengths[max(0, k - SMOOTH) : k + SMOOTH + 1]) for k in range(len(lengths))]
    shown = [smooth[k] if finding.hidden[k] else lengths[k] for k in range(len(lengths))]
    low, high = math.log(min(shown) / 1.15), math.log(max(shown) * 1.15)
    across = style.INNER / (span[1] - span[0])

    def point(cell: int, length: float) -> tuple[float, float]:
        middle = (_time(cells, cell) + _time(cells, cell + 1)) / 2
        down = CELL_TIME_HEIGHT * (high - math.log(length)) / (high - low)
        return style.LEFT + (middle - span[0]) * across, y + down

    picture.add(Box(style.LEFT, y, style.INNER, CELL_TIME_HEIGHT, style.GROUND))
    _length_axis(picture, y, math.exp(low), math.exp(high))
    picture.add(Line(tuple(point(k, smooth[k]) for k in range(len(smooth))), style.GREY, 1.2, "speed"))
    colour_of: dict[int, str] = {}
    for place, one in enumerate(finding.reading.characters):
        _, colour = style.colours(finding, place)
        if colour in (style.WRONG, style.REPAIRED):
            colour_of |= dict.fromkeys(range(one.first, one.first + one.count), colour)
    for k, length in enumerate(lengths):
        if finding.hidden[k]:
            continue
        x, down = point(k, length)
        size = 2.6 if k in colour_of else 1.8
        fill = colour_of.get(k, style.RISING)
        picture.add(Box(x - size, down - size, 2 * size, 2 * size, fill, kind="cell-time"))


def _time(cells: Cells, place: int) -> float:
    assert cells.times is not None
    return cells.times[place]


def _length_axis(picture: Picture, y: float, low: float, high: float) -> None:
    """Milliseconds a cell, on a logarithmic scale."""
    for power in range(-4, 5):
        for factor in (1.0, 1.5, 2.0, 3.0, 5.0, 7.0):
            length = factor * 10.0**power
            if not low <= length <= high or (high / low > 12 and factor in (1.5, 3.0, 7.0)):
                continue
            down = y + CELL_TIME_HEIGHT * math.log(high / length) / math.log(high / low)
            picture.add(
                Line(((style.LEFT, down), (style.LEFT + style.INNER, down)), style.PALE, 0.7),
                Label(style.LEFT - 8, down + 3.5, f"{length:g}", 10, style.GREY, "end"),
            )
    picture.add(Label(style.LEFT, y - 5, "cell time, ms (logarithmic)", 10, style.GREY))
