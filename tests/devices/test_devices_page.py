"""docs/devices.md: its worked example is driven as any other device, and its table is the registry's."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from swipegate.devices.drivers import BUILT_IN, find_driver
from swipegate.devices.simulators import BUILT_IN as SIMULATORS
from tests.adversity.fault_matrix import outcomes
from tests.adversity.troubles import handshake_subject
from tests.devices.drivers.motorised import CARD, TRACK1, TRACK2, Kind
from tests.devices.drivers.reading import Reading, texts

PAGE = Path(__file__).parents[2] / "docs" / "devices.md"
CODE = re.compile(r"```python\n# (\w+\.py)\n(.*?)```", re.DOTALL)


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kind]:
    """The page's example as a package on the path, found by name."""
    for name, code in CODE.findall(PAGE.read_text()):
        (tmp_path / name).write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(BUILT_IN, "acme", ("acme", "AcmeReader"))
    monkeypatch.setitem(SIMULATORS, "acme", ("acme_simulator", "AcmeSimulator"))
    reader, simulator = (__import__(module) for module in ("acme", "acme_simulator"))
    kind = Kind("acme", reader.AcmeReader, simulator.AcmeSimulator)
    kind.quicken(monkeypatch)
    yield kind
    for module in ("acme", "acme_simulator"):
        sys.modules.pop(module, None)


async def test_the_worked_example_reads_and_presents_a_card(acme: Kind) -> None:
    with acme.simulator() as simulator:
        reader = acme.create(simulator.url)
        simulator.insert(CARD)
        assert texts(await Reading(reader).result()) == [TRACK1, TRACK2]
        await reader.release(accepted=True)
        await reader.close()


@pytest.mark.slow
async def test_the_worked_example_stands_every_fault(acme: Kind, tmp_path: Path) -> None:
    assert [
        str(outcome.cell)
        for outcome in await outcomes(handshake_subject(acme), tmp_path)
        if not outcome.right
    ] == []


def rows() -> Iterator[list[str]]:
    """What the table of drivers has to say."""
    for name in sorted(BUILT_IN):
        driver = find_driver(name)
        can, line = driver.capabilities, driver.line
        yield [
            f"`{name}`",
            driver.device,
            ", ".join(map(str, sorted(can.tracks))),
            f"{line.baud_rate} {line.data_bits}{line.parity}{line.stop_bits}{' RTS/CTS' if line.hardware_flow else ''}",
            *("yes" if has else "" for has in (can.motorised, can.can_retain, can.has_stock)),
        ]


def table() -> str:
    """The drivers as Markdown."""
    heads = ["driver", "device", "tracks", "line", "motor", "bin", "stock"]
    lines = [heads, ["---"] * len(heads), *rows()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def test_the_table_of_drivers_is_the_registrys() -> None:
    """`python -m tests.devices.test_devices_page` writes it."""
    assert table() in PAGE.read_text()
    assert all(find_driver(name).device for name in BUILT_IN)


if __name__ == "__main__":
    text = PAGE.read_text()
    head, tail = text.split("<!-- drivers -->\n")[0], text.split("<!-- /drivers -->\n")[1]
    PAGE.write_text(f"{head}<!-- drivers -->\n{table()}<!-- /drivers -->\n{tail}")
