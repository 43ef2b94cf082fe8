"""Audio samples or flux times -> bits: F2F (Aiken biphase, ISO/IEC 7811-2) at hand speed."""

from array import array

from libc.math cimport fabs, fabsf, isfinite, sqrtf
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memmove, memset

# ---- bounds

cdef enum:
    SAMPLES_MAX = 16_000_000        # of one recording: six minutes at 44.1 kHz
    RUN_TRANSITIONS_MAX = 16_384    # of one run; the longest track (107 x 5 bits, all ones) has about 1,200
    TRANSITIONS_MAX = 262_144       # of one recording
    RUN_TRANSITIONS_MIN = 16        # a shorter run is noise
    FRAME_BITS_MAX = 65_536         # of one clock-and-data capture

cdef double LEAST_RATE = 8_000.0    # Hz
cdef double MOST_RATE = 1_000_000.0
cdef double INTERVAL_MAX = 1e9      # seconds, or whatever unit the caller counts in

# ---- peaks

cdef double BLOCK_SECONDS = 0.002
cdef double COARSE_SMOOTH_SECONDS = 15e-6   # half width; below half a pulse of the fastest swipe
cdef double COARSE_BASELINE_SECONDS = 0.0125  # half width; four cells of a slow swipe
cdef double SWIFT_BASELINE_SECONDS = 0.0025
cdef double FLOOR_SHARE = 0.05              # of the strong blocks' peak-to-peak: quieter blocks hold no flux
cdef enum:
    STRONG_BLOCKS = 25                      # 0.05 s, as long as a thump; the shortest swipe takes 0.1 s
cdef float NOISE_SHARE = 1.6                 # of the quietest blocks' peak-to-peak, when that is little
cdef float NOISE_MOST = 0.18                # of the strong blocks'
cdef double PAUSE_SECONDS = 0.030           # five of the slowest cells (5.7 ms)
cdef double PAUSE_SHARE = 12.0              # of the intervals around: an abrupt stop
cdef enum:
    ROUGH_REACH = 5                         # transitions on either side that give a block's rough interval

cdef enum Detector:
    COARSE      # as loaded: fixed windows
    PEAKS       # windows by the rough interval, every reversal beyond the swing
    LEVELS      # the same, one peak a crossing of the hysteresis band
    SWIFT       # windows for a fast swipe, against hum and thumps
    EDGES       # peaks of the slope, for recordings of the magnetisation itself

cdef struct Setting:
    Detector detector
    float smooth      # half width of the smoothing, share of the rough interval
    float swing       # needed reversal, share of the local peak-to-peak
    float gain        # how fast the cell estimate follows
    int reach         # cells on either side that fit a cell's time

cdef enum:
    SAMPLE_SETTINGS = 8
    INTERVAL_SETTINGS = 3

cdef Setting[SAMPLE_SETTINGS] FROM_SAMPLES
cdef Setting[INTERVAL_SETTINGS] FROM_INTERVALS
FROM_SAMPLES[:] = [
    Setting(COARSE, 0.0, 0.35, 0.22, 8),
    Setting(PEAKS, 0.07, 0.30, 0.22, 8),
    Setting(PEAKS, 0.15, 0.35, 0.12, 16),
    Setting(LEVELS, 0.07, 0.30, 0.22, 8),
    Setting(PEAKS, 0.05, 0.12, 0.22, 8),
    Setting(EDGES, 0.10, 0.30, 0.22, 8),
    Setting(COARSE, 0.0, 0.35, 0.10, 16),
    Setting(SWIFT, 0.0, 0.30, 0.22, 8),
]
FROM_INTERVALS[:] = [
    Setting(COARSE, 0.0, 0.0, 0.22, 8),
    Setting(COARSE, 0.0, 0.0, 0.12, 16),
    Setting(COARSE, 0.0, 0.0, 0.35, 5),
]

# ---- cells

cdef enum:
    BEAM = 10                     # survivors an interval
    NOISE_PARENTS = 2             # only so many of the best survivors may pass over an interval
    ROUNDS = 3                    # of fitting the cell times and reading again

cdef enum Action:                 # what the beam made of an interval
    FULL
    FIRST_HALF
    SECOND_HALF
    NOISE
    RESTART

cdef enum Move:                   # what the reading made of the next transitions
    NOWHERE
    ZERO                          # 1 interval
    ONE                           # 2
    ZERO_SPIKE                    # 3: a spike's two extra transitions in a 0
    ONE_SPIKE_LATE                # 4: in the second half of a 1
    ONE_SPIKE_EARLY               # 4: in the first half of a 1
    ZERO_ZERO_LOST                # 1: the transition between two cells is lost
    ONE_ZERO_LOST                 # 2
    ZERO_ONE_LOST                 # 2
    ONE_ONE_LOST                  # 3
    ZERO_ZERO_WEAK                # 2: the same, but something was found where the lost transition may be
    ONE_ZERO_WEAK                 # 3
    ZERO_ONE_WEAK                 # 3
    ONE_ONE_WEAK                  # 4
    SKIP                          # 1: no cell

cdef float FULL_SIGMA = 0.11      # of the beam, share of a cell
cdef float HALF_SIGMA = 0.15
cdef float BEAM_CAP = 9.0         # an outlier costs no more
cdef float NOISE_COST = 11.0
cdef float HOPELESS = 17.0        # a reading so much dearer than the best is dropped
cdef float RESTART_COST = 16.0
cdef float TREND_GAIN = 0.02
cdef float ALIKE = 0.03           # survivors of one phase whose cells differ less are one
cdef float SIGMA_MIN = 0.035
cdef float SIGMA_MAX = 0.16
JITTER_LIMIT = 0.145          # noise shows 0.15 to 0.16, the worst swipe worth reading 0.12
cdef float OUTLIER = 0.40         # a cell further off the estimate takes no part in the fit
cdef float SPIKE_COST = 9.0
cdef float SPIKE_COST_MIN = 2.5
cdef float LOST_COST = 10.0
cdef float SKIP_COST = 14.0
cdef float WEAK_COST_MIN = 2.0    # of a transition whose time is not to be trusted, if it is weak
cdef float WEAK_FROM = 0.35       # weight from which that costs more
cdef float WEAK_SLOPE = 20.0
cdef float HUBER = 3.0            # deviations beyond this many sigma count linearly
cdef float LOG_SQRT_TAU = 0.9189385
cdef float LOG_TWO = 0.6931472


cdef extern from "math.h" nogil:
    float logf(float)


