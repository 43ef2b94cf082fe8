"""The responses of the CRT-591, as the text of a frame."""

from dataclasses import dataclass

# Positive; negative, of which the specification prints both.
POSITIVE, NEGATIVE = b"P", (b"N", b"E")
HEADS = (POSITIVE, *NEGATIVE)

# The lane: st0 of a positive response.
NO_CARD, AT_GATE, IN_LANE = "0", "1", "2"
# The stock: st1.
EMPTY, FEW, ENOUGH = "0", "1", "2"
# The bin: st2.
BIN_FULL = "1"

_POSITIVE_SIZE, _NEGATIVE_SIZE = 6, 5


@dataclass(frozen=True, slots=True)
class Response:
    """A response."""

    positive: bool
    code: str
    """st0 st1 st2 of a positive response, e1 e0 of a negative one."""
    data: bytes


def parse(text: bytes | bytearray) -> Response:
    """A response taken apart.

    :raises ValueError: it is none.
    """
    text = bytes(text)
    positive = text[:1] == POSITIVE
    size = _POSITIVE_SIZE if positive else _NEGATIVE_SIZE
    code = text[3:size]
    if text[:1] not in HEADS or len(text) < size or not code.isalnum():
        raise ValueError("a response has no head")
    return Response(positive, code.decode("ascii"), text[size:])


def build(command: bytes, code: str, data: bytes = b"", *, positive: bool = True) -> bytes:
    """A response to a command."""
    return (POSITIVE if positive else NEGATIVE[0]) + command[1:3] + code.encode("ascii") + data
