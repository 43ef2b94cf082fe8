"""What does not read -> what it must have been: erasures, the card's other tracks, other passes of the card.

The model. Each bit is wrong with the probability that its doubt says (255: even odds, 16 less for each
nat), and never less than Trust.bit; and each character is noise with probability Trust.character. Right
characters have odd parity, sentinels stand at both ends, and the LRC is the exclusive or of all (ISO/IEC
7811-2), so the texts that a string may stand for are the ways through a trellis whose state is the LRC so
far. Their probabilities are added up exactly: over every text, every start, every end, both directions and
both polarities. Two accounts must agree before a text is given:

- Evidence: log2 of how much likelier the string is under the text than random bits are, as in symbols,
  where a clean reading is the same account without a correction. Each flip costs log2((1 - p) / p), each
  freedom of the search is taken off, and MIN_EVIDENCE must be left.
- Spare redundancy: the text must have all but 2^-SPARE of the probability of all texts together. Two places
  that could be wrong halve it, so a correction that nothing is left to prove is refused; a character's
  parity, an LRC column or their crossing pass where they single out the doubtful bits.

False acceptance: if bits are wrong as often as they are said to be, a repaired text is wrong in less than
2^-SPARE of repairs (1 in 1,024), and of strings that are no track fewer than 2^-MIN_EVIDENCE for each
branch of the search. Codings without the ISO parity are not repaired: they have no redundancy to spare.

Bits that come without doubts say nothing of how often they are wrong. One wrong bit looks as two characters
of noise do in 5 of 32 cases on tracks 2 and 3, and 7 of 128 on track 1, for one parity of the two is wrong
by even odds and the LRC then points at one column or none. So the crossing of parity and LRC, with nothing
to tell of the damage, is given as what it is: the likeliest text, of one corrected bit, marked as not proved,
from which no card number is taken; without that mark only where another track or pass says the same
character.
"""

from libc.math cimport exp, exp2, log2
from libc.stdint cimport int8_t, int32_t, uint8_t, uint16_t
from libc.string cimport memset

from swipegate.core cimport codes
from swipegate.core.symbols cimport (
    CODING_ANY, CODING_ISO5, CODING_ISO7, MAX_REPAIRS, MSB_FIRST, BitString, Characters, Coding,
    Reading, checked_coding, coding_table, decode_bits, invert, load_buffer, turn_round, window)

cdef enum:
    # Bits. Less than in symbols, where a reading has no other account to answer to: here SPARE must be met as
    # well, and a flip that nothing singles out is charged 10, two more than the choice of one among the bits
    # of a track.
    MIN_EVIDENCE = 18
    SPARE = 10             # bits
    MAX_SENTINEL = 2       # wrong bits of a sentinel: with more it was not seen, and may be anywhere
    # Bits beside the clocking zeros of a repaired track: more are the rest of a longer one.
    MAX_STRAYS = 16
    START_WORK = 64        # of a start that is followed
    HOPELESS = -20         # bits of evidence at which a start is given up
    MAX_PASSES = 8         # of one card
    # Characters in which passes must be sure and agree, sentinels included, to be of one card.
    MIN_AGREEMENT = 6
    MIN_PASS = 0           # bits of evidence below which a string is noise and no pass
    DOUBTFUL = 160         # doubt from which on a bit counts as singled out by the signal: 1 in 380
    # Clocking zeros that count as evidence, a side.
    MAX_ZEROS = 2

# By doubt: the probability that the bit is wrong.
cdef double[256] SHARES

# Probability from which on a character is sure by itself.
cdef double SURE = 0.98
# Probability that another track's field is not the same after all.
cdef double OTHER_DIFFERS = 1.0 / 64
# Probability that a character of another pass is another card's, for cards of one batch are alike.
cdef double CARD_DIFFERS = 1.0 / 16
DEVICE_BITS.bit = 1.0 / 1024
DEVICE_BITS.character = 1.0 / 16384


cdef inline int _ones(int code) noexcept nogil:
    cdef int count = 0
    while code:
        code &= code - 1
        count += 1
    return count


# By the data bits of a character: how many are ones.
cdef uint8_t[MAX_STATES] ONES


cdef void _fill_tables() noexcept:
    cdef int doubt, value
    for doubt in range(256):
        SHARES[doubt] = 1.0 / (1.0 + exp((255 - doubt) / 16.0))
    for value in range(MAX_STATES):
        ONES[value] = <uint8_t>_ones(value)


_fill_tables()

# A string as one walk sees it.
cdef struct View:
    BitString bits
    const uint8_t *doubts  # NULL when there are none; in the order of the caller
    bint reverse
    bint inverted
    Trust trust

