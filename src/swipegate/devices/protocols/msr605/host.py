"""The host's end of an MSR605's wire: one command out, one reply or block in."""

from dataclasses import dataclass

from swipegate.devices.protocols.base import Protocol
from swipegate.devices.protocols.msr605.blocks import (
    BLOCK_START,
    END,
    ESC,
    STATUSES,
    Block,
    BlockError,
    BlockParser,
    Status,
)
from swipegate.devices.protocols.msr605.commands import READS, SILENT, Code, Command

# A unit sends a block in one go at 9600 baud (about 1 ms a byte); a pause this long is its end. Seconds.
BLOCK_GAP_MAX = 1.0
# No block lasts longer than this, however it dribbles in: 800 bytes take 0.9 s. Seconds.
BLOCK_TIME_MAX = 5.0
# Bytes that fit no reply before an exchange is given up.
NOISE_BYTES_MAX = 4096

# A place in a pattern: the byte values that may stand there.
Place = frozenset[int]
_ANY: Place = frozenset(range(256))
_PRINTABLE: Place = frozenset(range(0x20, 0x7F))
_BITS: Place = frozenset(range(5, 9))
_REFUSED: Place = frozenset(STATUSES - {Status.OK})


def _place(*values: int) -> Place:
    return frozenset(values)


_STATUS = [(_place(ESC), Place(STATUSES))]
_REFUSAL = (_place(ESC), _REFUSED)
_BLOCK_END = (_place(END[0]), _place(END[1]), _place(ESC), Place(STATUSES))
# Replies by command. What is not here answers with a status.
_REPLIES: dict[Code, list[tuple[Place, ...]]] = {
    Code.COMMUNICATION_TEST: [(_place(ESC), _place(0x79))],
    Code.GET_LEADING_ZEROS: [(_place(ESC), _ANY, _ANY)],
    Code.SET_BPC: [(_place(ESC), _place(Status.OK), _BITS, _BITS, _BITS), _REFUSAL],
    # The manual has capitals, units send small letters.
    Code.GET_COERCIVITY: [(_place(ESC), _place(*b"HLhl")), _REFUSAL],
    Code.GET_MODEL: [(_place(ESC), _ANY, _place(0x53))],
    Code.GET_FIRMWARE: [(_place(ESC), *(_PRINTABLE,) * 8)],
    # The header of a block, or a refusal where the block should be. A lone `1B 30` is an answer to something
    # older.
    Code.READ_ISO: [(_place(ESC), _place(BLOCK_START), _place(ESC), _place(1)), _REFUSAL],
    Code.READ_RAW: [(_place(ESC), _place(BLOCK_START), _place(ESC), _place(1)), _REFUSAL],
}


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply that is no block: the bytes after ESC."""

    exchange: int
    body: bytes


@dataclass(frozen=True, slots=True)
class BlockStarted:
    """A card has passed: its block has begun to come in."""

    exchange: int


@dataclass(frozen=True, slots=True)
class BlockRead:
    """A card's block is complete. Whoever takes it wipes it."""

    exchange: int
    block: Block


@dataclass(frozen=True, slots=True)
class Malformed:
    """What came makes no sense; `detail` tells the place, never the bytes."""

    exchange: int
    detail: str


@dataclass(frozen=True, slots=True)
class TimedOut:
    """No reply in time: `noise` counts bytes that fit none, `in_block` is a block that stopped short."""

    exchange: int
    noise: int
    in_block: bool


HostEvent = Reply | BlockStarted | BlockRead | Malformed | TimedOut


