"""Card formats that come with Swipegate, as data.

DEFAULT_FORMATS are unambiguous: a check digit, fixed text or the sizes of several fields prove them. NAMED_FORMATS
fit any card with as many digits, so they are there by name for whoever knows his cards. Of the layouts that access
cards are known by, two cannot be card formats, for they are no characters of ISO/IEC 7811: BART tickets (raw bytes)
and Yamaha Playcards (bytes with a CRC).

Wiegand words: H10301, H10302 and H10304 are HID's names of the open 26 and 37-bit formats (HID, Understanding Card
Data Formats). HID's clock-and-data readers send the word in octal on what looks like track 2 (HID application note
002); other readers and encoders write it in decimal, with its parity bits or without.
"""

from swipegate.v1.card_format_pb2 import (
    CHECK_DIGIT_LUHN,
    RADIX_OCTAL,
    RADIX_UNSPECIFIED,
    BitRange,
    CardFormat,
    CardFormatCondition,
    CardFormatFixedPart,
    CardFormatParity,
    CardFormatPart,
    CardFormatWord,
    NumberRange,
    Radix,
)
from swipegate.v1.track_pb2 import (
    TRACK_STANDARD_CDMV_TRACK2,
    TRACK_STANDARD_ISO4909_TRACK3,
    TRACK_STANDARD_ISO7813_TRACK1,
    TRACK_STANDARD_ISO7813_TRACK2,
    TrackStandard,
)

# Digits of a payment card's number: what issuers use of the 8 to 19 of ISO/IEC 7812-1.
PAN_MIN = 12
PAN_MAX = 19
# Up to and including the card security number, or the separator in its place (ISO/IEC 4909).
TRACK3_MIN = 2 + PAN_MIN + 1 + 36
LICENCE_ISSUERS = ((636000, 636062), (604425, 604429))
"""Issuer numbers of driving licences (AAMVA)."""


def _field(number: int, size: int) -> CardFormatPart:
    """A whole field of exactly this many characters."""
    return CardFormatPart(field=number, min_length=size, max_length=size)


def _span(position: int, length: int) -> CardFormatPart:
    return CardFormatPart(position=position, length=length)


def _bits(first: int, last: int) -> CardFormatPart:
    return CardFormatPart(bits=BitRange(first=first, last=last))


def _text(text: str, field: int = 0, position: int = 0) -> CardFormatFixedPart:
    """A whole field that is a text, or a text at a position."""
    length = len(text) if position else 0
    return CardFormatFixedPart(part=CardFormatPart(field=field, position=position, length=length), text=text)


def _format(
    name: str,
    description: str,
    length: int = 0,
    track: int = 2,
    card_number: CardFormatPart | None = None,
    facility_code: CardFormatPart | None = None,
    issue_code: CardFormatPart | None = None,
    expiry: CardFormatPart | None = None,
) -> CardFormat:
    """A format of so many characters, 0 for any number."""
    return CardFormat(
        name=name,
        description=description,
        track=track,
        card_number=card_number,
        facility_code=facility_code,
        issue_code=issue_code,
        expiry=expiry,
        min_length=length,
        max_length=length,
        built_in=True,
    )


def _payment(
    track: int, standard: TrackStandard, description: str, pan_at: int, expiry_field: int = 0
) -> CardFormat:
    payment = _format(f"iso7813-track{track}" if track < 3 else "iso4909-track3", description, track=track)
    payment.card_number.CopyFrom(
        CardFormatPart(field=1, position=pan_at, min_length=PAN_MIN, max_length=PAN_MAX)
    )
    if expiry_field:
        payment.expiry.CopyFrom(CardFormatPart(field=expiry_field, position=1, length=4))
    payment.conditions.add(standard=standard)
    payment.check_digit = CHECK_DIGIT_LUHN
    payment.number_is_pan = True
    payment.min_length = TRACK3_MIN if track == 3 else PAN_MIN + pan_at
    return payment


def _fields(card_format: CardFormat, count: int, *fixed: CardFormatFixedPart) -> CardFormat:
    """The same with so many fields, and texts that prove it."""
    card_format.field_count = count
    card_format.fixed_parts.extend(fixed)
    return card_format


