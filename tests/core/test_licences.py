"""Driving licences and identity cards of North America (AAMVA, magnetic stripe), on both implementations."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swipegate import core
from swipegate.core import encoders
from swipegate.core import tracks as compiled
from swipegate.v1 import track_pb2 as v1
from tests.core.test_tracks import COMPARED
from tests.reference import tracks as reference

Parse = Callable[[str, int], Any]
TRACK1 = "%FLDELRAY BEACH^DOE$JANE$ANN^1 EXAMPLE BLVD$APT 2^           ?"
TRACK2 = ";6360100400045087290=2101198799080=?"
TRACK3 = "#! 33435      I               1600                                   ECCECC00000?"


@pytest.fixture(params=["reference", "compiled"])
def parse(request: pytest.FixtureRequest) -> Parse:
    return {"reference": reference.parse_piece, "compiled": compiled.parse}[request.param]


def test_track1(parse: Parse) -> None:
    track = parse(TRACK1, 1)
    assert (track.errors, track.allowances, track.standard) == ((), (), v1.TRACK_STANDARD_AAMVA_TRACK1)
    assert track.fields == {
        "state": "FL",
        "city": "DELRAY BEACH",
        "name": "DOE$JANE$ANN",
        "surname": "DOE",
        "first_name": "JANE",
        "middle_name": "ANN",
        "address": "1 EXAMPLE BLVD",
        "more_address": "APT 2",
    }


def test_a_line_of_full_length_has_no_separator(parse: Parse) -> None:
    track = parse("%CASAN FRANCISCODOE$JANE^1 EXAMPLE ST^?", 1)
    assert (track.fields["city"], track.fields["surname"], track.errors) == ("SAN FRANCISCO", "DOE", ())


def test_florida(parse: Parse) -> None:
    """A letter as two digits, a birth month that stands for the month of expiry, an overflow."""
    track = parse(TRACK2, 2)
    assert (track.errors, track.allowances) == ((), (v1.TRACK_ALLOWANCE_BIRTH_MONTH,))
    assert track.standard == v1.TRACK_STANDARD_AAMVA_TRACK2
    assert track.fields == {
        "pan": "6360100400045087290",
        "expiry": "2101",
        "jurisdiction": "FL",
        "licence_number": "D000450872900",
        "expiry_date": "20210131",
        "birth_date": "19870108",
        "issuer_number": "636010",
        "id_number": "0400045087290",
        "id_overflow": "0",
        "encoded_birth_date": "19879908",
    }


def test_california(parse: Parse) -> None:
    track = parse(";6360140412345678=2188=19800229?", 2)
    assert (track.errors, track.allowances) == ((), ())
    assert track.standard == v1.TRACK_STANDARD_CDMV_TRACK2
    assert (track.fields["licence_number"], track.fields["check_digit"]) == ("D1234567", "8")
    assert (track.expiry_rule, track.fields["expiry_date"]) == (3, "20220228")
    newer = parse(";636014041234567=218819800229=?", 2)
    assert newer.standard == v1.TRACK_STANDARD_AAMVA_TRACK2
    assert newer.fields["licence_number"] == "D1234567"


def test_california_track1(parse: Parse) -> None:
    text = encoders.encode_cdmv_track1("D", "JANE ANN DOE", "1 EXAMPLE ST", "ALBANY")
    track = parse(text, 1)
    assert (track.errors, track.standard) == ((), v1.TRACK_STANDARD_CDMV_TRACK1)
    wanted = {"format_code": "D", "name": "JANE ANN DOE", "address": "1 EXAMPLE ST", "city": "ALBANY"}
    assert track.fields == wanted


def test_track3(parse: Parse) -> None:
    track = parse(TRACK3, 3)
    assert (track.errors, track.allowances) == ((), (v1.TRACK_ALLOWANCE_START_SENTINEL,))
    assert (track.standard, track.sex) == (v1.TRACK_STANDARD_AAMVA_TRACK3, v1.LICENCE_SEX_MALE)
    assert track.fields == {
        "template_version": "!",
        "postal_code": "33435",
        "licence_class": "I",
        "encoded_sex": "1",
        "height": "600",
        "error_correction": "ECCECC",
        "security": "00000",
    }


@pytest.mark.parametrize(
    ("dates", "rule", "day", "errors"),
    [
        ("2912" + "19800101", v1.EXPIRY_RULE_END_OF_MONTH, "20291231", ()),
        ("2802" + "19800101", v1.EXPIRY_RULE_END_OF_MONTH, "20280229", ()),
        ("2977" + "19800101", v1.EXPIRY_RULE_NEVER, None, ()),
        ("2988" + "19800405", v1.EXPIRY_RULE_END_OF_BIRTH_MONTH, "20300430", ()),
        ("2999" + "19800405", v1.EXPIRY_RULE_BIRTHDAY, "20290405", ()),
        ("2999" + "19800229", v1.EXPIRY_RULE_BIRTHDAY, None, ()),
        ("2988" + "19801305", v1.EXPIRY_RULE_END_OF_BIRTH_MONTH, None, (v1.TRACK_ERROR_BIRTH_DATE,)),
        ("2913" + "19800405", 0, None, (v1.TRACK_ERROR_EXPIRY,)),
        ("2912" + "1980040", v1.EXPIRY_RULE_END_OF_MONTH, "20291231", (v1.TRACK_ERROR_BIRTH_DATE,)),
    ],
)
def test_expiry(parse: Parse, dates: str, rule: int, day: str | None, errors: tuple[int, ...]) -> None:
    track = parse(f";6360151234567={dates}=?", 2)
    assert (track.expiry_rule, track.fields.get("expiry_date"), track.errors) == (rule, day, errors)


def test_a_name_that_breaks_off_lacks_its_separator(parse: Parse) -> None:
    assert parse("%CAHUNTINGTN BC^DOE$JOHN$MIDDLE", 1).errors == (v1.TRACK_ERROR_SEPARATOR,)


def test_a_line_of_three_tracks() -> None:
    found = compiled.split(TRACK1 + TRACK2 + TRACK3)
    assert [track.text for track in found] == [TRACK1, TRACK2, TRACK3]
    assert [track.standard for track in found] == [8, 9, 10]


def test_masks_the_licence_number() -> None:
    from swipegate.domain.masking import masked_track

    shown = str(masked_track(core.decode(TRACK2).tracks[0]))
    for hidden in ("0400045087290", "000450872900", "19879908", "19870108"):
        assert hidden not in shown


TEXTS = st.one_of(
    st.from_regex(
        r"%(FL|CA|TX|QC|fl|ZZ)[A-Z $]{0,16}\^?[A-Z $]{0,40}\^?[A-Z0-9 $^]{0,40}\??", fullmatch=True
    ),
    st.from_regex(r"%[CSDIR][A-Z ]{85,102}\?", fullmatch=True),
)
NUMBERS = st.from_regex(
    r";(604425|604428|636010|636014|636027|636031|636063)[0-9]{1,13}[=D]"
    r"[0-9]{2}(0[1-9]|1[0-3]|77|88|99)=?((19|20)[0-9]{2}(0[1-9]|1[0-3]|99)[0-3][0-9])?[0-9 ]{0,6}=?[0-9]?\?",
    fullmatch=True,
)
THIRDS = st.from_regex(
    r"[%#+][0-9! ]{2}[A-Z0-9 ]{11}[A-Z ]{16}[129MFX ][0-9 ]{3,6}[A-Z0-9 ]{0,42}\??", fullmatch=True
)


@settings(max_examples=500, deadline=None)
@given(st.one_of(TEXTS.map(lambda t: (t, 1)), NUMBERS.map(lambda t: (t, 2)), THIRDS.map(lambda t: (t, 3))))
def test_both_agree(given_text: tuple[str, int]) -> None:
    text, number = given_text
    one, other = compiled.parse(text, number), reference.parse_piece(text, number)
    for name in COMPARED:
        assert getattr(one, name) == getattr(other, name), name


LINE = st.from_regex("[A-Z0-9]([A-Z0-9 ]{0,11}[A-Z0-9])?", fullmatch=True)


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {
            "issuer_number": st.sampled_from(["636010", "636015", "604428"]),
            "id_number": st.from_regex("[0-9]{1,13}", fullmatch=True),
            "expiry": st.from_regex("[0-9]{2}(0[1-9]|1[0-2]|77|88|99)", fullmatch=True),
            "birth_date": st.dates().filter(lambda day: 1800 <= day.year < 2200).map("{:%Y%m%d}".format),
            "state": st.sampled_from(["FL", "ON"]),
            "city": LINE,
            "name": st.builds("{}${}".format, LINE, LINE),
            "address": LINE,
            "id_overflow": st.from_regex("[0-9]{0,5}", fullmatch=True),
            "track3": st.fixed_dictionaries(
                {
                    "postal_code": st.from_regex("[0-9]{5}", fullmatch=True),
                    "licence_class": st.sampled_from(["D", "CM"]),
                    "encoded_sex": st.sampled_from(["1", "F"]),
                    "height": st.from_regex("[0-9]{3}", fullmatch=True),
                }
            ),
        }
    )
)
def test_encode_round_trip(fields: Any) -> None:
    texts = encoders.encode_licence(**fields)
    parsed: dict[str, str] = {}
    for number, text in enumerate(texts, 1):
        track = compiled.parse(text, number)
        assert (track.errors, track.allowances) == ((), ())
        parsed |= track.fields
    wanted = {**fields, **fields["track3"], "encoded_birth_date": fields["birth_date"]}
    del wanted["track3"]
    assert {name: parsed.get(name, "") for name in wanted} == wanted


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("issuer_number", {"issuer_number": "63601"}),
        ("id_number", {"id_number": "1" * 14}),
        ("expiry", {"expiry": "2913"}),
        ("birth_date", {"birth_date": "19801301"}),
        ("id_overflow", {"id_overflow": "123456"}),
        ("state", {"state": "Florida"}),
        ("city", {"city": "A" * 14}),
        ("name", {"name": ""}),
        ("address", {"address": "A^"}),
        ("height", {"track3": {"height": "ABC"}}),
        ("weight", {"track3": {"weight": "1234"}}),
        ("eye", {"track3": {"eye": "BLK"}}),
    ],
)
def test_encode_names_the_field(field: str, arguments: dict[str, Any]) -> None:
    fields: dict[str, Any] = {
        "issuer_number": "636010",
        "id_number": "1",
        "expiry": "2912",
        "birth_date": "19800101",
        "state": "FL",
        "city": "ALBANY",
        "name": "DOE$JANE",
        "address": "1 EXAMPLE ST",
    }
    with pytest.raises(ValueError, match=f"^{field} "):
        encoders.encode_licence(**fields | arguments)
