"""Card formats from messages to plain structures, held to the bounds of card_format.proto."""

import re

from libc.stdint cimport uint8_t, uint16_t, uint64_t
from libc.string cimport memcpy

from swipegate.core.check_digits cimport (
    CHECK_SCHEMES, CHECK_WEIGHTED_MOD10, CHECK_WEIGHTED_MOD11, MAX_WEIGHT)

cdef enum:
    MAX_FIELD = 32         # fields a track
    MAX_DESCRIPTION = 256  # characters
    MAX_FIXED_PARTS = 8
    MAX_OTHER_CONDITIONS = 16
    MAX_CHOICES = 32       # texts of all conditions
    MAX_RANGES = 32        # bit ranges a parity bit
    MAX_STANDARD = 13      # of the enum TrackStandard

MAX_RANGE = 10 ** int(MAX_RANGE_DIGITS) - 1
FORMAT_NAME = re.compile(r"[a-z0-9_.-]{1,64}")


cdef object _member(message, str name):
    """A part of a message or dataclass, None when absent."""
    if hasattr(message, "HasField") and not message.HasField(name):
        return None
    return getattr(message, name, None)


cdef uint64_t _number(message, str name, str path, uint64_t most, uint64_t least=0) except? 0xFFFF:
    value = getattr(message, name, 0)
    if not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{path}.{name}: must be {least} to {most}")
    return value


cdef list _members(message, str name, str path, Py_ssize_t most):
    members = list(getattr(message, name, ()))
    if len(members) > most:
        raise ValueError(f"{path}.{name}: must be at most {most}")
    return members


cdef int _compile_bits(bits, str path, uint64_t word_bits, Part *part) except -1:
    if not word_bits:
        raise ValueError(f"{path}: must be absent in a format without word")
    part.first_bit = <uint8_t>_number(bits, "first", path, word_bits, 1)
    part.last_bit = <uint8_t>_number(bits, "last", path, word_bits, part.first_bit)
    return 0


cdef int _compile_writing(message, str path, Part *part) except -1:
    """How the value is written, and which characters it may have."""
    part.letters = <uint8_t>_number(message, "characters", path, 1)
    part.letter_first = bool(getattr(message, "letter_first", False))
    part.drop_zeros = bool(getattr(message, "drop_leading_zeros", False))
    part.pad_to = <uint8_t>_number(message, "pad_to", path, MAX_NUMBER)
    if part.letter_first and (part.letters or part.drop_zeros or part.pad_to):
        raise ValueError(f"{path}.letter_first: must not go with characters, drop_leading_zeros or pad_to")
    return 0


cdef int _compile_part(message, str path, uint64_t word_bits, Part *part) except -1:
    cdef int least, most
    part.present = True
    part.max_length = MAX_NUMBER
    part.min_length = 1
    _compile_writing(message, path, part)
    bits = _member(message, "bits")
    if bits is not None:
        for name in ("field", "position", "length", "min_length", "max_length", "track", "from_end",
                     "characters", "drop_leading_zeros", "letter_first"):
            if getattr(message, name, 0):
                raise ValueError(f"{path}.{name}: must not be set where bits are")
        return _compile_bits(bits, f"{path}.bits", word_bits, part)
    part.track = <uint8_t>_number(message, "track", path, 3)
    part.from_end = bool(getattr(message, "from_end", False))
    part.field = <uint8_t>_number(message, "field", path, MAX_FIELD)
    part.position = <uint16_t>_number(message, "position", path, MAX_PLACE)
    if part.position:
        part.position -= 1
    part.length = <uint16_t>_number(message, "length", path, MAX_PLACE)
    least = <int>_number(message, "min_length", path, MAX_NUMBER)
    most = <int>_number(message, "max_length", path, MAX_NUMBER)
    if part.length and (least or most):
        raise ValueError(f"{path}.min_length: must be 0 where length is set, and max_length too")
    if 0 < most < least:
        raise ValueError(f"{path}.max_length: must not be under min_length")
    part.min_length = <uint8_t>(least if least else 1)
    part.max_length = <uint8_t>(most if most else MAX_NUMBER)
    return 0


