"""The driver against the simulated unit, on a real pseudo-terminal and a real socket."""

import asyncio
import contextlib
import random
import time
from pathlib import Path
from typing import Any

import pytest

from swipegate.devices.drivers import msr605
from swipegate.devices.drivers.msr605 import Msr605Reader, Msr605Settings, judge_block
from swipegate.devices.errors import DeviceError, ReadCancelled, ReadExpired, Reason, SettingsError
from swipegate.devices.protocols.msr605 import host
from swipegate.devices.protocols.msr605.blocks import STATUSES, Mark, Status, build_iso_block, parse_block
from swipegate.devices.protocols.msr605.commands import Code
from swipegate.devices.protocols.msr605.errors import ERRORS, TRACK_ERRORS
from swipegate.devices.reader import MESSAGE_CHARACTERS_MAX, ReadState
from swipegate.devices.simulators import faults
from swipegate.devices.simulators.cards import Bad, SimulatedCard
from swipegate.devices.simulators.faults import Fault
from swipegate.devices.simulators.msr605 import Msr605Simulator
from tests.devices.drivers.reading import Reading, texts

# Published test numbers.
TRACK1 = "%B4111111111111111^TEST/CARD^30012010000000000000?"
TRACK2 = ";4111111111111111=30012010000000000000?"
TRACK3 = ";014111111111111111==0000000000000000000?"
CARD = SimulatedCard(TRACK1, TRACK2, TRACK3)
# A read must be over this long after its card or its fault, seconds.
OVER_TIME = 6.0
# Stands for the second that a real unit is given, so that tests of silence are quick.
QUICK_TIMEOUT = 0.3


@pytest.fixture(autouse=True)
def quick_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert msr605.COMMUNICATION_TEST_TIMEOUT <= 1.0
    monkeypatch.setattr(msr605, "COMMUNICATION_TEST_TIMEOUT", QUICK_TIMEOUT)
    monkeypatch.setattr(msr605, "SETTING_TIMEOUT", QUICK_TIMEOUT)
    monkeypatch.setattr(host, "BLOCK_GAP_MAX", QUICK_TIMEOUT)


# Most of what a unit does is the same on either wire: such tests run on the pseudo-terminal alone, to be
# quick.
on_pty = pytest.mark.parametrize("simulator", ["pty"], indirect=True)


async def is_well(simulator: Msr605Simulator, reader: Msr605Reader) -> None:
    """The next read succeeds."""
    simulator.swipe(CARD)
    assert texts(await Reading(reader).result()) == [TRACK1, TRACK2, TRACK3]


# Reading.


async def test_read_goes_through_its_states(simulator: Msr605Simulator, reader: Msr605Reader) -> None:
    reading = Reading(reader)
    await reading.reaches(ReadState.WAITING_FOR_CARD)
    simulator.swipe(CARD)
    result = await reading.result()
    assert reading.states == [ReadState.DISPATCHED, ReadState.WAITING_FOR_CARD, ReadState.READING]
    assert texts(result) == [TRACK1, TRACK2, TRACK3]
    assert result.device_code == "30"
    assert [command.code for command in simulator.received] == [
        Code.RESET,
        Code.COMMUNICATION_TEST,
        Code.RESET,
        Code.READ_ISO,
    ]


async def test_raw_read_gives_the_bits_of_the_stripe(simulator: Msr605Simulator) -> None:
    reader = Msr605Reader(simulator.url, Msr605Settings(mode="raw"))
    simulator.swipe(SimulatedCard("%ABC123?", ";12345?", Bad.UNREADABLE))
    result = await Reading(reader).result()
    await reader.close()
    bits = [bytes(track.bits or b"").hex() for track in result.tracks]
    # The manual's examples, behind 61 zeros on track 1 and 22 on track 2.
    assert f"{int(bits[0], 16):b}".rstrip("0") == f"{0xA30D1E28A9727C54:b}".rstrip("0")
    assert f"{int(bits[1], 16):b}".rstrip("0") == f"{0xD4119257F5:b}".rstrip("0")
    assert [track.error for track in result.tracks] == [None, None, Reason.NO_ENCODING]
    assert [track.bit_count for track in result.tracks] == [4 * len(text) for text in bits]
    assert simulator.received[-2].frame.hex() == "1b6f080808"


