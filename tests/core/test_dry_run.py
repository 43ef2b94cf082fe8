"""Reasons for which a card format does not fit, from the compiled matcher."""

from typing import Any

import pytest

from swipegate.core import BUILTIN_FORMATS, DEFAULT_FORMATS, decode, symbols, try_formats
from swipegate.core.dry_run import place_of
from swipegate.v1 import card_format_pb2 as pb
from swipegate.v1.track_pb2 import TRACK_ALLOWANCE_UNPROVED_REPAIR, BitString, RawTrack, Swipe

REASONS = pb.CardFormatMismatchReason
BIT = {"bits": {"first": 1, "last": 1}}


def verdict(text: str, reveal: bool = False, **fields: Any) -> pb.CardFormatVerdict:
    card_format = pb.CardFormat(**({"name": "any", "track": 2, "card_number": {"field": 1}} | fields))
    (one,) = try_formats(decode(text), [card_format], reveal=reveal)
    return one


@pytest.mark.parametrize(
    ("text", "fields", "reason", "path", "sentence"),
    [
        ("%ABC?", {}, "TRACK_MISSING", "track", "track 2 is not there"),
        (";12?0", {}, "TRACK_UNREAD", "track", "track 2 was not read without doubt, or is empty"),
        (
            ";4111111111111111=29121010000012300000?",
            {"min_length": 24, "max_length": 24},
            "LENGTH",
            "min_length",
            "track 2 has 37 characters between the sentinels, the format wants 24",
        ),
        (
            ";1?",
            {"min_length": 2},
            "LENGTH",
            "min_length",
            "track 2 has 1 character between the sentinels, the format wants at least 2",
        ),
        (
            ";1=2?",
            {"field_count": 3},
            "FIELD_COUNT",
            "field_count",
            "track 2 has 2 fields, the format wants 3",
        ),
        (
            ";1=2?",
            {"card_number": {"field": 3}},
            "FIELD_MISSING",
            "card_number",
            "the card number (field 3 of track 2): track 2 has 2 fields, no field 3",
        ),
        (
            ";1=2?",
            {"facility_code": {"field": 2, "length": 4}},
            "PART_MISSING",
            "facility_code",
            "the facility code (characters 1 to 4 of field 2 of track 2): there is 1 character, the format wants at "
            "least 4",
        ),
        (
            ";12:4?",
            {},
            "CHARACTER",
            "card_number",
            "the card number (field 1 of track 2): character 3 is no digit",
        ),
        (
            ";123?",
            {"card_number": {"min_length": 4, "max_length": 5}},
            "PART_LENGTH",
            "card_number",
            "the card number (track 2) has 3 characters, the format wants 4 to 5",
        ),
        (
            ";123?",
            {"fixed_parts": [{"part": {"length": 1}, "text": "1"}, {"part": {}, "text": "1570"}]},
            "TEXT",
            "fixed_parts[1]",
            'fixed part 2 (track 2) is not "1570"',
        ),
        (
            ";123?",
            {"conditions": [{"part": {"length": 1}, "one_of": {"texts": ["2", "3"]}}]},
            "TEXT",
            "conditions[0]",
            'condition 1 (character 1 of track 2) is not "2" or "3"',
        ),
        (
            ";123?",
            {"conditions": [{"part": {"length": 1}, "differs": "1"}]},
            "TEXT_EXCLUDED",
            "conditions[0]",
            'condition 1 (character 1 of track 2) is "1", which the format excludes',
        ),
        (
            ";123?",
            {"conditions": [{"part": {"length": 1, "from_end": True}, "range": {"low": 4, "high": 6}}]},
            "RANGE",
            "conditions[0]",
            "condition 1 (1 character up to the end of track 2) is no number from 4 to 6",
        ),
        (";123?", {"check_digit": 1}, "CHECK_DIGIT", "check_digit", "the check digit (luhn) is wrong"),
        (
            ";123?",
            {"checks": [{"scheme": 2, "weights": [1]}]},
            "CHECK_DIGIT",
            "checks[0]",
            "the check digit (weighted mod10) is wrong",
        ),
        (
            ";256?",
            {"word": {"part": {}, "bit_count": 8}, "card_number": BIT},
            "WORD",
            "word",
            "the word is a number of more than 8 bits",
        ),
        (
            ";1?",
            {
                "card_number": BIT,
                "word": {
                    "part": {},
                    "bit_count": 8,
                    "parities": [{"bit": 1, "covered": [{"first": 2, "last": 8}]}],
                },
            },
            "PARITY",
            "word.parities[0]",
            "parity bit 1 of the word is wrong",
        ),
        (
            ";9923?",
            {"card_number": {"letter_first": True}},
            "LETTER",
            "card_number",
            "the card number (track 2): the first two digits stand for no letter, 01 to 26",
        ),
        (
            ";123?",
            {"conditions": [{"standard": 2}]},
            "STANDARD",
            "conditions[0]",
            "track 2 does not have the fields of ISO/IEC 7813 track 2",
        ),
        (
            "%ABC?;123?",
            {"conditions": [{"track_absent": 1}]},
            "TRACK_PRESENT",
            "conditions[0]",
            "track 1 is there, the format wants it absent",
        ),
        (";123?", {"facility_code": {"track": 3}}, "TRACK_MISSING", "facility_code", "track 3 is not there"),
    ],
)
def test_reasons(text: str, fields: dict[str, Any], reason: str, path: str, sentence: str) -> None:
    found = verdict(text, **fields)
    assert not found.fits
    assert REASONS.Name(found.mismatch.reason) == f"CARD_FORMAT_MISMATCH_REASON_{reason}"
    assert (found.mismatch.path, found.mismatch.description) == (path, sentence)
    assert found.mismatch.text == ""


