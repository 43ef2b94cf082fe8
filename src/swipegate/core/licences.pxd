from libc.stdint cimport uint8_t

from swipegate.core.records cimport TrackRecord

cdef bint is_issuer(const char *pan, Py_ssize_t length) noexcept nogil
cdef bint parse_licence1(TrackRecord *record, Py_ssize_t start, Py_ssize_t end) noexcept nogil
cdef void parse_licence2(
    TrackRecord *record, Py_ssize_t start, Py_ssize_t separator, Py_ssize_t end) noexcept nogil
cdef bint parse_licence3(TrackRecord *record, Py_ssize_t start, Py_ssize_t end) noexcept nogil
