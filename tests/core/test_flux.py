"""The signal stage: what it reads, how it bears damage, what it does with garbage."""

import json
import math
import random
import time
from array import array
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swipegate.core import flux, synthesis
from tests.core import characters
from tests.reference import flux as reference

RECORDINGS = Path(__file__).parent.parent / "recordings"
PROFILES = json.loads((RECORDINGS / "real_swipe_profiles.json").read_text())["profiles"]
TRACK1 = "%B4111111111111111^DOE/JANE Q.DR^3012101100000000001230000000000?"
TRACK2 = ";4111111111111111=30121010000012300000?"
RATE = 44_100

Bits = list[int]


def compiled(intervals: list[float]) -> Bits:
    (run,) = flux.bits_from_intervals(intervals)
    return list(run.candidates[0])


@pytest.fixture(params=[reference.bits_from_intervals, compiled], ids=["reference", "compiled"])
def read_intervals(request):
    return request.param


def profile_speed(index: int, scale: float = 1.0) -> synthesis.Speed:
    return synthesis.Speed([ms / 1000 for ms in PROFILES[index]["cell_ms_smoothed"]], scale)


def swiped(text=TRACK2, *, rate=RATE, speed=None, jitter=0.02, seed=1, leading=24, **shape) -> "array[float]":
    bits = characters.encode(text, leading)
    speed = speed or profile_speed(0)
    intervals = synthesis.intervals_from_bits(
        bits, speed, cell_jitter=jitter, mid_jitter=jitter / 3, seed=seed
    )
    cells = synthesis.cells_of_bits(bits, speed)
    shape = {"noise": 0.01, **shape}
    return synthesis.samples_from_intervals(
        intervals, rate, synthesis.Signal(**shape), seed=seed, cells=cells
    )


def texts(samples, rate=RATE) -> list[str]:
    read = [characters.first(run.candidates) for run in flux.swipes(samples, rate)]
    return [text for text in read if text]


# Flux times


@given(
    bits=st.lists(st.integers(0, 1), min_size=24, max_size=400),
    cell=st.floats(1e-4, 5e-3),
    drift=st.floats(-0.01, 0.01),
)
def test_slowly_changing_cells_read_as_the_standard_says(bits, cell, drift):
    bits = [0] * 8 + bits + [0] * 8
    cells = [cell * (1.0 + drift) ** index for index in range(len(bits))]
    intervals = [
        part for bit, now in zip(bits, cells, strict=True) for part in ([now / 2] * 2 if bit else [now])
    ]
    assert reference.bits_from_intervals(intervals) == bits
    (run,) = flux.bits_from_intervals(intervals)
    assert list(run.candidates[0]) == bits
    assert list(run.times[0]) == pytest.approx(reference.bounds_from_intervals(intervals), rel=1e-9)


def test_all_zeros_read_as_zeros(read_intervals):
    assert read_intervals([0.001] * 60) == [0] * 60


@pytest.mark.parametrize("text", [TRACK1, TRACK2])
def test_a_text_survives_the_round_trip(read_intervals, text):
    intervals = synthesis.intervals_from_bits(
        characters.encode(text), 0.001, cell_jitter=0.01, mid_jitter=0.01
    )
    assert characters.decode(read_intervals(intervals)) == text


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), profile=st.integers(0, 2), reverse=st.booleans())
def test_five_per_cent_of_jitter_is_read_from_flux_times(seed, profile, reverse):
    bits = characters.encode(TRACK2)
    intervals = synthesis.intervals_from_bits(
        bits[::-1] if reverse else bits, profile_speed(profile), cell_jitter=0.05, mid_jitter=0.015, seed=seed
    )
    (run,) = flux.bits_from_intervals(intervals)
    assert characters.first(run.candidates) == TRACK2


def test_only_ratios_of_intervals_count():
    intervals = synthesis.intervals_from_bits(characters.encode(TRACK2), profile_speed(1), cell_jitter=0.02)
    assert compiled([1e6 * interval for interval in intervals]) == compiled(intervals)


@pytest.mark.parametrize("place", [60, 101, 150, 201])
def test_a_lost_transition_costs_at_most_one_bit(place):
    bits = characters.encode(TRACK2)
    intervals = synthesis.intervals_from_bits(bits, profile_speed(0), cell_jitter=0.01, seed=4)
    intervals[place : place + 2] = [sum(intervals[place : place + 2])]
    read = compiled(intervals)
    assert len(read) == len(bits)
    assert sum(one != other for one, other in zip(read, bits, strict=True)) <= 1


