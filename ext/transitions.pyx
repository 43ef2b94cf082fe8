"""Audio samples or flux times -> flux transitions, and the runs they form."""

from array import array

from libc.math cimport fabs, fabsf, isfinite
from libc.stdlib cimport free, realloc
from libc.string cimport memset

cdef double LEAST_RATE = 8_000.0    # Hz
cdef double MOST_RATE = 1_000_000.0
cdef double INTERVAL_MAX = 1e9      # seconds, or whatever unit the caller counts in

# ---- peaks

cdef double BLOCK_SECONDS = 0.002
cdef double COARSE_SMOOTH_SECONDS = 15e-6   # half width; below half a pulse of the fastest swipe
cdef double COARSE_BASELINE_SECONDS = 0.0125  # half width; four cells of a slow swipe
cdef double SWIFT_BASELINE_SECONDS = 0.0025
cdef float PLATEAU = 0.002                   # of the swing: a clipped peak's values differ by no more
cdef float COARSE_SWING = 0.35               # needed reversal, share of the local peak-to-peak
cdef double FLOOR_SHARE = 0.05              # of the strong blocks' peak-to-peak: quieter blocks hold no flux
cdef enum:
    PAD = 16                                # copies of the outermost samples, more than any smoothing
    STRONG_BLOCKS = 25                      # 0.05 s, as long as a thump; the shortest swipe takes 0.1 s
cdef float NOISE_SHARE = 1.6                 # of the quietest blocks' peak-to-peak, when that is little
cdef float NOISE_MOST = 0.18                # of the strong blocks'
cdef double PAUSE_SECONDS = 0.030           # five of the slowest cells (5.7 ms)
cdef double PAUSE_SHARE = 12.0              # of the intervals around: an abrupt stop
cdef enum:
    # A run longer than a swipe is searched for what may be F2F. Of 128 pairs of neighbours noise has at most
    # 74 regular ones in 900 windows, a swipe with a jitter of 12 % of a cell 82 at least in its best window.
    WINDOW = 64
    REGULAR_LEAST = 80
cdef double EQUAL_MOST = 1.2
cdef double DOUBLE_LEAST = 1.65
cdef double DOUBLE_MOST = 2.35
cdef enum:
    ROUGH_REACH = 5                         # transitions on either side that give a block's rough interval


RATE_MIN = LEAST_RATE
RATE_MAX = MOST_RATE


# ---- memory

cdef int grow(void **pointer, Py_ssize_t capacity, size_t size) noexcept nogil:
    cdef void *fresh = realloc(pointer[0], <size_t>capacity * size)
    if fresh == NULL:
        return ERROR_MEMORY
    pointer[0] = fresh
    return 0


cdef void source_init(Source *source) noexcept nogil:
    memset(source, 0, sizeof(Source))


cdef void source_free(Source *source) noexcept nogil:
    free(source.loaded)
    free(source.sums)
    free(source.signal)
    free(source.prefix)
    free(source.low)
    free(source.high)
    free(source.swing)
    free(source.rough)
    free(source.times)
    free(source.heights)
    source_init(source)


