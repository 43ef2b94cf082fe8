"""Fields and card formats to a card number: which characters of which track it is, and when."""

import re

from libc.stdint cimport uint8_t, uint16_t
from libc.stdlib cimport calloc, free
from libc.string cimport memchr, memcmp, memcpy

from swipegate.core cimport codes
from swipegate.core.tracks cimport MAX_LINE_TRACKS, MAX_TEXT, TrackRecord, luhn_agrees, split_line

from swipegate.v1.track_pb2 import CardNumber

cdef enum:
    MAX_FORMATS = 256      # formats a set
    MAX_FIELD = 32         # fields a track
    MAX_PLACE = 1024       # characters a track (RawTrack.text)
    MAX_DESCRIPTION = 256  # characters

FORMAT_NAME = re.compile(r"[a-z0-9_.-]{1,64}")


cdef bint _field(const TrackRecord *record, int field, Py_ssize_t *start, Py_ssize_t *end) noexcept nogil:
    """Bounds of a field between separators, the first being 1; 0 for all data."""
    cdef const uint8_t *place = record.text + record.data.start
    cdef const uint8_t *limit = place + record.data.length
    cdef const uint8_t *separator = limit
    cdef int left = field
    if left:
        separator = <const uint8_t *>memchr(place, record.separator, limit - place)
    while left > 1 and separator != NULL:
        place = separator + 1
        separator = <const uint8_t *>memchr(place, record.separator, limit - place)
        left -= 1
    start[0] = place - record.text
    end[0] = (limit if separator == NULL else separator) - record.text
    return left <= 1


cdef bint _part(
    const TrackRecord *record, const Part *part, Py_ssize_t *start, Py_ssize_t *end
) noexcept nogil:
    """Bounds of a part; False when the track is too short for it."""
    if not _field(record, part.field, start, end):
        return False
    start[0] += part.position
    if start[0] > end[0]:
        return False
    if part.length:
        if start[0] + part.length > end[0]:
            return False
        end[0] = start[0] + part.length
    return end[0] > start[0]


cdef inline bint _plain_digits(
    const uint8_t *text, Py_ssize_t length, const Part *part, Digits *digits
) noexcept nogil:
    cdef Py_ssize_t place
    if length > MAX_NUMBER or length < max(part.min_length, 1) or 0 < part.max_length < length:
        return False
    for place in range(length):
        if not 0x30 <= text[place] <= 0x39:
            return False
    memcpy(digits.text, text, length)
    digits.length = <uint8_t>length
    return True


cdef bint _digits(const TrackRecord *record, const Part *part, Digits *digits) noexcept nogil:
    """Copy a part; False when it is not there, out of its bounds or no number."""
    cdef Py_ssize_t start, end, place
    cdef uint8_t byte
    # A PAN printed in groups is one number all the same.
    cdef bint skip_blanks = record.allowances & codes.ALLOWED_PAN_BLANKS != 0
    digits.length = 0
    if not _part(record, part, &start, &end):
        return False
    if not skip_blanks:
        return _plain_digits(record.text + start, end - start, part, digits)
    for place in range(start, end):
        byte = record.text[place]
        if byte == c" ":
            continue
        if digits.length == MAX_NUMBER or not 0x30 <= byte <= 0x39:
            return False
        digits.text[digits.length] = <char>byte
        digits.length += 1
    return digits.length >= max(part.min_length, 1) and not 0 < part.max_length < digits.length


cdef bint _expiry(const TrackRecord *record, const Part *part, Digits *digits) noexcept nogil:
    """Copy an expiry date; none is no mismatch, but one that is no number is."""
    cdef Part behind_blanks = part[0]
    cdef Py_ssize_t start, end
    if not _field(record, part.field, &start, &end):
        digits.length = 0
        return True
    if record.allowances & codes.ALLOWED_EXPIRY_BLANKS:
        while start < end and record.text[start] == c" ":
            start += 1
            behind_blanks.position += 1
    if not _part(record, &behind_blanks, &start, &end):
        digits.length = 0
        return True
    return _digits(record, &behind_blanks, digits)