@on_pty
async def test_raw_read_of_a_unit_that_lost_its_setting_is_not_read(simulator: Msr605Simulator) -> None:
    reader = Msr605Reader(simulator.url, Msr605Settings(mode="raw"))
    reading = Reading(reader)
    await reading.reaches(ReadState.WAITING_FOR_CARD)
    assert await asyncio.to_thread(simulator.wait_until_armed, 1.0)
    simulator._bits = (7, 5, 5)
    simulator.swipe(CARD)
    with pytest.raises(DeviceError) as failed:
        await reading.result()
    assert (failed.value.reason, failed.value.device_code) == (Reason.NOT_READ, "31")
    await reader.close()


def test_every_status_and_mark_has_its_reason() -> None:
    assert set(ERRORS) == STATUSES
    assert set(TRACK_ERRORS) == set(Mark) - {Mark.DATA}


@on_pty
async def test_raw_payload_is_handed_on_bit_for_bit(simulator: Msr605Simulator) -> None:
    reader = Msr605Reader(simulator.url, Msr605Settings(mode="raw"))
    simulator.swipe(SimulatedCard(b"\x1b\x02\x3f\x1c\x1b0", bytes.fromhex("d4119257f500"), bytes(8)))
    swipe = (await Reading(reader).result()).to_swipe(5)
    await reader.close()
    assert swipe.id == 5
    assert [(track.number, track.bits.data.hex(), track.bits.bit_count) for track in swipe.tracks] == [
        (1, "1b023f1c1b30", 48),
        (2, "d4119257f500", 48),
    ]


@on_pty
async def test_each_track_is_judged_for_itself(simulator: Msr605Simulator, reader: Msr605Reader) -> None:
    simulator.swipe(SimulatedCard(Bad.UNREADABLE, TRACK2, None))
    result = await Reading(reader).result()
    assert texts(result) == [Reason.NOT_READ, TRACK2, Reason.NO_ENCODING]
    assert [track.number for track in result.to_swipe().tracks] == [2]
    assert result.readable


@on_pty
async def test_manuals_empty_fields_are_no_encoding(simulator: Msr605Simulator, reader: Msr605Reader) -> None:
    simulator.swipe(SimulatedCard(None, TRACK2, None, empty_fields=True))
    assert texts(await Reading(reader).result()) == [Reason.NO_ENCODING, TRACK2, Reason.NO_ENCODING]


@on_pty
async def test_status_of_failure_stands_beside_the_tracks(
    simulator: Msr605Simulator, reader: Msr605Reader
) -> None:
    simulator.swipe(SimulatedCard(TRACK1, None, Bad.UNREADABLE, status=Status.READ_WRITE_ERROR))
    result = await Reading(reader).result()
    assert result.device_code == "31"
    assert texts(result) == [TRACK1, Reason.NO_ENCODING, Reason.NOT_READ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"B4111111111111111?", Reason.NO_START),
        (b"%B4111111111111111", Reason.NO_END),
        (b"%?", Reason.EMPTY),
        (b"%B411111\x00111111111?", Reason.NOT_READ),
        (b"%B411111\xff111111111?", Reason.NOT_READ),
    ],
)
def test_text_without_its_frame_is_not_trusted(text: bytes, reason: Reason) -> None:
    block = parse_block(build_iso_block([text, TRACK2.encode(), TRACK3.encode()], Status.OK), raw=False)
    assert texts(judge_block(block, (1, 2, 3))) == [reason, TRACK2, TRACK3]


def test_failure_that_no_track_shows_makes_all_unread() -> None:
    fields: list[bytes | Mark] = [TRACK1.encode(), TRACK2.encode(), TRACK3.encode()]
    block = parse_block(build_iso_block(fields, Status.READ_WRITE_ERROR), raw=False)
    result = judge_block(block, (1, 2, 3))
    assert texts(result) == [Reason.NOT_READ] * 3
    assert not result.readable


