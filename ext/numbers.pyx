"""Fields and card formats to a card number: which characters of which track it is, and when."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memchr, memcmp, memcpy, memmove, memset

from swipegate.core cimport codes
from swipegate.core.card_formats cimport (
    EXPIRY_DIGITS, MAX_CHECK_PARTS, MAX_NUMBER, MAX_PLACE, MAX_RANGE_DIGITS, PATH_EXPIRY, PATH_FACILITY,
    PATH_FIELD_COUNT, PATH_ISSUE, PATH_LENGTH, PATH_NUMBER, PATH_PARITY, PATH_REST, PATH_TRACK, PATH_WORD,
    SHORTCUT_EXPIRY, SHORTCUT_PAN, TEST_ABSENT, TEST_DIFFERS, TEST_LENGTH, TEST_PRESENT, TEST_RANGE,
    TEST_STANDARD, Check, CompiledFormat, Condition, FixedText, FormatRules, Part, Word, compile_format)
from swipegate.core.check_digits cimport CHECK_LUHN, check_agrees
from swipegate.core.records cimport EXPIRY, LUHN_ABSENT, LUHN_OK, MAX_LINE_TRACKS, MAX_TEXT, TrackRecord
from swipegate.core.texts cimport has
from swipegate.core.tracks cimport parse_track, split_line

from swipegate.v1.card_format_pb2 import CardFormatMismatch, CardFormatVerdict
from swipegate.v1.track_pb2 import TRACK_ALLOWANCE_UNPROVED_REPAIR, CardNumber

cdef enum:
    MAX_FORMATS = 256      # formats a set
    MAX_TRACKS = 64        # tracks of a decoded swipe (wire.MAX_RECORDS)

# Numbers of the enum CardFormatMismatchReason.
cdef enum:
    FITS = 0
    MISMATCH_TRACK_MISSING = 1
    MISMATCH_TRACK_UNREAD = 2
    MISMATCH_TRACK_PRESENT = 3
    MISMATCH_LENGTH = 4
    MISMATCH_FIELD_COUNT = 5
    MISMATCH_FIELD_MISSING = 6
    MISMATCH_PART_MISSING = 7
    MISMATCH_CHARACTER = 8
    MISMATCH_PART_LENGTH = 9
    MISMATCH_TEXT = 10
    MISMATCH_TEXT_EXCLUDED = 11
    MISMATCH_RANGE = 12
    MISMATCH_CHECK_DIGIT = 13
    MISMATCH_WORD = 14
    MISMATCH_PARITY = 15
    MISMATCH_LETTER = 16
    MISMATCH_STANDARD = 17

# Slots of NumberMatch.
cdef enum:
    SLOT_NUMBER
    SLOT_REST
    SLOT_FACILITY
    SLOT_ISSUE
    SLOT_EXPIRY
    SLOT_JOINED
    SLOT_CHECKED

cdef tuple PATHS = (
    "track", "min_length", "field_count", "card_number", "card_number_rest", "facility_code", "issue_code",
    "expiry", "word", "word.parities[{}]", "fixed_parts[{}]", "conditions[{}]", "checks[{}]", "check_digit")

# One format and the tracks on which it is tried.
cdef struct Trial:
    const FormatRules *rules
    const TrackRecord *records
    Py_ssize_t count
    const TrackRecord *main
    bint padding_counts
    uint64_t word
    NumberMatch *match


cdef inline void _asked_by(Trial *trial, int path, int index) noexcept nogil:
    """Say which field of the format is looked at from here on, for a mismatch."""
    trial.match.mismatch.path = <uint8_t>path
    trial.match.mismatch.index = <uint8_t>index


cdef int _refuse(Trial *trial, int reason, uint64_t found, uint64_t low, uint64_t high) noexcept nogil:
    cdef Mismatch *mismatch = &trial.match.mismatch
    mismatch.reason = <uint8_t>reason
    mismatch.found = found
    mismatch.low = low
    mismatch.high = high
    return reason


cdef inline bint _is_read(const TrackRecord *record) noexcept nogil:
    """Whether the characters of a track are beyond doubt, and there are some."""
    return not record.errors & codes.ERRORS_OF_READING and record.data.length > 0


cdef const TrackRecord *_other_track(Trial *trial, int number) noexcept nogil:
    """The first track of that number that was read; NULL, and the mismatch said, when there is none."""
    cdef Py_ssize_t index
    cdef int reason = MISMATCH_TRACK_MISSING
    for index in range(trial.count):
        if trial.records[index].number != number:
            continue
        if _is_read(&trial.records[index]):
            return &trial.records[index]
        reason = MISMATCH_TRACK_UNREAD
    trial.match.mismatch.track = <uint8_t>number
    _refuse(trial, reason, 0, 0, 0)
    return NULL


cdef inline const TrackRecord *_track_of(Trial *trial, const Part *part) noexcept nogil:
    """The track of a part; NULL as _other_track."""
    if part.track == 0 or part.track == trial.main.number:
        return trial.main
    return _other_track(trial, part.track)


cdef int _field(const TrackRecord *record, int field, Py_ssize_t *start, Py_ssize_t *end) noexcept nogil:
    """Bounds of a field between separators, the first being 1, 0 for all data; returns how many of the fields
    up to it there are.
    """
    cdef const uint8_t *place = record.text + record.data.start
    cdef const uint8_t *limit = place + record.data.length
    cdef const uint8_t *separator = limit
    cdef int left = field
    if left:
        separator = <const uint8_t *>memchr(place, record.separator, limit - place)
    while left > 1 and separator != NULL:
        place = separator + 1
        separator = <const uint8_t *>memchr(place, record.separator, limit - place)
        left -= 1
    start[0] = place - record.text
    end[0] = (limit if separator == NULL else separator) - record.text
    return field - left + 1 if field else 0


cdef int _place(
    Trial *trial, const TrackRecord *record, const Part *part, Py_ssize_t *start, Py_ssize_t *end
) noexcept nogil:
    """Bounds of a part, of at least one character."""
    cdef Py_ssize_t size
    cdef Py_ssize_t needed = part.position + (part.length if part.length else 1)
    cdef int fields = _field(record, part.field, start, end)
    trial.match.mismatch.track = record.number
    if fields != part.field:
        return _refuse(trial, MISMATCH_FIELD_MISSING, fields, part.field, 0)
    size = end[0] - start[0]
    if size < needed:
        return _refuse(trial, MISMATCH_PART_MISSING, size, needed, 0)
    if part.from_end:
        end[0] -= part.position
        if part.length:
            start[0] = end[0] - part.length
    else:
        start[0] += part.position
        if part.length:
            end[0] = start[0] + part.length
    trial.match.mismatch.start = <uint16_t>start[0]
    trial.match.mismatch.length = <uint16_t>(end[0] - start[0])
    return FITS


cdef inline bint _may_stand(uint8_t byte, bint letters) noexcept nogil:
    if 0x30 <= byte <= 0x39:
        return True
    return letters and 0x41 <= (byte & 0xDF) <= 0x5A


cdef int _characters(
    Trial *trial, const uint8_t *text, Py_ssize_t length, const Part *part, bint skip_blanks, char *slot,
    Digits *value
) noexcept nogil:
    """A part's characters where they stand, or without blanks in the slot."""
    cdef Py_ssize_t index
    cdef Py_ssize_t count = 0
    for index in range(length):
        if _may_stand(text[index], part.letters):
            if skip_blanks and count < MAX_NUMBER:
                slot[count] = <char>text[index]
            count += 1
        elif not skip_blanks or text[index] != c" ":
            return _refuse(trial, MISMATCH_CHARACTER, index + 1, 0, 0)
    if not part.min_length <= count <= part.max_length:
        return _refuse(trial, MISMATCH_PART_LENGTH, count, part.min_length, part.max_length)
    value.text = slot if skip_blanks else <char *>text
    value.length = <uint8_t>count
    return FITS