cdef struct Search:
    Frame best
    double total           # the probability of every text, relative to random bits
    const Prior *prior
    long *work             # left
    int most_wrong         # characters wrong past doubt that a text may have
    int least              # evidence that a text must be able to have, bits
    double sums[MAX_STATES]   # by state: probability of all ways
    double peaks[MAX_STATES]  # of the likeliest way
    uint8_t choices[MAX_ROWS][MAX_STATES]


# ---- one character

cdef inline double _doubt(const View *view, Py_ssize_t place) noexcept nogil:
    """The probability that a bit is wrong; past the end nothing is known."""
    cdef Py_ssize_t index = view.bits.count - 1 - place if view.reverse else place
    if place >= view.bits.count:
        return 0.5
    if view.doubts == NULL:
        return view.trust.bit
    return max(view.trust.bit, SHARES[view.doubts[index]])


cdef inline int _full_code(int value, const Coding *coding) noexcept nogil:
    """A value with its odd parity."""
    cdef int ones = value ^ value >> 4
    ones ^= ones >> 2
    ones ^= ones >> 1
    return value if ones & 1 else value | 1 << coding.data


cdef void _weigh_alike(const Trust *trust, int code, const Coding *coding, double *weights) noexcept nogil:
    """The same for bits that are all trusted alike: what counts is how many a value would have wrong."""
    cdef double by_wrong[9]
    cdef double likely[7]  # by wrong bits of data
    cdef int mask = (1 << coding.data) - 1
    cdef bint right = _full_code(code & mask, coding) == code
    cdef int wrong, value, _bit
    by_wrong[0] = (1 << coding.width) * (1.0 - trust.character)
    for _bit in range(coding.width):
        by_wrong[0] *= 1.0 - trust.bit
    for wrong in range(1, coding.width + 1):
        by_wrong[wrong] = by_wrong[wrong - 1] * trust.bit / (1.0 - trust.bit)
    for wrong in range(coding.data + 1):
        # with its parity, a value differs from a right character in an even number of bits
        likely[wrong] = by_wrong[wrong + (wrong & 1 if right else wrong & 1 ^ 1)] + trust.character
    for value in range(mask + 1):
        weights[value] = likely[ONES[(code ^ value) & mask]]


cdef void _weigh_row(
    const View *view, Py_ssize_t place, const Coding *coding, double *weights
) noexcept nogil:
    """By value: how much likelier the bits at `place` are for it than random bits are."""
    cdef int code = <int>(window(&view.bits, place) & ((1 << coding.width) - 1))
    cdef int values = 1 << coding.data
    cdef int bit, value
    cdef double wrong, zero, one
    cdef double parity[2]
    if view.doubts == NULL and place + coding.width <= view.bits.count:
        _weigh_alike(&view.trust, code, coding, weights)
        return
    weights[0] = (1 << coding.width) * (1.0 - view.trust.character)
    for bit in range(coding.data):
        wrong = _doubt(view, place + bit)
        one = 1.0 - wrong if code >> bit & 1 else wrong
        zero = 1.0 - one
        for value in range(1 << bit):
            weights[value | 1 << bit] = weights[value] * one
            weights[value] *= zero
    wrong = _doubt(view, place + coding.data)
    parity[1] = 1.0 - wrong if code >> coding.data & 1 else wrong
    parity[0] = 1.0 - parity[1]
    for value in range(values):
        weights[value] = (
            weights[value] * parity[_full_code(value, coding) >> coding.data] + view.trust.character)


# ---- the trellis

cdef double _around(Search *search, const View *view, Py_ssize_t first, Py_ssize_t end) noexcept nogil:
    """Evidence of the clocking zeros in a stretch outside a frame: each one-bit in it must be wrong."""
    cdef double evidence = 0.0
    cdef Py_ssize_t place
    search.work[0] -= max(min(end, view.bits.last + 1) - max(first, view.bits.first), <Py_ssize_t>0) >> 3
    for place in range(max(first, view.bits.first), min(end, view.bits.last + 1)):
        if window(&view.bits, place) & 1:
            evidence += 1.0 + log2(_doubt(view, place))
            if evidence < HOPELESS:
                return evidence
    if evidence < 0.0:
        return evidence
    return max(<Py_ssize_t>0, min(end - first, <Py_ssize_t>MAX_ZEROS))


