"""A batch of swipes: protobuf bytes in, protobuf bytes out, no Python object a swipe, no GIL.

The messages are DecodeSwipesRequest and DecodeSwipesResponse of protos/swipegate/v1/track.proto. Every length
read is
held to what is left of the message before it is used; the answer is written backwards, so that lengths are
known.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset

from swipegate.core cimport codes, flux
from swipegate.core.numbers cimport CompiledFormat, Digits, FormatSet, NumberMatch, match_formats
from swipegate.core.symbols cimport MAX_BITS, Reading, decode_bits, unpack_bits
from swipegate.core.tracks cimport (
    COUNTRY_CODE, DISCRETIONARY, FIELD_COUNT, FIRST_TRACK3_FIELD, FORMAT_CODE, LUHN_ABSENT, LUHN_OK,
    MAX_LINE_TRACKS, MAX_TEXT, NAME, TrackRecord, parse_track, split_line)

# Bounds of the messages, as the proto states them.
cdef enum:
    MAX_MESSAGE = 4 * 1024 * 1024     # bytes a message
    MAX_SWIPES = 10000                # swipes a message
    MAX_TRACKS = 8                    # raw tracks a swipe
    MAX_BIT_BYTES = 1024              # bytes of BitString.data
    MAX_PCM = 2 * 2000000             # bytes of SampledSignal.pcm
    MIN_SAMPLE_RATE = 8000            # samples a second
    MAX_SAMPLE_RATE = 1000000
    MAX_INTERVALS = 16384             # FluxIntervals.nanoseconds
    MAX_GROUPS = 90                   # nested groups skipped; protobuf's own parsers stop at 100 levels

cdef enum:
    MAX_RECORDS = MAX_TRACKS * MAX_LINE_TRACKS
    # A track's answer: its text, its fields, the parts of its name, and besides them tags, lengths, PAN and
    # repairs.
    COPIES = 3
    TRACK_OVERHEAD = 384
    NUMBER_SIZE = 512                 # a card number's: five strings of at most 64 characters
    # A swipe's answer: 8 texts, and 64 tracks made of them.
    SCRATCH = MAX_TRACKS * MAX_TEXT * COPIES + MAX_RECORDS * TRACK_OVERHEAD + NUMBER_SIZE + 32
    TRACK2_CHARACTERS = 40            # sentinels and LRC included (ISO/IEC 7811-2)

# A signal is read in several ways, each a chance to be wrong: in a swipe less regular than this (root mean
# square deviation of its cells, share of a cell) no character is repaired.
cdef float REPAIR_JITTER = 0.08

cdef enum Failure:
    FINE
    MALFORMED
    NO_MEMORY
    OVERFLOW
    TOO_MANY_SWIPES
    NO_TRACKS
    TOO_MANY_TRACKS
    BAD_NUMBER
    NO_FORM
    LONG_TEXT
    LONG_BITS
    BAD_BIT_COUNT
    LONG_SAMPLES
    ODD_SAMPLES
    BAD_SAMPLE_RATE
    MANY_INTERVALS

cdef dict REASONS = {
    NO_TRACKS: (".tracks", "must hold at least one track"),
    TOO_MANY_TRACKS: (".tracks", f"must be at most {MAX_TRACKS}"),
    BAD_NUMBER: (".number", "must be 0 to 3"),
    NO_FORM: (".form", "is required"),
    LONG_TEXT: (".text", f"must be at most {MAX_TEXT:,} bytes"),
    LONG_BITS: (".bits.data", f"must be at most {MAX_BIT_BYTES:,} bytes"),
    BAD_BIT_COUNT: (".bits.bit_count", "must not be over the bits of data"),
    LONG_SAMPLES: (".samples.pcm", f"must be at most {MAX_PCM // 2:,} samples"),
    ODD_SAMPLES: (".samples.pcm", "must be whole samples of 2 bytes"),
    BAD_SAMPLE_RATE: (".samples.sample_rate", f"must be {MIN_SAMPLE_RATE:,} to {MAX_SAMPLE_RATE:,}"),
    MANY_INTERVALS: (".intervals.nanoseconds", f"must be at most {MAX_INTERVALS:,}"),
}

cdef struct Cursor:
    const uint8_t *place
    const uint8_t *end

cdef struct Writer:
    uint8_t *start
    uint8_t *place         # the next byte goes before it
    bint overflow

cdef struct Batch:
    TrackRecord records[MAX_RECORDS]
    const Reading *sources[MAX_RECORDS]  # NULL for a text
    Reading readings[MAX_RECORDS]
    int record_count
    int reading_count
    uint64_t id
    int track              # the raw track in hand, for an error
    uint32_t *intervals    # MAX_INTERVALS, once needed
    flux.Workspace signal
    uint8_t bits[MAX_BITS]
    uint8_t scratch[SCRATCH]

cdef struct Output:
    uint8_t *data
    Py_ssize_t size
    Py_ssize_t capacity


cdef inline Failure _varint(Cursor *cursor, int most, uint64_t *value) noexcept nogil:
    """Read a varint of at most `most` bytes."""
    cdef int index
    cdef uint8_t byte
    value[0] = 0
    for index in range(most):
        if cursor.place == cursor.end:
            return MALFORMED
        byte = cursor.place[0]
        cursor.place += 1
        value[0] |= <uint64_t>(byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return FINE
    return MALFORMED


cdef inline Failure _key(Cursor *cursor, uint32_t *field, int *kind) noexcept nogil:
    """Read a field number and wire type."""
    cdef uint64_t key
    if _varint(cursor, 5, &key) != FINE or key > <uint64_t>0xFFFFFFFF or key < 8:
        return MALFORMED
    field[0] = <uint32_t>(key >> 3)
    kind[0] = <int>(key & 7)
    return FINE


cdef inline Failure _message(Cursor *cursor, Cursor *inner) noexcept nogil:
    """Read a length, and set `inner` on what it bounds."""
    cdef uint64_t size
    if _varint(cursor, 5, &size) != FINE or size > <uint64_t>(cursor.end - cursor.place):
        return MALFORMED
    inner.place = cursor.place
    inner.end = cursor.place + size
    cursor.place = inner.end
    return FINE


cdef Failure _skip(Cursor *cursor, uint32_t field, int kind, int depth) noexcept nogil:
    """Pass over the value of an unknown field."""
    cdef uint64_t value
    cdef Cursor inner
    cdef uint32_t inner_field
    cdef int inner_kind
    if kind == 0:
        return _varint(cursor, 10, &value)
    if kind == 2:
        return _message(cursor, &inner)
    if kind == 1 or kind == 5:
        if cursor.end - cursor.place < (8 if kind == 1 else 4):
            return MALFORMED
        cursor.place += 8 if kind == 1 else 4
        return FINE
    if kind != 3 or depth >= MAX_GROUPS:
        return MALFORMED
    while True:
        if _key(cursor, &inner_field, &inner_kind) != FINE:
            return MALFORMED
        if inner_kind == 4:
            return FINE if inner_field == field else MALFORMED
        if _skip(cursor, inner_field, inner_kind, depth + 1) != FINE:
            return MALFORMED


cdef Failure _read_data_and_number(Cursor *cursor, RawTrack *raw, uint32_t *number) noexcept nogil:
    """Merge a BitString or a SampledSignal: field 1 is data, field 2 a number that belongs to it."""
    cdef Cursor inner
    cdef uint64_t value
    cdef uint32_t field
    cdef int kind
    while cursor.place < cursor.end:
        if _key(cursor, &field, &kind) != FINE:
            return MALFORMED
        if field == 1 and kind == 2:
            if _message(cursor, &inner) != FINE:
                return MALFORMED
            raw.data = inner.place
            raw.size = inner.end - inner.place
        elif field == 2 and kind == 0:
            if _varint(cursor, 10, &value) != FINE:
                return MALFORMED
            number[0] = <uint32_t>value
        elif _skip(cursor, field, kind, 0) != FINE:
            return MALFORMED
    return FINE


cdef inline Failure _add_interval(Cursor *cursor, RawTrack *raw, uint32_t *intervals) noexcept nogil:
    cdef uint64_t value
    if _varint(cursor, 10, &value) != FINE:
        return MALFORMED
    if raw.interval_count < MAX_INTERVALS:
        intervals[raw.interval_count] = <uint32_t>value
    raw.interval_count += 1
    return FINE


cdef Failure _read_intervals(Cursor *cursor, RawTrack *raw, Batch *work) noexcept nogil:
    """Merge FluxIntervals, packed or not."""
    cdef Cursor inner
    cdef uint32_t field
    cdef int kind
    if work.intervals == NULL:
        work.intervals = <uint32_t *>malloc(MAX_INTERVALS * sizeof(uint32_t))
        if work.intervals == NULL:
            return NO_MEMORY
    raw.nanoseconds = work.intervals
    while cursor.place < cursor.end:
        if _key(cursor, &field, &kind) != FINE:
            return MALFORMED
        if field == 1 and kind == 0:
            if _add_interval(cursor, raw, work.intervals) != FINE:
                return MALFORMED
        elif field == 1 and kind == 2:
            if _message(cursor, &inner) != FINE:
                return MALFORMED
            while inner.place < inner.end:
                if _add_interval(&inner, raw, work.intervals) != FINE:
                    return MALFORMED
        elif _skip(cursor, field, kind, 0) != FINE:
            return MALFORMED
    return FINE


cdef inline void _take_form(RawTrack *raw, int form) noexcept nogil:
    """Start a member of the oneof; one that is there already is merged, another is forgotten."""
    if raw.form == form:
        return
    raw.form = form
    raw.data = NULL
    raw.size = 0
    raw.bit_count = 0
    raw.sample_rate = 0
    raw.interval_count = 0


cdef Failure _read_raw_track(Cursor *cursor, RawTrack *raw, Batch *work) noexcept nogil:
    cdef Cursor inner
    cdef uint64_t value
    cdef uint32_t field
    cdef int kind
    cdef Failure failure = FINE
    memset(raw, 0, sizeof(RawTrack))
    while cursor.place < cursor.end:
        if _key(cursor, &field, &kind) != FINE:
            return MALFORMED
        if field == 1 and kind == 0:
            failure = _varint(cursor, 10, &value)
            raw.number = <uint32_t>value
        elif FORM_TEXT <= field <= FORM_INTERVALS and kind == 2:
            if _message(cursor, &inner) != FINE:
                return MALFORMED
            _take_form(raw, <int>field)
            if field == FORM_TEXT:
                raw.data = inner.place
                raw.size = inner.end - inner.place
            elif field == FORM_BITS:
                failure = _read_data_and_number(&inner, raw, &raw.bit_count)
            elif field == FORM_SAMPLES:
                failure = _read_data_and_number(&inner, raw, &raw.sample_rate)
            else:
                failure = _read_intervals(&inner, raw, work)
        else:
            failure = _skip(cursor, field, kind, 0)
        if failure != FINE:
            return failure
    return FINE


cdef Failure _check_raw_track(const RawTrack *raw) noexcept nogil:
    """Hold a raw track to the bounds of the proto."""
    if raw.number > 3:
        return BAD_NUMBER
    if raw.form == FORM_NONE:
        return NO_FORM
    if raw.form == FORM_TEXT and raw.size > MAX_TEXT:
        return LONG_TEXT
    if raw.form == FORM_BITS:
        if raw.size > MAX_BIT_BYTES:
            return LONG_BITS
        if raw.bit_count > <uint32_t>(8 * raw.size):
            return BAD_BIT_COUNT
    if raw.form == FORM_SAMPLES:
        if raw.size > MAX_PCM:
            return LONG_SAMPLES
        if raw.size & 1:
            return ODD_SAMPLES
        if not MIN_SAMPLE_RATE <= raw.sample_rate <= MAX_SAMPLE_RATE:
            return BAD_SAMPLE_RATE
    if raw.form == FORM_INTERVALS and raw.interval_count > MAX_INTERVALS:
        return MANY_INTERVALS
    return FINE


cdef bint _read_run(flux.Workspace *signal, int run, Reading *reading) noexcept nogil:
    """Read one run of flux: the first attempt that needs no repair, else the first that reads at all."""
    cdef flux.Reading cells
    cdef Reading tried
    cdef Py_ssize_t count, most = 0
    cdef int attempt
    cdef uint32_t errors = codes.ERROR_NO_ENCODING
    reading.length = 0
    for attempt in range(flux.attempts(signal)):
        count = flux.read(signal, run, attempt, &cells)
        if count <= 0:
            if cells.jitter > flux.JITTER_LIMIT:
                errors |= codes.ERROR_JITTER
            continue
        decode_bits(cells.bits, min(count, <Py_ssize_t>MAX_BITS), 0, cells.jitter < REPAIR_JITTER, &tried)
        if tried.length and not tried.repair_count:
            reading[0] = tried
            return True
        if tried.length and not reading.length:
            reading[0] = tried
        elif not tried.length and count > most:
            most = count
            errors = tried.errors
    if not reading.length:
        memset(reading, 0, sizeof(Reading))
        reading.errors = errors
    return reading.length > 0


cdef int read_signal(
    const RawTrack *raw, flux.Workspace *signal, Reading *readings, int capacity
) noexcept nogil:
    """Read every run of samples or intervals; returns how many readings it made, 1 to capacity.

    A run that does not read is noise beside one that does; alone, it is the answer, with its errors.
    """
    cdef int run, runs, made = 0
    cdef Py_ssize_t longest = -1
    cdef Reading tried
    if raw.form == FORM_SAMPLES:
        runs = flux.load_pcm16(signal, raw.data, raw.size // 2, raw.sample_rate)
    else:
        runs = flux.load_intervals_ns(signal, raw.nanoseconds, raw.interval_count)
    memset(&readings[0], 0, sizeof(Reading))
    readings[0].errors = codes.ERROR_NOT_READ if runs < 0 else codes.ERROR_NO_ENCODING
    for run in range(runs):
        if made == capacity:
            break
        if _read_run(signal, run, &tried):
            readings[made] = tried
            made += 1
        elif not made and signal.runs[run].count > longest:
            longest = signal.runs[run].count
            readings[0] = tried
    return made if made else 1


cdef void _add_reading(const RawTrack *raw, const Reading *reading, Batch *work) noexcept nogil:
    """Parse the characters of a reading into the next record."""
    cdef TrackRecord *record = &work.records[work.record_count]
    cdef int layout = <int>raw.number
    work.sources[work.record_count] = reading
    work.record_count += 1
    if not reading.length:
        memset(record, 0, sizeof(TrackRecord))
        record.number = <uint8_t>raw.number
        record.errors = reading.errors
        return
    if reading.bits_per_character == 7 and layout != 3:
        layout = 1
    elif reading.bits_per_character == 5 and layout != 3:
        layout = 2 if raw.number or reading.length < TRACK2_CHARACTERS else 3
    parse_track(<const uint8_t *>reading.text, reading.length, layout, record)
    if raw.number:
        record.number = <uint8_t>raw.number


cdef void _decode_raw_track(const RawTrack *raw, Batch *work) noexcept nogil:
    cdef Py_ssize_t bit_count
    cdef int count, _index
    cdef Reading *reading = &work.readings[work.reading_count]
    if raw.form == FORM_TEXT:
        count = split_line(
            raw.data, raw.size, <int>raw.number, &work.records[work.record_count], MAX_LINE_TRACKS)
        for _index in range(count):
            work.sources[work.record_count] = NULL
            work.record_count += 1
        return
    count = 1
    if raw.form == FORM_BITS:
        bit_count = raw.bit_count if raw.bit_count else 8 * raw.size
        unpack_bits(raw.data, bit_count, work.bits)
        decode_bits(work.bits, bit_count, 0, True, reading)
    else:
        count = read_signal(raw, &work.signal, reading, MAX_LINE_TRACKS)
    for _index in range(count):
        _add_reading(raw, &work.readings[work.reading_count], work)
        work.reading_count += 1


cdef Failure _read_swipe(Cursor *cursor, Batch *work) noexcept nogil:
    """Read a Swipe and decode its tracks into the workspace."""
    cdef Cursor inner
    cdef RawTrack raw
    cdef uint32_t field
    cdef int kind
    cdef Failure failure = FINE
    work.record_count = work.reading_count = work.track = 0
    work.id = 0
    while cursor.place < cursor.end:
        if _key(cursor, &field, &kind) != FINE:
            return MALFORMED
        if field == 1 and kind == 0:
            failure = _varint(cursor, 10, &work.id)
        elif field == 2 and kind == 2:
            if work.track == MAX_TRACKS:
                return TOO_MANY_TRACKS
            failure = _message(cursor, &inner)
            if failure == FINE:
                failure = _read_raw_track(&inner, &raw, work)
            if failure == FINE:
                failure = _check_raw_track(&raw)
            if failure == FINE:
                _decode_raw_track(&raw, work)
                work.track += 1
        else:
            failure = _skip(cursor, field, kind, 0)
        if failure != FINE:
            return failure
    return FINE if work.track else NO_TRACKS


cdef inline bint _room(Writer *writer, Py_ssize_t size) noexcept nogil:
    """Whether `size` bytes fit. Asked once a track and once a card number; what is put then needs no check.
    """
    if writer.place - writer.start < size:
        writer.overflow = True
        return False
    return True


cdef inline void _copy(uint8_t *target, const uint8_t *source, Py_ssize_t size) noexcept nogil:
    """memcpy for the short strings of a track, where a C compiler makes of it an instruction that is slow to
    start.
    """
    cdef Py_ssize_t index = 0
    cdef uint64_t word
    if size < 8:
        for index in range(size):
            target[index] = source[index]
        return
    while index < size:
        if index > size - 8:
            index = size - 8
        memcpy(&word, source + index, 8)
        memcpy(target + index, &word, 8)
        index += 8


cdef inline void _put_varint(Writer *writer, uint64_t value) noexcept nogil:
    cdef uint8_t bytes[10]
    cdef int size = 0
    if value < 0x80:
        writer.place -= 1
        writer.place[0] = <uint8_t>value
        return
    while value > 0x7F:
        bytes[size] = <uint8_t>(value & 0x7F | 0x80)
        value >>= 7
        size += 1
    bytes[size] = <uint8_t>value
    writer.place -= size + 1
    _copy(writer.place, bytes, size + 1)


cdef inline void _put_number(Writer *writer, int field, uint64_t value) noexcept nogil:
    if value:
        _put_varint(writer, value)
        _put_varint(writer, <uint64_t>(field << 3))


cdef inline void _put_length(Writer *writer, int field, const uint8_t *end) noexcept nogil:
    """Close, at its front, a string or message that ends at `end`."""
    if end - writer.place < 0x80 and field < 16:
        writer.place -= 2
        writer.place[1] = <uint8_t>(end - writer.place - 2)
        writer.place[0] = <uint8_t>(field << 3 | 2)
        return
    _put_varint(writer, <uint64_t>(end - writer.place))
    _put_varint(writer, <uint64_t>(field << 3 | 2))


cdef inline void _put_string(
    Writer *writer, int field, const uint8_t *text, Py_ssize_t length
) noexcept nogil:
    cdef uint8_t *end = writer.place
    if length:
        writer.place -= length
        _copy(writer.place, text, length)
        _put_length(writer, field, end)


cdef inline void _put_text(
    Writer *writer, int field, const TrackRecord *record, int start, int length
) noexcept nogil:
    """A string from a track's text, bytes that are no printable ASCII as question marks."""
    cdef uint8_t *end = writer.place
    cdef int index
    if not length:
        return
    writer.place -= length
    _copy(writer.place, record.text + start, length)
    if record.unprintable:
        for index in range(length):
            if not 0x20 <= writer.place[index] <= 0x7E:
                writer.place[index] = c"?"
    _put_length(writer, field, end)


