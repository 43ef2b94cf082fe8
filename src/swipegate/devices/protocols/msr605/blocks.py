"""The data block: `1B 73 1B 01 track 1 1B 02 track 2 1B 03 track 3 3F 1C`, and `1B status` in a reply."""

import enum
from dataclasses import dataclass

ESC = 0x1B
# Marks of a track inside an ISO block, as real units send them; the manual has an empty field for both.
NO_DATA_MARK = 0x2B
UNREADABLE_MARK = 0x2A
BLOCK_START = 0x73
END = bytes((0x3F, 0x1C))
TRACK_COUNT = 3
# The length of a raw field is one byte; the longest ISO track has 107 characters (ISO/IEC 7811-2).
FIELD_BYTES_MAX = 255
# Between `3F 1C` and `1B status` an MSR605X lets the header of its next USB report slip in.
STRAY_BYTES_MAX = 4


class Status(enum.IntEnum):
    """Status byte of a reply (manual, section 4)."""

    OK = 0x30
    READ_WRITE_ERROR = 0x31
    COMMAND_FORMAT = 0x32
    INVALID_COMMAND = 0x34
    INVALID_SWIPE = 0x39
    SET_FAILED = 0x41


STATUSES = frozenset(int(status) for status in Status)


class Mark(enum.Enum):
    """What a unit says of one track."""

    DATA = "data"
    NO_DATA = "no data"
    UNREADABLE = "unreadable"


class BlockError(ValueError):
    """The bytes are no block. The text tells the place, never the bytes."""


@dataclass(slots=True)
class Field:
    """One track of a block; its bytes are not in the repr."""

    mark: Mark
    data: bytearray

    def __repr__(self) -> str:
        return f"Field({self.mark.name}, {len(self.data)} bytes)"


@dataclass(slots=True)
class Block:
    """A parsed block; `status` is None in the block of a write command."""

    raw: bool
    fields: list[Field]
    status: int | None

    def wipe(self) -> None:
        """Zero the track data."""
        for field in self.fields:
            _zero(field.data)


class _At(enum.Enum):
    """Where in the block the parser stands, named by the byte it wants."""

    START = enum.auto()
    BLOCK = enum.auto()
    FIELD_ESC = enum.auto()
    FIELD_NUMBER = enum.auto()
    TEXT = enum.auto()
    TEXT_ESC = enum.auto()
    LENGTH = enum.auto()
    PAYLOAD = enum.auto()
    END_FIRST = enum.auto()
    END_SECOND = enum.auto()
    STATUS_ESC = enum.auto()
    STATUS = enum.auto()
    DONE = enum.auto()