cdef inline bint _is_pan(Trial *trial, const TrackRecord *record, const Part *part) noexcept nogil:
    """Whether a part is what the parser took for the PAN."""
    return (part.shortcut == SHORTCUT_PAN and record.pan_length > 0 and not trial.padding_counts
            and (record.number != 1 or not 0x30 <= record.text[record.data.start] <= 0x39))


cdef int _rewrite(Trial *trial, const Part *part, char *slot, Digits *value) noexcept nogil:
    """Letter, zeros dropped, zeros put in front."""
    cdef int pair, missing
    if part.letter_first:
        pair = 0 if value.length < 2 else 10 * (value.text[0] - 0x30) + value.text[1] - 0x30
        if not 1 <= pair <= 26:
            return _refuse(trial, MISMATCH_LETTER, pair, 1, 26)
        memmove(slot + 1, value.text + 2, value.length - 2)
        slot[0] = <char>(0x40 + pair)
        value.text = slot
        value.length -= 1
    if part.drop_zeros:
        while value.length > 1 and value.text[0] == c"0":
            value.text += 1
            value.length -= 1
    if value.length < part.pad_to:
        missing = part.pad_to - value.length
        memmove(slot + missing, value.text, value.length)
        memset(slot, c"0", missing)
        value.text = slot
        value.length = part.pad_to
    return FITS


