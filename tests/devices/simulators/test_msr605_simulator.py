"""The simulated unit, talked to over its wire byte for byte."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from swipegate.devices.protocols.msr605 import commands
from swipegate.devices.protocols.msr605.commands import Command
from swipegate.devices.simulators.cards import Bad, SimulatedCard
from swipegate.devices.simulators.msr605 import Msr605Simulator

CARD = SimulatedCard("%ABC123?", ";12345?", None)


class Host:
    """A bare port."""

    def __init__(self, simulator: Msr605Simulator) -> None:
        self.port = serial.serial_for_url(simulator.url, timeout=1.0)

    def ask(self, command: Command, size: int) -> str:
        self.port.write(command.frame)
        return self.port.read(size).hex()

    def hears_nothing(self) -> bool:
        self.port.timeout = 0.1
        heard = self.port.read(1)
        self.port.timeout = 1.0
        return heard == b""


@pytest.fixture
def simulator() -> Iterator[Msr605Simulator]:
    with Msr605Simulator() as simulator:
        yield simulator


@pytest.fixture
def host(simulator: Msr605Simulator) -> Iterator[Host]:
    host = Host(simulator)
    yield host
    host.port.close()


def test_settings_are_answered_and_kept(host: Host) -> None:
    assert host.ask(commands.COMMUNICATION_TEST, 2) == "1b79"
    assert host.ask(commands.GET_LEADING_ZEROS, 3) == "1b3d16"
    assert host.ask(commands.set_leading_zeros(10, 20), 2) == "1b30"
    assert host.ask(commands.GET_LEADING_ZEROS, 3) == "1b0a14"
    assert host.ask(commands.set_bpc(8, 8, 8), 5) == "1b30080808"
    assert host.ask(commands.SET_LOCO, 2) == "1b30"
    assert host.ask(commands.GET_COERCIVITY, 2) == "1b6c"
    assert host.ask(commands.RAM_TEST, 2) == "1b30"
    assert host.ask(commands.set_bpi(1, 75), 2) == "1b30"
    assert host.ask(commands.GET_MODEL, 3) == "1b3353"
    host.port.write(b"\x1b\x00")
    assert host.port.read(2).hex() == "1b34"


def test_leds_are_silent(simulator: Msr605Simulator, host: Host) -> None:
    host.port.write(commands.LED_RED.frame)
    assert host.hears_nothing()
    assert simulator.leds is commands.LED_RED.code


def test_armed_unit_hears_nothing_but_a_reset(simulator: Msr605Simulator, host: Host) -> None:
    host.port.write(commands.READ_ISO.frame + commands.COMMUNICATION_TEST.frame)
    assert host.hears_nothing()
    assert simulator.armed
    host.port.write(commands.RESET.frame)
    assert host.ask(commands.COMMUNICATION_TEST, 2) == "1b79"
    assert not simulator.armed


def test_card_is_read_once(simulator: Msr605Simulator, host: Host) -> None:
    simulator.swipe(CARD)
    block = "1b731b01254142433132333f1b023b31323334353f1b031b2b3f1c1b30"
    assert host.ask(commands.READ_ISO, len(block) // 2) == block
    assert not simulator.armed
    simulator.swipe_now(CARD)
    assert host.hears_nothing()


def test_card_may_come_later(simulator: Msr605Simulator, host: Host) -> None:
    simulator.swipe(CARD, after=0.2)
    start = time.monotonic()
    assert host.ask(commands.READ_ISO, 4) == "1b731b01"
    assert time.monotonic() - start >= 0.2
    host.port.read(25)


def test_raw_read_gives_the_manuals_bytes(simulator: Msr605Simulator, host: Host) -> None:
    host.ask(commands.set_leading_zeros(0, 0), 2)
    host.ask(commands.set_bpc(8, 8, 8), 5)
    simulator.swipe(SimulatedCard("%ABC123?", ";12345?", Bad.UNREADABLE))
    start = host.ask(commands.READ_RAW, 40)
    assert start.startswith("1b731b010b" + "a30d1e28a9727c54" + "0000" + "00" + "1b0208" + "d4119257f5")


def test_raw_read_of_other_than_packed_bits_is_refused(simulator: Msr605Simulator, host: Host) -> None:
    simulator.swipe(CARD)
    assert host.ask(commands.READ_RAW, 2) == "1b31"
    assert host.hears_nothing()


@pytest.mark.parametrize(
    ("command", "written"),
    [(commands.write_iso("%ABC?"), b"ABC"), (commands.write_raw(b"\x1b\x02"), b"\x1b\x02")],
)
def test_write_waits_for_its_card(
    simulator: Msr605Simulator, host: Host, command: Command, written: bytes
) -> None:
    host.port.write(command.frame)
    assert host.hears_nothing()
    simulator.swipe(SimulatedCard())
    assert host.port.read(2).hex() == "1b30"
    assert [field.data for field in simulator.written[0].fields] == [written, b"", b""]


@pytest.mark.parametrize("command", [commands.erase({1, 2, 3}), commands.SENSOR_TEST])
def test_erase_and_sensor_test_wait_for_a_card(
    simulator: Msr605Simulator, host: Host, command: Command
) -> None:
    host.port.write(command.frame)
    assert host.hears_nothing()
    simulator.swipe(SimulatedCard())
    assert host.port.read(2).hex() == "1b30"
    assert simulator.written == []


def test_path_leads_to_the_terminal_and_goes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "reader"
    with Msr605Simulator(path=path) as simulator:
        assert simulator.url == str(path)
        first = path.resolve()
        assert first.is_char_device()
        simulator.replug()
        assert path.resolve().is_char_device()
    assert not path.is_symlink()


def test_socket_takes_one_host_after_another() -> None:
    with Msr605Simulator("tcp") as simulator:
        for _ in range(2):
            host = Host(simulator)
            assert host.ask(commands.COMMUNICATION_TEST, 2) == "1b79"
            host.port.close()
