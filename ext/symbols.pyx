"""Bits to characters and back (ISO/IEC 7811-2 and -6): parity, LRC, direction, one repair."""

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memchr, memset

from swipegate.core cimport codes

cdef enum:
    # Evidence a reading needs, in bits. A random string passes one alignment with probability 2^-evidence:
    # one bit for each character's parity, and data bits for each of start sentinel, end sentinel and LRC.
    # Each freedom of the search is taken off again (_weigh), so whatever the length, fewer than about 8 in
    # 2^20 random strings are accepted.
    MIN_EVIDENCE = 20
    # Clocking zeros are required around a track (ISO/IEC 7811-2), so up to this many on a side count as
    # evidence.
    MAX_ZEROS = 2
    # What a repair spends: the parity of the bad character, and the LRC but for the syndromes of no or one
    # bit.
    REPAIR_PRICE = 4
    # A sentinel that is itself repaired leaves any of w flips open.
    SENTINEL_PRICE = 3
    # Characters that must be right, over twice those that are wrong, before a failed reading names a cause.
    MIN_DIAGNOSIS = 4
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
    int bad                # character that was repaired, -1 for none
    int syndrome           # data bits that were wrong in it
    int lrc                # LRC as read
    int evidence

cdef uint8_t ODD[128]


cdef void _fill_tables() noexcept:
    cdef int code, bits, rest
    for code in range(128):
        bits = 0
        rest = code
        while rest:
            bits += rest & 1
            rest >>= 1
        ODD[code] = bits & 1


_fill_tables()


cdef inline int _start_code(int width) noexcept nogil:
    return 0b01011 if width == 5 else 0b1000101  # `;` and `%` with their parity


cdef inline int _end_code(int width) noexcept nogil:
    return 0b11111 if width == 5 else 0b0011111  # `?` with its parity


cdef inline char _character(int code, int width) noexcept nogil:
    if width == 5:
        return <char>(0x30 + (code & 0x0F))
    return <char>(0x20 + (code & 0x3F))


cdef inline int _code_at(const uint8_t *bits, Py_ssize_t count, Py_ssize_t place, int width) noexcept nogil:
    """The character at `place`, least significant bit first; bits past the end are zeros."""
    cdef uint64_t octet
    cdef int code = 0
    cdef int bit
    if place + 8 <= count:
        octet = (
            <uint64_t>bits[place] | <uint64_t>bits[place + 1] << 8
            | <uint64_t>bits[place + 2] << 16 | <uint64_t>bits[place + 3] << 24
            | <uint64_t>bits[place + 4] << 32 | <uint64_t>bits[place + 5] << 40
            | <uint64_t>bits[place + 6] << 48 | <uint64_t>bits[place + 7] << 56
        ) & <uint64_t>0x0101010101010101
        # The product lines the eight low bits up in its top byte, none carrying into another.
        return <int>((octet * <uint64_t>0x0102040810204080) >> 56) & ((1 << width) - 1)
    for bit in range(width):
        if place + bit < count:
            code |= (bits[place + bit] & 1) << bit
    return code


cdef inline int _log2_ceiling(Py_ssize_t value) noexcept nogil:
    cdef int result = 0
    while (<Py_ssize_t>1 << result) < value:
        result += 1
    return result


cdef Outcome _scan(
    const uint8_t *bits, Py_ssize_t count, Py_ssize_t start, int width, char *text, Attempt *attempt
) noexcept nogil:
    """Read from a start sentinel to the first end sentinel and its LRC, all parity right."""
    cdef int end_code = _end_code(width)
    cdef int checksum = 0
    cdef int characters = 0
    cdef int code
    cdef Py_ssize_t place = start
    attempt.start = start
    attempt.bad = -1
    attempt.syndrome = 0
    while place + width <= count and characters < MAX_CHARACTERS:
        code = _code_at(bits, count, place, width)
        if not ODD[code]:
            attempt.end = place
            attempt.characters = characters
            return WRONG_PARITY
        text[characters] = _character(code, width)
        checksum ^= code
        characters += 1
        place += width
        if code == end_code and characters > 1:
            attempt.lrc = _code_at(bits, count, place, width)
            attempt.characters = characters
            attempt.end = min(place + width, count)
            if ODD[attempt.lrc] and not ((checksum ^ attempt.lrc) & ((1 << (width - 1)) - 1)):
                return READS
            return WRONG_LRC
    attempt.end = place
    attempt.characters = characters
    return NO_END


