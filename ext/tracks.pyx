"""Characters to fields: ISO/IEC 7813 tracks 1 and 2, ISO/IEC 4909 track 3, and the lines readers print."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memchr, memcpy, memset

from swipegate.core cimport codes

cdef enum:
    # Data characters of the longest tracks, 79, 40 and 107 with start sentinel, end sentinel and LRC (ISO/IEC
    # 7811-2).
    MAX_DATA1 = 76
    MAX_DATA2 = 37
    MAX_DATA3 = 104
    MAX_NAME = 26            # ISO/IEC 7813
    # digits from which a PAN with a right check digit speaks for a bank track by itself
    MIN_BANK_PAN = 12

# What a byte is not, or is: the OR over a text answers in one pass.
cdef enum:
    NOT_FIVE = 2             # outside the 5-bit set
    NOT_SEVEN = 4            # outside the 7-bit set, lower case aside
    IS_LOWER = 8
    NOT_PRINTABLE = 16
    IS_CONTROL = 32

cdef uint8_t CLASS[256]
cdef uint8_t DOUBLED[10]


cdef inline bint _is_digit(uint8_t byte) noexcept nogil:
    return 0x30 <= byte <= 0x39


cdef inline bint _are_digits(
    const uint8_t *text, Py_ssize_t start, Py_ssize_t count, Py_ssize_t end
) noexcept nogil:
    cdef Py_ssize_t index
    if start + count > end:
        return False
    for index in range(start, start + count):
        if not _is_digit(text[index]):
            return False
    return True


cdef void _fill_tables() noexcept:
    cdef int byte
    cdef uint8_t found
    for byte in range(256):
        found = 0
        if not 0x30 <= byte <= 0x3F:
            found |= NOT_FIVE
        if 0x61 <= byte <= 0x7A:
            found |= IS_LOWER
        elif not 0x20 <= byte <= 0x5F:
            found |= NOT_SEVEN
        if not 0x20 <= byte <= 0x7E:
            found |= NOT_PRINTABLE
        if byte < 0x20 or byte == 0x7F:
            found |= IS_CONTROL
        CLASS[byte] = found
    for byte in range(10):
        DOUBLED[byte] = <uint8_t>(2 * byte if byte < 5 else 2 * byte - 9)


_fill_tables()


cdef uint8_t _classes(const uint8_t *text, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """The OR of CLASS over a text, eight bytes at a time as long as all are in the 7-bit set."""
    cdef uint64_t word
    cdef uint64_t out_of_five = 0
    cdef uint64_t out_of_seven = 0
    cdef uint8_t found = 0
    cdef Py_ssize_t index = start
    if end - start >= 8:
        while index < end:
            if index > end - 8:
                index = end - 8
            memcpy(&word, text + index, 8)
            index += 8
            # 0x30 to 0x3F have one high nibble; 0x20 to 0x5F are 0x40 to 0x7F when 0x20 is added, which
            # cannot
            # carry into the next byte while the top bit is clear.
            out_of_five |= (word ^ <uint64_t>0x3030303030303030) & <uint64_t>0xF0F0F0F0F0F0F0F0
            out_of_seven |= word & <uint64_t>0x8080808080808080
            word = (word & <uint64_t>0x7F7F7F7F7F7F7F7F) + <uint64_t>0x2020202020202020
            out_of_seven |= (word ^ <uint64_t>0x4040404040404040) & <uint64_t>0xC0C0C0C0C0C0C0C0
        if not out_of_seven:
            return NOT_FIVE if out_of_five else 0
    for index in range(start, end):
        found |= CLASS[text[index]]
    return found


cdef inline Py_ssize_t _find(
    const uint8_t *text, uint8_t byte, Py_ssize_t start, Py_ssize_t end
) noexcept nogil:
    """Place of a byte, or end."""
    cdef const void *found
    if start >= end:
        return end
    found = memchr(text + start, byte, end - start)
    return end if found == NULL else <const uint8_t *>found - text


cdef inline void _set(TrackRecord *record, int field, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    if end > start:
        record.fields[field].start = <uint16_t>start
        record.fields[field].length = <uint16_t>(end - start)


cdef bint luhn_agrees(const char *digits, Py_ssize_t length) noexcept nogil:
    """The Luhn formula over digits, the last being the check digit (ISO/IEC 7812-1 annex B)."""
    cdef int total = 0
    cdef Py_ssize_t index = length - 1
    while index >= 0:
        total += digits[index] - 0x30
        if index > 0:
            total += DOUBLED[digits[index - 1] - 0x30]
        index -= 2
    return length > 0 and total % 10 == 0


cdef Py_ssize_t _parse_pan(TrackRecord *record, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Take the digits, and blanks between them, up to the first other character; returns its place."""
    cdef Py_ssize_t place = start
    cdef int length = 0
    cdef bint blanks = False
    cdef uint8_t byte
    while place < end:
        byte = record.text[place]
        if _is_digit(byte):
            if length < MAX_PAN:
                record.pan[length] = <char>byte
            length += 1
        elif byte == c" ":
            blanks = True
        else:
            break
        place += 1
    if length == 0 or length > MAX_PAN:
        record.errors |= codes.ERROR_PAN
        return place
    record.pan_length = <uint8_t>length
    if blanks:
        record.allowances |= codes.ALLOWED_PAN_BLANKS
    return place


