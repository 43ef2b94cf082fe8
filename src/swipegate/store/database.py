"""The database: one writer that commits the work of many callers together, and readers.

Every write of the process goes through one thread. It takes whatever callers wait at the moment, runs them one after
another in one transaction, and commits once: durable, and one fsync for many calls. A caller is answered after the
commit, never before. Savepoints, which keep one caller's failure from the others, cost as much as a write: they are
only taken when somebody fails, and then the group is run again.

The writer and the event loop share Python's lock, which the writer lets go at every statement and the loop keeps for
milliseconds. So where statements wait for nobody else, the loop steps aside while a large group is at work.
"""

import asyncio
import contextlib
import logging
import os
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, RootTransaction
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import PoolProxiedConnection

from swipegate.domain.errors import SwipegateError
from swipegate.store import engine, revision
from swipegate.store.checkpoint import Checkpoints
from swipegate.store.revision import DatabaseFileError, DatabaseUnavailableError
from swipegate.v1 import error_pb2

T = TypeVar("T")
Unit = Callable[[Connection], T]

MAX_GROUP = 128
"""Callers whose work one commit may carry."""
MAX_WAITING = 4096
"""Callers that may wait for the writer; the next is refused."""
MANY = 5
"""Callers of a group from which on the next one is worth waiting for."""
GATHER = 0.01
"""Seconds to wait for as many callers as the last group had."""
STEP_ASIDE = 0.02
"""Seconds for which the event loop may stand still for a group."""
READERS = 2
"""Threads that read while the writer writes."""
OUTAGE_PAUSE = 1.0
"""Seconds in which nobody tries again what has just shown that the database cannot be had."""

log = logging.getLogger(__name__)


