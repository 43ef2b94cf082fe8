"""What the project's own vectors and recordings hold, as seeds of the fuzz targets."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

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
    from swipegate.core import symbols

    for text, width in ((TRACK1, CODE7), (TRACK2, CODE5), (TRACK3, CODE5)):
        yield symbols.encode(text, width, 9, 9)
        yield symbols.encode(text, width, 9, 9, True)
    for row in rows():
        given = row["input"]
        if not isinstance(given, dict):
            continue
        if "bits" in given:
            yield bytes(map(int, given["bits"]))
        elif "hex" in given:
            yield symbols.unpack(bytes.fromhex(given["hex"]))
        elif "bytes" in given:
            yield symbols.unpack(bytes(given["bytes"]), given["bit_count"])


def recordings() -> Iterator[bytes]:
    """Files of recorded swipes."""
    for path in sorted((TESTS / "recordings").glob("*.wav")):
        yield path.read_bytes()
