"""A batch of swipes: protobuf bytes in, protobuf bytes out, no Python object a swipe, no GIL.

The messages are DecodeSwipesRequest and DecodeSwipesResponse of protos/swipegate/v1/track.proto. Every
length read is held to what is left of the message before it is used; the answer is written backwards, so
that lengths are known.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from swipegate.core.numbers cimport CompiledFormat, Digits, FormatSet, NumberMatch, match_formats
from swipegate.core cimport codes
from swipegate.core.differences cimport Difference, MAX_DIFFERENCES, find_differences
from swipegate.core.reading cimport (
    FORM_BITS, FORM_INTERVALS, FORM_NONE, FORM_SAMPLES, FORM_TEXT, MAX_RECORDS, MAX_TRACKS, RawTrack,
    SwipeReading, begin_swipe, end_swipe, read_track, swipe_free, swipe_init)
from swipegate.core.records cimport (
    COUNTRY_CODE, FIELD_COUNT, FIRST_LICENCE_FIELD, FIRST_TRACK3_FIELD, FORMAT_CODE, LUHN_ABSENT, LUHN_OK,
    MAX_TEXT, Licence, TrackRecord)
from swipegate.core.symbols cimport CODINGS, MSB_FIRST, Reading
from swipegate.core.texts cimport has, swipegate_top_bit

# Bounds of the messages, as the proto states them.
cdef enum:
    MAX_MESSAGE = 4 * 1024 * 1024     # bytes a message
    MAX_SWIPES = 10000                # swipes a message
    MAX_BIT_BYTES = 1024              # bytes of BitString.data
    MAX_PCM = 2 * 2000000             # bytes of SampledSignal.pcm
    MIN_SAMPLE_RATE = 8000            # samples a second
    MAX_SAMPLE_RATE = 1000000
    MAX_INTERVALS = 16384             # FluxIntervals.nanoseconds
    # Of a batch that decode_texts takes, decoded in a few milliseconds at most: its bytes, and how often a
    # swipe is held to a card format.
    SHORT_BATCH = 256 * 1024
    SHORT_TRIALS = 24000
    MAX_GROUPS = 90                   # nested groups skipped; protobuf's own parsers stop at 100 levels

cdef enum:
    # A track's answer: its text, its fields, the parts of its name, and besides them tags, lengths, PAN and
    # repairs.
    COPIES = 3
    TRACK_OVERHEAD = 512
    DIFFERENCE_SIZE = 8
    BLOCK = 16                        # bytes of a short field, copied whole
    SHORT_KEYS = 16                   # fields below have a key of one byte
    NUMBER_SIZE = 512                 # a card number's: five strings of at most 64 characters
    # A swipe's answer: 8 texts, and 64 tracks made of them.
    SCRATCH = (MAX_TRACKS * MAX_TEXT * COPIES + MAX_RECORDS * TRACK_OVERHEAD + NUMBER_SIZE
               + MAX_DIFFERENCES * DIFFERENCE_SIZE + 72)

cdef enum:
    KEPT_OUTPUT = MAX_MESSAGE         # bytes of an answer's room that are kept for the next message

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
    BAD_CODING
    LONG_TEXT
    LONG_BITS
    BAD_BIT_COUNT
    LONG_SAMPLES
    ODD_SAMPLES
    BAD_SAMPLE_RATE
    MANY_INTERVALS
    NOT_SHORT              # no failure: the batch is more than decode_texts takes

cdef dict REASONS = {
    NO_TRACKS: (".tracks", "must hold at least one track"),
    TOO_MANY_TRACKS: (".tracks", f"must be at most {MAX_TRACKS}"),
    BAD_NUMBER: (".number", "must be 0 to 3"),
    NO_FORM: (".form", "is required"),
    BAD_CODING: (".coding", f"must be 0 to {CODINGS - 1}"),
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

# The answer in the making.
cdef struct Output:
    char *data             # malloc's
    Py_ssize_t size        # how much of it is written
    Py_ssize_t capacity

cdef struct Batch:
    SwipeReading swipe
    Output output
    uint64_t id
    int track              # the raw track in hand, for an error
    bint only_texts        # whether any other form ends the work
    uint32_t *intervals    # MAX_INTERVALS, once needed
    uint8_t scratch[SCRATCH]

cdef extern from *:
    """
    static void *swipegate_spare = NULL;
    #ifdef _MSC_VER
    #include <intrin.h>
    #define swipegate_take_spare() _InterlockedExchangePointer(&swipegate_spare, NULL)
    #define swipegate_leave_spare(block) _InterlockedExchangePointer(&swipegate_spare, block)
    #else
    #define swipegate_take_spare() __atomic_exchange_n(&swipegate_spare, NULL, __ATOMIC_ACQ_REL)
    #define swipegate_leave_spare(block) __atomic_exchange_n(&swipegate_spare, block, __ATOMIC_ACQ_REL)
    #endif
    """
    # One workspace is kept from message to message: fresh pages cost more than a short message.
    void *swipegate_take_spare() noexcept nogil
    void *swipegate_leave_spare(void *block) noexcept nogil


cdef Failure _long_varint(Cursor *cursor, int most, uint64_t *value) noexcept nogil:
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


cdef inline Failure _varint(Cursor *cursor, int most, uint64_t *value) noexcept nogil:
    """Read a varint of at most `most` bytes."""
    if cursor.place < cursor.end and cursor.place[0] < 0x80:
        value[0] = cursor.place[0]
        cursor.place += 1
        return FINE
    return _long_varint(cursor, most, value)


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
    raw.number = raw.coding = 0
    raw.form = FORM_NONE
    while cursor.place < cursor.end:
        if _key(cursor, &field, &kind) != FINE:
            return MALFORMED
        if field == 1 and kind == 0:
            failure = _varint(cursor, 10, &value)
            raw.number = <uint32_t>value
        elif field == 6 and kind == 0:
            failure = _varint(cursor, 10, &value)
            raw.coding = <uint32_t>value
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
    if raw.coding >= CODINGS:
        return BAD_CODING
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


cdef Failure _read_swipe(Cursor *cursor, Batch *work) noexcept nogil:
    """Read a Swipe and decode its tracks into the workspace."""
    cdef Cursor inner
    cdef RawTrack raw
    cdef uint32_t field
    cdef int kind
    cdef Failure failure = FINE
    begin_swipe(&work.swipe)
    work.track = 0
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
            if work.only_texts and raw.form != FORM_TEXT:
                failure = NOT_SHORT
            if failure == FINE:
                read_track(&work.swipe, &raw)
                work.track += 1
        else:
            failure = _skip(cursor, field, kind, 0)
        if failure != FINE:
            return failure
    if work.track == 0:
        return NO_TRACKS
    end_swipe(&work.swipe)
    return FINE


cdef inline void _copy(uint8_t *target, const uint8_t *source, Py_ssize_t size) noexcept nogil:
    """memcpy for the short strings of a track, where a C compiler makes of it an instruction that is slow to
    start.
    """
    cdef Py_ssize_t index = 0
    cdef uint32_t half
    cdef uint64_t word
    if size >= BLOCK:
        while index < size - BLOCK:
            memcpy(target + index, source + index, BLOCK)
            index += BLOCK
        memcpy(target + size - BLOCK, source + size - BLOCK, BLOCK)
    elif size >= 8:
        memcpy(&word, source, 8)
        memcpy(target, &word, 8)
        memcpy(&word, source + size - 8, 8)
        memcpy(target + size - 8, &word, 8)
    elif size >= 4:
        memcpy(&half, source, 4)
        memcpy(target, &half, 4)
        memcpy(&half, source + size - 4, 4)
        memcpy(target + size - 4, &half, 4)
    elif size > 0:
        target[0] = source[0]
        target[size >> 1] = source[size >> 1]
        target[size - 1] = source[size - 1]


# What is put goes before `place`; the place of its first byte comes back.

cdef uint8_t *_put_long_varint(uint8_t *place, uint64_t value) noexcept nogil:
    cdef int size = swipegate_top_bit(value) // 7 + 1
    cdef int index
    place -= size
    for index in range(size - 1):
        place[index] = <uint8_t>(value & 0x7F | 0x80)
        value >>= 7
    place[size - 1] = <uint8_t>value
    return place


cdef inline uint8_t *_put_varint(uint8_t *place, uint64_t value) noexcept nogil:
    if value < 0x80:
        place -= 1
        place[0] = <uint8_t>value
        return place
    if value < 0x4000:
        place -= 2
        place[0] = <uint8_t>(value & 0x7F | 0x80)
        place[1] = <uint8_t>(value >> 7)
        return place
    return _put_long_varint(place, value)


cdef inline uint8_t *_put_number(uint8_t *place, int field, uint64_t value) noexcept nogil:
    if value:
        place = _put_varint(place, value)
        place = _put_varint(place, <uint64_t>(field << 3))
    return place


cdef inline uint8_t *_put_small(uint8_t *place, int field, uint8_t value) noexcept nogil:
    """A number under 128: an enum, a flag, a digit."""
    if value:
        place -= 1
        place[0] = value
        place = _put_varint(place, <uint64_t>(field << 3))
    return place


cdef inline uint8_t *_put_length(uint8_t *place, int field, const uint8_t *end) noexcept nogil:
    """Close, at its front, a string or message that ends at `end`."""
    place = _put_varint(place, <uint64_t>(end - place))
    return _put_varint(place, <uint64_t>(field << 3 | 2))


cdef inline uint8_t *_put_string(
    uint8_t *place, int field, const uint8_t *text, Py_ssize_t length
) noexcept nogil:
    cdef uint8_t *start = place - length
    if not length:
        return place
    _copy(start, text, length)
    return _put_length(start, field, place)


cdef uint8_t *_put_text(
    uint8_t *place, int field, const TrackRecord *record, Py_ssize_t start, Py_ssize_t length
) noexcept nogil:
    """A string from a track's text, bytes that are no printable ASCII as question marks."""
    cdef uint8_t *first = place - length
    cdef Py_ssize_t index
    if not length:
        return place
    _copy(first, record.text + start, length)
    if record.unprintable:
        for index in range(length):
            if not 0x20 <= first[index] <= 0x7E:
                first[index] = c"?"
    return _put_length(first, field, place)


