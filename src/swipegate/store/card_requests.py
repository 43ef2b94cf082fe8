"""Card requests and their events. Every change goes through `change`, which appends the event."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, insert, select, update

from swipegate.domain.card_request import AT_WORK, FOLLOWS, TERMINAL, CardRequest, Failure, State
from swipegate.store.schema import card_request, card_request_event, device, host

_C = card_request.c
_COLUMNS = [column for column in card_request.columns if column.name != "sealed_track_data"]
_HAS_DATA = _C.sealed_track_data.is_not(None).label("has_track_data")
_SELECT = select(*_COLUMNS, _HAS_DATA)
_BY_ID = _SELECT.where(_C.card_request_id == bindparam("card_request_id"))
_WAITING = select(func.count()).where(
    _C.device_id == bindparam("device_id"), _C.state == State.QUEUED, _C.active.is_(False)
)
_IS_BUSY = select(_C.row_id).where(
    _C.device_id == bindparam("device_id"), _C.state.not_in([state.value for state in TERMINAL])
)
_NEXT = (
    _SELECT.where(_C.device_id == bindparam("device_id"), _C.state == State.QUEUED, _C.active.is_(False))
    .order_by(_C.row_id)
    .limit(1)
)
_ACTIVE = select(_C.row_id).where(_C.device_id == bindparam("device_id"), _C.active.is_(True))
_EVENTS = (
    select(card_request_event)
    .where(
        card_request_event.c.card_request_id == bindparam("card_request_id"),
        card_request_event.c.sequence > bindparam("after"),
    )
    .order_by(card_request_event.c.sequence)
    .limit(bindparam("size"))
)


def by_id(connection: Connection, card_request_id: str) -> CardRequest | None:
    """The card request."""
    return _first(connection, _BY_ID, {"card_request_id": card_request_id})


def by_ids(connection: Connection, card_request_ids: Collection[str]) -> dict[str, CardRequest]:
    """The card requests by their ids; at most a page of them."""
    rows = connection.execute(_SELECT.where(_C.card_request_id.in_(card_request_ids))).mappings()
    return {row["card_request_id"]: _request(row) for row in rows}


def count_waiting(connection: Connection, device_id: int) -> int:
    """How many requests wait for the device."""
    return int(connection.scalar(_WAITING, {"device_id": device_id}) or 0)


def is_busy(connection: Connection, device_id: int) -> bool:
    """Whether a live request, waiting or at work, is there for the device."""
    return connection.execute(_IS_BUSY, {"device_id": device_id}).first() is not None


def add(connection: Connection, new: CardRequest, subject: str) -> CardRequest:
    """Store a new request with its first event; the answer has the event's sequence."""
    sequence = _append_event(connection, new, new.create_time)
    connection.execute(
        insert(card_request),
        {
            "card_request_id": new.card_request_id,
            "device_id": new.device_id,
            "subject": subject,
            "message": new.message,
            "state": new.state.value,
            "attempt": new.attempt,
            "active": False,
            "device_code": "",
            "card_format": "",
            "sequence": sequence,
            "create_time": new.create_time,
            "update_time": new.update_time,
            "expire_time": new.expire_time,
        },
    )
    return replace(new, sequence=sequence)


def claim_next(connection: Connection, device_id: int, epoch: int) -> CardRequest | None:
    """Take the oldest waiting request up for a host; None when there is none or the device is taken."""
    if connection.execute(_ACTIVE, {"device_id": device_id}).first() is not None:
        return None
    waiting = _first(connection, _NEXT, {"device_id": device_id})
    if waiting is None:
        return None
    claimed = (
        update(card_request)
        .where(_C.card_request_id == waiting.card_request_id)
        .values(active=True, epoch=epoch)
    )
    connection.execute(claimed)
    return replace(waiting, epoch=epoch)


def release(connection: Connection, request: CardRequest) -> None:
    """Undo the claim of a request that is still queued; no caller can see the difference."""
    given_back = update(card_request).where(_C.card_request_id == request.card_request_id)
    connection.execute(given_back.values(active=False, epoch=None))


def change(
    connection: Connection,
    request: CardRequest,
    state: State,
    now: int,
    *,
    failure: Failure | None = None,
    card_format: str = "",
    sealed_track_data: bytes | None = None,
    wipe_time: int | None = None,
) -> CardRequest:
    """Move a request, as just read in this transaction, to a state that may follow, and append the event.

    QUEUED means the next attempt. Raises WRONG_STATE when the state may not follow.
    """
    if state not in FOLLOWS[request.state]:
        raise request.wrong_state()
    retried = state is State.QUEUED
    changed = replace(
        request,
        state=state,
        attempt=request.attempt + retried,
        failure=failure,
        card_format=card_format,
        has_track_data=sealed_track_data is not None,
        update_time=now,
        epoch=None if retried else request.epoch,
    )
    changed = replace(changed, sequence=_append_event(connection, changed, now))
    connection.execute(
        update(card_request)
        .where(_C.card_request_id == request.card_request_id)
        .values(
            state=state.value,
            attempt=changed.attempt,
            active=changed.epoch is not None and changed.live,
            epoch=changed.epoch,
            failure_reason=failure.reason if failure else None,
            device_code=failure.device_code if failure else "",
            card_format=card_format,
            sequence=changed.sequence,
            update_time=now,
            sealed_track_data=sealed_track_data,
            wipe_time=wipe_time,
        )
    )
    return changed


