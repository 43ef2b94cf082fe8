"""What the project's own vectors and recordings hold, as seeds of the fuzz targets."""

import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from swipegate.core.symbols import encode, pack, unpack

TESTS = Path(__file__).parent.parent
CODE5, CODE7 = 5, 7
"""Bits a character, parity included (ISO/IEC 7811-2)."""
TRACK1 = "%B4111111111111111^DOE/JANE Q.MS^29121011000000000123000000?"
TRACK2 = ";4111111111111111=29121010000012300000?"
TRACK3 = ";011234567890123445=724724100001234512030312340202000993012134567890987654=12345678=16543210?"


@cache
def rows() -> tuple[dict[str, Any], ...]:
    """The conformance vectors."""
    lines = (TESTS / "conformance" / "tracks.jsonl").read_text().splitlines()
    return tuple(json.loads(line) for line in lines)


def texts() -> Iterator[str]:
    """Texts of tracks and lines."""
    yield from (TRACK1, TRACK2, TRACK3, TRACK1 + TRACK2 + TRACK3)
    for row in rows():
        given = row["input"]
        if isinstance(given, dict):
            given = given.get("text", given.get("track2"))
        if isinstance(given, str):
            yield given


def bit_strings() -> Iterator[bytes]:
    """Strings of bits, one byte a bit."""
    for text, width in ((TRACK1, CODE7), (TRACK2, CODE5), (TRACK3, CODE5)):
        yield encode(text, width, 9, 9)
        yield encode(text, width, 9, 9, True)
    for row in rows():
        given = row["input"]
        if not isinstance(given, dict):
            continue
        if "bits" in given:
            yield bytes(map(int, given["bits"]))
        elif "hex" in given:
            yield unpack(bytes.fromhex(given["hex"]))
        elif "bytes" in given:
            yield unpack(bytes(given["bytes"]), given["bit_count"])


def dear_bits(size: int) -> Iterator[bytes]:
    """Packed bits that cost much: every place may begin a track, and few say soon that it does not."""
    track = encode(TRACK2, CODE5, 2, 2)
    damaged = bytearray(8 * size)
    for place in range(len(damaged)):
        damaged[place] = track[place % len(track)] ^ (place % 60 == 30)
    start5, start7, character5, character7 = (
        b"\1\1\0\1\0",
        b"\1\0\1\0\0\0\1",
        b"\1\0\0\0\0",
        b"\1\0\0\0\0\1\1",
    )
    patterns = (b"\0", b"\1", b"\0\1", start5, start7, start5 + character5, start5 + 9 * character5)
    for pattern in (*patterns, start7 + character7, b"\1" + bytes(20), track, bytes(damaged)):
        yield pack((pattern * (1 + 8 * size // len(pattern)))[: 8 * size])
    yield random.Random(size).randbytes(size)


def recordings() -> Iterator[bytes]:
    """Files of recorded swipes."""
    for path in sorted((TESTS / "recordings").glob("*.wav")):
        yield path.read_bytes()
