"""Which driver of a dispenser goes by which name.

A driver of another package registers through the entry point group `swipegate.dispensers`: its name, and the class
that implements Dispenser.
"""

from collections.abc import Mapping
from typing import Any

from swipegate.devices.dispenser import Dispenser
from swipegate.devices.drivers.settings import line_from
from swipegate.devices.registry import Registry

ENTRY_POINT_GROUP = "swipegate.dispensers"
# Name -> module and class, imported when first asked for.
BUILT_IN = {
    "crt591": ("swipegate.devices.drivers.crt591", "Crt591Dispenser"),
}
DISPENSERS = Registry("dispenser", Dispenser, ENTRY_POINT_GROUP, BUILT_IN)  # type: ignore[type-abstract]


def create_dispenser(driver: str, url: str, settings: Mapping[str, Any]) -> Dispenser:
    """A dispenser by the name of its driver, on the port at a pyserial URL; nothing is opened yet.

    :raises SettingsError: the driver or a setting is wrong; it is named.
    """
    kind = DISPENSERS.find(driver)
    line, settings = line_from(kind.line, settings)
    return kind.create(url, settings, line)
