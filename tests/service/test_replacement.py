"""What a replacement does that its answer does not show."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from swipegate.domain.ac_system import AcSystem
from swipegate.domain.authority import Principal
from swipegate.domain.card import Card, CardStatus
from swipegate.domain.replacement import ReplaceCard
from swipegate.domain.user import User
from swipegate.service.bell import Bell
from swipegate.service.cards import Cards
from swipegate.service.sealing import Sealer
from swipegate.service.user_cards import UserCards, UserCardUpdate
from swipegate.store import ac_systems, cards, users
from swipegate.store.database import Database
from tests.databases import Where, both, look
from tests.invariants import assert_whole
from tests.people import WIEGAND_37, new_id

SUBJECT = Principal("tester", "tests")
Change = Callable[[int], Any]

pytestmark = both


@pytest.fixture
async def database(where: Where, settings: Any) -> AsyncIterator[Database]:
    opened = Database(where)
    opened.open()
    yield opened
    await asyncio.to_thread(opened.close)


async def test_a_clock_that_is_set_back_never_puts_a_change_before_the_last(
    database: Database, where: Where
) -> None:
    first, second, card, system = (new_id() for _ in range(4))

    def unit(connection: Connection) -> None:
        ac_systems.add(connection, AcSystem(system, "s"))
        for user in (first, second):
            users.add(connection, User(user, "u"))
        cards.add(connection, Card(card, system, WIEGAND_37, 1, "1", None, None, None))

    await database.write(unit)
    now = 1_000
    user_cards = UserCards(database, Sealer(bytes(32)), Bell(), lambda: now)
    marks = Cards(database, Bell(), lambda: now)

    async def replace(user: str, **fields: Any) -> str:
        command = ReplaceCard(user, card_id=card, **fields)
        return (
            await user_cards.replace(SUBJECT, command, "", b"", lambda result: result.value.encode())
        ).decode()

    value = await replace(first)
    now = 5_000
    await user_cards.update(SUBJECT, UserCardUpdate(value, ["card_user_flags"], card_user_flags=1))
    now = 4_000
    await replace(first, card_user_flags=2)
    await user_cards.update(SUBJECT, UserCardUpdate(value, ["card_user_flags"], card_user_flags=3))
    await marks.mark(SUBJECT, card, CardStatus.LOST)
    now = 9_000
    await marks.mark(SUBJECT, card, CardStatus.GOOD)
    now = 8_000
    ended = await replace(second)
    await user_cards.remove(SUBJECT, ended)
    now = 12_000
    await marks.mark(SUBJECT, card, CardStatus.LOST)
    now = 11_000
    await marks.mark(SUBJECT, card, CardStatus.GOOD)
    await replace(first)
    times = [time for (time,) in look(where, "SELECT time FROM user_card_event ORDER BY sequence")]
    assert times == [1_000, *[5_000] * 4, *[9_000] * 3, *[12_000] * 3]
    spans = look(where, "SELECT start_time, end_time FROM user_card ORDER BY row_id")
    assert spans == [(1_000, 9_000), (9_000, 9_000), (12_000, None)]
    assert_whole(where)
