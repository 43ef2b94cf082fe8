"""Audio samples or flux times -> bits: F2F (Aiken biphase, ISO/IEC 7811-2) at hand speed."""

from array import array

from libc.math cimport fabs, fabsf, sqrtf
from libc.stdlib cimport free, malloc
from libc.string cimport memmove, memset

from swipegate.core cimport transitions as signals
from swipegate.core.transitions cimport (
    COARSE, EDGES, LEVELS, PEAKS, RUN_TRANSITIONS_MAX, RUN_TRANSITIONS_MIN, SWIFT, Detector, check, grow,
    load_buffer, look_again, source_free)

from swipegate.core.transitions import RATE_MAX, RATE_MIN, transitions  # no-cython-lint

# ---- bounds

cdef enum:
    FRAME_BITS_MAX = 65_536         # of one clock-and-data capture

# ---- attempts

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

# ---- regular runs

cdef enum:
    REGULAR_FROM = 24             # transitions in which the clocking zeros must begin
    REGULAR_ALIKES = 4
    REGULAR_TAIL = 12             # transitions of noise that may follow the last cell
cdef double REGULAR_ALIKE = 0.2   # share by which neighbours among them differ at most
cdef float LONGEST_HALF = 0.75    # share of a cell from which an interval is a whole one
cdef float REGULAR_OFF = 0.3      # share of a cell that it, or its middle, may be off the one before
cdef float REGULAR_GAIN = 0.4     # how fast the cell estimate follows
cdef float REGULAR_JITTER = 0.06  # most, share of a cell

# ---- cells

cdef enum:
    BEAM = 10                     # survivors an interval
    NOISE_PARENTS = 2             # only so many of the best survivors may pass over an interval
    ROUNDS = 3                    # of fitting the cell times and reading again
    DETOUR = 24                   # moves that a way which doubts a bit may differ in

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
    MOVES

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
cdef float SURE = 16.0            # nats by which the other bit is dearer, from which there is no doubt
cdef unsigned char REPAIR_DOUBT = 64  # least of a bit that took a spike, lost or skipped transition to read
cdef float DOUBT_ODDS = 0.022     # log odds a step of doubt, as swipes with 12 % of jitter show it
# Parity and LRC pass two pairs of swapped bits in one column: irregular runs where that is likely have no
# reading.
cdef float SHAKY_JITTER = 0.09
cdef float WRONG_MOST = 4.5       # bits
cdef float LOG_SQRT_TAU = 0.9189385
cdef float LOG_TWO = 0.6931472


cdef extern from "math.h" nogil:
    float expf(float)
    float logf(float)


CANDIDATES_MAX = 1 + SAMPLE_SETTINGS
JITTER_MAX = JITTER_LIMIT
FRAME_PAUSE = 0.010  # seconds; a clock-and-data bit takes 0.2 to 2 ms


# ---- memory

cdef void workspace_init(Workspace *workspace) noexcept nogil:
    memset(workspace, 0, sizeof(Workspace))


cdef void workspace_free(Workspace *workspace) noexcept nogil:
    source_free(&workspace.source)
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
    free(workspace.doubts)
    free(workspace.bounds)
    free(workspace.ahead)
    free(workspace.onward)
    free(workspace.ordinals)
    workspace_init(workspace)


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
            or grow(<void **>&ws.bits, 2 * n, 1) < 0
            or grow(<void **>&ws.doubts, 2 * n, 1) < 0
            or grow(<void **>&ws.bounds, 2 * n, sizeof(double)) < 0
            or grow(<void **>&ws.ahead, n, sizeof(float)) < 0
            or grow(<void **>&ws.onward, n, 1) < 0
            or grow(<void **>&ws.ordinals, n, sizeof(int)) < 0):
        return ERROR_MEMORY
    ws.run_capacity = n
    return 0


# ---- transitions

cdef int take(Workspace *workspace, int runs) noexcept nogil:
    """Note the runs that the source found, or none after an error; return what the source did."""
    workspace.runs = workspace.source.runs
    workspace.run_count = max(runs, 0)
    return runs


