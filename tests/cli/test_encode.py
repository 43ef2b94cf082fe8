"""`swipegate encode` as its users call it, and that `swipegate decode` reads every kind of file it writes."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from swipegate.cli.encode import KINDS
from swipegate.cli.main import app
from swipegate.cli.output import Exit
from swipegate.core.codings import CODINGS, Coding

PAN = "4111111111111111"
TRACK1 = f"%B{PAN}^DOE/JANE^3012101000?"
TRACK2 = f";{PAN}=30121010000012300000?"
TRACK3 = ";011234567890123445=724724100000000000030012340202000990103?"


def run(*arguments: str, standard_input: str | None = None) -> Any:
    """The result of a command that ended by itself."""
    result = CliRunner().invoke(app, list(arguments), input=standard_input)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def encode(*arguments: str, **options: Any) -> str:
    """What a command that must succeed prints, in one line."""
    result = run("encode", *arguments, **options)
    assert result.exit_code == Exit.OK, result.stderr
    assert result.stdout.count("\n") == 1
    return result.stdout


def decoded(path: Path, *options: str) -> list[list[dict[str, Any]]]:
    """The tracks of each swipe in a file."""
    answer = json.loads(run("decode", "--json", "--reveal", *options, str(path)).stdout)
    return [swipe["tracks"] for swipe in answer["swipes"]]


def texts(path: Path, *options: str) -> list[list[str]]:
    return [[track["text"] for track in tracks] for tracks in decoded(path, *options)]


def problem(*arguments: str, **options: Any) -> str:
    """What a command that must be refused says, in one line."""
    result = run("encode", *arguments, **options)
    assert result.exit_code == Exit.USAGE
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_every_kind_is_read_again(tmp_path: Path) -> None:
    for kind in KINDS:
        path = tmp_path / f"card.{kind}"
        encode(TRACK1, TRACK2, TRACK3, "-o", str(path), "--to", kind)
        options = ["--pcm", "s16le", "--channels", "3"] if kind == "pcm" else []
        (tracks,) = decoded(path, *options)
        assert [track["text"] for track in tracks] == [TRACK1, TRACK2, TRACK3], kind
        assert {track["lrc"] for track in tracks} <= {"ok", None}, kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.wav", "WAV"),
        ("A.MAG", "Flipper"),
        ("a.txt", "bit text"),
        ("a.msr", "MSR605"),
        ("a.csv", "flux times"),
    ],
)
def test_the_suffix_tells_the_kind(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name
    assert encode(TRACK2, "-o", str(path)).startswith(f"{path}: {kind}")
    assert texts(path) == [[TRACK2]]


def test_a_damaged_reverse_swipe_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "swipe.wav"
    harm = [
        "--jitter",
        "0.05",
        "--mid-jitter",
        "0.015",
        "--noise",
        "0.02",
        "--spike",
        "1",
        "--lost",
        "1",
        "--reverse",
        "--seed",
        "7",
    ]
    line = encode(TRACK2, "-o", str(path), *harm)
    assert line == f"{path}: WAV, 1 x track 2, 1 channel of 44100 Hz s16le, {path.stat().st_size} bytes\n"
    ((track,),) = decoded(path)
    assert (track["text"], track["direction"]) == (TRACK2, "reverse")


def test_the_seed_decides(tmp_path: Path) -> None:
    made = []
    for number, seed in enumerate((7, 7, 8)):
        path = tmp_path / f"{number}.wav"
        encode(TRACK2, "-o", str(path), "--noise", "0.02", "--lost", "1", "--seed", str(seed))
        made.append(path.read_bytes())
    assert made[0] == made[1]
    assert made[0] != made[2]


@pytest.mark.parametrize("kind", ["wav", "bits", "msr", "hex", "intervals"])
def test_a_card_may_be_swiped_again_and_again(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "swipes"
    encode(TRACK1, TRACK2, "-o", str(path), "--to", kind, "--repeat", "3")
    assert texts(path) == [[TRACK1, TRACK2]] * 3


@pytest.mark.parametrize("encoding", ["u8", "s24be", "f32le", "f64be"])
def test_samples_without_a_header_are_read_as_they_were_written(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "swipe.raw"
    encode(TRACK1, TRACK2, "-o", str(path), "--encoding", encoding, "--rate", "96000")
    layout = ["--pcm", encoding, "--rate", "96000", "--channels", "2"]
    assert texts(path, *layout) == [[TRACK1, TRACK2]]
    assert texts(path, *layout, "--channel", "2") == [[TRACK2]]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--pcm", "s12le"], "sample encoding is none of u8"),
        (["--pcm", "u8", "--rate", "1"], "sample rate 1 Hz"),
        (["--pcm", "u8", "--channels", "9"], "9 channels"),
        (["--channel", "2"], "no channels to choose from"),
    ],
)
def test_a_layout_that_cannot_be_says_why(tmp_path: Path, options: list[str], reason: str) -> None:
    path = tmp_path / "swipe.txt"
    encode(TRACK2, "-o", str(path))
    result = run("decode", *options, str(path))
    assert result.exit_code == Exit.USAGE
    assert reason in result.stderr


# What is on the card


def test_fields_make_tracks(tmp_path: Path) -> None:
    path = tmp_path / "card.mag"
    fields = ["--pan", PAN, "--expiry", "3012", "--service-code", "101", "--discretionary", "000"]
    assert ", 1 x tracks 1 and 2, " in encode(*fields, "--name", "DOE/JANE", "-o", str(path))
    assert texts(path) == [[TRACK1, f";{PAN}=3012101000?"]]
    assert ", 1 x track 2, " in encode(*fields, "-o", str(path))
    assert texts(path) == [[f";{PAN}=3012101000?"]]


def test_standard_input_hides_what_is_encoded(tmp_path: Path) -> None:
    path = tmp_path / "card.mag"
    encode("-", "-o", str(path), standard_input=f"{TRACK1}\n\n{TRACK2}\n")
    assert texts(path) == [[TRACK1, TRACK2]]
    encode("--pan", "-", "--expiry", "3012", "-o", str(path), standard_input=f"{PAN}\n")
    assert texts(path) == [[f";{PAN}=3012=?"]]


def test_a_line_holds_several_tracks(tmp_path: Path) -> None:
    path = tmp_path / "card.wav"
    encode(TRACK1 + TRACK2, "-o", str(path))
    assert texts(path) == [[TRACK1, TRACK2]]


@pytest.mark.parametrize("options", [["--bits"], ["--to", "bits", "-o", "-"]])
def test_standard_output_holds_the_file_alone(options: list[str], tmp_path: Path) -> None:
    result = run("encode", ";1=2?", *options)
    assert set(result.stdout) == {"0", "1", "\n"}
    assert result.stderr.startswith("-: bit text")
    path = tmp_path / "bits.txt"
    path.write_text(result.stdout)
    assert texts(path) == [[";1=2?"]]


# How characters make bits


@pytest.mark.parametrize("kind", ["bits", "intervals", "wav"])
@pytest.mark.parametrize("coding", CODINGS.values(), ids=lambda coding: coding.name)
def test_every_coding_is_read_again(coding: Coding, kind: str, tmp_path: Path) -> None:
    data = "0123456789=0123456789" if coding.bits == 5 else "S1234567 DOE 0123456789"
    text = coding.start + data + coding.end
    path = tmp_path / "card"
    given = text if coding.start.isprintable() else data
    encode(given, "--coding", coding.name, "--to", kind, "-o", str(path))
    ((track,),) = decoded(path, "--coding", coding.name)
    assert track["text"] == text
    assert (track["lrc"], track["bits_per_character"]) == ("ok", coding.bits)
    if not coding.msb_first:
        assert texts(path) == [[text]]


def test_a_coding_is_of_the_tracks_that_begin_as_it_does(tmp_path: Path) -> None:
    path = tmp_path / "card.wav"
    first, second = "%C" + "DOE".ljust(58) + "1 MAIN ST".ljust(29) + "DAVIS".ljust(13) + "?", TRACK2
    encode(first + second, "--coding", "california-6", "-o", str(path))
    (tracks,) = decoded(path)
    assert [(track["text"], track["bits_per_character"]) for track in tracks] == [(first, 6), (second, 5)]


# What is refused


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([TRACK2], "--output: the file to write is needed"),
        ([TRACK2, "-o", "card.xyz"], "--to: needed, as the file's suffix is none of .wav"),
        ([TRACK2, "-o", "a.wav", "--to", "mp3"], "--to: none of wav"),
        ([TRACK2, "-o", "a.mag", "--noise", "0.1"], "--noise: has no meaning for --to flipper"),
        ([TRACK2, "-o", "a.mag", "--coding", "iso-5"], "--coding: has no meaning for --to flipper"),
        ([TRACK2, "-o", "a.wav", "--coding", "iso-6"], "--coding: must be one of iso-5, iso-7, calif"),
        ([TRACK2, "-o", "a.wav", "--coding", "iso-7"], "--coding: a track of iso-7 begins with %, and none"),
        (["12", "34", "-o", "a.wav", "--coding", "jis-8"], "TEXT 2: a stripe of --coding jis-8 holds one"),
        (["\u00e9", "-o", "a.wav", "--coding", "jis-8"], "text holds a character outside the 8-bit set"),
        (["--pan", PAN, "-o", "a.wav", "--coding", "jis-8"], "--coding: a track of jis-8 begins with DEL"),
        ([TRACK2, "-o", "a.txt", "--mid-jitter", "0.1"], "--mid-jitter: has no meaning for --to bits"),
        ([TRACK2, "-o", "a.csv", "--rate", "48000"], "--rate: has no meaning for --to intervals"),
        ([TRACK2, "-o", "a.wav", "--encoding", "s16be"], "--encoding: none of u8, s16le, s24le"),
        ([TRACK2, "-o", "a.wav", "--lost", "500"], "--lost or --spike: at most"),
        (
            [TRACK2, "-o", "a.wav", "--repeat", "1000", "--rate", "1000000"],
            "--repeat, --rate or --speed: over",
        ),
        ([TRACK2, "-o", "no/such/folder/a.wav"], "--output: No such file"),
        ([TRACK2, TRACK2, TRACK2, "-o", "a.wav"], "TEXT 3: a second track 3"),
        ([TRACK1, TRACK1, "-o", "a.wav"], "TEXT 2: a second track 1"),
        (["%" + PAN * 70 + "?", "-o", "a.wav"], "TEXT 1: at most 1024 bytes"),
        ([f";A{PAN}?", "-o", "a.wav"], "TEXT: track 2: text holds a character"),
        (["%" + PAN * 60 + "?", "-o", "a.msr"], "bytes are over the 255 of a field"),
        (["-o", "a.wav"], "nothing to encode"),
        (["", "-o", "a.wav"], "TEXT 1: no track in it"),
        (["-", "-o", "a.wav"], "nothing to encode"),
        ([TRACK2, "--pan", PAN, "-o", "a.wav"], "--pan: either a text or fields"),
        (["--expiry", "3012", "-o", "a.wav"], "--expiry: --pan is needed"),
        ([TRACK2, "--name", "DOE", "-o", "a.wav"], "--name: --pan is needed"),
        (["--pan", PAN + "x", "-o", "a.wav"], "--pan must be 1 to 19 digits"),
        (["--pan", "-", "-o", "a.wav"], "--pan must be 1 to 19 digits"),
        (["--pan", PAN, "--service-code", "1", "-o", "a.wav"], "--service-code must be 3 digits"),
    ],
)
def test_a_refusal_names_the_option_and_no_track_data(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = problem(*arguments, standard_input="")
    assert says in said
    assert PAN not in said
    assert not list(tmp_path.iterdir())


def test_the_help_says_that_a_command_line_is_seen() -> None:
    assert "seen by other users of this machine" in " ".join(run("encode", "--help").stdout.split())
