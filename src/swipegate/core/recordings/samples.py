"""Samples as bytes: integers and floats of either byte order, channels interleaved, without a header."""

import math
import sys
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from swipegate.core import flux
from swipegate.core.recordings import bounds, bursts
from swipegate.core.recordings.swipe import RawSwipe, RecordingError

MAX_FLOAT = 1e30
"""Magnitude of a float sample; single precision ends at 3.4e38."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How one sample lies in its bytes."""

    code: str
    """Array code of the samples; where that is wider than a sample, a sample is its top bytes."""
    width: int
    """Bytes a sample."""
    big_endian: bool = False

    @property
    def full_scale(self) -> float:
        """Greatest sample; 1.0 for floats."""
        return 1.0 if self.code in "fd" else 2.0 ** (8 * self.width - 1) - 1.0


ENCODINGS = {
    "u8": Encoding("B", 1),
    "s8": Encoding("b", 1),
    "s16le": Encoding("h", 2),
    "s16be": Encoding("h", 2, True),
    "s24le": Encoding("i", 3),
    "s24be": Encoding("i", 3, True),
    "s32le": Encoding("i", 4),
    "s32be": Encoding("i", 4, True),
    "f32le": Encoding("f", 4),
    "f32be": Encoding("f", 4, True),
    "f64le": Encoding("d", 8),
    "f64be": Encoding("d", 8, True),
}
"""By the names that ffmpeg gives them: unsigned, signed or float, bits, byte order."""


@dataclass(frozen=True, slots=True)
class SampleFormat:
    """What a header says of samples, or the caller where there is none."""

    rate: float
    """Samples of one channel a second."""
    encoding: str = "s16le"
    """A name in ENCODINGS."""
    channels: int = 1
    """Interleaved: one sample of each channel, then the next of each."""


def parse(data: bytes, name: str, layout: SampleFormat, channel: int = 0) -> list[RawSwipe]:
    """Return the swipes in bytes that are samples and nothing else; channel 1 and up reads that one alone.

    Bytes of a last incomplete frame are left off. Raises RecordingError: a layout or length out of bounds, floats
    that are no numbers.
    """
    if layout.encoding not in ENCODINGS:
        raise RecordingError(name, f"sample encoding is none of {', '.join(ENCODINGS)}")
    if not 1 <= layout.channels <= bounds.MAX_CHANNELS:
        raise RecordingError(name, f"{layout.channels} channels; 1 to {bounds.MAX_CHANNELS} are supported")
    if not 0 <= channel <= layout.channels:
        raise RecordingError(name, f"no channel {channel}; it has {layout.channels}")
    check_rate(layout.rate, name)
    encoding = ENCODINGS[layout.encoding]
    frames = len(data) // (encoding.width * layout.channels)
    if frames > bounds.MAX_SAMPLES:
        raise RecordingError(name, f"more than {bounds.MAX_SAMPLES} samples")
    wanted = [channel - 1] if channel else range(layout.channels)
    return bursts.swipes_of(_channels(data, encoding, layout.channels, wanted, name), layout.rate, name)


def check_rate(rate: float, name: str) -> None:
    """Raise RecordingError for a sample rate that the core does not take."""
    if not flux.RATE_MIN <= rate <= flux.RATE_MAX:
        raise RecordingError(
            name, f"sample rate {rate:.15g} Hz; {flux.RATE_MIN:.0f} to {flux.RATE_MAX:.0f} are supported"
        )


def check_floats(values: "array[float]", name: str) -> None:
    """Raise RecordingError for a sample that is not finite or over MAX_FLOAT."""
    # The sum is NaN or infinite where a sample is, and cannot overflow where none is over the bound.
    if values and not (math.isfinite(sum(values)) and min(values) >= -MAX_FLOAT and max(values) <= MAX_FLOAT):
        raise RecordingError(name, "samples are no numbers, or too large")


def _channels(
    data: bytes, encoding: Encoding, channels: int, wanted: Sequence[int], name: str
) -> "Iterator[array[float]]":
    for number in wanted:
        values = unpack(data, encoding, channels, number)
        if encoding.code in "fd":
            check_floats(values, name)
        yield values if encoding.code == "f" else array("f", values)


def unpack(data: bytes, encoding: Encoding, channels: int = 1, number: int = 0) -> "array[float]":
    """Return the samples of channel `number` (from 0) as they are, integers of 24 bits times 256."""
    values: array[float] = array(encoding.code)
    frame, size = encoding.width * channels, values.itemsize
    frames = len(data) // frame
    wide = bytearray(frames * size)
    for source, target in _byte_places(encoding, size):
        first = number * encoding.width + source
        wide[target::size] = data[first : frames * frame : frame]
    values.frombytes(wide)
    return values


def pack(channels: "Sequence[Sequence[float]]", encoding: Encoding) -> bytes:
    """Return channels of one length interleaved; 1.0 is full scale, what is over it is clipped.

    Raises ValueError for channels of different lengths.
    """
    frames = len(channels[0])
    if any(len(channel) != frames for channel in channels):
        raise ValueError("channels: their lengths differ")
    size, frame = array(encoding.code).itemsize, encoding.width * len(channels)
    data = bytearray(frames * frame)
    for number, channel in enumerate(channels):
        wide = _quantised(channel, encoding, size).tobytes()
        for target, source in _byte_places(encoding, size):
            data[number * encoding.width + target :: frame] = wide[source::size]
    return bytes(data)


def _quantised(channel: Sequence[float], encoding: Encoding, size: int) -> "array[float]":
    clipped = (-1.0 if value < -1.0 else 1.0 if value > 1.0 else value for value in channel)
    if encoding.code in "fd":
        return array(encoding.code, clipped)
    scale, middle = encoding.full_scale, 128 if encoding.code == "B" else 0
    shift = 8 * (size - encoding.width)
    return array(encoding.code, ((round(value * scale) + middle) << shift for value in clipped))


def _byte_places(encoding: Encoding, size: int) -> list[tuple[int, int]]:
    """Return (place in the file, place in the array's item of `size` bytes) of each byte of a sample."""
    places = []
    for rank in range(encoding.width):  # the least significant byte has rank 0
        item = size - encoding.width + rank
        places.append(
            (
                encoding.width - 1 - rank if encoding.big_endian else rank,
                size - 1 - item if sys.byteorder == "big" else item,
            )
        )
    return places
