# What the stages behind the characters know of a track. A field is a span of the text, valid where its bit of
# `present` is set.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    MAX_TEXT = 1024        # bytes a text (RawTrack.text)
    MAX_PAN = 19           # digits (ISO/IEC 7812-1)
    MAX_LINE_TRACKS = 8    # tracks taken from one line
    PAN_ROOM = 24          # MAX_PAN in whole words
    MAX_JURISDICTION = 13  # characters, US-STATE-DEPT
    MAX_LICENCE = 19       # digits of a licence number, 13 and an overflow of 5; its letter takes two of them
    DATE = 8               # YYYYMMDD

# Fields as spans of the text; their order is that of the proto's TrackFields, then Track3Fields, then those
# of LicenceFields that stand on the card.
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
    STATE
    CITY
    ADDRESS
    MORE_ADDRESS
    ISSUER_NUMBER
    ID_NUMBER
    ID_OVERFLOW
    CHECK_DIGIT
    ENCODED_BIRTH_DATE
    TEMPLATE_VERSION
    SECURITY_VERSION
    POSTAL_CODE
    LICENCE_CLASS
    RESTRICTIONS
    ENDORSEMENTS
    ENCODED_SEX
    HEIGHT
    WEIGHT
    HAIR
    EYES
    TRACK3_ID
    RESERVED
    ERROR_CORRECTION
    SECURITY
    FIELD_COUNT

cdef enum:
    FIRST_TRACK3_FIELD = 10
    FIRST_LICENCE_FIELD = 28

cdef enum:
    LUHN_ABSENT = 0
    LUHN_OK = 1
    LUHN_WRONG = 2

cdef struct Span:
    uint16_t start
    uint16_t length

# What the fields of a licence mean, for LicenceFields 1 to 6; lengths are 0 where nothing is known.
cdef struct Licence:
    uint8_t jurisdiction_length
    uint8_t number_length
    uint8_t expiry_length
    uint8_t expiry_rule
    uint8_t birth_length
    uint8_t sex
    char jurisdiction[MAX_JURISDICTION]
    char number[MAX_LICENCE]
    char expiry[DATE]
    char birth[DATE]

cdef struct TrackRecord:
    const uint8_t *text    # in the caller's buffer; the record is valid as long as that is
    uint64_t present       # 1 << field
    uint32_t errors        # codes.ERROR_* bits
    uint32_t allowances    # codes.ALLOWED_* bits
    uint16_t length        # start to end sentinel
    uint8_t number         # 1 to 3, 0 when not known
    uint8_t standard       # codes.STANDARD_*
    uint8_t luhn           # LUHN_*
    uint8_t lrc            # codes.LRC_*, of an LRC character printed after the end sentinel
    uint8_t unprintable    # whether text holds a byte that is no printable ASCII character
    char lrc_character     # 0 when there is none
    uint8_t separator      # the field separator met
    uint8_t pan_length
    uint8_t brand          # codes.BRAND_*
    uint8_t is_licence     # whether `licence` is filled
    uint8_t service[3]     # ServiceMeaning, 0 where a digit has none
    Span data              # between the sentinels, padding cut off
    char pan[PAN_ROOM]     # blanks removed
    Span fields[FIELD_COUNT]
    Licence licence