@on_pty
async def test_only_the_tracks_asked_for_are_handed_on(simulator: Msr605Simulator) -> None:
    reader = Msr605Reader(simulator.url, Msr605Settings(tracks=(2,)))
    simulator.swipe(CARD)
    result = await Reading(reader).result()
    await reader.close()
    assert [track.number for track in result.tracks] == [2]


@on_pty
async def test_wiping_a_result_zeroes_it_in_place(simulator: Msr605Simulator, reader: Msr605Reader) -> None:
    simulator.swipe(CARD)
    result = await Reading(reader).result()
    held = [track.text for track in result.tracks]
    assert "4111" not in repr(result)
    result.wipe()
    assert [set(text or b"x") for text in held] == [{0}] * 3


async def test_second_read_is_refused_while_one_is_under_way(
    simulator: Msr605Simulator, reader: Msr605Reader
) -> None:
    first = Reading(reader)
    await first.reaches(ReadState.WAITING_FOR_CARD)
    for refused in (Reading(reader).result(), reader.probe()):
        with pytest.raises(DeviceError) as busy:
            await refused
        assert busy.value.reason is Reason.DEVICE_BUSY
    simulator.swipe(CARD)
    assert (await first.result()).readable


@on_pty
async def test_card_passed_before_the_reader_was_armed_is_not_read(
    simulator: Msr605Simulator, reader: Msr605Reader
) -> None:
    await reader.open()
    simulator.swipe_now(CARD)
    with pytest.raises(ReadExpired):
        await Reading(reader, 0.5).result()


# The end of a wait.


async def test_wait_for_a_card_expires_at_its_deadline(
    simulator: Msr605Simulator, reader: Msr605Reader
) -> None:
    start = time.monotonic()
    with pytest.raises(ReadExpired):
        await Reading(reader, 0.6).result()
    assert 0.6 <= time.monotonic() - start < 1.5
    assert not simulator.armed
    await is_well(simulator, reader)


async def test_cancel_disarms_and_proves_it(simulator: Msr605Simulator, reader: Msr605Reader) -> None:
    reading = Reading(reader)
    await reading.reaches(ReadState.WAITING_FOR_CARD)
    assert await asyncio.to_thread(simulator.wait_until_armed, 1.0)
    simulator.received.clear()
    assert await reader.cancel()
    assert not simulator.armed
    assert [command.code for command in simulator.received[:2]] == [Code.RESET, Code.COMMUNICATION_TEST]
    with pytest.raises(ReadCancelled):
        await reading.result()
    await is_well(simulator, reader)


async def test_cancel_before_arming_never_arms(simulator: Msr605Simulator, reader: Msr605Reader) -> None:
    reading = Reading(reader)
    await asyncio.sleep(0)
    assert await reader.cancel()
    with pytest.raises(ReadCancelled):
        await reading.result()
    assert Code.READ_ISO not in {command.code for command in simulator.received}


async def test_cancel_that_comes_after_the_card_leaves_the_card(
    simulator: Msr605Simulator, reader: Msr605Reader
) -> None:
    simulator.inject(faults.Dribble(0.003))
    simulator.swipe(CARD)
    reading = Reading(reader)
    await reading.reaches(ReadState.READING)
    assert await reader.cancel() is False
    assert (await reading.result()).readable


@on_pty
async def test_cancel_without_a_read_brings_the_device_to_rest(
    simulator: Msr605Simulator, reader: Msr605Reader
) -> None:
    assert await reader.cancel()
    assert simulator.received[1].code is Code.COMMUNICATION_TEST


@on_pty
async def test_cancel_that_the_device_does_not_confirm_fails_both(
    simulator: Msr605Simulator, reader: Msr605Reader
) -> None:
    reading = Reading(reader)
    await reading.reaches(ReadState.WAITING_FOR_CARD)
    simulator.inject(faults.Silence(), to="test", times=2)
    with pytest.raises(DeviceError) as failed:
        await reader.cancel()
    assert failed.value.reason is Reason.ACK_TIMEOUT
    with pytest.raises(DeviceError):
        await reading.result()
    await is_well(simulator, reader)


