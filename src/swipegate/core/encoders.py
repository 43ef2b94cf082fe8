"""Fields to characters: the text of each track that the track core parses, with its sentinels.

Every function raises ValueError whose text begins with the name of the field that is wrong and says nothing of
what was in it.
"""

from collections.abc import Mapping

LONGEST_TRACK1 = 79
"""Characters, sentinels and LRC included (ISO/IEC 7811-2)."""
LONGEST_TRACK2 = 40
LONGEST_TRACK3 = 107
LONGEST_PAN = 19
"""Digits (ISO/IEC 7812-1)."""
LONGEST_NAME = 26
"""Characters (ISO/IEC 7813)."""
LONGEST_LICENCE_NUMBER = 13
"""Digits on track 2, beside an overflow of at most 5 (AAMVA, magnetic stripe)."""
LONGEST_OVERFLOW = 5

# Fields of fixed length behind the PAN of track 3, and whether a separator may stand for them (ISO/IEC 4909).
TRACK3_FIELDS = {
    "country_code": (3, True),
    "currency": (3, False),
    "currency_exponent": (1, False),
    "amount_authorised": (4, False),
    "amount_remaining": (4, False),
    "cycle_begin": (4, False),
    "cycle_length": (2, False),
    "retry_count": (1, False),
    "pin_control": (6, False),
    "interchange_control": (1, False),
    "pan_restriction": (2, False),
    "san1_restriction": (2, False),
    "san2_restriction": (2, False),
    "expiry": (4, True),
    "card_sequence": (1, False),
    "card_security_number": (9, True),
}
# Lengths of the fields of a licence's track 3, in their order (AAMVA, magnetic stripe).
LICENCE_FIELDS = {
    "template_version": 1,
    "security_version": 1,
    "postal_code": 11,
    "licence_class": 2,
    "restrictions": 10,
    "endorsements": 4,
    "encoded_sex": 1,
    "height": 3,
    "weight": 3,
    "hair": 3,
    "eyes": 3,
    "track3_id": 10,
    "reserved": 16,
    "error_correction": 6,
    "security": 5,
}
CITY, NAME, ADDRESS, TRACK1_DATA = 13, 35, 29, 79
"""Characters of a licence's track 1."""


def encode_track1(
    pan: str,
    name: str,
    expiry: str = "",
    service_code: str = "",
    discretionary: str = "",
    country_code: str = "",
    format_code: str = "B",
) -> str:
    """An ISO/IEC 7813 track 1 in the layout of format code B, which the issuer's own format A may have too.

    An empty expiry or service code becomes a separator.
    """
    if format_code not in ("A", "B"):
        raise ValueError("format_code must be A or B")
    _check_digits(pan, "pan", 1, LONGEST_PAN)
    if country_code:
        _check_digits(country_code, "country_code", 3, 3)
        if not pan.startswith("59"):
            raise ValueError("country_code must be empty unless pan starts with 59")
    if not 2 <= len(name) <= LONGEST_NAME:
        raise ValueError(f"name must be 2 to {LONGEST_NAME} characters")
    _check_seven(name, "name", "%?^")
    _check_seven(discretionary, "discretionary", "%?")
    dates = _tail(expiry, service_code, "^")
    return _bounded(f"%{format_code}{pan}^{country_code}{name}^{dates}{discretionary}?", LONGEST_TRACK1)


def encode_track1_a(data: str) -> str:
    """An ISO/IEC 7813 track 1 of format code A that holds the issuer's data as it is."""
    _check_seven(data, "data", "%?")
    return _bounded(f"%A{data}?", LONGEST_TRACK1)


def encode_track2(pan: str, expiry: str = "", service_code: str = "", discretionary: str = "") -> str:
    """An ISO/IEC 7813 track 2; an empty expiry or service code becomes a separator."""
    _check_digits(pan, "pan", 1, LONGEST_PAN)
    _check_five(discretionary, "discretionary", ";?")
    return _bounded(f";{pan}={_tail(expiry, service_code, '=')}{discretionary}?", LONGEST_TRACK2)


