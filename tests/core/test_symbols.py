"""Bits to characters, on both implementations."""

import random
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swipegate.core import symbols as compiled
from swipegate.v1 import track_pb2
from tests.reference import symbols as reference

DIGITS = st.text("0123456789:<=>", min_size=3, max_size=60)
LETTERS = st.text(
    [chr(value) for value in range(0x20, 0x60) if chr(value) not in "%?"], min_size=3, max_size=80
)
ASCII = st.text([chr(value) for value in range(0x20, 0x7F)], min_size=6, max_size=69)
TRACKS = st.one_of(DIGITS.map(lambda data: (f";{data}?", 5)), LETTERS.map(lambda data: (f"%{data}?", 7)))
RARE_TRACKS = st.one_of(
    ASCII.map(lambda data: (f"\x7f{data}\x7f", 8)), LETTERS.map(lambda data: (f"%{data}?", 6))
)
PARITY_AND_LRC = track_pb2.REPAIR_METHOD_PARITY_AND_LRC
RANDOM_STRINGS = 100_000


@pytest.fixture(params=["reference", "compiled"])
def symbols(request: pytest.FixtureRequest) -> ModuleType:
    return {"reference": reference, "compiled": compiled}[request.param]


def flip(bits: bytes, *places: int) -> bytes:
    return bytes(bit ^ (place in places) for place, bit in enumerate(bits))


def test_compiled_is_compiled() -> None:
    assert compiled.__file__.endswith((".so", ".pyd"))


@settings(deadline=None, max_examples=60)
@given(TRACKS, st.integers(2, 12), st.integers(2, 12), st.booleans(), st.booleans(), st.booleans())
def test_round_trip(
    track: tuple[str, int], leading: int, trailing: int, reverse: bool, inverted: bool, known: bool
) -> None:
    text, width = track
    bits = compiled.encode(text, width, leading, trailing, reverse)
    assert bits == reference.encode(text, width, leading, trailing, reverse)
    if inverted:
        bits = bytes(1 - bit for bit in bits)
    for symbols in (compiled, reference):
        read = symbols.decode(bits, width if known else 0)
        if len(text) < 6:
            continue  # too little evidence in reverse or inverted; test_short_tracks holds these
        assert read.text == text
        assert read.inverted == inverted
        assert read.direction == (
            track_pb2.SWIPE_DIRECTION_REVERSE if reverse else track_pb2.SWIPE_DIRECTION_FORWARD
        )
        assert (read.lrc, read.lrc_character) == (track_pb2.LRC_STATUS_OK, compiled.lrc(text, width))
        ends = (trailing, leading) if reverse else (leading, trailing)
        assert (read.start_bit, read.end_bit) == (ends[0], len(bits) - ends[1])
        assert (read.errors, read.repairs) == ((), ())


@settings(deadline=None, max_examples=60)
@given(st.one_of(TRACKS, RARE_TRACKS), st.integers(2, 12), st.booleans(), st.booleans(), st.booleans())
def test_round_trip_of_a_known_coding(
    track: tuple[str, int], zeros: int, reverse: bool, inverted: bool, msb_first: bool
) -> None:
    text, width = track
    bits = compiled.encode(text, width, zeros, zeros, reverse, msb_first=msb_first)
    assert bits == reference.encode(text, width, zeros, zeros, reverse, msb_first=msb_first)
    if inverted:
        bits = bytes(1 - bit for bit in bits)
    one, other = (m.decode(bits, width, False, msb_first=msb_first) for m in (compiled, reference))
    assert (one.text, one.direction, one.inverted) == (other.text, other.direction, other.inverted)
    # Six bits without parity may read both ways.
    if len(text) >= 8 and (width != 6 or not (reverse or inverted)):
        # A zero LRC leaves JIS X 6302-2's direction open; the character set may close it.
        assert one.text == text or (width == 8 and compiled.lrc(text, 8) == "\0")
    assert one.msb_first == (msb_first and bool(one.text))
    assert one.bits_per_character == (width if one.text else 0)


@pytest.mark.parametrize(
    ("text", "width"),
    [("\x7f4111 1111 Abc\x7f", 8), ("\x7f12\x0eABC\x0f34\x7f", 8), ("%CDOE JANE      12 ANY STREET?", 6)],
)
def test_rare_codings_are_found_out(symbols: ModuleType, text: str, width: int) -> None:
    bits = symbols.encode(text, width, 8, 8)
    read = symbols.decode(bits)
    assert (read.text, read.bits_per_character) == (text, width)
    if width == 8:
        assert symbols.decode(bits[::-1]).text == text
    else:
        # Without parity, sentinels, LRC and clocking zeros are all there is to prove: forward, between zeros.
        assert symbols.decode(bits[::-1]).text == ""
        assert symbols.decode(bits[7:]).text == ""
        assert symbols.decode(bits[::-1], 6).text == text


