"""`swipegate cards`: who holds a card, who held it, and whether it is lost."""

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio
from rich.table import Column, Table

from swipegate.cli import client
from swipegate.cli.options import DataDir, Json
from swipegate.cli.output import console, print_json
from swipegate.cli.token import mint
from swipegate.v1 import card_pb2, card_pb2_grpc, user_card_pb2, user_card_pb2_grpc

app = typer.Typer(
    add_completion=False,
    help="Show a card and who held it; mark it lost, stolen or good again.",
    no_args_is_help=True,
)

CardId = Annotated[str, typer.Argument(help="The card's id, a UUID.")]
PAGE = 1000
"""Assignments asked for at a time."""


class Mark(StrEnum):
    """What happened to a card."""

    GOOD = "good"
    LOST = "lost"
    STOLEN = "stolen"


@app.command("show")
def show(
    card_id: CardId,
    server: client.ServerAddress = client.DEFAULT_SERVER,
    server_ca: client.ServerCa = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show a card and who holds it."""
    _print_card(asyncio.run(_get(server, server_ca, mint(data_dir), card_id)), json=json)


@app.command("mark")
def mark(
    card_id: CardId,
    status: Annotated[Mark, typer.Argument(help="What happened to it.")],
    server: client.ServerAddress = client.DEFAULT_SERVER,
    server_ca: client.ServerCa = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Say that a card is lost, stolen, or good again. A lost or stolen card can be given to nobody."""
    _print_card(asyncio.run(_mark(server, server_ca, mint(data_dir), card_id, status)), json=json)


@app.command("history")
def history(
    card_id: CardId,
    server: client.ServerAddress = client.DEFAULT_SERVER,
    server_ca: client.ServerCa = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """List everybody who ever held a card, the first one first."""
    held = asyncio.run(_history(server, server_ca, mint(data_dir), card_id))
    if json:
        for one in held:
            print_json(_assignment_json(one))
        return
    if not held:
        console.print("Nobody has held this card.")
        return
    table = Table(*(Column(head, overflow="fold") for head in ("user", "from", "until", "assignment")))
    for one in held:
        until = _time(one.end_time) if one.HasField("end_time") else "now"
        table.add_row(one.user_id, _time(one.start_time), until, one.user_card_id)
    console.print(table)


async def _get(server: str, ca: Path | None, token: str, card_id: str) -> card_pb2.Card:
    async with client.connected(server, ca) as channel:
        request = card_pb2.GetCardRequest(card_id=card_id)
        answer = await _cards(channel).GetCard(
            request, metadata=client.bearer(token), timeout=client.CALL_TIMEOUT
        )
    found: card_pb2.Card = answer.card
    return found


async def _mark(server: str, ca: Path | None, token: str, card_id: str, status: Mark) -> card_pb2.Card:
    async with client.connected(server, ca) as channel:
        request = card_pb2.MarkCardRequest(card_id=card_id, status=f"CARD_STATUS_{status.name}")
        answer = await _cards(channel).MarkCard(
            request, metadata=client.bearer(token), timeout=client.CALL_TIMEOUT
        )
    marked: card_pb2.Card = answer.card
    return marked


async def _history(server: str, ca: Path | None, token: str, card_id: str) -> list[user_card_pb2.UserCard]:
    """Every assignment of the card. Raises what the server refuses, a card that is not there too."""
    held: list[user_card_pb2.UserCard] = []
    options: dict[str, Any] = {"metadata": client.bearer(token), "timeout": client.CALL_TIMEOUT}
    async with client.connected(server, ca) as channel:
        await _cards(channel).GetCard(card_pb2.GetCardRequest(card_id=card_id), **options)
        stub = user_card_pb2_grpc.UserCardServiceStub(channel)
        request = user_card_pb2.ListUserCardsRequest(card_id=card_id, include_ended=True, page_size=PAGE)
        while True:
            page = await stub.ListUserCards(request, **options)
            held += page.user_cards
            request.page_token = page.next_page_token
            if not request.page_token:
                return held


def _cards(channel: aio.Channel) -> card_pb2_grpc.CardServiceStub:
    return card_pb2_grpc.CardServiceStub(channel)


def _print_card(card: card_pb2.Card, *, json: bool) -> None:
    shown = _card_json(card)
    if json:
        print_json(shown)
        return
    table = Table(show_header=False)
    for name, value in shown.items():
        if value is not None:
            table.add_row(name.replace("_", " "), str(value))
    console.print(table)


def _card_json(card: card_pb2.Card) -> dict[str, Any]:
    def present(name: str) -> int | None:
        return getattr(card, name) if card.HasField(name) else None

    return {
        "card_id": card.card_id,
        "status": card_pb2.CardStatus.Name(card.status).removeprefix("CARD_STATUS_").lower(),
        "user_id": card.user_id or None,
        "user_card_id": card.user_card_id or None,
        "ac_system_id": card.ac_system_id,
        "card_type": card.card_type,
        "internal_card_number": card.internal_card_number,
        "external_card_number": card.external_card_number,
        "facility_code": present("facility_code"),
        "issue_code": present("issue_code"),
        "card_serial_number": present("card_serial_number"),
        "create_time": _time(card.create_time),
    }


def _assignment_json(one: user_card_pb2.UserCard) -> dict[str, Any]:
    def present(name: str) -> str | None:
        return _time(getattr(one, name)) if one.HasField(name) else None

    return {
        "user_card_id": one.user_card_id,
        "user_id": one.user_id,
        "start_time": _time(one.start_time),
        "end_time": present("end_time"),
        "card_activation_start_date_time": present("card_activation_start_date_time"),
        "card_deactivation_start_date_time": present("card_deactivation_start_date_time"),
        "card_user_flags": one.card_user_flags,
        "has_pin": one.has_pin,
    }


def _time(time: Timestamp) -> str:
    return time.ToJsonString()
