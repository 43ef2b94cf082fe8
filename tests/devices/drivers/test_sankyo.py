"""What is the ICT3Q8's own: its error codes, its commands, and what it is told in which order."""

import time
from pathlib import Path

import pytest

from swipegate.devices.drivers.sankyo import SankyoReader
from swipegate.devices.errors import MEDIA
from swipegate.devices.protocols.sankyo import commands
from swipegate.devices.protocols.sankyo.errors import ERRORS
from swipegate.devices.simulators.sankyo import FAULTS, TRACK_FAULTS, SankyoSimulator
from tests.devices.drivers.motorised import CARD, KINDS
from tests.devices.drivers.reading import Reading, serves_next

# The codes of the specification's error table.
SPECIFIED = [
    *("00", "01", "02", "04", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19"),
    *("20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31"),
    *("40", "45", "46", "50", "51", "60", "69", "70", "71", "B0"),
]


def test_every_specified_code_has_its_reason() -> None:
    assert set(SPECIFIED) <= set(ERRORS)
    assert set(FAULTS.values()) | set(TRACK_FAULTS.values()) <= set(ERRORS)
    assert {code for code, reason in ERRORS.items() if reason in MEDIA and code[0] == "2"} == {
        f"2{digit}" for digit in range(10)
    }


async def test_the_device_is_told_nothing_more_than_it_must() -> None:
    with SankyoSimulator() as simulator:
        reader = KINDS["sankyo"].create(simulator.url, poll=1.0)
        simulator.insert(CARD)
        await reader.probe()
        asked = len(simulator.received)
        await Reading(reader).result()
        await reader.release(accepted=True)
        await reader.close()
    heard = simulator.received[asked:]
    assert heard[:3] == [commands.STATUS] * 3
    assert [command for command in heard if command != commands.STATUS] == [
        commands.ENABLE_MAGNETIC,
        commands.DISABLE,
        *map(commands.read_track, (1, 2, 3)),
        commands.EJECT,
    ]


async def test_a_device_that_awaits_the_speed_of_the_line_is_initialised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    KINDS["sankyo"].quicken(monkeypatch)
    with SankyoSimulator() as simulator:
        reader = KINDS["sankyo"].create(simulator.url)
        for _ in range(2):
            simulator.power_cycle()
            simulator.deaf = True
            await serves_next(simulator, reader)
        await reader.close()


async def test_a_card_of_the_wrong_length_goes_out_by_the_gate() -> None:
    with SankyoSimulator() as simulator:
        reader = SankyoReader.create(simulator.url, {"card_left": "retain"})
        await reader.probe()
        simulator.put_inside(CARD)
        simulator.status_fault = "13"
        await reader.probe()
        assert commands.initialise(commands.TO_GATE) in simulator.received
        assert simulator.mechanism.bin == []
        await reader.close()


async def test_a_pseudo_terminal_serves_where_parity_is_left_out(tmp_path: Path) -> None:
    with SankyoSimulator("pty", path=tmp_path / "reader") as simulator:
        reader = KINDS["sankyo"].create(simulator.url, parity="N", hardware_flow=False)
        simulator.insert(CARD)
        assert (await Reading(reader).result()).readable
        await reader.close()


async def test_the_device_has_its_rest_before_every_command(monkeypatch: pytest.MonkeyPatch) -> None:
    rest = 0.05
    monkeypatch.setattr(SankyoReader, "rest", rest)
    with SankyoSimulator() as simulator:
        reader = KINDS["sankyo, blocking"].create(simulator.url)
        heard: list[tuple[float, bytes]] = []
        respond, note = simulator.unit.respond, simulator._note
        monkeypatch.setattr(
            simulator.unit, "respond", lambda text, now: (heard.append((now, b"")), respond(text, now))[1]
        )
        monkeypatch.setattr(
            simulator, "_note", lambda command: (heard.append((time.monotonic(), command)), note(command))[1]
        )
        simulator.insert(CARD)
        await Reading(reader).result()
        await reader.close()
    pauses = {
        command: heard[index][0] - heard[index - 1][0]
        for index, (_, command) in enumerate(heard)
        if index and command and not heard[index - 1][1]
    }
    assert commands.ENTRY_MAGNETIC in pauses
    assert min(pauses.values()) >= rest
