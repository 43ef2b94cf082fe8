"""`swipegate devices`: what is plugged in, what is registered, and a card read on the spot."""

import asyncio
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from swipegate import core
from swipegate.cli import client, render
from swipegate.cli.options import DataDir, Json
from swipegate.cli.output import Exit, console, fail, print_json
from swipegate.cli.token import mint
from swipegate.devices.discovery import FoundPort, find_ports
from swipegate.devices.drivers import create_reader
from swipegate.devices.errors import DeviceError, ReadEnded, SettingsError
from swipegate.devices.reader import CardReader, ReadState
from swipegate.domain.card_request import Failure
from swipegate.domain.device import MAX_DEVICE_ID
from swipegate.host.outcome import decoded_swipe, failure_of_error
from swipegate.v1 import device_pb2 as pb
from swipegate.v1 import device_pb2_grpc

app = typer.Typer(
    add_completion=False,
    help="Show what is plugged in here; register readers with a server; read a card on the spot.",
    invoke_without_command=True,
)

Setting = Annotated[
    list[str] | None, typer.Option("--setting", help="A driver setting as KEY=VALUE; repeat for more.")
]


@app.callback()
def devices(context: typer.Context) -> None:
    """Without a command: as scan."""
    if context.invoked_subcommand is None:
        scan()


@app.command("scan")
def scan(json: Json = False) -> None:
    """Show the serial ports of this machine, and the driver that probably fits each. Opens none of them."""
    found = find_ports()
    if json:
        for port in found:
            print_json(_port_json(port))
        return
    if not found:
        console.print(
            "No serial port is here. Plug a reader in; a virtual machine may have to pass it through.\n"
            "Without a reader:  [bold]swipegate simulate sankyo[/]"
        )
        return
    table = Table("port", "usb", "what it says", "driver")
    for port in found:
        guess = "" if port.guess is None else f"{port.guess.driver}{'' if port.guess.sure else ' ?'}"
        table.add_row(port.url, port.usb_id, port.description, guess)
    console.print(table)
    console.print("Read a card now:  [bold]swipegate devices read PORT --driver DRIVER[/]")


def _port_json(port: FoundPort) -> dict[str, Any]:
    return {
        "port": port.url,
        "path": port.path,
        "usb_id": port.usb_id,
        "serial_number": port.serial_number,
        "description": port.description,
        "driver": port.guess.driver if port.guess else None,
        "sure": bool(port.guess and port.guess.sure),
    }


@app.command("read")
def read(
    port: Annotated[str, typer.Argument(help="Port as a pyserial URL: /dev/ttyUSB0, socket://host:port ...")],
    driver: Annotated[str, typer.Option(help="Its driver.")] = "msr605",
    setting: Setting = None,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long to wait for the card.")] = 30,
    reveal: Annotated[bool, typer.Option("--reveal", help="Do not mask PANs.")] = False,
    json: Json = False,
) -> None:
    """Read one card at a port, without a server, and show what it holds."""
    try:
        reader = create_reader(driver, port, settings_of(setting))
    except SettingsError as error:
        fail(Exit.USAGE, str(error))
    asyncio.run(_read(reader, seconds, reveal=reveal, json=json))


async def _read(reader: CardReader, seconds: float, *, reveal: bool, json: bool) -> None:
    def on_state(state: ReadState) -> None:
        if not json:
            act = "insert" if reader.capabilities.motorised else "swipe"
            hint = f": {act} the card now" if state is ReadState.WAITING_FOR_CARD else ""
            console.print(f"[dim]{state}{hint}[/]")

    try:
        await reader.open()
        result = await reader.read("", deadline=time.monotonic() + seconds, on_state=on_state)
        swipe = decoded_swipe(result, core.compile_formats(core.DEFAULT_FORMATS))
        await reader.release(accepted=swipe.HasField("card_number"))
    except ReadEnded:
        fail(Exit.UNAVAILABLE, f"no card came within {seconds:g} seconds")
    except DeviceError as error:
        failure: Failure = failure_of_error(error)
        detail = f" ({error.detail})" if error.detail else ""
        fail(Exit.UNAVAILABLE, f"{error.reason}: {failure.description}{detail}")
    finally:
        await reader.close()
    shown = render.shown(swipe, reveal=reveal)
    if json:
        print_json(render.as_json(shown))
    else:
        console.print(render.as_rich(shown))
    if not any(track.text and not track.errors for track in shown.tracks):
        raise typer.Exit(Exit.UNREADABLE)


