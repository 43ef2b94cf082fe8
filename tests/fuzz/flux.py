"""Fuzz target: any samples, flux times and captures of clock-and-data readers."""

import math
import struct
from array import array
from collections.abc import Iterator, Sequence
from itertools import pairwise

from swipegate.core import flux, synthesis
from tests.fuzz import vectors
from tests.fuzz.target import Source, Target
from tests.reference import flux as reference

RATES = (8_000, 22_050, 44_100, 48_000, 96_000, 192_000, 1_000_000, 12_345)
"""Samples a second."""
SAMPLES, TIMES, ANY_TIMES, CLEAN, CAPTURE = range(5)
"""What the first byte says the rest is."""
TICK = 1e-7
"""Seconds a unit of TIMES: 16 bits are up to 6.5 ms, the slowest cell."""
LONGEST = 10_000
"""Bytes of an input: a tenth of a second at 44.1 kHz, half of one at 8 kHz."""


def check_runs(runs: Sequence[flux.BitRun], longest: float) -> None:
    """Assert what holds of every reading; longest is the end of the recording."""
    for run in runs:
        assert 0.0 <= run.start <= run.end <= longest
        assert 1 <= len(run.candidates) == len(run.jitters) <= flux.CANDIDATES_MAX
        assert len(set(run.candidates)) == len(run.candidates)
        assert all(0.0 <= jitter <= flux.JITTER_MAX for jitter in run.jitters)
        assert all(bits and not bits.strip(b"\0\1") for bits in run.candidates)
    assert all(one.end < other.start for one, other in pairwise(runs))


def check_samples(samples: "array[float]", rate: int) -> None:
    runs = flux.swipes(samples, rate)
    check_runs(runs, len(samples) / rate)
    found = flux.transitions(samples, rate)
    assert all(one[0] < other[0] for one, other in pairwise(found))
    turned = flux.transitions(array("f", [-sample for sample in samples]), rate)
    assert turned == [(time, -sign) for time, sign in found]


def check_times(times: Sequence[float]) -> None:
    runs = flux.bits_from_intervals(times)
    check_runs(runs, math.fsum(time for time in times if 0.0 < time < math.inf) * 1.001)
    assert all(len(bits) <= 2 * len(times) for run in runs for bits in run.candidates)


def check_clean(source: Source) -> None:
    """Assert that bits at a speed that changes slowly read back, as they do by the reference."""
    cell, drift = 1e-4 * (1 + source.byte()), (source.byte() - 128) / 128 * 0.004
    bits = [0] * 16 + [byte >> place & 1 for byte in source.rest()[:150] for place in range(8)] + [0] * 16
    cells = [cell * (1.0 + drift) ** index for index in range(len(bits))]
    times = synthesis.intervals_from_bits(bits, synthesis.Speed(cells))
    assert reference.bits_from_intervals(times) == bits
    (run,) = flux.bits_from_intervals(times)
    assert run.candidates[0] == bytes(bits)


def check_capture(source: Source) -> None:
    clock, data, pause = source.byte() or 1, source.byte() or 2, 1 + source.byte()
    samples = source.rest()
    frames = flux.clock_and_data_frames(samples, 1000.0, clock, data, pause / 1000)
    edges = [
        place for place, (one, other) in enumerate(pairwise(samples), 1) if one & clock and not other & clock
    ]
    edges = edges[: 1 << 16]
    assert b"".join(frame.candidates[0] for frame in frames) == bytes(
        not samples[edge] & data for edge in edges
    )
    gaps = sum(other - one > pause for one, other in pairwise(edges))
    assert len(frames) == (gaps + 1 if edges else 0)


def check(data: bytes) -> None:
    source = Source(data)
    kind = source.byte()
    if kind % 5 == SAMPLES:
        body = source.rest()
        check_samples(array("f", array("h", body[: len(body) // 2 * 2])), RATES[kind // 5 % len(RATES)])
    elif kind % 5 == TIMES:
        body = source.rest()
        check_times([tick * TICK for tick in array("H", body[: len(body) // 2 * 2])])
    elif kind % 5 == ANY_TIMES:
        body = source.rest()
        check_times(array("d", body[: len(body) // 8 * 8]))
    elif kind % 5 == CLEAN:
        check_clean(source)
    else:
        check_capture(source)


def seeds() -> Iterator[bytes]:
    for file in vectors.recordings():
        body = file[44:]
        for start in range(0, len(body), 3 * LONGEST):
            yield bytes([SAMPLES + 5 * 2]) + body[start : start + LONGEST - 2]
    for index, bits in enumerate(vectors.bit_strings()):
        times = synthesis.intervals_from_bits(bits, 0.0008, cell_jitter=0.03, mid_jitter=0.01, seed=index)
        yield bytes([TIMES]) + array("H", [min(round(time / TICK), 65535) for time in times]).tobytes()
        yield bytes([ANY_TIMES]) + array("d", times[:200]).tobytes()
        yield bytes([CLEAN, 7, 128]) + bits[:150]
        lines = b"".join(bytes([3 - 2 * bit, 2 - 2 * bit]) for bit in bits)
        yield bytes([CAPTURE, 1, 2, 9]) + lines
        samples = synthesis.samples_from_intervals(times[:120], 22_050, seed=index)
        pcm = array("h", [round(value * 30_000) for value in samples])
        yield bytes([SAMPLES + 5]) + pcm.tobytes()
    yield bytes([ANY_TIMES]) + struct.pack("<4d", math.nan, math.inf, -1.0, 5e-324) * 20


TARGET = Target(
    name="flux",
    seeds=seeds,
    check=check,
    longest=LONGEST,
    blocks=500_000,
    blocks_a_byte=60_000,
    replays=150,
    words=(b"\x00\x00", b"\xff\x7f", b"\x00\x80", b"\x40\x1f", b"\x80\x3e"),
)
