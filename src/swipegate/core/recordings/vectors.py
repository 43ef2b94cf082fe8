"""Bit vectors in JSON: a list of {bytes, bit_count, bit_order}."""

import json

from swipegate.core.recordings import bounds
from swipegate.core.recordings.swipe import RawSwipe, RawTrack, RecordingError


def is_one(text: str) -> bool:
    """Whether a text may be a JSON list."""
    return text.startswith("[")


def load(text: str, name: str) -> object:
    """Return what a JSON text says. Raises RecordingError."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise RecordingError(name, "no valid JSON") from None


def parse(text: str, name: str) -> list[RawSwipe]:
    """Return the swipes of a list of vectors. Raises RecordingError."""
    rows = load(text, name)
    if not isinstance(rows, list):
        raise RecordingError(name, "no valid JSON list")
    if len(rows) > bounds.MAX_SWIPES:
        raise RecordingError(name, f"more than {bounds.MAX_SWIPES} swipes")
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
    if type(count) is not int or not 0 < count <= min(8 * len(octets), bounds.MAX_BITS):
        raise RecordingError(name, "bit_count: more bits than bytes hold, none, or too many")
    order = row.get("bit_order", "msb_first")
    if order not in ("msb_first", "lsb_first"):
        raise RecordingError(name, "bit_order: msb_first or lsb_first is needed")
    shifts = range(7, -1, -1) if order == "msb_first" else range(8)
    return bytes(octet >> shift & 1 for octet in octets for shift in shifts)[:count]