cdef inline void _put_field(Writer *writer, int number, const TrackRecord *record, int field) noexcept nogil:
    _put_text(writer, number, record, record.fields[field].start, record.fields[field].length)


cdef inline void _put_mask(Writer *writer, int field, uint32_t mask) noexcept nogil:
    """Packed enum numbers, ascending, from the bits of a mask; each is under 32, so one byte."""
    cdef uint8_t *end = writer.place
    cdef int number
    if not mask:
        return
    for number in range(31, 0, -1):
        if mask >> number & 1:
            _put_varint(writer, <uint64_t>number)
    _put_length(writer, field, end)


cdef void _put_fields(Writer *writer, const TrackRecord *record) noexcept nogil:
    """TrackFields, unless every field is empty."""
    cdef uint8_t *end = writer.place
    cdef uint8_t *track3_end
    cdef int field
    if record.has_track3:
        track3_end = writer.place
        for field in range(FIELD_COUNT - 1, FIRST_TRACK3_FIELD - 1, -1):
            _put_field(writer, field - FIRST_TRACK3_FIELD + 1, record, field)
        _put_length(writer, 13, track3_end)
    # country_code is 4, name 5, and so on to discretionary, 12.
    for field in range(DISCRETIONARY, NAME - 1, -1):
        _put_field(writer, field - NAME + 5, record, field)
    _put_field(writer, 4, record, COUNTRY_CODE)
    if record.luhn != LUHN_ABSENT:
        _put_varint(writer, 1 if record.luhn == LUHN_OK else 0)
        _put_varint(writer, 3 << 3)
    _put_string(writer, 2, <const uint8_t *>record.pan, record.pan_length)
    _put_field(writer, 1, record, FORMAT_CODE)
    if writer.place != end:
        _put_length(writer, 12, end)