def test_numbers_of_a_reason() -> None:
    found = verdict(";12345?", min_length=6, max_length=8).mismatch
    assert (found.track, found.found, found.low, found.high) == (2, 5, 6, 8)


def test_track_data_only_when_asked() -> None:
    fixed = [{"part": {"field": 2, "length": 2}, "text": "15"}]
    hidden, shown = (verdict(";12345=999?", reveal, fixed_parts=fixed) for reveal in (False, True))
    assert (hidden.mismatch.text, shown.mismatch.text) == ("", "99")
    hidden, shown = (verdict(";12345=999?", reveal) for reveal in (False, True))
    assert (hidden.HasField("card_number"), shown.card_number.card_number) == (False, "12345")
    assert hidden.fits


def test_the_first_that_fits_over_all_groups() -> None:
    swipe = decode(";0012304567?")
    draft = pb.CardFormat(name="digits", track=2, card_number={"length": 10})
    found = try_formats(swipe, [draft], BUILTIN_FORMATS)
    assert [one.name for one in found if one.first] == ["digits"]
    assert [one.first for one in found].count(True) == 1
    assert {"digits", "digits-10", "farpointe-pyramid"} <= {one.name for one in found if one.fits}
    assert len(found) == len(BUILTIN_FORMATS) + 1


def test_the_track_that_comes_furthest_gives_the_reason() -> None:
    short, long = RawTrack(number=2, text=b";12?"), RawTrack(number=2, text=b";4111111111111112?")
    card_format = pb.CardFormat(name="any", track=2, card_number={}, min_length=3, check_digit=1)
    for tracks in ((short, long), (long, short)):
        (found,) = try_formats(decode(Swipe(tracks=tracks)), [card_format])
        assert found.mismatch.reason == REASONS.CARD_FORMAT_MISMATCH_REASON_CHECK_DIGIT
    (found,) = try_formats(decode(Swipe(tracks=[short, short])), [card_format])
    assert found.mismatch.found == 2


def test_a_repair_that_is_not_proved_fits_no_format() -> None:
    bits = bytearray(symbols.encode(";4111111111111111=29121010000012300000?", 5, 9, 9))
    bits[9 + 10 * 5] ^= 1
    packed = BitString(data=symbols.pack(bits), bit_count=len(bits))
    swipe = decode(Swipe(tracks=[RawTrack(number=2, bits=packed)]))
    assert list(swipe.tracks[0].allowances) == [TRACK_ALLOWANCE_UNPROVED_REPAIR]
    assert not swipe.HasField("card_number")
    assert not any(one.fits for one in try_formats(swipe, [], BUILTIN_FORMATS))


def test_only_default_formats_fit_unasked() -> None:
    for text in ("%B4111111111111111^DOE/J^2512101?", ";1576=3492657182=0=060113?"):
        fits = [one.name for one in try_formats(decode(text), BUILTIN_FORMATS) if one.fits]
        assert len(fits) == 1
        assert fits[0] in [one.name for one in DEFAULT_FORMATS]


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({}, "track 2"),
        ({"position": 3}, "track 2 from character 3"),
        ({"field": 1, "length": 1}, "character 1 of field 1 of track 2"),
        (
            {"length": 3, "position": 2, "from_end": True},
            "3 characters up to character 2 from the end of track 2",
        ),
    ],
)
def test_places_in_words(part: dict[str, Any], words: str) -> None:
    assert place_of(pb.CardFormatPart(**part), 2) == words
