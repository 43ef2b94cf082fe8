"""SQLite in a file, or PostgreSQL: what differs between them, so that nothing above has to know.

Both have one writer at a time. SQLite locks its file; on PostgreSQL every writing transaction, of whichever server,
first takes the same advisory lock. So a transaction sees what every earlier one did, no two can wait for each other
in a circle, and the order of the numbers given out is the order of the commits.
"""

import sqlite3
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

BUSY_TIMEOUT = 5.0
"""Seconds to wait for another process that is writing."""
_BUSY_PAUSE = 0.02
"""Seconds between attempts where SQLite itself does not wait."""
CONNECT_TIMEOUT = 5
"""Seconds for a PostgreSQL server to take a connection."""
STATEMENT_TIMEOUT = 10.0
"""Seconds a PostgreSQL server may take for one statement."""
ANSWER_TIMEOUT = 15.0
"""Seconds after which a PostgreSQL server that says nothing at all counts as gone."""
IDLE_TIMEOUT = 10.0
"""Seconds after which a PostgreSQL server gives up a transaction whose client went silent, and so its lock."""
MIGRATION_TIMEOUT = 600.0
"""Seconds to wait for another server that upgrades the database, and for one statement of an upgrade."""
WRITER_LOCK = 0x73776970  # "swip"
"""Key of the advisory lock."""
_PASSING = frozenset(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
    )
)
_SECRET = ("password", "sslpassword")
"""Of the parameters that libpq takes in a URL."""
_PRIMARY = 0xFF
"""The part of SQLite's error code that says the kind (sqlite.org/rescode.html)."""
_CACHE = 64 * 1024
"""KiB of the file that SQLite keeps in memory, a connection: the upper pages of a million rows' indexes."""
LONG_LOG = 16_000
"""Pages of 4 KiB in the log of an SQLite database from which on every commit tries to move them into the file."""


def create(where: Path | URL) -> Engine:
    """The engine for a file, or for a PostgreSQL server's database."""
    return _sqlite(where) if isinstance(where, Path) else _postgresql(where)


def describe(where: Path | URL) -> str:
    """Where it is, for people; without a password."""
    if isinstance(where, Path):
        return str(where)
    return where.difference_update_query(_SECRET).render_as_string(hide_password=True)


def connect(engine: Engine, *, writer: bool) -> Connection:
    """A connection that writes, alone of all, or one that reads a snapshot."""
    options: dict[str, Any] = {"swipegate_writer": writer}
    if engine.dialect.name == "postgresql" and not writer:
        options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    return engine.connect().execution_options(**options)


def connect_to_migrate(engine: Engine) -> Connection:
    """A connection that writes, alone of all, with time to change the schema."""
    connection = connect(engine, writer=True)
    wait = int(MIGRATION_TIMEOUT * 1000)
    if engine.dialect.name == "sqlite":
        # tables are made anew under the references to them; broken_references looks at the end
        settings = ["PRAGMA foreign_keys=OFF", f"PRAGMA busy_timeout={wait}"]
    else:
        settings = [f"SET lock_timeout = {wait}", f"SET statement_timeout = {wait}"]
        driver = connection.connection.driver_connection
        assert isinstance(driver, _BoundedConnection)
        driver.answer_timeout = MIGRATION_TIMEOUT + ANSWER_TIMEOUT
    with closing(connection.connection.cursor()) as cursor:
        for setting in settings:
            cursor.execute(setting)
    connection.connection.commit()
    return connection


def broken_references(connection: Connection) -> int:
    """Rows that refer to nothing, which a connection to migrate can make on SQLite; at most 100 are counted."""
    if connection.dialect.name != "sqlite":
        return 0
    return len(connection.exec_driver_sql("SELECT 1 FROM pragma_foreign_key_check LIMIT 100").all())


def is_lost(connection: Connection) -> bool:
    """Whether the server is gone from the other end."""
    if connection.closed or connection.invalidated:
        return True
    driver = connection.connection.driver_connection
    return bool(getattr(driver, "closed", False))


