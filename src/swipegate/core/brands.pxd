from libc.stdint cimport uint8_t

cdef uint8_t brand_of(const char *pan, Py_ssize_t length) noexcept nogil
