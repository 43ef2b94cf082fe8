"""The reference parser of tracks, written from ISO/IEC 7813 and 4909: regular expressions, one a layout."""

import re
from dataclasses import dataclass, field

from tests.reference import licences
from tests.reference.brands import brand_of, service_of

ISO7813_TRACK1, ISO7813_TRACK2, ISO4909_TRACK3 = 1, 2, 3
TRACK1_A, TRACK1_RESERVED, TRACK1_ISSUER, EMV = 4, 5, 6, 7
NO_ENCODING, NO_START, LRC, EMPTY, NOT_READ, TOO_LONG, ILLEGAL_CHARACTER = 1, 2, 5, 6, 8, 9, 10
PAN, SEPARATOR_ERROR, EXPIRY, SERVICE_CODE, NAME, FORMAT_CODE = 11, 12, 13, 14, 15, 16
KEYBOARD_ERROR = 18
START_MISSING, END_MISSING, SEPARATOR, PADDING, FRAMING, NO_SOLIDUS = 1, 2, 3, 4, 5, 6
PAN_BLANKS, START_SENTINEL, FIELDS_MISSING, EXPIRY_BLANKS, EXTRA_END, LOWER_CASE = 7, 8, 9, 10, 11, 12
KEYBOARD = 13
UNPROVED_REPAIR = 15

LONGEST = {0: 1024, 1: 79, 2: 40, 3: 107}
CONTROL = "[\x00-\x1f\x7f]"
PAN_TEXT = r"(?P<pan>[0-9 ]*)"
TRACK3 = (
    ("country_code", 3, True),
    ("currency", 3, False),
    ("currency_exponent", 1, False),
    ("amount_authorised", 4, False),
    ("amount_remaining", 4, False),
    ("cycle_begin", 4, False),
    ("cycle_length", 2, False),
    ("retry_count", 1, False),
    ("pin_control", 6, False),
    ("interchange_control", 1, False),
    ("pan_restriction", 2, False),
    ("san1_restriction", 2, False),
    ("san2_restriction", 2, False),
    ("expiry", 4, True),
    ("card_sequence", 1, False),
    ("card_security_number", 9, True),
    ("first_san", None, False),
    ("second_san", None, False),
    ("relay_marker", 1, False),
    ("crypto_check_digits", 6, True),
)


@dataclass
class Track:
    text: str
    number: int
    data: str = ""
    separator: str = "="
    standard: int = 0
    error_set: set[int] = field(default_factory=set)
    allowance_set: set[int] = field(default_factory=set)
    fields: dict[str, str] = field(default_factory=dict)
    luhn_ok: bool | None = None
    lrc: int = 0
    lrc_character: str = ""
    raw: str = ""
    brand: int = 0
    expiry_rule: int = 0
    sex: int = 0

    @property
    def service(self) -> tuple[int, int, int]:
        return service_of(self.fields.get("service_code", ""))

    @property
    def errors(self) -> tuple[int, ...]:
        return tuple(sorted(self.error_set))

    @property
    def allowances(self) -> tuple[int, ...]:
        return tuple(sorted(self.allowance_set))

    @property
    def is_sure(self) -> bool:
        """Whether nothing puts the characters themselves in doubt."""
        return min(self.error_set, default=TOO_LONG) >= TOO_LONG and UNPROVED_REPAIR not in self.allowance_set

    def put(self, **fields: str) -> None:
        self.fields.update({name: text for name, text in fields.items() if text})


def luhn_ok(digits: str) -> bool:
    if not re.fullmatch("[0-9]+", digits):
        return False
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _take_pan(track: Track, printed: str) -> None:
    pan = printed.replace(" ", "")
    if not 1 <= len(pan) <= 19:
        track.error_set.add(PAN)
        return
    if pan != printed:
        track.allowance_set.add(PAN_BLANKS)
    track.put(pan=pan)
    track.luhn_ok = luhn_ok(pan)
    track.brand = brand_of(pan)


