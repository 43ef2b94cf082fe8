"""The host's worker against cancellation, expiry, faults and ends of the process at every moment."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from swipegate.devices import drivers
from swipegate.devices.errors import DeviceError, LinkLost, ReadExpired, Reason
from swipegate.devices.reader import ReadResult, ReadState, TrackRead
from swipegate.domain.card_request import TERMINAL, CardRequest, State
from swipegate.domain.device import Device
from swipegate.domain.errors import name
from swipegate.host import local, worker
from swipegate.v1 import error_pb2
from tests.host.house import House
from tests.host.scripted import PAN, Reported, Script, ScriptedReader, card, nothing, waits

S = State


@asynccontextmanager
async def housed(path: Path) -> AsyncIterator[House]:
    house = House(path)
    house.database.open()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, house.database.close)
        await house.devices.create(
            Device(0, "one", "test-pc", "scripted", "loop://", card_formats=("iso7813-track2",))
        )
        await house.host.start()
        stack.push_async_callback(lambda: house.host.stop())
        yield house


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    monkeypatch.setitem(drivers.BUILT_IN, "scripted", ("tests.host.scripted", "ScriptedReader"))
    monkeypatch.setattr(worker, "POLL", 0.05)
    monkeypatch.setattr(worker, "OPEN_TIMEOUT", 0.3)
    monkeypatch.setattr(local, "RESTART_DELAY", 0.05)
    script = Script()
    monkeypatch.setattr(ScriptedReader, "script", script)
    return script


@pytest.fixture
async def house(script: Script, tmp_path: Path) -> AsyncIterator[House]:
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    async with housed(tmp_path / "swipegate.db") as house:
        yield house
    assert not faults
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not [task for task in others if "swipegate" in repr(task)]


async def serves_next(house: House, script: Script) -> None:
    """The device reads the next card as if nothing had been."""
    script.open = script.cancel = script.probe = script.close = script.release = nothing
    script.read = reads
    await house.until(await house.request(), S.SUCCEEDED)


async def reads(on_state: Reported) -> ReadResult:
    on_state(ReadState.DISPATCHED)
    on_state(ReadState.WAITING_FOR_CARD)
    await asyncio.sleep(0)
    on_state(ReadState.READING)
    return card()


async def reads_a_stranger(on_state: Reported) -> ReadResult:
    on_state(ReadState.DISPATCHED)
    return ReadResult([TrackRead(2, text=bytearray(b";12=34?"))], "30")


async def hangs() -> None:
    await asyncio.Event().wait()


def fails(error: Exception) -> Callable[..., Awaitable[Any]]:
    async def step(on_state: Reported | None = None) -> Any:
        if on_state is not None:
            on_state(ReadState.DISPATCHED)
        raise error

    return step


async def test_card_is_read(house: House, script: Script) -> None:
    await serves_next(house, script)


async def test_unexpected_fault_of_a_driver_fails_the_request_and_tells_nothing(
    house: House, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    script.read = fails(ValueError(f"cannot read ;{PAN}=3012"))
    ended = await house.until(await house.request(), S.FAILED)
    assert ended.failure is not None
    assert ended.failure.reason == error_pb2.ERROR_REASON_INTERNAL
    assert "ValueError" in caplog.text
    assert PAN not in caplog.text
    await serves_next(house, script)


@pytest.mark.parametrize("step", ["open", "probe", "close", "cancel", "release"])
async def test_unexpected_fault_in_any_step_leaves_no_request_stuck(
    house: House, script: Script, step: str, caplog: pytest.LogCaptureFixture
) -> None:
    setattr(script, step, fails(RuntimeError(PAN)))
    if step in ("probe", "close"):
        script.read = fails(LinkLost("gone"))
    if step == "release":
        script.read = reads
    request = await house.request()
    if step == "cancel":
        await house.until(request, S.WAITING_FOR_CARD)
        await house.requests.cancel(request.card_request_id, 1)
    ended = await house.until(request, S.NEEDS_ACTION, *TERMINAL)
    if ended.state is S.NEEDS_ACTION:
        await house.requests.cancel(request.card_request_id, 1)
    assert PAN not in caplog.text
    await serves_next(house, script)


async def test_card_is_let_go_before_success_is_told_and_told_whether_it_was_wanted(
    house: House, script: Script
) -> None:
    await serves_next(house, script)
    script.read = reads_a_stranger
    await house.until(await house.request(), S.NEEDS_ACTION)
    assert script.accepted == [True, False]


async def test_a_failed_read_lets_go_of_the_card_it_may_hold(house: House, script: Script) -> None:
    script.read = fails(DeviceError(Reason.PARITY, device_code="20"))
    script.release = fails(DeviceError(Reason.JAM))
    request = await house.request()
    ended = await house.until(request, S.NEEDS_ACTION)
    assert ended.failure is not None
    assert name(ended.failure.reason) == "PARITY"
    assert script.accepted == [False]
    await house.requests.cancel(request.card_request_id, 1)
    await serves_next(house, script)


async def test_a_card_that_was_faster_than_the_cancellation_is_not_accepted(
    house: House, script: Script
) -> None:
    came = asyncio.Event()

    async def reads_late(on_state: Reported) -> ReadResult:
        on_state(ReadState.DISPATCHED)
        on_state(ReadState.WAITING_FOR_CARD)
        await came.wait()
        return card()

    async def too_late() -> None:
        came.set()
        await asyncio.sleep(0.05)

    script.read, script.cancel = reads_late, too_late
    request = await house.request()
    await house.until(request, S.WAITING_FOR_CARD)
    await house.requests.cancel(request.card_request_id, 1)
    await house.until(request, S.CANCELLED)
    assert script.accepted == [False]
    await serves_next(house, script)


@pytest.mark.parametrize(
    ("error", "end", "calls"),
    [
        (DeviceError(Reason.JAM, device_code="10"), S.NEEDS_ACTION, ["open", "read", "close"]),
        (DeviceError(Reason.MOTOR), S.FAILED, ["open", "read", "close"]),
        (LinkLost("gone"), S.NEEDS_ACTION, ["open", "read", "close", "open", "probe"]),
    ],
)
async def test_a_card_that_is_stuck_is_no_success(
    house: House, script: Script, error: DeviceError, end: State, calls: list[str]
) -> None:
    script.read = reads
    script.release = fails(error)
    request = await house.request()
    ended = await house.until(request, S.NEEDS_ACTION, *TERMINAL)
    assert ended.state is end
    assert ended.failure is not None
    assert name(ended.failure.reason) == error.reason
    assert script.calls == calls
    if end is S.NEEDS_ACTION:
        await house.requests.cancel(request.card_request_id, 1)
    await serves_next(house, script)


async def test_lost_link_is_unknown_until_the_device_was_asked(house: House, script: Script) -> None:
    script.read = fails(LinkLost("gone"))
    request = await house.request()
    stuck = await house.until(request, S.NEEDS_ACTION)
    assert stuck.failure is not None
    assert stuck.failure.reason == error_pb2.ERROR_REASON_LINK_LOST
    assert script.calls == ["open", "read", "close", "open", "probe"]
    await house.requests.cancel(request.card_request_id, 1)
    assert await house.states(request) == [S.DISPATCHED, S.UNKNOWN, S.NEEDS_ACTION, S.CANCELLED]


async def test_failure_before_the_device_was_told_needs_no_asking(house: House, script: Script) -> None:
    script.open = fails(DeviceError(Reason.PORT_OPEN))
    await house.until(await house.request(), S.NEEDS_ACTION)
    assert "probe" not in script.calls


async def test_a_port_that_was_open_gets_a_while_to_come_back(
    house: House, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "REOPEN_PAUSE", 0.01)
    await serves_next(house, script)
    script.calls.clear()
    missing = iter([True, True, True, False])

    async def comes_back() -> None:
        if next(missing, False):
            raise DeviceError(Reason.PORT_OPEN, "no such port")

    script.open, script.read = comes_back, fails(LinkLost("gone"))
    request = await house.request()
    await house.until(request, S.NEEDS_ACTION)
    assert script.calls == ["read", "close", "open", "open", "open", "open", "probe"]
    await house.requests.cancel(request.card_request_id, 1)
    await serves_next(house, script)


async def test_a_port_that_stays_away_is_given_up(
    house: House, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "REOPEN_PAUSE", 0.01)
    monkeypatch.setattr(worker, "REOPEN_TIME", 0.1)
    await serves_next(house, script)
    script.open, script.read = fails(DeviceError(Reason.PORT_OPEN)), fails(LinkLost("gone"))
    request = await house.request()
    await house.until(request, S.NEEDS_ACTION)
    assert 3 <= script.calls.count("open") <= 10
    assert "probe" not in script.calls
    await house.requests.cancel(request.card_request_id, 1)
    await serves_next(house, script)


async def test_cancellation_is_not_confirmed_by_a_lost_link(house: House, script: Script) -> None:
    async def lost_when_cancelled() -> None:
        raise LinkLost("gone")

    release = asyncio.Event()

    async def reads_on(on_state: Reported) -> ReadResult:
        on_state(ReadState.DISPATCHED)
        on_state(ReadState.WAITING_FOR_CARD)
        await release.wait()
        raise LinkLost("gone")

    script.read = reads_on
    script.cancel = lost_when_cancelled
    script.probe = fails(DeviceError(Reason.ACK_TIMEOUT))
    request = await house.request()
    await house.until(request, S.WAITING_FOR_CARD)
    await house.requests.cancel(request.card_request_id, 1)
    release.set()
    ended = await house.until(request, S.NEEDS_ACTION, S.CANCELLED, S.FAILED)
    assert ended.state is not S.CANCELLED


async def test_driver_that_hangs_past_its_deadline(house: House, script: Script) -> None:
    request = await house.request(seconds=1)
    ended = await house.until(request, S.EXPIRED)
    assert ended.failure is None
    await serves_next(house, script)


async def test_driver_that_cannot_be_stopped_is_abandoned(house: House, script: Script) -> None:
    script.cancel = hangs
    script.probe = hangs
    request = await house.request(seconds=1)
    ended = await house.until(request, S.FAILED)
    assert ended.failure is not None
    assert ended.failure.reason == error_pb2.ERROR_REASON_RESPONSE_TIMEOUT
    await serves_next(house, script)


async def test_states_out_of_order_do_not_cost_the_card(house: House, script: Script) -> None:
    async def confused(on_state: Reported) -> ReadResult:
        for state in (ReadState.DISPATCHED, ReadState.READING, ReadState.WAITING_FOR_CARD):
            on_state(state)
        return card()

    script.read = confused
    await house.until(await house.request(), S.SUCCEEDED)


async def test_failed_look_for_a_cancellation_stops_no_read(
    house: House, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = asyncio.Event()
    looks, looked_again = 0, asyncio.Event()
    get = house.requests.get

    async def fails_first(key: str) -> CardRequest:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise OSError("disk")
        looked_again.set()
        return await get(key)

    async def reads_late(on_state: Reported) -> ReadResult:
        on_state(ReadState.DISPATCHED)
        await go.wait()
        return card()

    script.read = reads_late
    monkeypatch.setattr(house.requests, "get", fails_first)
    request = await house.request()
    await looked_again.wait()
    go.set()
    await house.until(request, S.SUCCEEDED)


@pytest.mark.parametrize("moment", range(0, 40, 2))
async def test_cancel_at_every_moment(house: House, script: Script, moment: int) -> None:
    await at_every_moment(house, script, moment, lambda request: _cancel(house, request))


@pytest.mark.parametrize("moment", range(0, 40, 2))
async def test_stop_at_every_moment(house: House, script: Script, moment: int) -> None:
    async def stop(_request: CardRequest) -> None:
        async with asyncio.timeout(5):
            await house.host.stop()

    request = await at_every_moment(house, script, moment, stop)
    found = await house.requests.get(request.card_request_id)
    claimed = found.epoch is not None
    assert found.state in (S.SUCCEEDED, S.NEEDS_ACTION) or (found.state is S.QUEUED and not claimed)
    house.host = house.new_host()
    await house.host.start()
    if found.state is S.QUEUED:
        script.read = reads
        await house.until(request, S.SUCCEEDED)
    elif found.state is S.NEEDS_ACTION:
        await house.requests.cancel(request.card_request_id, 1)
    await serves_next(house, script)


async def at_every_moment(
    house: House, script: Script, moment: int, do: Callable[[CardRequest], Awaitable[None]]
) -> CardRequest:
    """Do something `moment` turns of the loop after a request was made, whose read takes some turns itself."""

    async def slow(on_state: Reported) -> ReadResult:
        for state in (ReadState.DISPATCHED, ReadState.WAITING_FOR_CARD, ReadState.READING):
            on_state(state)
            await asyncio.sleep(0.002)
        return card()

    async def opens() -> None:
        await asyncio.sleep(0.002)

    script.read, script.open = slow, opens
    request = await house.request()
    for _ in range(moment):
        await asyncio.sleep(0.0005)
    await do(request)
    return request


async def _cancel(house: House, request: CardRequest) -> None:
    try:
        await house.requests.cancel(request.card_request_id, 1)
    except Exception:
        assert (await house.requests.get(request.card_request_id)).state is S.SUCCEEDED
        return
    assert (await house.until(request, *TERMINAL)).state is S.CANCELLED


async def test_expiry_reported_by_the_driver(house: House, script: Script) -> None:
    script.read = fails(ReadExpired())
    await house.until(await house.request(), S.EXPIRED)


async def test_driver_that_was_uninstalled(
    house: House, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.host.stop()
    script.read = waits
    monkeypatch.delitem(drivers.BUILT_IN, "scripted")
    house.host = house.new_host()
    await house.host.start()
    await house.until(await house.request(), S.FAILED)


async def test_orphan_whose_driver_was_uninstalled(
    house: House, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.host.stop()
    request = await house.request()
    epoch = await house.devices.attach("test-pc")
    claimed = await house.requests.claim(1, "test-pc", epoch)
    assert claimed is not None
    await house.requests.report(claimed, S.DISPATCHED)
    monkeypatch.delitem(drivers.BUILT_IN, "scripted")
    house.host = house.new_host()
    await house.host.start()
    await house.until(request, S.FAILED)


async def test_failed_look_for_devices_is_not_the_last(
    house: House, script: Script, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    monkeypatch.setattr(local, "POLL", 0.02)
    await house.host.stop()
    of_pc, failed = house.devices.of_pc, asyncio.Event()

    async def fails_once(pc_name: str) -> list[Device]:
        if not failed.is_set():
            failed.set()
            raise OSError("disk")
        return await of_pc(pc_name)

    monkeypatch.setattr(house.devices, "of_pc", fails_once)
    house.host = house.new_host()
    await house.host.start()
    await serves_next(house, script)
    assert failed.is_set()