def _licence(name: str, description: str, low: int, high: int) -> CardFormat:
    """A driving licence: issuer, number = expiry YYMM, birth date YYYYMMDD, what the number has over 13 digits."""
    issuer = CardFormatPart(field=1, position=1, length=6)
    birth = CardFormatPart(field=2, position=5, length=8)  # a month of 99 is that of the expiry date
    return CardFormat(
        name=name,
        description=description,
        track=2,
        card_number=CardFormatPart(field=1, position=7, min_length=1, max_length=13),
        card_number_rest=CardFormatPart(field=2, position=13, min_length=1, max_length=5),
        expiry=CardFormatPart(field=2, position=1, length=4),
        conditions=[
            CardFormatCondition(part=issuer, range=NumberRange(low=low, high=high)),
            CardFormatCondition(part=birth, range=NumberRange(low=18500101, high=21999999)),
        ],
        built_in=True,
    )


def _state_licence(name: str, description: str, issuer: int, digits: int) -> CardFormat:
    """A licence whose number begins with a letter, written as the first two of so many digits."""
    card_format = _licence(name, description, issuer, issuer)
    card_format.card_number.CopyFrom(CardFormatPart(field=1, position=7, length=digits, letter_first=True))
    return card_format


def _cdmv() -> CardFormat:
    """California's own track 2: issuer, letter and 7 digits, check digit = expiry YYMM = birth date."""
    card_format = _format(
        "cdmv-california",
        "Driving licence of California, layout with two separators",
        card_number=CardFormatPart(field=1, position=7, length=9, letter_first=True),
        expiry=CardFormatPart(field=2),
    )
    card_format.conditions.add(standard=TRACK_STANDARD_CDMV_TRACK2)
    return card_format


def _word(
    name: str,
    description: str,
    bits: int,
    digits: int,
    number: tuple[int, int],
    facility: tuple[int, int] | None = None,
    parities: tuple[tuple[int, int, int, bool], ...] = (),
    radix: Radix = RADIX_UNSPECIFIED,
    reversed_bytes: bool = False,
) -> CardFormat:
    """A word of so many bits, all of track 2 in at most so many digits. A parity: bit, first and last covered, odd."""
    card_format = _format(name, description, card_number=_bits(*number))
    if facility:
        card_format.facility_code.CopyFrom(_bits(*facility))
    card_format.max_length = digits
    word = CardFormatWord(part=CardFormatPart(), radix=radix, bit_count=bits, reversed_bytes=reversed_bytes)
    for bit, first, last, odd in parities:
        word.parities.append(CardFormatParity(bit=bit, covered=[BitRange(first=first, last=last)], odd=odd))
    card_format.word.CopyFrom(word)
    return card_format


_PARITY_26 = ((1, 2, 13, False), (26, 14, 25, True))
_PARITY_37 = ((1, 2, 19, False), (37, 19, 36, True))

DEFAULT_FORMATS: tuple[CardFormat, ...] = (
    _payment(2, TRACK_STANDARD_ISO7813_TRACK2, "Payment card, track 2 (ISO/IEC 7813)", 1, 2),
    _payment(1, TRACK_STANDARD_ISO7813_TRACK1, "Payment card, track 1 format B (ISO/IEC 7813)", 2, 3),
    _payment(3, TRACK_STANDARD_ISO4909_TRACK3, "Payment card, track 3 (ISO/IEC 4909)", 3),
    _fields(
        _format(
            "stanley-field",
            "Stanley / BEST, field mode: facility 4 = number 10 = issue 1 = date MMDDYY",
            24,
            card_number=_field(2, 10),
            facility_code=_field(1, 4),
            issue_code=_field(3, 1),
            expiry=_field(4, 6),
        ),
        4,
    ),
    _fields(
        _format(
            "buzzcard",
            "Georgia Tech Buzzcard: 1570 = number 9 = issue 2 = ISO number 16",
            34,
            card_number=_field(2, 9),
            facility_code=_field(1, 4),
            issue_code=_field(3, 2),
        ),
        4,
        _text("1570", field=1),
    ),
    _fields(
        _format(
            "paxton-switch2",
            "Paxton Switch2 fob: number 8 = 15 digits = 12 digits",
            37,
            card_number=_field(1, 8),
        ),
        3,
    ),
)


