"""Databases of older revisions, with what a Swipegate of then had put into them."""

import importlib
import sqlite3
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, MetaData, create_engine, inspect, select, text

from swipegate.store import revision
from tests.databases import Where, engine_of

DUMP = Path(__file__).parent / "0001.sql"
"""What `.dump` of sqlite3 says of a file that a server of revision 0001 had worked with."""
SEALING_KEY, TOKEN_KEY = b"k" * 32, b"t" * 32
"""Of that server."""


def make_older(where: Where) -> None:
    """A database of revision 0001; on PostgreSQL, which had none, one that the revisions themselves make."""
    if isinstance(where, Path):
        with closing(sqlite3.connect(where)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")  # as that server had it
            connection.executescript(DUMP.read_text())
        return
    run_revisions(where, "0001")
    _copy_dump(where)


def run_revisions(where: Where, to: str) -> None:
    """Run what leads from the revision that is there, or from nothing, to that one."""
    config = Config()
    config.set_main_option("script_location", str(revision._MIGRATIONS))
    engine = engine_of(where)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, to)
    engine.dispose()


def _copy_dump(where: URL) -> None:
    tables: MetaData = importlib.import_module("swipegate.store.migrations.versions.0001_first").metadata
    source, target = create_engine("sqlite://"), engine_of(where)
    with source.connect() as old, target.begin() as new:
        old.connection.driver_connection.executescript(DUMP.read_text())  # type: ignore[union-attr]
        for table in tables.sorted_tables:
            new.execute(table.delete())
            if rows := [dict(row) for row in old.execute(select(table)).mappings()]:
                new.execute(table.insert(), rows)
            (key, *_) = table.primary_key
            if table.dialect_options["sqlite"]["autoincrement"]:
                numbers = f"pg_get_serial_sequence('{table}', '{key.name}')"
                new.execute(text(f"SELECT setval({numbers}, max({key.name})) FROM {table}"))
    source.dispose()
    target.dispose()


def picture(where: Where) -> dict[str, Any]:
    """Everything in the database: columns, indexes and rows of every table."""
    engine = engine_of(where)
    with engine.connect() as connection, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SQLAlchemy passes over expressions of SQLite's indexes
        found = inspect(connection)
        pictures = {}
        for name in found.get_table_names():
            columns = [(column["name"], str(column["type"])) for column in found.get_columns(name)]
            indexes = sorted(str(index["name"]) for index in found.get_indexes(name))
            rows = sorted(map(repr, connection.exec_driver_sql(f"SELECT * FROM {name}").all()))
            pictures[name] = (columns, indexes, rows)
    engine.dispose()
    return pictures