class _Rehearsed(Exception):
    """Carries what a unit returned out of the work that it undoes."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class _Outage:
    """The database could not be had a moment ago: those who wait are told at once, not one after the other."""

    def __init__(self) -> None:
        self._until = 0.0

    def check(self) -> None:
        """Raise DATABASE_UNAVAILABLE while it lasts."""
        if monotonic() < self._until:
            raise _unavailable()

    def begin(self, error: Exception) -> None:
        """It was found out by this error."""
        self._until = monotonic() + OUTAGE_PAUSE
        log.warning("the database cannot be had: %s", engine.describe_error(error))


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
    """SQLite in a file (a Path), or PostgreSQL (a URL).

    Thread-safety: `write` and `read` belong to the event loop, the threads to this class.
    """

    def __init__(self, where: Path | URL) -> None:
        self._where = where
        self._engine = engine.create(where)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="swipegate-read")
        self._local = threading.local()
        self._read_connections: list[Connection] = []
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._checkpoints: Checkpoints | None = None
        self._gathered = threading.Event()
        self._wanted = 0
        """Callers for whom the writer waits; 0: it does not."""
        self._accepting = threading.Lock()
        """Held to put a job, and to close: no job comes after the end."""
        self._opened = self._closed = False
        self._reads = 0
        """Under way or waiting for a thread."""
        self._no_writing, self._no_reading = _Outage(), _Outage()
        self.commits = 0
        """Transactions committed so far."""

    @property
    def has_one_server(self) -> bool:
        """Whether no other server can be at work on it: a file lies in the folder that its server locks."""
        return isinstance(self._where, Path)

    def open(self, *, upgrade: bool = False) -> None:
        """Create the schema where there is none, and start; once.

        Raises SchemaVersionError for another version's database, which stays as it is unless it is older and
        `upgrade` says to bring it up, DatabaseUnavailableError for one that cannot be had now, and DatabaseFileError
        for one that cannot be used.
        """
        if self._opened:
            raise RuntimeError("a Database opens once")
        name = engine.describe(self._where)
        try:
            if isinstance(self._where, Path):
                # for the owner alone: the files beside it get the same rights
                os.close(os.open(self._where, os.O_RDWR | os.O_CREAT, 0o600))
            revision.prepare(self._engine, name, upgrade=upgrade)
            # made here, not in the writer's thread, where nobody would see it fail
            connection = engine.connect(self._engine, writer=True)
            if isinstance(self._where, Path):
                self._checkpoints = Checkpoints(self._engine)
        except OSError as error:
            raise DatabaseFileError(f"{name}: {error.strerror}") from None
        except DBAPIError as error:
            kind = DatabaseUnavailableError if engine.is_passing(error) else DatabaseFileError
            raise kind(f"{name}: {error.orig}") from None
        self._opened = True
        self._writer = threading.Thread(
            target=self._write_loop, args=(connection,), name="swipegate-write", daemon=True
        )
        self._writer.start()

    async def write(self, unit: Unit[T]) -> T:
        """Run the unit in a transaction and return what it returned once that is durable.

        The unit runs in the writer's thread, while nobody else writes; what it raises undoes it alone and is raised
        here. It may be run twice, the first time undone. Raises OVERLOADED when too many callers wait, and
        DATABASE_UNAVAILABLE when the server is gone: then nobody knows whether the unit was committed.
        """
        job = _Job(unit, asyncio.get_running_loop())
        with self._accepting:
            if self._closed:
                raise SwipegateError(error_pb2.ERROR_REASON_SHUTTING_DOWN)
            waiting = self._jobs.qsize()
            if waiting >= MAX_WAITING:
                raise _overloaded()
            self._jobs.put(job)
            if 0 < self._wanted <= waiting + 1:
                self._gathered.set()
        result: T = await job.future
        return result

    async def rehearse(self, unit: Unit[T]) -> T:
        """What `write` would return or raise; nothing is kept."""

        def undone(connection: Connection) -> None:
            raise _Rehearsed(unit(connection))

        try:
            await self.write(undone)
        except _Rehearsed as rehearsed:
            value: T = rehearsed.value
            return value
        raise AssertionError("a rehearsal ends in its own exception")

    async def read(self, unit: Unit[T]) -> T:
        """Run the unit on a snapshot of what is committed. Raises OVERLOADED and DATABASE_UNAVAILABLE."""
        with self._accepting:
            if self._closed:
                raise SwipegateError(error_pb2.ERROR_REASON_SHUTTING_DOWN)
            if self._reads >= MAX_WAITING:
                raise _overloaded()
            self._reads += 1
            future = self._readers.submit(self._run_read, unit)
        future.add_done_callback(self._read_done)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Finish what was accepted, then close the database. Idempotent."""
        with self._accepting:
            if self._closed:
                return
            self._closed = True
        if self._writer is not None:
            self._jobs.put(None)
            self._gathered.set()
            self._writer.join()
        if self._checkpoints is not None:
            self._checkpoints.close()
        self._readers.shutdown()
        for connection in self._read_connections:
            connection.close()
        self._engine.dispose()

    def _read_done(self, _future: object) -> None:
        with self._accepting:
            self._reads -= 1

    def _run_read(self, unit: Unit[T]) -> T:
        connection: Connection | None = getattr(self._local, "connection", None)
        fresh = connection is None
        try:
            if connection is None:
                connection = self._new_reader()
            with connection.begin():
                return unit(connection)
        except Exception as error:
            if connection is None or not engine.is_lost(connection):
                raise _told(error) from None
            self._forget_reader(connection)
            if fresh:
                raise _unavailable() from None
            return self._run_read(unit)  # the server may be back: a read does no harm twice

    def _new_reader(self) -> Connection:
        self._no_reading.check()
        try:
            connection = engine.connect(self._engine, writer=False)
        except DBAPIError as error:
            self._no_reading.begin(error)
            raise _unavailable() from None
        self._local.connection = connection
        self._read_connections.append(connection)
        return connection

    def _forget_reader(self, connection: Connection) -> None:
        self._local.connection = None
        self._read_connections.remove(connection)
        _discard(connection)

    def _write_loop(self, connection: Connection | None) -> None:
        expected = 0
        while group := self._next_group(expected):
            connection = self._commit_group(connection, group)
            expected = len(group)
        if connection is not None:
            connection.close()

    def _next_group(self, expected: int) -> list[_Job]:
        """What waits, once something does and has had a moment to become as many as expected; empty at the end."""
        first = self._jobs.get()
        if first is None:
            return []
        self._gather(expected - 1)
        group = [first]
        while len(group) < MAX_GROUP:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._jobs.put(None)  # the end comes after this group; nothing else can be put any more
                break
            group.append(job)
        return group

    def _gather(self, others: int) -> None:
        """Let others come to whoever is there. They do under load, and one commit for all is cheaper than two."""
        if others + 1 < MANY:
            return
        self._gathered.clear()
        self._wanted = others
        if self._jobs.qsize() < others and not self._closed:
            self._gathered.wait(GATHER)
        self._wanted = 0

    def _commit_group(self, connection: Connection | None, group: list[_Job]) -> Connection | None:
        """Do the group's work and answer it; the connection for the next group, None where it is lost."""
        try:
            connection, transaction = self._begun(connection)
            with transaction:
                with self._alone(group):
                    clean = _run_together(connection, group)
                if not clean:
                    transaction.rollback()
            if not clean:
                with connection.begin():
                    _run_apart(connection, group)
            self.commits += 1
            if self._checkpoints is not None:
                self._checkpoints.written(connection)
        except Exception as error:  # the begin or the commit failed: nobody's work is known to be durable
            connection, told = _after_failure(connection, error)
            for job in group:
                job.outcome = (None, told)
        by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
        for job in group:
            by_loop.setdefault(job.loop, []).append(job)
        for loop, jobs in by_loop.items():
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_settle_all, jobs)
        return connection

    @contextlib.contextmanager
    def _alone(self, group: list[_Job]) -> Iterator[None]:
        """Have the event loop wait for the end of the block, where that is worth it and not for long."""
        if len(group) < MANY or not self.has_one_server:
            yield
            return
        at_work = threading.Lock()
        with at_work:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                group[0].loop.call_soon_threadsafe(at_work.acquire, True, STEP_ASIDE)
            yield

    def _begun(self, connection: Connection | None) -> tuple[Connection, RootTransaction]:
        """A connection in a transaction; a new one where the server went away while nothing was asked of it."""
        self._no_writing.check()
        try:
            if connection is not None:
                try:
                    return connection, connection.begin()
                except DBAPIError:
                    if not engine.is_lost(connection):
                        raise
                    _discard(connection)
            return _connect_and_begin(self._engine)
        except DBAPIError as error:
            if engine.is_passing(error):
                self._no_writing.begin(error)
            raise


