"""The commands of the 3S4YR, as the text of a frame (3.3)."""

STATUS = b"C10"
SENSORS = b"C11"
PERMIT_ANY = b"C:0"
"""Takes cards from now on, without blocking."""
DENY = b"C:1"
PERMIT_MAGNETIC = b"C:2"
INTAKE_ANY = b"C20"
"""Blocks until a card is in, or the time of W0 is over; interrupted with DLE EOT."""
INTAKE_MAGNETIC = b"C21"
RETURN = b"C30"
"""To the takeout position, which is the gate."""
CAPTURE = b"C31"
"""Out at the rear end, where the bin is; counted."""
CAPTURED_COUNT = b"CQ0"
VERSION = b"CV0"
FORMAT_DATA, FORMAT_SENTINELS = b"CS00", b"CS01"
"""Tracks without their sentinels, as after power-on, and with them."""

# What an initial reset does with a card inside: 00, 01, 02. With 04, 05, 06 it leaves the shutter alone.
TO_GATE, TO_BIN, HOLD = b"0", b"1", b"2"
ALL_TRACKS = b"7"


def initial_reset(card: bytes, settings: bytes = b"") -> bytes:
    """Initialise, and do with a card inside as said: TO_GATE, TO_BIN or HOLD.

    `settings` (4.1): how long the device turns its line round, and what becomes of a card after a power failure.
    """
    return b"C0" + card + settings


def read_track(number: int) -> bytes:
    """Give what was read of track 1, 2 or 3 as the card came in; what was not read is read anew by moving the card."""
    return b"C6" + (b"1", b"2", b"3")[number - 1]


def fetch_tracks(choice: bytes) -> bytes:
    """As read_track for several tracks in one response (Data F); `choice` as in 4.2, such as ALL_TRACKS."""
    return b"C6A" + choice
