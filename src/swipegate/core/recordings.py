"""Recordings of swipes: files -> raw swipes, recognised by content.

WAV (8 to 32 bit PCM, float; any channels), sigrok captures of clock-and-data readers, MAKStripe flux images,
bit text, Flipper track text, JSON bit vectors. Raises RecordingError and nothing else for what a file holds.
"""

import configparser
import io
import json
import re
import struct
import sys
import zipfile
import zlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median

from swipegate.core import flux, symbols

MAX_FILE_BYTES = 64 * 1024 * 1024
"""Bytes of a file, and of a capture unpacked."""
MAX_SAMPLES = 16_000_000
"""Samples of one channel."""
MAX_CHANNELS = 8
"""Channels of a WAV file."""
MAX_SWIPES = 1_000
"""Swipes of one file."""
MAX_TRACKS = 8
"""Tracks of one swipe, as in swipegate.v1.Swipe."""
MAX_BITS = 8_192
"""Bits of one track (1,024 bytes, as in swipegate.v1.BitString)."""
MAX_TEXT = 1_024
"""Characters of one track, as in swipegate.v1.RawTrack."""
MAX_BURST_SAMPLES = 2_000_000
"""Samples of one track, as in swipegate.v1.SampledSignal; what follows of a longer burst is left off."""
MAX_TRANSITIONS = 16_384
"""Flux transitions of one track, as in swipegate.v1.FluxIntervals."""
MIN_FRAME_BITS = 20
"""A shorter frame of a capture is a glitch: sentinels and one character with its LRC take 20."""
MIN_BURST_BITS = 30
"""A burst of a WAV that reads as fewer bits is noise: four characters, and clocking zeros on both sides."""
NOISE_JITTER = 0.12
"""Of several bursts one that does not read is noise when its cells are less regular: share of a cell, see flux."""
MARGIN_SECONDS = 0.02
"""Kept of a WAV before and after a burst."""
CLOCK, DATA = 1, 2
"""The lines of a capture as they are handed on."""
FLUX_CELL_SECONDS = 0.001
"""The middle interval of a flux image, which has no unit of time, is taken to be this long."""
FORMAT_PCM, FORMAT_FLOAT, FORMAT_EXTENSIBLE = 1, 3, 0xFFFE
"""wFormatTag of a WAV file."""
SAMPLE_CODES = {
    (FORMAT_PCM, 16): "h",
    (FORMAT_PCM, 24): "i",
    (FORMAT_PCM, 32): "i",
    (FORMAT_FLOAT, 32): "f",
    (FORMAT_FLOAT, 64): "d",
}
"""Format and width of WAV samples -> array code; those of 24 bits are widened, those of 8 are unsigned."""
MAX_FLOAT = 1e30
"""Magnitude of a float sample; single precision ends at 3.4e38."""
FLUX_TRACKS = {0x10: 1, 0x20: 2, 0x40: 3}
"""Level bit of a MAKStripe record -> track."""


TRACK_LINE = re.compile(
    r"""
    ^[ \t]*(?:Track[ ]?(?P<number>[1-3])|Data)[ \t]*:[ \t]*
    (?:"(?P<quoted>[^"]*|[^\r\n]*)"[ \t]*\r?$|(?P<text>[^\r\n]*(?:\r?\n[%;+][^\r\n]*)*))
    """,
    re.MULTILINE | re.VERBOSE | re.IGNORECASE,
)
"""A track of a Flipper .mag file; quotes around it are none of its characters."""