def _take_tail(track: Track, rest: str) -> None:
    """Expiry or separator, service code or separator, discretionary data."""
    mark = track.separator
    if not rest:
        track.allowance_set.add(FIELDS_MISSING)
        return
    dated = re.match(" *([0-9]{4})", rest)
    if rest[0] == mark:
        rest = rest[1:]
    elif dated:
        if rest[0] == " ":
            track.allowance_set.add(EXPIRY_BLANKS)
        track.put(expiry=dated[1])
        if not 1 <= int(dated[1][2:]) <= 12:
            track.error_set.add(EXPIRY)
        rest = rest[dated.end() :]
    else:
        track.error_set.add(EXPIRY)
        track.put(discretionary=rest)
        return
    if not rest:
        track.allowance_set.add(FIELDS_MISSING)
        return
    if rest[0] == mark:
        rest = rest[1:]
    elif re.match("[0-9]{3}", rest):
        track.put(service_code=rest[:3])
        rest = rest[3:]
    else:
        track.error_set.add(SERVICE_CODE)
    track.put(discretionary=rest)


def _take_name(track: Track, name: str) -> None:
    track.put(name=name)
    if len(name) > 26:
        track.error_set.add(NAME)
    if "/" not in name:
        track.allowance_set.add(NO_SOLIDUS)
        return
    surname, given = name.split("/", 1)
    given, title = given.lstrip(" "), ""
    if "." in given:
        core = given.rstrip(" .")
        before, dot, _ = core.rpartition(".")
        title = given[len(before) + 1 :] if dot else ""
        given = before if dot else core
    first, _, middle = given.partition(" ")
    track.put(
        surname=surname.strip(" "), first_name=first, middle_name=middle.strip(" "), title=title.strip(" ")
    )


def _standard_of(code: str) -> int:
    code = code.upper()
    if code in ("A", "B"):
        return TRACK1_A if code == "A" else ISO7813_TRACK1
    return TRACK1_RESERVED if "C" <= code <= "M" else TRACK1_ISSUER if "N" <= code <= "Z" else 0


def _track1(track: Track) -> None:
    data = track.data
    if re.search("[^ -_a-z]", data):
        track.error_set.add(ILLEGAL_CHARACTER)
    if re.search("[a-z]", data):
        track.allowance_set.add(LOWER_CASE)
    if re.match("[^0-9][^0-9]", data, re.DOTALL) and licences.track1(track):
        return
    if len(data) > 76:
        track.error_set.add(TOO_LONG)
    code = "" if data[0] in "0123456789" else data[0]
    standard = _standard_of(code) if code.isascii() else 0
    if standard not in (ISO7813_TRACK1, TRACK1_A):
        track.error_set.add(FORMAT_CODE)
    found = re.match(PAN_TEXT + r"(?P<after>.?)", data[len(code) :], re.DOTALL)
    assert found
    pan_fits = 1 <= len(found["pan"].replace(" ", "")) <= 19
    rest = data[len(code) + found.end() :]
    mark = found["after"]
    if mark == "&" and pan_fits and len(found["pan"].replace(" ", "")) >= 12 and "&" in rest:
        track.allowance_set.add(KEYBOARD)
        track.put(format_code=code)
        name, _, after = rest.partition("&")
        rest = f"{name}&{re.split('[_:]', after)[0]}"
    elif mark != "^" or (standard == TRACK1_A and not pan_fits):
        track.standard = 0 if standard == ISO7813_TRACK1 else standard
        if standard == TRACK1_A:
            track.put(format_code=code, discretionary=data[len(code) :])
        elif standard == ISO7813_TRACK1:
            track.put(format_code=code)
            track.error_set.add(PAN if mark else SEPARATOR_ERROR)
            if not pan_fits:
                track.error_set.add(PAN)
        return
    elif re.fullmatch("[A-_a-z]", code):
        track.put(format_code=code)
    _take_pan(track, found["pan"])
    track.standard = 0 if standard == ISO7813_TRACK1 and not pan_fits else standard
    track.separator = mark
    if (
        track.fields.get("pan", "").startswith("59")
        and len(track.fields["pan"]) > 2
        and re.match("[0-9]{3}", rest)
    ):
        track.put(country_code=rest[:3])
        rest = rest[3:]
    name, _, rest = rest.partition(mark)
    _take_name(track, name)
    _take_tail(track, rest)


