"""Card types."""

from sqlalchemy import Connection, bindparam, delete, exists, func, insert, select, update

from swipegate.domain.card import CardType
from swipegate.store.schema import ac_system, card, card_type
from swipegate.store.statement import Row, Statement

_SELECT = select(
    card_type.c.card_type,
    card_type.c.name,
    card_type.c.max_internal_card_number,
    card_type.c.max_facility_code,
    card_type.c.max_issue_code,
    card_type.c.has_serial_number,
)
_BY_NUMBER = Statement(_SELECT.where(card_type.c.card_type == bindparam("card_type")))
_BY_NAME = Statement(_SELECT.where(card_type.c.name == bindparam("name")))
_EVERY = Statement(_SELECT.order_by(card_type.c.card_type))
_HIGHEST = Statement(select(func.max(card_type.c.card_type)))
_COUNT = Statement(select(func.count()).select_from(card_type))
# one step into the index of card numbers a system; cards have no index of their types alone
_IS_USED = Statement(
    select(ac_system.c.ac_system_id)
    .where(
        exists().where(
            card.c.ac_system_id == ac_system.c.ac_system_id, card.c.card_type == bindparam("card_type")
        )
    )
    .limit(1)
)
_ADD = Statement(insert(card_type))
_CHANGE = Statement(
    update(card_type)
    .where(card_type.c.card_type == bindparam("key"))
    .values(
        name=bindparam("new_name"),
        max_internal_card_number=bindparam("number"),
        max_facility_code=bindparam("facility"),
        max_issue_code=bindparam("issue"),
        has_serial_number=bindparam("serial"),
    )
)
_REMOVE = Statement(delete(card_type).where(card_type.c.card_type == bindparam("key")))


def by_number(connection: Connection, number: int) -> CardType | None:
    """The card type of that number."""
    return _first(_BY_NUMBER.first(connection, {"card_type": number}))


def by_name(connection: Connection, name: str) -> CardType | None:
    """The card type of that name."""
    return _first(_BY_NAME.first(connection, {"name": name}))


def every(connection: Connection) -> list[CardType]:
    """Every card type by number."""
    return [_card_type(row) for row in _EVERY.rows(connection, {})]


def count(connection: Connection) -> int:
    """How many there are."""
    (found,) = _COUNT.first(connection, {}) or (0,)
    return int(found)


def next_free_number(connection: Connection, largest: int) -> int:
    """The number after the highest, else one of a gap, which there is while they are fewer than `largest`."""
    (highest,) = _HIGHEST.first(connection, {}) or (None,)
    if (highest or 0) < largest:
        return (highest or 0) + 1
    used = {kind.card_type for kind in every(connection)}
    return next(number for number in range(1, largest) if number not in used)


def is_used(connection: Connection, number: int) -> bool:
    """Whether a card is of that type."""
    return _IS_USED.first(connection, {"card_type": number}) is not None


def add(connection: Connection, new: CardType) -> None:
    """Store a new card type."""
    _ADD.run(
        connection,
        {
            "card_type": new.card_type,
            "name": new.name,
            "max_internal_card_number": new.max_internal_card_number,
            "max_facility_code": new.max_facility_code,
            "max_issue_code": new.max_issue_code,
            "has_serial_number": new.has_serial_number,
        },
    )


def change(connection: Connection, changed: CardType) -> None:
    """Store new values of a card type."""
    _CHANGE.run(
        connection,
        {
            "key": changed.card_type,
            "new_name": changed.name,
            "number": changed.max_internal_card_number,
            "facility": changed.max_facility_code,
            "issue": changed.max_issue_code,
            "serial": changed.has_serial_number,
        },
    )


def remove(connection: Connection, number: int) -> None:
    """Delete a card type. The database refuses it while a card is of that type."""
    _REMOVE.run(connection, {"key": number})


def _first(row: Row | None) -> CardType | None:
    return None if row is None else _card_type(row)


def _card_type(row: Row) -> CardType:
    number, name, largest_number, largest_facility, largest_issue, has_serial_number = row
    return CardType(number, name, largest_number, largest_facility, largest_issue, bool(has_serial_number))
