"""Characters to fields: ISO/IEC 7813 tracks 1 and 2, ISO/IEC 4909 track 3, and the lines readers print."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memchr, memcpy

from swipegate.core cimport codes
from swipegate.core.brands cimport brand_of
from swipegate.core.licences cimport is_issuer, parse_licence1, parse_licence2, parse_licence3
from swipegate.core.records cimport (
    AMOUNT_AUTHORISED, AMOUNT_REMAINING, CARD_SECURITY_NUMBER, CARD_SEQUENCE, COUNTRY_CODE,
    CRYPTO_CHECK_DIGITS, CURRENCY, CURRENCY_EXPONENT, CYCLE_BEGIN, CYCLE_LENGTH, DISCRETIONARY, EXPIRY,
    FIELD_COUNT, FIRST_NAME, FIRST_SAN, FORMAT_CODE, INTERCHANGE_CONTROL, LUHN_ABSENT, LUHN_OK, LUHN_WRONG,
    MAX_LINE_TRACKS, MAX_PAN, MAX_TEXT, MIDDLE_NAME, NAME, PAN_RESTRICTION, PAN_ROOM, PIN_CONTROL,
    RELAY_MARKER, RETRY_COUNT, SAN1_RESTRICTION, SAN2_RESTRICTION, SECOND_SAN, SERVICE_CODE, SURNAME, TITLE,
    Licence, Span, TrackRecord)
from swipegate.core.texts cimport (
    are_digits, blanks_end, blanks_start, digits_end, find, has, is_digit, is_month, set_field, set_trimmed)

from swipegate.core import encoders

# The way back, for who has this module in hand.
encode_track1 = encoders.encode_track1
encode_track2 = encoders.encode_track2
encode_track3 = encoders.encode_track3
encode_licence = encoders.encode_licence

cdef enum:
    # Data characters of the longest tracks, 79, 40 and 107 with start sentinel, end sentinel and LRC (ISO/IEC
    # 7811-2); and of a licence's tracks 1 and 3, 82 with them (AAMVA).
    MAX_DATA1 = 76
    MAX_DATA2 = 37
    MAX_DATA3 = 104
    MAX_LICENCE_DATA = 79
    MAX_NAME = 26            # ISO/IEC 7813
    # digits from which a PAN with a right check digit speaks for a bank track by itself
    MIN_BANK_PAN = 12
    # characters in a row of another layout's digit row that are taken for a number
    MIN_FOREIGN_DIGITS = 12

# What a byte is not, or is: the OR over a text answers in one pass.
cdef enum:
    NOT_FIVE = 2             # outside the 5-bit set
    NOT_SEVEN = 4            # outside the 7-bit set, lower case aside
    IS_LOWER = 8
    NOT_PRINTABLE = 16
    IS_CONTROL = 32
    IS_FOREIGN = 64          # on the digit row of French or Czech keyboards, or part of such a character

cdef uint8_t CLASS[256]
cdef uint64_t EVEN           # the first, third, fifth and seventh byte of a word

# ServiceMeaning by digit of the service code (ISO/IEC 7813).
cdef uint8_t[3][10] SERVICE = [
    [0, 1, 2, 0, 0, 5, 6, 7, 0, 9],
    [1, 0, 2, 0, 3, 0, 0, 0, 0, 0],
    [1, 2, 3, 4, 5, 6, 7, 8, 0, 0],
]


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
        if byte & 0x80 or chr(byte) in "&\"'(-_+":
            found |= IS_FOREIGN
        CLASS[byte] = found
    for byte in range(0, 8, 2):
        (<uint8_t *>&EVEN)[byte] = 0xFF


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
            index = min(index, end - 8)  # the last word overlaps the one before it
            memcpy(&word, text + index, 8)
            index += 8
            # 0x30 to 0x3F have one high nibble; 0x20 to 0x5F are 0x40 to 0x7F when 0x20 is added, and a byte
            # that carries into the next is itself none of them.
            out_of_five |= word ^ <uint64_t>0x3030303030303030
            out_of_seven |= (word + <uint64_t>0x2020202020202020) ^ <uint64_t>0x4040404040404040
        if not out_of_seven & <uint64_t>0xC0C0C0C0C0C0C0C0:
            return NOT_FIVE if out_of_five & <uint64_t>0xF0F0F0F0F0F0F0F0 else 0
    for index in range(start, end):
        found |= CLASS[text[index]]
    return found


cdef inline Py_ssize_t _find_far(
    const uint8_t *text, uint8_t byte, Py_ssize_t start, Py_ssize_t end
) noexcept nogil:
    """Place of a byte, or end, in a text of any length."""
    cdef const void *found
    if start >= end:
        return end
    found = memchr(text + start, byte, end - start)
    return end if found == NULL else <const uint8_t *>found - text


cdef inline Py_ssize_t _find_last(
    const uint8_t *text, uint8_t byte, Py_ssize_t start, Py_ssize_t end
) noexcept nogil:
    """Last place of a byte, or -1; meant for the few characters of a field."""
    while end > start:
        end -= 1
        if text[end] == byte:
            return end
    return -1


cdef inline int _luhn_word(const char *digits) noexcept nogil:
    """Sum of eight digits, the first of each pair doubled (ISO/IEC 7812-1 annex B)."""
    cdef uint64_t word, over
    memcpy(&word, digits, 8)
    word &= <uint64_t>0x0F0F0F0F0F0F0F0F
    word += word & EVEN
    over = (word + <uint64_t>0x7676767676767676) >> 7 & <uint64_t>0x0101010101010101
    word -= 9 * over
    return <int>(word * <uint64_t>0x0101010101010101 >> 56)


cdef bint luhn_agrees(const char *digits, Py_ssize_t length) noexcept nogil:
    """The Luhn formula over digits, the last being the check digit (ISO/IEC 7812-1 annex B)."""
    cdef int total = 0
    cdef int digit
    cdef Py_ssize_t left = length
    cdef bint doubled = False
    while left >= 8:
        left -= 8
        total += _luhn_word(digits + left)
    while left > 0:
        left -= 1
        digit = digits[left] - 0x30
        if doubled:
            digit = 2 * digit if digit < 5 else 2 * digit - 9
        total += digit
        doubled = not doubled
    return length > 0 and total % 10 == 0


cdef Py_ssize_t _parse_spaced_pan(TrackRecord *record, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """A PAN with blanks between its digits; returns the place of the first other character."""
    cdef Py_ssize_t place = start
    cdef int length = 0
    cdef uint8_t byte
    while place < end:
        byte = record.text[place]
        if is_digit(byte):
            if length < MAX_PAN:
                record.pan[length] = <char>byte
            length += 1
        elif byte != c" ":
            break
        place += 1
    if length == 0 or length > MAX_PAN:
        record.errors |= codes.ERROR_PAN
        return place
    record.pan_length = <uint8_t>length
    record.allowances |= codes.ALLOWED_PAN_BLANKS
    return place


cdef inline Py_ssize_t _parse_pan(TrackRecord *record, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Take the digits, and blanks between them, up to the first other character; returns its place."""
    cdef Py_ssize_t stop = digits_end(record.text, start, end)
    cdef Py_ssize_t index
    if stop < end and record.text[stop] == c" ":
        return _parse_spaced_pan(record, start, end)
    if stop == start or stop - start > MAX_PAN:
        record.errors |= codes.ERROR_PAN
        return stop
    if start + PAN_ROOM <= record.length:
        memcpy(record.pan, record.text + start, PAN_ROOM)
    else:
        for index in range(stop - start):
            record.pan[index] = <char>record.text[start + index]
    record.pan_length = <uint8_t>(stop - start)
    return stop


