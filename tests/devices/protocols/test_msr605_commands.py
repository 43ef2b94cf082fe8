"""Every command of the table, by name."""

import pytest

from swipegate.devices.protocols.msr605 import commands
from swipegate.devices.protocols.msr605.commands import Command

TABLE = [
    (commands.RESET, "1B61"),
    (commands.COMMUNICATION_TEST, "1B65"),
    (commands.READ_ISO, "1B72"),
    (commands.READ_RAW, "1B6D"),
    (commands.LEDS_OFF, "1B81"),
    (commands.LEDS_ON, "1B82"),
    (commands.LED_GREEN, "1B83"),
    (commands.LED_YELLOW, "1B84"),
    (commands.LED_RED, "1B85"),
    (commands.SENSOR_TEST, "1B86"),
    (commands.RAM_TEST, "1B87"),
    (commands.set_leading_zeros(61, 22), "1B7A3D16"),
    (commands.GET_LEADING_ZEROS, "1B6C"),
    (commands.erase({1}), "1B6300"),
    (commands.erase({2}), "1B6302"),
    (commands.erase({3}), "1B6304"),
    (commands.erase({1, 2}), "1B6303"),
    (commands.erase({1, 3}), "1B6305"),
    (commands.erase({2, 3}), "1B6306"),
    (commands.erase({1, 2, 3}), "1B6307"),
    (commands.set_bpi(1, 210), "1B62A1"),
    (commands.set_bpi(1, 75), "1B62A0"),
    (commands.set_bpi(2, 210), "1B62D2"),
    (commands.set_bpi(2, 75), "1B624B"),
    (commands.set_bpi(3, 210), "1B62C1"),
    (commands.set_bpi(3, 75), "1B62C0"),
    (commands.set_bpc(7, 5, 5), "1B6F070505"),
    (commands.SET_HICO, "1B78"),
    (commands.SET_LOCO, "1B79"),
    (commands.GET_COERCIVITY, "1B64"),
    (commands.GET_MODEL, "1B74"),
    (commands.GET_FIRMWARE, "1B76"),
]


@pytest.mark.parametrize(("command", "frame"), TABLE, ids=[frame for _, frame in TABLE])
def test_command_is_the_bytes_of_the_table(command: Command, frame: str) -> None:
    assert command.frame.hex().upper() == frame


@pytest.mark.parametrize("texts", [("%ABC123?", ";12345?"), ("ABC123", "12345")])
def test_iso_write_sends_no_sentinels(texts: tuple[str, str]) -> None:
    assert commands.write_iso(*texts).frame.hex() == "1b771b731b014142433132331b0231323334351b033f1c"


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"track2": ";12A45?"}, "track2"),
        ({"track1": "%abc?"}, "track1"),
        ({"track1": "%AB?C?"}, "track1"),
        ({"track3": ";1\u00e93?"}, "track3"),
        ({"track1": "A" * 77}, "track1"),
        ({"track2": "1" * 38}, "track2"),
        ({"track3": "1" * 105}, "track3"),
    ],
)
def test_iso_write_names_the_track_that_cannot_be_written_and_not_its_text(
    arguments: dict[str, str], field: str
) -> None:
    with pytest.raises(ValueError, match=f"^{field}: ") as refused:
        commands.write_iso(**arguments)
    assert arguments[field] not in str(refused.value)


def test_iso_write_takes_the_longest_tracks() -> None:
    frame = commands.write_iso("A" * 76, "1" * 37, "2" * 104).frame
    assert len(frame) == 4 + 3 * 2 + 76 + 37 + 104 + 2


def test_write_hides_its_data_in_the_repr() -> None:
    command = commands.write_iso(track2=";4111111111111111=3001?")
    assert "4111" not in repr(command)
    assert "34313131" not in repr(command)


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (lambda: commands.set_leading_zeros(256, 0), "tracks_1_and_3"),
        (lambda: commands.set_leading_zeros(0, -1), "track_2"),
        (lambda: commands.erase(()), "tracks"),
        (lambda: commands.erase({1, 4}), "tracks"),
        (lambda: commands.set_bpi(2, 100), "track 2"),
        (lambda: commands.set_bpc(7, 4, 5), "track2"),
        (lambda: commands.write_raw(track3=bytes(256)), "track3"),
    ],
)
def test_wrong_parameter_is_named(build: object, field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}"):
        build()  # type: ignore[operator]
