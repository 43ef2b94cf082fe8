"""`swipegate demo` in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from swipegate.devices.drivers import driver_names
from swipegate.devices.simulators import simulator_names

PAN = "6759649826438453"  # of the recording that it plays; a published test number


@pytest.mark.slow
@pytest.mark.parametrize("device", sorted({*simulator_names()} & {*driver_names()}))
def test_demo_shows_the_main_job(tmp_path: Path, device: str) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "COLUMNS": "200"}
    environment.pop("XDG_DATA_HOME", None)
    command = [sys.executable, "-m", "swipegate.cli.main", "demo", "--device", device]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    for line in (
        f"{device} on the line ",
        "WAITING_FOR_CARD",
        "SUCCEEDED",
        ";675964******8453=2812=**********?",
        "card number  0123456789  (format campus)",
        "the card was assigned to the user",
        "the card was taken from its previous holder",
        "(Ada Lovelace), current user",
        "its holder is Grace Hopper",
    ):
        assert line in done.stdout
    assert PAN not in done.stdout + done.stderr
    assert not list(tmp_path.iterdir()), "nothing is left behind"
