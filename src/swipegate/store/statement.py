"""Core statements run on the driver's own cursor.

SQLAlchemy still writes the SQL, once a dialect; its machinery around each execution costs ten times what SQLite
needs for a look-up by key, and a replacement is nothing but such look-ups.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Delete, Dialect, Insert, Select, Update
from sqlalchemy.engine.interfaces import DBAPICursor

Row = tuple[Any, ...]
Arguments = Callable[[Mapping[str, Any]], Any]


class Statement:
    """One statement with named parameters. Values go to the driver and come from it as they are.

    So a Boolean may come as 0 or 1, and an error is the driver's own: its text holds no values.
    """

    def __init__(self, clause: Select[Any] | Insert | Update | Delete) -> None:
        self._clause = clause
        self._compiled: dict[str, tuple[str, Arguments]] = {}

    def run(self, connection: Connection, parameters: Mapping[str, Any]) -> None:
        """Execute for the effect."""
        self._execute(connection, parameters).close()

    def first(self, connection: Connection, parameters: Mapping[str, Any]) -> Row | None:
        """The first row, None where there is none."""
        cursor = self._execute(connection, parameters)
        row: Row | None = cursor.fetchone()
        cursor.close()
        return row

    def rows(self, connection: Connection, parameters: Mapping[str, Any]) -> Generator[Row, None, None]:
        """The rows one by one; close it when it is left early."""
        with closing(self._execute(connection, parameters)) as cursor:
            while (row := cursor.fetchone()) is not None:
                yield row

    def _execute(self, connection: Connection, parameters: Mapping[str, Any]) -> DBAPICursor:
        dialect = connection.dialect
        sql, arguments = self._compiled.get(dialect.name) or self._compile(dialect, parameters)
        driver: Any = connection.connection.driver_connection  # both drivers make the cursor themselves
        cursor: DBAPICursor = driver.execute(sql, arguments(parameters))
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
