"""sigrok captures (.sr): the lines of clock-and-data readers, the voltages of heads.

A zip of `metadata` (ini); logic-1-1, logic-1-2 ... with one byte, or `unitsize`, a sample; analog-1-N-1,
analog-1-N-2 ... with the float32 samples of channel N (libsigrok, src/output/srzip.c).
"""

import configparser
import io
import lzma
import re
import struct
import zipfile
import zlib
from array import array
from collections.abc import Iterator, Sequence

from swipegate.core import flux
from swipegate.core.recordings import bounds, bursts, samples
from swipegate.core.recordings.swipe import NoSwipeError, RawSwipe, RawTrack, RecordingError

MIN_FRAME_BITS = 20
"""A shorter frame is a glitch: sentinels and one character with its LRC take 20."""
CLOCK, DATA = 1, 2
"""The lines of a capture as they are handed on where they lie in different bytes."""
MAX_DIRECTORY_BYTES = 1024 * 1024
"""Bytes of a zip's directory; sigrok writes about 60 for every 4 MiB captured."""
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    ValueError,
)
"""What zipfile and its decompressors raise for bytes that are not as they should be."""

Parts = Sequence[zipfile.ZipInfo]


def is_one(data: bytes) -> bool:
    """Whether a file is a zip by its first bytes."""
    return data[:4] == b"PK\x03\x04"


def parse(data: bytes, name: str, channel: int = 0) -> list[RawSwipe]:
    """Return the swipes of a capture, those of its clock and data lines first. Raises RecordingError.

    channel 1 and up reads that analog channel alone.
    """
    device, logic, analog = _unzipped(data, name)
    rate = _rate(device.get("samplerate", ""), name)
    if not logic and not analog:
        raise RecordingError(name, "sigrok capture without logic or analog samples")
    if channel > len(analog):
        raise RecordingError(name, f"no analog channel {channel}; it has {len(analog)}")
    swipes = []
    if logic and not channel:
        swipes += _frames(logic, device, rate, name, optional=bool(analog))
    if analog:
        samples.check_rate(rate, name)
        wanted = analog[channel - 1 : channel] if channel else analog
        try:
            swipes += bursts.swipes_of(_voltages(wanted, name), rate, name)
        except NoSwipeError:
            if not swipes:
                raise
    return swipes


def _unzipped(data: bytes, name: str) -> tuple[dict[str, str], bytes, list[bytes]]:
    """Return the device's settings, the logic samples, and those of each analog channel."""
    _check_directory(data, name)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            device = _device(archive, name)
            logic, analog = _parts(archive, device.get("capturefile", "logic-1"), name)
            return device, _joined(archive, logic), [_joined(archive, parts) for parts in analog]
    except RecordingError:
        raise
    except DAMAGE:
        raise RecordingError(name, "damaged or no sigrok capture") from None


def _check_directory(data: bytes, name: str) -> None:
    """Refuse a directory that would take far more memory than its file, before zipfile reads it."""
    end = data.rfind(b"PK\x05\x06")
    size = int.from_bytes(data[end + 12 : end + 16], "little") if end >= 0 else 0
    is_64_bit = end >= 20 and data[end - 20 : end - 16] == b"PK\x06\x07"
    if size > MAX_DIRECTORY_BYTES or is_64_bit:
        raise RecordingError(name, "zip with more files than a sigrok capture has")


def _device(archive: zipfile.ZipFile, name: str) -> dict[str, str]:
    if archive.getinfo("metadata").file_size > bounds.MAX_TEXT * 64:
        raise RecordingError(name, "sigrok metadata too large")
    settings = configparser.ConfigParser(interpolation=None)
    try:
        settings.read_string(archive.read("metadata").decode("utf-8", "replace"))
        return dict(settings["device 1"])
    except (configparser.Error, KeyError):
        raise RecordingError(name, "sigrok metadata without a device") from None