cdef void _drop_pan(TrackRecord *record) noexcept nogil:
    record.pan_length = 0
    record.allowances &= ~<uint32_t>codes.ALLOWED_PAN_BLANKS


cdef void _check_pan(TrackRecord *record) noexcept nogil:
    if record.pan_length:
        record.luhn = LUHN_OK if luhn_agrees(record.pan, record.pan_length) else LUHN_WRONG


cdef bint _is_month(const uint8_t *text, Py_ssize_t place) noexcept nogil:
    cdef int month = 10 * (text[place] - 0x30) + text[place + 1] - 0x30
    return 1 <= month <= 12


cdef void _parse_tail(
    TrackRecord *record, Py_ssize_t place, Py_ssize_t end, uint8_t separator
) noexcept nogil:
    """Expiry date or separator, service code or separator, discretionary data (ISO/IEC 7813)."""
    cdef const uint8_t *text = record.text
    cdef Py_ssize_t after_blanks = place
    while after_blanks < end and text[after_blanks] == c" ":
        after_blanks += 1
    if place >= end:
        record.allowances |= codes.ALLOWED_FIELDS_MISSING
        return
    if text[place] == separator:
        place += 1
    elif _are_digits(text, after_blanks, 4, end):
        if after_blanks > place:
            record.allowances |= codes.ALLOWED_EXPIRY_BLANKS
            place = after_blanks
        _set(record, EXPIRY, place, place + 4)
        if not _is_month(text, place + 2):
            record.errors |= codes.ERROR_EXPIRY
        place += 4
    else:
        record.errors |= codes.ERROR_EXPIRY
        _set(record, DISCRETIONARY, place, end)
        return
    if place >= end:
        record.allowances |= codes.ALLOWED_FIELDS_MISSING
        return
    if text[place] == separator:
        place += 1
    elif _are_digits(text, place, 3, end):
        _set(record, SERVICE_CODE, place, place + 3)
        place += 3
    else:
        record.errors |= codes.ERROR_SERVICE_CODE
    _set(record, DISCRETIONARY, place, end)


