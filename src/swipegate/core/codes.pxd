# Numbers of the enums of protos/swipegate/v1/track.proto, shared by every stage. Tests hold them to the
# proto.

cdef enum:
    DIRECTION_FORWARD = 1
    DIRECTION_REVERSE = 2

cdef enum:
    LRC_NONE = 0
    LRC_OK = 1
    LRC_BAD = 2
    LRC_REPAIRED = 3

cdef enum:
    REPAIR_PARITY_AND_LRC = 1
    REPAIR_PARITY_ERASURE = 2
    REPAIR_LRC_ERASURE = 3
    REPAIR_OTHER_TRACK = 4
    REPAIR_OTHER_PASS = 5

# TrackError, as bits of a mask: 1 << number.
cdef enum:
    ERROR_NO_ENCODING = 1 << 1
    ERROR_NO_START = 1 << 2
    ERROR_NO_END = 1 << 3
    ERROR_PARITY = 1 << 4
    ERROR_LRC = 1 << 5
    ERROR_EMPTY = 1 << 6
    ERROR_JITTER = 1 << 7
    ERROR_NOT_READ = 1 << 8
    ERROR_TOO_LONG = 1 << 9
    ERROR_ILLEGAL_CHARACTER = 1 << 10
    ERROR_PAN = 1 << 11
    ERROR_SEPARATOR = 1 << 12
    ERROR_EXPIRY = 1 << 13
    ERROR_SERVICE_CODE = 1 << 14
    ERROR_NAME = 1 << 15
    ERROR_FORMAT_CODE = 1 << 16
    ERROR_BIRTH_DATE = 1 << 17
    ERROR_KEYBOARD_LAYOUT = 1 << 18
    # Beside the errors of a reading: it is the likeliest, and nothing but itself proves it.
    NOT_PROVED = 1 << 0
    # With one of these the characters themselves are in doubt, so no card number is taken from the track.
    ERRORS_OF_READING = (1 << 9) - 1

# TrackAllowance, as bits of a mask: 1 << number.
cdef enum:
    ALLOWED_START_SENTINEL_MISSING = 1 << 1
    ALLOWED_END_SENTINEL_MISSING = 1 << 2
    ALLOWED_SEPARATOR = 1 << 3
    ALLOWED_PADDING = 1 << 4
    ALLOWED_FRAMING = 1 << 5
    ALLOWED_NAME_WITHOUT_SOLIDUS = 1 << 6
    ALLOWED_PAN_BLANKS = 1 << 7
    ALLOWED_START_SENTINEL = 1 << 8
    ALLOWED_FIELDS_MISSING = 1 << 9
    ALLOWED_EXPIRY_BLANKS = 1 << 10
    ALLOWED_EXTRA_END_SENTINEL = 1 << 11
    ALLOWED_LOWER_CASE = 1 << 12
    ALLOWED_KEYBOARD_LAYOUT = 1 << 13
    ALLOWED_BIRTH_MONTH = 1 << 14
    ALLOWED_UNPROVED_REPAIR = 1 << 15

cdef enum:
    STANDARD_NONE = 0
    STANDARD_ISO7813_TRACK1 = 1
    STANDARD_ISO7813_TRACK2 = 2
    STANDARD_ISO4909_TRACK3 = 3
    STANDARD_ISO7813_TRACK1_A = 4
    STANDARD_ISO7813_TRACK1_RESERVED = 5
    STANDARD_ISO7813_TRACK1_ISSUER = 6
    STANDARD_EMV_TRACK2_EQUIVALENT = 7
    STANDARD_AAMVA_TRACK1 = 8
    STANDARD_AAMVA_TRACK2 = 9
    STANDARD_AAMVA_TRACK3 = 10
    STANDARD_CDMV_TRACK1 = 11
    STANDARD_CDMV_TRACK2 = 12
    STANDARD_JIS_X6302_2 = 13

# DifferingField.
cdef enum:
    DIFFERING_PAN = 1
    DIFFERING_EXPIRY = 2
    DIFFERING_SERVICE_CODE = 3
    DIFFERING_COUNTRY_CODE = 4
    DIFFERING_LICENCE_NUMBER = 5

# ExpiryRule.
cdef enum:
    EXPIRY_END_OF_MONTH = 1
    EXPIRY_NEVER = 2
    EXPIRY_END_OF_BIRTH_MONTH = 3
    EXPIRY_BIRTHDAY = 4

# CardBrand.
cdef enum:
    BRAND_NONE = 0
    BRAND_VISA = 1
    BRAND_MASTERCARD = 2
    BRAND_AMERICAN_EXPRESS = 3
    BRAND_DINERS_CLUB = 4
    BRAND_DISCOVER = 5
    BRAND_JCB = 6
    BRAND_UNIONPAY = 7
    BRAND_MAESTRO = 8
    BRAND_MIR = 9
    BRAND_RUPAY = 10
    BRAND_TROY = 11
    BRAND_ELO = 12
    BRAND_HIPERCARD = 13
    BRAND_DANKORT = 14
    BRAND_BANCONTACT = 15
    BRAND_VERVE = 16
    BRAND_UATP = 17
    BRAND_COUNT = 18
