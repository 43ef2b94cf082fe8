"""Reports of an MSR605X."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swipegate.devices.protocols.msr605 import commands
from swipegate.devices.protocols.msr605.hid import (
    MESSAGE_BYTES_MAX,
    PAYLOAD_MAX,
    ReportError,
    ReportUnpacker,
    pack_reports,
)


def test_short_command_is_one_report_that_is_first_and_last() -> None:
    (report,) = pack_reports(commands.READ_ISO.frame)
    assert report == bytes.fromhex("c21b72").ljust(64, b"\x00")


def test_short_command_may_count_its_padding() -> None:
    (report,) = pack_reports(commands.READ_ISO.frame, declared_min=5)
    assert report == bytes.fromhex("c51b72").ljust(64, b"\x00")


def test_long_message_is_first_middle_last() -> None:
    heads = [report[0] for report in pack_reports(bytes(2 * PAYLOAD_MAX + 1))]
    assert heads == [0x80 | 63, 63, 0x40 | 1]


@given(st.binary(min_size=1, max_size=MESSAGE_BYTES_MAX))
def test_message_comes_back_as_packed(message: bytes) -> None:
    unpacker = ReportUnpacker()
    *first, last = pack_reports(message)
    assert [unpacker.feed(report) for report in first] == [None] * len(first)
    assert unpacker.feed(last) == message


@pytest.mark.parametrize(
    ("reports", "problem"),
    [
        (["4178"], "without a first"),
        (["8178", "8178"], "a first report in a message"),
        (["c378"], "declares 3 bytes and has 1"),
        ([""], "1 to 64"),
        (["00" * 65], "1 to 64"),
    ],
)
def test_report_that_does_not_fit_is_refused_and_the_next_message_is_read(
    reports: list[str], problem: str
) -> None:
    unpacker = ReportUnpacker()
    *before, bad = [bytes.fromhex(report) for report in reports]
    for report in before:
        assert unpacker.feed(report) is None
    with pytest.raises(ReportError, match=problem):
        unpacker.feed(bad)
    assert unpacker.feed(bytes.fromhex("c178")) == b"\x78"


def test_endless_message_is_refused_at_the_bound() -> None:
    unpacker = ReportUnpacker()
    unpacker.feed(bytes([0x80 | 63]) + bytes(63))
    for _ in range(MESSAGE_BYTES_MAX // 63 - 1):
        assert unpacker.feed(bytes([63]) + bytes(63)) is None
    with pytest.raises(ReportError, match="over"):
        unpacker.feed(bytes([63]) + bytes(63))


@given(st.lists(st.binary(max_size=70), max_size=30))
def test_any_reports_are_messages_or_refused(reports: list[bytes]) -> None:
    unpacker = ReportUnpacker()
    for report in reports:
        try:
            message = unpacker.feed(report)
        except ReportError:
            continue
        assert message is None or len(message) <= MESSAGE_BYTES_MAX


@pytest.mark.parametrize("size", [0, MESSAGE_BYTES_MAX + 1])
def test_message_out_of_bounds_is_not_packed(size: int) -> None:
    with pytest.raises(ReportError, match="a message has"):
        pack_reports(bytes(size))
