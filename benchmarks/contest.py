"""The same work by several programs in turns: the kinds of work, and what runs and times each contender.

A contender but ours is a program `... ROW FILE` that prints its answer on one line, then for each count on its standard
input the nanoseconds of CPU that its process took for so many runs: a neighbour on the machine does not count.
"""

import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from benchmarks import signals
from swipegate import core
from swipegate.core import symbols, synthesis
from swipegate.v1 import track_pb2 as pb

SWIPES = 1000
"""Swipes of a message."""
ROUND = 0.05
"""Seconds that one turn of a contender takes."""
ROUNDS = 10
"""Turns of each; the fastest counts."""
CONTENDERS = Path(__file__).parent / "contenders"
CACHE = Path(__file__).parent.parent / ".cache" / "benchmarks"
"""Where contenders are built and installed; git ignores it."""

TRACK1 = "%B4111111111111111^DOE/JANE Q.MS          ^29121011000000000123000000?"
TRACK2 = ";4111111111111111=29121010000012300000?"
TRACK3 = (
    ";014111111111111111=8408402005000500336070112345600000029121123456789123456789=987654321=1123456000012?"
)
AAMVA = (
    "%FLDELRAY BEACH^DOE$JOHN$^1234 S EXAMPLE BLVD^           ?"
    ";6360100400045087290=2101198799080=?"
    "#! 33435      I               1600                                   ECCECC00000?"
)


@dataclass(frozen=True)
class Row:
    """One kind of work."""

    label: str
    plain: str
    """Its name in plain.c."""
    track: pb.RawTrack | tuple[pb.RawTrack, ...] = field(repr=False)
    """As we take it; a swipe."""
    data: bytes = field(repr=False)
    """As the others take it."""
    texts: tuple[str, ...] = ()
    """What must come out of it."""
    aim: float = 0.0
    """Microseconds a swipe that we set ourselves; 0 for none."""
    swipes: int = SWIPES
    """Of a message of ours; 1 is `decode_one`."""

    def message(self, swipes: int) -> bytes:
        """A serialized request of ours."""
        tracks = self.track if isinstance(self.track, tuple) else (self.track,)
        if swipes == 1:
            return pb.Swipe(tracks=tracks).SerializeToString()
        batch = [pb.Swipe(id=index, tracks=tracks) for index in range(swipes)]
        return pb.DecodeSwipesRequest(swipes=batch).SerializeToString()


def text_track(text: str, number: int = 0) -> pb.RawTrack:
    return pb.RawTrack(number=number, text=text.encode())


def bit_row(label: str, text: str, width: int, aim: float = 0.0, reverse: bool = False) -> Row:
    bits = symbols.encode(text, width, leading_zeros=20, trailing_zeros=20)
    bits = bits[::-1] if reverse else bits
    data = symbols.pack(bits)
    track = pb.RawTrack(bits=pb.BitString(data=data, bit_count=len(bits)))
    return Row(label, f"bits{width}", track, data, (text,), aim)


def signal_rows() -> list[Row]:
    """Half a second of a hand swipe of track 2 at 44.1 kHz, and its flux times."""
    bits = symbols.encode(TRACK2, 5, leading_zeros=20, trailing_zeros=20)
    times = synthesis.intervals_from_bits(bits, 0.4 / len(bits), cell_jitter=0.02, mid_jitter=0.007, seed=1)
    nanoseconds = [round(seconds * 1e9) for seconds in times]
    pulse = synthesis.DEFAULT_PULSE
    wave = signals.head(times, synthesis.local_cells(times), pulse, signals.SAMPLE_RATE)
    pcm = signals.quantised(wave, signals.Condition())
    sampled = pb.SampledSignal(pcm=pcm, sample_rate=signals.SAMPLE_RATE)
    label = f"{len(wave):,} samples at 44.1 kHz, track 2"
    return [
        Row(
            f"{len(times)} flux times, track 2",
            "intervals",
            pb.RawTrack(intervals=pb.FluxIntervals(nanoseconds=nanoseconds)),
            b"".join(time.to_bytes(4, "little") for time in nanoseconds),
            (TRACK2,),
            10.0,
            swipes=1,
        ),
        Row(label, "samples", pb.RawTrack(samples=sampled), pcm, (TRACK2,), 150.0, swipes=1),
    ]


def rows() -> dict[str, Row]:
    """Every kind of work by name."""
    both = (text_track(TRACK1, 1), text_track(TRACK2, 2))
    aamva = tuple(f"{part}?" for part in AAMVA.split("?")[:3])
    intervals, samples = signal_rows()
    line = (TRACK1 + TRACK2).encode()
    return {
        "tracks12": Row("text, tracks 1 and 2 in two fields", "tracks12", both, line, (TRACK1, TRACK2), 0.3),
        "line12": Row(
            "text, tracks 1 and 2 in one line",
            "tracks12",
            text_track(TRACK1 + TRACK2),
            line,
            (TRACK1, TRACK2),
        ),
        "track2": Row("text, track 2", "track2", text_track(TRACK2, 2), TRACK2.encode(), (TRACK2,)),
        "track3": Row(
            "text, ISO/IEC 4909 track 3", "track3", text_track(TRACK3, 3), TRACK3.encode(), (TRACK3,)
        ),
        "aamva": Row("text, AAMVA licence in one line", "aamva", text_track(AAMVA), AAMVA.encode(), aamva),
        "bits2": bit_row("bits, track 2", TRACK2, 5, 0.5),
        "bits2 reverse": bit_row("bits, track 2, reverse", TRACK2, 5, reverse=True),
        "bits1": bit_row("bits, track 1", TRACK1, 7, 0.5),
        "bits1 reverse": bit_row("bits, track 1, reverse", TRACK1, 7, reverse=True),
        "intervals": intervals,
        "samples": samples,
    }