def encode_emv_track2(pan: str, expiry: str, service_code: str, discretionary: str = "") -> str:
    """Track 2 equivalent data of a chip (EMV tag 57) in hexadecimal; expiry and service code are mandatory there."""
    _check_digits(pan, "pan", 1, LONGEST_PAN)
    _check_digits(discretionary, "discretionary", 0, LONGEST_TRACK2)
    for value, field in ((expiry, "expiry"), (service_code, "service_code")):
        if not value:
            raise ValueError(f"{field} must not be empty")
    text = f"{pan}D{_tail(expiry, service_code, '')}{discretionary}"
    return _bounded(text, LONGEST_TRACK2 - 2) + "F" * (len(text) % 2)


def encode_track3(
    pan: str,
    fields: Mapping[str, str],
    format_code: str = "01",
    first_san: str = "",
    second_san: str = "",
    relay_marker: str = "0",
    crypto_check_digits: str = "",
    discretionary: str = "",
) -> str:
    """An ISO/IEC 4909 track 3; `fields` are those of TRACK3_FIELDS, by the names of v1 TrackFields and Track3Fields.

    A field left out is zeros, or a separator where the standard allows one.
    """
    _check_digits(format_code, "format_code", 2, 2)
    if not (format_code in ("01", "02") or format_code >= "90"):
        raise ValueError("format_code must be 01, 02 or 90 to 99")
    _check_digits(pan, "pan", 1, LONGEST_PAN)
    unknown = set(fields) - set(TRACK3_FIELDS)
    if unknown:
        raise ValueError(f"{min(unknown)} is no field of track 3")
    parts = [f";{format_code}{pan}="]
    for name, (length, or_separator) in TRACK3_FIELDS.items():
        value = fields.get(name, "")
        if value:
            _check_digits(value, name, length, length)
        parts.append(value or ("=" if or_separator else "0" * length))
    if fields.get("expiry"):
        _check_month(fields["expiry"])
    for name, value in (("first_san", first_san), ("second_san", second_san)):
        _check_five(value, name, ";?=")
        parts.append(value + "=")
    _check_digits(relay_marker, "relay_marker", 1, 1)
    if crypto_check_digits:
        _check_digits(crypto_check_digits, "crypto_check_digits", 6, 6)
    _check_five(discretionary, "discretionary", ";?")
    parts.append(relay_marker + (crypto_check_digits or "=") + discretionary + "?")
    return _bounded("".join(parts), LONGEST_TRACK3)


def encode_licence_track1(state: str, city: str, name: str, address: str) -> str:
    """Track 1 of a licence (AAMVA, magnetic stripe); $ joins the parts of the name and the lines of the address."""
    if len(state) != 2 or not (state.isascii() and state.isupper()):
        raise ValueError("state must be two capital letters")
    parts = [f"%{state}"]
    for value, field, most in ((city, "city", CITY), (name, "name", NAME)):
        _check_seven(value, field, "%?^")
        if not 1 <= len(value) <= most:
            raise ValueError(f"{field} must be 1 to {most} characters")
        parts.append(value if len(value) == most else value + "^")
    _check_seven(address, "address", "%?^")
    if not address:
        raise ValueError("address must not be empty")
    parts.append(address if len(address) == ADDRESS else address + "^")
    return _bounded("".join(parts) + "?", TRACK1_DATA + 3)


def encode_licence_track2(
    issuer_number: str, id_number: str, expiry: str, birth_date: str, id_overflow: str = ""
) -> str:
    """Track 2 of a licence (AAMVA, magnetic stripe): expiry is YYMM, where MM may be 77, 88 or 99; birth_date YYYYMMDD,
    where MM may be 99.
    """
    _check_digits(issuer_number, "issuer_number", 6, 6)
    _check_digits(id_number, "id_number", 1, LONGEST_LICENCE_NUMBER)
    _check_digits(expiry, "expiry", 4, 4)
    if not 1 <= int(expiry[2:]) <= 12 and expiry[2:] not in ("77", "88", "99"):
        raise ValueError("expiry must be YYMM, or YY and 77, 88 or 99")
    _check_digits(birth_date, "birth_date", 8, 8)
    if not 1 <= int(birth_date[4:6]) <= 12 and birth_date[4:6] != "99":
        raise ValueError("birth_date must be YYYYMMDD, or YYYY99DD")
    _check_five(id_overflow, "id_overflow", ";?=")
    if len(id_overflow) > LONGEST_OVERFLOW:
        raise ValueError(f"id_overflow must be at most {LONGEST_OVERFLOW} characters")
    end = id_overflow if len(id_overflow) == LONGEST_OVERFLOW else id_overflow + "="
    return _bounded(f";{issuer_number}{id_number}={expiry}{birth_date}{end}?", LONGEST_TRACK2)


