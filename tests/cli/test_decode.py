"""`swipegate decode` as its users call it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from swipegate.cli.main import app
from swipegate.cli.output import Exit
from swipegate.core import symbols
from tests.cli.test_plot import flipped, wav

RECORDINGS = Path(__file__).parent.parent / "recordings"
PAN = "4111111111111111"
TRACK2 = f";{PAN}=30121010000012300000?"


def run(*arguments: str) -> tuple[int, str]:
    """Exit code and standard output."""
    result = CliRunner().invoke(app, ["decode", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout


def objects(*arguments: str) -> list[dict[str, Any]]:
    """What --json --reveal prints."""
    return [json.loads(line) for line in run("--json", "--reveal", *arguments)[1].splitlines()]


def texts(answer: dict[str, Any]) -> list[str]:
    """The text of every track that was read."""
    return [track["text"] for swipe in answer["swipes"] for track in swipe["tracks"] if track["text"]]


def test_every_recording_of_ours() -> None:
    rows = json.loads((RECORDINGS / "expected.json").read_text())
    files = [str(RECORDINGS / row["file"]) for row in rows]
    code, _ = run("--json", *files)
    assert code == Exit.OK
    for row, answer in zip(rows, objects(*files), strict=True):
        (swipe,) = answer["swipes"]
        (track,) = swipe["tracks"]
        assert track["text"] == row["expected"]
        assert track["direction"] == ("reverse" if row["reverse_swipe"] else "forward")
        assert (track["lrc"], track["repairs"]) == ("ok", [])
        assert track["bits_per_character"] == row["bits_per_char"]
        assert answer["file"].endswith(row["file"])


PUBLIC = {
    "libmsr/safeway-card.MAG": [";60058541029558180=9904?"],
    "stripesnoop/fakevisa.bits.txt": [";4313322430595449=050410100000001?"],
    "stripesnoop/fakeamex.bits.txt": [";370012345678327=090310155555?"],
    "stripesnoop/fakekroger.bits.txt": [";603240057000000=0000?"],
    "stripesnoop/fakeaaa.bits.txt": [";4290032243059544=07031010000010004976?"],
    "stripesnoop/fakebuzz.bits.txt": [";1570=901031337=00=6017700001234567?"],
    "magstripe-rs/vectors.json": [";0004048712?", ";0100231132?", ";0005721443?"],
    "magspoof_flipper/SamyExampleImage.mag": [
        "%B426684131234567^LASTNAME/FIRST^YYMMSSSDDDDDDDDDDDDDDDDDDDDDDDDD?",
        ";426684131234567=230188855555555555555?",
    ],
    "magspoof_flipper/TestMagstripe.mag": [
        "%B123456781234567^LASTNAME/FIRST^YYMMSSSDDDDDDDDDDDDDDDDDDDDDDDDD?",
        ";123456781234567=YYMMSSSDDDDDDDDDDDDDD?",
    ],
}


@pytest.mark.parametrize("name", PUBLIC)
def test_public_recordings(shared: Path, name: str) -> None:
    (answer,) = objects(str(shared / "recordings" / "public" / name))
    assert texts(answer) == PUBLIC[name]


def test_public_captures(shared: Path) -> None:
    folder = shared / "recordings" / "public" / "sigrok-paxton"
    rows = json.loads((folder / "expected.json").read_text())
    for name in {row["file"] for row in rows}:
        frames = [row["text"] for row in rows if row["file"] == name]
        assert texts(objects(str(folder / name))[0]) == frames


def test_json_has_what_is_promised() -> None:
    (answer,) = objects("--text", f"%B{PAN}^DOE/JANE^3012101000?{TRACK2}")
    assert answer["file"] == "--text"
    (swipe,) = answer["swipes"]
    assert swipe["card_number"] == PAN
    first, second = swipe["tracks"]
    assert [first["number"], second["number"]] == [1, 2]
    assert first["fields"] == {
        "format_code": "B",
        "pan": PAN,
        "luhn_ok": True,
        "name": "DOE/JANE",
        "surname": "DOE",
        "first_name": "JANE",
        "expiry": "3012",
        "service_code": "101",
        "discretionary": "000",
        "service_interchange": "international",
        "service_authorisation": "normal",
        "service_range": "any",
        "brand": "visa",
    }
    assert second["card_number"] == PAN
    assert first["errors"] == second["errors"] == []


@pytest.mark.parametrize("shape", ["--json", "people"])
def test_pans_are_masked(shape: str) -> None:
    options = [shape] if shape.startswith("--") else []
    code, output = run(*options, "--text", f"%B{PAN}^DOE/JANE^3012101000?{TRACK2}")
    assert code == Exit.OK
    assert PAN not in output
    assert "411111******1111" in output
    assert "0000012300000" not in output


def test_hex_and_bits() -> None:
    (answer,) = objects("--hex", "a30d1e28a9727c5400")  # MSR605 programmer's manual, raw read
    assert texts(answer) == ["%ABC123?"]
    fob = "000000000011010100110001010011001001001110000000100001011111000010000000000"  # en4rab/sigrok-paxton-pd
    (answer,) = objects("--bits", fob)
    assert texts(answer) == [";98949188?"]


def test_a_repair_is_told() -> None:
    (answer,) = objects("--hex", "a20d1e28a9727c5400")  # its eighth bit, the first of the A, is flipped
    (track,) = answer["swipes"][0]["tracks"]
    assert (track["text"], track["lrc"]) == ("%ABC123?", "repaired")
    assert track["repairs"] == [{"position": 1, "character": "A", "method": "PARITY_AND_LRC"}]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--text", "%E?;E?"], Exit.UNREADABLE),
        (["--bits", "0" * 50], Exit.UNREADABLE),
        (["--bits", "012"], Exit.USAGE),
        (["--hex", "xy"], Exit.USAGE),
        (["no-such-file"], Exit.USAGE),
        ([], Exit.USAGE),
        (["--format", "no-such-format", "--text", TRACK2], Exit.USAGE),
    ],
)
def test_exit_codes(arguments: list[str], code: Exit) -> None:
    assert run(*arguments)[0] == code


def test_a_bad_file_does_not_lose_the_good_ones() -> None:
    good = str(RECORDINGS / "redub_t2_sq1_fwd.wav")
    answers = objects("no-such-file", good)
    assert [len(answer["swipes"]) for answer in answers] == [0, 1]
    assert "No such file" in answers[0]["error"]


# A track that does not read


def test_it_says_where_it_broke_and_what_to_try(tmp_path: Path) -> None:
    path = str(wav(tmp_path / "card.wav", flipped((9, 19, 25))))
    code, output = run(path)
    assert code == Exit.UNREADABLE
    assert "40 characters, end sentinel and LRC included; 3 are wrong, the first is character 9" in output
    tries = [line.split()[1] for line in output.splitlines() if line.startswith("try ")]
    assert tries == ["swipe", "--same-card", "--candidates", "--plot"]
    code, output = run("--candidates", "--plot", str(tmp_path / "why.svg"), path)
    assert code == Exit.UNREADABLE
    tries = [line.split()[1] for line in output.splitlines() if line.startswith("try ")]
    assert tries == ["swipe", "--same-card"]
    assert PAN not in output


@pytest.mark.parametrize(
    ("arguments", "said", "tried"),
    [
        (["--flux", "1000"], "Nothing in it looks like the cells of a track", "swipe once"),
        (["--bits", "01" * 40], "No start sentinel that is followed", "--coding"),
        (["--bits", "01" * 40, "--coding", "iso-7"], "No start sentinel", "leave --coding out"),
    ],
)
def test_what_is_no_track_says_so(arguments: list[str], said: str, tried: str) -> None:
    code, output = run(*arguments)
    assert code == Exit.UNREADABLE
    assert said in output
    assert f"\ntry {tried}" in output


@pytest.mark.parametrize(
    "arguments", [["--text", "%E?"], ["--text", TRACK2], ["--json", "--bits", "01" * 40]]
)
def test_there_is_nothing_to_tell_of_a_text_or_to_a_machine(arguments: list[str]) -> None:
    assert "try " not in run(*arguments)[1]


def test_of_several_signals_each_is_told_apart(tmp_path: Path) -> None:
    good, bad = symbols.encode(TRACK2, 5, 20, 20), flipped((9, 19, 25))
    path = tmp_path / "card.txt"
    path.write_text("\n".join("".join(map(str, bits)) for bits in (good, bad)))
    lines = run(str(path))[1].splitlines()
    assert any(line.startswith("signal 2: The nearest reading") for line in lines)
    assert not any(line.startswith("signal 1") for line in lines)
