"""How many damaged swipes are read, refused, or read wrongly, and what else is taken for a swipe.

Run: .venv/bin/python -m benchmarks.robustness [--swipes N] [--seed N] [SECTION...]
It writes each section that it measured, with its picture, into docs/robustness.md.
"""

import argparse
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, dataclass, replace
from functools import partial
from multiprocessing import Pool

from benchmarks import picture, report, signals
from benchmarks.signals import Condition, jittered
from benchmarks.wrong_data import WRONG
from swipegate import core
from swipegate.v1 import track_pb2 as pb

PAGE = "robustness.md"
CHUNK = 25
"""Swipes of a task."""
UNRELIABLE = {pb.TRACK_ERROR_PARITY, pb.TRACK_ERROR_LRC, pb.TRACK_ERROR_NO_END, pb.TRACK_ERROR_NOT_READ}
"""A text that comes with one of these is refused: its reader is told not to rely on it."""
C = {
    "C0": Condition("as a real swipe: cell jitter 2 %, mid-cell 0.7 %, noise 1 %"),
    "C1": jittered("5 %, 1.5 %, 2 %", 0.05),
    "C2": jittered("8 %, 3 %, 2 %", 0.08),
    "C3": jittered("12 %, 5 %, 2 %", 0.12),
    "C4": Condition("one lost transition", lost=1),
    "C5": Condition("one spike", spikes=1),
    "C6": Condition("swiped in reverse", reverse=True),
    "C7": Condition("constant speed, clean", 0.0, 0.0, 0.0, cells_ms=(1.0,)),
    "C8": Condition("noise 8 %", noise=0.08),
}
EIGHTFOLD = tuple(3.2 * 8 ** (-k / 40) for k in range(41))
"""Milliseconds of a cell: a swipe that starts slowly, or ends so."""
FURTHER = {
    "eightfold": Condition("speed changes eight-fold within the swipe", cells_ms=EIGHTFOLD, scale=(0.8, 1.2)),
    "thump": Condition("a thump twice as high as the signal for 50 ms at its start", thump=2.0),
    "clipped": Condition("clipped at 40 % of the peak", clip=0.4),
    "upside-down": Condition("wave upside down", inverted=True),
    "hum": Condition("50 Hz hum, 30 % of the signal", hum=0.3),
    "8-bit": Condition("8 bits a sample", levels=127),
    "8-kHz": Condition("8 kHz, swiped slowly", rate=8000, scale=(1.8, 2.6)),
    "96-kHz": Condition("96 kHz", rate=96_000),
    "192-kHz": Condition("192 kHz", rate=192_000),
    "lost-2": Condition("two lost transitions", lost=2),
    "lost-4": Condition("four lost transitions", lost=4),
    "spikes-5": Condition("five spikes", spikes=5),
    "lookalikes": Condition("start sentinels in the data at other alignments", lookalike=True),
    "lookalikes-C2": jittered("the same at 8 %, 3 %, 2 %", 0.08, lookalike=True),
    "all": Condition(
        "5 %, reverse, thump, hum, a spike, upside down",
        0.05,
        0.015,
        0.02,
        reverse=True,
        thump=1.0,
        hum=0.1,
        spikes=1,
        inverted=True,
    ),
}
TOGETHER = {
    "once C3": jittered("track 2 once, 12 %", 0.12),
    "twice C3": jittered("track 2 twice, 12 %", 0.12, passes=2),
    "once 14": jittered("track 2 once, 14 %", 0.14),
    "twice 14": jittered("track 2 twice, 14 %", 0.14, passes=2),
    "once lost-4": Condition("track 2 once, four lost transitions", lost=4),
    "twice lost-4": Condition("track 2 twice, four lost transitions each", lost=4, passes=2),
    "1+2 C2": jittered("tracks 1 and 2 of one pass, 8 %", 0.08, tracks=(1, 2)),
    "1+2 C3": jittered("tracks 1 and 2 of one pass, 12 %", 0.12, tracks=(1, 2)),
    "1+2 lost-2": Condition("tracks 1 and 2 of one pass, two lost transitions each", lost=2, tracks=(1, 2)),
}
CURVE_STEPS = tuple(step / 100 for step in range(17))


@dataclass
class Score:
    """What became of the swipes of one condition."""

    correct: int = 0
    """Everything that was swiped was read, and right."""
    partly: int = 0
    """One track of two was read, and right."""
    refused: int = 0
    false: int = 0
    """At least one text, or the card number, is wrong."""
    number: int = 0
    """Swipes whose card number was found, and right."""
    seconds: float = 0.0
    """CPU time of the decoding alone."""

    @property
    def swipes(self) -> int:
        """How many there were."""
        return self.correct + self.partly + self.refused + self.false

    def add(self, other: "Score") -> None:
        """Count another's swipes too."""
        for name, value in zip(self.__dataclass_fields__, astuple(other), strict=True):
            setattr(self, name, getattr(self, name) + value)


