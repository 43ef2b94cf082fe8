"""Check digits of card numbers: the schemes of swipegate.v1.CheckDigit."""

from libc.stdint cimport uint8_t

from swipegate.core.tracks cimport luhn_agrees

cdef enum:
    MAX_TEXT = 256         # characters
    ABA_DIGITS = 9
    NO_VALUE = 255

cdef uint8_t[2] GS1_WEIGHTS = [3, 1]
cdef uint8_t[3] ABA_WEIGHTS = [7, 3, 1]
cdef uint8_t[6] MOD11_WEIGHTS = [2, 3, 4, 5, 6, 7]


cdef inline uint8_t _value(char character) noexcept nogil:
    """Value of a digit or letter (ISO/IEC 7064): A is 10, Z is 35."""
    if c"0" <= character <= c"9":
        return <uint8_t>(character - c"0")
    if c"A" <= character <= c"Z":
        return <uint8_t>(character - c"A" + 10)
    if c"a" <= character <= c"z":
        return <uint8_t>(character - c"a" + 10)
    return NO_VALUE


cdef bint _are_digits(const char *text, Py_ssize_t length) noexcept nogil:
    cdef Py_ssize_t index
    for index in range(length):
        if not c"0" <= text[index] <= c"9":
            return False
    return True


cdef inline bint _is_x(char character) noexcept nogil:
    """Whether a check digit of 10 is written, as schemes of modulus 11 do."""
    return character == c"X" or character == c"x"


cdef bint _weighted(
    const uint8_t *weights, int count, int modulus, const char *text, Py_ssize_t length
) noexcept nogil:
    """Whether the check digit and the weighted others, from the right, make a multiple of the modulus."""
    cdef int total, which = 0
    cdef Py_ssize_t index
    if not _are_digits(text, length - 1):
        return False
    if modulus == 11 and _is_x(text[length - 1]):
        total = 10
    elif _are_digits(text + length - 1, 1):
        total = text[length - 1] - c"0"
    else:
        return False
    for index in range(length - 2, -1, -1):
        total += weights[which] * (text[index] - c"0")
        which = which + 1 if which + 1 < count else 0
    return total % modulus == 0


cdef bint _mod11_2(const char *text, Py_ssize_t length) noexcept nogil:
    """ISO/IEC 7064, pure system MOD 11-2: the sum of character times power of 2 is congruent to 1."""
    cdef int total = 0
    cdef Py_ssize_t index
    if not _are_digits(text, length - 1):
        return False
    for index in range(length - 1):
        total = (total + text[index] - c"0") * 2 % 11
    if _is_x(text[length - 1]):
        return (total + 10) % 11 == 1
    return _are_digits(text + length - 1, 1) and (total + text[length - 1] - c"0") % 11 == 1


cdef bint _mod97_10(const char *text, Py_ssize_t length) noexcept nogil:
    """ISO/IEC 7064, pure system MOD 97-10: the number is congruent to 1."""
    cdef int total = 0
    cdef Py_ssize_t index
    if length < 3 or not _are_digits(text, length):
        return False
    for index in range(length):
        total = (total * 10 + text[index] - c"0") % 97
    return total == 1


cdef bint _hybrid(int modulus, const char *text, Py_ssize_t length) noexcept nogil:
    """ISO/IEC 7064, hybrid systems: MOD 11,10 for modulus 10, MOD 37,36 for modulus 36."""
    cdef int product = modulus
    cdef uint8_t value
    cdef Py_ssize_t index
    for index in range(length):
        value = _value(text[index])
        if value >= modulus:
            return False
        product = (product + value) % modulus
        if index < length - 1:
            product = (product if product else modulus) * 2 % (modulus + 1)
    return product == 1


cdef bint check_agrees(
    int scheme, const uint8_t *weights, int weight_count, const char *text, Py_ssize_t length
) noexcept nogil:
    """Whether the last characters of at most 256 prove the others by a scheme."""
    if not 2 <= length <= MAX_TEXT:
        return False
    if scheme == CHECK_LUHN:
        return _are_digits(text, length) and luhn_agrees(text, length)
    if scheme == CHECK_WEIGHTED_MOD10:
        return _weighted(weights, weight_count, 10, text, length)
    if scheme == CHECK_WEIGHTED_MOD11:
        return _weighted(weights, weight_count, 11, text, length)
    if scheme == CHECK_GS1:
        return _weighted(GS1_WEIGHTS, 2, 10, text, length)
    if scheme == CHECK_ABA_ROUTING:
        return length == ABA_DIGITS and _weighted(ABA_WEIGHTS, 3, 10, text, length)
    if scheme == CHECK_MOD11_2_TO_7:
        return _weighted(MOD11_WEIGHTS, 6, 11, text, length)
    if scheme == CHECK_ISO7064_MOD11_2:
        return _mod11_2(text, length)
    if scheme == CHECK_ISO7064_MOD11_10:
        return _hybrid(10, text, length)
    if scheme == CHECK_ISO7064_MOD97_10:
        return _mod97_10(text, length)
    return scheme == CHECK_ISO7064_MOD37_36 and _hybrid(36, text, length)


def agrees(str text not None, int scheme, weights=()):
    cdef uint8_t[MAX_WEIGHTS] values
    cdef int count = 0
    needed = scheme == CHECK_WEIGHTED_MOD10 or scheme == CHECK_WEIGHTED_MOD11
    if not CHECK_NONE < scheme < CHECK_SCHEMES:
        raise ValueError("scheme must be one of CheckDigit")
    if needed != bool(weights):
        raise ValueError("weights must be given for the weighted schemes, and for no other")
    if len(weights) > MAX_WEIGHTS or any([not 0 <= weight <= MAX_WEIGHT for weight in weights]):
        raise ValueError(f"weights must be at most {MAX_WEIGHTS} of 0 to {MAX_WEIGHT}")
    for weight in weights:
        values[count] = weight
        count += 1
    encoded = text.encode("ascii", "replace")
    return bool(check_agrees(scheme, values, count, encoded, len(encoded)))