cdef int load_samples(
    Workspace *workspace, const float *samples, Py_ssize_t count, double rate
) noexcept nogil:
    return take(workspace, signals.load_samples(&workspace.source, samples, count, rate))


cdef int load_pcm16(
    Workspace *workspace, const unsigned char *pcm, Py_ssize_t count, double rate
) noexcept nogil:
    return take(workspace, signals.load_pcm16(&workspace.source, pcm, count, rate))


cdef int load_intervals(Workspace *workspace, const double *intervals, Py_ssize_t count) noexcept nogil:
    return take(workspace, signals.load_intervals(&workspace.source, intervals, count))


cdef int load_intervals_ns(
    Workspace *workspace, const unsigned int *intervals, Py_ssize_t count
) noexcept nogil:
    return take(workspace, signals.load_intervals_ns(&workspace.source, intervals, count))


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


cdef inline float spike_cost(const Workspace *ws, Py_ssize_t transition) noexcept nogil:
    """Two transitions from here on are a spike: the weaker they are, the cheaper."""
    cdef float weight = min(ws.weights[transition], ws.weights[transition + 1])
    return SPIKE_COST_MIN + (SPIKE_COST - SPIKE_COST_MIN) * min(<float>1.0, <float>1.5 * weight)


cdef inline float weak_cost(const Workspace *ws, Py_ssize_t transition) noexcept nogil:
    """A transition is there, but not where it was found: the weaker it is, the cheaper."""
    return WEAK_COST_MIN + WEAK_SLOPE * max(<float>0.0, ws.weights[transition] - WEAK_FROM)


cdef struct Prices:    # of deviations, for one jitter
    float by_sigma     # 1 / standard deviation of a cell, share of a cell
    float by_half      # of half a cell
    float by_middle    # of a 1's middle transition
    float base         # what a cell costs that is where it is expected
    float more         # and a middle transition


cdef Prices prices_for(float sigma) noexcept nogil:
    cdef Prices prices
    cdef float middle = <float>0.01 + <float>0.4 * sigma
    prices.by_sigma = 1.0 / sigma
    prices.by_middle = 1.0 / middle
    prices.by_half = 1.0 / sqrtf(<float>0.25 * sigma * sigma + middle * middle)
    prices.base = logf(sigma) + LOG_SQRT_TAU + LOG_TWO
    prices.more = logf(middle) + LOG_SQRT_TAU
    return prices


cdef int price_moves(
    const Workspace *ws, Py_ssize_t i, Py_ssize_t count, const Prices *by, int *moves, float *costs
) noexcept nogil:
    """Write the moves that are open at transition i and what each costs; return how many."""
    cdef const float *d = ws.intervals + i
    cdef Py_ssize_t left = count - i
    cdef float t = 1.0 / ws.cells[i], a = d[0] * t, b, c, e, f, two, three
    cdef int n = 2
    moves[0] = ZERO
    costs[0] = by.base + huber((a - 1) * by.by_sigma)
    moves[1] = SKIP
    costs[1] = SKIP_COST
    if a > 1.6:
        moves[n] = ZERO_ZERO_LOST
        costs[n] = by.base + LOST_COST + huber((a - 2) * by.by_sigma * <float>0.7)
        n += 1
    if left < 2:
        return n
    b = d[1] * t
    two = a + b
    moves[n] = ONE
    costs[n] = by.base + by.more + huber((two - 1) * by.by_sigma) + huber((a - b) * <float>0.5 * by.by_middle)
    n += 1
    if two > 1.6:
        e = by.base + by.more + LOST_COST
        moves[n] = ONE_ZERO_LOST
        costs[n] = e + huber((a - <float>0.5) * by.by_half) + huber((b - <float>1.5) * by.by_sigma)
        moves[n + 1] = ZERO_ONE_LOST
        costs[n + 1] = e + huber((a - <float>1.5) * by.by_sigma) + huber((b - <float>0.5) * by.by_half)
        moves[n + 2] = ZERO_ZERO_WEAK
        costs[n + 2] = by.base + weak_cost(ws, i + 1) + huber((two - 2) * by.by_sigma * <float>0.7)
        n += 3
    if left < 3:
        return n
    c = d[2] * t
    three = two + c
    if three > 1.6:
        e = by.base + by.more
        moves[n] = ONE_ONE_LOST
        costs[n] = (e + by.more + LOST_COST + huber((a - <float>0.5) * by.by_half)
                    + huber((b - 1) * by.by_sigma) + huber((c - <float>0.5) * by.by_half))
        moves[n + 1] = ONE_ZERO_WEAK
        costs[n + 1] = (e + weak_cost(ws, i + 2) + huber((a - <float>0.5) * by.by_half)
                        + huber((b + c - <float>1.5) * by.by_sigma))
        moves[n + 2] = ZERO_ONE_WEAK
        costs[n + 2] = (e + weak_cost(ws, i + 1) + huber((two - <float>1.5) * by.by_sigma)
                        + huber((c - <float>0.5) * by.by_half))
        n += 3
    else:
        moves[n] = ZERO_SPIKE
        costs[n] = by.base + spike_cost(ws, i + 1) + huber((three - 1) * by.by_sigma)
        n += 1
    if left < 4:
        return n
    f = d[3] * t
    if three + f > 1.6:
        moves[n] = ONE_ONE_WEAK
        costs[n] = (by.base + 2 * by.more + weak_cost(ws, i + 2) + huber((a - <float>0.5) * by.by_half)
                    + huber((b + c - 1) * by.by_sigma) + huber((f - <float>0.5) * by.by_half))
        return n + 1
    e = by.base + by.more + huber((three + f - 1) * by.by_sigma)
    moves[n] = ONE_SPIKE_LATE
    costs[n] = e + spike_cost(ws, i + 2) + huber((a - b - c - f) * <float>0.5 * by.by_middle)
    moves[n + 1] = ONE_SPIKE_EARLY
    costs[n + 1] = e + spike_cost(ws, i + 1) + huber((three - f) * <float>0.5 * by.by_middle)
    return n + 2


