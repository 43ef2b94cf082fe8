"""Fuzz target: strings of bits with some wrong, and any other, read by doubts, another track, other passes."""

from collections.abc import Iterator

from swipegate.core import MAX_BITS, repair, symbols
from swipegate.v1 import track_pb2 as v1
from tests.fuzz import vectors
from tests.fuzz.symbols import ALPHABETS, check_reading, is_chosen
from tests.fuzz.target import Source, Target
from tests.reference import repair as reference

WIDTHS = (0, 5, 7)
PLAIN, DOUBTS, BESIDE, PASSES = range(4)
"""How bits are read, by the first byte."""
MSB_FIRST, DAMAGED = 64, 128
"""Bits of the first byte."""
MAX_PASSES = 8
TWIN_BITS = 64
"""A longer string is not given to the reference, whose states are many where much is in doubt."""
MAX_REPAIRS = 8
"""Corrected characters of a track."""

Pass = tuple[bytes, bytes]
"""Bits, and the doubt of each."""


def damaged(source: Source, width: int, msb_first: bool, count: int) -> list[Pass]:
    """Passes of a track of the input's characters, each with up to four bits in doubt, some of them turned."""
    base, sentinel = ALPHABETS[width]
    marks = [[source.take(3).ljust(3, b"\0") for _ in range(source.byte() % 5)] for _ in range(count)]
    body = "".join(chr(base + byte % (1 << (width - 1))) for byte in source.rest()[:100])
    clean = symbols.encode(f"{sentinel}{body}?", width, 2, 2, msb_first=msb_first)
    passes = []
    for places in marks:
        bits, doubts = bytearray(clean), bytearray(len(clean))
        for low, high, doubt in places:
            place = (low | high << 8) % len(bits)
            bits[place] ^= high >> 7
            doubts[place] = doubt
        passes.append((bytes(bits), bytes(doubts)))
    return passes


def anything(source: Source, count: int) -> list[Pass]:
    """Passes of any bits, in doubt by a pattern."""
    pattern = source.take(1 + source.byte() % 16) or b"\0"
    packed = source.rest()[: MAX_BITS // 8]
    size = -(-len(packed) // count)
    parts = [symbols.unpack(packed[place * size : (place + 1) * size]) for place in range(count)]
    return [(bits, (pattern * (1 + len(bits) // len(pattern)))[: len(bits)]) for bits in parts]


def check_alone(one: Pass, width: int, msb_first: bool) -> symbols.Characters:
    bits, doubts = one
    read = repair.decode(bits, doubts, width, msb_first=msb_first)
    check_reading(bits, width, read, MAX_REPAIRS)
    clean = symbols.decode(bits, width, repair=False, msb_first=msb_first)
    if not clean.errors:
        assert read.text in ("", clean.text)
        assert not read.repairs
    elif len(bits) <= TWIN_BITS and is_chosen(bits):
        twin = reference.repaired(bits, doubts, width, msb_first)
        assert (read.text, read.repairs) == (twin.text, twin.repairs)
    return read


def check_beside(source: Source, kind: int) -> None:
    number = 1 + kind // 4 % 3
    pan = "".join(str(byte % 10) for byte in source.take(source.byte() % 20))
    bits, doubts = passes_of(source, kind, (7, 5, 5)[number - 1], False, 1)[0]
    alone = repair.decode(bits, doubts)
    read = repair.decode_beside(bits, number, pan=pan, expiry="2912", service_code="101", doubts=doubts)
    if alone.text:
        assert (read.text, read.repairs) == (alone.text, alone.repairs)
    elif read.text:
        check_reading(bits, 0, read, len(read.text))
        assert {method for _, _, method, _ in read.repairs} >= {v1.REPAIR_METHOD_OTHER_TRACK}


def check_passes(passes: list[Pass], width: int, msb_first: bool) -> None:
    found = [bits for bits, _ in passes]
    read = repair.decode_passes(found, [doubts for _, doubts in passes], width, msb_first=msb_first)
    alone = [repair.decode(*one, width, msb_first=msb_first) for one in passes]
    if any(one.text for one in alone):
        assert read.text == next(one.text for one in alone if one.text)
    elif read.text:
        assert read.lrc_character == symbols.lrc(read.text, read.bits_per_character)
        assert {method for _, _, method, _ in read.repairs} == {v1.REPAIR_METHOD_OTHER_PASS}


def passes_of(source: Source, kind: int, width: int, msb_first: bool, count: int) -> list[Pass]:
    if kind & DAMAGED:
        return damaged(source, width or 5, msb_first, count)
    return anything(source, count)


def check(data: bytes) -> None:
    source = Source(data)
    kind = source.byte()
    width = WIDTHS[kind // 4 % 3]
    msb_first = bool(width and kind & MSB_FIRST)
    if kind % 4 == BESIDE:
        check_beside(source, kind)
    elif kind % 4 == PASSES:
        count = 1 + source.byte() % MAX_PASSES
        check_passes(passes_of(source, kind, width, msb_first, count), width, msb_first)
    else:
        ((bits, doubts),) = passes_of(source, kind, width, msb_first, 1)
        check_alone((bits, doubts if kind % 4 == DOUBTS else bytes(len(bits))), width, msb_first)


def seeds() -> Iterator[bytes]:
    for index, bits in enumerate(vectors.bit_strings()):
        turned = bytearray(bits or b"\0")
        turned[index * 37 % len(turned)] ^= 1
        yield bytes([index % 2, 0, 0]) + symbols.pack(turned)
        yield bytes([PASSES, 1, 0, 0]) + 2 * symbols.pack(turned)
    for count, size in ((1, 64), (7, 128)):  # passes less one, each fifth bit as likely wrong as right
        for packed in vectors.dear_bits(size):
            yield bytes([PASSES, count, 4, 255, 0, 0, 0, 0]) + packed
    for index, text in enumerate(vectors.texts()):
        place = bytes([index * 37 % 256, 128, 255])
        for how in (PLAIN, DOUBTS):
            yield bytes([DAMAGED + 4 + how, 1]) + place + text.encode()[:16]
        yield (
            bytes([DAMAGED + 4 + PASSES, 1, 2]) + place + place[::-1] + b"\2" + 2 * place + text.encode()[:16]
        )
        yield bytes([DAMAGED + 4 + BESIDE, 16]) + text.encode()[2:18] + b"\3" + 3 * place + text.encode()[:40]


TARGET = Target(
    name="repair",
    seeds=seeds,
    check=check,
    longest=1 + MAX_BITS // 8,
    # Every start is followed to the end of the string or of the longest track, so work is quadratic up to 560
    # bits, then linear, and capped by MAX_WORK for each pass. Seen at most: two passes of 32 bytes with sparse
    # ones 58 million, eight of 16 bytes 125 million, eight of 64 bytes 302 million, and no more of longer ones.
    blocks=60_000_000,
    blocks_a_byte=1_200_000,
    replays=600,
    words=(b"\xd4", b"\xd0\x00", b"\x6a", b"\xff\xff", b"\x00\x00", b"\xf8", b"\xa2\x00"),
)
