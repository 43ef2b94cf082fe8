"""What a vector of each kind asserts of the track core."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from swipegate.core import (
    DEFAULT_FORMATS,
    compile_formats,
    decode,
    flux,
    recordings,
    symbols,
    synthesis,
    tracks,
)
from swipegate.v1 import track_pb2 as v1
from swipegate.v1.card_format_pb2 import CardFormat, CardFormatPart

Check = Callable[[Any, dict[str, Any]], None]

# The peers' names of fields, and ours.
FIELDS = {
    "format_code": "format_code",
    "pan": "pan",
    "name": "name",
    "name_raw": "name",
    "last": "surname",
    "first": "first_name",
    "initial": "middle_name",
    "title": "title",
    "exp": "expiry",
    "exp_raw": "expiry",
    "service_code": "service_code",
    "discretionary": "discretionary",
    "country": "country_code",
    "currency": "currency",
    "amount_authorized": "amount_authorised",
    "amount_remaining": "amount_remaining",
    "cycle_begin": "cycle_begin",
    "cycle_length": "cycle_length",
    "retry_count": "retry_count",
    "pin_control": "pin_control",
    "interchange": "interchange_control",
    "pan_restriction": "pan_restriction",
    "san1_restriction": "san1_restriction",
    "san2_restriction": "san2_restriction",
    "card_sequence": "card_sequence",
    "card_security": "card_security_number",
    "relay_marker": "relay_marker",
    "crypto_check": "crypto_check_digits",
}
# What peers have and this stage does not derive, or has in another form that is compared by itself.
DERIVED = {
    "allowed",
    "authorization",
    "interchange",
    "pin",
    "technology",
    "why",
    "error",
    "pvv",
    "cvv",
}
DERIVED |= {"pan_raw", "exp_year", "exp_month", "keyboard_layout_suspected", "kind"}
# The peers' brands by ours; Unknown is none.
BRANDS = {
    "visa": v1.CARD_BRAND_VISA,
    "mastercard": v1.CARD_BRAND_MASTERCARD,
    "amex": v1.CARD_BRAND_AMERICAN_EXPRESS,
    "americanexpress": v1.CARD_BRAND_AMERICAN_EXPRESS,
    "discover": v1.CARD_BRAND_DISCOVER,
    "diners": v1.CARD_BRAND_DINERS_CLUB,
    "dinersclub": v1.CARD_BRAND_DINERS_CLUB,
    "jcb": v1.CARD_BRAND_JCB,
    "cup": v1.CARD_BRAND_UNIONPAY,
    "unionpay": v1.CARD_BRAND_UNIONPAY,
    "maestro": v1.CARD_BRAND_MAESTRO,
    "bcmc": v1.CARD_BRAND_BANCONTACT,
    "unknown": v1.CARD_BRAND_UNSPECIFIED,
}
# Meanings of the service code's digits as a peer (Shopify/magnet) names them: place, and our value.
MEANINGS = {
    "interchange": (
        0,
        {
            "international": v1.SERVICE_INTERCHANGE_INTERNATIONAL,
            "national": v1.SERVICE_INTERCHANGE_NATIONAL,
            "private": v1.SERVICE_INTERCHANGE_PRIVATE,
            "test": v1.SERVICE_INTERCHANGE_TEST,
        },
    ),
    "authorization": (
        1,
        {
            "normal": v1.SERVICE_AUTHORISATION_NORMAL,
            "by_issuer": v1.SERVICE_AUTHORISATION_ISSUER,
            "by_issuer_unless_explicit_agreement": v1.SERVICE_AUTHORISATION_ISSUER_UNLESS_AGREED,
        },
    ),
    "allowed": (
        2,
        {
            "no_restrictions": v1.SERVICE_RANGE_ANY,
            "goods_and_services_only": v1.SERVICE_RANGE_GOODS,
            "cash_only": v1.SERVICE_RANGE_CASH,
            "atm_only": v1.SERVICE_RANGE_DISPENSERS_WITH_PIN,
        },
    ),
}
CHIP = {v1.SERVICE_INTERCHANGE_INTERNATIONAL_CHIP, v1.SERVICE_INTERCHANGE_NATIONAL_CHIP}
INTERNATIONAL = {v1.SERVICE_INTERCHANGE_INTERNATIONAL, v1.SERVICE_INTERCHANGE_INTERNATIONAL_CHIP}
# The peers' names of licence fields, and ours.
LICENCE = {
    "state": "state",
    "city": "city",
    "last": "surname",
    "first": "first_name",
    "middle": "middle_name",
    "address": "address",
    "iin": "issuer_number",
    "id_raw": "id_number",
    "overflow": "id_overflow",
    "id_decoded": "licence_number",
    "exp": "expiry",
    "birth_raw": "encoded_birth_date",
    "birth": "birth_date",
    "postal": "postal_code",
    "cls": "licence_class",
    "restrictions": "restrictions",
    "endorsements": "endorsements",
    "height": "height",
    "weight": "weight",
    "hair": "hair",
    "eyes": "eyes",
}
SEXES = {"MALE": v1.LICENCE_SEX_MALE, "FEMALE": v1.LICENCE_SEX_FEMALE}


def check_meanings(track: tracks.ParsedTrack, expect: dict[str, Any]) -> None:
    """Compare brand and service code with what a peer says they mean; None is no meaning."""
    if "brand" in expect:
        assert track.brand == BRANDS[expect["brand"].lower()]
    for name, (place, values) in MEANINGS.items():
        if name in expect and expect[name] != track.fields.get("interchange_control"):
            assert track.service[place] == values.get(expect[name], 0)
    for name, values in (("ic_card", CHIP), ("icc", CHIP), ("international", INTERNATIONAL)):
        if name in expect:
            assert (track.service[0] in values) == expect[name]


def check_fields(track: tracks.ParsedTrack, expect: dict[str, Any]) -> None:
    """Compare a parsed track with a peer's fields; None and the empty string mean none."""
    for name, wanted in expect.items():
        if name == "exp_valid":
            assert (v1.TRACK_ERROR_EXPIRY not in track.errors) == wanted
        elif name == "too_long":
            assert (v1.TRACK_ERROR_TOO_LONG in track.errors) == wanted
        elif name == "luhn_ok":
            assert track.luhn_ok == wanted
        elif name == "raw":
            assert track.text.strip("%;+?") == wanted
        elif name == "display_name":
            assert display_name(track.fields) == wanted
        elif name in FIELDS and not (name == "interchange" and "amount_authorized" not in expect):
            found = track.fields.get(FIELDS[name], "")
            if name == "name":  # peers cut blanks, and the solidus that stands for no name
                found = found.strip(" ") if wanted else found.strip(" /")
            assert found == (wanted or ""), name
        else:
            assert name in {*DERIVED, *MEANINGS, "brand", "ic_card", "icc", "international"}, name
    check_meanings(track, expect)
    if "exp_year" in expect:
        assert track.fields["expiry"] == f"{expect['exp_year']:02}{expect['exp_month']:02}"
    if "pvv" in expect:
        assert track.fields["discretionary"] == expect["pvv"] + expect["cvv"]


