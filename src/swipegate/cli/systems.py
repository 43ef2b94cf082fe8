"""`swipegate systems`: access control systems, their webhooks, and what they have been told."""

import asyncio
import base64
import binascii
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from grpc import aio
from rich.markup import escape
from rich.table import Table

from swipegate.cli import client
from swipegate.cli.options import DataDir, Json
from swipegate.cli.output import Exit, console, fail, print_json
from swipegate.cli.token import mint
from swipegate.v1 import ac_system_pb2 as pb
from swipegate.v1 import ac_system_pb2_grpc, outbox_pb2, outbox_pb2_grpc

SECRET_BYTES = 32
"""Of a key made here."""
SECRET_PREFIX = "whsec_"  # noqa: S105 - Standard Webhooks, "Signature scheme": how a key is shown
_MAX_SECRET_FILE = 1024
"""Bytes."""

app = typer.Typer(
    add_completion=False,
    help="Access control systems: make them, have them told of their cards, see what they were told.",
    no_args_is_help=True,
)
A = TypeVar("A", bound=Message)
System = Annotated[str, typer.Argument(help="The system: its id or its name.")]


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="A name for people.")],
    given_numbers: Annotated[
        bool, typer.Option("--given-numbers", help="A card must come with its number: none are given out.")
    ] = False,
    server: client.ServerAddress = client.DEFAULT_SERVER,
    server_ca: client.ServerCa = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Register an access control system."""
    new = pb.AcSystem(name=_utf8(name), gives_card_numbers=not given_numbers)

    async def work(channel: aio.Channel, call: dict[str, Any]) -> pb.CreateAcSystemResponse:
        stub = ac_system_pb2_grpc.AcSystemServiceStub(channel)
        return await stub.CreateAcSystem(pb.CreateAcSystemRequest(ac_system=new), **call)  # type: ignore[no-any-return]

    created = _run(server, server_ca, data_dir, work).ac_system
    if json:
        print_json(_system_json(created))
    else:
        console.print(f"system [bold]{created.ac_system_id}[/] ({escape(name)}) is registered")


@app.command("list")
def list_systems(
    server: client.ServerAddress = client.DEFAULT_SERVER,
    server_ca: client.ServerCa = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """List the access control systems."""
    found = _run(server, server_ca, data_dir, _every).ac_systems
    if json:
        for system in found:
            print_json(_system_json(system))
        return
    table = Table("id", "name", "gives numbers", "webhook")
    for system in found:
        gives = "yes" if system.gives_card_numbers else "no"
        table.add_row(system.ac_system_id, escape(system.name), gives, escape(system.webhook.url))
    console.print(table)


@app.command("webhook")
def webhook(
    system: System,
    url: Annotated[str, typer.Argument(help="Where changes are sent to; empty to keep it.")] = "",
    secret_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the key, as whsec_... or base 64; without it a new webhook gets a new one."
        ),
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Tell the system nothing any more.")] = False,
    server: client.ServerAddress = client.DEFAULT_SERVER,
    server_ca: client.ServerCa = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Have a system told of every change of its cards. A key that is made here is shown once."""
    if off == bool(url or secret_file):
        fail(Exit.USAGE, "give a URL or --secret-file, or --off")
    given = None if secret_file is None else _secret_of(secret_file)
    made: list[bytes] = []

    async def work(channel: aio.Channel, call: dict[str, Any]) -> pb.UpdateAcSystemResponse:
        found = await _found(channel, call, system)
        changed = pb.AcSystem(ac_system_id=found.ac_system_id)
        if not off:
            if given is None and not found.HasField("webhook"):
                made.append(secrets.token_bytes(SECRET_BYTES))
            secret = given or (made[0] if made else b"")
            changed.webhook.CopyFrom(pb.Webhook(url=_utf8(url) or found.webhook.url, secret=secret))
        request = pb.UpdateAcSystemRequest(ac_system=changed, update_mask=FieldMask(paths=["webhook"]))
        stub = ac_system_pb2_grpc.AcSystemServiceStub(channel)
        return await stub.UpdateAcSystem(request, **call)  # type: ignore[no-any-return]

    changed = _run(server, server_ca, data_dir, work).ac_system
    shown = SECRET_PREFIX + base64.b64encode(made[0]).decode() if made else ""
    if json:
        print_json(_system_json(changed) | ({"secret": shown} if made else {}))
        return
    where = escape(changed.webhook.url)
    console.print(f"changes are sent to {where}" if where else "nothing is sent any more", soft_wrap=True)
    if made:
        console.print(f"its key, shown this once:  [bold]{shown}[/]", soft_wrap=True)


