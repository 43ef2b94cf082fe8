"""The database: one writer that commits the work of many callers together, and a reader.

Every write of the process goes through one thread. It takes whatever callers wait at the moment, runs each in
a savepoint of one transaction, and commits once: durable, and one fsync for many calls. A caller is answered
after the commit, never before.
"""

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, PoolProxiedConnection

from swipegate.domain.errors import SwipegateError
from swipegate.store import schema
from swipegate.v1 import error_pb2

T = TypeVar("T")
Unit = Callable[[Connection], T]

MAX_GROUP = 128
"""Callers whose work one commit may carry."""
MAX_WAITING = 4096
"""Callers that may wait for the writer; the next is refused."""
BUSY_TIMEOUT = 5.0
"""Seconds to wait for another process that has the file locked."""
READERS = 2
"""Threads that read while the writer writes."""


class DatabaseFileError(Exception):
    """The database cannot be used; the text names the file and the reason."""


class SchemaVersionError(DatabaseFileError):
    """The database was made by another version of Swipegate."""


class _Job:
    """One caller's unit of work and the way back to it."""

    __slots__ = ("future", "loop", "outcome", "unit")

    def __init__(self, unit: Unit[Any], loop: asyncio.AbstractEventLoop) -> None:
        self.unit = unit
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        self.outcome: tuple[Any, BaseException | None] = (None, None)

    def _settle(self) -> None:
        if self.future.done():  # the caller gave up; what was committed stays
            return
        value, error = self.outcome
        if error is None:
            self.future.set_result(value)
        else:
            self.future.set_exception(error)


def _settle_all(jobs: list[_Job]) -> None:
    for job in jobs:
        job._settle()


class Database:
    """SQLite in a file. Thread-safety: `write` and `read` belong to the event loop, the threads to this class."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._engine = _sqlite_engine(path)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="swipegate-read")
        self._local = threading.local()
        self._read_connections: list[Connection] = []
        self._jobs: queue.Queue[_Job | None] = queue.Queue(MAX_WAITING)
        self._writer: threading.Thread | None = None
        self._accepting = threading.Lock()
        """Held to put a job, and to close: no job comes after the end."""
        self._opened = self._closed = False
        self.commits = 0
        """Transactions committed so far."""

    def open(self) -> None:
        """Create the schema where there is none, and start; once.

        Raises SchemaVersionError for another version's file, which stays as it is, and DatabaseFileError for a file
        that is no database or cannot be written.
        """
        if self._opened:
            raise RuntimeError("a Database opens once")
        try:
            # for the owner alone: the files beside it get the same rights
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            # made here, not in the writer's thread, where nobody would see it fail
            connection = self._engine.connect().execution_options(swipegate_writer=True)
            with contextlib.ExitStack() as on_failure:
                on_failure.callback(connection.close)
                with connection.begin():
                    _create_or_check_schema(connection, self._path)
                on_failure.pop_all()
        except OSError as error:
            raise DatabaseFileError(f"{self._path}: {error.strerror}") from None
        except DBAPIError as error:
            raise DatabaseFileError(f"{self._path}: {error.orig}") from None
        self._opened = True
        self._writer = threading.Thread(
            target=self._write_loop, args=(connection,), name="swipegate-write", daemon=True
        )
        self._writer.start()

    async def write(self, unit: Unit[T]) -> T:
        """Run the unit in a transaction and return what it returned once that is durable.

        The unit runs in the writer's thread; what it raises undoes it alone and is raised here. Raises OVERLOADED
        when too many callers wait.
        """
        job = _Job(unit, asyncio.get_running_loop())
        with self._accepting:
            if self._closed:
                raise SwipegateError(error_pb2.ERROR_REASON_SHUTTING_DOWN)
            try:
                self._jobs.put_nowait(job)
            except queue.Full:
                raise SwipegateError(
                    error_pb2.ERROR_REASON_OVERLOADED, what="the database's queue", bound=MAX_WAITING
                ) from None
        result: T = await job.future
        return result

    async def read(self, unit: Unit[T]) -> T:
        """Run the unit on a snapshot of what is committed."""
        with self._accepting:
            if self._closed:
                raise SwipegateError(error_pb2.ERROR_REASON_SHUTTING_DOWN)
            future = self._readers.submit(self._run_read, unit)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Finish what was accepted, then close the file. Idempotent."""
        with self._accepting:
            if self._closed:
                return
            self._closed = True
        if self._writer is not None:
            self._jobs.put(None)
            self._writer.join()
        self._readers.shutdown()
        for connection in self._read_connections:
            connection.close()
        self._engine.dispose()

    def _run_read(self, unit: Unit[T]) -> T:
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._engine.connect()
            self._read_connections.append(connection)
        with connection.begin():
            return unit(connection)

    def _write_loop(self, connection: Connection) -> None:
        with connection:
            running = True
            while running:
                first = self._jobs.get()
                if first is None:
                    return
                group = [first]
                while len(group) < MAX_GROUP:
                    try:
                        job = self._jobs.get_nowait()
                    except queue.Empty:
                        break
                    if job is None:
                        running = False
                        break
                    group.append(job)
                self._commit_group(connection, group)

    def _commit_group(self, connection: Connection, group: list[_Job]) -> None:
        try:
            with connection.begin():
                for job in group:
                    job.outcome = _run_in_savepoint(connection, job.unit)
            self.commits += 1
        except Exception as error:  # the begin or the commit failed: nobody's work is durable
            with contextlib.suppress(Exception):
                # a BEGIN that failed after it took effect would be in the way of every later one
                connection.connection.rollback()
            for job in group:
                job.outcome = (None, error)
        by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
        for job in group:
            by_loop.setdefault(job.loop, []).append(job)
        for loop, jobs in by_loop.items():
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_settle_all, jobs)


def _create_or_check_schema(connection: Connection, path: Path) -> None:
    if not inspect(connection).has_table(schema.schema_version.name):
        schema.metadata.create_all(connection)
        connection.execute(insert(schema.schema_version), {"version": schema.VERSION})
        names = [column.name for column in schema.card_type.columns]
        rows = [dict(zip(names, row, strict=True)) for row in schema.CARD_TYPES]
        connection.execute(insert(schema.card_type), rows)
        return
    found = connection.scalar(select(schema.schema_version.c.version))
    if found != schema.VERSION:
        raise SchemaVersionError(
            f"{path}: the database has schema version {found}, this Swipegate needs {schema.VERSION}"
        )


def _run_in_savepoint(connection: Connection, unit: Unit[Any]) -> tuple[Any, BaseException | None]:
    driver = connection.connection
    _execute(driver, "SAVEPOINT unit")
    try:
        value = unit(connection)
    except Exception as error:
        _execute(driver, "ROLLBACK TO unit")
        _execute(driver, "RELEASE unit")
        return None, error
    _execute(driver, "RELEASE unit")
    return value, None


def _execute(driver: PoolProxiedConnection, sql: str) -> None:
    with contextlib.closing(driver.cursor()) as cursor:
        cursor.execute(sql)


def _sqlite_engine(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite+pysqlite:///{path}",
        poolclass=NullPool,
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT},
        hide_parameters=True,  # an error text must not hold what was to be stored
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions are ours: the driver's own would break savepoints
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",  # a commit that was answered survives a power cut
            "foreign_keys=ON",
            "secure_delete=ON",  # what is wiped is overwritten
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # IMMEDIATE: a writer that starts as a reader can fail halfway with "database is locked"
        writer = connection.get_execution_options().get("swipegate_writer", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

    return engine