cdef void _drop_pan(TrackRecord *record) noexcept nogil:
    record.pan_length = 0
    record.allowances &= ~<uint32_t>codes.ALLOWED_PAN_BLANKS


cdef inline void _check_pan(TrackRecord *record) noexcept nogil:
    if record.pan_length:
        record.luhn = LUHN_OK if luhn_agrees(record.pan, record.pan_length) else LUHN_WRONG
        record.brand = brand_of(record.pan, record.pan_length)


cdef inline void _set_service(TrackRecord *record, Py_ssize_t place) noexcept nogil:
    cdef int index
    set_field(record, SERVICE_CODE, place, place + 3)
    for index in range(3):
        record.service[index] = SERVICE[index][record.text[place + index] - 0x30]


cdef void _parse_tail(
    TrackRecord *record, Py_ssize_t place, Py_ssize_t end, uint8_t separator
) noexcept nogil:
    """Expiry date or separator, service code or separator, discretionary data (ISO/IEC 7813)."""
    cdef const uint8_t *text = record.text
    cdef Py_ssize_t after_blanks
    if place + 8 <= end and digits_end(text, place, place + 8) >= place + 7 and is_month(text, place + 2):
        set_field(record, EXPIRY, place, place + 4)
        _set_service(record, place + 4)
        set_field(record, DISCRETIONARY, place + 7, end)
        return
    if place >= end:
        record.allowances |= codes.ALLOWED_FIELDS_MISSING
        return
    after_blanks = blanks_end(text, place, end)
    if text[place] == separator:
        place += 1
    elif are_digits(text, after_blanks, 4, end):
        if after_blanks > place:
            record.allowances |= codes.ALLOWED_EXPIRY_BLANKS
            place = after_blanks
        set_field(record, EXPIRY, place, place + 4)
        if not is_month(text, place + 2):
            record.errors |= codes.ERROR_EXPIRY
        place += 4
    else:
        record.errors |= codes.ERROR_EXPIRY
        set_field(record, DISCRETIONARY, place, end)
        return
    if place >= end:
        record.allowances |= codes.ALLOWED_FIELDS_MISSING
        return
    if text[place] == separator:
        place += 1
    elif are_digits(text, place, 3, end):
        _set_service(record, place)
        place += 3
    else:
        record.errors |= codes.ERROR_SERVICE_CODE
    set_field(record, DISCRETIONARY, place, end)


