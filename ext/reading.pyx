"""A swipe of raw tracks -> characters and fields: what joins the stages of the core.

Each raw track is read by itself; then what does not read alone is read together with the rest of the swipe:
passes of one track, and the other tracks of the card. What reads is left as it is.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy, memset

from swipegate.core cimport codes, flux
from swipegate.core.records cimport EXPIRY, MAX_LINE_TRACKS, SERVICE_CODE, TrackRecord
from swipegate.core.repair cimport (
    DEVICE_BITS, MAX_WORK, Guess, KnownFields, Pass, Trust, are_of_one_card, confirm_pass, guess_pass,
    repair_from_passes, repair_from_track, repair_pass)
from swipegate.core.symbols cimport MAX_BITS, Reading, decode_bits, load_bits, load_packed
from swipegate.core.texts cimport has
from swipegate.core.tracks cimport parse_track, split_line
from swipegate.core.transitions cimport SWIPE_TRANSITIONS_MAX

cdef enum:
    TRACK2_CHARACTERS = 40  # sentinels and LRC included (ISO/IEC 7811-2)
    # Transitions that the attempts at one raw track may read: of ten long swipes that fail in all nine.
    MAX_TRANSITIONS = 131072
    # At a run that is longer than any swipe, and at every run once the transitions are used up: the quickest
    # and the best of all.
    FIRST_ATTEMPTS = 2

# How far the bits of an irregular signal are trusted whose doubts say nothing: cells lost or made up shift
# all that follow. Those of a regular one are as sure as a device's.
cdef float REGULAR = 0.05   # jitter, share of a cell
cdef Trust SIGNAL_BITS
SIGNAL_BITS.bit = 1.0 / 512
SIGNAL_BITS.character = 1.0 / 4096
cdef float SHAKY = 0.09     # jitter
cdef Trust SHAKY_BITS
SHAKY_BITS.bit = 1.0 / 128
SHAKY_BITS.character = 1.0 / 1024


# ---- the next record

cdef inline Reading *_next_reading(SwipeReading *swipe) noexcept nogil:
    return &swipe.readings[swipe.reading_count]


cdef void _parse(const RawTrack *raw, const Reading *reading, TrackRecord *record) noexcept nogil:
    """Fields of a reading, by the layout that its track and coding have."""
    cdef int layout = <int>raw.number
    if not reading.length:
        memset(record, 0, sizeof(TrackRecord))
        record.number = <uint8_t>raw.number
        record.errors = reading.errors
        return
    if reading.bits_per_character == 8:
        _keep_text(raw, reading, record)
        return
    if reading.bits_per_character != 5 and layout != 3:
        layout = 1
    elif reading.bits_per_character == 5 and layout != 3:
        layout = 2 if raw.number or reading.length < TRACK2_CHARACTERS else 3
    parse_track(<const uint8_t *>reading.text, reading.length, layout, record)
    if reading.errors & codes.NOT_PROVED:
        record.errors |= codes.NOT_PROVED
        record.allowances |= codes.ALLOWED_UNPROVED_REPAIR
    if raw.number:
        record.number = <uint8_t>raw.number


cdef void _keep_text(const RawTrack *raw, const Reading *reading, TrackRecord *record) noexcept nogil:
    """A track whose layout is left to the issuer (JIS X 6302-2)."""
    memset(record, 0, sizeof(TrackRecord))
    record.text = <const uint8_t *>reading.text
    record.length = reading.length
    record.number = <uint8_t>raw.number
    record.standard = codes.STANDARD_JIS_X6302_2
    record.data.start = 1
    record.data.length = reading.length - 2


cdef void _add_reading(SwipeReading *swipe, const RawTrack *raw) noexcept nogil:
    """Take the next reading as the next record."""
    cdef const Reading *reading = _next_reading(swipe)
    _parse(raw, reading, &swipe.records[swipe.record_count])
    swipe.sources[swipe.record_count] = reading
    swipe.record_count += 1
    swipe.reading_count += 1


cdef Pass *_hold(SwipeReading *swipe, const RawTrack *raw) noexcept nogil:
    """Room for a pass of the next record that did not read; NULL when there is none."""
    cdef Held *held
    if swipe.held_count == MAX_HELD:
        return NULL
    held = &swipe.held[swipe.held_count]
    swipe.held_count += 1
    held.record = swipe.record_count
    held.number = <int>raw.number
    held.track = swipe.track_count
    held.coding = <int>raw.coding
    held.guessed = held.tried = False
    return &held.seen


# ---- bits

cdef void _read_bits(SwipeReading *swipe, const RawTrack *raw) noexcept nogil:
    cdef Reading *reading = _next_reading(swipe)
    cdef Pass *seen = _hold(swipe, raw)
    cdef Pass room
    if seen == NULL:
        seen = &room
    load_packed(raw.data, raw.bit_count if raw.bit_count else 8 * raw.size, &seen.bits)
    decode_bits(&seen.bits, <int>raw.coding, reading)
    if reading.length == 0 and seen.bits.first >= 0:
        seen.has_doubts = False
        seen.trust = DEVICE_BITS
        repair_pass(seen, <int>raw.coding, reading, &swipe.work)
    if seen != &room and (not reading.errors or seen.bits.first < 0):
        swipe.held_count -= 1


# ---- signals

cdef bint _same_text(const Reading *one, const Reading *other) noexcept nogil:
    cdef int index
    if one.length != other.length:
        return False
    for index in range(one.length):
        if one.text[index] != other.text[index]:
            return False
    return True


cdef void _take_cells(const flux.Reading *cells, Py_ssize_t count, Pass *seen) noexcept nogil:
    """What the signal stage read of a run, as a pass."""
    load_bits(cells.bits, min(count, <Py_ssize_t>MAX_BITS), &seen.bits)
    seen.has_doubts = True
    memcpy(seen.doubts, cells.doubts, seen.bits.count)
    seen.trust = DEVICE_BITS
    if cells.jitter > REGULAR:
        seen.trust = SHAKY_BITS if cells.jitter > SHAKY else SIGNAL_BITS


cdef bint _repair_run(SwipeReading *swipe, int tries, int coding, Reading *reading) noexcept nogil:
    """What the repairs of all attempts agree on; False where none is proved, or two differ."""
    cdef Reading tried
    cdef int index
    reading.length = 0
    for index in range(tries):
        if not repair_pass(&swipe.tries[index], coding, &tried, &swipe.work):
            continue
        if not reading.length:
            reading[0] = tried
        elif not _same_text(reading, &tried):
            return False
    return reading.length > 0


cdef int _attempts(const SwipeReading *swipe, int run) noexcept nogil:
    """How many attempts a run of flux is worth."""
    if swipe.signal.runs[run].count > SWIPE_TRANSITIONS_MAX or swipe.transitions <= 0:
        return FIRST_ATTEMPTS
    return min(flux.attempts(&swipe.signal), <int>MAX_TRIES)


cdef bint _read_run(SwipeReading *swipe, int run, int coding, Reading *reading, Pass **seen) noexcept nogil:
    """Read one run of flux: the first attempt that needs no repair, else what repairs agree on.

    `seen` is set on the longest attempt, NULL when there is none.
    """
    cdef flux.Reading cells
    cdef Reading tried
    cdef Pass *now
    cdef Py_ssize_t count, most = 0
    cdef int attempt, tries = 0
    cdef bint irregular = False
    cdef uint32_t errors = codes.ERROR_NO_ENCODING
    seen[0] = NULL
    for attempt in range(_attempts(swipe, run)):
        swipe.transitions -= swipe.signal.runs[run].count
        count = flux.read(&swipe.signal, run, attempt, &cells)
        if count <= 0:
            irregular |= cells.jitter > 0.0
            continue
        now = &swipe.tries[tries]
        tries += 1
        _take_cells(&cells, count, now)
        decode_bits(&now.bits, coding, &tried)
        if tried.length and confirm_pass(now, coding, &tried, &swipe.work) and not tried.repair_count:
            reading[0] = tried
            return True
        if count > most:
            most = count
            errors = tried.errors
            seen[0] = now
    if _repair_run(swipe, tries, coding, reading):
        return True
    if irregular and not tries:
        errors = codes.ERROR_JITTER
    memset(reading, 0, sizeof(Reading))
    reading.errors = errors
    return False


cdef void _read_signal(SwipeReading *swipe, const RawTrack *raw) noexcept nogil:
    """Read every run of samples or intervals, at least one reading and at most MAX_LINE_TRACKS.

    A run that does not read is noise beside one that does; alone, it is the answer, with its errors.
    """
    cdef flux.Workspace *signal = &swipe.signal
    cdef int run, runs, made = 0
    cdef int held_before = swipe.held_count
    cdef Py_ssize_t longest = -1
    cdef Reading tried, unread
    cdef Pass *seen
    cdef Pass *room
    if raw.form == FORM_SAMPLES:
        runs = flux.load_pcm16(signal, raw.data, raw.size // 2, raw.sample_rate)
    else:
        runs = flux.load_intervals_ns(signal, raw.nanoseconds, raw.interval_count)
    memset(&unread, 0, sizeof(Reading))
    unread.errors = codes.ERROR_NOT_READ if runs < 0 else codes.ERROR_NO_ENCODING
    for run in range(runs):
        if made == MAX_LINE_TRACKS:
            break
        if _read_run(swipe, run, <int>raw.coding, &tried, &seen):
            _next_reading(swipe)[0] = tried
            _add_reading(swipe, raw)
            made += 1
        elif not made:
            if signal.runs[run].count > longest:
                longest = signal.runs[run].count
                unread = tried
            room = _hold(swipe, raw) if seen != NULL else NULL
            if room != NULL:
                room[0] = seen[0]
    if made:
        swipe.held_count = held_before
    else:
        _next_reading(swipe)[0] = unread
        _add_reading(swipe, raw)


# ---- what does not read alone

cdef void _amend(SwipeReading *swipe, int held, const Reading *reading) noexcept nogil:
    """Put a reading in the place of the one that failed, and let go of the passes that it is of."""
    cdef RawTrack raw
    cdef int record = swipe.held[held].record
    cdef int index
    cdef Reading *place = <Reading *>swipe.sources[record]
    raw.number = <uint32_t>swipe.held[held].number
    place[0] = reading[0]
    _parse(&raw, place, &swipe.records[record])
    for index in range(swipe.held_count):
        if swipe.held[index].record == record:
            swipe.held[index].seen.bits.first = -1


cdef bint _has_read(const SwipeReading *swipe, int number) noexcept nogil:
    """Whether any pass of a track of this number reads, and is proved."""
    cdef int index
    cdef const TrackRecord *record
    for index in range(swipe.record_count):
        record = &swipe.records[index]
        if number and record.number == number and record.length:
            if not record.errors & codes.ERRORS_OF_READING:
                return True
    return False


cdef const Guess *_guess(SwipeReading *swipe, int index) noexcept nogil:
    """What a held pass is likeliest to be, found out once."""
    cdef Held *held = &swipe.held[index]
    if not held.guessed:
        guess_pass(&held.seen, held.coding, &held.guess, &swipe.work)
        held.guessed = True
    return &held.guess


cdef void _read_passes(SwipeReading *swipe, int first) noexcept nogil:
    """Read the held pass `first` together with those behind it that are of the same track.

    Where they contradict each other, those behind it are tried by themselves in their turn.
    """
    cdef const Pass *passes[MAX_HELD]
    cdef const Guess *guesses[MAX_HELD]
    cdef int places[MAX_HELD]
    cdef int index, count = 0
    cdef Reading reading
    cdef const Held *held = &swipe.held[first]
    if held.tried or held.seen.bits.first < 0 or _has_read(swipe, held.number):
        return
    for index in range(first, swipe.held_count):
        if swipe.held[index].seen.bits.first < 0 or swipe.held[index].coding != held.coding:
            continue
        if swipe.held[index].track == held.track or (held.number and swipe.held[index].number == held.number):
            passes[count] = &swipe.held[index].seen
            places[count] = index
            count += 1
    if count < 2:
        return
    for index in range(count):
        guesses[index] = _guess(swipe, places[index])
    if not are_of_one_card(guesses, count):
        return
    for index in range(count):
        swipe.held[places[index]].tried = True
    index = repair_from_passes(passes, guesses, count, &reading, &swipe.work)
    if index >= 0 and not reading.errors:
        _amend(swipe, places[index], &reading)


cdef void _tell_fields(const TrackRecord *record, KnownFields *known) noexcept nogil:
    """What a track says of the card's other tracks."""
    memset(known, 0, sizeof(KnownFields))
    known.pan = <const uint8_t *>record.pan
    known.pan_length = record.pan_length
    if record.number == 3:  # ISO/IEC 4909 puts no service code there, and its expiry may differ
        return
    if has(record, EXPIRY):
        known.expiry = record.text + record.fields[EXPIRY].start
        known.expiry_length = record.fields[EXPIRY].length
    if has(record, SERVICE_CODE):
        known.service_code = record.text + record.fields[SERVICE_CODE].start
        known.service_code_length = record.fields[SERVICE_CODE].length


