"""AIFF and AIFF-C files of uncompressed samples."""

import struct

from swipegate.core.recordings import samples
from swipegate.core.recordings.samples import ENCODINGS, SampleFormat
from swipegate.core.recordings.swipe import RawSwipe, RecordingError

COMPRESSIONS = {
    b"NONE": "s{}be",
    b"twos": "s{}be",
    b"sowt": "s{}le",
    b"in24": "s24be",
    b"in32": "s32be",
    b"fl32": "f32be",
    b"FL32": "f32be",
    b"fl64": "f64be",
    b"FL64": "f64be",
    b"raw ": "u8",
}
"""AIFF-C compression type -> encoding, with the bits of a sample filled in."""


def is_one(data: bytes) -> bool:
    """Whether a file is AIFF by its first bytes."""
    return data[:4] == b"FORM" and data[8:12] in (b"AIFF", b"AIFC")


def parse(data: bytes, name: str, channel: int = 0) -> list[RawSwipe]:
    """Return the swipes of an AIFF file. Raises RecordingError."""
    layout, body, place = None, b"", 12
    while place + 8 <= len(data):
        kind, size = struct.unpack_from(">4sI", data, place)
        place += 8
        if kind == b"COMM":
            layout = _format(data[place : place + size], name)
        elif kind == b"SSND" and len(data) >= place + 8:
            offset = struct.unpack_from(">I", data, place)[0]
            body = data[place + 8 + offset : place + size]
        place += size + size % 2
    if layout is None or not body:
        raise RecordingError(name, "AIFF without its format or samples")
    return samples.parse(body, name, layout, channel)


def _format(chunk: bytes, name: str) -> SampleFormat:
    if len(chunk) < 18:
        raise RecordingError(name, "AIFF format chunk too short")
    channels, _, bits, exponent, mantissa = struct.unpack_from(">HIHHQ", chunk)
    compression = chunk[18:22] or b"NONE"
    width = -(-bits // 8) * 8  # fewer bits stand at the top of their bytes
    encoding = COMPRESSIONS.get(compression, "").format(width)
    if encoding in ("s8be", "s8le"):
        encoding = "s8"
    if encoding not in ENCODINGS:
        raise RecordingError(name, f"AIFF with {bits} bits in this compression is not supported")
    # 80 bits: sign and exponent, then 64 bits of mantissa with its leading 1; rates need no more than this range
    rate = mantissa * 2.0 ** (exponent - 16383 - 63) if 16383 <= exponent < 16383 + 63 else 0.0
    return SampleFormat(rate, encoding, channels)
