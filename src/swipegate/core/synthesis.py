"""Made-up swipes for simulators, tests and benchmarks: bits -> intervals -> samples.

Nothing here is random but by its seed: the same arguments give the same swipe.
"""

import math
import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

SHORTEST_CELL = 1e-6
"""Seconds; a jittered cell is cut off here, far below any card (ISO/IEC 7811-2 at 2 m/s: 60 us)."""

MAX_SAMPLES = 64_000_000
"""Samples of one synthesised signal."""

PULSE_REACH = 0.5
"""Cells on either side of a transition that a pulse covers."""


def _lorentz(points: int, width: float) -> tuple[float, ...]:
    half = points // 2
    return tuple(
        1.0 / (1.0 + (2.0 * PULSE_REACH * (k - half) / half / width) ** 2) ** 2 for k in range(points)
    )


DEFAULT_PULSE = _lorentz(41, 0.22)
"""A head's answer to one flux reversal, over +-PULSE_REACH cells; the peak is in the middle."""


@dataclass(frozen=True, slots=True)
class Speed:
    """How the cell time runs along a swipe."""

    cell_seconds: Sequence[float]
    """Cell times along the swipe, stretched over its cells; at least one."""
    scale: float = 1.0
    """Factor on every cell time."""

    def at(self, share: float) -> float:
        """Return the cell time in seconds at a share 0..1 of the swipe."""
        last = len(self.cell_seconds) - 1
        place = min(max(share, 0.0), 1.0) * last
        low = min(int(place), max(last - 1, 0))
        high = min(low + 1, last)
        weight = place - low
        return self.scale * (self.cell_seconds[low] * (1.0 - weight) + self.cell_seconds[high] * weight)


@dataclass(frozen=True, slots=True)
class Signal:
    """Shape of the head's voltage."""

    pulse: Sequence[float] = DEFAULT_PULSE
    """Samples of one pulse over +-PULSE_REACH cells."""
    amplitude: float = 0.5
    """Peak at the median cell time; full scale is 1."""
    speed_exponent: float = 0.5
    """Peaks go with speed to this power (an inductive head: up to 1)."""
    noise: float = 0.0
    """Standard deviation of the additive noise as a share of `amplitude`."""
    lead_seconds: float = 0.02
    """Silence before the first transition and after the last."""
    thump: float = 0.0
    """Height of a slow bump of the baseline where the card enters."""
    thump_seconds: float = 0.05
    """How long the bump lasts."""
    inverted: bool = False
    """Turn the wave upside down."""


def intervals_from_bits(
    bits: Sequence[int],
    speed: Speed | float,
    *,
    cell_jitter: float = 0.0,
    mid_jitter: float = 0.0,
    seed: int = 0,
) -> list[float]:
    """Return the seconds between flux transitions of F2F-coded bits (ISO/IEC 7811-2).

    A 0 is one interval, a 1 two halves. cell_jitter is the standard deviation of a cell's time, mid_jitter
    that of the place of a 1's middle transition, both as shares of the cell.
    """
    chance = random.Random(seed)  # noqa: S311 - the same seed must give the same swipe
    profile = Speed((speed,)) if isinstance(speed, int | float) else speed
    intervals: list[float] = []
    for index, bit in enumerate(bits):
        cell = profile.at(index / max(len(bits) - 1, 1)) * (1.0 + chance.gauss(0.0, cell_jitter))
        cell = max(cell, SHORTEST_CELL)
        if bit:
            first = cell * min(max(0.5 + chance.gauss(0.0, mid_jitter), 0.05), 0.95)
            intervals += (first, cell - first)
        else:
            intervals.append(cell)
    return intervals


def cells_of_bits(bits: Sequence[int], speed: Speed) -> list[float]:
    """Return the smooth cell time at each transition of intervals_from_bits(bits, speed)."""
    cells = [speed.at(0.0)]
    for index, bit in enumerate(bits):
        cells += [speed.at(index / max(len(bits) - 1, 1))] * (1 + bit)
    return cells


def local_cells(intervals: Sequence[float], reach: int = 6) -> list[float]:
    """Return the rough cell time at each transition: the longest interval within reach on either side."""
    last = len(intervals)
    return [max(intervals[max(0, k - reach) : min(last, k + reach)]) for k in range(last + 1)]


def samples_from_intervals(
    intervals: Sequence[float],
    sample_rate: float,
    signal: Signal | None = None,
    *,
    seed: int = 0,
    cells: Sequence[float] | None = None,
    damped: dict[int, float] | None = None,
    spikes: Sequence[tuple[float, float, int]] = (),
) -> "array[float]":
    """Return float32 samples of a head that meets these transitions, pulses of alternating sign.

    cells are the cell times at the transitions, local_cells unless given. damped gives transitions (by index)
    a factor on their height; a spike is (seconds after the first transition, share of the amplitude, width in
    samples). Raises ValueError when the signal would exceed MAX_SAMPLES.
    """
    shape = signal or Signal()
    length = int((sum(intervals) + 2.0 * shape.lead_seconds) * sample_rate) + 1
    if length > MAX_SAMPLES:
        raise ValueError(f"intervals: {length} samples exceed {MAX_SAMPLES}")
    chance = random.Random(seed)  # noqa: S311 - the same seed must give the same swipe
    out = (
        [chance.gauss(0.0, shape.noise * shape.amplitude) for _ in range(length)]
        if shape.noise
        else [0.0] * length
    )
    _add_thump(out, shape, sample_rate)
    if cells is None:
        cells = local_cells(intervals) if intervals else []
    usual = sorted(cells)[len(cells) // 2] if cells else 1.0
    time, sign = shape.lead_seconds, -1.0 if shape.inverted else 1.0
    for index, cell in enumerate(cells):
        height = sign * shape.amplitude * (usual / cell) ** shape.speed_exponent
        _add_pulse(
            out, shape.pulse, time * sample_rate, cell * sample_rate, height * (damped or {}).get(index, 1.0)
        )
        sign = -sign
        if index < len(intervals):
            time += intervals[index]
    for when, share, width in spikes:
        _add_spike(out, (shape.lead_seconds + when) * sample_rate, share * shape.amplitude, width)
    return array("f", out)


def _add_pulse(out: list[float], pulse: Sequence[float], centre: float, cell: float, height: float) -> None:
    reach = PULSE_REACH * cell
    step = (len(pulse) - 1) / (2.0 * reach)
    first, last = max(0, math.ceil(centre - reach)), min(len(out) - 1, math.floor(centre + reach))
    for k in range(first, last + 1):
        place = (k - centre + reach) * step
        low = min(int(place), len(pulse) - 2)
        weight = place - low
        out[k] += height * (pulse[low] * (1.0 - weight) + pulse[low + 1] * weight)


def _add_spike(out: list[float], centre: float, height: float, width: int) -> None:
    first = int(centre) - width // 2
    for k in range(max(0, first), min(len(out), first + width)):
        out[k] += height * math.sin(math.pi * (k - first + 0.5) / width)


def _add_thump(out: list[float], shape: Signal, sample_rate: float) -> None:
    if not shape.thump:
        return
    length = max(1, int(shape.thump_seconds * sample_rate))
    first = int(shape.lead_seconds * sample_rate * 0.5)
    for k in range(first, min(len(out), first + length)):
        out[k] += shape.thump * math.sin(math.pi * (k - first) / length)
