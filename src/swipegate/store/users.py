"""Users."""

from sqlalchemy import Connection, bindparam, insert, select

from swipegate.domain.user import User
from swipegate.store.schema import occupancy, user
from swipegate.store.statement import Statement

_COLUMNS = (user.c.user_id, user.c.name, user.c.occupancy_id, occupancy.c.ac_system_id)
_SELECT = (
    select(*_COLUMNS)
    .select_from(user.outerjoin(occupancy, occupancy.c.occupancy_id == user.c.occupancy_id))
    .where(user.c.delete_time.is_(None))
)
_BY_ID = Statement(_SELECT.where(user.c.user_id == bindparam("user_id")))
_ADD = Statement(insert(user))


def by_id(connection: Connection, user_id: str) -> User | None:
    """The user, unless deleted."""
    row = _BY_ID.first(connection, {"user_id": user_id})
    return None if row is None else User(*row)


def add(connection: Connection, new: User) -> None:
    """Store a new user."""
    _ADD.run(connection, {"user_id": new.user_id, "name": new.name, "occupancy_id": new.occupancy_id})