cdef int _bits(Trial *trial, const Part *part, char *slot, Digits *value) noexcept nogil:
    """Bits of the word as a decimal number."""
    cdef uint64_t bits = trial.word >> (trial.rules.word.bit_count - part.last_bit)
    cdef int width = part.last_bit - part.first_bit + 1
    cdef int place = MAX_NUMBER
    if width < 64:
        bits &= (<uint64_t>1 << width) - 1
    while bits or place == MAX_NUMBER:
        place -= 1
        slot[place] = <char>(0x30 + bits % 10)
        bits //= 10
    while MAX_NUMBER - place < part.pad_to:
        place -= 1
        slot[place] = c"0"
    value.text = slot + place
    value.length = <uint8_t>(MAX_NUMBER - place)
    return FITS


cdef int _value(Trial *trial, const Part *part, char *slot, Digits *value) noexcept nogil:
    """The value of a part: where it stands, or in the slot where it stands nowhere as it is."""
    cdef const TrackRecord *record
    cdef Py_ssize_t start, end
    cdef bint blanks
    cdef int reason
    if part.first_bit:
        return _bits(trial, part, slot, value)
    record = _track_of(trial, part)
    if record == NULL:
        return trial.match.mismatch.reason
    if _is_pan(trial, record, part) and part.min_length <= record.pan_length <= part.max_length:
        value.text = <char *>record.pan
        value.length = record.pan_length
    else:
        reason = _place(trial, record, part, &start, &end)
        if reason:
            return reason
        # A PAN printed in groups is one number all the same.
        blanks = record.allowances & codes.ALLOWED_PAN_BLANKS != 0
        reason = _characters(trial, record.text + start, end - start, part, blanks, slot, value)
        if reason:
            return reason
    if part.letter_first or part.drop_zeros or part.pad_to:
        return _rewrite(trial, part, slot, value)
    return FITS


cdef bint _is_absent(const TrackRecord *record, Part *part, bint behind_blanks) noexcept nogil:
    """Whether a part is; moves it behind blanks where the parser allowed them."""
    cdef Py_ssize_t start, end, size
    if _field(record, part.field, &start, &end) != part.field:
        return True
    size = end - start
    if behind_blanks and record.allowances & codes.ALLOWED_EXPIRY_BLANKS:
        while start < end and record.text[start] == c" ":
            start += 1
            part.position += 1
    return size < part.position + (part.length if part.length else 1)


