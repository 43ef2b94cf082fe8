"""Responses that begin with a verdict: P or N, the two characters of the command, two digits, data.

Sources: Sankyo ICT3Q8 / MCT3Q8-3A0264 interface specification; OMRON GB-H-97135(A4) 3.2.
"""

from dataclasses import dataclass

# Where the card is, of a positive response.
NO_CARD, AT_GATE, INSIDE = "00", "01", "02"
HEAD_SIZE = 5  # P or N, command, parameter, two digits


@dataclass(frozen=True, slots=True)
class Response:
    """A response. Whoever takes it wipes it."""

    positive: bool
    code: str
    """The two digits: of a positive response where the card is, of a negative one what is wrong."""
    data: bytearray

    def __repr__(self) -> str:
        return f"Response({'P' if self.positive else 'N'}, {self.code}, {len(self.data)} bytes)"


def parse(text: bytes | bytearray) -> Response:
    """A response taken apart.

    :raises ValueError: it is none; the message has nothing of its data.
    """
    if len(text) < HEAD_SIZE or text[0] not in b"PN" or not bytes(text[1:HEAD_SIZE]).isascii():
        raise ValueError("a response has no head")
    code = bytes(text[3:HEAD_SIZE]).decode("ascii")
    return Response(text[0] == ord("P"), code, bytearray(text[HEAD_SIZE:]))


def build(command: bytes, code: str, data: bytes = b"", *, positive: bool = True) -> bytes:
    """A response to a command."""
    return (b"P" if positive else b"N") + command[1:3] + code.encode("ascii") + data


def answers(command: bytes, response: bytes) -> bool:
    """Whether a response repeats the command's two characters behind its P or N."""
    return response[:1] in (b"P", b"N") and response[1:3] == command[1:3]
