"""Access control systems."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from swipegate.domain.ac_system import AcSystem, Webhook
from swipegate.store.schema import ac_system, card, number_range, occupancy, outbox
from swipegate.store.statement import Row, Statement

_SELECT = select(
    ac_system.c.ac_system_id,
    ac_system.c.name,
    ac_system.c.gives_card_numbers,
    ac_system.c.webhook_url,
    ac_system.c.sealed_webhook_secret,
)
_BY_ID = Statement(_SELECT.where(ac_system.c.ac_system_id == bindparam("ac_system_id")))
_BY_NAME = Statement(_SELECT.where(ac_system.c.name == bindparam("name")))
_ALL = Statement(_SELECT.order_by(ac_system.c.name))
_ADD = Statement(insert(ac_system))


def by_id(connection: Connection, ac_system_id: str) -> AcSystem | None:
    """The system."""
    return _first(_BY_ID.first(connection, {"ac_system_id": ac_system_id}))


def by_name(connection: Connection, name: str) -> AcSystem | None:
    """The system of that name."""
    return _first(_BY_NAME.first(connection, {"name": name}))


def every(connection: Connection) -> list[AcSystem]:
    """Every system by name."""
    return [_system(row) for row in _ALL.rows(connection, {})]


def add(connection: Connection, new: AcSystem) -> None:
    """Store a new system."""
    _ADD.run(connection, {"ac_system_id": new.ac_system_id, **_values(new)})


def change(connection: Connection, changed: AcSystem) -> None:
    """Store what the system is from now on."""
    key = ac_system.c.ac_system_id == changed.ac_system_id
    connection.execute(update(ac_system).where(key).values(**_values(changed)))


def user_of(connection: Connection, ac_system_id: str) -> str | None:
    """What belongs to the system, in words; None when nothing does."""
    for table, words in ((card, "a card"), (occupancy, "an occupancy")):
        belongs = select(table.c.row_id).where(table.c.ac_system_id == ac_system_id).limit(1)
        if connection.scalar(belongs) is not None:
            return words
    return None


def remove(connection: Connection, ac_system_id: str) -> None:
    """Delete a system that nothing belongs to."""
    for table in (outbox, number_range, ac_system):
        connection.execute(delete(table).where(table.c.ac_system_id == ac_system_id))


def _values(system: AcSystem) -> Mapping[str, Any]:
    return {
        "name": system.name,
        "gives_card_numbers": system.gives_card_numbers,
        "webhook_url": system.webhook.url if system.webhook else None,
        "sealed_webhook_secret": system.webhook.sealed_secret if system.webhook else None,
    }


def _first(row: Row | None) -> AcSystem | None:
    return None if row is None else _system(row)


def _system(row: Row) -> AcSystem:
    ac_system_id, name, gives_card_numbers, url, secret = row
    webhook = None if url is None else Webhook(url, bytes(secret))
    return AcSystem(ac_system_id, name, bool(gives_card_numbers), webhook)
