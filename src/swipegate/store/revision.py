"""Which revision of the schema a database has, and how it gets the one that this Swipegate needs."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    insert,
    inspect,
    select,
    text,
)

from swipegate.store import engine as engines
from swipegate.store import schema

_MIGRATIONS = Path(__file__).parent / "migrations"
_VERSION = Table(
    "alembic_version",  # as Alembic itself would make it
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
_FIRST, _FIRST_VERSION = "0001", 1
"""The revision that had a table of its own for its number, and that number."""
_NAMED = 3
"""Tables of a stranger that an error text names."""


class DatabaseFileError(Exception):
    """The database cannot be used; the text names it and the reason."""


class DatabaseUnavailableError(DatabaseFileError):
    """The database does not answer, or is locked."""


class SchemaVersionError(DatabaseFileError):
    """The database was made by another version of Swipegate, or by another program."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a database is."""

    revision: str = ""
    """As it says itself; empty where there are no tables at all."""
    stranger: str = ""
    """Why it is no database of Swipegate; empty where it is one."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it."""
        return not self.revision and not self.stranger

    @property
    def is_current(self) -> bool:
        """Whether this Swipegate can work with it."""
        return self.revision == schema.REVISION

    @property
    def is_older(self) -> bool:
        """Whether this Swipegate can upgrade it."""
        return not self.is_current and self.revision in _known()


def prepare(engine: Engine, name: str, *, upgrade: bool) -> None:
    """Have the schema: made where there is nothing, upgraded where it is older and `upgrade` says so.

    One transaction: whatever fails leaves the database as it was. Of several that prepare one database at the same
    time one does it, and the others wait and find it done. Raises SchemaVersionError for what stays as it is.
    """
    with engines.connect(engine, writer=False) as connection, connection.begin():
        found = look(connection)
    if not _to_do(found, name, upgrade=upgrade):
        return
    with engines.connect_to_migrate(engine) as connection, connection.begin():
        found = look(connection)
        if _to_do(found, name, upgrade=upgrade):
            _create(connection) if found.is_empty else _upgrade(connection, name)


def look(connection: Connection) -> Found:
    """What the database is; changes nothing."""
    tables = inspect(connection).get_table_names()
    if not tables:
        return Found()
    if _VERSION.name in tables:
        revisions = list(connection.scalars(select(_VERSION.c.version_num)))
        if len(revisions) == 1 and schema.card_type.name in tables:
            return Found(revisions[0])
        return Found(stranger=f"a schema of another program (revision {', '.join(revisions) or 'none'})")
    if "schema_version" in tables:
        versions = list(connection.scalars(text("SELECT version FROM schema_version")))
        if versions == [_FIRST_VERSION] and schema.card_type.name in tables:
            return Found(_FIRST)
        numbers = ", ".join(map(str, versions)) or "none"
        return Found(stranger=f"a schema of another program (schema_version {numbers})")
    some = ", ".join(sorted(tables)[:_NAMED]) + (", ..." if len(tables) > _NAMED else "")
    return Found(stranger=f"tables of another program ({some})")


def _to_do(found: Found, name: str, *, upgrade: bool) -> bool:
    """Whether the database is to be changed. Raises SchemaVersionError for one that is of no use and stays so."""
    if found.stranger:
        raise SchemaVersionError(f"{name} has {found.stranger}: name a database of Swipegate's own")
    if found.is_empty or found.is_current:
        return found.is_empty
    has = f"{name} has schema revision {found.revision}, and this Swipegate needs {schema.REVISION}"
    if not found.is_older:
        raise SchemaVersionError(f"{has}: a newer Swipegate made it; start that one")
    if not upgrade:
        raise SchemaVersionError(
            f"{has}: back it up, then run `swipegate database upgrade`, or start with --upgrade-database"
        )
    return True


def _create(connection: Connection) -> None:
    schema.metadata.create_all(connection)
    _VERSION.create(connection)
    connection.execute(insert(_VERSION), {"version_num": schema.REVISION})
    names = [column.name for column in schema.card_type.columns]
    rows = [dict(zip(names, row, strict=True)) for row in schema.CARD_TYPES]
    connection.execute(insert(schema.card_type), rows)


def _upgrade(connection: Connection, name: str) -> None:
    # Alembic is loaded by those few starts alone that need it
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    if not inspect(connection).has_table(_VERSION.name):
        command.stamp(config, _FIRST)
    command.upgrade(config, schema.REVISION)
    if broken := engines.broken_references(connection):
        raise DatabaseFileError(
            f"{name}: {broken} rows refer to rows that are not there, and were left as they are"
        )


def _known() -> set[str]:
    """The revisions that this Swipegate can upgrade from."""
    return {path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py")}
