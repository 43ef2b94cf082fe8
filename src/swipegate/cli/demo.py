"""`swipegate demo`: the main job, from a swipe at a device to a card that changes its holder."""

import asyncio
import tempfile
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Any

import typer
from grpc import aio
from rich.padding import Padding

from swipegate import core
from swipegate.api.server import Server
from swipegate.cli import client, render
from swipegate.cli.output import Exit, console, fail
from swipegate.cli.sources import swipe_of
from swipegate.core.recordings import read_recording
from swipegate.devices.errors import SettingsError
from swipegate.devices.simulators import find_simulator
from swipegate.devices.simulators.base import Simulator
from swipegate.devices.simulators.cards import SimulatedCard
from swipegate.domain.authority import READ_TRACK_DATA
from swipegate.service.tokens import tokens_of
from swipegate.settings import load
from swipegate.v1 import (
    ac_system_pb2,
    ac_system_pb2_grpc,
    card_format_pb2,
    card_format_pb2_grpc,
    card_pb2,
    card_pb2_grpc,
    card_request_pb2,
    card_request_pb2_grpc,
    device_pb2,
    device_pb2_grpc,
    user_card_pb2,
    user_card_pb2_grpc,
    user_pb2,
    user_pb2_grpc,
)
from swipegate.v1.card_request_pb2 import CardRequest
from swipegate.v1.track_pb2 import DecodedSwipe

TIME_LIMIT = 60.0
"""Seconds for the whole demonstration."""
SWIPE_AFTER = 0.5
"""Seconds the invented person takes to find the card."""
RAW = {"msr605": {"mode": "raw"}}
"""Devices that give the bits of the stripe when their settings say so."""
CARD_TYPE_ABA = 5
"""Magstripe ABA track 2, one of the card types that every installation has."""


def demo(
    device: Annotated[
        str, typer.Option(help="Which device; `swipegate simulate list` shows all.")
    ] = "msr605",
) -> None:
    """Show the whole way of a swipe, with everything in this process and nothing left behind.

    A recorded hand swipe runs through a simulated device on a real line, the real driver, the compiled core, a
    card request and two assignments, all over gRPC with an embedded database.
    """
    try:
        simulator = find_simulator(device)()
    except SettingsError as error:
        fail(Exit.USAGE, str(error))
    try:
        asyncio.run(asyncio.wait_for(_demo(device, simulator), TIME_LIMIT))
    except TimeoutError:
        fail(Exit.UNAVAILABLE, f"the demonstration did not end within {TIME_LIMIT:g} seconds")
    except aio.AioRpcError as error:
        fail(Exit.UNAVAILABLE, f"{client.reason_of(error)}: {error.details()}")


async def _demo(driver: str, simulator: Simulator) -> None:
    with tempfile.TemporaryDirectory(prefix="swipegate-demo-") as folder, simulator as reader:
        settings = load(data_dir=Path(folder), listen="127.0.0.1:0", pc_name="kiosk-1", drain_delay=0)
        server = Server(settings)
        await server.start()
        try:
            token = tokens_of(settings).mint("demo", "swipegate-demo", [READ_TRACK_DATA], 3600)
            _step("server", f"gRPC on 127.0.0.1:{server.port}, SQLite in {folder}")
            async with aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
                await _Demo(channel, client.bearer(token), driver).run(reader)
        finally:
            await server.stop()


