"""The reference decoder of characters, written from ISO/IEC 7811-2 and JIS X 6302-2: slow and plain."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, log2

FORWARD, REVERSE = 1, 2
LRC_OK, LRC_BAD, LRC_REPAIRED = 1, 2, 3
NO_ENCODING, NO_START = 1, 2

MIN_DAMAGED = 16
MIN_EVIDENCE = 20  # bits, see ext/symbols.pyx
RARE_PRICE = 2
MAX_CHARACTERS = 256
JIS = {chr(value) for value in (*range(0x20, 0x7F), 0x0E, 0x0F)}


@dataclass(frozen=True)
class Coding:
    width: int
    base: int
    parity: int | None
    """Of a character's ones: 1 odd, 0 even."""
    start: str
    end: str
    msb_first: bool = False

    @property
    def data(self) -> int:
        return self.width - (self.parity is not None)

    def code_of(self, character: str) -> tuple[int, ...]:
        """Bits of a character in the order read: data, then parity."""
        value = ord(character) - self.base
        assert 0 <= value < 1 << self.data
        data = [value >> place & 1 for place in range(self.data)]
        if self.msb_first:
            data.reverse()
        return tuple(data) if self.parity is None else (*data, (sum(data) + self.parity) % 2)

    def character_of(self, code: tuple[int, ...]) -> str:
        data = code[: self.data][::-1] if self.msb_first else code[: self.data]
        return chr(self.base + sum(bit << place for place, bit in enumerate(data)))

    def is_right(self, code: tuple[int, ...]) -> bool:
        return self.parity is None or sum(code) % 2 == self.parity

    def is_legal(self, code: tuple[int, ...]) -> bool:
        return self.is_right(code) and (self.width != 8 or self.character_of(code) in JIS)


CODINGS = {
    5: Coding(5, 0x30, 1, ";", "?"),
    7: Coding(7, 0x20, 1, "%", "?"),
    8: Coding(8, 0, 0, "\x7f", "\x7f"),
    6: Coding(6, 0x20, None, "%", "?"),
}
"""In the order in which they are tried; the last two must prove more."""
LIKELY = (5, 7)


@dataclass(frozen=True)
class Characters:
    text: str = ""
    bits_per_character: int = 0
    direction: int = 0
    inverted: bool = False
    lrc: int = 0
    lrc_character: str = ""
    start_bit: int = 0
    end_bit: int = 0
    repairs: tuple[tuple[int, str, int, int], ...] = ()
    errors: tuple[int, ...] = ()
    evidence: float = 0


def lrc(text: str, width: int) -> str:
    checksum = 0
    for character in text:
        checksum ^= ord(character) - CODINGS[width].base
    return chr(CODINGS[width].base + checksum)


def encode(
    text: str,
    width: int,
    leading_zeros: int = 0,
    trailing_zeros: int = 0,
    reverse: bool = False,
    *,
    msb_first: bool = False,
) -> bytes:
    coding = replace(CODINGS[width], msb_first=msb_first)
    bits = [bit for character in text + lrc(text, width) for bit in coding.code_of(character)]
    whole = bytes(leading_zeros) + bytes(bits) + bytes(trailing_zeros)
    return whole[::-1] if reverse else whole


def codes_from(bits: bytes, start: int, width: int) -> list[tuple[int, ...]]:
    """Codes from a place on; the last one is filled up with zeros, as a trimmed LRC is."""
    padded = bits[start:] + bytes(-(len(bits) - start) % width)
    return [tuple(padded[place : place + width]) for place in range(0, len(padded), width)]


def _clean(bits: bytes, start: int, coding: Coding) -> Characters | None:
    """The reading from a start sentinel: every parity right, and the LRC."""
    width = coding.width
    codes = codes_from(bits, start, width)
    end_code = coding.code_of(coding.end)
    if codes[0] != coding.code_of(coding.start) or end_code not in codes[1:]:
        return None
    end = codes.index(end_code, 1)
    # Only the LRC may be filled up, so the end sentinel must be whole.
    if start + (end + 1) * width > len(bits) or not 2 <= end < MAX_CHARACTERS:
        return None
    if not all(map(coding.is_legal, codes[1:end])):
        return None
    text = "".join(map(coding.character_of, codes[: end + 1]))
    last = codes[end + 1] if end + 1 < len(codes) else (0,) * width
    if not coding.is_right(last) or coding.character_of(last) != lrc(text, width):
        return None
    if width == 8 and not any(last) and all(coding.is_legal(code[::-1]) for code in codes[1:end]):
        return None  # its mirror reads as well
    return Characters(
        text=text,
        bits_per_character=width,
        lrc=LRC_OK,
        lrc_character=lrc(text, width),
        start_bit=start,
        end_bit=start + (end + 2) * width,
    )


