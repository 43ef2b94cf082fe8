"""Card formats, on both implementations."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swipegate.core import BUILTIN_FORMATS, DEFAULT_FORMATS, compile_formats, decode, tracks
from swipegate.v1.card_format_pb2 import CardFormat, CardFormatFixedPart, CardFormatPart
from swipegate.v1.track_pb2 import CardNumber
from tests.reference import numbers as reference
from tests.reference import tracks as reference_tracks


def reference_match(formats: tuple[CardFormat, ...], text: str) -> CardNumber | None:
    found = []
    for parsed in tracks.split(text):
        track = reference_tracks.parse_piece(parsed.text, parsed.number)
        track.number = parsed.number
        track.error_set = track.error_set | set(parsed.errors) if parsed.text else set(parsed.errors)
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
        (
            "+014111111111111111=724724000000000300300000000000000000=25120999999999==1=000000?",
            DEFAULT_FORMATS,
            ("iso4909-track3", "4111111111111111", "", "", "", 3),
        ),
        (";<05>?", named("paxton-keypad"), ("paxton-keypad", "05", "", "", "", 2)),
        (
            ";00000123=000000000000000=000000000000?",
            DEFAULT_FORMATS,
            ("paxton-switch2", "00000123", "", "", "", 2),
        ),
        (
            ";12345678901?",
            named("holder-5-facility-4-issue-2"),
            ("holder-5-facility-4-issue-2", "12345", "6789", "01", "", 2),
        ),
        (";25512345?", named("facility-3-number-5"), ("facility-3-number-5", "12345", "255", "", "", 2)),
        # facility 123, number 12345 with the parity bits of H10301, and without
        (";16146547?", named("wiegand-26"), ("wiegand-26", "12345", "123", "", "", 2)),
        (";075460163?", named("wiegand-26-octal"), ("wiegand-26-octal", "12345", "123", "", "", 2)),
        (
            ";8073273?",
            named("wiegand-26-without-parity"),
            ("wiegand-26-without-parity", "12345", "123", "", "", 2),
        ),
        # a fob on which 0013961168 and 213,02000 are printed
        (";0013961168?", named("fob-10-facility"), ("fob-10-facility", "2000", "213", "", "", 2)),
        (";0013961168?", named("csn-32"), ("csn-32", "13961168", "", "", "", 2)),
        (";0013961168?", named("csn-32-reversed"), ("csn-32-reversed", "3490174208", "", "", "", 2)),
        (
            ";6360100400045087290=2101198799080=?",
            named("aamva-licence"),
            ("aamva-licence", "04000450872900", "", "", "2101", 2),
        ),
        (
            ";6360100400045087290=2101198799080=?",
            named("aamva-florida"),
            ("aamva-florida", "D000450872900", "", "", "2101", 2),
        ),
        (
            ";63601501234567=150819810101?",
            named("aamva-licence"),
            ("aamva-licence", "01234567", "", "", "1508", 2),
        ),
        (
            ";6360140212345678=150819810101?",
            named("aamva-california"),
            ("aamva-california", "B1234567", "", "", "1508", 2),
        ),
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
        number_is_pan=expected[0].startswith("iso"),
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
        ";6360150123406=150819810101?",  # a driving licence whose number happens to agree with Luhn
        ";16146547?",
        ";<05>?",
        "%E?;E?",
        "",
    ],
)
def test_no_default_format_matches(match: Any, text: str) -> None:
    assert match(DEFAULT_FORMATS, text) is None


def test_the_licence_above_agrees_with_luhn() -> None:
    assert tracks.luhn_ok("6360150123406")


def h10302(number: int) -> str:
    """The 37-bit word of a number in octal, built from the layout in words."""
    bits = f"{number:035b}"
    even = str(bits[:18].count("1") % 2)
    odd = str(1 - bits[17:].count("1") % 2)
    return f"{int(even + bits + odd, 2):013o}"


@given(st.integers(0, 2**35 - 1), st.integers(0, 36))
def test_every_wrong_bit_of_a_word_is_found(number: int, bit: int) -> None:
    formats = named("wiegand-37-octal")
    word = h10302(number)
    found = compiled_match(formats, f";{word}?")
    assert found is not None
    assert found.card_number == str(number)
    assert compiled_match(formats, f";{int(word, 8) ^ 1 << bit:013o}?") is None or bit == 18
    assert compiled_match(named("wiegand-37-facility-octal"), f";{word}?") is not None


def any_format(**fields: Any) -> tuple[CardFormat, ...]:
    return (CardFormat(**({"name": "any", "track": 2, "card_number": {"field": 1}} | fields)),)


def test_parts_on_several_tracks(match: Any) -> None:
    line = "%HALL 7?;0004711?+991234?"
    formats = any_format(
        facility_code={"track": 3, "position": 3, "length": 4},
        fixed_parts=[{"part": {"track": 1, "length": 4}, "text": "HALL"}],
        card_number={"drop_leading_zeros": True},
        issue_code={"track": 1, "length": 1, "from_end": True},
    )
    found = match(formats, line)
    assert (found.card_number, found.facility_code, found.issue_code, found.track) == ("4711", "1234", "7", 2)
    assert match(formats, ";0004711?+991234?") is None
    assert match(formats, "%HALL 7?;0004711?+E?") is None


@pytest.mark.parametrize(
    ("condition", "line", "fits"),
    [
        ({"part": {"length": 2}, "equals": "12"}, ";1234?", True),
        ({"part": {"length": 2}, "equals": "13"}, ";1234?", False),
        ({"part": {"length": 2}, "differs": "12"}, ";1234?", False),
        ({"part": {"length": 2}, "differs": "34"}, ";1234?", True),
        ({"part": {"position": 5, "length": 2}, "differs": "34"}, ";1234?", False),
        ({"part": {"length": 2}, "one_of": {"texts": ["99", "12"]}}, ";1234?", True),
        ({"part": {"length": 2}, "one_of": {"texts": ["99", "1"]}}, ";1234?", False),
        ({"part": {}, "range": {"low": 1234, "high": 1234}}, ";1234?", True),
        ({"part": {}, "range": {"low": 0, "high": 1233}}, ";1234?", False),
        ({"part": {}, "range": {"low": 0, "high": 9999999999999999999}}, ";9999999999999999999?", True),
        ({"part": {}, "range": {"low": 0, "high": 9999999999999999999}}, ";00000000000000000001?", False),
        ({"part": {"field": 2}, "length": {"low": 2, "high": 3}}, ";1234=12?", True),
        ({"part": {"field": 2}, "length": {"low": 2, "high": 3}}, ";1234=1234?", False),
        ({"track_present": 1}, "%ABC?;1234?", True),
        ({"track_present": 1}, ";1234?", False),
        ({"track_present": 1}, "%E?;1234?", False),
        ({"track_absent": 1}, ";1234?", True),
        ({"track_absent": 1}, "%?;1234?", True),
        ({"track_absent": 1}, "%ABC?;1234?", False),
        ({"track_absent": 1}, "%E?;1234?", False),
        ({"standard": 2}, ";4111111111111111=2512101?", True),
        ({"standard": 2}, ";1234?", False),
    ],
)
def test_conditions(match: Any, condition: dict[str, Any], line: str, fits: bool) -> None:
    assert (match(any_format(conditions=[condition]), line) is not None) == fits


@pytest.mark.parametrize(
    ("part", "line", "number"),
    [
        ({"drop_leading_zeros": True}, ";000?", "0"),
        ({"drop_leading_zeros": True, "pad_to": 5}, ";0000000123?", "00123"),
        ({"pad_to": 6}, ";123?", "000123"),
        ({"length": 3, "from_end": True}, ";12345?", "345"),
        ({"length": 3, "position": 2, "from_end": True}, ";12345?", "234"),
        ({"position": 2, "from_end": True}, ";12345?", "1234"),
        ({"letter_first": True}, ";0212345?", "B12345"),
        ({"letter_first": True}, ";2712345?", None),
        ({"letter_first": True}, ";1?", None),
        ({"track": 1, "characters": 1}, "%D1234x?;1?", "D1234x"),
        ({"track": 1}, "%D1234?;1?", None),
        ({"track": 1, "characters": 1}, "%D-1234?;1?", None),
        ({"min_length": 3}, ";12?", None),
    ],
)
def test_values(match: Any, part: dict[str, Any], line: str, number: str | None) -> None:
    found = match(any_format(card_number=part), line)
    assert (found.card_number if found else None) == number


def test_hexadecimal_words_keep_what_is_padding_elsewhere(match: Any) -> None:
    word = {"part": {"length": 8}, "radix": 2, "bit_count": 32}
    bits = {"bits": {"first": 1, "last": 32}}
    formats = any_format(card_number=bits, word=word, min_length=8, max_length=8)
    for text in ("00D507FF", "12345670", "0D5A07F0", "000D507f"):
        assert match(formats, f";{text}?").card_number == str(int(text, 16))
    assert match(formats, ";00G507FF?") is None
    assert match(formats, ";:<>01234?").card_number == str(0xACE01234)


@pytest.mark.parametrize(
    ("check", "line", "fits"),
    [
        ({"scheme": 4}, ";4006381333931?", True),
        ({"scheme": 4}, ";4006381333932?", False),
        ({"scheme": 1, "parts": [{"position": 5, "length": 4}, {"length": 4}]}, ";00061234?", True),
        ({"scheme": 1, "parts": [{"position": 5, "length": 4}]}, ";00061234?", False),
        ({"scheme": 1, "parts": [{"position": 9, "length": 4}]}, ";00061234?", False),
        ({"scheme": 2, "weights": [1, 3]}, ";4006381333931?", False),
    ],
)
def test_checks(match: Any, check: dict[str, Any], line: str, fits: bool) -> None:
    assert (match(any_format(checks=[check]), line) is not None) == fits


def test_check_digits_of_letters(match: Any) -> None:
    formats = any_format(track=1, card_number={"characters": 1}, check_digit=10)
    assert match(formats, "%A12425GABC1234002M?").card_number == "A12425GABC1234002M"
    assert match(formats, "%A12425GABC1234003M?") is None


def test_a_format_stored_before_there_were_words_still_loads(match: Any) -> None:
    stored = "0a0663616d707573180222060802200928092a06080110011804420a0a0208011204313537304822502258046001"
    card_format = CardFormat.FromString(bytes.fromhex(stored))
    assert match((card_format,), ";1570=901031336=00=6017700001234567?") == CardNumber(
        card_format="campus", card_number="901031336", facility_code="1570", track=2
    )
    assert match((card_format,), ";1570=901031337=00=6017700001234567?") is None


SMALL = st.integers(0, 5)
PARTS = st.builds(
    CardFormatPart,
    field=st.integers(0, 4),
    position=st.integers(0, 12),
    length=st.integers(0, 12),
    track=st.sampled_from([0, 0, 0, 1, 2, 3]),
    from_end=st.booleans(),
    characters=st.integers(0, 1),
    drop_leading_zeros=st.booleans(),
    pad_to=SMALL,
)
PLACES = st.builds(
    CardFormatPart,
    field=st.integers(0, 3),
    position=st.integers(0, 4),
    length=st.integers(0, 2),
    track=st.sampled_from([0, 0, 1, 3]),
    from_end=st.booleans(),
)
LETTERS = st.builds(CardFormatPart, field=st.integers(0, 2), letter_first=st.just(True))
BITS = st.tuples(st.integers(1, 16), st.integers(1, 16)).map(
    lambda ends: CardFormatPart(bits={"first": min(ends), "last": max(ends)}, pad_to=ends[0] % 4)
)
WORDS = st.builds(
    lambda part, radix, turned, parities: {
        "part": part,
        "radix": radix,
        "bit_count": 16,
        "reversed_bytes": turned,
        "parities": parities,
    },
    PLACES,
    st.integers(0, 2),
    st.booleans(),
    st.lists(
        st.builds(
            lambda first, last, odd: {
                "bit": 1,
                "covered": [{"first": min(first, last), "last": max(first, last)}],
                "odd": odd,
            },
            st.integers(2, 16),
            st.integers(2, 16),
            st.booleans(),
        ),
        max_size=1,
    ),
)
TEXTS = st.text("0123", min_size=1, max_size=2)
CONDITIONS = st.one_of(
    st.builds(lambda part, text: {"part": part, "differs": text}, PLACES, TEXTS),
    st.builds(
        lambda part, texts: {"part": part, "one_of": {"texts": texts}},
        PLACES,
        st.lists(TEXTS, min_size=1, max_size=4),
    ),
    st.builds(lambda part, low: {"part": part, "range": {"low": low, "high": low + 40}}, PLACES, SMALL),
    st.builds(lambda part, low: {"part": part, "length": {"low": low, "high": low + 1}}, PLACES, SMALL),
    st.builds(lambda number: {"track_present": number}, st.integers(1, 3)),
    st.builds(lambda number: {"track_absent": number}, st.integers(1, 3)),
    st.builds(lambda number: {"standard": number}, st.integers(1, 3)),
)
CHECKS = st.builds(
    lambda scheme, parts: {"scheme": scheme, "parts": parts, "weights": [3, 1] if scheme in (2, 3) else []},
    st.integers(1, 10),
    st.lists(PLACES, max_size=2),
)
FORMATS = st.builds(
    lambda with_word, word, bits, **fields: CardFormat(
        **(fields | ({"word": word, "card_number": bits} if with_word else {}))
    ),
    st.booleans(),
    WORDS,
    BITS,
    name=st.just("any"),
    track=st.sampled_from([1, 2, 2, 2, 3]),
    card_number=PARTS | LETTERS,
    card_number_rest=st.none() | PARTS,
    facility_code=st.none() | PARTS,
    expiry=st.none() | PARTS,
    min_length=st.integers(0, 10),
    field_count=st.sampled_from([0, 0, 0, 1, 2, 3]),
    check_digit=st.sampled_from([0, 0, 0, 1, 4]),
    fixed_parts=st.just([]) | st.builds(lambda part: [CardFormatFixedPart(part=part, text="1")], PLACES),
    conditions=st.lists(CONDITIONS, max_size=2),
    checks=st.just([]) | st.lists(CHECKS, max_size=1),
)
LINES = st.from_regex(
    r"(%E\?|%[B0-9][0-9 A]{1,9}(\^[0-9]{0,8}){0,2}\?)?(;|\+)[0-9]{1,9}([=^D][0-9 ]{0,8}){0,4}F?\?(\+[0-9]{1,6}\?)?",
    fullmatch=True,
)


def compiles(card_format: CardFormat) -> bool:
    try:
        compile_formats([card_format])
    except ValueError:
        return False
    return True


@settings(max_examples=500, deadline=None)
@given(FORMATS.filter(compiles), LINES)
def test_both_agree(card_format: CardFormat, text: str) -> None:
    assert compiled_match((card_format,), text) == reference_match((card_format,), text)


@settings(max_examples=150, deadline=None)
@given(st.lists(FORMATS.filter(compiles), max_size=4), LINES)
def test_explaining_and_decoding_come_to_the_same(formats: list[CardFormat], text: str) -> None:
    for index, one in enumerate(formats):
        one.name = f"any-{index}"
    compiled = compile_formats(formats)
    decoded = decode(text, compiled)
    verdicts = compiled.explain(decoded, True)
    firsts = [verdict.card_number for verdict in verdicts if verdict.first]
    assert firsts == ([decoded.card_number] if decoded.HasField("card_number") else [])
    assert all(verdict.fits != bool(verdict.mismatch.reason) for verdict in verdicts)


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
