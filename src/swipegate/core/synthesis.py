"""Made-up swipes for simulators, tests and benchmarks: texts -> bits -> intervals -> samples -> WAV.

Each step can be taken alone: tracks.encode_* makes a text of fields, stripe its bits, flux_times or
intervals_from_bits the times between transitions, samples_from_intervals a clean signal, disturbed a worse one,
recording all of it for several swipes and tracks, wav_file a file.

Nothing here is random but by its seed: the same arguments give the same swipe, to the byte on one machine (the C
library's sine may differ in its last bit on another).
"""

import math
import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from swipegate.core import symbols
from swipegate.core.recordings import wav

SHORTEST_CELL = 1e-6
"""Seconds; a jittered cell is cut off here, far below any card (ISO/IEC 7811-2 at 2 m/s: 60 us)."""

MAX_SAMPLES = 64_000_000
"""Samples of one synthesised signal."""

SPEED_STEPS = 64
"""Pieces in which a speed that changes is straight."""

PULSE_REACH = 0.5
"""Cells on either side of a transition that a pulse covers."""

BITS_AN_INCH = {1: 210, 2: 75, 3: 210}
"""Recording density of each track (ISO/IEC 7811-2 and -6)."""

LEADING_ZEROS = {1: 61, 2: 22, 3: 61}
"""Clocking zeros before the start sentinel, as MSR605 units come with (programmer's manual): 7.4 mm of each."""

STRIPE_INCHES = 3.37
"""Length of an ID-1 card (ISO/IEC 7810: 85.6 mm); zeros after the LRC fill it."""

INCH = 0.0254
"""Metres."""

DAMAGED_FROM, DAMAGED_TO = 0.25, 0.75
"""Share of the transitions of a swipe among which lost ones and spikes are."""

LOST_HEIGHT = 0.12
"""What is left of the pulse of a lost transition: the core takes it for none."""

SPIKE_HEIGHT, SPIKE_SECONDS = 0.6, 0.00018
"""A spike's share of the amplitude, and how long it lasts."""

SPIKE_SHARE = 0.06
"""Of an interval of flux times, between the two transitions that a spike puts into it."""


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

    @classmethod
    def accelerated(cls, cell_seconds: float, factor: float = 1.0) -> "Speed":
        """Return a swipe that ends `factor` times as fast as it began; cell_seconds is its cell half way."""
        return cls([cell_seconds * factor ** (0.5 - k / SPEED_STEPS) for k in range(SPEED_STEPS + 1)])

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


@dataclass(frozen=True, slots=True)
class Disturbances:
    """What a real swipe adds to a clean one; by default nothing. Heights are of full scale 1."""

    cell_jitter: float = 0.0
    """Standard deviation of a cell's time, share of the cell."""
    mid_jitter: float = 0.0
    """Standard deviation of the place of a 1's middle transition, share of the cell."""
    lost: int = 0
    """Transitions whose pulse is hardly there."""
    spikes: int = 0
    """Short pulses where no transition is."""
    noise: float = 0.0
    """Standard deviation of the additive noise, share of the signal's amplitude."""
    thump: float = 0.0
    """Height of a slow bump of the baseline where the card enters."""
    hum: float = 0.0
    """Height of the mains' hum."""
    hum_hertz: float = 50.0
    """Frequency of the hum."""
    offset: float = 0.0
    """Height of the baseline."""
    drift: float = 0.0
    """Rise of the baseline from the first sample to the last."""
    clip: float = 0.0
    """Level at which the wave is cut off; 0: not at all."""
    inverted: bool = False
    """Turn the wave upside down."""
    reverse: bool = False
    """Swipe the card the other way."""


@dataclass(frozen=True, slots=True)
class Stripe:
    """One track as it lies on a card. Its repr shows no bits."""

    number: int
    """1 to 3: its density goes by it."""
    bits: bytes = field(repr=False)
    """One byte a bit, clocking zeros included, in the order of a forward swipe."""

    def cell_seconds(self, metres_per_second: float) -> float:
        """Return the time of one bit."""
        return INCH / BITS_AN_INCH[self.number] / metres_per_second


