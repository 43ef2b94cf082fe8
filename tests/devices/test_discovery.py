"""Ports as udev and pyserial show them."""

from dataclasses import dataclass
from pathlib import Path

from swipegate.devices.discovery import Guess, find_ports


@dataclass
class Port:
    device: str
    description: str = "n/a"
    vid: int | None = None
    pid: int | None = None
    serial_number: str | None = None
    manufacturer: str | None = None
    product: str | None = None


def test_ports_are_described_by_what_stays_the_same(tmp_path: Path) -> None:
    device = tmp_path / "ttyUSB0"
    device.touch()
    by_id = tmp_path / "by-id"
    by_id.mkdir()
    (by_id / "usb-Prolific-if00").symlink_to(device)
    ports = [
        Port(str(tmp_path / "ttyUSB1"), "MSR605 reader", 0x1234, 0x5678, product="MSR605"),
        Port(str(device), "USB-Serial Controller", 0x067B, 0x2303, "A1"),
        Port(str(tmp_path / "ttyS0")),
        Port(str(tmp_path / "ttyACM0"), "Modem", 0x1111, 0x2222),
    ]
    modem, builtin, bridge, named = find_ports(lambda: ports, by_id)
    assert (bridge.path, bridge.url) == (str(device), str(by_id / "usb-Prolific-if00"))
    assert (bridge.usb_id, bridge.serial_number) == ("067B:2303", "A1")
    assert bridge.guess == Guess("msr605", sure=False)
    assert named.guess == Guess("msr605", sure=True)
    assert named.url == named.path
    assert (builtin.guess, builtin.usb_id, builtin.description) == (None, "", "n/a")
    assert modem.guess is None


def test_ports_of_this_machine_are_listed_without_udev(tmp_path: Path) -> None:
    assert all(port.path for port in find_ports(by_id=tmp_path / "absent"))
