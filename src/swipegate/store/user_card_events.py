"""What happened to cards and their assignments, in the order of the commits."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select

from swipegate.domain.user_card import EventKind, UserCard, UserCardEvent
from swipegate.store.schema import user_card_event
from swipegate.store.statement import NumberedInsert, Row, Statement

_E = user_card_event.c
_COLUMNS = (
    _E.sequence,
    _E.time,
    _E.kind,
    _E.card_id,
    _E.before,
    _E.after,
    _E.pin_changed,
    _E.sealed_pin_before,
    _E.status_before,
    _E.status_after,
    _E.undid_sequence,
    _E.subject,
    _E.client,
)
_APPEND = NumberedInsert(insert(user_card_event), _E.sequence)
_BY_SEQUENCE = Statement(select(*_COLUMNS).where(_E.sequence == bindparam("sequence")))
_AFTER = Statement(
    select(*_COLUMNS)
    .where(_E.sequence > bindparam("sequence"))
    .order_by(_E.sequence)
    .limit(bindparam("size"))
)
_APPEND_ALL = Statement(insert(user_card_event))
_OF_CARDS_AFTER = Statement(
    select(_E.card_id, func.max(_E.sequence)).where(_E.sequence > bindparam("sequence")).group_by(_E.card_id)
)
_ENCODE = json.JSONEncoder(separators=(",", ":")).encode
_LAST = Statement(select(func.max(_E.sequence)))
_LAST_OF_CARD = Statement(select(func.max(_E.sequence)).where(_E.card_id == bindparam("card_id")))


def append(connection: Connection, event: UserCardEvent) -> int:
    """Store the event; its sequence."""
    return _APPEND.run(connection, _values(event))


def append_all(connection: Connection, events: Iterable[UserCardEvent]) -> None:
    """Store many events, in their order."""
    _APPEND_ALL.run_all(connection, [_values(event) for event in events])


def last_of_cards(connection: Connection, sequence: int) -> dict[str, int]:
    """Number of the last event of every card that has one past that number."""
    return dict(_OF_CARDS_AFTER.all(connection, {"sequence": sequence}))


def by_sequence(connection: Connection, sequence: int) -> UserCardEvent | None:
    """The event of that number."""
    row = _BY_SEQUENCE.first(connection, {"sequence": sequence})
    return None if row is None else _event(row)


def after(connection: Connection, sequence: int, size: int) -> list[UserCardEvent]:
    """At most `size` events past that number, in order."""
    return [_event(row) for row in _AFTER.rows(connection, {"sequence": sequence, "size": size})]


def last(connection: Connection) -> int:
    """Number of the last event; 0 where there is none."""
    row = _LAST.first(connection, {})
    return int(row[0] or 0) if row else 0


def last_of_card(connection: Connection, card_id: str) -> int:
    """Number of the last event of a card; 0 where there is none."""
    row = _LAST_OF_CARD.first(connection, {"card_id": card_id})
    return int(row[0] or 0) if row else 0


def _values(event: UserCardEvent) -> Mapping[str, Any]:
    return {
        "time": event.time,
        "kind": event.kind.value,
        "card_id": event.card_id,
        "before": _json(event.before),
        "after": _json(event.after),
        "pin_changed": event.pin_changed,
        "sealed_pin_before": event.sealed_pin_before,
        "status_before": event.status_before,
        "status_after": event.status_after,
        "undid_sequence": event.undid_sequence,
        "subject": event.subject,
        "client": event.client,
    }


def _json(image: UserCard | None) -> str | None:
    if image is None:
        return None
    # identifiers, numbers and truth values need no quoting, which json.dumps would look for at ten times the cost
    return (
        f'{{"user_card_id":"{image.user_card_id}","user_id":"{image.user_id}"'
        f',"start_time":{image.start_time},"end_time":{_number(image.end_time)}'
        f',"activation_time":{_number(image.activation_time)}'
        f',"deactivation_time":{_number(image.deactivation_time)}'
        f',"card_user_flags":{image.card_user_flags},"has_pin":{"true" if image.has_pin else "false"}}}'
    )


def _number(value: int | None) -> str:
    return "null" if value is None else str(value)


def _image(text: str | None, card_id: str) -> UserCard | None:
    return None if text is None else UserCard(card_id=card_id, **json.loads(text))


def _event(row: Row) -> UserCardEvent:
    sequence, time, kind, card_id, before, after, pin_changed, pin_before, *rest = row
    status_before, status_after, undid, subject, client = rest
    return UserCardEvent(
        EventKind(kind),
        card_id,
        _image(before, card_id),
        _image(after, card_id),
        time,
        subject,
        client,
        status_before,
        status_after,
        bool(pin_changed),
        None if pin_before is None else bytes(pin_before),
        undid,
        sequence,
    )
