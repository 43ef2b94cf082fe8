"""Devices and the hosts they are attached to."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from swipegate.domain.device import MAX_DEVICE_ID, Device
from swipegate.store.schema import device, host

_BY_ID = select(device).where(device.c.device_id == bindparam("device_id"))
_ALL = select(device).order_by(device.c.device_id)
_OF_PC = _ALL.where(device.c.pc_name == bindparam("pc_name"))
_EPOCH = select(host.c.epoch).where(host.c.pc_name == bindparam("pc_name"))
_ATTACHED = select(host.c.pc_name).where(host.c.attached.is_(True))


def by_id(connection: Connection, device_id: int) -> Device | None:
    """The device."""
    row = connection.execute(_BY_ID, {"device_id": device_id}).mappings().first()
    return None if row is None else _device(row)


def every(connection: Connection) -> list[Device]:
    """Every device by id."""
    return [_device(row) for row in connection.execute(_ALL).mappings()]


def of_pc(connection: Connection, pc_name: str) -> list[Device]:
    """Every device of a host by id."""
    return [_device(row) for row in connection.execute(_OF_PC, {"pc_name": pc_name}).mappings()]


def next_id(connection: Connection) -> int:
    """An id that no device has: the one after the largest, or where that is the end of the range, the first gap."""
    largest = int(connection.scalar(select(func.coalesce(func.max(device.c.device_id), 0))) or 0)
    if largest < MAX_DEVICE_ID:
        return largest + 1
    if connection.execute(_BY_ID, {"device_id": 1}).first() is None:
        return 1
    after = device.alias("after")
    has_gap = ~select(after.c.device_id).where(after.c.device_id == device.c.device_id + 1).exists()
    return int(connection.scalar(select(func.min(device.c.device_id)).where(has_gap)) or 0) + 1


def add(connection: Connection, new: Device) -> None:
    """Store a new device."""
    connection.execute(
        insert(device),
        {
            "device_id": new.device_id,
            "name": new.name,
            "pc_name": new.pc_name,
            "driver": new.driver,
            "port": new.port,
            "settings": json.dumps(dict(new.settings)),
            "card_formats": json.dumps(list(new.card_formats)),
            "create_time": new.create_time,
        },
    )


def attach(connection: Connection, pc_name: str) -> int:
    """Register a host, or take it over from whoever was attached: the answer is its new epoch."""
    found = epoch_of(connection, pc_name)
    if found is None:
        connection.execute(insert(host), {"pc_name": pc_name, "epoch": 1, "attached": True})
        return 1
    epoch = found + 1
    connection.execute(update(host).where(host.c.pc_name == pc_name).values(epoch=epoch, attached=True))
    return epoch


def detach(connection: Connection, pc_name: str, epoch: int) -> bool:
    """Mark a host as gone; False, and nothing changed, when a newer one took over."""
    stale_safe = update(host).where(host.c.pc_name == pc_name, host.c.epoch == epoch).values(attached=False)
    return connection.execute(stale_safe).rowcount == 1


def detach_all(connection: Connection) -> None:
    """Mark every host as gone: for the start of the only process that could hold one."""
    connection.execute(update(host).values(attached=False))


def epoch_of(connection: Connection, pc_name: str) -> int | None:
    """The epoch of the host's newest attachment; None when there never was one."""
    epoch = connection.scalar(_EPOCH, {"pc_name": pc_name})
    return None if epoch is None else int(epoch)


def host_is_registered(connection: Connection, pc_name: str) -> bool:
    """Whether a host of that name has ever attached."""
    return epoch_of(connection, pc_name) is not None


def attached_hosts(connection: Connection) -> set[str]:
    """Names of the hosts that are attached now."""
    return set(connection.scalars(_ATTACHED))


def _device(row: Mapping[Any, Any]) -> Device:
    return Device(
        device_id=row["device_id"],
        name=row["name"],
        pc_name=row["pc_name"],
        driver=row["driver"],
        port=row["port"],
        settings=json.loads(row["settings"]),
        card_formats=tuple(json.loads(row["card_formats"])),
        create_time=row["create_time"],
    )