cdef inline uint8_t *_put_present(
    uint8_t *place, const TrackRecord *record, int first, int end, int number
) noexcept nogil:
    """The fields from `first` to before `end` that are there; `number` is the proto's number of `first`."""
    cdef uint64_t mask = record.present & ((<uint64_t>1 << end) - 1) >> first << first
    cdef const uint8_t *text = record.text
    cdef Py_ssize_t most = 0 if record.unprintable else BLOCK
    cdef bint short_keys = end - first + number <= SHORT_KEYS
    cdef int field
    cdef Py_ssize_t length, stop
    while mask:
        field = swipegate_top_bit(mask)
        mask ^= <uint64_t>1 << field
        length = record.fields[field].length
        stop = record.fields[field].start + length
        field += number - first
        if length <= most and stop >= BLOCK and (short_keys or field < SHORT_KEYS):
            # One copy of a whole block: what is before the field gets overwritten by what comes next.
            memcpy(place - BLOCK, text + stop - BLOCK, BLOCK)
            place -= length + 2
            place[1] = <uint8_t>length
            place[0] = <uint8_t>(field << 3 | 2)
        else:
            place = _put_text(place, field, record, stop - length, length)
    return place


cdef uint8_t *_put_mask(uint8_t *place, int field, uint32_t mask) noexcept nogil:
    """Packed enum numbers, ascending, from the bits of a mask; each is under 32, so one byte."""
    cdef uint8_t *end = place
    cdef int number
    while mask:
        number = swipegate_top_bit(mask)
        mask ^= <uint32_t>1 << number
        place -= 1
        place[0] = <uint8_t>number
    return _put_length(place, field, end)


