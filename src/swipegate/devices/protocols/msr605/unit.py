"""The device's end of an MSR605's wire: commands in, replies out."""

from dataclasses import dataclass

from swipegate.devices.protocols.base import Protocol
from swipegate.devices.protocols.msr605.blocks import ESC, Block, BlockError, BlockParser, Status
from swipegate.devices.protocols.msr605.commands import PARAMETER_BYTES, WRITES, Code, Command

# A host sends a command in one go; a pause this long ends a broken one. Seconds.
COMMAND_GAP_MAX = 1.0


@dataclass(frozen=True, slots=True)
class CommandReceived:
    """A whole command; `block` holds what a write writes."""

    command: Command
    block: Block | None = None


@dataclass(frozen=True, slots=True)
class CommandRefused:
    """A command that a unit answers with a status at once."""

    status: Status


UnitEvent = CommandReceived | CommandRefused


class Msr605Unit(Protocol[UnitEvent]):
    """Takes commands; bytes outside a command are dropped, as a unit drops them."""

    def __init__(self) -> None:
        self._in_escape = False
        self._code: Code | None = None
        self._body = bytearray()
        self._parser: BlockParser | None = None
        self._last = 0.0

    def receive(self, data: bytes, now: float) -> list[UnitEvent]:
        self._last = now
        events: list[UnitEvent] = []
        for byte in data:
            if self._parser is not None:
                self._take_block_byte(byte, events)
            elif self._code is not None:
                self._body.append(byte)
                self._finish_when_whole(events)
            elif self._in_escape:
                self._take_code(byte, events)
            else:
                self._in_escape = byte == ESC
        return events

    def tick(self, now: float) -> list[UnitEvent]:
        if now - self._last < COMMAND_GAP_MAX or not (self._in_escape or self._code is not None):
            return []
        self.wipe()
        return [CommandRefused(Status.COMMAND_FORMAT)]

    def wipe(self) -> None:
        if self._parser is not None:
            self._parser.wipe()
        self._body[:] = bytes(len(self._body))
        self._in_escape, self._code, self._body, self._parser = False, None, bytearray(), None

    def discard(self, event: UnitEvent) -> None:
        if isinstance(event, CommandReceived) and event.block is not None:
            event.block.wipe()

    def _take_code(self, byte: int, events: list[UnitEvent]) -> None:
        self._in_escape = False
        try:
            self._code = Code(byte)
        except ValueError:
            events.append(CommandRefused(Status.INVALID_COMMAND))
            return
        if self._code in WRITES:
            self._parser = BlockParser(raw=self._code is Code.WRITE_RAW, with_status=False)
        else:
            self._finish_when_whole(events)

    def _finish_when_whole(self, events: list[UnitEvent]) -> None:
        assert self._code is not None
        if len(self._body) == PARAMETER_BYTES.get(self._code, 0):
            events.append(CommandReceived(Command(self._code, bytes(self._body))))
            self.wipe()

    def _take_block_byte(self, byte: int, events: list[UnitEvent]) -> None:
        assert self._code is not None
        assert self._parser is not None
        try:
            block = self._parser.feed(byte)
        except BlockError:
            self.wipe()
            events.append(CommandRefused(Status.COMMAND_FORMAT))
            return
        if block is not None:
            events.append(CommandReceived(Command(self._code), block))
            self._parser = None
            self.wipe()


def reply(*body: int) -> bytes:
    """ESC and the bytes of a reply."""
    return bytes((ESC, *body))
