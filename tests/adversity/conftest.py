"""Faults of real servers and processes."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is killed and cut at random on a busy machine gets a second chance; pytest tells of each that needed it."""
    for item in items:
        if "tests/adversity/" in item.nodeid:
            item.add_marker(pytest.mark.flaky(reruns=1))