cdef void find_way(Workspace *ws, Py_ssize_t count, const Prices *prices) noexcept nogil:
    """Viterbi over the transitions 0..count: costs and the move that leads to each."""
    cdef int[MOVES] moves
    cdef float[MOVES] costs
    cdef Py_ssize_t i, node
    cdef int m, n
    cdef float cost
    for i in range(count + 1):
        ws.costs[i] = <float>1e30
        ws.moves[i] = NOWHERE
    ws.costs[0] = 0.0
    for i in range(count):
        if ws.costs[i] >= <float>1e30:
            continue
        n = price_moves(ws, i, count, prices, moves, costs)
        for m in range(n):
            cost = ws.costs[i] + costs[m]
            node = i + LENGTHS[moves[m]]
            if cost < ws.costs[node]:
                ws.costs[node] = cost
                ws.moves[node] = <unsigned char>moves[m]


# By Move: the intervals a move takes, the cells it gives, and their bits.
cdef int[MOVES] LENGTHS
cdef int[MOVES] CELLS
cdef int[MOVES] FIRST_BITS
cdef int[MOVES] SECOND_BITS
LENGTHS[:] = [1, 1, 2, 3, 4, 4, 1, 2, 2, 3, 2, 3, 3, 4, 1]
CELLS[:] = [0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 0]
FIRST_BITS[:] = [0, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0]
SECOND_BITS[:] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0]


cdef Py_ssize_t walk(
    Workspace *ws, Py_ssize_t count, Reading *reading, unsigned long long *digest
) noexcept nogil:
    """Turn the way to the last transition into bits and noted cells; return the cells, digest the way."""
    cdef Py_ssize_t node = count, steps = 0, found = 0, k
    cdef int move, c
    cdef double step, end = ws.run_times[0]
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
        end = ws.run_times[node]
        step = (end - ws.run_times[node - LENGTHS[move]]) / CELLS[move]
        for c in range(CELLS[move]):
            ws.bounds[found + c] = end - step * (CELLS[move] - c)
        found = note_cell(ws, found, node - LENGTHS[move], node, CELLS[move])
    ws.bounds[found] = end
    reading.count = found
    return found


# ---- how sure each bit is: the cheapest way that gives it another value