cdef void _weigh(
    const uint8_t *bits, Py_ssize_t count, Py_ssize_t first, Py_ssize_t last, int width, int price,
    Attempt *attempt
) noexcept nogil:
    """Set the evidence; first and last are the outermost one-bits of the string."""
    cdef Py_ssize_t slack = 0
    cdef Py_ssize_t missing = attempt.start + (attempt.characters + 1) * width - count  # of the LRC
    if attempt.start > first:
        slack += attempt.start - first
    if last >= attempt.end:
        slack += last + 1 - attempt.end
    attempt.evidence = attempt.characters + 1 + 3 * (width - 1) - price - _log2_ceiling(slack + 1)
    if slack == 0:
        attempt.evidence += <int>min(attempt.start, MAX_ZEROS) + <int>min(count - attempt.end, MAX_ZEROS)
    if missing > 0:
        attempt.evidence -= <int>missing
    if attempt.bad >= 0:
        attempt.evidence -= REPAIR_PRICE + _log2_ceiling(attempt.characters + 1)
        if attempt.bad == 0 or attempt.bad == attempt.characters - 1:
            attempt.evidence -= SENTINEL_PRICE


cdef inline Py_ssize_t _first_one(const uint8_t *bits, Py_ssize_t start, Py_ssize_t count) noexcept nogil:
    cdef const void *found
    if start >= count:
        return -1
    found = memchr(bits + start, 1, count - start)
    return -1 if found == NULL else <const uint8_t *>found - bits


cdef inline Py_ssize_t _last_one(const uint8_t *bits, Py_ssize_t count) noexcept nogil:
    while count > 0 and not bits[count - 1]:
        count -= 1
    return count - 1


cdef bint _read_whole(
    const uint8_t *bits, Py_ssize_t count, int width, int price, char *text, Attempt *attempt
) noexcept nogil:
    """The likely case: the first one-bit opens the start sentinel and nothing but zeros follows the LRC."""
    cdef Py_ssize_t first = _first_one(bits, 0, count)
    if first < 0 or _code_at(bits, count, first, width) != _start_code(width):
        return False
    if _scan(bits, count, first, width, text, attempt) != READS or attempt.characters < 3:
        return False
    if _first_one(bits, attempt.end, count) >= 0:
        return False
    _weigh(bits, count, first, attempt.end - 1, width, price, attempt)
    return attempt.evidence >= MIN_EVIDENCE


cdef bint _search(
    const uint8_t *bits, Py_ssize_t count, int width, int price, char *text, Attempt *best
) noexcept nogil:
    """The reading of most evidence over every start sentinel; `best` is replaced by a better one only."""
    cdef Attempt attempt
    cdef Py_ssize_t dead[7]  # by phase: no end sentinel before the wrong parity at this bit
    cdef Py_ssize_t first = _first_one(bits, 0, count)
    cdef Py_ssize_t last = _last_one(bits, count)
    cdef Py_ssize_t place
    cdef Outcome outcome
    cdef bint found = False
    cdef int start_code = _start_code(width)
    cdef int work = 0
    memset(dead, 0, sizeof(dead))
    if first < 0:
        return False
    for place in range(first, count - width + 1):
        if _code_at(bits, count, place, width) != start_code or place < dead[place % width]:
            continue
        outcome = _scan(bits, count, place, width, text, &attempt)
        work += attempt.characters
        if work > MAX_WORK:
            break
        if outcome == WRONG_PARITY:
            dead[place % width] = attempt.end
        if outcome != READS or attempt.characters < 3:
            continue
        _weigh(bits, count, first, last, width, price, &attempt)
        if attempt.evidence >= MIN_EVIDENCE and attempt.evidence > best.evidence:
            best[0] = attempt
            found = True
    return found


