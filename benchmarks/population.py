"""Many users and cards, put straight into a database's tables, each card held by a user.

Identifiers look random, as real ones do, so that indexes are hit all over; each can be found again from its number.
"""

import hashlib
from collections.abc import Iterator
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert

from swipegate.domain.ac_system import AcSystem
from swipegate.store import ac_systems, schema
from swipegate.store.database import Database

SYSTEM = "00000000-0000-4000-8000-000000000000"
CARD_TYPE = 2
"""37-bit: numbers enough for every population."""
_CHUNK = 20_000
"""Rows of a transaction."""


def name_of(what: str, number: int) -> str:
    """The identifier of a user (`user`), a card (`card`) or its first assignment (`held`), as md5() of SQL finds it."""
    return str(UUID(bytes=hashlib.md5(f"{what} {number}".encode(), usedforsecurity=False).digest()))


async def populate(database: Database, *, users: int, cards: int) -> None:
    """That many users and cards; card n has the internal number n + 1 and is held by user n modulo users."""
    await database.write(lambda connection: ac_systems.add(connection, AcSystem(SYSTEM, "benchmark")))
    tables = (
        (schema.user, ({"user_id": name_of("user", n), "name": f"user {n}"} for n in range(users))),
        (schema.card, (_card(n) for n in range(cards))),
        (schema.user_card, (_held(n, users) for n in range(cards))),
        (schema.user_card_event, (_event(n, users) for n in range(cards))),
    )
    for table, rows in tables:
        while chunk := list(islice(rows, _CHUNK)):
            await database.write(_inserted(table, chunk))


def _inserted(table: Any, rows: list[dict[str, Any]]) -> Any:
    def unit(connection: Connection) -> None:
        connection.execute(insert(table), rows)

    return unit


def _card(number: int) -> dict[str, Any]:
    return {
        "card_id": name_of("card", number),
        "ac_system_id": SYSTEM,
        "card_type": CARD_TYPE,
        "internal_card_number": number + 1,
        "external_card_number": f"{number + 1}",
        "status": "GOOD",
        "create_time": 1,
    }


def _held(number: int, users: int) -> dict[str, Any]:
    return {
        "user_card_id": name_of("held", number),
        "card_id": name_of("card", number),
        "user_id": name_of("user", number % users),
        "start_time": 1,
        "card_user_flags": 0,
    }


def _event(number: int, users: int) -> dict[str, Any]:
    after = (
        f'{{"user_card_id":"{name_of("held", number)}","user_id":"{name_of("user", number % users)}"'
        ',"start_time":1,"end_time":null,"activation_time":null,"deactivation_time":null'
        ',"card_user_flags":0,"has_pin":false}'
    )
    return {
        "time": 1,
        "kind": "ASSIGNED",
        "card_id": name_of("card", number),
        "after": after,
        "pin_changed": False,
        "status_before": "GOOD",
        "status_after": "GOOD",
        "subject": "benchmark",
        "client": "benchmark",
    }


def scattered(count: int) -> Iterator[int]:
    """Numbers below `count` in an order that jumps about and repeats after all were there."""
    step = next(step for step in (1_299_709, 104_729, 7_919, 997, 7, 1) if count % step)
    number = 0
    while True:
        number = (number + step) % count
        yield number