def _is_disguised(pan: str, after: str, rest: str) -> bool:
    """Whether = came as - or ' or a reverse solidus, as keyboard layouts turn it out."""
    if not 12 <= len(pan) <= 19 or not luhn_ok(pan) or after not in ("-", "'", "\\"):
        return False
    return bool(re.match("[0-9]{2}(0[1-9]|1[0-2])[0-9]{3}", rest))


def _mark_emv(track: Track) -> None:
    """Tell EMV track 2 equivalent data in whole bytes from mixed forms."""
    padded = track.raw[len(track.data) :]
    if START_MISSING not in track.allowance_set or track.separator not in ("D", "d"):
        return
    if track.raw.endswith("?") or len(padded) > 1 or len(track.raw) % 2:
        return
    track.standard = EMV
    track.allowance_set -= {START_MISSING, END_MISSING, SEPARATOR, PADDING}
    if track.separator == "d" or padded == "f":
        track.allowance_set.add(LOWER_CASE)


def _track2(track: Track) -> None:
    padding = re.search("[Ff]+0*$", track.data.removesuffix("\n")) if "\n" not in track.data else None
    if padding:
        track.allowance_set.add(PADDING)
        track.data = track.data[: padding.start()]
    found = re.match(PAN_TEXT + r"(?P<after>.?)", track.data, re.DOTALL)
    assert found
    digits = found["pan"].replace(" ", "")
    rest = track.data[found.end() :]
    disguised = _is_disguised(digits, found["after"], rest)
    if not disguised and (found["after"] not in ("=", "D", "d", "^") or not found["after"]):
        if found["after"] > "\x7f" and 12 <= len(digits) <= 19:
            track.error_set.add(KEYBOARD_ERROR)
        if found["after"] and "=" in track.data:
            track.error_set.add(PAN)
        if re.search("[^0-?]", track.data):
            track.error_set.add(ILLEGAL_CHARACTER)
        return
    track.separator = found["after"]
    if disguised:
        track.allowance_set.add(KEYBOARD)
        leading = re.match("[0-9]*", rest)
        assert leading
        rest = leading[0]
    elif track.separator != "=":
        track.allowance_set.add(SEPARATOR)
    if re.search("[^0-?]", rest):
        track.error_set.add(ILLEGAL_CHARACTER)
    _take_pan(track, found["pan"])
    pan = track.fields.get("pan", "")
    if licences.is_issuer(pan):
        track.luhn_ok, track.brand = None, 0
        licences.track2(track, found["pan"], rest)
        return
    _take_tail(track, rest)
    sound = not track.error_set & {EXPIRY, SERVICE_CODE} or (track.luhn_ok and len(pan) >= 12)
    if pan and sound:
        track.standard = ISO7813_TRACK2
        _mark_emv(track)


def _track3_fields(track: Track, rest: str) -> None:
    mark = track.separator
    for name, size, may_be_mark in TRACK3:
        if size is None:
            text, separator, after = rest.partition(mark)
            track.put(**{name: text})
            if not separator:
                track.allowance_set.add(FIELDS_MISSING)
                return
            rest = after
        elif may_be_mark and rest.startswith(mark):
            rest = rest[1:]
        elif re.match(f"[0-9]{{{size}}}", rest):
            track.put(**{name: rest[:size]})
            rest = rest[size:]
        elif len(rest) < size:
            track.allowance_set.add(FIELDS_MISSING)
            return
        else:
            track.error_set.add(SEPARATOR_ERROR)
            return
    track.put(discretionary=rest)


def _track3(track: Track) -> None:
    if re.search("[^ -_a-z]", track.data):
        track.error_set.add(ILLEGAL_CHARACTER)
    if re.search("[a-z]", track.data):
        track.allowance_set.add(LOWER_CASE)
    if licences.track3(track):
        return
    found = re.match(r"(?P<code>[0-9]{2})" + PAN_TEXT + r"(?P<mark>[=^])", track.data)
    if not found:
        return
    track.separator = found["mark"]
    rest = track.data[found.end() :]
    if track.separator == "^":
        track.allowance_set.add(SEPARATOR)
    elif re.search("[^0-?]", rest):
        track.error_set.add(ILLEGAL_CHARACTER)
    interchange = found["code"] in ("01", "02") or found["code"] >= "90"
    if not interchange:
        track.error_set.add(FORMAT_CODE)
        if len(rest) < 36:
            if not 1 <= len(found["pan"].replace(" ", "")) <= 19:
                track.error_set.add(PAN)
            return
    track.put(format_code=found["code"])
    _take_pan(track, found["pan"])
    if interchange and "pan" in track.fields:
        track.standard = ISO4909_TRACK3
    _track3_fields(track, rest)
    expiry = track.fields.get("expiry")
    if expiry and not 1 <= int(expiry[2:]) <= 12:
        track.error_set.add(EXPIRY)


