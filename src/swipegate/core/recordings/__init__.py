"""Recordings of swipes: files -> raw swipes, recognised by content. One kind of file a module.

WAV and AIFF (8 to 32 bit PCM, float; any channels), sigrok captures of clock-and-data readers or of voltages,
MAKStripe flux images, intervals as text, bit texts, lines as readers print them, Flipper track texts, answers of
MSR605 readers, JSON bit vectors.
Samples without a header have nothing to be recognised by: they are read where the caller says how they lie.
Raises RecordingError and nothing else for what a file holds.
"""

import codecs
from collections.abc import Callable
from pathlib import Path

from swipegate.core.recordings import (
    aiff,
    bit_texts,
    bounds,
    flux_images,
    intervals,
    msr,
    printed_lines,
    samples,
    sigrok,
    track_texts,
    vectors,
    wav,
)
from swipegate.core.recordings.bounds import (
    MAX_BITS,
    MAX_BURST_SAMPLES,
    MAX_CHANNELS,
    MAX_FILE_BYTES,
    MAX_SAMPLES,
    MAX_SWIPES,
    MAX_TEXT,
    MAX_TEXT_BYTES,
    MAX_TRACKS,
    MAX_TRANSITIONS,
)
from swipegate.core.recordings.samples import SampleFormat
from swipegate.core.recordings.swipe import NoSwipeError, RawSwipe, RawTrack, RecordingError

SIGNAL_KINDS: tuple[tuple[Callable[[bytes], bool], Callable[[bytes, str, int], list[RawSwipe]]], ...] = (
    (wav.is_one, wav.parse),
    (aiff.is_one, aiff.parse),
    (sigrok.is_one, sigrok.parse),
)
"""Whether a file is of a kind, and its parser; these have channels to choose from."""
BYTE_KINDS: tuple[tuple[Callable[[bytes], bool], Callable[[bytes, str], list[RawSwipe]]], ...] = (
    (msr.is_one, msr.parse),
    (flux_images.is_one, flux_images.parse),
)
TEXT_KINDS: tuple[tuple[Callable[[str], bool], Callable[[str, str], list[RawSwipe]]], ...] = (
    (bit_texts.is_one, bit_texts.parse),
    (vectors.is_one, vectors.parse),
    (msr.is_json, msr.parse_json),
    (msr.is_hex, msr.parse_hex),
    (intervals.is_one, intervals.parse),
    (track_texts.is_one, track_texts.parse),
    (printed_lines.is_one, printed_lines.parse),
)
"""The vaguer a kind, the later it is tried."""


def read_recording(
    path: str | Path, *, layout: SampleFormat | None = None, channel: int = 0
) -> list[RawSwipe]:
    """Return a file's swipes. Raises RecordingError: unreadable, unknown, damaged, too large, no swipe; where a
    signal holds none, NoSwipeError.

    With a layout the file is samples and nothing else. channel 1 and up reads one channel of sampled signals alone.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(bounds.MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise RecordingError(path.name, getattr(error, "strerror", None) or "cannot be read") from None
    return parse_recording(data, path.name, layout=layout, channel=channel)


def parse_recording(
    data: bytes, name: str = "recording", *, layout: SampleFormat | None = None, channel: int = 0
) -> list[RawSwipe]:
    """Return the swipes of a file's content; name stands in errors. Raises as read_recording does."""
    if len(data) > bounds.MAX_FILE_BYTES:
        raise RecordingError(name, f"larger than {bounds.MAX_FILE_BYTES} bytes")
    if not data:
        raise RecordingError(name, "empty")
    swipes = samples.parse(data, name, layout, channel) if layout else _parse(data, name, channel)
    if not swipes:
        raise RecordingError(name, "no swipe in it")
    if len(swipes) > bounds.MAX_SWIPES:
        raise RecordingError(name, f"more than {bounds.MAX_SWIPES} swipes")
    return swipes


def _parse(data: bytes, name: str, channel: int) -> list[RawSwipe]:
    for is_signal, parse_signal in SIGNAL_KINDS:
        if is_signal(data):
            return parse_signal(data, name, channel)
    if channel:
        raise RecordingError(name, "has no channels to choose from")
    for is_bytes, parse_bytes in BYTE_KINDS:
        if is_bytes(data):
            return parse_bytes(data, name)
    text = _text(data, name)
    for is_text, parse_text in TEXT_KINDS:
        if is_text(text):
            return parse_text(text, name)
    raise RecordingError(name, "no known kind of recording")


def _text(data: bytes, name: str) -> str:
    if len(data) > bounds.MAX_TEXT_BYTES:
        raise RecordingError(
            name, f"no known kind of recording, or a text of over {bounds.MAX_TEXT_BYTES} bytes"
        )
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # as PowerShell writes
    try:
        return data.decode("utf-16" if utf16 else "utf-8-sig").strip()
    except UnicodeDecodeError:
        raise RecordingError(name, "no known kind of recording") from None


__all__ = [
    "MAX_BITS",
    "MAX_BURST_SAMPLES",
    "MAX_CHANNELS",
    "MAX_FILE_BYTES",
    "MAX_SAMPLES",
    "MAX_SWIPES",
    "MAX_TEXT",
    "MAX_TEXT_BYTES",
    "MAX_TRACKS",
    "MAX_TRANSITIONS",
    "NoSwipeError",
    "RawSwipe",
    "RawTrack",
    "RecordingError",
    "SampleFormat",
    "parse_recording",
    "read_recording",
]