class BlockParser:
    """Takes one block byte by byte; it never looks ahead and never searches the payload.

    A raw field is taken by its length, so its payload may hold any byte. In an ISO block no track character
    is below 0x20, so ESC ends the text.
    """

    def __init__(self, *, raw: bool, with_status: bool) -> None:
        self._raw = raw
        self._with_status = with_status
        self._at = _At.START
        self._fields: list[Field] = []
        self._left = 0
        self._stray = 0
        self._steps = {
            _At.START: self._take_start,
            _At.BLOCK: self._take_block,
            _At.FIELD_ESC: self._take_field_esc,
            _At.FIELD_NUMBER: self._take_field_number,
            _At.TEXT: self._take_text,
            _At.TEXT_ESC: self._take_text_esc,
            _At.LENGTH: self._take_length,
            _At.PAYLOAD: self._take_payload,
            _At.END_FIRST: self._take_end_first,
            _At.END_SECOND: self._take_end_second,
            _At.STATUS_ESC: self._take_status_esc,
            _At.STATUS: self._take_status,
        }
        self._status: int | None = None

    def feed(self, byte: int) -> Block | None:
        """Take one byte; the block when it is complete.

        :raises BlockError: the byte cannot stand here; the parser is wiped and of no more use.
        """
        step = self._steps.get(self._at)
        if step is None:
            raise BlockError("a byte after the end of the block")
        try:
            step(byte)
        except BlockError:
            self.wipe()
            raise
        if self._at is not _At.DONE:
            return None
        return Block(self._raw, self._fields, self._status)

    def wipe(self) -> None:
        """Zero what was taken."""
        for field in self._fields:
            _zero(field.data)
        self._fields = []
        self._at = _At.DONE

    def _expect(self, byte: int, wanted: int, then: _At, place: str) -> None:
        if byte != wanted:
            raise BlockError(f"{place} is not {wanted:02X}")
        self._at = then

    def _take_start(self, byte: int) -> None:
        self._expect(byte, ESC, _At.BLOCK, "the first byte")

    def _take_block(self, byte: int) -> None:
        self._expect(byte, BLOCK_START, _At.FIELD_ESC, "the second byte")

    def _take_field_esc(self, byte: int) -> None:
        self._expect(byte, ESC, _At.FIELD_NUMBER, f"the byte before field {len(self._fields) + 1}")

    def _take_field_number(self, byte: int) -> None:
        number = len(self._fields) + 1
        self._expect(byte, number, _At.LENGTH if self._raw else _At.TEXT, f"the number of field {number}")
        self._fields.append(Field(Mark.DATA, bytearray()))

    def _take_text(self, byte: int) -> None:
        field = self._fields[-1]
        if byte == ESC:
            self._at = _At.TEXT_ESC
        elif byte == END[1] and len(self._fields) == TRACK_COUNT:
            self._end_text(field)
        elif (
            len(field.data) > FIELD_BYTES_MAX
        ):  # one more than the bound: the end's 3F is taken as text first
            raise BlockError(f"field {len(self._fields)} is longer than {FIELD_BYTES_MAX} bytes")
        else:
            field.data.append(byte)

    def _end_text(self, field: Field) -> None:
        """`1C` in field 3: the `3F` before it belongs to the end, even where the text has none of its own."""
        if not field.data or field.data[-1] != END[0]:
            raise BlockError("1C without 3F in field 3")
        field.data.pop()
        self._close_text(field)
        self._at = _At.STATUS_ESC if self._with_status else _At.DONE

    def _close_text(self, field: Field) -> None:
        if field.mark is not Mark.DATA and field.data:
            raise BlockError(f"field {len(self._fields)} is marked {field.mark.value} and has text")
        if field.mark is Mark.DATA and not field.data:
            field.mark = Mark.NO_DATA

    def _take_text_esc(self, byte: int) -> None:
        field = self._fields[-1]
        number = len(self._fields)
        if byte in (NO_DATA_MARK, UNREADABLE_MARK) and field.mark is Mark.DATA and not field.data:
            field.mark = Mark.NO_DATA if byte == NO_DATA_MARK else Mark.UNREADABLE
            self._at = _At.TEXT
        elif number < TRACK_COUNT and byte == number + 1:
            self._close_text(field)
            self._fields.append(Field(Mark.DATA, bytearray()))
            self._at = _At.TEXT
        else:
            raise BlockError(f"what follows ESC in field {number} is neither a mark nor the next field")

    def _take_length(self, byte: int) -> None:
        self._left = byte
        if byte:
            self._at = _At.PAYLOAD
        else:
            self._fields[-1].mark = Mark.NO_DATA
            self._after_payload()

    def _take_payload(self, byte: int) -> None:
        self._fields[-1].data.append(byte)
        self._left -= 1
        if not self._left:
            self._after_payload()

    def _after_payload(self) -> None:
        self._at = _At.FIELD_ESC if len(self._fields) < TRACK_COUNT else _At.END_FIRST

    def _take_end_first(self, byte: int) -> None:
        self._expect(byte, END[0], _At.END_SECOND, "the first byte of the end")

    def _take_end_second(self, byte: int) -> None:
        then = _At.STATUS_ESC if self._with_status else _At.DONE
        self._expect(byte, END[1], then, "the second byte of the end")

    def _take_status_esc(self, byte: int) -> None:
        if byte == ESC:
            self._at = _At.STATUS
        else:
            self._count_stray()

    def _take_status(self, byte: int) -> None:
        if byte == ESC:
            self._count_stray()
        elif byte in STATUSES:
            self._status = byte
            self._at = _At.DONE
        else:
            raise BlockError("the status is none that a unit has")

    def _count_stray(self) -> None:
        self._stray += 1
        if self._stray > STRAY_BYTES_MAX:
            raise BlockError(f"more than {STRAY_BYTES_MAX} bytes between the end and the status")


def parse_block(data: bytes, *, raw: bool, with_status: bool = True) -> Block:
    """Parse one whole block; bytes after it are stale and ignored.

    :raises BlockError: it is malformed or incomplete.
    """
    parser = BlockParser(raw=raw, with_status=with_status)
    for byte in data:
        if (block := parser.feed(byte)) is not None:
            return block
    parser.wipe()
    raise BlockError("the block is incomplete")


def build_iso_block(fields: list[Mark | bytes], status: int | None = None) -> bytes:
    """An ISO block of three fields; Mark.NO_DATA and Mark.UNREADABLE are sent as real units send them."""
    marks = {Mark.NO_DATA: bytes((ESC, NO_DATA_MARK)), Mark.UNREADABLE: bytes((ESC, UNREADABLE_MARK))}
    return _frame([marks[field] if isinstance(field, Mark) else field for field in fields], status)


def build_raw_block(fields: list[bytes], status: int | None = None) -> bytes:
    """A raw block of three fields of at most 255 bytes each."""
    for number, field in enumerate(fields, start=1):
        if len(field) > FIELD_BYTES_MAX:
            raise ValueError(f"track{number}: {len(field)} bytes are over the {FIELD_BYTES_MAX} of a field")
    return _frame([bytes((len(field),)) + field for field in fields], status)


def _frame(fields: list[bytes], status: int | None) -> bytes:
    if len(fields) != TRACK_COUNT:
        raise ValueError(f"a block has {TRACK_COUNT} fields, not {len(fields)}")
    frame = bytearray((ESC, BLOCK_START))
    for number, field in enumerate(fields, start=1):
        frame += bytes((ESC, number)) + field
    frame += END
    if status is not None:
        frame += bytes((ESC, status))
    return bytes(frame)


def _zero(data: bytearray) -> None:
    data[:] = bytes(len(data))
