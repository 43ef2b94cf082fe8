"""Recordings of real swipes and captures with the text that each must give.

Ours are in tests/recordings; those of others are read from the shared folder beside the repository, or from
SWIPEGATE_SHARED, and skipped where that is absent.
"""

import json
import os
import wave
from array import array
from pathlib import Path

import pytest

from swipegate.core import flux, recordings, synthesis
from swipegate.core.recordings import SampleFormat
from tests.core import characters

OURS = Path(__file__).parent.parent / "recordings"
SHARED = Path(os.environ.get("SWIPEGATE_SHARED", Path(__file__).parents[3] / "shared"))
PUBLIC = SHARED / "recordings" / "public"
EXPECTED = json.loads((OURS / "expected.json").read_text())

# source: Steven-Cai/stripe-snoop samples/*.txt, Nsfr750/stripe-snoop V2/samples/*.txt (invented cards)
BIT_TEXTS = {
    "fakeaaa": ";4290032243059544=07031010000010004976?",
    "fakeamex": ";370012345678327=090310155555?",
    "fakebuzz": ";1570=901031337=00=6017700001234567?",
    "fakekroger": ";603240057000000=0000?",
    "fakevisa": ";4313322430595449=050410100000001?",
}
# source: HereLiesAz/MagNom app/src/commonTest/kotlin/com/hereliesaz/magnom/core/CodecTest.kt
ROUND_TRIPS = [(";4012888888881881=2512101?", False), (";5555555555554444=2711121?", True)]
SAMPLES_PER_BIT = 32


def public(*parts: str) -> Path:
    path = PUBLIC.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the shared folder with {'/'.join(parts)} is absent")
    return path


def texts(path: Path, *, inverted: bool = False) -> list[str | None]:
    """Return the first text of each swipe."""
    found = []
    for swipe in recordings.read_recording(path):
        candidates = swipe.tracks[0].candidates()
        found.append(
            characters.first(bytes(1 - b for b in bits) if inverted else bits for bits in candidates)
        )
    return found


@pytest.mark.parametrize("row", EXPECTED, ids=[row["file"] for row in EXPECTED])
def test_a_redubbed_swipe_gives_its_text(row):
    assert texts(OURS / row["file"]) == [row["expected"]]


@pytest.mark.parametrize("row", EXPECTED, ids=[row["file"] for row in EXPECTED])
def test_a_redubbed_swipe_gives_its_text_without_its_header(row):
    with wave.open(str(OURS / row["file"])) as file:
        layout = SampleFormat(file.getframerate(), f"s{8 * file.getsampwidth()}le", file.getnchannels())
        frames = file.readframes(file.getnframes())
    (swipe,) = recordings.parse_recording(frames, layout=layout)
    assert characters.first(swipe.tracks[0].candidates()) == row["expected"]


def test_the_flux_image_of_a_real_card_gives_its_text():
    path = public("libmsr", "safeway-card.MAG")
    rows = map(json.loads, (SHARED / "cases" / "flux.jsonl").read_text().splitlines())
    assert texts(path) == [next(row["expect"]["text"] for row in rows if row["id"] == "flux-001")]
    assert recordings.read_recording(path)[0].tracks[0].number == 2


@pytest.mark.parametrize("file", ["blue-fob-98949188", "net2-card-69278870-multiple", "keypad-all-keys"])
def test_every_frame_of_a_clock_and_data_capture_gives_its_text(file):
    path = public("sigrok-paxton", f"{file}.sr")
    rows = json.loads(path.with_name("expected.json").read_text())
    rows = [row for row in rows if row["file"] == path.name]
    swipes = recordings.read_recording(path)
    assert texts(path) == [row["text"] for row in rows]
    assert [len(swipe.tracks[0].bits) for swipe in swipes] == [row["bits"] for row in rows]
    assert [swipe.start for swipe in swipes] == pytest.approx([row["t0_s"] for row in rows], abs=1e-4)


def test_the_vectors_of_access_cards_give_their_texts_and_the_broken_one_none():
    path = public("magstripe-rs", "vectors.json")
    expected = [row["expected"] for row in json.loads(path.read_text())]
    assert texts(path, inverted=True) == [text and f";{text}?" for text in expected]


@pytest.mark.parametrize("name", BIT_TEXTS)
def test_recorded_bits_give_their_text(name):
    assert texts(public("stripesnoop", f"{name}.bits.txt")) == [BIT_TEXTS[name]]


@pytest.mark.parametrize(
    ("file", "number"), [("SamyExampleImage", "426684131234567"), ("TestMagstripe", "123456781234567")]
)
def test_track_text_files_give_their_tracks(file, number):
    (swipe,) = recordings.read_recording(public("magspoof_flipper", f"{file}.mag"))
    assert [track.number for track in swipe.tracks] == [1, 2]
    assert swipe.tracks[0].text.startswith(f"%B{number}^LASTNAME/FIRST^")
    assert swipe.tracks[1].text.startswith(f";{number}=")


@pytest.mark.parametrize("form", ["pulses", "levels"])
@pytest.mark.parametrize(("text", "reverse"), ROUND_TRIPS)
def test_a_text_survives_f2f_at_32_samples_a_bit(text, reverse, form):
    rate = 44_100
    bits = characters.encode(text)
    bits = bits[::-1] if reverse else bits
    intervals = synthesis.intervals_from_bits(bits, SAMPLES_PER_BIT / rate)
    if form == "pulses":
        samples = synthesis.samples_from_intervals(intervals, rate)
    else:
        levels, level = array("f"), 1.0
        for interval in intervals:
            levels.extend([level] * round(interval * rate))
            level = -level
        samples = levels
    (run,) = flux.swipes(samples, rate)
    assert characters.first(run.candidates) == text
