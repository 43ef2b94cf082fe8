"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from swipegate.cli.output import Exit, fail
from swipegate.core.codings import BY_NAME
from swipegate.settings import Settings, load
from swipegate.v1 import track_pb2 as pb

DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder of the database and keys. [default: ~/.local/share/swipegate]", show_default=False
    ),
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        help="postgresql://USER@HOST/DATABASE; passwords belong into SWIPEGATE_DATABASE_URL, PGPASSWORD or ~/.pgpass. "
        "[default: SQLite in the data folder]",
        show_default=False,
    ),
]
CODINGS = ", ".join(BY_NAME)
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line, for machines.")]


def settings_or_fail(**flags: Any) -> Settings:
    """The settings, or the end of the command with the first thing that is wrong with them."""
    try:
        return load(**flags)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        fail(Exit.USAGE, f"setting {name}: {first['msg']}")
    except SettingsError as error:  # a list or the like that is no JSON; the text names it
        fail(Exit.USAGE, str(error))
    except (OSError, ValueError) as error:
        fail(Exit.USAGE, f"the settings file cannot be read: {error}")


def coding_or_fail(name: str) -> pb.CharacterCoding:
    """The value of --coding, not specified where it was not given, or the end of the command."""
    if name and name not in BY_NAME:
        fail(Exit.USAGE, f"--coding: must be one of {CODINGS}")
    return BY_NAME.get(name, pb.CHARACTER_CODING_UNSPECIFIED)