cdef void _set_trimmed(TrackRecord *record, int field, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    while start < end and record.text[start] == c" ":
        start += 1
    while end > start and record.text[end - 1] == c" ":
        end -= 1
    _set(record, field, start, end)


cdef void _parse_name(TrackRecord *record, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Surname / first name, blank, middle name, full stop, title (ISO/IEC 7813)."""
    cdef const uint8_t *text = record.text
    cdef Py_ssize_t solidus = _find(text, c"/", start, end)
    cdef Py_ssize_t stop, blank
    _set(record, NAME, start, end)
    if end - start > MAX_NAME:
        record.errors |= codes.ERROR_NAME
    if solidus == end:
        record.allowances |= codes.ALLOWED_NAME_WITHOUT_SOLIDUS
        return
    _set_trimmed(record, SURNAME, start, solidus)
    start = solidus + 1
    while start < end and text[start] == c" ":
        start += 1
    stop = _find(text, c".", start, end)
    _set_trimmed(record, TITLE, stop + 1, end)
    blank = _find(text, c" ", start, stop)
    _set(record, FIRST_NAME, start, blank)
    _set_trimmed(record, MIDDLE_NAME, blank + 1, stop)


cdef void _parse_track1(TrackRecord *record, Py_ssize_t start, Py_ssize_t end, uint8_t found) noexcept nogil:
    cdef const uint8_t *text = record.text
    cdef uint8_t code = text[start]
    cdef Py_ssize_t place = start
    cdef Py_ssize_t separator
    if found & NOT_SEVEN:
        record.errors |= codes.ERROR_ILLEGAL_CHARACTER
    if found & IS_LOWER:
        record.allowances |= codes.ALLOWED_LOWER_CASE
    if end - start > MAX_DATA1:
        record.errors |= codes.ERROR_TOO_LONG
    if code != c"B" and code != c"b":
        record.errors |= codes.ERROR_FORMAT_CODE
    if not _is_digit(code):
        place += 1
    separator = _parse_pan(record, place, end)
    if separator == end or text[separator] != c"^":
        _drop_pan(record)
        if not record.errors & codes.ERROR_FORMAT_CODE:
            _set(record, FORMAT_CODE, start, place)
            # Digits to the end lack their separator; anything else is no number to begin with.
            record.errors |= codes.ERROR_SEPARATOR if separator == end else codes.ERROR_PAN
        else:
            record.errors &= ~<uint32_t>codes.ERROR_PAN  # of another layout nothing is known
        return
    if place > start and CLASS[code] & (NOT_SEVEN | NOT_PRINTABLE) == 0 and code > 0x40:
        _set(record, FORMAT_CODE, start, place)
    _check_pan(record)
    if not record.errors & (codes.ERROR_FORMAT_CODE | codes.ERROR_PAN):
        record.standard = codes.STANDARD_ISO7813_TRACK1
    place = separator + 1
    if (record.pan_length > 2 and record.pan[0] == c"5" and record.pan[1] == c"9"
            and _are_digits(text, place, 3, end)):
        _set(record, COUNTRY_CODE, place, place + 3)
        place += 3
    separator = _find(text, c"^", place, end)
    _parse_name(record, place, separator)
    _parse_tail(record, separator + 1, end, c"^")


cdef bint _is_licence(const TrackRecord *record) noexcept nogil:
    """Whether the issuer number is one of a driving licence: 604425 to 604429 and 636000 to 636062 (AAMVA).
    """
    cdef int issuer = 0
    cdef int index
    if record.pan_length < 7:
        return False
    for index in range(6):
        issuer = 10 * issuer + record.pan[index] - 0x30
    return 604425 <= issuer <= 604429 or 636000 <= issuer <= 636062


cdef inline bint _is_separator(uint8_t byte) noexcept nogil:
    return byte == c"=" or byte == c"D" or byte == c"d" or byte == c"^"


cdef Py_ssize_t _cut_padding(TrackRecord *record, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """End of the data before trailing Fs, or Fs and zeros (EMV track 2 equivalent data)."""
    cdef Py_ssize_t place = end
    cdef Py_ssize_t padding
    while place > start and record.text[place - 1] == c"0":
        place -= 1
    padding = place
    while place > start and (record.text[place - 1] | 0x20) == c"f":
        place -= 1
    if place == padding:
        return end
    record.allowances |= codes.ALLOWED_PADDING
    return place


cdef void _parse_track2(TrackRecord *record, Py_ssize_t start, Py_ssize_t end, uint8_t found) noexcept nogil:
    cdef const uint8_t *text = record.text
    cdef Py_ssize_t separator
    if end - start > MAX_DATA2:
        record.errors |= codes.ERROR_TOO_LONG
    separator = _parse_pan(record, start, end)
    if separator == end or not _is_separator(text[separator]):
        _drop_pan(record)
        record.errors &= ~<uint32_t>codes.ERROR_PAN
        if separator < end and _find(text, c"=", start, end) < end:
            record.errors |= codes.ERROR_PAN
        # Data without a separator, as access cards have it, is a layout of its own.
        if found & NOT_FIVE and _classes(text, start, end) & NOT_FIVE:
            record.errors |= codes.ERROR_ILLEGAL_CHARACTER
        return
    record.separator = text[separator]
    if record.separator != c"=":
        record.allowances |= codes.ALLOWED_SEPARATOR
    if found & NOT_FIVE and _classes(text, separator + 1, end) & NOT_FIVE:
        record.errors |= codes.ERROR_ILLEGAL_CHARACTER
    if _is_licence(record):
        if _are_digits(text, separator + 1, 4, end):
            _set(record, EXPIRY, separator + 1, separator + 5)
            _set(record, DISCRETIONARY, separator + 5, end)
        return
    _check_pan(record)
    _parse_tail(record, separator + 1, end, record.separator)
    if record.errors & codes.ERROR_PAN:
        return
    if (not record.errors & (codes.ERROR_EXPIRY | codes.ERROR_SERVICE_CODE)
            or (record.luhn == LUHN_OK and record.pan_length >= MIN_BANK_PAN)):
        record.standard = codes.STANDARD_ISO7813_TRACK2


cdef struct FixedField:
    int field
    uint8_t length
    bint or_separator      # a separator may stand for it


# ISO/IEC 4909, after the separator that ends the PAN.
cdef enum:
    FIXED_FIELDS = 16
    FIXED_DIGITS = 36      # up to the expiry date, country code included
cdef FixedField[FIXED_FIELDS] FIXED = [
    FixedField(COUNTRY_CODE, 3, True),
    FixedField(CURRENCY, 3, False),
    FixedField(CURRENCY_EXPONENT, 1, False),
    FixedField(AMOUNT_AUTHORISED, 4, False),
    FixedField(AMOUNT_REMAINING, 4, False),
    FixedField(CYCLE_BEGIN, 4, False),
    FixedField(CYCLE_LENGTH, 2, False),
    FixedField(RETRY_COUNT, 1, False),
    FixedField(PIN_CONTROL, 6, False),
    FixedField(INTERCHANGE_CONTROL, 1, False),
    FixedField(PAN_RESTRICTION, 2, False),
    FixedField(SAN1_RESTRICTION, 2, False),
    FixedField(SAN2_RESTRICTION, 2, False),
    FixedField(EXPIRY, 4, True),
    FixedField(CARD_SEQUENCE, 1, False),
    FixedField(CARD_SECURITY_NUMBER, 9, True),
]


cdef Py_ssize_t _parse_fixed(
    TrackRecord *record, const FixedField *fixed, Py_ssize_t place, Py_ssize_t end
) noexcept nogil:
    """Take one field of fixed length; returns the place after it, or -1 when the track breaks off there."""
    if place >= end:
        record.allowances |= codes.ALLOWED_FIELDS_MISSING
        return -1
    if fixed.or_separator and record.text[place] == record.separator:
        return place + 1
    if not _are_digits(record.text, place, fixed.length, end):
        if place + fixed.length > end:
            record.allowances |= codes.ALLOWED_FIELDS_MISSING
        else:
            record.errors |= codes.ERROR_SEPARATOR
        return -1
    _set(record, fixed.field, place, place + fixed.length)
    if fixed.field >= FIRST_TRACK3_FIELD:
        record.has_track3 = True
    return place + fixed.length


cdef void _parse_accounts(TrackRecord *record, Py_ssize_t place, Py_ssize_t end) noexcept nogil:
    """Subsidiary account numbers, relay marker, check digits, additional data (ISO/IEC 4909)."""
    cdef Py_ssize_t separator
    cdef int index
    cdef FixedField relay = FixedField(RELAY_MARKER, 1, False)
    cdef FixedField check = FixedField(CRYPTO_CHECK_DIGITS, 6, True)
    for index in range(2):
        separator = _find(record.text, record.separator, place, end)
        if separator == end:
            _set(record, FIRST_SAN if index == 0 else SECOND_SAN, place, end)
            record.allowances |= codes.ALLOWED_FIELDS_MISSING
            return
        _set(record, FIRST_SAN if index == 0 else SECOND_SAN, place, separator)
        place = separator + 1
    place = _parse_fixed(record, &relay, place, end)
    if place >= 0:
        place = _parse_fixed(record, &check, place, end)
    if place >= 0:
        _set(record, DISCRETIONARY, place, end)


cdef void _parse_track3(TrackRecord *record, Py_ssize_t start, Py_ssize_t end, uint8_t found) noexcept nogil:
    cdef const uint8_t *text = record.text
    cdef Py_ssize_t place = start + 2
    cdef Py_ssize_t separator
    cdef int code, index
    if end - start > MAX_DATA3:
        record.errors |= codes.ERROR_TOO_LONG
    if found & NOT_SEVEN:
        record.errors |= codes.ERROR_ILLEGAL_CHARACTER
    if found & IS_LOWER:
        record.allowances |= codes.ALLOWED_LOWER_CASE
    if place >= end or not _are_digits(text, start, 2, end):
        return
    separator = _parse_pan(record, place, end)
    if separator == end or (text[separator] != c"=" and text[separator] != c"^"):
        _drop_pan(record)
        record.errors &= ~<uint32_t>codes.ERROR_PAN
        return  # seven-bit data of a licence, or digits of an access card
    record.separator = text[separator]
    if record.separator != c"=":
        record.allowances |= codes.ALLOWED_SEPARATOR
    if _classes(text, separator + 1, end) & NOT_FIVE and record.separator == c"=":
        record.errors |= codes.ERROR_ILLEGAL_CHARACTER
    code = 10 * (text[start] - 0x30) + text[start + 1] - 0x30
    if not (1 <= code <= 2 or code >= 90):
        record.errors |= codes.ERROR_FORMAT_CODE  # 00 and 03 to 89 are not for interchange
        if end - separator - 1 < FIXED_DIGITS:
            _drop_pan(record)
            return
    _set(record, FORMAT_CODE, start, start + 2)
    _check_pan(record)
    if not record.errors & (codes.ERROR_PAN | codes.ERROR_FORMAT_CODE):
        record.standard = codes.STANDARD_ISO4909_TRACK3
    place = separator + 1
    for index in range(FIXED_FIELDS):
        place = _parse_fixed(record, &FIXED[index], place, end)
        if place < 0:
            break
    if place >= 0:
        _parse_accounts(record, place, end)
    if record.fields[FIRST_SAN].length or record.fields[SECOND_SAN].length:
        record.has_track3 = True
    if record.fields[EXPIRY].length and not _is_month(text, record.fields[EXPIRY].start + 2):
        record.errors |= codes.ERROR_EXPIRY


cdef bint _is_start(uint8_t byte, int number) noexcept nogil:
    """Whether a byte is a start sentinel of this track as the standard or some readers have it."""
    if number == 1:
        return byte == c"%"
    if number == 2:
        return byte == c";"
    return (byte == c";" or byte == c"%" or byte == c"+" or byte == c"#" or byte == c"!" or byte == c"&"
            or byte == c"@")


cdef int _guess(const uint8_t *text, Py_ssize_t length) noexcept nogil:
    """The track a text without start sentinel looks like, 0 for none."""
    cdef Py_ssize_t place = 0
    cdef bint letter = length > 1 and (text[0] == c"B" or text[0] == c"b") and _is_digit(text[1])
    if letter:
        place = 1
    elif length == 0 or not _is_digit(text[0]):
        return 0
    while place < length and (_is_digit(text[place]) or text[place] == c" "):
        place += 1
    if place == length:
        return 1 if letter else 0
    if text[place] == c"^":
        return 1 if letter else 2
    return 2 if _is_separator(text[place]) else 0


cdef bint _is_over_track2(const uint8_t *text, Py_ssize_t length) noexcept nogil:
    """Whether a text has fields, and more characters than track 2 can hold with its LRC."""
    return length > MAX_DATA2 + 3 and (
        _find(text, c"=", 1, length) < length or _find(text, c"^", 1, length) < length)


cdef void parse_track(const uint8_t *text, Py_ssize_t length, int number, TrackRecord *record) noexcept nogil:
    """Fill `record` from one track without framing; number 0 lets the start sentinel tell. At most MAX_TEXT
    bytes.
    """
    cdef Py_ssize_t start = 0
    cdef Py_ssize_t end = length
    cdef uint8_t found
    memset(record, 0, sizeof(TrackRecord))
    record.text = text
    if length <= 0 or length > MAX_TEXT:
        record.errors = codes.ERROR_NO_ENCODING if length <= 0 else codes.ERROR_TOO_LONG
        return
    record.length = <uint16_t>length
    if number == 0:
        if text[0] == c"%":
            number = 1
        elif text[0] == c";":
            number = 3 if _is_over_track2(text, length) else 2
        elif text[0] == c"+":
            number = 3
        else:
            number = _guess(text, length)
    record.number = <uint8_t>number
    if number and _is_start(text[0], number):
        start = 1
        if number == 3 and text[0] != c";" and text[0] != c"%":
            record.allowances |= codes.ALLOWED_START_SENTINEL
    elif number == 2 and length > 1 and (text[0] | 0x20) == c"b" and _is_digit(text[1]):
        start = 1  # the nibble B of a start sentinel, printed in hexadecimal
        record.allowances |= codes.ALLOWED_START_SENTINEL
    elif number:
        record.allowances |= codes.ALLOWED_START_SENTINEL_MISSING
    if end > start and text[end - 1] == c"?":
        end -= 1
    else:
        record.allowances |= codes.ALLOWED_END_SENTINEL_MISSING
    if number == 2:
        end = _cut_padding(record, start, end)
    record.data.start = <uint16_t>start
    record.data.length = <uint16_t>(end - start)
    record.separator = c"^" if number == 1 else c"="
    found = _classes(text, 0, length)  # sentinels are in the sets for which the data is held to account
    record.unprintable = found & NOT_PRINTABLE != 0
    if record.unprintable:
        record.errors |= codes.ERROR_ILLEGAL_CHARACTER
    if end == start:
        record.errors |= codes.ERROR_EMPTY
    elif number == 1:
        _parse_track1(record, start, end, found)
    elif number == 2:
        _parse_track2(record, start, end, found)
    elif number == 3:
        _parse_track3(record, start, end, found)
    else:
        record.allowances = 0
        record.errors |= codes.ERROR_NO_START


cdef int _lrc_of(const TrackRecord *record) noexcept nogil:
    """The LRC character a track of this text has, -1 when a character is in no set."""
    cdef const uint8_t *text = record.text
    cdef uint8_t found = _classes(text, record.data.start, record.data.start + record.data.length)
    cdef bint five = record.number == 2 or (record.number == 3 and not found & NOT_FIVE)
    cdef int base = 0x30 if five else 0x20
    # The end sentinel is as the standard has it; so is the start sentinel, whatever the reader printed for
    # it.
    cdef int checksum = 0x0F ^ 0x0B if five else 0x1F ^ 0x05
    cdef Py_ssize_t index
    if found & ((NOT_FIVE if five else NOT_SEVEN | IS_LOWER)):
        return -1
    for index in range(record.data.start, record.data.start + record.data.length):
        checksum ^= text[index] - base
    return base + checksum


cdef inline bint _is_plain_start(uint8_t byte) noexcept nogil:
    return byte == c"%" or byte == c";" or byte == c"+"


cdef inline bint _opens(const uint8_t *line, Py_ssize_t place, Py_ssize_t end) noexcept nogil:
    """Whether a track may start here: a sentinel, and something behind it."""
    return place + 1 < end and _is_start(line[place], 3) and not CLASS[line[place + 1]] & IS_CONTROL


cdef Py_ssize_t _close(
    TrackRecord *record, Py_ssize_t place, Py_ssize_t end, const uint8_t *line, bint one
) noexcept nogil:
    """Read what follows an end sentinel up to the next track: LRC, a second end sentinel, framing."""
    cdef uint8_t byte
    cdef int lrc
    cdef bint last
    while place < end:
        byte = line[place]
        if CLASS[byte] & IS_CONTROL:
            record.allowances |= codes.ALLOWED_FRAMING
            place += 1
            continue
        last = place + 1 == end or CLASS[line[place + 1]] & IS_CONTROL != 0
        if not one and _opens(line, place, end) and not _opens(line, place + 1, end):
            return place
        lrc = _lrc_of(record)
        if not one and _opens(line, place, end):
            # Before another sentinel it is an LRC that looks like one; the odd ones for track 3 may be data
            # there.
            if byte != lrc and not _is_plain_start(line[place + 1]):
                return place
        if byte == c"?" and lrc != c"?":
            record.allowances |= codes.ALLOWED_EXTRA_END_SENTINEL
        elif record.lrc == codes.LRC_NONE and (
                byte == lrc or last or (not one and _opens(line, place + 1, end))):
            record.lrc_character = <char>byte if not CLASS[byte] & NOT_PRINTABLE else c"?"
            record.lrc = codes.LRC_OK if byte == lrc else codes.LRC_BAD
            if byte != lrc:
                record.errors |= codes.ERROR_LRC
        else:
            record.allowances |= codes.ALLOWED_FRAMING
        place += 1
    return place


cdef Py_ssize_t _end_of(
    const uint8_t *line, Py_ssize_t start, Py_ssize_t end, int number, bint one
) noexcept nogil:
    """One past the end sentinel of the track at `start`, or where a track without one breaks off."""
    cdef Py_ssize_t sentinel = _find(line, c"?", start, end)
    cdef Py_ssize_t limit = sentinel + 1 if sentinel < end else end
    cdef Py_ssize_t place
    if _classes(line, start, limit) & IS_CONTROL:
        for place in range(start, limit):
            if line[place] == 0x0D or line[place] == 0x0A or line[place] == 0x03:
                limit = place
                break
        while limit > start and CLASS[line[limit - 1]] & IS_CONTROL:
            limit -= 1
    if not one and number == 1:
        place = _find(line, c";", start + 1, limit)
        if place + 1 < limit and _is_digit(line[place + 1]):
            return place
    return limit


cdef bint _is_marker(const TrackRecord *record) noexcept nogil:
    """Whether this is what readers print for a track they could not read: %E? ;E? +E?."""
    return record.data.length == 1 and record.text[record.data.start] == c"E" and record.data.start == 1


cdef Py_ssize_t _start_of(const uint8_t *line, Py_ssize_t length, int number) noexcept nogil:
    """Where the first track begins: behind control characters and a reader's prefix."""
    cdef Py_ssize_t start = 0
    cdef Py_ssize_t place
    while start < length and CLASS[line[start]] & IS_CONTROL:
        start += 1
    if start == length:
        return start
    if _guess(line + start, length - start) or _is_start(line[start], number):
        return start
    if number == 0 and _is_plain_start(line[start]):
        return start
    for place in range(start, length):
        if line[place] == c"%" and number != 2 or line[place] == c";" and number != 1:
            return place
    return start


cdef int split_line(
    const uint8_t *line, Py_ssize_t length, int number, TrackRecord *records, int capacity
) noexcept nogil:
    """Parse every track of what a reader printed, or the one track a device gave under `number`; returns how
    many.
    """
    cdef Py_ssize_t place = _start_of(line, length, number)
    cdef Py_ssize_t end
    cdef bint one = number != 0
    cdef int count = 0
    cdef int seen = 0        # number of the last track
    cdef int expected
    cdef uint32_t framing = codes.ALLOWED_FRAMING if place > 0 else 0
    cdef TrackRecord *record
    if length > MAX_TEXT:
        length = 0
    if place >= length:
        if capacity:
            parse_track(line, 0, number, &records[0])
            records[0].number = <uint8_t>number
        return 1 if capacity else 0
    while place < length and count < capacity:
        record = &records[count]
        expected = number
        if count > 0:
            # Behind another track a second ; or %, or any odd sentinel, is track 3.
            if line[place] == c"%" and seen == 0 or line[place] == c";" and seen < 2:
                expected = 1 if line[place] == c"%" else 2
            else:
                expected = 3
        end = _end_of(line, place, length, expected if expected else 1 if line[place] == c"%" else 2, one)
        parse_track(line + place, end - place, expected, record)
        record.allowances |= framing
        framing = 0
        if seen < record.number:
            seen = record.number
        if _is_marker(record):
            record.errors = codes.ERROR_NOT_READ
            record.allowances = 0
            record.standard = 0
            place = _close(record, end, length, line, one)
            record.length = 0
            record.data.length = 0
            record.lrc = codes.LRC_NONE
            record.lrc_character = 0
            record.errors = codes.ERROR_NOT_READ
        else:
            place = _close(record, end, length, line, one)
        count += 1
        if one:
            break
    return count


cdef dict FIELD_NAMES = {
    FORMAT_CODE: "format_code", COUNTRY_CODE: "country_code", NAME: "name", SURNAME: "surname",
    FIRST_NAME: "first_name", MIDDLE_NAME: "middle_name", TITLE: "title", EXPIRY: "expiry",
    SERVICE_CODE: "service_code", DISCRETIONARY: "discretionary", CURRENCY: "currency",
    CURRENCY_EXPONENT: "currency_exponent", AMOUNT_AUTHORISED: "amount_authorised",
    AMOUNT_REMAINING: "amount_remaining", CYCLE_BEGIN: "cycle_begin", CYCLE_LENGTH: "cycle_length",
    RETRY_COUNT: "retry_count", PIN_CONTROL: "pin_control", INTERCHANGE_CONTROL: "interchange_control",
    PAN_RESTRICTION: "pan_restriction", SAN1_RESTRICTION: "san1_restriction",
    SAN2_RESTRICTION: "san2_restriction", CARD_SEQUENCE: "card_sequence",
    CARD_SECURITY_NUMBER: "card_security_number", FIRST_SAN: "first_san", SECOND_SAN: "second_san",
    RELAY_MARKER: "relay_marker", CRYPTO_CHECK_DIGITS: "crypto_check_digits",
}


cdef str _printable(bytes text):
    return "".join([chr(byte) if 0x20 <= byte <= 0x7E else "?" for byte in text])


cdef tuple _numbers(uint32_t mask):
    return tuple([number for number in range(1, 32) if mask >> number & 1])


cdef class ParsedTrack:
    cdef readonly str text
    cdef readonly int number
    cdef readonly int standard
    cdef readonly tuple errors
    cdef readonly tuple allowances
    cdef readonly int lrc
    cdef readonly str lrc_character
    cdef readonly dict fields
    cdef readonly object luhn_ok


cdef ParsedTrack _parsed(const TrackRecord *record):
    cdef ParsedTrack parsed = ParsedTrack.__new__(ParsedTrack)
    cdef int field
    cdef Span span
    parsed.text = _printable(record.text[:record.length])
    parsed.number = record.number
    parsed.standard = record.standard
    parsed.errors = _numbers(record.errors)
    parsed.allowances = _numbers(record.allowances)
    parsed.lrc = record.lrc
    parsed.lrc_character = chr(record.lrc_character) if record.lrc_character else ""
    parsed.luhn_ok = None if record.luhn == LUHN_ABSENT else record.luhn == LUHN_OK
    parsed.fields = {}
    if record.pan_length:
        parsed.fields["pan"] = record.pan[:record.pan_length].decode("ascii")
    for field in range(FIELD_COUNT):
        span = record.fields[field]
        if span.length:
            parsed.fields[FIELD_NAMES[field]] = _printable(record.text[span.start:span.start + span.length])
    return parsed


cdef bytes _checked_text(text):
    cdef bytes line = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text)
    if len(line) > MAX_TEXT:
        raise ValueError(f"text must be at most {MAX_TEXT} bytes")
    return line


def parse(text, int number=0):
    cdef bytes line = _checked_text(text)
    cdef TrackRecord[MAX_LINE_TRACKS] records
    if not 0 <= number <= 3:
        raise ValueError("number must be 0 to 3")
    split_line(line, len(line), number, records, 1)
    return _parsed(&records[0])


def split(line):
    cdef bytes text = _checked_text(line)
    cdef TrackRecord[MAX_LINE_TRACKS] records
    cdef int count = split_line(text, len(text), 0, records, MAX_LINE_TRACKS)
    cdef int index
    return [_parsed(&records[index]) for index in range(count)]


def luhn_ok(str digits not None):
    if not digits.isascii() or not digits.isdigit():
        return False
    encoded = digits.encode("ascii")
    return bool(luhn_agrees(encoded, len(encoded)))


cdef str _checked_digits(str value, str name, int least, int most):
    if not (least <= len(value) <= most and (not value or (value.isascii() and value.isdigit()))):
        lengths = str(most) if least == most else f"{least} to {most}"
        raise ValueError(f"{name} must be {lengths} digits")
    return value


cdef tuple _checked_tail(str expiry, str service_code, str separator):
    if expiry:
        _checked_digits(expiry, "expiry", 4, 4)
        if not 1 <= int(expiry[2:]) <= 12:
            raise ValueError("expiry must be YYMM")
    if service_code:
        _checked_digits(service_code, "service_code", 3, 3)
    return expiry or separator, service_code or separator


cdef str _checked_size(str text, int most):
    if len(text) + 1 > most:
        raise ValueError(f"the track must be at most {most} characters with its LRC")
    return text


def encode_track1(str pan not None, str name not None, str expiry not None="", str service_code not None="",
                  str discretionary not None="", str country_code not None=""):
    _checked_digits(pan, "pan", 1, MAX_PAN)
    if country_code:
        _checked_digits(country_code, "country_code", 3, 3)
        if not pan.startswith("59"):
            raise ValueError("country_code must be empty unless pan starts with 59")
    if not 2 <= len(name) <= MAX_NAME:
        raise ValueError(f"name must be 2 to {MAX_NAME} characters")
    for field, value in (("name", name), ("discretionary", discretionary)):
        if any([not 0x20 <= ord(character) <= 0x5F or character in "%?" for character in value]):
            raise ValueError(f"{field} holds a character that is no data on track 1")
    if "^" in name:
        raise ValueError("name holds a character that is no data on track 1")
    dates = _checked_tail(expiry, service_code, "^")
    return _checked_size(f"%B{pan}^{country_code}{name}^{dates[0]}{dates[1]}{discretionary}?", MAX_DATA1 + 3)


def encode_track2(
    str pan not None, str expiry not None="", str service_code not None="", str discretionary not None=""
):
    _checked_digits(pan, "pan", 1, MAX_PAN)
    if any([not 0x30 <= ord(character) <= 0x3F or character in ";?" for character in discretionary]):
        raise ValueError("discretionary holds a character that is no data on track 2")
    dates = _checked_tail(expiry, service_code, "=")
    return _checked_size(f";{pan}={dates[0]}{dates[1]}{discretionary}?", MAX_DATA2 + 3)
