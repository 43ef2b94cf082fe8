"""Card assignments and their events. Every change goes through `change`, which appends the event."""

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, insert, select, update

from swipegate.domain.card_assignment import (
    FOLLOWS,
    MAX_DESCRIPTION,
    CardAssignment,
    HeldCardPolicy,
    Outcome,
    State,
)
from swipegate.domain.card_request import CardRequest
from swipegate.domain.replacement import ReplaceCard
from swipegate.store import card_requests
from swipegate.store.schema import card_assignment, card_assignment_event, card_request_event
from swipegate.store.statement import Statement

_C = card_assignment.c
_E = card_assignment_event.c
_COLUMNS = [column for column in card_assignment.columns if column.name != "sealed_pin"]
_SELECT = select(*_COLUMNS)
_BY_ID = _SELECT.where(_C.card_assignment_id == bindparam("card_assignment_id"))
_IS_ONE = Statement(select(_C.row_id).where(_C.card_assignment_id == bindparam("card_assignment_id")))
_PIN = Statement(select(_C.sealed_pin).where(_C.card_assignment_id == bindparam("card_assignment_id")))
_OUTCOME = ("card_id", "previous_user_id", "user_card_id", "reason")
_EVENTS = (
    select(
        _E.sequence.label("of_assignment"),
        _E.time.label("time_of_assignment"),
        _E.state.label("state_of_assignment"),
        *(_E[name].label(f"{name}_of_assignment") for name in _OUTCOME),
        _E.description,
        *card_request_event.columns,
    )
    .select_from(
        card_assignment_event.join(
            card_request_event, card_request_event.c.sequence == _E.card_request_sequence
        )
    )
    .where(and_(_E.card_assignment_id == bindparam("card_assignment_id"), _E.sequence > bindparam("after")))
    .order_by(_E.sequence)
    .limit(bindparam("size"))
)
_FIELDS = tuple(field.name for field in fields(ReplaceCard) if field.name not in ("pin", "expected_holder"))
"""Of a command, as they may be stored in the clear."""


def is_one(connection: Connection, card_request_id: str) -> bool:
    """Whether a card request reads for an assignment."""
    return _IS_ONE.first(connection, {"card_assignment_id": card_request_id}) is not None


def by_id(connection: Connection, card_assignment_id: str) -> CardAssignment | None:
    """The assignment with its reading half as it is now."""
    found = _page(connection, _BY_ID, {"card_assignment_id": card_assignment_id})
    return found[0][1] if found else None


def add(connection: Connection, new: CardAssignment, sealed_pin: bytes | None) -> CardAssignment:
    """Store a new assignment, whose card request is there, with its first event."""
    sequence = _append_event(connection, new, new.create_time)
    connection.execute(
        insert(card_assignment),
        {
            "card_assignment_id": new.card_assignment_id,
            "device_id": new.request.device_id,
            "user_id": new.command.user_id,
            "command": _encoded(new.command),
            "sealed_pin": sealed_pin,
            "if_held": new.if_held.value,
            "state": new.state.value,
            "description": "",
            "sequence": sequence,
            "subject": new.subject,
            "client": new.client,
            "create_time": new.create_time,
            "update_time": new.update_time,
            "expire_time": new.expire_time,
        },
    )
    return replace(new, sequence=sequence)


def change(connection: Connection, assignment: CardAssignment, outcome: Outcome, now: int) -> CardAssignment:
    """Move an assignment, as just read in this transaction, to what may follow, and append the event.

    Its end wipes the PIN. Raises WRONG_ASSIGNMENT_STATE when the state may not follow.
    """
    if outcome.state not in FOLLOWS[assignment.state]:
        raise assignment.wrong_state()
    outcome = replace(outcome, description=outcome.description[:MAX_DESCRIPTION])
    changed = replace(assignment, outcome=outcome, update_time=now)
    changed = replace(changed, sequence=_append_event(connection, changed, now))
    values = {**_outcome(outcome), "sequence": changed.sequence, "update_time": now}
    if not changed.live:
        values["sealed_pin"] = None
    mine = update(card_assignment).where(_C.card_assignment_id == assignment.card_assignment_id)
    connection.execute(mine.values(values))
    return changed


