"""`swipegate encode`: texts or fields to a recording of a made-up swipe, which `swipegate decode` reads."""

import sys
from array import array
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from swipegate import core
from swipegate.cli.options import CODINGS, coding_or_fail
from swipegate.cli.output import Exit, console, fail, problems
from swipegate.core import codings, flux, recordings, synthesis, tracks
from swipegate.core.codings import Coding
from swipegate.core.recordings import bit_texts, flux_images, intervals, msr, samples, track_texts, wav
from swipegate.core.synthesis import Disturbances, Speed, Stripe

STANDARD_INPUT = "-"
CARD, HEAD, SIGNAL = "Card", "At the head", "Behind the head"
"""Panels of the help; which of them a kind of file has room for is said by KINDS."""
MAX_REPEAT = recordings.MAX_SWIPES


class Swipes(NamedTuple):
    """What is to be written."""

    texts: dict[int, str]
    """By track."""
    stripes: list[Stripe]
    repeats: int
    """How often the card is swiped."""
    metres_per_second: float
    acceleration: float
    pause_seconds: float
    rate: int
    encoding: str
    harm: Disturbances
    seed: int

    def channels(self) -> "list[array[float]]":
        """The signals of the head's tracks."""
        return synthesis.recording(
            [self.stripes] * self.repeats,
            self.rate,
            self.harm,
            metres_per_second=self.metres_per_second,
            acceleration=self.acceleration,
            pause_seconds=self.pause_seconds,
            seed=self.seed,
        )

    def times(self) -> list[dict[int, list[float]]]:
        """The flux times of each swipe by track."""
        return [
            {one.number: self._track_times(one, swipe) for one in self.stripes}
            for swipe in range(self.repeats)
        ]

    def _track_times(self, stripe: Stripe, swipe: int) -> list[float]:
        speed = Speed.accelerated(stripe.cell_seconds(self.metres_per_second), self.acceleration)
        return synthesis.flux_times(stripe.bits, speed, self.harm, seed=self.seed * 1_000_003 + swipe)

    def bits(self) -> dict[int, bytes]:
        """The bits as they are met, by track."""
        return {one.number: one.bits[::-1] if self.harm.reverse else one.bits for one in self.stripes}


class Kind(NamedTuple):
    """A kind of file."""

    meaning: str
    suffixes: tuple[str, ...]
    build: Callable[[Swipes], bytes]
    room: frozenset[str]
    """Options that mean something to it, besides those of the card."""


ON_HEAD = frozenset(
    {"coding", "jitter", "mid_jitter", "lost", "spike", "speed", "acceleration", "reverse", "seed"}
)
ON_SIGNAL = ON_HEAD | {
    *("noise", "thump", "hum", "offset", "drift", "clip", "inverted", "rate", "encoding", "repeat", "pause")
}
KINDS = {
    "wav": Kind("WAV", (".wav",), lambda it: wav.build(it.channels(), it.rate, it.encoding), ON_SIGNAL),
    "pcm": Kind(
        "samples without a header",
        (".pcm", ".raw"),
        lambda it: samples.pack(it.channels(), samples.ENCODINGS[it.encoding]),
        ON_SIGNAL,
    ),
    "flipper": Kind("Flipper .mag", (".mag",), lambda it: track_texts.build(it.texts), frozenset()),
    "bits": Kind(
        "bit text",
        (".bits", ".txt"),
        lambda it: bit_texts.build([list(it.bits().values())] * it.repeats),
        frozenset({"coding", "reverse", "repeat"}),
    ),
    "msr": Kind(
        "MSR605 raw read",
        (".msr", ".bin"),
        lambda it: msr.build(it.bits()) * it.repeats,
        frozenset({"coding", "reverse", "repeat"}),
    ),
    "hex": Kind(
        "MSR605 raw read in hexadecimal digits",
        (".hex",),
        lambda it: (msr.build(it.bits()).hex(" ") + "\n").encode() * it.repeats,
        frozenset({"coding", "reverse", "repeat"}),
    ),
    "intervals": Kind(
        "flux times as text", (".csv",), lambda it: intervals.build(it.times()), ON_HEAD | {"repeat"}
    ),
    "flux": Kind("MAKStripe flux image", (), lambda it: flux_images.build(it.times()[0]), ON_HEAD),
}
"""By the value of --to."""
BY_SUFFIX = {suffix: name for name, kind in KINDS.items() for suffix in kind.suffixes}


