"""Fuzz target: any string of bits, clean readings only."""

import zlib
from collections.abc import Iterator

from swipegate.core import MAX_BITS, symbols
from tests.fuzz import vectors
from tests.fuzz.target import Source, Target
from tests.reference import symbols as reference

WIDTHS = (0, 5, 7, 6, 8)
TWIN_BITS = 128
"""A longer string is not given to the reference decoder, which is quadratic."""
TWIN_SHARE = 32
"""One input in so many is given to it."""
ALPHABETS = {5: (0x30, ";"), 6: (0x20, "%"), 7: (0x20, "%"), 8: (0, "\x7f")}
"""Bits a character -> the character of code 0, the start sentinel."""
ENDS = {5: "?", 6: "?", 7: "?", 8: "\x7f"}
"""Bits a character -> the end sentinel."""
MSB_FIRST = 8
"""Bit of the first byte."""


def flips(text: str, width: int, read: symbols.Characters, bits: bytes) -> int:
    """In how many bits a reading differs from the bits that it is a reading of."""
    reverse = read.direction == reference.REVERSE
    written = symbols.encode(text, width, reverse=reverse, msb_first=read.msb_first)
    found = bits[read.start_bit : read.end_bit]
    if read.inverted:
        found = bytes(1 - bit for bit in found)
    missing = len(written) - len(found)  # zeros that were trimmed from the LRC
    found = bytes(missing) + found if reverse else found + bytes(missing)
    assert 0 <= missing < width + (width in (6, 8))  # without odd parity an LRC may be nothing but zeros
    return sum(one != other for one, other in zip(written, found, strict=True))


def check_reading(bits: bytes, width: int, read: symbols.Characters, repairs: int = 0) -> None:
    """Assert that a reading is one: sentinels, parity, LRC, places, and at most so many repairs."""
    if read.errors:
        assert (read.text, read.lrc_character, read.bits_per_character) == ("", "", 0)
        return
    found = read.bits_per_character
    assert found == width or width == 0
    assert read.text[0] == ALPHABETS[found][1]
    assert read.text.find(ENDS[found], 1) == len(read.text) - 1 > 1
    assert read.lrc == (reference.LRC_REPAIRED if read.repairs else reference.LRC_OK)
    assert read.lrc_character == symbols.lrc(read.text, found)
    assert 0 <= read.start_bit < read.end_bit <= len(bits)
    assert flips(read.text, found, read, bits) == sum(changed for *_, changed in read.repairs)
    assert len(read.repairs) <= repairs
    for place, character, method, _ in read.repairs:
        assert (read.text + read.lrc_character)[place] == character
        assert method


def is_chosen(bits: bytes) -> bool:
    """Whether the reference reads these bits too."""
    return zlib.crc32(bits) % TWIN_SHARE == 0


def check_twin(bits: bytes, width: int, msb_first: bool, read: symbols.Characters) -> None:
    """Assert, of a share of the inputs, that the reference decoder reads the same."""
    if len(bits) > TWIN_BITS or not is_chosen(bits):
        return
    twin = reference.decode(bits, width, False, msb_first=msb_first)
    assert read.text == twin.text
    assert bool(read.errors) == bool(twin.errors)
    if not read.errors:
        assert read.repairs == twin.repairs
        assert (read.direction, read.inverted) == (twin.direction, twin.inverted)
        assert (read.start_bit, read.end_bit) == (twin.start_bit, twin.end_bit)


def check_written(text: bytes, width: int, msb_first: bool, zeros: int) -> None:
    """Assert that what is encoded reads back."""
    base, sentinel = ALPHABETS[width]
    count = 1 << (width - (width != 6))
    body = "".join(chr(base + byte % count) for byte in text[:100]).replace(ENDS[width], "")
    if width == 8:
        body = "".join(character for character in body if character in reference.JIS)
    written = f"{sentinel}{body or '0'}{ENDS[width]}"
    bits = symbols.encode(written, width, 2 + zeros, 2 + zeros, msb_first=msb_first)
    assert bits == reference.encode(written, width, 2 + zeros, 2 + zeros, msb_first=msb_first)
    assert symbols.unpack(symbols.pack(bits), len(bits)) == bits
    read = symbols.decode(bits, width, msb_first=msb_first)
    if width in (5, 7):
        assert (read.text, read.repairs) == (written, ())
        assert (read.start_bit, read.end_bit) == (2 + zeros, len(bits) - 2 - zeros)
    if width in (5, 7) and not msb_first:
        assert symbols.decode(bits).text == written
    check_reading(bits, width, read)


def check(data: bytes) -> None:
    source = Source(data)
    kind = source.byte()
    if kind % 8 == 7:
        check_written(source.rest(), (5, 7, 6, 8)[kind // 64], bool(kind & MSB_FIRST), kind // 16 % 4)
        return
    width = WIDTHS[kind % 5]
    msb_first = bool(width and kind & MSB_FIRST)
    packed = source.rest()[: MAX_BITS // 8]
    bits = symbols.unpack(packed, max(0, 8 * len(packed) - kind // 32))
    read = symbols.decode(bits, width, repair=False, msb_first=msb_first)
    check_reading(bits, width, read)
    check_twin(bits, width, msb_first, read)
    if kind & 16:
        turned = symbols.decode_packed(packed, width, any_packing=True, msb_first=msb_first)
        assert turned.errors or turned.lrc_character == symbols.lrc(turned.text, turned.bits_per_character)


def seeds() -> Iterator[bytes]:
    for kind in (0, 1, 2, 3, 4, 16, 24):
        for bits in vectors.bit_strings():
            yield bytes([kind]) + symbols.pack(bits)
    for kind, size in ((0, 31), (16, 31), (16, 127), (16, 511)):
        for packed in vectors.dear_bits(size):
            yield bytes([kind]) + packed
    for kind in (7, 71, 135, 199, 15, 79, 143, 207):
        for text in vectors.texts():
            yield bytes([kind]) + text.encode()


TARGET = Target(
    name="symbols",
    seeds=seeds,
    check=check,
    longest=1 + MAX_BITS // 8,
    # Every start sentinel is followed to its end, up to MAX_WORK characters: work is quadratic up to 128 bytes,
    # where it is 12,000 a byte at most, and hardly grows from there on.
    blocks=100_000,
    blocks_a_byte=25_000,
    replays=2_000,
    words=(b"\xd4", b"\xd0\x00", b"\x6a", b"\xff\xff", b"\x00\x00", b"\xf8", b"\xa2\x00"),
)
