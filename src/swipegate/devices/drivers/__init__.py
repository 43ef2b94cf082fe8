"""The registry: which driver goes by which name.

A driver of another package registers through the entry point group `swipegate.drivers`: its name, and the
class that implements CardReader. The names of the drivers here cannot be taken.
"""

from collections.abc import Mapping
from typing import Any

from swipegate.devices.drivers.settings import line_from
from swipegate.devices.line import LineSettings
from swipegate.devices.reader import CardReader
from swipegate.devices.registry import Registry

ENTRY_POINT_GROUP = "swipegate.drivers"
# Name -> module and class, imported when first asked for.
BUILT_IN = {
    "crt310": ("swipegate.devices.drivers.crt310", "Crt310Reader"),
    "line": ("swipegate.devices.drivers.line", "LineReader"),
    "msr605": ("swipegate.devices.drivers.msr605", "Msr605Reader"),
    "omron": ("swipegate.devices.drivers.omron", "OmronReader"),
    "sankyo": ("swipegate.devices.drivers.sankyo", "SankyoReader"),
    "sanwa": ("swipegate.devices.drivers.sanwa", "SanwaReader"),
    "stocked": ("swipegate.devices.drivers.stocked", "StockedReader"),
}
DRIVERS = Registry("driver", CardReader, ENTRY_POINT_GROUP, BUILT_IN)  # type: ignore[type-abstract]
driver_names = DRIVERS.names
find_driver = DRIVERS.find


def create_reader(
    driver: str, url: str, settings: Mapping[str, Any] | None = None, line: LineSettings | None = None
) -> CardReader:
    """A reader by the name of its driver, on the port at a pyserial URL; nothing is opened yet.

    Settings of the line, such as `baud_rate`, change the driver's own.

    :raises SettingsError: the driver or a setting is wrong; it is named.
    """
    kind = find_driver(driver)
    settings = settings or {}
    line, settings = line_from(line or kind.line_for(settings), settings)
    return kind.create(url, settings, line)
