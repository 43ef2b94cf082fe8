"""Scripts of simulated devices: what each line does, and what a wrong one is told."""

from collections.abc import Iterator

import pytest

from swipegate.devices.simulators.cards import TEST_CARD, SimulatedCard
from swipegate.devices.simulators.faults import FAULT_NAMES, Fault, named_fault
from swipegate.devices.simulators.msr605 import Msr605Simulator
from swipegate.devices.simulators.sankyo import SankyoSimulator
from swipegate.devices.simulators.sanwa import SanwaSimulator
from swipegate.devices.simulators.script import VERBS, Director, ScriptError


@pytest.fixture
def simulator() -> Iterator[SankyoSimulator]:
    with SankyoSimulator() as simulator:
        yield simulator


def test_each_line_does_what_it_says(simulator: SankyoSimulator) -> None:
    director = Director(simulator, {"own": SimulatedCard(track2=";1?")})
    director.perform(
        [
            "# the people",
            "insert",
            "  insert own  # second",
            "card mine - ;2?",
            "insert mine",
            "fail jam 2",
            "refuse C10 3",
            "removal never",
            "wait 0.01",
            "",
            "fault 'response C62' silence 0 2",
        ]
    )
    mechanism = simulator.mechanism
    assert mechanism.waiting == 3
    assert mechanism.faults == ["jam", "jam"]
    assert simulator.unit.refusals == [b"C10"] * 3
    assert mechanism.removal_time is None
    director.do("heal")
    assert mechanism.faults == simulator.unit.refusals == []
    director.do("put-inside")
    assert mechanism.card is TEST_CARD
    director.do("pull-out")
    assert mechanism.card is None
    for line in ("unplug", "replug", "power-cycle", "unplug 0.01", "take"):
        director.do(line)


@pytest.mark.parametrize("name", FAULT_NAMES)
def test_every_fault_has_its_name(name: str) -> None:
    assert isinstance(named_fault(name, 1), Fault)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("fly", "'fly' is none of card, insert"),
        ("insert nobody", "insert: no card is named 'nobody'"),
        ("insert 'nobody", "no closing quotation"),
        ("wait soon", "wait: 'soon' is no number; write: wait SECONDS"),
        ("wait -1", "wait: -1 is not 0 to 86400 seconds"),
        ("wait", "wait: something is missing; write: wait SECONDS"),
        ("fault echo thunder", "'thunder' is none of lose-byte"),
        ("fault echo late 1e9", "is not -255 to 255"),
        ("fail jam 0", "0 is not 1 to 1000 times"),
        ("card x", "a card has one to three tracks"),
        ("removal nan", "nan is not 0 to 86400 seconds"),
        ("insert " + "x" * 1000, "is over 1000 characters"),
    ],
)
def test_a_wrong_line_is_told_with_its_number(simulator: SankyoSimulator, line: str, problem: str) -> None:
    with pytest.raises(ScriptError, match=r"^line 2: ") as told:
        Director(simulator).perform(["heal", line, "unplug"])
    assert problem in str(told.value)


def test_what_needs_a_motor_is_refused_without_one() -> None:
    with Msr605Simulator("tcp") as simulator:
        for name, verb in VERBS.items():
            if verb.motorised:
                with pytest.raises(ScriptError, match=f"^{name}: this device has no motor$"):
                    Director(simulator).do(name)


def test_a_stock_is_filled_where_there_is_one(simulator: SankyoSimulator) -> None:
    with pytest.raises(ScriptError, match=r"^stock: this device has no stock"):
        Director(simulator).do("stock")
    with SanwaSimulator() as reader:
        Director(reader).perform(["stock", "stock test"])
        assert reader.stock == [TEST_CARD, TEST_CARD]
