"""`swipegate decode --stage`, --candidates and --same-card: each stage alone, and one fed to the next."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from swipegate.cli.main import app
from swipegate.cli.output import Exit
from swipegate.core import symbols
from tests.cli.test_plot import PAN, TRACK2, flipped, wav

RECORDINGS = Path(__file__).parent.parent / "recordings"
ROWS = json.loads((RECORDINGS / "expected.json").read_text())
TRACK1 = f"%B{PAN}^DOE/JANE^3012101000?"


def run(*arguments: str | Path, stdin: str | None = None) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    done = CliRunner().invoke(app, ["decode", *map(str, arguments)], input=stdin)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def texts(*arguments: str | Path) -> list[str]:
    """The text of every track."""
    answers = [json.loads(line) for line in run("--json", "--reveal", *arguments)[1].splitlines()]
    return [track["text"] for answer in answers for swipe in answer["swipes"] for track in swipe["tracks"]]


def stage(name: str, *arguments: str | Path) -> str:
    """What a stage prints, unmasked."""
    return run("--stage", name, "--reveal", *arguments)[1]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"])
def test_each_stage_feeds_the_next(row: dict[str, str], tmp_path: Path) -> None:
    recording, text = RECORDINGS / row["file"], row["expected"]
    flux = stage("flux", recording)
    assert set(flux) <= set("0123456789 \n")
    assert texts("--flux", flux) == [text]
    path = tmp_path / "made.txt"
    for name in ("bits", "characters"):
        path.write_text(stage(name, recording))
        assert texts(path) == [text]
    assert stage("bits", path.parent / "made.txt") == ""  # characters have no bits
    assert stage("fields", path) == stage("fields", recording)
    assert stage("number", path) == stage("number", recording)


def test_bits_come_one_track_a_line_and_a_blank_line_between_swipes(tmp_path: Path) -> None:
    one, two = (
        "".join(map(str, symbols.encode(TRACK1, 7, 9, 9))),
        "".join(map(str, symbols.encode(TRACK2, 5, 9, 9))),
    )
    path = tmp_path / "two.txt"
    path.write_text(f"{one}\n{two}\n\n{two}\n")
    assert stage("bits", path) == path.read_text()


def test_characters_are_marked(tmp_path: Path) -> None:
    path = wav(tmp_path / "card.wav", flipped((9, 19)))
    code, output, _ = run("--stage", "characters", "--reveal", path)
    lines = output.splitlines()
    assert code == Exit.UNREADABLE
    assert lines[0].startswith("# ;41111111")
    marks = lines[1].split("(")[0]
    assert [place - 2 for place, mark in enumerate(marks) if mark == "x"] == [9, 19]
    assert "2 are wrong, the first is character 9, at 12" in lines[2]
    (object_,) = run("--stage", "characters", "--json", path)[1].splitlines()
    (track,) = json.loads(object_)["tracks"]
    assert [place for place, one in enumerate(track["characters"]) if not one["parity_ok"]] == [9, 19]
    assert "".join(one["text"] for one in track["characters"]) == ";411111**********=********************?*"


def test_fields_and_number() -> None:
    given = ("--text", TRACK1 + TRACK2)
    assert stage("fields", *given).splitlines()[:4] == [
        "Track 1",
        "  format_code B",
        f"  pan {PAN}",
        "  luhn_ok True",
    ]
    assert f"card_number={PAN}" in stage("number", *given)
    assert stage("characters", *given).splitlines() == [f"Track 1: {TRACK1}", f"Track 2: {TRACK2}"]
    assert stage("number", "--text", "%E?") == ""


@pytest.mark.parametrize("name", ["flux", "bits", "characters", "fields", "number"])
@pytest.mark.parametrize("shape", [[], ["--json"]])
def test_no_stage_shows_what_is_masked(name: str, shape: list[str], tmp_path: Path) -> None:
    recording = RECORDINGS / "redub_t2_sq1_fwd.wav"
    code, output, _ = run("--stage", name, *shape, recording)
    assert (code, PAN in output, "0000012300000" in output) == (Exit.OK, False, False)
    assert "*" in output
    sent = "".join(map(str, symbols.encode(TRACK2, 5)))
    assert sent[5 * 7 : 5 * 13] not in output
    path = tmp_path / "masked.txt"
    path.write_text(output)
    if name == "bits" and not shape:
        assert run(path)[0] == Exit.USAGE
    if name == "flux" and not shape:
        assert run("--flux", output)[0] == Exit.USAGE
        assert output.count("*") == 3  # PAN, discretionary data and LRC


def test_json_of_flux_and_bits() -> None:
    recording = RECORDINGS / "redub_t2_sq1_fwd.wav"

    def made(name: str) -> dict[str, Any]:
        (line,) = stage(name, "--json", recording).splitlines()
        answer = json.loads(line)
        assert (answer["stage"], answer["swipe"]) == (name, 1)
        (track,) = answer["tracks"]
        return dict(track)

    bits, flux = made("bits"), made("flux")
    count = len(bits["bits"])
    assert (len(bits["times"]), len(bits["doubts"])) == (count + 1, count)
    assert len(flux["nanoseconds"]) == count + bits["bits"].count("1")
    assert sum(flux["nanoseconds"]) / 1e9 == pytest.approx(bits["times"][-1] - bits["times"][0], abs=2e-3)


def test_candidates_are_listed(tmp_path: Path) -> None:
    path = wav(tmp_path / "card.wav", flipped((9, 19, 25)), damped={150: 0.2})
    code, output, _ = run("--candidates", path)
    lines = [line for line in output.splitlines() if line.startswith("reading: ")]
    assert code == Exit.UNREADABLE
    assert len(lines) > 1
    assert all("bits, jitter" in line and PAN not in line for line in lines)
    (answer,) = [json.loads(line) for line in run("--candidates", "--json", path)[1].splitlines()]
    (swipe,) = answer["swipes"]
    assert len(swipe["candidates"]) == len(lines)
    assert len(stage("bits", "--candidates", path).splitlines()) == len(lines)


@pytest.mark.parametrize("value", ["", "1000 x", "1000 -5", "4294967296", "1 " * 16_385])
def test_flux_times_that_are_none(value: str) -> None:
    code, output, problems = run("--flux", value)
    assert (code, output, problems.count("\n")) == (Exit.USAGE, "", 1)
    assert "--flux" in problems


def test_passes_of_one_card_are_one_swipe(tmp_path: Path) -> None:
    whole = wav(tmp_path / "whole.wav", flipped(()))
    broken = wav(tmp_path / "broken.wav", flipped((9, 19)))
    code, output, _ = run("--same-card", "--json", "--reveal", broken, whole)
    (answer,) = [json.loads(line) for line in output.splitlines()]
    assert answer["file"] == "one card in 2 passes"
    (swipe,) = answer["swipes"]
    assert TRACK2 in [track["text"] for track in swipe["tracks"]]
    # the broken pass is known to be of track 2 by the other one
    assert {track["number"] for track in swipe["tracks"]} == {2}
    assert swipe["card_number"] == PAN
    assert run("--same-card", "--plot", tmp_path / "out.svg", broken, whole)[0] == code


def test_one_card_has_at_most_eight_tracks(tmp_path: Path) -> None:
    bits = "".join(map(str, symbols.encode(TRACK2, 5, 9, 9)))
    path = tmp_path / "many.txt"
    path.write_text("\n\n".join([bits] * 8))
    assert run("--same-card", path)[0] == Exit.OK
    path.write_text("\n\n".join([bits] * 9))
    code, _, problems = run("--same-card", path)
    assert code == Exit.USAGE
    assert "at most 8" in problems
    assert run("--same-card", "no-such-file")[0] == Exit.USAGE
