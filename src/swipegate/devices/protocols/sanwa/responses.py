"""The responses of the CRP-1231, as the payload of a frame: the command, R, P, S, data."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from swipegate.devices.errors import Reason

TRACK_BYTES = 69
HEAD_SIZE = 4


class Model(enum.StrEnum):
    """They differ in the byte R."""

    LR = "lr"
    """C1231LR."""
    BR = "br"
    """C1231BR: a shutter; R has bits."""


class Place(enum.Enum):
    """Where a card is."""

    NOWHERE = enum.auto()
    SLOT = enum.auto()
    HEAD = enum.auto()
    PRINTER = enum.auto()
    DISPENSER = enum.auto()


# R of the LR; the low five bits of R of the BR.
LR_PLACES = {
    0x30: Place.NOWHERE,
    0x34: Place.SLOT,
    0x31: Place.HEAD,
    0x32: Place.PRINTER,
    0x33: Place.DISPENSER,
}
BR_PLACES = {
    0x00: Place.NOWHERE,
    0x01: Place.SLOT,
    0x18: Place.HEAD,
    0x07: Place.PRINTER,
    0x1C: Place.DISPENSER,
}
BR_PLACE_MASK = 0x1F
BR_SHUTTER_OPEN, BR_SHUTTER_CLOSED, BR_STOCK = 0x80, 0x40, 0x20

# P: what went wrong.
WELL = 0x30
READ_ERROR = 0x31
ILLEGAL = 0x38
UNREAD_TRACKS = {(1,): 0x51, (2,): 0x52, (3,): 0x53, (1, 2): 0x54, (1, 3): 0x55, (2, 3): 0x56}
ERRORS: Mapping[int, Reason] = {
    READ_ERROR: Reason.NOT_READ,
    0x32: Reason.NOT_READ,  # write
    0x33: Reason.JAM,
    0x34: Reason.MOTOR,
    0x35: Reason.MOTOR,  # the printer, which nobody asked to print
    ILLEGAL: Reason.DESYNC,  # cannot be carried out as things are
    0x40: Reason.POWER_DOWN,  # battery
    0x41: Reason.NOT_INITIALISED,  # of the system
    **dict.fromkeys(UNREAD_TRACKS.values(), Reason.NOT_READ),
}
# P: tracks were not read, and which; all where it does not say.
UNREAD = frozenset({READ_ERROR, *UNREAD_TRACKS.values()})

# S: how the job stands.
NO_JOB, ILLEGAL_COMMAND, RUNNING, WAITING_FOR_CARD = 0x30, 0x32, 0x33, 0x34
STOCK_EMPTY, NO_DISPENSER, STOCK_PRESENT = 0x35, 0x36, 0x37
UNDER_WAY = frozenset({RUNNING, WAITING_FOR_CARD})
JOB_ERRORS: Mapping[int, Reason] = {
    ILLEGAL_COMMAND: Reason.DESYNC,
    STOCK_EMPTY: Reason.STOCK_EMPTY,
    NO_DISPENSER: Reason.NO_DISPENSER,
}


@dataclass(frozen=True, slots=True)
class Response:
    """A response. Whoever takes it wipes it."""

    r: int
    p: int
    s: int
    data: bytearray

    def __repr__(self) -> str:
        return f"Response({self.code}, {len(self.data)} bytes)"

    @property
    def code(self) -> str:
        """All three status bytes."""
        return f"R{self.r:02X} P{self.p:02X} S{self.s:02X}"

    def place(self, model: Model) -> Place | None:
        """Where a card is; None where R is none that a device has."""
        if model is Model.BR:
            return BR_PLACES.get(self.r & BR_PLACE_MASK)
        return LR_PLACES.get(self.r)


def parse(payload: bytes | bytearray) -> Response:
    """A response taken apart.

    :raises ValueError: it is none; the message has nothing of its data.
    """
    if len(payload) < HEAD_SIZE:
        raise ValueError("a response has no head")
    _, r, p, s = payload[:HEAD_SIZE]
    return Response(r, p, s, bytearray(payload[HEAD_SIZE:]))


def build(command: bytes, r: int, p: int = WELL, s: int = NO_JOB, data: bytes = b"") -> bytes:
    """A response to a command."""
    return command[:1] + bytes((r, p, s)) + data