cdef int _optional(
    Trial *trial, const Part *part, bint is_expiry, char *slot, Digits *value
) noexcept nogil:
    """A part whose absence is no mismatch, but whose characters must be sound."""
    cdef const TrackRecord *record
    cdef Part wanted
    value.length = 0
    if part.first_bit:
        return _bits(trial, part, slot, value)
    record = _track_of(trial, part)
    if record == NULL:
        return trial.match.mismatch.reason
    if (part.shortcut == SHORTCUT_EXPIRY and has(record, EXPIRY)
            and record.fields[EXPIRY].length == EXPIRY_DIGITS and not trial.padding_counts):
        value.text = <const char *>record.text + record.fields[EXPIRY].start
        value.length = EXPIRY_DIGITS
        return FITS
    wanted = part[0]
    if _is_absent(record, &wanted, is_expiry):
        return FITS
    return _value(trial, &wanted, slot, value)


cdef int _number_of(
    const uint8_t *text, Py_ssize_t length, int radix, uint64_t *number
) noexcept nogil:
    """Read an unsigned number: 0, or the place, from 1, of what is no digit, or -1 over 64 bits."""
    cdef uint64_t most = ~<uint64_t>0
    cdef Py_ssize_t index
    cdef int digit
    number[0] = 0
    for index in range(length):
        digit = radix
        if 0x30 <= text[index] <= 0x3F:
            digit = text[index] - 0x30
        elif 0x41 <= (text[index] & 0xDF) <= 0x46:
            digit = (text[index] & 0xDF) - 0x41 + 10
        if digit >= radix:
            return <int>index + 1
        if number[0] > (most - digit) // radix:
            return -1
        number[0] = number[0] * radix + digit
    return 0


