"""Cards."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, insert, select, update

from swipegate.domain.card import Card, CardStatus, CardType
from swipegate.store import user_cards
from swipegate.store.schema import (
    NO_FACILITY_CODE,
    ac_system,
    card,
    card_facility_code,
    number_range,
    user_card,
    user_card_event,
)
from swipegate.store.statement import LookUp, Row, Statement

_OF_NUMBER_RANGE = and_(
    card.c.ac_system_id == bindparam("ac_system_id"),
    card.c.card_type == bindparam("card_type"),
    card_facility_code == func.coalesce(bindparam("facility_code"), NO_FACILITY_CODE),
)
_CHANGE_TIME = (
    select(user_card_event.c.time)
    .where(user_card_event.c.card_id == card.c.card_id)
    .order_by(user_card_event.c.sequence.desc())
    .limit(1)
    .scalar_subquery()
)
_WITH_HOLDER = select(
    card.c.row_id,
    card.c.card_id,
    card.c.ac_system_id,
    card.c.card_type,
    card.c.internal_card_number,
    card.c.external_card_number,
    card.c.facility_code,
    card.c.issue_code,
    card.c.card_serial_number,
    card.c.status,
    card.c.create_time,
    ac_system.c.webhook_url.is_not(None).label("delivered"),
    _CHANGE_TIME.label("change_time"),
    *user_cards.COLUMNS,
).select_from(
    card.join(ac_system, ac_system.c.ac_system_id == card.c.ac_system_id).outerjoin(
        user_card, and_(user_card.c.card_id == card.c.card_id, user_card.c.end_time.is_(None))
    )
)
_BY_ID = Statement(_WITH_HOLDER.where(card.c.card_id == bindparam("card_id")))
_BY_NUMBER = Statement(
    _WITH_HOLDER.where(card.c.internal_card_number == bindparam("internal_card_number"), _OF_NUMBER_RANGE)
)
_BY_NUMBERS = LookUp(_WITH_HOLDER.where(_OF_NUMBER_RANGE), card.c.internal_card_number)
_INSERT = Statement(insert(card))
_MARK = Statement(update(card).where(card.c.card_id == bindparam("key")).values(status=bindparam("status")))
_HIGHEST_NUMBER = Statement(select(func.max(card.c.internal_card_number)).where(_OF_NUMBER_RANGE))
_NUMBERS = Statement(
    select(card.c.internal_card_number)
    .where(_OF_NUMBER_RANGE, card.c.internal_card_number >= bindparam("first"))
    .order_by(card.c.internal_card_number)
)
_IS_RANGE = and_(
    number_range.c.ac_system_id == bindparam("ac_system_id"),
    number_range.c.card_type == bindparam("card_type"),
    number_range.c.facility_code == func.coalesce(bindparam("facility_code"), NO_FACILITY_CODE),
)
_RANGE = Statement(select(number_range.c.next_number).where(_IS_RANGE))
_ADD_RANGE = Statement(insert(number_range))
_SET_RANGE = Statement(update(number_range).where(_IS_RANGE).values(next_number=bindparam("next_number")))


def by_id(connection: Connection, card_id: str) -> Card | None:
    """The card with its holder."""
    return _card(_BY_ID.first(connection, {"card_id": card_id}))


def by_number(
    connection: Connection, ac_system_id: str, type_number: int, facility_code: int | None, number: int
) -> Card | None:
    """The card of that system, type, facility code and internal number, with its holder."""
    key = {
        "ac_system_id": ac_system_id,
        "card_type": type_number,
        "facility_code": facility_code,
        "internal_card_number": number,
    }
    return _card(_BY_NUMBER.first(connection, key))


def by_numbers(
    connection: Connection,
    ac_system_id: str,
    type_number: int,
    facility_code: int | None,
    numbers: Sequence[int],
) -> list[Card]:
    """The cards of that system, type and facility code that have one of the internal numbers, with their holders."""
    of_range = {"ac_system_id": ac_system_id, "card_type": type_number, "facility_code": facility_code}
    return [_present(row) for row in _BY_NUMBERS.rows(connection, numbers, of_range)]


def add(connection: Connection, new: Card) -> None:
    """Store a new card."""
    _INSERT.run(connection, _values(new))


def add_all(connection: Connection, new: Iterable[Card]) -> None:
    """Store many new cards."""
    _INSERT.run_all(connection, [_values(one) for one in new])


def next_free_number(
    connection: Connection, ac_system_id: str, kind: CardType, facility_code: int | None
) -> int | None:
    """The number after the highest in use, else one of a gap; None when every number is in use."""
    key = {"ac_system_id": ac_system_id, "card_type": kind.card_type, "facility_code": facility_code}
    (highest,) = _HIGHEST_NUMBER.first(connection, key) or (None,)
    if (highest or 0) < kind.max_internal_card_number:
        return (highest or 0) + 1
    return _gap(connection, key, kind.max_internal_card_number)


def _gap(connection: Connection, key: Mapping[str, Any], largest: int) -> int | None:
    """A number that is not in use though the largest is. The search goes on where the last one ended, once round."""
    row = _RANGE.first(connection, key)
    begin = row[0] if row else 1
    found = _free_between(connection, key, begin, largest) or _free_between(connection, key, 1, begin - 1)
    if found is not None:
        remember = _SET_RANGE if row else _ADD_RANGE
        facility = -1 if key["facility_code"] is None else key["facility_code"]
        remember.run(connection, {**key, "facility_code": facility, "next_number": found + 1})
    return found


def _free_between(connection: Connection, key: Mapping[str, Any], first: int, last: int) -> int | None:
    expected = first
    with closing(_NUMBERS.rows(connection, {**key, "first": first})) as numbers:
        for (number,) in numbers:
            if number > expected:
                break
            expected = number + 1
    return expected if expected <= last else None


def mark(connection: Connection, card_id: str, status: CardStatus) -> None:
    """Say what happened to a card."""
    _MARK.run(connection, {"key": card_id, "status": status.value})


def page(
    connection: Connection, *, ac_system_id: str | None, user_id: str | None, after: int, size: int
) -> list[tuple[int, Card]]:
    """At most `size` cards with their row ids, in the order of creation, after the row `after`."""
    query = _WITH_HOLDER.where(card.c.row_id > after).order_by(card.c.row_id).limit(size)
    if ac_system_id is not None:
        query = query.where(card.c.ac_system_id == ac_system_id)
    if user_id is not None:
        query = query.where(user_card.c.user_id == user_id)
    return [(row[0], _present(tuple(row))) for row in connection.execute(query)]


def _values(new: Card) -> Mapping[str, Any]:
    return {
        "card_id": new.card_id,
        "ac_system_id": new.ac_system_id,
        "card_type": new.card_type,
        "internal_card_number": new.internal_card_number,
        "external_card_number": new.external_card_number,
        "facility_code": new.facility_code,
        "issue_code": new.issue_code,
        "card_serial_number": new.card_serial_number,
        "status": new.status.value,
        "create_time": new.create_time,
    }


def _card(row: Row | None) -> Card | None:
    return None if row is None else _present(row)


def _present(row: Row) -> Card:
    _row_id, card_id, system, kind, number, external, facility, issue, serial, status, created, *rest = row
    delivered, changed, *holding = rest
    return Card(
        card_id,
        system,
        kind,
        number,
        external,
        facility,
        issue,
        serial,
        CardStatus(status),
        created,
        user_cards.of_row(holding) if holding[0] is not None else None,
        bool(delivered),
        changed or 0,
    )
