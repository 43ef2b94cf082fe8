"""Signal stage of the track core: audio samples or flux times -> bits (F2F, ISO/IEC 7811-2).

Compiled; the signatures for other compiled stages, and who owns what, are in flux.pxd. Every function is free
of state, works without the GIL, and takes time and memory proportional to its input. Samples may be on any
scale; what is no number counts as silence.

Thread-safety: all of it; nothing is shared between calls.
"""

from array import array
from collections.abc import Iterable
from typing import Final, final

from typing_extensions import Buffer

from swipegate.core.transitions import RATE_MAX as RATE_MAX
from swipegate.core.transitions import RATE_MIN as RATE_MIN
from swipegate.core.transitions import transitions as transitions

CANDIDATES_MAX: Final[int]
"""Readings that a run can have."""
FRAME_PAUSE: Final[float]
"""Seconds without a clock edge that end a frame."""
JITTER_MAX: Final[float]
"""RMS deviation of the cells, share of a cell, above which a run is noise and has no reading."""

@final
class BitRun:
    """One unbroken run of transitions or clock edges, usually one swipe. Its repr shows no bits."""

    @property
    def start(self) -> float:
        """Seconds of its first transition."""
    @property
    def end(self) -> float:
        """Seconds of its last transition."""
    @property
    def candidates(self) -> tuple[bytes, ...]:
        """Different readings, one byte (0 or 1) a bit, in the order in which to try them; at least one."""
    @property
    def jitters(self) -> tuple[float, ...]:
        """Each candidate's RMS deviation of the cells from a smooth speed, as a share of a cell."""
    @property
    def times(self) -> tuple[array[float], ...]:
        """For each candidate the seconds at which its cells begin and the last one ends: a value more than bits."""
    @property
    def doubts(self) -> tuple[bytes, ...]:
        """For each candidate one byte a bit: 0 sure, 255 as likely wrong as right, 16 less for each nat.

        From the cheapest reading that gives another bit there. A bit read around a spike or a lost transition is
        doubtful, and so are both neighbours of a cell that may be one too many or too few.
        """

def swipes(samples: Buffer | Iterable[float], sample_rate: float, *, candidates: int = ...) -> list[BitRun]:
    """Return the runs of a mono recording in order, each with at most `candidates` readings.

    Either polarity; runs are split at silence; what is too irregular for F2F (JITTER_MAX) is left out.
    Raises ValueError above 16,000,000 samples and outside RATE_MIN to RATE_MAX, TypeError for what are no
    numbers.
    """

def bits_from_intervals(intervals: Iterable[float], *, candidates: int = ...) -> list[BitRun]:
    """Return the runs in the times between flux transitions, in any one unit, which start and end share.

    A run ends where an interval is far longer than those before. Raises ValueError above 262,143 intervals.
    """

def clock_and_data_frames(
    samples: Buffer, sample_rate: float, clock_mask: int, data_mask: int, pause: float = ...
) -> list[BitRun]:
    """Return the frames of a logic capture, one byte a sample: data at each falling clock edge, low = 1.

    A mask selects a line of the byte. Frames are apart by more than `pause` seconds; at most 65,536 bits are
    read. A bit is in doubt (255) where its data changes at the very edge. Raises ValueError for a mask outside
    1 to 255 and a sample rate or pause that is not positive.
    """