def stripe(
    text: str,
    number: int = 0,
    *,
    bits_per_character: int = 0,
    msb_first: bool = False,
    leading_zeros: int | None = None,
    trailing_zeros: int | None = None,
) -> Stripe:
    """Return the track of a text with its sentinels, LRC and clocking zeros.

    By default a text of `%` is track 1, another track 2; `%` has 7 bits a character, another 5; the zeros are
    LEADING_ZEROS and as many as fill STRIPE_INCHES. Raises ValueError for no text, a track out of 1 to 3, and as
    symbols.encode.
    """
    if not text:
        raise ValueError("text must not be empty")
    number = number or (1 if text.startswith("%") else 2)
    if number not in BITS_AN_INCH:
        raise ValueError("number: 1, 2 and 3 are known")
    if leading_zeros is None:
        leading_zeros = LEADING_ZEROS[number]
    width = bits_per_character or (7 if text.startswith("%") else 5)
    bits = symbols.encode(text, width, leading_zeros, msb_first=msb_first)
    if trailing_zeros is None:
        trailing_zeros = max(LEADING_ZEROS[number], int(STRIPE_INCHES * BITS_AN_INCH[number]) - len(bits))
    return Stripe(number, bits + bytes(trailing_zeros))


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


def flux_times(
    bits: Sequence[int], speed: Speed | float, disturbances: Disturbances | None = None, *, seed: int = 0
) -> list[float]:
    """Return the seconds between the flux transitions that a reader counts while bits pass its head.

    Lost transitions join two intervals, spikes part one in three. Raises ValueError where the swipe is too short for
    that many.
    """
    harm = disturbances or Disturbances()
    intervals = _jittered(bits, speed, harm, seed)
    for place in sorted(_places(harm.spikes, len(intervals), f"spikes {seed}"), reverse=True):
        whole = intervals[place]
        gap = SPIKE_SHARE * whole
        intervals[place : place + 1] = [0.4 * whole, gap, 0.6 * whole - gap]
    for place in sorted(_places(harm.lost, len(intervals), f"lost {seed}"), reverse=True):
        intervals[place - 1 : place + 1] = [intervals[place - 1] + intervals[place]]
    return intervals


def _jittered(bits: Sequence[int], speed: Speed | float, harm: Disturbances, seed: int) -> list[float]:
    met = bits[::-1] if harm.reverse else bits
    return intervals_from_bits(
        met, speed, cell_jitter=harm.cell_jitter, mid_jitter=harm.mid_jitter, seed=seed
    )


def _places(count: int, among: int, seed: str) -> list[int]:
    """Return transitions to damage, never two side by side."""
    choice = range(max(1, int(DAMAGED_FROM * among)), int(DAMAGED_TO * among), 3)
    if count > len(choice):
        raise ValueError(f"lost or spikes: at most {len(choice)} have room in this swipe")
    return random.Random(seed).sample(choice, count)  # noqa: S311 - the same seed must give the same swipe


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
    top = len(pulse) - 2
    for k in range(first, last + 1):
        place = (k - centre + reach) * step
        low = int(place)
        if low > top:
            low = top
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


def swipe_samples(
    bits: Sequence[int],
    speed: Speed | float,
    sample_rate: float,
    disturbances: Disturbances | None = None,
    *,
    signal: Signal | None = None,
    seed: int = 0,
) -> "array[float]":
    """Return the signal of one track with what happens at the head: jitter, lost transitions, spikes, thump, direction.

    What happens behind it is for `disturbed`. Raises ValueError as flux_times and samples_from_intervals do.
    """
    harm, shape = disturbances or Disturbances(), signal or Signal()
    profile = Speed((speed,)) if isinstance(speed, int | float) else speed
    intervals = _jittered(bits, profile, harm, seed)
    chance = random.Random(f"height {seed}")  # noqa: S311 - the same seed must give the same swipe
    width = max(1, round(SPIKE_SECONDS * sample_rate))
    spikes = [
        (sum(intervals[:place]) + 0.5 * intervals[place], chance.choice((-SPIKE_HEIGHT, SPIKE_HEIGHT)), width)
        for place in _places(harm.spikes, len(intervals), f"spikes {seed}")
    ]
    return samples_from_intervals(
        intervals,
        sample_rate,
        replace(shape, thump=shape.thump + harm.thump),
        seed=seed,
        cells=cells_of_bits(bits[::-1] if harm.reverse else bits, profile),
        damped=dict.fromkeys(_places(harm.lost, len(intervals), f"lost {seed}"), LOST_HEIGHT),
        spikes=spikes,
    )


