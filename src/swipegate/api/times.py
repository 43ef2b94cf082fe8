"""Times on the wire."""

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from swipegate.domain.errors import invalid

SECOND = 1_000_000
NANOSECONDS = 1_000_000_000
"""In a second."""
_MAX_SECONDS = 253_402_300_799
"""9999-12-31T23:59:59Z, the last second of a Timestamp."""


def timestamp(microseconds: int) -> Timestamp:
    """Microseconds since 1970 as a Timestamp."""
    return Timestamp(seconds=microseconds // SECOND, nanos=microseconds % SECOND * 1000)


def microseconds(field: str, time: Timestamp) -> int:
    """A Timestamp as microseconds since 1970; INVALID_FIELD outside years 1970 to 9999."""
    if not 0 <= time.seconds <= _MAX_SECONDS or not 0 <= time.nanos < NANOSECONDS:
        raise invalid(field, "must be a time of the years 1970 to 9999")
    return time.seconds * SECOND + time.nanos // 1000


def seconds(field: str, duration: Duration) -> float:
    """A Duration in seconds; INVALID_FIELD for nanoseconds that a Duration of 1 s or more cannot have."""
    if not 0 <= duration.nanos < NANOSECONDS:
        raise invalid(field, f"must have 0 to {NANOSECONDS - 1} nanos")
    return float(duration.seconds + duration.nanos / NANOSECONDS)