cdef void _end_here(
    Search *search, const View *view, Py_ssize_t start, int row, int coding_number, const double *weights,
    double scale
) noexcept nogil:
    """Add up the texts that end at `row`, and note the likeliest."""
    cdef const Coding *coding = coding_table(coding_number)
    cdef double lrc[MAX_STATES]
    cdef double ways = 0.0, peak = 0.0, way, evidence
    cdef int values = 1 << coding.data
    cdef int end = coding.end & (values - 1)
    cdef int state, found = 0, index
    cdef Py_ssize_t place = start + (row + 1) * coding.width
    cdef double weight = weights[end]
    if weight < 4.0 * view.trust.character and not search.prior.method[row]:
        return
    if search.prior.method[row]:
        weight *= search.prior.share[row][end]
    _weigh_row(view, place, coding, lrc)
    for state in range(values):
        way = weight * lrc[state ^ end]
        if search.prior.method[row + 1]:
            way *= search.prior.share[row + 1][state ^ end]
        ways += way * search.sums[state]
        if way * search.peaks[state] > peak:
            peak = way * search.peaks[state]
            found = state
    if not peak > 0.0:
        return
    evidence = scale + _around(search, view, 0, start)
    evidence += _around(search, view, place + coding.width, view.bits.count)
    evidence -= view.reverse + view.inverted
    search.total += exp2(min(evidence + log2(ways), 1000.0))
    evidence += log2(peak)
    if evidence <= search.best.evidence:
        return
    search.best.evidence = evidence
    search.best.start = start
    search.best.characters = row + 1
    search.best.coding = coding_number
    search.best.reverse = view.reverse
    search.best.inverted = view.inverted
    search.best.values[row + 1] = <uint8_t>(found ^ end)
    search.best.values[row] = <uint8_t>end
    for index in range(row - 1, 0, -1):
        search.best.values[index] = search.choices[index][found]
        found ^= search.best.values[index]
    search.best.values[0] = <uint8_t>found


cdef double _extend(
    Search *search, const View *view, int row, const Coding *coding, double *weights
) noexcept nogil:
    """Take one character of data; returns the probability of all ways."""
    cdef double sums[MAX_STATES]
    cdef double peaks[MAX_STATES]
    cdef double rest = 0.0, every = 0.0
    cdef int values = 1 << coding.data
    cdef int end = coding.end & (values - 1)
    cdef int value, state, unlikely = 0
    cdef double least = 4.0 * view.trust.character / values
    for state in range(values):
        every += search.sums[state]
        sums[state] = peaks[state] = 0.0
    for value in range(values):
        if search.prior.method[row]:
            weights[value] *= search.prior.share[row][value]
        else:
            weights[value] /= values
        if weights[value] < least or value == end:
            rest += weights[value] if value != end else 0.0
            unlikely += 1
    search.work[0] -= values + ((values - unlikely) * values >> 3)
    rest /= unlikely  # the end sentinel is always there
    for value in range(values):
        if weights[value] < least or value == end:
            continue
        for state in range(values):
            sums[state ^ value] += (weights[value] - rest) * search.sums[state]
            if weights[value] * search.peaks[state] > peaks[state ^ value]:
                peaks[state ^ value] = weights[value] * search.peaks[state]
                search.choices[row][state ^ value] = <uint8_t>value
    # What is too unlikely to be followed counts in the sums by its mean.
    rest *= every
    every = 0.0
    for state in range(values):
        search.sums[state] = sums[state] + rest
        search.peaks[state] = peaks[state]
        every += search.sums[state]
    return every


cdef void _walk(Search *search, const View *view, Py_ssize_t start, int coding_number) noexcept nogil:
    """Follow the texts that begin at `start`."""
    cdef const Coding *coding = coding_table(coding_number)
    cdef double weights[MAX_STATES]
    cdef double every, scale = 0.0
    cdef int values = 1 << coding.data
    cdef int row, state
    cdef int first = coding.start & (values - 1)
    memset(search.sums, 0, sizeof(search.sums))
    memset(search.peaks, 0, sizeof(search.peaks))
    _weigh_row(view, start, coding, weights)
    search.sums[first] = search.peaks[first] = weights[first]
    for row in range(1, MAX_ROWS - 1):
        if start + (row + 1) * coding.width > view.bits.count:
            return
        _weigh_row(view, start + row * coding.width, coding, weights)
        if row > 1:
            _end_here(search, view, start, row, coding_number, weights, scale)
        every = _extend(search, view, row, coding, weights)
        if search.work[0] <= 0:
            return
        if not every > 0.0 or scale + log2(every) < HOPELESS:
            return
        if every > exp2(60.0):
            scale += 60.0
            for state in range(values):
                search.sums[state] *= exp2(-60.0)
                search.peaks[state] *= exp2(-60.0)


cdef inline bint _is_doubtful(const View *view, Py_ssize_t place, int width) noexcept nogil:
    """Whether a character holds a bit that the signal singles out."""
    cdef int bit
    if view.doubts != NULL:
        for bit in range(width):
            if _doubt(view, place + bit) >= SHARES[DOUBTFUL]:
                return True
    return False


cdef inline bint _is_near(const View *view, Py_ssize_t place, int width, int code, int wanted) noexcept nogil:
    """Whether a character is the wanted one but for one bit, or but for doubtful bits."""
    code ^= wanted
    return code & (code - 1) == 0 or _is_doubtful(view, place, width)


