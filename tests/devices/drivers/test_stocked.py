"""A dispenser in front of a motorised reader's rear: its cards are read, and given to nobody unassigned."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest

from swipegate.devices.drivers import create_reader, motorised
from swipegate.devices.drivers.crt591 import Crt591Dispenser
from swipegate.devices.drivers.motorised import MotorisedReader
from swipegate.devices.drivers.sankyo import SankyoReader
from swipegate.devices.drivers.stocked import StockedReader
from swipegate.devices.errors import DeviceError, LinkLost, ReadCancelled, ReadExpired, Reason, SettingsError
from swipegate.devices.protocols.crt591 import commands
from swipegate.devices.protocols.crt591.dialect import dialect
from swipegate.devices.protocols.sankyo import commands as sankyo
from swipegate.devices.reader import CardReader, ReadState
from swipegate.devices.simulators.cards import Bad, SimulatedCard
from swipegate.devices.simulators.crt591 import Crt591Simulator
from swipegate.devices.simulators.faults import HangUp, Late, Silence
from swipegate.devices.simulators.mechanism import Place
from swipegate.devices.simulators.sankyo import SankyoSimulator
from tests.devices.drivers.motorised import CARD, KINDS, QUICK_ACK, TRACK1, TRACK2, TRACK3
from tests.devices.drivers.reading import Reading, texts, until

# Most tests read a second card to prove that the device is well: the oldest versions run the others.
pytestmark = pytest.mark.slow

UNREADABLE = SimulatedCard(Bad.PARITY, Bad.PARITY, Bad.PARITY)


@dataclass
class Pair:
    """The two machines, the dispenser's gate at the reader's rear."""

    reader: SankyoSimulator
    dispenser: Crt591Simulator

    def create(self, **settings: Any) -> CardReader:
        parts = {
            "reader": "sankyo",
            "dispenser": "crt591",
            "dispenser_port": self.dispenser.url,
            "poll": 0.02,
        }
        return create_reader("stocked", self.reader.url, parts | settings)

    @property
    def cards(self) -> int:
        """All cards, wherever they are."""
        ways = (self.reader.mechanism, self.dispenser.mechanism)
        return len(self.dispenser.stock) + sum(
            len(way.taken) + len(way.bin) + (way.card is not None) for way in ways
        )


async def permit_any_entry(reader: SankyoReader) -> None:
    reader._accept(await reader._ask(sankyo.ENABLE_ANY))


@pytest.fixture(params=["awaited", "permitted"])
def pair(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    """A reader whose rear is opened by a command that awaits the card, as its own is, or by one that does not."""
    if request.param == "permitted":
        monkeypatch.setattr(SankyoReader, "_feed_in", MotorisedReader._feed_in)
        monkeypatch.setattr(SankyoReader, "_permit_rear_entry", permit_any_entry)
    KINDS["sankyo"].quicken(monkeypatch)
    monkeypatch.setattr(SankyoSimulator, "rear_patience", 0.3)
    quick = replace(dialect(), ack_timeout=QUICK_ACK, gap=QUICK_ACK)
    monkeypatch.setattr("swipegate.devices.drivers.crt591.dialect", lambda _address: quick)
    monkeypatch.setattr(Crt591Dispenser, "dialect", quick)
    monkeypatch.setattr(motorised, "ARRIVAL_TIME", 0.3)
    with (
        SankyoSimulator() as reader,
        Crt591Simulator(stock=[CARD, CARD, CARD], outlet=reader.push_in) as dispenser,
    ):
        yield Pair(reader, dispenser)


@pytest.fixture
async def reader(pair: Pair) -> AsyncIterator[CardReader]:
    reader = pair.create()
    yield reader
    await reader.close()


async def serves_next(pair: Pair, reader: CardReader) -> None:
    """The next card from the stock is read, and presented."""
    taken = len(pair.reader.mechanism.taken)
    assert texts(await Reading(reader).result()) == [TRACK1, TRACK2, TRACK3]
    await reader.release(accepted=True)
    await until(lambda: len(pair.reader.mechanism.taken) > taken)


async def test_a_card_from_the_stock_is_read_and_presented(pair: Pair, reader: CardReader) -> None:
    reading = Reading(reader)
    assert texts(await reading.result()) == [TRACK1, TRACK2, TRACK3]
    assert reading.states == [ReadState.DISPATCHED, ReadState.FEEDING, ReadState.READING]
    assert len(pair.dispenser.stock) == 2
    assert not pair.reader.mechanism.rear_entry
    await reader.release(accepted=True)
    await until(lambda: pair.reader.mechanism.taken == [CARD])
    await serves_next(pair, reader)


@pytest.mark.parametrize("card", [CARD, UNREADABLE])
async def test_a_card_that_is_not_accepted_is_retained(
    pair: Pair, reader: CardReader, card: SimulatedCard
) -> None:
    pair.dispenser.stock.insert(0, card)
    assert (await Reading(reader).result()).readable == (card is CARD)
    await reader.release(accepted=False)
    assert pair.reader.mechanism.bin == [card]
    assert pair.reader.mechanism.taken == []
    await serves_next(pair, reader)


async def test_an_empty_stock_is_told_before_anything_moves(pair: Pair, reader: CardReader) -> None:
    await reader.probe()
    stock, pair.dispenser.stock = pair.dispenser.stock, []
    heard = len(pair.reader.received), len(pair.dispenser.received)
    reading = Reading(reader)
    assert (await reading.fails()).reason is Reason.STOCK_EMPTY
    assert reading.states == []
    assert set(pair.reader.received[heard[0] :]) == {b"C10"}
    assert set(pair.dispenser.received[heard[1] :]) == {commands.STATUS}
    pair.dispenser.stock = stock
    await serves_next(pair, reader)


async def test_a_low_stock_is_logged_and_probed(
    pair: Pair, reader: CardReader, caplog: pytest.LogCaptureFixture
) -> None:
    assert "warning" not in (await reader.probe()).details
    del pair.dispenser.stock[1:]
    report = await reader.probe()
    assert (report.details["stock"], report.details["warning"]) == ("LOW", "STOCK_LOW")
    assert report.details["dispenser"] == "CRT-591-M001"
    with caplog.at_level(logging.WARNING):
        await serves_next(pair, reader)
    assert [record.message for record in caplog.records] == [f"dispenser {pair.dispenser.url}: STOCK_LOW"]


@pytest.mark.parametrize("disposal", ["retain", "present", "leave"])
async def test_what_becomes_of_a_card_whose_request_is_cancelled(pair: Pair, disposal: str) -> None:
    reader = pair.create(after_failure=disposal, card_left=disposal)
    pair.dispenser.inject(Late(0.2), "response C21")
    reading = Reading(reader)
    await reading.reaches(ReadState.FEEDING)
    assert await reader.cancel()
    with pytest.raises(ReadCancelled):
        await reading.result()
    mechanism = pair.reader.mechanism
    assert mechanism.bin == ([CARD] if disposal == "retain" else [])
    assert (mechanism.place is Place.INSIDE) == (disposal == "leave")
    left = len(pair.dispenser.stock)
    await serves_next(pair, reader)
    assert left - len(pair.dispenser.stock) == (0 if disposal == "leave" else 1)
    assert pair.cards == 3
    await reader.close()


async def test_a_task_that_is_cancelled_leaves_a_card_that_nobody_gets(
    pair: Pair, reader: CardReader
) -> None:
    pair.dispenser.inject(Late(0.2), "response C29")
    reading = Reading(reader)
    await reading.reaches(ReadState.FEEDING)
    await until(lambda: pair.reader.mechanism.place is Place.INSIDE)
    reading.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading.result()
    await reader.probe()
    assert pair.reader.mechanism.bin == [CARD]
    await serves_next(pair, reader)


async def test_a_request_that_is_cancelled_while_the_stock_is_asked_moves_nothing(
    pair: Pair, reader: CardReader
) -> None:
    await reader.probe()
    asked = len(pair.dispenser.received)
    pair.dispenser.inject(Late(0.1), "response C10")
    reading = Reading(reader)
    await until(lambda: len(pair.dispenser.received) > asked)
    assert await reader.cancel()
    with pytest.raises(ReadCancelled):
        await reading.result()
    assert reading.states == []
    assert len(pair.dispenser.stock) == 3
    await serves_next(pair, reader)


async def test_a_full_bin_gives_no_card_away(pair: Pair, reader: CardReader) -> None:
    pair.reader.mechanism.bin.extend([UNREADABLE] * 99)
    await Reading(reader).result()
    with pytest.raises(DeviceError) as failed:
        await reader.release(accepted=False)
    assert failed.value.reason is Reason.RETAIN_FULL
    assert (await Reading(reader).fails()).reason is Reason.RETAIN_FULL
    assert pair.reader.mechanism.place is Place.INSIDE
    assert len(pair.dispenser.stock) == 2
    pair.reader.mechanism.bin.clear()
    await serves_next(pair, reader)
    assert pair.reader.mechanism.bin == [CARD]


async def test_a_deadline_that_passes_before_the_stock_is_touched(pair: Pair, reader: CardReader) -> None:
    with pytest.raises(ReadExpired):
        await Reading(reader, -1.0).result()
    assert len(pair.dispenser.stock) == 3
    await serves_next(pair, reader)


@pytest.mark.parametrize(("fault", "reason"), [("jam", Reason.JAM), ("not picked", Reason.PICK_FAILED)])
async def test_a_card_that_is_not_picked(pair: Pair, reader: CardReader, fault: str, reason: Reason) -> None:
    pair.dispenser.fail_movement(fault)
    assert (await Reading(reader).fails()).reason is reason
    assert not pair.reader.mechanism.rear_entry
    assert len(pair.dispenser.stock) == 3
    await serves_next(pair, reader)


@pytest.mark.parametrize("disposal", ["retain", "leave"])
async def test_a_card_that_stops_in_the_dispenser(pair: Pair, disposal: str) -> None:
    reader = pair.create(after_failure=disposal, card_left=disposal)
    pair.dispenser.outlet, outlet = lambda _card: False, pair.dispenser.outlet
    assert (await Reading(reader).fails()).reason is Reason.JAM
    assert pair.dispenser.mechanism.bin == ([CARD] if disposal == "retain" else [])
    assert (pair.dispenser.mechanism.place is Place.INSIDE) == (disposal == "leave")
    pair.dispenser.outlet = outlet
    await serves_next(pair, reader)
    assert pair.cards == 3
    await reader.close()


async def test_a_card_that_is_lost_on_its_way(pair: Pair, reader: CardReader) -> None:
    pair.dispenser.outlet, outlet = lambda _card: True, pair.dispenser.outlet
    assert (await Reading(reader).fails()).reason is Reason.PICK_FAILED
    assert not pair.reader.mechanism.rear_entry
    pair.dispenser.outlet = outlet
    await serves_next(pair, reader)


@pytest.mark.parametrize("command", ["C21", "C29"])
async def test_a_card_is_fed_once_though_the_answer_is_lost(
    pair: Pair, reader: CardReader, command: str
) -> None:
    pair.dispenser.inject(Silence(), f"response {command}", times=2)
    await serves_next(pair, reader)
    assert (len(pair.dispenser.stock), pair.cards) == (2, 3)


async def test_a_card_that_is_pulled_out_while_it_is_read(pair: Pair, reader: CardReader) -> None:
    pair.reader.vanish_on_read = True
    assert (await Reading(reader).fails()).reason is Reason.CARD_PULLED_OUT
    pair.reader.vanish_on_read = False
    await serves_next(pair, reader)


async def test_a_card_that_does_not_read_for_a_fault_of_the_reader_is_retained(
    pair: Pair, reader: CardReader
) -> None:
    pair.reader.inject(Silence(), "response C61", times=3)
    assert (await Reading(reader).fails()).reason is Reason.RESPONSE_TIMEOUT
    assert pair.reader.mechanism.bin == [CARD]
    await serves_next(pair, reader)


async def test_a_jam_that_leaves_a_card_inside_is_told_and_cleared_by_the_next_read(
    pair: Pair, reader: CardReader
) -> None:
    await Reading(reader).result()
    pair.reader.fail_movement("jam")
    with pytest.raises(DeviceError) as failed:
        await reader.release(accepted=False)
    assert failed.value.reason is Reason.JAM
    await serves_next(pair, reader)
    assert pair.reader.mechanism.bin == [CARD]


@pytest.mark.parametrize("machine", ["reader", "dispenser"])
async def test_a_plug_that_is_pulled(pair: Pair, reader: CardReader, machine: str) -> None:
    await reader.probe()
    plug = getattr(pair, machine)
    pair.dispenser.inject(Late(0.3), "response C29")
    reading = Reading(reader)
    await reading.reaches(ReadState.FEEDING)
    plug.unplug()
    assert isinstance(await reading.fails(), LinkLost)
    plug.replug()
    await reader.probe()
    assert (pair.reader.mechanism.place, pair.dispenser.mechanism.place) == (Place.NOWHERE, Place.NOWHERE)
    assert pair.reader.mechanism.taken == []
    await serves_next(pair, reader)
    assert pair.cards == 3


async def test_power_lost_between_reads(pair: Pair, reader: CardReader) -> None:
    await serves_next(pair, reader)
    pair.reader.power_cycle()
    pair.dispenser.power_cycle()
    await serves_next(pair, reader)


async def test_a_line_of_the_dispenser_that_hangs_up_loses_no_card(pair: Pair, reader: CardReader) -> None:
    for command in ("C10", "C21", "C29"):
        pair.dispenser.inject(HangUp(1), f"response {command}")
        with suppress(DeviceError):
            await Reading(reader).result()
            await reader.release(accepted=False)
    pair.dispenser._faults.clear()
    pair.dispenser.stock.append(CARD)
    await serves_next(pair, reader)
    assert pair.cards == 4


async def test_a_closed_device_serves_again_once_it_is_opened(pair: Pair, reader: CardReader) -> None:
    await reader.open()
    await reader.close()
    assert (await Reading(reader).fails()).reason is Reason.PORT_OPEN
    await reader.open()
    await serves_next(pair, reader)


def test_what_it_has() -> None:
    assert StockedReader.capabilities.has_stock
    settings = {"reader": "sankyo", "dispenser": "crt591", "dispenser_port": "socket://127.0.0.1:1"}
    assert StockedReader.line_for(settings) == KINDS["sankyo"].reader.line


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"reader": None}, "reader"),
        ({"reader": "absent"}, "reader"),
        ({"reader": "msr605"}, "reader"),
        ({"reader": "stocked"}, "reader"),
        ({"dispenser": "absent"}, "dispenser"),
        ({"dispenser_address": "x"}, "dispenser_address"),
        ({"dispenser_baud_rate": "1"}, "dispenser_baud_rate"),
        ({"dispenser_port": "spy://x"}, "dispenser_port"),
        ({"after_read": "eat"}, "after_read"),
        ({"absent": "1"}, "absent"),
    ],
)
async def test_a_setting_that_is_wrong_is_named(settings: dict[str, Any], field: str) -> None:
    parts = {"reader": "sankyo", "dispenser": "crt591", "dispenser_port": "socket://127.0.0.1:1"}
    wrong = {name: value for name, value in (parts | settings).items() if value is not None}
    with pytest.raises(SettingsError) as failed:
        create_reader("stocked", "socket://127.0.0.1:1", wrong)
    assert failed.value.field == field


@pytest.mark.parametrize("pair", ["awaited"], indirect=True)  # the other way opens the gate as well
async def test_no_person_slips_a_card_in_between(pair: Pair, reader: CardReader) -> None:
    person = SimulatedCard(track2=TRACK2)
    pair.reader.insert(person)
    await serves_next(pair, reader)
    assert person not in pair.reader.mechanism.taken
