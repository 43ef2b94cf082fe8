"""`swipegate decode`: recordings, bits and texts to tracks, fields and card number."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.markup import escape
from rich.rule import Rule

from swipegate import core
from swipegate.cli import plot, render, stages
from swipegate.cli.findings import Finding, findings_of, next_steps, quiet_finding, story
from swipegate.cli.options import CODINGS, Json, coding_or_fail
from swipegate.cli.output import Exit, complain, console, fail, print_json, print_line, printable
from swipegate.cli.sources import Given, Refusal, Signal, Source, one_card, sources
from swipegate.cli.stages import Stage
from swipegate.core.recordings import RawSwipe, SampleFormat, samples
from swipegate.v1 import track_pb2 as pb

STDIN = Path("/dev/stdin")
READING_ERRORS = frozenset(
    {
        pb.TRACK_ERROR_NO_ENCODING,
        pb.TRACK_ERROR_NO_START,
        pb.TRACK_ERROR_NO_END,
        pb.TRACK_ERROR_PARITY,
        pb.TRACK_ERROR_LRC,
        pb.TRACK_ERROR_EMPTY,
        pb.TRACK_ERROR_JITTER,
        pb.TRACK_ERROR_NOT_READ,
    }
)
"""With one of these the characters themselves are in doubt; with others, what they mean."""


class Show(NamedTuple):
    """How to show what was decoded."""

    reveal: bool
    json: bool
    stage: Stage | None
    candidates: bool
    used: tuple[str, ...]
    """Options that were given, of those that help to find out why a track does not read."""


@dataclass(frozen=True, slots=True)
class Swipe:
    """One decoded swipe."""

    raw: RawSwipe
    decoded: pb.DecodedSwipe = field(repr=False)

    def findings(self, show: Show) -> list[Finding]:
        """What was found on each of its tracks."""
        return findings_of(self.raw, self.decoded, reveal=show.reveal, candidates=show.candidates)


def decode(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE...",
            help=(
                "Recordings: WAV, AIFF, sigrok .sr, .MAG flux images; flux times, bits or characters as text; "
                "Flipper .mag, MSR605 answers, JSON bit vectors; - for standard input."
            ),
            show_default=False,
        ),
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option("--text", help="Characters as a reader prints them: '%B...?;...?'.")
    ] = None,
    bits: Annotated[list[str] | None, typer.Option("--bits", help="Bits of one track: 0001101...")] = None,
    hex_: Annotated[
        list[str] | None,
        typer.Option("--hex", help="Packed bits of one track, as a rule the first in the top bit: D411..."),
    ] = None,
    flux: Annotated[
        list[str] | None,
        typer.Option(
            "--flux", help="Nanoseconds between the flux transitions of one track: '812000 406000 ...'."
        ),
    ] = None,
    track: Annotated[
        int,
        typer.Option(min=0, max=3, help="Which track --text, --bits, --hex and --flux are; 0: let it tell."),
    ] = 0,
    coding: Annotated[
        str, typer.Option(help=f"How bits make characters: {CODINGS}. [default: find it out]")
    ] = "",
    pcm: Annotated[
        str, typer.Option(help=f"Files are samples without a header: {', '.join(samples.ENCODINGS)}.")
    ] = "",
    rate: Annotated[float, typer.Option(help="Sample rate of --pcm in Hz.")] = 44_100,
    channels: Annotated[int, typer.Option(help="Channels of --pcm.")] = 1,
    channel: Annotated[
        int, typer.Option(min=0, help="The one channel of sampled files to read; 0: all of them.")
    ] = 0,
    card_format: Annotated[
        list[str] | None,
        typer.Option(
            "--format", help="Card format to try, in order; repeat for more. [default: those that are sure]"
        ),
    ] = None,
    same_card: Annotated[
        bool,
        typer.Option("--same-card", help="Take all swipes as passes of one card; at most 8 tracks together."),
    ] = False,
    plot_path: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draw signal, cells, bits and characters, and what is wrong, into a .png or .svg.",
            show_default=False,
        ),
    ] = None,
    stage: Annotated[
        Stage | None,
        typer.Option(
            "--stage", help="Print what this stage made, for the next one to read.", show_default=False
        ),
    ] = None,
    candidates: Annotated[
        bool,
        typer.Option("--candidates", help="Show every reading of a signal, not only the one that was taken."),
    ] = False,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Do not mask PANs and discretionary data.")
    ] = False,
    json: Json = False,
) -> None:
    """Decode recorded swipes and show tracks, fields and what is wrong with them.

    [bold]swipegate decode swipe.wav[/] · [bold]swipegate decode --text ';98949188?'[/] ·
    [bold]swipegate decode --json *.wav[/]

    A card does not read? [bold]swipegate decode --plot why.png swipe.wav[/] draws how far it got and where it broke.

    [bold]--stage[/] shows one stage alone. With --reveal it is food for the next: --flux takes flux times, and a
    file of bits or characters is a recording. What is masked is an asterisk.

    [bold]swipegate decode --reveal --stage bits swipe.wav | swipegate decode /dev/stdin[/]

    Exit code 0: every track was read; 1: something did not read; 2: a file or option is wrong.
    """
    if plot_path is not None and plot_path.suffix.lower() not in plot.RENDERERS:
        fail(Exit.USAGE, f"--plot: the name must end in {' or '.join(plot.RENDERERS)}")
    formats = _formats(card_format)
    signal = Signal(SampleFormat(rate, pcm, channels) if pcm else None, channel)
    paths = [STDIN if str(path) == "-" else path for path in files or []]
    given = Given(
        paths, signal, text or [], bits or [], hex_ or [], flux or [], track, coding_or_fail(coding)
    )
    helpful = {"--same-card": same_card, "--candidates": candidates, "--plot": plot_path is not None}
    show = Show(reveal, json, stage, candidates, tuple(name for name, used in helpful.items() if used))
    worst = Exit.OK
    any_source = False
    drawing = plot.Drawing()
    for source in one_card(given) if same_card else sources(given):
        any_source = True
        swipes = _decoded(source, formats)
        if isinstance(swipes, Refusal):
            worst = Exit.USAGE
            if plot_path is not None and swipes.channels:
                _draw_quiet(drawing, swipes, show)
            _print_refusal(swipes, json, drawn=plot_path is not None)
            continue
        if worst is Exit.OK and not all(_reads(swipe.decoded) for swipe in swipes):
            worst = Exit.UNREADABLE
        _print(source.name, swipes, show)
        if plot_path is not None:
            _draw(drawing, source.name, swipes, show)
    if not any_source:
        fail(
            Exit.USAGE,
            "nothing to decode: give files, --text, --bits, --hex or --flux (swipegate decode --help)",
        )
    if plot_path is not None:
        _write(plot_path, drawing, json=json)
    raise typer.Exit(worst)


def _decoded(source: Source | Refusal, formats: core.FormatSet) -> list[Swipe] | Refusal:
    if isinstance(source, Refusal):
        return source
    try:
        return [Swipe(raw, core.decode(swipe, formats)) for swipe, raw in source.swipes]
    except core.InvalidField as error:  # its text names the field alone
        return Refusal(source.name, str(error))


def _formats(names: list[str] | None) -> core.FormatSet:
    if not names:
        return core.compile_formats(core.DEFAULT_FORMATS)
    for name in names:
        if name not in core.FORMATS_BY_NAME:
            fail(Exit.USAGE, f"--format: no such card format; there are: {', '.join(core.FORMATS_BY_NAME)}")
    return core.compile_formats([core.FORMATS_BY_NAME[name] for name in names])


def _reads(swipe: pb.DecodedSwipe) -> bool:
    """Whether every track could be read, whatever its fields then hold."""
    return bool(swipe.tracks) and not any(READING_ERRORS & set(track.errors) for track in swipe.tracks)


def _print_refusal(refusal: Refusal, json: bool, *, drawn: bool) -> None:
    if json:
        print_json({"file": refusal.name, "swipes": [], "error": refusal.reason})
    else:
        hint = "; --plot why.png draws what there is" if refusal.channels and not drawn else ""
        complain(f"{refusal.name}: {refusal.reason}{hint}")


def _print(name: str, swipes: list[Swipe], show: Show) -> None:
    if show.stage is not None:
        _print_stage(name, swipes, show, show.stage)
        return
    if show.json:
        print_json({"file": name, "swipes": [_swipe_json(swipe, show) for swipe in swipes]})
        return
    console.print(Rule(escape(printable(name)), align="left"))
    for number, swipe in enumerate(swipes, 1):
        if len(swipes) > 1:
            place = f" at {swipe.raw.start:.3f} s" if swipe.raw.start is not None else ""
            console.print(f"[bold]swipe {number}[/]{place}")
        console.print(render.as_rich(render.shown(swipe.decoded, reveal=show.reveal)))
        if not swipe.decoded.HasField("card_number"):
            _hint_formats(swipe.decoded)
        if not _reads(swipe.decoded):
            _explain(swipe, show)
        if show.candidates:
            for finding in swipe.findings(show):
                console.print(f"[dim]{escape(stages.candidate(finding))}[/]", soft_wrap=True)


def _explain(swipe: Swipe, show: Show) -> None:
    """How far each signal that does not read got, where it broke, and what to try."""
    found = findings_of(swipe.raw, swipe.decoded, reveal=show.reveal)
    for place, finding in enumerate(found, 1):
        which = f"signal {place}: " if len(found) > 1 else ""
        for words in story(finding):
            console.print(f"{which}{escape(words)}", soft_wrap=True)
        for step in next_steps(finding):
            if not step.startswith(show.used):
                console.print(f"[dim]{which}try {escape(step)}[/]", soft_wrap=True)


def _print_stage(name: str, swipes: list[Swipe], show: Show, stage: Stage) -> None:
    """Lines of a swipe together, a blank line between two swipes; nothing but them."""
    for number, swipe in enumerate(swipes):
        findings, shown = swipe.findings(show), render.shown(swipe.decoded, reveal=show.reveal)
        if show.json:
            made = stages.as_json(stage, findings, shown)
            print_json({"file": name, "swipe": number + 1, "stage": stage, **made})
            continue
        if number:
            print_line("")
        for line in stages.lines(stage, findings, shown):
            print_line(line)


def _draw(drawing: plot.Drawing, name: str, swipes: list[Swipe], show: Show) -> None:
    """Add a source's tracks to the picture, as many as it takes."""
    drawing.names.append(Path(name).name)
    for number, swipe in enumerate(swipes, 1):
        if len(drawing.rows) >= plot.MAX_ROWS:
            drawing.left_out += sum(track.text is None for track in swipe.raw.tracks)
            continue
        findings = swipe.findings(show)
        for place, finding in enumerate(findings, 1):
            parts = [Path(name).name]
            if len(swipes) > 1:
                parts.append(f"swipe {number}")
            if finding.decoded.number:
                parts.append(f"track {finding.decoded.number}")
            if len(findings) > 1:
                parts.append(f"reading {place}" if show.candidates else f"signal {place}")
            drawing.add(plot.Row(", ".join(parts), finding))


