"""Assignments of cards to users, and the audit of every change."""

from sqlalchemy import Connection, bindparam, insert, update

from swipegate.domain.authority import Principal
from swipegate.domain.user_card import ReplaceCard
from swipegate.store.schema import audit, user_card
from swipegate.store.statement import Statement

_ASSIGN = Statement(insert(user_card))
_END = Statement(
    update(user_card)
    .where(user_card.c.user_card_id == bindparam("key"), user_card.c.end_time.is_(None))
    .values(end_time=bindparam("now"))
)
_AUDIT = Statement(insert(audit))


def end(connection: Connection, user_card_id: str, now: int) -> None:
    """End an open assignment."""
    _END.run(connection, {"key": user_card_id, "now": now})


def assign(
    connection: Connection,
    user_card_id: str,
    card_id: str,
    command: ReplaceCard,
    sealed_pin: bytes | None,
    now: int,
) -> None:
    """Open an assignment. The database refuses it while another one of the card is open."""
    _ASSIGN.run(
        connection,
        {
            "user_card_id": user_card_id,
            "card_id": card_id,
            "user_id": command.user_id,
            "start_time": now,
            "end_time": None,
            "activation_time": command.card_activation_start_date_time,
            "deactivation_time": command.card_deactivation_start_date_time,
            "card_user_flags": command.card_user_flags or 0,
            "sealed_pin": sealed_pin,
        },
    )


def amend(connection: Connection, user_card_id: str, command: ReplaceCard, sealed_pin: bytes | None) -> None:
    """Write what the command gives over the same fields of an open assignment."""
    given = {
        "activation_time": command.card_activation_start_date_time,
        "deactivation_time": command.card_deactivation_start_date_time,
        "card_user_flags": command.card_user_flags,
        "sealed_pin": sealed_pin,
    }
    changes = {column: value for column, value in given.items() if value is not None}
    if changes:
        connection.execute(update(user_card).where(user_card.c.user_card_id == user_card_id).values(changes))


def record(
    connection: Connection,
    principal: Principal,
    *,
    card_id: str,
    user_card_id: str,
    previous: tuple[str | None, str | None],
    current_user_id: str,
    now: int,
) -> None:
    """Append to the audit: who changed the card from which (user_card_id, user_id) to which."""
    _AUDIT.run(
        connection,
        {
            "time": now,
            "subject": principal.subject,
            "client": principal.client,
            "card_id": card_id,
            "user_card_id": user_card_id,
            "previous_user_card_id": previous[0],
            "previous_user_id": previous[1],
            "current_user_id": current_user_id,
        },
    )