cdef bint _may_read(
    Search *search, const View *view, Py_ssize_t start, const Coding *coding
) noexcept nogil:
    """Whether a text from `start` on can have the least evidence, few characters being wrong past doubt."""
    cdef int width = coding.width
    cdef int row, code, wrong = 0
    cdef int least = search.least
    cdef Py_ssize_t place = start
    # Of sentinels, LRC and zeros; each character adds a bit, and each that is wrong takes some ten.
    least -= 3 * coding.data + 2 + 2 * MAX_ZEROS
    for row in range(MAX_ROWS - 1):
        if place + width > view.bits.count:
            return False
        code = <int>(window(&view.bits, place) & ((1 << width) - 1))
        if row > 1 and row >= least + 9 * wrong and _is_near(view, place, width, code, coding.end):
            return True
        if not coding.legal[code] and not _is_doubtful(view, place, width):
            wrong += 1
            if wrong > search.most_wrong:
                return False
        place += width
        search.work[0] -= 1
    return False


cdef void _search_view(Search *search, const View *view, int coding_number) noexcept nogil:
    cdef const Coding *coding = coding_table(coding_number)
    cdef double before = 0.0  # evidence of what is before a start
    cdef Py_ssize_t place
    cdef int code
    if view.bits.first < 0:
        return
    # A start sentinel whose own first bit was lost begins a bit before the first one.
    place = max(view.bits.first - 1 - coding.lead, <Py_ssize_t>0)
    for place in range(place, view.bits.count - 4 * coding.width + 1):
        code = <int>(window(&view.bits, place) & ((1 << coding.width) - 1))
        if before <= HOPELESS or search.work[0] <= 0:
            return
        if _is_near(view, place, coding.width, code, coding.start) and _may_read(search, view, place, coding):
            search.work[0] -= START_WORK
            _walk(search, view, place, coding_number)
        if code & 1:
            before += 1.0 + log2(_doubt(view, place))


cdef inline bint _is_iso(int coding) noexcept nogil:
    return (coding & (MSB_FIRST - 1)) in (CODING_ISO5, CODING_ISO7)


cdef void _search_pass(
    Search *search, const Pass *seen, int coding, const Prior *prior, bint alone, long *work
) noexcept nogil:
    """Add up every text that a pass may stand for; one that is not alone may be wrong in many characters.

    Nothing is found where that is more work than is left.
    """
    cdef View view
    cdef BitString turned
    cdef int polarity
    cdef Py_ssize_t place, doubtful = 0
    memset(&search.best, 0, sizeof(Frame))
    search.best.evidence = HOPELESS
    search.total = 0.0
    search.prior = prior
    search.work = work
    # Alone, two characters wrong past doubt are one too many: which of two columns is whose, nothing tells.
    search.most_wrong = 1 if alone else MAX_REPAIRS
    search.least = MIN_EVIDENCE if alone else 0
    if seen.has_doubts:
        for place in range(seen.bits.count):
            doubtful += seen.doubts[place] >= DOUBTFUL
        if 4 * doubtful > seen.bits.count:
            return  # mostly noise: nothing could be proved, and every start would have to be followed
    view.trust = seen.trust
    view.doubts = <const uint8_t *>seen.doubts if seen.has_doubts else NULL
    for polarity in range(2):
        view.inverted = polarity
        for view.reverse in range(2):
            if view.inverted:
                invert(&seen.bits, &turned)
            else:
                turned = seen.bits
            if view.reverse:
                turn_round(&turned, &view.bits)
            else:
                view.bits = turned
            if coding == CODING_ANY:
                _search_view(search, &view, CODING_ISO5)
                _search_view(search, &view, CODING_ISO7)
            elif _is_iso(coding):
                _search_view(search, &view, coding)
            work[0] -= (seen.bits.count >> 2) + 1
    if work[0] <= 0:
        search.best.evidence = HOPELESS


cdef inline int _code_seen(const BitString *bits, const Frame *frame, int row, int width) noexcept nogil:
    """The code of a character of a frame, as read."""
    cdef Py_ssize_t place = frame.start + row * width
    return <int>(window(bits, min(place, bits.count)) & ((1 << width) - 1))


# ---- the verdict

cdef void _orient(const Pass *seen, const Frame *frame, View *view) noexcept nogil:
    """The view of a pass in which a frame was found."""
    cdef BitString turned
    view.reverse = frame.reverse
    view.inverted = frame.inverted
    view.trust = seen.trust
    view.doubts = <const uint8_t *>seen.doubts if seen.has_doubts else NULL
    if frame.inverted:
        invert(&seen.bits, &turned)
    else:
        turned = seen.bits
    if frame.reverse:
        turn_round(&turned, &view.bits)
    else:
        view.bits = turned


