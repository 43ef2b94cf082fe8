"""Bits to characters and back: ISO/IEC 7811-2 and -6, JIS X 6302-2, California; parity, LRC, direction.

How often a string of random bits is taken for a track is bounded: a reading needs MIN_EVIDENCE bits of
evidence, and every branch of the search that is tried besides the likeliest has a price of k bits, which
makes it 2^-k as likely to accept. Over the two ISO codings, the two rare ones, both directions and both
polarities these sum up to less than 6, so that, whatever the length, fewer than about 8 in 2^20 strings are
accepted, the rounding of the account included.

How often a damaged track is read as another text is bounded by the card's own redundancy, not by this: of
two characters that are noise, each has the right parity by even odds, and the LRC agrees once in 16 (tracks
2 and 3) or 64 (track 1), so that 1 in 64 or 256 of such tracks is right in every respect that is coded.
"""

from libc.stdint cimport int16_t, int32_t, uint8_t, uint16_t, uint64_t
from libc.string cimport memset

from swipegate.core cimport codes

cdef enum:
    # Evidence a reading needs, in bits. A random string passes one alignment with probability 2^-evidence:
    # one bit for each character's parity, and data bits for each of start sentinel, end sentinel and LRC.
    # Each freedom of the search is taken off again (_weigh).
    MIN_EVIDENCE = 20
    # Clocking zeros are required around a track (ISO/IEC 7811-2), so up to this many on a side count as
    # evidence.
    MAX_ZEROS = 2
    # Of a coding that the caller did not ask for and that few cards have. California's has no parity: it
    # reads
    # between clocking zeros and forward, or when it is asked for.
    RARE_PRICE = 2
    # A start sentinel of eight ones in a string that begins with ones proves none of its data bits.
    ONES_PRICE = 7
    # Characters that must be right, over twice those that are wrong, before a failed reading names a cause.
    MIN_DIAGNOSIS = 4
    # The same from which on a string is a damaged track of a coding with parity, and none of California's.
    MIN_DAMAGED = 16
    # Characters that one search looks at before it gives up: a string of nothing but sentinels is quadratic.
    MAX_WORK = 16384

cdef enum Outcome:
    READS
    WRONG_PARITY
    WRONG_LRC
    NO_END

cdef struct Attempt:
    Py_ssize_t start       # first bit, in the order of the scan
    Py_ssize_t end         # one past the LRC
    int characters         # start to end sentinel
    int lrc                # LRC as read
    int evidence

# Codings in the order of likelihood, the rare ones last.
cdef enum:
    LIKELY = 2
    ALL_CODINGS = 4
cdef int[4] ORDER
ORDER[:] = [CODING_ISO5, CODING_ISO7, CODING_JIS8, CODING_CALIFORNIA6]

cdef Coding[CODINGS] TABLES

cdef extern from *:
    """
    #ifdef _MSC_VER
    #include <intrin.h>
    static int lowest_one(unsigned long long word) {
        unsigned long k;
        _BitScanForward64(&k, word);
        return (int)k;
    }
    static int highest_one(unsigned long long word) {
        unsigned long k;
        _BitScanReverse64(&k, word);
        return (int)k;
    }
    #else
    #define lowest_one(word) __builtin_ctzll(word)
    #define highest_one(word) (63 - __builtin_clzll(word))
    #endif
    """
    int lowest_one(uint64_t word) nogil
    int highest_one(uint64_t word) nogil


cdef void _fill_table(Coding *coding, int width, int base, int parity, int start, int end, bint msb) noexcept:
    """parity is that of a right character's ones: 1 odd, 0 even, -1 when it has none."""
    cdef int data = width if parity < 0 else width - 1
    cdef int value, code, bit, ones
    memset(coding.codes, 0xFF, sizeof(coding.codes))
    coding.width = width
    coding.data = data
    coding.parity = parity >= 0
    for value in range(1 << data):
        code = ones = 0
        for bit in range(data):
            if value >> bit & 1:
                code |= 1 << (data - 1 - bit if msb else bit)
                ones += 1
        if parity >= 0 and (ones & 1) != parity:
            code |= 1 << data
        coding.characters[code] = <char>(base + value)
        coding.codes[base + value] = <int16_t>code
        # JIS X 6302-2 takes its characters from JIS X 0201: graphic ones, shift-out and shift-in.
        coding.legal[code] = base > 0 or 0x20 <= value <= 0x7E or value == 0x0E or value == 0x0F
        if base + value == start:
            coding.start = <uint8_t>code
            coding.lead = lowest_one(<uint64_t>code)
        if base + value == end:
            coding.end = <uint8_t>code