cdef void _set_shortcut(Part *part, int track) noexcept:
    """Mark a part that is the PAN or the expiry date as the parser takes them (ISO/IEC 7813, 4909)."""
    cdef int number = part.track if part.track else track
    if not part.present or part.first_bit or part.from_end or part.letters:
        return
    pan_place = 1 if number == 1 else 0 if number == 2 else 2  # behind the format code
    if part.field == 1 and part.length == 0 and part.position == pan_place:
        part.shortcut = SHORTCUT_PAN
    # On track 3 the second field has others before the date.
    if (number < 3 and part.field == (3 if number == 1 else 2) and part.position == 0
            and part.length == EXPIRY_DIGITS and not (part.letter_first or part.drop_zeros or part.pad_to)):
        part.shortcut = SHORTCUT_EXPIRY


cdef int _add_text(text, str path, FormatRules *rules, Condition *condition) except -1:
    if not isinstance(text, str) or not 1 <= len(text) <= MAX_FIXED_TEXT:
        raise ValueError(f"{path}: must be 1 to {MAX_FIXED_TEXT} characters")
    if not (text.isascii() and text.isprintable()):
        raise ValueError(f"{path}: must be printable ASCII")
    encoded = text.encode("ascii")
    cdef FixedText *fixed = &rules.texts[condition.first_text + condition.text_count]
    fixed.length = <uint8_t>len(encoded)
    memcpy(fixed.text, <const char *>encoded, fixed.length)
    condition.text_count += 1
    return 0


cdef int _compile_fixed(message, str path, FormatRules *rules, Condition *condition) except -1:
    part = _member(message, "part")
    if part is None:
        raise ValueError(f"{path}.part: is required")
    _compile_place(part, f"{path}.part", condition)
    text = getattr(message, "text", "")
    condition.test = TEST_EQUALS
    _add_text(text, f"{path}.text", rules, condition)
    if condition.part.length not in (0, len(text)):
        raise ValueError(f"{path}.part.length: must be 0 or that of the text")
    return 0


cdef int _compile_place(part, str path, Condition *condition) except -1:
    """A part of which only the place counts."""
    for name in ("min_length", "max_length", "drop_leading_zeros", "pad_to", "letter_first"):
        if getattr(part, name, 0) and (condition.path == PATH_CONDITION or "length" not in name):
            raise ValueError(f"{path}.{name}: must not be set where a text is compared")
    if _member(part, "bits") is not None:
        raise ValueError(f"{path}.bits: must not be set where a text is compared")
    return _compile_part(part, path, 0, &condition.part)


cdef int _compile_range(message, str path, uint64_t most, Condition *condition) except -1:
    condition.low = _number(message, "low", path, most)
    condition.high = _number(message, "high", path, most)
    if condition.high < condition.low:
        raise ValueError(f"{path}.high: must not be under low")
    return 0


cdef int _compile_test(message, str test, str path, FormatRules *rules, Condition *condition) except -1:
    value = getattr(message, test)
    path = f"{path}.{test}"
    if test == "equals" or test == "differs":
        condition.test = TEST_EQUALS if test == "equals" else TEST_DIFFERS
        _add_text(value, path, rules, condition)
    elif test == "one_of":
        condition.test = TEST_ONE_OF
        texts = list(value.texts)
        if not 1 <= len(texts) <= MAX_CHOICES - condition.first_text:
            raise ValueError(f"{path}.texts: must be 1 to {MAX_CHOICES} in all conditions together")
        for index, text in enumerate(texts):
            _add_text(text, f"{path}.texts[{index}]", rules, condition)
    elif test == "range":
        condition.test = TEST_RANGE
        _compile_range(value, path, MAX_RANGE, condition)
    elif test == "length":
        condition.test = TEST_LENGTH
        _compile_range(value, path, MAX_PLACE, condition)
    return 0


cdef int _compile_condition(message, str path, FormatRules *rules, Condition *condition) except -1:
    test = message.WhichOneof("test")
    part = _member(message, "part")
    if test is None:
        raise ValueError(f"{path}.test: is required")
    if part is not None and test in ("track_present", "track_absent", "standard"):
        raise ValueError(f"{path}.part: must be absent where a whole track is asked for")
    if test == "track_present" or test == "track_absent":
        condition.test = TEST_PRESENT if test == "track_present" else TEST_ABSENT
        condition.part.track = <uint8_t>_number(message, test, path, 3, 1)
        return 0
    if test == "standard":
        condition.test = TEST_STANDARD
        condition.low = _number(message, test, path, MAX_STANDARD, 1)
        return 0
    if part is None:
        raise ValueError(f"{path}.part: is required")
    _compile_place(part, f"{path}.part", condition)
    return _compile_test(message, test, path, rules, condition)