def mark(connection: Connection) -> int:
    """How much was written on a connection so far; -1 where the driver does not tell."""
    return getattr(connection.connection.driver_connection, "total_changes", -1)


def is_unchanged(connection: Connection, since: int) -> bool:
    """Whether the transaction is there and holds nothing more than at that mark; False where nobody knows."""
    driver = connection.connection.driver_connection
    return since >= 0 and bool(getattr(driver, "in_transaction", False)) and mark(connection) == since


def checkpoint(connection: Connection) -> bool:
    """Move SQLite's log into the file as far as nobody has to wait for it; whether the log is long."""
    _busy, pages, _moved = connection.connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(pages) >= LONG_LOG


def is_passing(error: BaseException) -> bool:
    """Whether it is the database that cannot do it now (busy, full, gone), and not the statement that is wrong."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_OK) & _PRIMARY in _PASSING
    return isinstance(cause, psycopg.OperationalError | psycopg.errors.ReadOnlySqlTransaction)


def describe_error(error: BaseException) -> str:
    """Its kind, for a log; its own text could hold what it failed on."""
    cause = getattr(error, "orig", None) or error
    code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
    return f"{type(cause).__name__} {code}" if code else type(cause).__name__


class _NoAnswer(Exception):
    """The server said nothing for too long."""


class _BoundedConnection(psycopg.Connection[Any]):
    """Gives up a server that does not answer. The server's own timeouts end nothing while it hangs."""

    answer_timeout: float | None = None
    """Seconds, where it is not ANSWER_TIMEOUT."""

    def wait(self, gen: Any, *arguments: Any, **named: Any) -> Any:
        """Drive one exchange with the server to its end."""
        deadline = monotonic() + (self.answer_timeout or ANSWER_TIMEOUT)
        try:
            return super().wait(_until(deadline, gen), *arguments, **named)
        except _NoAnswer:
            self.close()
            raise psycopg.OperationalError("the server does not answer") from None


def _until(deadline: float, exchange: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """The same exchange, which psycopg tells several times a second that nothing has come yet."""
    ready = None
    while True:
        try:
            wanted = exchange.send(ready)
        except StopIteration as done:
            return done.value
        ready = yield wanted
        if not ready and monotonic() > deadline:
            raise _NoAnswer


def _sqlite(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite+pysqlite:///{path}",
        poolclass=NullPool,
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT},
        hide_parameters=True,  # an error text must not hold what was to be stored
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions are ours: the driver's own would break savepoints
        _use_write_ahead_log(connection)
        for pragma in (
            "synchronous=FULL",  # a commit that was answered survives a power cut
            "foreign_keys=ON",
            "secure_delete=ON",  # what is wiped is overwritten
            f"cache_size=-{_CACHE}",
            f"wal_autocheckpoint={LONG_LOG}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # IMMEDIATE: a writer that starts as a reader can fail halfway with "database is locked"
        writer = connection.get_execution_options().get("swipegate_writer", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

    return engine


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """SQLite itself waits for nobody when it changes this mode, as another process may at the same time."""
    give_up = monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY != sqlite3.SQLITE_BUSY or monotonic() > give_up:
                raise
            sleep(_BUSY_PAUSE)
        else:
            return


def _postgresql(url: URL) -> Engine:
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        poolclass=NullPool,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT,
            "application_name": "swipegate",
            # a server that is gone without a word is noticed
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": int(STATEMENT_TIMEOUT * 1000),
        },
        hide_parameters=True,
    )

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: object, _record: object, arguments: Any, named: Any) -> _BoundedConnection:
        return _BoundedConnection.connect(*arguments, **named)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.autocommit = True
        for name, seconds in (
            ("lock_timeout", BUSY_TIMEOUT),
            ("statement_timeout", STATEMENT_TIMEOUT),
            ("idle_in_transaction_session_timeout", IDLE_TIMEOUT),
        ):
            connection.execute(f"SET {name} = {int(seconds * 1000)}")
        connection.execute("SET synchronous_commit = on")  # a commit that was answered survives a power cut
        connection.autocommit = False

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("swipegate_writer", False):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")

    return engine