def _connect_and_begin(of: Engine) -> tuple[Connection, RootTransaction]:
    connection = engine.connect(of, writer=True)
    try:
        return connection, connection.begin()
    except BaseException:
        _discard(connection)
        raise


def _after_failure(connection: Connection | None, error: Exception) -> tuple[Connection | None, Exception]:
    if connection is not None and not engine.is_lost(connection):
        with contextlib.suppress(Exception):
            # a BEGIN that failed after it took effect would be in the way of every later one
            connection.connection.rollback()
        if not engine.is_lost(connection):
            return connection, _told(error)
    if connection is not None:
        _discard(connection)
    return None, _unavailable()


def _told(error: Exception) -> Exception:
    """What the caller hears of it."""
    if not engine.is_passing(error):
        return error
    log.warning("the database refused for now: %s", engine.describe_error(error))
    return _unavailable()


def _overloaded() -> SwipegateError:
    return SwipegateError(error_pb2.ERROR_REASON_OVERLOADED, what="the database's queue", bound=MAX_WAITING)


def _discard(connection: Connection) -> None:
    with contextlib.suppress(Exception):
        connection.invalidate()
    with contextlib.suppress(Exception):
        connection.close()


def _unavailable() -> SwipegateError:
    return SwipegateError(error_pb2.ERROR_REASON_DATABASE_UNAVAILABLE)


def _run_together(connection: Connection, group: list[_Job]) -> bool:
    """Run the group's units; False when one failed and left something to undo."""
    mark = engine.mark(connection)
    for job in group:
        try:
            job.outcome = job.unit(connection), None
        except Exception as error:
            job.outcome = None, _told(error)
            if not engine.is_unchanged(connection, mark):
                return False
        mark = engine.mark(connection)
    return True


def _run_apart(connection: Connection, group: list[_Job]) -> None:
    """Run the group's units, each in a savepoint of its own, so that a failure undoes its own work alone."""
    driver = connection.connection
    for job in group:
        _execute(driver, "SAVEPOINT unit")
        try:
            job.outcome = job.unit(connection), None
        except Exception as error:
            job.outcome = None, _told(error)
            _execute(driver, "ROLLBACK TO unit")
        _execute(driver, "RELEASE unit")


def _execute(driver: PoolProxiedConnection, sql: str) -> None:
    with contextlib.closing(driver.cursor()) as cursor:
        cursor.execute(sql)
