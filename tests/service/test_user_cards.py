"""Assignments with a clock of the test's own."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from swipegate.domain.authority import Principal
from swipegate.domain.card import CardStatus
from swipegate.domain.replacement import ReplaceCard, ReplaceResult
from swipegate.domain.user import User
from swipegate.service.bell import Bell
from swipegate.service.cards import Cards
from swipegate.service.sealing import Sealer
from swipegate.service.user_cards import Stands, UserCards, UserCardUpdate
from swipegate.service.users import Users
from swipegate.store.database import Database
from tests.databases import Where, both, look
from tests.people import new_id

pytestmark = both
PRINCIPAL = Principal("tester", "tests")
NOON = 1_700_000_000_000_000
"""Microseconds, as every time here."""


class House:
    """The use cases over a database, and a clock that is set by hand."""

    def __init__(self, database: Database) -> None:
        self.now = NOON
        bell = Bell()
        self.users = Users(database, self.clock)
        self.cards = Cards(database, bell, self.clock)
        self.user_cards = UserCards(database, Sealer(bytes(32)), bell, self.clock)
        self.card_id = ""

    def clock(self) -> int:
        """What time it is said to be."""
        return self.now

    async def user(self) -> str:
        """A new user's id."""
        return (await self.users.create(User("", "somebody"))).user_id

    async def give(self, user_id: str, **fields: Any) -> str:
        """Give the card to the user; the assignment's id."""
        if not self.card_id:
            fields = SYSTEM | fields
        command = ReplaceCard(user_id, card_id=self.card_id or None, **fields)
        seen: list[ReplaceResult] = []

        def encode(result: ReplaceResult) -> bytes:
            seen.append(result)
            return b""

        await self.user_cards.replace(PRINCIPAL, command, "", b"", encode)
        self.card_id = seen[0].card.card_id
        return seen[0].value

    async def undo_last(self, where: Where) -> None:
        """Undo what happened last."""
        ((last,),) = look(where, "SELECT max(sequence) FROM user_card_event")

        def encode(_stands: Stands) -> bytes:
            return b""

        await self.user_cards.undo(PRINCIPAL, last, "", b"", encode)


SYSTEM: dict[str, Any] = {
    "card_type": 2,
    "card_ac_system_id": new_id(),
    "internal_card_number": 1,
    "external_card_number": "1",
}


@pytest.fixture
async def house(where: Where) -> AsyncIterator[House]:
    """The use cases over a database with a system."""
    if isinstance(where, Path):
        where.parent.mkdir()
    database = Database(where)
    database.open()
    system = SYSTEM["card_ac_system_id"]
    query = "INSERT INTO ac_system (ac_system_id, name, gives_card_numbers) VALUES (:id, 'system', :yes)"
    look(where, query, id=system, yes=True)
    yield House(database)
    database.close()


def times(where: Where) -> list[int]:
    """Of the events in their order."""
    return [row[0] for row in look(where, "SELECT time FROM user_card_event ORDER BY sequence")]


def chain(where: Where) -> list[tuple[int, int | None]]:
    """When the assignments began and ended, in their order."""
    return [
        (row[0], row[1]) for row in look(where, "SELECT start_time, end_time FROM user_card ORDER BY row_id")
    ]


async def test_an_assignment_is_never_before_the_one_it_ends(house: House, where: Where) -> None:
    first, second = await house.user(), await house.user()
    await house.give(first)
    house.now -= 5
    await house.give(second)
    house.now -= 5
    value = await house.give(first)
    house.now -= 5
    await house.user_cards.remove(PRINCIPAL, value)
    house.now -= 5
    await house.give(second)  # nobody holds it, and it was held until noon
    assert chain(where) == [(NOON, NOON)] * 3 + [(NOON, None)]
    house.now = NOON + 3
    await house.give(first)
    assert chain(where)[3:] == [(NOON, NOON + 3), (NOON + 3, None)]


