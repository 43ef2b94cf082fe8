"""Core statements run on the driver's own cursor.

SQLAlchemy still writes the SQL, once a dialect; its machinery around each execution costs ten times what SQLite
needs for a look-up by key, and a replacement is nothing but such look-ups.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from operator import itemgetter
from typing import Any, ClassVar

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Delete,
    Dialect,
    Insert,
    Select,
    Update,
    any_,
    bindparam,
)
from sqlalchemy.engine.interfaces import DBAPICursor

Row = tuple[Any, ...]
Arguments = Callable[[Mapping[str, Any]], Any]
CHUNKS = (8, 64, 512)
"""Keys of one look-up on SQLite, which has no arrays: few sizes, so that it sees few statements."""


class Statement:
    """One statement with named parameters. Values go to the driver and come from it as they are.

    So a Boolean may come as 0 or 1, and an error is the driver's own: its text holds no values.
    """

    _how: ClassVar[Mapping[str, Any]] = {}
    """What else the driver is told."""

    def __init__(self, clause: Select[Any] | Insert | Update | Delete) -> None:
        self._clause = clause
        self._compiled: dict[str, tuple[str, Arguments]] = {}

    def run(self, connection: Connection, parameters: Mapping[str, Any]) -> None:
        """Execute for the effect."""
        self._execute(connection, parameters)  # the cursor closes as nobody holds it

    def run_all(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute for the effect, once a row; every row has the same names."""
        if not rows:
            return
        dialect = connection.dialect
        with closing(connection.connection.cursor()) as cursor:
            if dialect.name == "postgresql" and isinstance(self._clause, Insert):
                _copy(cursor, dialect, self._clause, rows)
                return
            sql, arguments = self._compiled.get(dialect.name) or self._compile(dialect, rows[0])
            cursor.executemany(sql, list(map(arguments, rows)))

    def first(self, connection: Connection, parameters: Mapping[str, Any]) -> Row | None:
        """The first row, None where there is none."""
        row: Row | None = self._execute(connection, parameters).fetchone()
        return row

    def rows(self, connection: Connection, parameters: Mapping[str, Any]) -> Generator[Row, None, None]:
        """The rows one by one; close it when it is left early."""
        with closing(self._execute(connection, parameters)) as cursor:
            while (row := cursor.fetchone()) is not None:
                yield row

    def all(self, connection: Connection, parameters: Mapping[str, Any]) -> Sequence[Row]:
        """The rows at once; for answers that are bounded."""
        with closing(self._execute(connection, parameters)) as cursor:
            return cursor.fetchall()

    def _execute(self, connection: Connection, parameters: Mapping[str, Any]) -> DBAPICursor:
        dialect = connection.dialect
        sql, arguments = self._compiled.get(dialect.name) or self._compile(dialect, parameters)
        driver: Any = connection.connection.dbapi_connection  # both drivers make the cursor themselves
        cursor: DBAPICursor = driver.execute(sql, arguments(parameters), **self._how)
        return cursor

    def _compile(self, dialect: Dialect, parameters: Mapping[str, Any]) -> tuple[str, Arguments]:
        keys = list(parameters) if isinstance(self._clause, Insert) else None
        compiled = self._clause.compile(dialect=dialect, column_keys=keys)
        constants = {name: value for name, value in compiled.params.items() if name not in parameters}
        order = compiled.positiontup
        if order is None:
            self._compiled[dialect.name] = str(compiled), lambda given: {**constants, **given}
        elif constants:
            self._compiled[dialect.name] = (
                str(compiled),
                lambda given: [given[name] if name in given else constants[name] for name in order],
            )
        elif len(order) > 1:
            self._compiled[dialect.name] = str(compiled), itemgetter(*order)
        else:
            self._compiled[dialect.name] = str(compiled), lambda given: [given[name] for name in order]
        return self._compiled[dialect.name]


def _copy(cursor: Any, dialect: Dialect, clause: Insert, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert by COPY, which spares PostgreSQL and its driver a statement a row."""
    quoted = dialect.identifier_preparer
    names = list(rows[0])
    columns = ", ".join(map(quoted.quote, names))
    with cursor.copy(f"COPY {quoted.format_table(clause.table)} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([row[name] for name in names])


class NumberedInsert:
    """An INSERT into a table that numbers its rows in the column."""

    def __init__(self, clause: Insert, column: ColumnElement[int]) -> None:
        self._plain = Statement(clause)
        self._returning = Statement(clause.returning(column))

    def run(self, connection: Connection, parameters: Mapping[str, Any]) -> int:
        """Execute; the number of the new row."""
        if connection.dialect.name == "sqlite":  # RETURNING costs it as much as the rest of the insert
            return int(self._plain._execute(connection, parameters).lastrowid)
        row = self._returning.first(connection, parameters)
        assert row is not None
        return int(row[0])


class _PlannedEachTime(Statement):
    """A statement that PostgreSQL does not prepare.

    A prepared one keeps a plan that knows no keys: it was seen to compare every card of a system with each of 512 in
    turn, thirty times as slow at 30,000 cards as a plan that knows them.
    """

    _how: ClassVar[Mapping[str, Any]] = {"prepare": False}


class LookUp:
    """A SELECT by many keys: `clause`, whose `column` must be one of them."""

    def __init__(self, clause: Select[Any], column: ColumnElement[Any]) -> None:
        self._by_size = {
            size: Statement(clause.where(column.in_([bindparam(f"key{n}") for n in range(size)])))
            for size in CHUNKS
        }
        array = bindparam("keys", type_=ARRAY(column.type))
        self._by_array = _PlannedEachTime(clause.where(column == any_(array)))

    def rows(
        self, connection: Connection, keys: Sequence[Any], parameters: Mapping[str, Any] | None = None
    ) -> Iterator[Row]:
        """The rows of all keys, in no order; `parameters` are the clause's own."""
        own = parameters or {}
        if connection.dialect.name == "postgresql":
            yield from self._by_array.all(connection, {"keys": list(keys), **own})
            return
        start = 0
        while start < len(keys):
            left = len(keys) - start
            size = next((size for size in CHUNKS if size >= left), CHUNKS[-1])
            chunk = keys[start : start + size]
            given = {f"key{n}": key for n, key in enumerate(chunk)}
            for n in range(len(chunk), size):  # a key twice finds its rows once
                given[f"key{n}"] = chunk[0]
            yield from self._by_size[size].all(connection, {**given, **own})
            start += size
