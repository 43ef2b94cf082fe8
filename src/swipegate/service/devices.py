"""Devices."""

from dataclasses import replace

from sqlalchemy import Connection

from swipegate.devices.drivers import create_reader, driver_names
from swipegate.devices.errors import SettingsError
from swipegate.domain.device import (
    MAX_DEVICE_ID,
    MAX_PC_NAME,
    MAX_PORT,
    MAX_SETTING,
    MAX_SETTINGS,
    Device,
)
from swipegate.domain.errors import SwipegateError, invalid
from swipegate.domain.fields import check_name, check_no_nul
from swipegate.service.bell import Bell
from swipegate.service.card_formats import check_count, check_names
from swipegate.service.clock import Clock
from swipegate.store import devices
from swipegate.store.database import Database
from swipegate.v1 import error_pb2


class Devices:
    """The registered devices."""

    def __init__(self, database: Database, bell: Bell, clock: Clock, pc_name: str) -> None:
        self._database = database
        self._bell = bell
        self._clock = clock
        self._pc_name = pc_name

    async def create(self, new: Device) -> Device:
        """The stored device. Raises INVALID_FIELD, DEVICE_EXISTS, CARD_FORMAT_NOT_FOUND, DRIVER_NOT_FOUND."""
        new = replace(new, pc_name=new.pc_name or self._pc_name, create_time=self._clock())
        _check(new)

        def unit(connection: Connection) -> Device:
            check_names(connection, new.card_formats)
            device = replace(new, device_id=new.device_id or devices.next_id(connection))
            if devices.by_id(connection, device.device_id) is not None:
                raise SwipegateError(error_pb2.ERROR_REASON_DEVICE_EXISTS, device_id=device.device_id)
            devices.add(connection, device)
            return device

        device = await self._database.write(unit)
        self._bell.ring(("devices", device.pc_name))
        return device

    async def get(self, device_id: int) -> tuple[Device, bool]:
        """The device, and whether its host is attached. Raises DEVICE_NOT_FOUND."""

        def unit(connection: Connection) -> tuple[Device, bool]:
            device = devices.by_id(connection, device_id)
            if device is None:
                raise SwipegateError(error_pb2.ERROR_REASON_DEVICE_NOT_FOUND, device_id=device_id)
            return device, device.pc_name in devices.attached_hosts(connection)

        return await self._database.read(unit)

    async def every(self) -> list[tuple[Device, bool]]:
        """Every device by id, and whether its host is attached."""

        def unit(connection: Connection) -> list[tuple[Device, bool]]:
            attached = devices.attached_hosts(connection)
            return [(device, device.pc_name in attached) for device in devices.every(connection)]

        return await self._database.read(unit)

    async def of_pc(self, pc_name: str) -> list[Device]:
        """The devices of a host."""
        return await self._database.read(lambda connection: devices.of_pc(connection, pc_name))

    async def attach(self, pc_name: str) -> int:
        """Register a host, or take it over; the answer is the epoch in which it may report."""
        return await self._database.write(lambda connection: devices.attach(connection, pc_name))

    async def take_over(self, pc_name: str) -> int:
        """Attach the host of a server that starts.

        Where no other server can be at work on the database, whoever was attached when the last one died is gone.
        """

        def unit(connection: Connection) -> int:
            if self._database.has_one_server:
                devices.detach_all(connection)
            return devices.attach(connection, pc_name)

        return await self._database.write(unit)

    async def detach(self, pc_name: str, epoch: int) -> None:
        """A host goes; without effect when a newer one took over."""
        await self._database.write(lambda connection: devices.detach(connection, pc_name, epoch))


def _check(device: Device) -> None:
    if not 0 <= device.device_id <= MAX_DEVICE_ID:
        raise invalid("device.device_id", f"must be 0 to {MAX_DEVICE_ID}")
    check_name("device.name", device.name)
    check_no_nul("device.pc_name", device.pc_name)
    check_no_nul("device.port", device.port)
    if len(device.pc_name) > MAX_PC_NAME:
        raise invalid("device.pc_name", f"must be at most {MAX_PC_NAME} characters")
    if not 1 <= len(device.port) <= MAX_PORT:
        raise invalid("device.port", f"must be 1 to {MAX_PORT} characters")
    check_count(device.card_formats, "device.card_formats")
    pairs = device.settings.items()
    if len(pairs) > MAX_SETTINGS or any(max(len(key), len(value)) > MAX_SETTING for key, value in pairs):
        raise invalid("device.settings", f"must be at most {MAX_SETTINGS} of {MAX_SETTING} characters")
    check_no_nul("device.settings", *device.settings, *device.settings.values())
    names = driver_names()
    if device.driver not in names:
        raise SwipegateError(
            error_pb2.ERROR_REASON_DRIVER_NOT_FOUND, driver=device.driver[:64], drivers=", ".join(names)
        )
    try:
        create_reader(device.driver, device.port, device.settings)
    except SettingsError as error:
        field = "port" if error.field == "url" else f"settings.{error.field}"
        raise invalid(f"device.{field}", str(error)) from None
