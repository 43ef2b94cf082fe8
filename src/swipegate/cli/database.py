"""`swipegate database`: which revision the database has, whether the key fits, and the way to a newer revision."""

from pathlib import Path
from typing import Any

import typer
from rich.markup import escape
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from swipegate.api.server import SEALING_KEY, ServerError, database_of, lock_data_dir
from swipegate.cli.options import DatabaseUrl, DataDir, Json, settings_or_fail
from swipegate.cli.output import Exit, console, fail, print_json
from swipegate.service.installation import key_fits
from swipegate.service.keys import KeyFileError, load
from swipegate.service.sealing import Sealer
from swipegate.settings import Settings
from swipegate.store import engine, revision, schema
from swipegate.store.database import Database
from swipegate.store.revision import DatabaseFileError, DatabaseUnavailableError, Found

app = typer.Typer(
    add_completion=False,
    help="Look at the database, or bring it to this version's schema.",
    no_args_is_help=True,
)

KEYS = {True: "fits", False: "does not fit", None: "not used yet"}
"""What is said of sealing.key."""
NO_KEY = "not there"


@app.command("check")
def check(data_dir: DataDir = None, database_url: DatabaseUrl = None, json: Json = False) -> None:
    """Say where the database is, its revision, and whether the sealing key is its own; changes nothing.

    Exit code 0: a server can work with it, or would make it new; 2: it needs an upgrade, belongs to something else,
    or the key does not fit; 3: it does not answer.
    """
    settings = settings_or_fail(data_dir=data_dir, database_url=database_url)
    where = _where(settings)
    found, key = _look(where, settings.data_dir / SEALING_KEY)
    told = {
        "database": engine.describe(where),
        "state": _state(found),
        "revision": found.revision or None,
        "needs": schema.REVISION,
        "sealing_key": key,
    }
    if json:
        print_json(told)
    else:
        for name, value in told.items():
            console.print(f"{name.replace('_', ' '):12} {escape(str(value or 'none'))}")
    if not (found.is_empty or found.is_current) or key in (KEYS[False], NO_KEY):
        raise typer.Exit(Exit.USAGE)


@app.command("upgrade")
def upgrade(data_dir: DataDir = None, database_url: DatabaseUrl = None, json: Json = False) -> None:
    """Bring the database to this version's schema, or make it where there is none; whole, or not at all.

    Stop every server that works with it first, and back it up: there is no way back but the backup. Run twice, it
    finds nothing to do.
    """
    settings = settings_or_fail(data_dir=data_dir, database_url=database_url)
    where = _where(settings)
    release = _locked(settings) if isinstance(where, Path) else None
    try:
        before, _ = _look(where, None)
        _upgrade(where)
    finally:
        if release is not None:
            release()
    told: dict[str, Any] = {
        "database": engine.describe(where),
        "before": before.revision or None,
        "revision": schema.REVISION,
    }
    if json:
        print_json(told)
    else:
        was = "is new, at" if before.is_empty else f"was {before.revision}, and is now"
        was = "is already" if before.is_current else was
        console.print(f"{escape(told['database'])} {was} revision [bold]{schema.REVISION}[/]")


def _where(settings: Settings) -> Path | URL:
    try:
        return database_of(settings)
    except ServerError as error:
        fail(Exit.USAGE, str(error))


def _locked(settings: Settings) -> Any:
    try:
        return lock_data_dir(settings.data_dir)
    except ServerError as error:
        fail(Exit.UNAVAILABLE, str(error))
    except OSError as error:
        fail(Exit.USAGE, f"cannot use the data folder {settings.data_dir}: {error.strerror}")


def _look(where: Path | URL, key_file: Path | None) -> tuple[Found, str | None]:
    """What the database is, and what there is to say of the key; nothing is made."""
    if isinstance(where, Path) and not where.exists():
        return Found(), None
    opened = engine.create(where)
    try:
        with engine.connect(opened, writer=False) as connection, connection.begin():
            found = revision.look(connection)
            if key_file is None or not found.is_current:
                return found, None
            return found, KEYS[key_fits(connection, Sealer(load(key_file)))]
    except FileNotFoundError:
        return found, NO_KEY
    except (OSError, KeyFileError) as error:
        fail(Exit.USAGE, str(error))
    except DBAPIError as error:
        code = Exit.UNAVAILABLE if engine.is_passing(error) else Exit.USAGE
        fail(code, f"{engine.describe(where)}: {error.orig}")
    finally:
        opened.dispose()


def _state(found: Found) -> str:
    if found.is_empty:
        return "empty"
    if found.stranger:
        return found.stranger
    if found.is_current:
        return "current"
    return "older: run `swipegate database upgrade`" if found.is_older else "of a newer Swipegate"


def _upgrade(where: Path | URL) -> None:
    database = Database(where)
    try:
        database.open(upgrade=True)
    except DatabaseUnavailableError as error:
        fail(Exit.UNAVAILABLE, str(error))
    except DatabaseFileError as error:
        fail(Exit.USAGE, str(error))
    finally:
        database.close()
