"""What the tracks of one swipe contradict each other in."""

from libc.stdint cimport uint8_t
from libc.string cimport memcmp

from swipegate.core cimport codes
from swipegate.core.records cimport (
    COUNTRY_CODE, EXPIRY, ID_NUMBER, ID_OVERFLOW, SERVICE_CODE, TRACK3_ID, TrackRecord)
from swipegate.core.texts cimport has


cdef inline bint _differ(const TrackRecord *one, const TrackRecord *other, int field) noexcept nogil:
    """Whether both have a field, with different contents."""
    if not (one.present & other.present) >> field & 1:
        return False
    return one.fields[field].length != other.fields[field].length or memcmp(
        one.text + one.fields[field].start, other.text + other.fields[field].start,
        one.fields[field].length) != 0


cdef bint _encoded_is(const TrackRecord *record, const uint8_t *text, int length) noexcept nogil:
    """Whether a text is the licence number of track 2 as encoded."""
    cdef int first = record.fields[ID_NUMBER].length
    cdef int rest = record.fields[ID_OVERFLOW].length if has(record, ID_OVERFLOW) else 0
    if length != first + rest or memcmp(text, record.text + record.fields[ID_NUMBER].start, first) != 0:
        return False
    return rest == 0 or memcmp(text + first, record.text + record.fields[ID_OVERFLOW].start, rest) == 0


cdef bint _licences_differ(const TrackRecord *second, const TrackRecord *third) noexcept nogil:
    """Whether track 3 of a licence names another number than track 2, be it as encoded or as resolved."""
    cdef const uint8_t *text
    cdef int length
    if not (second.is_licence and has(second, ID_NUMBER) and third.is_licence and has(third, TRACK3_ID)):
        return False
    text = third.text + third.fields[TRACK3_ID].start
    length = third.fields[TRACK3_ID].length
    if length == second.licence.number_length and memcmp(text, second.licence.number, length) == 0:
        return False
    return not _encoded_is(second, text, length)


cdef inline int _add(
    Difference *found, int count, int field, const TrackRecord *one, const TrackRecord *other
) noexcept nogil:
    found[count].field = <uint8_t>field
    found[count].first = one.number
    found[count].second = other.number
    return count + 1


cdef int _compare(
    const TrackRecord *one, const TrackRecord *other, Difference *found, int count
) noexcept nogil:
    if one.pan_length and other.pan_length and not one.is_licence and (
            one.pan_length != other.pan_length or memcmp(one.pan, other.pan, one.pan_length) != 0):
        count = _add(found, count, codes.DIFFERING_PAN, one, other)
    if _differ(one, other, EXPIRY):
        count = _add(found, count, codes.DIFFERING_EXPIRY, one, other)
    if _differ(one, other, SERVICE_CODE):
        count = _add(found, count, codes.DIFFERING_SERVICE_CODE, one, other)
    if _differ(one, other, COUNTRY_CODE):
        count = _add(found, count, codes.DIFFERING_COUNTRY_CODE, one, other)
    if one.is_licence and _licences_differ(one, other):
        count = _add(found, count, codes.DIFFERING_LICENCE_NUMBER, one, other)
    return count


cdef int find_differences(const TrackRecord *records, int count, Difference *found) noexcept nogil:
    """Compare the first good reading of each track with those of the others; returns how many differences."""
    cdef const TrackRecord *tracks[4]
    cdef int index, other
    cdef int differences = 0
    for index in range(4):
        tracks[index] = NULL
    for index in range(count):
        if tracks[records[index].number] == NULL and not records[index].errors & codes.ERRORS_OF_READING:
            tracks[records[index].number] = &records[index]
    for index in range(1, 3):
        if tracks[index] == NULL:
            continue
        for other in range(index + 1, 4):
            if tracks[other] != NULL:
                differences = _compare(tracks[index], tracks[other], found, differences)
    return differences
