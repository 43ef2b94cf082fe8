"""Swipe readers that print, against the simulated ones on a real socket and a real pseudo-terminal."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from swipegate.core import symbols
from swipegate.devices.drivers import create_reader
from swipegate.devices.drivers.line import LineReader
from swipegate.devices.errors import (
    DeviceError,
    LinkLost,
    ReadCancelled,
    ReadExpired,
    Reason,
    SettingsError,
)
from swipegate.devices.protocols.line import host, options
from swipegate.devices.reader import ReadState
from swipegate.devices.simulators import faults
from swipegate.devices.simulators.cards import Bad, SimulatedCard
from swipegate.devices.simulators.faults import Fault
from swipegate.devices.simulators.line import Form, LineSimulator
from tests.devices.drivers.motorised import CARD, TRACK1, TRACK2, TRACK3
from tests.devices.drivers.reading import Reading, texts, until
from tests.devices.protocols.test_line_swipe import SECURE_MAG

# Most tests read a second card to prove that the device is well: the oldest versions run the others.
pytestmark = pytest.mark.slow

QUICK_GAP = 0.1
PRINTED3 = "+" + TRACK3[1:]


def new_reader(simulator: LineSimulator, **settings: Any) -> LineReader:
    reader = create_reader("line", simulator.url, {"gap": QUICK_GAP, **settings})
    assert isinstance(reader, LineReader)
    return reader


@pytest.fixture(params=["tcp", "pty"])
def wire(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def simulator() -> Iterator[LineSimulator]:
    with LineSimulator() as simulator:
        yield simulator


@pytest.fixture
async def reader(simulator: LineSimulator) -> AsyncIterator[LineReader]:
    reader = new_reader(simulator)
    yield reader
    await reader.close()


async def waiting(reader: LineReader, seconds: float = 5.0) -> Reading:
    """A read that waits for its card."""
    reading = Reading(reader, seconds)
    await reading.reaches(ReadState.WAITING_FOR_CARD)
    return reading


async def is_well(simulator: LineSimulator, reader: LineReader) -> None:
    """The next swipe is read."""
    reading = await waiting(reader)
    await asyncio.sleep(2 * QUICK_GAP)  # what still comes of before is dropped
    simulator.insert(CARD)
    assert texts(await reading.result()) == [TRACK1, TRACK2, PRINTED3]


async def test_a_swipe_goes_through_its_states(wire: Any) -> None:
    with LineSimulator(wire) as simulator:
        reader = new_reader(simulator)
        reading = await waiting(reader)
        simulator.insert(CARD)
        assert texts(await reading.result()) == [TRACK1, TRACK2, PRINTED3]
        assert reading.states == [ReadState.DISPATCHED, ReadState.WAITING_FOR_CARD, ReadState.READING]
        await reader.release(accepted=True)
        await reader.close()


@pytest.mark.parametrize(
    ("form", "settings", "track3"),
    [
        (Form.PLAIN, {}, PRINTED3),
        (Form.ID_TECH, {}, TRACK3),
        (Form.MAGTEK, {}, PRINTED3),
        (Form.MAGTEK, {"options": "SEPC"}, PRINTED3),
    ],
)
async def test_forms(
    form: Form, settings: dict[str, str], track3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "POWER_UP_TIME", 0.0)
    swipes = [
        (CARD, [TRACK1, TRACK2, track3]),
        (SimulatedCard(None, TRACK2, None), [Reason.NO_ENCODING, TRACK2, Reason.NO_ENCODING]),
        (SimulatedCard(Bad.PARITY, TRACK2, None), [Reason.NOT_READ, TRACK2, Reason.NO_ENCODING]),
        (SimulatedCard(*[Bad.PARITY] * 3), [Reason.NOT_READ] * 3),
    ]
    with LineSimulator(form=form) as simulator:
        reader = new_reader(simulator, **settings)
        for card, expected in swipes:
            reading = await waiting(reader)
            simulator.insert(card)
            assert texts(await reading.result()) == expected
        await reader.close()


async def test_an_lrc_goes_with_its_track() -> None:
    with LineSimulator(form=Form.UIC) as simulator:
        reader = new_reader(simulator, lrc="true")
        reading = await waiting(reader)
        simulator.insert(SimulatedCard(TRACK1, TRACK2, None))
        printed = [text + symbols.lrc(text, bits) for text, bits in ((TRACK1, 7), (TRACK2, 5))]
        assert texts(await reading.result()) == [*printed, Reason.NO_ENCODING]
        await reader.close()


async def test_a_track_that_cannot_be_read_has_the_readers_marker(
    simulator: LineSimulator, reader: LineReader
) -> None:
    reading = await waiting(reader)
    simulator.insert(SimulatedCard(Bad.LRC, TRACK2, Bad.PARITY))
    result = await reading.result()
    assert [track.device_code for track in result.tracks] == ["E", "", "E"]
    assert result.device_code == "E E"


async def test_only_the_tracks_asked_for_are_handed_on(simulator: LineSimulator) -> None:
    reader = new_reader(simulator, tracks="2")
    reading = await waiting(reader)
    simulator.insert(CARD)
    result = await reading.result()
    assert [track.number for track in result.tracks] == [2]
    assert "4111" not in repr(result)
    await reader.close()


# Options of a reader that loses them with its power.


async def test_options_are_sent_after_every_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "POWER_UP_TIME", 0.05)
    with LineSimulator("pty", path=tmp_path / "reader", form=Form.MAGTEK) as simulator:
        reader = new_reader(simulator, options="SsEC")
        await reader.open()
        await until(lambda: simulator.options == {"E", "C"})
        simulator.unplug()
        with pytest.raises(DeviceError):
            await reader.probe()
        simulator.replug()
        assert simulator.options == set()
        await is_well(simulator, reader)
        assert simulator.options == {"E", "C"}
        await reader.close()


async def test_options_whose_sending_was_cut_off_are_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "POWER_UP_TIME", 0.2)
    with LineSimulator(form=Form.MAGTEK) as simulator:
        reader = new_reader(simulator, options="C")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.open()
        await is_well(simulator, reader)
        assert simulator.options == {"C"}
        await reader.close()


# The end of a wait.


async def test_a_swipe_before_the_read_is_dropped(simulator: LineSimulator, reader: LineReader) -> None:
    await reader.open()
    simulator.insert(CARD)
    await until(lambda: reader._protocol.dropped == len(simulator.line_of(CARD)))
    with pytest.raises(ReadExpired):
        await Reading(reader, 0.3).result()
    await is_well(simulator, reader)


async def test_a_swipe_that_began_before_the_read_is_dropped(
    simulator: LineSimulator, reader: LineReader
) -> None:
    await reader.open()
    simulator.inject(faults.Dribble(0.003), to="line")
    simulator.insert(CARD)
    await until(lambda: reader._protocol.dropped > 0)
    with pytest.raises(ReadExpired):
        await Reading(reader, 1.0).result()
    await is_well(simulator, reader)


async def test_a_swipe_that_passes_at_the_deadline_is_read(
    simulator: LineSimulator, reader: LineReader
) -> None:
    simulator.inject(faults.Dribble(0.003), to="line")
    reading = await waiting(reader, 0.3)
    simulator.insert(CARD, after=0.15)
    assert texts(await reading.result()) == [TRACK1, TRACK2, PRINTED3]


async def test_expiry(simulator: LineSimulator, reader: LineReader) -> None:
    start = time.monotonic()
    with pytest.raises(ReadExpired):
        await Reading(reader, 0.3).result()
    assert 0.3 <= time.monotonic() - start < 1.0
    await is_well(simulator, reader)


async def test_cancellation(simulator: LineSimulator, reader: LineReader) -> None:
    reading = await waiting(reader)
    assert await reader.cancel()
    with pytest.raises(ReadCancelled):
        await reading.result()
    await is_well(simulator, reader)


async def test_cancellation_that_comes_after_the_card_leaves_the_card(
    simulator: LineSimulator, reader: LineReader
) -> None:
    simulator.inject(faults.Dribble(0.003), to="line")
    reading = await waiting(reader)
    simulator.insert(CARD)
    await reading.reaches(ReadState.READING)
    assert not await reader.cancel()
    assert (await reading.result()).readable


async def test_a_cancelled_task_takes_no_swipe(simulator: LineSimulator, reader: LineReader) -> None:
    reading = await waiting(reader)
    reading.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading.result()
    simulator.insert(CARD)
    await until(lambda: reader._protocol.dropped == len(simulator.line_of(CARD)))
    with pytest.raises(ReadExpired):
        await Reading(reader, 0.3).result()
    await is_well(simulator, reader)


async def test_probe_proves_that_the_port_is_open(simulator: LineSimulator, reader: LineReader) -> None:
    assert (await reader.probe()).card_inside is False
    assert await reader.cancel()
    reading = await waiting(reader)
    with pytest.raises(DeviceError) as busy:
        await reader.probe()
    assert busy.value.reason is Reason.DEVICE_BUSY
    await reader.cancel()
    with pytest.raises(ReadCancelled):
        await reading.result()
    simulator.unplug()
    with pytest.raises(DeviceError) as gone:
        await reader.probe()
    assert gone.value.reason in (Reason.LINK_LOST, Reason.PORT_OPEN)


async def test_close_ends_a_read(reader: LineReader) -> None:
    reading = await waiting(reader)
    await reader.close()
    with pytest.raises(ReadCancelled):
        await reading.result()


async def test_plug_pulled_while_it_waits_and_in_the_middle_of_a_swipe(tmp_path: Path) -> None:
    with LineSimulator("pty", path=tmp_path / "reader") as simulator:
        reader = new_reader(simulator)
        reading = await waiting(reader)
        simulator.unplug()
        with pytest.raises(LinkLost):
            await reading.result()
        simulator.replug()
        simulator.inject(faults.HangUp(30), to="line")
        reading = await waiting(reader)
        simulator.insert(CARD)
        with pytest.raises(LinkLost):
            await reading.result()
        await is_well(simulator, reader)
        await reader.close()


# Faults of a line. Each comes to the right end in time, and the next swipe is read.

GOOD = [TRACK1, TRACK2, PRINTED3]
LINE_FAULTS: list[tuple[str, Fault, list[str]]] = [
    ("dribble", faults.Dribble(), GOOD),
    ("junk before", faults.JunkBefore(b"\x00\xff\x02\x03\x10"), GOOD),
    ("junk after", faults.JunkAfter(b"\x00\xff\x1b"), GOOD),
    ("late", faults.Late(0.3), GOOD),
    ("start sentinel lost", faults.LoseByte(0), [Reason.NO_START, TRACK2, PRINTED3]),
    ("end sentinel lost", faults.LoseByte(len(TRACK1) - 1), [Reason.NO_END, TRACK2, PRINTED3]),
    ("end of line lost", faults.LoseByte(-1), GOOD),
    ("a bit flipped", faults.FlipBits(3), [Reason.NOT_READ, TRACK2, PRINTED3]),
    ("stops in a track", faults.StopAfter(20), [Reason.NO_END, Reason.NO_ENCODING, Reason.NO_ENCODING]),
    ("its second half", faults.Replace(TRACK3[9:].encode()), [Reason.NO_START] * 3),
    ("nothing between the sentinels", faults.Replace(b"%?;?+?\r"), [Reason.EMPTY] * 3),
]


@pytest.mark.parametrize(
    ("fault", "expected"), [row[1:] for row in LINE_FAULTS], ids=[row[0] for row in LINE_FAULTS]
)
async def test_fault_of_a_line(
    simulator: LineSimulator, reader: LineReader, fault: Fault, expected: list[str]
) -> None:
    simulator.inject(fault, to="line")
    reading = await waiting(reader)
    simulator.insert(CARD)
    assert texts(await reading.result()) == expected
    await is_well(simulator, reader)


MAGNESAFE = TRACK1 + TRACK2 + "|0600|00112233445566778899AABBCCDDEEFF||||\r"
REFUSED = [
    ("MagneSafe", MAGNESAFE.encode(), Reason.NOT_INITIALISED, "MagneSafe"),
    ("SecureMag", SECURE_MAG, Reason.NOT_INITIALISED, "ID TECH SecureMag"),
    ("noise of 8 bits", bytes(range(128, 255)), Reason.DESYNC, ""),
    ("without end", b"%4111" * 1000, Reason.DESYNC, ""),
    ("two swipes", (TRACK1 + TRACK2 + "\r").encode() * 2, Reason.DESYNC, ""),
]


@pytest.mark.parametrize(
    ("line", "reason", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
async def test_what_is_no_swipe_in_clear(
    simulator: LineSimulator, reader: LineReader, line: bytes, reason: Reason, code: str
) -> None:
    reading = await waiting(reader)
    simulator.say(line)
    failure = await reading.fails()
    assert (failure.reason, failure.device_code) == (reason, code)
    assert failure.detail
    await is_well(simulator, reader)


async def test_a_line_that_dribbles_for_ever(
    simulator: LineSimulator, reader: LineReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "BURST_TIME_MAX", 0.4)
    reading = await waiting(reader)
    simulator.inject(faults.Dribble(0.02), to="line")
    simulator.say(b"%" + b"1" * 60)
    assert (await reading.fails()).reason is Reason.RESPONSE_TIMEOUT
    await asyncio.sleep(1.0)
    await is_well(simulator, reader)


async def test_whatever_is_printed_the_read_ends_and_the_next_succeeds(
    simulator: LineSimulator, reader: LineReader
) -> None:
    rng = random.Random(7813)
    line = simulator.line_of(CARD)
    for _ in range(8):
        mutated = bytearray(line)
        for _ in range(rng.randint(1, 6)):
            mutated[rng.randrange(len(mutated))] = rng.choice([0x0D, 0x3F, 0x3B, rng.randrange(256)])
        reading = await waiting(reader, 0.5)
        simulator.say(rng.choice([bytes(mutated), rng.randbytes(rng.randint(1, 400))]))
        with contextlib.suppress(DeviceError, ReadExpired):
            (await reading.result()).to_swipe()
    await is_well(simulator, reader)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"gap": 0.001}, "gap"),
        ({"gap": "long"}, "gap"),
        ({"options": "SX"}, "options"),
        ({"options": "B"}, "options"),
        ({"options": "S" * 99}, "options"),
        ({"tracks": "4"}, "tracks"),
        ({"form": "plain"}, "form"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(SettingsError) as refused:
        LineReader.create("socket://127.0.0.1:9", settings)
    assert refused.value.field == field