cdef inline unsigned char doubt_of(float dearer) noexcept nogil:
    """Scale the cost, in nats, by which the other value is dearer."""
    return <unsigned char>(<float>255.0 * max(<float>0.0, <float>1.0 - max(dearer, <float>0.0) / SURE))


cdef inline void doubt(Workspace *ws, Py_ssize_t cell, unsigned char value) noexcept nogil:
    if 0 <= cell < ws.cell_count and ws.doubts[cell] < value:
        ws.doubts[cell] = value


cdef void number_cells(Workspace *ws, Py_ssize_t count, Py_ssize_t found) noexcept nogil:
    """ordinals[k]: how many cells of the best way end before transition k, -1 off it; doubt its repairs."""
    cdef Py_ssize_t node = count, k
    cdef int move
    ws.cell_count = found
    memset(ws.doubts, 0, <size_t>found)
    for k in range(count + 1):
        ws.ordinals[k] = -1
    while True:
        ws.ordinals[node] = <int>found
        move = ws.moves[node]
        if node <= 0 or move == NOWHERE:
            return
        if move == SKIP:
            doubt(ws, found - 1, REPAIR_DOUBT)
            doubt(ws, found, REPAIR_DOUBT)
        elif move > ONE:
            for k in range(CELLS[move]):
                doubt(ws, found - 1 - k, REPAIR_DOUBT)
        found -= CELLS[move]
        node -= LENGTHS[move]


cdef inline int add_bits(unsigned char *bits, int count, int move) noexcept nogil:
    if CELLS[move]:
        bits[count] = <unsigned char>FIRST_BITS[move]
    if CELLS[move] == 2:
        bits[count + 1] = <unsigned char>SECOND_BITS[move]
    return count + CELLS[move]


cdef void doubt_detour(Workspace *ws, Py_ssize_t start, int move, unsigned char value) noexcept nogil:
    """Follow the cheapest way that leaves the best one by this move until both meet; doubt what differs."""
    cdef unsigned char[2 * DETOUR + 2] bits
    cdef int steps = 0, count = add_bits(bits, 0, move), most, same_first = 0, same_last = 0, k
    cdef Py_ssize_t node = start + LENGTHS[move], first = ws.ordinals[start], last, cell, length
    while ws.ordinals[node] < 0:
        if steps == DETOUR:
            return
        steps += 1
        count = add_bits(bits, count, ws.onward[node])
        node += LENGTHS[ws.onward[node]]
    length = ws.ordinals[node] - first
    most = <int>min(<Py_ssize_t>count, length)
    if count == length:
        for k in range(count):
            if bits[k] != ws.bits[first + k]:
                doubt(ws, first + k, value)
        return
    while same_first < most and bits[same_first] == ws.bits[first + same_first]:
        same_first += 1
    while same_last < most and bits[count - 1 - same_last] == ws.bits[first + length - 1 - same_last]:
        same_last += 1
    # a cell more or less, somewhere between: its neighbours are doubtful too
    first += min(same_first, <int>length - same_last) - 1
    last = first + abs(same_first - <int>length + same_last) + 1
    for cell in range(first, last + 1):
        doubt(ws, cell, value)


cdef void doubt_bits(Workspace *ws, Py_ssize_t count, const Prices *prices) noexcept nogil:
    """Fill doubts: a second Viterbi, from the end, gives the cheapest end for every move off the best way."""
    cdef int[MOVES] moves
    cdef float[MOVES] costs
    cdef Py_ssize_t i, node
    cdef int m, n
    cdef float cost, dearer, best = ws.costs[count]
    number_cells(ws, count, ws.cell_count)
    ws.ahead[count] = 0.0
    for i in range(count - 1, -1, -1):
        n = price_moves(ws, i, count, prices, moves, costs)
        ws.ahead[i] = <float>1e30
        for m in range(n):
            cost = costs[m] + ws.ahead[i + LENGTHS[moves[m]]]
            if cost < ws.ahead[i]:
                ws.ahead[i] = cost
                ws.onward[i] = <unsigned char>moves[m]
        if ws.ordinals[i] < 0:
            continue
        for m in range(n):
            node = i + LENGTHS[moves[m]]
            dearer = ws.costs[i] + costs[m] + ws.ahead[node] - best
            if dearer < SURE and not (ws.ordinals[node] >= 0 and ws.moves[node] == moves[m]):
                doubt_detour(ws, i, moves[m], doubt_of(dearer))


