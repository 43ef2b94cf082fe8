"""What each access control system should know of its cards, and what it knows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from swipegate.domain.outbox import OutboxEntry
from swipegate.store.schema import ac_system, card, outbox, user_card_event
from swipegate.store.statement import LookUp, Statement

_O = outbox.c
_UPDATE = (
    update(outbox)
    .where(_O.card_id == bindparam("key"))
    .values(desired_sequence=bindparam("desired"), attempts=0, next_try_time=bindparam("now"))
)
_DESIRE = Statement(_UPDATE.returning(outbox.c.row_id))
_DESIRE_ALL = Statement(_UPDATE)
_KNOWN = LookUp(select(outbox.c.card_id), outbox.c.card_id)
_ADD = Statement(insert(outbox))
_LAST_EVENT = (
    select(func.coalesce(func.max(user_card_event.c.sequence), 0))
    .where(user_card_event.c.card_id == card.c.card_id)
    .correlate(card)
    .scalar_subquery()
)
_IS_DUE = and_(
    _O.next_try_time <= bindparam("now"),
    or_(_O.lease_time.is_(None), _O.lease_time <= bindparam("now")),
)
_DUE_SYSTEMS = Statement(
    select(ac_system.c.ac_system_id).where(
        ac_system.c.webhook_url.is_not(None),
        exists().where(_O.ac_system_id == ac_system.c.ac_system_id, _IS_DUE).correlate(ac_system),
    )
)
_DUE = Statement(
    select(_O.row_id, _O.card_id, _O.desired_sequence, _O.attempts)
    .where(_O.ac_system_id == bindparam("ac_system_id"), _IS_DUE)
    .order_by(_O.next_try_time, _O.row_id)
    .limit(bindparam("size"))
)
_LEASE = Statement(update(outbox).where(_O.row_id == bindparam("key")).values(lease_time=bindparam("lease")))
_IS_MINE = and_(_O.row_id == bindparam("key"), _O.lease_time == bindparam("lease"))
_APPLIED = Statement(
    update(outbox)
    .where(_IS_MINE)
    .values(
        applied_sequence=bindparam("sent"),
        attempts=0,
        error="",
        next_try_time=case((_O.desired_sequence == bindparam("sent"), None), else_=_O.next_try_time),
        lease_time=None,
    )
)
_FAILED = Statement(
    update(outbox)
    .where(_IS_MINE)
    .values(
        attempts=_O.attempts + 1,
        error=bindparam("why"),
        next_try_time=bindparam("next_try"),
        lease_time=None,
    )
)
_RELEASE = Statement(update(outbox).where(_IS_MINE).values(lease_time=None))
_ENTRY = (
    _O.row_id,
    _O.ac_system_id,
    _O.card_id,
    _O.desired_sequence,
    _O.applied_sequence,
    _O.attempts,
    _O.error,
    _O.next_try_time,
)


@dataclass(frozen=True, slots=True)
class Claim:
    """An entry that one server alone delivers until the lease ends."""

    row_id: int
    card_id: str
    sequence: int
    attempts: int
    lease: int


@dataclass(frozen=True, slots=True)
class Desire:
    """The system should know the card as it stands after the event of that number; due at `now`."""

    card_id: str
    ac_system_id: str
    sequence: int
    now: int


def desire(connection: Connection, card_id: str, ac_system_id: str, sequence: int, now: int) -> None:
    """The system should know the card as it stands after that event; due at once, or after the try under way."""
    if _DESIRE.first(connection, {"key": card_id, "desired": sequence, "now": now}) is not None:
        return
    _ADD.run(connection, _values(Desire(card_id, ac_system_id, sequence, now)))


def desire_many(connection: Connection, desires: Sequence[Desire]) -> None:
    """`desire` of many cards, each once."""
    known = {card_id for (card_id,) in _KNOWN.rows(connection, [desire.card_id for desire in desires])}
    _DESIRE_ALL.run_all(
        connection,
        [
            {"key": desire.card_id, "desired": desire.sequence, "now": desire.now}
            for desire in desires
            if desire.card_id in known
        ],
    )
    _ADD.run_all(connection, [_values(desire) for desire in desires if desire.card_id not in known])


def desire_all(connection: Connection, ac_system_id: str, now: int) -> None:
    """The system, which has no entries, should know every card as it stands."""
    names = [
        "card_id",
        "ac_system_id",
        "desired_sequence",
        "applied_sequence",
        "attempts",
        "error",
        "next_try_time",
    ]
    rows = (
        select(
            card.c.card_id,
            card.c.ac_system_id,
            _LAST_EVENT,
            literal(0),
            literal(0),
            literal(""),
            literal(now),
        )
        .where(card.c.ac_system_id == ac_system_id)
        .order_by(card.c.row_id)
    )
    connection.execute(insert(outbox).from_select(names, rows))


def forget(connection: Connection, ac_system_id: str) -> None:
    """Remove every entry of the system."""
    connection.execute(delete(outbox).where(_O.ac_system_id == ac_system_id))


def due_systems(connection: Connection, now: int) -> list[str]:
    """Ids of the systems with something to deliver."""
    return [row[0] for row in _DUE_SYSTEMS.rows(connection, {"now": now})]


def claim(connection: Connection, ac_system_id: str, size: int, now: int, lease: int) -> list[Claim]:
    """At most `size` entries of the system that are due, the longest due first; nobody else's until `lease`."""
    due = list(_DUE.rows(connection, {"ac_system_id": ac_system_id, "now": now, "size": size}))
    for row in due:
        _LEASE.run(connection, {"key": row[0], "lease": lease})
    return [Claim(row_id, card_id, desired, attempts, lease) for row_id, card_id, desired, attempts in due]


def applied(connection: Connection, done: Claim) -> None:
    """The system knows what was claimed. A later change stays due; a claim whose lease was lost changes nothing."""
    _APPLIED.run(connection, {"key": done.row_id, "lease": done.lease, "sent": done.sequence})


def failed(connection: Connection, done: Claim, error: str, next_try: int) -> None:
    """What was claimed could not be delivered; as `applied` for a lost lease."""
    given = {"key": done.row_id, "lease": done.lease, "why": error, "next_try": next_try}
    _FAILED.run(connection, given)


def release(connection: Connection, done: Claim) -> None:
    """The claim was given up: due as before."""
    _RELEASE.run(connection, {"key": done.row_id, "lease": done.lease})


def retry(connection: Connection, ac_system_id: str, now: int) -> int:
    """Make every entry that waits due at once; how many are due."""
    pending = and_(_O.ac_system_id == ac_system_id, _O.next_try_time.is_not(None))
    connection.execute(update(outbox).where(pending, _O.next_try_time > now).values(next_try_time=now))
    return connection.scalar(select(func.count()).where(pending)) or 0


def page(
    connection: Connection, ac_system_id: str, *, pending_only: bool, after: int, size: int
) -> Sequence[tuple[int, OutboxEntry]]:
    """At most `size` entries with their row ids, in the order of their cards, after the row `after`."""
    query = select(*_ENTRY).where(_O.ac_system_id == ac_system_id, _O.row_id > after)
    if pending_only:
        query = query.where(_O.next_try_time.is_not(None))
    rows = connection.execute(query.order_by(_O.row_id).limit(size))
    return [(row[0], OutboxEntry(*row[1:])) for row in rows]


def _values(desire: Desire) -> Mapping[str, Any]:
    return {
        "card_id": desire.card_id,
        "ac_system_id": desire.ac_system_id,
        "desired_sequence": desire.sequence,
        "applied_sequence": 0,
        "attempts": 0,
        "error": "",
        "next_try_time": desire.now,
    }
