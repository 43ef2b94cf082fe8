from libc.stdint cimport uint8_t

from swipegate.core.records cimport TrackRecord

cdef enum:
    MAX_DIFFERENCES = 15   # five fields, three pairs of tracks

cdef struct Difference:
    uint8_t field          # codes.DIFFERING_*
    uint8_t first          # numbers of the tracks
    uint8_t second

cdef int find_differences(const TrackRecord *records, int count, Difference *found) noexcept nogil