async def test_cancelled_task_disarms_the_device(simulator: Msr605Simulator, reader: Msr605Reader) -> None:
    reading = Reading(reader)
    await reading.reaches(ReadState.WAITING_FOR_CARD)
    assert await asyncio.to_thread(simulator.wait_until_armed, 1.0)
    reading.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading.task
    assert await asyncio.to_thread(simulator.wait_until_idle, 1.0)
    await is_well(simulator, reader)


async def test_close_ends_a_read_and_frees_the_port(simulator: Msr605Simulator, reader: Msr605Reader) -> None:
    reading = Reading(reader)
    await reading.reaches(ReadState.WAITING_FOR_CARD)
    await reader.close()
    with pytest.raises(ReadCancelled):
        await reading.result()
    assert not simulator.armed
    with pytest.raises(DeviceError, match="the device is closed"):
        await Reading(reader).result()
    await reader.close()
    await reader.open()
    await is_well(simulator, reader)


async def test_probe_brings_an_armed_device_to_rest(simulator: Msr605Simulator, reader: Msr605Reader) -> None:
    crashed = Msr605Reader(simulator.url)
    reading = Reading(crashed)
    await reading.reaches(ReadState.WAITING_FOR_CARD)
    await crashed._link.close()  # as a killed process leaves it: the device stays armed
    with pytest.raises(DeviceError):
        await reading.result()
    report = await reader.probe()
    assert not simulator.armed
    assert report.details == {"model": "3S", "firmware": "REVA1.00"}
    assert report.card_inside is False


# Faults. Each gives the right reason in time, and the next read succeeds. The wire makes no difference to
# most, so these run on the pseudo-terminal alone.

READ_FAULTS: list[tuple[str, Fault, Reason | None]] = [
    ("dribble", faults.Dribble(), None),
    ("junk before the block", faults.JunkBefore(b"\x00\xff\x1by\x1b0\x1bs\x00"), None),
    ("stray byte before the status", faults.Insert(-2, b"\x6f"), None),
    ("stale tail", faults.JunkAfter(b"\xaa\xbb\x3f\x1c\x1b1"), None),
    ("duplicate block", faults.Duplicate(), None),
    ("late block", faults.Late(0.3), None),
    ("lost header", faults.LoseByte(1), Reason.DESYNC),
    ("lost field number", faults.LoseByte(4 + len(TRACK1) + 1), Reason.DESYNC),
    ("lost end", faults.LoseByte(-3), Reason.DESYNC),
    ("lost status", faults.LoseByte(-1), Reason.RESPONSE_TIMEOUT),
    ("block stops short", faults.StopAfter(30), Reason.RESPONSE_TIMEOUT),
    ("status unknown", faults.FlipBits(-1), Reason.DESYNC),
]


@on_pty
@pytest.mark.parametrize(
    ("fault", "reason"), [row[1:] for row in READ_FAULTS], ids=[row[0] for row in READ_FAULTS]
)
async def test_fault_in_the_block(
    simulator: Msr605Simulator, reader: Msr605Reader, fault: Fault, reason: Reason | None
) -> None:
    simulator.inject(fault)
    simulator.swipe(CARD)
    reading = Reading(reader)
    if reason is None:
        assert texts(await reading.result()) == [TRACK1, TRACK2, TRACK3]
    else:
        with pytest.raises(DeviceError) as failed:
            await reading.result()
        assert failed.value.reason is reason
        assert "4111" not in str(failed.value)
        assert not simulator.armed
    await is_well(simulator, reader)


@on_pty
async def test_byte_lost_in_a_track_loses_its_frame_or_is_beyond_detection(
    simulator: Msr605Simulator, reader: Msr605Reader
) -> None:
    simulator.inject(faults.LoseByte(4))  # the start sentinel of track 1
    simulator.swipe(CARD)
    assert texts(await Reading(reader).result()) == [Reason.NO_START, TRACK2, TRACK3]


