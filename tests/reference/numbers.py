"""The reference matcher of card formats, over v1 messages, written from the comments of CardFormat."""

import copy
import re
from collections.abc import Iterable, Sequence

from swipegate.v1 import card_format_pb2 as pb
from swipegate.v1.card_format_pb2 import CardFormat, CardFormatPart
from swipegate.v1.track_pb2 import (
    TRACK_STANDARD_EMV_TRACK2_EQUIVALENT,
    TRACK_STANDARD_ISO7813_TRACK2,
    CardNumber,
)
from tests.reference import check_digits, tracks

MAX_DIGITS = 64
NOTHING_ENCODED = {tracks.NO_ENCODING, tracks.EMPTY}
RADIX = {pb.RADIX_UNSPECIFIED: 10, pb.RADIX_OCTAL: 8, pb.RADIX_HEXADECIMAL: 16}


class Refused(Exception):
    """The format does not fit."""


def is_read(track: tracks.Track) -> bool:
    return bool(track.data) and track.is_sure


def part_of(track: tracks.Track, part: CardFormatPart) -> str | None:
    """The text of a part; None when the track is too short for it."""
    text = track.data
    if part.field:
        fields = text.split(track.separator)
        if part.field > len(fields):
            return None
        text = fields[part.field - 1]
    before = max(part.position - 1, 0)
    if len(text) < before + (part.length or 1):
        return None
    if part.from_end:
        end = len(text) - before
        return text[end - part.length if part.length else 0 : end]
    return text[before : before + part.length if part.length else len(text)]


