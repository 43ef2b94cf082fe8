"""Characters to fields, on both implementations."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from swipegate.core import encoders
from swipegate.core import tracks as compiled
from swipegate.v1 import track_pb2 as v1
from tests.reference import tracks as reference

Parse = Callable[[str, int], Any]
BANK = "%B4111111111111111^DOE/JANE Q.MS^2912101000000123?", ";4111111111111111=29121010000012300000?"
MESSAGES = v1.TrackFields, v1.Track3Fields, v1.LicenceFields
FIELDS = {name for message in MESSAGES for name in message.DESCRIPTOR.fields_by_name}
COMPARED = (
    "text",
    "number",
    "standard",
    "errors",
    "allowances",
    "luhn_ok",
    "brand",
    "service",
    "expiry_rule",
    "sex",
    "fields",
)


@pytest.fixture(params=["reference", "compiled"])
def parse(request: pytest.FixtureRequest) -> Parse:
    return {"reference": reference.parse_piece, "compiled": compiled.parse}[request.param]


def test_bank_tracks_are_without_complaint(parse: Parse) -> None:
    one, two = parse(BANK[0], 1), parse(BANK[1], 2)
    for track in (one, two):
        assert (track.errors, track.allowances, track.luhn_ok) == ((), (), True)
    assert one.fields == {
        "format_code": "B",
        "pan": "4111111111111111",
        "name": "DOE/JANE Q.MS",
        "surname": "DOE",
        "first_name": "JANE",
        "middle_name": "Q",
        "title": "MS",
        "expiry": "2912",
        "service_code": "101",
        "discretionary": "000000123",
    }
    assert two.fields == {
        "pan": "4111111111111111",
        "expiry": "2912",
        "service_code": "101",
        "discretionary": "0000012300000",
    }
    assert (one.standard, two.standard) == (1, 2)


def test_track3(parse: Parse) -> None:
    text = ";014111111111111111=724978200000000003001234560010400009912" + "1=1234=5678=0123456999?"
    track = parse(text, 3)
    assert (track.errors, track.allowances, track.standard) == ((), (), 3)
    assert track.fields["currency"] == "978"
    assert track.fields["first_san"] == "1234"
    assert track.fields["second_san"] == "5678"
    assert track.fields["crypto_check_digits"] == "123456"
    assert track.fields["discretionary"] == "999"
    assert set(track.fields) <= FIELDS


@pytest.mark.parametrize("text", [";0004048712?", ";<99>?", ";157634926571820060113?", ";8?"])
def test_access_cards_are_without_complaint(parse: Parse, text: str) -> None:
    track = parse(text, 2)
    assert (track.errors, track.allowances, track.standard, track.fields) == ((), (), 0, {})


@pytest.mark.parametrize(
    ("text", "number", "allowance"),
    [
        ("4111111111111111=2912101?", 2, v1.TRACK_ALLOWANCE_START_SENTINEL_MISSING),
        ("B4111111111111111^DOE/J^2912101?", 1, v1.TRACK_ALLOWANCE_START_SENTINEL_MISSING),
        (";4111111111111111=2912101", 2, v1.TRACK_ALLOWANCE_END_SENTINEL_MISSING),
        (";4111111111111111D2912101?", 2, v1.TRACK_ALLOWANCE_SEPARATOR),
        (";4111111111111111^2912101?", 2, v1.TRACK_ALLOWANCE_SEPARATOR),
        (";4111111111111111=2912101FF00?", 2, v1.TRACK_ALLOWANCE_PADDING),
        ("%B4111111111111111^TEST^2912101?", 1, v1.TRACK_ALLOWANCE_NAME_WITHOUT_SOLIDUS),
        ("%B3782 822463 10005^DOE/J^2912101?", 1, v1.TRACK_ALLOWANCE_PAN_BLANKS),
        ("+0104?", 3, v1.TRACK_ALLOWANCE_START_SENTINEL),
        ("%B4111111111111111^DOE/J?", 1, v1.TRACK_ALLOWANCE_FIELDS_MISSING),
        ("%B4111111111111111^DOE/J^ 2912101?", 1, v1.TRACK_ALLOWANCE_EXPIRY_BLANKS),
        ("%B4111111111111111^Doe/J^2912101?", 1, v1.TRACK_ALLOWANCE_LOWER_CASE),
    ],
)
def test_allowances(parse: Parse, text: str, number: int, allowance: int) -> None:
    track = parse(text, number)
    assert (track.errors, track.allowances) == ((), (allowance,))


@pytest.mark.parametrize(
    ("text", "number", "error"),
    [
        (";?", 2, v1.TRACK_ERROR_EMPTY),
        (";" + "4" * 38 + "?", 2, v1.TRACK_ERROR_TOO_LONG),
        (";12A45?", 2, v1.TRACK_ERROR_ILLEGAL_CHARACTER),
        (";=2912101?", 2, v1.TRACK_ERROR_PAN),
        (";12345678901234567890=2912101?", 2, v1.TRACK_ERROR_PAN),
        ("%B4111111111111111?", 1, v1.TRACK_ERROR_SEPARATOR),
        (";4111111111111111=2913101?", 2, v1.TRACK_ERROR_EXPIRY),
        (";4111111111111111=291210?", 2, v1.TRACK_ERROR_SERVICE_CODE),
        ("%B4111111111111111^" + "A" * 13 + "/" + "B" * 13 + "^2912101?", 1, v1.TRACK_ERROR_NAME),
        ("%Q4111111111111111^DOE/J^2912101?", 1, v1.TRACK_ERROR_FORMAT_CODE),
    ],
)
def test_errors(parse: Parse, text: str, number: int, error: int) -> None:
    assert parse(text, number).errors == (error,)


@pytest.mark.parametrize(
    ("text", "number", "standard"),
    [
        ("%A4111111111111111^DOE/J^2912101?", 1, v1.TRACK_STANDARD_ISO7813_TRACK1_A),
        ("%AMEMBER 42?", 1, v1.TRACK_STANDARD_ISO7813_TRACK1_A),
        ("%C4111111111111111^DOE/J^2912101?", 1, v1.TRACK_STANDARD_ISO7813_TRACK1_RESERVED),
        ("%Q4111111111111111^DOE/J^2912101?", 1, v1.TRACK_STANDARD_ISO7813_TRACK1_ISSUER),
        ("4111111111111111D29121010000012300000F", 2, v1.TRACK_STANDARD_EMV_TRACK2_EQUIVALENT),
        ("4111111111111111D291210100000123000F", 2, v1.TRACK_STANDARD_EMV_TRACK2_EQUIVALENT),
        ("4111111111111111D2912101000001230000", 0, v1.TRACK_STANDARD_EMV_TRACK2_EQUIVALENT),
        (";4111111111111111D2912101?", 2, v1.TRACK_STANDARD_ISO7813_TRACK2),
        ("4111111111111111D2912101FF", 2, v1.TRACK_STANDARD_ISO7813_TRACK2),
    ],
)
def test_standards(parse: Parse, text: str, number: int, standard: int) -> None:
    assert parse(text, number).standard == standard


def test_the_issuers_own_layout_is_kept_as_it_is(parse: Parse) -> None:
    track = parse("%AMEMBER 42?", 1)
    assert track.fields == {"format_code": "A", "discretionary": "MEMBER 42"}
    assert (track.errors, track.allowances) == ((), ())


def test_chip_data_is_without_complaint(parse: Parse) -> None:
    track = parse("4111111111111111D29121010000012300000F", 2)
    assert (track.errors, track.allowances, track.fields["discretionary"]) == ((), (), "0000012300000")


@pytest.mark.parametrize(
    ("code", "meaning"),
    [("101", (1, 1, 2)), ("201", (2, 1, 2)), ("720", (7, 2, 1)), ("947", (9, 3, 8)), ("389", (0, 0, 0))],
)
def test_service_code(parse: Parse, code: str, meaning: tuple[int, int, int]) -> None:
    assert parse(f";4111111111111111=2912{code}?", 2).service == meaning


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("DOE/JANE  ANN   MARY", ("DOE", "JANE", "ANN   MARY", "")),
        ("DOE/J.R.MR", ("DOE", "J.R", "", "MR")),
        ("DOE/JANE Q.", ("DOE", "JANE", "Q", "")),
        ("DOE/JANE.MR.", ("DOE", "JANE", "", "MR.")),
        (" /", ("", "", "", "")),
        ("DOE/ JANE", ("DOE", "JANE", "", "")),
        ("J. R. DOE", ("", "", "", "")),
    ],
)
def test_names(parse: Parse, name: str, parts: tuple[str, str, str, str]) -> None:
    fields = parse(f"%B4111111111111111^{name}^2912101?", 1).fields
    found = tuple(fields.get(part, "") for part in ("surname", "first_name", "middle_name", "title"))
    assert found == parts


def test_another_keyboard_layout_is_read_where_it_can_be(parse: Parse) -> None:
    """German, Spanish and others turn ^ into & and ? into _; Turkish turns = into - and ? into a colon."""
    one = parse("%B4111111111111111&DOE-JANE&29121010001_", 1)
    two = parse(";4111111111111111-29121010001:", 2)
    for track in (one, two):
        assert track.errors == ()
        assert v1.TRACK_ALLOWANCE_KEYBOARD_LAYOUT in track.allowances
        assert [track.fields[name] for name in ("expiry", "service_code", "discretionary")] == [
            "2912",
            "101",
            "0001",
        ]


@pytest.mark.parametrize(
    "text", ["\xf14111111111111111\xa129121010001_", "5B'&&&&&&&&&&&&&&&^DOE", ";4111111111111111\xec2912101"]
)
def test_another_keyboard_layout_that_cannot_be_read_is_named(text: str) -> None:
    assert v1.TRACK_ERROR_KEYBOARD_LAYOUT in compiled.split(text)[0].errors


ALPHABET = st.sampled_from(list("0123456789=^D?;%B/ F.fdA~\xe9\x01+E"))


@settings(max_examples=600, deadline=None)
@given(
    st.one_of(
        st.text(ALPHABET, min_size=1, max_size=60),
        st.from_regex(r"%B[0-9 ]{0,20}\^[A-Z/ .]{0,28}\^[0-9^ ]{0,8}[0-9]{0,9}\?", fullmatch=True),
        st.from_regex(r";[0-9]{0,20}[=D^][0-9=]{0,8}[0-9F]{0,9}\??", fullmatch=True),
        st.from_regex(r"[;+%](01|02|99|24)[0-9]{0,19}=[0-9]{36,50}[0-9=]{0,30}\?", fullmatch=True),
        st.from_regex(
            r"%[A-Z]4111111111111111[\^&][A-Z/ .]{0,28}[\^&][0-9]{7}[0-9_:]{0,9}\??", fullmatch=True
        ),
        st.from_regex(r"[;]?4111111111111111[D='-][0-9]{2}(01|12|13)[0-9]{3,9}[Ff_]{0,2}\??", fullmatch=True),
    ),
    st.integers(0, 3),
)
@example(";B1=", 2)
def test_both_agree(text: str, number: int) -> None:
    if any(character < " " for character in text) or "?" in text[:-1] or text.startswith("E"):
        return  # framing and markers are the line's business
    if number == 0 and text[0] not in "%;+":
        return
    if number and text[0] != {1: "%", 2: ";", 3: ";"}[number]:
        text = {1: "%", 2: ";", 3: ";"}[number] + text
    if text[1:].rstrip("?") == "E" or (number == 0 and text[0] == "%" and ";" in text):
        return
    one = compiled.parse(text, number)
    other = reference.parse_piece(text.encode().decode("latin-1"), number)
    for name in COMPARED:
        theirs = getattr(other, name)
        if name == "fields":
            theirs = {
                key: "".join(c if " " <= c <= "~" else "?" for c in value) for key, value in theirs.items()
            }
        assert getattr(one, name) == theirs, name


LINES = [
    ("".join(BANK), [(1, BANK[0], (), ()), (2, BANK[1], (), ())]),
    ("\x02" + BANK[1] + "\r\n", [(2, BANK[1], (), (5,))]),
    ("junk" + BANK[0], [(1, BANK[0], (), (5,))]),
    ("!PREFIX" + BANK[1], [(2, BANK[1], (), (5,))]),
    ("%E?;E?+E?", [(1, "", (8,), ()), (2, "", (8,), ()), (3, "", (8,), ())]),
    (";123??", [(2, ";123?", (), (11,))]),
    (";123?;456?", [(2, ";123?", (), ()), (3, ";456?", (), ())]),
    ("%?" + BANK[1], [(1, "%?", (6,), ()), (2, BANK[1], (), ())]),
    ("%B411^A/B^2912101;411=2912101?", [(1, "%B411^A/B^2912101", (), (2,)), (2, ";411=2912101?", (), ())]),
    (";12?#! 334?", [(2, ";12?", (), ()), (3, "#! 334?", (), (8,))]),
    # what parts tracks and is in the set of neither is no LRC
    (BANK[0] + "|" + BANK[1], [(1, BANK[0], (), (5,)), (2, BANK[1], (), ())]),
    # a suffix of several characters
    ("MAG:" + BANK[0] + "END", [(1, BANK[0], (), (5,))]),
    (BANK[0] + "T1" + BANK[1] + "T2", [(1, BANK[0], (), (5,)), (2, BANK[1], (), (5,))]),
    (BANK[1] + "~\r", [(2, BANK[1], (), (5,))]),
    ("12345", [(0, "12345", (2,), ())]),
    ("", [(0, "", (1,), ())]),
]


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_lines(line: str, expected: list[tuple[int, str, tuple[int, ...], tuple[int, ...]]]) -> None:
    found = compiled.split(line)
    assert [(track.number, track.text, track.errors, track.allowances) for track in found] == expected


@pytest.mark.parametrize(
    ("line", "lrc", "errors"),
    [(";12345?5", 1, ()), (";12345?4", 2, (5,)), (BANK[0] + "9", 2, (5,)), (";1?>", 2, (5,))],
)
def test_printed_lrc(line: str, lrc: int, errors: tuple[int, ...]) -> None:
    (track,) = compiled.split(line)
    assert (track.lrc, track.lrc_character, track.errors) == (lrc, line[-1], errors)


@given(st.text("0123456789", max_size=30))
def test_luhn(digits: str) -> None:
    assert compiled.luhn_ok(digits) == reference.luhn_ok(digits)


@given(
    st.from_regex("[0-9]{1,19}", fullmatch=True),
    st.from_regex("[A-Z]{1,12}/[A-Z]{1,12}", fullmatch=True),
    st.one_of(st.just(""), st.from_regex("[0-9]{2}(0[1-9]|1[0-2])", fullmatch=True)),
    st.one_of(st.just(""), st.from_regex("[0-9]{3}", fullmatch=True)),
    st.from_regex("[0-9]{0,8}", fullmatch=True),
)
def test_encode_round_trip(pan: str, name: str, expiry: str, service: str, discretionary: str) -> None:
    one = compiled.parse(compiled.encode_track1(pan, name, expiry, service, discretionary), 1)
    if not pan.startswith("59"):
        wanted = {
            "pan": pan,
            "name": name,
            "expiry": expiry,
            "service_code": service,
            "discretionary": discretionary,
        }
        assert {key: one.fields.get(key, "") for key in wanted} == wanted
        assert (one.errors, one.allowances) == ((), ())
    two = compiled.parse(compiled.encode_track2(pan, expiry, service, discretionary), 2)
    assert two.fields["pan"] == pan
    assert two.errors == ()


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("pan", {"pan": "41x"}),
        ("pan", {"pan": "1" * 20}),
        ("expiry", {"pan": "41", "expiry": "2913"}),
        ("service_code", {"pan": "41", "service_code": "1"}),
        ("discretionary", {"pan": "41", "discretionary": "?"}),
        ("the track", {"pan": "41", "discretionary": "0" * 40}),
    ],
)
def test_encode_names_the_field(field: str, arguments: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=f"^{field} ") as caught:
        compiled.encode_track2(**arguments)
    assert arguments["pan"] not in str(caught.value) or field == "pan"


TRACK3_VALUES = st.fixed_dictionaries(
    {
        name: st.from_regex(f"[0-9]{{{length}}}", fullmatch=True)
        for name, (length, _) in encoders.TRACK3_FIELDS.items()
        if name != "expiry"
    }
)


@given(st.from_regex("[0-9]{1,19}", fullmatch=True), TRACK3_VALUES, st.sampled_from(["01", "02", "99"]))
def test_encode_track3_round_trip(pan: str, fields: dict[str, str], code: str) -> None:
    text = encoders.encode_track3(
        pan, {**fields, "expiry": "2912"}, code, "1234", "5678", "1", "654321", "99"
    )
    track = compiled.parse(text, 3)
    assert (track.errors, track.allowances) == ((), ())
    wanted = {"format_code": code, "pan": pan, **fields, "expiry": "2912", "first_san": "1234"}
    wanted |= {
        "second_san": "5678",
        "relay_marker": "1",
        "crypto_check_digits": "654321",
        "discretionary": "99",
    }
    assert track.fields == wanted


@given(st.from_regex("[0-9]{1,19}", fullmatch=True), st.from_regex("[0-9]{0,8}", fullmatch=True))
def test_encode_emv_round_trip(pan: str, discretionary: str) -> None:
    track = compiled.parse(encoders.encode_emv_track2(pan, "2912", "201", discretionary), 2)
    assert (track.errors, track.allowances) == ((), ())
    assert track.fields.get("discretionary", "") == discretionary
    assert track.standard == v1.TRACK_STANDARD_EMV_TRACK2_EQUIVALENT


def test_encode_format_a() -> None:
    assert compiled.parse(encoders.encode_track1_a("MEMBER 42"), 1).fields["discretionary"] == "MEMBER 42"
    text = encoders.encode_track1("4111111111111111", "DOE/JANE", "2912", "101", format_code="A")
    assert compiled.parse(text, 1).fields["surname"] == "DOE"


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("format_code", {"format_code": "03"}),
        ("currency", {"fields": {"currency": "1"}}),
        ("expiry", {"fields": {"expiry": "2913"}}),
        ("money", {"fields": {"money": "1"}}),
        ("first_san", {"first_san": "="}),
        ("relay_marker", {"relay_marker": ""}),
    ],
)
def test_encode_track3_names_the_field(field: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{field} "):
        encoders.encode_track3(**{"pan": "4111111111111111", "fields": {}} | arguments)


@settings(max_examples=400)
@given(st.binary(max_size=1024), st.integers(0, 3))
def test_any_bytes(line: bytes, number: int) -> None:
    for track in [compiled.parse(line, number), *compiled.split(line)]:
        assert track.text.isascii()
        assert set(track.fields) <= FIELDS


def test_bounds() -> None:
    with pytest.raises(ValueError, match=r"1024 bytes"):
        compiled.split("1" * 1025)
    with pytest.raises(ValueError, match="number"):
        compiled.parse("1", 4)
    assert "4111" not in repr(compiled.parse(BANK[1], 2))


TRACK3 = ";011234567890123445=724724100000000000030012340202000990103=1234567890==1=1000000000?"


def test_a_text_too_long_for_track_2_is_track_3(parse: Parse) -> None:
    assert parse(TRACK3, 0).number == 3
    assert parse(";4111111111111111=30121010000012300000?", 0).number == 2
    assert parse(";" + "4" * 38 + "?", 0).number == 2, "without a field it is a track 2 that is too long"


@pytest.mark.parametrize(
    ("code", "number"),
    [("00", 3), ("01", 3), ("02", 3), ("03", 2), ("12", 2), ("59", 2), ("89", 2), ("90", 3), ("99", 3)],
)
def test_without_a_format_code_it_is_a_track_2_that_is_too_long(code: str, number: int, parse: Parse) -> None:
    track = parse(f";{code}3456789012=3012101123456789012345678901234567890?", 0)
    assert track.number == number
    assert (v1.TRACK_ERROR_TOO_LONG in track.errors) == (number == 2)
    if number == 2:
        assert (track.fields["pan"], track.fields["expiry"]) == (f"{code}3456789012", "3012")
    assert parse(";1 3=" + "4" * 40 + "?", 0).number == 2