cdef uint8_t *_put_licence(uint8_t *place, const TrackRecord *record) noexcept nogil:
    cdef const Licence *licence = &record.licence
    cdef uint8_t *end = place
    place = _put_present(place, record, FIRST_LICENCE_FIELD, FIELD_COUNT, 7)
    place = _put_small(place, 6, licence.sex)
    place = _put_string(place, 5, <const uint8_t *>licence.birth, licence.birth_length)
    place = _put_small(place, 4, licence.expiry_rule)
    place = _put_string(place, 3, <const uint8_t *>licence.expiry, licence.expiry_length)
    place = _put_string(place, 2, <const uint8_t *>licence.number, licence.number_length)
    place = _put_string(place, 1, <const uint8_t *>licence.jurisdiction, licence.jurisdiction_length)
    return _put_length(place, 14, end)


cdef inline uint8_t *_put_service(uint8_t *place, const uint8_t *service) noexcept nogil:
    cdef uint8_t *end = place
    place = _put_small(place, 3, service[2])
    place = _put_small(place, 2, service[1])
    place = _put_small(place, 1, service[0])
    return place if place == end else _put_length(place, 15, end)


cdef inline uint8_t *_put_fields(uint8_t *place, const TrackRecord *record) noexcept nogil:
    """TrackFields, unless every field is empty."""
    cdef uint8_t *end = place
    cdef uint8_t *track3_end
    place = _put_small(place, 16, record.brand)
    place = _put_service(place, record.service)
    if record.is_licence:
        place = _put_licence(place, record)
    elif record.present >> FIRST_TRACK3_FIELD:
        track3_end = place
        place = _put_present(place, record, FIRST_TRACK3_FIELD, FIRST_LICENCE_FIELD, 1)
        place = _put_length(place, 13, track3_end)
    # country_code is 4, name 5, and so on to discretionary, 12.
    place = _put_present(place, record, COUNTRY_CODE, FIRST_TRACK3_FIELD, 4)
    if record.luhn != LUHN_ABSENT:
        place = _put_varint(place, 1 if record.luhn == LUHN_OK else 0)
        place = _put_varint(place, 3 << 3)
    place = _put_string(place, 2, <const uint8_t *>record.pan, record.pan_length)
    if has(record, FORMAT_CODE):
        place = _put_text(
            place, 1, record, record.fields[FORMAT_CODE].start, record.fields[FORMAT_CODE].length)
    return place if place == end else _put_length(place, 12, end)


