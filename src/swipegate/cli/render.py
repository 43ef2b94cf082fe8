"""A decoded swipe for people and for machines."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from swipegate.domain.masking import masked_number, masked_track
from swipegate.v1 import track_pb2 as pb

_DIRECTIONS = {pb.SWIPE_DIRECTION_FORWARD: "forward", pb.SWIPE_DIRECTION_REVERSE: "reverse"}
_LRC = {pb.LRC_STATUS_OK: "ok", pb.LRC_STATUS_BAD: "bad", pb.LRC_STATUS_REPAIRED: "repaired"}
_STANDARDS = {
    pb.TRACK_STANDARD_ISO7813_TRACK1: "ISO/IEC 7813 track 1, format B",
    pb.TRACK_STANDARD_ISO7813_TRACK2: "ISO/IEC 7813 track 2",
    pb.TRACK_STANDARD_ISO4909_TRACK3: "ISO/IEC 4909 track 3",
    pb.TRACK_STANDARD_ISO7813_TRACK1_A: "ISO/IEC 7813 track 1, format A",
    pb.TRACK_STANDARD_ISO7813_TRACK1_RESERVED: "ISO/IEC 7813 track 1, reserved format",
    pb.TRACK_STANDARD_ISO7813_TRACK1_ISSUER: "ISO/IEC 7813 track 1, an issuer's format",
    pb.TRACK_STANDARD_EMV_TRACK2_EQUIVALENT: "EMV track 2 equivalent data",
    pb.TRACK_STANDARD_AAMVA_TRACK1: "AAMVA licence, track 1",
    pb.TRACK_STANDARD_AAMVA_TRACK2: "AAMVA licence, track 2",
    pb.TRACK_STANDARD_AAMVA_TRACK3: "AAMVA licence, track 3",
    pb.TRACK_STANDARD_CDMV_TRACK1: "California licence, track 1",
    pb.TRACK_STANDARD_CDMV_TRACK2: "California licence, track 2",
    pb.TRACK_STANDARD_JIS_X6302_2: "JIS X 6302-2",
}


SHORTEST_PAN = 8
"""Digits (ISO/IEC 7812-1)."""
_PAYMENT = {pb.TRACK_STANDARD_UNSPECIFIED, pb.TRACK_STANDARD_ISO7813_TRACK1, pb.TRACK_STANDARD_ISO7813_TRACK2}
"""Of a track that was taken apart as ISO/IEC 7813 has it."""
_PAYMENT_ERRORS = {
    pb.TRACK_ERROR_PAN,
    pb.TRACK_ERROR_SEPARATOR,
    pb.TRACK_ERROR_EXPIRY,
    pb.TRACK_ERROR_SERVICE_CODE,
}
_PICTURES = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}
"""Control characters (U+2400 and after): of the stripe, not for the terminal."""


def shown(swipe: pb.DecodedSwipe, *, reveal: bool) -> pb.DecodedSwipe:
    """The swipe as it may be shown: PANs and discretionary data masked unless `reveal`."""
    if reveal:
        return swipe
    tracks = [masked_track(track) for track in swipe.tracks]
    copy = pb.DecodedSwipe(id=swipe.id, tracks=tracks, differences=swipe.differences)
    if swipe.HasField("card_number"):
        copy.card_number.CopyFrom(masked_number(swipe.card_number, number_is_pan(swipe)))
    return copy


def number_is_pan(swipe: pb.DecodedSwipe) -> bool:
    """Whether the card number is a PAN: its format says so, or a track's PAN field is the same number."""
    if swipe.card_number.number_is_pan:
        return True
    return any(track.fields.pan == swipe.card_number.card_number for track in swipe.tracks)


def as_json(swipe: pb.DecodedSwipe) -> dict[str, Any]:
    """The swipe as an object of plain values, its enums by their short names."""
    found = swipe.card_number if swipe.HasField("card_number") else None
    tracks = [_track_json(track) for track in swipe.tracks]
    answer: dict[str, Any] = {"tracks": tracks}
    if swipe.differences:
        answer["differences"] = [
            {
                "field": _short(pb.DifferingField, one.field).lower(),
                "tracks": [one.first_track, one.second_track],
            }
            for one in swipe.differences
        ]
    if found is not None:
        answer |= _number_json(found)
        for track, entry in zip(swipe.tracks, tracks, strict=True):
            if track.number == found.track and not track.errors:
                entry |= _number_json(found)
    return answer


def _number_json(found: pb.CardNumber) -> dict[str, Any]:
    return {
        "card_number": found.card_number,
        "card_format": found.card_format,
        "facility_code": found.facility_code or None,
        "issue_code": found.issue_code or None,
    }


def _track_json(track: pb.Track) -> dict[str, Any]:
    return {
        "number": track.number,
        "text": track.text,
        "standard": _STANDARDS.get(track.standard),
        "direction": _DIRECTIONS.get(track.direction),
        "lrc": _LRC.get(track.lrc),
        "lrc_character": track.lrc_character or None,
        "bits_per_character": track.bits_per_character or None,
        "inverted": track.inverted,
        "repairs": [
            {
                "position": one.position,
                "character": one.character,
                "method": _short(pb.RepairMethod, one.method),
            }
            for one in track.repairs
        ],
        "errors": [_short(pb.TrackError, error) for error in track.errors],
        "allowances": [_short(pb.TrackAllowance, allowance) for allowance in track.allowances],
        "fields": _fields(track.fields),
    }


def _fields(fields: pb.TrackFields) -> dict[str, Any]:
    """Every field that is there; those of track 3, of licences and of the service code stand beside the others."""
    present: dict[str, Any] = {}
    for descriptor, value in fields.ListFields():
        if descriptor.message_type is not None:
            prefix = "service_" if descriptor.name == "service" else ""
            present |= {prefix + inner.name: _value(inner, text) for inner, text in value.ListFields()}
        else:
            present[descriptor.name] = _value(descriptor, value)
    return present


