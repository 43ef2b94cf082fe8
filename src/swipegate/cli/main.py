"""The `swipegate` command."""

import errno
import io
import os
import sys
from contextlib import suppress

import typer

from swipegate.cli.commands import Commands
from swipegate.cli.output import Exit, complain

NO_ROOM = {errno.ENOSPC, errno.EBADF, errno.EDQUOT, errno.EIO}
"""Why nothing more can be written; a pipe that was closed ends the command in silence, as typer has it."""

app = typer.Typer(
    name="swipegate",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,  # they could hold track data
    help=(
        "Card requests on magstripe devices and card assignment, over gRPC.\n\n"
        "New here? [bold]swipegate demo[/] shows the whole way of a swipe, "
        "[bold]swipegate decode recording.wav[/] reads a recording, "
        "[bold]swipegate devices[/] shows what is plugged in, [bold]swipegate serve[/] starts the service."
    ),
    epilog="Exit codes: 0 done, 1 something did not read, 2 wrong usage, 3 server or device not reachable, "
    "4 rows of a file refused.",
)


@app.callback()
def _swipegate() -> None:
    pass  # the commands are those of cli/commands.py


def main() -> None:
    """Entry point of the `swipegate` command."""
    _mend_streams()
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except OSError as error:
        if error.errno not in NO_ROOM | {errno.EPIPE}:
            raise
        sys.stdout = io.StringIO()  # what is left in it has nowhere to go
        if error.errno == errno.EPIPE:
            sys.exit(Exit.UNREADABLE)
        complain(f"standard output: {error.strerror}")
        sys.exit(Exit.USAGE)


def _mend_streams() -> None:
    """Closed streams as empty ones, and escapes for what the terminal's encoding does not have."""
    with suppress(AttributeError):  # a stream that a caller put there
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - as long as the process


if __name__ == "__main__":
    main()
