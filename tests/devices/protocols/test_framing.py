"""Frames with a length, and frames between marks, on lines that lose, add and change bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swipegate.devices.protocols.framing import (
    Control,
    Damaged,
    Frame,
    Framing,
    Layout,
    LengthFraming,
    StuffedFraming,
    Token,
    xor_of,
)
from swipegate.devices.protocols.omron import dialect as omron
from swipegate.devices.protocols.sankyo import dialect as sankyo

LAYOUTS = {
    "sankyo": sankyo.LAYOUT,
    "end mark": Layout(start=0x02, check=xor_of, end=b"\x03", text_max=266),
    "address": Layout(start=0xF2, check=xor_of, address=b"\x00", end=b"\x03"),
    "short length": Layout(
        start=0x02, check=xor_of, check_from=1, length_size=1, length_adds=2, end=b"\x03", text_max=253
    ),
}
CONTROLS = (b"\x06", b"\x15", b"\x10\x04")
any_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


def tokens(framing: Framing, data: bytes) -> list[Token]:
    return [token for byte in data if (token := framing.feed(byte)) is not None]


@any_layout
@given(text=st.binary(min_size=1, max_size=250))
def test_a_frame_comes_out_as_it_went_in(layout: Layout, text: bytes) -> None:
    framing = LengthFraming(layout, CONTROLS)
    line = b"\x06" + framing.encode(text) + b"\x10\x04" + framing.encode(text)
    assert tokens(framing, line) == [
        Control(b"\x06"),
        Frame(bytearray(text)),
        Control(b"\x10\x04"),
        Frame(bytearray(text)),
    ]
    assert not framing.in_frame
    assert framing.noise == 0


@any_layout
@given(text=st.binary(min_size=1, max_size=40), place=st.integers(0, 1000), mask=st.integers(1, 255))
def test_no_changed_byte_passes_for_the_text(layout: Layout, text: bytes, place: int, mask: int) -> None:
    framing = LengthFraming(layout, CONTROLS)
    frame = bytearray(framing.encode(text))
    frame[place % len(frame)] ^= mask
    assert Frame(bytearray(text)) not in tokens(framing, bytes(frame))


@any_layout
def test_a_length_that_makes_no_sense_is_told_at_once(layout: Layout) -> None:
    framing = LengthFraming(layout, CONTROLS)
    head = bytes((layout.start,)) + layout.address + b"\x00" * layout.length_size
    assert tokens(framing, head) == [Damaged("a frame's address or length makes no sense")]
    assert tokens(framing, framing.encode(b"next")) == [Frame(bytearray(b"next"))]


@given(noise=st.binary(max_size=400))
def test_any_bytes_are_taken_within_bounds_and_the_line_recovers(noise: bytes) -> None:
    framing = LengthFraming(sankyo.LAYOUT, CONTROLS)
    tokens(framing, noise)
    assert len(framing._buffer) <= 1 + 2 + 1024 + 2
    framing.wipe()
    assert tokens(framing, framing.encode(b"P1002")) == [Frame(bytearray(b"P1002"))]


def test_bytes_outside_frames_are_counted() -> None:
    framing = LengthFraming(sankyo.LAYOUT, CONTROLS)
    assert tokens(framing, b"\x00\x41\x10\x41\x06") == [Control(b"\x06")]
    assert framing.noise == 3


def test_a_lead_that_leads_nowhere_does_not_hide_a_frame() -> None:
    framing = LengthFraming(sankyo.LAYOUT, CONTROLS)
    assert tokens(framing, b"\x10" + framing.encode(b"P1002")) == [Frame(bytearray(b"P1002"))]


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="1025 bytes is over 1024"):
        LengthFraming(sankyo.LAYOUT, CONTROLS).encode(bytes(1025))


def test_what_has_begun_is_zeroed() -> None:
    framing = LengthFraming(sankyo.LAYOUT, CONTROLS)
    tokens(framing, framing.encode(b"P6202;4111")[:-3])
    buffer = framing._buffer
    framing.wipe()
    assert not buffer
    assert not framing.in_frame
    assert "4111" not in repr(Frame(bytearray(b";4111")))


# Frames between DLE STX and DLE ETX. Texts are made of the bytes that mean something, more often than of others.

ACK, ENQ, EOT = omron.ACK, omron.ENQ, omron.EOT
stuffed_texts = st.lists(
    st.one_of(st.sampled_from(b"\x00\x02\x03\x04\x05\x10"), st.integers(0, 255)), min_size=1
)


@pytest.fixture
def stuffed() -> StuffedFraming:
    return omron.framing()


@given(text=stuffed_texts.map(bytes))
def test_a_stuffed_frame_comes_out_as_it_went_in(text: bytes) -> None:
    framing = omron.framing()
    line = ACK + framing.encode(text) + ENQ + framing.encode(text)
    assert tokens(framing, line) == [
        Control(ACK),
        Frame(bytearray(text)),
        Control(ENQ),
        Frame(bytearray(text)),
    ]
    assert not framing.in_frame
    assert framing.noise == 0


@given(text=stuffed_texts.map(bytes), place=st.integers(0, 1000), mask=st.integers(1, 255))
def test_no_changed_byte_of_a_stuffed_frame_passes_for_the_text(text: bytes, place: int, mask: int) -> None:
    framing = omron.framing()
    frame = bytearray(framing.encode(text))
    frame[place % len(frame)] ^= mask
    assert Frame(bytearray(text)) not in tokens(framing, bytes(frame))


@pytest.mark.parametrize("check", [b"\x00", b"\x02", b"\x03", b"\x10"])
def test_a_check_that_looks_like_a_control_code_is_one_byte(stuffed: StuffedFraming, check: bytes) -> None:
    text = b"P" + xor_of(b"P\x03" + check)
    assert stuffed.encode(text).endswith(b"\x10\x03" + check)
    assert tokens(stuffed, stuffed.encode(text) + ACK) == [Frame(bytearray(text)), Control(ACK)]


def test_a_stuffed_frame_that_begins_anew_takes_the_place_of_the_first(stuffed: StuffedFraming) -> None:
    assert tokens(stuffed, b"\x10\x02P10" + stuffed.encode(b"P1002")) == [Frame(bytearray(b"P1002"))]


def test_of_codes_inside_a_stuffed_frame_one_that_ends_it_is_told_and_the_others_passed_over(
    stuffed: StuffedFraming,
) -> None:
    assert tokens(stuffed, b"\x10\x02C1" + EOT + stuffed.encode(b"C10")) == [
        Control(EOT),
        Frame(bytearray(b"C10")),
    ]
    frame = stuffed.encode(b"C10")
    assert tokens(stuffed, frame[:3] + ENQ + frame[3:]) == [Frame(bytearray(b"C10"))]
    assert stuffed.noise == 1


@given(noise=st.binary(max_size=1000))
def test_any_bytes_are_taken_within_bounds_and_the_stuffed_line_recovers(noise: bytes) -> None:
    framing = omron.framing()
    tokens(framing, b"\x10\x02" + noise)
    assert len(framing._text) <= omron.TEXT_MAX
    framing.wipe()
    assert tokens(framing, framing.encode(b"P1002")) == [Frame(bytearray(b"P1002"))]


def test_a_stuffed_frame_that_does_not_end_is_told_and_one_without_text_is_damaged(
    stuffed: StuffedFraming,
) -> None:
    assert tokens(stuffed, b"\x10\x02" + b"P" * 364) == [Damaged("a frame does not end")]
    assert not stuffed.in_frame
    assert tokens(stuffed, b"\x10\x02\x10\x03\x03") == [Damaged("a frame's check does not agree")]
    with pytest.raises(ValueError, match="364 bytes is over 363"):
        stuffed.encode(bytes(364))


def test_bytes_outside_stuffed_frames_are_counted_and_a_lone_dle_hides_nothing(
    stuffed: StuffedFraming,
) -> None:
    assert tokens(stuffed, b"\x00\x41\x10\x41" + ACK) == [Control(ACK)]
    assert stuffed.noise == 3
    assert tokens(stuffed, b"\x10" + stuffed.encode(b"P1002")) == [Frame(bytearray(b"P1002"))]


def test_what_has_begun_between_marks_is_zeroed(stuffed: StuffedFraming) -> None:
    tokens(stuffed, stuffed.encode(b"P6202;4111")[:-1])
    assert stuffed.in_frame
    stuffed.wipe()
    assert not stuffed._text
    assert not stuffed.in_frame
