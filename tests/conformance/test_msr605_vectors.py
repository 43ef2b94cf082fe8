"""The MSR605's frames, byte for byte: our vectors, then every published frame and case that is here."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from swipegate.devices.drivers.msr605 import judge_block
from swipegate.devices.errors import Reason
from swipegate.devices.protocols.msr605 import commands
from swipegate.devices.protocols.msr605.blocks import Block, BlockError, Mark, Status, parse_block
from swipegate.devices.protocols.msr605.commands import Command
from swipegate.devices.protocols.msr605.hid import ReportError, ReportUnpacker, pack_reports
from swipegate.devices.protocols.msr605.host import Msr605Host, Reply
from tests.conformance.msr605_vectors import BLOCKS, ERROR, READ_TO_WRITE, REFUSED_BLOCKS, BlockVector

SHARED = Path(os.environ.get("SWIPEGATE_SHARED", Path(__file__).parents[3] / "shared"))

STATUS_NAMES = {"ok": Status.OK, "read_write_error": Status.READ_WRITE_ERROR, "0": Status.OK}


def _tracks(block: Block) -> tuple[str | None, ...]:
    told = {Mark.NO_DATA: None, Mark.UNREADABLE: ERROR}
    return tuple(
        told[field.mark] if field.mark in told else field.data.hex() if block.raw else field.data.decode()
        for field in block.fields
    )


@pytest.mark.parametrize("vector", BLOCKS, ids=lambda vector: vector.source)
def test_block_reads_as_its_source_says(vector: BlockVector) -> None:
    block = parse_block(bytes.fromhex(vector.hex), raw=vector.raw)
    assert _tracks(block) == vector.tracks
    assert block.status == vector.status


@pytest.mark.parametrize(("source", "frame"), REFUSED_BLOCKS)
def test_what_is_no_block_is_refused(source: str, frame: str) -> None:
    with pytest.raises(BlockError):
        parse_block(bytes.fromhex(frame), raw=False)


@pytest.mark.parametrize(("read", "write"), READ_TO_WRITE)
def test_raw_read_turns_into_raw_write(read: str, write: str) -> None:
    assert commands.raw_read_to_write(bytes.fromhex(read)).hex() == write


def _rows(path: str) -> list[dict[str, Any]]:
    """Rows of a published file; none where it is absent."""
    file = SHARED / path
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


def _absent(path: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not (SHARED / path).is_file(), reason=f"{SHARED / path} is not here")


TRACES = "traces/msr605.jsonl"
BUILT: dict[str, Command] = {
    "comm_test": commands.COMMUNICATION_TEST,
    "read_iso": commands.READ_ISO,
    "read_raw": commands.READ_RAW,
    "led_off": commands.LEDS_OFF,
    "led_red": commands.LED_RED,
    "sensor_test": commands.SENSOR_TEST,
    "ram_test": commands.RAM_TEST,
    "leading_zero_set_default": commands.set_leading_zeros(61, 22),
    "fw": commands.GET_FIRMWARE,
    "hico": commands.SET_HICO,
    "loco": commands.SET_LOCO,
    "bpi_t1_75": commands.set_bpi(1, 75),
    "bpi_t2_75": commands.set_bpi(2, 75),
    "bpi_t3_75": commands.set_bpi(3, 75),
    "bpc_888": commands.set_bpc(8, 8, 8),
    "bpc_755": commands.set_bpc(7, 5, 5),
    "iso_write_sample": commands.write_iso("%ABC123?", ";12345?", ";12345?"),
    "raw_write_t1_bpc7": commands.write_raw(
        bytes.fromhex("4561622351 52131F2A"), *[bytes.fromhex("0B01021304151F15")] * 2
    ),
    "s.cancel_read.0": commands.READ_ISO,
    "s.cancel_read.1": commands.RESET,
    "s.cancel_read.2": commands.COMMUNICATION_TEST,
}
# What a device says alone, and the command it answers.
ANSWERS: dict[str, Command] = {
    "comm_ok": commands.COMMUNICATION_TEST,
    "s.cancel_read.3": commands.COMMUNICATION_TEST,
    "rw_err": commands.write_iso(track2="1"),
    "fmt_err": commands.write_iso(track2="1"),
    "bad_cmd": commands.SET_HICO,
    "bad_swipe": commands.write_iso(track2="1"),
}


@_absent(TRACES)
def test_every_published_frame_is_built_or_parsed() -> None:
    rows = _rows(TRACES)
    assert len(rows) == 33
    for row in rows:
        name, frame = row["id"].removeprefix("msr605."), bytes.fromhex(row["hex"])
        if row["dir"] == "host>dev":
            assert BUILT[name].frame == frame, name
        elif name in ANSWERS:
            host = Msr605Host()
            host.request(ANSWERS[name], 1, 0.0, 1.0)
            assert host.receive(frame, 0.0) == [Reply(1, frame[1:])], name
        else:
            _check_block_row(name, frame, row.get("expect"))


def _check_block_row(name: str, frame: bytes, expect: dict[str, str | None] | None) -> None:
    raw = name.startswith("raw_")
    block = parse_block(frame, raw=raw)
    assert block.status == Status.OK, name
    if expect is None:
        assert name == "iso_read_stale_tail"
        assert _tracks(block) == ("%ABC123?", ";12345?", ";12345?")
        return
    for number, track in enumerate(_tracks(block), start=1):
        wanted = expect[f"t{number}_raw"] if raw else expect[f"t{number}"]
        wanted = ERROR if wanted == "ERROR" else wanted.lower() if raw and wanted else wanted
        assert track == (wanted or None), name


CASES = ["cases/msr_py.jsonl", "cases/reader_frames.jsonl"]
CASE_KINDS = {
    "msr605_raw_block",
    "msr605_iso_block",
    "hid_reports",
    "msr605_encode_iso",
    "msr605_encode_raw",
    "msr605_raw_read_to_write",
    "validate_iso",
}


@pytest.mark.parametrize(("path", "count"), list(zip(CASES, [14, 3], strict=True)))
def test_every_published_case_of_the_msr605(path: str, count: int) -> None:
    if not (rows := _rows(path)):
        pytest.skip(f"{SHARED / path} is not here")
    rows = [row for row in rows if row["kind"] in CASE_KINDS]
    assert len(rows) == count
    for row in rows:
        _CHECKS[row["kind"]](row)


def _check_block(row: dict[str, Any]) -> None:
    frame, expect = bytes.fromhex(row["input"]["hex"]), row["expect"]
    raw = row["kind"] == "msr605_raw_block"
    if "status" not in expect and expect.get("error"):
        with pytest.raises(BlockError):
            parse_block(frame, raw=raw)
        return
    block = parse_block(frame, raw=raw)
    tracks = _tracks(block)
    if "status" in expect:
        assert block.status == STATUS_NAMES[expect["status"]], row["id"]
    if expect.get("error"):
        assert all(track.error is Reason.NOT_READ for track in judge_block(block, (1, 2, 3)).tracks)
        return
    for number, track in enumerate(tracks, start=1):
        if expect.get(f"track{number}_error"):
            assert track == ERROR, row["id"]
        elif f"track{number}_hex" in expect:
            assert (track or "") == expect[f"track{number}_hex"], row["id"]
        elif f"track{number}" in expect and not raw:
            assert track == expect[f"track{number}"], row["id"]
        elif raw:  # the characters are the track core's to decode; the bytes must be the frame's
            assert track is not None
            assert bytes.fromhex(track) in frame


def _check_reports(row: dict[str, Any]) -> None:
    unpacker = ReportUnpacker()
    reports = [bytes.fromhex(report) for report in row["input"]["reports"]]
    if row["expect"].get("error"):
        with pytest.raises(ReportError):
            unpacker.feed(reports[0])
        return
    message = bytes.fromhex(row["expect"]["message"])
    assert [unpacker.feed(report) for report in reports][-1] == message
    assert pack_reports(message)[0].rstrip(b"\x00") == reports[0].rstrip(b"\x00")


def _check_encode_iso(row: dict[str, Any]) -> None:
    assert commands.write_iso(**row["input"]).frame.hex() == row["expect"]["hex"]


def _check_encode_raw(row: dict[str, Any]) -> None:
    written = {track: commands.raw_read_to_write(bytes.fromhex(data)) for track, data in row["input"].items()}
    assert commands.write_raw(**written).frame.hex() == row["expect"]["hex"]


def _check_read_to_write(row: dict[str, Any]) -> None:
    assert commands.raw_read_to_write(bytes.fromhex(row["input"]["hex"])).hex() == row["expect"]["hex"]


def _check_validation(row: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=row["expect"]["error"]):
        commands.write_iso(**{f"track{row['input']['track']}": row["input"]["text"]})


_CHECKS = {
    "msr605_raw_block": _check_block,
    "msr605_iso_block": _check_block,
    "hid_reports": _check_reports,
    "msr605_encode_iso": _check_encode_iso,
    "msr605_encode_raw": _check_encode_raw,
    "msr605_raw_read_to_write": _check_read_to_write,
    "validate_iso": _check_validation,
}
