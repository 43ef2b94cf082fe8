"""Card requests through gRPC, on a real server with the real driver and a simulated MSR605 on a pseudo-terminal."""

import asyncio
import logging
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from grpc import aio

from swipegate.api.card_requests import message_of
from swipegate.api.server import Server, ServerError
from swipegate.devices.simulators.cards import Bad, SimulatedCard
from swipegate.devices.simulators.msr605 import Msr605Simulator
from swipegate.domain.card_request import MAX_QUEUED_PER_DEVICE, CardRequest, Failure, State
from swipegate.host import worker
from swipegate.service import card_requests as service
from swipegate.settings import Settings
from swipegate.v1 import card_request_pb2 as pb
from swipegate.v1 import device_pb2, error_pb2, track_pb2
from tests.conftest import Client

PAN = "4111111111111111"  # a published test number
CARD = SimulatedCard(track1=f"%B{PAN}^DOE/JANE^30121010000000000?", track2=f";{PAN}=30121010000012300000?")
ACCESS_CARD = SimulatedCard(track2=";98949188?")
READ = pb.CARD_REQUEST_ACTION_BEGINREADCARD
S = pb.CardRequest


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Msr605Simulator]:
    with Msr605Simulator(path=tmp_path / "msr605") as simulator:
        yield simulator


async def register(client: Client, reader: Msr605Simulator, **fields: Any) -> int:
    given = {
        "name": "front desk",
        "driver": "msr605",
        "port": reader.url,
        "card_formats": ["iso7813-track2", "paxton-net2"],
    }
    device = device_pb2.Device(**(given | fields))
    answer = await client.devices.CreateDevice(
        device_pb2.CreateDeviceRequest(device=device), **client.options
    )
    return int(answer.device.device_id)


async def create(client: Client, device: int, **fields: Any) -> pb.CardRequest:
    request = pb.CreateCardRequestRequest(**({"id": device, "action": READ} | fields))
    return (await client.card_requests.CreateCardRequest(request, **client.options)).card_request


async def get(client: Client, request: pb.CardRequest) -> pb.CardRequest:
    message = pb.GetCardRequestRequest(card_request_id=request.card_request_id)
    return (await client.card_requests.GetCardRequest(message, **client.options)).card_request


async def cancel(client: Client, request: pb.CardRequest, attempt: int = 1) -> pb.CardRequest:
    message = pb.CancelCardRequestRequest(card_request_id=request.card_request_id, attempt=attempt)
    return (await client.card_requests.CancelCardRequest(message, **client.options)).card_request


async def retry(client: Client, request: pb.CardRequest, attempt: int = 1) -> pb.CardRequest:
    message = pb.RetryCardRequestRequest(card_request_id=request.card_request_id, attempt=attempt)
    return (await client.card_requests.RetryCardRequest(message, **client.options)).card_request


async def track_data(client: Client, request: pb.CardRequest) -> track_pb2.DecodedSwipe:
    message = pb.GetTrackDataRequest(card_request_id=request.card_request_id)
    return (await client.card_requests.GetTrackData(message, **client.options)).swipe


def watch(client: Client, request: pb.CardRequest, after: int = 0) -> Any:
    message = pb.WatchCardRequestRequest(card_request_id=request.card_request_id, after_sequence=after)
    return client.card_requests.WatchCardRequest(message, **client.options)


async def until(client: Client, request: pb.CardRequest, *states: int) -> pb.CardRequest:
    """The request once it is in one of the states."""
    async for event in watch(client, request):
        if event.card_request.state in states:
            return event.card_request
    pytest.fail("the watch ended in another state")