def display_name(fields: dict[str, str]) -> str:
    if "surname" not in fields:
        return fields.get("name", "").strip()
    return " ".join(fields[name] for name in ("first_name", "middle_name", "surname") if name in fields)


def one_track(number: int) -> Check:
    def check(text: str | None, expect: dict[str, Any]) -> None:
        track = tracks.parse(text or "", number)
        if expect.get("error"):
            assert track.errors
        check_fields(track, expect)

    return check


def check_line(line: str, expect: dict[str, Any]) -> None:
    found = {track.number: track for track in tracks.split(line)}
    if expect.get("error"):
        assert all(track.errors for track in found.values())
    if "keyboard_layout_suspected" in expect:
        assert v1.TRACK_ALLOWANCE_KEYBOARD_LAYOUT in found[1].allowances
    first = found.get(1) or found.get(2)
    for name, wanted in expect.items():
        track = found.get(int(name[5])) if name.startswith("track") else first
        if name.endswith("_raw"):
            assert (track.text.strip("%;+?") if track else "") == wanted
        elif name.endswith("_error"):
            assert track is not None
            assert v1.TRACK_ERROR_NOT_READ in track.errors
        elif name.endswith("_blank"):
            assert track is None
        elif name.startswith("track"):
            if wanted is None:
                assert track is None
                continue
            assert track is not None
            check_fields(track, {"pan" if key == "pan" else key: value for key, value in wanted.items()})
        elif name == "consistent":
            assert (not decode(line).differences) == wanted
        elif name == "complete":
            assert first is not None
            assert (v1.TRACK_ALLOWANCE_END_SENTINEL_MISSING not in first.allowances) == wanted
        elif name == "state":
            assert all(track.errors for track in found.values())
        elif name not in DERIVED:
            assert first is not None, name
            check_fields(first, {name: wanted})


