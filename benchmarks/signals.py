"""Made-up swipes by seed, from the kinematics of real ones, and the damage that is done to them.

The times between transitions are the generator's (swipegate.core.synthesis); the samples are computed here by numpy,
some twenty times as fast, and `check` holds them to the generator's.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swipegate.core import symbols, synthesis

PROFILES = json.loads(
    (Path(__file__).parent.parent / "tests" / "recordings" / "real_swipe_profiles.json").read_text()
)["profiles"]
SAMPLE_RATE = 44_100
AMPLITUDE = 0.5
DENSITY = {1: 210, 2: 75, 3: 210}
"""Bits an inch of a track (ISO/IEC 7811-2); the kinematics are those of track 2."""
WIDTH = {1: 7, 2: 5, 3: 5}
"""Bits a character."""
SCALE = (0.7, 1.5)
"""The speed of the swipe over that of the real one."""
DAMPED_TO = 0.12
SPIKE_SHARE, SPIKE_SAMPLES = 0.6, 8
DAMAGE_FROM, DAMAGE_TO = 0.25, 0.70
MID_JITTER = ((0.0, 0.02, 0.05, 0.08, 0.12, 0.16), (0.0, 0.007, 0.015, 0.03, 0.05, 0.07))
"""Cell jitter of C0 to C3 and the mid-cell jitter that goes with it, continued to 16 %."""
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

Samples = NDArray[np.float64]


@dataclass(frozen=True)
class Condition:
    """What is done to a clean swipe. Jitter is over the smooth cell time, noise and hum over the pulse."""

    label: str = ""
    cell_jitter: float = 0.02
    mid_jitter: float = 0.007
    noise: float = 0.01
    lost: int = 0
    """Transitions damped to DAMPED_TO."""
    spikes: int = 0
    reverse: bool = False
    inverted: bool = False
    cells_ms: tuple[float, ...] = ()
    """Cell times along the swipe; empty for those of a real swipe."""
    scale: tuple[float, float] = SCALE
    thump: float = 0.0
    """Height of the bump of the baseline at the start, over the pulse."""
    hum: float = 0.0
    """Mains hum at 50 Hz."""
    clip: float = 1.0
    """The share of the peak at which the wave is cut off."""
    levels: int = 32767
    """Greatest sample."""
    rate: int = SAMPLE_RATE
    lookalike: bool = False
    """Data full of bits that look like the start sentinel at another alignment."""
    tracks: tuple[int, ...] = (2,)
    passes: int = 1
    """How often the same card is swiped."""


def jittered(label: str, cell: float, **more: object) -> Condition:
    """A condition of one jitter with the mid-cell jitter and noise that C0 to C3 pair with it."""
    mid = float(np.interp(cell, *MID_JITTER))
    return Condition(label, cell, mid, 0.01 if cell <= 0.02 else 0.02, **more)  # type: ignore[arg-type]


@dataclass
class Recording:
    """One track of one pass."""

    track: int
    text: str
    pcm: bytes = field(repr=False)
    rate: int


def luhn_digit(digits: str) -> int:
    """The digit that makes a number pass the Luhn check (ISO/IEC 7812-1 annex B)."""
    doubled = [sum(divmod(int(d) * 2, 10)) if k % 2 == 0 else int(d) for k, d in enumerate(reversed(digits))]
    return -sum(doubled) % 10


def digits(chance: random.Random, count: int, lookalike: bool = False) -> str:
    """Random digits; of look-alikes each pair, 0110 1 0xxx, holds the start sentinel 11010 of track 2."""
    if lookalike:
        return "".join("6" + chance.choice("02468") for _ in range(count // 2 + 1))[:count]
    return "".join(chance.choice("0123456789") for _ in range(count))


def card(chance: random.Random, lookalike: bool = False) -> dict[int, str]:
    """Tracks 1 and 2 of one made-up card: 16 digits that pass the Luhn check, track 1 of 60 to 79 characters."""
    number = digits(chance, 15, lookalike)
    number += str(luhn_digit(number))
    expiry = f"{chance.randrange(26, 35)}{chance.randrange(1, 13):02}"
    free = digits(chance, 10, lookalike)
    name = "/".join("".join(chance.choices(LETTERS, k=chance.randint(3, 12))) for _ in range(2))
    track1 = f"%B{number}^{name}^{expiry}101{free}"
    track1 += digits(chance, max(0, chance.randint(60, 79) - 1 - len(track1)), lookalike)
    return {1: f"{track1}?", 2: f";{number}={expiry}101{free}?"}


def swipe(condition: Condition, seed: int) -> list[Recording]:
    """The recordings of a card: each track of `tracks`, `passes` times."""
    chance = random.Random(seed)
    texts = card(chance, condition.lookalike)
    return [
        Recording(track, texts[track], record(condition, texts[track], track, chance), condition.rate)
        for _ in range(condition.passes)
        for track in condition.tracks
    ]


def record(condition: Condition, text: str, track: int, chance: random.Random) -> bytes:
    """16-bit samples of one pass of one track."""
    profile = chance.choice(PROFILES)
    zeros = chance.randint(18, 30), chance.randint(18, 30)
    bits = list(symbols.encode(text, WIDTH[track], *zeros))
    if condition.reverse:
        bits.reverse()
    scale = chance.uniform(*condition.scale) * DENSITY[2] / DENSITY[track]
    cells_ms = condition.cells_ms or profile["cell_ms_smoothed"]
    if condition.cells_ms and chance.random() < 0.5:
        cells_ms = cells_ms[::-1]
    speed = synthesis.Speed([ms / 1000 for ms in cells_ms], scale)
    seed = chance.getrandbits(48)
    intervals = synthesis.intervals_from_bits(
        bits, speed, cell_jitter=condition.cell_jitter, mid_jitter=condition.mid_jitter, seed=seed
    )
    pulse = profile["isolated_pulse_template_half_cell_grid"]
    lost = damaged(chance, len(intervals), condition.lost)
    wave = head(intervals, synthesis.cells_of_bits(bits, speed), pulse, condition.rate, lost)
    noise = np.random.default_rng(seed)
    wave += noise.normal(0.0, condition.noise * AMPLITUDE, len(wave))
    for place in damaged(chance, len(intervals), condition.spikes):
        when = sum(intervals[:place]) + chance.random() * intervals[place]
        add_spike(wave, when, condition.rate, chance.choice((-1, 1)))
    return quantised(distorted(wave, condition, chance), condition)


def damaged(chance: random.Random, intervals: int, count: int) -> list[int]:
    """The transitions, in the middle of the swipe, that are damaged."""
    return [int(intervals * chance.uniform(DAMAGE_FROM, DAMAGE_TO)) for _ in range(count)]


def head(
    intervals: Sequence[float],
    cells: Sequence[float],
    pulse: Sequence[float],
    rate: int,
    lost: Sequence[int] = (),
) -> Samples:
    """What synthesis.samples_from_intervals gives without noise, by array operations."""
    shape = synthesis.Signal(pulse=pulse, amplitude=AMPLITUDE)
    length = int((sum(intervals) + 2 * shape.lead_seconds) * rate) + 1
    cell = np.asarray(cells)
    times = shape.lead_seconds + np.concatenate(([0.0], np.cumsum(intervals)))
    height = AMPLITUDE * (np.sort(cell)[len(cell) // 2] / cell) ** shape.speed_exponent
    height[1::2] *= -1
    for place in set(lost):
        height[place] *= DAMPED_TO
    centre, reach = times * rate, synthesis.PULSE_REACH * cell * rate
    first = np.maximum(0, np.ceil(centre - reach)).astype(int)
    last = np.minimum(length - 1, np.floor(centre + reach)).astype(int)
    counts = last - first + 1
    k = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts - first, counts)
    step = (len(pulse) - 1) / (2 * reach)
    at = (k - np.repeat(centre - reach, counts)) * np.repeat(step, counts)
    low = np.minimum(at.astype(int), len(pulse) - 2)
    weight = at - low
    form = np.asarray(pulse)
    values = np.repeat(height, counts) * (form[low] * (1 - weight) + form[low + 1] * weight)
    return np.bincount(k, weights=values, minlength=length)


def add_spike(wave: Samples, when: float, rate: int, sign: int) -> None:
    """A half sine of SPIKE_SAMPLES, `when` seconds after the first transition."""
    first = max(0, int((synthesis.Signal().lead_seconds + when) * rate) - SPIKE_SAMPLES // 2)
    form = np.sin(np.pi * (np.arange(SPIKE_SAMPLES) + 0.5) / SPIKE_SAMPLES)
    part = wave[first : first + SPIKE_SAMPLES]
    part += sign * SPIKE_SHARE * AMPLITUDE * form[: len(part)]


def distorted(wave: Samples, condition: Condition, chance: random.Random) -> Samples:
    """Baseline, hum, clipping and polarity."""
    if condition.thump:
        length = int(synthesis.Signal().thump_seconds * condition.rate)
        first = int(synthesis.Signal().lead_seconds * condition.rate * 0.5)
        wave[first : first + length] += (
            condition.thump * AMPLITUDE * np.sin(np.pi * np.arange(length) / length)
        )
    if condition.hum:
        turns = 50.0 * np.arange(len(wave)) / condition.rate + chance.random()
        wave += condition.hum * AMPLITUDE * np.sin(2 * np.pi * turns)
    if condition.clip < 1:
        bound = condition.clip * np.abs(wave).max()
        wave = np.clip(wave, -bound, bound)
    return -wave if condition.inverted else wave


def quantised(wave: Samples, condition: Condition) -> bytes:
    """16-bit samples whose greatest is full scale, of as many levels as the condition has."""
    scaled = np.rint(wave / (np.abs(wave).max() or 1.0) * condition.levels)
    return (scaled * (32767 // condition.levels)).astype("<i2").tobytes()


def check() -> None:
    """Hold `head` to the generator. Raises AssertionError."""
    profile = PROFILES[0]
    speed = synthesis.Speed([ms / 1000 for ms in profile["cell_ms_smoothed"]])
    bits = list(symbols.encode(";4111111111111111=2812101?", 5, 20, 20))
    intervals = synthesis.intervals_from_bits(bits, speed, cell_jitter=0.05, mid_jitter=0.02, seed=7)
    cells = synthesis.cells_of_bits(bits, speed)
    pulse = profile["isolated_pulse_template_half_cell_grid"]
    slow = synthesis.samples_from_intervals(
        intervals, SAMPLE_RATE, synthesis.Signal(pulse=pulse), cells=cells, damped={99: DAMPED_TO}
    )
    assert np.allclose(slow, head(intervals, cells, pulse, SAMPLE_RATE, [99]), atol=1e-6)


def pan(text: str) -> str:
    """The account number of a text of `card`."""
    return text.lstrip("%B;").partition("^")[0].partition("=")[0]
