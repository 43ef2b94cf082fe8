"""The `swipegate` command."""

import errno
import io
import os
import sys
from contextlib import suppress

import typer

from swipegate.cli import (
    assign,
    bulk_import,
    cards,
    database,
    decode,
    demo,
    devices,
    encode,
    formats,
    serve,
    simulate,
    systems,
    token,
    users,
)
from swipegate.cli.output import Exit, complain

NO_ROOM = {errno.ENOSPC, errno.EBADF, errno.EDQUOT, errno.EIO}
"""Why nothing more can be written; a pipe that was closed ends the command in silence, as typer has it."""

app = typer.Typer(
    name="swipegate",
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
app.command("serve")(serve.serve)
app.command("demo")(demo.demo)
app.command("decode")(decode.decode)
app.command("encode")(encode.encode)
app.add_typer(devices.app, name="devices")
app.command("assign")(assign.assign)
app.add_typer(formats.app, name="formats")
app.add_typer(cards.app, name="cards")
app.add_typer(users.app, name="users")
app.add_typer(database.app, name="database")
app.add_typer(systems.app, name="systems")
app.add_typer(bulk_import.app, name="import")
app.command("simulate")(simulate.simulate)
app.command("token")(token.token)


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
