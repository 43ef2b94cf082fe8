"""The unit's end, fed by the host's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swipegate.devices.protocols.msr605 import commands
from swipegate.devices.protocols.msr605.blocks import Status
from swipegate.devices.protocols.msr605.commands import WRITES, Command
from swipegate.devices.protocols.msr605.unit import (
    COMMAND_GAP_MAX,
    CommandReceived,
    CommandRefused,
    Msr605Unit,
)

EVERY = [
    *(value for value in vars(commands).values() if isinstance(value, Command)),
    commands.write_iso("ABC123", "12345", "12345"),
    commands.write_raw(b"\x1b\x02", b"\x3f\x1c"),
    commands.set_leading_zeros(27, 27),
    commands.erase({1, 2}),
    commands.set_bpi(1, 75),
    commands.set_bpc(8, 8, 8),
]


@pytest.mark.parametrize("command", EVERY, ids=lambda command: command.code.name)
@pytest.mark.parametrize("size", [1, 1000])
def test_what_a_host_builds_a_unit_understands(command: Command, size: int) -> None:
    unit = Msr605Unit()
    frame = command.frame + commands.RESET.frame
    events = [
        e for start in range(0, len(frame), size) for e in unit.receive(frame[start : start + size], 0.0)
    ]
    received, reset = events
    assert isinstance(received, CommandReceived)
    assert received.command.code is command.code
    assert received.block is not None if command.code in WRITES else received.command == command
    assert reset == CommandReceived(commands.RESET)


def test_written_block_is_what_was_to_be_written() -> None:
    (event,) = Msr605Unit().receive(commands.write_iso("%ABC?", ";12?").frame, 0.0)
    assert isinstance(event, CommandReceived)
    assert event.block is not None
    assert [bytes(field.data) for field in event.block.fields] == [b"ABC", b"12", b""]
    assert event.block.status is None


def test_unknown_command_is_refused() -> None:
    assert Msr605Unit().receive(b"\x1b\x00", 0.0) == [CommandRefused(Status.INVALID_COMMAND)]


def test_broken_write_is_refused() -> None:
    assert Msr605Unit().receive(b"\x1bw\x1bs\x1b\x02", 0.0) == [CommandRefused(Status.COMMAND_FORMAT)]


def test_command_that_stops_short_is_refused_after_the_gap() -> None:
    unit = Msr605Unit()
    assert unit.receive(b"\x1bo\x08", 5.0) == []
    assert unit.tick(5.0 + COMMAND_GAP_MAX) == [CommandRefused(Status.COMMAND_FORMAT)]
    assert unit.receive(b"\x1be", 7.0) == [CommandReceived(commands.COMMUNICATION_TEST)]


@given(st.lists(st.binary(max_size=100), max_size=20))
def test_any_bytes_are_commands_or_nothing(pieces: list[bytes]) -> None:
    unit = Msr605Unit()
    for piece in pieces:
        assert len(unit.receive(piece, 0.0)) <= len(piece)
