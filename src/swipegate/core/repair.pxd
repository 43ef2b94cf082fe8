from libc.stdint cimport int8_t, uint8_t

from swipegate.core.symbols cimport MAX_BITS, BitString, Reading

cdef enum:
    MAX_ROWS = 112         # characters that a repair looks at, LRC included: the longest track (107) and some
    MAX_STATES = 64        # values of a character's data bits
    MAX_WORK = 1000000     # of one raw track, in characters looked at: 4 ms. With 400,000 fewer swipes read

# How far bits are trusted that nothing says anything against.
cdef struct Trust:
    double bit             # probability that such a bit is wrong
    double character       # probability that a character is noise, all its bits

# What one head saw of a track in one pass.
cdef struct Pass:
    BitString bits
    bint has_doubts
    uint8_t doubts[MAX_BITS]  # by bit: 255 as likely wrong as right, 16 less for each nat of odds
    Trust trust

# What is known of a track from elsewhere: a probability for each value of a character.
cdef struct Prior:
    uint8_t method[MAX_ROWS]  # codes.REPAIR_* of the source, 0 where nothing is known
    float share[MAX_ROWS][MAX_STATES]

# A text and its place in a string.
cdef struct Frame:
    double evidence        # bits
    Py_ssize_t start       # in the order of the reading
    int characters         # start to end sentinel
    int coding
    bint reverse
    bint inverted
    uint8_t values[MAX_ROWS]  # data bits as coded, LRC included

# What a pass is likeliest to be, however much of it is wrong.
cdef struct Guess:
    Frame frame
    int8_t sure[MAX_ROWS]  # by row: the value that a character must have by itself, -1 in doubt

# What a card says on another track; digits, 0 of them when not known.
cdef struct KnownFields:
    const uint8_t *pan
    int pan_length
    const uint8_t *expiry
    int expiry_length
    const uint8_t *service_code
    int service_code_length

cdef Trust DEVICE_BITS     # of bits that a device has decided on; set when the module is imported

# `work` is what is left of it; a search that would need more finds nothing.
cdef bint confirm_pass(const Pass *seen, int coding, Reading *reading, long *work) noexcept nogil
cdef bint repair_pass(const Pass *seen, int coding, Reading *reading, long *work) noexcept nogil
cdef void guess_pass(const Pass *seen, int coding, Guess *guess, long *work) noexcept nogil
cdef bint repair_from_track(
    const Pass *seen, const Guess *guess, int number, const KnownFields *known, Reading *reading, long *work
) noexcept nogil
cdef bint are_of_one_card(const Guess *const *guesses, int count) noexcept nogil
cdef int repair_from_passes(
    const Pass *const *passes, const Guess *const *guesses, int count, Reading *reading, long *work
) noexcept nogil
