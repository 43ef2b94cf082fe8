from libc.stdint cimport uint8_t, uint16_t, uint32_t

cdef enum:
    MAX_TEXT = 1024        # bytes a text (RawTrack.text)
    MAX_PAN = 19           # digits (ISO/IEC 7812-1)
    MAX_LINE_TRACKS = 8    # tracks taken from one line

# Fields as spans of the text; their order is that of the proto's TrackFields, then Track3Fields.
cdef enum:
    FORMAT_CODE
    COUNTRY_CODE
    NAME
    SURNAME
    FIRST_NAME
    MIDDLE_NAME
    TITLE
    EXPIRY
    SERVICE_CODE
    DISCRETIONARY
    CURRENCY
    CURRENCY_EXPONENT
    AMOUNT_AUTHORISED
    AMOUNT_REMAINING
    CYCLE_BEGIN
    CYCLE_LENGTH
    RETRY_COUNT
    PIN_CONTROL
    INTERCHANGE_CONTROL
    PAN_RESTRICTION
    SAN1_RESTRICTION
    SAN2_RESTRICTION
    CARD_SEQUENCE
    CARD_SECURITY_NUMBER
    FIRST_SAN
    SECOND_SAN
    RELAY_MARKER
    CRYPTO_CHECK_DIGITS
    FIELD_COUNT

cdef enum:
    FIRST_TRACK3_FIELD = 10

cdef enum:
    LUHN_ABSENT = 0
    LUHN_OK = 1
    LUHN_WRONG = 2

cdef struct Span:
    uint16_t start
    uint16_t length

cdef struct TrackRecord:
    const uint8_t *text    # in the caller's buffer; the record is valid as long as that is
    uint16_t length        # start to end sentinel
    uint8_t number         # 1 to 3, 0 when not known
    uint8_t standard       # codes.STANDARD_*
    uint32_t errors        # codes.ERROR_* bits
    uint32_t allowances    # codes.ALLOWED_* bits
    uint8_t luhn           # LUHN_*
    uint8_t lrc            # codes.LRC_*, of an LRC character printed after the end sentinel
    uint8_t has_track3     # whether any field from FIRST_TRACK3_FIELD on is filled
    uint8_t unprintable    # whether text holds a byte that is no printable ASCII character
    char lrc_character     # 0 when there is none
    uint8_t separator      # the field separator met
    uint8_t pan_length
    char pan[MAX_PAN]      # blanks removed
    Span data              # between the sentinels, padding cut off
    Span fields[FIELD_COUNT]

cdef void parse_track(const uint8_t *text, Py_ssize_t length, int number, TrackRecord *record) noexcept nogil
cdef int split_line(
    const uint8_t *line, Py_ssize_t length, int number, TrackRecord *records, int capacity) noexcept nogil
cdef bint luhn_agrees(const char *digits, Py_ssize_t length) noexcept nogil
