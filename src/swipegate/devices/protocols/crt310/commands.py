"""The commands of the CRT-310, as the text of a frame: command, parameter, data."""

RESET_KEEP, RESET_FRONT, RESET_REAR = b"\x30\x30", b"\x30\x31", b"\x30\x32"
"""What becomes of a card inside; cards are accepted from then on."""
STATUS = b"\x31\x30"
PROHIBIT = b"\x2f\x31\x31"
"""No card in, at the front and at the rear."""
ACCEPT_MAGNETIC = b"\x2f\x32\x31"
"""At the front: what has a magnetic stripe and presses the switch."""
ACCEPT_ANY = b"\x2f\x33\x31"
"""At the front: what presses the switch."""
STOP_INSIDE = b"\x2e\x32"
"""A card that comes in stops inside."""
EJECT = b"\x32\x30"
EJECT_AND_HOLD = b"\x32\x31"
"""To the front, held until it is pulled."""
ASCII = b"\x30"
ALL_TRACKS = b"\x37"


def read_track(number: int) -> bytes:
    """Give what was read of track 1, 2 or 3 as the card came in, as characters."""
    return read_tracks((b"\x31", b"\x32", b"\x33")[number - 1])


def read_tracks(choice: bytes) -> bytes:
    """As read_track for several tracks in one response; `choice` such as ALL_TRACKS."""
    return b"\x45\x30" + ASCII + choice


def read_again(choice: bytes) -> bytes:
    """As read_tracks, by moving the card under the head anew."""
    return b"\x45\x31" + ASCII + choice