def encode(
    context: typer.Context,
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TEXT...",
            help="Tracks with their sentinels, or lines of them: '%B...?;...?'; with --coding jis-8 one without. "
            "- reads lines from standard input.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; - is standard output.")
    ] = None,
    to: Annotated[
        str, typer.Option(help=f"Kind of file: {', '.join(KINDS)}. Not given: by its suffix.")
    ] = "",
    bits: Annotated[bool, typer.Option("--bits", help="Short for --to bits.")] = False,
    pan: Annotated[
        str,
        typer.Option(
            help="Instead of a text: the PAN; - reads it from standard input.", rich_help_panel=CARD
        ),
    ] = "",
    expiry: Annotated[str, typer.Option(help="YYMM.", rich_help_panel=CARD)] = "",
    service_code: Annotated[str, typer.Option(help="Three digits.", rich_help_panel=CARD)] = "",
    name: Annotated[
        str, typer.Option(help="SURNAME/FIRST; makes a track 1, too.", rich_help_panel=CARD)
    ] = "",
    discretionary: Annotated[str, typer.Option(help="Of both tracks.", rich_help_panel=CARD)] = "",
    coding: Annotated[
        str,
        typer.Option(
            help=f"How characters make bits, of the tracks that begin with its start sentinel: {CODINGS}. "
            "[default: iso-7 after %, iso-5 after ;]",
            rich_help_panel=CARD,
        ),
    ] = "",
    jitter: Annotated[
        float, typer.Option(min=0, max=0.5, help="Of cells, share of one.", rich_help_panel=HEAD)
    ] = 0.0,
    mid_jitter: Annotated[
        float,
        typer.Option(min=0, max=0.5, help="Of the middle of 1s, share of a cell.", rich_help_panel=HEAD),
    ] = 0.0,
    lost: Annotated[int, typer.Option(min=0, help="Transitions hardly there.", rich_help_panel=HEAD)] = 0,
    spike: Annotated[int, typer.Option(min=0, help="Pulses that are none.", rich_help_panel=HEAD)] = 0,
    reverse: Annotated[
        bool, typer.Option("--reverse", help="Swipe backwards.", rich_help_panel=HEAD)
    ] = False,
    speed: Annotated[
        float, typer.Option(min=0.02, max=5.0, help="Metres a second.", rich_help_panel=HEAD)
    ] = 0.3,
    acceleration: Annotated[
        float,
        typer.Option(min=0.05, max=20.0, help="How many times as fast at its end.", rich_help_panel=HEAD),
    ] = 1.0,
    noise: Annotated[
        float, typer.Option(min=0, max=10, help="Share of the amplitude.", rich_help_panel=SIGNAL)
    ] = 0.0,
    thump: Annotated[
        float, typer.Option(min=-10, max=10, help="Bump where the card enters.", rich_help_panel=SIGNAL)
    ] = 0.0,
    hum: Annotated[float, typer.Option(min=0, max=10, help="Of 50 Hz.", rich_help_panel=SIGNAL)] = 0.0,
    offset: Annotated[float, typer.Option(min=-1, max=1, help="DC.", rich_help_panel=SIGNAL)] = 0.0,
    drift: Annotated[
        float, typer.Option(min=-2, max=2, help="Rise of the baseline.", rich_help_panel=SIGNAL)
    ] = 0.0,
    clip: Annotated[
        float, typer.Option(min=0, max=1, help="Level that is not passed; 0: none.", rich_help_panel=SIGNAL)
    ] = 0.0,
    inverted: Annotated[
        bool, typer.Option("--inverted", help="Turn the wave upside down.", rich_help_panel=SIGNAL)
    ] = False,
    rate: Annotated[
        int,
        typer.Option(min=int(flux.RATE_MIN), max=int(flux.RATE_MAX), help="Hz.", rich_help_panel=SIGNAL),
    ] = 44_100,
    encoding: Annotated[
        str, typer.Option(help=f"Of samples: {', '.join(samples.ENCODINGS)}.", rich_help_panel=SIGNAL)
    ] = "s16le",
    repeat: Annotated[int, typer.Option(min=1, max=MAX_REPEAT, help="Swipes of the card.")] = 1,
    pause: Annotated[float, typer.Option(min=0.1, max=60, help="Seconds between swipes.")] = 0.5,
    seed: Annotated[int, typer.Option(help="The same seed gives the same file.")] = 0,
) -> None:
    """Make the recording of a swipe that never happened, for tests and simulators.

    [bold]swipegate encode ';4111111111111111=30121010000012300000?' -o swipe.wav --jitter 0.05 --lost 1 --seed 7[/] ·
    [bold]swipegate encode --pan 4111111111111111 --expiry 3012 --name DOE/JANE -o card.mag[/]

    For test numbers: what stands on a command line is seen by other users of this machine, and the file is not
    protected. Heights are of full scale 1. Each track is a channel of its own.

    Exit code 0: it was written; 2: an option is wrong.
    """
    kind_name = _kind("bits" if bits else to, output, to_stdout=bits)
    kind = KINDS[kind_name]
    _check_room(context, kind_name, kind)
    _check_encoding(kind_name, encoding)
    asked = codings.CODINGS.get(coding_or_fail(coding))
    by_track = _tracks(texts or [], asked, pan, name, expiry, service_code, discretionary)
    harm = Disturbances(
        cell_jitter=jitter,
        mid_jitter=mid_jitter,
        lost=lost,
        spikes=spike,
        noise=noise,
        thump=thump,
        hum=hum,
        offset=offset,
        drift=drift,
        clip=clip,
        inverted=inverted,
        reverse=reverse,
    )
    swipes = Swipes(
        by_track, _stripes(by_track, asked), repeat, speed, acceleration, pause, rate, encoding, harm, seed
    )
    if "rate" in kind.room:
        _check_length(swipes)
    try:
        data = kind.build(swipes)
    except ValueError as error:  # the core's texts name the field and hold nothing of the track
        fail(Exit.USAGE, _option_of(str(error)))
    _write(output, data)
    _tell(output, kind, swipes, len(data))


