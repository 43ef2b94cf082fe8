"""Frames with a length, on lines that lose, add and change bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swipegate.devices.protocols.framing import Control, Damaged, Frame, Layout, LengthFraming, Token, xor_of
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


def tokens(framing: LengthFraming, data: bytes) -> list[Token]:
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
