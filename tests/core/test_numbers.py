"""Card formats, on both implementations."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swipegate.core import BUILTIN_FORMATS, DEFAULT_FORMATS, compile_formats, tracks
from swipegate.v1.card_format_pb2 import CardFormat, CardFormatFixedPart, CardFormatPart
from swipegate.v1.track_pb2 import CardNumber
from tests.reference import numbers as reference
from tests.reference import tracks as reference_tracks


def reference_match(formats: tuple[CardFormat, ...], text: str) -> CardNumber | None:
    found = []
    for parsed in tracks.split(text):
        track = reference_tracks.parse_piece(parsed.text, parsed.number)
        track.error_set |= set(parsed.errors)
        found.append(track)
    return reference.match(formats, found)


def compiled_match(formats: tuple[CardFormat, ...], text: str) -> CardNumber | None:
    return compile_formats(formats).match(text)


@pytest.fixture(params=[reference_match, compiled_match], ids=["reference", "compiled"])
def match(request: pytest.FixtureRequest) -> Any:
    return request.param


def named(*names: str) -> tuple[CardFormat, ...]:
    return tuple(card_format for name in names for card_format in BUILTIN_FORMATS if card_format.name == name)


PAYMENT = "%B4111111111111111^DOE/JANE^2512101?;4111111111111111=2512101?"


@pytest.mark.parametrize(
    ("text", "formats", "expected"),
    [
        (PAYMENT, DEFAULT_FORMATS, ("iso7813-track2", "4111111111111111", "", "", "2512", 2)),
        (
            "%B3782 822463 10005^D/J^2512101?",
            DEFAULT_FORMATS,
            ("iso7813-track1", "378282246310005", "", "", "2512", 1),
        ),
        (
            "4111111111111111D25121010000F",
            DEFAULT_FORMATS,
            ("iso7813-track2", "4111111111111111", "", "", "2512", 2),
        ),
        (
            ";1576=3492657182=0=060113?",
            DEFAULT_FORMATS,
            ("stanley-field", "3492657182", "1576", "0", "060113", 2),
        ),
        (
            ";1570=901031337=00=6017700001234567?",
            DEFAULT_FORMATS,
            ("buzzcard", "901031337", "1570", "00", "", 2),
        ),
        (
            ";157634926571820060113?",
            named("stanley-character"),
            ("stanley-character", "3492657182", "1576", "0", "060113", 2),
        ),
        (";0012304567?", named("farpointe-pyramid"), ("farpointe-pyramid", "04567", "00123", "", "", 2)),
        (";98949188?", named("paxton-net2"), ("paxton-net2", "98949188", "", "", "", 2)),
        (";0004048712?", named("digits-10", "digits"), ("digits-10", "0004048712", "", "", "", 2)),
    ],
)
def test_builtin_formats(
    match: Any, text: str, formats: tuple[CardFormat, ...], expected: tuple[Any, ...]
) -> None:
    found = match(formats, text)
    assert found == CardNumber(
        card_format=expected[0],
        card_number=expected[1],
        facility_code=expected[2],
        issue_code=expected[3],
        expiry=expected[4],
        track=expected[5],
    )


def test_expiry_behind_blanks(match: Any) -> None:
    found = match(DEFAULT_FORMATS, "%B4111111111111111^DOE/J^ 2512101?")
    assert found.expiry == "2512"


def test_missing_expiry(match: Any) -> None:
    for text in (";4111111111111111==101123?", "%B4111111111111111^DOE/J^^101123?", ";4111111111111111=?"):
        found = match(DEFAULT_FORMATS, text)
        assert (found.card_number, found.expiry) == ("4111111111111111", "")


@pytest.mark.parametrize(
    "text",
    [
        "%B4111111111111111^DOE/J^P 1501M?",  # no date where one must be
        ";4111111111111112=2512101?",  # Luhn
        ";00000000==201100100900083753?",  # eight digits are no payment card
        ";0004048712?",  # no default format claims bare digits
        ";4111111111111111=2512101?0",  # LRC
        "%E?;E?",
        "",
    ],
)
def test_no_default_format_matches(match: Any, text: str) -> None:
    assert match(DEFAULT_FORMATS, text) is None


PARTS = st.builds(
    CardFormatPart, field=st.integers(0, 4), position=st.integers(0, 12), length=st.integers(0, 12)
)
FORMATS = st.builds(
    CardFormat,
    name=st.just("any"),
    track=st.integers(1, 3),
    card_number=PARTS,
    facility_code=st.one_of(st.none(), PARTS),
    expiry=st.one_of(st.none(), PARTS),
    min_length=st.integers(0, 10),
    field_count=st.integers(0, 4),
    check_digit=st.integers(0, 1),
    fixed_parts=st.one_of(
        st.just([]),
        st.builds(
            lambda part: [CardFormatFixedPart(part=part, text="1")],
            st.builds(CardFormatPart, field=st.integers(0, 3), position=st.integers(0, 4), length=st.just(1)),
        ),
    ),
)


@settings(max_examples=300, deadline=None)
@given(FORMATS, st.from_regex(r"(%B|;|\+)[0-9]{1,9}([=^][0-9]{0,8}){0,4}\?", fullmatch=True))
def test_both_agree(card_format: CardFormat, text: str) -> None:
    assert compiled_match((card_format,), text) == reference_match((card_format,), text)


@dataclass
class Part:
    field: int = 0
    position: int = 0
    length: int = 0


@dataclass
class Format:
    name: str
    track: int
    card_number: Part | None
    facility_code: Part | None = None
    fixed_parts: list[Any] = field(default_factory=list)


def test_plain_dataclasses() -> None:
    found = compile_formats([Format("plain", 2, Part(0, 2, 3), Part(0, 1, 1))]).match(";12345?")
    assert found is not None
    assert (found.card_number, found.facility_code) == ("234", "1")


NUMBER = CardFormatPart(length=1)


@pytest.mark.parametrize(
    ("formats", "field"),
    [
        ([CardFormat(name="A", track=1, card_number=NUMBER)], "card_formats[0].name"),
        ([CardFormat(name="a" * 65, track=1, card_number=NUMBER)], "card_formats[0].name"),
        ([CardFormat(name="a", card_number=NUMBER)], "card_formats[0].track"),
        ([CardFormat(name="a", track=4, card_number=NUMBER)], "card_formats[0].track"),
        ([CardFormat(name="a", track=1)], "card_formats[0].card_number"),
        ([CardFormat(name="a", track=1, card_number=NUMBER)] * 2, "card_formats[1].name"),
        ([CardFormat(name="a", track=1, card_number={"field": 33})], "card_formats[0].card_number.field"),
        ([CardFormat(name="a", track=1, card_number={"length": 1025})], "card_formats[0].card_number.length"),
        (
            [CardFormat(name="a", track=1, card_number={"length": 1, "min_length": 1})],
            "card_formats[0].card_number.min_length",
        ),
        (
            [CardFormat(name="a", track=1, card_number=NUMBER, fixed_parts=[{"text": "1"}])],
            "card_formats[0].fixed_parts[0].part",
        ),
        (
            [CardFormat(name="a", track=1, card_number=NUMBER, fixed_parts=[{"part": {}, "text": ""}])],
            "card_formats[0].fixed_parts[0].text",
        ),
        (
            [CardFormat(name="a", track=1, card_number=NUMBER, fixed_parts=[{"part": {}, "text": "1"}] * 9)],
            "card_formats[0].fixed_parts",
        ),
        (
            [CardFormat(name="a", track=1, card_number=NUMBER, min_length=3, max_length=2)],
            "card_formats[0].max_length",
        ),
        ([CardFormat(name="a", track=1, card_number=NUMBER, check_digit=2)], "card_formats[0].check_digit"),
        (
            [CardFormat(name="a", track=1, card_number=NUMBER, description="x" * 257)],
            "card_formats[0].description",
        ),
    ],
)
def test_bad_formats_are_named(formats: list[CardFormat], field: str) -> None:
    with pytest.raises(ValueError, match=r"must|is ") as caught:
        compile_formats(formats)
    assert str(caught.value).startswith(field + ":")


@settings(max_examples=200)
@given(st.binary(max_size=200), st.integers(0, 3))
def test_any_bytes(text: bytes, number: int) -> None:
    compile_formats(BUILTIN_FORMATS).match(text, number)
