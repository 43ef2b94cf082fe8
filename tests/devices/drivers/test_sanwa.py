"""What is the CRP-1231's own: its stock, its raw tracks, and that a job is never begun twice blindly."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from swipegate import core
from swipegate.core.symbols import pack, unpack
from swipegate.devices.drivers import create_reader
from swipegate.devices.errors import LinkLost, ReadCancelled, Reason, SettingsError
from swipegate.devices.protocols.sanwa import commands, responses
from swipegate.devices.protocols.sanwa.framing import framing
from swipegate.devices.reader import CardReader, ReadState
from swipegate.devices.simulators.cards import Bad, SimulatedCard
from swipegate.devices.simulators.faults import (
    Dribble,
    Duplicate,
    FlipBits,
    HangUp,
    Late,
    LoseByte,
    Replace,
    Silence,
    StopAfter,
)
from swipegate.devices.simulators.mechanism import Place
from swipegate.devices.simulators.sanwa import SanwaSimulator
from tests.devices.drivers.motorised import CARD, KINDS, QUICK_MOVEMENT, TRACK1, TRACK2, TRACK3
from tests.devices.drivers.reading import Reading, texts, until

# Most tests read a second card to prove that the device is well: the oldest versions run the others.
pytestmark = pytest.mark.slow


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[SanwaSimulator]:
    KINDS["sanwa"].quicken(monkeypatch)
    with SanwaSimulator(stock=[CARD, CARD, CARD]) as simulator:
        yield simulator


def create(simulator: SanwaSimulator, **settings: Any) -> CardReader:
    return create_reader("sanwa", simulator.url, {"poll": 0.02, "source": "stock", **settings})


@pytest.fixture
async def reader(simulator: SanwaSimulator) -> AsyncIterator[CardReader]:
    reader = create(simulator)
    yield reader
    await reader.close()


async def serves_next(simulator: SanwaSimulator, reader: CardReader) -> None:
    """The next card from the stock is read, and presented."""
    taken = len(simulator.mechanism.taken)
    assert texts(await Reading(reader).result()) == [TRACK1, TRACK2, TRACK3]
    await reader.release(accepted=True)
    await until(lambda: len(simulator.mechanism.taken) > taken)


def cards(simulator: SanwaSimulator) -> int:
    """All cards, wherever they are."""
    way = simulator.mechanism
    return len(simulator.stock) + len(way.taken) + (way.card is not None)


# Tracks.


@pytest.mark.parametrize("first_bit", ["low", "high"])
async def test_the_core_decodes_what_a_stripe_holds(simulator: SanwaSimulator, first_bit: str) -> None:
    simulator.lowest_bit_first = first_bit == "low"
    reader = create(simulator, first_bit=first_bit)
    result = await Reading(reader).result()
    assert [track.bit_count for track in result.tracks] == [552, 552, 552]
    decoded = core.decode(result.to_swipe())
    assert [track.text for track in decoded.tracks] == [TRACK1, TRACK2, TRACK3]
    assert decoded.card_number.card_number == "4111111111111111"
    result.wipe()
    assert not any(any(track.bits or b"") for track in result.tracks)
    await reader.close()


async def test_a_whole_stripe_comes_as_it_is(simulator: SanwaSimulator) -> None:
    stripe = bytes(range(1, 70))
    simulator.stock = [SimulatedCard(stripe, pack(unpack(stripe, lsb_first=True)), b"\xff" * 69)]
    reader = create(simulator)
    result = await Reading(reader).result()
    assert result.tracks[0].bits == stripe
    assert result.tracks[2].bits == b"\xff" * 69
    await reader.close()


async def test_all_tracks_are_read_in_one_pass(simulator: SanwaSimulator, reader: CardReader) -> None:
    await reader.probe()
    asked = len(simulator.received)
    await Reading(reader).result()
    heard = [command for command in simulator.received[asked:] if command != commands.STATUS]
    assert heard == [commands.CHECK_STOCK, commands.DISPENSE, commands.CANCEL, commands.read((1, 2, 3))]


@pytest.mark.parametrize("bad", [{1}, {2}, {3}, {1, 2}, {1, 3}, {2, 3}, {1, 2, 3}])
async def test_tracks_that_are_not_read_are_told_and_the_others_read(
    simulator: SanwaSimulator, reader: CardReader, bad: set[int]
) -> None:
    good = (TRACK1, TRACK2, TRACK3)
    tracks = [Bad.PARITY if number in bad else good[number - 1] for number in (1, 2, 3)]
    simulator.stock.insert(0, SimulatedCard(*tracks))
    result = await Reading(reader).result()
    assert {track.number for track in result.tracks if track.error is Reason.NOT_READ} == bad
    assert {track.device_code for track in result.tracks if track.error} == {f"P5{number}" for number in bad}


# Stock.


async def test_the_stock_goes_down_to_nothing(simulator: SanwaSimulator, reader: CardReader) -> None:
    reading = Reading(reader)
    await reading.result()
    assert reading.states == [ReadState.DISPATCHED, ReadState.FEEDING, ReadState.READING]
    await reader.release(accepted=True)
    await until(lambda: simulator.mechanism.taken == [CARD])
    await serves_next(simulator, reader)
    await serves_next(simulator, reader)
    asked = len(simulator.received)
    reading = Reading(reader)
    failure = await reading.fails()
    assert (failure.reason, failure.device_code) == (Reason.STOCK_EMPTY, "R30 P30 S35")
    assert reading.states == []
    assert commands.DISPENSE not in simulator.received[asked:]  # nothing was moved
    assert (await reader.probe()).details["stock"] == "EMPTY"
    simulator.stock.append(CARD)
    await serves_next(simulator, reader)


async def test_a_device_without_dispenser(simulator: SanwaSimulator, reader: CardReader) -> None:
    simulator.has_dispenser = False
    assert (await Reading(reader).fails()).reason is Reason.NO_DISPENSER
    assert (await reader.probe()).details["stock"] == "NO_DISPENSER"
    simulator.has_dispenser = True
    assert (await reader.probe()).details["stock"] == "PRESENT"
    await serves_next(simulator, reader)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("jam", Reason.JAM),
        ("motor", Reason.MOTOR),
        ("battery", Reason.POWER_DOWN),
        ("system", Reason.NOT_INITIALISED),
        ("no card", Reason.DESYNC),
        ("illegal", Reason.DESYNC),
        ("stock empty", Reason.STOCK_EMPTY),
        ("unnamed", Reason.PICK_FAILED),
    ],
)
async def test_a_pick_that_fails_is_told(
    simulator: SanwaSimulator, reader: CardReader, fault: str, reason: Reason
) -> None:
    simulator.fail_movement(fault)
    assert (await Reading(reader).fails()).reason is reason
    assert len(simulator.stock) == 3
    await serves_next(simulator, reader)


async def test_a_card_that_is_not_accepted_stays_inside_and_is_read_next(
    simulator: SanwaSimulator, reader: CardReader
) -> None:
    await Reading(reader).result()
    await reader.release(accepted=False)
    assert simulator.mechanism.place is Place.INSIDE
    reading = Reading(reader)
    await reading.result()
    assert reading.states == [ReadState.DISPATCHED, ReadState.READING]
    assert len(simulator.stock) == 2


@pytest.mark.parametrize("disposal", ["present", "leave"])
async def test_what_becomes_of_a_card_whose_request_is_cancelled(
    simulator: SanwaSimulator, disposal: str
) -> None:
    reader = create(simulator, after_failure=disposal)
    simulator.inject(Late(0.05), "response B01")
    reading = Reading(reader)
    await reading.reaches(ReadState.FEEDING)
    assert await reader.cancel()
    with pytest.raises(ReadCancelled):
        await reading.result()
    assert (simulator.mechanism.place is Place.INSIDE) == (disposal == "leave")
    await serves_next(simulator, reader)
    assert cards(simulator) == 3
    await reader.close()


async def test_a_task_that_is_cancelled_loses_no_card(simulator: SanwaSimulator, reader: CardReader) -> None:
    reading = Reading(reader)
    await reading.reaches(ReadState.FEEDING)
    reading.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading.result()
    await serves_next(simulator, reader)
    assert cards(simulator) == 3


# Faults of the line.

REPLIES = ["20", "B02", "B01", "40", "33016", "80"]
FAULTS = [
    Silence(),
    StopAfter(3),
    LoseByte(2),
    FlipBits(-1),
    Replace(b"\x00\xff"),
    Late(2 * QUICK_MOVEMENT),
    Duplicate(),
    Dribble(),
]


@pytest.mark.parametrize("reply", REPLIES)
async def test_a_fault_of_a_reply_is_overcome_and_no_card_fed_twice(
    simulator: SanwaSimulator, reader: CardReader, reply: str
) -> None:
    simulator.stock = [CARD] * len(FAULTS)
    await reader.open()
    for served, fault in enumerate(FAULTS, 1):
        simulator.inject(fault, f"response {reply}")
        await serves_next(simulator, reader)
        assert (len(simulator.mechanism.taken), cards(simulator)) == (served, len(FAULTS)), fault
        assert not simulator._faults[f"response {reply}"], fault


@pytest.mark.parametrize("reply", REPLIES)
async def test_a_command_whose_acknowledgement_is_lost_is_carried_out_once(
    simulator: SanwaSimulator, reader: CardReader, reply: str
) -> None:
    simulator.inject(Silence(), f"ack {reply}")
    await serves_next(simulator, reader)
    assert (len(simulator.stock), cards(simulator)) == (2, 3)


@pytest.mark.parametrize("reply", ["B01", "80"])
async def test_a_movement_that_is_never_answered_is_known_by_where_the_card_is(
    simulator: SanwaSimulator, reader: CardReader, reply: str
) -> None:
    simulator.inject(Silence(), f"response {reply}", times=1000)
    await serves_next(simulator, reader)
    assert (len(simulator.stock), cards(simulator)) == (2, 3)


@pytest.mark.parametrize("reply", ["20", "B02", "40", "33016"])
async def test_a_reply_that_never_comes_is_told_in_time(
    simulator: SanwaSimulator, reader: CardReader, reply: str
) -> None:
    await reader.probe()
    simulator.inject(Silence(), f"response {reply}", times=1000)
    async with asyncio.timeout(10):
        assert (await Reading(reader).fails()).reason in (Reason.RESPONSE_TIMEOUT, Reason.ACK_TIMEOUT)
    simulator._faults.clear()
    await serves_next(simulator, reader)
    assert cards(simulator) == 3


@pytest.mark.parametrize("reply", REPLIES)
async def test_a_line_that_hangs_up(simulator: SanwaSimulator, reader: CardReader, reply: str) -> None:
    await reader.probe()
    simulator.inject(HangUp(2), f"response {reply}")
    with pytest.raises(LinkLost):  # noqa: PT012
        async with asyncio.timeout(10):
            await Reading(reader).result()
            await reader.release(accepted=True)
    await reader.probe()
    await serves_next(simulator, reader)
    assert cards(simulator) == 3


@pytest.mark.parametrize(
    ("reply", "payload"),
    [
        ("33016", b"3100" + b"1" * 3 * 68),
        ("33016", b"3100"),
        ("20", b"\x20900"),
        ("B02", b"\xb0000"),
    ],
)
async def test_an_answer_that_makes_no_sense_is_told(
    simulator: SanwaSimulator, reader: CardReader, reply: str, payload: bytes
) -> None:
    await reader.probe()
    simulator.inject(Replace(framing().encode(payload)), f"response {reply}", times=20)
    assert (await Reading(reader).fails()).reason is Reason.DESYNC
    simulator._faults.clear()
    await serves_next(simulator, reader)
    assert cards(simulator) == 3


async def test_a_pseudo_terminal_serves_as_well(tmp_path: Path) -> None:
    with SanwaSimulator("pty", path=tmp_path / "reader", stock=[CARD]) as simulator:
        reader = create(simulator)
        await serves_next(simulator, reader)
        await reader.close()


# Settings.


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"after_read": "retain"}, "after_read"),
        ({"after_failure": "retain"}, "after_failure"),
        ({"card_left": "retain"}, "card_left"),
        ({"source": "sky"}, "source"),
        ({"model": "xr"}, "model"),
        ({"first_bit": "both"}, "first_bit"),
        ({"poll": "0"}, "poll"),
    ],
)
def test_a_setting_that_is_wrong_is_named(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(SettingsError) as failed:
        create_reader("sanwa", "socket://127.0.0.1:1", settings)
    assert failed.value.field == field


async def test_the_shutter_is_open_only_while_a_card_is_awaited() -> None:
    with KINDS["sanwa, shutter"].simulator() as simulator:
        assert isinstance(simulator, SanwaSimulator)
        reader = KINDS["sanwa, shutter"].create(simulator.url)
        reading = Reading(reader)
        await until(lambda: simulator.mechanism.entry)
        assert simulator.shutter_open
        simulator.insert(CARD)
        await reading.result()
        assert not simulator.shutter_open
        assert responses.BR_SHUTTER_CLOSED & simulator._r
        await reader.close()
