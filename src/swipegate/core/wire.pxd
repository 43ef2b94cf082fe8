from libc.stdint cimport uint8_t, uint32_t, uint64_t

from swipegate.core cimport flux
from swipegate.core.symbols cimport Reading

# Field numbers of the oneof RawTrack.form.
cdef enum:
    FORM_NONE = 0
    FORM_TEXT = 2
    FORM_BITS = 3
    FORM_SAMPLES = 4
    FORM_INTERVALS = 5

cdef struct RawTrack:
    uint32_t number
    int form               # FORM_*
    const uint8_t *data    # text, packed bits, or 16-bit little-endian samples; in the request
    Py_ssize_t size        # bytes of data
    uint32_t bit_count     # 0 for all bits of data
    uint32_t sample_rate   # samples a second
    const uint32_t *nanoseconds
    Py_ssize_t interval_count

cdef int read_signal(
    const RawTrack *raw, flux.Workspace *signal, Reading *readings, int capacity) noexcept nogil