def claim_again(connection: Connection, orphan: CardRequest, epoch: int) -> CardRequest:
    """The request, which is now the new host's."""
    mine = update(card_request).where(_C.card_request_id == orphan.card_request_id).values(epoch=epoch)
    connection.execute(mine)
    return replace(orphan, epoch=epoch)


def events(connection: Connection, request: CardRequest, after: int, size: int) -> list[CardRequest]:
    """At most `size` snapshots of the request after each event past `after`, in order."""
    key = {"card_request_id": request.card_request_id, "after": after, "size": size}
    rows = connection.execute(_EVENTS, key).mappings()
    return [at(request, row) for row in rows]


def at(request: CardRequest, row: Mapping[Any, Any]) -> CardRequest:
    """The request as it was after the event in a row of card_request_event."""
    return replace(
        request,
        state=State(row["state"]),
        attempt=row["attempt"],
        failure=_failure(row),
        card_format=row["card_format"],
        has_track_data=row["has_track_data"],
        sequence=row["sequence"],
        update_time=row["time"],
    )


def page(
    connection: Connection, *, device_id: int, states: Collection[State], before: int | None, size: int
) -> list[tuple[int, CardRequest]]:
    """At most `size` requests with their row ids, the newest first, before the row `before`."""
    query = _SELECT.order_by(_C.row_id.desc()).limit(size)
    if before is not None:
        query = query.where(_C.row_id < before)
    if device_id:
        query = query.where(_C.device_id == device_id)
    if states:
        query = query.where(_C.state.in_([state.value for state in states]))
    return [(row["row_id"], _request(row)) for row in connection.execute(query).mappings()]


def orphans(connection: Connection, device_id: int, epoch: int) -> list[CardRequest]:
    """Requests of the device that an earlier host took up and was at work on."""
    at_work = [state.value for state in (*AT_WORK, State.QUEUED)]
    query = _SELECT.where(
        _C.device_id == device_id, _C.active.is_(True), _C.epoch <= epoch, _C.state.in_(at_work)
    )
    return [_request(row) for row in connection.execute(query).mappings()]


def overdue(connection: Connection, now: int, size: int) -> list[CardRequest]:
    """Requests past their time that no device is at work on."""
    query = (
        _SELECT.where(
            _C.expire_time <= now,
            (_C.state == State.NEEDS_ACTION) | ((_C.state == State.QUEUED) & _C.active.is_(False)),
        )
        .order_by(_C.row_id)
        .limit(size)
    )
    return [_request(row) for row in connection.execute(query).mappings()]


def abandoned(connection: Connection, now: int, size: int) -> list[CardRequest]:
    """Requests past their time that a host took up which is no longer there."""
    at_work = [state.value for state in (*AT_WORK, State.QUEUED)]
    served = (
        select(device.c.device_id)
        .join(host, host.c.pc_name == device.c.pc_name)
        .where(device.c.device_id == _C.device_id, host.c.attached.is_(True), host.c.epoch == _C.epoch)
    )
    query = (
        _SELECT.where(_C.expire_time <= now, _C.active.is_(True), _C.state.in_(at_work), ~served.exists())
        .order_by(_C.row_id)
        .limit(size)
    )
    return [_request(row) for row in connection.execute(query).mappings()]


def track_data(connection: Connection, card_request_id: str) -> tuple[bytes, int] | None:
    """The sealed track data and when it is wiped."""
    row = connection.execute(
        select(_C.sealed_track_data, _C.wipe_time).where(
            _C.card_request_id == card_request_id, _C.sealed_track_data.is_not(None)
        )
    ).first()
    return None if row is None else (row[0], row[1])


def wipe_at(connection: Connection, card_request_id: str, time: int) -> None:
    """Have the track data wiped at that time."""
    connection.execute(
        update(card_request).where(_C.card_request_id == card_request_id).values(wipe_time=time)
    )


def wipe(connection: Connection, now: int) -> int:
    """Wipe track data past its time; the answer is how many."""
    due = update(card_request).where(_C.wipe_time <= now).values(sealed_track_data=None, wipe_time=None)
    return connection.execute(due).rowcount


def _append_event(connection: Connection, request: CardRequest, now: int) -> int:
    result = connection.execute(
        insert(card_request_event),
        {
            "card_request_id": request.card_request_id,
            "time": now,
            "state": request.state.value,
            "attempt": request.attempt,
            "failure_reason": request.failure.reason if request.failure else None,
            "device_code": request.failure.device_code if request.failure else "",
            "card_format": request.card_format,
            "has_track_data": request.has_track_data,
        },
    )
    key = result.inserted_primary_key
    assert key is not None
    return int(key[0])


def _first(connection: Connection, query: Select[Any], key: Mapping[str, Any]) -> CardRequest | None:
    row = connection.execute(query, key).mappings().first()
    return None if row is None else _request(row)


def _failure(row: Mapping[Any, Any]) -> Failure | None:
    reason = row["failure_reason"]
    return None if reason is None else Failure(reason, row["device_code"])


def _request(row: Mapping[Any, Any]) -> CardRequest:
    return CardRequest(
        card_request_id=row["card_request_id"],
        device_id=row["device_id"],
        state=State(row["state"]),
        attempt=row["attempt"],
        sequence=row["sequence"],
        create_time=row["create_time"],
        update_time=row["update_time"],
        expire_time=row["expire_time"],
        failure=_failure(row),
        card_format=row["card_format"],
        has_track_data=row["has_track_data"],
        message=row["message"],
        epoch=row["epoch"],
    )
