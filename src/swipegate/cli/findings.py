"""What a reading says in words, and what of it may be shown."""

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise

from swipegate import core
from swipegate.cli import render
from swipegate.cli.sources import swipe_of
from swipegate.core import passages
from swipegate.core.passages import Passage, Reading
from swipegate.core.recordings import RawSwipe, RawTrack
from swipegate.domain.masking import MASK, masked_broken, masked_track
from swipegate.v1 import track_pb2 as pb


@dataclass(frozen=True, slots=True)
class Finding:
    """One run of a track: its nearest reading, the track it became, and what of both may be shown."""

    raw: RawTrack
    decoded: pb.Track = field(repr=False)
    """As the core decoded it, unmasked."""
    reading: Reading | None
    """None for a signal in which nothing looks like cells."""
    texts: tuple[str, ...] = field(repr=False)
    """For each character of the reading what it is after repairs; MASK where it must not be seen."""
    hidden: bytes = field(repr=False)
    """For each cell 1 where it must not be seen."""
    transitions: Sequence[tuple[float, int]] = field(repr=False)
    """Seconds and sign of every flux transition, masked or not."""
    reveal: bool
    """Whether nothing is masked."""
    repairs: dict[int, str] = field(repr=False)
    """Place of each repaired character -> what proved the repair, in words."""

    @property
    def masked(self) -> bool:
        """Whether anything is hidden."""
        return any(self.hidden)

    def sees(self, begin: float, end: float) -> bool:
        """Whether what lies between two times, in seconds, may be seen."""
        if self.reveal:
            return True
        if self.reading is None or self.reading.cells.times is None:
            return False
        times = self.reading.cells.times
        first = max(bisect_right(times, begin) - 1, 0)
        return not any(self.hidden[first : bisect_left(times, end)])


def findings_of(
    raw: RawSwipe, decoded: pb.DecodedSwipe, *, reveal: bool, candidates: bool = False
) -> list[Finding]:
    """What was found on each track of a swipe, in order; with `candidates`, every reading of each.

    Nothing for a text, which is not read but parsed.
    """
    found = []
    for track, group in zip(raw.tracks, _groups(raw, decoded), strict=True):
        if track.text is not None:
            continue
        signal = _as_decoded(track)
        for one, run in _paired(group, passages.passages(signal)):
            if candidates and run is not None:
                found += [
                    finding_of(signal, _decoded_bits(track, reading), reading, reveal=reveal)
                    for reading in run.readings
                ]
            else:
                reading = run.best(one.text) if run is not None else None
                found.append(finding_of(signal, one, reading, reveal=reveal))
    return found


def quiet_finding(track: RawTrack, *, reveal: bool) -> Finding:
    """What there is to see of a signal without a swipe."""
    signal = _as_decoded(track)
    (decoded,) = core.decode(swipe_of(RawSwipe((signal,)))).tracks[:1]
    return finding_of(signal, decoded, None, reveal=reveal)


def _groups(raw: RawSwipe, decoded: pb.DecodedSwipe) -> list[list[pb.Track]]:
    """For each raw track the decoded tracks that it gave."""
    alone = [core.decode(swipe_of(RawSwipe((track,)))).tracks for track in raw.tracks]
    counts = [len(tracks) for tracks in alone]
    if sum(counts) == len(decoded.tracks):
        ends = list(accumulate(counts, initial=0))
        return [list(decoded.tracks[first:last]) for first, last in pairwise(ends)]
    # several passes gave one track
    return [[_joint(track, decoded) for track in tracks] for tracks in alone]


def _decoded_bits(track: RawTrack, reading: Reading) -> pb.Track:
    """The track that the bits of one reading alone give."""
    alone = RawTrack(track.number, bits=reading.cells.bits[: core.MAX_BITS], coding=track.coding)
    return core.decode(swipe_of(RawSwipe((alone,)))).tracks[0]


def _joint(alone: pb.Track, decoded: pb.DecodedSwipe) -> pb.Track:
    """The track of the swipe that one pass is part of."""
    return next((one for one in decoded.tracks if one.number == alone.number and one.text), alone)


def _as_decoded(track: RawTrack) -> RawTrack:
    """With the very samples that the core gets."""
    if track.samples is None:
        return track
    message = swipe_of(RawSwipe((track,))).tracks[0].samples
    pcm = array("h", message.pcm)
    if sys.byteorder == "big":
        pcm.byteswap()
    return replace(track, samples=array("f", pcm), sample_rate=float(message.sample_rate))


def _paired(tracks: Sequence[pb.Track], runs: Sequence[Passage]) -> Iterator[tuple[pb.Track, Passage | None]]:
    """Each track with its run: the one that says it, else the longest that is left."""
    left = list(runs)
    for track in tracks:
        said = [
            run for run in left if track.text and any(one.read.text == track.text for one in run.readings)
        ]
        run = said[0] if said else max(left, key=lambda one: len(one.readings[0].cells.bits), default=None)
        if run is not None:
            left.remove(run)
        yield track, run


def finding_of(raw: RawTrack, decoded: pb.Track, reading: Reading | None, *, reveal: bool) -> Finding:
    """What may be shown of a reading: all of it with `reveal`, else what the command shows of the track."""
    transitions = passages.transitions(raw)
    if reading is None:
        return Finding(raw, decoded, None, (), b"", transitions, reveal, {})
    texts = _texts(reading, decoded)
    if not reveal:
        texts = _masked(reading, decoded, texts)
    repairs = {}
    if says(reading, decoded):
        repairs = {one.position: render.short_words(pb.RepairMethod, one.method) for one in decoded.repairs}
    hidden = _hidden(reading, texts, reveal=reveal)
    return Finding(raw, decoded, reading, texts, hidden, transitions, reveal, repairs)


