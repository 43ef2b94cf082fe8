"""Access control systems."""

from sqlalchemy import Connection, bindparam, insert, select

from swipegate.domain.user_card import AcSystem
from swipegate.store.schema import ac_system
from swipegate.store.statement import Statement

_BY_ID = Statement(select(ac_system).where(ac_system.c.ac_system_id == bindparam("ac_system_id")))
_BY_NAME = select(ac_system).where(ac_system.c.name == bindparam("name"))
_ALL = select(ac_system).order_by(ac_system.c.name)
_INSERT = insert(ac_system)


def by_id(connection: Connection, ac_system_id: str) -> AcSystem | None:
    """The system."""
    row = _BY_ID.first(connection, {"ac_system_id": ac_system_id})
    return None if row is None else AcSystem(*row)


def by_name(connection: Connection, name: str) -> AcSystem | None:
    """The system of that name."""
    row = connection.execute(_BY_NAME, {"name": name}).mappings().first()
    return None if row is None else AcSystem(**row)


def every(connection: Connection) -> list[AcSystem]:
    """Every system by name."""
    return [AcSystem(**row) for row in connection.execute(_ALL).mappings()]


def add(connection: Connection, new: AcSystem) -> None:
    """Store a new system."""
    connection.execute(_INSERT, {"ac_system_id": new.ac_system_id, "name": new.name})
