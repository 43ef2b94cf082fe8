"""Flux images, what MAKStripe readers send, and intervals as text."""

import struct
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swipegate.core import synthesis
from swipegate.core.recordings import RecordingError, bounds, flux_images, intervals, parse_recording
from tests.core import characters
from tests.core.test_flux import TRACK1, TRACK2
from tests.core.test_recordings import flux_image, texts


def times(text=TRACK2, cell=0.0007) -> list[float]:
    return synthesis.intervals_from_bits(
        characters.encode(text), cell, cell_jitter=0.02, mid_jitter=0.01, seed=1
    )


TIMES = times()


def answer(ticks: list[int], level=0x02, pad=False) -> bytes:
    """The bytes that a reader sends of one track; at the last record it only says the levels."""
    data, now = b"", 0
    for tick in [*ticks, 0]:
        now ^= level
        data += bytes([tick & 0xFF, now | (tick >> 8) << 7])
    return b"RD " + struct.pack(">H", len(ticks) + 1) + data + (b"\0\0" if pad else b"") + b"RD=OK"


# Flux images


@settings(max_examples=40)
@given(
    st.dictionaries(st.integers(1, 3), st.lists(st.floats(1e-5, 1e-2), min_size=20, max_size=60), min_size=1)
)
def test_a_built_image_has_the_ratios_of_its_intervals(tracks):
    (swipe,) = parse_recording(flux_images.build(tracks))
    assert [track.number for track in swipe.tracks] == sorted(tracks)
    for track in swipe.tracks:
        given_ = tracks[track.number]
        scale = sum(track.intervals) / sum(given_)
        assert [one / scale for one in track.intervals] == pytest.approx(given_, abs=1e-6)


def test_an_image_of_two_tracks_is_read():
    (swipe,) = parse_recording(flux_images.build({1: times(TRACK1, 0.0003), 2: TIMES}))
    assert texts([swipe]) == [[TRACK1, TRACK2]]


@pytest.mark.parametrize("later", [0.0001, 0.0007, 0.0014, 0.003])
def test_a_track_may_begin_later_than_another(later):
    """Its first transition is its own, not the first record of the image."""
    changes = dict.fromkeys(accumulate(times(TRACK1, 0.0003), initial=0.0), 0x10)
    changes |= dict.fromkeys(accumulate(TIMES, initial=later), 0x20)
    levels, records = 0, b""
    for place, level in sorted(changes.items()):
        levels ^= level
        records += struct.pack("<If", levels, 1000.0 * place)
    (swipe,) = parse_recording(struct.pack("<I", len(changes)) + records)
    assert texts([swipe]) == [[TRACK1, TRACK2]]


@pytest.mark.parametrize("tracks", [{}, {0: [1.0]}, {4: [1.0]}])
def test_another_track_is_not_built(tracks):
    with pytest.raises(ValueError, match="tracks"):
        flux_images.build(tracks)


def test_more_records_than_swipes_have_are_refused(monkeypatch):
    monkeypatch.setattr(flux_images, "MAX_RECORDS", 41)
    assert parse_recording(flux_image([1.0] * 40))
    with pytest.raises(RecordingError, match="more than 41 flux records"):
        parse_recording(flux_image([1.0] * 41))


@pytest.mark.parametrize("pad", [False, True])
def test_what_a_reader_sends_is_read(pad):
    """Ticks of 150 a millisecond, bit 8 among the flags: s3c/PyMAKInt pymakint.py, read_tracks_raw."""
    ticks = [round(150_000 * seconds) for seconds in TIMES]
    assert max(ticks) < 0x100
    (swipe,) = parse_recording(answer(ticks, pad=pad))
    assert texts([swipe]) == [[TRACK2]]
    assert swipe.tracks[0].number == 2
    (swipe,) = parse_recording(answer([3 * tick for tick in ticks], level=0x04))
    assert texts([swipe]) == [[TRACK2]]
    assert swipe.tracks[0].number == 3