TEST_FAULTS: list[tuple[str, Fault, int, Reason | None]] = [
    ("silence once", faults.Silence(), 1, None),
    ("silence", faults.Silence(), 2, Reason.ACK_TIMEOUT),
    ("late once", faults.Late(QUICK_TIMEOUT + 0.05), 1, None),
    ("duplicate", faults.Duplicate(0.01), 1, None),
    ("stale after", faults.JunkAfter(b"\x1b1\x1bs\x1b\x01", 0.01), 1, None),
    ("junk before", faults.JunkBefore(b"\x1b\x1b\x00"), 1, None),
    ("lost byte", faults.LoseByte(0), 1, None),
    ("lost bytes", faults.LoseByte(0), 2, Reason.DESYNC),
]


@on_pty
@pytest.mark.parametrize(
    ("fault", "times", "reason"), [row[1:] for row in TEST_FAULTS], ids=[row[0] for row in TEST_FAULTS]
)
async def test_fault_in_the_communication_test(
    simulator: Msr605Simulator, reader: Msr605Reader, fault: Fault, times: int, reason: Reason | None
) -> None:
    simulator.inject(fault, to="test", times=times)
    simulator.swipe(CARD)
    reading = Reading(reader)
    if reason is None:
        assert texts(await reading.result()) == [TRACK1, TRACK2, TRACK3]
    else:
        with pytest.raises(DeviceError) as failed:
            await reading.result()
        assert failed.value.reason is reason
        assert reading.states == []
        await is_well(simulator, reader)


SETTING_FAULTS: list[tuple[Fault, int, Reason, str]] = [
    (faults.Silence(), 2, Reason.RESPONSE_TIMEOUT, ""),
    (faults.FlipBits(1, Status.OK ^ Status.SET_FAILED), 1, Reason.NOT_INITIALISED, "41"),
    (faults.FlipBits(1, Status.OK ^ Status.INVALID_COMMAND), 1, Reason.DESYNC, "34"),
    (faults.StopAfter(4), 2, Reason.DESYNC, ""),
]


@on_pty
@pytest.mark.parametrize(
    ("fault", "times", "reason", "code"),
    SETTING_FAULTS,
    ids=["silence", "refused", "not understood", "short"],
)
async def test_fault_in_a_setting(
    simulator: Msr605Simulator, fault: Fault, times: int, reason: Reason, code: str
) -> None:
    reader = Msr605Reader(simulator.url, Msr605Settings(bits_per_character=(7, 5, 5)))
    simulator.inject(fault, to="status", times=times)
    with pytest.raises(DeviceError) as failed:
        await Reading(reader).result()
    assert (failed.value.reason, failed.value.device_code) == (reason, code)
    assert Code.READ_ISO not in {command.code for command in simulator.received}
    await is_well(simulator, reader)
    await reader.close()


@on_pty
@pytest.mark.parametrize("fault", [faults.Silence(), faults.LoseByte(1), faults.Late(QUICK_TIMEOUT + 0.05)])
async def test_setting_whose_reply_is_lost_is_sent_again(simulator: Msr605Simulator, fault: Fault) -> None:
    reader = Msr605Reader(simulator.url, Msr605Settings(bits_per_character=(7, 5, 5)))
    simulator.inject(fault, to="status")
    await is_well(simulator, reader)
    await reader.close()


async def test_hang_up_in_the_block_is_a_lost_link_and_the_port_is_opened_again(tmp_path: Path) -> None:
    for wire in ("pty", "tcp"):
        with Msr605Simulator(wire, path=tmp_path / "reader" if wire == "pty" else None) as simulator:
            reader = Msr605Reader(simulator.url)
            simulator.inject(faults.HangUp(30))
            simulator.swipe(CARD)
            reading = Reading(reader)
            with pytest.raises(DeviceError) as lost:
                await reading.result()
            assert lost.value.reason is Reason.LINK_LOST
            assert reading.states[-1] is ReadState.READING
            await is_well(simulator, reader)
            await reader.close()


