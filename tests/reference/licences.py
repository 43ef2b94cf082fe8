"""The reference for driving licences, written from the AAMVA magnetic stripe layout: regular expressions and dates."""

import re
from calendar import monthrange
from datetime import date

AAMVA1, AAMVA2, AAMVA3, CDMV1, CDMV2 = 8, 9, 10, 11, 12
TOO_LONG, SEPARATOR_ERROR, EXPIRY, BIRTH_DATE = 9, 12, 13, 17
FIELDS_MISSING, BIRTH_MONTH = 9, 14

BY_NUMBER = (
    "VA NY MA MD NC SC CT LA MT NM FL DE ON NS CA TX NL NB IA GU CO AR KS OH VT PA AZ US-STATE-DEPT BC OR MO WI"
    " MI AL ND IL NJ IN MN NH UT ME SD DC SK WA KY HI MB NV ID MS RI TN NE GA MX-COA MX-HID OK AK WY WV VI"
)
JURISDICTIONS = dict(enumerate(BY_NUMBER.split(), 636000))
JURISDICTIONS |= dict(enumerate(["PE", "AS", "QC", "YT", "MP", "PR", "NT", "NU"], 604426))
ISSUERS = {604425, *JURISDICTIONS}
STATES = {name for name in JURISDICTIONS.values() if len(name) == 2}
# Digits behind the letter of a licence number, where the letter is encoded as two digits.
LETTERED = {"CA": 7, "IL": 11, "WI": 13, "NJ": 14, "ON": 14}
LETTERED |= dict.fromkeys(("VA", "MA", "KS", "AZ", "KY", "HI"), 8) | dict.fromkeys(
    ("MD", "FL", "MI", "MN", "QC"), 12
)
TRACK3 = {
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
SEX = {"1": 1, "M": 1, "2": 2, "F": 2, "9": 9, "X": 9, " ": 0}


def is_issuer(pan: str) -> bool:
    return len(pan) > 6 and int(pan[:6]) in ISSUERS


def _line(track, text, most):
    """A line of at most `most` characters, and what follows it."""
    found = re.match(rf"([^^]{{0,{most}}})\^", text, re.DOTALL)
    if found:
        return found[1], text[found.end() :]
    if len(text) < most:
        track.error_set.add(SEPARATOR_ERROR)
    return text[:most], text[most:]


def track1(track) -> bool:
    """Fill a track 1; False where it is no licence's."""
    data = track.data
    if 88 < len(data) <= 101 and data[0] in "CSDIR" and "^" not in data:
        track.standard = CDMV1
        lines = {"name": data[1:59], "address": data[59:88], "city": data[88:]}
        track.put(format_code=data[0], **{name: line.strip(" ") for name, line in lines.items()})
        return True
    if len(data) < 4 or data[:2].upper() not in STATES or not data[:2].isascii() or not set(data) & set("^$"):
        return False
    track.standard = AAMVA1
    if len(data) > 79:
        track.error_set.add(TOO_LONG)
    city, rest = _line(track, data[2:], 13)
    name, rest = _line(track, rest, 35)
    address, _, after = rest.partition("^")
    if not address:
        track.allowance_set.add(FIELDS_MISSING)
    first, _, more = address.partition("$")
    parts = [part.strip(" ") for part in [*name.split("$", 3), "", "", ""][:4]]
    track.put(state=data[:2], city=city.strip(" "), name=name.strip(" "))
    track.put(**dict(zip(("surname", "first_name", "middle_name", "title"), parts, strict=True)))
    track.put(address=first.strip(" "), more_address=more.strip(" "), discretionary=after.strip(" "))
    return True


def _date(year: int, month: int, day: int) -> str:
    try:
        return f"{date(year, month, day):%Y%m%d}" if 1800 <= year <= 2199 else ""
    except ValueError:
        return ""


def _dates(track, expiry: str, birth: str) -> None:
    year, month = 2000 + int(expiry[:2]), int(expiry[2:])
    born = ""
    if birth:
        if birth[4:6] == "99":
            track.allowance_set.add(BIRTH_MONTH)
            birth = birth[:4] + expiry[2:] + birth[6:]
        born = _date(int(birth[:4]), int(birth[4:6]), int(birth[6:]))
        track.put(birth_date=born)
        if not born:
            track.error_set.add(BIRTH_DATE)
    birth_month, birth_day = (int(born[4:6]), int(born[6:])) if born else (0, 0)
    track.expiry_rule = {77: 2, 88: 3, 99: 4}.get(month, 1 if 1 <= month <= 12 else 0)
    if track.expiry_rule == 1:
        track.put(expiry_date=_date(year, month, monthrange(year, month)[1]))
    elif track.expiry_rule == 3 and born:
        track.put(expiry_date=_date(year + 1, birth_month, monthrange(year + 1, birth_month)[1]))
    elif track.expiry_rule == 4 and born:
        track.put(expiry_date=_date(year, birth_month, birth_day))
    elif track.expiry_rule == 0:
        track.error_set.add(EXPIRY)


def track2(track, printed: str, rest: str) -> None:
    """Fill a track 2 whose PAN begins with an issuer number; `printed` is the PAN with its blanks."""
    pan, mark = track.fields["pan"], track.separator
    jurisdiction = JURISDICTIONS.get(int(pan[:6]), "")
    found = re.fullmatch("((?: *[0-9]){6})(.*)", printed)
    assert found
    if len(found[1]) == 6:
        track.put(issuer_number=found[1])
    number = found[2]
    track.standard = AAMVA2
    cdmv = jurisdiction == "CA" and len(pan) == 16 and number[-1] != " "
    if cdmv:
        track.put(check_digit=number[-1])
        number = number[:-1]
    track.put(jurisdiction=jurisdiction, id_number=number)
    dated = re.match("[0-9]{4}", rest)
    if dated:
        track.put(expiry=rest[:4])
        rest = rest[4:]
        if re.match(re.escape(mark) + "[0-9]{8}", rest):
            track.standard = CDMV2 if cdmv else AAMVA2
            rest = rest[1:]
        if re.match("[0-9]{8}", rest):
            track.put(encoded_birth_date=rest[:8])
            _dates(track, dated[0], rest[:8])
            rest = rest[8:]
        else:
            track.error_set.add(BIRTH_DATE)
            _dates(track, dated[0], "")
        if not rest:
            if track.standard == AAMVA2:
                track.allowance_set.add(FIELDS_MISSING)
        else:
            overflow, _, after = rest.partition(mark)
            if len(overflow) <= 5:
                track.put(id_overflow=overflow.strip(" "), discretionary=after)
            else:
                track.put(discretionary=rest)
    else:
        track.error_set.add(EXPIRY)
        track.put(discretionary=rest)
    whole = re.sub("[^ -~]", "?", number + track.fields.get("id_overflow", "")).replace(" ", "")
    letter = re.match("(0[1-9]|1[0-9]|2[0-6])", whole)
    if letter and len(whole) == LETTERED.get(jurisdiction, -2) + 2:
        whole = chr(0x40 + int(letter[0])) + whole[2:]
    track.put(licence_number=whole)


def track3(track) -> bool:
    """Fill a track 3; False where it is no licence's."""
    data = track.data
    if not 33 <= len(data) <= 79 or set(data) & set("=^") or re.fullmatch("[0-9]+", data):
        return False
    if data[29] not in SEX or not re.fullmatch("[0-9 ]{3}", data[30:33]):
        return False
    track.standard = AAMVA3
    place = 0
    for name, length in TRACK3.items():
        if place >= len(data):
            track.allowance_set.add(FIELDS_MISSING)
        track.put(**{name: data[place : place + length].strip(" ")})
        place += length
    track.put(discretionary=data[place:].strip(" "))
    track.sex = SEX[data[29]]
    return True