def check_not_bank_card(line: str, expect: dict[str, Any]) -> None:
    found = tracks.split(line)
    assert "".join(track.text for track in found) == line
    assert compile_formats(DEFAULT_FORMATS).match(line) is None


def check_reading(read: symbols.Characters, expect: dict[str, Any]) -> None:
    if "no_false_accept" in expect:
        assert read.text in ("", expect["intended_text"])
        return
    if "error" in expect and "repaired_text" not in expect:
        assert (read.text, bool(read.errors)) == ("", True)
        return
    assert read.text == expect.get("text", expect.get("repaired_text"))
    assert read.errors == ()
    if "lrc_char" in expect:
        assert read.lrc_character == expect["lrc_char"]
    if "direction" in expect:
        assert v1.SwipeDirection.Name(read.direction) == f"SWIPE_DIRECTION_{expect['direction'].upper()}"
    if "leading_zero_bits" in expect:
        assert read.start_bit == expect["leading_zero_bits"]
    repaired = "repaired_text" in expect
    assert read.lrc == (v1.LRC_STATUS_REPAIRED if repaired else v1.LRC_STATUS_OK)


def check_bits(given: dict[str, Any], expect: dict[str, Any]) -> None:
    bits = bytes(map(int, given["bits"]))
    for width in (given.get("bits_per_char", 5), 0):
        read = symbols.decode(bits, width)
        check_reading(read, expect)
    if "trailing_zero_bits" in expect:
        assert len(bits) - read.end_bit == expect["trailing_zero_bits"]


def check_layout_bits(given: dict[str, Any], expect: dict[str, Any]) -> None:
    check_bits(given, expect)
    number = compile_formats(format_named("farpointe-pyramid")).match(expect["text"])
    assert number is not None
    assert int(number.facility_code) == expect["facility_code"]
    assert int(number.card_number) == expect["card_number"]


def format_named(name: str) -> list[CardFormat]:
    from swipegate.core import BUILTIN_FORMATS

    return [card_format for card_format in BUILTIN_FORMATS if card_format.name == name]


def check_bytes(given: dict[str, Any], expect: dict[str, Any]) -> None:
    data = bytes(given["bytes"])
    check_reading(symbols.decode(symbols.unpack(data, given["bit_count"])), expect)
    swipe = v1.Swipe(tracks=[v1.RawTrack(bits=v1.BitString(data=data, bit_count=given["bit_count"]))])
    assert decode(swipe).tracks[0].text == expect.get("text", "")