CANDIDATES_MAX = 8
RATE_MIN = LEAST_RATE
RATE_MAX = MOST_RATE
JITTER_MAX = JITTER_LIMIT
FRAME_PAUSE = 0.010  # seconds; a clock-and-data bit takes 0.2 to 2 ms


# ---- memory

cdef int grow(void **pointer, Py_ssize_t capacity, size_t size) noexcept nogil:
    cdef void *fresh = realloc(pointer[0], <size_t>capacity * size)
    if fresh == NULL:
        return ERROR_MEMORY
    pointer[0] = fresh
    return 0


cdef void workspace_init(Workspace *workspace) noexcept nogil:
    memset(workspace, 0, sizeof(Workspace))


cdef void workspace_free(Workspace *workspace) noexcept nogil:
    free(workspace.signal)
    free(workspace.prefix)
    free(workspace.low)
    free(workspace.high)
    free(workspace.swing)
    free(workspace.rough)
    free(workspace.times)
    free(workspace.heights)
    free(workspace.run_times)
    free(workspace.run_heights)
    free(workspace.weights)
    free(workspace.intervals)
    free(workspace.cells)
    free(workspace.spans)
    free(workspace.middles)
    free(workspace.begins)
    free(workspace.parents)
    free(workspace.actions)
    free(workspace.beam_cells)
    free(workspace.costs)
    free(workspace.moves)
    free(workspace.bits)
    workspace_init(workspace)