class Msr605Host(Protocol[HostEvent]):
    """One exchange at a time; bytes outside an exchange are stale and dropped.

    Every exchange ends with just one of Reply, BlockRead, Malformed and TimedOut, and every event tells its
    exchange: events cross a queue, so an answer to a command given up may be taken after the next was sent.
    """

    def __init__(self) -> None:
        self.stale_bytes = 0
        self._exchange = 0
        self._command: Command | None = None
        self._pending = bytearray()
        self._parser: BlockParser | None = None
        self._noise = 0
        self._tail: tuple[int, ...] = ()
        self._deadline = 0.0
        self._block_end = 0.0

    def request(self, command: Command, exchange: int, now: float, timeout: float) -> bytes:
        """The bytes to send for a command, whose reply must come within `timeout` seconds.

        `exchange` is the caller's number for it. For a read, `timeout` is how long to wait for the card. An
        exchange under way is given up.
        """
        self.wipe()
        self._exchange = exchange
        if command.code not in SILENT:
            self._command = command
            self._deadline = now + timeout
        return command.frame

    def receive(self, data: bytes, now: float) -> list[HostEvent]:
        events: list[HostEvent] = []
        for byte in data:
            if self._command is None:
                self.stale_bytes += 1
            elif self._parser is None:
                self._take_reply_byte(byte, now, events)
            else:
                self._take_block_byte(byte, events)
        if self._parser is not None and data:
            self._deadline = min(now + BLOCK_GAP_MAX, self._block_end)
        return events

    def tick(self, now: float) -> list[HostEvent]:
        if self._command is None or now < self._deadline:
            return []
        event = TimedOut(self._exchange, self._noise + len(self._pending), self._parser is not None)
        self.wipe()
        return [event]

    def wipe(self) -> None:
        if self._parser is not None:
            self._parser.wipe()
            self._parser = None
        self._pending[:] = bytes(len(self._pending))
        self._pending.clear()
        self._command = None
        self._noise = 0
        self._tail = ()

    def discard(self, event: HostEvent) -> None:
        if isinstance(event, BlockRead):
            event.block.wipe()

    def _take_reply_byte(self, byte: int, now: float, events: list[HostEvent]) -> None:
        assert self._command is not None
        patterns = _REPLIES.get(self._command.code, _STATUS)
        self._pending.append(byte)
        if self._command.code in READS and self._ends_lost_block(byte):
            events.append(Malformed(self._exchange, "the end of a block whose start was lost"))
            self.wipe()
            return
        while self._pending and not any(_begins(pattern, self._pending) for pattern in patterns):
            self._pending.pop(0)
            self._noise += 1
        if self._noise > NOISE_BYTES_MAX:
            self.wipe()
            events.append(Malformed(self._exchange, f"over {NOISE_BYTES_MAX} bytes that fit no reply"))
        elif any(
            len(pattern) == len(self._pending) for pattern in patterns if _begins(pattern, self._pending)
        ):
            self._take_reply(now, events)

    def _ends_lost_block(self, byte: int) -> bool:
        """Whether `3F 1C 1B status` has come where a block should begin: the card must pass again."""
        self._tail = (*self._tail, byte)[-len(_BLOCK_END) :]
        return len(self._tail) == len(_BLOCK_END) and all(map(frozenset.__contains__, _BLOCK_END, self._tail))

    def _take_reply(self, now: float, events: list[HostEvent]) -> None:
        assert self._command is not None
        if self._command.code in READS and self._pending[1] == BLOCK_START:
            self._parser = BlockParser(raw=self._command.code is Code.READ_RAW, with_status=True)
            for byte in self._pending:
                self._parser.feed(byte)
            self._pending.clear()
            self._block_end = now + BLOCK_TIME_MAX
            events.append(BlockStarted(self._exchange))
        else:
            events.append(Reply(self._exchange, bytes(self._pending[1:])))
            self.wipe()

    def _take_block_byte(self, byte: int, events: list[HostEvent]) -> None:
        assert self._parser is not None
        try:
            block = self._parser.feed(byte)
        except BlockError as error:
            events.append(Malformed(self._exchange, str(error)))
            self.wipe()
            return
        if block is not None:
            self._parser = None  # the block is the taker's now, and not to be wiped here
            events.append(BlockRead(self._exchange, block))
            self.wipe()


def _begins(pattern: tuple[Place, ...], pending: bytearray) -> bool:
    return len(pending) <= len(pattern) and all(
        byte in place for byte, place in zip(pending, pattern, strict=False)
    )
