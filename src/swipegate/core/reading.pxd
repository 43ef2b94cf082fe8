from libc.stdint cimport uint8_t, uint32_t

from swipegate.core cimport flux
from swipegate.core.repair cimport Guess, Pass
from swipegate.core.records cimport TrackRecord
from swipegate.core.symbols cimport Reading

cdef enum:
    MAX_TRACKS = 8         # raw tracks a swipe
    MAX_RECORDS = 64       # tracks of a swipe: MAX_TRACKS * MAX_LINE_TRACKS
    MAX_HELD = 8           # passes that do not read alone, kept to be read together
    MAX_TRIES = 12         # attempts at one run of flux

# The forms of a raw track; field numbers of the oneof RawTrack.form.
cdef enum:
    FORM_NONE = 0
    FORM_TEXT = 2
    FORM_BITS = 3
    FORM_SAMPLES = 4
    FORM_INTERVALS = 5

cdef struct RawTrack:
    uint32_t number
    uint32_t coding        # symbols.CODING_*
    int form               # FORM_*
    const uint8_t *data    # text, packed bits, or 16-bit little-endian samples; the caller's
    Py_ssize_t size        # bytes of data
    uint32_t bit_count     # 0 for all bits of data
    uint32_t sample_rate   # samples a second
    const uint32_t *nanoseconds
    Py_ssize_t interval_count

# A pass that did not read alone.
cdef struct Held:
    int record             # its place among the records
    int number             # 1 to 3, 0 when not known
    int track              # the raw track it is of
    int coding
    bint guessed           # whether there is a guess
    bint tried             # whether it was read with the other passes of its track
    Guess guess
    Pass seen

# A swipe being read; used by one thread at a time, and again for the next swipe.
cdef struct SwipeReading:
    TrackRecord records[MAX_RECORDS]
    const Reading *sources[MAX_RECORDS]  # of a record, NULL for a text
    Reading readings[MAX_RECORDS]
    int record_count
    int reading_count
    int track_count        # raw tracks
    int held_count
    long work              # left for repairs, see repair.MAX_WORK
    Py_ssize_t transitions  # that may be read over again, see reading.MAX_TRANSITIONS
    Held held[MAX_HELD]
    Pass tries[MAX_TRIES]  # at the run being read
    flux.Workspace signal

#   swipe_init, then for each swipe: begin_swipe, read_track for each of its raw tracks, end_swipe; at last
# swipe_free.
#   The records point into the readings and into the caller's texts.
cdef void swipe_init(SwipeReading *swipe) noexcept nogil
cdef void swipe_free(SwipeReading *swipe) noexcept nogil
cdef void begin_swipe(SwipeReading *swipe) noexcept nogil
cdef void read_track(SwipeReading *swipe, const RawTrack *raw) noexcept nogil
cdef void end_swipe(SwipeReading *swipe) noexcept nogil