def _parts(archive: zipfile.ZipFile, capture: str, name: str) -> tuple[Parts, list[Parts]]:
    """Return the files of the logic samples, and of each analog channel, in order."""
    pattern = re.compile(re.escape(capture) + r"(?:-([0-9]{1,6}))?|analog-1-([0-9]{1,3})-([0-9]{1,6})")
    groups: dict[int, list[tuple[int, zipfile.ZipInfo]]] = {}
    for info in archive.infolist():
        if match := pattern.fullmatch(info.filename):
            place = int(match[3] or match[1] or 0)
            groups.setdefault(int(match[2] or -1), []).append((place, info))
    if sum(info.file_size for parts in groups.values() for _, info in parts) > bounds.MAX_FILE_BYTES:
        raise RecordingError(name, f"capture larger than {bounds.MAX_FILE_BYTES} bytes")
    if len(groups) > 1 + bounds.MAX_CHANNELS:
        raise RecordingError(name, f"more than {bounds.MAX_CHANNELS} analog channels")
    ordered = {
        number: [info for _, info in sorted(parts, key=lambda part: part[0])]
        for number, parts in sorted(groups.items())
    }
    return ordered.pop(-1, []), list(ordered.values())


def _joined(archive: zipfile.ZipFile, parts: Parts) -> bytes:
    return b"".join(archive.read(info) for info in parts)


def _rate(text: str, name: str) -> float:
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([kMG]?)Hz", text.strip())
    rate = float(match.group(1)) * {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}[match.group(2)] if match else 0.0
    if rate <= 0.0:
        raise RecordingError(name, "sigrok samplerate is missing or no frequency")
    return rate


# Analog


def _voltages(channels: Sequence[bytes], name: str) -> "Iterator[array[float]]":
    for data in channels:
        values = samples.unpack(data, samples.ENCODINGS["f32le"])
        if len(values) > bounds.MAX_SAMPLES:
            raise RecordingError(name, f"more than {bounds.MAX_SAMPLES} samples")
        samples.check_floats(values, name)
        yield values


# Logic


def _frames(
    logic: bytes, device: dict[str, str], rate: float, name: str, *, optional: bool
) -> list[RawSwipe]:
    """Return the frames of a clock-and-data reader; none where its lines may be absent, and are."""
    width = device.get("unitsize", "1")
    if width not in {"1", "2", "4", "8"}:
        raise RecordingError(name, "sigrok unitsize is none of 1, 2, 4, 8")
    lines = _lines(device, 8 * int(width))
    if lines is None:
        if optional:
            return []
        raise RecordingError(name, "sigrok capture without a clock line (D1) and a data line (D0)")
    octets, clock, data = _octets(logic, int(width), *lines)
    return [
        RawSwipe((RawTrack(bits=frame.candidates[0]),), frame.start, frame.end)
        for frame in flux.clock_and_data_frames(octets, rate, clock, data)
        if MIN_FRAME_BITS <= len(frame.candidates[0]) <= bounds.MAX_BITS
    ]


def _lines(device: dict[str, str], count: int) -> tuple[int, int] | None:
    """Return the places of the clock and data lines: by their names, else D1 and D0, else what is left of two."""
    lines = {
        value.strip().lower(): int(key[5:]) - 1
        for key, value in device.items()
        if re.fullmatch(r"probe[1-9][0-9]?", key) and int(key[5:]) <= count
    }
    clock = next(
        (place for line, place in lines.items() if line.startswith(("clk", "clock"))), lines.get("d1")
    )
    data = next((place for line, place in lines.items() if line.startswith("dat")), lines.get("d0"))
    if len(lines) == 2:
        one, other = lines.values()
        if clock is None and data is not None:
            clock = one + other - data
        elif data is None and clock is not None:
            data = one + other - clock
    return None if clock is None or data is None or clock == data else (clock, data)


def _octets(logic: bytes, width: int, clock: int, data: int) -> tuple[bytes, int, int]:
    """Return one byte a sample, and the masks of the clock and data lines in it."""
    whole = len(logic) // width * width
    if clock // 8 == data // 8:
        return logic[clock // 8 : whole : width], 1 << clock % 8, 1 << data % 8
    both = _line(logic[clock // 8 : whole : width], clock % 8, CLOCK)
    both |= _line(logic[data // 8 : whole : width], data % 8, DATA)
    return both.to_bytes(whole // width, "big"), CLOCK, DATA


def _line(octets: bytes, place: int, mask: int) -> int:
    """Return the samples of one line as the bytes of a number, mask where it is high."""
    levels = bytes(mask if octet >> place & 1 else 0 for octet in range(256))
    return int.from_bytes(octets.translate(levels), "big")