cdef inline bint _one_bit_or_none(int syndrome) noexcept nogil:
    return (syndrome & (syndrome - 1)) == 0


cdef bint _crosses(
    const uint8_t *bits, Py_ssize_t count, Py_ssize_t place, int width, int checksum, int bad_code,
    Attempt *attempt
) noexcept nogil:
    """Whether the LRC at `place` names the wrong bit of the one character of wrong parity."""
    cdef int lrc
    if place + width > count:
        return False
    lrc = _code_at(bits, count, place, width)
    attempt.lrc = lrc
    attempt.syndrome = (checksum ^ lrc) & ((1 << (width - 1)) - 1)
    attempt.end = place + width
    if attempt.bad < 0:
        if ODD[lrc]:
            return False
        attempt.bad = attempt.characters
    elif not ODD[lrc]:
        return False
    if not _one_bit_or_none(attempt.syndrome):
        return False  # more than one wrong bit: another pair of errors explains it as well
    if attempt.bad == 0:
        return (bad_code ^ attempt.syndrome ^ _start_code(width)) & ((1 << (width - 1)) - 1) == 0
    if attempt.bad == attempt.characters - 1:
        return (bad_code ^ attempt.syndrome ^ _end_code(width)) & ((1 << (width - 1)) - 1) == 0
    if attempt.bad < attempt.characters:
        # A repair that makes an end sentinel contradicts the length it was proved with.
        return (bad_code ^ attempt.syndrome ^ _end_code(width)) & ((1 << (width - 1)) - 1) != 0
    return True


cdef bint _scan_repair(
    const uint8_t *bits, Py_ssize_t count, Py_ssize_t start, int width, Attempt *attempt
) noexcept nogil:
    """Read from a start sentinel with exactly one wrong bit among all characters and the LRC."""
    cdef int end_code = _end_code(width)
    cdef int checksum = 0
    cdef int characters = 0
    cdef int bad_code = 0
    cdef int code
    cdef int bad = -1
    cdef Py_ssize_t place = start
    attempt.start = start
    attempt.characters = 0
    while place + width <= count and characters < MAX_CHARACTERS:
        code = _code_at(bits, count, place, width)
        checksum ^= code
        characters += 1
        place += width
        attempt.characters = characters
        if not ODD[code]:
            if bad >= 0:
                return False
            bad = characters - 1
            bad_code = code
            if bad > 0 and _one_bit_or_none(code ^ end_code):
                attempt.bad = bad
                if _crosses(bits, count, place, width, checksum, bad_code, attempt):
                    return True
        elif characters == 1 and code != _start_code(width):
            return False
        elif code == end_code and characters > 1:
            attempt.bad = bad
            return _crosses(bits, count, place, width, checksum, bad_code, attempt)
    return False


cdef bint _search_repair(
    const uint8_t *bits, Py_ssize_t count, int width, int price, Attempt *best
) noexcept nogil:
    """The repairable reading of most evidence."""
    cdef Attempt attempt
    cdef Py_ssize_t first = _first_one(bits, 0, count)
    cdef Py_ssize_t last = _last_one(bits, count)
    cdef Py_ssize_t place
    cdef bint found = False
    cdef bint found_here
    cdef int work = 0
    if first < 0:
        return False
    # A start sentinel whose own first bit was lost begins a bit before the first one.
    for place in range(max(first - 1, 0), count - width + 1):
        if not _one_bit_or_none(_code_at(bits, count, place, width) ^ _start_code(width)):
            continue
        found_here = _scan_repair(bits, count, place, width, &attempt)
        work += attempt.characters
        if work > MAX_WORK:
            break
        if not found_here or attempt.characters < 3:
            continue
        _weigh(bits, count, first, last, width, price, &attempt)
        if attempt.evidence >= MIN_EVIDENCE and attempt.evidence > best.evidence:
            best[0] = attempt
            found = True
    return found


