"""The codings as people see them are those of the compiled tables."""

import pytest

from swipegate.core import symbols
from swipegate.core.codings import BY_NAME, CODINGS, Coding
from swipegate.v1 import track_pb2 as pb


def data_of(coding: Coding) -> str:
    """Every character that a track of the coding can hold between its sentinels."""
    if coding.bits == 8:
        return "\x0e\x0f" + "".join(map(chr, range(0x20, 0x7F)))
    characters = [chr(ord(coding.first) + value) for value in range(1 << coding.data_bits)]
    return "".join(one for one in characters if one not in coding.start + coding.end)


@pytest.mark.parametrize("number", CODINGS, ids=lambda number: CODINGS[number].name)
def test_bits_are_those_of_the_symbol_stage(number: pb.CharacterCoding) -> None:
    coding = CODINGS[number]
    text = coding.start + data_of(coding) + coding.end
    bits = symbols.encode(text, coding.bits, 20, 20, msb_first=coding.msb_first)
    read = symbols.decode(bits, coding.bits, msb_first=coding.msb_first)
    assert (read.text, read.coding) == (text, number)
    for place, character in enumerate(text):
        code = sum(bit << k for k, bit in enumerate(bits[20 + place * coding.bits :][: coding.bits]))
        assert (coding.code(character), coding.character(code)) == (code, character)
        assert coding.parity_ok(code)
        assert coding.parity is None or not coding.parity_ok(code ^ 1)


def test_names_are_those_of_the_proto() -> None:
    assert list(BY_NAME) == [
        *("iso-5", "iso-7", "california-6", "jis-8"),
        *("iso-5-msb-first", "iso-7-msb-first", "california-6-msb-first", "jis-8-msb-first"),
    ]
    assert [BY_NAME[one.name] for one in CODINGS.values()] == list(CODINGS)