cdef void _put_repairs(Writer *writer, const Reading *reading) noexcept nogil:
    cdef uint8_t *end
    cdef int index
    for index in range(reading.repair_count - 1, -1, -1):
        end = writer.place
        _put_number(writer, 3, reading.repairs[index].method)
        _put_string(writer, 2, <const uint8_t *>&reading.repairs[index].character, 1)
        _put_number(writer, 1, reading.repairs[index].position)
        _put_length(writer, 9, end)


cdef void _put_track(Writer *writer, const TrackRecord *record, const Reading *reading) noexcept nogil:
    cdef uint8_t *end = writer.place
    cdef char lrc_character = record.lrc_character
    cdef uint8_t lrc = record.lrc
    if not _room(writer, COPIES * record.length + TRACK_OVERHEAD):
        return
    if reading != NULL:
        lrc = reading.lrc
        lrc_character = reading.lrc_character
    _put_fields(writer, record)
    _put_mask(writer, 11, record.allowances)
    _put_mask(writer, 10, record.errors)
    if reading != NULL:
        _put_repairs(writer, reading)
        _put_number(writer, 8, reading.inverted)
        _put_number(writer, 7, reading.bits_per_character)
    if lrc_character:
        _put_string(writer, 6, <const uint8_t *>&lrc_character, 1)
    _put_number(writer, 5, lrc)
    if reading != NULL:
        _put_number(writer, 4, reading.direction)
    _put_number(writer, 3, record.standard)
    _put_text(writer, 2, record, 0, record.length)
    _put_number(writer, 1, record.number)
    _put_length(writer, 2, end)


