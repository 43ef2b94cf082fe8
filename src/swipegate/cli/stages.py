"""`swipegate decode --stage`: what one stage of the track core made of a swipe, for the next stage or for a look.

Bits come as a bit text and characters as a track text, which `decode` reads as files, flux times as --flux takes them.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import Any

from swipegate.cli import render
from swipegate.cli.findings import Finding, story
from swipegate.domain.masking import MASK
from swipegate.v1 import track_pb2 as pb


class Stage(StrEnum):
    """A stage of the track core."""

    FLUX = "flux"
    """Times between flux transitions."""
    BITS = "bits"
    CHARACTERS = "characters"
    FIELDS = "fields"
    NUMBER = "number"
    """Card number by a card format."""


def lines(stage: Stage, findings: Sequence[Finding], shown: pb.DecodedSwipe) -> list[str]:
    """What a stage made of one swipe, as lines; `shown` is the decoded swipe, masked if it must be."""
    match stage:
        case Stage.FLUX:
            tracks = [" ".join(map(str, intervals(one))) for one in findings if one.raw.bits is None]
            return "\n\n".join(tracks).splitlines()
        case Stage.BITS:
            return [bits(one) for one in findings if one.reading]
        case Stage.CHARACTERS:
            if not findings:
                return [
                    f"{_label(track.number)}: {render.visible(track.text)}"
                    for track in shown.tracks
                    if track.text
                ]
            return [line for one in findings for line in _characters(one)]
        case Stage.FIELDS:
            return [line for track in shown.tracks for line in _fields(render.without_payment(shown, track))]
        case Stage.NUMBER:
            return _number(shown)


def as_json(stage: Stage, findings: Sequence[Finding], shown: pb.DecodedSwipe) -> dict[str, Any]:
    """The same as an object of plain values."""
    tracks: list[dict[str, Any]]
    match stage:
        case Stage.FLUX:
            tracks = [{"nanoseconds": intervals(one)} for one in findings if one.raw.bits is None]
        case Stage.BITS:
            tracks = [_bits_json(one) for one in findings if one.reading]
        case Stage.CHARACTERS:
            tracks = [_characters_json(one) for one in findings]
        case Stage.FIELDS:
            tracks = [{"number": track.number, **render.fields_of(track)} for track in shown.tracks]
        case Stage.NUMBER:
            number = shown.card_number
            return {field.name: value for field, value in number.ListFields()}
    return {"tracks": tracks}


def intervals(finding: Finding) -> list[int | str]:
    """Nanoseconds between transitions; one MASK for those next to each other that must not be seen."""
    found: list[int | str] = []
    for (before, _), (after, _) in pairwise(finding.transitions):
        if not finding.sees(before, after):
            if found[-1:] != [MASK]:
                found.append(MASK)
            continue
        found.append(round((after - before) * 1e9))
    return found


def bits(finding: Finding) -> str:
    """Digits in the order in which they came, MASK for what must not be seen."""
    assert finding.reading is not None
    cells = zip(finding.reading.cells.bits, finding.hidden, strict=True)
    return "".join(MASK if hidden else str(bit) for bit, hidden in cells)


def _bits_json(finding: Finding) -> dict[str, Any]:
    assert finding.reading is not None
    cells = finding.reading.cells
    return {
        "bits": bits(finding),
        "jitter": round(cells.jitter, 4),
        "times": [round(time, 9) for time in _seen_times(finding)],
        "doubts": [] if finding.masked else list(cells.doubts),
    }


def _seen_times(finding: Finding) -> Sequence[float]:
    """Seconds of the cells' bounds; none of a masked track, whose shifted peaks would tell of its bits."""
    assert finding.reading is not None
    times = finding.reading.cells.times
    return [] if times is None or finding.masked else times


def _label(number: int) -> str:
    return f"Track {number}" if number else "Data"


def _characters(finding: Finding) -> Iterator[str]:
    """The text, below it a mark for each character that was repaired or is wrong, and why it does not read."""
    reading = finding.reading
    if reading is not None and reading.characters:
        texts = finding.texts[:-1] if reading.ended else finding.texts
        label = f"{_label(finding.decoded.number)}: " if finding.decoded.text else "# "
        yield label + render.visible("".join(texts))
        marks = "".join(_mark(finding, place) for place in range(len(reading.characters)))
        if marks.strip():
            yield (
                "#".ljust(len(label))
                + marks.rstrip()
                + "  (x wrong parity, | bits too few or many, r repaired)"
            )
    for words in story(finding):
        yield f"# {words}"


def _mark(finding: Finding, place: int) -> str:
    assert finding.reading is not None
    one = finding.reading.characters[place]
    if place in finding.repairs:
        return "r"
    return " " if one.parity_ok else ("x" if one.text else "|")


def _characters_json(finding: Finding) -> dict[str, Any]:
    reading = finding.reading
    characters = [] if reading is None else reading.characters
    return {
        "number": finding.decoded.number,
        "direction": render.short_words(pb.SwipeDirection, reading.direction) if reading else None,
        "inverted": reading.inverted if reading else None,
        "bits_per_character": reading.bits_per_character if reading else None,
        "characters": [
            {
                "text": text,
                "first_bit": one.first,
                "bits": one.count,
                "parity_ok": one.parity_ok,
                "repaired": finding.repairs.get(place),
            }
            for place, (one, text) in enumerate(zip(characters, finding.texts, strict=True))
        ],
        "lrc_ok": reading.lrc_ok if reading else None,
        "why": story(finding),
    }


def _fields(track: pb.Track) -> Iterator[str]:
    yield f"{_label(track.number)}"
    for name, value in render.fields_of(track).items():
        yield f"  {name} {value}"
    for error in track.errors:
        yield f"  # {render.error_words(error)}"


def _number(shown: pb.DecodedSwipe) -> list[str]:
    if not shown.HasField("card_number"):
        return []
    found = shown.card_number
    return [" ".join(f"{field.name}={value}" for field, value in found.ListFields())]


def candidate(finding: Finding) -> str:
    """One reading of a signal in a line."""
    if finding.reading is None:
        return "reading: nothing looks like cells"
    cells = finding.reading.cells
    jitter = f", jitter {cells.jitter:.1%}" if cells.times is not None else ""
    errors = "; ".join(render.error_words(error) for error in finding.decoded.errors)
    return f"reading: {len(cells.bits)} bits{jitter}  {render.visible(''.join(finding.texts))}  {errors}".rstrip()


def candidate_json(finding: Finding) -> dict[str, Any]:
    """One reading of a signal as plain values."""
    cells = finding.reading.cells if finding.reading else None
    return {
        "bits": len(cells.bits) if cells else 0,
        "jitter": round(cells.jitter, 4) if cells and cells.times is not None else None,
        "characters": "".join(finding.texts),
        "errors": render.as_json(pb.DecodedSwipe(tracks=[finding.decoded]))["tracks"][0]["errors"],
    }