cdef uint8_t *_put_repairs(uint8_t *place, const Reading *reading) noexcept nogil:
    cdef uint8_t *end
    cdef int index
    for index in range(reading.repair_count - 1, -1, -1):
        end = place
        place = _put_small(place, 4, reading.repairs[index].bits)
        place = _put_small(place, 3, reading.repairs[index].method)
        place = _put_string(place, 2, <const uint8_t *>&reading.repairs[index].character, 1)
        place = _put_number(place, 1, reading.repairs[index].position)
        place = _put_length(place, 9, end)
    return place


cdef uint8_t *_put_track(uint8_t *place, const TrackRecord *record, const Reading *reading) noexcept nogil:
    cdef uint8_t *end = place
    cdef char lrc_character = record.lrc_character
    cdef uint8_t lrc = record.lrc
    if reading != NULL:
        lrc = reading.lrc
        lrc_character = reading.lrc_character
        place = _put_small(place, 13, reading.coding > MSB_FIRST)
    place = _put_fields(place, record)
    if record.allowances:
        place = _put_mask(place, 11, record.allowances)
    if record.errors & ~<uint32_t>codes.NOT_PROVED:
        place = _put_mask(place, 10, record.errors & ~<uint32_t>codes.NOT_PROVED)
    if reading != NULL:
        place = _put_repairs(place, reading)
        place = _put_small(place, 8, reading.inverted)
        place = _put_small(place, 7, reading.bits_per_character)
    if lrc_character:
        place = _put_string(place, 6, <const uint8_t *>&lrc_character, 1)
    place = _put_small(place, 5, lrc)
    if reading != NULL:
        place = _put_small(place, 4, reading.direction)
    place = _put_small(place, 3, record.standard)
    place = _put_text(place, 2, record, 0, record.length)
    place = _put_small(place, 1, record.number)
    return _put_length(place, 2, end)


cdef inline uint8_t *_put_digits(uint8_t *place, int field, const Digits *digits) noexcept nogil:
    return _put_string(place, field, <const uint8_t *>digits.text, digits.length)


cdef uint8_t *_put_card_number(uint8_t *place, const NumberMatch *match) noexcept nogil:
    cdef uint8_t *end = place
    place = _put_small(place, 7, match.format.number_is_pan)
    place = _put_small(place, 6, match.track)
    place = _put_digits(place, 5, &match.expiry)
    place = _put_digits(place, 4, &match.issue)
    place = _put_digits(place, 3, &match.facility)
    place = _put_digits(place, 2, &match.number)
    place = _put_string(place, 1, <const uint8_t *>match.format.name, match.format.name_length)
    return _put_length(place, 3, end)


cdef uint8_t *_put_difference(uint8_t *place, const Difference *difference) noexcept nogil:
    cdef uint8_t *end = place
    place = _put_small(place, 3, difference.second)
    place = _put_small(place, 2, difference.first)
    place = _put_small(place, 1, difference.field)
    return _put_length(place, 4, end)