FORMATS = core.compile_formats(core.DEFAULT_FORMATS)


def timed(message: bytes) -> tuple[pb.DecodedSwipe, float]:
    """The answer of the service's own way, and the CPU seconds it took."""
    started = time.thread_time()
    answer = core.decode_one(message, FORMATS)
    return pb.DecodedSwipe.FromString(answer), time.thread_time() - started


def accepted(swipe: pb.DecodedSwipe) -> list[str]:
    """The texts on which a caller may rely."""
    return [
        track.text
        for track in swipe.tracks
        if track.text
        and not UNRELIABLE & set(track.errors)
        and pb.TRACK_ALLOWANCE_UNPROVED_REPAIR not in track.allowances
    ]


def read_swipe(condition: Condition, seed: int) -> Score:
    """Make one swipe and read it."""
    recordings = signals.swipe(condition, seed)
    several = len(recordings) > 1
    tracks = [
        pb.RawTrack(
            number=recording.track if several else 0,
            samples=pb.SampledSignal(pcm=recording.pcm, sample_rate=recording.rate),
        )
        for recording in recordings
    ]
    swipe, seconds = timed(pb.Swipe(tracks=tracks).SerializeToString())
    found, swiped = set(accepted(swipe)), {recording.text for recording in recordings}
    pan = signals.pan(recordings[0].text)
    score = Score(seconds=seconds, number=swipe.card_number.card_number == pan)
    if found - swiped or swipe.card_number.card_number not in ("", pan):
        score.false = 1
    elif found == swiped:
        score.correct = 1
    elif found:
        score.partly = 1
    else:
        score.refused = 1
    return score


def read_wrong(name: str, seed: int) -> Score:
    """Make one thing that is no swipe and hand it in."""
    track = WRONG[name][1](random.Random(f"{name} {seed}"))
    swipe, seconds = timed(pb.Swipe(tracks=[track]).SerializeToString())
    wrong = bool(accepted(swipe) or swipe.card_number.card_number)
    return Score(seconds=seconds, false=int(wrong), refused=int(not wrong))


def run(task: tuple[str, Callable[[int], Score], range]) -> tuple[str, Score]:
    """The swipes of one task, in a worker."""
    name, read, seeds = task
    score = Score()
    for seed in seeds:
        score.add(read(seed))
    return name, score


def measure(jobs: Iterable[tuple[str, Callable[[int], Score], int]], seed: int) -> dict[str, Score]:
    """The scores of (name, what reads a seed, swipes), on every core."""
    jobs = list(jobs)
    tasks = [
        (name, read, range(first, min(first + CHUNK, seed + count)))
        for name, read, count in jobs
        for first in range(seed, seed + count, CHUNK)
    ]
    scores = {name: Score() for name, _, _ in jobs}
    with Pool(os.cpu_count()) as pool:
        for name, score in pool.imap_unordered(run, tasks):
            scores[name].add(score)
    return scores


def read_all(conditions: dict[str, Condition], swipes: int, seed: int) -> dict[str, Score]:
    """Scores of conditions."""
    return measure([(name, partial(read_swipe, one), swipes) for name, one in conditions.items()], seed)


def share(count: int, swipes: int) -> str:
    """A count with the exact 95 % limits of its share in per cent."""
    low, high = (100 * limit for limit in report.interval(count, swipes))
    if count == 0:
        return f"0 (to {high:.2g})"
    return f"{count:,} (from {low:.1f})" if count == swipes else f"{count:,} ({low:.1f} to {high:.1f})"


def microseconds(score: Score) -> str:
    return f"{1e6 * score.seconds / score.swipes:,.0f}"


HEADS = ("condition", "correct", "refused", "falsely accepted", "µs a swipe")


def rows(conditions: dict[str, Condition], scores: dict[str, Score], names: bool) -> Iterator[list[str]]:
    """A row a condition, without the swipes of which a part was read."""
    for name, condition in conditions.items():
        score = scores[name]
        counts = [share(count, score.swipes) for count in (score.correct, score.refused, score.false)]
        yield [f"{name} {condition.label}" if names else condition.label, *counts, microseconds(score)]


def on_track(number: int, conditions: dict[str, Condition]) -> dict[str, Condition]:
    return {name: replace(one, tracks=(number,)) for name, one in conditions.items()}


def section_conditions(swipes: int, seed: int) -> str:
    """C0 to C8 on both tracks."""
    parts = []
    for number in (2, 1):
        conditions = on_track(number, C)
        scores = read_all(conditions, swipes, seed)
        parts.append(f"Track {number}, {swipes:,} swipes a condition:\n")
        parts.append(report.table(HEADS, rows(conditions, scores, names=True)) + "\n")
    return "\n".join(parts)