cdef bint _matches(
    const CompiledFormat *format, const TrackRecord *record, NumberMatch *match
) noexcept nogil:
    cdef Py_ssize_t start, end
    cdef int index
    if record.number != format.track or record.errors & codes.ERRORS_OF_READING or not record.data.length:
        return False
    if record.data.length < format.min_length or 0 < format.max_length < record.data.length:
        return False
    for index in range(format.fixed_count):
        if not _part(record, &format.fixed[index].part, &start, &end):
            return False
        if end - start != format.fixed[index].length:
            return False
        if memcmp(record.text + start, format.fixed[index].text, end - start) != 0:
            return False
    if format.field_count and (
            not _field(record, format.field_count, &start, &end)
            or end != record.data.start + record.data.length):
        return False
    if not _digits(record, &format.number, &match.number):
        return False
    match.facility.length = match.issue.length = match.expiry.length = 0
    if format.facility.present and not _digits(record, &format.facility, &match.facility):
        return False
    if format.issue.present and not _digits(record, &format.issue, &match.issue):
        return False
    if format.expiry.present and not _expiry(record, &format.expiry, &match.expiry):
        return False
    return not format.luhn or luhn_agrees(match.number.text, match.number.length)


cdef void match_formats(
    const CompiledFormat *formats, Py_ssize_t format_count, const TrackRecord *records,
    Py_ssize_t record_count,
    NumberMatch *match
) noexcept nogil:
    """The first format, in their order, that a track fits; match.format is NULL when none does."""
    cdef Py_ssize_t index, track
    for index in range(format_count):
        for track in range(record_count):
            if _matches(&formats[index], &records[track], match):
                match.format = &formats[index]
                match.track = records[track].number
                return
    match.format = NULL


cdef object _member(message, str name):
    """A part of a message or dataclass, None when absent."""
    if hasattr(message, "HasField") and not message.HasField(name):
        return None
    return getattr(message, name, None)


cdef int _number(message, str name, str path, int most) except -1:
    value = getattr(message, name, 0)
    if not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError(f"{path}.{name}: must be 0 to {most}")
    return value


cdef int _compile_part(message, str path, Part *part) except -1:
    part.present = True
    part.field = <uint8_t>_number(message, "field", path, MAX_FIELD)
    part.position = <uint16_t>max(_number(message, "position", path, MAX_PLACE) - 1, 0)
    part.length = <uint16_t>_number(message, "length", path, MAX_PLACE)
    part.min_length = <uint16_t>_number(message, "min_length", path, MAX_NUMBER)
    part.max_length = <uint16_t>_number(message, "max_length", path, MAX_NUMBER)
    if part.length and (part.min_length or part.max_length):
        raise ValueError(f"{path}.min_length: must be 0 where length is set, and max_length too")
    if 0 < part.max_length < part.min_length:
        raise ValueError(f"{path}.max_length: must not be under min_length")
    return 0


cdef int _compile_fixed(message, str path, FixedPart *fixed) except -1:
    text = getattr(message, "text", "")
    part = _member(message, "part")
    if part is None:
        raise ValueError(f"{path}.part: is required")
    _compile_part(part, f"{path}.part", &fixed.part)
    if not isinstance(text, str) or not 1 <= len(text) <= MAX_FIXED_TEXT:
        raise ValueError(f"{path}.text: must be 1 to {MAX_FIXED_TEXT} characters")
    if not (text.isascii() and text.isprintable()):
        raise ValueError(f"{path}.text: must be printable ASCII")
    if fixed.part.length not in (0, len(text)):
        raise ValueError(f"{path}.part.length: must be 0 or that of the text")
    encoded = text.encode("ascii")
    fixed.length = <uint8_t>len(encoded)
    memcpy(fixed.text, <const char *>encoded, fixed.length)
    return 0


