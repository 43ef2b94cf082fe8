# The signal stage for other compiled stages. Nothing here takes the GIL or raises: failures are negative.
#
# Ownership: the caller has a Workspace, zeroed by workspace_init and given to workspace_free in a finally.
# Every pointer in it, and in a Reading, belongs to the workspace and holds until the next load_*, read or
# workspace_free on it. What is loaded is copied. A workspace is used by one thread at a time; one a batch is
# enough: it grows to the largest swipe and is used again.
#
#   load_*(workspace, ...) -> number of runs, or an error below; times of load_intervals come back in its unit
#   read(workspace, run, attempt, &reading) -> number of bits, or an error, or 0 for no reading by it:
#       either too few transitions or no regular cells (jitter is 0), or too irregular ones (jitter is above
#       JITTER_LIMIT, or so high that several bits are likely to be wrong).
#       Attempts are 0 .. attempts(workspace) - 1 in the order to try them, each computed when asked for.

from swipegate.core.transitions cimport ERROR_BOUNDS, ERROR_MEMORY, Run, Source

cdef enum:
    # besides ERROR_MEMORY and ERROR_BOUNDS
    ERROR_NO_RUN = -3      # no such run
    ERROR_NO_ATTEMPT = -4  # the attempts are exhausted

cdef float JITTER_LIMIT    # share of a cell; set when the module is imported

cdef struct Workspace:
    Source source
    const Run *runs        # the source's, after load_*
    int run_count
    # The run being read.
    double *run_times
    float *run_heights
    float *weights         # how much a transition stands out, 0 to 1
    float *intervals
    float *cells           # cell time at each interval
    float *spans           # cells along the path: duration, middle, and the interval each begins at
    float *middles
    int *begins
    unsigned char *parents
    unsigned char *actions
    float *beam_cells
    float *costs
    unsigned char *moves
    unsigned char *bits
    unsigned char *doubts
    double *bounds
    float *ahead           # cost from a transition to the end of the run, and the move it begins with
    unsigned char *onward
    int *ordinals          # cells of the best way before a transition, -1 off it
    Py_ssize_t cell_count
    Py_ssize_t run_capacity

cdef struct Reading:
    const unsigned char *bits  # one byte a bit, 0 or 1
    const unsigned char *doubts  # one byte a bit: 0 sure, 255 as likely wrong as right; 16 less a nat
    const double *bounds       # seconds at which each cell begins and the last one ends: count + 1
    Py_ssize_t count
    double start               # seconds from the beginning of the recording
    double end
    float jitter               # root mean square deviation of the cells, share of a cell
    Py_ssize_t repairs         # spikes merged and lost transitions bridged

cdef void workspace_init(Workspace *workspace) noexcept nogil
cdef void workspace_free(Workspace *workspace) noexcept nogil
cdef int load_samples(
    Workspace *workspace, const float *samples, Py_ssize_t count, double rate
) noexcept nogil
cdef int load_pcm16(
    Workspace *workspace, const unsigned char *pcm, Py_ssize_t count, double rate
) noexcept nogil
cdef int load_intervals(Workspace *workspace, const double *intervals, Py_ssize_t count) noexcept nogil
cdef int load_intervals_ns(
    Workspace *workspace, const unsigned int *intervals, Py_ssize_t count
) noexcept nogil
cdef int attempts(const Workspace *workspace) noexcept nogil
cdef Py_ssize_t read(Workspace *workspace, int run, int attempt, Reading *reading) noexcept nogil
cdef Py_ssize_t clock_and_data(
    const unsigned char *samples, Py_ssize_t count, unsigned char clock_mask, unsigned char data_mask,
    unsigned char *bits, Py_ssize_t *places, Py_ssize_t capacity,
) noexcept nogil
