"""Frames and handshake of the CRT-591.

The host acknowledges a response, as the specification has it; a device also goes on without.
"""

from swipegate.devices.protocols.crt591.responses import HEADS
from swipegate.devices.protocols.framing import Layout, LengthFraming, xor_of
from swipegate.devices.protocols.handshake import Dialect

ACK = b"\x06"
NAK = b"\x15"
EOT = b"\x04"
ADDRESS_MAX = 255


def answers(command: bytes, response: bytes) -> bool:
    """Whether a response repeats the command's two characters behind its head."""
    return response[:1] in HEADS and response[1:3] == command[1:3]


def dialect(address: int = 0) -> Dialect:
    """The handshake with the device of an address; frames are `F2 ADDRESS LEN LEN TEXT 03 BCC`."""
    layout = Layout(start=0xF2, address=bytes((address,)), end=b"\x03", check=xor_of)
    return Dialect(
        framing=lambda: LengthFraming(layout, (ACK, NAK, EOT)),
        answers=answers,
        ack=ACK,
        nak=NAK,
        cancel=EOT,
        again=NAK,
        ack_timeout=0.5,  # 0.3 s of the CRT-591, 0.5 s of the F3
    )
