"""What a host asks of an MSR605, by name (manual, section 3)."""

import enum
from collections.abc import Collection
from dataclasses import dataclass, field

from swipegate.devices.protocols.msr605.blocks import ESC, build_iso_block, build_raw_block

# Characters between the sentinels: 79, 40 and 107 less start sentinel, end sentinel and LRC (ISO/IEC 7811-2).
DATA_CHARACTERS_MAX = {1: 76, 2: 37, 3: 104}
# First and last character of each track's alphabet (ISO/IEC 7811-2: 6 data bits from 20, 4 data bits from
# 30).
ALPHABET = {1: (0x20, 0x5F), 2: (0x30, 0x3F), 3: (0x30, 0x3F)}
START_SENTINEL = {1: ord("%"), 2: ord(";"), 3: ord(";")}
END_SENTINEL = ord("?")

ERASE_MASK = {
    frozenset({1}): 0x00,
    frozenset({2}): 0x02,
    frozenset({3}): 0x04,
    frozenset({1, 2}): 0x03,
    frozenset({1, 3}): 0x05,
    frozenset({2, 3}): 0x06,
    frozenset({1, 2, 3}): 0x07,
}
# The code names track and density at once.
BPI_CODE = {(1, 210): 0xA1, (1, 75): 0xA0, (2, 210): 0xD2, (2, 75): 0x4B, (3, 210): 0xC1, (3, 75): 0xC0}
BITS_PER_CHARACTER_MIN, BITS_PER_CHARACTER_MAX = 5, 8


class Code(enum.IntEnum):
    """The byte after ESC that names a command."""

    RESET = 0x61
    SET_BPI = 0x62
    ERASE = 0x63
    GET_COERCIVITY = 0x64
    COMMUNICATION_TEST = 0x65
    GET_LEADING_ZEROS = 0x6C
    READ_RAW = 0x6D
    WRITE_RAW = 0x6E
    SET_BPC = 0x6F
    READ_ISO = 0x72
    GET_MODEL = 0x74
    GET_FIRMWARE = 0x76
    WRITE_ISO = 0x77
    SET_HICO = 0x78
    SET_LOCO = 0x79
    SET_LEADING_ZEROS = 0x7A
    LEDS_OFF = 0x81
    LEDS_ON = 0x82
    LED_GREEN = 0x83
    LED_YELLOW = 0x84
    LED_RED = 0x85
    SENSOR_TEST = 0x86
    RAM_TEST = 0x87


# Parameter bytes that follow a code; a write is followed by a block instead.
PARAMETER_BYTES = {Code.SET_BPI: 1, Code.ERASE: 1, Code.SET_BPC: 3, Code.SET_LEADING_ZEROS: 2}
WRITES = frozenset({Code.WRITE_ISO, Code.WRITE_RAW})
# These are answered by nothing.
SILENT = frozenset({Code.RESET, Code.LEDS_OFF, Code.LEDS_ON, Code.LED_GREEN, Code.LED_YELLOW, Code.LED_RED})
READS = frozenset({Code.READ_ISO, Code.READ_RAW})
# These are answered only when a card passes.
AWAIT_CARD = READS | WRITES | {Code.ERASE, Code.SENSOR_TEST}


@dataclass(frozen=True, slots=True)
class Command:
    """One command and its bytes; a write's bytes are track data and not in the repr."""

    code: Code
    body: bytes = field(default=b"", repr=False)

    @property
    def frame(self) -> bytes:
        """The bytes on the wire."""
        return bytes((ESC, self.code)) + self.body


RESET = Command(Code.RESET)
COMMUNICATION_TEST = Command(Code.COMMUNICATION_TEST)
READ_ISO = Command(Code.READ_ISO)
READ_RAW = Command(Code.READ_RAW)
LEDS_OFF = Command(Code.LEDS_OFF)
LEDS_ON = Command(Code.LEDS_ON)
LED_GREEN = Command(Code.LED_GREEN)
LED_YELLOW = Command(Code.LED_YELLOW)
LED_RED = Command(Code.LED_RED)
SENSOR_TEST = Command(Code.SENSOR_TEST)
RAM_TEST = Command(Code.RAM_TEST)
GET_LEADING_ZEROS = Command(Code.GET_LEADING_ZEROS)
SET_HICO = Command(Code.SET_HICO)
SET_LOCO = Command(Code.SET_LOCO)
GET_COERCIVITY = Command(Code.GET_COERCIVITY)
GET_MODEL = Command(Code.GET_MODEL)
GET_FIRMWARE = Command(Code.GET_FIRMWARE)


