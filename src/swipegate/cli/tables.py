"""CSV files as rows of messages: RFC 4180, UTF-8, the names of fields in the first line."""

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

MAX_ROW = 16 * 1024
"""Bytes of a row, whose fields are far shorter; only a quote that does not end makes a longer one."""
_BOM = "\ufeff"
_WHOLE = re.compile(r"[0-9]{1,30}")

Convert = Callable[[str], Any]


class TableError(Exception):
    """The file is no table of the kind that is asked for; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What the rows of a table are."""

    make: Callable[..., Any]
    """Makes the message of a row from the cells that are not empty."""
    columns: Mapping[str, Convert]
    required: frozenset[str]


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the message, or why there is none."""

    line: int
    """On which it begins, from 1."""
    text: str
    """As it stands in the file, its end of line left out."""
    message: Any = None
    field: str = ""
    problem: str = ""


def whole(cell: str) -> int:
    """A whole number, leading zeros or none. Raises ValueError."""
    digits = cell.strip()
    if not _WHOLE.fullmatch(digits):
        raise ValueError("must be a whole number, in digits alone")
    return int(digits)


class Table:
    """The rows of a file. Raises TableError for a header that does not fit."""

    def __init__(self, file: BinaryIO, kind: Kind) -> None:
        self._file = file
        self._kind = kind
        self._lines = 0
        self._raw: list[str] = []
        """Lines of the row that is being read."""
        self._reader = csv.reader(self._decoded(), strict=True)
        self.position = 0
        """Bytes read so far."""
        self._header = self._names()

    def rows(self) -> Iterator[Row]:
        """Every row that is not blank. Raises TableError at a row without end."""
        header = self._header
        converts = [self._kind.columns[name] for name in header]
        while True:
            self._raw.clear()
            first = self._lines + 1
            problem = ""
            cells: Sequence[str] = ()
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:  # the reader goes on with the next line
                problem = f"is no row of CSV: {error}"
            if cells or problem:
                text = "".join(self._raw).rstrip("\r\n")
                yield self._row(first, text, header, converts, cells, problem)

    def _row(
        self,
        line: int,
        text: str,
        header: Sequence[str],
        converts: Sequence[Convert],
        cells: Sequence[str],
        problem: str,
    ) -> Row:
        if problem:
            return Row(line, text, problem=problem)
        if len(cells) != len(header):
            return Row(line, text, problem=f"has {len(cells)} cells, the header {len(header)}")
        if not text.isascii() and any("\udc80" <= character <= "\udcff" for character in text):
            return Row(line, text, problem="is not UTF-8")
        given: dict[str, Any] = {}
        name = ""
        try:
            for name, convert, cell in zip(header, converts, cells, strict=True):
                if cell:
                    given[name] = convert(cell)
        except ValueError as error:
            return Row(line, text, field=name, problem=str(error))
        try:
            return Row(line, text, self._kind.make(**given))
        except ValueError:  # protobuf's own text may hold the value
            return Row(line, text, problem="holds a number that is too large")

    def _names(self) -> Sequence[str]:
        known = ", ".join(self._kind.columns)
        try:
            header = [name.strip() for name in next(self._reader, ())]
        except csv.Error as error:
            raise TableError(f"line 1: is no row of CSV: {error}") from None
        if not header:
            raise TableError(f"has no header: the first line must name the columns; known are {known}")
        unknown = [name for name in header if name not in self._kind.columns]
        if unknown:
            shown = unknown[0][:64] + ("..." if len(unknown[0]) > 64 else "")
            raise TableError(f"unknown column {shown!r} (cells are parted by commas); known are {known}")
        twice = [name for name in header if header.count(name) > 1]
        if twice:
            raise TableError(f"column {twice[0]} is there twice")
        missing = [name for name in self._kind.columns if name in self._kind.required - {*header}]
        if missing:
            raise TableError(f"column {missing[0]} is missing; required are {', '.join(self._required())}")
        return header

    def _required(self) -> Iterator[str]:
        return (name for name in self._kind.columns if name in self._kind.required)

    def _decoded(self) -> Iterator[str]:
        size = 0
        while line := self._file.readline(MAX_ROW + 1):
            size = size + len(line) if self._raw else len(line)
            if size > MAX_ROW:
                first = self._lines - len(self._raw) + 1
                raise TableError(
                    f"line {first}: a row of more than {MAX_ROW:,} bytes; is there a quote that does not end?"
                )
            self.position += len(line)
            text = line.decode(errors="surrogateescape")  # what is no UTF-8 refuses its row alone
            if self._lines == 0:
                text = text.removeprefix(_BOM)
            self._lines += 1
            self._raw.append(text)
            yield text
