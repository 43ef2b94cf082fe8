"""What must hold of assignments in any database at any time: after a crash, a fault, a race, a repeat."""

import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from sqlalchemy import text

from swipegate.store import schema
from swipegate.v1.user_card_pb2 import ReplaceCardIfExistsResponse, UndoUserCardEventResponse
from tests.databases import Where, engine_of

Ask = Callable[..., list[tuple[Any, ...]]]
"""A query with its parameters as keywords; its rows."""
Image = dict[str, Any]
"""An assignment as an event pictures it."""
_OF_THE_ASSIGNMENT = ("user_card_id", "user_id", "start_time")
_OF_ITS_HOLDER = ("user_id", "activation_time", "deactivation_time", "card_user_flags", "has_pin")
"""What an undo brings back."""
_EVENT = (
    "sequence",
    "time",
    "kind",
    "card_id",
    "before",
    "after",
    "pin_changed",
    "status_before",
    "status_after",
    "undid_sequence",
)
_ANSWERS: dict[str, type[Message]] = {
    "ReplaceCardIfExists": ReplaceCardIfExistsResponse,
    "UndoUserCardEvent": UndoUserCardEventResponse,
}


@dataclass
class Told:
    """A card as its events tell it."""

    status: str = "GOOD"
    holding: Image | None = None
    assignments: dict[str, Image] = field(default_factory=dict)
    """Every one that ever was, as it stands or ended, in the order in which they were made."""
    last: "Event | None" = None


@dataclass
class Event:
    """A row of user_card_event."""

    sequence: int
    time: int
    kind: str
    card_id: str
    before: Image | None
    after: Image | None
    pin_changed: bool
    status_before: str
    status_after: str
    undid_sequence: int | None


@contextmanager
def asking(where: Where) -> Iterator[Ask]:
    """Looks into the database past the code, with one connection for many queries."""
    engine = engine_of(where)
    with engine.connect() as connection:
        yield lambda sql, **values: [tuple(row) for row in connection.execute(text(sql), values)]
    engine.dispose()


def events_of(ask: Ask) -> list[Event]:
    """Every event in order."""
    rows = ask(f"SELECT {', '.join(_EVENT)} FROM user_card_event ORDER BY sequence")
    events = [Event(*row) for row in rows]
    for event in events:
        event.before, event.after = _parsed(event.before), _parsed(event.after)
        event.pin_changed = bool(event.pin_changed)
    return events


def fold(events: list[Event]) -> dict[str, Told]:
    """The cards as the events tell them; every event must follow from the ones before it."""
    cards: dict[str, Told] = defaultdict(Told)
    for earlier, later in itertools.pairwise(events):
        assert earlier.sequence < later.sequence
    for event in events:
        _follow(cards[event.card_id], event)
    return dict(cards)


def assert_whole(where: Where) -> list[Event]:
    """Every invariant that a look into the database can see; the events."""
    with asking(where) as ask:
        if isinstance(where, Path):
            assert ask("PRAGMA integrity_check") == [("ok",)]
        _assert_references(ask)
        events = events_of(ask)
        told = fold(events)
        # on SQLite the rows themselves, and no index, which could not hold what is wrong
        rows = _Rows(ask, " NOT INDEXED" if isinstance(where, Path) else "")
    _assert_explained(rows, told)
    _assert_chains(rows)
    _assert_numbers(rows)
    _assert_outbox(rows, told)
    _assert_answers(rows, events)
    return events


class _Rows:
    """The tables, read once."""

    def __init__(self, ask: Ask, past: str) -> None:
        tables = ("ac_system", "card", "user_card", "outbox", "idempotency")
        self._tables = {table: self._read(ask, table, past) for table in tables}

    def __call__(self, table: str) -> list[dict[str, Any]]:
        return self._tables[table]

    def _read(self, ask: Ask, table: str, past: str) -> list[dict[str, Any]]:
        names = [column.name for column in schema.metadata.tables[table].columns]
        order = "row_id" if "row_id" in names else names[0]
        rows = ask(f"SELECT {', '.join(names)} FROM {table}{past} ORDER BY {order}")
        return [dict(zip(names, row, strict=True)) for row in rows]


def _parsed(text: Any) -> Image | None:
    return None if text is None else json.loads(text)


def _follow(card: Told, event: Event) -> None:
    """One event, which must begin where the last one of its card ended."""
    assert event.before == card.holding, f"{event} does not follow {card}"
    assert event.status_before == card.status, f"{event} does not follow {card}"
    assert card.last is None or card.last.time <= event.time, f"{event} goes back in time"
    _assert_kind(card, event)
    if event.undid_sequence is not None:
        _assert_undone(card, event)
    if event.before is not None and _key(event.before) != _key(event.after):
        card.assignments[event.before["user_card_id"]] = event.before | {"end_time": event.time}
    if event.after is not None:
        assert event.after["end_time"] is None
        if _key(event.before) != _key(event.after):
            assert event.after["start_time"] == event.time
            assert event.after["user_card_id"] not in card.assignments, "an assignment is made once"
        card.assignments[event.after["user_card_id"]] = event.after
    card.holding, card.status, card.last = event.after, event.status_after, event


