"""Masking of what a person at a screen need not see.

PCI DSS 3.4.1 allows the first six and last four digits of a PAN to be shown, no more; sensitive
authentication data, as discretionary data may hold, not at all.
"""

import re

from swipegate.v1.track_pb2 import CardNumber, Track, TrackFields

MASK = "*"
FIRST_SHOWN = 6
LAST_SHOWN = 4
SHORTEST_PAN = 12
"""Digits; ISO/IEC 7812 allows fewer, no issuer has them."""
_DIGITS = re.compile(rf"[0-9][0-9 ]{{{SHORTEST_PAN - 2},}}[0-9]")


def masked_pan(digits: str) -> str:
    """First six and last four digits; of a number too short for that the last four at the most."""
    if len(digits) > SHORTEST_PAN:
        hidden = len(digits) - FIRST_SHOWN - LAST_SHOWN
        return digits[:FIRST_SHOWN] + MASK * hidden + digits[-LAST_SHOWN:]
    shown = min(LAST_SHOWN, len(digits) // 2)
    return MASK * (len(digits) - shown) + digits[len(digits) - shown :]


def masked_track(track: Track) -> Track:
    """A copy without PAN, account numbers and discretionary data, in its fields and in its text."""
    copy = Track()
    copy.CopyFrom(track)
    fields = copy.fields
    text = copy.text
    text = _hide(text, fields.pan, masked_pan(fields.pan))
    fields.pan = masked_pan(fields.pan)
    for message, name in _hidden_fields(fields):
        value = getattr(message, name)
        # from the right: a short value may stand in a field before its own by chance
        text = _hide_last(text, value, MASK * len(value))
        setattr(message, name, MASK * len(value))
    copy.text = _DIGITS.sub(lambda found: masked_pan(found[0]), text)
    if copy.text != track.text:
        for repair in copy.repairs:
            if copy.text[repair.position : repair.position + 1] != repair.character:
                repair.character = MASK
    return copy


def masked_number(number: CardNumber, number_is_pan: bool) -> CardNumber:
    """A copy whose number is masked where it is a PAN."""
    copy = CardNumber()
    copy.CopyFrom(number)
    if number_is_pan:
        copy.card_number = masked_pan(number.card_number)
    return copy


def _hidden_fields(fields: TrackFields) -> list[tuple[object, str]]:
    hidden: list[tuple[object, str]] = [(fields, "discretionary")]
    if fields.HasField("track3"):
        names = ("first_san", "second_san", "pin_control", "card_security_number", "crypto_check_digits")
        hidden += [(fields.track3, name) for name in names]
    return hidden


def _hide(text: str, value: str, mask: str) -> str:
    if not value:
        return text
    # some cards have blanks inside the PAN
    return re.sub(" *".join(map(re.escape, value)), mask, text, count=1)


def _hide_last(text: str, value: str, mask: str) -> str:
    before, found, after = text.rpartition(value) if value else (text, "", "")
    return before + mask + after if found else text
