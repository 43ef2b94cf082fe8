"""The registry: which driver goes by which name.

A driver of another package registers through the entry point group `swipegate.drivers`: its name, and the
class that implements CardReader. The names of the drivers here cannot be taken.
"""

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from swipegate.devices.drivers.settings import line_from
from swipegate.devices.errors import SettingsError
from swipegate.devices.line import LineSettings
from swipegate.devices.reader import CardReader

ENTRY_POINT_GROUP = "swipegate.drivers"
# Name -> module and class, imported when first asked for.
BUILT_IN = {
    "msr605": ("swipegate.devices.drivers.msr605", "Msr605Reader"),
    "sankyo": ("swipegate.devices.drivers.sankyo", "SankyoReader"),
    "sanwa": ("swipegate.devices.drivers.sanwa", "SanwaReader"),
    "stocked": ("swipegate.devices.drivers.stocked", "StockedReader"),
}


def driver_names() -> list[str]:
    """The names of all drivers, sorted."""
    return sorted({*BUILT_IN, *_plugged_in()})


def find_driver(name: str) -> type[CardReader]:
    """The driver of this name.

    :raises SettingsError: there is none, or it cannot be loaded.
    """
    if name in BUILT_IN:
        module, attribute = BUILT_IN[name]
        found = getattr(import_module(module), attribute)
    elif (entry_point := _plugged_in().get(name)) is not None:
        try:
            found = entry_point.load()
        except Exception as error:
            raise SettingsError("driver", f"{entry_point.value} cannot be loaded: {error!r}") from error
    else:
        raise SettingsError("driver", f"{name!r} is none of {', '.join(driver_names())}")
    if not (isinstance(found, type) and issubclass(found, CardReader)):
        raise SettingsError("driver", f"{name!r} is no CardReader")
    return found


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


def _plugged_in() -> dict[str, EntryPoint]:
    return {
        point.name: point for point in entry_points(group=ENTRY_POINT_GROUP) if point.name not in BUILT_IN
    }
