"""Every statement that a database is given, just before it runs, on SQLite and PostgreSQL."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, event

Told = Callable[[Any, str], None]
"""(the driver's connection, the statement)"""


@contextmanager
def told(about: Told) -> Iterator[None]:
    """Call it before each statement of connections made from now on: what it raises, PostgreSQL's caller gets.

    On SQLite the statements are those that SQLite itself begins, so BEGIN and COMMIT are among them; psycopg sends
    BEGIN with the first statement, and COMMIT is told here.
    """

    class Telling(psycopg.Cursor[Any]):
        def execute(self, query: Any, *arguments: Any, **options: Any) -> Any:
            about(self.connection, str(query))
            return super().execute(query, *arguments, **options)

    def connected(connection: Any, _record: object) -> None:
        if isinstance(connection, psycopg.Connection):
            connection.cursor_factory = Telling
        else:
            connection.set_trace_callback(lambda statement: about(connection, statement))

    def committing(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            about(connection.connection.driver_connection, "COMMIT")

    event.listen(Engine, "connect", connected)
    event.listen(Engine, "commit", committing)
    try:
        yield
    finally:
        event.remove(Engine, "connect", connected)
        event.remove(Engine, "commit", committing)


def begins(statement: str) -> bool:
    """Whether a writing transaction begins with it."""
    return statement.startswith(("BEGIN IMMEDIATE", "SELECT pg_advisory_xact_lock"))