cdef float wrong_bits(const unsigned char *doubts, Py_ssize_t count) noexcept nogil:
    """Return how many bits are expected to be wrong."""
    cdef Py_ssize_t k
    cdef float total = 0.0
    for k in range(count):
        if doubts[k] >= 128:
            total += <float>1.0 / (<float>1.0 + expf((255 - doubts[k]) * DOUBT_ODDS))
    return total


# ---- regular runs, in one pass

cdef Py_ssize_t first_regular(const double *times, Py_ssize_t count) noexcept nogil:
    """Return the first of the clocking zeros (ISO/IEC 7811-2), -1 where the run does not begin with any."""
    cdef Py_ssize_t k, alike = 0
    cdef double now, before = times[1] - times[0]
    for k in range(1, min(count - 1, <Py_ssize_t>REGULAR_FROM)):
        now = times[k + 1] - times[k]
        alike = alike + 1 if fabs(now - before) < REGULAR_ALIKE * before else 0
        if alike == REGULAR_ALIKES:
            return k - alike
        before = now
    return -1


cdef float second_differences(const float *spans, Py_ssize_t count) noexcept nogil:
    """Return the RMS deviation of cells from a steady change of speed, as a share of a cell."""
    cdef Py_ssize_t k
    cdef float off, squares = 0.0
    for k in range(1, count - 1):
        off = (spans[k - 1] + spans[k + 1]) / spans[k] - <float>2.0
        squares += off * off
    return sqrtf(squares / <float>(6 * (count - 2)))  # each holds three cells: 1 + 4 + 1 variances


cdef Py_ssize_t read_regular(
    Workspace *ws, const double *times, Py_ssize_t count, Reading *reading
) noexcept nogil:
    """Read transitions whose cells leave no doubt, halves far from wholes; 0 where any does."""
    cdef Py_ssize_t k = first_regular(times, count), last = count - 1, found = 0
    cdef float whole, half, margin, by_variance, cell
    cdef int bit
    if k < 0:
        return 0
    cell = <float>(times[k + 1] - times[k])
    while k < last:
        whole = <float>(times[k + 1] - times[k])
        bit = whole < LONGEST_HALF * cell
        margin = whole - LONGEST_HALF * cell
        if bit:
            if k + 2 > last:
                break
            half = whole
            whole = <float>(times[k + 2] - times[k])
            margin = LONGEST_HALF * cell - max(half, whole - half)
            if not fabsf(half + half - whole) < REGULAR_OFF * cell:
                break
        if not fabsf(whole - cell) < REGULAR_OFF * cell:
            break
        ws.bits[found] = <unsigned char>bit
        ws.bounds[found] = times[k]
        ws.spans[found] = whole
        ws.middles[found] = margin / cell
        cell += REGULAR_GAIN * (whole - cell)
        found += 1
        k += 1 + bit
    if last - k > REGULAR_TAIL or found < RUN_TRANSITIONS_MIN:
        return 0
    ws.bounds[found] = times[k]
    reading.jitter = second_differences(ws.spans, found)
    if not reading.jitter < REGULAR_JITTER:
        return 0
    # a half is an interval of mean 1/2, a whole of 1: their log likelihoods differ by this
    by_variance = <float>0.5 / (max(reading.jitter, SIGMA_MIN) * max(reading.jitter, SIGMA_MIN))
    for k in range(found):
        ws.doubts[k] = doubt_of(ws.middles[k] * by_variance)
    reading.bits = ws.bits
    reading.doubts = ws.doubts
    reading.bounds = ws.bounds
    reading.count = found
    reading.start = ws.bounds[0]
    reading.end = ws.bounds[found]
    return found


# ---- any run

