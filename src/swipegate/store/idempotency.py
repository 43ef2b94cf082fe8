"""Answers kept for repeats of the same call."""

from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select

from swipegate.store.schema import idempotency
from swipegate.store.statement import Statement

KEPT = 24 * 3600 * 1_000_000
"""Microseconds for which an answer is remembered."""
FORGET_BATCH = 2000
"""Answers dropped in one transaction: other writers wait for it."""


class Key(NamedTuple):
    """What makes a call the same call."""

    subject: str
    method: str
    request_id: str


_FIND = Statement(
    select(idempotency.c.body_mac, idempotency.c.answer).where(
        idempotency.c.subject == bindparam("subject"),
        idempotency.c.method == bindparam("method"),
        idempotency.c.request_id == bindparam("request_id"),
    )
)
_INSERT = Statement(insert(idempotency))
_TIME = idempotency.c.create_time
_LAST_OF_BATCH = Statement(
    select(_TIME).where(bindparam("before") > _TIME).order_by(_TIME).limit(1).offset(FORGET_BATCH - 1)
)
_FORGET = Statement(delete(idempotency).where(bindparam("until") >= _TIME))


def find(connection: Connection, key: Key) -> tuple[bytes, bytes] | None:
    """MAC of the body and stored answer of the first call."""
    row = _FIND.first(connection, _values(key))
    return None if row is None else (row[0], row[1])


def keep(connection: Connection, key: Key, body_mac: bytes, answer: bytes, now: int) -> None:
    """Remember the answer."""
    _INSERT.run(connection, {**_values(key), "body_mac": body_mac, "answer": answer, "create_time": now})


def forget(connection: Connection, now: int) -> bool:
    """Drop some answers past their time, the oldest first; whether there are more."""
    limit = now - KEPT
    row = _LAST_OF_BATCH.first(connection, {"before": limit})
    _FORGET.run(connection, {"until": limit - 1 if row is None else row[0]})
    return row is not None


def _values(key: Key) -> dict[str, str]:
    return {"subject": key.subject, "method": key.method, "request_id": key.request_id}
