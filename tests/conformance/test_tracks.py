"""Vectors from public parsers, manuals and captures; each row of tracks.jsonl names its source.

A row with a `difference` is one where the peer departs from the standard: its `expect` is what the standard
says, and
`difference` tells what the peer said, with the clause.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.checks import CHECKS, check

VECTORS = [json.loads(line) for line in Path(__file__).with_name("tracks.jsonl").read_text().splitlines()]
DIFFERENCES = {row["id"] for row in VECTORS if "difference" in row}
SHARED = Path(os.environ.get("SWIPEGATE_SHARED", Path(__file__).parents[3] / "shared")) / "cases"


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: row["id"])
def test_vector(row: dict[str, Any]) -> None:
    check(row["kind"], row["input"], row["expect"])


def test_every_kind_has_a_vector() -> None:
    assert {row["kind"] for row in VECTORS} == set(CHECKS)


def test_every_difference_is_told() -> None:
    page = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text()
    assert {line.split()[1] for line in page.splitlines() if line.startswith("| ")} - {
        "vector",
        "---",
    } == DIFFERENCES


def test_shared_cases() -> None:
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not there")
    rows = [
        json.loads(line)
        for path in sorted(SHARED.glob("*.jsonl"))
        for line in path.read_text().splitlines()
        if line
    ]
    mine = [row for row in rows if row["kind"] in CHECKS and row["id"] not in DIFFERENCES]
    assert len(mine) > 100
    for row in mine:
        check(row["kind"], row["input"], row["expect"])