cdef void _fill_tables() noexcept:
    cdef int msb
    memset(TABLES, 0, sizeof(TABLES))
    for msb in range(2):
        _fill_table(&TABLES[CODING_ISO5 + MSB_FIRST * msb], 5, 0x30, 1, c";", c"?", msb)
        _fill_table(&TABLES[CODING_ISO7 + MSB_FIRST * msb], 7, 0x20, 1, c"%", c"?", msb)
        _fill_table(&TABLES[CODING_CALIFORNIA6 + MSB_FIRST * msb], 6, 0x20, -1, c"%", c"?", msb)
        _fill_table(&TABLES[CODING_JIS8 + MSB_FIRST * msb], 8, 0, 0, 0x7F, 0x7F, msb)


_fill_tables()


cdef const Coding *coding_table(int coding) noexcept nogil:
    return &TABLES[coding]


# ---- strings of bits

cdef void _find_ends(BitString *bits) noexcept nogil:
    cdef Py_ssize_t word, words = (bits.count + 63) >> 6
    bits.first = bits.last = -1
    bits.words[words] = bits.words[words + 1] = 0
    for word in range(words):
        if bits.words[word]:
            bits.first = 64 * word + lowest_one(bits.words[word])
            break
    if bits.first < 0:
        return
    word = words - 1
    while not bits.words[word]:
        word -= 1
    bits.last = 64 * word + highest_one(bits.words[word])


cdef inline void _cut(BitString *bits) noexcept nogil:
    """Zero what is behind the last bit."""
    if bits.count & 63:
        bits.words[bits.count >> 6] &= (<uint64_t>1 << (bits.count & 63)) - 1


cdef inline uint64_t _octet(const uint8_t *eight) noexcept nogil:
    """Eight bytes of 0 or 1 as the bits of one, the first in bit 0."""
    cdef uint64_t spread = (
        <uint64_t>eight[0] | <uint64_t>eight[1] << 8 | <uint64_t>eight[2] << 16 | <uint64_t>eight[3] << 24
        | <uint64_t>eight[4] << 32 | <uint64_t>eight[5] << 40 | <uint64_t>eight[6] << 48
        | <uint64_t>eight[7] << 56
    )
    # The product lines the eight low bits up in its top byte, none carrying into another.
    return (spread * <uint64_t>0x0102040810204080) >> 56


cdef void load_bits(const uint8_t *source, Py_ssize_t count, BitString *bits) noexcept nogil:
    """Pack `count` bytes of 0 or 1, at most MAX_BITS."""
    cdef Py_ssize_t index
    bits.count = count
    for index in range((count + 63) >> 6):
        bits.words[index] = 0
    for index in range(count >> 3):
        bits.words[index >> 3] |= _octet(source + 8 * index) << (8 * (index & 7))
    for index in range(count & ~<Py_ssize_t>7, count):
        bits.words[index >> 6] |= <uint64_t>source[index] << (index & 63)
    _find_ends(bits)


cdef inline uint64_t _turn_octets(uint64_t word) noexcept nogil:
    """Reverse the bits in each byte."""
    word = (word >> 1 & <uint64_t>0x5555555555555555) | (word & <uint64_t>0x5555555555555555) << 1
    word = (word >> 2 & <uint64_t>0x3333333333333333) | (word & <uint64_t>0x3333333333333333) << 2
    return (word >> 4 & <uint64_t>0x0F0F0F0F0F0F0F0F) | (word & <uint64_t>0x0F0F0F0F0F0F0F0F) << 4