@app.command("outbox")
def outbox(
    system: System,
    pending: Annotated[bool, typer.Option("--pending", help="Only what is not delivered yet.")] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Make everything that waits due now, first.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many cards.")] = 100,
    server: client.ServerAddress = client.DEFAULT_SERVER,
    server_ca: client.ServerCa = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show what a system has been told of its cards, and what went wrong."""

    async def work(channel: aio.Channel, call: dict[str, Any]) -> outbox_pb2.ListOutboxResponse:
        key = (await _found(channel, call, system)).ac_system_id
        stub = outbox_pb2_grpc.OutboxServiceStub(channel)
        if retry:
            await stub.RetryOutbox(outbox_pb2.RetryOutboxRequest(ac_system_id=key), **call)
        request = outbox_pb2.ListOutboxRequest(ac_system_id=key, pending_only=pending, page_size=limit)
        return await stub.ListOutbox(request, **call)  # type: ignore[no-any-return]

    answer = _run(server, server_ca, data_dir, work)
    if json:
        for entry in answer.entries:
            print_json(_entry_json(entry))
        return
    table = Table("card", "should know", "knows", "failed tries", "next try", "last error")
    for entry in answer.entries:
        table.add_row(
            entry.card_id,
            str(entry.desired_sequence),
            str(entry.applied_sequence),
            str(entry.attempts),
            _next_try(entry) or "",
            escape(entry.error),
        )
    console.print(table)
    if answer.next_page_token:
        console.print("[dim]there are more: --limit[/]")


def _run(
    server: str,
    ca: Path | None,
    data_dir: Path | None,
    work: Callable[[aio.Channel, dict[str, Any]], Awaitable[A]],
) -> A:
    """What the work answers; a refusal ends the command."""
    call = {"metadata": client.bearer(mint(data_dir)), "timeout": client.CALL_TIMEOUT}

    async def connected() -> A:
        async with client.connected(server, ca) as channel:
            return await work(channel, call)

    return asyncio.run(connected())


async def _every(channel: aio.Channel, call: dict[str, Any]) -> pb.ListAcSystemsResponse:
    stub = ac_system_pb2_grpc.AcSystemServiceStub(channel)
    return await stub.ListAcSystems(pb.ListAcSystemsRequest(), **call)  # type: ignore[no-any-return]


async def _found(channel: aio.Channel, call: dict[str, Any], system: str) -> pb.AcSystem:
    for one in (await _every(channel, call)).ac_systems:
        if system.lower() == one.ac_system_id or system == one.name:
            return one
    fail(Exit.UNAVAILABLE, f"no access control system {system}")


def _secret_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_SECRET_FILE).decode("ascii").strip()
        return base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except OSError as error:
        fail(Exit.USAGE, f"--secret-file: {error}")
    except (UnicodeDecodeError, binascii.Error):
        fail(Exit.USAGE, "--secret-file: must hold base 64")


def _utf8(text: str) -> str:
    if any(0xD800 <= ord(character) <= 0xDFFF for character in text):
        fail(Exit.USAGE, "every argument must be UTF-8")
    return text


def _system_json(system: pb.AcSystem) -> dict[str, Any]:
    return {
        "ac_system_id": system.ac_system_id,
        "name": system.name,
        "gives_card_numbers": system.gives_card_numbers,
        "webhook": system.webhook.url or None,
    }


def _next_try(entry: outbox_pb2.OutboxEntry) -> str | None:
    if not entry.HasField("next_try_time"):
        return None
    return str(entry.next_try_time.ToDatetime(UTC).isoformat(timespec="seconds"))


def _entry_json(entry: outbox_pb2.OutboxEntry) -> dict[str, Any]:
    return {
        "card_id": entry.card_id,
        "desired_sequence": entry.desired_sequence,
        "applied_sequence": entry.applied_sequence,
        "attempts": entry.attempts,
        "error": entry.error,
        "next_try_time": _next_try(entry),
    }
