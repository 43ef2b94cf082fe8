"""Fuzz target: any text or line of tracks, against the reference parser."""

import contextlib
import re
from collections.abc import Iterator

from swipegate.core import MAX_TEXT, symbols, tracks
from swipegate.v1 import track_pb2 as v1
from tests.fuzz import vectors
from tests.fuzz.target import Source, Target
from tests.reference import tracks as reference

ANSWERS = ("text", "number", "standard", "errors", "allowances", "luhn_ok", "fields")
STARTS = ({"%", ";", "+"}, {"%"}, {";"}, {";"})
"""By track number, the start sentinels of what the reference parser reads too."""
DERIVED = {"jurisdiction", "licence_number", "expiry_date", "birth_date"}
"""Fields that stand for something on the track, but not on it."""
LINE_TRACKS = 8
"""Most tracks of a line."""


def check_track(track: tracks.ParsedTrack, line: str) -> None:
    """Assert what holds of one track of a line."""
    assert track.text in line
    for name, value in track.fields.items():
        if name in DERIVED:
            continue
        assert value
        assert value in (track.text.replace(" ", "") if name == "pan" else track.text), name
    if "pan" in track.fields:
        assert 1 <= len(track.fields["pan"]) <= 19
        assert track.luhn_ok in (None, tracks.luhn_ok(track.fields["pan"]))
    if track.lrc_character and not track.errors:
        assert track.lrc == v1.LRC_STATUS_OK
    padded = v1.TRACK_ALLOWANCE_PADDING in track.allowances  # which is none of the characters
    if track.lrc == v1.LRC_STATUS_OK and track.text[-1:] == "?" and not padded:
        framed = [(5, f";{data}?") for data in bodies(track.text)] + [
            (7, f"%{data}?") for data in bodies(track.text)
        ]
        assert any(track.lrc_character == lrc_or_none(text, width) for width, text in framed)


def bodies(text: str) -> tuple[str, str]:
    """A text up to its end sentinel, behind its start sentinel and without one."""
    return text[1:-1], text[:-1]


def lrc_or_none(text: str, width: int) -> str | None:
    with contextlib.suppress(ValueError):
        return symbols.lrc(text, width)
    return None


def check_written(track: tracks.ParsedTrack) -> None:
    """Assert that a clean bank track is what its fields encode to."""
    names = {"pan", "expiry", "service_code", "discretionary"}
    if track.errors or track.allowances or track.standard != v1.TRACK_STANDARD_ISO7813_TRACK2:
        return
    fields = {name: text for name, text in track.fields.items() if name in names}
    if not set(";?") & set(fields.get("discretionary", "")):
        assert tracks.encode_track2(**fields) == track.text


def check_twin(found: tracks.ParsedTrack, text: bytes, number: int) -> None:
    """Assert that the reference parser makes the same of a text that is one track without framing."""
    line = text.decode("latin-1")
    framed = b"?" in text[:-1] or re.search(rb"[\x00-\x1f\x7f]", text)
    if framed or line[:1] not in STARTS[number] or line[1:].rstrip("?") == "E":
        return
    if not number and line[0] == "%" and ";" in line:
        return
    twin = reference.parse_piece(line, number)
    for name in ANSWERS:
        wanted = getattr(twin, name)
        if name == "fields":
            wanted = {field: printable(value.encode("latin-1")) for field, value in wanted.items()}
        assert getattr(found, name) == wanted, name


def printable(text: bytes) -> str:
    return "".join(chr(byte) if 0x20 <= byte <= 0x7E else "?" for byte in text)


def check(data: bytes) -> None:
    source = Source(data)
    number = source.byte() % 4
    text = source.rest()[:MAX_TEXT]
    found = tracks.split(text)
    assert 1 <= len(found) <= LINE_TRACKS
    one = tracks.parse(text, number)
    check_twin(one, text, number)
    for track in (one, *found):
        check_track(track, printable(text))
        check_written(track)


def seeds() -> Iterator[bytes]:
    long = (word * 512 for word in ("%?", ";?", ";1?", "%", ";", "?", "^", "=", " ", "1"))
    for text in (*vectors.texts(), *long):
        for kind in range(4):
            yield bytes([kind]) + text.encode()[:MAX_TEXT]


WORDS = b"%B,;,?,=,^,/,+,#,!,&,@,%E?,;E?,D,B4,b5,\r\n,\x02,\x03,636010,59,0000,9912,101,F00, ,."
TARGET = Target(
    name="tracks",
    seeds=seeds,
    check=check,
    longest=1 + MAX_TEXT,
    # 140 a byte is the most seen, by texts of 40 bytes of which everything is checked; of long ones 20.
    blocks=8_000,
    blocks_a_byte=200,
    replays=4_000,
    words=(*WORDS.split(b","), b"4111111111111111"),
)
