"""Simulated readers on real pseudo-terminals and sockets, and the proof that nothing of them is left."""

import os
import threading
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from swipegate.devices.drivers.msr605 import Msr605Reader
from swipegate.devices.simulators.msr605 import Msr605Simulator

LEFTOVER_TIME = 3.0  # seconds in which a thread may still end


def _descriptor_count() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


@pytest.fixture(autouse=True)
def nothing_leaks() -> Iterator[None]:
    """No thread and no descriptor outlives a test."""
    threads = set(threading.enumerate())
    descriptors = _descriptor_count()
    yield
    deadline = time.monotonic() + LEFTOVER_TIME
    while set(threading.enumerate()) - threads and time.monotonic() < deadline:
        time.sleep(0.01)
    assert set(threading.enumerate()) <= threads
    assert _descriptor_count() <= descriptors


@pytest.fixture(params=["pty", "tcp"])
def simulator(request: pytest.FixtureRequest) -> Iterator[Msr605Simulator]:
    with Msr605Simulator(request.param) as simulator:
        yield simulator


@pytest.fixture
async def reader(simulator: Msr605Simulator) -> AsyncIterator[Msr605Reader]:
    reader = Msr605Reader(simulator.url)
    yield reader
    await reader.close()
