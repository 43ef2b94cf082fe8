"""Drivers by name, built in and of other packages."""

from importlib.metadata import EntryPoint, EntryPoints

import pytest

from swipegate.devices import registry
from swipegate.devices.drivers import BUILT_IN, create_reader, driver_names, find_driver
from swipegate.devices.drivers.msr605 import Msr605Reader
from swipegate.devices.errors import SettingsError


@pytest.fixture
def plugged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    targets = {
        "other": "swipegate.devices.drivers.msr605:Msr605Reader",
        "msr605": "os:getcwd",
        "broken": "swipegate.no_such_module:Reader",
        "function": "os:getcwd",
    }
    points = EntryPoints(EntryPoint(name, target, "swipegate.drivers") for name, target in targets.items())
    monkeypatch.setattr(registry, "entry_points", lambda group: points.select(group=group))


def test_built_in_driver_is_found_and_tells_what_it_has() -> None:
    driver = find_driver("msr605")
    assert driver is Msr605Reader
    assert driver.capabilities.tracks == {1, 2, 3}
    assert not driver.capabilities.has_stock
    assert (driver.line.baud_rate, driver.line.parity) == (9600, "N")


@pytest.mark.usefixtures("plugged_in")
def test_driver_of_another_package_is_found_and_cannot_take_a_built_in_name() -> None:
    assert driver_names() == sorted({*BUILT_IN, "broken", "function", "other"})
    assert find_driver("other") is Msr605Reader
    assert find_driver("msr605") is Msr605Reader


@pytest.mark.usefixtures("plugged_in")
@pytest.mark.parametrize(
    ("name", "problem"),
    [("broken", "cannot be loaded"), ("function", "is no CardReader"), ("absent", "is none of broken, ")],
)
def test_driver_that_cannot_be_had_is_told(name: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=rf"^driver: .*{problem}"):
        find_driver(name)


async def test_reader_is_made_by_name_and_settings() -> None:
    reader = create_reader("msr605", "socket://127.0.0.1:1", {"mode": "raw", "tracks": [2]})
    assert isinstance(reader, Msr605Reader)
    await reader.close()
    with pytest.raises(SettingsError, match=r"^mode: "):
        create_reader("msr605", "socket://127.0.0.1:1", {"mode": "x"})
