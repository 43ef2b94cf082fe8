"""`swipegate formats`: card formats listed, shown, tried on a sample and proposed from samples."""

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer
from google.protobuf import json_format
from rich.markup import escape
from rich.table import Table

from swipegate import core
from swipegate.cli.options import Json
from swipegate.cli.output import Exit, complain, console, fail, print_json
from swipegate.core import suggestions
from swipegate.v1 import card_format_pb2 as pb
from swipegate.v1 import track_pb2

MAX_FILE = 1024 * 1024
"""Bytes of a file of card formats."""

app = typer.Typer(
    add_completion=False,
    help="List the card formats that come with Swipegate; try formats on a sample; find one from samples.",
    no_args_is_help=True,
)

Reveal = Annotated[
    bool, typer.Option("--reveal", help="Show track data: numbers found, texts that do not fit.")
]
TextFile = Annotated[
    Path | None,
    typer.Option(
        "--file", help="JSON file with a card format or a list of them, as `formats show` prints them."
    ),
]


@app.command("list")
def list_formats(json: Json = False) -> None:
    """List the card formats that come with Swipegate, those that are tried unasked first."""
    if json:
        for one in core.BUILTIN_FORMATS:
            print_json({"unasked": one in core.DEFAULT_FORMATS} | _format_json(one))
        return
    table = Table("name", "track", "description", "tried unasked")
    for one in core.BUILTIN_FORMATS:
        unasked = "yes" if one in core.DEFAULT_FORMATS else ""
        table.add_row(one.name, str(one.track), one.description, unasked)
    console.print(table)


@app.command("show")
def show(name: Annotated[str, typer.Argument(help="Name of a card format.")]) -> None:
    """Show a card format as JSON, to be changed and given to `formats test --file`."""
    console.print_json(json_module.dumps(_format_json(_built_in(name))))


@app.command("test")
def try_formats(
    text: Annotated[str, typer.Argument(help="Characters as a reader prints them: '%B...?;...?'.")],
    card_format: Annotated[
        list[str] | None,
        typer.Option("--format", help="A card format to try; repeat for more. [default: all]"),
    ] = None,
    file: TextFile = None,
    track: Annotated[int, typer.Option(min=0, max=3, help="Which track the text is; 0: let it tell.")] = 0,
    reveal: Reveal = False,
    json: Json = False,
) -> None:
    """Try card formats on a sample, and say of each whether it fits, and if not, why.

    Exit code 0: a format fits; 1: none does; 2: an option or a file is wrong.
    """
    drafts = [] if file is None else _drafts(file)
    named = [_built_in(name) for name in card_format or ()]
    if not drafts and not named:
        named = list(core.BUILTIN_FORMATS)
    try:
        verdicts = core.try_formats(_decoded(text, track), drafts, named, reveal=reveal)
    except ValueError as error:
        fail(Exit.USAGE, str(error))
    if json:
        for verdict in verdicts:
            print_json(_message_json(verdict))
    else:
        _print_verdicts(verdicts, reveal=reveal)
    raise typer.Exit(Exit.OK if any(one.fits for one in verdicts) else Exit.UNREADABLE)


@app.command("suggest")
def suggest(
    sample: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT=NUMBER...",
            help="What a reader printed, the last = , and the number on the card, or FACILITY:NUMBER.",
        ),
    ],
    json: Json = False,
) -> None:
    """Find the card format from sample cards whose numbers are known.

    [bold]swipegate formats suggest ';0012304567?=123:4567' ';0012300089?=123:89'[/]

    Exit code 0: there is a proposal; 1: there is none; 2: an argument is wrong.
    """
    samples = [_sample(one) for one in sample]
    for number, one in enumerate(samples, 1):
        if not any(track.text for track in one.swipe.tracks):
            complain(f"sample {number} does not read, so nothing can explain it")
    try:
        answer = core.suggest_formats(samples)
    except ValueError as error:
        fail(Exit.USAGE, str(error))
    if json:
        print_json(_message_json(answer))
    else:
        _print_suggestions(answer, len(sample))
    raise typer.Exit(Exit.OK if answer.suggestions else Exit.UNREADABLE)


def _built_in(name: str) -> pb.CardFormat:
    if name not in core.FORMATS_BY_NAME:
        fail(Exit.USAGE, f"no such card format; there are: {', '.join(core.FORMATS_BY_NAME)}")
    return core.FORMATS_BY_NAME[name]


def _drafts(path: Path) -> list[pb.CardFormat]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
        if len(content) > MAX_FILE:
            fail(Exit.USAGE, f"{path}: must be at most {MAX_FILE:,} bytes")
        parsed = json_module.loads(content)
        entries = parsed if isinstance(parsed, list) else [parsed]
        if not all(isinstance(entry, dict) for entry in entries):
            raise ValueError("must be an object, or a list of objects")
        return [json_format.ParseDict(entry, pb.CardFormat()) for entry in entries]
    except OSError as error:
        fail(Exit.USAGE, f"{path}: {error.strerror}")
    except (ValueError, RecursionError, json_format.ParseError) as error:
        fail(Exit.USAGE, f"{path}: is no card format in JSON: {error}")


def _decoded(text: str, track: int = 0) -> track_pb2.DecodedSwipe:
    raw = track_pb2.RawTrack(number=track, text=text.encode("utf-8", "surrogateescape"))
    return core.decode(track_pb2.Swipe(tracks=[raw]))


def _sample(argument: str) -> suggestions.Sample:
    text, equals, numbers = argument.rpartition("=")
    if not equals or not text:
        fail(Exit.USAGE, "a sample must be TEXT=NUMBER or TEXT=FACILITY:NUMBER")
    facility, _, number = numbers.rpartition(":")
    return suggestions.Sample(_decoded(text), number, facility)


def _format_json(card_format: pb.CardFormat) -> dict[str, Any]:
    return json_format.MessageToDict(card_format, preserving_proto_field_name=True)


def _message_json(message: Any) -> dict[str, Any]:
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _print_verdicts(verdicts: list[pb.CardFormatVerdict], *, reveal: bool) -> None:
    table = Table("card format", "", "why" if not reveal else "number, or why not")
    for one in verdicts:
        if one.fits:
            found = one.card_number.card_number
            if one.card_number.facility_code:
                found = f"{one.card_number.facility_code}:{found}"
            mark = "[bold green]fits, tried first[/]" if one.first else "[green]fits[/]"
            table.add_row(one.name, mark, found)
        else:
            text = f" ({one.mismatch.text})" if one.mismatch.text else ""
            table.add_row(one.name, "no", escape(one.mismatch.description + text))
    console.print(table)


def _print_suggestions(answer: pb.SuggestCardFormatsResponse, samples: int) -> None:
    if not answer.suggestions:
        console.print("No reading that is known here gives these numbers.")
        return
    console.print(f"{samples} samples, {answer.distinct_numbers} different numbers")
    for one in answer.suggestions:
        console.print(f"[bold]{one.card_format.name}[/]  ({one.evidence} bits of evidence)")
        console.print(f"  {escape(one.reading)}")
        for assumption in one.assumptions:
            console.print(f"  [dim]taken for granted: {escape(assumption)}[/]")
    if answer.needs_more_samples:
        console.print("[yellow]More samples are needed to tell these from each other, or from chance.[/]")
    console.print("[dim]--json prints the formats themselves[/]")
