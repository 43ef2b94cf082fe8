from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t

cdef enum:
    MAX_BITS = 8192        # bits a string: 1,024 packed bytes
    MAX_CHARACTERS = 256   # characters a reading, sentinels included: more than twice the longest track (107)
    MAX_REPAIRS = 8        # corrections a reading can report

cdef struct CharacterRepair:
    uint16_t position      # the start sentinel is 0; the LRC has the place after the end sentinel
    char character
    uint8_t method         # codes.REPAIR_*

cdef struct Reading:
    uint32_t errors        # codes.ERROR_* bits; 0 when the track reads
    int32_t start_bit      # first bit of the reading in the caller's buffer, whatever the direction
    int32_t end_bit        # one past its last, LRC included
    uint16_t length        # characters in text; 0 when the track does not read
    uint8_t bits_per_character
    uint8_t direction      # codes.DIRECTION_*, 0 when not known
    uint8_t lrc            # codes.LRC_*
    uint8_t inverted
    uint8_t repair_count
    char lrc_character     # 0 when there is none
    CharacterRepair repairs[MAX_REPAIRS]
    char text[MAX_CHARACTERS]  # start to end sentinel, both included

cdef void decode_bits(
    const uint8_t *bits, Py_ssize_t count, int bits_per_character, bint repair,
    Reading *reading) noexcept nogil
cdef void unpack_bits(const uint8_t *data, Py_ssize_t bit_count, uint8_t *bits) noexcept nogil
