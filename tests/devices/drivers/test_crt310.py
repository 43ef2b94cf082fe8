"""What is the CRT-310's own: its codes, its entry that is open by default, and how it is brought to rest."""

import asyncio
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from swipegate.devices.errors import DeviceError, Reason
from swipegate.devices.protocols.crt310 import commands, responses
from swipegate.devices.protocols.crt310.dialect import ACK, framing
from swipegate.devices.protocols.crt310.errors import ERRORS, TRACK_ERRORS
from swipegate.devices.reader import CardReader, ReadState
from swipegate.devices.simulators.cards import Bad, SimulatedCard
from swipegate.devices.simulators.crt310 import REFUSALS, TRACK_FAULTS, UNREADABLE, Crt310Simulator
from swipegate.devices.simulators.faults import Dribble, Fault, FlipBits, LoseByte, Piece, Replace, Silence
from swipegate.devices.simulators.mechanism import Place
from tests.devices.drivers.motorised import CARD, KINDS, TRACK1, TRACK2, TRACK3
from tests.devices.drivers.reading import Reading, serves_next, texts, until

# Most tests read a second card to prove that the device is well: the oldest versions run the others.
pytestmark = pytest.mark.slow

# The codes of the specification's tables: refusals, S1 of a card that cannot be used, ends of a movement, tracks.
SPECIFIED = ["00", "01", "02", "04", "05", "06", "07", "46", "47", "E", "N", "W"]
SPECIFIED_OF_TRACKS = ["E0", "E1", "E2", "E3", "E4", "E5"]
RESETS = {commands.RESET_KEEP, commands.RESET_FRONT, commands.RESET_REAR}


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Crt310Simulator]:
    KINDS["crt310"].quicken(monkeypatch)
    with Crt310Simulator() as simulator:
        yield simulator


async def at_rest(simulator: Crt310Simulator, **settings: object) -> CardReader:
    """A reader that has prohibited entry."""
    reader = KINDS["crt310"].create(simulator.url, **settings)
    await reader.probe()
    simulator.received.clear()
    return reader


async def holding_a_card(simulator: Crt310Simulator) -> CardReader:
    """A reader that has read a card and still has it."""
    reader = await at_rest(simulator)
    simulator.insert(CARD)
    assert texts(await Reading(reader).result()) == [TRACK1, TRACK2, TRACK3]
    simulator.received.clear()
    return reader


def test_every_specified_code_has_its_reason_and_no_other_has() -> None:
    assert sorted(ERRORS) == sorted(SPECIFIED)
    assert sorted(TRACK_ERRORS) == sorted(SPECIFIED_OF_TRACKS)
    assert set(REFUSALS.values()) <= set(ERRORS)
    assert {UNREADABLE, *TRACK_FAULTS.values()} == set(TRACK_ERRORS)


# Entry.


async def test_entry_that_is_open_by_default_is_closed_before_anything(simulator: Crt310Simulator) -> None:
    assert simulator.mechanism.entry
    reader = await at_rest(simulator)
    assert (simulator.front, simulator.rear) == (responses.PROHIBITED, responses.PROHIBITED)
    assert not simulator.mechanism.entry
    await reader.close()


async def test_a_card_that_came_in_after_power_was_lost_is_given_back(simulator: Crt310Simulator) -> None:
    reader = await at_rest(simulator)
    simulator.insert(CARD)
    simulator.power_cycle()
    await until(lambda: simulator.mechanism.place is Place.INSIDE)
    reading = Reading(reader)
    await reading.reaches(ReadState.WAITING_FOR_CARD)
    assert simulator.mechanism.taken == [CARD]
    simulator.insert(CARD)
    assert texts(await reading.result()) == [TRACK1, TRACK2, TRACK3]
    await reader.close()


async def test_a_reader_switched_off_between_reads_is_closed_again(simulator: Crt310Simulator) -> None:
    reader = await at_rest(simulator)
    simulator.power_cycle()
    reading = Reading(reader)
    await reading.reaches(ReadState.WAITING_FOR_CARD)
    assert simulator.received.count(commands.PROHIBIT) == 1
    assert simulator.rear == responses.PROHIBITED
    reading.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading.result()
    await reader.close()


@pytest.mark.parametrize("success", [b"Y", b"N"])
async def test_how_a_control_of_entry_is_answered_does_not_count(
    simulator: Crt310Simulator, success: bytes
) -> None:
    simulator.entry_success = success
    reader = await at_rest(simulator)
    await serves_next(simulator, reader)
    await reader.close()


@pytest.mark.parametrize("status", [b"\x4e\x4a\x4e", b"\x4e\x4e\x4a"])
async def test_a_status_that_tells_of_open_entry_is_no_rest(
    simulator: Crt310Simulator, status: bytes
) -> None:
    reader = await at_rest(simulator)
    simulator.inject(Replace(framing().encode(commands.STATUS + status)), "response 10", times=9)
    with pytest.raises(DeviceError) as failed:
        await reader.probe()
    assert failed.value.reason is Reason.DESYNC
    simulator.heal()
    await reader.probe()
    await reader.close()


