"""What MSR206 / MSR605 readers answer to a read, kept in a file: bytes, hexadecimal digits, or JSON.

An answer is `1B 73`, a field a track, `3F 1C`, `1B status`. The field of a raw read is `1B track length` and so many
bytes, the first bit of the stripe in the top bit; that of an ISO read is `1B track` and the characters, with `1B 2B`
for no data and `1B 2A` for unreadable (MSR605 programmer's manual, section 6; its `3F` closes the block, no track).
JSON is an object with track1 to track3: bytes as characters, or as digits below raw.tracks (Doridian/libMSRx05
msr.py, deathzombee/msr-py msr.py), or iso_track1 to iso_track3 or sentinels: texts.
"""

import re
from collections.abc import Mapping

from swipegate.core import symbols
from swipegate.core.recordings import bounds, vectors
from swipegate.core.recordings.swipe import RawSwipe, RawTrack, RecordingError

START = b"\x1bs\x1b\x01"
END = b"?\x1c"
STATUS_OK = b"\x1b0"
ESC = 0x1B
TRACKS = (1, 2, 3)
MAX_FIELD_BYTES = 255
"""Of a raw field: its length is one byte."""
SEPARATORS = str.maketrans("", "", " \t\r\n\v\f,;:-")
"""What may stand between pairs of hexadecimal digits."""
ISO_FIELD = rb"(\x1b[+*]|[^\x1b\x1c]{0,255})"
ISO_BLOCK = re.compile(
    rb"\x1bs\x1b\x01" + ISO_FIELD + rb"\x1b\x02" + ISO_FIELD + rb"\x1b\x03" + ISO_FIELD + rb"\?\x1c"
)
NO_DATA, UNREADABLE = b"\x1b+", b"\x1b*"
UNREADABLE_TEXT = {1: "%E?", 2: ";E?", 3: "+E?"}
"""What keyboard-wedge readers print of a track that did not read."""
SENTINELS = re.compile(r"[%;+].*\?", re.DOTALL)


def is_one(data: bytes) -> bool:
    """Whether a file is the bytes of an answer."""
    return data.startswith(START)


def is_hex(text: str) -> bool:
    """Whether a text is an answer in hexadecimal digits, whatever stands between them."""
    return _digits_of(text[:64]).startswith(START.hex())


def is_json(text: str) -> bool:
    """Whether a text may be a JSON object."""
    return text.startswith("{")


def parse(data: bytes, name: str) -> list[RawSwipe]:
    """Return a swipe for each answer that has a track. Raises RecordingError."""
    swipes = []
    place = data.find(START)
    for number in range(1, bounds.MAX_SWIPES + 1):
        found = _raw_block(data, place) or _iso_block(data, place)
        if found is None:
            raise RecordingError(name, f"MSR answer {number} is damaged or cut off")
        tracks, end = found
        if tracks:
            swipes.append(RawSwipe(tuple(tracks)))
        place = data.find(START, end)  # a status, and stale bytes, may stand between
        if place < 0:
            return swipes
    raise RecordingError(name, f"more than {bounds.MAX_SWIPES} MSR answers")


def parse_hex(text: str, name: str) -> list[RawSwipe]:
    """Return the swipes of answers in hexadecimal digits. Raises RecordingError."""
    try:
        data = bytes.fromhex(_digits_of(text))
    except ValueError:
        raise RecordingError(name, "MSR answer: pairs of hexadecimal digits are needed") from None
    return parse(data, name)


def _digits_of(text: str) -> str:
    return text.lower().translate(SEPARATORS).replace("0x", "").replace("\\x", "")


def _raw_block(data: bytes, place: int) -> tuple[list[RawTrack], int] | None:
    """Return the tracks of a raw read and the place after it; the payload may hold any byte, so lengths lead."""
    tracks = []
    place += 2
    for number in TRACKS:
        head = data[place : place + 3]
        if len(head) < 3 or head[:2] != bytes((ESC, number)):
            return None
        payload = data[place + 3 : place + 3 + head[2]]
        place += 3 + head[2]
        if payload:
            tracks.append(RawTrack(number, bits=symbols.unpack(payload)))
    return (tracks, place + len(END)) if data[place : place + len(END)] == END else None


def _iso_block(data: bytes, place: int) -> tuple[list[RawTrack], int] | None:
    block = ISO_BLOCK.match(data, place)
    if block is None:
        return None
    tracks = []
    for number, field in zip(TRACKS, block.groups(), strict=True):
        if field == UNREADABLE:
            tracks.append(RawTrack(number, text=UNREADABLE_TEXT[number]))
        elif field and field != NO_DATA:
            tracks.append(RawTrack(number, text=field.decode("latin-1")))
    return tracks, block.end()


def parse_json(text: str, name: str) -> list[RawSwipe]:
    """Return the one swipe of a JSON object. Raises RecordingError."""
    document = vectors.load(text, name)
    if not isinstance(document, dict):
        raise RecordingError(name, "no valid JSON object")
    raw = document.get("raw")
    packed = raw.get("tracks") if isinstance(raw, dict) else None
    if isinstance(packed, dict):
        tracks = [_digits(number, packed.get(f"track{number}"), name) for number in TRACKS]
    else:
        tracks = [_characters(number, document, name) for number in TRACKS]
    found = tuple(track for track in tracks if track is not None)
    return [RawSwipe(found)] if found else []


def _digits(number: int, value: object, name: str) -> RawTrack | None:
    if value is None or value == "":
        return None
    try:
        payload = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        payload = b""
    if not 0 < len(payload) <= bounds.MAX_BITS // 8:
        raise RecordingError(name, f"raw.tracks.track{number}: pairs of hexadecimal digits are needed")
    return RawTrack(number, bits=symbols.unpack(payload))


def _characters(number: int, document: Mapping[str, object], name: str) -> RawTrack | None:
    for key in (f"track{number}", f"iso_track{number}"):
        value = document.get(key)
        if value is None or value == "":
            continue
        if not isinstance(value, str) or len(value) > bounds.MAX_TEXT:
            raise RecordingError(name, f"{key}: a string of at most {bounds.MAX_TEXT} characters is needed")
        try:
            octets = value.encode("latin-1")
        except ValueError:
            raise RecordingError(name, f"{key}: characters that are bytes are needed") from None
        if key.startswith("iso") or SENTINELS.fullmatch(value):
            return RawTrack(number, text=value)
        return RawTrack(number, bits=symbols.unpack(octets))
    return None


def build(tracks: Mapping[int, bytes]) -> bytes:
    """Return the answer to a raw read of tracks of bits, one byte a bit, by number.

    Raises ValueError for a track of more than 255 bytes or another number than 1 to 3.
    """
    if set(tracks) - set(TRACKS):
        raise ValueError("tracks: 1, 2 and 3 are known")
    answer = START[:2]
    for number in TRACKS:
        packed = symbols.pack(tracks.get(number, b""))
        if len(packed) > MAX_FIELD_BYTES:
            raise ValueError(f"track {number}: {len(packed)} bytes are over the {MAX_FIELD_BYTES} of a field")
        answer += bytes((ESC, number, len(packed))) + packed
    return answer + END + STATUS_OK
