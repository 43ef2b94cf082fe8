"""Repair: erasures, other tracks, other passes; against the reference, and against the truth."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swipegate.core import repair, symbols, tracks
from swipegate.v1 import track_pb2 as v1
from tests.reference import repair as reference

PAN = "4111111111111111"
TRACK1 = tracks.encode_track1(PAN, "DOE/JANE", "2912", "101", "0000123")
TRACK2 = tracks.encode_track2(PAN, "2912", "101", "1000001230000")
TRACK3 = f";01{PAN}=724724100001234512030312340202000993012134567890987654==1=0000?"
ZEROS = 12
EVEN = 255  # a doubt: as likely wrong as right
TRIALS = 500


def bits_of(text: str) -> bytearray:
    return bytearray(symbols.encode(text, 7 if text.startswith("%") else 5, ZEROS, ZEROS))


def damage(text: str, characters: list[int], chance: random.Random, *, told: bool) -> tuple[bytes, bytes]:
    """Bits in which whole characters are noise, and their doubts, even where that is told."""
    bits = bits_of(text)
    doubts = bytearray(len(bits))
    width = 7 if text.startswith("%") else 5
    for character in characters:
        for place in range(ZEROS + character * width, ZEROS + (character + 1) * width):
            bits[place] = chance.randrange(2)
            doubts[place] = EVEN if told else 0
    return bytes(bits), bytes(doubts)


def flipped(text: str, places: list[int], doubtful: list[int]) -> tuple[bytes, bytes]:
    bits = bits_of(text)
    doubts = bytearray(len(bits))
    for place in places:
        bits[place] ^= 1
    for place in (*places, *doubtful):
        doubts[place] = EVEN
    return bytes(bits), bytes(doubts)


def other_card(chance: random.Random) -> str:
    number = "".join(str(chance.randrange(10)) for _ in range(16))
    return tracks.encode_track2(number, "2912", "101", f"{chance.randrange(10**10):010}")


def test_compiled_is_compiled() -> None:
    assert repair.__file__.endswith((".so", ".pyd"))


@pytest.mark.parametrize("text", [TRACK1, TRACK2])
def test_a_doubtful_bit_in_each_of_several_characters_is_set_right_by_parity(text: str) -> None:
    width = 7 if text.startswith("%") else 5
    places = [ZEROS + character * width + 1 for character in (2, 5, 9, 14, 20)]
    bits, doubts = flipped(text, places, [ZEROS + 30 * width])
    assert repair.decode(bits).text == ""
    read = repair.decode(bits, doubts)
    assert (read.text, read.lrc) == (text, v1.LRC_STATUS_REPAIRED)
    assert read.repairs == tuple(
        (position, text[position], v1.REPAIR_METHOD_PARITY_ERASURE, 1) for position in (2, 5, 9, 14, 20)
    )


def test_two_doubtful_bits_of_a_character_are_set_right_by_the_lrc() -> None:
    bits, doubts = flipped(TRACK2, [ZEROS + 50, ZEROS + 52], [])
    assert repair.decode(bits).text == ""
    read = repair.decode(bits, doubts)
    assert read.text == TRACK2
    assert read.repairs == ((10, TRACK2[10], v1.REPAIR_METHOD_LRC_ERASURE, 2),)


def test_a_bit_that_nothing_doubts_is_found_by_the_crossing() -> None:
    bits, _ = flipped(TRACK2, [ZEROS + 50], [])
    (found,) = repair.decode(bits).repairs
    assert found == (10, TRACK2[10], v1.REPAIR_METHOD_PARITY_AND_LRC, 1)


def test_a_correction_without_spare_redundancy_is_refused() -> None:
    # Two characters whose bits are all in doubt: the LRC tells their sum, and nothing which is which.
    chance = random.Random(3)
    bits, doubts = damage(TRACK2, [6, 9], chance, told=True)
    assert repair.decode(bits, doubts).text == ""


def test_corrections_are_bounded() -> None:
    places = [ZEROS + 5 * character for character in range(1, 10)]
    assert repair.decode(*flipped(TRACK2, places[:8], [])).text == TRACK2
    assert repair.decode(*flipped(TRACK2, places, [])).text == ""


@settings(deadline=None, max_examples=12)
@given(
    st.text("0123456789=", min_size=6, max_size=16),
    st.data(),
    st.booleans(),
    st.booleans(),
)
def test_both_agree_and_no_text_is_wrong(data: str, draw: st.DataObject, reverse: bool, invert: bool) -> None:
    text = f";{data}?"
    clean = symbols.encode(text, 5, 5, 5)
    places = draw.draw(st.lists(st.integers(5, len(clean) - 6), max_size=3, unique=True))
    doubtful = draw.draw(st.lists(st.integers(0, len(clean) - 1), max_size=3))
    bits, doubts = bytearray(clean), bytearray(len(clean))
    for place in places:
        bits[place] ^= 1
    for place in (*places, *doubtful):
        doubts[place] = EVEN
    if invert:
        bits = bytearray(1 - bit for bit in bits)
    if reverse:
        bits.reverse()
        doubts.reverse()
    one = repair.decode(bits, doubts, 5)
    assert one.text in ("", text)
    if symbols.decode(bits, 5, repair=False).errors:
        other = reference.repaired(bytes(bits), bytes(doubts), 5)
        assert (one.text, one.repairs, one.lrc_character) == (other.text, other.repairs, other.lrc_character)
        assert (one.start_bit, one.end_bit, one.direction) == (
            other.start_bit,
            other.end_bit,
            other.direction,
        )


def test_noise_that_is_told_is_hardly_ever_read_as_another_text() -> None:
    chance = random.Random(5)
    false = 0
    for _ in range(TRIALS):
        text = chance.choice((TRACK1, TRACK2, other_card(chance)))
        characters = chance.sample(range(len(text) + 1), chance.randint(1, 4))
        read = repair.decode(*damage(text, characters, chance, told=True))
        false += read.text not in ("", text)
    assert false <= TRIALS // 1000


def test_wrong_bits_that_nothing_tells_are_hardly_ever_read_as_another_text() -> None:
    chance = random.Random(7)
    false = 0
    for _ in range(TRIALS):
        text = chance.choice((TRACK1, TRACK2, other_card(chance)))
        bits = bytes(bit ^ (chance.random() < 1 / 256) for bit in bits_of(text))
        false += repair.decode(bits).text not in ("", text)
    assert false <= 4 * TRIALS // 1000  # four times as many wrong bits as the model allows for


def test_a_slip_is_never_read_as_another_text() -> None:
    chance = random.Random(6)
    for _ in range(TRIALS):
        text = chance.choice((TRACK1, TRACK2))
        bits = bits_of(text)
        place = chance.randrange(ZEROS, len(bits) - ZEROS)
        if chance.randrange(2):
            del bits[place]
        else:
            bits.insert(place, chance.randrange(2))
        assert repair.decode(bits).text in ("", text)


@pytest.mark.parametrize(("text", "number"), [(TRACK1, 1), (TRACK2, 2), (TRACK3, 3)])
def test_a_track_is_filled_from_another(text: str, number: int) -> None:
    first = {1: 2, 2: 1, 3: 3}[number]
    bits, doubts = damage(text, [first + 3, first + 4, first + 9], random.Random(1), told=True)
    assert repair.decode(bits, doubts).text == ""
    read = repair.decode_beside(bits, number, pan=PAN, expiry="2912", service_code="101", doubts=doubts)
    assert read.text == text
    assert {method for _, _, method, _ in read.repairs} == {v1.REPAIR_METHOD_OTHER_TRACK}


def test_a_track_that_says_something_else_is_not_filled() -> None:
    chance = random.Random(2)
    bits, doubts = damage(TRACK2, [4, 5, 10], chance, told=True)
    assert repair.decode_beside(bits, 2, pan="4012888888881881", doubts=doubts).text == ""
    false = 0
    for _ in range(TRIALS):
        other = other_card(chance)
        bits, doubts = damage(other, chance.sample(range(1, 27), 4), chance, told=True)
        wrong = list(other[1:17])
        wrong[chance.randrange(16)] = str(
            chance.randrange(10)
        )  # a card that differs in one digit, or is the same
        read = repair.decode_beside(bits, 2, pan="".join(wrong), doubts=doubts)
        false += read.text not in ("", other)
    assert false <= TRIALS // 1000


def test_passes_of_one_card_vote() -> None:
    chance = random.Random(4)
    passes = [damage(TRACK2, where, chance, told=True) for where in ([3, 4, 5], [11, 12, 20], [7, 25, 30])]
    assert not any(repair.decode(*one).text for one in passes)
    read = repair.decode_passes([bits for bits, _ in passes], [doubts for _, doubts in passes])
    assert (read.text, read.lrc) == (TRACK2, v1.LRC_STATUS_REPAIRED)
    assert {method for _, _, method, _ in read.repairs} == {v1.REPAIR_METHOD_OTHER_PASS}


def test_a_pass_that_reads_stands_as_it_is() -> None:
    bits, _ = damage(TRACK2, [3, 4, 5], random.Random(4), told=True)
    read = repair.decode_passes([bits, bytes(bits_of(TRACK2))])
    assert (read.text, read.repairs) == (TRACK2, ())


@pytest.mark.parametrize("near", [False, True], ids=["random cards", "cards of one batch"])
def test_passes_of_different_cards_are_never_mixed(near: bool) -> None:
    chance = random.Random(8)
    false = 0
    for _ in range(TRIALS):
        one = other_card(chance)
        other = other_card(chance)
        if near:  # the same but for two digits, as numbers of one batch with their check digit
            changed = list(one)
            for place in chance.sample(range(1, 17), 2):
                changed[place] = str(chance.randrange(10))
            other = "".join(changed)
        seen = [damage(text, chance.sample(range(28), 4), chance, told=True) for text in (one, other)]
        read = repair.decode_passes([bits for bits, _ in seen], [doubts for _, doubts in seen])
        false += read.text not in ("", one, other)
    assert false <= TRIALS // 1000


def test_hostile_strings_are_bounded() -> None:
    for bits in (bytes(8192), b"\1" * 8192, b"\0\1" * 4096, symbols.encode(";" * 1600 + "?", 5)):
        doubts = bytes([EVEN]) * len(bits)
        assert repair.decode(bits, doubts).text == ""
        assert repair.decode_passes([bits] * 8, [doubts] * 8).text == ""


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="doubts"):
        repair.decode(b"\0\1", b"\0")
    with pytest.raises(ValueError, match="error_rate"):
        repair.decode(b"\0\1", error_rate=0.5)
    with pytest.raises(ValueError, match="noise_rate"):
        repair.decode(b"\0\1", noise_rate=0.0)
    with pytest.raises(ValueError, match="digits"):
        repair.decode_beside(b"\0\1", 2, pan="4x")
    with pytest.raises(ValueError, match="19 digits"):
        repair.decode_beside(b"\0\1", 2, pan="1" * 20)
    with pytest.raises(ValueError, match="number"):
        repair.decode_beside(b"\0\1", 4, pan="1")
    with pytest.raises(ValueError, match="passes"):
        repair.decode_passes([])
