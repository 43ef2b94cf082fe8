"""The fuzz targets without an engine: seeds, inputs that once were findings, and mutated ones by seed."""

import random
from pathlib import Path

import pytest

from tests.fuzz.mutation import mutate
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS
from tests.fuzz.work import Work

REGRESSIONS = Path(__file__).parent / "regressions"
SEED = 7811
NAMES = list(TARGETS)
WORK = Work()
"""Counts where the stages are instrumented, as in make sanitize."""


def replay(target: Target, data: bytes) -> None:
    try:
        WORK.check(target, data)
    except Exception as error:
        error.add_note(f"{target.name}: {data.hex() if len(data) < 2000 else f'{len(data)} bytes'}")
        raise


@pytest.mark.parametrize("name", NAMES)
def test_seeds(name: str) -> None:
    seeds = list(TARGETS[name].seeds())
    assert len(seeds) >= 10
    for data in seeds:
        assert len(data) <= 8 * TARGETS[name].longest
        replay(TARGETS[name], data)


@pytest.mark.parametrize("name", NAMES)
def test_mutated_seeds(name: str) -> None:
    target, chance = TARGETS[name], random.Random(SEED)
    seeds = [data[: target.longest] for data in target.seeds()]
    for count in range(target.replays):
        data = chance.choice(seeds)
        if target.mutator is not None and count % 2:
            replay(target, target.mutator(data, target.longest, chance.getrandbits(32)))
        else:
            replay(target, mutate(data, target.longest, chance, target.words, chance.choice(seeds)))


@pytest.mark.parametrize(
    "path", sorted(REGRESSIONS.glob("*/*.hex")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_regressions(path: Path) -> None:
    replay(TARGETS[path.parent.name], bytes.fromhex(path.read_text()))
