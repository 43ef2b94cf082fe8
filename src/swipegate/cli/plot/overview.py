"""The whole swipe at a glance: its signal and its cell times over time."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from statistics import median

from swipegate.cli.findings import Finding
from swipegate.cli.plot import style
from swipegate.cli.plot.picture import Area, Box, Label, Line, Picture

WAVE_HEIGHT = 84
CELL_TIME_HEIGHT = 110
COARSE = 12
"""Cells of a masked stretch that are drawn as one: their peaks say nothing of a bit."""
SMOOTH = 9
"""Cells on either side of which a masked cell is given the middle time."""
MAX_DOTS = 5_000
"""Of times that make no cells: noise has any number of them."""
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
    elif len(finding.transitions) > 1:
        _intervals(picture, y + height, finding, span)
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
    elif finding.transitions:
        first, last = finding.transitions[0][0], finding.transitions[-1][0]
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


@dataclass(frozen=True, slots=True)
class _Lengths:
    """A panel of times, in ms on a logarithmic scale, over the time at which they were met."""

    picture: Picture
    y: float
    span: tuple[float, float]
    low: float
    high: float

    @classmethod
    def drawn(
        cls, picture: Picture, y: float, span: tuple[float, float], shown: Sequence[float], words: str
    ) -> "_Lengths":
        """The ground and axis with room for all of these."""
        panel = cls(picture, y, span, min(shown) / 1.15, max(shown) * 1.15)
        picture.add(Box(style.LEFT, y, style.INNER, CELL_TIME_HEIGHT, style.GROUND))
        _length_axis(picture, y, panel.low, panel.high)
        picture.add(Label(style.LEFT, y - 5, f"{words}, ms (logarithmic)", 10, style.GREY))
        return panel

    def point(self, seconds: float, length: float) -> tuple[float, float]:
        """Where a length stands."""
        across = (seconds - self.span[0]) / (self.span[1] - self.span[0])
        down = math.log(self.high / length) / math.log(self.high / self.low)
        return style.LEFT + across * style.INNER, self.y + down * CELL_TIME_HEIGHT

    def line(self, seconds: Sequence[float], lengths: Sequence[float]) -> None:
        """Through all of them."""
        points = tuple(map(self.point, seconds, lengths))
        self.picture.add(Line(points, style.GREY, 1.2, "speed"))

    def dot(self, seconds: float, length: float, size: float, fill: str, kind: str) -> None:
        """One of them."""
        x, y = self.point(seconds, length)
        self.picture.add(Box(x - size, y - size, 2 * size, 2 * size, fill, kind=kind))


def _cell_times(picture: Picture, y: float, finding: Finding, span: tuple[float, float]) -> None:
    assert finding.reading is not None
    times = finding.reading.cells.times
    assert times is not None
    lengths = [max(after - before, 1e-9) * 1e3 for before, after in pairwise(times)]
    middles = [(before + after) / 2 for before, after in pairwise(times)]
    smooth = [median(lengths[max(0, k - SMOOTH) : k + SMOOTH + 1]) for k in range(len(lengths))]
    shown = [smooth[k] if finding.hidden[k] else lengths[k] for k in range(len(lengths))]
    panel = _Lengths.drawn(picture, y, span, shown, "cell time")
    panel.line(middles, smooth)
    colour_of: dict[int, str] = {}
    for place, one in enumerate(finding.reading.characters):
        _, colour = style.colours(finding, place)
        if colour in (style.WRONG, style.REPAIRED):
            colour_of |= dict.fromkeys(range(one.first, one.first + one.count), colour)
    for k, length in enumerate(lengths):
        if not finding.hidden[k]:
            size = 2.6 if k in colour_of else 1.8
            panel.dot(middles[k], length, size, colour_of.get(k, style.RISING), "cell-time")


def _intervals(picture: Picture, y: float, finding: Finding, span: tuple[float, float]) -> None:
    """The times between transitions that make no cells; masked, the longest around each, which say nothing of a bit."""
    times = [time for time, _ in finding.transitions]
    lengths = [max(after - before, 1e-9) * 1e3 for before, after in pairwise(times)]
    longest = [max(lengths[max(0, k - SMOOTH) : k + SMOOTH + 1]) for k in range(len(lengths))]
    panel = _Lengths.drawn(
        picture, y, span, lengths if finding.reveal else longest, "time between transitions"
    )
    step = max(len(longest) // style.INNER, 1)
    panel.line(times[::step], [max(longest[k : k + step]) for k in range(0, len(longest), step)])
    if finding.reveal:
        for time, length in islice(zip(times, lengths, strict=False), MAX_DOTS):
            panel.dot(time, length, 1.8, style.RISING, "interval")


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
