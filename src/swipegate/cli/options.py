"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from swipegate.cli.output import Exit, fail
from swipegate.settings import Settings, load

DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder of the database and keys. [default: ~/.local/share/swipegate]", show_default=False
    ),
]
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