async def test_unplugging_while_armed_is_a_lost_link(
    simulator: Msr605Simulator, reader: Msr605Reader
) -> None:
    reading = Reading(reader, 30.0)
    await reading.reaches(ReadState.WAITING_FOR_CARD)
    start = time.monotonic()
    simulator.unplug()
    with pytest.raises(DeviceError) as lost:
        await reading.result()
    assert lost.value.reason is Reason.LINK_LOST
    assert time.monotonic() - start < 1.0
    with pytest.raises(DeviceError) as missing:
        await Reading(reader).result()
    assert missing.value.reason is Reason.PORT_OPEN


async def test_replugged_reader_is_found_by_its_stable_path(tmp_path: Path) -> None:
    with Msr605Simulator("pty", path=tmp_path / "usb-MSR605-if00") as simulator:
        reader = Msr605Reader(simulator.url)
        await is_well(simulator, reader)
        simulator.unplug()
        with pytest.raises(DeviceError):
            await Reading(reader).result()
        simulator.replug()
        await is_well(simulator, reader)
        await reader.close()


@on_pty
async def test_power_cycle_while_armed_ends_at_the_deadline(
    simulator: Msr605Simulator, reader: Msr605Reader
) -> None:
    reading = Reading(reader, 1.0)
    await reading.reaches(ReadState.WAITING_FOR_CARD)
    simulator.power_cycle()
    simulator.swipe_now(CARD)
    with pytest.raises(ReadExpired):
        await reading.result()
    await is_well(simulator, reader)


@on_pty
async def test_whatever_comes_for_a_block_the_read_ends_and_the_next_succeeds(
    simulator: Msr605Simulator, reader: Msr605Reader
) -> None:
    rng = random.Random(605)
    block = build_iso_block([TRACK1.encode(), TRACK2.encode(), TRACK3.encode()], Status.OK)
    for _ in range(6):
        mutated = bytearray(block)
        for _ in range(rng.randint(1, 6)):
            mutated[rng.randrange(len(mutated))] = rng.choice([0x1B, 0x1C, 0x3F, rng.randrange(256)])
        simulator.inject(faults.Replace(rng.choice([bytes(mutated), rng.randbytes(rng.randint(1, 400))])))
        simulator.swipe(CARD)
        with contextlib.suppress(DeviceError, ReadExpired):
            (await Reading(reader, 0.4).result()).to_swipe()
    await is_well(simulator, reader)


# Settings.


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"mode": "hid"}, "mode"),
        ({"tracks": []}, "tracks"),
        ({"tracks": [1, 4]}, "tracks"),
        ({"tracks": [2, 2]}, "tracks"),
        ({"tracks": 2}, "tracks"),
        ({"bits_per_character": [7, 5]}, "bits_per_character"),
        ({"bits_per_character": [7, 5, 9]}, "bits_per_character"),
        ({"mode": "raw", "bits_per_character": [7, 5, 5]}, "bits_per_character"),
        ({"speed": 9600}, "speed"),
    ],
)
def test_wrong_setting_is_named(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Msr605Reader.create("socket://127.0.0.1:9", settings)
    assert refused.value.field == field


async def test_message_is_bounded_and_any_text_within() -> None:
    with Msr605Simulator("tcp") as simulator:
        reader = Msr605Reader(simulator.url)
        with pytest.raises(SettingsError, match=r"^message: "):
            await reader.read("x" * (MESSAGE_CHARACTERS_MAX + 1), deadline=0.0, on_state=print)
        with pytest.raises(SettingsError, match=r"^deadline: "):
            await reader.read("x", deadline=float("inf"), on_state=print)
        simulator.swipe(CARD)
        message = "\x00\x1ba}{%s" * 500
        result = await reader.read(message, deadline=time.monotonic() + 5, on_state=lambda _: None)
        assert result.readable
        await reader.close()
