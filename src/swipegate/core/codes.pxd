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

cdef enum:
    STANDARD_NONE = 0
    STANDARD_ISO7813_TRACK1 = 1
    STANDARD_ISO7813_TRACK2 = 2
    STANDARD_ISO4909_TRACK3 = 3
