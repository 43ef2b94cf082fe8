"""What the schema itself forbids, whatever the code above does."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from swipegate.store import cards
from swipegate.store.database import Database
from swipegate.store.schema import CARD_TYPES


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A database with a system, two users and a card that the first holds."""
    database = Database(tmp_path / "swipegate.db")
    database.open()
    database.close()
    opened = sqlite3.connect(tmp_path / "swipegate.db")
    opened.execute("PRAGMA foreign_keys=ON")
    opened.executescript("""
        INSERT INTO ac_system (ac_system_id, name, gives_card_numbers) VALUES ('s', 'system', 1);
        INSERT INTO user_ (user_id, name) VALUES ('u1', 'one'), ('u2', 'two');
        INSERT INTO card (card_id, ac_system_id, card_type, internal_card_number, external_card_number, status,
            create_time) VALUES ('c', 's', 2, 1, '1', 'GOOD', 0);
        INSERT INTO user_card (user_card_id, card_id, user_id, start_time, card_user_flags)
            VALUES ('a', 'c', 'u1', 0, 0);
    """)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "statement",
    [
        # a second open assignment
        "INSERT INTO user_card (user_card_id, card_id, user_id, start_time, card_user_flags)"
        " VALUES ('b', 'c', 'u2', 0, 0)",
        # the same card twice, with no facility code
        """INSERT INTO card (card_id, ac_system_id, card_type, internal_card_number, external_card_number, status,
            create_time) VALUES ('d', 's', 2, 1, '1', 'GOOD', 0)""",
        "INSERT INTO user_card (user_card_id, card_id, user_id, start_time, end_time, card_user_flags)"
        " VALUES ('b', 'c', 'nobody', 0, 1, 0)",
        "DELETE FROM user_ WHERE user_id = 'u1'",
        "DELETE FROM card",
        "DELETE FROM card_type",
    ],
)
def test_what_must_not_be_is_refused(connection: sqlite3.Connection, statement: str) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)


def test_ended_assignments_may_be_many(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE user_card SET end_time = 1")
    for key in ("b", "d"):
        connection.execute(
            "INSERT INTO user_card (user_card_id, card_id, user_id, start_time, end_time, card_user_flags)"
            " VALUES (?, 'c', 'u2', 1, 2, 0)",
            (key,),
        )


@pytest.mark.parametrize("statement", ["_BY_NUMBER", "_BY_ID", "_HIGHEST_NUMBER", "_NUMBERS"])
def test_cards_are_found_by_an_index(tmp_path: Path, statement: str) -> None:
    database = Database(tmp_path / "swipegate.db")
    database.open()
    key = {
        "card_id": "c",
        "ac_system_id": "s",
        "card_type": 1,
        "facility_code": 7,
        "internal_card_number": 7,
        "first": 7,
    }

    async def plan() -> str:
        def unit(connection: object) -> str:
            prepared = getattr(cards, statement)
            prepared.first(connection, key)
            sql, arguments = prepared._compiled["sqlite"]
            cursor = connection.connection.cursor()  # type: ignore[attr-defined]
            found = cursor.execute(f"EXPLAIN QUERY PLAN {sql}", arguments(key)).fetchall()
            cursor.close()
            return "; ".join(row[3] for row in found)

        return await database.read(unit)

    found = asyncio.run(plan())
    database.close()
    assert "SCAN" not in found
    assert "TEMP B-TREE" not in found
    if statement != "_BY_ID":
        assert "card_number (ac_system_id=? AND card_type=? AND <expr>=?" in found


def test_the_card_types_have_limits_of_their_own() -> None:
    assert len({number for number, *_ in CARD_TYPES}) == len(CARD_TYPES)
    for _, name, largest, facility, issue, serial in CARD_TYPES:
        assert 0 < largest < 2**63
        assert facility is None or 0 < facility < 2**31
        assert issue is None or 0 < issue < 2**31
        assert isinstance(serial, bool)
        assert len(name) <= 128