class _Demo:
    """A client of the server, as any other."""

    def __init__(self, channel: aio.Channel, metadata: client.Metadata, driver: str) -> None:
        self._channel = channel
        self._driver = driver
        self._options: dict[str, Any] = {"metadata": metadata, "timeout": TIME_LIMIT}

    async def run(self, reader: Simulator) -> None:
        """The whole story; ends the command when something is not as it must be."""
        device = await self._register(reader.url)
        reader.insert(recorded_card(raw=self._driver in RAW), after=SWIPE_AFTER)
        swipe = await self._read(device)
        console.print(Padding(render.as_rich(render.shown(swipe, reveal=False)), (0, 0, 0, 14)))
        number = swipe.card_number.card_number
        system = await self._system()
        ada, grace = await self._user("Ada Lovelace"), await self._user("Grace Hopper")
        first = await self._replace(ada, system, number)
        _step("assigned", f"card {number} to Ada Lovelace: {first.description}")
        second = await self._replace(grace, system, number)
        _step("taken over", f"card {number} by Grace Hopper: {second.description}")
        _step(
            "",
            f"previous user {second.previous_user_id} (Ada Lovelace), current user {second.current_user_id}",
        )
        await self._check(first, second, ada, grace)

    async def _register(self, url: str) -> int:
        formats = card_format_pb2_grpc.CardFormatServiceStub(self._channel)
        campus = card_format_pb2.CardFormat(
            name="campus",
            description="the third field of track 2, ten digits",
            track=2,
            field_count=3,
            card_number=card_format_pb2.CardFormatPart(field=3, length=10),
        )
        await formats.CreateCardFormat(
            card_format_pb2.CreateCardFormatRequest(card_format=campus), **self._options
        )
        devices = device_pb2_grpc.DeviceServiceStub(self._channel)
        device = device_pb2.Device(
            name="front desk",
            driver=self._driver,
            port=url,
            settings=RAW.get(self._driver, {}),
            card_formats=["campus"],
        )
        answer = await devices.CreateDevice(device_pb2.CreateDeviceRequest(device=device), **self._options)
        _step(
            "device",
            f"{answer.device.device_id}: {self._driver} on the line {url} of {answer.device.pc_name}",
        )
        return int(answer.device.device_id)

    async def _read(self, device: int) -> DecodedSwipe:
        requests = card_request_pb2_grpc.CardRequestServiceStub(self._channel)
        created = await requests.CreateCardRequest(
            card_request_pb2.CreateCardRequestRequest(
                id=device, action=card_request_pb2.CARD_REQUEST_ACTION_BEGINREADCARD, message="swipe please"
            ),
            **self._options,
        )
        key = created.card_request_id
        _step("card request", key)
        watch = requests.WatchCardRequest(
            card_request_pb2.WatchCardRequestRequest(card_request_id=key), **self._options
        )
        request = created.card_request
        async for event in watch:
            request = event.card_request
            _step("", CardRequest.State.Name(request.state).removeprefix("STATE_"))
        if request.state != CardRequest.STATE_SUCCEEDED:
            fail(Exit.UNREADABLE, f"the card request ended otherwise: {request.failure.description}")
        answer = await requests.GetTrackData(
            card_request_pb2.GetTrackDataRequest(card_request_id=key), **self._options
        )
        swipe: DecodedSwipe = answer.swipe
        return swipe

    async def _system(self) -> str:
        stub = ac_system_pb2_grpc.AcSystemServiceStub(self._channel)
        system = ac_system_pb2.AcSystem(name="Main building")
        answer = await stub.CreateAcSystem(
            ac_system_pb2.CreateAcSystemRequest(ac_system=system), **self._options
        )
        return str(answer.ac_system.ac_system_id)

    async def _user(self, name: str) -> str:
        stub = user_pb2_grpc.UserServiceStub(self._channel)
        request = user_pb2.CreateUserRequest(user=user_pb2.User(name=name))
        return str((await stub.CreateUser(request, **self._options)).user.user_id)

    async def _replace(
        self, user: str, system: str, number: str
    ) -> user_card_pb2.ReplaceCardIfExistsResponse:
        stub = user_card_pb2_grpc.UserCardServiceStub(self._channel)
        request = user_card_pb2.ReplaceCardIfExistsRequest(
            user_id=user,
            card_type=CARD_TYPE_ABA,
            card_ac_system_id=system,
            internal_card_number=int(number),
            external_card_number=number,
            card_user_flags=user_card_pb2.CARD_USER_FLAGS_ACTIVE_CARDHOLDER_RECORD,
        )
        answer: user_card_pb2.ReplaceCardIfExistsResponse = await stub.ReplaceCardIfExists(
            request, **self._options
        )
        return answer

    async def _check(
        self,
        first: user_card_pb2.ReplaceCardIfExistsResponse,
        second: user_card_pb2.ReplaceCardIfExistsResponse,
        ada: str,
        grace: str,
    ) -> None:
        stub = card_pb2_grpc.CardServiceStub(self._channel)
        cards = (await stub.ListCards(card_pb2.ListCardsRequest(), **self._options)).cards
        one_holder = len(cards) == 1 and cards[0].user_id == grace
        handed_on = not first.HasField("previous_user_id") and second.previous_user_id == ada
        if not one_holder or not handed_on:
            fail(Exit.UNAVAILABLE, "the card is not where it must be")
        _step("proved", "one card, one open assignment, its holder is Grace Hopper")


def recorded_card(*, raw: bool) -> SimulatedCard:
    """The card of the recording that comes with Swipegate: real hand timing, published test data.

    Raw: its bits; else the characters, as the head of a device that decodes would give them.
    """
    with as_file(files("swipegate.cli") / "demo_swipe.wav") as path:
        recording = read_recording(path)[0]
    if raw:
        return SimulatedCard(track2=core.pack(recording.tracks[0].candidates()[0]))
    decoded = core.decode(swipe_of(recording))
    return SimulatedCard(track2=decoded.tracks[0].text)


def _step(name: str, text: str) -> None:
    console.print(f"[bold green]{name:>12}[/]  {text}", soft_wrap=True)
