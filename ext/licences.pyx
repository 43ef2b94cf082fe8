"""Driving licences and identity cards of North America: the magnetic stripe of the AAMVA DL/ID Card Design
Standard, and California's own layout of before it.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy, memset

from swipegate.core cimport codes
from swipegate.core.records cimport (
    ADDRESS, CHECK_DIGIT, CITY, DATE, DISCRETIONARY, ENCODED_BIRTH_DATE, ENCODED_SEX, ENDORSEMENTS,
    ERROR_CORRECTION, EXPIRY, EYES, FIRST_NAME, FORMAT_CODE, HAIR, HEIGHT, ID_NUMBER, ID_OVERFLOW,
    ISSUER_NUMBER, LICENCE_CLASS, MAX_JURISDICTION, MAX_LICENCE, MIDDLE_NAME, MORE_ADDRESS, NAME,
    POSTAL_CODE, RESERVED, RESTRICTIONS, SECURITY, SECURITY_VERSION, STATE, SURNAME,
    TEMPLATE_VERSION, TITLE, TRACK3_ID, WEIGHT, Licence, TrackRecord)
from swipegate.core.texts cimport are_digits, digits_end, find, has, is_digit, set_field, set_trimmed

cdef enum:
    # characters (AAMVA, magnetic stripe: tracks 1 and 2)
    MAX_CITY = 13
    MAX_NAME = 35
    MAX_OVERFLOW = 5
    # characters of California's lines
    CDMV_LINE = 29
    CDMV_CITY = 13
    CDMV_LENGTH = 1 + 3 * CDMV_LINE + CDMV_CITY
    CDMV_ID = 10              # two digits for the letter, seven, and a check digit
    TRACK3_FIELDS = 15
    TRACK3_LEAST = 33         # characters up to the height: fewer are no licence
    SEX_PLACE = 29
    CENTURY = 2000            # of the two digits of an expiry date
    ISSUERS_636 = 63          # 636000 to 636062
    CALIFORNIA = 14           # 636014
    FIRST_604 = 604425
    ISSUERS_604 = 9           # 604425 to 604433
    ISSUERS = ISSUERS_636 + ISSUERS_604

# Jurisdictions by issuer number (AAMVA), and how many digits follow the letter that their licence numbers
# begin with; 0 where they have none or it is not known. On the stripe the letter is two digits, A = 01 to
# Z = 26; it is told only where the length agrees and the two digits are a letter's.
cdef list JURISDICTIONS = [
    (636000, "VA", 8), (636001, "NY", 0), (636002, "MA", 8), (636003, "MD", 12), (636004, "NC", 0),
    (636005, "SC", 0), (636006, "CT", 0), (636007, "LA", 0), (636008, "MT", 0), (636009, "NM", 0),
    (636010, "FL", 12), (636011, "DE", 0), (636012, "ON", 14), (636013, "NS", 0), (636014, "CA", 7),
    (636015, "TX", 0), (636016, "NL", 0), (636017, "NB", 0), (636018, "IA", 0), (636019, "GU", 0),
    (636020, "CO", 0), (636021, "AR", 0), (636022, "KS", 8), (636023, "OH", 0), (636024, "VT", 0),
    (636025, "PA", 0), (636026, "AZ", 8), (636027, "US-STATE-DEPT", 0), (636028, "BC", 0), (636029, "OR", 0),
    (636030, "MO", 0), (636031, "WI", 13), (636032, "MI", 12), (636033, "AL", 0), (636034, "ND", 0),
    (636035, "IL", 11), (636036, "NJ", 14), (636037, "IN", 0), (636038, "MN", 12), (636039, "NH", 0),
    (636040, "UT", 0), (636041, "ME", 0), (636042, "SD", 0), (636043, "DC", 0), (636044, "SK", 0),
    (636045, "WA", 0), (636046, "KY", 8), (636047, "HI", 8), (636048, "MB", 0), (636049, "NV", 0),
    (636050, "ID", 0), (636051, "MS", 0), (636052, "RI", 0), (636053, "TN", 0), (636054, "NE", 0),
    (636055, "GA", 0), (636056, "MX-COA", 0), (636057, "MX-HID", 0), (636058, "OK", 0), (636059, "AK", 0),
    (636060, "WY", 0), (636061, "WV", 0), (636062, "VI", 0), (604426, "PE", 0), (604427, "AS", 0),
    (604428, "QC", 12), (604429, "YT", 0), (604430, "MP", 0), (604431, "PR", 0), (604432, "NT", 0),
    (604433, "NU", 0),
]

cdef struct Issuer:
    char jurisdiction[MAX_JURISDICTION]
    uint8_t length
    uint8_t letter_digits

cdef Issuer ISSUER[ISSUERS]
cdef uint8_t IS_STATE[26][26]   # by the two letters (ANSI D-20)

cdef struct Fixed:
    int field
    uint8_t length

# AAMVA, magnetic stripe, track 3.
cdef Fixed[TRACK3_FIELDS] TRACK3 = [
    Fixed(TEMPLATE_VERSION, 1), Fixed(SECURITY_VERSION, 1), Fixed(POSTAL_CODE, 11), Fixed(LICENCE_CLASS, 2),
    Fixed(RESTRICTIONS, 10), Fixed(ENDORSEMENTS, 4), Fixed(ENCODED_SEX, 1), Fixed(HEIGHT, 3),
    Fixed(WEIGHT, 3), Fixed(HAIR, 3), Fixed(EYES, 3), Fixed(TRACK3_ID, 10), Fixed(RESERVED, 16),
    Fixed(ERROR_CORRECTION, 6), Fixed(SECURITY, 5),
]


cdef int _place_of(int number) noexcept nogil:
    """Place of an issuer number in ISSUER; -1 for a number that is none of a licence's."""
    if 636000 <= number < 636000 + ISSUERS_636:
        return number - 636000
    if FIRST_604 <= number < FIRST_604 + ISSUERS_604:
        return ISSUERS_636 + number - FIRST_604
    return -1


