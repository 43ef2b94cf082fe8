"""What is the 3S4YR's own: its error codes, what it accepts after each, and how it is brought to rest."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from swipegate.devices.errors import MEDIA, DeviceError, Reason
from swipegate.devices.protocols.omron import commands
from swipegate.devices.protocols.omron.dialect import ACK, ENQ, EOT, NAK, framing
from swipegate.devices.protocols.omron.errors import AWAIT_RESET, AWAIT_RETURN, ERRORS
from swipegate.devices.reader import CardReader
from swipegate.devices.simulators.faults import Dribble, FlipBits, LoseByte, Replace, Silence
from swipegate.devices.simulators.mechanism import Place
from swipegate.devices.simulators.omron import FAULTS, TRACK_FAULTS, OmronSimulator
from tests.devices.drivers.motorised import CARD, KINDS, TRACK1, TRACK2, TRACK3
from tests.devices.drivers.reading import Reading, serves_next, texts, until

# Most tests read a second card to prove that the device is well: the oldest versions run the others.
pytestmark = pytest.mark.slow

# The codes of the specification's eight error tables.
SPECIFIED = [
    *("00", "01", "02", "03"),
    *("10", "11", "12", "13", "14", "15", "16", "17", "18", "19"),
    *("20", "21", "32", "33"),
    *("40", "41", "42", "43", "44", "45", "46", "49", "50", "51", "52", "53", "54", "55", "56"),
    *("60", "61", "62", "63", "64", "70", "71"),
    *("80", "81", "82", "84", "85", "86", "87", "88"),
]
# After these a device takes any command.
CONTINUE = ["00", "01", "02", "03", "32", "33", "40", "46", "49", "60", "64"]


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[OmronSimulator]:
    KINDS["omron"].quicken(monkeypatch)
    with OmronSimulator() as simulator:
        yield simulator


def create(simulator: OmronSimulator, **settings: object) -> CardReader:
    return KINDS["omron"].create(simulator.url, **settings)


def told(simulator: OmronSimulator) -> list[bytes]:
    """The initial resets and returns that the device was told."""
    return [command for command in simulator.received if command[:2] == b"C0" or command == commands.RETURN]


def test_every_specified_code_has_its_reason_and_no_other_has() -> None:
    assert sorted(ERRORS) == sorted(SPECIFIED)
    assert set(FAULTS.values()) | set(TRACK_FAULTS.values()) <= set(ERRORS)
    assert {code for code, reason in ERRORS.items() if reason in MEDIA and code[0] == "4"} == set(
        TRACK_FAULTS.values()
    )
    assert {ERRORS[code] for code in AWAIT_RETURN} == {Reason.LONG_CARD, Reason.SHORT_CARD}


@pytest.mark.parametrize("code", sorted(AWAIT_RESET | AWAIT_RETURN))
async def test_a_code_that_awaits_a_reset_gets_one(simulator: OmronSimulator, code: str) -> None:
    reader = create(simulator, card_left="leave")
    await reader.probe()
    simulator.received.clear()
    simulator.put_inside(CARD)
    simulator.trouble = code
    report = await reader.probe()
    to_gate = code in AWAIT_RETURN
    assert told(simulator) == [commands.initial_reset(commands.TO_GATE if to_gate else commands.HOLD)]
    assert report.card_inside is not to_gate
    assert simulator.hasty_resets == 0
    await reader.close()


@pytest.mark.parametrize("code", CONTINUE)
async def test_a_code_after_which_the_device_goes_on_brings_no_reset(
    simulator: OmronSimulator, code: str
) -> None:
    reader = create(simulator)
    await reader.probe()
    simulator.received.clear()
    simulator.inject(Replace(framing().encode(b"N:1" + code.encode())), "response C:1")
    await reader.probe()
    assert told(simulator) == []
    simulator.inject(Replace(framing().encode(b"N:1" + code.encode())), "response C:1", times=2)
    with pytest.raises(DeviceError) as failed:
        await reader.probe()
    assert (failed.value.reason, failed.value.device_code) == (ERRORS[code], code)
    await reader.close()


@pytest.mark.parametrize("fault", ["jam", "shutter", "sensor", "motor", "pulled out", "power down"])
async def test_a_fault_of_the_mechanism_is_told_and_a_reset_mends_it(
    simulator: OmronSimulator, fault: str
) -> None:
    reader = create(simulator)
    simulator.insert(CARD)
    await Reading(reader).result()
    simulator.received.clear()
    simulator.fail_movement(fault)
    with pytest.raises(DeviceError) as failed:
        await reader.release(accepted=True)
    assert failed.value.device_code == FAULTS[fault]
    assert failed.value.reason is ERRORS[FAULTS[fault]]
    await serves_next(simulator, reader)
    assert commands.initial_reset(commands.TO_GATE) in simulator.received
    assert simulator.hasty_resets == 0
    await reader.close()


@pytest.mark.parametrize("fault", ["long card", "short card"])
async def test_a_card_of_the_wrong_length_goes_out_by_the_gate(simulator: OmronSimulator, fault: str) -> None:
    reader = create(simulator, card_left="retain")
    simulator.insert(CARD)
    await Reading(reader).result()
    simulator.fail_movement(fault)
    with pytest.raises(DeviceError):
        await reader.release(accepted=True)
    await serves_next(simulator, reader)
    assert simulator.mechanism.bin == []
    await reader.close()


@pytest.mark.parametrize("ack", [Silence(), Replace(NAK)])
async def test_a_device_that_does_not_know_the_speed_of_the_line_is_reset(
    simulator: OmronSimulator, ack: Silence | Replace
) -> None:
    simulator.inject(ack, "ack C:1", times=3)
    reader = create(simulator)
    await serves_next(simulator, reader)
    assert told(simulator)[0] == commands.initial_reset(commands.TO_GATE)
    await reader.close()


async def test_a_device_deaf_from_power_on_serves(simulator: OmronSimulator) -> None:
    simulator.deaf_from_power_on = True
    reader = create(simulator)
    for _ in range(2):
        simulator.power_cycle()
        await serves_next(simulator, reader)
    await reader.close()


async def test_a_device_that_says_nothing_at_all_is_told(simulator: OmronSimulator) -> None:
    simulator.inject(Silence(), "ack", times=99)
    reader = create(simulator)
    with pytest.raises(DeviceError) as failed:
        await reader.probe()
    assert failed.value.reason is Reason.ACK_TIMEOUT
    await reader.close()


def take_over(simulator: OmronSimulator, *said: bytes) -> None:
    """Another program speaks to the device, and is gone."""
    link = urlsplit(simulator.url)
    with socket.create_connection((str(link.hostname), int(link.port or 0))) as line:
        for command in said:
            line.sendall(framing().encode(command))
            assert line.recv(2) == ACK
            line.sendall(ENQ)
            if command != commands.INTAKE_ANY:
                assert line.recv(100)


async def test_what_another_program_left_is_given_up_and_set_right(simulator: OmronSimulator) -> None:
    take_over(
        simulator,
        commands.initial_reset(commands.TO_GATE),
        commands.FORMAT_SENTINELS,
        commands.INTAKE_ANY,
    )
    await until(lambda: simulator.mechanism.entry)
    reader = create(simulator)
    simulator.received.clear()
    await reader.probe()
    assert not simulator.mechanism.entry
    assert told(simulator) == []
    await serves_next(simulator, reader)  # tracks have their sentinels just once
    await reader.close()


async def test_a_blocking_intake_ends_by_itself(simulator: OmronSimulator) -> None:
    simulator.monitor_time = 0.05
    take_over(simulator, commands.initial_reset(commands.TO_GATE), commands.INTAKE_ANY)
    await until(lambda: simulator.mechanism.entry)
    await until(lambda: not simulator.mechanism.entry)


@pytest.mark.parametrize("fault", [LoseByte(4), LoseByte(-1), FlipBits(5), Dribble(), Silence()])
@pytest.mark.parametrize("command", [commands.STATUS, commands.read_track(2), commands.RETURN])
async def test_a_response_spoilt_on_its_way_is_sent_again_and_nothing_done_twice(
    simulator: OmronSimulator, fault: LoseByte | FlipBits | Dribble | Silence, command: bytes
) -> None:
    reader = create(simulator)
    await reader.probe()
    simulator.insert(CARD)
    simulator.inject(fault, f"response {command.decode()}")
    assert texts(await Reading(reader).result()) == [TRACK1, TRACK2, TRACK3]
    await reader.release(accepted=True)
    assert simulator.received.count(commands.RETURN) == 1
    await reader.close()


async def test_a_return_that_is_not_acknowledged_is_told_again(simulator: OmronSimulator) -> None:
    reader = create(simulator)
    simulator.insert(CARD)
    await Reading(reader).result()
    simulator.inject(Silence(), "ack C30")
    await reader.release(accepted=True)
    assert simulator.received.count(commands.RETURN) == 1
    assert simulator.mechanism.place is not Place.INSIDE
    await reader.close()


async def test_any_card_is_taken_where_the_settings_say_so(simulator: OmronSimulator) -> None:
    reader = create(simulator, magnetic_only=False)
    await serves_next(simulator, reader)
    assert commands.PERMIT_ANY in simulator.received
    await reader.close()


async def test_the_device_tells_its_version(simulator: OmronSimulator) -> None:
    reader = create(simulator)
    assert (await reader.probe()).details["version"].startswith("HBU-NA053")
    await reader.close()


# The simulated device, by its control matrix (1.6).


def said(line: socket.socket, size: int, within: float = 2.0) -> bytes:
    """What the device says within some seconds; nothing, when it is silent."""
    line.settimeout(within)
    try:
        return line.recv(size)
    except TimeoutError:
        return b""


@pytest.fixture
def line(simulator: OmronSimulator) -> Iterator[socket.socket]:
    link = urlsplit(simulator.url)
    with socket.create_connection((str(link.hostname), int(link.port or 0))) as line:
        yield line


def test_simulated_device_refuses_a_command_that_stops_short(
    monkeypatch: pytest.MonkeyPatch, line: socket.socket, simulator: OmronSimulator
) -> None:
    assert OmronSimulator.dialect.gap == 5.0
    monkeypatch.setattr(simulator.unit, "_dialect", replace(simulator.dialect, gap=0.1))
    line.sendall(framing().encode(commands.STATUS)[:5])
    assert said(line, 100) == NAK
    line.sendall(framing().encode(commands.STATUS))
    assert said(line, 100) == ACK


def test_simulated_device_at_work_hears_an_interruption_alone(
    line: socket.socket, simulator: OmronSimulator
) -> None:
    for command in (commands.initial_reset(commands.TO_GATE), commands.INTAKE_ANY):
        line.sendall(framing().encode(command))
        assert said(line, 2) == ACK
        line.sendall(ENQ)
        assert said(line, 100, 0.2) == (b"" if command == commands.INTAKE_ANY else framing().encode(b"P0000"))
    line.sendall(framing().encode(commands.STATUS) + ENQ)
    assert said(line, 100, 0.2) == b""
    line.sendall(EOT)
    assert said(line, 100, 0.2) == b""
    assert not simulator.mechanism.entry
    line.sendall(framing().encode(commands.STATUS))
    assert said(line, 2) == ACK


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"C11", b"P1100" + b"0" * 12),
        (b"CQ0", b"PQ000000"),
        (b"CX9", b"NX900"),
        (b"CS07", b"NS002"),
        (b"C62", b"N6201"),
        (b"C30", b"N3001"),
    ],
)
def test_simulated_answers(line: socket.socket, command: bytes, answer: bytes) -> None:
    for text, expected in ((b"C10", b"N1019"), (b"C02", b"P0200"), (command, answer)):
        line.sendall(framing().encode(text))
        assert said(line, 2) == ACK
        line.sendall(ENQ)
        assert said(line, 100) == framing().encode(expected)
