"""DeviceService through gRPC."""

import sqlite3
from typing import Any

import grpc
import pytest

from swipegate.api.server import Server
from swipegate.settings import Settings
from swipegate.v1 import device_pb2 as pb
from tests.api.test_card_requests import refused
from tests.conftest import Client

INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def create(client: Client, **fields: Any) -> pb.Device:
    given = {"name": "desk", "driver": "msr605", "port": "loop://"}
    request = pb.CreateDeviceRequest(device=pb.Device(**(given | fields)))
    return (await client.devices.CreateDevice(request, **client.options)).device


async def get(client: Client, device_id: int) -> pb.Device:
    return (await client.devices.GetDevice(pb.GetDeviceRequest(device_id=device_id), **client.options)).device


async def test_device_is_kept_as_given(client: Client) -> None:
    made = await create(
        client, device_id=7, settings={"mode": "raw"}, card_formats=["paxton-net2", "iso7813-track2"]
    )
    assert (made.device_id, made.pc_name, made.attached) == (7, "test-pc", True)
    assert (dict(made.settings), list(made.card_formats)) == (
        {"mode": "raw"},
        ["paxton-net2", "iso7813-track2"],
    )
    assert list(made.capabilities.tracks) == [1, 2, 3]
    assert await get(client, 7) == made
    elsewhere = await create(client, pc_name="another-pc")
    assert (elsewhere.device_id, elsewhere.attached) == (8, False)
    answer = await client.devices.ListDevices(pb.ListDevicesRequest(), **client.options)
    assert list(answer.devices) == [made, elsewhere]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"device_id": -1}, "device.device_id"),
        ({"name": ""}, "device.name"),
        ({"name": "n" * 129}, "device.name"),
        ({"pc_name": "p" * 254}, "device.pc_name"),
        ({"port": ""}, "device.port"),
        ({"port": "p" * 1025}, "device.port"),
        ({"port": "spy:///dev/null"}, "device.port"),
        ({"settings": {str(n): "" for n in range(33)}}, "device.settings"),
        ({"settings": {"mode": "m" * 257}}, "device.settings"),
        ({"settings": {"mode": "neither"}}, "device.settings.mode"),
        ({"settings": {"colour": "red"}}, "device.settings.colour"),
        ({"card_formats": ["paxton-net2"] * 33}, "device.card_formats"),
        ({"card_formats": ["paxton-net2"] * 2}, "device.card_formats"),
    ],
)
async def test_refusals_name_the_field(client: Client, fields: dict[str, Any], field: str) -> None:
    info = await refused(create(client, **fields), INVALID, "INVALID_FIELD")
    assert info.metadata["field"] == field


async def test_what_is_named_must_be_there(client: Client) -> None:
    code = grpc.StatusCode
    await refused(create(client, card_formats=["nope"]), code.NOT_FOUND, "CARD_FORMAT_NOT_FOUND")
    for driver in ("", "nope"):
        await refused(create(client, driver=driver), code.NOT_FOUND, "DRIVER_NOT_FOUND")
    for number in (0, -1, 99):
        await refused(get(client, number), code.NOT_FOUND, "DEVICE_NOT_FOUND")
    await create(client, device_id=1)
    await refused(create(client, device_id=1), code.ALREADY_EXISTS, "DEVICE_EXISTS")
    call = client.devices.CreateDevice(pb.CreateDeviceRequest(), **client.options)
    await refused(call, INVALID, "INVALID_FIELD")


async def test_next_id_after_the_largest_is_the_first_gap(client: Client) -> None:
    largest = 2**31 - 1
    assert (await create(client, device_id=largest)).device_id == largest
    assert [(await create(client)).device_id for _ in range(2)] == [1, 2]
    await create(client, device_id=4)
    assert [(await create(client)).device_id for _ in range(2)] == [3, 5]


async def test_host_that_died_is_not_attached_after_another_start(
    settings: Settings, client: Client, server: Server
) -> None:
    await create(client)
    database = settings.data_dir / "swipegate.db"
    await server.stop()
    with sqlite3.connect(database) as connection:  # as a killed server of another name leaves it
        connection.execute("UPDATE host SET attached = 1")
    connection.close()
    running = Server(settings.model_copy(update={"pc_name": "renamed-pc"}))
    await running.start()
    with sqlite3.connect(database) as connection:
        rows = dict(connection.execute("SELECT pc_name, attached FROM host").fetchall())
    connection.close()
    await running.stop()
    assert rows == {"test-pc": 0, "renamed-pc": 1}
