"""Frames and handshake of the CRT-310."""

from swipegate.devices.protocols.crt310.responses import answers
from swipegate.devices.protocols.framing import Layout, LengthFraming, xor_of
from swipegate.devices.protocols.handshake import Dialect

EOT = b"\x04"
"""In place of ENQ; echoed."""
ENQ = b"\x05"
ACK = b"\x06"
NAK = b"\x15"

LAYOUT = Layout(start=0x02, check=xor_of, end=b"\x03", text_max=266)


def framing() -> LengthFraming:
    """The frames `02 LEN LEN TEXT 03 BCC`, and the control codes outside them."""
    return LengthFraming(LAYOUT, (EOT, ENQ, ACK, NAK))


# No times are known of it; these are those of the maker's CRT-591.
DIALECT = Dialect(
    framing=framing,
    answers=answers,
    ack=ACK,
    nak=NAK,
    cancel=EOT,
    execute=ENQ,
    acknowledges=False,
    ack_timeout=0.5,
    response_timeout=20.0,
)
