"""The commands of the CRP-1231, as the payload of a frame: the command, three zeros, its parameters."""

from collections.abc import Collection


def _command(code: int, parameters: bytes = b"") -> bytes:
    return bytes((code, 0, 0, 0)) + parameters


INITIALISE = _command(0x10, b"0")
INITIALISE_AND_EJECT = _command(0x10, b"1")
RESET = _command(0x10, b"2")
STATUS = _command(0x20)
CAPTURE = _command(0x33, b"200")
"""Wait for a card and pull it in; gives no data."""
TRACKS = _command(0x35)
"""Give the tracks of the last read again."""
CANCEL = _command(0x40)
EJECT = _command(0x80)
CLEAN = _command(0xA0)
DISPENSE = _command(0xB0, b"1")
"""A card from the stock to the head."""
CHECK_STOCK = _command(0xB0, b"2")
CLOSE_SHUTTER = _command(0xD0, b"0")
"""The C1231BR alone has a shutter."""
OPEN_SHUTTER = _command(0xD0, b"1")
VERSION = _command(0xF0)
CLOCK = _command(0xF1)
CHECK_BATTERY = _command(0xF5)

# How the 69 bytes of a track are meant.
SEVEN_BITS, EIGHT_BITS = b"0", b"1"
"""Characters of 7 bits whose parity the device has checked; all bits as they are."""
CHOICES = ((1,), (2,), (3,), (1, 2), (1, 3), (2, 3), (1, 2, 3))


def read(tracks: Collection[int], bits: bytes = EIGHT_BITS) -> bytes:
    """Read 69 bytes of each of these tracks of the card at the head.

    :raises ValueError: the tracks are no choice of 1, 2 and 3.
    """
    return _command(0x33, b"0" + bits + b"%d" % CHOICES.index(tuple(sorted(tracks))))
