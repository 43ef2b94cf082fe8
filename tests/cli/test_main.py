"""`swipegate` among the streams of a shell: closed, full, or of another encoding."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from swipegate.cli.output import Exit

SOURCES = Path(__file__).parent.parent.parent / "src"
TEXT = "';4111111111111111=30121010000012300000?'"


def shell(command: str, **surroundings: str) -> "subprocess.CompletedProcess[str]":
    """What bash makes of a command line in which `swipegate` is ours."""
    ours = f'swipegate() {{ {sys.executable} -m swipegate.cli.main "$@"; }}; set -o pipefail; '
    return subprocess.run(
        ["bash", "-c", ours + command],
        env=os.environ | {"PYTHONPATH": str(SOURCES)} | surroundings,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "command",
    [f"decode --stage fields --text {TEXT}", f"decode --json --text {TEXT}", "encode ';1=2?' --bits"],
)
def test_a_full_disk_is_one_line(command: str) -> None:
    done = shell(f"swipegate {command} > /dev/full")
    assert done.returncode == Exit.USAGE
    assert done.stderr.splitlines()[-1] == "swipegate: standard output: No space left on device"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("stage", ["", "--stage fields"])
def test_a_reader_that_has_seen_enough_ends_it_in_silence(stage: str) -> None:
    done = shell(f"swipegate decode {stage} --text {TEXT} | true")
    assert done.returncode in (Exit.OK, Exit.UNREADABLE)
    assert done.stderr == ""


def test_closed_streams_are_empty_ones() -> None:
    assert shell("swipegate encode ';1=2?' --bits >&-").returncode == Exit.OK
    assert shell("swipegate decode --bits 01 2>&-").returncode == Exit.UNREADABLE
    done = shell("swipegate encode - -o /dev/null --to wav <&-")
    assert (done.returncode, done.stderr.count("nothing to encode")) == (Exit.USAGE, 1)


def test_what_the_terminal_cannot_show_is_escaped() -> None:
    made = shell(
        "swipegate encode A0123456789 --coding jis-8 --bits | swipegate decode --reveal -",
        PYTHONIOENCODING="ascii",
    )
    assert made.returncode == Exit.OK
    assert "\\u2421A0123456789\\u2421" in made.stdout