cdef int _diagnose(
    const uint8_t *bits, Py_ssize_t count, int width, int best, uint8_t *is_lrc, unsigned *errors
) noexcept nogil:
    """Say why the likeliest of the failed readings fails; returns its weight when above `best`, else `best`.
    """
    cdef Py_ssize_t first = _first_one(bits, 0, count)
    cdef Py_ssize_t place, start
    cdef int code, right, wrong, weight, checksum, lrc
    cdef int work = 0
    cdef bint ended
    if first < 0:
        return best
    for start in range(first, count - width + 1):
        if _code_at(bits, count, start, width) != _start_code(width):
            continue
        right = wrong = checksum = 0
        ended = False
        place = start
        while place + width <= count and right + wrong < MAX_CHARACTERS and not ended:
            code = _code_at(bits, count, place, width)
            place += width
            checksum ^= code
            if code == 0:
                break  # the clocking zeros behind the track
            if ODD[code]:
                right += 1
            else:
                wrong += 1
            ended = code == _end_code(width) and right + wrong > 1
        work += right + wrong
        if work > MAX_WORK:
            break
        weight = right - 2 * wrong + (2 if ended else 0)
        if weight <= best or (ended and right + wrong == 2 and _first_one(bits, place + width, count) >= 0):
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
            lrc = _code_at(bits, count, place, width)
            if ODD[lrc] and not (checksum ^ lrc) & ((1 << (width - 1)) - 1):
                # it agrees, but is too short to be trusted among so many bits
                errors[0] = codes.ERROR_NO_START
            else:
                errors[0] = codes.ERROR_LRC
                is_lrc[0] = True
    return best


cdef void _explain(
    const uint8_t *bits, const uint8_t *reverse, Py_ssize_t count, int width, bint either, Reading *reading
) noexcept nogil:
    """Set the errors of a string that does not read."""
    cdef int best = MIN_DIAGNOSIS - 1
    cdef uint8_t is_lrc = False
    cdef unsigned errors = codes.ERROR_NO_START
    cdef int other = 12 - width
    best = _diagnose(bits, count, width, best, &is_lrc, &errors)
    best = _diagnose(reverse, count, width, best, &is_lrc, &errors)
    if either:
        best = _diagnose(bits, count, other, best, &is_lrc, &errors)
        best = _diagnose(reverse, count, other, best, &is_lrc, &errors)
    reading.errors = errors
    if is_lrc:
        reading.lrc = codes.LRC_BAD


cdef void _fill_text(
    const uint8_t *bits, Py_ssize_t count, int width, const Attempt *attempt, Reading *reading
) noexcept nogil:
    cdef int index, code
    for index in range(attempt.characters):
        code = _code_at(bits, count, attempt.start + index * width, width)
        if index == attempt.bad:
            code ^= attempt.syndrome
        reading.text[index] = _character(code, width)


cdef void _accept(
    Py_ssize_t count, int width, const Attempt *attempt, bint reverse, bint inverted, Reading *reading
) noexcept nogil:
    """Copy the verdict of an accepted attempt; the text is there already."""
    cdef int lrc = attempt.lrc
    reading.errors = 0
    reading.length = <uint16_t>attempt.characters
    reading.bits_per_character = <uint8_t>width
    reading.inverted = inverted
    reading.direction = codes.DIRECTION_REVERSE if reverse else codes.DIRECTION_FORWARD
    reading.start_bit = <int32_t>(count - attempt.end if reverse else attempt.start)
    reading.end_bit = <int32_t>(count - attempt.start if reverse else attempt.end)
    reading.lrc = codes.LRC_OK
    if attempt.bad >= 0:
        reading.lrc = codes.LRC_REPAIRED
        if attempt.bad == attempt.characters:
            lrc ^= attempt.syndrome
        reading.repair_count = 1
        reading.repairs[0].position = <uint16_t>attempt.bad
        reading.repairs[0].method = codes.REPAIR_PARITY_AND_LRC
        reading.repairs[0].character = (
            _character(lrc, width) if attempt.bad == attempt.characters else reading.text[attempt.bad])
    reading.lrc_character = _character(lrc, width)