@app.command("list")
def list_devices(
    server: client.ServerAddress = client.DEFAULT_SERVER,
    server_ca: client.ServerCa = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """List the devices that are registered with a server."""
    devices = asyncio.run(_list(server, server_ca, mint(data_dir)))
    if json:
        for device in devices:
            print_json(_device_json(device))
        return
    table = Table("id", "name", "PC", "driver", "port", "card formats", "attached")
    for device in devices:
        table.add_row(
            str(device.device_id),
            device.name,
            device.pc_name,
            device.driver,
            device.port,
            ", ".join(device.card_formats),
            "yes" if device.attached else "no",
        )
    console.print(table)


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="A name for people.")],
    port: Annotated[
        str, typer.Argument(help="Port as a pyserial URL; /dev/serial/by-id/... survives replugging.")
    ],
    driver: Annotated[str, typer.Option(help="Its driver.")] = "msr605",
    card_format: Annotated[
        list[str] | None, typer.Option(help="A card format that counts there; repeat for more.")
    ] = None,
    setting: Setting = None,
    device_id: Annotated[
        int, typer.Option(min=0, max=MAX_DEVICE_ID, help="Its CMC device id; 0 takes the next free one.")
    ] = 0,
    server: client.ServerAddress = client.DEFAULT_SERVER,
    server_ca: client.ServerCa = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Register a device with a server; its host is the server's own PC."""
    formats = card_format or [one.name for one in core.DEFAULT_FORMATS]
    for text in (name, port, driver, *formats, *(setting or ())):
        if any(0xD800 <= ord(character) <= 0xDFFF for character in text):  # bytes that are no UTF-8
            fail(Exit.USAGE, "every argument must be UTF-8")
    device = pb.Device(
        device_id=device_id,
        name=name,
        driver=driver,
        port=port,
        settings=settings_of(setting),
        card_formats=formats,
    )
    created = asyncio.run(_add(server, server_ca, mint(data_dir), device))
    if json:
        print_json(_device_json(created))
    else:
        console.print(f"device [bold]{created.device_id}[/] ({name}) is registered on {created.pc_name}")


async def _list(server: str, ca: Path | None, token: str) -> list[pb.Device]:
    async with client.connected(server, ca) as channel:
        stub = device_pb2_grpc.DeviceServiceStub(channel)
        answer = await stub.ListDevices(
            pb.ListDevicesRequest(), metadata=client.bearer(token), timeout=client.CALL_TIMEOUT
        )
    return list(answer.devices)


async def _add(server: str, ca: Path | None, token: str, device: pb.Device) -> pb.Device:
    async with client.connected(server, ca) as channel:
        stub = device_pb2_grpc.DeviceServiceStub(channel)
        request = pb.CreateDeviceRequest(device=device)
        answer = await stub.CreateDevice(request, metadata=client.bearer(token), timeout=client.CALL_TIMEOUT)
    created: pb.Device = answer.device
    return created


def _device_json(device: pb.Device) -> dict[str, Any]:
    return {
        "device_id": device.device_id,
        "name": device.name,
        "pc_name": device.pc_name,
        "driver": device.driver,
        "port": device.port,
        "settings": dict(device.settings),
        "card_formats": list(device.card_formats),
        "attached": device.attached,
    }


def settings_of(pairs: list[str] | None) -> dict[str, str]:
    """KEY=VALUE pairs as a mapping, or the end of the command."""
    settings: dict[str, str] = {}
    for pair in pairs or ():
        key, equals, value = pair.partition("=")
        if not equals or not key:
            fail(Exit.USAGE, f"--setting {pair}: must be KEY=VALUE")
        settings[key] = value
    return settings
