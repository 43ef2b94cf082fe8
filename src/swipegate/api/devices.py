"""DeviceService."""

from typing import Any

from grpc import aio

from swipegate.api.times import timestamp
from swipegate.devices.drivers import find_driver
from swipegate.devices.errors import SettingsError
from swipegate.domain.device import Device
from swipegate.service.devices import Devices
from swipegate.v1 import device_pb2 as pb
from swipegate.v1 import device_pb2_grpc


class DeviceServicer(device_pb2_grpc.DeviceServiceServicer):
    """CMC devices."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices

    async def CreateDevice(
        self, request: pb.CreateDeviceRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.CreateDeviceResponse:
        """Register a device."""
        given = request.device
        created = await self._devices.create(
            Device(
                device_id=given.device_id,
                name=given.name,
                pc_name=given.pc_name,
                driver=given.driver,
                port=given.port,
                settings=dict(given.settings),
                card_formats=tuple(given.card_formats),
            )
        )
        device, attached = await self._devices.get(created.device_id)
        return pb.CreateDeviceResponse(device=_message_of(device, attached))

    async def GetDevice(
        self, request: pb.GetDeviceRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.GetDeviceResponse:
        """Give one device."""
        device, attached = await self._devices.get(request.device_id)
        return pb.GetDeviceResponse(device=_message_of(device, attached))

    async def ListDevices(
        self, _request: pb.ListDevicesRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.ListDevicesResponse:
        """List every device by id."""
        found = await self._devices.every()
        return pb.ListDevicesResponse(devices=[_message_of(device, attached) for device, attached in found])


def _message_of(device: Device, attached: bool) -> pb.Device:
    return pb.Device(
        device_id=device.device_id,
        name=device.name,
        pc_name=device.pc_name,
        driver=device.driver,
        port=device.port,
        settings=device.settings,
        card_formats=device.card_formats,
        capabilities=_capabilities(device.driver),
        attached=attached,
        create_time=timestamp(device.create_time),
    )


def _capabilities(driver: str) -> pb.DeviceCapabilities | None:
    try:
        can = find_driver(driver).capabilities
    except SettingsError:  # its package was uninstalled after the device was registered
        return None
    return pb.DeviceCapabilities(
        tracks=sorted(can.tracks),
        has_stock=can.has_stock,
        motorised=can.motorised,
        can_retain=can.can_retain,
    )
