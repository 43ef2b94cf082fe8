from libc.stdint cimport uint8_t, uint16_t, uint64_t

from swipegate.core.check_digits cimport MAX_WEIGHTS

cdef enum:
    MAX_NUMBER = 64        # characters a card number, facility code, issue code or expiry date
    MAX_NAME_LENGTH = 64   # characters a format's name
    MAX_FIXED_TEXT = 32    # characters
    MAX_CONDITIONS = 24    # fixed parts and conditions
    MAX_TEXTS = 48         # texts of them all
    MAX_CHECKS = 4         # check digits a format
    MAX_CHECK_PARTS = 4
    MAX_PARITIES = 8
    MAX_PLACE = 1024       # characters a track (RawTrack.text)
    MAX_RANGE_DIGITS = 19  # digits of a number that is compared
    EXPIRY_DIGITS = 4      # YYMM

# The field of CardFormat that asks for something.
cdef enum:
    PATH_TRACK
    PATH_LENGTH
    PATH_FIELD_COUNT
    PATH_NUMBER
    PATH_REST
    PATH_FACILITY
    PATH_ISSUE
    PATH_EXPIRY
    PATH_WORD
    PATH_PARITY
    PATH_FIXED
    PATH_CONDITION
    PATH_CHECK
    PATH_CHECK_DIGIT

cdef enum:
    TEST_EQUALS = 1
    TEST_DIFFERS
    TEST_ONE_OF
    TEST_RANGE
    TEST_LENGTH
    TEST_PRESENT
    TEST_ABSENT
    TEST_STANDARD

# What of a track the parser may have found already.
cdef enum:
    SHORTCUT_PAN = 1
    SHORTCUT_EXPIRY = 2

cdef struct Part:
    uint8_t present
    uint8_t track          # 0 for the format's own
    uint8_t field          # 0 for all data
    uint8_t shortcut       # whether it may be what the parser found already
    uint8_t from_end
    uint8_t letters        # whether letters may stand there
    uint8_t letter_first
    uint8_t drop_zeros
    uint8_t pad_to
    uint8_t first_bit      # of the word; 0 for characters
    uint8_t last_bit
    uint8_t min_length     # of the value, at least 1
    uint8_t max_length
    uint16_t position      # 0-based
    uint16_t length        # 0 for all to the end

cdef struct FixedText:
    uint8_t length
    char text[MAX_FIXED_TEXT]

cdef struct Condition:
    uint8_t test
    uint8_t path           # PATH_*, and which of them
    uint8_t index
    uint8_t first_text     # in CardFormatRules.texts
    uint8_t text_count
    Part part
    uint64_t low
    uint64_t high

cdef struct Check:
    uint8_t scheme
    uint8_t path
    uint8_t index
    uint8_t weight_count
    uint8_t part_count     # 0 for the card number
    uint8_t weights[MAX_WEIGHTS]
    Part parts[MAX_CHECK_PARTS]

cdef struct Word:
    uint8_t radix
    uint8_t bit_count
    uint8_t reversed_bytes
    uint8_t parity_count
    Part part
    uint64_t parities[MAX_PARITIES]    # the bits of which the number of ones counts
    uint8_t parity_bits[MAX_PARITIES]
    uint8_t odd[MAX_PARITIES]

cdef struct FormatRules:
    char name[MAX_NAME_LENGTH]
    uint8_t name_length
    uint8_t number_is_pan
    uint8_t condition_count
    uint8_t check_count
    uint16_t field_count
    Part number
    Part rest
    Part facility
    Part issue
    Part expiry
    Word word
    Condition conditions[MAX_CONDITIONS]
    Check checks[MAX_CHECKS]
    FixedText texts[MAX_TEXTS]

# What is looked at for every format: 16 bytes, so that four share a cache line.
cdef struct CompiledFormat:
    uint8_t track
    uint8_t padding_counts  # whether padding of track 2 is data
    uint16_t min_length    # at least 1
    uint16_t max_length
    const FormatRules *rules

cdef int compile_format(message, str path, CompiledFormat *format, FormatRules *rules) except -1
