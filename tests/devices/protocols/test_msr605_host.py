"""The host's end, fed with bytes and a clock of the test's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swipegate.devices.protocols.msr605 import commands
from swipegate.devices.protocols.msr605.blocks import Mark, Status, build_iso_block, build_raw_block
from swipegate.devices.protocols.msr605.commands import Command
from swipegate.devices.protocols.msr605.host import (
    BLOCK_GAP_MAX,
    BLOCK_TIME_MAX,
    NOISE_BYTES_MAX,
    BlockRead,
    BlockStarted,
    Malformed,
    Msr605Host,
    Reply,
    TimedOut,
)

BLOCK = build_iso_block([b"%ABC123?", b";12345?", b";45?"], Status.OK)


def _host(command: Command, timeout: float = 10.0) -> Msr605Host:
    host = Msr605Host()
    assert host.request(command, 7, 0.0, timeout) == command.frame
    return host


REPLIES = [
    (commands.COMMUNICATION_TEST, "1b79"),
    (commands.RAM_TEST, "1b30"),
    (commands.RAM_TEST, "1b41"),
    (commands.SENSOR_TEST, "1b30"),
    (commands.set_leading_zeros(61, 22), "1b30"),
    (commands.GET_LEADING_ZEROS, "1b3d16"),
    (commands.GET_LEADING_ZEROS, "1b1b1b"),
    (commands.erase({2}), "1b30"),
    (commands.set_bpi(2, 75), "1b41"),
    (commands.set_bpc(7, 5, 5), "1b30070505"),
    (commands.set_bpc(7, 5, 5), "1b41"),
    (commands.SET_HICO, "1b30"),
    (commands.GET_COERCIVITY, "1b48"),
    (commands.GET_COERCIVITY, "1b6c"),
    (commands.GET_MODEL, "1b3353"),
    (commands.GET_FIRMWARE, "1b5245564233" + "2e3031"),
    (commands.write_iso(track2="12345"), "1b39"),
    (commands.write_raw(b"\x01"), "1b31"),
    (commands.READ_ISO, "1b34"),
    (commands.READ_RAW, "1b31"),
]
JUNK = ["", "00ff", "1b", "1b1b00"]


@pytest.mark.parametrize(
    ("command", "reply", "junk"),
    [
        (command, reply, junk)
        for command, reply in REPLIES
        for junk in JUNK
        # The reply with the leading zeros may hold any byte, so an ESC before it cannot be told from its own.
        if not (command is commands.GET_LEADING_ZEROS and "1b" in junk)
    ],
)
def test_reply_is_found_byte_by_byte_behind_junk(command: Command, reply: str, junk: str) -> None:
    host = _host(command)
    events = [event for byte in bytes.fromhex(junk + reply) for event in host.receive(bytes([byte]), 1.0)]
    assert events == [Reply(7, bytes.fromhex(reply)[1:])]


@pytest.mark.parametrize("command", [commands.RESET, commands.LEDS_OFF, commands.LED_RED])
def test_silent_command_waits_for_nothing(command: Command) -> None:
    host = _host(command)
    assert host.receive(BLOCK, 1.0) == []
    assert host.tick(100.0) == []
    assert host.stale_bytes == len(BLOCK)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize("junk", [b"", b"\x1b0\x1b0", b"\x1bs\x1b\x05", b"\x1bs\x1bs", bytes(100)])
def test_block_is_found_in_pieces_of_any_size_behind_junk(size: int, junk: bytes) -> None:
    host = _host(commands.READ_ISO)
    data = junk + BLOCK + b"stale"
    events = [e for start in range(0, len(data), size) for e in host.receive(data[start : start + size], 1.0)]
    assert [type(event) for event in events] == [BlockStarted, BlockRead]
    assert isinstance(events[1], BlockRead)
    assert [bytes(field.data) for field in events[1].block.fields] == [b"%ABC123?", b";12345?", b";45?"]
    assert host.stale_bytes == 5


def test_raw_block_is_parsed_by_length() -> None:
    (_, event) = _host(commands.READ_RAW).receive(build_raw_block([b"\x1b\x02\x3f\x1c", b"", b""], 0x30), 1.0)
    assert isinstance(event, BlockRead)
    assert event.block.fields[0].data == b"\x1b\x02\x3f\x1c"
    assert event.block.fields[1].mark is Mark.NO_DATA


def test_second_block_is_stale() -> None:
    host = _host(commands.READ_ISO)
    assert len(host.receive(BLOCK + BLOCK, 1.0)) == 2


def test_malformed_block_ends_the_exchange_without_its_bytes() -> None:
    host = _host(commands.READ_ISO)
    events = host.receive(BLOCK[:10] + b"\x1b\x07" + BLOCK[10:], 1.0)
    assert [type(event) for event in events] == [BlockStarted, Malformed]
    assert "ABC" not in str(events)


def test_block_whose_start_was_lost_is_told_at_its_end() -> None:
    (event,) = _host(commands.READ_ISO).receive(BLOCK[2:], 1.0)
    assert isinstance(event, Malformed)


def test_silence_times_out_at_its_deadline() -> None:
    host = _host(commands.COMMUNICATION_TEST, timeout=1.0)
    assert host.tick(0.999) == []
    assert host.tick(1.0) == [TimedOut(7, 0, in_block=False)]
    assert host.tick(2.0) == []


def test_noise_is_counted_in_the_timeout() -> None:
    host = _host(commands.COMMUNICATION_TEST, timeout=1.0)
    host.receive(b"\x00\xff\x1b", 0.5)
    assert host.tick(1.0) == [TimedOut(7, 3, in_block=False)]


def test_block_that_stops_short_times_out_after_the_gap() -> None:
    host = _host(commands.READ_ISO, timeout=60.0)
    host.receive(BLOCK[:12], 50.0)
    assert host.tick(50.0 + BLOCK_GAP_MAX - 0.01) == []
    assert host.tick(50.0 + BLOCK_GAP_MAX) == [TimedOut(7, 0, in_block=True)]


def test_card_that_passes_just_before_the_deadline_is_still_read() -> None:
    host = _host(commands.READ_ISO, timeout=10.0)
    host.receive(BLOCK[:12], 9.99)
    assert host.tick(10.1) == []
    assert isinstance(host.receive(BLOCK[12:], 10.2)[-1], BlockRead)


def test_endless_dribble_ends_at_the_bound() -> None:
    host = _host(commands.READ_ISO, timeout=60.0)
    host.receive(BLOCK[:4], 0.0)
    now = 0.0
    while not (events := host.tick(now)):
        host.receive(b"A", now)
        now += 0.5
        assert now < 60
    assert events == [TimedOut(7, 0, in_block=True)]
    assert now <= BLOCK_TIME_MAX + 0.5


def test_endless_noise_ends_at_the_bound() -> None:
    host = _host(commands.READ_ISO)
    (event,) = host.receive(bytes(NOISE_BYTES_MAX + 100), 1.0)
    assert isinstance(event, Malformed)


def test_new_request_gives_the_old_one_up() -> None:
    host = _host(commands.READ_ISO)
    host.receive(BLOCK[:12], 1.0)
    host.request(commands.COMMUNICATION_TEST, 8, 2.0, 1.0)
    assert host.receive(BLOCK[12:] + b"\x1by", 2.1) == [Reply(8, b"y")]


READS_AND_TESTS = st.sampled_from(
    [commands.READ_ISO, commands.READ_RAW, commands.COMMUNICATION_TEST, commands.GET_FIRMWARE]
)


@given(READS_AND_TESTS, st.lists(st.binary(max_size=200), max_size=20))
def test_any_bytes_end_an_exchange_at_most_once(command: Command, pieces: list[bytes]) -> None:
    host = _host(command)
    events = [event for piece in pieces for event in host.receive(piece, 1.0)]
    ends = [event for event in events if not isinstance(event, BlockStarted)]
    assert len(ends) + len(host.tick(1000.0)) == 1


@given(st.data())
def test_a_mutated_block_ends_its_exchange(data: st.DataObject) -> None:
    block = bytearray(BLOCK)
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(0, len(block) - 1))
        block[index : index + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
        block = block or bytearray(b"\x00")
    host = _host(commands.READ_ISO)
    events = [e for e in host.receive(bytes(block), 1.0) if not isinstance(e, BlockStarted)]
    assert len(events) + len(host.tick(1000.0)) == 1
