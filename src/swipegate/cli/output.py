"""How the command speaks: Rich for people, one JSON object a line for machines, exit codes that mean something."""

import json
import sys
from enum import IntEnum
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

console = Console(highlight=False)
problems = Console(stderr=True, highlight=False)


class Exit(IntEnum):
    """What the exit code says."""

    OK = 0
    """All that was asked was done."""
    UNREADABLE = 1
    """A card or recording could not be read, in whole or in part."""
    USAGE = 2
    """The command line, a setting or a file is wrong."""
    UNAVAILABLE = 3
    """A server or device could not be reached, or refused."""
    REFUSED = 4
    """A server refused some rows of a file, and took the others."""
    INTERRUPTED = 130
    """Ctrl-C, as shells have it: 128 and the signal."""


def printable(text: str) -> str:
    """With escapes, which are JSON's too, for bytes of a file name that are no UTF-8."""
    return text.encode(errors="backslashreplace").decode()


def print_json(value: dict[str, Any]) -> None:
    """One object on one line."""
    sys.stdout.write(printable(json.dumps(value, ensure_ascii=False)) + "\n")
    sys.stdout.flush()


def print_line(line: str) -> None:
    """One line on stdout as it is, for another program to read."""
    sys.stdout.write(line + "\n")


def complain(message: str) -> None:
    """Say what is wrong in one line on stderr."""
    line = " ".join(printable(message).split())
    line = "".join(character if character.isprintable() else "?" for character in line)
    problems.print(f"[bold red]swipegate:[/] {escape(line)}", soft_wrap=True)


def fail(code: Exit, message: str) -> NoReturn:
    """Say what is wrong in one line on stderr, and end."""
    complain(message)
    raise typer.Exit(code)
