"""Occupancies."""

from sqlalchemy import Connection, bindparam, insert, select

from swipegate.domain.occupancy import Occupancy
from swipegate.store.schema import occupancy
from swipegate.store.statement import Statement

_SELECT = select(occupancy.c.occupancy_id, occupancy.c.name, occupancy.c.ac_system_id)
_BY_ID = Statement(_SELECT.where(occupancy.c.occupancy_id == bindparam("occupancy_id")))
_BY_NAME = Statement(
    _SELECT.where(
        occupancy.c.ac_system_id == bindparam("ac_system_id"), occupancy.c.name == bindparam("name")
    )
)
_ADD = Statement(insert(occupancy))


def by_id(connection: Connection, occupancy_id: str) -> Occupancy | None:
    """The occupancy."""
    row = _BY_ID.first(connection, {"occupancy_id": occupancy_id})
    return None if row is None else Occupancy(*row)


def by_name(connection: Connection, ac_system_id: str, name: str) -> Occupancy | None:
    """The occupancy of that name in the system."""
    row = _BY_NAME.first(connection, {"ac_system_id": ac_system_id, "name": name})
    return None if row is None else Occupancy(*row)


def add(connection: Connection, new: Occupancy) -> None:
    """Store a new occupancy."""
    _ADD.run(
        connection, {"occupancy_id": new.occupancy_id, "name": new.name, "ac_system_id": new.ac_system_id}
    )