cdef void _read_beside(SwipeReading *swipe, int index) noexcept nogil:
    """Read a held pass by what another track of the swipe says, the first reading of each."""
    cdef const Held *held = &swipe.held[index]
    cdef const TrackRecord *record
    cdef KnownFields known
    cdef Reading reading
    cdef int other
    cdef int asked = 1 << held.number  # tracks, as the bits of a mask
    for other in range(swipe.record_count):
        record = &swipe.records[other]
        if held.seen.bits.first < 0 or asked >> record.number & 1 or not record.pan_length:
            continue
        if record.errors or (swipe.sources[other] != NULL and swipe.sources[other].repair_count):
            continue
        asked |= 1 << record.number
        _tell_fields(record, &known)
        if not repair_from_track(
            &held.seen, _guess(swipe, index), held.number, &known, &reading, &swipe.work
        ):
            continue
        if not reading.errors:
            _amend(swipe, index, &reading)


# ---- a swipe

cdef void swipe_init(SwipeReading *swipe) noexcept nogil:
    flux.workspace_init(&swipe.signal)


cdef void swipe_free(SwipeReading *swipe) noexcept nogil:
    flux.workspace_free(&swipe.signal)


cdef void begin_swipe(SwipeReading *swipe) noexcept nogil:
    swipe.record_count = swipe.reading_count = swipe.track_count = swipe.held_count = 0


cdef void read_track(SwipeReading *swipe, const RawTrack *raw) noexcept nogil:
    """Read one of at most MAX_TRACKS raw tracks of a swipe by itself."""
    cdef int count, _index
    swipe.work = MAX_WORK
    swipe.transitions = MAX_TRANSITIONS
    if raw.form == FORM_TEXT:
        count = split_line(
            raw.data, raw.size, <int>raw.number, &swipe.records[swipe.record_count], MAX_LINE_TRACKS)
        for _index in range(count):
            swipe.sources[swipe.record_count] = NULL
            swipe.record_count += 1
    elif raw.form == FORM_BITS:
        _read_bits(swipe, raw)
        _add_reading(swipe, raw)
    else:
        _read_signal(swipe, raw)
    swipe.track_count += 1


cdef void end_swipe(SwipeReading *swipe) noexcept nogil:
    """Read together what did not read alone."""
    cdef int index
    swipe.work = swipe.track_count * <long>MAX_WORK
    for index in range(swipe.held_count):
        _read_passes(swipe, index)
    for index in range(swipe.held_count):
        _read_beside(swipe, index)
