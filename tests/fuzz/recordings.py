"""Fuzz target: the content of any file that is read as a recording."""

import io
import json
import struct
import zipfile
from array import array
from collections.abc import Iterator

from swipegate.core import recordings, symbols, synthesis
from tests.fuzz import vectors
from tests.fuzz.target import Target

FLOAT = 3
"""Format tag of a WAV file of floats."""
METADATA = "[global]\nsigrok version=0.5\n[device 1]\ncapturefile=logic-1\ntotal probes=8\nsamplerate=1 MHz\n"


def check_track(track: recordings.RawTrack) -> None:
    forms = (track.text, track.bits, track.samples, track.intervals)
    assert sum(form is not None for form in forms) == 1
    assert 0 <= track.number <= 3
    assert len((track.text or "").encode()) <= recordings.MAX_TEXT
    assert len(track.bits or b"") <= recordings.MAX_BITS
    assert len(track.intervals or ()) <= recordings.MAX_TRANSITIONS
    assert len(track.samples or ()) <= recordings.MAX_BURST_SAMPLES
    for bits in track.candidates():
        assert not bits.strip(b"\0\1")
        if len(bits) <= recordings.MAX_BITS:
            symbols.decode(bits)
    assert len(track.pcm16()) == 2 * len(track.samples or ())


def check(data: bytes) -> None:
    try:
        swipes = recordings.parse_recording(data, "NAME")
    except recordings.RecordingError as error:
        assert str(error).startswith("NAME") and str(error).isprintable()  # noqa: PT017, PT018
        return
    assert 1 <= len(swipes) <= recordings.MAX_SWIPES
    for swipe in swipes:
        assert len(swipe.tracks) <= recordings.MAX_TRACKS
        for track in swipe.tracks:
            check_track(track)


def wav(samples: "array[float]", tag: int, channels: int, width: int) -> bytes:
    """A WAV file of a signal at full scale 1, the same on every channel."""
    code, scale = {8: ("B", 127), 16: ("h", 32767), 32: ("i", 2**31 - 1)}[width]
    values = array("f", samples) if tag == FLOAT else None
    if values is None:
        values = array(code, [int(value * scale) + (128 if width == 8 else 0) for value in samples])
    body = b"".join(bytes(memoryview(values)[k : k + 1]) * channels for k in range(len(values)))
    layout = struct.pack("<HHIIHH", tag, channels, 22_050, 0, 0, width)
    chunks = b"fmt " + struct.pack("<I", 16) + layout + b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def sigrok(bits: bytes, unit: int) -> bytes:
    """A capture of a clock-and-data reader."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("version", "2")
        archive.writestr("metadata", f"{METADATA}unitsize={unit}\nprobe1=D0\nprobe2=D1\n")
        lines = b"".join(
            bytes([3 - bit]) + bytes(unit - 1) + bytes([1 - bit]) + bytes(unit - 1) for bit in bits
        )
        archive.writestr("logic-1-1", lines)
    return file.getvalue()


def flux_image(times: list[float]) -> bytes:
    """A MAKStripe image of three tracks that turn together."""
    place, records = 0.0, [(0x00, 0.0)]
    for index, time in enumerate(times):
        place += time
        records.append((0x70 * (index % 2 == 0), place))
    return struct.pack("<I", len(records)) + b"".join(struct.pack("<If", *record) for record in records)


def seeds() -> Iterator[bytes]:
    bits = symbols.encode(";0004048712?", 5, 12, 12)
    times = synthesis.intervals_from_bits(bits, 0.0004, cell_jitter=0.02, seed=1)
    samples = synthesis.samples_from_intervals(times, 22_050, seed=1)
    for tag, channels, width in ((1, 1, 16), (1, 2, 8), (3, 1, 32), (1, 1, 32)):
        yield wav(samples, tag, channels, width)
    yield from (sigrok(bits, unit) for unit in (1, 2))
    yield flux_image(times)
    text = "".join(map(str, bits))
    yield f"{text}\n{text}\n\n{text}\n".encode()
    for order in ("msb_first", "lsb_first"):
        row = {"bytes": list(symbols.pack(bits)), "bit_count": len(bits), "bit_order": order}
        yield json.dumps([row, row]).encode()
    lines = "\n".join(f"Track {k}: {line}" for k, line in ((1, vectors.TRACK1), (2, vectors.TRACK2)))
    yield f"Filetype: Flipper Mag device\nVersion: 1\n{lines}\n".encode()
    yield f'Data: "{vectors.TRACK1}\n{vectors.TRACK2}"\n'.encode()


TARGET = Target(
    name="recordings",
    seeds=seeds,
    check=check,
    longest=16_384,
    blocks=200_000,
    blocks_a_byte=50_000,
    replays=250,
    words=tuple(
        b"RIFF WAVE fmt data PK\x03\x04 logic-1 Track Data: bytes bit_count samplerate probe1 unitsize".split()
    ),
)