def _value(descriptor: Any, value: Any) -> Any:
    """A field's value, that of an enum by its short name."""
    if descriptor.enum_type is None:
        return value
    return _short(getattr(pb, descriptor.enum_type.name), value).lower()


def _short(enum: Any, number: int) -> str:
    """An enum value's name without the enum's prefix; its number when this version does not know it."""
    try:
        name: str = enum.Name(number)
    except ValueError:
        return str(number)
    words = "".join(f"_{c}" if c.isupper() else c.upper() for c in enum.DESCRIPTOR.name).lstrip("_")
    return name.removeprefix(f"{words}_")


def without_payment(swipe: pb.DecodedSwipe, track: pb.Track) -> pb.Track:
    """The track, of one that is no payment card without the fields and errors that only a payment card could have.

    Track 2 of an access card has a number before its separator as ISO/IEC 7813 has it, and the core takes that for a
    PAN. It is none with fewer digits than ISO/IEC 7812-1 allows, nor where a card format takes another number from a
    track that does not prove its PAN.
    """
    found = swipe.card_number
    other = (
        found.track == track.number
        and not number_is_pan(swipe)
        and not (track.standard and track.fields.luhn_ok)
    )
    if track.standard not in _PAYMENT or not (other or 0 < len(track.fields.pan) < SHORTEST_PAN):
        return track
    plain = pb.Track()
    plain.CopyFrom(track)
    plain.ClearField("fields")
    plain.ClearField("standard")
    del plain.errors[:]
    plain.errors.extend(error for error in track.errors if error not in _PAYMENT_ERRORS)
    return plain


def as_rich(swipe: pb.DecodedSwipe) -> RenderableType:
    """The swipe as a person reads it."""
    parts: list[RenderableType] = [_track_rich(without_payment(swipe, track)) for track in swipe.tracks]
    if not parts:
        parts.append(Text("no track", style="red"))
    for one in swipe.differences:
        field = _words(_short(pb.DifferingField, one.field))
        parts.append(Text(f"tracks {one.first_track} and {one.second_track} differ: {field}", style="red"))
    if swipe.HasField("card_number"):
        parts.append(_number_rich(swipe.card_number))
    return Group(*parts)


def _number_rich(found: pb.CardNumber) -> Text:
    line = Text.assemble(("card number  ", "bold"), (found.card_number, "bold green"))
    for label, value in (("facility", found.facility_code), ("issue", found.issue_code)):
        if value:
            line.append(f"  {label} {value}")
    line.append(f"  (format {found.card_format})", style="dim")
    return line


def _track_rich(track: pb.Track) -> RenderableType:
    entry = _track_json(track)
    head = Text(f"track {track.number or '?'}", style="bold")
    details = [entry["direction"], entry["lrc"] and f"LRC {entry['lrc']}", entry["standard"]]
    if track.inverted:
        details.append("inverted bits")
    head.append("  " + ", ".join(detail for detail in details if detail), style="dim")
    table = Table.grid(padding=(0, 2))
    if track.text:
        table.add_row("", Text(visible(track.text), style="cyan", overflow="fold"))
    for name, value in entry["fields"].items():
        table.add_row("", Text.assemble((f"{name.replace('_', ' ')}  ", "dim"), _plain(value)))
    for repair in entry["repairs"]:
        what = (
            f"repaired: character {repair['position']} is {repair['character']} ({_words(repair['method'])})"
        )
        table.add_row("", Text(what, style="yellow"))
    for allowance in entry["allowances"]:
        table.add_row("", Text(f"forgiven: {_words(allowance)}", style="yellow"))
    for error in entry["errors"]:
        table.add_row("", Text(f"wrong: {ERRORS.get(error, _words(error))}", style="red"))
    return Group(head, table)


def visible(text: str) -> str:
    """With pictures for control characters, as the sentinels of JIS X 6302-2 are."""
    return text.translate(_PICTURES)


def fields_of(track: pb.Track) -> dict[str, Any]:
    """Every field of a track that is there, by its name."""
    return _fields(track.fields)


def short_words(enum: Any, number: int) -> str:
    """An enum value in words, without the enum's prefix."""
    return _words(_short(enum, number))


def error_words(error: int) -> str:
    """What a v1 TrackError means."""
    name = _short(pb.TrackError, error)
    return ERRORS.get(name, _words(name))


def _plain(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _words(name: str) -> str:
    return name.replace("_", " ").lower().replace("lrc", "LRC")


ERRORS = {
    "NO_ENCODING": "there is no encoding",
    "NO_START": "no start sentinel",
    "NO_END": "no end sentinel",
    "PARITY": "a character's parity is wrong",
    "LRC": "the redundancy check (LRC) does not agree",
    "EMPTY": "nothing stands between the sentinels",
    "JITTER": "the cell times are too irregular to read",
    "NOT_READ": "the device could not read it",
    "TOO_LONG": "more characters than the standard's longest track",
    "ILLEGAL_CHARACTER": "a character outside the track's character set",
    "PAN": "no primary account number of up to 19 digits",
    "SEPARATOR": "the field separator is missing",
    "EXPIRY": "the expiry date is no YYMM",
    "SERVICE_CODE": "the service code is no three digits",
    "NAME": "the name is longer than 26 characters",
    "FORMAT_CODE": "a format code whose layout is not known here",
    "BIRTH_DATE": "the birth date is no YYYYMMDD",
    "KEYBOARD_LAYOUT": "the characters are those of another keyboard layout: set the computer's or the reader's right",
}