def write_iso(track1: str = "", track2: str = "", track3: str = "") -> Command:
    """Write texts, with or without sentinels (the unit adds its own); an empty text leaves a track blank.

    :raises ValueError: a text is too long or outside its track's alphabet; the text is not in the message.
    """
    texts = [_data_characters(number, text) for number, text in enumerate((track1, track2, track3), start=1)]
    return Command(Code.WRITE_ISO, build_iso_block(list(texts)))


def _data_characters(track: int, text: str) -> bytes:
    first, last = ALPHABET[track]
    if not all(first <= ord(character) <= last for character in text):
        raise ValueError(f"track{track}: a character is outside the alphabet of track {track}")
    data = text.encode("ascii")
    if data[:1] == bytes((START_SENTINEL[track],)):
        data = data[1:]
    if data[-1:] == bytes((END_SENTINEL,)):
        data = data[:-1]
    if END_SENTINEL in data:
        raise ValueError(f"track{track}: an end sentinel stands inside the text")
    if len(data) > DATA_CHARACTERS_MAX[track]:
        raise ValueError(f"track{track}: over {DATA_CHARACTERS_MAX[track]} characters between the sentinels")
    return data


def write_raw(track1: bytes = b"", track2: bytes = b"", track3: bytes = b"") -> Command:
    """Write bytes as the unit wants them: see `raw_read_to_write` for the order of bits.

    :raises ValueError: a track has more than 255 bytes.
    """
    return Command(Code.WRITE_RAW, build_raw_block([track1, track2, track3]))


def raw_read_to_write(data: bytes) -> bytes:
    """Bytes of a raw read as a raw write wants them: bits reversed inside each byte, packing byte dropped.

    A read puts the first bit of the stripe in the top bit and ends with one byte of 00.
    """
    return bytes(int(f"{byte:08b}"[::-1], 2) for byte in data.removesuffix(b"\x00"))


def set_leading_zeros(tracks_1_and_3: int, track_2: int) -> Command:
    """How many zero bits a write puts before the start sentinel; a unit comes with 61 and 22."""
    for name, count in (("tracks_1_and_3", tracks_1_and_3), ("track_2", track_2)):
        if not 0 <= count <= 0xFF:
            raise ValueError(f"{name}: {count} is not 0 to 255")
    return Command(Code.SET_LEADING_ZEROS, bytes((tracks_1_and_3, track_2)))


def erase(tracks: Collection[int]) -> Command:
    """Erase some of tracks 1, 2 and 3 of the next card."""
    mask = ERASE_MASK.get(frozenset(tracks))
    if mask is None:
        raise ValueError("tracks: not a choice of 1, 2 and 3")
    return Command(Code.ERASE, bytes((mask,)))


def set_bpi(track: int, bits_per_inch: int) -> Command:
    """Density of one track: 75 or 210 bits an inch."""
    code = BPI_CODE.get((track, bits_per_inch))
    if code is None:
        raise ValueError(f"track {track} at {bits_per_inch} bits an inch: no such choice")
    return Command(Code.SET_BPI, bytes((code,)))


def set_bpc(track1: int, track2: int, track3: int) -> Command:
    """Bits per character of each track, 5 to 8; 8 everywhere makes raw data plain packed bits."""
    bits = (track1, track2, track3)
    for number, count in enumerate(bits, start=1):
        if not BITS_PER_CHARACTER_MIN <= count <= BITS_PER_CHARACTER_MAX:
            raise ValueError(f"track{number}: {count} bits per character is not 5 to 8")
    return Command(Code.SET_BPC, bytes(bits))
