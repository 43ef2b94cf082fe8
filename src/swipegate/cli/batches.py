"""A table sent to a server in batches, several of them in flight, and what came of its rows."""

import asyncio
import csv
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from grpc import aio

from swipegate.cli.tables import Kind, Row, Table, TableError
from swipegate.v1 import bulk_import_pb2 as pb

BATCH_ROWS = 1_000
"""Rows of a batch: one transaction, for whose time other writers wait."""
BATCH_BYTES = 1024 * 1024
"""Of a batch's rows in the file; gRPC takes messages of four times as much."""
IN_FLIGHT = 4
"""Batches sent and not answered yet."""
ANSWER_TIMEOUT = 60.0
"""Seconds for the answer to a batch."""
SHOWN = 10
"""Refused rows that are kept to be shown."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be imported and how."""

    file: Path
    kind: Kind
    request: Callable[[list[Any]], Any]
    """The message of a batch."""
    refused: Path | None = None
    """Where refused rows are written to."""


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A row that was not taken."""

    row: Row
    reason: str
    field: str
    description: str


@dataclass(slots=True)
class Tally:
    """What came of the rows whose batches were answered."""

    created: int = 0
    unchanged: int = 0
    refused: int = 0
    first: list[RefusedLine] = field(default_factory=list)
    """The first SHOWN refused rows."""
    line: int = 0
    """Of the last row, the header being line 1."""
    position: int = 0
    """Bytes of the file up to there."""
    complete: bool = False
    """Whether that is the whole file."""

    @property
    def rows(self) -> int:
        """How many."""
        return self.created + self.unchanged + self.refused


@dataclass(frozen=True, slots=True)
class _Batch:
    rows: list[Row]
    position: int


class Run:
    """One import. Opens the files: raises OSError, and TableError for one that is no such table."""

    def __init__(self, job: Job, files: ExitStack, on_answer: Callable[[Tally], None]) -> None:
        source = files.enter_context(job.file.open("rb"))
        self.size = os.fstat(source.fileno()).st_size
        self._table = Table(source, job.kind)
        self._request = job.request
        self._refused = None if job.refused is None else _writer(job.refused, job.file, files)
        self._on_answer = on_answer
        self._window = asyncio.Semaphore(IN_FLIGHT)
        self._unanswered: asyncio.Queue[_Batch | None] = asyncio.Queue(IN_FLIGHT + 1)
        self._answered = 0
        """Rows that the server has answered."""
        self.tally = Tally()
        self.broken: TableError | None = None
        """Why the rest of the file was not read."""
        self.stopping = False

    def stop(self) -> None:
        """Send nothing more; what was sent is still waited for."""
        self.stopping = True

    async def through(self, call: Any) -> None:
        """Send the file and take the answers. Raises AioRpcError when the call fails, TimeoutError."""
        sending = asyncio.create_task(self._send(call))
        try:
            while (batch := await self._unanswered.get()) is not None:
                answer = await asyncio.wait_for(call.read(), ANSWER_TIMEOUT)
                self._settle(batch, answer.report)
                self._window.release()
            await asyncio.wait_for(call.read(), ANSWER_TIMEOUT)  # its end, or its failure
            self.tally.complete = self.broken is None and not self.stopping
        finally:
            sending.cancel()
            call.cancel()

    async def _send(self, call: Any) -> None:
        batches = self._batches()
        try:
            while True:
                await self._window.acquire()
                # in a thread: answers are taken meanwhile
                batch = await asyncio.to_thread(next, batches, None)
                if batch is None or self.stopping:
                    break
                self._unanswered.put_nowait(batch)
                await call.write(
                    self._request([row.message for row in batch.rows if row.message is not None])
                )
            await call.done_writing()
        except (aio.AioRpcError, asyncio.InvalidStateError):
            pass  # reading tells why
        finally:
            self._unanswered.put_nowait(None)

    def _batches(self) -> Iterator[_Batch]:
        rows, room = [], BATCH_BYTES
        try:
            for row in self._table.rows():
                rows.append(row)
                room -= len(row.text) * 4  # of bytes a character
                if len(rows) == BATCH_ROWS or room < 0:
                    yield _Batch(rows, self._table.position)
                    rows, room = [], BATCH_BYTES
        except TableError as error:
            self.broken = error
        if rows:
            yield _Batch(rows, self._table.position)

    def _settle(self, batch: _Batch, report: pb.ImportReport) -> None:
        tally = self.tally
        sent = [row for row in batch.rows if row.message is not None]
        before = self._answered
        self._answered += len(sent)
        refused = [
            RefusedLine(row, "INVALID_FIELD", row.field, _described(row)) for row in batch.rows if row.problem
        ]
        refused += [
            RefusedLine(sent[one.row - before], one.reason, one.field, one.description)
            for one in report.refused
        ]
        refused.sort(key=lambda one: one.row.line)
        tally.created += report.created
        tally.unchanged += report.unchanged
        tally.refused += len(refused)
        tally.first += islice(refused, SHOWN - len(tally.first))
        tally.line, tally.position = batch.rows[-1].line, batch.position
        if self._refused is not None:
            self._refused.writerows(
                (one.row.line, one.reason, one.field, one.description, one.row.text) for one in refused
            )
        self._on_answer(tally)


def _described(row: Row) -> str:
    """What is wrong with the row, as the server would say it."""
    return f"{row.field}: {row.problem}" if row.field else f"the row {row.problem}"


async def knock(call: Any) -> None:
    """Import nothing. Raises AioRpcError when the call fails, TimeoutError."""
    await call.done_writing()
    await asyncio.wait_for(call.read(), ANSWER_TIMEOUT)


def _writer(path: Path, source: Path, files: ExitStack) -> Any:
    """Of refused rows, which may hold what the file holds: for the owner alone."""
    if path.exists() and path.samefile(source):
        raise OSError(0, "is the file that is imported", str(path))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    opened = open(descriptor, "w", newline="", encoding="utf-8", errors="surrogateescape")  # noqa: SIM115
    writer = csv.writer(files.enter_context(opened))
    writer.writerow(("line", "reason", "field", "description", "row"))
    return writer