class RecordingError(ValueError):
    """A file that is no recording or breaks a bound. Its text names file and reason, never the content."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class RawTrack:
    """One track in the form in which it was recorded; exactly one of the four forms is set."""

    number: int = 0
    """1, 2 or 3; 0 when the recording does not tell."""
    text: str | None = field(default=None, repr=False)
    """Characters with their sentinels."""
    bits: bytes | None = field(default=None, repr=False)
    """One byte a bit, 0 or 1, in the order in which they were met, inverted if they were recorded so."""
    samples: "array[float] | None" = field(default=None, repr=False)
    """float32 samples of the head's voltage on any scale."""
    sample_rate: float = 0.0
    """Samples a second; 0 without samples."""
    intervals: tuple[float, ...] | None = field(default=None, repr=False)
    """Seconds between flux transitions."""

    def candidates(self) -> tuple[bytes, ...]:
        """Return the readings of this track as bits, the likeliest first; none for a text."""
        if self.bits is not None:
            return (self.bits,)
        if self.samples is not None:
            return _longest_first(flux.swipes(self.samples, self.sample_rate))
        if self.intervals is not None:
            return _longest_first(flux.bits_from_intervals(self.intervals))
        return ()

    def pcm16(self) -> bytes:
        """Return the samples as signed 16-bit little-endian at full scale; empty without samples."""
        if not self.samples:
            return b""
        middle = (min(self.samples) + max(self.samples)) / 2.0
        factor = 32767.0 / (max(self.samples) - middle or 1.0)
        pcm = array("h", (int((value - middle) * factor) for value in self.samples))
        if sys.byteorder == "big":
            pcm.byteswap()
        return pcm.tobytes()


@dataclass(frozen=True, slots=True)
class RawSwipe:
    """What was recorded while one card passed."""

    tracks: tuple[RawTrack, ...]
    """At most MAX_TRACKS."""
    start: float | None = None
    """Seconds from the beginning of the recording."""
    end: float | None = None
    """Seconds from the beginning of the recording."""


def read_recording(path: str | Path) -> list[RawSwipe]:
    """Return a file's swipes. Raises RecordingError: unreadable, unknown, damaged, too large, no swipe."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise RecordingError(path.name, error.strerror or "cannot be read") from None
    return parse_recording(data, path.name)


def parse_recording(data: bytes, name: str = "recording") -> list[RawSwipe]:
    """Return the swipes of a file's content; name stands in errors. Raises RecordingError."""
    if len(data) > MAX_FILE_BYTES:
        raise RecordingError(name, f"larger than {MAX_FILE_BYTES} bytes")
    if not data:
        raise RecordingError(name, "empty")
    swipes = _parse(data, name)
    if not swipes:
        raise RecordingError(name, "no swipe in it")
    if len(swipes) > MAX_SWIPES:
        raise RecordingError(name, f"more than {MAX_SWIPES} swipes")
    return swipes


def _parse(data: bytes, name: str) -> list[RawSwipe]:
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return _parse_wav(data, name)
    if data[:4] == b"PK\x03\x04":
        return _parse_sigrok(data, name)
    if len(data) >= 12 and len(data) == 4 + 8 * int.from_bytes(data[:4], "little"):
        return _parse_flux_image(data, name)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RecordingError(name, "no known kind of recording") from None
    stripped = text.strip()
    if stripped and not re.search(r"[^01\s]", stripped):
        return _parse_bit_text(stripped, name)
    if stripped.startswith("["):
        return _parse_vectors(stripped, name)
    if TRACK_LINE.search(text):
        return _parse_track_text(text, name)
    raise RecordingError(name, "no known kind of recording")


def _longest_first(runs: Sequence[flux.BitRun]) -> tuple[bytes, ...]:
    """Return the readings of all runs, those of the run with the most bits first."""
    ordered = sorted(runs, key=lambda run: -len(run.candidates[0]))
    return tuple(bits for run in ordered for bits in run.candidates)


# WAV


@dataclass(frozen=True, slots=True)
class _Format:
    tag: int
    channels: int
    rate: int
    width: int  # bits a sample


@dataclass(slots=True)
class _Burst:
    channel: int
    run: flux.BitRun


def _parse_wav(data: bytes, name: str) -> list[RawSwipe]:
    layout, body = _wav_chunks(data, name)
    channels = _channels(layout, body, name)
    bursts = []
    for number, samples in enumerate(channels):
        runs = flux.swipes(samples, layout.rate, candidates=1)
        loud = [run for run in runs if len(run.candidates[0]) >= MIN_BURST_BITS]
        bursts += [_Burst(number, run) for run in loud]
    bursts.sort(key=lambda burst: burst.run.start)
    tracks = {id(burst): _burst_track(burst, channels, layout.rate) for burst in bursts}
    if len(bursts) > 1:
        bursts = [
            one
            for one in bursts
            if one.run.jitters[0] <= NOISE_JITTER or _reading(tracks[id(one)]) is not None
        ] or bursts
    return [
        RawSwipe(
            _without_copies([tracks[id(one)] for one in sorted(group, key=lambda one: one.channel)]),
            min(one.run.start for one in group),
            max(one.run.end for one in group),
        )
        for group in _simultaneous(bursts)
    ]


