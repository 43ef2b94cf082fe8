"""The brand of a card by its number, in two look-ups: four digits, and the next two where they decide."""

from libc.stdint cimport uint8_t, uint32_t

from swipegate.core cimport codes

cdef enum:
    PREFIX = 6         # digits that decide
    SPLIT = 0x80       # marks an entry of FIRST that names a row of SECOND
    MAX_ROWS = 96      # first four digits whose brand the next two decide

# Ranges of six digits or fewer, both ends included, with the lengths of their numbers; a later line overrules
# an earlier one. As gathered by braintree/credit-card-type and the lists of payment card numbers in
# Wikipedia; a range that sources give to different schemes is left out.
cdef list RANGES = [
    (codes.BRAND_UATP, (15,), [(1, 1)]),
    (codes.BRAND_MIR, (16, 17, 18, 19), [(2200, 2204)]),
    (codes.BRAND_MASTERCARD, (16,), [(2221, 2720), (51, 55)]),
    (codes.BRAND_DINERS_CLUB, (14, 15, 16, 17, 18, 19), [(300, 305), (3095, 3095), (36, 36), (38, 39)]),
    (codes.BRAND_AMERICAN_EXPRESS, (15,), [(34, 34), (37, 37)]),
    (codes.BRAND_JCB, (16, 17, 18, 19), [(3528, 3589)]),
    (codes.BRAND_VISA, (13, 16, 18, 19), [(4, 4)]),
    (codes.BRAND_MAESTRO, (12, 13, 14, 15, 16, 17, 18, 19), [
        (5018, 5018), (5020, 5020), (5038, 5038), (5893, 5893), (6304, 6304), (67, 67)]),
    (codes.BRAND_BANCONTACT, (16, 17), [(6703, 6703)]),
    (codes.BRAND_DANKORT, (16,), [(5019, 5019)]),
    (codes.BRAND_UNIONPAY, (16, 17, 18, 19), [(62, 62), (8100, 8171)]),
    (codes.BRAND_DISCOVER, (16, 17, 18, 19), [(6011, 6011), (644, 649), (65, 65)]),
    (codes.BRAND_RUPAY, (16,), [
        (508500, 508999), (606985, 607984), (608001, 608500), (652150, 653149), (817200, 820199)]),
    (codes.BRAND_TROY, (16,), [(9792, 9792)]),
    (codes.BRAND_VERVE, (16, 18, 19), [(506099, 506198), (507865, 507964)]),
    (codes.BRAND_HIPERCARD, (13, 16, 19), [(606282, 606282)]),
    (codes.BRAND_ELO, (16,), [
        (401178, 401179), (431274, 431274), (438935, 438935), (451416, 451416), (457393, 457393),
        (457631, 457632), (504175, 504175), (506699, 506778), (509, 509), (627780, 627780), (636297, 636297),
        (636368, 636368), (650031, 650033), (650035, 650051), (650405, 650439), (650485, 650538),
        (650541, 650598), (650700, 650718), (650720, 650727), (650901, 650978), (651652, 651679),
        (655000, 655019), (655021, 655058)]),
]

cdef uint8_t FIRST[10000]
cdef uint8_t SECOND[MAX_ROWS][100]
cdef uint32_t LENGTHS[codes.BRAND_COUNT]


cdef int _fill(int low, int high, int brand, int rows) except -1:
    """Give the six-digit prefixes of a range to a brand; returns how many rows of SECOND are in use."""
    cdef int four, first, last, place
    for four in range(low // 100, high // 100 + 1):
        first = low % 100 if four == low // 100 else 0
        last = high % 100 if four == high // 100 else 99
        if (first, last) == (0, 99):
            FIRST[four] = <uint8_t>brand
            continue
        if not FIRST[four] & SPLIT:
            if rows == MAX_ROWS:
                raise OverflowError("MAX_ROWS is too small for RANGES")
            for place in range(100):
                SECOND[rows][place] = FIRST[four]
            FIRST[four] = <uint8_t>(SPLIT | rows)
            rows += 1
        for place in range(first, last + 1):
            SECOND[FIRST[four] & ~SPLIT][place] = <uint8_t>brand
    return rows


cdef int _fill_tables() except -1:
    cdef int rows = 0
    for brand, lengths, ranges in RANGES:
        for length in lengths:
            LENGTHS[brand] |= <uint32_t>1 << <int>length
        for low, high in ranges:
            scale = 10 ** (PREFIX - len(str(low)))
            rows = _fill(low * scale, high * scale + scale - 1, brand, rows)
    return 0


_fill_tables()


cdef uint8_t brand_of(const char *pan, Py_ssize_t length) noexcept nogil:
    """The brand of a PAN of digits; 0 for none."""
    cdef uint8_t found
    if not 12 <= length <= 19:
        return codes.BRAND_NONE
    # '0000' is 53328
    found = FIRST[1000 * pan[0] + 100 * pan[1] + 10 * pan[2] + pan[3] - 53328]
    if found & SPLIT:
        found = SECOND[found & ~SPLIT][10 * pan[4] + pan[5] - 528]
    return found if LENGTHS[found] >> length & 1 else <uint8_t>codes.BRAND_NONE


def brand(str pan not None):
    if not (pan.isascii() and pan.isdigit()):
        return codes.BRAND_NONE
    encoded = pan.encode("ascii")
    return brand_of(encoded, len(encoded))
