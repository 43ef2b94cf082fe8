"""Which revision of the schema a database has."""

from collections.abc import Sequence

from sqlalchemy import Connection, Engine, insert, inspect, text

from swipegate.store import engine as engines
from swipegate.store import schema


class DatabaseFileError(Exception):
    """The database cannot be used; the text names it and the reason."""


class SchemaVersionError(DatabaseFileError):
    """The database was made by another version of Swipegate."""


def prepare(engine: Engine, name: str, *, upgrade: bool) -> None:
    """Create the schema where there is none; raise SchemaVersionError for another one."""
    with engines.connect(engine, writer=True) as connection, connection.begin():
        tables = inspect(connection).get_table_names()
        if not tables:
            _create(connection)
            return
        found = _found(connection, tables)
    if found != schema.REVISION:
        raise SchemaVersionError(
            f"{name}: the database has schema revision {found}, this Swipegate needs {schema.REVISION}"
        )


def _found(connection: Connection, tables: Sequence[str]) -> str:
    if "alembic_version" in tables:
        return str(connection.scalar(text("SELECT version_num FROM alembic_version")))
    return "0001" if "schema_version" in tables else "of something else"


def _create(connection: Connection) -> None:
    schema.metadata.create_all(connection)
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": schema.REVISION})
    names = [column.name for column in schema.card_type.columns]
    rows = [dict(zip(names, row, strict=True)) for row in schema.CARD_TYPES]
    connection.execute(insert(schema.card_type), rows)
