"""docs/decoding.md: its commands still do what it shows, and no error lacks a word of what to try."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from swipegate.cli.render import ERRORS

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "decoding.md"
DEADLINE = 60.0
"""Seconds for any command."""
MOST_BYTES = 300_000
"""Of the picture."""


def commands() -> Iterator[tuple[str, str]]:
    """Each command of the page's consoles, with what stands below it."""
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE):
        for entry in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *rest = entry.splitlines()
            while rest and rest[0].startswith("> "):
                command += "\n" + rest.pop(0).removeprefix("> ")
            yield command, "\n".join(rest)


def pattern(shown: str) -> str:
    """For fnmatch; a line of three dots stands for any lines."""
    literal = re.sub(r"([\[*?])", r"[\1]", shown)
    return "\n".join("*" if line == "..." else line for line in literal.splitlines())


@pytest.mark.slow
def test_every_command_prints_what_the_page_shows(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "python").symlink_to(sys.executable)
    script = tools / "swipegate"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m swipegate.cli.main "$@"\n')
    script.chmod(0o755)
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    surroundings = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "src")}
    for command, shown in commands():
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=surroundings | {"COLUMNS": "100", "PYTHONUTF8": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=DEADLINE,
            check=False,
        )
        printed = "\n".join(line.rstrip() for line in done.stdout.splitlines())
        assert fnmatchcase(printed, pattern(shown)), f"{command}\n{printed}"


def test_every_error_has_a_row() -> None:
    rows = re.findall(r"^\| (.*?) \| (.*?) \|$", PAGE.read_text(), re.MULTILINE)
    assert [meaning for meaning, _ in rows[2:]] == list(ERRORS.values())


def test_the_picture_is_of_the_command_and_masked() -> None:
    picture = (ROOT / "docs" / "decoding.svg").read_text()
    assert len(picture) < MOST_BYTES
    assert "jerky.wav" in picture
    assert "repaired: parity and LRC" in picture
    assert "masked" in picture
    assert f"]({PAGE.stem}.svg)" in PAGE.read_text()
