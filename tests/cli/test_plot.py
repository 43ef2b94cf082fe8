"""`swipegate decode --plot` as its users call it: what must be in the picture, and what must not."""

import io
import json
import re
import wave
from array import array
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image
from typer.testing import CliRunner

from swipegate.cli.main import app
from swipegate.cli.output import Exit
from swipegate.core import symbols, synthesis
from swipegate.core.codings import CODINGS, Coding
from tests.core.test_recordings import flux_image

RECORDINGS = Path(__file__).parent.parent / "recordings"
ROWS = json.loads((RECORDINGS / "expected.json").read_text())
PAN = "4111111111111111"
TRACK2 = f";{PAN}=30121010000012300000?"
RATE = 44_100
SVG = "{http://www.w3.org/2000/svg}"


class Drawn:
    """An SVG, by the classes of its elements."""

    def __init__(self, path: Path) -> None:
        self.root = ElementTree.fromstring(path.read_bytes())

    def of(self, kind: str) -> list[ElementTree.Element]:
        """Elements whose class begins with this word."""
        return [one for one in self.root.iter() if one.get("class", "").split(" ")[0] == kind]

    def words(self, kind: str) -> list[str]:
        """What the labels of a kind say."""
        return [one.text or "" for one in self.of(kind)]

    @property
    def characters(self) -> str:
        """The labels of the characters of the only row, from the start sentinel on; a blank one is a blank."""
        labels = {int(one.get("class", "").split()[1]): one.text or " " for one in self.of("text")}
        assert sorted(labels) == list(range(len(labels)))
        return "".join(labels[place] for place in range(len(labels)))


