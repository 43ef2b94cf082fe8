"""`swipegate decode`: recordings, bits and texts to tracks, fields and card number."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.markup import escape
from rich.rule import Rule

from swipegate import core
from swipegate.cli import render
from swipegate.cli.options import Json
from swipegate.cli.output import Exit, complain, console, fail, print_json
from swipegate.core import symbols
from swipegate.core.recordings import RawSwipe, RecordingError, read_recording
from swipegate.v1 import track_pb2 as pb

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

MAX_INTERVAL = 2**32 - 1
"""Nanoseconds of one interval, as swipegate.v1.FluxIntervals holds them."""


class Refusal(NamedTuple):
    """A file or option that cannot be decoded."""

    name: str
    """The file, or the option it came by."""
    reason: str


class Source(NamedTuple):
    """One thing to decode."""

    name: str
    """The file, or the option it came by."""
    swipes: list[tuple[pb.Swipe, RawSwipe | None]]


def decode(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE...",
            help="Recordings: WAV, sigrok .sr, .MAG flux images, bit texts, Flipper .mag, JSON bit vectors.",
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
    track: Annotated[
        int, typer.Option(min=0, max=3, help="Which track --text, --bits and --hex are; 0: let it tell.")
    ] = 0,
    card_format: Annotated[
        list[str] | None,
        typer.Option(
            "--format", help="Card format to try, in order; repeat for more. [default: those that are sure]"
        ),
    ] = None,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Do not mask PANs and discretionary data.")
    ] = False,
    json: Json = False,
) -> None:
    """Decode recorded swipes and show tracks, fields and what is wrong with them.

    [bold]swipegate decode swipe.wav[/] · [bold]swipegate decode --text ';98949188?'[/] ·
    [bold]swipegate decode --json *.wav[/]

    Exit code 0: every track was read; 1: something did not read; 2: a file or option is wrong.
    """
    formats = _formats(card_format)
    worst = Exit.OK
    any_source = False
    for source in _sources(files or [], text or [], bits or [], hex_ or [], track):
        any_source = True
        if isinstance(source, Refusal):
            worst = Exit.USAGE
            _print_refusal(source, json)
            continue
        try:
            decoded = [(core.decode(swipe, formats), raw) for swipe, raw in source.swipes]
        except core.InvalidField as error:  # its text names the field alone
            worst = Exit.USAGE
            _print_refusal(Refusal(source.name, str(error)), json)
            continue
        if worst is Exit.OK and not all(_reads(swipe) for swipe, _ in decoded):
            worst = Exit.UNREADABLE
        _print(source.name, decoded, reveal=reveal, json=json)
    if not any_source:
        fail(Exit.USAGE, "nothing to decode: give files, --text, --bits or --hex (swipegate decode --help)")
    raise typer.Exit(worst)


def _formats(names: list[str] | None) -> core.FormatSet:
    if not names:
        return core.compile_formats(core.DEFAULT_FORMATS)
    for name in names:
        if name not in core.FORMATS_BY_NAME:
            fail(Exit.USAGE, f"--format: no such card format; there are: {', '.join(core.FORMATS_BY_NAME)}")
    return core.compile_formats([core.FORMATS_BY_NAME[name] for name in names])


def _sources(
    files: list[Path], texts: list[str], bits: list[str], hexes: list[str], track: int
) -> Iterator[Source | Refusal]:
    for path in files:
        try:
            yield Source(str(path), [(swipe_of(raw), raw) for raw in read_recording(path)])
        except RecordingError as error:
            yield Refusal(str(path), str(error).removeprefix(path.name).removeprefix(": "))
    for option, values, convert in (
        ("--text", texts, _text),
        ("--bits", bits, _bits),
        ("--hex", hexes, _hex),
    ):
        for value in values:
            try:
                yield Source(option, [(pb.Swipe(tracks=[convert(value, track)]), None)])
            except ValueError as error:
                yield Refusal(option, str(error))


def _text(value: str, track: int) -> pb.RawTrack:
    data = value.encode("utf-8", "surrogateescape")
    if len(data) > core.MAX_TEXT:
        raise ValueError(f"at most {core.MAX_TEXT} bytes")
    return pb.RawTrack(number=track, text=data)


def _bits(value: str, track: int) -> pb.RawTrack:
    digits = "".join(value.split())
    if not digits or set(digits) - {"0", "1"}:
        raise ValueError("must be digits 0 and 1")
    return _bit_track(bytes(map(int, digits)), track)


def _hex(value: str, track: int) -> pb.RawTrack:
    try:
        packed = bytes.fromhex(value)
    except ValueError:
        raise ValueError("must be pairs of hexadecimal digits") from None
    if not packed:
        raise ValueError("must be pairs of hexadecimal digits")
    return _bit_track(_unpacked(packed), track)


def _unpacked(packed: bytes) -> bytes:
    """The bits, first bit in the top bit, or where they read so alone: without the padding, or packed otherwise.

    Bits turned inside their bytes and bytes in reverse order are one string read from either end: which was the first
    end is not known, and a string that reads only so is given as a reverse one.
    """
    plain, turned = core.unpack(packed), core.unpack(packed, lsb_first=True)
    if len(plain) > core.MAX_BITS:
        return plain
    for bits in (plain, _without_padding(plain)):
        if not symbols.decode(bits, repair=False).errors:
            return bits
    for bits in (turned, _without_padding(turned), _without_padding(turned[::-1])):
        read = symbols.decode(bits, repair=False)
        if not read.errors:
            return bits if read.direction == pb.SWIPE_DIRECTION_REVERSE else bits[::-1]
    return plain


def _without_padding(bits: bytes) -> bytes:
    """The bits without the zeros that fill the last byte: among inverted bits they are ones."""
    return bits[:-8] + bits[-8:].rstrip(b"\0")


def _bit_track(bits: bytes, track: int) -> pb.RawTrack:
    if len(bits) > core.MAX_BITS:
        raise ValueError(f"at most {core.MAX_BITS} bits")
    return pb.RawTrack(number=track, bits=pb.BitString(data=core.pack(bits), bit_count=len(bits)))


def swipe_of(raw: RawSwipe) -> pb.Swipe:
    """A recorded swipe as the track core takes it."""
    swipe = pb.Swipe()
    for track in raw.tracks:
        entry = swipe.tracks.add(number=track.number)
        if track.text is not None:
            entry.text = track.text.encode()
        elif track.bits is not None:
            entry.bits.data = core.pack(track.bits)
            entry.bits.bit_count = len(track.bits)
        elif track.samples is not None:
            entry.samples.pcm = track.pcm16()
            entry.samples.sample_rate = round(track.sample_rate)
        elif track.intervals is not None:
            entry.intervals.nanoseconds.extend(
                min(round(seconds * 1e9), MAX_INTERVAL) for seconds in track.intervals
            )
    return swipe


def _reads(swipe: pb.DecodedSwipe) -> bool:
    """Whether every track could be read, whatever its fields then hold."""
    return bool(swipe.tracks) and not any(READING_ERRORS & set(track.errors) for track in swipe.tracks)


def _print_refusal(refusal: Refusal, json: bool) -> None:
    if json:
        print_json({"file": refusal.name, "swipes": [], "error": refusal.reason})
    else:
        complain(f"{refusal.name}: {refusal.reason}")


def _print(
    name: str, decoded: list[tuple[pb.DecodedSwipe, RawSwipe | None]], *, reveal: bool, json: bool
) -> None:
    shown = [(render.shown(swipe, reveal=reveal), raw) for swipe, raw in decoded]
    if json:
        print_json({"file": name, "swipes": [_swipe_json(swipe, raw) for swipe, raw in shown]})
        return
    console.print(Rule(escape(name), align="left"))
    for number, (swipe, raw) in enumerate(shown, 1):
        if len(shown) > 1:
            place = f" at {raw.start:.3f} s" if raw is not None and raw.start is not None else ""
            console.print(f"[bold]swipe {number}[/]{place}")
        console.print(render.as_rich(swipe))
        if not swipe.HasField("card_number"):
            _hint_formats(decoded[number - 1][0])


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


def _swipe_json(swipe: pb.DecodedSwipe, raw: RawSwipe | None) -> dict[str, Any]:
    answer = render.as_json(swipe)
    if raw is not None and raw.start is not None:
        answer |= {"start": round(raw.start, 6), "end": round(raw.end or 0.0, 6)}
    return answer
