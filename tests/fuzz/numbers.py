"""Fuzz target: any card formats over any text, against the reference matcher."""

import re
from collections.abc import Iterator

from google.protobuf.message import DecodeError

from swipegate.core import BUILTIN_FORMATS, MAX_TEXT, FormatSet, compile_formats, decode, tracks
from swipegate.v1.card_format_pb2 import CardFormat
from tests.fuzz import vectors
from tests.fuzz.target import Source, Target
from tests.reference import numbers as reference
from tests.reference import tracks as reference_tracks

MOST_FORMATS = 3


def check_explanation(compiled: FormatSet, text: bytes) -> None:
    """Assert that what is explained of a decoded line is what it gives, and says nothing of it unless asked."""
    decoded = decode(text, compiled)
    found = [decoded.card_number] if decoded.HasField("card_number") else []
    verdicts = compiled.explain(decoded, True)
    assert [one.name for one in verdicts] == list(compiled.names)
    assert [one.card_number for one in verdicts if one.first] == found
    assert all(one.fits != bool(one.mismatch.reason) for one in verdicts)
    for told, silent in zip(verdicts, compiled.explain(decoded), strict=True):
        assert not silent.HasField("card_number")
        assert not silent.mismatch.text
        assert (silent.fits, silent.mismatch.reason) == (told.fits, told.mismatch.reason)


def check(data: bytes) -> None:
    source = Source(data)
    formats = []
    kind = source.byte()
    for index in range(1 + kind // 4 % MOST_FORMATS):
        try:
            one = CardFormat.FromString(source.take(source.byte()))
        except DecodeError:
            return
        one.name = f"format-{index}"
        formats.append(one)
    text = source.rest()[:MAX_TEXT]
    try:
        compiled = compile_formats(formats)
    except ValueError as error:
        assert str(error).startswith("card_formats[")  # noqa: PT017 - any other is a finding
        return
    number = kind % 4
    found = compiled.match(text, number)
    if re.search(rb"[^ -~]", text):
        return  # the reference reads printed texts, in which it is a question mark
    read = [tracks.parse(text, number)] if number else tracks.split(text)
    pieces = []
    for track in read:
        pieces.append(reference_tracks.parse_piece(track.text, track.number))
        pieces[-1].error_set |= set(track.errors)
    assert found == reference.match(formats, pieces)
    check_explanation(compiled, text)


def seeds() -> Iterator[bytes]:
    packed = []
    for one in BUILTIN_FORMATS:
        short = CardFormat()
        short.CopyFrom(one)
        short.ClearField("description")
        short.ClearField("name")
        packed.append(bytes([len(short.SerializeToString())]) + short.SerializeToString())
    for index, text in enumerate(vectors.texts()):
        yield bytes([0]) + packed[index % len(packed)] + text.encode()
        three = b"".join(packed[(index + step) % len(packed)] for step in range(3))
        yield bytes([8 + 2]) + three + text.encode()


TARGET = Target(
    name="numbers",
    seeds=seeds,
    check=check,
    longest=256 + MAX_TEXT,
    blocks=20_000,
    blocks_a_byte=500,
    replays=3_000,
    words=(b"\x08\x01", b"\x10\x05", b"\x18\x08", b"\x20\x0c", b";", b"=", b"?", b"%B", b"^", b"1570"),
)