cdef int _fill_tables() except -1:
    cdef Issuer *issuer
    memset(ISSUER, 0, sizeof(ISSUER))
    for number, jurisdiction, letter_digits in JURISDICTIONS:
        issuer = &ISSUER[_place_of(number)]
        issuer.length = <uint8_t>len(jurisdiction)
        issuer.letter_digits = letter_digits
        encoded = jurisdiction.encode("ascii")
        memcpy(issuer.jurisdiction, <const char *>encoded, issuer.length)
        if len(jurisdiction) == 2:
            IS_STATE[encoded[0] - 65][encoded[1] - 65] = 1
    return 0


_fill_tables()


cdef inline int _number(const uint8_t *digits, int count) noexcept nogil:
    cdef int value = 0
    cdef int index
    for index in range(count):
        value = 10 * value + digits[index] - 0x30
    return value


cdef bint is_issuer(const char *pan, Py_ssize_t length) noexcept nogil:
    """Whether digits begin with the issuer number of a licence and go on."""
    if length < 7 or pan[0] != c"6" or (pan[1] != c"3" and pan[1] != c"0"):
        return False
    return _place_of(_number(<const uint8_t *>pan, 6)) >= 0


cdef void _begin(TrackRecord *record, int standard) noexcept nogil:
    record.standard = <uint8_t>standard
    record.is_licence = True
    memset(&record.licence, 0, sizeof(Licence))


cdef bint _is_state(const uint8_t *text) noexcept nogil:
    cdef uint8_t first = text[0] & 0xDF  # letters of either case
    cdef uint8_t second = text[1] & 0xDF
    if not (65 <= first <= 90 and 65 <= second <= 90):
        return False
    return IS_STATE[first - 65][second - 65]


cdef Py_ssize_t _take_line(
    TrackRecord *record, Py_ssize_t start, Py_ssize_t end, Py_ssize_t most, Py_ssize_t *stop
) noexcept nogil:
    """Bounds of a line that is of `most` characters or ends at a separator; returns where the next begins."""
    cdef Py_ssize_t limit = min(end, start + most)
    stop[0] = find(record.text, c"^", start, min(end, limit + 1))
    if stop[0] <= limit and stop[0] < end:
        return stop[0] + 1
    stop[0] = limit
    if limit < start + most:
        record.errors |= codes.ERROR_SEPARATOR
    return limit


