"""Settings of drivers and lines, from what a file or a message gives."""

from typing import Any

import pytest

from swipegate.devices.drivers.msr605 import Msr605Settings
from swipegate.devices.drivers.settings import line_from, settings_from
from swipegate.devices.errors import SettingsError
from swipegate.devices.line import LineSettings


def test_settings_of_a_string_map_are_read() -> None:
    settings = settings_from(Msr605Settings, {"mode": "iso", "tracks": "1, 2", "bits_per_character": "7,5,5"})
    assert settings == Msr605Settings(mode="iso", tracks=(1, 2), bits_per_character=(7, 5, 5))


@pytest.mark.parametrize("tracks", ["", "1;2", "1,,2", "one", "-1", "1" * 4, "2,2", [4], None, 7, {"a": 1}])
def test_a_wrong_choice_of_tracks_is_refused(tracks: object) -> None:
    with pytest.raises(SettingsError, match=r"^tracks: ") as caught:
        settings_from(Msr605Settings, {"tracks": tracks})
    assert caught.value.field == "tracks"


def test_an_unknown_setting_is_named_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match=r"^speed: is none of bits_per_character, mode, tracks$"):
        settings_from(Msr605Settings, {"speed": "1"})


def test_settings_of_the_line_change_the_drivers_own() -> None:
    own = LineSettings(baud_rate=38400, parity="E")
    line, rest = line_from(own, {"baud_rate": "19200", "hardware_flow": "true", "mode": "raw"})
    assert line == LineSettings(baud_rate=19200, parity="E", hardware_flow=True)
    assert rest == {"mode": "raw"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("baud_rate", "fast"), ("baud_rate", 1), ("parity", "X"), ("hardware_flow", "perhaps")],
)
def test_a_wrong_setting_of_the_line_is_refused(name: str, value: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        line_from(LineSettings(), {name: value})
    assert caught.value.field == name