cdef int _compile_conditions(message, str path, FormatRules *rules) except -1:
    """Conditions first: their texts have a bound of their own. They are tried after the fixed parts."""
    cdef Condition *condition
    cdef int texts = 0
    fixed = _members(message, "fixed_parts", path, MAX_FIXED_PARTS)
    others = _members(message, "conditions", path, MAX_OTHER_CONDITIONS)
    for index, one in enumerate(others + fixed):
        is_fixed = index >= len(others)
        place = index - len(others) if is_fixed else len(fixed) + index
        condition = &rules.conditions[place]
        condition.path = PATH_FIXED if is_fixed else PATH_CONDITION
        condition.index = <uint8_t>(place if is_fixed else index)
        condition.first_text = <uint8_t>texts
        if is_fixed:
            _compile_fixed(one, f"{path}.fixed_parts[{place}]", rules, condition)
        else:
            if texts >= MAX_CHOICES and one.WhichOneof("test") in ("equals", "differs"):
                raise ValueError(f"{path}.conditions: must hold at most {MAX_CHOICES} texts")
            _compile_condition(one, f"{path}.conditions[{index}]", rules, condition)
        texts += condition.text_count
        rules.condition_count += 1
    return 0


cdef int _compile_weights(message, str path, Check *check) except -1:
    weights = _members(message, "weights", path, MAX_WEIGHTS)
    needed = check.scheme == CHECK_WEIGHTED_MOD10 or check.scheme == CHECK_WEIGHTED_MOD11
    if needed != bool(weights):
        raise ValueError(f"{path}.weights: must be given for a weighted scheme, and for no other")
    for index, weight in enumerate(weights):
        if not 0 <= weight <= MAX_WEIGHT:
            raise ValueError(f"{path}.weights[{index}]: must be 0 to {MAX_WEIGHT}")
        check.weights[index] = weight
        check.weight_count += 1
    return 0


cdef int _compile_checks(message, str path, FormatRules *rules) except -1:
    cdef Check *check
    cdef int scheme = <int>_number(message, "check_digit", path, CHECK_SCHEMES - 1)
    checks = _members(message, "checks", path, MAX_CHECKS - (1 if scheme else 0))
    if scheme == CHECK_WEIGHTED_MOD10 or scheme == CHECK_WEIGHTED_MOD11:
        raise ValueError(f"{path}.check_digit: must be a scheme without weights; others belong in checks")
    if scheme:
        rules.checks[0].scheme = <uint8_t>scheme
        rules.checks[0].path = PATH_CHECK_DIGIT
        rules.check_count = 1
    for index, one in enumerate(checks):
        check = &rules.checks[rules.check_count]
        place = f"{path}.checks[{index}]"
        check.path = PATH_CHECK
        check.index = index
        check.scheme = <uint8_t>_number(one, "scheme", place, CHECK_SCHEMES - 1, 1)
        _compile_weights(one, place, check)
        for number, part in enumerate(_members(one, "parts", place, MAX_CHECK_PARTS)):
            _compile_part(
                part, f"{place}.parts[{number}]", rules.word.bit_count, &check.parts[check.part_count])
            check.part_count += 1
        rules.check_count += 1
    return 0


cdef int _compile_parity(message, str path, int index, Word *word) except -1:
    cdef uint64_t bits = 0
    cdef int first, last, place
    bit = <int>_number(message, "bit", path, word.bit_count, 1)
    ranges = _members(message, "covered", path, MAX_RANGES)
    if not ranges:
        raise ValueError(f"{path}.covered: is required")
    for number, covered in enumerate(ranges):
        where = f"{path}.covered[{number}]"
        first = <int>_number(covered, "first", where, word.bit_count, 1)
        last = <int>_number(covered, "last", where, word.bit_count, first)
        if first <= bit <= last:
            raise ValueError(f"{where}: must not hold the parity bit")
        for place in range(first, last + 1):
            bits |= <uint64_t>1 << (word.bit_count - place)
    word.parities[index] = bits | <uint64_t>1 << (word.bit_count - bit)
    word.parity_bits[index] = bit
    word.odd[index] = bool(getattr(message, "odd", False))
    return 0


