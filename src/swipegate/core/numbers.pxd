from libc.stdint cimport uint8_t, uint16_t

from swipegate.core.tracks cimport TrackRecord

cdef enum:
    MAX_NUMBER = 64        # digits a card number, facility code, issue code or expiry date
    MAX_NAME_LENGTH = 64   # characters a format's name
    MAX_FIXED_PARTS = 8
    MAX_FIXED_TEXT = 32    # characters

cdef struct Part:
    uint8_t present
    uint8_t field          # 0 for all data
    uint16_t position      # 0-based
    uint16_t length        # 0 for all to the end
    uint16_t min_length
    uint16_t max_length    # 0 for no bound

cdef struct FixedPart:
    Part part
    uint8_t length
    char text[MAX_FIXED_TEXT]

cdef struct CompiledFormat:
    char name[MAX_NAME_LENGTH]
    uint8_t name_length
    uint8_t track
    uint8_t luhn
    uint8_t fixed_count
    uint16_t min_length
    uint16_t max_length
    uint16_t field_count
    Part number
    Part facility
    Part issue
    Part expiry
    FixedPart fixed[MAX_FIXED_PARTS]

cdef struct Digits:
    uint8_t length
    char text[MAX_NUMBER]

cdef struct NumberMatch:
    const CompiledFormat *format  # NULL for no match
    uint8_t track
    Digits number
    Digits facility
    Digits issue
    Digits expiry

cdef class FormatSet:
    cdef CompiledFormat *formats
    cdef Py_ssize_t count
    cdef readonly tuple names

cdef void match_formats(
    const CompiledFormat *formats, Py_ssize_t format_count, const TrackRecord *records,
    Py_ssize_t record_count,
    NumberMatch *match) noexcept nogil