@pytest.mark.parametrize(
    "data",
    [b"RD ", b"RD \0\0RD=OK", answer([100] * 40)[:-1], answer([100] * 40)[:50], b"RD \xff\xff" + bytes(100)],
)
def test_what_a_reader_sends_cut_off_is_refused(data):
    with pytest.raises(RecordingError, match="flux image cut off"):
        parse_recording(data)


# Text


def test_intervals_with_a_header_are_read():
    (first, second) = parse_recording(intervals.build([{1: times(TRACK1), 2: TIMES}, {3: TIMES}]))
    assert texts([first, second]) == [[TRACK1, TRACK2], [TRACK2]]
    assert [track.number for track in (*first.tracks, *second.tracks)] == [1, 2, 3]
    assert list(first.tracks[1].intervals) == pytest.approx(TIMES, abs=1e-9)


@pytest.mark.parametrize(("unit", "factor"), [("seconds", 1), ("Milliseconds", 1e3), ("nanoseconds", 1e9)])
def test_units_are_read(unit, factor):
    rows = "\r\n".join(f"{factor * seconds!r}" for seconds in TIMES)
    (swipe,) = parse_recording(f"# a comment\r\n{unit}\r\n{rows}\r\n".encode())
    assert list(swipe.tracks[0].intervals) == pytest.approx(TIMES)
    (swipe,) = parse_recording(f"{unit},track\n{TIMES[0] * factor},3\n".encode())
    assert swipe.tracks[0].number == 3


@pytest.mark.parametrize("between", ["\n", "\r\n", " ", ", ", ";", "\t"])
def test_numbers_alone_are_intervals_of_any_unit(between):
    text = between.join(f"{1e6 * seconds:.1f}" for seconds in TIMES)
    assert texts(parse_recording(text.encode())) == [[TRACK2]]
    swipes = parse_recording(f"{text}\n\n\n{text}".encode())
    assert texts(swipes) == [[TRACK2], [TRACK2]]


@pytest.mark.parametrize("text", ["4111111111111111", "1 2 3", "30,12", "-"])
def test_a_few_numbers_are_no_recording(text):
    with pytest.raises(RecordingError, match="no known kind"):
        parse_recording(text.encode())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("seconds\n1e-3\nx\n", "line 3: not the numbers"),
        ("swipe,track,seconds\n1,2\n", "line 2: not the numbers"),
        ("track,seconds\n4,1e-3\n", "line 2: a track of 0 to 3"),
        ("track,seconds\n1,-1e-3\n", "line 2: a track of 0 to 3 and a positive time"),
        ("track,seconds\n1,nan\n", "line 2: a track of 0 to 3 and a positive time"),
        ("seconds\n1e300\n", "line 2: a track of 0 to 3 and a positive time"),
        ("1 " * 20 + "\n1-1", "line 2: not a number"),
        ("1 " * 20 + "-1", "do not ascend"),
        ("1 " * 20 + "1e999", "do not ascend"),
    ],
)
def test_intervals_that_cannot_be_read_name_their_line(text, reason):
    with pytest.raises(RecordingError, match=rf"^times\.csv: .*{reason}"):
        parse_recording(text.encode(), "times.csv")


def test_too_many_intervals_are_refused(monkeypatch):
    monkeypatch.setattr(bounds, "MAX_TRANSITIONS", 30)
    for text in ("seconds\n" + "1e-3\n" * 31, "2 " * 31):
        with pytest.raises(RecordingError, match="more than 30 transitions"):
            parse_recording(text.encode())
    monkeypatch.setattr(bounds, "MAX_SWIPES", 1)
    for text in ("swipe,seconds\n1,1e-3\n2,1e-3\n", ("2 " * 20 + "\n\n") * 2):
        with pytest.raises(RecordingError, match="more than 1 swipes"):
            parse_recording(text.encode())
