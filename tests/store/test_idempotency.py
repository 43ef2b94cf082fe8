"""Answers kept for repeats, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from swipegate.store import idempotency
from swipegate.store.database import Database, Unit
from swipegate.store.idempotency import FORGET_BATCH, KEPT, Key
from tests.databases import Where, both, look

pytestmark = both
NOW = 10 * KEPT


@pytest.fixture
async def database(where: Where) -> AsyncIterator[Database]:
    if isinstance(where, Path):
        where.parent.mkdir(mode=0o700)
    opened = Database(where)
    opened.open()
    yield opened
    await asyncio.to_thread(opened.close)


def _keep(times: list[int]) -> Unit[None]:
    def unit(connection: Connection) -> None:
        for number, time in enumerate(times):
            key = Key("subject", "method", f"{time} {number}")
            idempotency.keep(connection, key, b"mac", b"answer", time)

    return unit


async def test_old_answers_go_batch_by_batch_and_others_stay(database: Database, where: Where) -> None:
    old = [NOW - KEPT - 1 - number // 3 for number in range(2 * FORGET_BATCH + 7)]
    await database.write(_keep([*old, NOW - KEPT, NOW]))
    left = []
    while await database.write(lambda connection: idempotency.forget(connection, NOW)):
        left.append(look(where, "SELECT count(*) FROM idempotency")[0][0])
    assert len(left) == 2
    # what came at the same moment goes together
    assert all(
        before - after in range(FORGET_BATCH, FORGET_BATCH + 3)
        for before, after in zip([len(old) + 2, *left], left, strict=False)
    )
    assert look(where, "SELECT create_time FROM idempotency ORDER BY 1") == [(NOW - KEPT,), (NOW,)]