cdef Py_ssize_t read_run(
    Workspace *ws, Py_ssize_t count, const Setting *setting, Reading *reading
) noexcept nogil:
    """Read the count transitions in run_times; return the number of bits."""
    cdef Py_ssize_t k, found, intervals = count - 1
    cdef float sigma, least
    cdef Prices prices
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
        prices = prices_for(min(max(sigma, SIGMA_MIN), SIGMA_MAX))
        find_way(ws, intervals, &prices)
        before = path
        path = 0
        found = walk(ws, intervals, reading, &path)
        if path == before:  # nothing would change any more
            break
    if reading.jitter > JITTER_LIMIT:
        reading.count = 0
        return 0
    ws.cell_count = found
    doubt_bits(ws, intervals, &prices)
    if reading.jitter > SHAKY_JITTER and wrong_bits(ws.doubts, found) > WRONG_MOST:
        reading.count = 0
        return 0
    reading.bits = ws.bits
    reading.doubts = ws.doubts
    reading.bounds = ws.bounds
    reading.start = ws.run_times[0]
    reading.end = ws.run_times[count - 1]
    return reading.count


cdef int attempts(const Workspace *workspace) noexcept nogil:
    return 1 + (SAMPLE_SETTINGS if workspace.source.samples else INTERVAL_SETTINGS)


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
    # A second look may find more transitions than the first: spikes are pairs, noise is bounded.
    if reserve_run(workspace, min(4 * which.count + 64, <Py_ssize_t>RUN_TRANSITIONS_MAX)) < 0:
        return ERROR_MEMORY
    count = min(which.count, <Py_ssize_t>RUN_TRANSITIONS_MAX)
    if attempt == 0:
        return read_regular(workspace, workspace.source.times + which.first, count, reading)
    attempt -= 1
    setting = &FROM_SAMPLES[attempt] if workspace.source.samples else &FROM_INTERVALS[attempt]
    if setting.detector == COARSE:
        for k in range(count):
            workspace.run_times[k] = workspace.source.times[which.first + k]
            if workspace.source.samples:
                workspace.run_heights[k] = workspace.source.heights[which.first + k]
    else:
        count = look_again(
            &workspace.source, run, setting.detector, setting.smooth, setting.swing, workspace.run_times,
            workspace.run_heights, workspace.run_capacity,
        )
    if count < RUN_TRANSITIONS_MIN:
        return min(count, <Py_ssize_t>0)
    weigh(workspace, count, workspace.source.samples > 0)
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
    cdef readonly tuple times
    cdef readonly tuple doubts

    def __init__(self, double start, double end, tuple candidates, tuple jitters, tuple times, tuple doubts):
        self.start = start
        self.end = end
        self.candidates = candidates
        self.jitters = jitters
        self.times = times
        self.doubts = doubts


cdef object doubles(const double *values, Py_ssize_t count):
    """Return a copy as an array."""
    return array("d", (<const char *>values)[:count * sizeof(double)])


cdef list readings(Workspace *workspace, int candidates):
    """Return a BitRun for every loaded run, with at most `candidates` different readings."""
    cdef Reading reading
    cdef int run, attempt
    cdef Py_ssize_t count
    found = []
    for run in range(workspace.run_count):
        bits = []
        jitters = []
        times = []
        doubts = []
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
                    times.append(doubles(reading.bounds, count + 1))
                    doubts.append((<const char *>reading.doubts)[:count])
            if len(bits) >= candidates:
                break
        if bits:
            which = workspace.runs[run]
            found.append(BitRun(
                which.start, which.end, tuple(bits), tuple(jitters), tuple(times), tuple(doubts)
            ))
    return found


def swipes(samples, double sample_rate, *, int candidates=CANDIDATES_MAX):
    cdef Workspace workspace
    workspace_init(&workspace)
    try:
        take(&workspace, load_buffer(&workspace.source, samples, sample_rate))
        return readings(&workspace, candidates)
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
    cdef double begin, end
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
                times = array("d", [places[index] / sample_rate for index in range(first, k)])
                # the last bit is as long as the one before
                times.append(end + (end - times[k - first - 2] if k - first > 1 else 0.0))
                frame = bytes(bits[first:k])
                doubts = bytes(
                    255 if (view[places[index] - 1] ^ view[places[index]]) & data_mask else 0
                    for index in range(first, k)
                )
                frames.append(BitRun(begin, end, (frame,), (0.0,), (times,), (doubts,)))
                first = k
        return frames
    finally:
        free(places)
