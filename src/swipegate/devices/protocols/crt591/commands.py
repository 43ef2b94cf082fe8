"""The commands of the CRT-591, as the text of a frame."""

STATUS = b"C10"
SENSORS = b"C11"
HOLD = b"C20"
"""To the gate, and hold it there."""
PICK = b"C21"
"""To the position of the chip's contacts; from the stock where the lane is empty."""
PICK_CONTACTLESS = b"C22"
"""As PICK, to the position of the aerial."""
RETAIN = b"C23"
"""To the bin."""
OUT = b"C29"
"""Out of the gate."""
ENTRY_ON = b"C30"
ENTRY_OFF = b"C31"
SERIAL_NUMBER = b"C\xa20"
VERSION = b"C\xa40"
RETAINED_COUNT = b"C\xa50"
CLEAR_RETAINED_COUNT = b"C\xa51"

# What `initialise` does with a card in the lane.
TO_GATE, TO_BIN, AS_IT_IS = b"0", b"1", b"3"


def initialise(card: bytes) -> bytes:
    """Initialise, and do with a card in the lane as said: TO_GATE, TO_BIN or AS_IT_IS."""
    return b"C0" + card
