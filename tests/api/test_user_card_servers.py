"""ReplaceCardIfExists with a database of its own process, which can go away and which servers share."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio
from sqlalchemy import URL

from swipegate.api.server import Server
from swipegate.settings import Settings, load
from tests.conftest import Client
from tests.databases import Postgres, Where
from tests.people import People, new_id

STATUS = grpc.StatusCode
pytestmark = pytest.mark.parametrize("kind", ["postgresql"], indirect=True)


async def test_a_database_that_is_gone_has_its_code(
    people: People, where: Where, postgresql: Postgres
) -> None:
    assert isinstance(where, URL)
    user = await people.user()
    postgresql.command(f"ALTER DATABASE {where.database} ALLOW_CONNECTIONS false")
    postgresql.command(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{where.database}'"
    )
    refusal = await people.refusal(user_id=user, card_id=new_id())
    postgresql.command(f"ALTER DATABASE {where.database} ALLOW_CONNECTIONS true")
    assert (refusal.code, refusal.reason) == (STATUS.UNAVAILABLE, "DATABASE_UNAVAILABLE")
    assert refusal.metadata["result_code"] == "14"


async def test_two_servers_create_the_same_cards(
    people: People, settings: Settings, bearer: Any, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    for name in ("sealing.key", "token.key"):
        shutil.copy(settings.data_dir / name, other / name)
    second = Server(load(**(settings.model_dump() | {"data_dir": other, "pc_name": "other-pc"})))
    await second.start()
    async with aio.insecure_channel(f"127.0.0.1:{second.port}") as channel:
        neighbour = People(Client(channel, bearer()))
        one, two, system = await people.user(), await neighbour.user(), await people.system()
        named = [people.named(system) for _ in range(20)]
        pairs = await asyncio.gather(
            *(
                whose.replace(user_id=user, **fields)
                for fields in named
                for whose, user in ((people, one), (neighbour, two))
            )
        )
        numbers = await asyncio.gather(
            *(
                whose.replace(user_id=user, **people.named(system, internal_card_number=0))
                for _ in range(10)
                for whose, user in ((people, one), (neighbour, two))
            )
        )
    await second.stop()
    for mine, theirs in zip(pairs[::2], pairs[1::2], strict=True):
        assert mine.card_id == theirs.card_id
        assert {mine.card_created, theirs.card_created} == {True, False}
        assert {mine.previous_user_id, theirs.previous_user_id} in ({"", one}, {"", two})
    assert sorted(answer.internal_card_number for answer in numbers) == list(range(21, 41))
