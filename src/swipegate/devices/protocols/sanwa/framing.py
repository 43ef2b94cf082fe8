"""Frames `02 LEN PAYLOAD 03 SUM`.

LEN counts itself, the payload and 03; SUM is the exclusive or of all that, LEN included.
"""

from swipegate.devices.protocols.framing import Layout, LengthFraming, xor_of

ENQ = b"\x05"
"""The host wants to know how its job stands."""
ACK = b"\x06"
NAK = b"\x15"

LAYOUT = Layout(
    start=0x02, length_size=1, length_adds=2, end=b"\x03", check=xor_of, check_from=1, text_max=253
)
# The longest pause inside a frame, seconds.
GAP = 0.25


def framing() -> LengthFraming:
    """The frames, and the control codes outside them."""
    return LengthFraming(LAYOUT, (ENQ, ACK, NAK))
