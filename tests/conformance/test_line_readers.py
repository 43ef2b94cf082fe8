"""Readers that print: our vectors, then every published line and case that is here."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from swipegate.devices.drivers.line import judge
from swipegate.devices.errors import Reason
from swipegate.devices.protocols.line.swipe import parse
from tests.conformance.line_vectors import LINES

SHARED = Path(os.environ.get("SWIPEGATE_SHARED", Path(__file__).parents[3] / "shared"))
ERROR = "ERROR"


def read(line: bytes) -> list[str | None]:
    """What a driver hands on: texts, the names of reasons, None for a blank track."""
    tracks = judge(parse(bytearray(line)), (1, 2, 3)).tracks
    return [
        track.text.decode()
        if track.text is not None
        else None
        if track.error is Reason.NO_ENCODING
        else track.error
        for track in tracks
    ]


@pytest.mark.parametrize(("line", "tracks"), [row[1:] for row in LINES], ids=[row[0] for row in LINES])
def test_a_line_reads_as_its_source_says(line: str, tracks: tuple[str | None, ...]) -> None:
    assert tuple(read(line.encode())) == tracks


def rows_of(path: str) -> list[dict[str, Any]]:
    file = SHARED / path
    if not file.is_file():
        pytest.skip(f"{file} is not here")
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_every_published_line() -> None:
    rows = rows_of("traces/line_swipe.jsonl")
    assert len(rows) == 5
    for row in rows:
        tracks = read(bytes.fromhex(row["hex"]))
        expect = row.get("expect")
        if row["id"].endswith("all_err"):
            expect = dict.fromkeys(("t1", "t2", "t3"), ERROR)
        data = [ERROR if track == Reason.NOT_READ else track and track[1:-1] for track in tracks]
        if expect is None:  # a shape alone: as many tracks as it has end sentinels
            assert sum(track is not None for track in data) == row["hex"].count("3F"), row["id"]
        else:
            assert data == [expect["t1"], expect["t2"], expect["t3"]], row["id"]


def test_every_published_case_of_a_text() -> None:
    rows = [row for row in rows_of("cases/reader_frames.jsonl") if row["kind"] == "reader_text"]
    assert len(rows) == 4
    for row in rows:
        tracks, expect = read(row["input"].encode()), row["expect"]
        if "keyboard_layout_suspected" in expect:  # typed, not sent; no track of it is to be trusted
            assert not any(track and track[0] in "%;+" for track in tracks)
            continue
        for number, track in enumerate(tracks, start=1):
            if expect.get(f"track{number}_error"):
                assert track == Reason.NOT_READ, row["id"]
            else:
                assert (track and track[1:-1]) == expect.get(f"track{number}_raw"), row["id"]