def guess(text: str) -> int:
    """The track that a text without a start sentinel looks like."""
    found = re.match(r"([Bb]?)[0-9][0-9 ]*(.?)", text, re.DOTALL)
    if not found:
        return 0
    letter, after = found.groups()
    if letter:
        return 1 if after in ("", "^") else 2 if after in "=Dd" else 0
    return 2 if after and after in "=Dd^" else 0


def parse_piece(text: str, number: int) -> Track:
    """One track without framing."""
    if not text:
        return Track("", 0, error_set={NO_ENCODING})
    told = number
    number = number or {"%": 1, ";": 2, "+": 3}.get(text[0], 0) or guess(text)
    if not told and re.match(";(0[012]|9[0-9])", text) and len(text) > 40 and set("=^") & set(text[1:]):
        number = 3  # ISO/IEC 7811-2: a track 2 holds 40 characters, its LRC included; 4909: format codes
    track = Track(re.sub("[^ -~]", "?", text), number, raw=text)
    starts = {0: "", 1: "%", 2: ";", 3: ";%+#!&@"}[number]
    data = text
    if text[0] in starts:
        data = data[1:]
        if number == 3 and text[0] not in ";%":
            track.allowance_set.add(START_SENTINEL)
    elif number == 2 and re.match("[Bb][0-9]", text):
        data = data[1:]
        track.allowance_set.add(START_SENTINEL)
    elif number:
        track.allowance_set.add(START_MISSING)
    if data.endswith("?"):
        data = data[:-1]
    else:
        track.allowance_set.add(END_MISSING)
    track.data = data
    if re.search("[^ -~]", text):
        track.error_set.add(ILLEGAL_CHARACTER)
    if number == 2 and re.fullmatch("[Ff]+0*", data):
        track.allowance_set.add(PADDING)
        track.data = ""
    if not track.data:
        track.error_set.add(EMPTY)
    elif number == 0:
        track.allowance_set.clear()
        track.error_set.add(NO_START)
    else:
        track.separator = "^" if number == 1 else "="
        {1: _track1, 2: _track2, 3: _track3}[number](track)
    if number > 1 and len(track.data) + 3 > LONGEST[number]:
        track.error_set.add(TOO_LONG)
    silent = not track.standard and "pan" not in track.fields and re.search("[^0-?]", text)
    # a start sentinel outside of ASCII, or the digit row of French and Czech keyboards
    if silent and re.search("^[\x80-\xff]+[0-9]{12}|[\x80-\xff&\"'(_+-]{12}", text):
        track.error_set.add(KEYBOARD_ERROR)
    return track


def differences(tracks: list[Track]) -> list[tuple[int, int, int]]:
    """(v1 DifferingField, lower track, higher track) for all that two tracks hold with different contents."""
    first: dict[int, Track] = {}
    for track in tracks:
        if track.is_sure:
            first.setdefault(track.number, track)
    found = []
    for low, high in ((1, 2), (1, 3), (2, 3)):
        if low in first and high in first:
            names = enumerate(("pan", "expiry", "service_code", "country_code"), 1)
            one, other = first[low].fields, first[high].fields
            differing = [
                number
                for number, name in names
                if name in one
                and name in other
                and one[name] != other[name]
                and not (name == "pan" and first[low].standard >= licences.AAMVA1)
            ]
            if "id_number" in one and "track3_id" in other:
                encoded = one["id_number"] + one.get("id_overflow", "")
                if other["track3_id"] not in (encoded, one["licence_number"]):
                    differing.append(5)
            found += [(number, low, high) for number in differing]
    return found