def _key(image: Image | None) -> tuple[Any, ...] | None:
    return None if image is None else tuple(image[name] for name in _OF_THE_ASSIGNMENT)


def _assert_kind(card: Told, event: Event) -> None:
    before, after = event.before, event.after
    moved = _key(before) != _key(after)
    right = {
        "CREATED": before is None and after is None and card.last is None,
        "ASSIGNED": before is None and after is not None,
        "REPLACED": before is not None and after is not None and moved,
        "REMOVED": before is not None and after is None,
        "UPDATED": before is not None and not moved and (before != after or event.pin_changed),
        "MARKED": before == after and event.status_before != event.status_after,
    }
    assert right[event.kind], f"{event} is not what it says"
    assert event.kind == "MARKED" or event.status_before == event.status_after, event


def _assert_undone(card: Told, event: Event) -> None:
    """What it undid is the last event of the card, and how it was before that stands again."""
    assert card.last is not None
    assert event.undid_sequence == card.last.sequence, f"{event} undid something old"
    before = card.last.before
    assert (before is None) == (event.after is None)
    if before is not None and event.after is not None:
        assert all(before[name] == event.after[name] for name in _OF_ITS_HOLDER), event


def _assert_references(ask: Ask) -> None:
    """Every foreign key names a row that is there."""
    queries = [
        f"SELECT '{table.name}.{key.parent.name}' FROM {table.name} t"
        f" LEFT JOIN {key.column.table.name} r ON r.{key.column.name} = t.{key.parent.name}"
        f" WHERE t.{key.parent.name} IS NOT NULL AND r.{key.column.name} IS NULL"
        for table in schema.metadata.tables.values()
        for key in table.foreign_keys
    ]
    assert ask(" UNION ALL ".join(queries)) == []


def _assert_explained(rows: _Rows, told: dict[str, Told]) -> None:
    """The events account for every mark and every assignment, and for nothing else."""
    status = {row["card_id"]: row["status"] for row in rows("card")}
    assert told.keys() <= status.keys(), "an event names a card that is not there"
    assert status == {key: told[key].status if key in told else "GOOD" for key in status}
    stored: dict[str, dict[str, Image]] = defaultdict(dict)
    for row in rows("user_card"):
        image = {name: row[name] for name in _IMAGE} | {"has_pin": row["sealed_pin"] is not None}
        stored[row["card_id"]][row["user_card_id"]] = image
    assert dict(stored) == {key: card.assignments for key, card in told.items() if card.assignments}


_IMAGE = (
    "user_card_id",
    "user_id",
    "start_time",
    "end_time",
    "activation_time",
    "deactivation_time",
    "card_user_flags",
)


def _assert_chains(rows: _Rows) -> None:
    """At most one assignment of a card stands, and it is the last; each begins when the one before it has ended."""
    for card_id, chain in _by(rows("user_card"), "card_id"):
        for before, after in itertools.pairwise(chain):
            assert before["end_time"] is not None, f"card {card_id} has two holders"
            assert before["start_time"] <= before["end_time"] <= after["start_time"], f"card {card_id}"
        end = chain[-1]["end_time"]
        assert end is None or chain[-1]["start_time"] <= end


def _assert_numbers(rows: _Rows) -> None:
    """No two cards have the same number in their system, type and facility code."""
    names = ("ac_system_id", "card_type", "facility_code", "internal_card_number")
    numbers = [tuple(row[name] for name in names) for row in rows("card")]
    assert len(numbers) == len(set(numbers))


def _assert_outbox(rows: _Rows, told: dict[str, Told]) -> None:
    """A system with a connector is to know each of its cards as it stands after the card's last event."""
    delivered = {row["ac_system_id"] for row in rows("ac_system") if row["webhook_url"] is not None}
    cards = {row["card_id"] for row in rows("card") if row["ac_system_id"] in delivered}
    wanted = {row["card_id"]: row for row in rows("outbox")}
    for card_id in cards & told.keys():
        last = told[card_id].last
        assert last is not None
        row = wanted.get(card_id)
        assert row is not None, f"nobody tells the system of card {card_id}"
        assert row["desired_sequence"] == last.sequence
        assert row["applied_sequence"] <= row["desired_sequence"]
        applied = row["applied_sequence"] == row["desired_sequence"]
        assert applied or row["next_try_time"] is not None, "nobody will tell the system"


def _assert_answers(rows: _Rows, events: list[Event]) -> None:
    """What a repeat would be answered names what is there."""
    sequences = {event.sequence for event in events} | {0}
    cards = {row["card_id"] for row in rows("card")}
    values = {row["user_card_id"]: row for row in rows("user_card")}
    for row in rows("idempotency"):
        if row["method"] not in _ANSWERS:
            continue
        answer: Any = _ANSWERS[row["method"]].FromString(bytes(row["answer"]))
        assert answer.sequence in sequences, answer
        if isinstance(answer, ReplaceCardIfExistsResponse):
            made = values[answer.value]
            assert (made["card_id"], made["user_id"]) == (answer.card_id, answer.current_user_id)
            assert answer.card_id in cards
        elif answer.HasField("user_card"):
            assert answer.user_card.user_card_id in values


def _by(rows: list[dict[str, Any]], name: str) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
    groups: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row[name]].append(row)
    yield from groups.items()
