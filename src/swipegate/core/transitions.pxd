# Samples or flux times -> flux transitions, for the signal stage. Nothing here takes the GIL or raises but
# where it says so: failures are negative.
#
# Ownership: the caller has a Source, zeroed (see source_init) and given to source_free in a finally. Every
# pointer in it belongs to it and holds until the next load_* or source_free. What is loaded is copied.
#
#   load_*(source, ...) -> number of runs, or an error below; times of load_intervals come back in its unit
#   look_again(...) -> transitions of a loaded run, found anew in windows that follow its speed and written to
#       times and heights, at most capacity

cdef enum:
    ERROR_MEMORY = -1      # malloc failed; the workspace is still valid
    ERROR_BOUNDS = -2      # too many samples or intervals, or a sample rate outside its range

cdef enum:
    RUNS = 64              # runs of flux kept of one recording
    SAMPLES_MAX = 16_000_000        # of one recording: six minutes at 44.1 kHz
    TRANSITIONS_MAX = 262_144       # of one recording
    RUN_TRANSITIONS_MAX = 16_384    # of one run; the longest track (107 x 5 bits, all ones) has about 1,200
    SWIPE_TRANSITIONS_MAX = 2048    # of one swipe, its clocking zeros and some noise included
    RUN_TRANSITIONS_MIN = 16        # a shorter run is noise

cdef enum Detector:
    COARSE      # as loaded: fixed windows
    PEAKS       # windows by the rough interval, every reversal beyond the swing
    LEVELS      # the same, one peak a crossing of the hysteresis band
    SWIFT       # windows for a fast swipe, against hum and thumps
    EDGES       # peaks of the slope, for recordings of the magnetisation itself

cdef struct Run:
    # One unbroken run of transitions, usually one swipe.
    Py_ssize_t first       # its first transition in Source.times
    Py_ssize_t count       # transitions
    double start           # seconds
    double end

cdef struct Source:
    # Samples; unused after load_intervals and load_times.
    Py_ssize_t samples
    double rate
    float *loaded          # the samples, padded on both sides
    float *signal          # what the detector looks at
    Py_ssize_t signal_capacity
    double *prefix         # prefix[k] = sum of the first k samples, once summed
    Py_ssize_t prefix_capacity
    bint summed
    double *sums           # of the samples before each block
    Py_ssize_t block       # samples a block
    Py_ssize_t blocks
    float *low             # each block's least and greatest value, and the swing a reversal needs
    float *high
    float *swing
    float *rough           # each block's rough interval in samples
    Py_ssize_t block_capacity
    float floor            # least peak-to-peak of a block that holds flux
    # Transitions of the whole recording.
    double *times          # seconds
    float *heights
    Py_ssize_t transitions
    Py_ssize_t transition_capacity
    Run runs[RUNS]
    int run_count

cdef int grow(void **pointer, Py_ssize_t capacity, size_t size) noexcept nogil
cdef void source_init(Source *source) noexcept nogil
cdef void source_free(Source *source) noexcept nogil
cdef int load_samples(Source *source, const float *samples, Py_ssize_t count, double rate) noexcept nogil
cdef int load_pcm16(Source *source, const unsigned char *pcm, Py_ssize_t count, double rate) noexcept nogil
cdef int load_intervals(Source *source, const double *intervals, Py_ssize_t count) noexcept nogil
cdef int load_intervals_ns(Source *source, const unsigned int *intervals, Py_ssize_t count) noexcept nogil
cdef Py_ssize_t look_again(
    Source *source, int which, Detector detector, float narrow, float share, double *times, float *heights,
    Py_ssize_t capacity,
) noexcept nogil
cdef int load_buffer(Source *source, object samples, double rate) except -1
cdef int check(int result) except -1
