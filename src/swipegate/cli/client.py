"""The command as a client of a server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import grpc
import typer
from google.rpc import error_details_pb2, status_pb2
from grpc import aio

from swipegate.cli.output import Exit, fail

CALL_TIMEOUT = 10.0
"""Seconds for a call that waits for nobody."""

ServerAddress = Annotated[
    str, typer.Option("--server", envvar="SWIPEGATE_SERVER", help="Address of the server.")
]
ServerCa = Annotated[
    Path | None,
    typer.Option(
        "--server-ca", envvar="SWIPEGATE_SERVER_CA", help="PEM certificates to trust, for a TLS server."
    ),
]
DEFAULT_SERVER = "127.0.0.1:50551"

Metadata = tuple[tuple[str, str], ...]


def bearer(token: str) -> Metadata:
    """The metadata that carries a token."""
    return (("authorization", f"Bearer {token}"),)


@asynccontextmanager
async def connected(address: str, ca: Path | None = None) -> AsyncIterator[aio.Channel]:
    """A channel, over TLS with `ca`; what the server refuses ends the command with its reason."""
    try:
        async with _channel(address, ca) as channel:
            yield channel
    except OSError as error:
        fail(Exit.USAGE, f"--server-ca: {error}")
    except aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            fail(Exit.UNAVAILABLE, f"no server answers at {address} (start one: swipegate serve)")
        fail(Exit.UNAVAILABLE, f"{reason_of(error)}: {error.details()}")


def _channel(address: str, ca: Path | None) -> aio.Channel:
    if ca is None:
        return aio.insecure_channel(address)
    return aio.secure_channel(address, grpc.ssl_channel_credentials(ca.read_bytes()))


def reason_of(error: aio.AioRpcError) -> str:
    """The reason in the error's ErrorInfo, else its status code."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info):
                    return str(info.reason)
    return str(error.code().name)
