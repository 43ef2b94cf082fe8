"""The server killed between any two steps of a card request: nothing is lost, nothing stays stuck."""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from grpc import aio

from swipegate.devices.simulators.cards import Bad, SimulatedCard
from swipegate.devices.simulators.faults import Dribble
from swipegate.devices.simulators.msr605 import Msr605Simulator
from swipegate.v1 import card_request_pb2 as pb
from swipegate.v1 import error_pb2
from tests.adversity.serving import ServeProcess
from tests.api.test_card_requests import (
    ACCESS_CARD,
    CARD,
    cancel,
    create,
    get,
    register,
    retry,
    track_data,
    until,
)
from tests.conftest import Client

S = pb.CardRequest
AT_REST = (S.STATE_NEEDS_ACTION, S.STATE_SUCCEEDED, S.STATE_FAILED, S.STATE_CANCELLED, S.STATE_EXPIRED)
RANDOM_KILLS = 8

pytestmark = pytest.mark.slow


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Msr605Simulator]:
    with Msr605Simulator(path=tmp_path / "msr605") as simulator:
        yield simulator


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[ServeProcess]:
    with ServeProcess(tmp_path / "data") as process:
        yield process


@asynccontextmanager
async def connected(serving: ServeProcess) -> AsyncIterator[Client]:
    async with aio.insecure_channel(f"127.0.0.1:{serving.port}") as channel:
        yield Client(channel, serving.metadata())


async def restarted(serving: ServeProcess, request: pb.CardRequest) -> pb.CardRequest:
    """The request once it is at rest after a new start."""
    serving.start()
    async with connected(serving) as client, asyncio.timeout(20):
        return await until(client, request, *AT_REST)


async def serves_again(serving: ServeProcess, reader: Msr605Simulator, request: pb.CardRequest) -> None:
    """A person settles the request, if it is theirs to settle, and the device serves the next one."""
    async with connected(serving) as client, asyncio.timeout(30):
        if request.state == S.STATE_NEEDS_ACTION:
            await retry(client, request, request.attempt)
            reader.swipe(ACCESS_CARD)
            done = await until(client, request, S.STATE_SUCCEEDED)
            assert done.attempt == request.attempt + 1
        device = request.device_id
        following = await create(client, device)
        reader.swipe(ACCESS_CARD)
        await until(client, following, S.STATE_SUCCEEDED)


@pytest.mark.parametrize(
    "state", [S.STATE_DISPATCHED, S.STATE_WAITING_FOR_CARD, S.STATE_READING, S.STATE_CANCELLING]
)
async def test_kill_while_the_device_is_at_work(
    serving: ServeProcess, reader: Msr605Simulator, state: int
) -> None:
    async with connected(serving) as client:
        request = await create(client, await register(client, reader))
        if state == S.STATE_READING:
            await until(client, request, S.STATE_WAITING_FOR_CARD)
            reader.inject(Dribble(interval=0.05), "block")  # slow enough to die in the middle of
            reader.swipe(CARD)
        if state == S.STATE_CANCELLING:
            await until(client, request, S.STATE_WAITING_FOR_CARD)
            await cancel(client, request)
            state = S.STATE_CANCELLING
        else:
            await until(client, request, state)
        serving.kill()
    found = await restarted(serving, request)
    if state == S.STATE_CANCELLING:
        assert found.state in (S.STATE_CANCELLED, S.STATE_NEEDS_ACTION)
    else:
        assert (found.state, found.failure.reason) == (S.STATE_NEEDS_ACTION, error_pb2.ERROR_REASON_LINK_LOST)
    await serves_again(serving, reader, found)


async def test_kill_with_requests_in_the_queue(serving: ServeProcess, reader: Msr605Simulator) -> None:
    async with connected(serving) as client:
        device = await register(client, reader)
        first = await create(client, device)
        queued = [await create(client, device) for _ in range(3)]
        await until(client, first, S.STATE_WAITING_FOR_CARD)
        serving.kill()
    found = await restarted(serving, first)
    async with connected(serving) as client:
        await cancel(client, found)
        for request in queued:
            reader.swipe(ACCESS_CARD)
            await until(client, request, S.STATE_SUCCEEDED)


async def test_kill_in_needs_action_keeps_the_decision(
    serving: ServeProcess, reader: Msr605Simulator
) -> None:
    async with connected(serving) as client:
        reader.swipe(SimulatedCard(track2=Bad.UNREADABLE))
        request = await create(client, await register(client, reader))
        await until(client, request, S.STATE_NEEDS_ACTION)
        serving.kill()
    found = await restarted(serving, request)
    assert (found.state, found.failure.reason) == (S.STATE_NEEDS_ACTION, error_pb2.ERROR_REASON_NOT_READ)
    await serves_again(serving, reader, found)


async def test_kill_after_success_keeps_the_card(serving: ServeProcess, reader: Msr605Simulator) -> None:
    async with connected(serving) as client:
        reader.swipe(ACCESS_CARD)
        request = await create(client, await register(client, reader))
        await until(client, request, S.STATE_SUCCEEDED)
        serving.kill()
    found = await restarted(serving, request)
    async with connected(serving) as client:
        assert (await track_data(client, found)).card_number.card_number == "98949188"


async def test_kill_at_random_moments(serving: ServeProcess, reader: Msr605Simulator) -> None:
    chance = random.Random(20261122)
    async with connected(serving) as client:
        device = await register(client, reader)
    for _ in range(RANDOM_KILLS):
        async with connected(serving) as client:
            request = await create(client, device)
            reader.swipe(ACCESS_CARD, after=chance.uniform(0, 0.2))
            await asyncio.sleep(chance.uniform(0, 0.6))
            serving.kill()
        serving.start()
        async with connected(serving) as client, asyncio.timeout(30):
            # a request that was not taken up yet is served now
            reader.swipe(ACCESS_CARD)
            found = await until(client, request, *AT_REST)
            if found.state == S.STATE_NEEDS_ACTION:
                await cancel(client, found, found.attempt)
            assert (await get(client, request)).state in (S.STATE_SUCCEEDED, S.STATE_CANCELLED)
    with sqlite3.connect(serving.data_dir / "swipegate.db") as database:
        (live,) = database.execute(
            "SELECT count(*) FROM card_request WHERE active OR state NOT IN ('SUCCEEDED', 'CANCELLED')"
        ).fetchone()
    database.close()
    assert live == 0


async def test_graceful_end_has_exit_code_0(serving: ServeProcess) -> None:
    assert serving.terminate() == 0