cdef void _parse_name(TrackRecord *record, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Surname / first name, blank, middle name, full stop, title (ISO/IEC 7813)."""
    cdef const uint8_t *text = record.text
    cdef Py_ssize_t solidus = find(text, c"/", start, end)
    cdef Py_ssize_t blank, stop, title
    set_field(record, NAME, start, end)
    if end - start > MAX_NAME:
        record.errors |= codes.ERROR_NAME
    if solidus == end:
        record.allowances |= codes.ALLOWED_NAME_WITHOUT_SOLIDUS
        return
    set_trimmed(record, SURNAME, start, solidus)
    start = blanks_end(text, solidus + 1, end)
    stop = end = blanks_start(text, start, end)
    if find(text, c".", start, end) < end:
        # The title stands behind the last full stop that has something behind it.
        while stop > start and (text[stop - 1] == c" " or text[stop - 1] == c"."):
            stop -= 1
        title = _find_last(text, c".", start, stop)
        if title >= 0:
            set_trimmed(record, TITLE, title + 1, end)
            stop = title
    blank = find(text, c" ", start, stop)
    set_field(record, FIRST_NAME, start, blank)
    set_trimmed(record, MIDDLE_NAME, blank + 1, stop)


cdef int _standard_of(uint8_t code) noexcept nogil:
    """The standard that a format code of track 1 names (ISO/IEC 7813)."""
    code &= 0xDF  # letters of either case
    if code == c"A":
        return codes.STANDARD_ISO7813_TRACK1_A
    if code == c"B":
        return codes.STANDARD_ISO7813_TRACK1
    if c"C" <= code <= c"M":
        return codes.STANDARD_ISO7813_TRACK1_RESERVED
    return codes.STANDARD_ISO7813_TRACK1_ISSUER if c"N" <= code <= c"Z" else codes.STANDARD_NONE


cdef Py_ssize_t _sentinel_in_disguise(const uint8_t *text, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Where the end sentinel stands as keyboard layouts turn it out, _ or :, else end."""
    cdef Py_ssize_t place
    for place in range(start, end):
        if text[place] == c"_" or text[place] == c":":
            return place
    return end


cdef void _parse_b(
    TrackRecord *record, Py_ssize_t place, Py_ssize_t end, uint8_t mark
) noexcept nogil:
    """What follows the PAN and its separator in the layout of format code B."""
    cdef Py_ssize_t separator
    record.separator = mark
    if (record.pan_length > 2 and record.pan[0] == c"5" and record.pan[1] == c"9"
            and are_digits(record.text, place, 3, end)):
        set_field(record, COUNTRY_CODE, place, place + 3)
        place += 3
    separator = find(record.text, mark, place, end)
    _parse_name(record, place, separator)
    _parse_tail(record, separator + 1, end, mark)


cdef void _parse_unlike_b(
    TrackRecord *record, Py_ssize_t start, Py_ssize_t place, Py_ssize_t separator, Py_ssize_t end
) noexcept nogil:
    """A track 1 that has no PAN with a separator behind it."""
    cdef Py_ssize_t second = end
    if record.pan_length >= MIN_BANK_PAN and separator < end and record.text[separator] == c"&":
        second = find(record.text, c"&", separator + 1, end)
    if second < end:
        record.allowances |= codes.ALLOWED_KEYBOARD_LAYOUT
        set_field(record, FORMAT_CODE, start, place)
        _check_pan(record)
        if not record.errors & (codes.ERROR_FORMAT_CODE | codes.ERROR_PAN):
            record.standard = <uint8_t>_standard_of(record.text[start])
        _parse_b(record, separator + 1, _sentinel_in_disguise(record.text, second, end), c"&")
        return
    _drop_pan(record)
    if record.standard == codes.STANDARD_ISO7813_TRACK1_A:
        record.errors &= ~<uint32_t>codes.ERROR_PAN
        set_field(record, FORMAT_CODE, start, place)
        set_field(record, DISCRETIONARY, place, end)
    elif record.errors & codes.ERROR_FORMAT_CODE:
        record.errors &= ~<uint32_t>codes.ERROR_PAN  # of another layout nothing is known
    else:
        set_field(record, FORMAT_CODE, start, place)
        # Digits to the end lack their separator; anything else is no number to begin with.
        record.errors |= codes.ERROR_SEPARATOR if separator == end else codes.ERROR_PAN


cdef void _parse_track1(TrackRecord *record, Py_ssize_t start, Py_ssize_t end, uint8_t found) noexcept nogil:
    cdef const uint8_t *text = record.text
    cdef uint8_t code = text[start]
    cdef int standard = codes.STANDARD_ISO7813_TRACK1 if code == c"B" else _standard_of(code)
    cdef Py_ssize_t place = start + (not is_digit(code))
    cdef Py_ssize_t separator
    if found & NOT_SEVEN:
        record.errors |= codes.ERROR_ILLEGAL_CHARACTER
    if found & IS_LOWER:
        record.allowances |= codes.ALLOWED_LOWER_CASE
    if place < end and not is_digit(text[place]) and parse_licence1(record, start, end):
        if record.standard == codes.STANDARD_AAMVA_TRACK1 and end - start > MAX_LICENCE_DATA:
            record.errors |= codes.ERROR_TOO_LONG
        return
    if end - start > MAX_DATA1:
        record.errors |= codes.ERROR_TOO_LONG
    if standard != codes.STANDARD_ISO7813_TRACK1:
        if standard != codes.STANDARD_ISO7813_TRACK1_A:
            record.errors |= codes.ERROR_FORMAT_CODE
        record.standard = <uint8_t>standard
    separator = _parse_pan(record, place, end)
    if (separator == end or text[separator] != c"^"
            or (record.errors & codes.ERROR_PAN and standard == codes.STANDARD_ISO7813_TRACK1_A)):
        _parse_unlike_b(record, start, place, separator, end)
        return
    if place > start and 0x40 < code < 0x7B and not CLASS[code] & NOT_SEVEN:
        set_field(record, FORMAT_CODE, start, place)
    _check_pan(record)
    if not record.errors & codes.ERROR_PAN:
        record.standard = <uint8_t>standard
    _parse_b(record, separator + 1, end, c"^")


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


cdef bint _is_disguised(const TrackRecord *record, Py_ssize_t separator, Py_ssize_t end) noexcept nogil:
    """Whether a PAN is followed by what keyboard layouts make of =, and that by an expiry date."""
    cdef const uint8_t *text = record.text
    cdef uint8_t byte = text[separator]
    if record.pan_length < MIN_BANK_PAN or not luhn_agrees(record.pan, record.pan_length):
        return False
    if byte != c"-" and byte != c"'" and byte != c"\\":
        return False
    return are_digits(text, separator + 1, 7, end) and is_month(text, separator + 3)


cdef void _parse_unlike_track2(
    TrackRecord *record, Py_ssize_t start, Py_ssize_t separator, Py_ssize_t end, uint8_t found
) noexcept nogil:
    """A track 2 without a PAN and a separator behind it, as access cards have."""
    cdef uint8_t byte = record.text[separator] if separator < end else <uint8_t>0
    if byte & 0x80 and record.pan_length >= MIN_BANK_PAN:
        record.errors |= codes.ERROR_KEYBOARD_LAYOUT  # = as a letter outside of ASCII
    _drop_pan(record)
    record.errors &= ~<uint32_t>codes.ERROR_PAN
    if separator < end and _find_far(record.text, c"=", start, end) < end:
        record.errors |= codes.ERROR_PAN
    if found & NOT_FIVE and _classes(record.text, start, end) & NOT_FIVE:
        record.errors |= codes.ERROR_ILLEGAL_CHARACTER


cdef void _set_emv(TrackRecord *record, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Tell track 2 equivalent data (EMV Book 3, tag 57) from mixed forms: no sentinels, at most one F."""
    cdef Py_ssize_t padding = record.length - end
    if record.allowances & codes.ALLOWED_START_SENTINEL or start or padding > 1:
        return
    if record.separator == c"=" or record.separator == c"^" or record.text[record.length - 1] == c"?":
        return
    if (end - start + padding) & 1:
        return  # no whole bytes; the F is there to make them whole
    record.standard = codes.STANDARD_EMV_TRACK2_EQUIVALENT
    record.allowances &= ~<uint32_t>(
        codes.ALLOWED_START_SENTINEL_MISSING | codes.ALLOWED_END_SENTINEL_MISSING | codes.ALLOWED_SEPARATOR
        | codes.ALLOWED_PADDING)
    if record.separator == c"d" or (padding and record.text[end] == c"f"):
        record.allowances |= codes.ALLOWED_LOWER_CASE


cdef void _parse_track2(TrackRecord *record, Py_ssize_t start, Py_ssize_t end, uint8_t found) noexcept nogil:
    cdef const uint8_t *text = record.text
    cdef Py_ssize_t separator
    if end - start > MAX_DATA2:
        record.errors |= codes.ERROR_TOO_LONG
    separator = _parse_pan(record, start, end)
    if separator < end and not _is_separator(text[separator]) and _is_disguised(record, separator, end):
        record.allowances |= codes.ALLOWED_KEYBOARD_LAYOUT
        end = min(end, separator + 1 + digits_end(text + separator + 1, 0, end - separator - 1))
        found &= ~NOT_FIVE
    elif separator == end or not _is_separator(text[separator]):
        _parse_unlike_track2(record, start, separator, end, found)
        return
    record.separator = text[separator]
    if record.separator != c"=" and not record.allowances & codes.ALLOWED_KEYBOARD_LAYOUT:
        record.allowances |= codes.ALLOWED_SEPARATOR
    if found & NOT_FIVE and _classes(text, separator + 1, end) & NOT_FIVE:
        record.errors |= codes.ERROR_ILLEGAL_CHARACTER
    if is_issuer(record.pan, record.pan_length):
        parse_licence2(record, start, separator, end)
        return
    _check_pan(record)
    _parse_tail(record, separator + 1, end, record.separator)
    if record.errors & codes.ERROR_PAN:
        return
    if (not record.errors & (codes.ERROR_EXPIRY | codes.ERROR_SERVICE_CODE)
            or (record.luhn == LUHN_OK and record.pan_length >= MIN_BANK_PAN)):
        record.standard = codes.STANDARD_ISO7813_TRACK2
        if record.separator != c"=":
            _set_emv(record, start, end)


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
    if not are_digits(record.text, place, fixed.length, end):
        if place + fixed.length > end:
            record.allowances |= codes.ALLOWED_FIELDS_MISSING
        else:
            record.errors |= codes.ERROR_SEPARATOR
        return -1
    set_field(record, fixed.field, place, place + fixed.length)
    return place + fixed.length


cdef void _parse_accounts(TrackRecord *record, Py_ssize_t place, Py_ssize_t end) noexcept nogil:
    """Subsidiary account numbers, relay marker, check digits, additional data (ISO/IEC 4909)."""
    cdef Py_ssize_t separator
    cdef int index
    cdef FixedField relay = FixedField(RELAY_MARKER, 1, False)
    cdef FixedField check = FixedField(CRYPTO_CHECK_DIGITS, 6, True)
    for index in range(2):
        separator = find(record.text, record.separator, place, end)
        if separator == end:
            set_field(record, FIRST_SAN if index == 0 else SECOND_SAN, place, end)
            record.allowances |= codes.ALLOWED_FIELDS_MISSING
            return
        set_field(record, FIRST_SAN if index == 0 else SECOND_SAN, place, separator)
        place = separator + 1
    place = _parse_fixed(record, &relay, place, end)
    if place >= 0:
        place = _parse_fixed(record, &check, place, end)
    if place >= 0:
        set_field(record, DISCRETIONARY, place, end)


cdef inline bint _is_format_code(int code) noexcept nogil:
    """Whether ISO/IEC 4909 has such a track 3: 03 to 89 are reserved."""
    return code <= 2 or code >= 90


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
    if end - start <= MAX_LICENCE_DATA and parse_licence3(record, start, end):
        return
    if place >= end or not are_digits(text, start, 2, end):
        return
    separator = _parse_pan(record, place, end)
    if separator == end or (text[separator] != c"=" and text[separator] != c"^"):
        _drop_pan(record)
        record.errors &= ~<uint32_t>codes.ERROR_PAN
        return  # digits of an access card
    record.separator = text[separator]
    if record.separator != c"=":
        record.allowances |= codes.ALLOWED_SEPARATOR
    if _classes(text, separator + 1, end) & NOT_FIVE and record.separator == c"=":
        record.errors |= codes.ERROR_ILLEGAL_CHARACTER
    code = 10 * (text[start] - 0x30) + text[start + 1] - 0x30
    if code == 0 or not _is_format_code(code):
        record.errors |= codes.ERROR_FORMAT_CODE  # 00 is not for international interchange
        if end - separator - 1 < FIXED_DIGITS:
            _drop_pan(record)
            return
    set_field(record, FORMAT_CODE, start, start + 2)
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
    if has(record, EXPIRY) and not is_month(text, record.fields[EXPIRY].start + 2):
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
    cdef bint letter = length > 1 and (text[0] == c"B" or text[0] == c"b") and is_digit(text[1])
    if letter:
        place = 1
    elif length == 0 or not is_digit(text[0]):
        return 0
    while place < length and (is_digit(text[place]) or text[place] == c" "):
        place += 1
    if place == length:
        return 1 if letter else 0
    if text[place] == c"^":
        return 1 if letter else 2
    return 2 if _is_separator(text[place]) else 0


cdef bint _is_over_track2(const uint8_t *text, Py_ssize_t length) noexcept nogil:
    """Whether a text has fields, a format code, and more characters than track 2 can hold with its LRC."""
    return (length > MAX_DATA2 + 3 and are_digits(text, 1, 2, length)
            and _is_format_code(10 * (text[1] - 0x30) + text[2] - 0x30)
            and (_find_far(text, c"=", 1, length) < length or _find_far(text, c"^", 1, length) < length))


cdef inline void _reset(TrackRecord *record, const uint8_t *text, Py_ssize_t length) noexcept nogil:
    """Empty a record: what is not named here counts only where `present` or a length says so."""
    record.text = text
    record.length = <uint16_t>length
    record.present = 0
    record.errors = record.allowances = 0
    record.number = record.standard = record.luhn = record.lrc = record.unprintable = record.separator = 0
    record.lrc_character = 0
    record.pan_length = record.brand = record.is_licence = 0
    record.service[0] = record.service[1] = record.service[2] = 0
    record.data.start = record.data.length = 0


cdef int _number_of(const uint8_t *text, Py_ssize_t length) noexcept nogil:
    """The track that a text's start sentinel, or its look, tells; 0 for none."""
    if text[0] == c"%":
        return 1
    if text[0] == c";":
        return 3 if _is_over_track2(text, length) else 2
    return 3 if text[0] == c"+" else _guess(text, length)


cdef bint _is_foreign(const uint8_t *text, Py_ssize_t length) noexcept nogil:
    """Whether a text that says nothing looks like a number typed on another keyboard layout: a start sentinel
    outside of ASCII before digits, or what is on the digit row of French or Czech keyboards.
    """
    cdef Py_ssize_t place = 0
    cdef int run = 0
    while place < length and text[place] & 0x80:
        place += 1
    if place and digits_end(text, place, length) - place >= MIN_FOREIGN_DIGITS:
        return True
    for place in range(length):
        if CLASS[text[place]] & IS_FOREIGN:
            run += 1
            if run == MIN_FOREIGN_DIGITS:
                return True
        else:
            run = 0
    return False


cdef Py_ssize_t _find_data(TrackRecord *record) noexcept nogil:
    """Set the bounds of the data between the sentinels; returns its end."""
    cdef const uint8_t *text = record.text
    cdef int number = record.number
    cdef Py_ssize_t start = 0
    cdef Py_ssize_t end = record.length
    if number and _is_start(text[0], number):
        start = 1
        if number == 3 and text[0] != c";" and text[0] != c"%":
            record.allowances |= codes.ALLOWED_START_SENTINEL
    elif number == 2 and end > 1 and (text[0] | 0x20) == c"b" and is_digit(text[1]):
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
    return end


cdef void _parse(
    const uint8_t *text, Py_ssize_t length, int number, uint8_t found, TrackRecord *record
) noexcept nogil:
    """Fill `record` from a track of at least one character, whose classes are `found`."""
    cdef Py_ssize_t start, end
    _reset(record, text, length)
    if number == 0:
        number = _number_of(text, length)
    record.number = <uint8_t>number
    end = _find_data(record)
    start = record.data.start
    record.separator = c"^" if number == 1 else c"="
    if found & NOT_PRINTABLE:
        record.unprintable = True
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
    if record.standard == codes.STANDARD_NONE and not record.pan_length and found & NOT_FIVE:
        if _is_foreign(text, length):
            record.errors |= codes.ERROR_KEYBOARD_LAYOUT


cdef void parse_track(const uint8_t *text, Py_ssize_t length, int number, TrackRecord *record) noexcept nogil:
    """Fill `record` from one track without framing; number 0 lets the start sentinel tell. At most MAX_TEXT
    bytes.
    """
    if length <= 0 or length > MAX_TEXT:
        _reset(record, text, 0)
        record.errors = codes.ERROR_NO_ENCODING if length <= 0 else codes.ERROR_TOO_LONG
        return
    # Sentinels are in the sets for which the data is held to account.
    _parse(text, length, number, _classes(text, 0, length), record)


cdef enum:
    NOT_COMPUTED = -2        # an LRC character that _lrc_of was not asked for


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


cdef inline bint _may_be_lrc(int number, uint8_t byte) noexcept nogil:
    """Whether a reader can have printed this for an LRC: a letter, else what the set of the track has."""
    if 0x40 < (byte & 0xDF) <= 0x5A:
        return True
    return not CLASS[byte] & (NOT_FIVE if number == 2 else NOT_SEVEN)


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
    cdef int lrc = NOT_COMPUTED
    cdef bint last, suffix = False
    while place < end:
        byte = line[place]
        if CLASS[byte] & IS_CONTROL:
            record.allowances |= codes.ALLOWED_FRAMING
            place += 1
            continue
        last = place + 1 == end or CLASS[line[place + 1]] & IS_CONTROL != 0
        if not one and _opens(line, place, end) and not _opens(line, place + 1, end):
            return place
        if lrc == NOT_COMPUTED:
            lrc = _lrc_of(record)
        if not one and _opens(line, place, end):
            # Before another sentinel it is an LRC that looks like one; the odd ones for track 3 may be data
            # there.
            if byte != lrc and not _is_plain_start(line[place + 1]):
                return place
        if byte == c"?" and lrc != c"?":
            record.allowances |= codes.ALLOWED_EXTRA_END_SENTINEL
        elif record.lrc == codes.LRC_NONE and (
                byte == lrc or (not suffix and _may_be_lrc(record.number, byte)
                                and (last or (not one and _opens(line, place + 1, end))))):
            record.lrc_character = <char>byte if not CLASS[byte] & NOT_PRINTABLE else c"?"
            record.lrc = codes.LRC_OK if byte == lrc else codes.LRC_BAD
            if byte != lrc:
                record.errors |= codes.ERROR_LRC
        else:
            suffix = True
            record.allowances |= codes.ALLOWED_FRAMING
        place += 1
    return place


cdef Py_ssize_t _end_of(
    const uint8_t *line, Py_ssize_t start, Py_ssize_t end, int number, bint one, uint8_t *found
) noexcept nogil:
    """One past the end sentinel of the track at `start`, or where a track without one breaks off; `found` are
    the classes of what is before it.
    """
    cdef Py_ssize_t sentinel = _find_far(line, c"?", start, end)
    cdef Py_ssize_t limit = sentinel + 1 if sentinel < end else end
    cdef Py_ssize_t place
    found[0] = _classes(line, start, limit)
    if found[0] & IS_CONTROL:
        for place in range(start, limit):
            if line[place] == 0x0D or line[place] == 0x0A or line[place] == 0x03:
                limit = place
                break
        while limit > start and CLASS[line[limit - 1]] & IS_CONTROL:
            limit -= 1
        found[0] = _classes(line, start, limit)
    if not one and number == 1:
        place = _find_far(line, c";", start + 1, limit)
        if place + 1 < limit and is_digit(line[place + 1]):
            found[0] = _classes(line, start, place)
            return place
    return limit


cdef bint _is_marker(const TrackRecord *record) noexcept nogil:
    """Whether this is what readers print for a track they could not read: %E? ;E? +E?."""
    return record.data.length == 1 and record.text[record.data.start] == c"E" and record.data.start == 1


cdef void _forget(TrackRecord *record) noexcept nogil:
    """Make of a marker a track that was not read; what was forgiven behind it stays."""
    record.errors = codes.ERROR_NOT_READ
    record.standard = codes.STANDARD_NONE
    record.length = 0
    record.data.length = 0
    record.lrc = codes.LRC_NONE
    record.lrc_character = 0


cdef Py_ssize_t _start_of(const uint8_t *line, Py_ssize_t length, int number) noexcept nogil:
    """Where the first track begins: behind control characters and a reader's prefix."""
    cdef Py_ssize_t start = 0
    cdef Py_ssize_t place
    while start < length and CLASS[line[start]] & IS_CONTROL:
        start += 1
    if start == length:
        return start
    if _is_plain_start(line[start]) if number == 0 else _is_start(line[start], number):
        return start
    if _guess(line + start, length - start):
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
    cdef uint8_t found
    cdef bint unread
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
        end = _end_of(
            line, place, length, expected if expected else 1 if line[place] == c"%" else 2, one, &found)
        if end > place:
            _parse(line + place, end - place, expected, found, record)
        else:
            parse_track(line, 0, expected, record)
        record.allowances |= framing
        framing = 0
        if seen < record.number:
            seen = record.number
        unread = _is_marker(record)
        if unread:
            record.allowances = 0
        place = end if end == length else _close(record, end, length, line, one)
        if unread:
            _forget(record)
        count += 1
        if one:
            break
    return count


# By number of the field, as records.pxd has them.
cdef tuple FIELD_NAMES = (
    "format_code", "country_code", "name", "surname", "first_name", "middle_name", "title", "expiry",
    "service_code", "discretionary", "currency", "currency_exponent", "amount_authorised", "amount_remaining",
    "cycle_begin", "cycle_length", "retry_count", "pin_control", "interchange_control", "pan_restriction",
    "san1_restriction", "san2_restriction", "card_sequence", "card_security_number", "first_san",
    "second_san", "relay_marker", "crypto_check_digits", "state", "city", "address", "more_address",
    "issuer_number", "id_number", "id_overflow", "check_digit", "encoded_birth_date", "template_version",
    "security_version", "postal_code", "licence_class", "restrictions", "endorsements", "encoded_sex",
    "height", "weight", "hair", "eyes", "track3_id", "reserved", "error_correction", "security",
)


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
    cdef readonly int brand
    cdef readonly tuple service
    cdef readonly int expiry_rule
    cdef readonly int sex


cdef void _add_meanings(dict fields, const Licence *licence):
    """What the fields of a licence mean, by their names in v1 LicenceFields."""
    if licence.jurisdiction_length:
        fields["jurisdiction"] = licence.jurisdiction[:licence.jurisdiction_length].decode("ascii")
    if licence.number_length:
        fields["licence_number"] = _printable(licence.number[:licence.number_length])
    if licence.expiry_length:
        fields["expiry_date"] = licence.expiry[:licence.expiry_length].decode("ascii")
    if licence.birth_length:
        fields["birth_date"] = licence.birth[:licence.birth_length].decode("ascii")


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
        if has(record, field):
            span = record.fields[field]
            parsed.fields[FIELD_NAMES[field]] = _printable(record.text[span.start:span.start + span.length])
    parsed.brand = record.brand
    parsed.service = (record.service[0], record.service[1], record.service[2])
    if record.is_licence:
        parsed.expiry_rule = record.licence.expiry_rule
        parsed.sex = record.licence.sex
        _add_meanings(parsed.fields, &record.licence)
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