def _kind(asked: str, output: Path | None, *, to_stdout: bool) -> str:
    if asked and asked not in KINDS:
        fail(Exit.USAGE, f"--to: none of {', '.join(KINDS)}")
    if output is None and not to_stdout:
        fail(Exit.USAGE, "--output: the file to write is needed, or - for standard output")
    kind = asked or BY_SUFFIX.get(output.suffix.lower() if output else "", "")
    if not kind:
        fail(Exit.USAGE, f"--to: needed, as the file's suffix is none of {', '.join(BY_SUFFIX)}")
    return kind


def _check_room(context: typer.Context, name: str, kind: Kind) -> None:
    """Refuse an option that would change nothing."""
    for option in sorted(ON_SIGNAL - kind.room):
        source = context.get_parameter_source(option)
        if source is not None and source.name == "COMMANDLINE":
            fail(Exit.USAGE, f"--{option.replace('_', '-')}: has no meaning for --to {name}")


def _check_encoding(kind: str, encoding: str) -> None:
    known = [one for one, code in samples.ENCODINGS.items() if kind != "wav" or wav.holds(code)]
    if encoding not in known:
        fail(Exit.USAGE, f"--encoding: none of {', '.join(known)}")


def _tracks(
    texts: Sequence[str],
    coding: Coding | None,
    pan: str,
    name: str,
    expiry: str,
    service_code: str,
    discretionary: str,
) -> dict[int, str]:
    """The texts by track number, or the end of the command."""
    fields = {
        "--expiry": expiry,
        "--service-code": service_code,
        "--name": name,
        "--discretionary": discretionary,
    }
    if pan and texts:
        fail(Exit.USAGE, "--pan: either a text or fields")
    if pan:
        return _tracks_of_fields(
            _line() if pan == STANDARD_INPUT else pan, name, expiry, service_code, discretionary
        )
    for option, value in fields.items():
        if value:
            fail(Exit.USAGE, f"{option}: --pan is needed with it")
    lines = [line for text in texts for line in ([text] if text != STANDARD_INPUT else _lines())]
    if not lines:
        fail(Exit.USAGE, "nothing to encode: give texts or --pan (swipegate encode --help)")
    if coding is not None and not coding.start.isprintable():
        return _untyped_sentinels(lines, coding)
    return _tracks_of_lines(lines)


def _untyped_sentinels(lines: Sequence[str], coding: Coding) -> dict[int, str]:
    """The one track of a JIS X 6302-2 stripe, which is as dense as track 1 and has DEL for sentinels."""
    if len(lines) > 1:
        fail(Exit.USAGE, f"TEXT 2: a stripe of --coding {coding.name} holds one")
    return {1: coding.start + lines[0].strip(coding.start) + coding.end}


def _lines() -> list[str]:
    return [line.strip() for line in sys.stdin if line.strip()]