cdef int _compile_word(message, str path, Word *word) except -1:
    part = _member(message, "part")
    if part is None:
        raise ValueError(f"{path}.part: is required")
    for name in ("characters", "drop_leading_zeros", "pad_to", "letter_first"):
        if getattr(part, name, 0):
            raise ValueError(f"{path}.part.{name}: must not be set in a word")
    _compile_part(part, f"{path}.part", 0, &word.part)
    word.radix = (10, 8, 16)[_number(message, "radix", path, 2)]
    word.bit_count = <uint8_t>_number(message, "bit_count", path, 64, 1)
    word.reversed_bytes = bool(getattr(message, "reversed_bytes", False))
    if word.reversed_bytes and word.bit_count % 8:
        raise ValueError(f"{path}.bit_count: must be a multiple of 8 where bytes are reversed")
    for index, parity in enumerate(_members(message, "parities", path, MAX_PARITIES)):
        _compile_parity(parity, f"{path}.parities[{index}]", index, word)
        word.parity_count += 1
    return 0


cdef int _compile_name(message, str path, FormatRules *rules) except -1:
    name = getattr(message, "name", "")
    if not isinstance(name, str) or not FORMAT_NAME.fullmatch(name):
        raise ValueError(f"{path}.name: must be 1 to 64 of a-z, 0-9, -, _ and .")
    encoded = name.encode("ascii")
    rules.name_length = <uint8_t>len(encoded)
    memcpy(rules.name, <const char *>encoded, rules.name_length)
    if len(getattr(message, "description", "")) > MAX_DESCRIPTION:
        raise ValueError(f"{path}.description: must be at most {MAX_DESCRIPTION} characters")
    rules.number_is_pan = bool(getattr(message, "number_is_pan", False))
    return 0


cdef int _compile_parts(message, str path, int track, FormatRules *rules) except -1:
    cdef uint64_t bits
    word = _member(message, "word")
    if word is not None:
        _compile_word(word, f"{path}.word", &rules.word)
    bits = rules.word.bit_count
    number, rest, facility, issue, expiry = (_member(message, part) for part in (
        "card_number", "card_number_rest", "facility_code", "issue_code", "expiry"))
    if number is None:
        raise ValueError(f"{path}.card_number: is required")
    _compile_part(number, f"{path}.card_number", bits, &rules.number)
    if rest is not None:
        _compile_part(rest, f"{path}.card_number_rest", bits, &rules.rest)
    if facility is not None:
        _compile_part(facility, f"{path}.facility_code", bits, &rules.facility)
    if issue is not None:
        _compile_part(issue, f"{path}.issue_code", bits, &rules.issue)
    if expiry is not None:
        _compile_part(expiry, f"{path}.expiry", bits, &rules.expiry)
    _set_shortcut(&rules.number, track)
    _set_shortcut(&rules.expiry, track)
    if rules.number.shortcut == SHORTCUT_EXPIRY:
        rules.number.shortcut = 0
    if rules.expiry.shortcut == SHORTCUT_PAN:
        rules.expiry.shortcut = 0
    return 0


cdef int compile_format(message, str path, CompiledFormat *format, FormatRules *rules) except -1:
    cdef int least, most
    _compile_name(message, path, rules)
    format.rules = rules
    format.track = <uint8_t>_number(message, "track", path, 3)
    if not format.track:
        raise ValueError(f"{path}.track: must be 1 to 3")
    _compile_parts(message, path, format.track, rules)
    _compile_conditions(message, path, rules)
    least = <int>_number(message, "min_length", path, MAX_PLACE)
    most = <int>_number(message, "max_length", path, MAX_PLACE)
    if 0 < most < least:
        raise ValueError(f"{path}.max_length: must not be under min_length")
    format.min_length = <uint16_t>(least if least else 1)
    format.max_length = <uint16_t>(most if most else MAX_PLACE)
    format.padding_counts = rules.word.radix == 16
    rules.field_count = <uint16_t>_number(message, "field_count", path, MAX_FIELD)
    _compile_checks(message, path, rules)
    return 0