async def test_a_status_that_tells_of_closed_entry_is_no_permission(simulator: Crt310Simulator) -> None:
    reader = await at_rest(simulator)
    simulator.entry_stuck = True
    assert (await Reading(reader).fails()).reason is Reason.DESYNC
    simulator.entry_stuck = False
    await serves_next(simulator, reader)
    await reader.close()


async def test_any_card_is_taken_where_the_settings_say_so(simulator: Crt310Simulator) -> None:
    reader = await at_rest(simulator, magnetic_only=False)
    await serves_next(simulator, reader)
    assert commands.ACCEPT_ANY in simulator.received
    await reader.close()


# Codes.


@pytest.mark.parametrize("code", ["00", "01", "02", "04", "05", "07"])
async def test_a_refusal_that_no_reset_mends_is_told(simulator: Crt310Simulator, code: str) -> None:
    reader = await at_rest(simulator)
    refusal = Replace(framing().encode(responses.build_refusal(commands.PROHIBIT, code)))
    simulator.inject(refusal, "response /11", times=2)
    with pytest.raises(DeviceError) as failed:
        await reader.probe()
    assert (failed.value.reason, failed.value.device_code) == (ERRORS[code], code)
    assert not RESETS & set(simulator.received)
    await reader.close()


@pytest.mark.parametrize("fault", sorted(REFUSALS))
async def test_a_movement_that_is_refused_is_told_and_the_next_read_brings_the_card_out(
    simulator: Crt310Simulator, fault: str
) -> None:
    reader = await holding_a_card(simulator)
    simulator.fail_movement(fault)
    with pytest.raises(DeviceError) as failed:
        await reader.release(accepted=True)
    assert failed.value.device_code == REFUSALS[fault]
    await serves_next(simulator, reader)
    await reader.close()


@pytest.mark.parametrize(
    ("fault", "code"), [("jam", "N"), ("shutter", "N"), ("pulled out", "E"), ("wrong place", "W")]
)
async def test_a_movement_that_fails_is_told(simulator: Crt310Simulator, fault: str, code: str) -> None:
    reader = await holding_a_card(simulator)
    simulator.fail_movement(fault)
    with pytest.raises(DeviceError) as failed:
        await reader.release(accepted=True)
    assert (failed.value.reason, failed.value.device_code) == (ERRORS[code], code)
    await reader.close()


@pytest.mark.parametrize(("fault", "code"), [("long card", "46"), ("short card", "47")])
async def test_a_card_of_the_wrong_length_goes_out_at_the_front(
    simulator: Crt310Simulator, fault: str, code: str
) -> None:
    reader = await holding_a_card(simulator)
    simulator.fail_movement(fault)
    with pytest.raises(DeviceError) as failed:
        await reader.release(accepted=True)
    assert failed.value.device_code == "06"
    assert simulator.wrong_length == int(code, 16)
    await serves_next(simulator, reader)
    assert commands.RESET_FRONT in simulator.received
    await reader.close()


@pytest.mark.parametrize(("fault", "code"), [("long card", "46"), ("short card", "47")])
async def test_a_card_of_the_wrong_length_is_told_as_it_comes(
    simulator: Crt310Simulator, fault: str, code: str
) -> None:
    reader = await at_rest(simulator)
    reading = Reading(reader)
    await reading.reaches(ReadState.WAITING_FOR_CARD)
    simulator.wrong_length = int(code, 16)
    failure = await reading.fails()
    assert (failure.reason, failure.device_code) == (ERRORS[code], code)
    await reader.close()


async def test_a_status_that_no_device_has_is_told(simulator: Crt310Simulator) -> None:
    reader = await at_rest(simulator)
    simulator.wrong_length = 0x51
    with pytest.raises(DeviceError) as failed:
        await reader.probe()
    assert (failed.value.reason, failed.value.device_code) == (Reason.DESYNC, "51")
    await reader.close()


# Tracks.


@pytest.mark.parametrize(
    ("track", "code"),
    [
        (Bad.NO_START, "E1"),
        (Bad.NO_END, "E2"),
        (Bad.PARITY, "E3"),
        (Bad.LRC, "E4"),
        (None, "E5"),
        (Bad.UNREADABLE, "E0"),
    ],
)
async def test_what_is_wrong_with_a_track(simulator: Crt310Simulator, track: Bad | None, code: str) -> None:
    reader = await at_rest(simulator)
    simulator.insert(SimulatedCard(TRACK1, track, TRACK3))
    result = await Reading(reader).result()
    assert result.device_code == f"Y {code} Y"
    assert texts(result) == [TRACK1, TRACK_ERRORS[code], TRACK3]
    await reader.close()


@pytest.mark.parametrize("data", [b"E", b"W", b"N", b"", b"\x1fX", b"\x1fYA\x1fYB"])
async def test_a_reading_that_is_none_fails_the_read(simulator: Crt310Simulator, data: bytes) -> None:
    reader = await at_rest(simulator, tracks="2")
    simulator.insert(CARD)
    command = commands.read_track(2)
    simulator.inject(Replace(framing().encode(command + data)), "response E00")
    assert (await Reading(reader).fails()).reason is ERRORS.get(data.decode(), Reason.DESYNC)
    await reader.close()