def disturbed(
    samples: Sequence[float],
    sample_rate: float,
    disturbances: Disturbances,
    *,
    amplitude: float = 0.5,
    seed: int = 0,
) -> "array[float]":
    """Return samples with what happens behind the head: noise, hum, offset, drift, polarity, clipping, in this order.

    amplitude is that of the signal, for the noise.
    """
    harm, out = disturbances, array("f", samples)
    if harm.noise:
        gauss = random.Random(f"noise {seed}").gauss  # noqa: S311 - the same seed must give the same swipe
        deviation = harm.noise * amplitude
        out = array("f", (value + gauss(0.0, deviation) for value in out))
    if harm.hum:
        turn = 2.0 * math.pi * harm.hum_hertz / sample_rate
        out = array("f", (value + harm.hum * math.sin(turn * k) for k, value in enumerate(out)))
    if harm.offset or harm.drift:
        slope = harm.drift / max(len(out) - 1, 1)
        out = array("f", (value + harm.offset + slope * k for k, value in enumerate(out)))
    if harm.inverted:
        out = array("f", (-value for value in out))
    if harm.clip:
        out = array("f", (min(max(value, -harm.clip), harm.clip) for value in out))
    return out


def recording(
    swipes: Sequence[Sequence[Stripe]],
    sample_rate: float,
    disturbances: Disturbances | None = None,
    *,
    metres_per_second: float = 0.3,
    acceleration: float = 1.0,
    signal: Signal | None = None,
    pause_seconds: float = 0.5,
    seed: int = 0,
) -> "list[array[float]]":
    """Return the channels, of one length, of swipes with pauses between them; the n-th track of each is on the n-th.

    Cards end `acceleration` times as fast as they began, metres_per_second half way. Disturbances are other ones on
    each swipe and channel. Raises ValueError as swipe_samples does, and when a channel would exceed MAX_SAMPLES.
    """
    harm, shape = disturbances or Disturbances(), signal or Signal()
    pause = array("f", bytes(4 * round(pause_seconds * sample_rate)))
    channels = [array("f") for _ in range(max(map(len, swipes), default=0))]
    for number, tracks in enumerate(swipes):
        for place, (channel, track) in enumerate(zip(channels, tracks, strict=False)):
            speed = Speed.accelerated(track.cell_seconds(metres_per_second), acceleration)
            own = seed * 1_000_003 + number * len(channels) + place
            channel += swipe_samples(track.bits, speed, sample_rate, harm, signal=shape, seed=own)
        length = max(map(len, channels), default=0)
        if length > MAX_SAMPLES:
            raise ValueError(f"swipes: {length} samples exceed {MAX_SAMPLES}")
        for channel in channels:
            channel.frombytes(bytes(4 * (length - len(channel))))
            if number < len(swipes) - 1:
                channel += pause
    return [
        disturbed(channel, sample_rate, harm, amplitude=shape.amplitude, seed=seed * 1_000_003 + place)
        for place, channel in enumerate(channels)
    ]


def wav_file(
    swipes: Sequence[Sequence[str]],
    sample_rate: int = 44_100,
    disturbances: Disturbances | None = None,
    *,
    encoding: str = "s16le",
    metres_per_second: float = 0.3,
    acceleration: float = 1.0,
    seed: int = 0,
) -> bytes:
    """Return a WAV file of swipes whose tracks are texts: the whole chain. Raises ValueError as its steps do."""
    stripes = [[stripe(text) for text in tracks] for tracks in swipes]
    channels = recording(
        stripes,
        sample_rate,
        disturbances,
        metres_per_second=metres_per_second,
        acceleration=acceleration,
        seed=seed,
    )
    return wav.build(channels, sample_rate, encoding)
