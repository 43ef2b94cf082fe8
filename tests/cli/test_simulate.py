"""`swipegate simulate` in a process of its own, read by `swipegate devices read`."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from swipegate.cli.main import app
from swipegate.devices.drivers import driver_names
from swipegate.devices.simulators import simulator_names

COMMAND = [sys.executable, "-m", "swipegate.cli.main"]
PAN = "4111111111111111"


@contextmanager
def simulated(*arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A simulator, and where it listens."""
    command = [*COMMAND, "simulate", *arguments, "--json", "--seconds", "60"]
    with subprocess.Popen(
        command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as one:
        assert one.stdout is not None
        try:
            yield json.loads(one.stdout.readline())["url"], one
        finally:
            one.terminate()


def read(url: str, driver: str, *arguments: str) -> tuple[int, dict[str, Any] | str]:
    """What `devices read` says, as an object where it is one."""
    command = [*COMMAND, "devices", "read", url, "--driver", driver, "--seconds", "10", "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("device", sorted({*simulator_names()} & {*driver_names()}))
def test_every_simulator_gives_a_card_to_its_driver(device: str) -> None:
    # a reader on a bare line parts swipes by silence, and a busy machine does not hear a short one
    with simulated(device, "--every", "1") as (url, _):
        code, swipe = read(url, device)
    assert code == 0, swipe
    assert isinstance(swipe, dict)
    assert swipe["card_number"].startswith("411111")
    assert PAN not in json.dumps(swipe)


@pytest.mark.slow
def test_lines_and_a_script_make_things_happen(tmp_path: Path) -> None:
    script = tmp_path / "script.txt"
    script.write_text("# a jam\nput-inside\nfail jam 3\n")
    with simulated("sankyo", "--script", str(script)) as (url, one):
        code, problem = read(url, "sankyo")
        assert (code, "JAM" in str(problem)) == (3, True)
        assert one.stdin is not None
        one.stdin.write("heal\npull-out\ncard mine - ;5105105105105100=3012? -\ninsert mine\nfly\n")
        one.stdin.flush()
        code, swipe = read(url, "sankyo")
        assert code == 0
        assert isinstance(swipe, dict)
        assert swipe["card_number"].startswith("510510")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["toaster"], "'toaster' is none of "),
        (["sankyo", "--listen", "here"], "write HOST:PORT"),
        (["sankyo", "--listen", "127.0.0.1:1234567"], "write HOST:PORT"),
        (["sankyo", "--listen", "127.0.0.1:0", "--pty", "x"], "not both"),
        (["sankyo", "--script", "/no/such/file", "--seconds", "0"], "No such file"),
    ],
)
def test_what_cannot_be_simulated_is_told_in_one_line(arguments: list[str], problem: str) -> None:
    result = CliRunner().invoke(app, ["simulate", *arguments])
    assert result.exit_code == 2
    assert problem in " ".join(result.stderr.split())
    assert len(result.stderr.strip().splitlines()) == 1


def test_an_address_that_is_taken_is_told() -> None:
    with simulated("sankyo") as (url, _):
        result = CliRunner().invoke(app, ["simulate", "msr605", "--listen", url.removeprefix("socket://")])
    assert result.exit_code == 3
    assert "in use" in result.stderr


def test_the_list_names_every_simulator() -> None:
    result = CliRunner().invoke(app, ["simulate", "list"])
    assert result.stdout.split() == simulator_names()
