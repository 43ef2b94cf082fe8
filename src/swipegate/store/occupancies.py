"""Occupancies."""

from sqlalchemy import Connection, bindparam, delete, insert, select, update

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
_CHANGE = Statement(
    update(occupancy)
    .where(occupancy.c.occupancy_id == bindparam("key"))
    .values(name=bindparam("new_name"), ac_system_id=bindparam("system"))
)
_REMOVE = Statement(delete(occupancy).where(occupancy.c.occupancy_id == bindparam("key")))


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


def change(connection: Connection, changed: Occupancy) -> None:
    """Store a new name and system."""
    _CHANGE.run(
        connection,
        {"key": changed.occupancy_id, "new_name": changed.name, "system": changed.ac_system_id},
    )


def remove(connection: Connection, occupancy_id: str) -> None:
    """Delete an occupancy. The database refuses it while a user belongs to it."""
    _REMOVE.run(connection, {"key": occupancy_id})


def page(
    connection: Connection, *, ac_system_id: str | None, after: int, size: int
) -> list[tuple[int, Occupancy]]:
    """At most `size` occupancies with their row ids, in the order of creation, after the row `after`."""
    row_id = occupancy.c.row_id
    query = _SELECT.add_columns(row_id).where(row_id > after).order_by(row_id).limit(size)
    if ac_system_id is not None:
        query = query.where(occupancy.c.ac_system_id == ac_system_id)
    return [(row, Occupancy(*rest)) for *rest, row in connection.execute(query)]