cdef int _compile(message, str path, CompiledFormat *format) except -1:
    name = getattr(message, "name", "")
    if not isinstance(name, str) or not FORMAT_NAME.fullmatch(name):
        raise ValueError(f"{path}.name: must be 1 to 64 of a-z, 0-9, -, _ and .")
    encoded = name.encode("ascii")
    format.name_length = <uint8_t>len(encoded)
    memcpy(format.name, <const char *>encoded, format.name_length)
    if len(getattr(message, "description", "")) > MAX_DESCRIPTION:
        raise ValueError(f"{path}.description: must be at most {MAX_DESCRIPTION} characters")
    format.track = <uint8_t>_number(message, "track", path, 3)
    if not format.track:
        raise ValueError(f"{path}.track: must be 1 to 3")
    number = _member(message, "card_number")
    if number is None:
        raise ValueError(f"{path}.card_number: is required")
    _compile_part(number, f"{path}.card_number", &format.number)
    facility, issue, expiry = (_member(message, part) for part in ("facility_code", "issue_code", "expiry"))
    if facility is not None:
        _compile_part(facility, f"{path}.facility_code", &format.facility)
    if issue is not None:
        _compile_part(issue, f"{path}.issue_code", &format.issue)
    if expiry is not None:
        _compile_part(expiry, f"{path}.expiry", &format.expiry)
    fixed_parts = list(getattr(message, "fixed_parts", ()))
    if len(fixed_parts) > MAX_FIXED_PARTS:
        raise ValueError(f"{path}.fixed_parts: must be at most {MAX_FIXED_PARTS}")
    for index, fixed in enumerate(fixed_parts):
        _compile_fixed(fixed, f"{path}.fixed_parts[{index}]", &format.fixed[format.fixed_count])
        format.fixed_count += 1
    format.min_length = <uint16_t>_number(message, "min_length", path, MAX_PLACE)
    format.max_length = <uint16_t>_number(message, "max_length", path, MAX_PLACE)
    if 0 < format.max_length < format.min_length:
        raise ValueError(f"{path}.max_length: must not be under min_length")
    format.field_count = <uint16_t>_number(message, "field_count", path, MAX_FIELD)
    format.luhn = <uint8_t>_number(message, "check_digit", path, 1)
    return 0


cdef str _text(const Digits *digits):
    return digits.text[:digits.length].decode("ascii")


cdef class FormatSet:
    def __dealloc__(self):
        free(self.formats)

    def __len__(self):
        return self.count

    def match(self, text, int number=0):
        cdef bytes line = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text)
        cdef TrackRecord[MAX_LINE_TRACKS] records
        cdef NumberMatch match
        cdef int count
        if len(line) > MAX_TEXT:
            raise ValueError(f"text must be at most {MAX_TEXT} bytes")
        if not 0 <= number <= 3:
            raise ValueError("number must be 0 to 3")
        count = split_line(line, len(line), number, records, MAX_LINE_TRACKS)
        match_formats(self.formats, self.count, records, count, &match)
        if match.format == NULL:
            return None
        return CardNumber(
            card_format=match.format.name[:match.format.name_length].decode("ascii"),
            card_number=_text(&match.number), facility_code=_text(&match.facility),
            issue_code=_text(&match.issue), expiry=_text(&match.expiry), track=match.track)


def compile_formats(formats):
    cdef FormatSet compiled = FormatSet.__new__(FormatSet)
    cdef list messages = list(formats)
    if len(messages) > MAX_FORMATS:
        raise ValueError(f"card_formats: must be at most {MAX_FORMATS}")
    compiled.formats = <CompiledFormat *>calloc(max(len(messages), 1), sizeof(CompiledFormat))
    if compiled.formats == NULL:
        raise MemoryError
    names = []
    for index, message in enumerate(messages):
        _compile(message, f"card_formats[{index}]", &compiled.formats[compiled.count])
        if message.name in names:
            raise ValueError(f"card_formats[{index}].name: is there already")
        names.append(message.name)
        compiled.count += 1
    compiled.names = tuple(names)
    return compiled
