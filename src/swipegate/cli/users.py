"""`swipegate users`: who can hold cards."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from swipegate.cli import client
from swipegate.cli.options import DataDir, Json
from swipegate.cli.output import console, print_json
from swipegate.cli.token import mint
from swipegate.v1 import user_pb2 as pb
from swipegate.v1 import user_pb2_grpc

app = typer.Typer(add_completion=False, help="List who can hold cards.", no_args_is_help=True)

PAGE = 1000
"""Users asked for at a time."""


@app.callback()
def users() -> None:
    """List who can hold cards."""


@app.command("list")
def list_users(
    occupancy: Annotated[str, typer.Option(help="Only of this occupancy, a UUID.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many.")] = 1000,
    server: client.ServerAddress = client.DEFAULT_SERVER,
    server_ca: client.ServerCa = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """List users in the order of their creation."""
    found, more = asyncio.run(_list(server, server_ca, mint(data_dir), occupancy, limit))
    if json:
        for user in found:
            print_json(
                {"user_id": user.user_id, "name": user.name, "occupancy_id": user.occupancy_id or None}
            )
        return
    table = Table("id", "name", "occupancy")
    for user in found:
        table.add_row(user.user_id, escape(user.name), user.occupancy_id)
    console.print(table)
    if more:
        console.print(f"There are more than {limit}: [bold]--limit[/]")


async def _list(
    server: str, ca: Path | None, token: str, occupancy: str, limit: int
) -> tuple[list[pb.User], bool]:
    """At most so many users, and whether there are more."""
    found: list[pb.User] = []
    request = pb.ListUsersRequest(occupancy_id=occupancy)
    async with client.connected(server, ca) as channel:
        stub = user_pb2_grpc.UserServiceStub(channel)
        while len(found) < limit:
            request.page_size = min(PAGE, limit - len(found))
            page = await stub.ListUsers(request, metadata=client.bearer(token), timeout=client.CALL_TIMEOUT)
            found += page.users
            request.page_token = page.next_page_token
            if not request.page_token:
                break
    return found, bool(request.page_token)
