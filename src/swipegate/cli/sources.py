"""What `swipegate decode` is given: recordings, texts, bits and flux times as swipes for the track core."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from swipegate import core
from swipegate.core import symbols
from swipegate.core.recordings import (
    NoSwipeError,
    RawSwipe,
    RawTrack,
    RecordingError,
    SampleFormat,
    read_recording,
)
from swipegate.v1 import track_pb2 as pb

MAX_INTERVAL = 2**32 - 1
"""Nanoseconds of one interval, as swipegate.v1.FluxIntervals holds them."""
MAX_INTERVALS = 16_384
"""Of one track, as swipegate.v1.FluxIntervals holds them."""
MAX_TRACKS = 8
"""Of one swipe, as swipegate.v1.Swipe holds them."""


class Refusal(NamedTuple):
    """A file or option that cannot be decoded."""

    name: str
    """The file, or the option it came by."""
    reason: str
    channels: tuple[RawTrack, ...] = ()
    """A signal in which nothing looks like a swipe."""


@dataclass(frozen=True, slots=True)
class Source:
    """One thing to decode."""

    name: str
    """The file, or the option it came by."""
    swipes: list[tuple[pb.Swipe, RawSwipe]] = field(repr=False)


class Signal(NamedTuple):
    """How to read the files that are sampled."""

    layout: SampleFormat | None = None
    """Of files without a header."""
    channel: int = 0
    """0: all of them."""

    def read(self, path: Path) -> list[RawSwipe]:
        """The swipes of a file. Raises RecordingError."""
        return read_recording(path, layout=self.layout, channel=self.channel)


@dataclass(frozen=True, slots=True)
class Given:
    """The files and options of the command line."""

    files: Sequence[Path] = ()
    signal: Signal = field(default_factory=Signal)
    text: Sequence[str] = field(default=(), repr=False)
    bits: Sequence[str] = field(default=(), repr=False)
    hex: Sequence[str] = field(default=(), repr=False)
    flux: Sequence[str] = field(default=(), repr=False)
    track: int = 0
    """Which track all but the files are; 0 when not known."""
    coding: pb.CharacterCoding = pb.CHARACTER_CODING_UNSPECIFIED
    """Of everything."""


def sources(given: Given) -> Iterator[Source | Refusal]:
    """Read one after the other."""
    for path in given.files:
        try:
            raws = [_coded(raw, given.coding) for raw in given.signal.read(path)]
            yield Source(str(path), [(swipe_of(raw), raw) for raw in raws])
        except RecordingError as error:
            quiet = error.channels if isinstance(error, NoSwipeError) else ()
            yield Refusal(str(path), str(error).removeprefix(path.name).removeprefix(": "), quiet)
    for option, values, convert in (
        ("--text", given.text, _text),
        ("--bits", given.bits, _bits),
        ("--hex", given.hex, _hex),
        ("--flux", given.flux, _flux),
    ):
        for value in values:
            try:
                raw = _coded(RawSwipe((convert(value, given.track),)), given.coding)
            except ValueError as error:
                yield Refusal(option, str(error))
            else:
                yield Source(option, [(swipe_of(raw), raw)])


def _coded(swipe: RawSwipe, coding: pb.CharacterCoding) -> RawSwipe:
    return replace(swipe, tracks=tuple(replace(track, coding=coding) for track in swipe.tracks))


def one_card(given: Given) -> Iterator[Source | Refusal]:
    """All swipes as passes of one card: one swipe with every track of each."""
    found: list[RawSwipe] = []
    for source in sources(given):
        if isinstance(source, Refusal):
            yield source
        else:
            found += [raw for _, raw in source.swipes]
    tracks = _numbered(found, given.track)
    name = f"one card in {len(found)} passes"
    if len(tracks) > MAX_TRACKS:
        yield Refusal(name, f"has {len(tracks)} tracks; --same-card takes at most {MAX_TRACKS}")
    elif tracks:
        raw = RawSwipe(tracks)
        yield Source(name, [(swipe_of(raw), raw)])


def _numbered(swipes: Sequence[RawSwipe], number: int) -> tuple[RawTrack, ...]:
    """Every track with its number: its own, the given one, what it says itself, or as its like in another pass."""
    passes = [[track.number or number or _told(track) for track in swipe.tracks] for swipe in swipes]
    tracks = []
    for swipe, numbers in zip(swipes, passes, strict=True):
        for place, track in enumerate(swipe.tracks):
            alike = (other[place] for other in passes if len(other) == len(numbers) and other[place])
            tracks.append(replace(track, number=numbers[place] or next(alike, 0)))
    return tuple(tracks)


def _told(track: RawTrack) -> int:
    """The number of the one track that a raw track reads as; 0 when it does not, or reads as several."""
    decoded = core.decode(swipe_of(RawSwipe((track,)))).tracks
    return decoded[0].number if len(decoded) == 1 else 0


def _text(value: str, track: int) -> RawTrack:
    data = value.encode("utf-8", "surrogateescape")
    if len(data) > core.MAX_TEXT:
        raise ValueError(f"at most {core.MAX_TEXT} bytes")
    return RawTrack(track, text=value)


def _bits(value: str, track: int) -> RawTrack:
    digits = "".join(value.split())
    if not digits or set(digits) - {"0", "1"}:
        raise ValueError("must be digits 0 and 1")
    return _bit_track(bytes(map(int, digits)), track)


def _hex(value: str, track: int) -> RawTrack:
    try:
        packed = bytes.fromhex(value)
    except ValueError:
        raise ValueError("must be pairs of hexadecimal digits") from None
    if not packed:
        raise ValueError("must be pairs of hexadecimal digits")
    return _bit_track(_unpacked(packed), track)


def _unpacked(packed: bytes) -> bytes:
    """The bits, first bit in the top bit, or where they read so alone: without the padding, or packed otherwise.

    Bits turned inside their bytes and bytes in reverse order are one string read from either end: which was the first
    end is not known, and a string that reads only so is given as a reverse one.
    """
    plain, turned = core.unpack(packed), core.unpack(packed, lsb_first=True)
    if len(plain) > core.MAX_BITS:
        return plain
    for bits in (plain, _without_padding(plain)):
        if not symbols.decode(bits, repair=False).errors:
            return bits
    for bits in (turned, _without_padding(turned), _without_padding(turned[::-1])):
        read = symbols.decode(bits, repair=False)
        if not read.errors:
            return bits if read.direction == pb.SWIPE_DIRECTION_REVERSE else bits[::-1]
    return plain


def _without_padding(bits: bytes) -> bytes:
    """The bits without the zeros that fill the last byte: among inverted bits they are ones."""
    return bits[:-8] + bits[-8:].rstrip(b"\0")


def _bit_track(bits: bytes, track: int) -> RawTrack:
    if len(bits) > core.MAX_BITS:
        raise ValueError(f"at most {core.MAX_BITS} bits")
    return RawTrack(track, bits=bits)


def _flux(value: str, track: int) -> RawTrack:
    words = value.split()
    if not words or not all(word.isascii() and word.isdigit() for word in words):
        raise ValueError("must be whole numbers of nanoseconds")
    if len(words) > MAX_INTERVALS:
        raise ValueError(f"at most {MAX_INTERVALS} intervals")
    if any(len(word) > 10 or int(word) > MAX_INTERVAL for word in words):
        raise ValueError(f"each at most {MAX_INTERVAL} nanoseconds")
    return RawTrack(track, intervals=tuple(int(word) * 1e-9 for word in words))


def swipe_of(raw: RawSwipe) -> pb.Swipe:
    """A recorded swipe as the track core takes it."""
    swipe = pb.Swipe()
    for track in raw.tracks:
        entry = swipe.tracks.add(number=track.number, coding=track.coding)
        if track.text is not None:
            entry.text = track.text.encode("utf-8", "surrogateescape")
        elif track.bits is not None:
            entry.bits.data = core.pack(track.bits)
            entry.bits.bit_count = len(track.bits)
        elif track.samples is not None:
            entry.samples.pcm = track.pcm16()
            entry.samples.sample_rate = round(track.sample_rate)
        elif track.intervals is not None:
            entry.intervals.nanoseconds.extend(
                min(round(seconds * 1e9), MAX_INTERVAL) for seconds in track.intervals
            )
    return swipe
