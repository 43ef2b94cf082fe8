"""`swipegate decode` as a script calls it: JSON lines and exit codes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from swipegate.cli.main import app
from swipegate.core import symbols
from tests.core.test_flux import RATE
from tests.core.test_recordings import flux_image, riff

TRACK2 = ";4111111111111111=29121010000012300000?"


def run(*arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, the objects on stdout, stderr."""
    done = CliRunner().invoke(app, ["decode", "--json", "--reveal", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def track(*arguments: str) -> dict[str, Any]:
    """The only track, of something that reads."""
    code, (answer,), _ = run(*arguments)
    assert code == 0
    ((found,),) = [swipe["tracks"] for swipe in answer["swipes"]]
    return found


# deathzombee/msr-py tests/test_msr.py: one track in the packings readers use.
@pytest.mark.parametrize(
    ("packed", "direction"),
    [("d4119257f500", "forward"), ("00f5579211d4", "reverse"), ("2b8849eaaf00", "reverse")],
)
def test_hex_is_read_in_every_packing(packed: str, direction: str) -> None:
    found = track("--hex", packed, "--track", "2")
    assert (found["text"], found["direction"], found["lrc"]) == (";12345?", direction, "ok")


# Induct-ie/magstripe-rs tests/format_tests.rs and tests/track2_tests.rs: access cards, inverted.
@pytest.mark.parametrize(
    ("packed", "text"),
    [
        ("ffffff97def6fdbe8df7077fffffffffc0", ";0004048712?"),
        ("ffffffe5f3fdeb99ef35c0affffff0", ";0100231132?"),
        ("ffffff97def28777ef6604bfffffffffc0", ";0005721443?"),
    ],
)
def test_padding_after_inverted_bits_is_passed_over(packed: str, text: str) -> None:
    found = track("--hex", packed)
    assert (found["text"], found["inverted"]) == (text, True)
    turned = bytes(int(f"{octet:08b}"[::-1], 2) for octet in bytes.fromhex(packed))
    assert track("--hex", turned.hex())["text"] == text
    assert track("--hex", bytes.fromhex(packed)[::-1].hex())["text"] == text


@pytest.mark.parametrize(
    "packed", ["a30d1e28a9727c9400", "ffffffbbf7df7dbdb6edf77dfdffffffffffe0", "ffffff", "000000", "ff"]
)
def test_no_packing_makes_a_text_of_what_does_not_read(packed: str) -> None:
    code, (answer,), _ = run("--hex", packed)
    assert code == 1
    assert [one["text"] for one in answer["swipes"][0]["tracks"]] == [""]


def test_intervals_over_the_bound_are_the_longest_there_are(tmp_path: Path) -> None:
    path = tmp_path / "card.mag"
    path.write_bytes(flux_image([1e-6] * 40 + [1e6] + [1e-6] * 40))
    code, (answer,), _ = run(str(path))
    assert code == 1
    assert answer["swipes"][0]["tracks"][0]["text"] == ""


def test_what_breaks_a_bound_is_refused_without_its_content(tmp_path: Path) -> None:
    path = tmp_path / "card.mag"
    path.write_text("Track 2: ;" + "4111\u00e7" * 300 + "?\n")
    for arguments in (
        [str(path)],
        ["--text", "4111" * 300],
        ["--bits", "01" * 5000],
        ["--hex", "4111" * 600],
    ):
        code, (answer,), problems = run(*arguments)
        assert (code, answer["swipes"]) == (2, [])
        assert "more than 1024" in answer["error"] or "at most" in answer["error"]
        assert "4111" not in answer["error"] + problems


def test_a_refusal_is_one_line_and_names_the_whole_path(tmp_path: Path) -> None:
    path = tmp_path / ("long" * 40 + "\n.wav")
    done = CliRunner().invoke(app, ["decode", str(path)])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "No such file" in done.stderr
    code, (answer,), _ = run(str(path))
    assert (code, answer["file"]) == (2, str(path))


def test_an_unknown_format_is_not_repeated() -> None:
    code, answers, problems = run("--format", TRACK2, "--text", TRACK2)
    assert (code, answers) == (2, [])
    assert "no such card format" in problems
    assert "4111" not in problems


def test_a_loud_file_without_a_swipe_says_so(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    path.write_bytes(riff(bytes(range(256)) * (RATE // 64)))
    code, (answer,), _ = run(str(path))
    assert code in (1, 2)
    assert not any(one["text"] for swipe in answer["swipes"] for one in swipe["tracks"])


@pytest.mark.parametrize("reverse", [False, True])
def test_bits_tell_their_direction(reverse: bool) -> None:
    bits = "".join(map(str, symbols.encode(TRACK2, 5, 20, 20, reverse)))
    found = track("--bits", bits)
    assert (found["text"], found["direction"]) == (TRACK2, "reverse" if reverse else "forward")


@pytest.mark.parametrize(
    ("coding", "width", "msb_first", "text"),
    [
        ("iso-5", 5, False, TRACK2),
        ("iso-5-msb-first", 5, True, TRACK2),
        ("california-6", 6, False, "%CDOE JANE?"),
        ("jis-8", 8, False, "\x7fJ1234567890\x7f"),
    ],
)
def test_a_coding_that_is_known_is_taken(coding: str, width: int, msb_first: bool, text: str) -> None:
    bits = "".join(map(str, symbols.encode(text, width, 8, 8, msb_first=msb_first)))
    assert track("--coding", coding, "--bits", bits)["text"].strip("\x7f?") == text.strip("\x7f?")


def test_an_unknown_coding_is_refused() -> None:
    code, _, error = run("--coding", "ebcdic", "--bits", "01")
    assert code == 2
    assert "--coding: must be one of iso-5, iso-7" in error


def test_a_dash_is_standard_input() -> None:
    command = [sys.executable, "-m", "swipegate.cli.main", "decode", "--json", "-"]
    bits = "".join(map(str, symbols.encode(TRACK2, 5, 8, 8))).encode()
    done = subprocess.run(command, input=bits, capture_output=True, check=False, timeout=60)
    assert json.loads(done.stdout)["swipes"][0]["tracks"][0]["lrc"] == "ok"
