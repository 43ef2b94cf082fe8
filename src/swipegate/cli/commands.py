"""The commands, each imported when it is asked for: `swipegate decode` need not wait for what a server needs."""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

MODULES = {
    "serve": "serve",
    "demo": "demo",
    "decode": "decode",
    "encode": "encode",
    "assign": "assign",
    "simulate": "simulate",
    "token": "token",
    "devices": "devices",
    "formats": "formats",
    "cards": "cards",
    "users": "users",
    "systems": "systems",
    "import": "bulk_import",
    "database": "database",
}
"""Of swipegate.cli, by command. A module has an `app` of several commands, or a function of the command's name."""


class Commands(TyperGroup):
    """The group of all commands."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: Any = _Imported()


class _Imported(Mapping[str, Any]):
    """Commands by name."""

    def __getitem__(self, name: str) -> Any:
        return _command(name)

    def __iter__(self) -> Iterator[str]:
        return iter(MODULES)

    def __len__(self) -> int:
        return len(MODULES)


@cache
def _command(name: str) -> Any:
    module = import_module(f"swipegate.cli.{MODULES[name]}")
    app = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(add_completion=False)
        app.command(name)(getattr(module, name))
    command = typer.main.get_command(app)
    command.name = name
    return command