def says(reading: Reading, decoded: pb.Track) -> bool:
    """Whether the characters of the decoded track are those of the reading, one for one."""
    return bool(decoded.text) and reading.ended and len(reading.characters) == len(decoded.text) + 1


def _texts(reading: Reading, decoded: pb.Track) -> tuple[str, ...]:
    if says(reading, decoded):
        return (*decoded.text, decoded.lrc_character or reading.characters[-1].text)
    return tuple(one.text or " " for one in reading.characters)


def _masked(reading: Reading, decoded: pb.Track, plain: Sequence[str]) -> tuple[str, ...]:
    body = "".join(plain[:-1] if reading.ended else plain)
    masked = masked_track(decoded).text if says(reading, decoded) else masked_broken(body)
    if len(masked) != len(body):  # blanks inside the PAN went
        masked = body[:1] + MASK * (len(body) - 2) + body[-1:]
    if not reading.ended:
        return tuple(masked)
    # the LRC is the sum of all characters: it tells of the masked ones
    return (*masked, plain[-1] if masked == body else MASK)


def _hidden(reading: Reading, texts: Sequence[str], *, reveal: bool) -> bytes:
    """Every cell but those of the shown characters and the clocking zeros at both ends."""
    bits = bytes(bit ^ reading.inverted for bit in reading.cells.bits)
    if reveal:
        return bytes(len(bits))
    last = len(bits.rstrip(b"\0"))
    first = min(len(bits) - len(bits.lstrip(b"\0")), last)
    hidden = bytearray(first) + bytearray(b"\1" * (last - first)) + bytearray(len(bits) - last)
    for one, text in zip(reading.characters, texts, strict=True):
        hidden[one.first : one.first + one.count] = (b"\1" if text == MASK else b"\0") * one.count
    return bytes(hidden)


def story(finding: Finding) -> list[str]:
    """How far the reading got and where it broke, in sentences; empty for a track that reads."""
    reading = finding.reading
    if finding.decoded.text:
        return []
    if reading is None and finding.raw.bits is None and not finding.transitions:
        return ["There is no flux transition in it: it is silent, or a level alone."]
    if reading is None:
        return ["Nothing in it looks like the cells of a track: transitions are too few, or too irregular."]
    if not reading.characters:
        return ["No start sentinel that is followed by right characters, in either direction or polarity."]
    lines = [_got_far(reading)]
    lines += [
        f"Character {place} has {_plural(abs(slip), 'bit')} too {'few' if slip < 0 else 'many'}: "
        f"{'lost' if slip < 0 else 'taken from noise'} there or shortly before."
        for place, slip in _slips(reading)
    ]
    if not reading.ended:
        lines.append("There is no end sentinel after them.")
    elif reading.lrc_ok is False and not _has_parity(reading):
        lines.append("The LRC disagrees: a bit is wrong, or more.")
    elif reading.lrc_ok is False and not reading.wrong:
        lines.append(
            "Every parity is right, but the LRC disagrees: two bits of one character are wrong, or more."
        )
    elif reading.lrc_ok is False:
        lines.append("The LRC disagrees too.")
    elif reading.lrc_ok and not reading.wrong:
        lines.append("It agrees in itself but is too short to be trusted among so many other bits.")
    return lines


def next_steps(finding: Finding) -> list[str]:
    """What may help a track that does not read, each in a line; empty for one that reads."""
    reading = finding.reading
    if finding.decoded.text:
        return []
    if reading is None:
        steps = ["swipe once, evenly, from end to end; look after cable, track and recording level"]
    elif not reading.characters:
        steps = ["swipe again, evenly and from end to end"]
        steps.append("leave --coding out" if finding.raw.coding else "--coding, if the card is none of ISO's")
    else:
        steps = [
            "swipe again, slower and evenly, or the other way",
            "--same-card with several swipes, which are then read together",
        ]
    if reading is not None and reading.cells.times is not None:
        steps.append("--candidates for every reading of the signal")
    return [*steps, "--plot why.png for a picture of it"]


def _got_far(reading: Reading) -> str:
    count, wrong = len(reading.characters), reading.wrong
    found = f"The nearest reading has {_plural(count, 'character')}"
    if reading.ended:
        found += ", end sentinel and LRC included"
    if not _has_parity(reading):
        return f"{found}; without parity nothing tells which are right."
    if not wrong:
        return f"{found}; the parity of each is right."
    first = reading.characters[wrong[0]]
    place = f"character {wrong[0]}"
    if reading.cells.times is not None:
        place += f", at {reading.cells.times[first.first] * 1e3:.1f} ms"
    if len(wrong) == 1:
        return f"{found}; one is wrong: {place}."
    return f"{found}; {len(wrong)} are wrong, the first is {place}."


def _has_parity(reading: Reading) -> bool:
    return reading.coding is not None and reading.coding.parity is not None


def _slips(reading: Reading) -> list[tuple[int, int]]:
    return [
        (place, one.count - reading.bits_per_character)
        for place, one in enumerate(reading.characters)
        if not one.text
    ]


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