@pytest.mark.parametrize("change", ["mark", "update", "amend"])
@pytest.mark.parametrize("later", ["replace", "remove", "mark", "update", "amend", "undo"])
async def test_a_change_is_never_before_the_cards_last_one(
    house: House, where: Where, change: str, later: str
) -> None:
    first, second = await house.user(), await house.user()
    value = await house.give(first)

    async def change_it(how: str) -> None:
        flags = (NOON - house.now) % 128
        if how == "mark":
            good = (await house.cards.get(house.card_id)).status is CardStatus.GOOD
            status = CardStatus.LOST if good else CardStatus.GOOD
            await house.cards.mark(PRINCIPAL, house.card_id, status)
        elif how == "update":
            update = UserCardUpdate(value, {"card_user_flags"}, card_user_flags=flags)
            await house.user_cards.update(PRINCIPAL, update)
        elif how == "amend":
            await house.give(first, card_user_flags=flags)
        elif how == "replace":
            await house.give(second)
        elif how == "remove":
            await house.user_cards.remove(PRINCIPAL, value)
        else:
            await house.undo_last(where)

    house.now = NOON + 10
    await change_it(change)
    house.now = NOON - 3
    if change == "mark" and later in ("amend", "replace", "undo"):
        await change_it("mark")  # found again: else it could not be given
    if later == "undo" and change == "mark":
        await change_it("update")
    await change_it(later)
    assert times(where)[0] == NOON
    assert set(times(where)[1:]) == {NOON + 10}
    assert len(times(where)) >= 3
    for start, end in chain(where):
        assert start in (NOON, NOON + 10)
        assert end in (None, NOON + 10)


async def test_a_card_that_nobody_holds_was_marked_later(house: House, where: Where) -> None:
    user = await house.user()
    value = await house.give(user)
    await house.user_cards.remove(PRINCIPAL, value)
    house.now = NOON + 10
    for status in (CardStatus.LOST, CardStatus.GOOD):
        await house.cards.mark(PRINCIPAL, house.card_id, status)
    house.now = NOON
    await house.give(user)
    assert chain(where) == [(NOON, NOON), (NOON + 10, None)]


async def test_one_cards_time_is_no_other_cards(house: House, where: Where) -> None:
    user = await house.user()
    house.now = NOON + 10
    await house.give(user)
    house.now, house.card_id = NOON, ""
    await house.give(user, internal_card_number=2)
    assert chain(where) == [(NOON + 10, None), (NOON, None)]


async def test_who_held_the_card_as_of_every_microsecond(house: House, where: Where) -> None:
    """From the start on, and no longer at the end; an assignment of no length never stood."""
    users = [await house.user() for _ in range(4)]
    for user, moment in zip(users, (0, 3, 3, 5), strict=True):
        house.now = NOON + moment
        await house.give(user)
    house.now = NOON + 8
    last = (await house.user_cards.page(user_id=users[3], card_id=None, **_page()))[0][0]
    await house.user_cards.remove(PRINCIPAL, last.user_card_id)

    async def held_by(time: int) -> list[str]:
        page = await house.user_cards.page(user_id=None, card_id=house.card_id, **_page(as_of=time))
        for user in users:
            own = await house.user_cards.page(user_id=user, card_id=house.card_id, **_page(as_of=time))
            assert own[0] == [one for one in page[0] if one.user_id == user]
        return [one.user_id for one in page[0]]

    holders = {moment: await held_by(NOON + moment) for moment in range(-1, 10)}
    first, _, third, fourth = users
    expected = [""] + [first] * 3 + [third] * 2 + [fourth] * 3 + [""] * 2
    assert holders == {moment: [user] if user else [] for moment, user in enumerate(expected, -1)}


def _page(as_of: int | None = None) -> dict[str, Any]:
    return {"as_of": as_of, "include_ended": False, "page_size": 0, "page_token": ""}
