from libc.stdint cimport int16_t, int32_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    MAX_BITS = 8192        # bits a string: 1,024 packed bytes
    MAX_CHARACTERS = 256   # characters a reading, sentinels included: more than twice the longest track (107)
    MAX_REPAIRS = 8        # characters a reading can have corrected
    CHARACTERS = 128       # of all sets: they are ASCII
    WORDS = 130            # of a BitString: MAX_BITS / 64, and two of zeros

# How characters are coded; numbers of the proto's CharacterCoding.
cdef enum:
    CODING_ANY = 0
    CODING_ISO5 = 1        # ISO/IEC 7811-2 tracks 2 and 3: 4 data bits and odd parity
    CODING_ISO7 = 2        # ISO/IEC 7811-2 track 1: 6 data bits and odd parity
    CODING_CALIFORNIA6 = 3  # California licences, tracks 1 and 3: 6 data bits
    CODING_JIS8 = 4        # JIS X 6302-2 (JIS-II): 7 data bits and even parity
    MSB_FIRST = 4          # added to one of these: its data bits come most significant first
    CODINGS = 9

cdef struct Coding:
    int width              # bits a character
    int data               # of them data
    bint parity            # whether the last bit is a parity
    int lead               # zeros that the start sentinel begins with
    uint8_t start          # sentinels, as all codes the first bit read in bit 0
    uint8_t end
    uint8_t legal[256]     # by code: parity right, and in the character set
    char characters[256]   # by code
    int16_t codes[CHARACTERS]  # by character, -1 where it has none

# A string of bits: the first is bit 0 of words[0]; behind the last there are zeros.
cdef struct BitString:
    Py_ssize_t count       # 0 to MAX_BITS
    Py_ssize_t first       # outermost one-bits, -1 where there is none
    Py_ssize_t last
    uint64_t words[WORDS]

cdef struct CharacterRepair:
    uint16_t position      # the start sentinel is 0; the LRC has the place after the end sentinel
    char character
    uint8_t method         # codes.REPAIR_*
    uint8_t bits           # corrected in it

cdef struct Reading:
    uint32_t errors        # codes.ERROR_* bits; 0 when the track reads
    int32_t start_bit      # first bit of the reading in the caller's buffer, whatever the direction
    int32_t end_bit        # one past its last, LRC included
    uint16_t length        # characters in text; 0 when the track does not read
    uint8_t coding         # CODING_*, 0 when the track does not read
    uint8_t bits_per_character
    uint8_t direction      # codes.DIRECTION_*, 0 when not known
    uint8_t lrc            # codes.LRC_*
    uint8_t inverted
    uint8_t repair_count
    char lrc_character     # 0 when there is none
    CharacterRepair repairs[MAX_REPAIRS]
    char text[MAX_CHARACTERS]  # start to end sentinel, both included

cdef inline uint64_t window(const BitString *bits, Py_ssize_t place) noexcept nogil:
    """The 64 bits from `place` on, which is at most count; the first in bit 0."""
    cdef const uint64_t *word = bits.words + (place >> 6)
    cdef int shift = <int>(place & 63)
    # Two shifts, for one by 64 has no value in C.
    return word[0] >> shift | word[1] << 1 << (63 - shift)

cdef const Coding *coding_table(int coding) noexcept nogil
cdef void load_bits(const uint8_t *source, Py_ssize_t count, BitString *bits) noexcept nogil
cdef void load_packed(const uint8_t *data, Py_ssize_t count, BitString *bits) noexcept nogil
cdef void turn_round(const BitString *bits, BitString *reverse) noexcept nogil
cdef void invert(const BitString *bits, BitString *inverse) noexcept nogil
cdef void decode_bits(const BitString *bits, int coding, Reading *reading) noexcept nogil

cdef class Characters:
    cdef Reading reading

cdef int checked_coding(int bits_per_character, bint msb_first, bint zero_too) except -1
cdef BitString *load_buffer(const uint8_t[::1] source, BitString *bits) except NULL