cdef int reserve_samples(Source *source, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t need = count + 2 * PAD
    if need > source.signal_capacity:
        if (grow(<void **>&source.loaded, need, sizeof(float)) < 0
                or grow(<void **>&source.signal, need, sizeof(float)) < 0):
            return ERROR_MEMORY
        source.signal_capacity = need
    need = count // source.block + 2
    if need > source.block_capacity:
        if (grow(<void **>&source.sums, need, sizeof(double)) < 0
                or grow(<void **>&source.low, need, sizeof(float)) < 0
                or grow(<void **>&source.high, need, sizeof(float)) < 0
                or grow(<void **>&source.swing, need, sizeof(float)) < 0
                or grow(<void **>&source.rough, need, sizeof(float)) < 0):
            return ERROR_MEMORY
        source.block_capacity = need
    return 0


cdef int reserve_transitions(Source *source, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t need = count + 1
    if need > source.transition_capacity:
        if (grow(<void **>&source.times, need, sizeof(double)) < 0
                or grow(<void **>&source.heights, need, sizeof(float)) < 0):
            return ERROR_MEMORY
        source.transition_capacity = need
    return 0


# ---- samples -> transitions

cdef int sum_up(Source *source) noexcept nogil:
    """Fill prefix, unless it is; an error, or 0."""
    cdef Py_ssize_t k
    cdef double total = 0.0
    if source.summed:
        return 0
    if source.samples >= source.prefix_capacity:
        if grow(<void **>&source.prefix, source.samples + 1, sizeof(double)) < 0:
            return ERROR_MEMORY
        source.prefix_capacity = source.samples + 1
    source.prefix[0] = 0.0
    for k in range(source.samples):
        total += source.loaded[PAD + k]
        source.prefix[k + 1] = total
    source.summed = True
    return 0


cdef void sum_blocks(Source *source) noexcept nogil:
    """sums[b] = sum of the samples before block b."""
    cdef const float *block
    cdef Py_ssize_t b, k, size
    cdef float one, two, three, four  # apart, so that one addition need not wait for another
    cdef double total = 0.0
    for b in range(source.blocks):
        block = source.loaded + PAD + b * source.block
        size = min(source.block, source.samples - b * source.block)
        one = two = three = four = 0.0
        for k in range(0, size - 3, 4):
            one += block[k]
            two += block[k + 1]
            three += block[k + 2]
            four += block[k + 3]
        for k in range(size & ~3, size):
            one += block[k]
        source.sums[b] = total
        total += (<double>one + two) + (<double>three + four)
    source.sums[source.blocks] = total


cdef inline float baseline_at(const Source *source, Py_ssize_t b, Py_ssize_t reach) noexcept nogil:
    """Return the mean of the `reach` blocks on either side of the edge before block b."""
    cdef Py_ssize_t low = max(<Py_ssize_t>0, b - reach), high = min(source.blocks, b + reach)
    cdef Py_ssize_t count = min(high * source.block, source.samples) - low * source.block
    return <float>((source.sums[high] - source.sums[low]) / count) if count > 0 else <float>0.0


cdef void flatten_block(
    Source *source, Py_ssize_t b, Py_ssize_t smooth, float before, float after
) noexcept nogil:
    """signal = mean over +-smooth samples less a baseline that runs straight from before to after."""
    cdef const float *loaded = source.loaded + PAD + b * source.block
    cdef float *out = source.signal + b * source.block
    cdef int k, tap, size = <int>min(source.block, source.samples - b * source.block)
    cdef float scale = <float>1.0 / (2 * smooth + 1), step = (after - before) / source.block
    if smooth == 1:
        for k in range(size):
            out[k] = (loaded[k - 1] + loaded[k] + loaded[k + 1]) * scale - (before + step * k)
        return
    for k in range(size):
        out[k] = loaded[k]
    for tap in range(1, <int>smooth + 1):
        for k in range(size):
            out[k] += loaded[k - tap] + loaded[k + tap]
    for k in range(size):
        out[k] = out[k] * scale - (before + step * k)


cdef void flatten_all(Source *source) noexcept nogil:
    """Fill signal by fixed windows; the baseline is taken at the edges of blocks."""
    cdef Py_ssize_t b, smooth = <Py_ssize_t>(source.rate * COARSE_SMOOTH_SECONDS + 0.5)
    cdef Py_ssize_t reach = <Py_ssize_t>(COARSE_BASELINE_SECONDS / BLOCK_SECONDS + 0.5)
    cdef float before, after
    sum_blocks(source)
    after = baseline_at(source, 0, reach)
    for b in range(source.blocks):
        before = after
        after = baseline_at(source, b + 1, reach)
        flatten_block(source, b, smooth, before, after)
        measure_block(source, b)


cdef inline float window_mean(
    const double *prefix, Py_ssize_t count, Py_ssize_t low, Py_ssize_t high
) noexcept nogil:
    if low < 0:
        low = 0
    if high > count:
        high = count
    return <float>((prefix[high] - prefix[low]) / (high - low)) if high > low else 0.0


cdef void flatten(
    Source *source, Py_ssize_t low, Py_ssize_t high, Py_ssize_t smooth, Py_ssize_t baseline
) noexcept nogil:
    """signal[low:high] = mean over +-smooth samples less the mean over +-baseline samples."""
    cdef const double *prefix = source.prefix
    cdef float *out = source.signal
    cdef Py_ssize_t k, count = source.samples
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


cdef void slope(Source *source, Py_ssize_t low, Py_ssize_t high, Py_ssize_t width) noexcept nogil:
    """signal[low:high] = mean of the next width samples less that of the last."""
    cdef Py_ssize_t k
    for k in range(low, high):
        source.signal[k] = (window_mean(source.prefix, source.samples, k, k + width)
                            - window_mean(source.prefix, source.samples, k - width, k))


cdef void measure_block(Source *source, Py_ssize_t b) noexcept nogil:
    """Note the block's least and greatest value."""
    cdef const float *block = source.signal + b * source.block
    cdef Py_ssize_t k, size = min(source.block, source.samples - b * source.block)
    cdef float least = block[0], most = block[0], least2 = block[0], most2 = block[0]
    for k in range(0, size - 1, 2):
        least = block[k] if block[k] < least else least
        most = block[k] if block[k] > most else most
        least2 = block[k + 1] if block[k + 1] < least2 else least2
        most2 = block[k + 1] if block[k + 1] > most2 else most2
    least = block[size - 1] if block[size - 1] < least else least
    most = block[size - 1] if block[size - 1] > most else most
    source.low[b] = min(least, least2)
    source.high[b] = max(most, most2)


cdef inline float peak_to_peak(const Source *source, Py_ssize_t b, Py_ssize_t reach) noexcept nogil:
    cdef Py_ssize_t k, low = max(0, b - reach), high = min(source.blocks, b + reach + 1)
    cdef float least = source.low[low], most = source.high[low]
    for k in range(low + 1, high):
        least = min(least, source.low[k])
        most = max(most, source.high[k])
    return most - least


cdef float quiet(Source *source) noexcept nogil:
    """Return the peak-to-peak below which a block holds no flux.

    That is FLOOR_SHARE of the strong blocks (95th percentile, but no more than STRONG_BLOCKS above it, for a
    swipe may be a small part of its recording), or what the quietest (5th) show of noise.
    """
    cdef int[256] counts
    cdef Py_ssize_t b, below, above
    cdef int low = 0, high = 255
    cdef float most = 0.0, silence, strong
    for b in range(source.blocks):
        most = max(most, source.high[b] - source.low[b])
    if not most > 0.0:
        return 0.0
    memset(counts, 0, sizeof(counts))
    for b in range(source.blocks):
        counts[<int>((source.high[b] - source.low[b]) / most * <float>255.0)] += 1
    below = source.blocks // 20
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
    const Source *source, Py_ssize_t low, Py_ssize_t high, Py_ssize_t reach, Detector detector,
    double *times, float *heights, Py_ssize_t capacity,
) noexcept nogil:
    """Write the extremes of signal[low:high] that reverse by their block's swing; return the count.

    LEVELS: the signal must also cross the swing's band around zero; a dip short of the other side is none.
    """
    cdef const float *signal = source.signal
    cdef Py_ssize_t k = low, b, stop, at = low, top_at = low, bottom_at = low, count = 0
    cdef float value, swing, limit, top = -1e30, bottom = 1e30, sign = 0.0, best = 0.0
    cdef bint levels = detector == LEVELS, peaks = detector != EDGES
    while k < high:
        b = k // source.block
        stop = min((b + 1) * source.block, high)
        swing = source.swing[b]
        if sign == 0.0:
            while k < stop and sign == 0.0:
                if signal[k] > top:
                    top, top_at = signal[k], k
                if signal[k] < bottom:
                    bottom, bottom_at = signal[k], k
                if top - bottom > swing:  # the later one stands, and k may already be beyond it
                    sign = 1.0 if top_at > bottom_at else -1.0
                    best, at = max(top * sign, bottom * sign), max(top_at, bottom_at)
                else:
                    k += 1
            continue
        limit = reversal(best, swing, levels)
        if k + source.block == stop and is_between(source, b, sign, limit, best):
            k = stop
        while k < stop:
            value = signal[k] * sign
            if value > best:
                best = value
                at = k
                limit = reversal(best, swing, levels)
            elif value < limit:
                if not levels or best > 0.5 * swing:
                    if count >= capacity:
                        return count
                    times[count] = apex(source, at, swing, sign, low, high, reach, peaks)
                    heights[count] = best * sign
                    count += 1
                sign = -sign
                best = -value
                at = k
                limit = reversal(best, swing, levels)
            k += 1
    if sign != 0.0 and count < capacity and best > 0.5 * source.swing[at // source.block]:
        times[count] = apex(source, at, source.swing[at // source.block], sign, low, high, reach, peaks)
        heights[count] = best * sign
        count += 1
    return count


cdef inline bint is_between(
    const Source *source, Py_ssize_t b, float sign, float limit, float best
) noexcept nogil:
    """Whether the block neither exceeds best nor falls below limit."""
    if sign > 0.0:
        return source.high[b] <= best and source.low[b] >= limit
    return -source.low[b] <= best and -source.high[b] >= limit


cdef inline float reversal(float best, float swing, bint levels) noexcept nogil:
    """Return the value below which an extreme of `best` is over."""
    return min(best - swing, <float>-0.5 * swing) if levels else best - swing


cdef inline double apex(
    const Source *source, Py_ssize_t begin, float swing, float sign, Py_ssize_t low, Py_ssize_t high,
    Py_ssize_t reach, bint peaks,
) noexcept nogil:
    """Return the seconds of a peak: the middle of its plateau, or by a parabola through its neighbours.

    peaks: of the samples themselves, so that equal ones are a peak cut off, whatever the baseline made of it.
    """
    cdef const float *loaded = source.loaded + PAD
    cdef Py_ssize_t k = begin, end = begin
    cdef float before, after, curve
    cdef float plateau = source.signal[begin] * sign - swing * PLATEAU
    cdef double shift = 0.0
    if peaks:
        while k > low and loaded[k - 1] == loaded[begin]:
            k -= 1
        while end + 1 < high and loaded[end + 1] == loaded[begin]:
            end += 1
        if end - k > 2 * reach:
            return 0.5 * (k + end) / source.rate
        end = begin
    while end + 1 < high and source.signal[end + 1] * sign >= plateau:
        end += 1
    k = (begin + end) // 2
    if end > begin + 1:
        return 0.5 * (begin + end) / source.rate
    if k - reach >= low and k + reach < high:
        before = source.signal[k - reach]
        after = source.signal[k + reach]
        curve = before - 2.0 * source.signal[k] + after
        if curve != 0.0:
            shift = 0.5 * reach * (before - after) / curve
            if not fabs(shift) <= reach:
                shift = 0.0
    return (k + shift) / source.rate


cdef int load_signal(Source *source) noexcept nogil:
    """Find the transitions of source.signal coarsely, and the runs they form; return the number of runs."""
    cdef Py_ssize_t b, reach
    cdef float size, share = COARSE_SWING
    source.run_count = 0
    source.transitions = 0
    if source.samples < 16:
        return 0
    for b in range(PAD):
        source.loaded[b] = source.loaded[PAD]
        source.loaded[PAD + source.samples + b] = source.loaded[PAD + source.samples - 1]
    source.blocks = (source.samples + source.block - 1) // source.block
    flatten_all(source)
    source.floor = quiet(source)
    reach = 1
    for b in range(source.blocks):
        size = peak_to_peak(source, b, reach)
        source.swing[b] = share * size if size > source.floor and size > 0.0 else <float>1e30
    if reserve_transitions(source, min(source.samples, <Py_ssize_t>TRANSITIONS_MAX)) < 0:
        return ERROR_MEMORY
    reach = max(<Py_ssize_t>1, <Py_ssize_t>(source.rate * COARSE_SMOOTH_SECONDS + 0.5))
    source.transitions = find_peaks(
        source, 0, source.samples, reach, COARSE, source.times, source.heights,
        min(source.samples, <Py_ssize_t>TRANSITIONS_MAX),
    )
    split(source, PAUSE_SECONDS)
    return source.run_count


cdef inline bint regular(const double *times) noexcept nogil:
    """Whether two intervals are about as 1 to 1, 1 to 2 or 2 to 1, as those of F2F are."""
    cdef double one = times[1] - times[0], two = times[2] - times[1]
    cdef double ratio = max(one, two) / max(min(one, two), 1e-300)
    return ratio < EQUAL_MOST or DOUBLE_LEAST < ratio < DOUBLE_MOST


cdef void trim(const Source *source, Py_ssize_t *first, Py_ssize_t *last) noexcept nogil:
    """Narrow transitions first..last-1 to what may be F2F: none when no window is regular enough."""
    cdef Py_ssize_t k = first[0], end = last[0] - 2, low = last[0], high = first[0], w
    cdef int now, before = 0
    while k + WINDOW <= end:
        now = 0
        for w in range(k, k + WINDOW):
            now += regular(source.times + w)
        if now + before >= REGULAR_LEAST:
            low = min(low, k - WINDOW)
            high = k + WINDOW
        before = now
        k += WINDOW
    first[0] = max(first[0], low - WINDOW)
    last[0] = min(last[0], high + WINDOW) if high > low else first[0]


cdef void add_run(Source *source, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    """Note transitions first..last-1 as a run, unless they are too few, or many and no F2F."""
    cdef Run *run = &source.runs[source.run_count]
    if last - first > SWIPE_TRANSITIONS_MAX:
        trim(source, &first, &last)
    if last - first >= RUN_TRANSITIONS_MIN and source.run_count < RUNS:
        run.first = first
        run.count = last - first
        run.start = source.times[first]
        run.end = source.times[last - 1]
        source.run_count += 1


cdef void split(Source *source, double pause) noexcept nogil:
    """Cut the transitions into runs at every pause: an absolute one, or one far longer than the intervals."""
    cdef Py_ssize_t k, first = 0
    cdef double gap, usual = 0.0
    cdef int seen = 0
    source.run_count = 0
    for k in range(1, source.transitions + 1):
        if k < source.transitions:
            gap = source.times[k] - source.times[k - 1]
            if gap <= pause and (seen < 8 or gap <= PAUSE_SHARE * usual) and k - first < RUN_TRANSITIONS_MAX:
                usual += (gap - usual) * (0.125 if seen >= 8 else 1.0 / (seen + 1))
                seen += 1
                continue
        add_run(source, first, k)
        first = k
        seen = 0
        usual = 0.0


cdef int prepare(Source *source, Py_ssize_t count, double rate) noexcept nogil:
    source.run_count = 0
    source.transitions = 0
    source.samples = 0
    if count < 0 or count > SAMPLES_MAX or not (LEAST_RATE <= rate <= MOST_RATE):
        return ERROR_BOUNDS
    source.rate = rate
    source.block = <Py_ssize_t>(rate * BLOCK_SECONDS)
    if reserve_samples(source, count) < 0:
        return ERROR_MEMORY
    source.samples = count
    source.summed = False
    return 0


cdef int load_samples(
    Source *source, const float *samples, Py_ssize_t count, double rate
) noexcept nogil:
    cdef Py_ssize_t k
    cdef int failure = prepare(source, count, rate)
    if failure < 0:
        return failure
    for k in range(count):  # what is no number, or no voltage, is silence
        source.loaded[PAD + k] = samples[k] if fabsf(samples[k]) < 1e15 else <float>0.0
    return load_signal(source)


cdef int load_pcm16(
    Source *source, const unsigned char *pcm, Py_ssize_t count, double rate
) noexcept nogil:
    cdef Py_ssize_t k
    cdef int failure = prepare(source, count, rate)
    if failure < 0:
        return failure
    for k in range(count):
        source.loaded[PAD + k] = <float>(<short>(pcm[2 * k] | (pcm[2 * k + 1] << 8)))
    return load_signal(source)


cdef int prepare_intervals(Source *source, Py_ssize_t count) noexcept nogil:
    """Make room for the times of `count` intervals, the first time being 0; an error, or 0."""
    source.run_count = 0
    source.samples = 0
    source.transitions = 0
    if count < 0 or count >= TRANSITIONS_MAX:
        return ERROR_BOUNDS
    if reserve_transitions(source, count + 1) < 0:
        return ERROR_MEMORY
    source.times[0] = 0.0
    return 0


cdef int load_intervals(Source *source, const double *intervals, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t k
    cdef double time = 0.0
    cdef int failure = prepare_intervals(source, count)
    if failure < 0:
        return failure
    for k in range(count):
        if isfinite(intervals[k]) and intervals[k] > 0.0:
            time += min(intervals[k], INTERVAL_MAX)
        source.times[k + 1] = time
    source.transitions = count + 1
    split(source, 2.0 * INTERVAL_MAX)
    return source.run_count


cdef int load_intervals_ns(
    Source *source, const unsigned int *intervals, Py_ssize_t count
) noexcept nogil:
    cdef Py_ssize_t k
    cdef double time = 0.0
    cdef int failure = prepare_intervals(source, count)
    if failure < 0:
        return failure
    for k in range(count):
        time += intervals[k] * 1e-9
        source.times[k + 1] = time
    source.transitions = count + 1
    split(source, PAUSE_SECONDS)
    return source.run_count


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


cdef void rough_intervals(Source *source, const Run *run, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    """Fill rough[first:last]: the median interval, in samples, of the transitions around each block."""
    cdef float[2 * ROUGH_REACH] near
    cdef Py_ssize_t b, k, at = run.first, low, high, end = run.first + run.count
    cdef int count
    cdef double centre
    for b in range(first, last):
        centre = (b + 0.5) * source.block / source.rate
        while at + 1 < end and source.times[at] < centre:
            at += 1
        low = max(run.first, at - ROUGH_REACH)
        high = min(end - 1, at + ROUGH_REACH)
        count = 0
        for k in range(low, high):
            near[count] = <float>((source.times[k + 1] - source.times[k]) * source.rate)
            count += 1
        source.rough[b] = middle_of(near, count) if count else <float>source.block


cdef Py_ssize_t look_again(
    Source *source, int which, Detector detector, float narrow, float share, double *times, float *heights,
    Py_ssize_t capacity,
) noexcept nogil:
    cdef const Run *run = &source.runs[which]
    cdef Py_ssize_t margin = 2 * source.block
    cdef Py_ssize_t low = max(<Py_ssize_t>0, <Py_ssize_t>(run.start * source.rate) - margin)
    cdef Py_ssize_t high = min(source.samples, <Py_ssize_t>(run.end * source.rate) + margin)
    cdef Py_ssize_t first = low // source.block, last = (high + source.block - 1) // source.block
    cdef Py_ssize_t b, from_, to, smooth, baseline, reach
    cdef float size, usual
    last = min(last, source.blocks)
    low = first * source.block
    high = min(source.samples, last * source.block)
    if sum_up(source) < 0:
        return ERROR_MEMORY
    rough_intervals(source, run, first, last)
    for b in range(first, last):
        from_ = b * source.block
        to = min(from_ + source.block, high)
        smooth = <Py_ssize_t>(source.rough[b] * narrow)
        if detector == EDGES:
            slope(source, from_, to, max(<Py_ssize_t>1, smooth))
        elif detector == SWIFT:
            smooth = <Py_ssize_t>(source.rate * COARSE_SMOOTH_SECONDS + 0.5)
            flatten(source, from_, to, smooth, <Py_ssize_t>(source.rate * SWIFT_BASELINE_SECONDS))
        else:
            baseline = max(<Py_ssize_t>8, <Py_ssize_t>(source.rough[b] * 3.0))
            flatten(source, from_, to, smooth, baseline)
    for b in range(first, last):
        measure_block(source, b)
    usual = source.rough[(first + last) // 2]
    for b in range(first, last):
        reach = 2 if detector == SWIFT else 1 + <Py_ssize_t>(1.5 * source.rough[b] / source.block)
        size = run_peak_to_peak(source, b, reach, first, last)
        if size > 0.0 and (size > 0.5 * source.floor or detector == EDGES):
            source.swing[b] = share * size
        else:
            source.swing[b] = <float>1e30
    reach = max(<Py_ssize_t>1, <Py_ssize_t>(usual * narrow * 0.7))
    return find_peaks(
        source, low, high, reach, detector, times, heights,
        min(<Py_ssize_t>RUN_TRANSITIONS_MAX, capacity),
    )


cdef inline float run_peak_to_peak(
    const Source *source, Py_ssize_t b, Py_ssize_t reach, Py_ssize_t first, Py_ssize_t last
) noexcept nogil:
    cdef Py_ssize_t k, low = max(first, b - reach), high = min(last, b + reach + 1)
    cdef float least = source.low[low], most = source.high[low]
    for k in range(low + 1, high):
        least = min(least, source.low[k])
        most = max(most, source.high[k])
    return most - least


# ---- Python

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


cdef int load_buffer(Source *source, object samples, double rate) except -1:
    cdef const float[::1] view = as_floats(samples)
    cdef const float *first = NULL
    cdef Py_ssize_t count = view.shape[0]
    cdef int result
    if count:
        first = &view[0]
    with nogil:
        result = load_samples(source, first, count, rate)
    return check(result)


def transitions(samples, double sample_rate):
    cdef Source source
    cdef Py_ssize_t k
    source_init(&source)
    try:
        load_buffer(&source, samples, sample_rate)
        return [
            (source.times[k], 1 if source.heights[k] > 0 else -1) for k in range(source.transitions)
        ]
    finally:
        source_free(&source)
