"""`swipegate token`: mint a token with this installation's key."""

from pathlib import Path
from typing import Annotated

import typer

from swipegate.cli.options import DataDir, Json, settings_or_fail
from swipegate.cli.output import Exit, fail, print_json
from swipegate.domain.authority import PERMISSIONS, READ_TRACK_DATA
from swipegate.service.keys import KeyFileError
from swipegate.service.tokens import MAX_NAME, tokens_of

MAX_HOURS = 24 * 366


def token(
    data_dir: DataDir = None,
    subject: Annotated[str, typer.Option(help="Who will call: a user or service.")] = "developer",
    client: Annotated[str, typer.Option(help="The client application.")] = "swipegate-cli",
    permission: Annotated[
        list[str] | None,
        typer.Option(help=f"What the bearer may do; repeat for more. Known: {', '.join(PERMISSIONS)}."),
    ] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=MAX_HOURS, help="How long it is valid.")] = 12,
    json: Json = False,
) -> None:
    """Mint a token, signed with the key that the server of this data folder checks.

    Send it as [bold]authorization: Bearer TOKEN[/]. Reading cards needs
    [bold]--permission ReadTrackData[/].
    """
    chosen = permission or []
    unknown = [name for name in chosen if name not in PERMISSIONS]
    if unknown:
        fail(Exit.USAGE, f"unknown permission {unknown[0]}; there is: {', '.join(PERMISSIONS)}")
    for option, value in (("subject", subject), ("client", client)):
        if not 1 <= len(value) <= MAX_NAME or not value.isprintable():
            fail(Exit.USAGE, f"--{option}: must be 1 to {MAX_NAME} printable characters")
    minted = mint(data_dir, subject, client, chosen, int(hours * 3600))
    if json:
        print_json({"token": minted, "subject": subject, "client": client, "permissions": chosen})
    else:
        typer.echo(minted)


def mint(
    data_dir: Path | None,
    subject: str = "developer",
    client: str = "swipegate-cli",
    permissions: list[str] | None = None,
    seconds: int = 3600,
) -> str:
    """A token, or the end of the command with a reason."""
    settings = settings_or_fail(data_dir=data_dir)
    try:
        granted = [READ_TRACK_DATA] if permissions is None else permissions
        return tokens_of(settings).mint(subject, client, granted, seconds)
    except KeyFileError as error:
        fail(Exit.USAGE, str(error))
    except OSError as error:
        fail(Exit.USAGE, f"cannot use the data folder {settings.data_dir}: {error}")
