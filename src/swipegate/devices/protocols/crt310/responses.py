"""The responses of the CRT-310, as the text of a frame: the command and data, or a refusal."""

from collections.abc import Iterable
from dataclasses import dataclass

from swipegate.devices.protocols.framing import wipe

REFUSAL = 0x4E  # then the command's first byte, and an error code
SUCCESS = b"Y"
FAILURES = (b"N", b"E", b"W")
"""A movement failed, there is no card, the card is in the wrong place."""
FIELD, READ, BAD, UNREADABLE = b"\x1f", b"Y", b"N", b"O"

# Where the card is: S1 of the status.
LONG_CARD, SHORT_CARD, FRONT_FREE, FRONT_HELD = 0x46, 0x47, 0x48, 0x49
INSIDE, INSIDE_CONTACTED, REAR_HELD, REAR_FREE, NO_CARD = 0x4A, 0x4B, 0x4C, 0x4D, 0x4E
# What is accepted: S2 at the front, S3 at the rear.
BY_STRIPE, BY_SWITCH, PROHIBITED = 0x49, 0x4A, 0x4E


@dataclass(frozen=True, slots=True)
class Status:
    """The device's status."""

    card: int
    front: int
    rear: int

    @property
    def prohibits(self) -> bool:
        """Whether no card is taken in, at the front nor at the rear."""
        return self.front == self.rear == PROHIBITED


@dataclass(frozen=True, slots=True)
class Track:
    """What the device gives for a track. Whoever takes it wipes it."""

    code: str
    """Y, or the fault E0 to E5."""
    text: bytearray
    """Without sentinels; empty where there is a fault."""

    def __repr__(self) -> str:
        return f"Track({self.code}, {len(self.text)} bytes)"


def answers(command: bytes, response: bytes) -> bool:
    """Whether a response repeats a command, or refuses it."""
    return response.startswith(command) or (refusal(response) is not None and response[1:2] == command[:1])


def refusal(response: bytes | bytearray) -> str | None:
    """The error code of a refusal, in hexadecimal digits; None of any other response."""
    return f"{response[2]:02X}" if len(response) == 3 and response[0] == REFUSAL else None


def build_refusal(command: bytes, code: str) -> bytes:
    """The refusal of a command."""
    return bytes((REFUSAL, command[0])) + bytes.fromhex(code)


def parse_status(data: bytes | bytearray) -> Status:
    """The data of a status.

    :raises ValueError: it is none.
    """
    if len(data) != 3:
        raise ValueError("a status has not three bytes")
    return Status(*data)


def parse_tracks(data: bytearray) -> list[Track]:
    """The fields of a reading: `1F Y text`, `1F N fault`, `1F O E0`. Characters are printable, so 1F separates.

    :raises ValueError: they are none; the message has nothing of the data.
    """
    head, *fields = data.split(FIELD)
    tracks = [track for field in fields if (track := _parse_track(field)) is not None]
    if head or not fields or len(tracks) != len(fields):
        for part in (head, *fields, *(track.text for track in tracks)):
            wipe(part)
        raise ValueError("a reading has not the form of tracks")
    return tracks


def _parse_track(field: bytearray) -> Track | None:
    kind, rest = bytes(field[:1]), field[1:]
    wipe(field)
    if kind == READ:
        return Track("Y", rest)
    if kind in (BAD, UNREADABLE) and len(rest) == 1:
        return Track(f"{rest[0]:02X}", bytearray())
    wipe(rest)
    return None


def build_tracks(codes_and_texts: Iterable[tuple[str, bytes]]) -> bytes:
    """The fields of a reading; a code as in Track."""
    fields = bytearray()
    for code, text in codes_and_texts:
        if code == "Y":
            fields += FIELD + READ + text
        else:
            fields += FIELD + (UNREADABLE if code == "E0" else BAD) + bytes.fromhex(code)
    return bytes(fields)
