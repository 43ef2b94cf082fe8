"""The reference matcher of card formats, over v1 messages, written from the comments of CardFormat."""

import re
from collections.abc import Iterable, Sequence

from swipegate.v1.card_format_pb2 import CHECK_DIGIT_LUHN, CardFormat, CardFormatPart
from swipegate.v1.track_pb2 import CardNumber
from tests.reference import tracks

MAX_DIGITS = 64
ERRORS_OF_READING = set(range(1, 9))


def part_of(track: tracks.Track, part: CardFormatPart) -> str | None:
    text = track.data
    if part.field:
        fields = text.split(track.separator)
        if part.field > len(fields):
            return None
        text = fields[part.field - 1]
    start = max(part.position - 1, 0)
    end = start + part.length if part.length else len(text)
    return text[start:end] if start < end <= len(text) else None


def value_of(track: tracks.Track, part: CardFormatPart, allowed: str) -> str | None:
    text = part_of(track, part)
    if text is None:
        return None
    if tracks.PAN_BLANKS in track.allowance_set:
        text = text.replace(" ", "")
    sound = re.fullmatch(allowed, text) and max(part.min_length, 1) <= len(text) <= (
        part.max_length or MAX_DIGITS
    )
    return text if sound else None


def match_one(card_format: CardFormat, track: tracks.Track) -> CardNumber | None:
    length = len(track.data)
    if track.number != card_format.track or track.error_set & ERRORS_OF_READING or not length:
        return None
    if not card_format.min_length <= length <= (card_format.max_length or length):
        return None
    if any(part_of(track, fixed.part) != fixed.text for fixed in card_format.fixed_parts):
        return None
    if card_format.field_count and len(track.data.split(track.separator)) != card_format.field_count:
        return None
    number = CardNumber(card_format=card_format.name, track=track.number)
    for name in ("card_number", "facility_code", "issue_code"):
        if card_format.HasField(name):
            value = value_of(track, getattr(card_format, name), "[0-9]+")
            if value is None:
                return None
            setattr(number, name, value)
    if card_format.HasField("expiry"):
        part = CardFormatPart()
        part.CopyFrom(card_format.expiry)
        if tracks.EXPIRY_BLANKS in track.allowance_set:
            field = part_of(track, CardFormatPart(field=part.field)) or ""
            part.position = max(part.position, 1) + len(field) - len(field.lstrip(" "))
        if part_of(track, part) is not None:
            expiry = value_of(track, part, "[0-9]+")
            if expiry is None:
                return None
            number.expiry = expiry
    if card_format.check_digit == CHECK_DIGIT_LUHN and not tracks.luhn_ok(number.card_number):
        return None
    return number


def match(formats: Iterable[CardFormat], found: Sequence[tracks.Track]) -> CardNumber | None:
    """The first format, in their order, that a track fits."""
    for card_format in formats:
        for track in found:
            number = match_one(card_format, track)
            if number is not None:
                return number
    return None