def _wav_chunks(data: bytes, name: str) -> tuple[_Format, bytes]:
    """Return the format and the sample bytes; a data chunk may be longer on paper than the file."""
    layout, place = None, 12
    while place + 8 <= len(data):
        kind, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        chunk = data[place + 8 : place + 8 + size]
        if kind == b"fmt ":
            layout = _wav_format(chunk, name)
        elif kind == b"data":
            if layout is None:
                raise RecordingError(name, "WAV data before its format")
            return layout, chunk
        place += 8 + size + size % 2
    raise RecordingError(name, "WAV without a data chunk")


def _wav_format(chunk: bytes, name: str) -> _Format:
    if len(chunk) < 16:
        raise RecordingError(name, "WAV format chunk too short")
    tag, channels, rate, _, _, width = struct.unpack_from("<HHIIHH", chunk)
    if tag == FORMAT_EXTENSIBLE and len(chunk) >= 26:
        tag = int.from_bytes(chunk[24:26], "little")
    if (tag, width) not in {(FORMAT_PCM, 8), *SAMPLE_CODES}:
        raise RecordingError(name, f"WAV format {tag} with {width} bits is not supported")
    if not 1 <= channels <= MAX_CHANNELS:
        raise RecordingError(name, f"WAV with {channels} channels; 1 to {MAX_CHANNELS} are supported")
    if not flux.RATE_MIN <= rate <= flux.RATE_MAX:
        raise RecordingError(
            name, f"sample rate {rate} Hz; {flux.RATE_MIN:.0f} to {flux.RATE_MAX:.0f} are supported"
        )
    return _Format(tag, channels, rate, width)


def _channels(layout: _Format, body: bytes, name: str) -> "list[array[float]]":
    frame = layout.channels * layout.width // 8
    frames = len(body) // frame
    if frames > MAX_SAMPLES:
        raise RecordingError(name, f"more than {MAX_SAMPLES} samples")
    body = body[: frames * frame]
    values: array[int] | array[float]
    if layout.width == 8:
        values = array("B", body)
    else:
        code = SAMPLE_CODES[layout.tag, layout.width]
        values = array(code)
        values.frombytes(_widened(body) if layout.width == 24 else body)
        if sys.byteorder == "big":
            values.byteswap()
        if layout.tag == FORMAT_FLOAT and not all(-MAX_FLOAT <= value <= MAX_FLOAT for value in values):
            raise RecordingError(name, "WAV samples are no numbers, or too large")
    return [array("f", values[k :: layout.channels]) for k in range(layout.channels)]