cdef int reserve_samples(Workspace *ws, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t need = count + 1
    if need > ws.signal_capacity:
        if (grow(<void **>&ws.signal, need, sizeof(float)) < 0
                or grow(<void **>&ws.prefix, need, sizeof(double)) < 0):
            return ERROR_MEMORY
        ws.signal_capacity = need
    need = count // ws.block + 2
    if need > ws.block_capacity:
        if (grow(<void **>&ws.low, need, sizeof(float)) < 0
                or grow(<void **>&ws.high, need, sizeof(float)) < 0
                or grow(<void **>&ws.swing, need, sizeof(float)) < 0
                or grow(<void **>&ws.rough, need, sizeof(float)) < 0):
            return ERROR_MEMORY
        ws.block_capacity = need
    return 0


cdef int reserve_transitions(Workspace *ws, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t need = count + 1
    if need > ws.transition_capacity:
        if (grow(<void **>&ws.times, need, sizeof(double)) < 0
                or grow(<void **>&ws.heights, need, sizeof(float)) < 0):
            return ERROR_MEMORY
        ws.transition_capacity = need
    return 0


cdef int reserve_run(Workspace *ws, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t n = count + 8
    if n <= ws.run_capacity:
        return 0
    if (grow(<void **>&ws.run_times, n, sizeof(double)) < 0
            or grow(<void **>&ws.run_heights, n, sizeof(float)) < 0
            or grow(<void **>&ws.weights, n, sizeof(float)) < 0
            or grow(<void **>&ws.intervals, n, sizeof(float)) < 0
            or grow(<void **>&ws.cells, n, sizeof(float)) < 0
            or grow(<void **>&ws.spans, 2 * n, sizeof(float)) < 0
            or grow(<void **>&ws.middles, 2 * n, sizeof(float)) < 0
            or grow(<void **>&ws.begins, 3 * n, sizeof(int)) < 0
            or grow(<void **>&ws.parents, n * BEAM, 1) < 0
            or grow(<void **>&ws.actions, n * BEAM, 1) < 0
            or grow(<void **>&ws.beam_cells, n * BEAM, sizeof(float)) < 0
            or grow(<void **>&ws.costs, n, sizeof(float)) < 0
            or grow(<void **>&ws.moves, n, 1) < 0
            or grow(<void **>&ws.bits, 2 * n, 1) < 0):
        return ERROR_MEMORY
    ws.run_capacity = n
    return 0


# ---- samples -> transitions

cdef void sum_up(Workspace *ws) noexcept nogil:
    cdef Py_ssize_t k
    cdef double total = 0.0
    ws.prefix[0] = 0.0
    for k in range(ws.samples):
        total += ws.signal[k]
        ws.prefix[k + 1] = total


cdef inline float window_mean(
    const double *prefix, Py_ssize_t count, Py_ssize_t low, Py_ssize_t high
) noexcept nogil:
    if low < 0:
        low = 0
    if high > count:
        high = count
    return <float>((prefix[high] - prefix[low]) / (high - low)) if high > low else 0.0


cdef void flatten(
    Workspace *ws, Py_ssize_t low, Py_ssize_t high, Py_ssize_t smooth, Py_ssize_t baseline
) noexcept nogil:
    """signal[low:high] = mean over +-smooth samples less the mean over +-baseline samples."""
    cdef const double *prefix = ws.prefix
    cdef float *out = ws.signal
    cdef Py_ssize_t k, count = ws.samples
    cdef Py_ssize_t inner_low = min(max(low, baseline), high)
    cdef Py_ssize_t inner_high = max(min(high, count - baseline), inner_low)
    cdef double narrow = 1.0 / (2 * smooth + 1), wide = 1.0 / (2 * baseline + 1)
    for k in range(low, inner_low):
        out[k] = (window_mean(prefix, count, k - smooth, k + smooth + 1)
                  - window_mean(prefix, count, k - baseline, k + baseline + 1))
    for k in range(inner_low, inner_high):
        out[k] = <float>((prefix[k + smooth + 1] - prefix[k - smooth]) * narrow
                         - (prefix[k + baseline + 1] - prefix[k - baseline]) * wide)
    for k in range(inner_high, high):
        out[k] = (window_mean(prefix, count, k - smooth, k + smooth + 1)
                  - window_mean(prefix, count, k - baseline, k + baseline + 1))


cdef void slope(Workspace *ws, Py_ssize_t low, Py_ssize_t high, Py_ssize_t width) noexcept nogil:
    """signal[low:high] = mean of the next width samples less that of the last."""
    cdef Py_ssize_t k
    for k in range(low, high):
        ws.signal[k] = (window_mean(ws.prefix, ws.samples, k, k + width)
                        - window_mean(ws.prefix, ws.samples, k - width, k))


cdef void measure_blocks(Workspace *ws, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    """Note the least and greatest value of the blocks first..last-1."""
    cdef Py_ssize_t b, k, low, high
    cdef float least, most, value
    for b in range(first, last):
        low = b * ws.block
        high = min(low + ws.block, ws.samples)
        least = most = ws.signal[low]
        for k in range(low, high):
            value = ws.signal[k]
            least = value if value < least else least
            most = value if value > most else most
        ws.low[b] = least
        ws.high[b] = most


cdef inline float peak_to_peak(const Workspace *ws, Py_ssize_t b, Py_ssize_t reach) noexcept nogil:
    cdef Py_ssize_t k, low = max(0, b - reach), high = min(ws.blocks, b + reach + 1)
    cdef float least = ws.low[low], most = ws.high[low]
    for k in range(low + 1, high):
        least = min(least, ws.low[k])
        most = max(most, ws.high[k])
    return most - least


cdef float quiet(Workspace *ws) noexcept nogil:
    """Return the peak-to-peak below which a block holds no flux.

    That is FLOOR_SHARE of the strong blocks (95th percentile, but no more than STRONG_BLOCKS above it, for a
    swipe may be a small part of its recording), or what the quietest (5th) show of noise.
    """
    cdef int[256] counts
    cdef Py_ssize_t b, below, above
    cdef int low = 0, high = 255
    cdef float most = 0.0, silence, strong
    for b in range(ws.blocks):
        most = max(most, ws.high[b] - ws.low[b])
    if not most > 0.0:
        return 0.0
    memset(counts, 0, sizeof(counts))
    for b in range(ws.blocks):
        counts[<int>((ws.high[b] - ws.low[b]) / most * <float>255.0)] += 1
    below = ws.blocks // 20
    above = min(below, STRONG_BLOCKS)
    while high > 0 and above >= counts[high]:
        above -= counts[high]
        high -= 1
    while low < high and below >= counts[low]:
        below -= counts[low]
        low += 1
    strong = most * <float>((high + 1) / 256.0)
    silence = NOISE_SHARE * most * <float>((low + 1) / 256.0)
    return max(<float>FLOOR_SHARE * strong, silence if silence < NOISE_MOST * strong else <float>0.0)


cdef Py_ssize_t find_peaks(
    const Workspace *ws, Py_ssize_t low, Py_ssize_t high, Py_ssize_t reach, bint levels,
    double *times, float *heights, Py_ssize_t capacity,
) noexcept nogil:
    """Write the extremes of signal[low:high] that reverse by their block's swing; return the count.

    levels: the signal must also cross the swing's band around zero; a dip short of the other side is none.
    """
    cdef const float *signal = ws.signal
    cdef Py_ssize_t k, b, stop, begin = low, end = low, count = 0
    cdef float value, swing, top = -1e30, bottom = 1e30, sign = 0.0, best = 0.0, plateau
    if low >= high:
        return 0
    k = low
    while k < high:
        b = k // ws.block
        stop = min((b + 1) * ws.block, high)
        swing = ws.swing[b]
        plateau = swing * 0.002
        while k < stop:
            value = signal[k]
            if sign == 0.0:
                top = max(top, value)
                bottom = min(bottom, value)
                if top - bottom > swing:
                    sign = 1.0 if value == top else -1.0
                    best = value * sign
                    begin = end = k
            else:
                value *= sign
                if value > best:
                    best = value
                    begin = end = k
                elif value >= best - plateau and k == end + 1:
                    end = k
                elif best - value > swing and (not levels or value < -0.5 * swing):
                    if not levels or best > 0.5 * swing:
                        if count >= capacity:
                            return count
                        times[count] = apex(ws, begin, end, low, high, reach)
                        heights[count] = best * sign
                        count += 1
                    sign = -sign
                    best = -value
                    begin = end = k
            k += 1
    if sign != 0.0 and count < capacity and best > 0.5 * ws.swing[end // ws.block]:
        times[count] = apex(ws, begin, end, low, high, reach)
        heights[count] = best * sign
        count += 1
    return count


cdef inline double apex(
    const Workspace *ws, Py_ssize_t begin, Py_ssize_t end, Py_ssize_t low, Py_ssize_t high, Py_ssize_t reach
) noexcept nogil:
    """Return the seconds of a peak on samples begin..end: a parabola through it and its neighbours."""
    cdef Py_ssize_t k = (begin + end) // 2
    cdef float before, after, curve
    cdef double shift = 0.0
    if end > begin + 1:
        return 0.5 * (begin + end) / ws.rate
    if k - reach >= low and k + reach < high:
        before = ws.signal[k - reach]
        after = ws.signal[k + reach]
        curve = before - 2.0 * ws.signal[k] + after
        if curve != 0.0:
            shift = 0.5 * reach * (before - after) / curve
            if not fabs(shift) <= reach:
                shift = 0.0
    return (k + shift) / ws.rate


cdef int load_signal(Workspace *ws) noexcept nogil:
    """Find the transitions of ws.signal coarsely, and the runs they form; return the number of runs."""
    cdef Py_ssize_t b, smooth, baseline, reach
    cdef float size, share = FROM_SAMPLES[0].swing
    ws.run_count = 0
    ws.transitions = 0
    if ws.samples < 16:
        return 0
    ws.blocks = (ws.samples + ws.block - 1) // ws.block
    sum_up(ws)
    smooth = <Py_ssize_t>(ws.rate * COARSE_SMOOTH_SECONDS + 0.5)
    baseline = <Py_ssize_t>(ws.rate * COARSE_BASELINE_SECONDS)
    flatten(ws, 0, ws.samples, smooth, baseline)
    measure_blocks(ws, 0, ws.blocks)
    ws.floor = quiet(ws)
    reach = 1
    for b in range(ws.blocks):
        size = peak_to_peak(ws, b, reach)
        ws.swing[b] = share * size if size > ws.floor and size > 0.0 else <float>1e30
    if reserve_transitions(ws, min(ws.samples, <Py_ssize_t>TRANSITIONS_MAX)) < 0:
        return ERROR_MEMORY
    ws.transitions = find_peaks(
        ws, 0, ws.samples, max(<Py_ssize_t>1, smooth), False, ws.times, ws.heights,
        min(ws.samples, <Py_ssize_t>TRANSITIONS_MAX),
    )
    split(ws, PAUSE_SECONDS)
    return ws.run_count


cdef void split(Workspace *ws, double pause) noexcept nogil:
    """Cut the transitions into runs at every pause: an absolute one, or one far longer than the intervals."""
    cdef Py_ssize_t k, first = 0
    cdef double gap, usual = 0.0
    cdef int seen = 0
    ws.run_count = 0
    for k in range(1, ws.transitions + 1):
        if k < ws.transitions:
            gap = ws.times[k] - ws.times[k - 1]
            if gap <= pause and (seen < 8 or gap <= PAUSE_SHARE * usual) and k - first < RUN_TRANSITIONS_MAX:
                usual += (gap - usual) * (0.125 if seen >= 8 else 1.0 / (seen + 1))
                seen += 1
                continue
        if k - first >= RUN_TRANSITIONS_MIN and ws.run_count < RUNS:
            ws.runs[ws.run_count].first = first
            ws.runs[ws.run_count].count = k - first
            ws.runs[ws.run_count].start = ws.times[first]
            ws.runs[ws.run_count].end = ws.times[k - 1]
            ws.run_count += 1
        first = k
        seen = 0
        usual = 0.0


cdef int prepare(Workspace *ws, Py_ssize_t count, double rate) noexcept nogil:
    ws.run_count = 0
    ws.transitions = 0
    ws.samples = 0
    if count < 0 or count > SAMPLES_MAX or not (LEAST_RATE <= rate <= MOST_RATE):
        return ERROR_BOUNDS
    ws.rate = rate
    ws.block = <Py_ssize_t>(rate * BLOCK_SECONDS)
    if reserve_samples(ws, count) < 0:
        return ERROR_MEMORY
    ws.samples = count
    return 0


cdef int load_samples(
    Workspace *workspace, const float *samples, Py_ssize_t count, double rate
) noexcept nogil:
    cdef Py_ssize_t k
    cdef int failure = prepare(workspace, count, rate)
    if failure < 0:
        return failure
    for k in range(count):  # what is no number, or no voltage, is silence
        workspace.signal[k] = samples[k] if fabsf(samples[k]) < 1e15 else <float>0.0
    return load_signal(workspace)


cdef int load_pcm16(
    Workspace *workspace, const unsigned char *pcm, Py_ssize_t count, double rate
) noexcept nogil:
    cdef Py_ssize_t k
    cdef int failure = prepare(workspace, count, rate)
    if failure < 0:
        return failure
    for k in range(count):
        workspace.signal[k] = <float>(<short>(pcm[2 * k] | (pcm[2 * k + 1] << 8)))
    return load_signal(workspace)


cdef int prepare_intervals(Workspace *workspace, Py_ssize_t count) noexcept nogil:
    """Make room for the times of `count` intervals, the first time being 0; an error, or 0."""
    workspace.run_count = 0
    workspace.samples = 0
    workspace.transitions = 0
    if count < 0 or count >= TRANSITIONS_MAX:
        return ERROR_BOUNDS
    if reserve_transitions(workspace, count + 1) < 0:
        return ERROR_MEMORY
    workspace.times[0] = 0.0
    return 0


cdef int load_intervals(Workspace *workspace, const double *intervals, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t k
    cdef double time = 0.0
    cdef int failure = prepare_intervals(workspace, count)
    if failure < 0:
        return failure
    for k in range(count):
        if isfinite(intervals[k]) and intervals[k] > 0.0:
            time += min(intervals[k], INTERVAL_MAX)
        workspace.times[k + 1] = time
    workspace.transitions = count + 1
    split(workspace, 2.0 * INTERVAL_MAX)
    return workspace.run_count


cdef int load_intervals_ns(
    Workspace *workspace, const unsigned int *intervals, Py_ssize_t count
) noexcept nogil:
    cdef Py_ssize_t k
    cdef double time = 0.0
    cdef int failure = prepare_intervals(workspace, count)
    if failure < 0:
        return failure
    for k in range(count):
        time += intervals[k] * 1e-9
        workspace.times[k + 1] = time
    workspace.transitions = count + 1
    split(workspace, PAUSE_SECONDS)
    return workspace.run_count


# ---- one run again, with windows that fit its speed

cdef float middle_of(float *values, int count) noexcept nogil:
    """Return the median; sorts values."""
    cdef int i, j
    cdef float value
    for i in range(1, count):
        value = values[i]
        j = i - 1
        while j >= 0 and values[j] > value:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = value
    return values[count // 2]


cdef void rough_intervals(Workspace *ws, const Run *run, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    """Fill rough[first:last]: the median interval, in samples, of the transitions around each block."""
    cdef float[2 * ROUGH_REACH] near
    cdef Py_ssize_t b, k, at = run.first, low, high, end = run.first + run.count
    cdef int count
    cdef double centre
    for b in range(first, last):
        centre = (b + 0.5) * ws.block / ws.rate
        while at + 1 < end and ws.times[at] < centre:
            at += 1
        low = max(run.first, at - ROUGH_REACH)
        high = min(end - 1, at + ROUGH_REACH)
        count = 0
        for k in range(low, high):
            near[count] = <float>((ws.times[k + 1] - ws.times[k]) * ws.rate)
            count += 1
        ws.rough[b] = middle_of(near, count) if count else <float>ws.block


cdef Py_ssize_t look_again(Workspace *ws, const Run *run, const Setting *setting) noexcept nogil:
    """Detect the run's transitions into run_times with windows that follow its speed; return how many."""
    cdef Py_ssize_t margin = 2 * ws.block
    cdef Py_ssize_t low = max(<Py_ssize_t>0, <Py_ssize_t>(run.start * ws.rate) - margin)
    cdef Py_ssize_t high = min(ws.samples, <Py_ssize_t>(run.end * ws.rate) + margin)
    cdef Py_ssize_t first = low // ws.block, last = (high + ws.block - 1) // ws.block
    cdef Py_ssize_t b, from_, to, smooth, baseline, reach
    cdef float size, usual
    last = min(last, ws.blocks)
    low = first * ws.block
    high = min(ws.samples, last * ws.block)
    rough_intervals(ws, run, first, last)
    for b in range(first, last):
        from_ = b * ws.block
        to = min(from_ + ws.block, high)
        smooth = <Py_ssize_t>(ws.rough[b] * setting.smooth)
        if setting.detector == EDGES:
            slope(ws, from_, to, max(<Py_ssize_t>1, smooth))
        elif setting.detector == SWIFT:
            smooth = <Py_ssize_t>(ws.rate * COARSE_SMOOTH_SECONDS + 0.5)
            flatten(ws, from_, to, smooth, <Py_ssize_t>(ws.rate * SWIFT_BASELINE_SECONDS))
        else:
            baseline = max(<Py_ssize_t>8, <Py_ssize_t>(ws.rough[b] * 3.0))
            flatten(ws, from_, to, smooth, baseline)
    measure_blocks(ws, first, last)
    usual = ws.rough[(first + last) // 2]
    for b in range(first, last):
        reach = 2 if setting.detector == SWIFT else 1 + <Py_ssize_t>(1.5 * ws.rough[b] / ws.block)
        size = run_peak_to_peak(ws, b, reach, first, last)
        if size > 0.0 and (size > 0.5 * ws.floor or setting.detector == EDGES):
            ws.swing[b] = setting.swing * size
        else:
            ws.swing[b] = <float>1e30
    reach = max(<Py_ssize_t>1, <Py_ssize_t>(usual * setting.smooth * 0.7))
    return find_peaks(
        ws, low, high, reach, setting.detector == LEVELS, ws.run_times, ws.run_heights,
        min(<Py_ssize_t>RUN_TRANSITIONS_MAX, ws.run_capacity),
    )


cdef inline float run_peak_to_peak(
    const Workspace *ws, Py_ssize_t b, Py_ssize_t reach, Py_ssize_t first, Py_ssize_t last
) noexcept nogil:
    cdef Py_ssize_t k, low = max(first, b - reach), high = min(last, b + reach + 1)
    cdef float least = ws.low[low], most = ws.high[low]
    for k in range(low + 1, high):
        least = min(least, ws.low[k])
        most = max(most, ws.high[k])
    return most - least


cdef void weigh(Workspace *ws, Py_ssize_t count, bint known) noexcept nogil:
    """weights[k]: the smaller swing beside transition k, or its height if less, as a share of the usual."""
    cdef Py_ssize_t k
    cdef float before, after, usual, height
    for k in range(count):
        ws.weights[k] = 1.0
    if not known:
        return
    usual = fabsf(ws.run_heights[1] - ws.run_heights[0])
    for k in range(count):
        before = fabsf(ws.run_heights[k] - ws.run_heights[k - 1]) if k else <float>1e30
        after = fabsf(ws.run_heights[k + 1] - ws.run_heights[k]) if k + 1 < count else <float>1e30
        # extremes alternate, so a neighbour tells which side is this one's
        height = ws.run_heights[k]
        if height < ws.run_heights[k - 1 if k else 1]:
            height = -height
        if usual > 0.0:
            ws.weights[k] = max(<float>0.0, min(min(before, after, <float>2.0 * height) / usual, <float>1.0))
        if after < 1e30:
            usual += <float>0.15 * (after - usual)


# ---- intervals -> cell times: a beam of readings, each with its own estimate

cdef struct Survivor:   # one reading of the intervals so far
    float cost
    float cell          # its estimate, in seconds
    float trend         # by which share the next cell is longer
    float half          # the first half of a 1, in phase 1
    int phase           # 0: at a cell boundary, 1: in the middle of a 1


cdef inline float capped(float deviation, float sigma) noexcept nogil:
    cdef float share = deviation / sigma
    return min(<float>0.5 * share * share, BEAM_CAP)


cdef inline int keep(Survivor *kept, int count, const Survivor *fresh, int *slot) noexcept nogil:
    """Insert by cost, in place of a dearer one of like phase and cell; return the count."""
    cdef int k, place
    slot[0] = -1
    if count == BEAM and kept[BEAM - 1].cost <= fresh.cost:
        return count
    for k in range(count):
        if kept[k].phase == fresh.phase and fabsf(kept[k].cell - fresh.cell) < ALIKE * fresh.cell:
            if kept[k].cost <= fresh.cost:
                return count
            break
    else:
        k = count if count < BEAM else BEAM - 1
        count = k + 1
    place = k
    while place > 0 and kept[place - 1].cost > fresh.cost:
        place -= 1
    slot[0] = (k << 8) | place
    memmove(&kept[place + 1], &kept[place], <size_t>(k - place) * sizeof(Survivor))
    kept[place] = fresh[0]
    return count


cdef inline int offer(
    Survivor *kept, int count, const Survivor *fresh, unsigned char *parents, unsigned char *actions,
    int parent, int action,
) noexcept nogil:
    """Keep fresh, and its origin in step."""
    cdef int slot, old, place
    count = keep(kept, count, fresh, &slot)
    if slot >= 0:
        old = slot >> 8
        place = slot & 255
        memmove(&parents[place + 1], &parents[place], <size_t>(old - place))
        memmove(&actions[place + 1], &actions[place], <size_t>(old - place))
        parents[place] = <unsigned char>parent
        actions[place] = <unsigned char>action
    return count


cdef int extend_one(
    const Survivor *old, float interval, float gain, Survivor *kept, int count,
    unsigned char *parents, unsigned char *actions, int parent,
) noexcept nogil:
    """Offer what one survivor can make of the next interval; return the new count."""
    cdef Survivor fresh = old[0]
    cdef float expected = old.cell * (1.0 + old.trend)
    cdef float share = interval / expected, off
    if old.phase == 0:
        off = share - 1.0
        fresh.cost = old.cost + capped(off, FULL_SIGMA)
        off = min(max(off, <float>-0.3), <float>0.3)
        fresh.cell = expected * (1.0 + gain * off)
        fresh.trend = min(max(old.trend + TREND_GAIN * off, <float>-0.08), <float>0.08)
        count = offer(kept, count, &fresh, parents, actions, parent, FULL)
        fresh = old[0]
        fresh.cost = old.cost + capped(2.0 * share - 1.0, HALF_SIGMA)
        fresh.half = interval
        fresh.phase = 1
        count = offer(kept, count, &fresh, parents, actions, parent, FIRST_HALF)
    else:
        fresh.cost = old.cost + capped(2.0 * share - 1.0, HALF_SIGMA)
        off = min(max((interval + old.half) / expected - 1.0, <float>-0.3), <float>0.3)
        fresh.cell = expected * (1.0 + gain * off)
        fresh.trend = min(max(old.trend + TREND_GAIN * off, <float>-0.08), <float>0.08)
        fresh.phase = 0
        count = offer(kept, count, &fresh, parents, actions, parent, SECOND_HALF)
    if parent >= NOISE_PARENTS:
        return count
    fresh = old[0]
    fresh.cost = old.cost + NOISE_COST
    return offer(kept, count, &fresh, parents, actions, parent, NOISE)


cdef int restart(
    float interval, float cost, Survivor *kept, int count, unsigned char *parents, unsigned char *actions
) noexcept nogil:
    """Offer readings that begin anew with this interval: a 0, the first half of a 1, the second half."""
    cdef Survivor fresh
    fresh.cost = cost
    fresh.trend = 0.0
    fresh.half = interval
    fresh.cell = interval
    fresh.phase = 0
    count = offer(kept, count, &fresh, parents, actions, 0, RESTART)
    fresh.cell = 2.0 * interval
    count = offer(kept, count, &fresh, parents, actions, 0, RESTART)
    fresh.phase = 1
    return offer(kept, count, &fresh, parents, actions, 0, RESTART)


cdef Py_ssize_t track_cells(Workspace *ws, Py_ssize_t count, float gain) noexcept nogil:
    """Fill cells[0:count] from intervals[0:count] by the best reading; note its cells; return how many."""
    cdef Survivor[2 * (BEAM + 1)] beam
    cdef Survivor *old = beam
    cdef Survivor *kept = beam + BEAM + 1
    cdef Survivor *swap
    cdef int have = 0, count_kept, s
    cdef Py_ssize_t k
    cdef float least
    cdef unsigned char *parents
    cdef unsigned char *actions
    for k in range(count):
        parents = ws.parents + k * BEAM
        actions = ws.actions + k * BEAM
        count_kept = 0
        for s in range(have):
            if old[s].cost > old[0].cost + HOPELESS:
                break
            count_kept = extend_one(&old[s], ws.intervals[k], gain, kept, count_kept, parents, actions, s)
        if k < 2 or (count_kept and kept[0].cost - old[0].cost > 3.0):
            least = (old[0].cost + RESTART_COST) if have else <float>0.0
            count_kept = restart(ws.intervals[k], least, kept, count_kept, parents, actions)
        least = kept[0].cost
        for s in range(count_kept):
            if least > 1e4:  # keep the sums small: a float has 24 bits
                kept[s].cost -= least
            ws.beam_cells[k * BEAM + s] = kept[s].cell
        swap = old
        old = kept
        kept = swap
        have = count_kept
    return follow_beam(ws, count)


cdef Py_ssize_t follow_beam(Workspace *ws, Py_ssize_t count) noexcept nogil:
    """Walk the cheapest reading back, filling cells, spans, middles and begins in order; return the cells."""
    cdef Py_ssize_t k
    cdef int s = 0, action
    for k in range(count - 1, -1, -1):
        action = ws.actions[k * BEAM + s]
        ws.cells[k] = ws.beam_cells[k * BEAM + s]
        ws.moves[k] = <unsigned char>action
        s = ws.parents[k * BEAM + s]
    cdef Py_ssize_t found = 0
    for k in range(count):
        if ws.moves[k] == FULL:
            found = note_cell(ws, found, k, k + 1, 1)
        elif ws.moves[k] == SECOND_HALF and k and ws.moves[k - 1] == FIRST_HALF:
            found = note_cell(ws, found, k - 1, k + 1, 1)
    return found


cdef inline Py_ssize_t note_cell(
    Workspace *ws, Py_ssize_t found, Py_ssize_t first, Py_ssize_t last, int cells
) noexcept nogil:
    """Note `cells` equal cells on the intervals first..last-1."""
    cdef double origin = ws.run_times[0]
    cdef float span = <float>((ws.run_times[last] - ws.run_times[first]) / cells)
    cdef float at = <float>(ws.run_times[first] - origin)
    cdef int c
    for c in range(cells):
        ws.spans[found] = span
        ws.middles[found] = at + span * (c + <float>0.5)
        ws.begins[found] = <int>first
        found += 1
    return found


cdef float fit_cells(Workspace *ws, Py_ssize_t count, Py_ssize_t found, int reach) noexcept nogil:
    """Smooth the noted cells into cells[0:count] by local straight lines; return their RMS deviation."""
    cdef Py_ssize_t c, j, low, high, k = 0, until
    cdef float weight, x, y, s0, s1, s2, y0, y1, det, value, guess, squares = 0.0, off
    cdef Py_ssize_t inliers = 0
    for c in range(found):
        low = max(<Py_ssize_t>0, c - reach)
        high = min(found, c + reach + 1)
        guess = ws.cells[ws.begins[c]]
        s0 = s1 = s2 = y0 = y1 = 0.0
        for j in range(low, high):
            y = ws.spans[j]
            if fabsf(y - guess) > OUTLIER * guess:
                continue
            weight = reach + 1 - (c - j if c > j else j - c)
            x = <float>(j - c)
            s0 += weight
            s1 += weight * x
            s2 += weight * x * x
            y0 += weight * y
            y1 += weight * x * y
        value = guess
        det = s0 * s2 - s1 * s1
        if s0 > 0.0:
            value = (s2 * y0 - s1 * y1) / det if det > 8.0 * s0 else y0 / s0
        if not (0.5 * guess < value < 2.0 * guess):
            value = guess
        off = ws.spans[c] / value - 1.0
        if fabsf(off) < OUTLIER:
            squares += off * off
            inliers += 1
        until = ws.begins[c + 1] if c + 1 < found else count
        # costs[] is free between readings: it keeps the fit, so that guesses stay those of the last round
        while k < until:
            ws.costs[k] = value
            k += 1
    if found:
        for k in range(count):
            ws.cells[k] = ws.costs[k]
    return sqrtf(squares / inliers) if inliers else SIGMA_MAX


# ---- intervals + cell times -> bits: the likeliest way from transition to transition

cdef inline float huber(float share) noexcept nogil:
    share = fabsf(share)
    return <float>0.5 * share * share if share < HUBER else HUBER * (share - <float>0.5 * HUBER)


cdef inline void relax(Workspace *ws, Py_ssize_t node, float cost, int move) noexcept nogil:
    if cost < ws.costs[node]:
        ws.costs[node] = cost
        ws.moves[node] = <unsigned char>move


cdef inline float spike_cost(const Workspace *ws, Py_ssize_t transition) noexcept nogil:
    """Two transitions from here on are a spike: the weaker they are, the cheaper."""
    cdef float weight = min(ws.weights[transition], ws.weights[transition + 1])
    return SPIKE_COST_MIN + (SPIKE_COST - SPIKE_COST_MIN) * min(<float>1.0, <float>1.5 * weight)


cdef inline float weak_cost(const Workspace *ws, Py_ssize_t transition) noexcept nogil:
    """A transition is there, but not where it was found: the weaker it is, the cheaper."""
    return WEAK_COST_MIN + WEAK_SLOPE * max(<float>0.0, ws.weights[transition] - WEAK_FROM)


cdef void find_way(Workspace *ws, Py_ssize_t count, float sigma) noexcept nogil:
    """Viterbi over the transitions 0..count: costs and the move that leads to each."""
    cdef const float *d = ws.intervals
    cdef float middle = <float>0.01 + <float>0.4 * sigma  # deviation of a 1's middle transition
    cdef float half = sqrtf(<float>0.25 * sigma * sigma + middle * middle)
    cdef float base = logf(sigma) + LOG_SQRT_TAU + LOG_TWO
    cdef float more = logf(middle) + LOG_SQRT_TAU
    cdef float by_sigma = 1.0 / sigma, by_middle = 1.0 / middle, by_half = 1.0 / half
    cdef float here, t, a, b, c, e, f, two, three
    cdef Py_ssize_t i
    for i in range(count + 1):
        ws.costs[i] = <float>1e30
        ws.moves[i] = NOWHERE
    ws.costs[0] = 0.0
    for i in range(count):
        here = ws.costs[i]
        if here >= 1e30:
            continue
        t = 1.0 / ws.cells[i]
        a = d[i] * t
        relax(ws, i + 1, here + SKIP_COST, SKIP)
        relax(ws, i + 1, here + base + huber((a - 1) * by_sigma), ZERO)
        if a > 1.6:
            relax(ws, i + 1, here + base + LOST_COST + huber((a - 2) * by_sigma * <float>0.7), ZERO_ZERO_LOST)
        if i + 2 > count:
            continue
        b = d[i + 1] * t
        two = a + b
        relax(ws, i + 2, here + base + more + huber((two - 1) * by_sigma)
              + huber((a - b) * <float>0.5 * by_middle), ONE)
        if two > 1.6:
            e = here + base + more + LOST_COST
            relax(ws, i + 2, e + huber((a - <float>0.5) * by_half) + huber((b - <float>1.5) * by_sigma),
                  ONE_ZERO_LOST)
            relax(ws, i + 2, e + huber((a - <float>1.5) * by_sigma) + huber((b - <float>0.5) * by_half),
                  ZERO_ONE_LOST)
            e = here + base + weak_cost(ws, i + 1)
            relax(ws, i + 2, e + huber((two - 2) * by_sigma * <float>0.7), ZERO_ZERO_WEAK)
        if i + 3 > count:
            continue
        c = d[i + 2] * t
        three = two + c
        if three > 1.6:
            e = here + base + more
            relax(ws, i + 3, e + more + LOST_COST + huber((a - <float>0.5) * by_half)
                  + huber((b - 1) * by_sigma) + huber((c - <float>0.5) * by_half), ONE_ONE_LOST)
            relax(ws, i + 3, e + weak_cost(ws, i + 2) + huber((a - <float>0.5) * by_half)
                  + huber((b + c - <float>1.5) * by_sigma), ONE_ZERO_WEAK)
            relax(ws, i + 3, e + weak_cost(ws, i + 1) + huber((two - <float>1.5) * by_sigma)
                  + huber((c - <float>0.5) * by_half), ZERO_ONE_WEAK)
        else:
            relax(ws, i + 3, here + base + spike_cost(ws, i + 1) + huber((three - 1) * by_sigma), ZERO_SPIKE)
        if i + 4 > count:
            continue
        f = d[i + 3] * t
        if three + f > 1.6:
            e = here + base + 2 * more + weak_cost(ws, i + 2)
            relax(ws, i + 4, e + huber((a - <float>0.5) * by_half) + huber((b + c - 1) * by_sigma)
                  + huber((f - <float>0.5) * by_half), ONE_ONE_WEAK)
        else:
            e = here + base + more + huber((three + f - 1) * by_sigma)
            relax(ws, i + 4, e + spike_cost(ws, i + 2) + huber((a - b - c - f) * <float>0.5 * by_middle),
                  ONE_SPIKE_LATE)
            relax(ws, i + 4, e + spike_cost(ws, i + 1) + huber((three - f) * <float>0.5 * by_middle),
                  ONE_SPIKE_EARLY)


# By Move: the intervals a move takes, the cells it gives, and their bits.
cdef int[15] LENGTHS
cdef int[15] CELLS
cdef int[15] FIRST_BITS
cdef int[15] SECOND_BITS
LENGTHS[:] = [1, 1, 2, 3, 4, 4, 1, 2, 2, 3, 2, 3, 3, 4, 1]
CELLS[:] = [0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 0]
FIRST_BITS[:] = [0, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0]
SECOND_BITS[:] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0]


cdef Py_ssize_t walk(
    Workspace *ws, Py_ssize_t count, Reading *reading, unsigned long long *digest
) noexcept nogil:
    """Turn the way to the last transition into bits and noted cells; return the cells, digest the way."""
    cdef Py_ssize_t node = count, steps = 0, found = 0, k
    cdef int move
    cdef int *path = ws.begins + 2 * ws.run_capacity  # there are at most two cells an interval
    while node > 0 and ws.moves[node] != NOWHERE:
        path[steps] = <int>node
        steps += 1
        node -= LENGTHS[ws.moves[node]]
    reading.repairs = 0
    for k in range(steps - 1, -1, -1):
        node = path[k]
        move = ws.moves[node]
        digest[0] = digest[0] * 31 + <unsigned long long>move + 1
        if CELLS[move] == 0:
            continue
        reading.repairs += move > ONE
        ws.bits[found] = <unsigned char>FIRST_BITS[move]
        if CELLS[move] == 2:
            ws.bits[found + 1] = <unsigned char>SECOND_BITS[move]
        found = note_cell(ws, found, node - LENGTHS[move], node, CELLS[move])
    reading.count = found
    return found


cdef Py_ssize_t read_run(
    Workspace *ws, Py_ssize_t count, const Setting *setting, Reading *reading
) noexcept nogil:
    """Read the count transitions in run_times; return the number of bits."""
    cdef Py_ssize_t k, found, intervals = count - 1
    cdef float sigma, least
    cdef int _turn
    cdef unsigned long long path = 0, before
    least = <float>((ws.run_times[count - 1] - ws.run_times[0]) / intervals * 1e-4)
    if not least > 0.0:
        return 0
    for k in range(intervals):
        ws.intervals[k] = max(<float>(ws.run_times[k + 1] - ws.run_times[k]), least)
    found = track_cells(ws, intervals, setting.gain)
    for _turn in range(ROUNDS):
        sigma = fit_cells(ws, intervals, found, setting.reach)
        reading.jitter = sigma
        find_way(ws, intervals, min(max(sigma, SIGMA_MIN), SIGMA_MAX))
        before = path
        path = 0
        found = walk(ws, intervals, reading, &path)
        if path == before:  # nothing would change any more
            break
    if reading.jitter > JITTER_LIMIT:
        reading.count = 0
        return 0
    reading.bits = ws.bits
    reading.start = ws.run_times[0]
    reading.end = ws.run_times[count - 1]
    return reading.count


cdef int attempts(const Workspace *workspace) noexcept nogil:
    return SAMPLE_SETTINGS if workspace.samples else INTERVAL_SETTINGS


cdef Py_ssize_t read(Workspace *workspace, int run, int attempt, Reading *reading) noexcept nogil:
    cdef Py_ssize_t k, count
    cdef const Run *which
    cdef const Setting *setting
    memset(reading, 0, sizeof(Reading))
    if run < 0 or run >= workspace.run_count:
        return ERROR_NO_RUN
    if attempt < 0 or attempt >= attempts(workspace):
        return ERROR_NO_ATTEMPT
    which = &workspace.runs[run]
    setting = &FROM_SAMPLES[attempt] if workspace.samples else &FROM_INTERVALS[attempt]
    # A second look may find more transitions than the first: spikes are pairs, noise is bounded.
    if reserve_run(workspace, min(4 * which.count + 64, <Py_ssize_t>RUN_TRANSITIONS_MAX)) < 0:
        return ERROR_MEMORY
    if setting.detector == COARSE:
        count = min(which.count, <Py_ssize_t>RUN_TRANSITIONS_MAX)
        for k in range(count):
            workspace.run_times[k] = workspace.times[which.first + k]
            if workspace.samples:
                workspace.run_heights[k] = workspace.heights[which.first + k]
    else:
        count = look_again(workspace, which, setting)
    if count < RUN_TRANSITIONS_MIN:
        return 0
    weigh(workspace, count, workspace.samples > 0)
    return read_run(workspace, count, setting, reading)


# ---- clock and data

cdef Py_ssize_t clock_and_data(
    const unsigned char *samples, Py_ssize_t count, unsigned char clock_mask, unsigned char data_mask,
    unsigned char *bits, Py_ssize_t *places, Py_ssize_t capacity,
) noexcept nogil:
    """Write a bit (data low = 1) and its sample for every falling clock edge; return the count."""
    cdef Py_ssize_t k, found = 0
    for k in range(1, count):
        if samples[k - 1] & clock_mask and not samples[k] & clock_mask:
            if found >= capacity:
                break
            bits[found] = 0 if samples[k] & data_mask else 1
            places[found] = k
            found += 1
    return found


# ---- Python

cdef class BitRun:
    cdef readonly double start
    cdef readonly double end
    cdef readonly tuple candidates
    cdef readonly tuple jitters

    def __init__(self, double start, double end, tuple candidates, tuple jitters):
        self.start = start
        self.end = end
        self.candidates = candidates
        self.jitters = jitters


cdef object as_floats(object samples):
    """Return samples as something whose buffer is float32; array and memoryview of floats pass unchanged."""
    try:
        view = memoryview(samples)
        if view.format == "f" and view.contiguous and view.ndim == 1:
            return view
    except TypeError:
        pass
    return memoryview(array("f", samples))


cdef int check(int result) except -1:
    """Raise for a negative result of a load_* function."""
    if result == ERROR_MEMORY:
        raise MemoryError
    if result < 0:
        raise ValueError(
            f"signal out of bounds: at most {SAMPLES_MAX} samples at {RATE_MIN:.0f} to {RATE_MAX:.0f} Hz, "
            f"at most {TRANSITIONS_MAX - 1} intervals"
        )
    return result


cdef int load_buffer(Workspace *workspace, object samples, double rate) except -1:
    cdef const float[::1] view = as_floats(samples)
    cdef const float *first = NULL
    cdef Py_ssize_t count = view.shape[0]
    cdef int result
    if count:
        first = &view[0]
    with nogil:
        result = load_samples(workspace, first, count, rate)
    return check(result)


cdef list readings(Workspace *workspace, int candidates):
    """Return a BitRun for every loaded run, with at most `candidates` different readings."""
    cdef Reading reading
    cdef int run, attempt
    cdef Py_ssize_t count
    found = []
    for run in range(workspace.run_count):
        bits = []
        jitters = []
        for attempt in range(attempts(workspace)):
            with nogil:
                count = read(workspace, run, attempt, &reading)
            if count == ERROR_MEMORY:
                raise MemoryError
            if count > 0:
                candidate = (<const char *>reading.bits)[:count]
                if candidate not in bits:
                    bits.append(candidate)
                    jitters.append(reading.jitter)
            if len(bits) >= candidates:
                break
        if bits:
            which = workspace.runs[run]
            found.append(BitRun(which.start, which.end, tuple(bits), tuple(jitters)))
    return found


def swipes(samples, double sample_rate, *, int candidates=CANDIDATES_MAX):
    cdef Workspace workspace
    workspace_init(&workspace)
    try:
        load_buffer(&workspace, samples, sample_rate)
        return readings(&workspace, candidates)
    finally:
        workspace_free(&workspace)


def transitions(samples, double sample_rate):
    cdef Workspace workspace
    cdef Py_ssize_t k
    workspace_init(&workspace)
    try:
        load_buffer(&workspace, samples, sample_rate)
        return [
            (workspace.times[k], 1 if workspace.heights[k] > 0 else -1) for k in range(workspace.transitions)
        ]
    finally:
        workspace_free(&workspace)


def bits_from_intervals(intervals, *, int candidates=CANDIDATES_MAX):
    cdef Workspace workspace
    cdef double[::1] view = array("d", intervals)
    cdef const double *first = NULL
    cdef Py_ssize_t count = view.shape[0]
    cdef int result
    if count:
        first = &view[0]
    workspace_init(&workspace)
    try:
        with nogil:
            result = load_intervals(&workspace, first, count)
        check(result)
        return readings(&workspace, candidates)
    finally:
        workspace_free(&workspace)


def clock_and_data_frames(
    samples, double sample_rate, int clock_mask, int data_mask, double pause=FRAME_PAUSE
):
    cdef const unsigned char[::1] view = samples
    cdef Py_ssize_t count = view.shape[0], found, k, first = 0
    cdef const unsigned char *start = NULL
    cdef Py_ssize_t *places = NULL
    if not sample_rate > 0.0 or not pause > 0.0:
        raise ValueError("sample_rate and pause must be positive")
    if not 0 < clock_mask < 256 or not 0 < data_mask < 256:
        raise ValueError("clock_mask and data_mask must select a line of the byte")
    if count:
        start = &view[0]
    bits = bytearray(FRAME_BITS_MAX)
    cdef unsigned char[::1] into = bits
    places = <Py_ssize_t *>malloc(FRAME_BITS_MAX * sizeof(Py_ssize_t))
    if places == NULL:
        raise MemoryError
    try:
        with nogil:
            found = clock_and_data(
                start, count, <unsigned char>clock_mask, <unsigned char>data_mask,
                &into[0], places, FRAME_BITS_MAX,
            )
        frames = []
        for k in range(1, found + 1):
            if k == found or (places[k] - places[k - 1]) > pause * sample_rate:
                begin = places[first] / sample_rate
                end = places[k - 1] / sample_rate
                frames.append(BitRun(begin, end, (bytes(bits[first:k]),), (0.0,)))
                first = k
        return frames
    finally:
        free(places)