cdef uint8_t *_write_swipe(Batch *work, const CompiledFormat *formats, Py_ssize_t count) noexcept nogil:
    """Write the DecodedSwipe of the workspace, without its own tag and length, to the end of the scratch;
    returns its first byte, NULL when there is no room.
    """
    cdef NumberMatch match
    cdef Difference differences[MAX_DIFFERENCES]
    cdef const TrackRecord *records = work.swipe.records
    cdef uint8_t *place = work.scratch + SCRATCH
    cdef int index
    if work.swipe.record_count > 1:
        for index in range(find_differences(records, work.swipe.record_count, differences) - 1, -1, -1):
            place = _put_difference(place, &differences[index])
    match_formats(formats, count, records, work.swipe.record_count, &match)
    if match.format != NULL:
        place = _put_card_number(place, &match)
    for index in range(work.swipe.record_count - 1, -1, -1):
        if place - work.scratch < COPIES * records[index].length + TRACK_OVERHEAD:
            return NULL
        place = _put_track(place, &records[index], work.swipe.sources[index])
    return _put_number(place, 1, work.id)


cdef Failure _grow(Output *output, Py_ssize_t needed) noexcept nogil:
    cdef Py_ssize_t capacity = 2 * needed
    cdef char *data = <char *>realloc(output.data, capacity)
    if data == NULL:
        return NO_MEMORY
    output.data = data
    output.capacity = capacity
    return FINE


cdef inline Failure _append(Output *output, const uint8_t *data, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t needed = output.size + size
    if needed > output.capacity and _grow(output, needed) != FINE:
        return NO_MEMORY
    memcpy(output.data + output.size, data, size)
    output.size = needed
    return FINE


cdef Failure _decode_swipe(
    Cursor *cursor, const CompiledFormat *formats, Py_ssize_t count, Batch *work, bint tagged
) noexcept nogil:
    cdef uint8_t *end = work.scratch + SCRATCH
    cdef uint8_t *place
    cdef Failure failure = _read_swipe(cursor, work)
    if failure != FINE:
        return failure
    place = _write_swipe(work, formats, count)
    if place == NULL:
        return OVERFLOW
    if tagged:
        place = _put_length(place, 1, end)
    return _append(&work.output, place, end - place)


cdef Failure _decode_batch(
    Cursor *cursor, const CompiledFormat *formats, Py_ssize_t count, Batch *work, int *swipe
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
            if work.only_texts and swipe[0] * (count + 1) > SHORT_TRIALS:
                return NOT_SHORT
            failure = _message(cursor, &inner)
            if failure == FINE:
                failure = _decode_swipe(&inner, formats, count, work, True)
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


cdef Batch *_take_batch() except NULL:
    cdef Batch *work = <Batch *>swipegate_take_spare()
    if work == NULL:
        work = <Batch *>malloc(sizeof(Batch))
        if work == NULL:
            raise MemoryError
        work.output = Output(NULL, 0, 0)
    work.output.size = 0
    work.intervals = NULL
    swipe_init(&work.swipe)
    return work


cdef void _leave_batch(Batch *work) noexcept:
    free(work.intervals)
    swipe_free(&work.swipe)
    if work.output.capacity > KEPT_OUTPUT:
        free(work.output.data)
        work.output = Output(NULL, 0, 0)
    work = <Batch *>swipegate_leave_spare(work)
    if work != NULL:
        free(work.output.data)
        free(work)


cdef bytes _decode(const uint8_t[::1] message, FormatSet formats, bint one, bint only_texts):
    cdef Batch *work
    cdef Cursor cursor
    cdef Failure failure
    cdef uint8_t nothing = 0
    cdef int swipe = 0
    if message.shape[0] > MAX_MESSAGE:
        raise InvalidField("swipe" if one else "request", f"must be at most {MAX_MESSAGE:,} bytes")
    cursor.place = &message[0] if message.shape[0] else &nothing
    cursor.end = cursor.place + message.shape[0]
    work = _take_batch()
    work.only_texts = only_texts
    try:
        with nogil:
            if one:
                failure = _decode_swipe(&cursor, formats.formats, formats.count, work, False)
            else:
                failure = _decode_batch(&cursor, formats.formats, formats.count, work, &swipe)
        if failure == NOT_SHORT:
            return None
        if failure != FINE:
            raise _error(failure, "swipe" if one else f"swipes[{swipe}]", work.track)
        # Copied, for an object made smaller would be mapped and unmapped anew by malloc each time.
        return PyBytes_FromStringAndSize(work.output.data, work.output.size)
    finally:
        _leave_batch(work)


def decode_batch(const uint8_t[::1] request not None, FormatSet formats not None):
    return _decode(request, formats, False, False)


def decode_texts(const uint8_t[::1] request not None, FormatSet formats not None):
    return None if request.shape[0] > SHORT_BATCH else _decode(request, formats, False, True)


def decode_one(const uint8_t[::1] swipe not None, FormatSet formats not None):
    return _decode(swipe, formats, True, False)


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