def sealed_pin(connection: Connection, card_assignment_id: str) -> bytes | None:
    """The PIN that waits with an assignment, as sealed for it."""
    row = _PIN.first(connection, {"card_assignment_id": card_assignment_id})
    return None if row is None or row[0] is None else bytes(row[0])


def events(connection: Connection, assignment: CardAssignment, after: int, size: int) -> list[CardAssignment]:
    """At most `size` snapshots of the assignment after each event past `after`, in order."""
    key = {"card_assignment_id": assignment.card_assignment_id, "after": after, "size": size}
    return [
        replace(
            assignment,
            request=card_requests.at(assignment.request, row),
            outcome=Outcome(
                State(row["state_of_assignment"]),
                **{name: row[f"{name}_of_assignment"] for name in _OUTCOME},
                description=row["description"],
            ),
            sequence=row["of_assignment"],
            update_time=row["time_of_assignment"],
        )
        for row in connection.execute(_EVENTS, key).mappings()
    ]


def page(
    connection: Connection, *, device_id: int, user_id: str | None, before: int | None, size: int
) -> list[tuple[int, CardAssignment]]:
    """At most `size` assignments with their row ids, the newest first, before the row `before`."""
    query = _SELECT.order_by(_C.row_id.desc()).limit(size)
    if before is not None:
        query = query.where(_C.row_id < before)
    if device_id:
        query = query.where(_C.device_id == device_id)
    if user_id is not None:
        query = query.where(_C.user_id == user_id)
    return _page(connection, query, {})


def overdue(connection: Connection, now: int, size: int) -> list[CardAssignment]:
    """Assignments past their time that wait for a decision."""
    query = _SELECT.where(_C.state == State.NEEDS_DECISION, _C.expire_time <= now)
    return [found for _, found in _page(connection, query.order_by(_C.row_id).limit(size), {})]


def _append_event(connection: Connection, assignment: CardAssignment, now: int) -> int:
    result = connection.execute(
        insert(card_assignment_event),
        {
            "card_assignment_id": assignment.card_assignment_id,
            "time": now,
            "card_request_sequence": assignment.request.sequence,
            **_outcome(assignment.outcome),
        },
    )
    key = result.inserted_primary_key
    assert key is not None
    return int(key[0])


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "state": outcome.state.value,
        "description": outcome.description,
        **{name: getattr(outcome, name) for name in _OUTCOME},
    }


def _encoded(command: ReplaceCard) -> str:
    given = {name: getattr(command, name) for name in _FIELDS}
    return json.dumps({name: value for name, value in given.items() if value is not None})


def _page(
    connection: Connection, query: Select[Any], key: Mapping[str, Any]
) -> list[tuple[int, CardAssignment]]:
    rows = connection.execute(query, key).mappings().all()
    if not rows:
        return []
    requests = card_requests.by_ids(connection, [row["card_assignment_id"] for row in rows])
    return [(row["row_id"], _assignment(row, requests[row["card_assignment_id"]])) for row in rows]


def _assignment(row: Mapping[Any, Any], request: CardRequest) -> CardAssignment:
    return CardAssignment(
        command=ReplaceCard(**json.loads(row["command"])),
        if_held=HeldCardPolicy(row["if_held"]),
        subject=row["subject"],
        client=row["client"],
        request=request,
        create_time=row["create_time"],
        update_time=row["update_time"],
        expire_time=row["expire_time"],
        sequence=row["sequence"],
        outcome=Outcome(
            State(row["state"]), **{name: row[name] for name in _OUTCOME}, description=row["description"]
        ),
    )
