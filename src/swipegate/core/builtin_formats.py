"""Card formats that come with Swipegate, as data.

DEFAULT_FORMATS are unambiguous: a check digit, fixed text or the sizes of several fields prove them. The
others in
BUILTIN_FORMATS fit any card with as many digits, so they are there by name for whoever knows his cards.
"""

from swipegate.v1.card_format_pb2 import CHECK_DIGIT_LUHN, CardFormat, CardFormatFixedPart, CardFormatPart

# Digits of a payment card's number: what issuers use of the 8 to 19 of ISO/IEC 7812-1.
PAN_MIN = 12
PAN_MAX = 19


def _field(number: int, size: int) -> CardFormatPart:
    """A whole field of exactly this many characters."""
    return CardFormatPart(field=number, min_length=size, max_length=size)


def _span(position: int, length: int) -> CardFormatPart:
    return CardFormatPart(position=position, length=length)


DEFAULT_FORMATS = (
    CardFormat(
        name="iso7813-track2",
        description="Payment card, track 2 (ISO/IEC 7813)",
        track=2,
        card_number=CardFormatPart(field=1, min_length=PAN_MIN, max_length=PAN_MAX),
        expiry=CardFormatPart(field=2, position=1, length=4),
        check_digit=CHECK_DIGIT_LUHN,
        number_is_pan=True,
        built_in=True,
        min_length=PAN_MIN + 1,
    ),
    CardFormat(
        name="iso7813-track1",
        description="Payment card, track 1 format B (ISO/IEC 7813)",
        track=1,
        card_number=CardFormatPart(field=1, position=2, min_length=PAN_MIN, max_length=PAN_MAX),
        expiry=CardFormatPart(field=3, position=1, length=4),
        fixed_parts=[CardFormatFixedPart(part=CardFormatPart(field=1, position=1, length=1), text="B")],
        check_digit=CHECK_DIGIT_LUHN,
        number_is_pan=True,
        built_in=True,
        min_length=PAN_MIN + 2,
    ),
    CardFormat(
        name="stanley-field",
        description="Stanley / BEST, field mode: facility 4 = number 10 = issue 1 = date MMDDYY",
        track=2,
        card_number=_field(2, 10),
        facility_code=_field(1, 4),
        issue_code=_field(3, 1),
        expiry=_field(4, 6),
        field_count=4,
        min_length=24,
        max_length=24,
        built_in=True,
    ),
    CardFormat(
        name="buzzcard",
        description="Georgia Tech Buzzcard: 1570 = number 9 = issue 2 = ISO number 16",
        track=2,
        card_number=_field(2, 9),
        facility_code=_field(1, 4),
        issue_code=_field(3, 2),
        fixed_parts=[CardFormatFixedPart(part=CardFormatPart(field=1), text="1570")],
        field_count=4,
        min_length=34,
        max_length=34,
        built_in=True,
    ),
    CardFormat(
        name="paxton-switch2",
        description="Paxton Switch2 fob: number 8 = 15 digits = 12 digits",
        track=2,
        card_number=_field(1, 8),
        field_count=3,
        min_length=37,
        max_length=37,
        built_in=True,
    ),
)

NAMED_FORMATS = (
    CardFormat(
        name="paxton-net2",
        description="Paxton Net2 fob: 8 digits",
        track=2,
        card_number=_span(1, 8),
        min_length=8,
        max_length=8,
        built_in=True,
    ),
    CardFormat(
        name="farpointe-pyramid",
        description="Farpointe / Pyramid clock-and-data: facility 5, number 5",
        track=2,
        card_number=_span(6, 5),
        facility_code=_span(1, 5),
        min_length=10,
        max_length=10,
        built_in=True,
    ),
    CardFormat(
        name="digits-10",
        description="Fob of 10 digits, as Vanderbilt readers give it",
        track=2,
        card_number=_span(1, 10),
        min_length=10,
        max_length=10,
        built_in=True,
    ),
    CardFormat(
        name="stanley-character",
        description="Stanley / BEST, character mode: facility 4, number 10, issue 1, date MMDDYY",
        track=2,
        card_number=_span(5, 10),
        facility_code=_span(1, 4),
        issue_code=_span(15, 1),
        expiry=_span(16, 6),
        min_length=21,
        max_length=21,
        built_in=True,
    ),
    CardFormat(
        name="holder-5-facility-4-issue-2",
        description="Older access cards: number 5, facility 4, issue 2",
        track=2,
        card_number=_span(1, 5),
        facility_code=_span(6, 4),
        issue_code=_span(10, 2),
        min_length=11,
        max_length=11,
        built_in=True,
    ),
    CardFormat(
        name="digits",
        description="All digits of track 2",
        track=2,
        card_number=CardFormatPart(min_length=1),
        built_in=True,
    ),
)

BUILTIN_FORMATS = DEFAULT_FORMATS + NAMED_FORMATS
FORMATS_BY_NAME = {one.name: one for one in BUILTIN_FORMATS}