@pytest.mark.parametrize("place", [60, 101, 150, 201])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_two_extra_transitions_are_taken_for_a_spike(place, share):
    bits = characters.encode(TRACK2)
    intervals = synthesis.intervals_from_bits(bits, profile_speed(0), cell_jitter=0.01, seed=4)
    whole, spike = intervals[place], 0.06 * intervals[place]
    intervals[place : place + 1] = [share * whole, spike, (1.0 - share) * whole - spike]
    assert compiled(intervals) == bits


# Polarity


def louder_and_louder(seed: int) -> "array[float]":
    """Noise out of silence, whose first blocks hold no flux: then a swing is enough without a new extreme."""
    chance = random.Random(seed)
    return array("f", [chance.randint(-100, 100) * 1.003**index for index in range(2_000)])


@pytest.mark.parametrize("seed", range(20))
def test_transitions_do_not_depend_on_polarity(seed):
    samples = louder_and_louder(seed)
    turned = array("f", [-sample for sample in samples])
    found = flux.transitions(samples, 8_000)
    assert len(found) > 10
    assert flux.transitions(turned, 8_000) == [(time, -sign) for time, sign in found]


# Times and doubts


def test_a_run_in_which_several_bits_are_likely_wrong_has_no_reading():
    bits, read = characters.encode(TRACK1), []
    for seed in range(30):
        intervals = synthesis.intervals_from_bits(bits, 0.001, cell_jitter=0.13, mid_jitter=0.08, seed=seed)
        read += [run.candidates for run in flux.bits_from_intervals(intervals)]
    assert len(read) < 20


def test_every_bit_has_its_time_and_its_doubt():
    for run in [
        *flux.swipes(swiped(jitter=0.06), RATE),
        *flux.clock_and_data_frames(lines(["0110"]), 1e4, 2, 1),
    ]:
        assert len(run.times) == len(run.doubts) == len(run.candidates)
        for bits, times, doubts in zip(run.candidates, run.times, run.doubts, strict=True):
            assert len(times) == len(bits) + 1
            assert len(doubts) == len(bits)
            assert list(times) == sorted(times)
            assert run.start - 0.01 <= times[0] < times[-1] <= run.end + 0.01


def test_a_regular_swipe_leaves_little_doubt():
    intervals = synthesis.intervals_from_bits(characters.encode(TRACK1), 0.001, cell_jitter=0.01, seed=2)
    (run,) = flux.bits_from_intervals(intervals)
    assert max(run.doubts[0]) < 64


def test_both_bits_beside_a_lost_transition_are_doubtful():
    bits = characters.encode(TRACK2)
    for cell in range(30, 150, 7):
        intervals = synthesis.intervals_from_bits(bits, 0.001, cell_jitter=0.01, seed=4)
        place = cell + sum(bits[:cell]) - 1
        intervals[place : place + 2] = [sum(intervals[place : place + 2])]
        (run,) = flux.bits_from_intervals(intervals)
        assert min(run.doubts[0][cell - 1 : cell + 1]) >= 64
        assert sum(doubt >= 64 for doubt in run.doubts[0]) <= 8


def test_wrong_bits_are_more_doubtful_than_right_ones():
    bits, ranks = characters.encode(TRACK2), []
    for seed in range(200):
        intervals = synthesis.intervals_from_bits(
            bits, profile_speed(0), cell_jitter=0.12, mid_jitter=0.09, seed=seed
        )
        for run in flux.bits_from_intervals(intervals, candidates=1):
            order = sorted(range(len(run.doubts[0])), key=lambda k: -run.doubts[0][k])
            if len(order) == len(bits):
                wrong = [k for k, bit in enumerate(bits) if bit != run.candidates[0][k]]
                ranks += [order.index(k) for k in wrong if len(wrong) < 8]  # more are a shift, not wrong bits
    assert len(ranks) >= 8
    assert sum(rank < 40 for rank in ranks) > 0.8 * len(ranks)


# Samples


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    seed=st.integers(0, 2**32),
    profile=st.integers(0, 2),
    scale=st.floats(0.7, 1.5),
    text=st.sampled_from(
        [TRACK2, ";98949188?", ";011234567890123445=724724100000000000030012340202000990103?"]
    ),
    inverted=st.booleans(),
)
def test_hand_swipes_are_read(seed, profile, scale, text, inverted):
    samples = swiped(text, speed=profile_speed(profile, scale), seed=seed, inverted=inverted)
    assert texts(samples) == [text]


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 48_000, 96_000, 192_000, 1_000_000])
def test_every_rate_is_read(rate):
    speed = profile_speed(1, 1.4) if rate < 20_000 else profile_speed(1)
    assert texts(swiped(rate=rate, speed=speed, jitter=0.01), rate) == [TRACK2]


@pytest.mark.parametrize("scale", [1e-9, 1.0, 32768.0, 1e9])
def test_the_scale_of_samples_does_not_matter(scale):
    samples = array("f", (scale * value for value in swiped()))
    assert texts(samples) == [TRACK2]


