"""The reference decoder of characters, written from ISO/IEC 7811-2: slow, plain, and without tricks."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, log2

FORWARD, REVERSE = 1, 2
LRC_OK, LRC_BAD, LRC_REPAIRED = 1, 2, 3
PARITY_AND_LRC = 1
NO_ENCODING, NO_START = 1, 2

MIN_EVIDENCE = 20  # bits, see ext/symbols.pyx
MAX_CHARACTERS = 256
BASE = {5: 0x30, 7: 0x20}
START = {5: ";", 7: "%"}


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
    repairs: tuple[tuple[int, str, int], ...] = ()
    errors: tuple[int, ...] = ()
    evidence: int = 0


def code_of(character: str, width: int) -> tuple[int, ...]:
    """Bits of a character in the order read: data, least significant first, then odd parity."""
    value = ord(character) - BASE[width]
    assert 0 <= value < 1 << (width - 1)
    data = [value >> place & 1 for place in range(width - 1)]
    return (*data, 1 - sum(data) % 2)


def value_of(code: tuple[int, ...]) -> int:
    return sum(bit << place for place, bit in enumerate(code[:-1]))


def is_odd(code: tuple[int, ...]) -> bool:
    return sum(code) % 2 == 1


def character_of(value: int, width: int) -> str:
    return chr(BASE[width] + value)


def lrc(text: str, width: int) -> str:
    checksum = 0
    for character in text:
        checksum ^= ord(character) - BASE[width]
    return character_of(checksum, width)


def encode(
    text: str, width: int, leading_zeros: int = 0, trailing_zeros: int = 0, reverse: bool = False
) -> bytes:
    bits = [bit for character in text + lrc(text, width) for bit in code_of(character, width)]
    whole = bytes(leading_zeros) + bytes(bits) + bytes(trailing_zeros)
    return whole[::-1] if reverse else whole


def _characters_from(bits: bytes, start: int, width: int) -> list[tuple[int, ...]]:
    """Codes from a place on; the last one is filled up with zeros, as a trimmed LRC is."""
    padded = bits[start:] + bytes(-(len(bits) - start) % width)
    return [tuple(padded[place : place + width]) for place in range(0, len(padded), width)]


def _clean(bits: bytes, start: int, width: int) -> Characters | None:
    """The reading from a start sentinel: every parity right, and the LRC."""
    codes = _characters_from(bits, start, width)
    end_code = code_of("?", width)
    if codes[0] != code_of(START[width], width) or end_code not in codes[1:]:
        return None
    end = codes.index(end_code, 1)
    # Only the LRC may be filled up, so the end sentinel must be whole.
    if (
        start + (end + 1) * width > len(bits)
        or end + 1 > MAX_CHARACTERS
        or not all(map(is_odd, codes[: end + 1]))
    ):
        return None
    text = "".join(character_of(value_of(code), width) for code in codes[: end + 1])
    last = codes[end + 1] if end + 1 < len(codes) else (0,) * width
    if not is_odd(last) or character_of(value_of(last), width) != lrc(text, width):
        return None
    return Characters(
        text=text,
        bits_per_character=width,
        lrc=LRC_OK,
        lrc_character=lrc(text, width),
        start_bit=start,
        end_bit=start + (end + 2) * width,
    )


def _repaired(bits: bytes, start: int, width: int) -> Iterator[Characters]:
    """Readings that one flipped bit turns into clean ones, the flip being in the reading."""
    sentinel = code_of(START[width], width)
    if sum(bit != other for bit, other in zip(bits[start : start + width], sentinel, strict=True)) > 1:
        return
    for place in range(start, len(bits)):
        flipped = bits[:place] + bytes([1 - bits[place]]) + bits[place + 1 :]
        reading = _clean(flipped, start, width)
        if reading is None or not start <= place < reading.end_bit or reading.end_bit > len(bits):
            continue
        position = (place - start) // width
        character = (reading.text + reading.lrc_character)[position]
        yield replace(reading, lrc=LRC_REPAIRED, repairs=((position, character, PARITY_AND_LRC),))


def _weigh(reading: Characters, bits: bytes, price: int) -> int:
    """Evidence in bits: parities, sentinels and LRC, less what the search was free to choose."""
    width = reading.bits_per_character
    characters = len(reading.text) + 1
    first, last = bits.index(1), bits.rindex(1)
    end = min(reading.end_bit, len(bits))
    slack = max(0, reading.start_bit - first) + max(0, last + 1 - end)
    evidence = characters + 3 * (width - 1) - price - ceil(log2(slack + 1))
    if not slack:
        evidence += min(reading.start_bit, 2) + min(len(bits) - end, 2)
    evidence -= reading.end_bit - end  # bits of the LRC that are not there prove nothing
    for position, _, _ in reading.repairs:
        evidence -= 4 + ceil(log2(characters))
        if position in (0, len(reading.text) - 1):
            evidence -= 3
    return evidence


def _candidates(bits: bytes, widths: tuple[int, ...], inverted: bool, repair: bool) -> Iterator[Characters]:
    source = bytes(1 - bit for bit in bits) if inverted else bits
    if 1 not in source:
        return
    for width in widths:
        for direction in (FORWARD, REVERSE):
            turned = source if direction == FORWARD else source[::-1]
            for start in range(max(turned.index(1) - repair, 0), len(turned) - width + 1):
                clean = _clean(turned, start, width)
                found = _repaired(turned, start, width) if repair else iter([clean] if clean else [])
                for reading in found:
                    evidence = _weigh(reading, turned, (direction == REVERSE) + inverted)
                    end = min(reading.end_bit, len(bits))
                    begin, end = (reading.start_bit, end)
                    if direction == REVERSE:
                        begin, end = len(bits) - end, len(bits) - begin
                    yield replace(
                        reading,
                        direction=direction,
                        inverted=inverted,
                        start_bit=begin,
                        end_bit=end,
                        evidence=evidence,
                    )


def decode(bits: bytes, bits_per_character: int = 0, repair: bool = True) -> Characters:
    """The trusted reading of most evidence; clean before repaired, true before inverted polarity."""
    widths = (bits_per_character,) if bits_per_character else (5, 7)
    if 1 not in bits or 0 not in bits:
        return Characters(errors=(NO_ENCODING,))
    for repairing in (False, True) if repair else (False,):
        for inverted in (False, True):
            found = [
                reading
                for reading in _candidates(bits, widths, inverted, repairing)
                if reading.evidence >= MIN_EVIDENCE and len(reading.text) > 2
            ]
            if found:
                return max(found, key=lambda reading: reading.evidence)
    return Characters(errors=(NO_START,))