def _draw_quiet(drawing: plot.Drawing, refusal: Refusal, show: Show) -> None:
    """Add a signal without a swipe, every channel of it."""
    name = Path(refusal.name).name
    drawing.names.append(name)
    for number, track in enumerate(refusal.channels, 1):
        channel = f", channel {number}" if len(refusal.channels) > 1 else ""
        drawing.add(plot.Row(name + channel, quiet_finding(track, reveal=show.reveal)))


def _write(path: Path, drawing: plot.Drawing, *, json: bool) -> None:
    if not drawing.rows:
        fail(Exit.USAGE, "--plot: nothing to draw: there is neither a signal nor bits")
    try:
        plot.write(path, drawing)
    except OSError as error:
        fail(Exit.USAGE, f"--plot: {path}: {error.strerror or 'cannot be written'}")
    if not json:
        console.print(f"[dim]picture  {escape(printable(str(path)))}[/]", soft_wrap=True)


def _hint_formats(swipe: pb.DecodedSwipe) -> None:
    """Say which built-in card formats would match, though they are not sure enough to be tried unasked."""
    texts = [
        pb.RawTrack(number=track.number, text=track.text.encode()) for track in swipe.tracks if track.text
    ]
    if not texts:
        return
    again = pb.Swipe(tracks=texts)
    names = [
        one.name
        for one in core.BUILTIN_FORMATS
        if core.decode(again, core.compile_formats([one])).HasField("card_number")
    ]
    if names:
        console.print(f"[dim]no card number is sure; --format tries one: {', '.join(names)}[/]")


def _swipe_json(swipe: Swipe, show: Show) -> dict[str, Any]:
    answer = render.as_json(render.shown(swipe.decoded, reveal=show.reveal))
    if swipe.raw.start is not None:
        answer |= {"start": round(swipe.raw.start, 6), "end": round(swipe.raw.end or 0.0, 6)}
    if show.candidates:
        answer["candidates"] = [stages.candidate_json(finding) for finding in swipe.findings(show)]
    return answer