@pytest.mark.parametrize("rate", [44_100, 192_000])
@pytest.mark.parametrize("width", [0.10, 0.14, 0.18])  # standard deviation of a pulse, share of a cell
@pytest.mark.parametrize("top", [0.25, 0.15])
def test_a_clipped_swipe_is_read(top, width, rate):
    pulse = [math.exp(-0.5 * (k / 40 / width) ** 2) for k in range(-20, 21)]
    samples = swiped(rate=rate, amplitude=0.6, pulse=pulse)
    assert texts(array("f", (min(max(value, -top), top) for value in samples)), rate) == [TRACK2]


@pytest.mark.parametrize("thump", [0.5, 1.0, 2.0])
def test_a_thump_over_the_clocking_zeros_is_borne(thump):
    assert texts(swiped(thump=thump, leading=30)) == [TRACK2]


@pytest.mark.parametrize("exponent", [0.0, 1.0])
def test_the_amplitude_may_follow_the_speed(exponent):
    assert texts(swiped(speed_exponent=exponent, noise=0.005)) == [TRACK2]


def test_hum_and_offset_are_taken_off():
    samples = swiped()
    hummed = (v + 3.0 + 0.6 * math.sin(2 * math.pi * 50 * k / RATE) for k, v in enumerate(samples))
    assert texts(array("f", hummed)) == [TRACK2]


def test_a_recording_of_the_magnetisation_itself_is_read():
    bits = characters.encode(TRACK2)
    level, square = 0.5, []
    for interval in synthesis.intervals_from_bits(bits, 0.001):
        square += [level] * round(interval * RATE)
        level = -level
    chance = random.Random(3)
    assert texts(array("f", (value + chance.gauss(0.0, 0.01) for value in square))) == [TRACK2]


def test_swipes_of_one_recording_are_split_at_silence():
    chance = random.Random(7)
    silence = [chance.gauss(0.0, 0.002) for _ in range(RATE // 3)]
    other = ";98949188?"
    samples = array("f", silence)
    samples += swiped()
    samples += array("f", silence)
    samples += swiped(other, amplitude=0.2, seed=2)
    samples += array("f", silence)
    runs = flux.swipes(samples, RATE)
    found = [(characters.first(run.candidates), run) for run in runs]
    found = [(text, run) for text, run in found if text]
    assert [text for text, _ in found] == [TRACK2, other]
    assert found[0][1].start == pytest.approx(1 / 3 + 0.02, abs=0.02)
    assert found[0][1].end < found[1][1].start - 0.3


@pytest.mark.parametrize("seconds", [0.0, 3.0, 20.0])
def test_a_swipe_may_be_a_small_part_of_its_recording(seconds):
    noise = random.Random(1)
    silence = array("f", (noise.gauss(0.0, 0.005) for _ in range(int(seconds * RATE))))
    assert texts(silence + swiped() + silence) == [TRACK2]


def test_transitions_have_their_times_and_alternate():
    bits = [0] * 40
    intervals = synthesis.intervals_from_bits(bits, 0.002)
    found = flux.transitions(synthesis.samples_from_intervals(intervals, RATE), RATE)
    assert [sign for _, sign in found] == [1, -1] * 20 + [1]
    assert [when for when, _ in found] == pytest.approx([0.02 + 0.002 * k for k in range(41)], abs=2e-5)


def test_candidates_are_limited_and_differ():
    samples = swiped(jitter=0.08, noise=0.05)
    (run,) = [run for run in flux.swipes(samples, RATE) if len(run.candidates[0]) > 100]
    assert len(set(run.candidates)) == len(run.candidates) == len(run.jitters) <= flux.CANDIDATES_MAX
    assert all(len(one.candidates) == 1 for one in flux.swipes(samples, RATE, candidates=1))


def test_jitter_is_measured():
    for jitter in (0.02, 0.06):
        intervals = synthesis.intervals_from_bits(
            characters.encode(TRACK1), 0.001, cell_jitter=jitter, seed=5
        )
        (run,) = flux.bits_from_intervals(intervals)
        assert run.jitters[0] == pytest.approx(jitter, rel=0.3)


def test_a_repr_shows_no_bits():
    (run,) = flux.bits_from_intervals(synthesis.intervals_from_bits(characters.encode(TRACK2), 0.001))
    assert "\\x" not in repr(run)
    assert len(repr(run)) < 80


# Garbage


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.floats(width=32, allow_nan=True, allow_infinity=True), max_size=3000),
    st.sampled_from([8_000, 44_100, 1_000_000]),
)
def test_any_floats_are_borne(values, rate):
    for run in flux.swipes(array("f", values), rate):
        assert all(set(bits) <= {0, 1} for bits in run.candidates)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=2000))