def encode_licence_track3(fields: Mapping[str, str]) -> str:
    """Track 3 of a licence (AAMVA, magnetic stripe), 7 bits a character; `fields` are those of LICENCE_FIELDS,
    shorter ones filled up with blanks.
    """
    unknown = set(fields) - set(LICENCE_FIELDS)
    if unknown:
        raise ValueError(f"{min(unknown)} is no field of a licence's track 3")
    parts = ["%"]
    for name, length in LICENCE_FIELDS.items():
        value = fields.get(name, "")
        _check_seven(value, name, "%?^=")
        if len(value) > length:
            raise ValueError(f"{name} must be at most {length} characters")
        parts.append(value.ljust(length))
    if fields.get("encoded_sex", " ") not in ("1", "2", "9", "M", "F", "X", " "):
        raise ValueError("encoded_sex must be 1, 2, 9, M, F or X")
    for name in ("height", "weight"):
        if fields.get(name):
            _check_digits(fields[name], name, 1, LICENCE_FIELDS[name])
    return "".join(parts) + "?"


def encode_licence(
    *,
    issuer_number: str,
    id_number: str,
    expiry: str,
    birth_date: str,
    state: str,
    city: str,
    name: str,
    address: str,
    id_overflow: str = "",
    track3: Mapping[str, str] | None = None,
) -> tuple[str, str, str]:
    """The three tracks of a licence; without `track3` the third is empty."""
    return (
        encode_licence_track1(state, city, name, address),
        encode_licence_track2(issuer_number, id_number, expiry, birth_date, id_overflow),
        "" if track3 is None else encode_licence_track3(track3),
    )


def encode_cdmv_track2(letter: str, number: str, check_digit: str, expiry: str, birth_date: str) -> str:
    """Track 2 of a California licence of before the AAMVA standard: a letter, seven digits, a check digit."""
    if len(letter) != 1 or not "A" <= letter <= "Z":
        raise ValueError("letter must be one capital letter")
    _check_digits(number, "number", 7, 7)
    _check_digits(check_digit, "check_digit", 1, 1)
    _check_digits(expiry, "expiry", 4, 4)
    _check_digits(birth_date, "birth_date", 8, 8)
    return f";636014{ord(letter) - 0x40:02}{number}{check_digit}={expiry}={birth_date}?"


def encode_cdmv_track1(card_type: str, name: str, address: str, city: str) -> str:
    """Track 1 of a California licence of before the AAMVA standard, 6 bits a character: a card type (C, S, D, I or
    R), two lines of name as one of 58 characters, one of address, the city.
    """
    if card_type not in tuple("CSDIR"):
        raise ValueError("card_type must be C, S, D, I or R")
    text = f"%{card_type}"
    for value, field, length in ((name, "name", 58), (address, "address", 29), (city, "city", 13)):
        _check_seven(value, field, "%?^")
        if len(value) > length:
            raise ValueError(f"{field} must be at most {length} characters")
        text += value.ljust(length)
    return text + "?"


def _check_digits(value: str, field: str, least: int, most: int) -> None:
    if not (least <= len(value) <= most and (not value or (value.isascii() and value.isdigit()))):
        lengths = str(most) if least == most else f"{least} to {most}"
        raise ValueError(f"{field} must be {lengths} digits")


def _check_seven(value: str, field: str, but: str) -> None:
    if any(not " " <= character <= "_" or character in but for character in value):
        raise ValueError(f"{field} holds a character that is no data on a 7-bit track")


def _check_five(value: str, field: str, but: str) -> None:
    if any(not "0" <= character <= "?" or character in but for character in value):
        raise ValueError(f"{field} holds a character that is no data on a 5-bit track")


def _check_month(expiry: str) -> None:
    if not 1 <= int(expiry[2:]) <= 12:
        raise ValueError("expiry must be YYMM")


def _tail(expiry: str, service_code: str, separator: str) -> str:
    if expiry:
        _check_digits(expiry, "expiry", 4, 4)
        _check_month(expiry)
    if service_code:
        _check_digits(service_code, "service_code", 3, 3)
    return (expiry or separator) + (service_code or separator)


def _bounded(text: str, most: int) -> str:
    if len(text) + 1 > most:
        raise ValueError(f"the track must be at most {most} characters with its LRC")
    return text
