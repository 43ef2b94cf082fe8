"""Masking of what a person at a screen need not see.

PCI DSS 3.4.1 allows the first six and last four digits of a PAN to be shown, no more; sensitive
authentication data, as discretionary data may hold, not at all.
"""

import re

from google.protobuf.message import Message

from swipegate.v1.track_pb2 import (
    TRACK_ERROR_EXPIRY,
    TRACK_ERROR_FORMAT_CODE,
    TRACK_ERROR_ILLEGAL_CHARACTER,
    TRACK_ERROR_NAME,
    TRACK_ERROR_PAN,
    TRACK_ERROR_SEPARATOR,
    TRACK_ERROR_SERVICE_CODE,
    TRACK_ERROR_TOO_LONG,
    TRACK_STANDARD_JIS_X6302_2,
    CardNumber,
    Track,
    TrackFields,
)

MASK = "*"
FIRST_SHOWN = 6
LAST_SHOWN = 4
SHORTEST_PAN = 12
"""Digits; ISO/IEC 7812 allows fewer, no issuer has them."""
_LICENCE_HIDDEN = (
    "id_overflow",
    "encoded_birth_date",
    "check_digit",
    "id_number",
    "track3_id",
    "licence_number",
    "birth_date",
    "reserved",
    "security",
)
"""From the right end of a track to the left, as they are hidden in its text."""
_UNSURE = {
    TRACK_ERROR_FORMAT_CODE,
    TRACK_ERROR_ILLEGAL_CHARACTER,
    TRACK_ERROR_NAME,
    TRACK_ERROR_PAN,
    TRACK_ERROR_SEPARATOR,
    TRACK_ERROR_TOO_LONG,
}
"""With one of these a field may not be where it was looked for."""
_UNSURE_DATES = {TRACK_ERROR_EXPIRY, TRACK_ERROR_SERVICE_CODE}
"""The same, unless the PAN proves that it is where it should be."""
_DIGITS = re.compile(rf"[0-9][0-9 ]{{{SHORTEST_PAN - 2},}}[0-9]")
_SEPARATOR = re.compile("[=^]")


def masked_pan(digits: str) -> str:
    """First six and last four digits; of a number too short for that the last four at the most."""
    if len(digits) > SHORTEST_PAN:
        hidden = len(digits) - FIRST_SHOWN - LAST_SHOWN
        return digits[:FIRST_SHOWN] + MASK * hidden + digits[-LAST_SHOWN:]
    shown = min(LAST_SHOWN, len(digits) // 2)
    return MASK * (len(digits) - shown) + digits[len(digits) - shown :]


def masked_track(track: Track) -> Track:
    """A copy without PAN, account and licence numbers, birth dates and discretionary data, in its fields and text."""
    copy = Track()
    copy.CopyFrom(track)
    fields = copy.fields
    text = copy.text
    pan = _masked_pan_of(fields)
    text = _hide(text, fields.pan, pan)
    fields.pan = pan
    for message, name in _hidden_fields(fields):
        value = getattr(message, name)
        # from the right: a short value may stand in a field before its own by chance
        text = _hide_last(text, value, MASK * len(value))
        setattr(message, name, MASK * len(value))
    copy.text = _DIGITS.sub(lambda found: masked_pan(found[0]), text)
    _hide_long_numbers(fields)
    if track.standard == TRACK_STANDARD_JIS_X6302_2:  # what its characters mean the issuer alone knows
        copy.text = text[:1] + MASK * len(text[1:-1]) + text[-1:]
    if _is_unsure(track):
        copy.text = masked_broken(track.text)
        _hide_all(fields)
        fields.ClearField("service")
    if copy.text != track.text:
        copy.lrc_character = MASK * len(copy.lrc_character)  # it is the sum of all the others
        for repair in copy.repairs:
            if copy.text[repair.position : repair.position + 1] != repair.character:
                repair.character = MASK
    return copy


def _is_unsure(track: Track) -> bool:
    """Whether what stands in the text may be something else than its fields say, a part of a PAN in a date."""
    fields, errors = track.fields, set(track.errors)
    if errors & _UNSURE:
        return True
    if errors & _UNSURE_DATES:
        return not fields.luhn_ok or len(fields.pan) < SHORTEST_PAN
    understood = track.standard or fields.pan
    return not understood and not track.text.strip(";%+?").isdigit()


def masked_broken(text: str) -> str:
    """A text that failed its checks, so that none of its fields is sure: what may be shown of a PAN at the front.

    The first six characters, the sentinels at both ends and the first separator stay.
    """
    shown = 1 + text[1:2].isalpha() + FIRST_SHOWN
    places = set(range(shown)) | {len(text) - text.endswith("?")}
    if separator := _SEPARATOR.search(text):
        places.add(separator.start())
    return "".join(one if place in places or one == " " else MASK for place, one in enumerate(text))


def masked_number(number: CardNumber, number_is_pan: bool) -> CardNumber:
    """A copy whose number is masked where it is a PAN."""
    copy = CardNumber()
    copy.CopyFrom(number)
    if number_is_pan:
        copy.card_number = masked_pan(number.card_number)
    return copy


def _masked_pan_of(fields: TrackFields) -> str:
    """Of a licence the issuer number alone may be shown; the rest is that of the licence."""
    if fields.HasField("licence"):
        return fields.pan[:FIRST_SHOWN] + MASK * (len(fields.pan) - FIRST_SHOWN)
    return masked_pan(fields.pan)


def _hidden_fields(fields: TrackFields) -> list[tuple[object, str]]:
    hidden: list[tuple[object, str]] = [(fields, "discretionary")]
    if fields.HasField("track3"):
        names = ("first_san", "second_san", "pin_control", "card_security_number", "crypto_check_digits")
        hidden += [(fields.track3, name) for name in names]
    if fields.HasField("licence"):
        hidden += [(fields.licence, name) for name in _LICENCE_HIDDEN]
    return hidden


def _hide_all(fields: Message) -> None:
    """Every text in a message but the format code, which tells why the others are not understood."""
    for descriptor, value in fields.ListFields():
        if isinstance(value, Message):
            _hide_all(value)
        elif isinstance(value, str) and descriptor.name != "format_code":
            setattr(fields, descriptor.name, MASK * len(value))


def _hide_long_numbers(fields: Message) -> None:
    """What may be a PAN in a field of another name, as where a separator is lost."""
    for descriptor, value in fields.ListFields():
        if isinstance(value, Message):
            _hide_long_numbers(value)
        elif isinstance(value, str):
            setattr(fields, descriptor.name, _DIGITS.sub(lambda found: masked_pan(found[0]), value))


def _hide(text: str, value: str, mask: str) -> str:
    if not value:
        return text
    # some cards have blanks inside the PAN
    return re.sub(" *".join(map(re.escape, value)), mask, text, count=1)


def _hide_last(text: str, value: str, mask: str) -> str:
    before, found, after = text.rpartition(value) if value else (text, "", "")
    return before + mask + after if found else text