cdef inline void _put_digits(Writer *writer, int field, const Digits *digits) noexcept nogil:
    _put_string(writer, field, <const uint8_t *>digits.text, digits.length)


cdef void _put_card_number(Writer *writer, const NumberMatch *match) noexcept nogil:
    cdef uint8_t *end = writer.place
    if not _room(writer, NUMBER_SIZE):
        return
    _put_number(writer, 6, match.track)
    _put_digits(writer, 5, &match.expiry)
    _put_digits(writer, 4, &match.issue)
    _put_digits(writer, 3, &match.facility)
    _put_digits(writer, 2, &match.number)
    _put_string(writer, 1, <const uint8_t *>match.format.name, match.format.name_length)
    _put_length(writer, 3, end)


cdef void _write_swipe(
    Batch *work, const CompiledFormat *formats, Py_ssize_t count, Writer *writer
) noexcept nogil:
    """Write the DecodedSwipe of the workspace, without its own tag and length."""
    cdef NumberMatch match
    cdef int index
    writer.start = work.scratch
    writer.place = work.scratch + SCRATCH
    writer.overflow = False
    match_formats(formats, count, work.records, work.record_count, &match)
    if match.format != NULL:
        _put_card_number(writer, &match)
    for index in range(work.record_count - 1, -1, -1):
        _put_track(writer, &work.records[index], work.sources[index])
    _put_number(writer, 1, work.id)


