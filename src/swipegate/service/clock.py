"""Time as everything above the store counts it."""

import time
from collections.abc import Callable

SECOND = 1_000_000
"""In the unit of every stored time."""

Clock = Callable[[], int]


def now() -> int:
    """Microseconds since 1970, UTC."""
    return time.time_ns() // 1000
