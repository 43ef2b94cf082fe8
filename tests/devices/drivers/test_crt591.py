"""The CRT-591 against its simulator on a real socket: its stock, its movements, and what stands in their way."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from swipegate.devices.dispenser import Dispenser, Stock, StockLevel
from swipegate.devices.drivers import handshake_device
from swipegate.devices.drivers.crt591 import Crt591Dispenser
from swipegate.devices.drivers.dispensers import create_dispenser
from swipegate.devices.errors import DeviceError, LinkLost, Reason, SettingsError
from swipegate.devices.protocols.crt591 import commands, responses
from swipegate.devices.protocols.crt591.dialect import dialect
from swipegate.devices.protocols.crt591.errors import ERRORS
from swipegate.devices.simulators.crt591 import FAULTS, Crt591Simulator
from swipegate.devices.simulators.faults import Fault, FlipBits, HangUp, Late, Replace, Silence, StopAfter
from swipegate.devices.simulators.mechanism import Place
from tests.devices.drivers.motorised import CARD, QUICK_ACK, QUICK_MOVEMENT, QUICK_QUESTION

# Most tests read a second card to prove that the device is well: the oldest versions run the others.
pytestmark = pytest.mark.slow

SPECIFIED = [
    *("00", "01", "02", "03", "04", "05", "10", "12", "13", "14"),
    *("40", "41", "43", "45", "50", "51", "60", "69", "A0", "A1", "B0"),
]


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Crt591Simulator]:
    monkeypatch.setattr(handshake_device, "QUESTION_TIME", QUICK_QUESTION)
    monkeypatch.setattr(handshake_device, "MOVEMENT_TIME", QUICK_MOVEMENT)
    quick = replace(dialect(), ack_timeout=QUICK_ACK, gap=QUICK_ACK)
    monkeypatch.setattr("swipegate.devices.drivers.crt591.dialect", lambda _address: quick)
    monkeypatch.setattr(Crt591Dispenser, "dialect", quick)
    with Crt591Simulator(stock=[CARD, CARD]) as simulator:
        yield simulator


@pytest.fixture
async def dispenser(simulator: Crt591Simulator) -> AsyncIterator[Dispenser]:
    dispenser = create_dispenser("crt591", simulator.url, {})
    yield dispenser
    await dispenser.close()


async def serves_next(simulator: Crt591Simulator, dispenser: Dispenser) -> None:
    """One card, and just one, goes out."""
    simulator.stock.append(CARD)
    before = len(simulator.mechanism.taken)
    async with asyncio.timeout(10):
        await dispenser.feed()
    assert len(simulator.mechanism.taken) == before + 1
    assert simulator.mechanism.place is Place.NOWHERE


async def refused(dispenser: Dispenser, movement: str) -> DeviceError:
    with pytest.raises(DeviceError) as failed:
        async with asyncio.timeout(10):
            await getattr(dispenser, movement)()
    return failed.value


async def test_the_stock_goes_down_to_nothing(simulator: Crt591Simulator, dispenser: Dispenser) -> None:
    levels = []
    for _ in range(2):
        levels.append((await dispenser.stock()).level)
        await dispenser.feed()
    assert levels == [StockLevel.ENOUGH, StockLevel.LOW]
    assert await dispenser.stock() == Stock(StockLevel.EMPTY, bin_full=False, card_picked=False)
    assert simulator.mechanism.taken == [CARD, CARD]
    received = len(simulator.received)
    failure = await refused(dispenser, "feed")
    assert failure.reason is Reason.STOCK_EMPTY
    assert simulator.received[received:] == [commands.STATUS]  # nothing was moved
    await serves_next(simulator, dispenser)


async def test_a_card_is_picked_once_and_then_fed(simulator: Crt591Simulator, dispenser: Dispenser) -> None:
    for _ in range(2):
        await dispenser.pick()
    assert (await dispenser.stock()).card_picked
    assert len(simulator.stock) == 1
    await dispenser.feed()
    assert (len(simulator.stock), simulator.mechanism.taken) == (1, [CARD])


async def test_a_stock_that_is_taken_away_meanwhile(simulator: Crt591Simulator, dispenser: Dispenser) -> None:
    await dispenser.open()
    simulator.fail_movement("stock empty")
    failure = await refused(dispenser, "feed")
    assert (failure.reason, failure.device_code) == (Reason.STOCK_EMPTY, "A0")
    await serves_next(simulator, dispenser)


@pytest.mark.parametrize(
    ("fault", "reason"), [(fault, ERRORS[code]) for fault, code in FAULTS.items() if fault != "no card"]
)
async def test_a_movement_that_fails_is_told_and_no_card_is_lost(
    simulator: Crt591Simulator, dispenser: Dispenser, fault: str, reason: Reason
) -> None:
    simulator.fail_movement(fault)
    failure = await refused(dispenser, "feed")
    assert failure.reason is reason
    assert failure.device_code == FAULTS[fault]
    assert len(simulator.stock) == 2
    await serves_next(simulator, dispenser)


async def test_a_card_that_does_not_go_out_goes_out_next(
    simulator: Crt591Simulator, dispenser: Dispenser
) -> None:
    simulator.outlet, outlet = lambda _card: False, simulator.outlet
    assert (await refused(dispenser, "feed")).reason is Reason.JAM
    assert (await dispenser.stock()).card_picked
    simulator.outlet = outlet
    await serves_next(simulator, dispenser)
    assert len(simulator.stock) == 2  # of two and one: no second card was picked


async def test_a_card_that_was_picked_is_presented_or_retained(
    simulator: Crt591Simulator, dispenser: Dispenser
) -> None:
    for movement in ("present", "retain"):
        assert (await refused(dispenser, movement)).reason is Reason.PICK_FAILED
    simulator.mechanism.removal_time = None
    simulator.put_inside(CARD)
    await dispenser.present()
    assert simulator.mechanism.place is Place.GATE
    simulator.put_inside(CARD)
    await dispenser.retain()
    assert simulator.mechanism.bin == [CARD]


async def test_a_full_bin(simulator: Crt591Simulator, dispenser: Dispenser) -> None:
    simulator.mechanism.bin.extend([CARD] * 99)
    assert (await dispenser.stock()).bin_full
    simulator.put_inside(CARD)
    failure = await refused(dispenser, "retain")
    assert (failure.reason, failure.device_code) == (Reason.RETAIN_FULL, "A1")
    assert (await dispenser.probe()).card_inside
    await serves_next(simulator, dispenser)


async def test_a_device_that_was_not_reset_is_initialised_and_its_card_left_in_place(
    simulator: Crt591Simulator, dispenser: Dispenser
) -> None:
    await dispenser.stock()
    simulator.put_inside(CARD)
    simulator.power_cycle()
    assert (await dispenser.stock()).card_picked
    assert simulator.received.count(commands.initialise(commands.AS_IT_IS)) == 2


async def test_a_device_that_awaits_the_speed_of_the_line_is_initialised(
    simulator: Crt591Simulator, dispenser: Dispenser
) -> None:
    for _ in range(2):
        simulator.power_cycle()
        simulator.deaf = True
        await serves_next(simulator, dispenser)


async def test_probe_tells_what_it_is_and_that_the_stock_is_low(
    simulator: Crt591Simulator, dispenser: Dispenser
) -> None:
    report = await dispenser.probe()
    assert report.card_inside is False
    assert report.details == {"dispenser": "CRT-591-M001", "stock": "ENOUGH", "bin": "not full"}
    simulator.stock.pop()
    assert (await dispenser.probe()).details["warning"] == "STOCK_LOW"


@pytest.mark.parametrize("command", ["C21", "C29"])
@pytest.mark.parametrize(
    "fault", [Silence(), StopAfter(3), FlipBits(-1), Late(2 * QUICK_MOVEMENT), Replace(b"\x00\xff")]
)
async def test_a_movement_whose_answer_is_lost_is_never_done_twice(
    simulator: Crt591Simulator, dispenser: Dispenser, command: str, fault: Fault
) -> None:
    simulator.inject(fault, f"response {command}", times=3)
    async with asyncio.timeout(10):
        await dispenser.feed()
    assert simulator.mechanism.taken == [CARD]
    assert len(simulator.stock) == 1
    await serves_next(simulator, dispenser)


@pytest.mark.parametrize("command", ["C10", "C21", "C29"])
async def test_a_line_that_hangs_up(simulator: Crt591Simulator, dispenser: Dispenser, command: str) -> None:
    await dispenser.stock()
    simulator.inject(HangUp(2), f"response {command}")
    assert isinstance(await refused(dispenser, "feed"), LinkLost)
    before = len(simulator.mechanism.taken) + len(simulator.stock) + (simulator.mechanism.card is not None)
    await serves_next(simulator, dispenser)
    after = len(simulator.mechanism.taken) + len(simulator.stock)
    assert (before, after) == (2, 3)


async def test_silence_ends_and_is_told(simulator: Crt591Simulator, dispenser: Dispenser) -> None:
    await dispenser.stock()
    simulator.inject(Silence(), "ack", times=100)
    simulator.inject(Silence(), "echo", times=100)
    failure = await refused(dispenser, "stock")
    assert failure.reason in (Reason.ACK_TIMEOUT, Reason.RESPONSE_TIMEOUT)
    simulator._faults.clear()
    await serves_next(simulator, dispenser)


async def test_a_status_that_makes_no_sense_is_told(simulator: Crt591Simulator, dispenser: Dispenser) -> None:
    await dispenser.stock()
    nonsense = dialect().framing().encode(b"P10090")
    simulator.inject(Replace(nonsense), "response C10", times=20)
    simulator.inject(Replace(dialect().framing().encode(b"P03090")), "response C03")
    assert (await refused(dispenser, "feed")).reason is Reason.DESYNC
    simulator._faults.clear()
    await serves_next(simulator, dispenser)


async def test_a_pseudo_terminal_serves_as_well(tmp_path: Path) -> None:
    with Crt591Simulator("pty", path=tmp_path / "dispenser") as simulator:
        dispenser = create_dispenser("crt591", simulator.url, {})
        await serves_next(simulator, dispenser)
        await dispenser.close()


async def test_one_call_at_a_time(dispenser: Dispenser) -> None:
    feeding = asyncio.create_task(dispenser.feed())
    await asyncio.sleep(0)
    for movement in ("stock", "pick", "feed", "present", "retain", "probe"):
        assert (await refused(dispenser, movement)).reason is Reason.DEVICE_BUSY
    await feeding


async def test_a_closed_dispenser_serves_no_more_until_it_is_opened(
    simulator: Crt591Simulator, dispenser: Dispenser
) -> None:
    await dispenser.close()
    assert (await refused(dispenser, "feed")).reason is Reason.PORT_OPEN
    await dispenser.open()
    await serves_next(simulator, dispenser)


def test_every_specified_code_has_its_reason() -> None:
    assert set(SPECIFIED) <= set(ERRORS)
    assert set(FAULTS.values()) <= set(ERRORS)


def test_both_printed_heads_of_a_negative_response_are_taken() -> None:
    for head in (b"N", b"E"):
        response = responses.parse(head + b"21A0")
        assert (response.positive, response.code) == (False, "A0")
        assert dialect().answers(b"C21", head + b"21A0")


@pytest.mark.parametrize("text", [b"", b"P", b"P1002", b"N10", b"C10000", b"P10\xff00", b"\x00" * 9])
def test_what_is_no_response_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"^a response has no head$"):
        responses.parse(text)


def test_settings_that_are_wrong_are_named() -> None:
    url = "socket://127.0.0.1:1"
    for settings, name in (({"address": 256}, "address"), ({"baud_rate": 1}, "baud_rate"), ({"x": 1}, "x")):
        with pytest.raises(SettingsError, match=f"^{name}: "):
            create_dispenser("crt591", url, settings)
    with pytest.raises(SettingsError, match=r"^dispenser: 'x' is none of crt591$"):
        create_dispenser("x", url, {})