def _line() -> str:
    lines = _lines()
    return lines[0] if lines else ""


def _tracks_of_fields(
    pan: str, name: str, expiry: str, service_code: str, discretionary: str
) -> dict[int, str]:
    try:
        second = tracks.encode_track2(pan, expiry, service_code, discretionary)
        if not name:
            return {2: second}
        return {1: tracks.encode_track1(pan, name, expiry, service_code, discretionary), 2: second}
    except ValueError as error:
        fail(Exit.USAGE, f"--{str(error).replace('_', '-', 1)}")


def _tracks_of_lines(lines: Sequence[str]) -> dict[int, str]:
    found: dict[int, str] = {}
    for number, line in enumerate(lines, 1):
        if len(line.encode("utf-8", "surrogatepass")) > core.MAX_TEXT:
            fail(Exit.USAGE, f"TEXT {number}: at most {core.MAX_TEXT} bytes")
        parsed = [track for track in tracks.split(line) if track.text]
        if not parsed:
            fail(Exit.USAGE, f"TEXT {number}: no track in it; one begins with its start sentinel, % or ;")
        for track in parsed:
            place = track.number or (1 if track.text.startswith("%") else 2)
            if place == 2 and 2 in found:
                place = 3
            if place in found:
                fail(Exit.USAGE, f"TEXT {number}: a second track {place}")
            found[place] = track.text
    return dict(sorted(found.items()))


def _stripes(texts: Mapping[int, str], coding: Coding | None) -> list[Stripe]:
    if coding is not None and not any(text.startswith(coding.start) for text in texts.values()):
        start = coding.start if coding.start.isprintable() else "DEL"
        fail(Exit.USAGE, f"--coding: a track of {coding.name} begins with {start}, and none does")
    stripes = []
    for number, text in texts.items():
        its = coding if coding is not None and text.startswith(coding.start) else None
        bits, msb_first = (its.bits, its.msb_first) if its else (0, False)
        try:
            stripes.append(synthesis.stripe(text, number, bits_per_character=bits, msb_first=msb_first))
        except ValueError as error:
            fail(Exit.USAGE, f"TEXT: track {number}: {error}")
        if len(stripes[-1].bits) > core.MAX_BITS:
            fail(Exit.USAGE, f"TEXT: track {number}: at most {core.MAX_BITS} bits")
    return stripes


def _check_length(swipes: Swipes) -> None:
    """Refuse what would be too long to be read again, before it is made."""
    steepness = max(swipes.acceleration, 1.0 / swipes.acceleration) ** 0.5
    longest = max(len(one.bits) * one.cell_seconds(swipes.metres_per_second) for one in swipes.stripes)
    seconds = swipes.repeats * (
        longest * steepness + swipes.pause_seconds + 2 * synthesis.Signal().lead_seconds
    )
    width = samples.ENCODINGS[swipes.encoding].width * len(swipes.stripes)
    longest_file = min(recordings.MAX_SAMPLES, (recordings.MAX_FILE_BYTES - 1024) // width)
    if seconds * swipes.rate > longest_file:
        fail(Exit.USAGE, f"--repeat, --rate or --speed: over {longest_file} samples cannot be read again")


def _option_of(reason: str) -> str:
    """A reason of the core with the options that it is about."""
    return reason.replace("lost or spikes:", "--lost or --spike:").replace("swipes:", "--repeat:")


def _write(output: Path | None, data: bytes) -> None:
    if output is None or str(output) == STANDARD_INPUT:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(data)
    except (OSError, ValueError) as error:
        fail(Exit.USAGE, f"--output: {getattr(error, 'strerror', None) or 'cannot be written'}")


def _tell(output: Path | None, kind: Kind, swipes: Swipes, size: int) -> None:
    """One line on what was written; on stderr where the file itself is on stdout."""
    numbers = " and ".join(str(number) for number in swipes.texts)
    what = f"{swipes.repeats} x track{'s' * (len(swipes.texts) > 1)} {numbers}"
    if "rate" in kind.room:
        channels = len(swipes.stripes)
        what += f", {channels} channel{'s' * (channels > 1)} of {swipes.rate} Hz {swipes.encoding}"
    to_stdout = output is None or str(output) == STANDARD_INPUT
    (problems if to_stdout else console).print(
        f"{'-' if to_stdout else output}: {kind.meaning}, {what}, {size} bytes", markup=False, soft_wrap=True
    )
