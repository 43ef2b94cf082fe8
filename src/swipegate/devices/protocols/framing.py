"""Framing: where a frame begins and ends on a line, and whether it came whole."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from operator import xor


@dataclass(frozen=True, slots=True)
class Control:
    """A control code outside a frame, such as ACK."""

    code: bytes


@dataclass(frozen=True, slots=True)
class Frame:
    """The text of a whole frame. Whoever takes it wipes it."""

    text: bytearray

    def __repr__(self) -> str:
        return f"Frame({len(self.text)} bytes)"


@dataclass(frozen=True, slots=True)
class Damaged:
    """A frame that did not come whole; `detail` tells what of it is wrong, never its bytes."""

    detail: str


Token = Control | Frame | Damaged


class Framing(ABC):
    """Takes a line apart byte by byte. What belongs to no frame and no control code is counted and dropped."""

    def __init__(self) -> None:
        self.noise = 0

    @abstractmethod
    def encode(self, text: bytes) -> bytes:
        """A text as a frame.

        :raises ValueError: the text is longer than a frame may be.
        """

    @abstractmethod
    def feed(self, byte: int) -> Token | None:
        """Take the next byte; what it ends, if anything."""

    @property
    @abstractmethod
    def in_frame(self) -> bool:
        """Whether a frame has begun and not ended."""

    @abstractmethod
    def wipe(self) -> None:
        """Forget what has begun, and zero it."""


def wipe(data: bytearray) -> None:
    """Zero and empty a buffer."""
    data[:] = bytes(len(data))
    data.clear()


def xor_of(data: Iterable[int]) -> bytes:
    """Block check character: the exclusive or of all bytes."""
    return bytes((reduce(xor, data, 0),))


class Controls:
    """The control codes of a line, of one or two bytes."""

    def __init__(self, codes: Iterable[bytes]) -> None:
        self._codes = frozenset(codes)
        self._leads = frozenset(code[0] for code in self._codes if len(code) == 2)
        self._lead: int | None = None

    def feed(self, byte: int) -> Control | None:
        """The code that this byte ends, if any."""
        lead, self._lead = self._lead, None
        if lead is not None and (code := bytes((lead, byte))) in self._codes:
            return Control(code)
        if byte in self._leads:
            self._lead = byte
        elif (code := bytes((byte,))) in self._codes:
            return Control(code)
        return None

    @property
    def begun(self) -> bool:
        """Whether the byte before may be the first of two."""
        return self._lead is not None

    def forget(self) -> None:
        """Forget a code that has begun."""
        self._lead = None


@dataclass(frozen=True, slots=True)
class Layout:
    """How a frame with a length is laid out: start, address, length, text, end, check."""

    start: int
    check: Callable[[bytes], bytes]
    """The check bytes, of all bytes before them."""
    check_size: int = 1
    check_from: int = 0
    """Bytes at the start that the check leaves out."""
    address: bytes = b""
    length_size: int = 2
    """Bytes of the length, the highest first."""
    length_adds: int = 0
    """What the length counts besides the text."""
    end: bytes = b""
    text_max: int = 1024

    @property
    def head_size(self) -> int:
        """Bytes before the text."""
        return 1 + len(self.address) + self.length_size


class LengthFraming(Framing):
    """Frames that say how long they are."""

    def __init__(self, layout: Layout, controls: Iterable[bytes]) -> None:
        super().__init__()
        self._layout = layout
        self._controls = Controls(controls)
        self._buffer = bytearray()
        self._text_size = 0

    def encode(self, text: bytes) -> bytes:
        layout = self._layout
        if len(text) > layout.text_max:
            raise ValueError(f"a text of {len(text)} bytes is over {layout.text_max}")
        length = (len(text) + layout.length_adds).to_bytes(layout.length_size, "big")
        frame = bytes((layout.start,)) + layout.address + length + text + layout.end
        return frame + layout.check(frame[layout.check_from :])

    def feed(self, byte: int) -> Token | None:
        if self._buffer:
            self._buffer.append(byte)
            return self._take()
        if not self._controls.begun and byte == self._layout.start:
            self._buffer.append(byte)
            return None
        control = self._controls.feed(byte)
        if control is None and not self._controls.begun:
            if byte == self._layout.start:
                self._buffer.append(byte)
            else:
                self.noise += 1
        return control

    @property
    def in_frame(self) -> bool:
        return bool(self._buffer)

    def wipe(self) -> None:
        wipe(self._buffer)
        self._controls.forget()

    def _take(self) -> Token | None:
        layout, size = self._layout, len(self._buffer)
        if size == layout.head_size:
            return self._take_head()
        whole = layout.head_size + self._text_size + len(layout.end) + layout.check_size
        if size < layout.head_size or size < whole:
            return None
        return self._take_frame(bytes(self._buffer))

    def _take_head(self) -> Token | None:
        layout = self._layout
        address = self._buffer[1 : 1 + len(layout.address)]
        length = int.from_bytes(self._buffer[1 + len(layout.address) :], "big")
        self._text_size = length - layout.length_adds
        if address != layout.address or not 0 < self._text_size <= layout.text_max:
            wipe(self._buffer)
            return Damaged("a frame's address or length makes no sense")
        return None

    def _take_frame(self, frame: bytes) -> Token:
        layout = self._layout
        text = self._buffer[layout.head_size : layout.head_size + self._text_size]
        wipe(self._buffer)
        body, check = frame[: -layout.check_size], frame[-layout.check_size :]
        if body.endswith(layout.end) and layout.check(body[layout.check_from :]) == check:
            return Frame(text)
        wipe(text)
        return Damaged("a frame's check does not agree")


DLE, STX, ETX = 0x10, 0x02, 0x03


class StuffedFraming(Framing):
    """Frames `DLE STX text DLE ETX BCC`, a DLE in the text doubled (transparent mode, ISO 2111).

    The BCC is the exclusive or of the text, undoubled, and the ETX. It is one byte as it is: it may itself be a DLE,
    an STX or an ETX. A frame that begins anew inside another takes its place, and a code of `ends` ends it; any
    other control code inside is passed over.
    """

    def __init__(
        self, controls: Iterable[bytes], *, ends: Iterable[bytes] = (), text_max: int = 1024
    ) -> None:
        super().__init__()
        self._controls = Controls({*controls, bytes((DLE, STX))})
        self._ends = frozenset(ends)
        self._text_max = text_max
        self._text = bytearray()
        self._take: Callable[[int], Token | None] = self._take_outside

    def encode(self, text: bytes) -> bytes:
        if len(text) > self._text_max:
            raise ValueError(f"a text of {len(text)} bytes is over {self._text_max}")
        stuffed = text.replace(bytes((DLE,)), bytes((DLE, DLE)))
        return bytes((DLE, STX)) + stuffed + bytes((DLE, ETX)) + xor_of((*text, ETX))

    def feed(self, byte: int) -> Token | None:
        return self._take(byte)

    @property
    def in_frame(self) -> bool:
        return self._take != self._take_outside

    def wipe(self) -> None:
        wipe(self._text)
        self._controls.forget()
        self._take = self._take_outside

    def _take_outside(self, byte: int) -> Token | None:
        control = self._controls.feed(byte)
        if control is None:
            self.noise += not self._controls.begun
        elif control.code == bytes((DLE, STX)):
            self._begin()
            return None
        return control

    def _begin(self) -> None:
        wipe(self._text)
        self._take = self._take_text

    def _take_text(self, byte: int) -> Token | None:
        if byte == DLE:
            self._take = self._take_behind_dle
            return None
        return self._append(byte)

    def _take_behind_dle(self, byte: int) -> Token | None:
        self._take = self._take_text
        if byte == DLE:
            return self._append(byte)
        if byte == STX:
            self._begin()
        elif byte == ETX:
            self._take = self._take_check
        elif (code := bytes((DLE, byte))) in self._ends:
            self.wipe()
            return Control(code)
        else:
            self.noise += 1
        return None

    def _append(self, byte: int) -> Token | None:
        if len(self._text) == self._text_max:
            self.wipe()
            return Damaged("a frame does not end")
        self._text.append(byte)
        return None

    def _take_check(self, byte: int) -> Token:
        text = bytearray(self._text)
        self.wipe()
        if text and xor_of((*text, ETX)) == bytes((byte,)):
            return Frame(text)
        wipe(text)
        return Damaged("a frame's check does not agree")