def test_the_fields_of_a_reading() -> None:
    fields = [("Y", b"B4111"), ("E3", b""), ("E0", b"")]
    data = responses.build_tracks(fields)
    assert data == b"\x1fYB4111\x1fN\xe3\x1fO\xe0"
    tracks = responses.parse_tracks(bytearray(data))
    assert [(track.code, bytes(track.text)) for track in tracks] == fields
    assert "4111" not in repr(tracks)


@pytest.mark.parametrize(
    "data", [b"", b"4111", b"\x1f", b"4111\x1fY", b"\x1fY4111\x1fN", b"\x1fN\xe1\xe2", b"\x1fZ"]
)
def test_what_is_no_reading_is_refused_without_its_data(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^a reading has not the form of tracks$"):
        responses.parse_tracks(bytearray(data))


@pytest.mark.parametrize("data", [b"", b"\x4e\x4e", b"\x4e\x4e\x4e\x4e"])
def test_what_is_no_status_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="three bytes"):
        responses.parse_status(data)


def test_a_response_repeats_the_whole_command_or_refuses_it() -> None:
    command = commands.read_track(1)
    assert responses.answers(command, command + b"\x1fYB4111")
    assert not responses.answers(command, commands.read_track(2) + b"\x1fY4111")
    assert responses.answers(command, responses.build_refusal(command, "02"))
    assert not responses.answers(command, responses.build_refusal(commands.STATUS, "02"))


# The line.


@pytest.mark.parametrize("echo", [Silence(), Replace(b"\x04\x04")])
async def test_the_echo_of_eot_is_not_needed(simulator: Crt310Simulator, echo: Fault) -> None:
    simulator.inject(echo, "echo", times=99)
    reader = await at_rest(simulator)
    await serves_next(simulator, reader)
    await reader.close()


async def test_a_command_that_another_program_left_unexecuted_is_given_up(simulator: Crt310Simulator) -> None:
    simulator.put_inside(CARD)
    link = urlsplit(simulator.url)
    with socket.create_connection((str(link.hostname), int(link.port or 0))) as line:
        line.sendall(framing().encode(commands.EJECT))
        assert line.recv(1) == ACK
    reader = KINDS["crt310"].create(simulator.url, card_left="leave")
    assert (await reader.probe()).card_inside
    assert commands.EJECT not in simulator.received
    await reader.close()


class Seen(Fault):
    """No fault: counts the replies that it is injected for."""

    count = 0

    def apply(self, pieces: list[Piece]) -> list[Piece]:
        self.count += 1
        return pieces


async def test_rest_begins_with_eot(simulator: Crt310Simulator) -> None:
    reader = await at_rest(simulator)
    echo = Seen()
    simulator.inject(echo, "echo")
    await reader.probe()
    assert echo.count == 1
    await reader.close()


async def test_a_device_that_stops_no_card_inside_is_told(simulator: Crt310Simulator) -> None:
    reader = await at_rest(simulator)
    simulator.inject(Replace(framing().encode(commands.STOP_INSIDE + b"N")), "response .2", times=2)
    with pytest.raises(DeviceError) as failed:
        await reader.probe()
    assert failed.value.device_code == "N"
    await reader.close()


@pytest.mark.parametrize("fault", [LoseByte(4), LoseByte(-1), FlipBits(5), Dribble(), Silence()])
@pytest.mark.parametrize("command", [commands.STATUS, commands.read_track(2), commands.EJECT_AND_HOLD])
async def test_a_response_spoilt_on_its_way_harms_nothing(
    simulator: Crt310Simulator, fault: Fault, command: bytes
) -> None:
    reader = await at_rest(simulator)
    simulator.insert(CARD)
    simulator.inject(fault, f"response {command[:3].decode()}")
    assert texts(await Reading(reader).result()) == [TRACK1, TRACK2, TRACK3]
    await reader.release(accepted=True)
    assert simulator.received.count(commands.EJECT_AND_HOLD) == 1
    await reader.close()


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"\x30\x30", b"\x30\x30CRT 310 V3.0 "),
        (b"\x31\x30", b"\x31\x30\x4e\x4a\x4a"),
        (b"\x2f\x31\x39", b"\x4e\x2f\x01"),
        (b"\x32\x31", b"\x32\x31E"),
        (b"\x45\x30\x30\x37", b"\x4e\x45\x02"),
        (b"\x47\x30", b"\x4e\x47\x00"),
    ],
)
def test_simulated_answers(simulator: Crt310Simulator, command: bytes, answer: bytes) -> None:
    link = urlsplit(simulator.url)
    with socket.create_connection((str(link.hostname), int(link.port or 0))) as line:
        line.settimeout(2.0)
        line.sendall(framing().encode(command))
        assert line.recv(1) == ACK
        line.sendall(b"\x05")
        assert line.recv(100) == framing().encode(answer)
