"""Batches of cards against the database: what they leave behind is what single calls leave."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swipegate.domain.ac_system import AcSystem, Webhook
from swipegate.domain.authority import Principal
from swipegate.domain.bulk_import import MAX_ROWS
from swipegate.domain.card import CardStatus
from swipegate.domain.errors import SwipegateError, name
from swipegate.domain.replacement import ReplaceCard
from swipegate.domain.user import User
from swipegate.service import clock
from swipegate.service.bell import Bell
from swipegate.service.bulk_import import BulkImport
from swipegate.service.cards import Cards
from swipegate.service.sealing import Sealer
from swipegate.service.user_cards import UserCards
from swipegate.store import ac_systems, users
from swipegate.store.database import Database
from tests.databases import Where, both, look

pytestmark = both
CALLER = Principal("importer", "tests")
NOBODY, STRANGER = "", "nobody knows"
PEOPLE = ("u0", "u1", NOBODY, STRANGER)
SAME_REASON = {"HOLDER_CHANGED": "CARD_HELD", "CARD_MISMATCH": "CARD_EXISTS"}
"""What a single call says, and what an import does."""


@pytest.fixture
def database(where: Where) -> Iterator[Database]:
    """An empty database."""
    if isinstance(where, Path):
        where.parent.mkdir()
    opened = Database(where)
    opened.open()
    yield opened
    opened.close()


@dataclass
class Side:
    """One of two systems that should end up the same, with users of its own."""

    database: Database
    system: str = field(default_factory=lambda: str(uuid4()))
    people: dict[str, str] = field(default_factory=lambda: {who: str(uuid4()) for who in (*PEOPLE,) if who})

    def __post_init__(self) -> None:
        bell, sealer = Bell(), Sealer(b"k" * 32)
        # a clock that somebody sets back now and then
        wrong = cycle([0, 5, -3_600])
        now = lambda: clock.now() + next(wrong) * clock.SECOND  # noqa: E731
        self.imports = BulkImport(self.database, sealer, bell, now)
        self.singles = UserCards(self.database, sealer, bell, now)
        self.cards = Cards(self.database, bell, now)
        self.reasons: list[str] = []

    async def prepare(self) -> None:
        """Its system, whose changes are delivered, and the users that there are."""

        def unit(connection: Any) -> None:
            webhook = Webhook("https://example.com/", b"s" * 32)
            ac_systems.add(connection, AcSystem(self.system, f"system {self.system}", webhook=webhook))
            for who in ("u0", "u1"):
                users.add(connection, User(self.people[who], who))

        await self.database.write(unit)

    def own(self, row: ReplaceCard) -> ReplaceCard:
        """The row in its system, for its users."""
        return replace(row, card_ac_system_id=self.system, user_id=self.people.get(row.user_id, ""))

    async def import_batch(self, rows: list[ReplaceCard], *, take_over: bool) -> None:
        """As one batch."""
        report = await self.imports.cards(
            CALLER, [self.own(row) for row in rows], take_over=take_over, validate_only=False
        )
        assert report.created + report.unchanged + len(report.refused) == len(rows)
        refused = {one.row: one.reason for one in report.refused}
        self.reasons += [refused.get(number, "") for number in range(len(rows))]

    async def replace_one_by_one(self, rows: list[ReplaceCard], *, take_over: bool) -> None:
        """As single calls; only a card for nobody, which they do not know, as a batch of its own."""
        for row in rows:
            if row.user_id == NOBODY:
                await self.import_batch([row], take_over=take_over)
                continue
            command = replace(self.own(row), expected_holder=None if take_over else "")
            try:
                await self.singles.replace(CALLER, command, "", b"", lambda _: b"")
            except SwipegateError as error:
                reason = name(error.reason)
                self.reasons.append(SAME_REASON.get(reason, reason))
            else:
                self.reasons.append("")

    async def happen(self, what: str, number: int) -> None:
        """Something that has nothing to do with an import."""
        cards, _ = await self.cards.page(ac_system_id=self.system, user_id=None, page_size=100, page_token="")
        for card in cards:
            if card.internal_card_number != number:
                continue
            if what == "lose":
                await self.cards.mark(CALLER, card.card_id, CardStatus.LOST)
            elif card.holding is not None:
                await self.singles.remove(CALLER, card.holding.user_card_id)

    def state(self, where: Where) -> dict[str, list[tuple[Any, ...]]]:
        """Cards, holders in their order, events and what is to be delivered, without ids and times."""
        who = {key: name for name, key in self.people.items()}
        key = "c.card_type, c.facility_code, c.internal_card_number"
        of_system = f"JOIN card c USING (card_id) WHERE c.ac_system_id = :system ORDER BY {key}"
        cards = look(
            where,
            f"SELECT {key}, external_card_number, issue_code, status FROM card c"
            f" WHERE ac_system_id = :system ORDER BY {key}",
            system=self.system,
        )
        held = look(
            where,
            f"SELECT {key}, u.user_id, u.end_time IS NULL FROM user_card u {of_system}, u.row_id",
            system=self.system,
        )
        events = look(
            where,
            f"SELECT {key}, kind, e.before, e.after, status_before, subject"
            f" FROM user_card_event e {of_system}, e.sequence",
            system=self.system,
        )
        due = look(
            where,
            f"SELECT {key}, o.desired_sequence = (SELECT max(sequence) FROM user_card_event e"
            f" WHERE e.card_id = o.card_id), o.next_try_time IS NULL FROM outbox o {of_system}",
            system=self.system,
        )
        pictures = [(*row[:4], _holder(row[4], who), _holder(row[5], who), *row[6:]) for row in events]
        people = [(*row[:3], who[row[3]], row[4]) for row in held]
        return {"cards": cards, "held": people, "events": pictures, "due": due}


def _holder(picture: str | None, who: dict[str, str]) -> str:
    return next((name for key, name in who.items() if key in (picture or "")), "")


GOOD_ROWS = st.builds(
    ReplaceCard,
    user_id=st.sampled_from(PEOPLE[:3]),
    card_type=st.just(2),
    internal_card_number=st.integers(1, 2),
    external_card_number=st.just("a"),
)
ANY_ROWS = st.builds(
    ReplaceCard,
    user_id=st.sampled_from(PEOPLE),
    card_type=st.sampled_from([2, 2, 6, 6, 99]),
    internal_card_number=st.sampled_from([1, 1, 2, 3, 99_999_999_999]),
    external_card_number=st.sampled_from(["a", "a", "a", "b"]),
    facility_code=st.sampled_from([None, 7, 7, 10_000]),
    issue_code=st.sampled_from([None, 1, 1, 2]),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.lists(st.one_of(GOOD_ROWS, GOOD_ROWS, ANY_ROWS), min_size=1, max_size=8), st.booleans()),
        st.tuples(st.sampled_from(["lose", "free", "free"]), st.integers(1, 2)),
    ),
    min_size=2,
    max_size=8,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_an_import_leaves_what_single_calls_leave(database: Database, where: Where, steps: list[Any]) -> None:
    imported, single = Side(database), Side(database)

    async def run() -> None:
        await imported.prepare()
        await single.prepare()
        for what, option in steps:
            if isinstance(what, str):
                await imported.happen(what, option)
                await single.happen(what, option)
            else:
                await imported.import_batch(what, take_over=option)
                await single.replace_one_by_one(what, take_over=option)

    asyncio.run(run())
    assert imported.reasons == single.reasons
    assert imported.state(where) == single.state(where)
    gaps = look(
        where,
        "SELECT count(*) FROM user_card a JOIN user_card b ON a.card_id = b.card_id AND a.row_id < b.row_id"
        " WHERE a.end_time IS NULL OR a.end_time < a.start_time OR b.start_time < a.end_time",
    )
    assert gaps == [(0,)], "the assignments of a card follow each other"


async def test_a_full_batch_of_many_kinds(database: Database, where: Where) -> None:
    side = Side(database)
    await side.prepare()
    rows = [
        ReplaceCard("u0" if n % 3 else NOBODY, None, 6, "", n // 5 + 1, f"{n}", None, n % 5, 1)
        for n in range(MAX_ROWS)
    ]
    await side.import_batch(rows, take_over=False)
    await side.import_batch(rows, take_over=False)
    assert set(side.reasons) == {""}
    state = side.state(where)
    assert (len(state["cards"]), len(state["events"]), len(state["due"])) == (MAX_ROWS, MAX_ROWS, MAX_ROWS)
    assert len(state["held"]) == sum(row.user_id == "u0" for row in rows)
    with pytest.raises(SwipegateError, match=r"cards: must be at most 2,000 rows"):
        await side.import_batch([*rows, rows[0]], take_over=False)


async def test_no_assignment_begins_before_the_last_one_ended(database: Database, where: Where) -> None:
    side = Side(database)
    await side.prepare()
    row = ReplaceCard("u0", None, 2, "", 1, "1")
    for again in (row, row, replace(row, user_id="u1")):  # the clock is set back before the last
        await side.import_batch([again], take_over=False)
        if again.user_id == "u0":
            await side.happen("free", 1)
    assert side.reasons == ["", "", ""]
    times = look(where, "SELECT start_time, end_time FROM user_card ORDER BY row_id")
    assert all(start >= end for (_, end), (start, _) in pairwise(times))


async def test_a_rehearsal_changes_nothing(database: Database, where: Where) -> None:
    side = Side(database)
    await side.prepare()
    row = side.own(ReplaceCard("u0", None, 2, "", 1, "1"))
    commits = [
        await side.imports.cards(CALLER, [row, row], take_over=True, validate_only=True) for _ in range(2)
    ]
    assert [(report.created, report.unchanged) for report in commits] == [(1, 1), (1, 1)]
    report = await side.imports.users([User("", "one")], validate_only=True)
    assert report.created == 1
    assert side.state(where) == {"cards": [], "held": [], "events": [], "due": []}
    assert look(where, "SELECT count(*) FROM user_") == [(2,)]


async def test_users(database: Database, where: Where) -> None:
    side = Side(database)
    one, two, gone = (str(uuid4()) for _ in range(3))
    look(where, "INSERT INTO user_ (user_id, name, delete_time) VALUES (:key, 'gone', 1)", key=gone)
    bad = SwipegateError(1, detail="")  # type: ignore[arg-type]
    rows = [
        User(one, "one"),
        bad,
        User(two, "two", str(uuid4())),
        User(one, "one"),
        User(one, "another"),
        User(gone, "gone"),
        User("", "unnamed"),
        User("", "unnamed"),
    ]
    report = await side.imports.users(rows, validate_only=False)
    assert (report.created, report.unchanged) == (3, 1)
    assert [(one.row, one.reason, one.field) for one in report.refused] == [
        (1, name(1), ""),
        (2, "OCCUPANCY_NOT_FOUND", "occupancy_id"),
        (4, "USER_EXISTS", "user_id"),
        (5, "USER_EXISTS", "user_id"),
    ]
    assert look(where, "SELECT name FROM user_ WHERE delete_time IS NULL ORDER BY row_id") == [
        ("one",),
        ("unnamed",),
        ("unnamed",),
    ]