cdef Failure _append(Output *output, const uint8_t *data, Py_ssize_t size) noexcept nogil:
    cdef uint8_t *grown
    cdef Py_ssize_t capacity = output.capacity
    if output.size + size > capacity:
        capacity = max(2 * capacity, output.size + size + 4096)
        grown = <uint8_t *>realloc(output.data, capacity)
        if grown == NULL:
            return NO_MEMORY
        output.data = grown
        output.capacity = capacity
    memcpy(output.data + output.size, data, size)
    output.size += size
    return FINE


cdef Failure _decode_swipe(
    Cursor *cursor, const CompiledFormat *formats, Py_ssize_t count, Batch *work, bint tagged,
    Output *output
) noexcept nogil:
    cdef Writer writer
    cdef Failure failure = _read_swipe(cursor, work)
    if failure != FINE:
        return failure
    _write_swipe(work, formats, count, &writer)
    if tagged:
        _put_length(&writer, 1, work.scratch + SCRATCH)
    if writer.overflow:
        return OVERFLOW
    return _append(output, writer.place, work.scratch + SCRATCH - writer.place)


cdef Failure _decode_batch(
    Cursor *cursor, const CompiledFormat *formats, Py_ssize_t count, Batch *work, Output *output,
    int *swipe
) noexcept nogil:
    cdef Cursor inner
    cdef uint32_t field
    cdef int kind
    cdef Failure failure = FINE
    while cursor.place < cursor.end:
        if _key(cursor, &field, &kind) != FINE:
            return MALFORMED
        if field == 2 and kind == 2:
            if swipe[0] == MAX_SWIPES:
                return TOO_MANY_SWIPES
            failure = _message(cursor, &inner)
            if failure == FINE:
                failure = _decode_swipe(&inner, formats, count, work, True, output)
            if failure == FINE:
                swipe[0] += 1
        else:
            failure = _skip(cursor, field, kind, 0)
        if failure != FINE:
            return failure
    return FINE


