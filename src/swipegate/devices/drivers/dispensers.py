"""Which driver of a dispenser goes by which name."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from swipegate.devices.dispenser import Dispenser
from swipegate.devices.drivers.settings import line_from
from swipegate.devices.errors import SettingsError

# Name -> module and class, imported when first asked for.
DISPENSERS = {
    "crt591": ("swipegate.devices.drivers.crt591", "Crt591Dispenser"),
}


def create_dispenser(driver: str, url: str, settings: Mapping[str, Any]) -> Dispenser:
    """A dispenser by the name of its driver, on the port at a pyserial URL; nothing is opened yet.

    :raises SettingsError: the driver or a setting is wrong; it is named.
    """
    if driver not in DISPENSERS:
        raise SettingsError("dispenser", f"{driver!r} is none of {', '.join(sorted(DISPENSERS))}")
    module, attribute = DISPENSERS[driver]
    kind: type[Dispenser] = getattr(import_module(module), attribute)
    line, settings = line_from(kind.line, settings)
    return kind.create(url, settings, line)
