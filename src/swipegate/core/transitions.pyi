"""First half of the signal stage: audio samples -> flux transitions. `flux` goes on from there.

Compiled; the signatures for other compiled stages, and who owns what, are in transitions.pxd.

Thread-safety: all of it; nothing is shared between calls.
"""

from collections.abc import Iterable
from typing import Final

from typing_extensions import Buffer

RATE_MIN: Final[float]
"""Least sample rate in Hz."""
RATE_MAX: Final[float]
"""Greatest sample rate in Hz."""

def transitions(samples: Buffer | Iterable[float], sample_rate: float) -> list[tuple[float, int]]:
    """Return the flux transitions: seconds, and 1 or -1 for the peak's sign. Raises as flux.swipes does."""
