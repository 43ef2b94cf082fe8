"""The commands of the ICT3Q8, as the text of a frame."""

STATUS = b"C10"
SENSORS = b"C11"
SENSORS_EXPANDED = b"C12"
SENSORS_AFTER_ERROR = b"C13"
"""As SENSORS_EXPANDED, also during a mechanical error."""
ENTRY_ANY = b"C20"
"""Blocks until a card is in; cancelled with DLE EOT."""
ENTRY_MAGNETIC = b"C21"
ENTRY_REAR = b"C22"
ENABLE_ANY = b"C:0"
"""Takes cards from now on, without blocking."""
DISABLE = b"C:1"
ENABLE_MAGNETIC = b"C:2"
EJECT = b"C30"
"""To the gate."""
CAPTURE = b"C31"
RETRIEVE = b"C40"
"""Pulls the card at the gate back in, and reads it again."""
CLEAR_TRACKS = b"C66"
ENCODED_TRACKS = b"C67"
REVISION = b"CA1"
CAPTURED_COUNT = b"CC0"
CLEAR_CAPTURED_COUNT = b"CC1"

# What INITIALISE does with a card inside.
TO_GATE, TO_BIN, HOLD, AS_IT_IS = b"0", b"1", b"2", b"3"
# Behind the parameter 3240: read mode, power-down, write verification, shutter test skipped, DSR, type, compatibility.
_INITIALISE_REST = b"32400001000"
MONITOR_SECONDS_MAX = 30


def initialise(card: bytes) -> bytes:
    """Initialise, and do with a card inside as said: TO_GATE, TO_BIN, HOLD or AS_IT_IS."""
    return b"C0" + card + _INITIALISE_REST


def read_track(number: int) -> bytes:
    """Give what was read of track 1, 2 or 3 as the card came in, without sentinels and LRC."""
    return b"C6" + (b"1", b"2", b"3")[number - 1]


def read_track_once(number: int) -> bytes:
    """As read_track in a single pass; a parity error gives what was read before it."""
    return b"C6" + (b"9", b":", b";")[number - 1]


def monitor_removal(seconds: int) -> bytes:
    """Wait for the card at the gate to be taken.

    :raises ValueError: not 1 to 30 seconds.
    """
    if not 1 <= seconds <= MONITOR_SECONDS_MAX:
        raise ValueError(f"{seconds} is not 1 to {MONITOR_SECONDS_MAX} seconds")
    return b"CT0%02d" % seconds
