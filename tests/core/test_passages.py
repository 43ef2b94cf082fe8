"""How far a track was read, on recordings, on damaged bits, and on what is no track."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swipegate.core import passages, symbols
from swipegate.core.codings import CODINGS
from swipegate.core.passages import Cells, Reading
from swipegate.core.recordings import RawTrack, read_recording
from swipegate.v1 import track_pb2 as pb

RECORDINGS = Path(__file__).parent.parent / "recordings"
TRACK2 = ";4111111111111111=30121010000012300000?"
TRACK1 = "%B4111111111111111^DOE/JANE Q.DR^3012101100000000001230000000000?"
REVERSE = 2


def reading_of(bits: bytes, coding: pb.CharacterCoding = pb.CHARACTER_CODING_UNSPECIFIED) -> Reading:
    (passage,) = passages.passages(RawTrack(bits=bits, coding=coding))
    (reading,) = passage.readings
    return reading


@pytest.mark.parametrize(
    "row", json.loads((RECORDINGS / "expected.json").read_text()), ids=lambda row: row["file"]
)
def test_a_recording_has_its_characters_in_their_places(row: dict[str, str]) -> None:
    (swipe,) = read_recording(RECORDINGS / row["file"])
    (passage,) = passages.passages(swipe.tracks[0])
    reading = passage.best(row["expected"])
    assert (reading.text, reading.wrong, reading.lrc_ok) == (row["expected"], (), True)
    assert (reading.direction == REVERSE) == row["reverse_swipe"]
    times = reading.cells.times
    assert times is not None
    assert len(times) == len(reading.cells.bits) + 1
    assert list(times) == sorted(times)
    firsts = [one.first for one in reading.characters]
    steps = {after - before for before, after in pairwise(firsts)}
    width = reading.bits_per_character
    assert steps == {-width if reading.direction == REVERSE else width}
    # F2F: every cell has one transition, a one has a second
    inside = [one for one, _ in passages.transitions(swipe.tracks[0]) if times[0] <= one <= times[-1]]
    assert len(inside) == len(reading.cells.bits) + sum(reading.cells.bits) + 1


@pytest.mark.parametrize("text", [TRACK1, TRACK2])
@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_wrong_characters_are_found_where_they_are(text: str, inverted: bool, reverse: bool) -> None:
    width = 5 if text == TRACK2 else 7
    bits = bytearray(symbols.encode(text, width, 20, 20))
    wrong = (3, 9, 20)
    for place in wrong:
        bits[20 + place * width + 1] ^= 1
    sent = bytes(bit ^ inverted for bit in (reversed(bits) if reverse else bits))
    reading = reading_of(sent)
    assert (reading.wrong, len(reading.characters), reading.ended) == (wrong, len(text) + 1, True)
    assert (reading.inverted, reading.direction == REVERSE) == (inverted, reverse)
    assert reading.lrc_ok is False
    right = [place for place in range(len(text)) if place not in wrong]
    assert [reading.text[place] for place in right] == [text[place] for place in right]


@pytest.mark.parametrize(("change", "count"), [(-1, 4), (1, 6)])
def test_a_lost_or_an_added_bit_is_found_and_the_rest_is_read(change: int, count: int) -> None:
    text = ";98949188=1234567890=55?"
    bits = bytearray(symbols.encode(text, 5, 20, 20))
    place = 20 + 10 * 5 + 2  # in character 10
    if change < 0:
        del bits[place]
    else:
        bits.insert(place, 1)
    reading = reading_of(bytes(bits))
    ((slip, length),) = [(at, one.count) for at, one in enumerate(reading.characters) if not one.text]
    assert length == count
    assert slip in (10, 11)  # by chance the character after it has right parity too
    assert reading.text[:10] + reading.text[slip + 1 :] == text[:10] + text[slip + 1 :]
    assert (reading.ended, reading.lrc_ok) == (True, None)


def test_clocking_zeros_are_no_characters_in_any_polarity() -> None:
    bits = bytearray(symbols.encode(";98949188=12345?", 5, 30, 150))
    bits[30 + 2 * 5] ^= 1
    bits[30 + 5 * 5] ^= 1
    reading = reading_of(bytes(bits))
    assert (reading.wrong, len(reading.characters), reading.inverted) == ((2, 5), 17, False)


def test_a_track_cut_off_is_read_to_where_it_ends() -> None:
    reading = reading_of(symbols.encode(TRACK2, 5, 20)[: 20 + 5 * 25])
    assert (reading.text, reading.ended) == (TRACK2[:25], False)


JIS = "\x7fA0123456789 TARO\x7f"
CALIFORNIA = "%C" + "DOE$JANE".ljust(58) + "1 MAIN ST".ljust(29) + "DAVIS".ljust(13) + "?"


@pytest.mark.parametrize("number", CODINGS, ids=lambda number: CODINGS[number].name)
@pytest.mark.parametrize("reverse", [False, True])
def test_every_coding_has_its_characters(number: pb.CharacterCoding, reverse: bool) -> None:
    coding = CODINGS[number]
    text = {5: TRACK2, 6: CALIFORNIA, 7: TRACK1, 8: JIS}[coding.bits]
    bits = symbols.encode(text, coding.bits, 20, 20, reverse, msb_first=coding.msb_first)
    reading = reading_of(bits, number)
    assert (reading.text, reading.wrong, reading.lrc_ok, reading.coding) == (text, (), True, coding)
    if not coding.msb_first and (coding.parity is not None or not reverse):
        assert reading_of(bits).characters == reading.characters


@pytest.mark.parametrize("reverse", [False, True])
def test_a_wrong_character_of_a_rare_coding_is_found_where_it_is_named(reverse: bool) -> None:
    bits = bytearray(symbols.encode(JIS, 8, 20, 20))
    for place in (3, 5, 9):
        bits[20 + 8 * place + 1] ^= 1
    sent = bytes(reversed(bits) if reverse else bits)
    reading = reading_of(sent, pb.CHARACTER_CODING_JIS_8_BIT)
    assert (reading.wrong, len(reading.characters), reading.ended) == ((3, 5, 9), len(JIS) + 1, True)
    assert reading_of(sent).characters == ()


def test_without_parity_only_the_lrc_tells() -> None:
    bits = bytearray(symbols.encode(CALIFORNIA, 6, 20, 20))
    bits[20 + 6 * 9 + 1] ^= 1
    reading = reading_of(bytes(bits), pb.CHARACTER_CODING_CALIFORNIA_6_BIT)
    assert (reading.wrong, reading.ended, reading.lrc_ok) == ((), True, False)
    assert [
        at for at, (one, sent) in enumerate(zip(reading.text, CALIFORNIA, strict=True)) if one != sent
    ] == [9]
    cut = reading_of(bytes(bits[: 20 + 6 * 61]), pb.CHARACTER_CODING_CALIFORNIA_6_BIT)
    assert (cut.text, cut.ended) == (reading.text[:61], False)


@pytest.mark.parametrize("coding", [0, *CODINGS])
@pytest.mark.parametrize("bits", [b"", b"\0" * 400, b"\1" * 400, b"\0\1" * 200])
def test_what_is_no_track_has_no_characters(bits: bytes, coding: pb.CharacterCoding) -> None:
    assert reading_of(bits, coding).characters == ()


def test_a_text_has_no_passage() -> None:
    assert passages.passages(RawTrack(text=TRACK2)) == []
    assert passages.transitions(RawTrack(text=TRACK2)) == []


@given(st.lists(st.integers(0, 1), max_size=400).map(bytes), st.booleans())
def test_any_bits_give_characters_inside_of_them(bits: bytes, with_a_track: bool) -> None:
    if with_a_track:
        bits = bits[:100] + symbols.encode(";98949188?", 5) + bits[100:]
    reading = passages.reading_of(Cells(bits))
    spans = sorted((one.first, one.first + one.count) for one in reading.characters)
    assert all(0 <= first <= last <= len(bits) for first, last in spans)
    assert all(before[1] == after[0] for before, after in pairwise(spans))
    assert len(reading.text) == len(reading.characters) - reading.ended


def test_the_repr_shows_no_data() -> None:
    assert "4111" not in repr(reading_of(symbols.encode(TRACK2, 5, 20, 20)))