class InvalidField(ValueError):
    def __init__(self, field, reason):
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


cdef object _error(Failure failure, str swipe, int track):
    """The exception of a failure; it names the field and says nothing of what was in it."""
    if failure == MALFORMED:
        return ValueError("the message is no well-formed protobuf")
    if failure == NO_MEMORY:
        return MemoryError()
    if failure == OVERFLOW:
        return RuntimeError("the answer is over its bound")
    if failure == TOO_MANY_SWIPES:
        return InvalidField("swipes", f"must be at most {MAX_SWIPES:,}")
    suffix, reason = REASONS[failure]
    if failure not in (NO_TRACKS, TOO_MANY_TRACKS):
        suffix = f".tracks[{track}]{suffix}"
    return InvalidField(swipe + suffix, reason)


cdef bytes _decode(const uint8_t[::1] message, FormatSet formats, bint one):
    cdef Batch *work
    cdef Output output = Output(NULL, 0, 0)
    cdef Cursor cursor
    cdef Failure failure
    cdef uint8_t nothing = 0
    cdef int swipe = 0
    if message.shape[0] > MAX_MESSAGE:
        raise InvalidField("swipe" if one else "request", f"must be at most {MAX_MESSAGE:,} bytes")
    cursor.place = &message[0] if message.shape[0] else &nothing
    cursor.end = cursor.place + message.shape[0]
    work = <Batch *>malloc(sizeof(Batch))
    if work == NULL:
        raise MemoryError
    work.intervals = NULL
    flux.workspace_init(&work.signal)
    try:
        with nogil:
            if one:
                failure = _decode_swipe(&cursor, formats.formats, formats.count, work, False, &output)
            else:
                failure = _decode_batch(&cursor, formats.formats, formats.count, work, &output, &swipe)
        if failure != FINE:
            raise _error(failure, "swipe" if one else f"swipes[{swipe}]", work.track)
        return PyBytes_FromStringAndSize(<const char *>output.data, output.size)
    finally:
        free(work.intervals)
        flux.workspace_free(&work.signal)
        free(work)
        free(output.data)


def decode_batch(const uint8_t[::1] request not None, FormatSet formats not None):
    return _decode(request, formats, False)


def decode_one(const uint8_t[::1] swipe not None, FormatSet formats not None):
    return _decode(swipe, formats, True)


def batch_config(const uint8_t[::1] request not None):
    cdef Cursor cursor, inner
    cdef uint32_t field
    cdef int kind
    cdef uint8_t nothing = 0
    config = None
    cursor.place = &request[0] if request.shape[0] else &nothing
    cursor.end = cursor.place + request.shape[0]
    while cursor.place < cursor.end:
        if _key(&cursor, &field, &kind) != FINE:
            raise _error(MALFORMED, "", 0)
        if field == 1 and kind == 2:
            if _message(&cursor, &inner) != FINE:
                raise _error(MALFORMED, "", 0)
            # Repeated, a message is merged: the same as its bytes one after the other.
            config = (config or b"") + inner.place[:inner.end - inner.place]
        elif _skip(&cursor, field, kind, 0) != FINE:
            raise _error(MALFORMED, "", 0)
    return config
