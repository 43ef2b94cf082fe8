"""`swipegate serve`: the service in the foreground."""

import asyncio
import logging
import signal
from pathlib import Path
from typing import Annotated

import typer

from swipegate.api.process import settle
from swipegate.api.server import FilesError, Server, ServerError
from swipegate.cli.options import DatabaseUrl, DataDir, Json, settings_or_fail
from swipegate.cli.output import Exit, console, fail, print_json
from swipegate.domain.errors import SwipegateError
from swipegate.service.keys import KeyFileError
from swipegate.settings import Settings
from swipegate.store.revision import DatabaseFileError, DatabaseUnavailableError


def serve(
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    upgrade_database: Annotated[
        bool,
        typer.Option("--upgrade-database", help="Bring an older database to this version's schema first."),
    ] = False,
    listen: Annotated[
        str | None,
        typer.Option(help="Address to listen on; port 0 takes a free one. [default: 127.0.0.1:50551]"),
    ] = None,
    pc_name: Annotated[
        str | None, typer.Option(help="Name of this PC, as devices name their host. [default: its host name]")
    ] = None,
    tls_certificate: Annotated[Path | None, typer.Option(help="PEM certificate chain, for TLS.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM private key, for TLS.")] = None,
    json: Json = False,
) -> None:
    """Serve gRPC until SIGINT or SIGTERM, with the devices of this PC.

    The database and the keys are made at the first start. Every call but health and reflection needs a token:
    [bold]swipegate token[/]. Every setting can also stand in the environment (SWIPEGATE_LISTEN=...) or in a
    TOML file that SWIPEGATE_CONFIG names.
    """
    settings = settings_or_fail(
        data_dir=data_dir,
        database_url=database_url,
        upgrade_database=upgrade_database or None,
        listen=listen,
        pc_name=pc_name,
        tls_certificate=tls_certificate,
        tls_key=tls_key,
    )
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        fail(Exit.USAGE, "TLS needs both a certificate and a key")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(_serve(settings, json))
    except (DatabaseUnavailableError, SwipegateError) as error:
        fail(Exit.UNAVAILABLE, str(error))
    except (FilesError, DatabaseFileError, KeyFileError) as error:
        fail(Exit.USAGE, str(error))
    except ServerError as error:
        fail(Exit.UNAVAILABLE, str(error))


async def _serve(settings: Settings, json: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    server = Server(settings)
    await server.start()
    settle()
    address = f"{settings.listen.rpartition(':')[0]}:{server.port}"
    if json:
        print_json({"listening": address, "data_dir": str(settings.data_dir), "pc_name": settings.pc_name})
    else:
        console.print(
            f"[bold green]swipegate[/] listens on [bold]{address}[/] "
            f"(data in {settings.data_dir}, devices of {settings.pc_name}); Ctrl-C ends it"
        )
    await stop.wait()
    await server.stop()
    if not json:
        console.print("[bold green]swipegate[/] ended in good order")