def test_any_intervals_are_borne(intervals):
    for run in flux.bits_from_intervals(intervals):
        assert all(len(bits) <= 2 * len(intervals) for bits in run.candidates)


@settings(max_examples=100)
@given(st.lists(st.sampled_from([0.0, 1e-300, 1.0, 0.5, 2.0, 1e300, -1.0]), min_size=15, max_size=300))
def test_absurd_intervals_are_borne(intervals):
    flux.bits_from_intervals(intervals)


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 100_000])
@pytest.mark.parametrize("value", [0.0, 1.0, math.nan, math.inf, -math.inf, 3e38])
def test_a_constant_holds_no_swipe(count, value):
    assert flux.swipes(array("f", [value]) * count, RATE) == []


@pytest.mark.parametrize("kind", ["noise", "alternating", "ramp", "spikes"])
def test_a_long_recording_of_garbage_takes_bounded_time(kind):
    chance, count = random.Random(1), 1_000_000
    samples = {
        "noise": lambda: array("f", (chance.gauss(0, 1) for _ in range(count))),
        "alternating": lambda: array("f", [1.0, -1.0]) * (count // 2),
        "ramp": lambda: array("f", range(count)),
        "spikes": lambda: array("f", ([0.0] * 999 + [1e14]) * (count // 1000)),
    }[kind]()
    started = time.perf_counter()
    runs = flux.swipes(samples, RATE)
    assert time.perf_counter() - started < 20.0
    assert not [text for run in runs for text in [characters.first(run.candidates)] if text]


def test_long_noise_has_no_runs_and_a_swipe_within_it_is_read():
    chance = random.Random(1)
    noise = array("f", (chance.gauss(0.0, 0.3) for _ in range(60_000)))
    assert len(flux.transitions(noise, RATE)) > 5_000
    assert flux.swipes(noise, RATE) == []
    assert texts(noise + swiped() + noise) == [TRACK2]


@pytest.mark.parametrize("rate", [0.0, -1.0, 7_999.0, 1_000_001.0, math.nan, math.inf])
def test_a_rate_out_of_bounds_is_refused(rate):
    with pytest.raises(ValueError, match="8000 to 1000000 Hz"):
        flux.swipes(array("f", [0.0] * 100), rate)


def test_too_many_intervals_are_refused():
    with pytest.raises(ValueError, match="262143 intervals"):
        flux.bits_from_intervals([1.0] * 262_144)


@pytest.mark.parametrize("samples", [None, "text", object(), ["a"]])
def test_what_is_no_number_is_refused(samples):
    with pytest.raises(TypeError):
        flux.swipes(samples, RATE)


# Clock and data


def lines(frames: list[str], low: int = 5, pause: int = 400) -> bytes:
    """Return a capture, one byte a sample: bit 1 the clock, bit 0 the data."""
    out = bytearray([3] * pause)
    for frame in frames:
        for bit in frame:
            data = 0 if bit == "1" else 1
            out += bytes([2 | data] * low) + bytes([data] * low)
        out += bytes([3] * pause)
    return bytes(out)


def test_frames_are_split_by_a_pause():
    frames = ["0000011010", "1111100000"]
    found = flux.clock_and_data_frames(lines(frames), 10_000, 2, 1)
    assert ["".join(map(str, frame.candidates[0])) for frame in found] == frames
    assert found[0].start == pytest.approx(0.0405)
    assert list(found[0].times[0]) == pytest.approx([0.0405 + 0.001 * k for k in range(11)])
    assert found[0].doubts == (bytes(10),)


def test_data_that_changes_at_the_clock_edge_is_in_doubt():
    (frame,) = flux.clock_and_data_frames(bytes([3, 3, 0, 2, 0, 3, 1]), 1e4, 2, 1)
    assert list(frame.candidates[0]) == [1, 1, 0]
    assert list(frame.doubts[0]) == [255, 0, 0]


@given(st.binary(max_size=2000))
def test_any_capture_is_borne(capture):
    for frame in flux.clock_and_data_frames(capture, 1000.0, 2, 1):
        assert frame.start <= frame.end


def test_a_capture_without_end_is_cut():
    (frame,) = flux.clock_and_data_frames(bytes([2, 0]) * 100_000, 1e6, 2, 1)
    assert len(frame.candidates[0]) == 65_536


@pytest.mark.parametrize(
    "arguments", [(0.0, 2, 1), (1e6, 0, 1), (1e6, 2, 256), (math.nan, 2, 1), (1e6, 2, 1, 0.0)]
)
def test_a_capture_with_wrong_parameters_is_refused(arguments):
    with pytest.raises(ValueError, match="must"):
        flux.clock_and_data_frames(b"\x00\x02", *arguments)