def check_raw_bytes(given: dict[str, Any], expect: dict[str, Any]) -> None:
    data = bytes.fromhex(given["hex"])
    packing = given.get("packing") == "any"
    check_reading(symbols.decode_packed(data, given["bits_per_char"], any_packing=packing), expect)
    if expect.get("strict"):
        assert symbols.decode_packed(data, given["bits_per_char"], repair=False).text == ""


def check_partial(given: dict[str, Any], expect: dict[str, Any]) -> None:
    raw = [
        v1.RawTrack(number=int(name[-1]), bits=v1.BitString(data=bytes.fromhex(text)))
        for name, text in given.items()
    ]
    for track in decode(v1.Swipe(tracks=raw)).tracks:
        assert track.text == (expect[f"track{track.number}"] or "")
        unread = any(error <= v1.TRACK_ERROR_NOT_READ for error in track.errors)
        assert unread == (track.number in expect["errors"])


def check_msr605_block(given: dict[str, Any], expect: dict[str, Any]) -> None:
    (swipe,) = recordings.parse_recording(bytes.fromhex(given["hex"]))
    found = {track.number: track.bits or b"" for track in swipe.tracks}
    for number in (1, 2, 3):
        bits = found.get(number, b"")
        if f"track{number}_hex" in expect:
            assert symbols.pack(bits).hex() == expect[f"track{number}_hex"]
        else:
            assert symbols.decode(bits).text == expect[f"track{number}"]


def check_mag_file(text: str, expect: dict[str, Any]) -> None:
    (swipe,) = recordings.parse_recording(text.encode())
    found = [track for raw in swipe.tracks for track in tracks.split(raw.text or "")]
    assert {f"track{track.number}": track.text for track in found} == expect


def first_reading(candidates: tuple[bytes, ...]) -> symbols.Characters:
    return next((read for bits in candidates if (read := symbols.decode(bits)).text), symbols.decode(b""))


def check_f2f(given: dict[str, Any], expect: dict[str, Any]) -> None:
    rate = 44_100
    bits = symbols.encode(given["text"], 5, 16, 16, given.get("reverse", False))
    intervals = synthesis.intervals_from_bits(bits, given["samples_per_bit"] / rate)
    (run,) = flux.swipes(synthesis.samples_from_intervals(intervals, rate), rate)
    check_reading(first_reading(run.candidates), expect)


def check_recording(path: Path, expect: dict[str, Any]) -> None:
    """What a recorded file must give; its one track is in `expect` where the file tells."""
    (swipe,) = recordings.read_recording(path)
    (track,) = swipe.tracks
    assert track.number == expect.get("track", 0)
    check_reading(first_reading(track.candidates()), expect)


def check_encode(given: dict[str, Any], expect: dict[str, Any]) -> None:
    width = given["bits_per_char"]
    assert symbols.lrc(given["text"], width) == expect["lrc_char"]
    assert symbols.decode(symbols.encode(given["text"], width, 8, 8)).text == given["text"]


def check_encode_track(given: dict[str, Any], expect: dict[str, Any]) -> None:
    fields = {FIELDS[name]: text for name, text in given.items()}
    text = tracks.encode_track1(**fields) if "name" in fields else tracks.encode_track2(**fields)
    assert text.removesuffix("?") == expect["text"].removesuffix("?")
    if "lrc_char" in expect:
        assert symbols.lrc(text, 5) == expect["lrc_char"]


def check_printed_lrc(given: dict[str, Any], expect: dict[str, Any]) -> None:
    (track,) = tracks.split(given["text"])
    assert track.lrc == (v1.LRC_STATUS_OK if expect["lrc_ok"] else v1.LRC_STATUS_BAD)