def _widened(body: bytes) -> bytes:
    """Return 24-bit samples as 32-bit ones, the low byte 0."""
    wide = bytearray(len(body) // 3 * 4)
    for byte in range(3):
        wide[byte + 1 :: 4] = body[byte::3]
    return bytes(wide)


def _simultaneous(bursts: Sequence[_Burst]) -> Iterable[list[_Burst]]:
    """Group the bursts of different channels that share at least half of the shorter one's time."""
    groups: list[list[_Burst]] = []
    for burst in bursts:
        last = groups[-1] if groups else []
        if last and all(other.channel != burst.channel and _together(other.run, burst.run) for other in last):
            last.append(burst)
        else:
            groups.append([burst])
    return groups


def _together(one: flux.BitRun, other: flux.BitRun) -> bool:
    shared = min(one.end, other.end) - max(one.start, other.start)
    return shared >= 0.5 * min(one.end - one.start, other.end - other.start)


def _burst_track(burst: _Burst, channels: "Sequence[array[float]]", rate: int) -> RawTrack:
    first = max(0, int((burst.run.start - MARGIN_SECONDS) * rate))
    last = min(int((burst.run.end + MARGIN_SECONDS) * rate), first + MAX_BURST_SAMPLES)
    return RawTrack(samples=channels[burst.channel][first:last], sample_rate=rate)


def _reading(track: RawTrack) -> str | None:
    """Return the characters of a burst; None when it does not read."""
    read = (symbols.decode(bits) for bits in track.candidates())
    return next((one.text for one in read if not one.errors), None)


def _without_copies(tracks: Sequence[RawTrack]) -> tuple[RawTrack, ...]:
    """Leave out the channels that read like an earlier one: they are copies of it."""
    if len(tracks) < 2:
        return tuple(tracks)
    readings = [_reading(track) for track in tracks]
    kept: list[RawTrack] = []
    for place, (track, reading) in enumerate(zip(tracks, readings, strict=True)):
        if reading is not None and reading in readings[:place]:
            continue
        kept.append(track)
    return tuple(kept)


# sigrok: a zip of `metadata` (ini) and logic-1-1, logic-1-2 ... with one byte, or `unitsize`, a sample


def _parse_sigrok(data: bytes, name: str) -> list[RawSwipe]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            device = _sigrok_device(archive, name)
            logic = _sigrok_logic(archive, device.get("capturefile", "logic-1"), name)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, RuntimeError, OSError):
        raise RecordingError(name, "damaged or no sigrok capture") from None
    rate = _sigrok_rate(device.get("samplerate", ""), name)
    width = device.get("unitsize", "1")
    if width not in {"1", "2", "4", "8"}:
        raise RecordingError(name, "sigrok unitsize is none of 1, 2, 4, 8")
    clock, data_line = _sigrok_lines(device, 8 * int(width), name)
    lines = _line(logic, int(width), clock, CLOCK) | _line(logic, int(width), data_line, DATA)
    frames = flux.clock_and_data_frames(lines.to_bytes(len(logic) // int(width), "big"), rate, CLOCK, DATA)
    return [
        RawSwipe((RawTrack(bits=frame.candidates[0]),), frame.start, frame.end)
        for frame in frames
        if MIN_FRAME_BITS <= len(frame.candidates[0]) <= MAX_BITS
    ]


def _line(logic: bytes, width: int, place: int, mask: int) -> int:
    """Return the samples of one line as the bytes of a number, mask where it is high."""
    octets = logic[: len(logic) // width * width][place // 8 :: width]
    levels = bytes(mask if octet >> place % 8 & 1 else 0 for octet in range(256))
    return int.from_bytes(octets.translate(levels), "big")


def _sigrok_device(archive: zipfile.ZipFile, name: str) -> dict[str, str]:
    if archive.getinfo("metadata").file_size > MAX_TEXT * 64:
        raise RecordingError(name, "sigrok metadata too large")
    settings = configparser.ConfigParser(interpolation=None)
    try:
        settings.read_string(archive.read("metadata").decode("utf-8", "replace"))
        return dict(settings["device 1"])
    except (configparser.Error, KeyError):
        raise RecordingError(name, "sigrok metadata without a device") from None


def _sigrok_logic(archive: zipfile.ZipFile, prefix: str, name: str) -> bytes:
    parts = [
        (int(match.group(1) or 0), info)
        for info in archive.infolist()
        if (match := re.fullmatch(re.escape(prefix) + r"(?:-([0-9]{1,6}))?", info.filename))
    ]
    if not parts:
        raise RecordingError(name, "sigrok capture without logic samples")
    if sum(info.file_size for _, info in parts) > MAX_FILE_BYTES:
        raise RecordingError(name, f"capture larger than {MAX_FILE_BYTES} bytes")
    return b"".join(archive.read(info) for _, info in sorted(parts, key=lambda part: part[0]))


def _sigrok_rate(text: str, name: str) -> float:
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([kMG]?)Hz", text.strip())
    rate = float(match.group(1)) * {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}[match.group(2)] if match else 0.0
    if rate <= 0.0:
        raise RecordingError(name, "sigrok samplerate is missing or no frequency")
    return rate


def _sigrok_lines(device: dict[str, str], count: int, name: str) -> tuple[int, int]:
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
    if clock is None or data is None or clock == data:
        raise RecordingError(name, "sigrok capture without a clock line (D1) and a data line (D0)")
    return clock, data


# MAKStripe: u32 count, then count x (u32 levels, f32 position)


def _parse_flux_image(data: bytes, name: str) -> list[RawSwipe]:
    records = list(struct.iter_unpack("<If", data[4:]))
    tracks = []
    for level, number in FLUX_TRACKS.items():
        places = [
            place
            for (before, _), (now, place) in pairwise([(records[0][0] ^ level, 0.0), *records])
            if (before ^ now) & level
        ]
        intervals = [after - before for before, after in pairwise(places)]
        if len(intervals) > MAX_TRANSITIONS:
            raise RecordingError(name, f"more than {MAX_TRANSITIONS} transitions")
        if not intervals:
            continue
        if not all(0.0 <= interval < 1e9 for interval in intervals):
            raise RecordingError(name, "flux positions do not ascend")
        scale = FLUX_CELL_SECONDS / (median(intervals) or 1.0)
        tracks.append(RawTrack(number, intervals=tuple(interval * scale for interval in intervals)))
    return [RawSwipe(tuple(tracks))] if tracks else []


# Texts


def _bits(text: str) -> bytes:
    return bytes(map(int, text))


def _parse_bit_text(text: str, name: str) -> list[RawSwipe]:
    """Lines that follow each other are the tracks of one swipe; a blank line begins the next swipe."""
    swipes = []
    for block in re.split(r"\n\s*\n", text):
        lines = ["".join(line.split()) for line in block.splitlines()]
        if any(len(line) > MAX_BITS for line in lines):
            raise RecordingError(name, f"a track of more than {MAX_BITS} bits")
        if len(lines) > MAX_TRACKS:
            raise RecordingError(name, f"a swipe of more than {MAX_TRACKS} tracks")
        swipes.append(RawSwipe(tuple(RawTrack(bits=_bits(line)) for line in lines)))
    return swipes


def _parse_track_text(text: str, name: str) -> list[RawSwipe]:
    """The lines after `Data:` up to the closing quote belong to it: they are the tracks as a reader prints them."""
    tracks = []
    for match in TRACK_LINE.finditer(text):
        content = (match["text"] if match["quoted"] is None else match["quoted"]).strip(" \t\r\n")
        if len(content.encode()) > MAX_TEXT:
            raise RecordingError(name, f"a track of more than {MAX_TEXT} characters")
        if content:
            tracks.append(RawTrack(int(match["number"] or 0), text=content))
    if len(tracks) > MAX_TRACKS:
        raise RecordingError(name, f"more than {MAX_TRACKS} tracks")
    return [RawSwipe(tuple(tracks))] if tracks else []


def _parse_vectors(text: str, name: str) -> list[RawSwipe]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError):
        raise RecordingError(name, "no valid JSON") from None
    if len(rows) > MAX_SWIPES:
        raise RecordingError(name, f"more than {MAX_SWIPES} swipes")
    return [RawSwipe((RawTrack(bits=_vector(row, f"{name}[{place}]")),)) for place, row in enumerate(rows)]


def _vector(row: object, name: str) -> bytes:
    """Return a vector's bits, first one first. The polarity is a remark: bits stay as recorded."""
    if not isinstance(row, dict) or not isinstance(row.get("bytes"), list):
        raise RecordingError(name, "bytes: a list of numbers is needed")
    octets, count = row["bytes"], row.get("bit_count")
    if not all(type(octet) is int and 0 <= octet <= 255 for octet in octets):
        raise RecordingError(name, "bytes: numbers from 0 to 255 are needed")
    if count is None:
        count = 8 * len(octets)
    if type(count) is not int or not 0 < count <= min(8 * len(octets), MAX_BITS):
        raise RecordingError(name, "bit_count: more bits than bytes hold, none, or too many")
    order = row.get("bit_order", "msb_first")
    if order not in ("msb_first", "lsb_first"):
        raise RecordingError(name, "bit_order: msb_first or lsb_first is needed")
    shifts = range(7, -1, -1) if order == "msb_first" else range(8)
    return bytes(octet >> shift & 1 for octet in octets for shift in shifts)[:count]
