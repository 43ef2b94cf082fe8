from libc.stdint cimport uint8_t

from swipegate.core.records cimport MAX_LINE_TRACKS, MAX_TEXT, TrackRecord

cdef void parse_track(const uint8_t *text, Py_ssize_t length, int number, TrackRecord *record) noexcept nogil
cdef int split_line(
    const uint8_t *line, Py_ssize_t length, int number, TrackRecord *records, int capacity) noexcept nogil
cdef bint luhn_agrees(const char *digits, Py_ssize_t length) noexcept nogil
