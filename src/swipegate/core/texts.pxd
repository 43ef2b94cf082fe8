# Leaf helpers over the text of a track, a word of eight bytes at a time.

from libc.stdint cimport uint8_t, uint16_t, uint64_t
from libc.string cimport memcpy

from swipegate.core.records cimport TrackRecord

cdef extern from *:
    """
    /* The place, in memory, of the first byte whose top bit is set; of the highest bit. Neither for 0. */
    #if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    #define swipegate_first_byte(word) (__builtin_ctzll(word) >> 3)
    #define swipegate_top_bit(word) (63 ^ __builtin_clzll(word))
    #else
    #include <string.h>
    static int swipegate_first_byte(unsigned long long word) {
        unsigned char bytes[8];
        int place = 0;
        memcpy(bytes, &word, 8);
        while (!(bytes[place] & 0x80)) place++;
        return place;
    }
    static int swipegate_top_bit(unsigned long long word) {
        int place = 63;
        while (!(word >> place & 1)) place--;
        return place;
    }
    #endif
    """
    int swipegate_first_byte(uint64_t word) noexcept nogil
    int swipegate_top_bit(uint64_t word) noexcept nogil


cdef inline bint is_digit(uint8_t byte) noexcept nogil:
    return 0x30 <= byte <= 0x39


cdef inline Py_ssize_t digits_end(const uint8_t *text, Py_ssize_t place, Py_ssize_t end) noexcept nogil:
    """The first place from `place` on that holds no digit, or end."""
    cdef uint64_t word
    if end - place < 8:
        while place < end and is_digit(text[place]):
            place += 1
        return place
    while place < end:
        place = min(place, end - 8)  # the last word overlaps the one before it
        memcpy(&word, text + place, 8)
        word ^= <uint64_t>0x3030303030303030  # digits are 0 to 9 now, all else is more
        word = (((word & <uint64_t>0x7F7F7F7F7F7F7F7F) + <uint64_t>0x7676767676767676) | word)
        word &= <uint64_t>0x8080808080808080
        if word:
            return place + swipegate_first_byte(word)
        place += 8
    return end


cdef inline Py_ssize_t find(
    const uint8_t *text, uint8_t byte, Py_ssize_t place, Py_ssize_t end
) noexcept nogil:
    """Place of a byte, or end; meant for the few characters of a field."""
    cdef uint64_t word
    cdef uint64_t wanted = byte * <uint64_t>0x0101010101010101
    if end - place < 8:
        while place < end and text[place] != byte:
            place += 1
        return place
    while place < end:
        place = min(place, end - 8)  # the last word overlaps the one before it
        memcpy(&word, text + place, 8)
        word ^= wanted  # the byte sought is 0 now
        word = ~(((word & <uint64_t>0x7F7F7F7F7F7F7F7F) + <uint64_t>0x7F7F7F7F7F7F7F7F) | word)
        word &= <uint64_t>0x8080808080808080
        if word:
            return place + swipegate_first_byte(word)
        place += 8
    return end


cdef inline bint _are_blanks(const uint8_t *text) noexcept nogil:
    """Whether eight characters are."""
    cdef uint64_t word
    memcpy(&word, text, 8)
    return word == <uint64_t>0x2020202020202020


cdef inline Py_ssize_t blanks_end(const uint8_t *text, Py_ssize_t place, Py_ssize_t end) noexcept nogil:
    """The first place from `place` on that holds no blank, or end."""
    while place < end and text[place] == c" ":
        place += 8 if end - place >= 8 and _are_blanks(text + place) else 1
    return place


cdef inline Py_ssize_t blanks_start(const uint8_t *text, Py_ssize_t place, Py_ssize_t end) noexcept nogil:
    """Where the blanks before `end` begin, not before `place`."""
    while end > place and text[end - 1] == c" ":
        end -= 8 if end - place >= 8 and _are_blanks(text + end - 8) else 1
    return end


cdef inline bint are_digits(
    const uint8_t *text, Py_ssize_t start, Py_ssize_t count, Py_ssize_t end
) noexcept nogil:
    return start + count <= end and digits_end(text, start, start + count) == start + count


cdef inline bint is_month(const uint8_t *text, Py_ssize_t place) noexcept nogil:
    """Whether two digits are a month, 01 to 12."""
    return 1 <= 10 * text[place] + text[place + 1] - 528 <= 12


cdef inline void set_field(
    TrackRecord *record, int field, Py_ssize_t start, Py_ssize_t end
) noexcept nogil:
    """Fill a field; an empty one is absent."""
    if end > start:
        record.fields[field].start = <uint16_t>start
        record.fields[field].length = <uint16_t>(end - start)
        record.present |= <uint64_t>1 << field


cdef inline void set_trimmed(
    TrackRecord *record, int field, Py_ssize_t start, Py_ssize_t end
) noexcept nogil:
    """Fill a field without the blanks at its ends."""
    start = blanks_end(record.text, start, end)
    set_field(record, field, start, blanks_start(record.text, start, end))


cdef inline bint has(const TrackRecord *record, int field) noexcept nogil:
    return record.present >> field & 1
