"""What each access control system should know of its cards, and what it knows."""

from sqlalchemy import Connection, bindparam, insert, update

from swipegate.store.schema import outbox
from swipegate.store.statement import Statement

_DESIRE = Statement(
    update(outbox)
    .where(outbox.c.card_id == bindparam("key"))
    .values(
        desired_sequence=bindparam("desired"),
        attempts=0,
        next_try_time=bindparam("now"),
    )
    .returning(outbox.c.row_id)
)
_ADD = Statement(insert(outbox))


def desire(connection: Connection, card_id: str, ac_system_id: str, sequence: int, now: int) -> None:
    """The system should know the card as it stands after that event; due at once."""
    if _DESIRE.first(connection, {"key": card_id, "desired": sequence, "now": now}) is not None:
        return
    _ADD.run(
        connection,
        {
            "card_id": card_id,
            "ac_system_id": ac_system_id,
            "desired_sequence": sequence,
            "applied_sequence": 0,
            "attempts": 0,
            "error": "",
            "next_try_time": now,
        },
    )
