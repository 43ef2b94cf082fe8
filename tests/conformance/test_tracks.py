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

from tests.conformance.checks import CHECKS, check, check_recording
from tests.conformance.test_msr605_vectors import CASE_KINDS

VECTORS = [json.loads(line) for line in Path(__file__).with_name("tracks.jsonl").read_text().splitlines()]
DIFFERENCES = {row["id"] for row in VECTORS if "difference" in row}
SHARED = Path(os.environ.get("SWIPEGATE_SHARED", Path(__file__).parents[3] / "shared"))
SHARED_ROWS = [
    json.loads(line)
    for path in sorted(SHARED.glob("cases/*.jsonl"))
    for line in path.read_text().splitlines()
    if line
]
# Frames of the MSR605 itself; test_msr605_vectors runs each of them.
DEVICE_KINDS = CASE_KINDS - set(CHECKS)


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


@pytest.mark.parametrize(
    "row",
    [row for row in SHARED_ROWS if row["kind"] not in DEVICE_KINDS and row["id"] not in DIFFERENCES],
    ids=lambda row: row["id"],
)
def test_shared_case(row: dict[str, Any]) -> None:
    if isinstance(row["input"], dict) and "file" in row["input"]:
        check_recording(SHARED / row["input"]["file"], row["expect"])
    else:
        check(row["kind"], row["input"], row["expect"])


def test_a_difference_is_of_the_same_input() -> None:
    if not SHARED_ROWS:
        pytest.skip(f"{SHARED} is not there")
    given = {row["id"]: row["input"] for row in SHARED_ROWS}
    assert {row["id"]: row["input"] for row in VECTORS if "difference" in row}.items() <= given.items()
