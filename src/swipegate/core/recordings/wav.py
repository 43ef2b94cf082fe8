"""WAV files: RIFF, RIFX (big endian), RF64 and BW64 (over 4 GiB, here for their header); PCM of 8 to 32 bits, float."""

import struct
from array import array
from collections.abc import Sequence

from swipegate.core.recordings import samples
from swipegate.core.recordings.samples import ENCODINGS, Encoding, SampleFormat
from swipegate.core.recordings.swipe import RawSwipe, RecordingError

BYTE_ORDERS = {b"RIFF": "<", b"RF64": "<", b"BW64": "<", b"RIFX": ">"}
"""First four bytes -> byte order of everything after them."""
FORMAT_PCM, FORMAT_FLOAT, FORMAT_EXTENSIBLE = 1, 3, 0xFFFE
"""wFormatTag."""
UNKNOWN_SIZES = (0, 0xFFFFFFFF)
"""Size of a data chunk whose writer was stopped, wrote into a pipe, or put the size into ds64: up to the file's end."""


def is_one(data: bytes) -> bool:
    """Whether a file is a WAV file by its first bytes."""
    return data[:4] in BYTE_ORDERS and data[8:12] == b"WAVE"


def parse(data: bytes, name: str, channel: int = 0) -> list[RawSwipe]:
    """Return the swipes of a WAV file. Raises RecordingError."""
    layout, body = _chunks(data, name)
    return samples.parse(body, name, layout, channel)


def holds(encoding: Encoding) -> bool:
    """Whether a WAV file that is built may have samples so encoded."""
    return not encoding.big_endian and encoding.code != "b"


def build(channels: "Sequence[array[float]]", rate: int, encoding: str = "s16le") -> bytes:
    """Return a WAV file of channels of one length, full scale 1.0.

    encoding is u8, s16le, s24le, s32le, f32le or f64le; ValueError for another, or for lengths that differ.
    """
    code = ENCODINGS.get(encoding)
    if code is None or not holds(code):
        raise ValueError("encoding: a WAV file holds u8, s16le, s24le, s32le, f32le or f64le")
    body = samples.pack(channels, code)
    frame = code.width * len(channels)
    tag = FORMAT_FLOAT if code.code in "fd" else FORMAT_PCM
    layout = struct.pack("<HHIIHH", tag, len(channels), rate, rate * frame, frame, 8 * code.width)
    chunks = _chunk(b"fmt ", layout) + _chunk(b"data", body)
    return _chunk(b"RIFF", b"WAVE" + chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def _chunks(data: bytes, name: str) -> tuple[SampleFormat, bytes]:
    """Return the format and the sample bytes; a data chunk may be longer on paper than the file."""
    order = BYTE_ORDERS[data[:4]]
    layout, place, long_size = None, 12, 0
    while place + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}4sI", data, place)
        place += 8
        if kind == b"fmt ":
            layout = _format(data[place : place + size], order, name)
        elif kind == b"ds64" and len(data) >= place + 16:
            long_size = struct.unpack_from(f"{order}8xQ", data, place)[0]
        elif kind == b"data":
            if layout is None:
                raise RecordingError(name, "WAV data before its format")
            if size in UNKNOWN_SIZES:
                size = long_size or len(data)
            return layout, data[place : place + size]
        place += size
        if size % 2 and data[place : place + 1] == b"\0":  # some writers forget this padding
            place += 1
    raise RecordingError(name, "WAV without a data chunk")


def _format(chunk: bytes, order: str, name: str) -> SampleFormat:
    if len(chunk) < 16:
        raise RecordingError(name, "WAV format chunk too short")
    tag, channels, rate, _, frame, bits = struct.unpack_from(f"{order}HHIIHH", chunk)
    if tag == FORMAT_EXTENSIBLE and len(chunk) >= 26:
        tag = struct.unpack_from(f"{order}H", chunk, 24)[0]
    width = _width(bits, frame, channels)
    kind = {FORMAT_PCM: "u8" if width == 1 else f"s{8 * width}", FORMAT_FLOAT: f"f{8 * width}"}.get(tag, "")
    encoding = kind if width == 1 else kind + ("be" if order == ">" else "le")
    if encoding not in ENCODINGS:
        raise RecordingError(name, f"WAV format {tag} with {bits} bits is not supported")
    return SampleFormat(rate, encoding, channels)


def _width(bits: int, frame: int, channels: int) -> int:
    """Return the bytes of a sample, 0 for none.

    The size of a frame is asked only where the bits leave it open: 20 of 3 bytes, 24 of 4. Many writers have it wrong.
    """
    held = frame // channels if channels and frame % channels == 0 else 0
    if bits not in (8, 16, 32, 64) and bits <= 8 * held <= 32:
        return held
    return bits // 8 if bits % 8 == 0 else 0