class Ours:
    """The track core, serialized in and out, fields, Luhn and card number included."""

    name = "Swipegate"

    def __init__(self, row: Row) -> None:
        self._row = row
        self._formats = core.compile_formats(core.DEFAULT_FORMATS)
        self._decode = core.decode_one if row.swipes == 1 else core.decode_batch
        self._message = row.message(row.swipes)
        one = core.decode_one(row.message(1), self._formats)
        self.swipe = pb.DecodedSwipe.FromString(one)
        self.answer = "\t".join(track.text for track in self.swipe.tracks)
        self.close = lambda: None

    def nanoseconds(self, swipes: int) -> float:
        """What so many swipes took, scaled from whole messages."""
        messages = max(1, round(swipes / self._row.swipes))
        start = time.process_time_ns()
        for _ in range(messages):
            self._decode(self._message, self._formats)
        return (time.process_time_ns() - start) * swipes / (messages * self._row.swipes)


class Program:
    """Another's program, kept running between its turns."""

    def __init__(self, name: str, command: Sequence[str], row: Row) -> None:
        self.name = name
        with tempfile.NamedTemporaryFile(delete=False) as file:
            file.write(row.data)
        self._file = Path(file.name)
        arguments = [*command, row.plain, file.name]
        self._process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self.answer = self._out.readline().rstrip("\n")
        if not self.answer:
            self.close()
            raise ValueError(f"{name} gave no answer")

    def nanoseconds(self, swipes: int) -> float:
        """What it says that so many swipes took."""
        self._in.write(f"{swipes}\n")
        self._in.flush()
        return float(self._out.readline())

    def close(self) -> None:
        """End it."""
        self._in.close()
        self._process.wait(timeout=30)
        self._out.close()
        self._file.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


Contender = Ours | Program


def run(contenders: Sequence[Contender]) -> dict[str, float]:
    """Microseconds of CPU a swipe of each: the fastest of ROUNDS turns of about ROUND seconds each."""
    counts = {one.name: calibrated(one.nanoseconds) for one in contenders}
    best = dict.fromkeys(counts, float("inf"))
    for turn in range(ROUNDS):
        order = list(contenders)
        random.Random(turn).shuffle(order)
        for one in order:
            count = counts[one.name]
            best[one.name] = min(best[one.name], one.nanoseconds(count) / count / 1000)
    return best


def calibrated(nanoseconds: Callable[[int], float]) -> int:
    """Swipes that take about ROUND seconds; what a just-in-time compiler needs is over by then."""
    count = 1
    while (taken := nanoseconds(count)) < ROUND * 1e9 / 2:
        count *= 2
    return max(1, round(count * ROUND * 1e9 / taken))


def plain_c() -> Path:
    """The plain C loop, compiled."""
    CACHE.mkdir(parents=True, exist_ok=True)
    binary = CACHE / "plain"
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise SystemExit("the plain C loop needs gcc")
    source = CONTENDERS / "plain.c"
    subprocess.run([compiler, "-std=c11", "-O3", "-Wall", "-o", str(binary), str(source)], check=True)
    return binary


def check_plain(row: Row, ours: Ours, answer: str) -> None:
    """Hold the C loop's answer to ours: the texts, the fields of tracks 1 and 2, the card number."""
    *cells, number = answer.split("\t")
    theirs = [cells[k : k + 9] for k in range(0, 27, 9)]
    assert [one[0] for one in theirs if one[0]] == list(row.texts), row.label
    assert list(row.texts) == [track.text for track in ours.swipe.tracks], row.label
    if row.plain == "aamva":
        return
    if row.plain != "track3":  # no built-in card format takes its number from there
        assert number == ours.swipe.card_number.card_number, row.label
    for one, track in zip([one for one in theirs if one[0]], ours.swipe.tracks, strict=True):
        assert not track.errors, row.label
        fields = track.fields
        assert one[1] == fields.pan
        assert one[5] == fields.expiry
        assert int(one[8]) == fields.luhn_ok
        if track.number != 3:
            same = (fields.name, fields.surname, fields.first_name)
            assert tuple(one[2:5]) == same, row.label
            assert (one[6], one[7]) == (fields.service_code, fields.discretionary), row.label


def against(row: Row, others: Sequence[tuple[str, Sequence[str]]]) -> tuple[dict[str, float], dict[str, str]]:
    """Microseconds a swipe of ours, the C loop and other programs, and what each answered."""
    with ExitStack() as stack:
        ours = Ours(row)
        plain = stack.enter_context(Program("C loop", [str(plain_c())], row))
        check_plain(row, ours, plain.answer)
        programs = [stack.enter_context(Program(name, command, row)) for name, command in others]
        contenders = [ours, plain, *programs]
        return run(contenders), {one.name: one.answer for one in contenders}
