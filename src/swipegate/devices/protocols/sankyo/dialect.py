"""Frames and handshake of the ICT3Q8."""

import binascii

from swipegate.devices.protocols.framing import Layout, LengthFraming
from swipegate.devices.protocols.handshake import Dialect
from swipegate.devices.protocols.responses import answers

ACK = b"\x06"
NAK = b"\x15"
DLE_EOT = b"\x10\x04"
# A host leaves a device this long between a response and the next command; seconds.
REST = 0.005


def crc(data: bytes) -> bytes:
    """CRC-16/XMODEM (polynomial 1021, start 0), the high byte first."""
    return binascii.crc_hqx(data, 0).to_bytes(2, "big")


LAYOUT = Layout(start=0xF2, check=crc, check_size=2, text_max=1024)


def framing() -> LengthFraming:
    """The frames `F2 LEN LEN TEXT CRC CRC`, and the control codes outside them."""
    return LengthFraming(LAYOUT, (ACK, NAK, DLE_EOT))


DIALECT = Dialect(framing=framing, answers=answers, ack=ACK, nak=NAK, cancel=DLE_EOT, again=NAK)