cdef void _split_name(TrackRecord *record, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Family name $ given name $ middle name or suffix."""
    cdef int[4] parts = [SURNAME, FIRST_NAME, MIDDLE_NAME, TITLE]
    cdef Py_ssize_t stop
    cdef int index
    set_trimmed(record, NAME, start, end)
    for index in range(4):
        stop = find(record.text, c"$", start, end) if index < 3 else end
        set_trimmed(record, parts[index], start, stop)
        start = stop + 1


cdef void _parse_cdmv1(TrackRecord *record, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Type of card, two lines of name, one of address, city; all of fixed length."""
    cdef Py_ssize_t address = start + 1 + 2 * CDMV_LINE
    _begin(record, codes.STANDARD_CDMV_TRACK1)
    record.errors &= ~<uint32_t>(codes.ERROR_FORMAT_CODE | codes.ERROR_TOO_LONG)
    set_field(record, FORMAT_CODE, start, start + 1)
    set_trimmed(record, NAME, start + 1, address)
    set_trimmed(record, ADDRESS, address, min(end, address + CDMV_LINE))
    set_trimmed(record, CITY, address + CDMV_LINE, end)


cdef bint parse_licence1(TrackRecord *record, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Track 1: state, city, name, address. False, and nothing done, where it is no licence's."""
    cdef const uint8_t *text = record.text
    cdef Py_ssize_t place = start + 2
    cdef Py_ssize_t stop, line
    if end - start < 4:
        return False
    if (CDMV_LENGTH - CDMV_CITY < end - start <= CDMV_LENGTH
            and (text[start] == c"C" or text[start] == c"S" or text[start] == c"D" or text[start] == c"I"
                 or text[start] == c"R")
            and find(text, c"^", start, end) == end):
        _parse_cdmv1(record, start, end)
        return True
    if not _is_state(text + start) or (
            find(text, c"$", start, end) == end and find(text, c"^", start, end) == end):
        return False
    _begin(record, codes.STANDARD_AAMVA_TRACK1)
    set_field(record, STATE, start, place)
    line = place
    place = _take_line(record, place, end, MAX_CITY, &stop)
    set_trimmed(record, CITY, line, stop)
    line = place
    place = _take_line(record, place, end, MAX_NAME, &stop)
    _split_name(record, line, stop)
    stop = find(text, c"^", place, end)
    if stop == place:
        record.allowances |= codes.ALLOWED_FIELDS_MISSING
    line = find(text, c"$", place, stop)
    set_trimmed(record, ADDRESS, place, line)
    set_trimmed(record, MORE_ADDRESS, line + 1, stop)
    set_trimmed(record, DISCRETIONARY, stop + 1, end)
    return True


cdef inline int _days(int year, int month) noexcept nogil:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31


cdef uint8_t _put_date(char *date, int year, int month, int day) noexcept nogil:
    """Write YYYYMMDD; returns its length, 0 for what is no date."""
    cdef int value, index
    if not (1800 <= year <= 2199 and 1 <= month <= 12 and 1 <= day <= _days(year, month)):
        return 0
    value = 10000 * year + 100 * month + day
    for index in range(DATE - 1, -1, -1):
        date[index] = <char>(0x30 + value % 10)
        value //= 10
    return DATE


cdef void _resolve_dates(TrackRecord *record, const uint8_t *expiry, const uint8_t *birth) noexcept nogil:
    """What an expiry date and a birth date, NULL where there is none, mean together."""
    cdef Licence *licence = &record.licence
    cdef int year = CENTURY + _number(expiry, 2)
    cdef int month = _number(expiry + 2, 2)
    cdef int birth_month = 0
    cdef int birth_day = 0
    if birth != NULL:
        birth_month = _number(birth + 4, 2)
        birth_day = _number(birth + 6, 2)
        if birth_month == 99:
            record.allowances |= codes.ALLOWED_BIRTH_MONTH
            birth_month = month
        licence.birth_length = _put_date(licence.birth, _number(birth, 4), birth_month, birth_day)
        if not licence.birth_length:
            record.errors |= codes.ERROR_BIRTH_DATE
            birth_month = 0
    if 1 <= month <= 12:
        licence.expiry_rule = codes.EXPIRY_END_OF_MONTH
        licence.expiry_length = _put_date(licence.expiry, year, month, _days(year, month))
    elif month == 77:
        licence.expiry_rule = codes.EXPIRY_NEVER
    elif month == 88:
        licence.expiry_rule = codes.EXPIRY_END_OF_BIRTH_MONTH
        if birth_month:
            licence.expiry_length = _put_date(
                licence.expiry, year + 1, birth_month, _days(year + 1, birth_month))
    elif month == 99:
        licence.expiry_rule = codes.EXPIRY_BIRTHDAY
        if birth_month:  # 29 February has no day in most years, and the standard names none
            licence.expiry_length = _put_date(licence.expiry, year, birth_month, birth_day)
    else:
        record.errors |= codes.ERROR_EXPIRY


cdef void _resolve_number(TrackRecord *record, const Issuer *issuer) noexcept nogil:
    """Number and overflow as one, a leading letter told where the issuer encodes it as two digits.

    What is no printable ASCII becomes a question mark, as in every text that is given out.
    """
    cdef Licence *licence = &record.licence
    cdef int[2] fields = [ID_NUMBER, ID_OVERFLOW]
    cdef const uint8_t *source
    cdef int index, place, letter
    cdef uint8_t byte
    for index in range(2):
        if not has(record, fields[index]):
            continue
        source = record.text + record.fields[fields[index]].start
        for place in range(record.fields[fields[index]].length):
            byte = source[place] if 0x20 <= source[place] <= 0x7E else c"?"
            if byte != c" " and licence.number_length < MAX_LICENCE:
                licence.number[licence.number_length] = <char>byte
                licence.number_length += 1
    if not issuer.letter_digits or licence.number_length != issuer.letter_digits + 2:
        return
    letter = _number(<const uint8_t *>licence.number, 2)
    if 1 <= letter <= 26:
        licence.number[0] = <char>(0x40 + letter)
        licence.number_length -= 1
        for place in range(1, licence.number_length):
            licence.number[place] = licence.number[place + 1]


cdef void _take_overflow(TrackRecord *record, Py_ssize_t place, Py_ssize_t end) noexcept nogil:
    """The rest of the number, up to five characters and a separator, or the separator alone."""
    cdef Py_ssize_t separator = find(record.text, record.separator, place, end)
    if place >= end:
        record.allowances |= codes.ALLOWED_FIELDS_MISSING
        return
    if separator - place <= MAX_OVERFLOW:
        set_trimmed(record, ID_OVERFLOW, place, separator)
        set_field(record, DISCRETIONARY, separator + 1, end)
    else:
        set_field(record, DISCRETIONARY, place, end)


cdef void parse_licence2(
    TrackRecord *record, Py_ssize_t start, Py_ssize_t separator, Py_ssize_t end
) noexcept nogil:
    """Track 2, from the issuer number on: number, expiry date, birth date, overflow of the number."""
    cdef const uint8_t *text = record.text
    cdef const Issuer *issuer = &ISSUER[_place_of(_number(<const uint8_t *>record.pan, 6))]
    cdef Py_ssize_t id_start = start
    cdef Py_ssize_t place = separator + 1
    cdef int left = 6
    cdef bint cdmv
    while left:  # blanks may stand in the number
        left -= is_digit(text[id_start])
        id_start += 1
    _begin(record, codes.STANDARD_AAMVA_TRACK2)
    memcpy(record.licence.jurisdiction, issuer.jurisdiction, MAX_JURISDICTION)
    record.licence.jurisdiction_length = issuer.length
    if id_start == start + 6:
        set_field(record, ISSUER_NUMBER, start, id_start)
    cdmv = (issuer == &ISSUER[CALIFORNIA] and record.pan_length == 6 + CDMV_ID
            and is_digit(text[separator - 1]))
    if cdmv:
        set_field(record, ID_NUMBER, id_start, separator - 1)
        set_field(record, CHECK_DIGIT, separator - 1, separator)
    else:
        set_field(record, ID_NUMBER, id_start, separator)
    if are_digits(text, place, 4, end):
        set_field(record, EXPIRY, place, place + 4)
        place += 4
        if place < end and text[place] == record.separator and are_digits(text, place + 1, DATE, end):
            if cdmv:
                record.standard = codes.STANDARD_CDMV_TRACK2
            place += 1
        if are_digits(text, place, DATE, end):
            set_field(record, ENCODED_BIRTH_DATE, place, place + DATE)
            _resolve_dates(record, text + separator + 1, text + place)
            place += DATE
        else:
            record.errors |= codes.ERROR_BIRTH_DATE
            _resolve_dates(record, text + separator + 1, NULL)
        if record.standard != codes.STANDARD_CDMV_TRACK2 or place < end:
            _take_overflow(record, place, end)
    else:
        record.errors |= codes.ERROR_EXPIRY
        set_field(record, DISCRETIONARY, place, end)
    _resolve_number(record, issuer)


cdef bint parse_licence3(TrackRecord *record, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Track 3: fields of fixed length. False, and nothing done, where it is no licence's."""
    cdef const uint8_t *text = record.text
    cdef Py_ssize_t place = start
    cdef Py_ssize_t stop
    cdef uint8_t sex
    cdef int index
    if end - start < TRACK3_LEAST or find(text, c"=", start, end) < end or find(text, c"^", start, end) < end:
        return False
    sex = text[start + SEX_PLACE]
    if not (sex == c" " or sex == c"1" or sex == c"2" or sex == c"9" or sex == c"M" or sex == c"F"
            or sex == c"X"):
        return False
    for index in range(SEX_PLACE + 1, TRACK3_LEAST):
        if not is_digit(text[start + index]) and text[start + index] != c" ":
            return False
    if digits_end(text, start, end) == end:
        return False  # a number, of an access card for example
    _begin(record, codes.STANDARD_AAMVA_TRACK3)
    for index in range(TRACK3_FIELDS):
        if place >= end:
            record.allowances |= codes.ALLOWED_FIELDS_MISSING
            break
        stop = min(end, place + TRACK3[index].length)
        set_trimmed(record, TRACK3[index].field, place, stop)
        place = stop
    set_trimmed(record, DISCRETIONARY, place, end)
    if sex == c"1" or sex == c"M":
        record.licence.sex = 1
    elif sex == c"2" or sex == c"F":
        record.licence.sex = 2
    elif sex != c" ":
        record.licence.sex = 9
    return True