def test_a_jis_track_that_reads_both_ways_is_refused(symbols: ModuleType) -> None:
    text = "\x7fff66\x7f"  # each character's bits are their own mirror, so the LRC of zeros tells nothing
    assert compiled.lrc(text, 8) == "\0"
    assert symbols.decode(symbols.encode(text, 8, 8, 8), 8).text == ""


def test_a_run_of_ones_is_no_jis_sentinel(symbols: ModuleType) -> None:
    text = "\x7f1\x7f"
    bits = symbols.encode(text, 8, 0, 8)
    for ones in (1, 2, 8):  # in front
        assert symbols.decode(b"\1" * ones + bits, 8).text == ""
    assert symbols.decode(b"\0" + bits, 8).text == text


def test_a_damaged_iso_track_is_none_of_california(symbols: ModuleType) -> None:
    # Six bits a character, without parity: sentinels and LRC agree by chance.
    bits = symbols.encode("%B1372018793465693^DOE/OKBRPGRIEFOHR^29031019417883?", 7, 12, 12)
    found = [flip(bits, place) for place in range(12, len(bits) - 12)]
    chance = [one for one in found if compiled.decode(one, 6, False).text]
    assert chance
    assert not any(symbols.decode(one, 0, False).text for one in chance)


def test_short_tracks(symbols: ModuleType) -> None:
    for text in (";<99>?", ";12?", ";1?"):
        assert symbols.decode(symbols.encode(text, 5, 10, 10)).text == text
    assert symbols.decode(symbols.encode(";?", 5, 10, 10)).errors
    assert compiled.decode(compiled.encode(";?", 5, 10, 10)).errors == (track_pb2.TRACK_ERROR_EMPTY,)


@pytest.mark.parametrize("text", [";1234567890=?", ";12345678?", ";4111111111111111=2512101?"])
def test_every_single_flip_is_repaired(symbols: ModuleType, text: str) -> None:
    bits = symbols.encode(text, 5, 8, 8)
    for place in range(8, len(bits) - 8):
        read = symbols.decode(flip(bits, place), 5)
        position = (place - 8) // 5
        if not read.text:
            # A short track has no redundancy to spare for a sentinel.
            assert len(text) < 20
            continue
        assert read.text == text
        assert read.lrc == track_pb2.LRC_STATUS_REPAIRED
        assert read.repairs == ((position, (text + symbols.lrc(text, 5))[position], PARITY_AND_LRC, 1),)


def test_two_flips_are_never_read_as_another_text(symbols: ModuleType) -> None:
    text = ";4111111111111111=25121?"
    bits = symbols.encode(text, 5, 8, 8)
    generator = random.Random(7)
    for _ in range(60):
        places = generator.sample(range(8, len(bits) - 8), 2)
        assert symbols.decode(flip(bits, *places), 5).text in ("", text)


def test_no_repair_unless_asked(symbols: ModuleType) -> None:
    bits = flip(symbols.encode(";4111111111111111=2512101?", 5, 8, 8), 40)
    assert symbols.decode(bits, 5, repair=False).text == ""
    assert compiled.decode(bits, 5, repair=False).errors == (track_pb2.TRACK_ERROR_PARITY,)


@pytest.mark.parametrize(
    ("bits", "error"),
    [
        (b"", track_pb2.TRACK_ERROR_NO_ENCODING),
        (bytes(200), track_pb2.TRACK_ERROR_NO_ENCODING),
        (b"\1" * 200, track_pb2.TRACK_ERROR_NO_ENCODING),
        (b"\1\0\1", track_pb2.TRACK_ERROR_NO_START),
        (compiled.encode(";4111111111111111=2512101?", 5, 8)[:100], track_pb2.TRACK_ERROR_NO_END),
    ],
    ids=["nothing", "zeros", "ones", "short", "cut"],
)
def test_reasons(bits: bytes, error: int) -> None:
    assert compiled.decode(bits).errors == (error,)
    assert reference.decode(bits).errors