cdef bint _read_either(
    const uint8_t *bits, const uint8_t *reverse, Py_ssize_t count, int width, bint either, bint inverted,
    bint repair, Reading *reading
) noexcept nogil:
    """Search both directions and both widths; with `repair`, for readings of one wrong bit."""
    cdef Attempt best
    cdef int best_width = 0
    cdef bint best_reverse = False
    cdef int turn, candidate_width
    cdef bint is_reverse, found
    cdef const uint8_t *source
    best.evidence = 0
    for turn in range(4 if either else 2):
        is_reverse = turn & 1
        source = reverse if is_reverse else bits
        candidate_width = width if turn < 2 else 12 - width
        if repair:
            found = _search_repair(source, count, candidate_width, is_reverse + inverted, &best)
        else:
            found = _search(source, count, candidate_width, is_reverse + inverted, reading.text, &best)
        if found:
            best_width = candidate_width
            best_reverse = is_reverse
    if not best_width:
        return False
    _fill_text(reverse if best_reverse else bits, count, best_width, &best, reading)
    _accept(count, best_width, &best, best_reverse, inverted, reading)
    return True


cdef void _turn_round(const uint8_t *bits, Py_ssize_t count, uint8_t *reverse) noexcept nogil:
    cdef Py_ssize_t index
    for index in range(count):
        reverse[index] = bits[count - 1 - index]


cdef void _decode_unlikely(
    const uint8_t *bits, Py_ssize_t count, int width, bint either, bint repair, Reading *reading
) noexcept nogil:
    """Everything but a clean forward reading: reverse, unclean ends, inverted bits, repairs, and why not."""
    cdef uint8_t reverse[MAX_BITS]
    cdef uint8_t inverse[MAX_BITS]
    cdef uint8_t inverse_reverse[MAX_BITS]
    cdef Py_ssize_t index
    reverse[0] = 0  # count is at least 1, which the C compiler does not see
    _turn_round(bits, count, reverse)
    if _read_either(bits, reverse, count, width, either, False, False, reading):
        return
    for index in range(count):
        inverse[index] = 1 - (bits[index] & 1)
    _turn_round(inverse, count, inverse_reverse)
    if _read_either(inverse, inverse_reverse, count, width, either, True, False, reading):
        return
    if repair:
        if _read_either(bits, reverse, count, width, either, False, True, reading):
            return
        if _read_either(inverse, inverse_reverse, count, width, either, True, True, reading):
            return
    if _first_one(inverse, 0, count) < 0:
        reading.errors = codes.ERROR_NO_ENCODING
        return
    _explain(bits, reverse, count, width, either, reading)
    if reading.errors == codes.ERROR_NO_START:
        _explain(inverse, inverse_reverse, count, width, either, reading)


cdef void decode_bits(
    const uint8_t *bits, Py_ssize_t count, int bits_per_character, bint repair, Reading *reading
) noexcept nogil:
    """Fill `reading` from `count` bytes that are each 0 or 1; bits_per_character is 5, 7, or 0 for either."""
    cdef Attempt attempt
    cdef int width = bits_per_character if bits_per_character else 5
    cdef bint either = bits_per_character == 0
    # All but the text, which its length bounds.
    memset(reading, 0, sizeof(Reading) - MAX_CHARACTERS)
    if count > MAX_BITS:
        reading.errors = codes.ERROR_TOO_LONG
        return
    if _first_one(bits, 0, count) < 0:
        reading.errors = codes.ERROR_NO_ENCODING
        return
    if _read_whole(bits, count, width, 0, reading.text, &attempt):
        _accept(count, width, &attempt, False, False, reading)
    elif either and _read_whole(bits, count, 7, 0, reading.text, &attempt):
        _accept(count, 7, &attempt, False, False, reading)
    else:
        _decode_unlikely(bits, count, width, either, repair, reading)


