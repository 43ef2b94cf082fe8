"""What every kind of recording comes to: swipes of raw tracks, or an error."""

import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from swipegate.core import flux
from swipegate.v1 import track_pb2 as pb


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
    coding: pb.CharacterCoding = pb.CHARACTER_CODING_UNSPECIFIED
    """How bits make characters, where somebody has said it."""

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


class NoSwipeError(RecordingError):
    """A signal in which nothing looks like a swipe. Its text and repr hold nothing of the signal."""

    def __init__(self, name: str, channels: Sequence[RawTrack]) -> None:
        super().__init__(name, "no swipe in it")
        self.channels = tuple(channels)
        """The signal, as much of its beginning as a track can hold; no channel without samples."""


def _longest_first(runs: Sequence[flux.BitRun]) -> tuple[bytes, ...]:
    """Return the readings of all runs, those of the run with the most bits first."""
    ordered = sorted(runs, key=lambda run: -len(run.candidates[0]))
    return tuple(bits for run in ordered for bits in run.candidates)