def section_further(swipes: int, seed: int) -> str:
    """What else users meet."""
    parts = []
    for number in (2, 1):
        conditions = on_track(number, FURTHER)
        if number == 1:  # a cell of track 1 has too few samples at 8 kHz, whoever reads it
            del conditions["8-kHz"]
        scores = read_all(conditions, swipes, seed)
        parts.append(f"Track {number}, {swipes:,} swipes a condition:\n")
        parts.append(report.table(HEADS, rows(conditions, scores, names=False)) + "\n")
    return "\n".join(parts)


def section_together(swipes: int, seed: int) -> str:
    """Two passes of a card, and two tracks of it, in one message."""
    scores = read_all(TOGETHER, swipes, seed)
    heads = (
        "in one message",
        "all correct",
        "a part correct",
        "refused",
        "falsely accepted",
        "number right",
        "µs a swipe",
    )
    lines = []
    for name, condition in TOGETHER.items():
        score = scores[name]
        counts = (score.correct, score.partly, score.refused, score.false, score.number)
        lines.append([condition.label, *(share(count, swipes) for count in counts), microseconds(score)])
    return f"{swipes:,} swipes a row:\n\n" + report.table(heads, lines)


def section_wrong(swipes: int, seed: int) -> str:
    """What is no swipe."""
    jobs = [(name, partial(read_wrong, name), swipes * times) for name, (times, _) in WRONG.items()]
    scores = measure(jobs, seed)
    total = Score()
    for score in scores.values():
        total.add(score)
    heads = ("what was given", "how often", "falsely accepted", "at most (95 %)", "µs each")
    lines = [[name, *bounded(score), microseconds(score)] for name, score in scores.items()]
    return report.table(heads, [*lines, ["all", *bounded(total), ""]])


def bounded(score: Score) -> tuple[str, str, str]:
    high = (
        report.upper_bound(score.swipes) if not score.false else report.interval(score.false, score.swipes)[1]
    )
    return f"{score.swipes:,}", f"{score.false:,}", f"{high:.2g}"


def section_curve(swipes: int, seed: int) -> str:
    """Both tracks against jitter: a table, and the picture beside the page."""
    conditions = {
        f"{number} {step:.0%}": jittered("", step, tracks=(number,))
        for number in (2, 1)
        for step in CURVE_STEPS
    }
    scores = read_all(conditions, swipes, seed)
    lines = []
    for step in CURVE_STEPS:
        pair = [scores[f"{number} {step:.0%}"] for number in (2, 1)]
        shares = [f"{count / swipes:.1%}" for s in pair for count in (s.correct, s.refused, s.false)]
        lines.append([f"{step:.0%}", *shares])
    curves = {
        number: [
            picture.Point(100 * step, s.correct, s.refused, s.false, s.swipes)
            for step in CURVE_STEPS
            for s in (scores[f"{number} {step:.0%}"],)
        ]
        for number in (2, 1)
    }
    (report.DOCS / "robustness.svg").write_text(picture.robustness(curves))
    heads = [
        "cell jitter",
        *(f"track {n} {what}" for n in (2, 1) for what in ("correct", "refused", "false")),
    ]
    text = (
        "![Shares of swipes read correctly, refused and falsely accepted against cell jitter](robustness.svg)\n\n"
        f"{swipes:,} swipes a point:\n\n" + report.table(heads, lines)
    )
    return text.replace("%", " %")


SECTIONS = {
    "conditions": (section_conditions, 1.0),
    "further": (section_further, 1.0),
    "together": (section_together, 1.0),
    "wrong": (section_wrong, 1.0),
    "curve": (section_curve, 0.5),
}
"""Name -> what measures and writes it, and its share of --swipes a point."""


def main() -> None:
    """Measure the sections asked for and write each into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; default all"
    )
    parser.add_argument("--swipes", type=int, default=1000, help="of each condition (default 1000)")
    parser.add_argument("--seed", type=int, default=90_000)
    arguments = parser.parse_args()
    if unknown := set(arguments.sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}")
    signals.check()
    for name in arguments.sections or SECTIONS:
        section, part = SECTIONS[name]
        started = time.perf_counter()
        text = section(max(1, round(arguments.swipes * part)), arguments.seed)
        command = (
            f"python -m benchmarks.robustness --swipes {arguments.swipes} --seed {arguments.seed} {name}"
        )
        where = report.circumstances(command, *report.versions("swipegate", "numpy"))
        report.write_section(PAGE, name, f"{text}\n\n{where}")
        print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)
        print(text, flush=True)


if __name__ == "__main__":
    main()
