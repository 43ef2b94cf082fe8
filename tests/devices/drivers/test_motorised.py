"""What holds for every motorised reader, against its simulator on a real socket."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from swipegate.devices.errors import (
    DeviceError,
    LinkLost,
    ReadCancelled,
    ReadExpired,
    Reason,
    SettingsError,
)
from swipegate.devices.reader import CardReader, ReadState
from swipegate.devices.simulators.card_machine import CardMachine
from swipegate.devices.simulators.cards import Bad, SimulatedCard
from swipegate.devices.simulators.mechanism import Place
from tests.devices.drivers.motorised import CARD, KINDS, TRACK1, TRACK2, TRACK3, Kind
from tests.devices.drivers.reading import Reading, serves_next, texts, until

# Most tests read a second card to prove that the device is well: the oldest versions run the others.
pytestmark = pytest.mark.slow


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Kind:
    kind: Kind = request.param
    kind.quicken(monkeypatch)
    return kind


@pytest.fixture
def simulator(kind: Kind) -> Iterator[CardMachine]:
    with kind.simulator() as simulator:
        yield simulator


@pytest.fixture
async def reader(kind: Kind, simulator: CardMachine) -> AsyncIterator[CardReader]:
    reader = kind.create(simulator.url)
    yield reader
    await reader.close()


def require_bin(kind: Kind) -> None:
    if not kind.reader.capabilities.can_retain:
        with pytest.raises(SettingsError):
            kind.create("socket://127.0.0.1:1", after_read="retain")
        pytest.skip("it has no bin, and says so")


async def test_card_is_taken_in_read_and_presented(simulator: CardMachine, reader: CardReader) -> None:
    reading = Reading(reader)
    await reading.reaches(ReadState.WAITING_FOR_CARD)
    simulator.insert(CARD)
    result = await reading.result()
    assert reading.states == [ReadState.DISPATCHED, ReadState.WAITING_FOR_CARD, ReadState.READING]
    assert texts(result) == [TRACK1, TRACK2, TRACK3]
    assert not simulator.mechanism.entry
    assert simulator.mechanism.place is Place.INSIDE
    await reader.release(accepted=True)
    assert simulator.mechanism.taken == [CARD] or simulator.mechanism.place is Place.GATE
    await serves_next(simulator, reader)


async def test_tracks_that_are_not_asked_for_are_not_read(kind: Kind, simulator: CardMachine) -> None:
    reader = kind.create(simulator.url, tracks="2")
    simulator.insert(CARD)
    result = await Reading(reader).result()
    assert [track.number for track in result.tracks] == [2]
    await reader.close()


@pytest.mark.parametrize("bad", [*Bad, None])
async def test_a_bad_track_is_told_and_the_others_read(
    simulator: CardMachine, reader: CardReader, bad: Bad | None
) -> None:
    simulator.insert(SimulatedCard(TRACK1, TRACK2, bad))
    result = await Reading(reader).result()
    assert texts(result)[:2] == [TRACK1, TRACK2]
    assert result.tracks[2].error in (bad.value if bad else Reason.NO_ENCODING, Reason.NOT_READ)
    assert result.tracks[2].device_code
    assert result.tracks[2].device_code in result.device_code.split()


async def test_cancellation_before_a_card(simulator: CardMachine, reader: CardReader) -> None:
    reading = Reading(reader)
    await reading.reaches(ReadState.WAITING_FOR_CARD)
    assert await reader.cancel()
    with pytest.raises(ReadCancelled):
        await reading.result()
    assert not simulator.mechanism.entry
    await serves_next(simulator, reader)


async def test_expiry(simulator: CardMachine, reader: CardReader) -> None:
    with pytest.raises(ReadExpired):
        await Reading(reader, 0.2).result()
    assert not simulator.mechanism.entry
    await serves_next(simulator, reader)


async def test_a_cancelled_task_leaves_no_reader_that_takes_cards(
    simulator: CardMachine, reader: CardReader
) -> None:
    reading = Reading(reader)
    await reading.reaches(ReadState.WAITING_FOR_CARD)
    await until(lambda: simulator.mechanism.entry)
    reading.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading.result()
    await until(lambda: not simulator.mechanism.entry)
    await serves_next(simulator, reader)


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("disposal", ["present", "retain", "leave"])
async def test_what_becomes_of_a_card(
    kind: Kind, simulator: CardMachine, accepted: bool, disposal: str
) -> None:
    if disposal == "retain":
        require_bin(kind)
    reader = kind.create(simulator.url, **{"after_read" if accepted else "after_failure": disposal})
    simulator.insert(CARD)
    await Reading(reader).result()
    await reader.release(accepted=accepted)
    mechanism = simulator.mechanism
    assert (mechanism.place is Place.INSIDE) == (disposal == "leave")
    assert mechanism.bin == ([CARD] if disposal == "retain" else [])
    await reader.close()


async def test_there_may_be_no_card_to_let_go_of(simulator: CardMachine, reader: CardReader) -> None:
    await reader.open()
    await reader.probe()
    await reader.release(accepted=False)
    await serves_next(simulator, reader)


@pytest.mark.parametrize("policy", ["present", "retain", "leave"])
async def test_a_card_left_inside_is_dealt_with_as_the_settings_say(
    kind: Kind, simulator: CardMachine, policy: str
) -> None:
    if policy == "retain":
        require_bin(kind)
    reader = kind.create(simulator.url, card_left=policy)
    await reader.probe()
    simulator.put_inside(CARD)
    if policy == "leave":
        assert (await Reading(reader).fails()).reason is Reason.CARD_LEFT_AT_GATE
        assert (await reader.probe()).card_inside
        simulator.pull_out()
    await serves_next(simulator, reader)
    assert simulator.mechanism.bin == ([CARD] if policy == "retain" else [])
    await reader.close()


async def test_a_card_that_nobody_takes_is_in_the_way(kind: Kind, simulator: CardMachine) -> None:
    reader = kind.create(simulator.url, removal_time=0.2)
    simulator.mechanism.removal_time = None
    simulator.insert(CARD)
    await Reading(reader).result()
    await reader.release(accepted=True)
    assert (await Reading(reader).fails()).reason is Reason.CARD_LEFT_AT_GATE
    with pytest.raises(ReadExpired):
        await Reading(reader, 0.1).result()
    simulator.mechanism.removal_time = 0.05
    simulator.take()
    await serves_next(simulator, reader)
    await reader.close()


@pytest.mark.parametrize(("fault", "reason"), [("jam", Reason.JAM), ("motor", Reason.MOTOR)])
async def test_a_card_that_does_not_come_out_is_told_and_the_next_read_brings_it_out(
    kind: Kind, simulator: CardMachine, reader: CardReader, fault: str, reason: Reason
) -> None:
    simulator.insert(CARD)
    await Reading(reader).result()
    simulator.fail_movement(fault)
    with pytest.raises(DeviceError) as failed:
        await reader.release(accepted=True)
    assert failed.value.reason is kind.reasons.get(fault, reason)
    assert failed.value.device_code
    await serves_next(simulator, reader)


@pytest.mark.parametrize("name", ["after_read", "after_failure", "card_left"])
def test_only_a_device_with_a_bin_can_be_told_to_retain(kind: Kind, name: str) -> None:
    if kind.can_retain:
        kind.create("socket://127.0.0.1:1", **{name: "retain"})
        return
    with pytest.raises(SettingsError, match=f"^{name}: retain: the device has no bin$"):
        kind.create("socket://127.0.0.1:1", **{name: "retain"})


async def test_a_full_bin(kind: Kind, simulator: CardMachine) -> None:
    require_bin(kind)
    reader = kind.create(simulator.url, after_read="retain")
    simulator.mechanism.bin.extend([CARD] * 99)
    simulator.insert(CARD)
    await Reading(reader).result()
    with pytest.raises(DeviceError) as failed:
        await reader.release(accepted=True)
    assert failed.value.reason is kind.reasons.get("bin full", Reason.RETAIN_FULL)
    await reader.close()


async def test_a_card_that_is_pulled_out_while_it_is_read(simulator: CardMachine, reader: CardReader) -> None:
    await reader.probe()
    simulator.vanish_on_read = True
    simulator.insert(CARD)
    assert (await Reading(reader).fails()).reason is Reason.CARD_PULLED_OUT
    simulator.vanish_on_read = False
    await serves_next(simulator, reader)


async def test_power_lost_between_reads(simulator: CardMachine, reader: CardReader) -> None:
    await serves_next(simulator, reader)
    simulator.power_cycle()
    await serves_next(simulator, reader)


async def test_plug_pulled_while_it_waits(simulator: CardMachine, reader: CardReader) -> None:
    reading = Reading(reader)
    await reading.reaches(ReadState.WAITING_FOR_CARD)
    simulator.unplug()
    with pytest.raises(LinkLost):
        await reading.result()
    simulator.replug()
    await reader.probe()
    await serves_next(simulator, reader)


async def test_a_second_call_is_refused(reader: CardReader) -> None:
    reading = Reading(reader)
    await reading.reaches(ReadState.WAITING_FOR_CARD)
    for call in (reader.probe(), reader.release(accepted=True), Reading(reader).task):
        with pytest.raises(DeviceError) as failed:
            await call
        assert failed.value.reason is Reason.DEVICE_BUSY
    await reader.cancel()
    with pytest.raises(ReadCancelled):
        await reading.result()