def test_wrong_lrc() -> None:
    bits = compiled.encode(";4111111111111111=2512101?", 5, 8, 8)
    read = compiled.decode(flip(bits, len(bits) - 13, len(bits) - 12), 5)
    assert (read.text, read.lrc, read.errors) == ("", track_pb2.LRC_STATUS_BAD, (track_pb2.TRACK_ERROR_LRC,))


def test_noise_around_a_track_is_passed_over(symbols: ModuleType) -> None:
    noise = bytes([1, 0, 1, 1, 0, 0, 1, 0, 0, 0])
    text = ";4111111111111111=2512101?"
    assert symbols.decode(noise + symbols.encode(text, 5, 10, 10) + noise).text == text


def test_look_alike_sentinels_in_data(symbols: ModuleType) -> None:
    text = ";1234;5678;90=;12?"
    assert symbols.decode(symbols.encode(text, 5, 4, 4)).text == text


def test_random_bits_are_refused() -> None:
    generator = random.Random(20)
    accepted = 0
    for _ in range(RANDOM_STRINGS):
        length = generator.choice((generator.randint(1, 64), generator.randint(1, 400)))
        bits = bytes(map(int, format(generator.getrandbits(length) | 1 << length, "b")[1:]))
        accepted += compiled.decode(bits).errors == ()
    assert accepted <= 1  # the bound is 8 in 2^20, and as many again for repairs


@settings(deadline=None, max_examples=150)
@given(
    st.binary(max_size=120).map(lambda data: bytes(byte & 1 for byte in data)),
    st.sampled_from([0, 5, 6, 7, 8]),
)
def test_both_agree_on_any_bits(bits: bytes, width: int) -> None:
    assert compiled.decode(bits, width).text == reference.decode(bits, width).text


@settings(deadline=None, max_examples=80)
@given(DIGITS, st.data(), st.integers(0, 6), st.integers(0, 6))
def test_both_agree_on_damaged_tracks(data: str, draw: st.DataObject, leading: int, trailing: int) -> None:
    bits = compiled.encode(f";{data}?", 5, leading, trailing)
    places = draw.draw(st.lists(st.integers(0, len(bits) - 1), max_size=3))
    bits = flip(bits, *places)[draw.draw(st.integers(0, 3)) :]
    one, other = compiled.decode(bits, 5), reference.decode(bits, 5)
    assert one.text == other.text
    assert (one.direction, one.inverted, one.repairs, one.lrc) == (
        other.direction,
        other.inverted,
        other.repairs,
        other.lrc if other.text else one.lrc,
    )
    assert (one.start_bit, one.end_bit) == (other.start_bit, other.end_bit)


def test_hostile_lengths() -> None:
    for data in (b"\xd4" * 1024, b"\xff" * 1024, compiled.pack(compiled.encode(";" * 1600 + "?", 5))):
        assert compiled.decode_packed(data).errors
    with pytest.raises(ValueError, match="at most 8192"):
        compiled.decode(bytes(8193))


def test_bad_arguments() -> None:
    for width in (-1, 4, 9):
        with pytest.raises(ValueError, match="bits_per_character"):
            compiled.decode(b"\0\1", width)
    with pytest.raises(ValueError, match="msb_first"):
        compiled.decode(b"\0\1", msb_first=True)
    with pytest.raises(ValueError, match="8-bit set"):
        compiled.encode("\x7f\x1b\x7f", 8)
    with pytest.raises(ValueError, match="bytes of 0 and 1"):
        compiled.decode(b"\0\2")
    with pytest.raises(ValueError, match="5-bit set"):
        compiled.encode(";A?", 5)
    with pytest.raises(ValueError, match="bit_count"):
        compiled.unpack(b"\0", 9)
    with pytest.raises(ValueError, match="negative"):
        compiled.encode(";1?", 5, -1)


@given(st.binary(max_size=64))
def test_packing(data: bytes) -> None:
    assert compiled.pack(compiled.unpack(data)) == data
    turned = bytes(int(format(byte, "08b")[::-1], 2) for byte in data)
    assert compiled.unpack(turned, lsb_first=True) == compiled.unpack(data)
    assert compiled.unpack(data[::-1], bytes_reversed=True) == compiled.unpack(data)
    assert compiled.unpack(data, lsb_first=True, bytes_reversed=True) == compiled.unpack(data)[::-1]


def test_repr_shows_no_track_data() -> None:
    read = compiled.decode(compiled.encode(";4111111111111111=2512101?", 5, 8, 8))
    assert "4111" not in repr(read)
