"""Cards and card types."""

from contextlib import closing

from sqlalchemy import Connection, and_, bindparam, func, insert, select

from swipegate.domain.user_card import Card, CardStatus, CardType
from swipegate.store.schema import NO_FACILITY_CODE, card, card_facility_code, card_type, user_card
from swipegate.store.statement import Row, Statement

_OF_NUMBER_RANGE = and_(
    card.c.ac_system_id == bindparam("ac_system_id"),
    card.c.card_type == bindparam("card_type"),
    card_facility_code == func.coalesce(bindparam("facility_code"), NO_FACILITY_CODE),
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
    user_card.c.user_id,
    user_card.c.user_card_id,
).select_from(
    card.outerjoin(user_card, and_(user_card.c.card_id == card.c.card_id, user_card.c.end_time.is_(None)))
)
_BY_ID = Statement(_WITH_HOLDER.where(card.c.card_id == bindparam("card_id")))
_BY_NUMBER = Statement(
    _WITH_HOLDER.where(card.c.internal_card_number == bindparam("internal_card_number"), _OF_NUMBER_RANGE)
)
_INSERT = Statement(insert(card))
_HIGHEST_NUMBER = Statement(select(func.max(card.c.internal_card_number)).where(_OF_NUMBER_RANGE))
_NUMBERS = Statement(
    select(card.c.internal_card_number).where(_OF_NUMBER_RANGE).order_by(card.c.internal_card_number)
)
_TYPE = Statement(select(card_type).where(card_type.c.card_type == bindparam("card_type")))
_TYPES = select(card_type).order_by(card_type.c.card_type)


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


def add(connection: Connection, new: Card) -> None:
    """Store a new card."""
    _INSERT.run(
        connection,
        {
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
        },
    )


def next_free_number(
    connection: Connection, ac_system_id: str, kind: CardType, facility_code: int | None
) -> int | None:
    """The number after the highest in use, else the lowest gap; None when every number is in use."""
    key = {"ac_system_id": ac_system_id, "card_type": kind.card_type, "facility_code": facility_code}
    (highest,) = _HIGHEST_NUMBER.first(connection, key) or (None,)
    if (highest or 0) < kind.max_internal_card_number:
        return (highest or 0) + 1
    expected = 1
    with closing(_NUMBERS.rows(connection, key)) as numbers:
        for (number,) in numbers:
            if number > expected:
                return expected
            expected = number + 1
    return None


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


def type_by_number(connection: Connection, card_type_number: int) -> CardType | None:
    """The card type of that number."""
    row = _TYPE.first(connection, {"card_type": card_type_number})
    if row is None:
        return None
    number, name, largest_number, largest_facility, largest_issue, has_serial_number = row
    return CardType(number, name, largest_number, largest_facility, largest_issue, bool(has_serial_number))


def types(connection: Connection) -> list[CardType]:
    """Every card type by number."""
    return [CardType(**row) for row in connection.execute(_TYPES).mappings()]


def _card(row: Row | None) -> Card | None:
    return None if row is None else _present(row)


def _present(row: Row) -> Card:
    _row_id, card_id, system, kind, number, external, facility, issue, serial, status, created, *holder = row
    user_id, user_card_id = holder
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
        user_id,
        user_card_id,
    )