cdef int _method(const View *view, const Coding *coding, Py_ssize_t place, int wrong) noexcept nogil:
    """What proves the correction of the `wrong` bits of a character, by its own track alone."""
    cdef int bit
    if wrong & (wrong - 1):
        return codes.REPAIR_LRC_ERASURE
    for bit in range(coding.width):
        if wrong >> bit & 1 and _doubt(view, place + bit) >= SHARES[DOUBTFUL]:
            return codes.REPAIR_PARITY_ERASURE
    return codes.REPAIR_PARITY_AND_LRC


cdef bint _dominates(const Search *search) noexcept nogil:
    """Whether the best text has all but 2^-SPARE of the probability of all."""
    return exp2(min(search.best.evidence, 1000.0)) >= search.total * (1.0 - exp2(-SPARE))


cdef bint _is_clean(const Frame *frame, const Pass *seen) noexcept nogil:
    """Whether a frame was read without a correction."""
    cdef const Coding *coding = coding_table(frame.coding)
    cdef View view
    cdef int row
    _orient(seen, frame, &view)
    for row in range(frame.characters + 1):
        if _full_code(frame.values[row], coding) != _code_seen(&view.bits, frame, row, coding.width):
            return False
    return frame.characters > 0


cdef inline bint _is_known(const Prior *prior, int row, int value) noexcept nogil:
    """Whether another track or pass says this value too."""
    return prior.method[row] and prior.share[row][value] >= 0.5


