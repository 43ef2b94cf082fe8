"""Which serial ports there are, and which driver probably fits each."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from serial.tools import list_ports

# Links that udev keeps for a device whichever port it is plugged into.
BY_ID = Path("/dev/serial/by-id")
# Ports that are listed; a machine with more has something else wrong.
PORTS_MAX = 256

# Words in what a device says of itself -> driver.
DRIVER_WORDS = {"msr605": "msr605", "msr606": "msr605", "msr206": "msr605"}
# USB ids of the bridges inside MSR605 units. Other devices have the same bridges, so they prove nothing.
DRIVER_BRIDGES = {(0x067B, 0x2303): "msr605", (0x10C4, 0xEA60): "msr605"}


@dataclass(frozen=True, slots=True)
class Guess:
    """A driver that may fit; `sure` when the device names itself, and not just its bridge."""

    driver: str
    sure: bool


@dataclass(frozen=True, slots=True)
class FoundPort:
    """One serial port."""

    path: str
    """What the operating system calls it; may change with each plugging."""
    by_id: str
    """A path that stays the same, better to configure; empty where there is none."""
    usb_id: str
    """`VID:PID` in hex; empty for a port that is not USB."""
    serial_number: str
    """As the device says it; empty when it does not."""
    description: str
    """As the operating system says it."""
    guess: Guess | None
    """The driver that probably fits."""

    @property
    def url(self) -> str:
        """The URL to configure."""
        return self.by_id or self.path


class SystemPort(Protocol):
    """What is used of pyserial's port description."""

    device: str
    description: str
    vid: int | None
    pid: int | None
    serial_number: str | None
    manufacturer: str | None
    product: str | None


def find_ports(
    system_ports: Callable[[], Iterable[SystemPort]] = list_ports.comports, by_id: Path = BY_ID
) -> list[FoundPort]:
    """The serial ports of this machine, by path; opens none of them."""
    stable = _stable_paths(by_id)
    ports = sorted(system_ports(), key=lambda port: port.device)[:PORTS_MAX]
    return [_describe(port, stable) for port in ports]


def _describe(port: SystemPort, stable: dict[str, str]) -> FoundPort:
    return FoundPort(
        path=port.device,
        by_id=stable.get(os.path.realpath(port.device), ""),
        usb_id="" if port.vid is None or port.pid is None else f"{port.vid:04X}:{port.pid:04X}",
        serial_number=port.serial_number or "",
        description=port.description or "",
        guess=_guess(port),
    )


def _guess(port: SystemPort) -> Guess | None:
    words = " ".join(filter(None, (port.manufacturer, port.product, port.description))).lower()
    for word, driver in DRIVER_WORDS.items():
        if word in words:
            return Guess(driver, sure=True)
    if port.vid is None or port.pid is None:
        return None
    bridge = DRIVER_BRIDGES.get((port.vid, port.pid))
    return None if bridge is None else Guess(bridge, sure=False)


def _stable_paths(by_id: Path) -> dict[str, str]:
    try:
        return {os.path.realpath(link): str(link) for link in sorted(by_id.iterdir())}
    except OSError:  # no udev here, or no serial port
        return {}