def check_layout(given: dict[str, Any], expect: dict[str, Any]) -> None:
    """Build the card format that a layout describes, and match it."""
    layout = given["layout"]

    def part(place: Any) -> CardFormatPart | None:
        if place is None:
            return None
        if isinstance(place, dict):
            place = place["field"]
        if isinstance(place, int):
            return CardFormatPart(field=place)
        return CardFormatPart(position=place[0], length=place[1] - place[0] + 1)

    card_format = CardFormat(
        name="layout",
        track=2,
        card_number=part(layout["id"]),
        facility_code=part(layout.get("facility")),
        issue_code=part(layout.get("issue")),
        expiry=part(layout.get("expiry", layout.get("iso"))),
    )
    found = compile_formats([card_format]).match(given["track2"])
    assert found is not None
    assert found.card_number == expect["id"]
    assert found.facility_code == expect.get("facility", "")
    assert found.issue_code == expect.get("issue", "")
    if "expiry" in expect:
        year, month, day = expect["expiry"][2:4], expect["expiry"][5:7], expect["expiry"][8:]
        assert found.expiry == month + day + year
    if "iso" in expect:
        assert found.expiry == expect["iso"]


def check_alphabet(given: dict[str, Any], expect: dict[str, Any]) -> None:
    track = tracks.parse(given["text"], given["track"])
    assert bool(track.errors) == ("error" in expect)


def check_licence(line: str, expect: dict[str, Any]) -> None:
    found = tracks.split(line)
    if expect.get("error"):
        # A peer that knows licences alone refuses a bank card, which is right in itself.
        assert all(track.errors for track in found)
        return
    fields = {name: text for track in found for name, text in track.fields.items()}
    assert not [error for track in found for error in track.errors]
    for name, wanted in expect.items():
        if name == "sex":
            assert max(track.sex for track in found) == SEXES[wanted]
        else:
            assert fields.get(LICENCE[name], "") == wanted, name
    check_licence_number(line, expect)


def check_class(line: str, expect: dict[str, Any]) -> None:
    licences = v1.TRACK_STANDARD_AAMVA_TRACK1, v1.TRACK_STANDARD_AAMVA_TRACK2, v1.TRACK_STANDARD_AAMVA_TRACK3
    is_licence = any(track.standard in licences for track in tracks.split(line))
    assert is_licence == (expect["kind"] == "aamva")


def check_licence_number(line: str, expect: dict[str, Any]) -> None:
    """The licence number and expiry date by the built-in formats, those of a state before the general one."""
    names = ("aamva-florida", "aamva-california", "cdmv-california", "aamva-licence", "aamva-licence-6044")
    number = decode(line, compile_formats([one for name in names for one in format_named(name)])).card_number
    if "id_decoded" in expect:
        assert number.card_number == expect["id_decoded"]
    if "exp" in expect:
        assert number.expiry == expect["exp"]


def check_luhn(digits: str, expect: dict[str, Any]) -> None:
    assert tracks.luhn_ok(digits) == expect["valid"]


CHECKS: dict[str, Check] = {
    "bits": check_bits,
    "bytes_raw": check_bytes,
    "raw_bytes": check_raw_bytes,
    "raw_bytes_partial": check_partial,
    "layout_bits": check_layout_bits,
    "msr605_raw_block": check_msr605_block,
    "mag_file": check_mag_file,
    "f2f_roundtrip": check_f2f,
    "encode": check_encode,
    "encode_t1": check_encode_track,
    "encode_t2": check_encode_track,
    "lrc": check_encode,
    "lrc_check": check_printed_lrc,
    "luhn": check_luhn,
    "t1_text": one_track(1),
    "t2_text": one_track(2),
    "t3_text": one_track(3),
    "emv_t2_hex": one_track(2),
    "tracks_text": check_line,
    "reader_text": check_line,
    "wedge_chars": check_line,
    "not_bank_card": check_not_bank_card,
    "layout_fields": check_layout,
    "layout_fixed": check_layout,
    "validate_iso": check_alphabet,
    "aamva_text": check_licence,
    "classify": check_class,
}


def check(kind: str, given: Any, expect: dict[str, Any]) -> None:
    CHECKS[kind](given, expect)