def run(*arguments: str | Path) -> tuple[int, str]:
    """Exit code and what stands on stderr."""
    done = CliRunner().invoke(app, ["decode", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stderr


def draw(tmp_path: Path, *arguments: str | Path, code: Exit = Exit.OK) -> Drawn:
    path = tmp_path / "out.svg"
    assert run("--plot", path, *arguments)[0] == code
    return Drawn(path)


def wav(path: Path, bits: bytes, *, damped: dict[int, float] | None = None) -> Path:
    """A clean swipe of these bits that slows down and speeds up."""
    speed = synthesis.Speed((0.0016, 0.0012, 0.0009, 0.0010))
    intervals = synthesis.intervals_from_bits(bits, speed, cell_jitter=0.02, mid_jitter=0.007, seed=1)
    samples = synthesis.samples_from_intervals(
        intervals,
        RATE,
        synthesis.Signal(noise=0.01),
        seed=1,
        cells=synthesis.cells_of_bits(bits, speed),
        damped=damped,
    )
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(array("h", [round(32767 * value) for value in samples]).tobytes())
    path.write_bytes(content.getvalue())
    return path


def flipped(places: Iterable[int]) -> bytes:
    """Track 2 with the second bit of these characters wrong."""
    bits = bytearray(symbols.encode(TRACK2, 5, 25, 25))
    for place in places:
        bits[25 + 5 * place + 1] ^= 1
    return bytes(bits)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"])
def test_every_character_bit_and_transition_is_there(row: dict[str, str], tmp_path: Path) -> None:
    drawn = draw(tmp_path, "--reveal", RECORDINGS / row["file"])
    text, width = row["expected"], int(row["bits_per_char"])
    assert drawn.characters == text + symbols.lrc(text, width)
    sent = "".join(map(str, symbols.encode(text, width, 0, 0, bool(row["reverse_swipe"]))))
    bits = "".join(drawn.words("bit"))
    assert sent in bits
    # F2F: a transition a cell, two where it is a one; the bound of the last cell may be one more
    assert 0 <= len(drawn.of("transition")) - len(bits) - bits.count("1") <= 1
    assert not drawn.of("masked")
    assert not any("masked" in words for words in drawn.words("note"))
    heading = drawn.words("heading")[0]
    assert heading.startswith(f"{row['file']}, track ")
    facts = drawn.words("story")[0]
    assert ("in reverse" in facts) == row["reverse_swipe"]
    assert "true polarity" in facts
    assert "LRC ok" in facts


def test_what_the_screen_masks_is_not_in_the_picture(tmp_path: Path) -> None:
    drawn = draw(tmp_path, RECORDINGS / "redub_t2_sq1_fwd.wav")
    assert drawn.characters == ";411111******1111=3012101*************?" + "*"
    assert any("--reveal shows it" in words for words in drawn.words("note"))
    sent = "".join(map(str, symbols.encode(TRACK2, 5)))
    groups = [sent[place : place + 5] for place in range(0, len(sent), 5)]
    shown = [code for code, text in zip(groups, drawn.characters, strict=True) if text != "*"]
    assert "".join(drawn.words("bit")).strip("0") == "".join(shown).strip("0")
    # nothing of the signal is inside of a masked stretch
    stretches = [
        (
            float(one.get("x", "")),
            float(one.get("y", "")),
            float(one.get("width", "")),
            float(one.get("height", "")),
        )
        for one in drawn.of("masked")
    ]
    points = [
        (float(x), float(y))
        for one in (*drawn.of("signal"), *drawn.of("transition"))
        for x, y in (point.split(",") for point in one.get("points", "").split())
    ]
    assert stretches
    assert len(points) > 1000
    reach = 5  # half a transition's triangle
    for left, top, width, height in stretches:
        assert not [
            None for x, y in points if left + reach < x < left + width - reach and top < y < top + height
        ]


def test_the_masked_envelope_does_not_follow_the_bits(tmp_path: Path) -> None:
    drawn = draw(tmp_path, RECORDINGS / "redub_t2_sq1_fwd.wav")
    (envelope,) = drawn.of("envelope")
    upper = [float(y) for _, y in (point.split(",") for point in envelope.get("points", "").split())][:1600]
    open_ = draw(tmp_path, "--reveal", RECORDINGS / "redub_t2_sq1_fwd.wav").of("envelope")[0]
    plain = [float(y) for _, y in (point.split(",") for point in open_.get("points", "").split())][:1600]
    discretionary = slice(1250, 1420)  # characters 25 to 37
    assert len(set(upper[discretionary])) <= 8
    assert len(set(plain[discretionary])) > 60


def test_a_card_that_does_not_read_shows_where_it_broke(tmp_path: Path) -> None:
    path = wav(tmp_path / "card.wav", flipped((9, 19, 25)))
    drawn = draw(tmp_path, "--reveal", path, code=Exit.UNREADABLE)
    assert "does not read" in drawn.words("title")[0]
    assert drawn.words("heading") == ["card.wav: does not read: a character's parity is wrong"]
    told = " ".join(drawn.words("story"))
    assert re.search(
        r"40 characters, end sentinel and LRC included; 3 are wrong, the first is character 9, at 1[0-9]{2}\.",
        told,
    )
    assert drawn.words("note").count("wrong parity") == 3
    assert [drawn.characters[place] for place in (0, 8, 10, 38)] == [
        TRACK2[place] for place in (0, 8, 10, 38)
    ]
    masked = draw(tmp_path, path, code=Exit.UNREADABLE)
    assert masked.characters == ";411111**********=********************?" + "*"
    assert masked.words("note").count("wrong parity") == 3
    assert len(masked.words("bit")) < len(drawn.words("bit")) - 5 * 30


def test_a_lost_bit_is_told(tmp_path: Path) -> None:
    bits = bytearray(flipped(()))
    del bits[25 + 5 * 17 + 1]
    drawn = draw(tmp_path, "--reveal", wav(tmp_path / "card.wav", bytes(bits)), code=Exit.UNREADABLE)
    assert "Character 17 has 1 bit too few: lost there or shortly before." in drawn.words("story")
    assert drawn.words("note").count("1 bit too few") == 1
    assert drawn.characters[18:39] == TRACK2[18:39]


def test_a_repair_is_shown_with_its_method_and_its_bit(tmp_path: Path) -> None:
    drawn = draw(tmp_path, "--reveal", wav(tmp_path / "card.wav", flipped([9])))
    assert drawn.characters[:-1] == TRACK2
    assert "repaired: parity and LRC" in drawn.words("note")
    assert drawn.words("heading") == ["card.wav, track 2: reads, 1 character repaired"]
    assert len(drawn.of("flipped")) == 1


def test_doubtful_bits_are_shaded(tmp_path: Path) -> None:
    clean = draw(tmp_path, "--reveal", wav(tmp_path / "card.wav", flipped(())))
    lost = draw(tmp_path, "--reveal", wav(tmp_path / "card.wav", flipped(()), damped={150: 0.0, 151: 0.0}))

    def darkest(drawn: Drawn) -> int:
        return min((int(one.get("fill", "")[5:], 16) for one in drawn.of("doubt")), default=255)

    assert darkest(lost) < darkest(clean) - 60


def test_flux_times_and_bits_are_drawn_without_a_signal(tmp_path: Path) -> None:
    bits = symbols.encode(";98949188?", 5, 20, 20)
    path = tmp_path / "card.mag"
    path.write_bytes(flux_image(synthesis.intervals_from_bits(bits, 0.001)))
    flux = draw(tmp_path, path)
    assert flux.characters == ";98949188?" + symbols.lrc(";98949188?", 5)
    assert not flux.of("envelope")
    assert len(flux.of("cell-time")) == len(bits)
    seen = flux.words("bit")
    assert 0 <= len(flux.of("transition")) - len(seen) - seen.count("1") <= 1
    plain = draw(tmp_path, "--bits", "".join(map(str, bits)))
    assert plain.characters == flux.characters
    assert plain.words("bit") == seen
    assert "".join(map(str, bits)).startswith("".join(seen))
    assert not plain.of("transition") + plain.of("cell-time") + plain.of("envelope")


@pytest.mark.parametrize("coding", CODINGS.values(), ids=lambda coding: coding.name)
def test_every_coding_is_drawn(coding: Coding, tmp_path: Path) -> None:
    text = coding.start + ("98949188" if coding.bits == 5 else "A0123456789 TARO") + coding.end
    bits = symbols.encode(text, coding.bits, 20, 20, msb_first=coding.msb_first)
    drawn = draw(tmp_path, "--reveal", "--coding", coding.name, wav(tmp_path / "card.wav", bits))
    names = {"\x7f": "DEL"}
    labels = {int(one.get("class", "").split()[1]): one.text or " " for one in drawn.of("text")}
    assert [labels[place] for place in range(len(text))] == [names.get(one, one) for one in text]
    facts = drawn.words("story")[0]
    assert f"{coding.bits} bits a character" in facts
    assert ("without parity" in facts, "most significant first" in facts) == (
        coding.parity is None,
        coding.msb_first,
    )
    if not coding.msb_first:
        unasked = draw(tmp_path, "--reveal", tmp_path / "card.wav")
        assert unasked.words("bit") == drawn.words("bit")


def test_a_recording_without_a_swipe_is_drawn_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "noise.wav"
    noise = synthesis.disturbed(array("f", bytes(4 * RATE)), RATE, synthesis.Disturbances(noise=0.2), seed=3)
    path.write_bytes(synthesis.wav.build([noise, array("f", bytes(4 * RATE))], RATE))
    code, said = run("--plot", tmp_path / "out.svg", path)
    assert (code, said) == (Exit.USAGE, f"swipegate: {path}: no swipe in it\n")
    drawn = Drawn(tmp_path / "out.svg")
    assert len(drawn.of("envelope")) == 2
    headings = [words.split(":")[0] for words in drawn.words("heading")]
    assert headings == ["noise.wav, channel 1", "noise.wav, channel 2"]
    story = drawn.words("story")
    assert story[1].startswith("Nothing in it looks like the cells of a track")
    assert story[3] == "There is no flux transition in it: it is silent, or a level alone."
    assert not drawn.of("interval")
    assert len(draw(tmp_path, "--reveal", path, code=Exit.USAGE).of("interval")) > 100
    assert run(path)[1] == f"swipegate: {path}: no swipe in it; --plot why.png draws what there is\n"


def test_flux_times_without_cells_are_drawn(tmp_path: Path) -> None:
    times = "1000 1000 500 500 1000"
    drawn = draw(tmp_path, "--reveal", "--flux", times, code=Exit.UNREADABLE)
    assert len(drawn.of("interval")) == 5
    assert "6 transitions in 0 ms, and no cells in them." in drawn.words("story")
    masked = draw(tmp_path, "--flux", times, code=Exit.UNREADABLE)
    assert not masked.of("interval")
    (line,) = masked.of("speed")
    assert len({point.split(",")[1] for point in line.get("points", "").split()}) == 1


def test_public_captures_have_a_row_each(shared: Path, tmp_path: Path) -> None:
    folder = shared / "recordings" / "public" / "sigrok-paxton"
    (text,) = [
        row["text"]
        for row in json.loads((folder / "expected.json").read_text())
        if row["file"].startswith("blue")
    ]
    assert draw(tmp_path, folder / "blue-fob-98949188.sr").characters[:-1] == text
    drawn = draw(tmp_path, folder / "keypad-all-keys.sr")
    assert len(drawn.words("heading")) == 12
    assert drawn.words("left-out") == ["14 more tracks are not drawn."]
    assert "12 of the first 12 tracks read" in drawn.words("title")[0]


def test_every_candidate_is_a_row(tmp_path: Path) -> None:
    path = wav(tmp_path / "card.wav", flipped((9, 19, 25)), damped={150: 0.2})
    drawn = draw(tmp_path, "--candidates", path, code=Exit.UNREADABLE)
    headings = drawn.words("heading")
    assert len(headings) > 1
    assert all(f"reading {place}" in words for place, words in enumerate(headings, 1))


def test_a_long_string_is_drawn_as_far_as_there_is_room(tmp_path: Path) -> None:
    drawn = draw(tmp_path, "--reveal", "--bits", "01" * 4096, code=Exit.UNREADABLE)
    assert len(drawn.words("bit")) == 60 * 80
    assert drawn.words("left-out") == [f"{8192 - 60 * 80} more cells are not drawn."]


def test_lines_of_clocking_zeros_alone_are_left_out(tmp_path: Path) -> None:
    bits = symbols.encode(TRACK2, 5, 400, 400)
    drawn = draw(tmp_path, "--reveal", "--bits", "".join(map(str, bits)))
    assert drawn.characters[:-1] == TRACK2
    assert len(drawn.words("bit")) <= 4 * 80


def test_png_is_as_large_as_the_svg_and_shows_as_much(tmp_path: Path) -> None:
    recording = RECORDINGS / "redub_t2_sq1_fwd.wav"
    drawn = draw(tmp_path, recording)
    path = tmp_path / "OUT.PNG"
    path.write_bytes(b"an older picture")
    assert run("--plot", path, recording) == (0, "")
    with Image.open(path) as image:
        assert image.size == (int(drawn.root.get("width", "")), int(drawn.root.get("height", "")))
        colours = {
            colour for count, colour in image.convert("RGB").getcolors(image.size[0] * image.size[1]) or []
        }
    fills = {
        one.get("fill", "")
        for one in drawn.root.iter()
        if one.get("class", "").split(" ")[0] in ("transition", "character")
    }
    assert {tuple(bytes.fromhex(fill[1:])) for fill in fills} <= colours


def test_what_cannot_be_drawn_or_written_is_one_line(tmp_path: Path) -> None:
    recording = RECORDINGS / "redub_t2_sq1_fwd.wav"
    for path, arguments, words in (
        (tmp_path / "out.pdf", [recording], "must end in .svg or .png"),
        (tmp_path / "none" / "out.svg", [recording], "No such file or directory"),
        (tmp_path / "out.svg", ["--text", TRACK2], "neither a signal nor bits"),
    ):
        code, said = run("--plot", path, *arguments)
        assert (code, said.count("\n")) == (Exit.USAGE, 1)
        assert words in said
        assert PAN not in said
        assert not path.exists()


def test_a_strange_name_is_still_a_document(tmp_path: Path) -> None:
    path = tmp_path / "a<b>&\x07\udcff.wav"
    wav(path, flipped(()))
    assert draw(tmp_path, path).words("title")[0].startswith("a<b>&?")