cdef inline uint64_t _turn_word(uint64_t word) noexcept nogil:
    word = _turn_octets(word)
    word = (word >> 8 & <uint64_t>0x00FF00FF00FF00FF) | (word & <uint64_t>0x00FF00FF00FF00FF) << 8
    word = (word >> 16 & <uint64_t>0x0000FFFF0000FFFF) | (word & <uint64_t>0x0000FFFF0000FFFF) << 16
    return word >> 32 | word << 32


cdef void load_packed(const uint8_t *data, Py_ssize_t count, BitString *bits) noexcept nogil:
    """Take `count` bits, at most MAX_BITS, the first in the top bit of data[0]."""
    cdef Py_ssize_t word, octet
    cdef Py_ssize_t octets = (count + 7) >> 3
    cdef uint64_t value
    bits.count = count
    for word in range((count + 63) >> 6):
        value = 0
        if 8 * word + 8 <= octets:
            value = (
                <uint64_t>data[0] | <uint64_t>data[1] << 8 | <uint64_t>data[2] << 16
                | <uint64_t>data[3] << 24 | <uint64_t>data[4] << 32 | <uint64_t>data[5] << 40
                | <uint64_t>data[6] << 48 | <uint64_t>data[7] << 56
            )
            data += 8
        else:
            for octet in range(octets - 8 * word):
                value |= <uint64_t>data[octet] << (8 * octet)
        bits.words[word] = _turn_octets(value)
    _cut(bits)
    _find_ends(bits)


cdef void turn_round(const BitString *bits, BitString *reverse) noexcept nogil:
    cdef Py_ssize_t word, place
    reverse.count = bits.count
    for word in range((bits.count + 63) >> 6):
        place = bits.count - 64 * (word + 1)
        reverse.words[word] = _turn_word(window(bits, place) if place >= 0 else bits.words[0] << -place)
    _find_ends(reverse)


cdef void invert(const BitString *bits, BitString *inverse) noexcept nogil:
    cdef Py_ssize_t word
    inverse.count = bits.count
    for word in range((bits.count + 63) >> 6):
        inverse.words[word] = ~bits.words[word]
    _cut(inverse)
    _find_ends(inverse)


# ---- one reading

cdef inline int _code_at(const BitString *bits, Py_ssize_t place, int width) noexcept nogil:
    """The character at `place`; bits past the end are zeros."""
    return <int>(window(bits, place) & ((<uint64_t>1 << width) - 1))


cdef inline uint64_t _sentinels(const BitString *bits, Py_ssize_t place, const Coding *coding) noexcept nogil:
    """Which of the 64 places from `place` on begin a start sentinel, as the bits of a word."""
    cdef uint64_t found = ~<uint64_t>0
    cdef uint64_t here
    cdef int bit
    for bit in range(coding.width):
        here = window(bits, min(place + bit, bits.count))
        found &= here if coding.start >> bit & 1 else ~here
    return found


cdef inline int _log2_ceiling(Py_ssize_t value) noexcept nogil:
    cdef int result = 0
    while (<Py_ssize_t>1 << result) < value:
        result += 1
    return result


