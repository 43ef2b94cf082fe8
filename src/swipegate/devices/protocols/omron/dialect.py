"""Frames and handshake of the 3S4YR (1.3 to 1.6)."""

from swipegate.devices.protocols.framing import StuffedFraming
from swipegate.devices.protocols.handshake import Dialect
from swipegate.devices.protocols.responses import answers

ENQ = b"\x10\x05"
ACK = b"\x10\x06"
NAK = b"\x10\x15"
EOT = b"\x10\x04"
# 1.6: the host waits 5.02 s for an ACK, and the time in which the device turns its line round, at most 90 ms (4.1).
ACK_TIMEOUT = 5.2
# 1.6: the host waits 10 s for a response, and 3 s for all of it at 9600 bit/s.
RESPONSE_TIMEOUT = 10.0
GAP = 3.0
# 1.6: the device waits 5 s between characters.
DEVICE_GAP = 5.0
# 1.5.1: before an initial reset, where something else was sent; kept before every command.
REST = 0.015
# The longest text without a download: C, command, 360 bytes (4.20).
TEXT_MAX = 363


def framing() -> StuffedFraming:
    """The frames, and the control codes outside them; EOT interrupts a frame too (1.6)."""
    return StuffedFraming((ENQ, ACK, NAK, EOT), ends=(EOT,), text_max=TEXT_MAX)


DIALECT = Dialect(
    framing=framing,
    answers=answers,
    ack=ACK,
    nak=NAK,
    cancel=EOT,
    echoes=False,
    execute=ENQ,
    again=ENQ,
    acknowledges=False,
    ack_timeout=ACK_TIMEOUT,
    response_timeout=RESPONSE_TIMEOUT,
    gap=GAP,
)
