"""`swipegate formats` as its users call it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from swipegate import core
from swipegate.cli.main import app
from swipegate.cli.output import Exit

FOB = ";0012304567?"


def run(*arguments: str) -> tuple[int, str]:
    """Exit code and standard output."""
    result = CliRunner().invoke(app, ["formats", *arguments], env={"COLUMNS": "200"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout


def objects(*arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run(*arguments, "--json")[1].splitlines()]


def test_list_has_every_built_in_format() -> None:
    code, text = run("list")
    assert code == Exit.OK
    assert all(name in text for name in core.FORMATS_BY_NAME)
    unasked = [one["name"] for one in objects("list") if one["unasked"]]
    assert unasked == [one.name for one in core.DEFAULT_FORMATS]


def test_what_show_prints_can_be_tried(tmp_path: Path) -> None:
    code, text = run("show", "farpointe-pyramid")
    assert code == Exit.OK
    changed = json.loads(text) | {"name": "mine", "min_length": 11, "max_length": 11}
    file = tmp_path / "mine.json"
    file.write_text(json.dumps([json.loads(text), changed]))
    code, text = run("test", FOB, "--file", str(file))
    assert code == Exit.OK
    assert "fits, tried first" in text
    assert "track 2 has 10 characters between the sentinels, the format wants 11" in text
    assert "04567" not in text


def test_test_says_why() -> None:
    code, text = run("test", FOB, "--format", "stanley-field", "--format", "wiegand-26-octal")
    assert code == Exit.UNREADABLE
    assert "the format wants 24" in text
    verdicts = {one["name"]: one for one in objects("test", FOB, "--reveal")}
    assert verdicts["farpointe-pyramid"]["card_number"]["card_number"] == "04567"
    mismatch = verdicts["stanley-field"]["mismatch"]
    assert (mismatch["reason"], mismatch["found"]) == ("CARD_FORMAT_MISMATCH_REASON_LENGTH", "10")


def test_suggest() -> None:
    code, text = run("suggest", f"{FOB}=123:4567", ";0012300089?=123:89")
    assert code == Exit.OK
    assert "characters 6 to 10 of track 2" in text
    (answer,) = objects("suggest", ";4111111111111111=2912101?=4111111111111111")
    assert answer["suggestions"][0]["card_format"]["name"] == "iso7813-track2"
    assert answer["needs_more_samples"]
    code, text = run("suggest", ";1?=77")
    assert (code, "No reading" in text) == (Exit.UNREADABLE, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "nope"),
        ("test", FOB, "--format", "nope"),
        ("test", FOB, "--file", "/does/not/exist"),
        ("test", "x" * 1025),
        ("suggest", "nothing"),
        ("suggest", ";1?="),
        ("suggest", ";1?=1:2", ";2?=2"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert run(*arguments)[0] == Exit.USAGE


@pytest.mark.parametrize(
    "content", ["{", "[1]", '{"track": "x"}', '{"no_such_field": 1}', '{"name": "a"}', "[" * 9999]
)
def test_files_that_are_no_formats(tmp_path: Path, content: str) -> None:
    file = tmp_path / "formats.json"
    file.write_text(content)
    assert run("test", FOB, "--file", str(file))[0] == Exit.USAGE


def test_a_sample_that_does_not_read_is_named() -> None:
    result = CliRunner().invoke(app, ["formats", "suggest", ";0012304567?=4567", "%E?=4568"])
    assert result.exit_code == Exit.UNREADABLE
    assert "sample 2 does not read" in result.stderr
    assert "sample 1" not in result.stderr