def refusal(error: aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    """The one ErrorInfo of a refusal."""
    details = next(value for key, value in error.trailing_metadata() if key == "grpc-status-details-bin")
    infos = []
    for detail in status_pb2.Status.FromString(details).details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            infos.append(info)
    assert len(infos) == 1
    assert infos[0].domain == "swipegate"
    return infos[0]


async def refused(call: Any, code: grpc.StatusCode, reason: str) -> error_details_pb2.ErrorInfo:
    with pytest.raises(aio.AioRpcError) as caught:
        await call
    info = refusal(caught.value)
    assert (caught.value.code(), info.reason) == (code, reason)
    return info


async def test_card_is_read_from_request_to_number(client: Client, reader: Msr605Simulator) -> None:
    device = await register(client, reader)
    reader.swipe(CARD, after=0.1)
    request = await create(client, device, message="opaque \N{SNOWMAN}")
    states = [event.card_request.state async for event in watch(client, request, after=request.sequence)]
    assert states[-4:] == [S.STATE_DISPATCHED, S.STATE_WAITING_FOR_CARD, S.STATE_READING, S.STATE_SUCCEEDED]
    done = await get(client, request)
    assert done.has_track_data
    assert done.card_format == "iso7813-track2"
    swipe = await track_data(client, request)
    assert swipe.card_number.card_number == PAN
    assert {track.number: track.text for track in swipe.tracks if track.text} == {
        1: CARD.track1,
        2: CARD.track2,
    }


async def test_raw_reading_decodes_the_bits_of_the_stripe(client: Client, reader: Msr605Simulator) -> None:
    device = await register(client, reader, settings={"mode": "raw"})
    reader.swipe(ACCESS_CARD)
    request = await until(client, await create(client, device), S.STATE_SUCCEEDED)
    swipe = await track_data(client, request)
    assert swipe.card_number.card_number == "98949188"
    track = next(track for track in swipe.tracks if track.text)
    assert (track.text, track.direction, track.lrc) == (
        ";98949188?",
        track_pb2.SWIPE_DIRECTION_FORWARD,
        track_pb2.LRC_STATUS_OK,
    )


async def test_requests_of_one_device_are_served_in_order(client: Client, reader: Msr605Simulator) -> None:
    device = await register(client, reader)
    first, second = await create(client, device), await create(client, device)
    await until(client, first, S.STATE_WAITING_FOR_CARD)
    assert (await get(client, second)).state == S.STATE_QUEUED
    reader.swipe(CARD)
    await until(client, first, S.STATE_SUCCEEDED)
    await until(client, second, S.STATE_WAITING_FOR_CARD)
    reader.swipe(ACCESS_CARD)
    await until(client, second, S.STATE_SUCCEEDED)
    assert (await track_data(client, second)).card_number.card_number == "98949188"


async def test_create_refuses_what_cannot_be_served(
    client: Client, reader: Msr605Simulator, bearer: Any
) -> None:
    code = grpc.StatusCode
    device = await register(client, reader)
    await refused(create(client, 99), code.NOT_FOUND, "DEVICE_NOT_FOUND")
    elsewhere = await register(client, reader, pc_name="another-pc")
    info = await refused(create(client, elsewhere), code.NOT_FOUND, "PC_NAME_NOT_FOUND")
    assert info.metadata["exception"] == "PCNameNotFoundException"
    formatless = await register(client, reader, card_formats=[])
    info = await refused(
        create(client, formatless), code.FAILED_PRECONDITION, "CARD_FORMAT_CMC_NOT_CONFIGURED"
    )
    assert info.metadata["exception"] == "CardFormatCMCNotConfiguredException"
    for fields, name in (
        ({"id": 0}, "id"),
        ({"action": 0}, "action"),
        ({"message": "x" * 4097}, "message"),
        ({"message": "\N{SNOWMAN}" * 1366}, "message"),
        ({"time_to_live": Duration(nanos=1)}, "time_to_live"),
        ({"time_to_live": Duration(seconds=24 * 3600 + 1)}, "time_to_live"),
        ({"request_id": "r" * 65}, "request_id"),
    ):
        info = await refused(create(client, device, **fields), code.INVALID_ARGUMENT, "INVALID_FIELD")
        assert info.metadata["field"] == name
    client.metadata = bearer(permissions=())
    info = await refused(create(client, device), code.PERMISSION_DENIED, "READ_CARD_NOT_AUTHORIZED")
    assert info.metadata["exception"] == "ReadCardNotAuthorizedException"
    client.metadata = bearer()
    assert not (
        await client.card_requests.ListCardRequests(pb.ListCardRequestsRequest(), **client.options)
    ).card_requests


async def test_busy_device_and_full_queue(client: Client, reader: Msr605Simulator) -> None:
    device = await register(client, reader)
    first = await create(client, device, refuse_if_busy=True)
    await until(client, first, S.STATE_WAITING_FOR_CARD)
    code = grpc.StatusCode
    await refused(create(client, device, refuse_if_busy=True), code.ABORTED, "DEVICE_BUSY")
    for _ in range(MAX_QUEUED_PER_DEVICE):
        await create(client, device)
    await refused(create(client, device), code.RESOURCE_EXHAUSTED, "OVERLOADED")


async def test_repeat_with_request_id_gives_the_same_request(client: Client, reader: Msr605Simulator) -> None:
    device = await register(client, reader)
    first = await create(client, device, request_id="once")
    again = await create(client, device, request_id="once")
    assert again.card_request_id == first.card_request_id
    other = create(client, device, request_id="once", message="other")
    await refused(other, grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")


async def test_cancel_of_a_queued_request_is_at_once(client: Client, reader: Msr605Simulator) -> None:
    device = await register(client, reader)
    await until(client, await create(client, device), S.STATE_WAITING_FOR_CARD)
    queued = await create(client, device)
    assert (await cancel(client, queued)).state == S.STATE_CANCELLED
    assert (await cancel(client, queued)).state == S.STATE_CANCELLED
    await refused(cancel(client, queued, attempt=2), grpc.StatusCode.FAILED_PRECONDITION, "WRONG_STATE")


async def test_cancel_is_confirmed_by_the_device(client: Client, reader: Msr605Simulator) -> None:
    device = await register(client, reader)
    request = await create(client, device)
    await until(client, request, S.STATE_WAITING_FOR_CARD)
    assert (await cancel(client, request)).state == S.STATE_CANCELLING
    await until(client, request, S.STATE_CANCELLED)
    assert not reader.armed
    reader.swipe(CARD)
    after = await create(client, device)
    await until(client, after, S.STATE_SUCCEEDED)


async def test_request_expires_and_the_device_is_at_rest(client: Client, reader: Msr605Simulator) -> None:
    device = await register(client, reader)
    request = await create(client, device, time_to_live=Duration(seconds=1))
    waiting = await create(client, device, time_to_live=Duration(seconds=1))
    ended = await until(client, request, S.STATE_EXPIRED)
    assert not reader.armed
    assert not ended.has_track_data
    await until(client, waiting, S.STATE_EXPIRED)


async def test_unreadable_card_needs_action_and_a_retry_reads_it(
    client: Client, reader: Msr605Simulator
) -> None:
    device = await register(client, reader)
    reader.swipe(SimulatedCard(track1=Bad.UNREADABLE, track2=Bad.UNREADABLE))
    request = await create(client, device)
    stuck = await until(client, request, S.STATE_NEEDS_ACTION)
    failure = stuck.failure
    assert failure.reason == error_pb2.ERROR_REASON_NOT_READ
    assert failure.exception == "CardRequestException"
    assert (failure.severity, failure.retriable) == (3, True)
    assert list(failure.allowed_actions) == [
        pb.CARD_REQUEST_USER_ACTION_RETRY,
        pb.CARD_REQUEST_USER_ACTION_CANCEL,
    ]
    await refused(retry(client, request, attempt=2), grpc.StatusCode.FAILED_PRECONDITION, "WRONG_STATE")
    reader.swipe(CARD, after=0.1)
    assert (await retry(client, request)).attempt == 2
    await refused(retry(client, request), grpc.StatusCode.FAILED_PRECONDITION, "WRONG_STATE")
    await refused(cancel(client, request, attempt=1), grpc.StatusCode.FAILED_PRECONDITION, "WRONG_STATE")
    done = await until(client, request, S.STATE_SUCCEEDED)
    assert not done.HasField("failure")


async def test_card_of_no_format_needs_action(client: Client, reader: Msr605Simulator) -> None:
    device = await register(client, reader, card_formats=["paxton-net2"])
    reader.swipe(CARD)
    stuck = await until(client, await create(client, device), S.STATE_NEEDS_ACTION)
    assert stuck.failure.reason == error_pb2.ERROR_REASON_NO_CARD_FORMAT_MATCHES
    assert (await cancel(client, stuck)).state == S.STATE_CANCELLED


async def test_unplugged_reader_needs_action_and_comes_back(
    client: Client, reader: Msr605Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "REOPEN_TIME", 0.3)
    device = await register(client, reader)
    request = await create(client, device)
    await until(client, request, S.STATE_WAITING_FOR_CARD)
    reader.unplug()
    stuck = await until(client, request, S.STATE_NEEDS_ACTION)
    assert stuck.failure.reason == error_pb2.ERROR_REASON_LINK_LOST
    await retry(client, request)
    again = await until(client, request, S.STATE_NEEDS_ACTION)
    while again.attempt == 1:  # the snapshot of a watch may be of before the retry
        again = await until(client, request, S.STATE_NEEDS_ACTION)
    assert again.failure.reason == error_pb2.ERROR_REASON_PORT_OPEN
    reader.replug()
    reader.swipe(CARD)
    await retry(client, request, attempt=2)
    await until(client, request, S.STATE_SUCCEEDED)


async def test_watch_resumes_without_gap_or_repeat(client: Client, reader: Msr605Simulator) -> None:
    device = await register(client, reader)
    reader.swipe(CARD, after=0.1)
    request = await until(client, await create(client, device), S.STATE_SUCCEEDED)
    every = [event.card_request.sequence async for event in watch(client, request, after=1)]
    assert every == sorted(set(every))
    for position, sequence in enumerate(every):
        rest = [event.card_request.sequence async for event in watch(client, request, after=sequence)]
        assert rest == every[position + 1 :]
    past = watch(client, request, after=every[-1] + 1)
    with pytest.raises(aio.AioRpcError) as caught:
        await past.read()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_list_pages_stay_right(client: Client, reader: Msr605Simulator) -> None:
    device = await register(client, reader)
    made = [(await create(client, device)).card_request_id for _ in range(7)]
    seen: list[str] = []
    token = ""
    while True:
        page = await client.card_requests.ListCardRequests(
            pb.ListCardRequestsRequest(page_size=3, page_token=token, device_id=device), **client.options
        )
        seen += [one.card_request_id for one in page.card_requests]
        token = page.next_page_token
        if not token:
            break
        await create(client, device)  # newer than every page still to come
    assert seen == made[::-1]
    for fields in ({"page_token": "?"}, {"page_size": 1001}, {"states": [77]}):
        call = client.card_requests.ListCardRequests(pb.ListCardRequestsRequest(**fields), **client.options)
        await refused(call, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")


async def test_track_data_is_sealed_then_wiped(
    client: Client,
    reader: Msr605Simulator,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    bearer: Any,
) -> None:
    monkeypatch.setattr(service, "TRACK_DATA_GRACE", 1_500_000)
    caplog.set_level(logging.DEBUG)
    device = await register(client, reader)
    reader.swipe(CARD)
    request = await until(client, await create(client, device), S.STATE_SUCCEEDED)
    stored = b"".join(path.read_bytes() for path in settings.data_dir.glob("swipegate.db*"))
    assert PAN.encode() not in stored
    client.metadata = bearer(permissions=())
    await refused(track_data(client, request), grpc.StatusCode.PERMISSION_DENIED, "READ_CARD_NOT_AUTHORIZED")
    client.metadata = bearer()
    first, again = await track_data(client, request), await track_data(client, request)
    assert first == again
    await asyncio.sleep(3)
    await refused(track_data(client, request), grpc.StatusCode.NOT_FOUND, "TRACK_DATA_NOT_FOUND")
    assert not (await get(client, request)).has_track_data
    assert PAN not in caplog.text


async def test_stopped_server_leaves_the_decision_to_a_person(
    settings: Settings, reader: Msr605Simulator, bearer: Any
) -> None:
    running = Server(settings)
    await running.start()
    async with aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
        client = Client(channel, bearer())
        device = await register(client, reader)
        request = await create(client, device)
        await until(client, request, S.STATE_WAITING_FOR_CARD)
        await running.stop()
    assert not reader.armed
    running = Server(settings)
    await running.start()
    try:
        async with aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
            client = Client(channel, bearer())
            stuck = await get(client, request)
            assert (stuck.state, stuck.failure.reason) == (
                S.STATE_NEEDS_ACTION,
                error_pb2.ERROR_REASON_LINK_LOST,
            )
            reader.swipe(CARD)
            await retry(client, request)
            await until(client, request, S.STATE_SUCCEEDED)
    finally:
        await running.stop()


async def test_unknown_ids_are_not_found(client: Client) -> None:
    nobody = pb.CardRequest(card_request_id="00000000-0000-0000-0000-000000000000")
    for call in (
        get(client, nobody),
        cancel(client, nobody),
        retry(client, nobody),
        track_data(client, nobody),
    ):
        await refused(call, grpc.StatusCode.NOT_FOUND, "CARD_REQUEST_NOT_FOUND")
    odd = pb.CardRequest(card_request_id="no uuid")
    info = await refused(get(client, odd), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert info.metadata["field"] == "card_request_id"


async def test_watch_ends_with_shutting_down_and_goes_on_at_the_next_server(
    settings: Settings, reader: Msr605Simulator, bearer: Any
) -> None:
    running = Server(settings)
    await running.start()
    async with aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
        client = Client(channel, bearer())
        request = await create(client, await register(client, reader))
        await until(client, request, S.STATE_WAITING_FOR_CARD)
        events = watch(client, request)
        last = (await anext(aiter(events))).card_request.sequence
        started = asyncio.get_running_loop().time()
        stopping = asyncio.create_task(running.stop())
        with pytest.raises(aio.AioRpcError) as caught:
            async for _ in events:
                pass
        assert (caught.value.code(), refusal(caught.value).reason) == (
            grpc.StatusCode.UNAVAILABLE,
            "SHUTTING_DOWN",
        )
        await stopping
        assert asyncio.get_running_loop().time() - started < 5
    running = Server(settings)
    await running.start()
    try:
        async with aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
            client = Client(channel, bearer())
            following = (await watch(client, request, after=last).read()).card_request
            assert following.state == S.STATE_NEEDS_ACTION
    finally:
        await running.stop()


async def test_ended_request_leaves_no_choice(client: Client, reader: Msr605Simulator) -> None:
    device = await register(client, reader, port="/dev/nope")
    stuck = await until(client, await create(client, device), S.STATE_NEEDS_ACTION)
    assert stuck.failure.allowed_actions
    ended = message_of(
        CardRequest("id", 1, State.FAILED, 1, 1, 0, 0, 0, Failure(error_pb2.ERROR_REASON_LINK_LOST))
    )
    assert ended.failure.reason == error_pb2.ERROR_REASON_LINK_LOST
    assert not ended.failure.allowed_actions


async def test_time_to_live_is_a_duration(client: Client, reader: Msr605Simulator) -> None:
    device = await register(client, reader)
    for wrong in (Duration(seconds=2, nanos=-1), Duration(seconds=1, nanos=1_000_000_000), Duration()):
        call = create(client, device, time_to_live=wrong)
        info = await refused(call, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
        assert info.metadata["field"] == "time_to_live"


async def test_port_that_is_taken_costs_no_request(
    settings: Settings, reader: Msr605Simulator, bearer: Any
) -> None:
    running = Server(settings)
    await running.start()
    async with aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
        client = Client(channel, bearer())
        device = await register(client, reader, pc_name="later-pc")
        database = settings.data_dir / "swipegate.db"
        with sqlite3.connect(database) as connection:  # a host that was here before
            connection.execute("INSERT INTO host VALUES ('later-pc', 1, 0)")
        connection.close()
        request = await create(client, device)
        await running.stop()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ServerError, match="cannot listen"):
            await Server(settings.model_copy(update={"listen": listen, "pc_name": "later-pc"})).start()
    with sqlite3.connect(database) as connection:
        row = connection.execute("SELECT card_request_id, state, epoch FROM card_request").fetchone()
    connection.close()
    assert row == (request.card_request_id, "QUEUED", None)
