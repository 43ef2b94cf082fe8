"""Card formats proposed from samples."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swipegate.core import Sample, compile_formats, decode, suggest_formats, tracks
from swipegate.v1 import card_format_pb2 as pb


def samples(*rows: tuple[str, ...]) -> list[Sample]:
    """Rows of text, number and, where it is known, facility code."""
    return [Sample(decode(text), *numbers) for text, *numbers in rows]


def first(*rows: tuple[str, ...]) -> pb.CardFormatSuggestion:
    return suggest_formats(samples(*rows)).suggestions[0]


def names(answer: pb.SuggestCardFormatsResponse) -> list[str]:
    return [one.card_format.name for one in answer.suggestions]


def h10301(facility: int, number: int) -> int:
    bits = f"{facility:08b}{number:016b}"
    return int(f"{bits[:12].count('1') % 2}{bits}{1 - bits[12:].count('1') % 2}", 2)


def test_places_that_fill_the_track_come_first() -> None:
    found = first(
        (";0012304567?", "4567", "123"), (";0012300089?", "89", "123"), (";0012301230?", "1230", "123")
    )
    number, facility = found.card_format.card_number, found.card_format.facility_code
    assert (number.position, number.length, number.drop_leading_zeros) == (6, 5, True)
    assert (facility.position, facility.length, facility.drop_leading_zeros) == (1, 5, True)
    assert (found.card_format.min_length, found.card_format.max_length) == (10, 10)
    assert "zeros at the front dropped" in found.reading


def test_a_built_in_format_is_named() -> None:
    rows = [
        (f";{facility:05}{number:05}?", f"{number:05}", f"{facility:05}")
        for facility, number in ((12, 345), (12, 9999), (13, 2))
    ]
    answer = suggest_formats(samples(*rows))
    assert "farpointe-pyramid" in names(answer)
    assert answer.distinct_numbers == 3
    stanley = first((";1576=3492657182=0=060113?", "3492657182", "1576"))
    assert (stanley.card_format.name, stanley.card_format.built_in) == ("stanley-field", True)


def test_words_in_decimal_and_octal() -> None:
    cards = ((123, 12345), (123, 12346), (124, 501))
    decimal = [(f";{h10301(*card)}?", str(card[1]), str(card[0])) for card in cards]
    octal = [(f";{h10301(*card):09o}?", str(card[1]), str(card[0])) for card in cards]
    assert first(*decimal).card_format.name == "wiegand-26"
    assert first(*octal).card_format.name == "wiegand-26-octal"
    # a word that no built-in format knows: 34 bits, facility 16, number 16, a bit on each side
    unknown = [
        (f";{facility << 17 | number << 1 | 1:010}?", str(number), str(facility))
        for facility, number in ((40000, 50001), (40001, 60002), (40001, 33333))
    ]
    found = first(*unknown)
    assert found.card_format.word.bit_count == 34
    assert (found.card_format.card_number.bits.first, found.card_format.card_number.bits.last) == (18, 33)
    assert (found.card_format.facility_code.bits.first, found.card_format.facility_code.bits.last) == (2, 17)
    assert "bits 18 to 33 of the 34-bit word" in found.reading


def test_what_no_card_varies_is_fixed_and_said() -> None:
    rows = [
        (f";1571={number}=00=6017700001234567?", str(number)) for number in (901031337, 812345678, 777000123)
    ]
    found = first(*rows)
    assert [(one.part.field, one.text) for one in found.card_format.fixed_parts][:1] == [
        (4, "6017700001234567")
    ]
    assert found.card_format.field_count == 4
    assert any("the same on every card" in assumption for assumption in found.assumptions)
    loose = suggest_formats(samples(*rows)).suggestions
    assert any(not one.card_format.fixed_parts and not one.card_format.built_in for one in loose)
    assert not any(
        one.card_format.fixed_parts and not one.card_format.built_in
        for one in suggest_formats(samples(*rows[:2])).suggestions
    )


def test_check_digits_that_all_numbers_have() -> None:
    numbers = ["6017700012345676", "6017700012399994", "6017700087654326"]
    luhn = ["".join(next(n[:-1] + d for d in "0123456789" if tracks.luhn_ok(n[:-1] + d))) for n in numbers]
    found = first(*[(f";0{number}9?", number) for number in luhn])
    assert found.card_format.check_digit == pb.CHECK_DIGIT_LUHN
    assert "the card number ends in a check digit (luhn)" in found.assumptions


def test_letters_and_another_track() -> None:
    found = first(("%HALL^AB123?", "AB123"), ("%HALL^CD987?", "CD987"), ("%HALL^EF456?", "EF456"))
    assert (found.card_format.track, found.card_format.card_number.field) == (1, 2)
    assert found.card_format.card_number.characters == pb.CHARACTER_SET_DIGITS_AND_LETTERS


def test_facility_code_on_another_track() -> None:
    found = first(("%7711?;0012345?", "12345", "7711"), ("%7712?;0054321?", "54321", "7712"))
    assert (found.card_format.track, found.card_format.facility_code.track) == (2, 1)


def test_one_card_is_not_enough() -> None:
    answer = suggest_formats(samples((";12341234?", "1234")))
    assert answer.needs_more_samples
    assert len(answer.suggestions) > 1
    sure = suggest_formats(
        samples(*[(f";{n}=2912?", str(n)) for n in (8812345671, 9923456782, 7734567893, 6645678904)])
    )
    assert not sure.needs_more_samples


def test_nothing_explains_them() -> None:
    answer = suggest_formats(samples((";1111?", "98765"), (";2222?", "56789")))
    assert not answer.suggestions
    assert not answer.needs_more_samples


@pytest.mark.parametrize(
    ("rows", "field"),
    [
        ([], "samples"),
        ([(";1?", "1")] * 65, "samples"),
        ([(";1?", "")], "samples[0].card_number"),
        ([(";1?", "1"), (";1?", "1" * 21)], "samples[1].card_number"),
        ([(";1?", "1-2")], "samples[0].card_number"),
        ([(";1?", "1", "1"), (";1?", "1")], "samples[1].facility_code"),
        ([(";1?", "1", "x")], "samples[0].facility_code"),
    ],
)
def test_bad_samples_are_named(rows: list[Any], field: str) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        suggest_formats(samples(*rows))
    assert str(caught.value).startswith(field + ":")


def test_long_and_hostile_texts_are_bounded() -> None:
    for text in (";" + "0" * 1022 + "?", ";" + "=" * 1022 + "?", "%" + "1" * 1022 + "?"):
        suggest_formats(samples(*[(text, "0" * 20)] * 64))
        suggest_formats(samples(*[(text, "1", "1")] * 64))
    for data in ("0" * 107, "=" * 107, "01" * 53):
        for number in ("0", "1", "10101010101010101010"):
            suggest_formats(samples(*[(f"+{data}?", number, number[:1])] * 64))


@settings(max_examples=40)
@given(
    st.integers(1, 6),
    st.integers(1, 6),
    st.booleans(),
    st.lists(st.tuples(st.integers(0), st.integers(0)), min_size=1, max_size=4),
    st.booleans(),
)
def test_proposals_give_the_numbers(
    width: int, other: int, field: bool, cards: list[tuple[int, int]], zeros: bool
) -> None:
    rows = []
    for facility, number in cards:
        code, digits = f"{facility % 10**other:0{other}}", f"{number % 10**width:0{width}}"
        mark = "=" if field else ""
        rows.append((f";{code}{mark}{digits}?", digits if zeros else str(int(digits)), code))
    given = samples(*rows)
    answer = suggest_formats(given)
    assert answer.suggestions
    for one in answer.suggestions:
        compiled = compile_formats([one.card_format])
        for sample in given:
            (verdict,) = compiled.explain(sample.swipe, True)
            assert verdict.card_number.card_number == sample.card_number
            assert verdict.card_number.facility_code == sample.facility_code
    order = [one.evidence for one in answer.suggestions]
    assert order == sorted(order, reverse=True)
