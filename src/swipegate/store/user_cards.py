"""Assignments of cards to users."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, or_, select, update

from swipegate.domain.user_card import UserCard
from swipegate.store.schema import user_card
from swipegate.store.statement import Statement

_C = user_card.c
COLUMNS = (
    _C.user_card_id,
    _C.card_id,
    _C.user_id,
    _C.start_time,
    _C.end_time,
    _C.activation_time,
    _C.deactivation_time,
    _C.card_user_flags,
    _C.sealed_pin.is_not(None).label("has_pin"),
)
"""Of an assignment; the PIN itself is in none of its pictures."""
_BY_ID = Statement(select(*COLUMNS).where(_C.user_card_id == bindparam("user_card_id")))
_ASSIGN = Statement(insert(user_card))
_END = Statement(
    update(user_card)
    .where(_C.card_id == bindparam("key"), _C.end_time.is_(None))  # by the index that was just read
    .values(end_time=bindparam("now"))
)
_AMEND = Statement(
    update(user_card)
    .where(_C.user_card_id == bindparam("key"), _C.end_time.is_(None))
    .values(
        activation_time=bindparam("activation"),
        deactivation_time=bindparam("deactivation"),
        card_user_flags=bindparam("flags"),
        sealed_pin=bindparam("pin"),
    )
)
_PIN = Statement(select(_C.sealed_pin).where(_C.user_card_id == bindparam("user_card_id")))
_HELD_BY = Statement(
    select(_C.row_id).where(_C.user_id == bindparam("user_id"), _C.end_time.is_(None)).limit(1)
)


def of_row(row: Sequence[Any]) -> UserCard:
    """The assignment in a row of COLUMNS."""
    user_card_id, card_id, user_id, start, end, activation, deactivation, flags, has_pin = row
    return UserCard(
        user_card_id, card_id, user_id, start, end, activation, deactivation, flags, bool(has_pin)
    )


def by_id(connection: Connection, user_card_id: str) -> UserCard | None:
    """The assignment."""
    row = _BY_ID.first(connection, {"user_card_id": user_card_id})
    return None if row is None else of_row(row)


def holds_any(connection: Connection, user_id: str) -> bool:
    """Whether the user holds a card."""
    return _HELD_BY.first(connection, {"user_id": user_id}) is not None


def assign(connection: Connection, new: UserCard, sealed_pin: bytes | None) -> None:
    """Open an assignment. The database refuses it while another one of the card is open."""
    _ASSIGN.run(connection, _values(new, sealed_pin))


def assign_all(connection: Connection, new: Iterable[UserCard]) -> None:
    """Open many assignments, which have no PINs."""
    _ASSIGN.run_all(connection, [_values(one, None) for one in new])


def end(connection: Connection, card_id: str, now: int) -> None:
    """End the open assignment of a card."""
    _END.run(connection, {"key": card_id, "now": now})


def amend(connection: Connection, changed: UserCard, sealed_pin: bytes | None) -> None:
    """Store new dates, flags and PIN of an open assignment."""
    given: Mapping[str, Any] = {
        "key": changed.user_card_id,
        "activation": changed.activation_time,
        "deactivation": changed.deactivation_time,
        "flags": changed.card_user_flags,
        "pin": sealed_pin,
    }
    _AMEND.run(connection, given)


def sealed_pin(connection: Connection, user_card_id: str) -> bytes | None:
    """The PIN of an assignment, as sealed for it."""
    row = _PIN.first(connection, {"user_card_id": user_card_id})
    return None if row is None or row[0] is None else bytes(row[0])


def some_sealed_pin(connection: Connection) -> tuple[str, bytes] | None:
    """An assignment with a PIN, and the PIN as sealed for it; looks through the table."""
    row = connection.execute(
        select(_C.user_card_id, _C.sealed_pin).where(_C.sealed_pin.is_not(None)).limit(1)
    ).first()
    return None if row is None else (row[0], bytes(row[1]))


def page(
    connection: Connection,
    *,
    user_id: str | None,
    card_id: str | None,
    as_of: int | None,
    include_ended: bool,
    after: int,
    size: int,
) -> list[tuple[int, UserCard]]:
    """At most `size` assignments with their row ids, in the order in which they were made, after the row `after`."""
    query = select(_C.row_id, *COLUMNS).where(_C.row_id > after).order_by(_C.row_id).limit(size)
    if user_id is not None:
        query = query.where(_C.user_id == user_id)
    if card_id is not None:
        query = query.where(_C.card_id == card_id)
    if as_of is not None:
        query = query.where(_C.start_time <= as_of, or_(_C.end_time.is_(None), _C.end_time > as_of))
    elif not include_ended:
        query = query.where(_C.end_time.is_(None))
    return [(row[0], of_row(row[1:])) for row in connection.execute(query)]


def _values(new: UserCard, sealed_pin: bytes | None) -> Mapping[str, Any]:
    return {
        "user_card_id": new.user_card_id,
        "card_id": new.card_id,
        "user_id": new.user_id,
        "start_time": new.start_time,
        "end_time": None,
        "activation_time": new.activation_time,
        "deactivation_time": new.deactivation_time,
        "card_user_flags": new.card_user_flags,
        "sealed_pin": sealed_pin,
    }
