from libc.stdint cimport uint8_t, uint16_t, uint64_t

from swipegate.core.card_formats cimport MAX_NUMBER, CompiledFormat, FormatRules
from swipegate.core.records cimport TrackRecord

cdef struct Digits:
    uint8_t length
    const char *text       # in the records, or in the match

cdef struct Mismatch:
    uint8_t reason         # MISMATCH_*
    uint8_t path           # PATH_*, and which of them
    uint8_t index
    uint8_t track
    uint16_t start         # of the part on that track
    uint16_t length
    uint64_t found
    uint64_t low
    uint64_t high

cdef enum:
    SLOTS = 7

cdef struct NumberMatch:
    const FormatRules *format  # NULL for no match
    uint8_t track
    Digits number
    Digits facility
    Digits issue
    Digits expiry
    Mismatch mismatch      # of the format tried last
    char slots[SLOTS][MAX_NUMBER]  # values that stand nowhere as they are

cdef class FormatSet:
    cdef CompiledFormat *formats
    cdef FormatRules *rules
    cdef Py_ssize_t count
    cdef readonly tuple names

cdef void match_formats(
    const CompiledFormat *formats, Py_ssize_t format_count, const TrackRecord *records,
    Py_ssize_t record_count,
    NumberMatch *match) noexcept nogil