cdef uint64_t _turned(uint64_t word, int bit_count) noexcept nogil:
    """The word with its bytes in reverse order."""
    cdef uint64_t turned = 0
    cdef int _byte
    for _byte in range(bit_count // 8):
        turned = turned << 8 | word & 0xFF
        word >>= 8
    return turned


cdef inline int _is_odd(uint64_t bits) noexcept nogil:
    bits ^= bits >> 32
    bits ^= bits >> 16
    bits ^= bits >> 8
    bits ^= bits >> 4
    bits ^= bits >> 2
    bits ^= bits >> 1
    return bits & 1


cdef int _read_word(Trial *trial) noexcept nogil:
    """Take the format's word from its digits, and check its parity bits."""
    cdef const Word *word = &trial.rules.word
    cdef const TrackRecord *record
    cdef Py_ssize_t start, end
    cdef int index, wrong, reason
    _asked_by(trial, PATH_WORD, 0)
    record = _track_of(trial, &word.part)
    if record == NULL:
        return trial.match.mismatch.reason
    reason = _place(trial, record, &word.part, &start, &end)
    if reason:
        return reason
    if not word.part.min_length <= end - start <= word.part.max_length:
        return _refuse(
            trial, MISMATCH_PART_LENGTH, end - start, word.part.min_length, word.part.max_length)
    wrong = _number_of(record.text + start, end - start, word.radix, &trial.word)
    if wrong > 0:
        return _refuse(trial, MISMATCH_CHARACTER, wrong, 0, 0)
    if wrong < 0 or (word.bit_count < 64 and trial.word >> word.bit_count):
        return _refuse(trial, MISMATCH_WORD, 0, 0, word.bit_count)
    if word.reversed_bytes:
        trial.word = _turned(trial.word, word.bit_count)
    for index in range(word.parity_count):
        if _is_odd(trial.word & word.parities[index]) != word.odd[index]:
            _asked_by(trial, PATH_PARITY, index)
            return _refuse(trial, MISMATCH_PARITY, 0, word.parity_bits[index], 0)
    return FITS


cdef bint _is_text(const uint8_t *text, Py_ssize_t length, const FixedText *wanted) noexcept nogil:
    return length == wanted.length and memcmp(text, wanted.text, length) == 0


cdef int _track_there(Trial *trial, const Condition *condition) noexcept nogil:
    """The tests of a whole track; a track that did not read is neither present nor absent."""
    cdef Py_ssize_t index
    trial.match.mismatch.track = condition.part.track
    trial.match.mismatch.length = 0
    if condition.test == TEST_PRESENT:
        return FITS if _other_track(trial, condition.part.track) != NULL else trial.match.mismatch.reason
    for index in range(trial.count):
        if trial.records[index].number != condition.part.track:
            continue
        if _is_read(&trial.records[index]):
            return _refuse(trial, MISMATCH_TRACK_PRESENT, 0, 0, 0)
        if not trial.records[index].errors & (codes.ERROR_NO_ENCODING | codes.ERROR_EMPTY):
            return _refuse(trial, MISMATCH_TRACK_UNREAD, 0, 0, 0)
    return FITS


cdef int _compare(
    Trial *trial, const Condition *condition, const uint8_t *text, Py_ssize_t length
) noexcept nogil:
    """The test of a condition on the text of its part."""
    cdef const FixedText *texts = &trial.rules.texts[condition.first_text]
    cdef uint64_t number
    cdef int index, wrong
    if condition.test == TEST_LENGTH:
        if not condition.low <= <uint64_t>length <= condition.high:
            return _refuse(trial, MISMATCH_PART_LENGTH, length, condition.low, condition.high)
    elif condition.test == TEST_RANGE:
        wrong = _number_of(text, length, 10, &number)
        if wrong > 0:
            return _refuse(trial, MISMATCH_CHARACTER, wrong, 0, 0)
        if length > MAX_RANGE_DIGITS:
            return _refuse(trial, MISMATCH_PART_LENGTH, length, 1, MAX_RANGE_DIGITS)
        if not condition.low <= number <= condition.high:
            return _refuse(trial, MISMATCH_RANGE, 0, condition.low, condition.high)
    elif condition.test == TEST_DIFFERS:
        if _is_text(text, length, texts):
            return _refuse(trial, MISMATCH_TEXT_EXCLUDED, 0, 0, 0)
    else:
        for index in range(condition.text_count):
            if _is_text(text, length, &texts[index]):
                return FITS
        return _refuse(trial, MISMATCH_TEXT, 0, 0, 0)
    return FITS


cdef inline bint _has_fields_of(const TrackRecord *record, int standard) noexcept nogil:
    """Whether a track is of a standard; chip data has the fields of track 2 (EMV book 3, tag 57)."""
    return record.standard == standard or (
        record.standard == codes.STANDARD_EMV_TRACK2_EQUIVALENT and standard == codes.STANDARD_ISO7813_TRACK2)


cdef int _check_condition(Trial *trial, const Condition *condition) noexcept nogil:
    cdef const TrackRecord *record
    cdef Py_ssize_t start, end
    cdef int reason
    _asked_by(trial, condition.path, condition.index)
    if condition.test == TEST_STANDARD:
        if _has_fields_of(trial.main, condition.low):
            return FITS
        return _refuse(trial, MISMATCH_STANDARD, trial.main.standard, condition.low, 0)
    if condition.test == TEST_PRESENT or condition.test == TEST_ABSENT:
        return _track_there(trial, condition)
    record = _track_of(trial, &condition.part)
    if record == NULL:
        return trial.match.mismatch.reason
    reason = _place(trial, record, &condition.part, &start, &end)
    if reason:
        return reason
    return _compare(trial, condition, record.text + start, end - start)


cdef int _check_field_count(Trial *trial) noexcept nogil:
    cdef int wanted = trial.rules.field_count
    cdef int fields = 1
    cdef Py_ssize_t index
    cdef const TrackRecord *record = trial.main
    for index in range(record.data.start, record.data.start + record.data.length):
        fields += record.text[index] == record.separator
    if fields == wanted:
        return FITS
    _asked_by(trial, PATH_FIELD_COUNT, 0)
    return _refuse(trial, MISMATCH_FIELD_COUNT, fields, wanted, wanted)


cdef int _check_number(Trial *trial, const Check *check) noexcept nogil:
    """A check digit over the card number, or over parts joined as they stand."""
    cdef char[MAX_CHECK_PARTS * MAX_NUMBER] joined
    cdef Digits value
    cdef const Digits *number = &trial.match.number
    cdef int index, reason
    cdef Py_ssize_t length = 0
    if check.part_count == 0:
        if (check.scheme == CHECK_LUHN and trial.main.luhn != LUHN_ABSENT
                and number.text == <const char *>trial.main.pan and number.length == trial.main.pan_length):
            if trial.main.luhn == LUHN_OK:
                return FITS
        elif check_agrees(check.scheme, check.weights, check.weight_count, number.text, number.length):
            return FITS
    else:
        for index in range(check.part_count):
            _asked_by(trial, check.path, check.index)
            reason = _value(trial, &check.parts[index], trial.match.slots[SLOT_CHECKED], &value)
            if reason:
                return reason
            memcpy(joined + length, value.text, value.length)
            length += value.length
        if check_agrees(check.scheme, check.weights, check.weight_count, joined, length):
            return FITS
    _asked_by(trial, check.path, check.index)
    return _refuse(trial, MISMATCH_CHECK_DIGIT, 0, 0, 0)


cdef int _join_rest(Trial *trial) noexcept nogil:
    """Add what follows the card number elsewhere."""
    cdef NumberMatch *match = trial.match
    cdef Digits rest
    cdef int reason
    _asked_by(trial, PATH_REST, 0)
    reason = _optional(trial, &trial.rules.rest, False, match.slots[SLOT_REST], &rest)
    if reason or not rest.length:
        return reason
    if match.number.length + rest.length > MAX_NUMBER:
        return _refuse(trial, MISMATCH_PART_LENGTH, match.number.length + rest.length, 1, MAX_NUMBER)
    memcpy(match.slots[SLOT_JOINED], match.number.text, match.number.length)
    memcpy(match.slots[SLOT_JOINED] + match.number.length, rest.text, rest.length)
    match.number.text = match.slots[SLOT_JOINED]
    match.number.length += rest.length
    return FITS


cdef int _take_values(Trial *trial) noexcept nogil:
    """Card number, facility code, issue code, expiry date."""
    cdef const FormatRules *rules = trial.rules
    cdef NumberMatch *match = trial.match
    cdef int reason
    _asked_by(trial, PATH_NUMBER, 0)
    reason = _value(trial, &rules.number, match.slots[SLOT_NUMBER], &match.number)
    if not reason and rules.rest.present:
        reason = _join_rest(trial)
    match.facility.length = match.issue.length = match.expiry.length = 0
    if not reason and rules.facility.present:
        _asked_by(trial, PATH_FACILITY, 0)
        reason = _value(trial, &rules.facility, match.slots[SLOT_FACILITY], &match.facility)
    if not reason and rules.issue.present:
        _asked_by(trial, PATH_ISSUE, 0)
        reason = _value(trial, &rules.issue, match.slots[SLOT_ISSUE], &match.issue)
    if not reason and rules.expiry.present:
        _asked_by(trial, PATH_EXPIRY, 0)
        reason = _optional(trial, &rules.expiry, True, match.slots[SLOT_EXPIRY], &match.expiry)
    return reason


cdef int _apply(Trial *trial) noexcept nogil:
    """Hold a track that passed the gate to the rules of its format; fills the match."""
    cdef const FormatRules *rules = trial.rules
    cdef int index, reason
    for index in range(rules.condition_count):
        reason = _check_condition(trial, &rules.conditions[index])
        if reason:
            return reason
    if rules.field_count:
        reason = _check_field_count(trial)
        if reason:
            return reason
    if rules.word.bit_count:
        reason = _read_word(trial)
        if reason:
            return reason
    reason = _take_values(trial)
    if reason:
        return reason
    for index in range(rules.check_count):
        reason = _check_number(trial, &rules.checks[index])
        if reason:
            return reason
    return FITS


cdef inline Py_ssize_t _length(const CompiledFormat *format, const TrackRecord *record) noexcept nogil:
    """Characters between the sentinels, with the padding of track 2 where it counts."""
    cdef Py_ssize_t length = record.data.length
    if format.padding_counts and record.allowances & codes.ALLOWED_PADDING:
        length = record.length - record.data.start
        if record.text[record.length - 1] == c"?":
            length -= 1
    return length


cdef inline int _gate(const CompiledFormat *format, const TrackRecord *record) noexcept nogil:
    """What turns most tracks away: number, reading and length."""
    if record.number != format.track:
        return MISMATCH_TRACK_MISSING
    if record.errors & codes.ERRORS_OF_READING or not record.data.length:
        return MISMATCH_TRACK_UNREAD
    if not format.min_length <= _length(format, record) <= format.max_length:
        return MISMATCH_LENGTH
    return FITS


cdef int _try(
    const CompiledFormat *format, const TrackRecord *records, Py_ssize_t count, Py_ssize_t track,
    NumberMatch *match
) noexcept nogil:
    """Hold one track that passed the gate to one format."""
    cdef TrackRecord whole
    cdef Trial trial
    trial.rules = format.rules
    trial.records = records
    trial.count = count
    trial.main = &records[track]
    trial.padding_counts = False
    trial.match = match
    if format.padding_counts and records[track].allowances & codes.ALLOWED_PADDING:
        whole = records[track]
        whole.data.length = <uint16_t>_length(format, &records[track])
        trial.main = &whole
        trial.padding_counts = True
    return _apply(&trial)


cdef void match_formats(
    const CompiledFormat *formats, Py_ssize_t format_count, const TrackRecord *records,
    Py_ssize_t record_count,
    NumberMatch *match
) noexcept nogil:
    """The first format, in their order, that a track fits; match.format is NULL when none does."""
    cdef Py_ssize_t index, track
    for index in range(format_count):
        for track in range(record_count):
            if _gate(&formats[index], &records[track]) == FITS:
                if _try(&formats[index], records, record_count, track, match) == FITS:
                    match.format = formats[index].rules
                    match.track = records[track].number
                    return
    match.format = NULL


cdef void _explain(
    const CompiledFormat *format, const TrackRecord *records, Py_ssize_t count, NumberMatch *match
) noexcept nogil:
    """The same for one format; where no track fits, the mismatch of the first one that came furthest."""
    cdef Mismatch furthest
    cdef Py_ssize_t track
    cdef int reason
    cdef bint tried = False
    memset(&furthest, 0, sizeof(Mismatch))
    furthest.reason = MISMATCH_TRACK_MISSING
    furthest.track = format.track
    for track in range(count):
        reason = _gate(format, &records[track])
        if reason != FITS:
            if not tried and reason > furthest.reason:
                furthest.reason = <uint8_t>reason
                furthest.path = PATH_LENGTH if reason == MISMATCH_LENGTH else PATH_TRACK
            if not tried and reason == MISMATCH_LENGTH and not furthest.high:
                furthest.found = _length(format, &records[track])
                furthest.low = format.min_length
                furthest.high = format.max_length
            continue
        memset(&match.mismatch, 0, sizeof(Mismatch))
        match.mismatch.track = format.track
        if _try(format, records, count, track, match) == FITS:
            match.format = format.rules
            match.track = records[track].number
            return
        if not tried:
            furthest = match.mismatch
        tried = True
    match.format = NULL
    match.mismatch = furthest


cdef str _text(const Digits *digits):
    return digits.text[:digits.length].decode("ascii")


cdef object _card_number(const NumberMatch *match):
    return CardNumber(
        card_format=match.format.name[:match.format.name_length].decode("ascii"),
        card_number=_text(&match.number), facility_code=_text(&match.facility),
        issue_code=_text(&match.issue), expiry=_text(&match.expiry), track=match.track,
        number_is_pan=match.format.number_is_pan)


cdef object _mismatch(const Mismatch *mismatch, const TrackRecord *records, int count, bint reveal):
    cdef int index
    found = CardFormatMismatch(
        reason=mismatch.reason, path=PATHS[mismatch.path].format(mismatch.index), track=mismatch.track,
        found=mismatch.found, low=mismatch.low,
        high=0 if mismatch.path == PATH_LENGTH and mismatch.high == MAX_PLACE else mismatch.high)
    if reveal and mismatch.length:
        for index in range(count):
            if records[index].number == mismatch.track and _is_read(&records[index]):
                text = records[index].text[mismatch.start:mismatch.start + mismatch.length]
                found.text = "".join([chr(byte) if 0x20 <= byte <= 0x7E else "?" for byte in text])
                break
    return found


cdef int _take_tracks(list tracks, list texts, TrackRecord *records) except -1:
    """Parse the characters of decoded tracks again, as they were parsed when they were decoded."""
    cdef const uint8_t *text
    cdef int layout
    for index, track in enumerate(tracks):
        encoded = texts[index]
        text = encoded
        layout = track.number
        if track.bits_per_character == 7 and layout != 3:
            layout = 1
        elif track.bits_per_character == 5 and layout not in (0, 3):
            layout = 2
        parse_track(text, len(encoded), layout, &records[index])
        if track.number:  # the device's word, whatever the coding is
            records[index].number = track.number
        if not encoded:
            records[index].errors = 0  # why there is nothing, the track says itself
        for error in track.errors:
            if 0 < error < 32:
                records[index].errors |= <uint32_t>1 << error
        if TRACK_ALLOWANCE_UNPROVED_REPAIR in track.allowances:  # as the message has no such error
            records[index].errors |= codes.NOT_PROVED
    return 0


cdef class FormatSet:
    def __dealloc__(self):
        free(self.formats)
        free(self.rules)

    def __len__(self):
        return self.count

    def match(self, text, int number=0):
        cdef bytes line = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text)
        cdef TrackRecord[MAX_LINE_TRACKS] records
        cdef NumberMatch match
        cdef int count
        if len(line) > MAX_TEXT:
            raise ValueError(f"text must be at most {MAX_TEXT} bytes")
        if not 0 <= number <= 3:
            raise ValueError("number must be 0 to 3")
        count = split_line(line, len(line), number, records, MAX_LINE_TRACKS)
        match_formats(self.formats, self.count, records, count, &match)
        return None if match.format == NULL else _card_number(&match)

    def explain(self, swipe, bint reveal=False):
        cdef TrackRecord[MAX_TRACKS] records
        cdef NumberMatch match
        cdef list tracks = list(swipe.tracks)
        cdef Py_ssize_t index
        texts = [track.text.encode("ascii", "replace") for track in tracks]
        if len(tracks) > MAX_TRACKS or any([len(text) > MAX_TEXT for text in texts]):
            raise ValueError(f"a swipe has at most {MAX_TRACKS} tracks of {MAX_TEXT} characters")
        _take_tracks(tracks, texts, records)
        verdicts = []
        first = True
        for index in range(self.count):
            _explain(&self.formats[index], records, len(tracks), &match)
            verdict = CardFormatVerdict(name=self.names[index], fits=match.format != NULL)
            if match.format == NULL:
                verdict.mismatch.CopyFrom(_mismatch(&match.mismatch, records, len(tracks), reveal))
            else:
                verdict.first = first
                first = False
                if reveal:
                    verdict.card_number.CopyFrom(_card_number(&match))
            verdicts.append(verdict)
        return verdicts


def compile_formats(formats):
    cdef FormatSet compiled = FormatSet.__new__(FormatSet)
    cdef list messages = list(formats)
    if len(messages) > MAX_FORMATS:
        raise ValueError(f"card_formats: must be at most {MAX_FORMATS}")
    compiled.formats = <CompiledFormat *>calloc(max(len(messages), 1), sizeof(CompiledFormat))
    compiled.rules = <FormatRules *>calloc(max(len(messages), 1), sizeof(FormatRules))
    if compiled.formats == NULL or compiled.rules == NULL:
        raise MemoryError
    names = set()
    for index, message in enumerate(messages):
        compile_format(
            message, f"card_formats[{index}]", &compiled.formats[compiled.count],
            &compiled.rules[compiled.count])
        if message.name in names:
            raise ValueError(f"card_formats[{index}].name: is there already")
        names.add(message.name)
        compiled.count += 1
    compiled.names = tuple([message.name for message in messages])
    return compiled