cdef void unpack_bits(const uint8_t *data, Py_ssize_t bit_count, uint8_t *bits) noexcept nogil:
    """Spread packed bits, most significant first, over bytes of 0 and 1."""
    cdef Py_ssize_t index
    cdef Py_ssize_t whole = bit_count >> 3
    cdef uint8_t octet
    cdef int bit
    for index in range(whole):
        octet = data[index]
        for bit in range(8):
            bits[8 * index + bit] = (octet >> (7 - bit)) & 1
    for index in range(whole << 3, bit_count):
        bits[index] = (data[index >> 3] >> (7 - (index & 7))) & 1


cdef class Characters:
    cdef Reading reading

    @property
    def text(self):
        return self.reading.text[:self.reading.length].decode("ascii")

    @property
    def bits_per_character(self):
        return self.reading.bits_per_character

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
        return chr(self.reading.lrc_character) if self.reading.lrc_character else ""

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
             self.reading.repairs[index].method)
            for index in range(self.reading.repair_count)
        )

    @property
    def errors(self):
        return tuple(number for number in range(1, 32) if self.reading.errors >> number & 1)


cdef int _checked_width(int bits_per_character, bint zero_too) except -1:
    if bits_per_character in (5, 7) or (zero_too and bits_per_character == 0):
        return bits_per_character
    raise ValueError("bits_per_character must be 5 or 7" + (", or 0 for either" if zero_too else ""))


def decode(const uint8_t[::1] bits not None, int bits_per_character=0, bint repair=True):
    cdef Characters characters = Characters.__new__(Characters)
    cdef Py_ssize_t count = bits.shape[0]
    cdef Py_ssize_t index
    cdef uint8_t seen = 0
    cdef uint8_t nothing = 0
    _checked_width(bits_per_character, True)
    if count > MAX_BITS:
        raise ValueError(f"bits must be at most {MAX_BITS}")
    with nogil:
        for index in range(count):
            seen |= bits[index]
        if seen <= 1:
            decode_bits(
                &bits[0] if count else &nothing, count, bits_per_character, repair, &characters.reading)
    if seen > 1:
        raise ValueError("bits must be bytes of 0 and 1")
    return characters


def decode_packed(data, int bits_per_character=0, bint repair=True, bint any_packing=False):
    cdef Characters characters = decode(unpack(data), bits_per_character, repair)
    cdef Characters turned
    if characters.reading.errors == 0 or not any_packing:
        return characters
    turned = decode(unpack(data, lsb_first=True), bits_per_character, repair)
    if turned.reading.errors:
        return characters
    # Bits turned inside each byte, read forward, are the bytes in reverse order, read backward: the same
    # string.
    turned.reading.direction = codes.DIRECTION_REVERSE
    return turned


def encode(
    str text not None, int bits_per_character, int leading_zeros=0, int trailing_zeros=0, bint reverse=False
):
    cdef int width = _checked_width(bits_per_character, False)
    cdef int base = 0x30 if width == 5 else 0x20
    cdef int value, bit, code
    cdef bytearray bits = bytearray()
    if leading_zeros < 0 or trailing_zeros < 0:
        raise ValueError("leading_zeros and trailing_zeros must not be negative")
    for character in text + lrc(text, width):
        value = ord(character) - base
        code = value if ODD[value] else value | 1 << (width - 1)
        for bit in range(width):
            bits.append(code >> bit & 1)
    if leading_zeros + len(bits) + trailing_zeros > MAX_BITS:
        raise ValueError(f"text with its zeros must be at most {MAX_BITS} bits")
    result = bytes(leading_zeros) + bytes(bits) + bytes(trailing_zeros)
    return result[::-1] if reverse else result


def lrc(str text not None, int bits_per_character):
    cdef int width = _checked_width(bits_per_character, False)
    cdef int base = 0x30 if width == 5 else 0x20
    cdef int checksum = 0
    cdef int value
    for character in text:
        value = ord(character) - base
        if not 0 <= value < 1 << (width - 1):
            raise ValueError(f"text holds a character outside the {width}-bit set")
        checksum ^= value
    return chr(base + checksum)


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