def is_part(bits: bytes, reading: Characters, coding: Coding) -> bool:
    """Whether right characters, but for one, lead on to another end sentinel, or to it from another start."""
    if coding.parity is None:
        return False
    start, end = coding.code_of(coding.start), coding.code_of(coding.end)
    codes = codes_from(bits, reading.start_bit + len(reading.text) * coding.width, coding.width)
    wrong = 0
    for code, behind in pairwise(codes):
        if code == end:
            if coding.is_legal(behind) or behind == end:
                return True
            break
        wrong += not coding.is_legal(code)
        if wrong > 1:
            break
    wrong = 0
    for place in range(reading.start_bit - coding.width, -1, -coding.width):
        code = tuple(bits[place : place + coding.width])
        if code == start:
            return True
        wrong += not coding.is_legal(code)
        if wrong > 1:
            return False
    return False


def is_damaged(bits: bytes) -> bool:
    """Whether nearly all characters of an ISO coding are right, between sentinels or to the end."""
    for source in (bits, bits[::-1]):
        for coding in (CODINGS[width] for width in LIKELY):
            start, end = coding.code_of(coding.start), coding.code_of(coding.end)
            for place in range(len(source) - coding.width + 1):
                if tuple(source[place : place + coding.width]) != start:
                    continue
                weight = 1
                for code in codes_from(source, place + coding.width, coding.width):
                    if not any(code):
                        break
                    weight += 1 if coding.is_right(code) else -2
                    if code == end:
                        weight += 2
                        break
                if weight >= MIN_DAMAGED:
                    return True
    return False


def outside(bits: bytes, start: int, end: int) -> float:
    """Evidence of what is around a reading, not yet rounded."""
    slack = max(0, start - bits.index(1)) + max(0, bits.rindex(1) + 1 - end)
    return -log2(slack + 1) if slack else min(start, 2) + max(0, min(len(bits) - end, 2))


def _weigh(reading: Characters, bits: bytes, coding: Coding, price: int) -> int:
    """Evidence in bits: parities, sentinels and LRC, less what the search was free to choose."""
    end = min(reading.end_bit, len(bits))
    evidence = 3 * coding.data - price + int(-ceil(-outside(bits, reading.start_bit, end)))
    if coding.parity is not None:
        evidence += len(reading.text) + 1
    evidence -= reading.end_bit - end  # bits of the LRC that are not there prove nothing
    if coding.width == 8 and (reading.start_bit == 0 or bits[reading.start_bit - 1]):
        evidence -= 7
    return evidence


def turned(bits: bytes, direction: int, inverted: bool) -> bytes:
    bits = bytes(1 - bit for bit in bits) if inverted else bits
    return bits if direction == FORWARD else bits[::-1]


def placed(reading: Characters, count: int, direction: int, inverted: bool) -> Characters:
    """A reading of turned bits, with its places in the bits as given."""
    begin, end = reading.start_bit, min(reading.end_bit, count)
    if direction == REVERSE:
        begin, end = count - end, count - begin
    return replace(reading, direction=direction, inverted=inverted, start_bit=begin, end_bit=end)


def _candidates(
    bits: bytes, coding: Coding, direction: int, inverted: bool, rare: bool, whole: bool = False
) -> Iterator[Characters]:
    """Trusted readings; whole ones begin at the first one-bit, and nothing but zeros follows them."""
    source = turned(bits, direction, inverted)
    if 1 not in source:
        return
    first, last = source.index(1) - coding.code_of(coding.start).index(1), source.rindex(1)
    if whole and first < 0:
        return
    price = (RARE_PRICE if rare else 0) + (direction == REVERSE) + inverted
    for start in [first] if whole else range(max(first, 0), len(source) - coding.width + 1):
        reading = _clean(source, start, coding)
        if reading is None or (whole and reading.end_bit <= last):
            continue
        evidence = _weigh(reading, source, coding, price)
        if not whole and is_part(source, reading, coding):
            continue
        if evidence >= MIN_EVIDENCE:
            yield replace(placed(reading, len(bits), direction, inverted), evidence=evidence)


def decode(
    bits: bytes, bits_per_character: int = 0, repair: bool = True, *, msb_first: bool = False
) -> Characters:
    """Whole readings first, then the trusted one of most evidence, then the same of inverted bits."""
    widths = (bits_per_character,) if bits_per_character else tuple(CODINGS)
    codings = [replace(CODINGS[width], msb_first=msb_first) for width in widths]
    if 1 not in bits or 0 not in bits:
        return Characters(errors=(NO_ENCODING,))
    for direction in (FORWARD, REVERSE):
        for coding in codings[: len(LIKELY)]:
            for reading in _candidates(bits, coding, direction, False, False, whole=True):
                return reading
    for inverted in (False, True):
        found = [
            reading
            for turn, coding in enumerate(codings)
            for direction in (FORWARD, REVERSE)
            for reading in _candidates(bits, coding, direction, inverted, turn >= len(LIKELY))
        ]
        if not bits_per_character and is_damaged(bits):
            found = [reading for reading in found if reading.bits_per_character != 6]
        if found:
            return max(found, key=lambda reading: reading.evidence)
    if repair:
        from tests.reference import repair as stage

        return stage.repaired(bits, None, bits_per_character, msb_first)
    return Characters(errors=(NO_START,))