def _co_brand() -> CardFormat:
    """The first format, for cards whose discretionary data ends in a text."""
    card_format = CardFormat()
    card_format.CopyFrom(DEFAULT_FORMATS[0])
    card_format.name = "aaa-co-brand"
    card_format.description = "AAA member's co-branded payment card, track 2"
    card_format.fixed_parts.append(
        CardFormatFixedPart(part=CardFormatPart(field=2, length=6, from_end=True), text="004976")
    )
    return card_format


NAMED_FORMATS: tuple[CardFormat, ...] = (
    _co_brand(),
    _format("paxton-net2", "Paxton Net2 fob: 8 digits", 8, card_number=_span(1, 8)),
    _fields(
        _format(
            "paxton-keypad",
            "Paxton keypad: a key going down, <NN>; 99 is one going up",
            4,
            card_number=_span(2, 2),
        ),
        1,
        _text("<", position=1),
        _text(">", position=4),
    ),
    _format(
        "farpointe-pyramid",
        "Farpointe / Pyramid clock-and-data: facility 5, number 5",
        10,
        card_number=_span(6, 5),
        facility_code=_span(1, 5),
    ),
    _format("digits-10", "Fob of 10 digits, as Vanderbilt readers give it", 10, card_number=_span(1, 10)),
    _format(
        "stanley-character",
        "Stanley / BEST, character mode: facility 4, number 10, issue 1, date MMDDYY",
        21,
        card_number=_span(5, 10),
        facility_code=_span(1, 4),
        issue_code=_span(15, 1),
        expiry=_span(16, 6),
    ),
    _format(
        "holder-5-facility-4-issue-2",
        "Older access cards: number 5, facility 4, issue 2",
        11,
        card_number=_span(1, 5),
        facility_code=_span(6, 4),
        issue_code=_span(10, 2),
    ),
    _format(
        "facility-3-number-5",
        "The 26-bit format in digits: facility 3, number 5",
        8,
        card_number=_span(4, 5),
        facility_code=_span(1, 3),
    ),
    _word("wiegand-26", "26-bit word in decimal (H10301)", 26, 10, (10, 25), (2, 9), _PARITY_26),
    _word(
        "wiegand-26-octal", "26-bit word in octal (H10301)", 26, 9, (10, 25), (2, 9), _PARITY_26, RADIX_OCTAL
    ),
    _word("wiegand-26-without-parity", "24 bits of the 26-bit word in decimal", 24, 10, (9, 24), (1, 8)),
    _word("wiegand-37", "37-bit word in decimal (H10302)", 37, 12, (2, 36), None, _PARITY_37),
    _word(
        "wiegand-37-octal", "37-bit word in octal (H10302)", 37, 13, (2, 36), None, _PARITY_37, RADIX_OCTAL
    ),
    _word("wiegand-37-facility", "37-bit word in decimal (H10304)", 37, 12, (18, 36), (2, 17), _PARITY_37),
    _word(
        "wiegand-37-facility-octal",
        "37-bit word in octal (H10304)",
        37,
        13,
        (18, 36),
        (2, 17),
        _PARITY_37,
        RADIX_OCTAL,
    ),
    _word("csn-32", "Serial number of 32 bits in decimal", 32, 10, (1, 32)),
    _word("csn-32-reversed", "The same, least byte first", 32, 10, (1, 32), reversed_bytes=True),
    _word(
        "fob-10-facility", "Fob of 10 digits, printed also as facility 3, number 5", 32, 10, (17, 32), (9, 16)
    ),
    _licence(
        "aamva-licence", "Driving licence, track 2 (AAMVA), issuers 636000 to 636062", *LICENCE_ISSUERS[0]
    ),
    _licence(
        "aamva-licence-6044",
        "Driving licence, track 2 (AAMVA), issuers 604425 to 604429",
        *LICENCE_ISSUERS[1],
    ),
    _state_licence("aamva-florida", "Driving licence of Florida: a letter, 12 digits", 636010, 13),
    _state_licence("aamva-california", "Driving licence of California: a letter, 7 digits", 636014, 9),
    _cdmv(),
    _format("digits", "All digits of track 2", card_number=CardFormatPart(min_length=1)),
)


BUILTIN_FORMATS = DEFAULT_FORMATS + NAMED_FORMATS
FORMATS_BY_NAME = {one.name: one for one in BUILTIN_FORMATS}
