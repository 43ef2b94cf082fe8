"""Users."""

from sqlalchemy import Connection, bindparam, insert, select

from swipegate.domain.user_card import User
from swipegate.store.schema import user
from swipegate.store.statement import Statement

_BY_ID = Statement(select(user).where(user.c.user_id == bindparam("user_id")))
_INSERT = insert(user)


def by_id(connection: Connection, user_id: str) -> User | None:
    """The user."""
    row = _BY_ID.first(connection, {"user_id": user_id})
    return None if row is None else User(*row)


def add(connection: Connection, new: User) -> None:
    """Store a new user."""
    connection.execute(
        _INSERT,
        {"user_id": new.user_id, "name": new.name, "occupancy_ac_system_id": new.occupancy_ac_system_id},
    )