cdef bint _is_whole(const BitString *bits, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Whether little but clocking zeros, which inverted are ones, lies outside start to end."""
    cdef Py_ssize_t place
    cdef Py_ssize_t ones = 0
    for place in range(bits.count):
        if place < start or place >= end:
            ones += <Py_ssize_t>(window(bits, place) & 1)
    return min(ones, start + max(bits.count - end, <Py_ssize_t>0) - ones) <= MAX_STRAYS


cdef bint _accept(const Search *search, const Pass *seen, Reading *reading) noexcept nogil:
    """Hold the best text to both accounts, and fill the reading with it."""
    cdef const Frame *frame = &search.best
    cdef const Coding *coding
    cdef View view
    cdef Reading repaired
    cdef int row, code, wrong
    cdef int unproved = 0  # bits
    cdef Py_ssize_t end
    if frame.evidence < MIN_EVIDENCE or not _dominates(search):
        return False
    coding = coding_table(frame.coding)
    _orient(seen, frame, &view)
    memset(&repaired, 0, sizeof(Reading))
    for row in range(frame.characters + 1):
        code = _full_code(frame.values[row], coding)
        wrong = code ^ _code_seen(&view.bits, frame, row, coding.width)
        if row < frame.characters:
            repaired.text[row] = coding.characters[code]
        else:
            repaired.lrc_character = coding.characters[code]
        if not wrong:
            continue
        if repaired.repair_count == MAX_REPAIRS:
            return False
        if row in (0, frame.characters - 1) and _ones(wrong) > MAX_SENTINEL:
            return False
        if not seen.has_doubts and not _is_known(search.prior, row, frame.values[row]):
            unproved += _ones(wrong)
        repaired.repairs[repaired.repair_count].position = <uint16_t>row
        repaired.repairs[repaired.repair_count].character = coding.characters[code]
        repaired.repairs[repaired.repair_count].bits = <uint8_t>_ones(wrong)
        repaired.repairs[repaired.repair_count].method = <uint8_t>(
            search.prior.method[row] if search.prior.method[row]
            else _method(&view, coding, frame.start + row * coding.width, wrong))
        repaired.repair_count += 1
    if not repaired.repair_count:
        return False  # symbols has the last word on what needs no correction
    end = min(frame.start + (frame.characters + 1) * coding.width, view.bits.count)
    if unproved > 1 or not _is_whole(&view.bits, frame.start, end):
        return False
    repaired.errors = codes.NOT_PROVED if unproved else 0
    repaired.length = <uint16_t>frame.characters
    repaired.coding = <uint8_t>frame.coding
    repaired.bits_per_character = <uint8_t>coding.width
    repaired.inverted = frame.inverted
    repaired.direction = codes.DIRECTION_REVERSE if frame.reverse else codes.DIRECTION_FORWARD
    repaired.start_bit = <int32_t>(view.bits.count - end if frame.reverse else frame.start)
    repaired.end_bit = <int32_t>(view.bits.count - frame.start if frame.reverse else end)
    repaired.lrc = codes.LRC_REPAIRED
    reading[0] = repaired
    return True


cdef bint confirm_pass(const Pass *seen, int coding, Reading *reading, long *work) noexcept nogil:
    """Hold a clean reading with several doubtful bits to the same accounts: parity and LRC may agree by
    chance.

    One that fails them is repaired, or refused as too irregular.
    """
    cdef Search search
    cdef Prior prior
    cdef int doubtful = 0
    cdef Py_ssize_t place
    if not seen.has_doubts:
        return True
    for place in range(reading.start_bit, reading.end_bit):
        doubtful += seen.doubts[place] >= DOUBTFUL
    if doubtful < 2 or not _is_iso(reading.coding):
        return True
    memset(prior.method, 0, sizeof(prior.method))
    _search_pass(&search, seen, coding, &prior, True, work)
    if _accept(&search, seen, reading):
        return True
    if _dominates(&search) and _is_clean(&search.best, seen):
        return True
    memset(reading, 0, sizeof(Reading))
    reading.errors = codes.ERROR_JITTER
    return False


cdef bint repair_pass(const Pass *seen, int coding, Reading *reading, long *work) noexcept nogil:
    """Repair what decode_bits could not read; `reading` changes only when that succeeds."""
    cdef Search search
    cdef Prior prior
    memset(prior.method, 0, sizeof(prior.method))
    _search_pass(&search, seen, coding, &prior, True, work)
    return _accept(&search, seen, reading)


# ---- what a pass is likeliest to be

cdef int _sure_value(const View *view, Py_ssize_t place, const Coding *coding) noexcept nogil:
    """The value that a character must have by itself, -1 when it is in doubt."""
    cdef double weights[MAX_STATES]
    cdef double every = 0.0
    cdef int value, best = 0
    if place + coding.width > view.bits.count:
        return -1
    _weigh_row(view, place, coding, weights)
    for value in range(1 << coding.data):
        every += weights[value]
        if weights[value] > weights[best]:
            best = value
    return best if weights[best] >= SURE * every else -1


cdef void guess_pass(const Pass *seen, int coding, Guess *guess, long *work) noexcept nogil:
    """Fill `guess`; its evidence is HOPELESS where there is none."""
    cdef Search search
    cdef Prior prior
    cdef View view
    cdef const Coding *table
    cdef int row
    memset(prior.method, 0, sizeof(prior.method))
    _search_pass(&search, seen, coding, &prior, False, work)
    guess.frame = search.best
    if search.best.evidence <= HOPELESS:
        return
    table = coding_table(search.best.coding)
    _orient(seen, &search.best, &view)
    for row in range(MAX_ROWS):
        guess.sure[row] = <int8_t>_sure_value(&view, search.best.start + row * table.width, table)


# ---- the card's other tracks

cdef inline void _know(Prior *prior, int row, int value, int values) noexcept nogil:
    """Note a character of another track; what is past the bound is left open."""
    cdef int other
    if not 0 <= row < MAX_ROWS or not 0 <= value < values:
        return
    prior.method[row] = codes.REPAIR_OTHER_TRACK
    for other in range(values):
        prior.share[row][other] = <float>(OTHER_DIFFERS / values)
    prior.share[row][value] += <float>(1.0 - OTHER_DIFFERS)


cdef inline int _know_digits(
    Prior *prior, int row, const uint8_t *digits, int count, int base, int values
) noexcept nogil:
    cdef int index
    for index in range(count):
        _know(prior, row + index, digits[index] - base, values)
    return row + count


cdef int _second_separator(const Guess *guess, int row) noexcept nogil:
    """The row of the separator behind track 1's name (2 to 26 characters), -1 when there is not one alone."""
    cdef int found = -1
    for row in range(row + 2, min(row + 27, <int>MAX_ROWS)):
        if guess.sure[row] == c"^" - 0x20:
            if found >= 0:
                return -1
            found = row
    return found


cdef bint repair_from_track(
    const Pass *seen, const Guess *guess, int number, const KnownFields *known, Reading *reading, long *work
) noexcept nogil:
    """Repair track `number` by what another track of the card says (ISO/IEC 7813, ISO/IEC 4909).

    Refused where a character that is sure by itself says something else.
    """
    cdef Search search
    cdef Prior prior
    cdef const Frame *frame = &guess.frame
    cdef const Coding *table
    cdef int base, values, row
    if frame.evidence <= HOPELESS or frame.coding > MSB_FIRST or known.pan_length == 0:
        return False
    memset(prior.method, 0, sizeof(prior.method))
    table = coding_table(frame.coding)
    values = 1 << table.data
    if table.width == 7:
        if number not in (0, 1):
            return False
        base = 0x20
        row = _know_digits(&prior, 2, known.pan, known.pan_length, base, values)
        _know(&prior, row, c"^" - base, values)
        row = _second_separator(guess, row + 1)
    else:
        base = 0x30
        if number == 1:
            return False
        row = _know_digits(&prior, 3 if number == 3 else 1, known.pan, known.pan_length, base, values)
        _know(&prior, row, c"=" - base, values)
    if row > 0 and number != 3:
        row = _know_digits(&prior, row + 1, known.expiry, known.expiry_length, base, values)
        if known.expiry_length:
            _know_digits(&prior, row, known.service_code, known.service_code_length, base, values)
    for row in range(MAX_ROWS):
        if prior.method[row] and guess.sure[row] >= 0 and prior.share[row][guess.sure[row]] < 0.5:
            return False
    _search_pass(&search, seen, frame.coding, &prior, False, work)
    return _accept(&search, seen, reading)


# ---- other passes of the card

cdef int _agreement(const Guess *one, const Guess *other) noexcept nogil:
    """Characters in which two passes are sure and agree; -1 when they contradict each other."""
    cdef int row, agreed = 0
    if one.frame.coding != other.frame.coding:
        return -1
    for row in range(min(one.frame.characters, other.frame.characters) + 1):
        if one.sure[row] >= 0 and other.sure[row] >= 0:
            if one.sure[row] != other.sure[row]:
                return -1
            agreed += 1
    return agreed


cdef bint are_of_one_card(const Guess *const *guesses, int count) noexcept nogil:
    """Whether no two passes contradict each other, those left out that are noise."""
    cdef int one, other
    for one in range(count):
        for other in range(one):
            if guesses[one].frame.evidence < MIN_PASS or guesses[other].frame.evidence < MIN_PASS:
                continue
            if _agreement(guesses[one], guesses[other]) < MIN_AGREEMENT:
                return False
    return True


cdef void _know_pass(Prior *prior, const Pass *seen, const Frame *frame) noexcept nogil:
    """Multiply what another pass says into the prior."""
    cdef const Coding *coding = coding_table(frame.coding)
    cdef View view
    cdef double weights[MAX_STATES]
    cdef double every
    cdef int values = 1 << coding.data
    cdef int row, value
    _orient(seen, frame, &view)
    for row in range(min(frame.characters + 1, <int>MAX_ROWS)):
        if frame.start + (row + 1) * coding.width > view.bits.count:
            return
        _weigh_row(&view, frame.start + row * coding.width, coding, weights)
        every = 0.0
        for value in range(values):
            if prior.method[row]:
                weights[value] *= prior.share[row][value]
            every += weights[value]
        if not every > 0.0:
            continue
        for value in range(values):
            prior.share[row][value] = <float>(
                (1.0 - CARD_DIFFERS) * weights[value] / every + CARD_DIFFERS / values)
        prior.method[row] = codes.REPAIR_OTHER_PASS


cdef bint _same_text(const Reading *one, const Reading *other) noexcept nogil:
    cdef int index
    if one.length != other.length:
        return False
    for index in range(one.length):
        if one.text[index] != other.text[index]:
            return False
    return True


cdef int repair_from_passes(
    const Pass *const *passes, const Guess *const *guesses, int count, Reading *reading, long *work
) noexcept nogil:
    """Repair a pass by the others of the same card, of which none reads; returns its index, -1 for none.

    They must be of one card; what two of them would be repaired to differently is refused.
    """
    cdef Search search
    cdef Prior prior
    cdef Reading repaired
    cdef int target, source, result = -1
    for target in range(count):
        if guesses[target].frame.evidence < MIN_PASS:
            continue
        memset(prior.method, 0, sizeof(prior.method))
        for source in range(count):
            if source != target and guesses[source].frame.evidence >= MIN_PASS:
                _know_pass(&prior, passes[source], &guesses[source].frame)
        _search_pass(&search, passes[target], guesses[target].frame.coding, &prior, False, work)
        if not _accept(&search, passes[target], &repaired):
            continue
        if result >= 0 and not _same_text(&repaired, reading):
            return -1
        if result < 0:
            result = target
            reading[0] = repaired
    return result


# ---- Python

cdef int _load_pass(
    object bits, object doubts, double error_rate, double noise_rate, Pass *seen
) except -1:
    cdef const uint8_t[::1] source = bits
    cdef const uint8_t[::1] beside
    cdef Py_ssize_t index
    load_buffer(source, &seen.bits)
    if not 0.0 < error_rate < 0.5:
        raise ValueError("error_rate must be above 0 and below 0.5")
    if not 0.0 < noise_rate < 0.5:
        raise ValueError("noise_rate must be above 0 and below 0.5")
    seen.trust.bit = error_rate
    seen.trust.character = noise_rate
    seen.has_doubts = doubts is not None
    if seen.has_doubts:
        beside = doubts
        if beside.shape[0] != source.shape[0]:
            raise ValueError("doubts must be one byte a bit")
        for index in range(beside.shape[0]):
            seen.doubts[index] = beside[index]
    return 0


cdef inline void _keep_proved(bint found, const Reading *tried, Reading *reading) noexcept nogil:
    """Take a repair that is proved, or one beside nothing."""
    if found and (not tried.errors or not reading.length):
        reading[0] = tried[0]


def decode(
    bits, doubts=None, int bits_per_character=0, *, bint msb_first=False,
    double error_rate=DEVICE_BITS.bit, double noise_rate=DEVICE_BITS.character
):
    cdef Characters characters = Characters.__new__(Characters)
    cdef int coding = checked_coding(bits_per_character, msb_first, True)
    cdef Pass seen
    cdef long work = MAX_WORK
    _load_pass(bits, doubts, error_rate, noise_rate, &seen)
    with nogil:
        decode_bits(&seen.bits, coding, &characters.reading)
        if not characters.reading.errors:
            confirm_pass(&seen, coding, &characters.reading, &work)
        else:
            repair_pass(&seen, coding, &characters.reading, &work)
    return characters


def decode_beside(
    bits, int number, *, str pan not None, str expiry="", str service_code="", doubts=None,
    double error_rate=DEVICE_BITS.bit, double noise_rate=DEVICE_BITS.character
):
    cdef Characters characters = Characters.__new__(Characters)
    cdef Pass seen
    cdef long work = MAX_WORK
    cdef KnownFields known
    cdef Guess guess
    cdef Reading tried
    cdef bint found
    cdef bytes digits
    if number not in (1, 2, 3):
        raise ValueError("number must be 1 to 3")
    if not (pan + expiry + service_code + "0").isdecimal() or not (pan + expiry + service_code).isascii():
        raise ValueError("pan, expiry and service_code must be digits")
    if len(pan) > 19 or len(expiry) not in (0, 4) or len(service_code) not in (0, 3):
        raise ValueError("pan must be at most 19 digits, expiry 4 and service_code 3, or none")
    digits = (pan + expiry + service_code).encode()
    known.pan = <const uint8_t *><const char *>digits
    known.pan_length = <int>len(pan)
    known.expiry = known.pan + known.pan_length
    known.expiry_length = <int>len(expiry)
    known.service_code = known.expiry + known.expiry_length
    known.service_code_length = <int>len(service_code)
    _load_pass(bits, doubts, error_rate, noise_rate, &seen)
    with nogil:
        decode_bits(&seen.bits, CODING_ANY, &characters.reading)
        if not characters.reading.errors:
            confirm_pass(&seen, CODING_ANY, &characters.reading, &work)
        if characters.reading.errors:
            repair_pass(&seen, CODING_ANY, &characters.reading, &work)
        if characters.reading.errors:
            guess_pass(&seen, CODING_ANY, &guess, &work)
            found = repair_from_track(&seen, &guess, number, &known, &tried, &work)
            _keep_proved(found, &tried, &characters.reading)
    return characters


def decode_passes(
    passes, doubts=None, int bits_per_character=0, *, bint msb_first=False,
    double error_rate=DEVICE_BITS.bit, double noise_rate=DEVICE_BITS.character
):
    cdef Characters characters = Characters.__new__(Characters)
    cdef int coding = checked_coding(bits_per_character, msb_first, True)
    cdef int count = <int>len(passes)
    cdef int index
    cdef const Pass *seen[MAX_PASSES]
    cdef Guess guessed[MAX_PASSES]
    cdef const Guess *guesses[MAX_PASSES]
    cdef Pass *room
    cdef bint found
    cdef long work = count * MAX_WORK
    cdef Reading tried
    if not 1 <= count <= MAX_PASSES:
        raise ValueError(f"passes must be 1 to {MAX_PASSES}")
    if doubts is not None and len(doubts) != count:
        raise ValueError("doubts must be one for each pass")
    storage = bytearray(count * sizeof(Pass) + 16)
    cdef uint8_t[::1] view = storage
    room = <Pass *>(<size_t>(&view[15]) & ~<size_t>15)
    for index in range(count):
        beside = doubts[index] if doubts is not None else None
        _load_pass(passes[index], beside, error_rate, noise_rate, &room[index])
        seen[index] = &room[index]
    with nogil:
        for index in range(count):
            decode_bits(&seen[index].bits, coding, &characters.reading)
            if not characters.reading.errors:
                if confirm_pass(seen[index], coding, &characters.reading, &work):
                    break
            if repair_pass(seen[index], coding, &tried, &work):
                characters.reading = tried
                if not tried.errors:
                    break
        else:
            for index in range(count):
                guess_pass(seen[index], coding, &guessed[index], &work)
                guesses[index] = &guessed[index]
            found = (are_of_one_card(guesses, count)
                     and repair_from_passes(seen, guesses, count, &tried, &work) >= 0)
            _keep_proved(found, &tried, &characters.reading)
    return characters
