"""Look-ups that run while everybody waits for the writer go by an index."""

import asyncio
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import Connection

from swipegate.store import card_types, cards, user_cards, users
from swipegate.store.database import Database


@pytest.mark.parametrize(
    ("noun", "statement", "key", "expected"),
    [
        (
            card_types,
            "_IS_USED",
            {"card_type": 1},
            "SEARCH card USING INDEX card_number (ac_system_id=? AND card_type=?)",
        ),
        (user_cards, "_HELD_BY", {"user_id": "u"}, "SEARCH user_card USING INDEX user_card_of_user"),
        (
            user_cards,
            "_END",
            {"key": "c", "now": 1},
            "SEARCH user_card USING INDEX user_card_open (card_id=?)",
        ),
        (
            cards,
            "_BY_ID",
            {"card_id": "c"},
            "SEARCH user_card_event USING COVERING INDEX user_card_event_of_card (card_id=?)",
        ),
        (
            users,
            "_OF_OCCUPANCY",
            {"occupancy_id": "o"},
            "SEARCH user_ USING COVERING INDEX user_of_occupancy",
        ),
    ],
)
def test_what_is_looked_up_has_an_index(
    tmp_path: Path, noun: ModuleType, statement: str, key: dict[str, Any], expected: str
) -> None:
    database = Database(tmp_path / "swipegate.db")
    database.open()

    def unit(connection: Connection) -> str:
        prepared = getattr(noun, statement)
        prepared.run(connection, key)
        sql, arguments = prepared._compiled["sqlite"]
        rows = connection.connection.cursor().execute(f"EXPLAIN QUERY PLAN {sql}", arguments(key))
        return "; ".join(row[3] for row in rows.fetchall())

    found = asyncio.run(database.write(unit))
    database.close()
    assert expected in found
    assert "TEMP B-TREE" not in found
