"""Users."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from swipegate.domain.user import User
from swipegate.store.schema import occupancy, user
from swipegate.store.statement import LookUp, Statement

_COLUMNS = (user.c.user_id, user.c.name, user.c.occupancy_id, occupancy.c.ac_system_id)
_SELECT = (
    select(*_COLUMNS)
    .select_from(user.outerjoin(occupancy, occupancy.c.occupancy_id == user.c.occupancy_id))
    .where(user.c.delete_time.is_(None))
)
_BY_ID = Statement(_SELECT.where(user.c.user_id == bindparam("user_id")))
_IS_GIVEN = Statement(select(user.c.row_id).where(user.c.user_id == bindparam("user_id")))
_OF_OCCUPANCY = Statement(
    select(user.c.row_id).where(user.c.occupancy_id == bindparam("occupancy_id")).limit(1)
)
_EXISTING = LookUp(select(user.c.user_id).where(user.c.delete_time.is_(None)), user.c.user_id)
_EVER = LookUp(select(user.c.user_id, user.c.name, user.c.occupancy_id, user.c.delete_time), user.c.user_id)
_ADD = Statement(insert(user))
_CHANGE = Statement(
    update(user)
    .where(user.c.user_id == bindparam("key"))
    .values(name=bindparam("new_name"), occupancy_id=bindparam("occupancy"))
)
_ERASE = Statement(
    update(user)
    .where(user.c.user_id == bindparam("key"))
    .values(name="", occupancy_id=None, delete_time=bindparam("now"))
)


def by_id(connection: Connection, user_id: str) -> User | None:
    """The user, unless deleted."""
    row = _BY_ID.first(connection, {"user_id": user_id})
    return None if row is None else User(*row)


def existing(connection: Connection, user_ids: Sequence[str]) -> set[str]:
    """Those of the ids that are users', unless deleted."""
    return {user_id for (user_id,) in _EXISTING.rows(connection, user_ids)}


def names(connection: Connection, user_ids: Sequence[str]) -> dict[str, tuple[str, str | None] | None]:
    """Name and occupancy of those of the ids that are users'; None for a deleted one, whose id stays taken."""
    return {
        user_id: (name, occupancy_id) if deleted is None else None
        for user_id, name, occupancy_id, deleted in _EVER.rows(connection, user_ids)
    }


def add(connection: Connection, new: User) -> None:
    """Store a new user."""
    _ADD.run(connection, _values(new))


def add_all(connection: Connection, new: Iterable[User]) -> None:
    """Store many new users."""
    _ADD.run_all(connection, [_values(one) for one in new])


def _values(new: User) -> Mapping[str, Any]:
    return {"user_id": new.user_id, "name": new.name, "occupancy_id": new.occupancy_id}


def is_given(connection: Connection, user_id: str) -> bool:
    """Whether somebody has the id, or had it before being deleted."""
    return _IS_GIVEN.first(connection, {"user_id": user_id}) is not None


def are_in(connection: Connection, occupancy_id: str) -> bool:
    """Whether a user belongs to the occupancy."""
    return _OF_OCCUPANCY.first(connection, {"occupancy_id": occupancy_id}) is not None


def change(connection: Connection, changed: User) -> None:
    """Store a new name and occupancy."""
    _CHANGE.run(
        connection,
        {"key": changed.user_id, "new_name": changed.name, "occupancy": changed.occupancy_id},
    )


def erase(connection: Connection, user_id: str, now: int) -> None:
    """Delete a user: the id stays, for the history of cards and lest it is given out again; nothing else does."""
    _ERASE.run(connection, {"key": user_id, "now": now})


def page(
    connection: Connection, *, occupancy_id: str | None, after: int, size: int
) -> list[tuple[int, User]]:
    """At most `size` users with their row ids, in the order of creation, after the row `after`."""
    query = (
        _SELECT.add_columns(user.c.row_id).where(user.c.row_id > after).order_by(user.c.row_id).limit(size)
    )
    if occupancy_id is not None:
        query = query.where(user.c.occupancy_id == occupancy_id)
    return [(row_id, User(*rest)) for *rest, row_id in connection.execute(query)]