cdef Outcome _scan(
    const BitString *bits, Py_ssize_t start, const Coding *coding, char *text, Attempt *attempt
) noexcept nogil:
    """Read from a start sentinel to the first end sentinel and its LRC, all parity right."""
    cdef int width = coding.width
    cdef int mask = (1 << width) - 1
    cdef int checksum = coding.start
    cdef int most = <int>min((bits.count - start) // width, <Py_ssize_t>MAX_CHARACTERS)
    cdef int characters = 1
    cdef int stop, code
    cdef uint64_t value
    attempt.start = start
    text[0] = coding.characters[coding.start]
    while characters < most:
        value = window(bits, start + characters * width)
        stop = min(most, characters + 64 // width)
        while characters < stop:
            code = <int>value & mask
            value >>= width
            if code == coding.end:
                attempt.lrc = _code_at(bits, start + (characters + 1) * width, width)
                attempt.end = min(start + (characters + 2) * width, bits.count)
                attempt.characters = characters + 1
                text[characters] = coding.characters[code]
                # Right characters over a right LRC make its parity right too, but for an odd parity's.
                if (checksum ^ code ^ attempt.lrc) & ((1 << coding.data) - 1):
                    return WRONG_LRC
                return READS if _parity_right(attempt.lrc, coding) else WRONG_LRC
            if not coding.legal[code]:
                attempt.end = start + characters * width
                attempt.characters = characters
                return WRONG_PARITY
            text[characters] = coding.characters[code]
            checksum ^= code
            characters += 1
    attempt.end = start + characters * width
    attempt.characters = characters
    return NO_END


cdef inline bint _parity_right(int code, const Coding *coding) noexcept nogil:
    """Whether the parity of a character is right that may be outside the set, as an LRC may."""
    cdef int ones = code ^ code >> 4
    ones ^= ones >> 2
    ones ^= ones >> 1
    if not coding.parity:
        return True
    return (ones & 1) == (0 if coding.width == 8 else 1)


cdef bint _fits_both_ways(const BitString *bits, const Attempt *attempt, const Coding *coding) noexcept nogil:
    """Whether the mirror of a reading would read as well.

    JIS X 6302-2's sentinels are mirrors of themselves and its parity is even, so that an LRC of zeros, or
    an end of
    the string in its place, leaves the direction to the character set.
    """
    cdef int index, code
    if coding.width != 8 or attempt.lrc:
        return False
    for index in range(1, attempt.characters - 1):
        code = _code_at(bits, attempt.start + 8 * index, 8)
        if not coding.legal[<int>_turn_octets(<uint64_t>code)]:
            return False
    return True


cdef bint _is_part(const BitString *bits, const Attempt *attempt, const Coding *coding) noexcept nogil:
    """Whether right characters, but for one, lead on to another end sentinel, or to it from another start.

    Then one of the sentinels is a wrong character, and the LRC agrees by chance.
    """
    cdef Py_ssize_t place = attempt.start + attempt.characters * coding.width
    cdef int code
    cdef int wrong = 0
    if not coding.parity:
        return False
    while place < bits.last:
        code = _code_at(bits, place, coding.width)
        if code == coding.end:
            code = _code_at(bits, place + coding.width, coding.width)
            if coding.legal[code] or code == coding.end:
                return True
            break
        wrong += not coding.legal[code]
        if wrong > 1:
            break
        place += coding.width
    wrong = 0
    place = attempt.start - coding.width
    while place >= 0:
        code = _code_at(bits, place, coding.width)
        if code == coding.start:
            return True
        wrong += not coding.legal[code]
        if wrong > 1:
            return False
        place -= coding.width
    return False


cdef void _weigh(const BitString *bits, const Coding *coding, int price, Attempt *attempt) noexcept nogil:
    """Set the evidence."""
    cdef Py_ssize_t slack = 0
    # Of the LRC, and proving nothing.
    cdef Py_ssize_t missing = attempt.start + (attempt.characters + 1) * coding.width - bits.count
    if attempt.start > bits.first:
        slack += attempt.start - bits.first
    if bits.last >= attempt.end:
        slack += bits.last + 1 - attempt.end
    attempt.evidence = 3 * coding.data - price - _log2_ceiling(slack + 1)
    if coding.parity:
        attempt.evidence += attempt.characters + 1
    if slack == 0:
        attempt.evidence += <int>min(attempt.start, <Py_ssize_t>MAX_ZEROS)
        attempt.evidence += <int>min(bits.count - attempt.end, <Py_ssize_t>MAX_ZEROS)
    if missing > 0:
        attempt.evidence -= <int>missing
    if coding.width == 8 and (attempt.start == 0 or window(bits, attempt.start - 1) & 1):
        attempt.evidence -= ONES_PRICE


cdef bint _read_whole(
    const BitString *bits, const Coding *coding, int price, char *text, Attempt *attempt
) noexcept nogil:
    """The likely case: the first one-bit opens the start sentinel and nothing but zeros follows the LRC."""
    cdef Py_ssize_t start = bits.first - coding.lead
    if start < 0 or _code_at(bits, start, coding.width) != coding.start:
        return False
    if _scan(bits, start, coding, text, attempt) != READS or attempt.characters < 3:
        return False
    if attempt.end <= bits.last or _fits_both_ways(bits, attempt, coding):
        return False
    _weigh(bits, coding, price, attempt)
    return attempt.evidence >= MIN_EVIDENCE


cdef bint _search(
    const BitString *bits, const Coding *coding, int price, char *text, Attempt *best
) noexcept nogil:
    """The reading of most evidence over every start sentinel; `best` is replaced by a better one only."""
    cdef Attempt attempt
    cdef Py_ssize_t dead[8]  # by phase: no end sentinel before the wrong parity, or the end, at this bit
    cdef Py_ssize_t block, place
    cdef uint64_t found
    cdef Outcome outcome
    cdef bint better = False
    cdef int work = 0
    memset(dead, 0, sizeof(dead))
    block = max(bits.first - coding.lead, <Py_ssize_t>0)
    while block <= bits.count - coding.width:
        found = _sentinels(bits, block, coding)
        while found:
            place = block + lowest_one(found)
            found &= found - 1
            if place > bits.count - coding.width or place < dead[place % coding.width]:
                continue
            outcome = _scan(bits, place, coding, text, &attempt)
            work += attempt.characters
            if work > MAX_WORK:
                return better
            if outcome == WRONG_PARITY or (outcome == NO_END and attempt.characters < MAX_CHARACTERS):
                dead[place % coding.width] = attempt.end
            if outcome != READS or attempt.characters < 3 or _fits_both_ways(bits, &attempt, coding):
                continue
            _weigh(bits, coding, price, &attempt)
            if attempt.evidence < MIN_EVIDENCE or attempt.evidence <= best.evidence:
                continue
            if not _is_part(bits, &attempt, coding):
                best[0] = attempt
                better = True
        block += 64
    return better


# ---- why a string does not read

cdef int _diagnose(
    const BitString *bits, const Coding *coding, int best, uint8_t *is_lrc, unsigned *errors
) noexcept nogil:
    """Say why the likeliest of the failed readings fails; returns its weight when above `best`, else `best`.
    """
    cdef Py_ssize_t place, start
    cdef int width = coding.width
    cdef int code, right, wrong, weight, checksum, lrc
    cdef int work = 0
    cdef bint ended
    if bits.first < 0:
        return best
    for start in range(max(bits.first - coding.lead, <Py_ssize_t>0), bits.count - width + 1):
        if _code_at(bits, start, width) != coding.start:
            continue
        right = 1
        wrong = 0
        checksum = coding.start
        ended = False
        place = start + width
        while place + width <= bits.count and right + wrong < MAX_CHARACTERS and not ended:
            code = _code_at(bits, place, width)
            place += width
            checksum ^= code
            if code == 0:
                break  # the clocking zeros behind the track
            ended = code == coding.end
            if coding.legal[code] or ended:
                right += 1
            else:
                wrong += 1
        work += right + wrong
        if work > MAX_WORK:
            break
        weight = right - 2 * wrong + (2 if ended else 0)
        if weight <= best or (ended and right + wrong == 2 and place + width <= bits.last):
            continue
        best = weight
        is_lrc[0] = False
        if wrong:
            errors[0] = codes.ERROR_PARITY
        elif not ended:
            errors[0] = codes.ERROR_NO_END
        elif right == 2:
            errors[0] = codes.ERROR_EMPTY
        else:
            lrc = _code_at(bits, place, width)
            if _parity_right(lrc, coding) and not (checksum ^ lrc) & ((1 << coding.data) - 1):
                # it agrees, but is too short to be trusted among so many bits
                errors[0] = codes.ERROR_NO_START
            else:
                errors[0] = codes.ERROR_LRC
                is_lrc[0] = True
    return best


cdef void _explain(
    const BitString *bits, const BitString *reverse, const int *order, int codings, Reading *reading
) noexcept nogil:
    """Set the errors of a string that does not read."""
    cdef int best = MIN_DIAGNOSIS - 1
    cdef uint8_t is_lrc = False
    cdef unsigned errors = codes.ERROR_NO_START
    cdef int turn
    for turn in range(min(codings, LIKELY)):
        best = _diagnose(bits, &TABLES[order[turn]], best, &is_lrc, &errors)
        best = _diagnose(reverse, &TABLES[order[turn]], best, &is_lrc, &errors)
    reading.errors = errors
    if is_lrc:
        reading.lrc = codes.LRC_BAD


# ---- all readings

cdef void _accept(
    const BitString *bits, int coding, const Attempt *attempt, bint reverse, bint inverted, Reading *reading
) noexcept nogil:
    """Copy the verdict of an accepted attempt; the text is there already."""
    reading.errors = 0
    reading.length = <uint16_t>attempt.characters
    reading.coding = <uint8_t>coding
    reading.bits_per_character = <uint8_t>TABLES[coding].width
    reading.inverted = inverted
    reading.direction = codes.DIRECTION_REVERSE if reverse else codes.DIRECTION_FORWARD
    reading.start_bit = <int32_t>(bits.count - attempt.end if reverse else attempt.start)
    reading.end_bit = <int32_t>(bits.count - attempt.start if reverse else attempt.end)
    reading.lrc = codes.LRC_OK
    reading.lrc_character = TABLES[coding].characters[attempt.lrc]


cdef inline int _price(int turn, bint reverse, bint inverted) noexcept nogil:
    return (RARE_PRICE if turn >= LIKELY else 0) + reverse + inverted


cdef bint _is_damaged(const BitString *bits, const BitString *reverse) noexcept nogil:
    """Whether nearly all characters of an ISO coding are right, between sentinels or to the end."""
    cdef int best = MIN_DAMAGED - 1
    cdef uint8_t is_lrc
    cdef unsigned errors
    cdef int turn
    for turn in range(LIKELY):
        best = _diagnose(bits, &TABLES[ORDER[turn]], best, &is_lrc, &errors)
        best = _diagnose(reverse, &TABLES[ORDER[turn]], best, &is_lrc, &errors)
    return best >= MIN_DAMAGED


cdef bint _read_either(
    const BitString *bits, const BitString *reverse, const int *order, int codings, bint inverted,
    Reading *reading
) noexcept nogil:
    """Search every coding in both directions."""
    cdef Attempt best, before
    cdef int best_coding = 0
    cdef bint best_reverse = False
    cdef int turn, is_reverse
    best.evidence = 0
    for turn in range(codings):
        for is_reverse in range(2):
            before = best
            if not _search(
                reverse if is_reverse else bits, &TABLES[order[turn]], _price(turn, is_reverse, inverted),
                reading.text, &best
            ):
                continue
            if codings > 1 and not TABLES[order[turn]].parity and _is_damaged(bits, reverse):
                best = before
                continue
            best_coding = order[turn]
            best_reverse = is_reverse
    if not best_coding:
        return False
    # The text of the best may have been overwritten by a later attempt.
    _scan(reverse if best_reverse else bits, best.start, &TABLES[best_coding], reading.text, &best)
    _accept(bits, best_coding, &best, best_reverse, inverted, reading)
    return True


cdef void _decode_unlikely(
    const BitString *bits, const int *order, int codings, Reading *reading
) noexcept nogil:
    """Everything but a clean forward reading: reverse, unclean ends, inverted bits, and why not."""
    cdef BitString reverse, inverse, inverse_reverse
    cdef Attempt attempt
    cdef int turn
    turn_round(bits, &reverse)
    for turn in range(min(codings, LIKELY)):
        if _read_whole(&reverse, &TABLES[order[turn]], _price(turn, True, False), reading.text, &attempt):
            _accept(bits, order[turn], &attempt, True, False, reading)
            return
    if _read_either(bits, &reverse, order, codings, False, reading):
        return
    invert(bits, &inverse)
    if inverse.first < 0:
        reading.errors = codes.ERROR_NO_ENCODING
        return
    turn_round(&inverse, &inverse_reverse)
    if _read_either(&inverse, &inverse_reverse, order, codings, True, reading):
        return
    _explain(bits, &reverse, order, codings, reading)
    if reading.errors == codes.ERROR_NO_START:
        _explain(&inverse, &inverse_reverse, order, codings, reading)


cdef void decode_bits(const BitString *bits, int coding, Reading *reading) noexcept nogil:
    """Fill `reading`; coding is CODING_ANY to find it out."""
    cdef Attempt attempt
    cdef const int *order = &coding
    cdef int codings = 1
    cdef int turn
    if coding == CODING_ANY:
        order = ORDER
        codings = ALL_CODINGS
    # All but the text, which its length bounds.
    memset(reading, 0, sizeof(Reading) - MAX_CHARACTERS)
    if bits.first < 0:
        reading.errors = codes.ERROR_NO_ENCODING
        return
    for turn in range(min(codings, LIKELY)):
        if _read_whole(bits, &TABLES[order[turn]], 0, reading.text, &attempt):
            _accept(bits, order[turn], &attempt, False, False, reading)
            return
    _decode_unlikely(bits, order, codings, reading)


# ---- Python

cdef class Characters:
    @property
    def text(self):
        return self.reading.text[:self.reading.length].decode("ascii")

    @property
    def coding(self):
        return self.reading.coding

    @property
    def bits_per_character(self):
        return self.reading.bits_per_character

    @property
    def msb_first(self):
        return self.reading.coding > MSB_FIRST

    @property
    def direction(self):
        return self.reading.direction

    @property
    def inverted(self):
        return bool(self.reading.inverted)

    @property
    def lrc(self):
        return self.reading.lrc

    @property
    def lrc_character(self):
        return chr(self.reading.lrc_character) if self.reading.length else ""

    @property
    def start_bit(self):
        return self.reading.start_bit

    @property
    def end_bit(self):
        return self.reading.end_bit

    @property
    def repairs(self):
        return tuple(
            (self.reading.repairs[index].position, chr(self.reading.repairs[index].character),
             self.reading.repairs[index].method, self.reading.repairs[index].bits)
            for index in range(self.reading.repair_count)
        )

    @property
    def errors(self):
        return tuple(number for number in range(1, 32) if self.reading.errors >> number & 1)


cdef int checked_coding(int bits_per_character, bint msb_first, bint zero_too) except -1:
    """The CODING_* of what a caller says."""
    cdef int coding
    if bits_per_character == 0 and zero_too:
        if msb_first:
            raise ValueError("msb_first needs bits_per_character: it is not searched for")
        return CODING_ANY
    for coding in range(1, MSB_FIRST + 1):
        if TABLES[coding].width == bits_per_character:
            return coding + (MSB_FIRST if msb_first else 0)
    raise ValueError("bits_per_character must be 5, 6, 7 or 8" + (", or 0 to find out" if zero_too else ""))


cdef BitString *load_buffer(const uint8_t[::1] source, BitString *bits) except NULL:
    """Pack the bits of a caller; raises ValueError for what are none."""
    cdef Py_ssize_t count = source.shape[0]
    cdef Py_ssize_t index
    cdef uint8_t seen = 0
    cdef uint8_t nothing = 0
    if count > MAX_BITS:
        raise ValueError(f"bits must be at most {MAX_BITS}")
    for index in range(count):
        seen |= source[index]
    if seen > 1:
        raise ValueError("bits must be bytes of 0 and 1")
    load_bits(&source[0] if count else &nothing, count, bits)
    return bits


def decode(
    const uint8_t[::1] bits not None, int bits_per_character=0, bint repair=True, *, bint msb_first=False
):
    cdef Characters characters = Characters.__new__(Characters)
    cdef int coding = checked_coding(bits_per_character, msb_first, True)
    cdef BitString string
    load_buffer(bits, &string)
    with nogil:
        decode_bits(&string, coding, &characters.reading)
    if repair and characters.reading.errors:
        from swipegate.core import repair as stage  # the stage behind this one

        return stage.decode(bits, bits_per_character=bits_per_character, msb_first=msb_first)
    return characters


def decode_packed(
    data, int bits_per_character=0, bint repair=True, bint any_packing=False, *, bint msb_first=False
):
    cdef Characters characters = decode(unpack(data), bits_per_character, repair, msb_first=msb_first)
    cdef Characters turned
    if characters.reading.errors == 0 or not any_packing:
        return characters
    turned = decode(unpack(data, lsb_first=True), bits_per_character, repair, msb_first=msb_first)
    if turned.reading.errors:
        return characters
    # Bits turned inside each byte, read forward, are the bytes in reverse order, read backward: the same
    # string.
    turned.reading.direction = codes.DIRECTION_REVERSE
    return turned


cdef int _code_of(str character, const Coding *coding) except -1:
    """The code of a character, in the set or, as an LRC may be, not; raises ValueError beyond the code's
    range."""
    cdef Py_UCS4 point = ord(character)
    if point >= CHARACTERS or coding.codes[point] < 0:
        raise ValueError(f"text holds a character outside the {coding.width}-bit set")
    return coding.codes[point]


def encode(
    str text not None, int bits_per_character, int leading_zeros=0, int trailing_zeros=0,
    bint reverse=False, *, bint msb_first=False
):
    cdef const Coding *coding = &TABLES[checked_coding(bits_per_character, msb_first, False)]
    cdef int bit, code
    cdef bytearray bits = bytearray()
    if leading_zeros < 0 or trailing_zeros < 0:
        raise ValueError("leading_zeros and trailing_zeros must not be negative")
    for character in text + lrc(text, bits_per_character):
        code = _code_of(character, coding)
        for bit in range(coding.width):
            bits.append(code >> bit & 1)
    if leading_zeros + len(bits) + trailing_zeros > MAX_BITS:
        raise ValueError(f"text with its zeros must be at most {MAX_BITS} bits")
    result = bytes(leading_zeros) + bytes(bits) + bytes(trailing_zeros)
    return result[::-1] if reverse else result


def lrc(str text not None, int bits_per_character):
    cdef const Coding *coding = &TABLES[checked_coding(bits_per_character, False, False)]
    cdef int mask = (1 << coding.data) - 1
    cdef int base = coding.characters[coding.end] - (coding.end & mask)
    cdef int checksum = 0
    cdef int code
    for character in text:
        code = _code_of(character, coding)
        if not coding.legal[code] and code != coding.start and code != coding.end:
            raise ValueError(f"text holds a character outside the {coding.width}-bit set")
        checksum ^= code
    return chr(base + (checksum & mask))


def pack(const uint8_t[::1] bits not None):
    cdef bytearray data = bytearray((bits.shape[0] + 7) // 8)
    cdef Py_ssize_t index
    for index in range(bits.shape[0]):
        if bits[index] > 1:
            raise ValueError("bits must be bytes of 0 and 1")
        data[index >> 3] |= bits[index] << (7 - (index & 7))
    return bytes(data)


def unpack(
    const uint8_t[::1] data not None, Py_ssize_t bit_count=0, *, bint lsb_first=False, bint
    bytes_reversed=False
):
    cdef Py_ssize_t size = data.shape[0]
    cdef Py_ssize_t count = bit_count if bit_count else 8 * size
    cdef bytearray bits
    cdef Py_ssize_t index, place
    cdef int shift
    if not 0 <= count <= 8 * size:
        raise ValueError("bit_count must not be over the bits of data")
    bits = bytearray(count)
    for index in range(count):
        place = index >> 3
        if bytes_reversed:
            place = size - 1 - place
        shift = index & 7
        bits[index] = data[place] >> (shift if lsb_first else 7 - shift) & 1
    return bytes(bits)