class Trial:
    """One format on one track of a swipe."""

    def __init__(self, card_format: CardFormat, track: tracks.Track, found: Sequence[tracks.Track]) -> None:
        self.format, self.track, self.found = card_format, track, found
        self.word = ""

    def track_of(self, number: int) -> tracks.Track:
        if number in (0, self.track.number):
            return self.track
        for track in self.found:
            if track.number == number and is_read(track):
                return track
        raise Refused

    def text_of(self, part: CardFormatPart) -> str:
        text = part_of(self.track_of(part.track), part)
        if text is None:
            raise Refused
        return text

    def value_of(self, part: CardFormatPart) -> str:
        if part.HasField("bits"):
            return str(int(self.word[part.bits.first - 1 : part.bits.last], 2)).zfill(part.pad_to)
        text = self.text_of(part)
        if tracks.PAN_BLANKS in self.track_of(part.track).allowance_set:
            text = text.replace(" ", "")
        allowed = "[0-9A-Za-z]+" if part.characters else "[0-9]+"
        if not re.fullmatch(allowed, text):
            raise Refused
        if not max(part.min_length, 1) <= len(text) <= (part.max_length or MAX_DIGITS):
            raise Refused
        if part.letter_first:
            if len(text) < 2 or not 1 <= int(text[:2]) <= 26:
                raise Refused
            text = chr(ord("A") + int(text[:2]) - 1) + text[2:]
        if part.drop_leading_zeros:
            text = text[:-1].lstrip("0") + text[-1]
        return text.zfill(part.pad_to) if not part.characters else text.rjust(part.pad_to, "0")

    def optional(self, part: CardFormatPart, is_expiry: bool) -> str:
        """The value of a part that may be absent, and, if it is a date, stand behind blanks."""
        if part.HasField("bits"):
            return self.value_of(part)
        track = self.track_of(part.track)
        wanted = copy.copy(part)
        if is_expiry and tracks.EXPIRY_BLANKS in track.allowance_set:
            field = part_of(track, CardFormatPart(field=part.field)) or ""
            wanted.position = max(part.position, 1) + len(field) - len(field.lstrip(" "))
        return "" if part_of(track, wanted) is None else self.value_of(wanted)

    def read_word(self) -> None:
        word = self.format.word
        digits = self.text_of(word.part)
        if not max(word.part.min_length, 1) <= len(digits) <= (word.part.max_length or MAX_DIGITS):
            raise Refused
        digits = digits.translate(str.maketrans(":;<=>?", "ABCDEF"))
        radix = RADIX[word.radix]
        if not re.fullmatch("[0-9A-Fa-f]+", digits) or any(int(digit, 16) >= radix for digit in digits):
            raise Refused
        value = int(digits, radix)
        if value >= 2**word.bit_count:
            raise Refused
        if word.reversed_bytes:
            value = int.from_bytes(value.to_bytes(word.bit_count // 8, "little"), "big")
        self.word = f"{value:0{word.bit_count}b}"
        for parity in word.parities:
            covered = {n for one in parity.covered for n in range(one.first, one.last + 1)} | {parity.bit}
            if sum(self.word[bit - 1] == "1" for bit in covered) % 2 != parity.odd:
                raise Refused

    def check(self, condition: pb.CardFormatCondition) -> None:
        test = condition.WhichOneof("test")
        if test == "track_present":
            self.other_track(condition.track_present)
            return
        if test == "track_absent":
            for track in self.found:
                if track.number == condition.track_absent and not track.error_set & NOTHING_ENCODED:
                    raise Refused
            return
        if test == "standard":
            standards = {condition.standard}
            if condition.standard == TRACK_STANDARD_ISO7813_TRACK2:
                standards.add(TRACK_STANDARD_EMV_TRACK2_EQUIVALENT)  # the same fields (EMV book 3, tag 57)
            if self.track.standard not in standards:
                raise Refused
            return
        text = self.text_of(condition.part)
        number = int(text) if re.fullmatch("[0-9]{1,19}", text) else -1
        sound = {
            "equals": text == condition.equals,
            "differs": text != condition.differs,
            "one_of": text in condition.one_of.texts,
            "range": condition.range.low <= number <= condition.range.high,
            "length": condition.length.low <= len(text) <= condition.length.high,
        }
        if not sound[str(test)]:
            raise Refused

    def other_track(self, number: int) -> None:
        if not any(track.number == number and is_read(track) for track in self.found):
            raise Refused

    def prove(self, number: str) -> None:
        checks = list(self.format.checks)
        if self.format.check_digit:
            checks.append(pb.CardFormatCheck(scheme=self.format.check_digit))
        for check in checks:
            text = "".join(self.value_of(part) for part in check.parts) or number
            if not check_digits.agrees(text, check.scheme, list(check.weights)):
                raise Refused

    def run(self) -> CardNumber:
        wanted = self.format
        length = len(self.track.data)
        if not wanted.min_length <= length <= (wanted.max_length or length):
            raise Refused
        for fixed in wanted.fixed_parts:
            if part_of(self.track_of(fixed.part.track), fixed.part) != fixed.text:
                raise Refused
        for condition in wanted.conditions:
            self.check(condition)
        if wanted.field_count and len(self.track.data.split(self.track.separator)) != wanted.field_count:
            raise Refused
        if wanted.HasField("word"):
            self.read_word()
        number = CardNumber(
            card_format=wanted.name, track=self.track.number, number_is_pan=wanted.number_is_pan
        )
        number.card_number = self.value_of(wanted.card_number)
        if wanted.HasField("card_number_rest"):
            number.card_number += self.optional(wanted.card_number_rest, False)
            if len(number.card_number) > MAX_DIGITS:
                raise Refused
        for name in ("facility_code", "issue_code"):
            if wanted.HasField(name):
                setattr(number, name, self.value_of(getattr(wanted, name)))
        if wanted.HasField("expiry"):
            number.expiry = self.optional(wanted.expiry, True)
        self.prove(number.card_number)
        return number


def with_padding(track: tracks.Track) -> tracks.Track:
    """The track with what was cut off as padding."""
    whole = copy.copy(track)
    start = track.text.index(track.data)
    whole.data = track.text[start:].removesuffix("?")
    return whole


def match_one(
    card_format: CardFormat, track: tracks.Track, found: Sequence[tracks.Track]
) -> CardNumber | None:
    if track.number != card_format.track or not is_read(track):
        return None
    if tracks.PADDING in track.allowance_set and card_format.word.radix == pb.RADIX_HEXADECIMAL:
        track = with_padding(track)
    try:
        return Trial(card_format, track, found).run()
    except Refused:
        return None


def match(formats: Iterable[CardFormat], found: Sequence[tracks.Track]) -> CardNumber | None:
    """The first format, in their order, that a track fits."""
    for card_format in formats:
        for track in found:
            number = match_one(card_format, track, found)
            if number is not None:
                return number
    return None
