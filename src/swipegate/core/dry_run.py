"""Card formats tried on a sample swipe: which fit, and why the others do not, in words.

The verdicts are the compiled matcher's own; here they only get their sentences.
"""

from collections.abc import Sequence

from swipegate.core.numbers import compile_formats
from swipegate.v1 import card_format_pb2 as pb
from swipegate.v1.track_pb2 import (
    TRACK_STANDARD_AAMVA_TRACK1,
    TRACK_STANDARD_AAMVA_TRACK2,
    TRACK_STANDARD_AAMVA_TRACK3,
    TRACK_STANDARD_CDMV_TRACK1,
    TRACK_STANDARD_CDMV_TRACK2,
    TRACK_STANDARD_ISO4909_TRACK3,
    TRACK_STANDARD_ISO7813_TRACK1,
    TRACK_STANDARD_ISO7813_TRACK2,
    DecodedSwipe,
)

_R = pb.CardFormatMismatchReason
_STANDARDS: dict[int, str] = {
    TRACK_STANDARD_ISO7813_TRACK1: "ISO/IEC 7813 track 1",
    TRACK_STANDARD_ISO7813_TRACK2: "ISO/IEC 7813 track 2",
    TRACK_STANDARD_ISO4909_TRACK3: "ISO/IEC 4909 track 3",
    TRACK_STANDARD_AAMVA_TRACK1: "a licence's track 1 (AAMVA)",
    TRACK_STANDARD_AAMVA_TRACK2: "a licence's track 2 (AAMVA)",
    TRACK_STANDARD_AAMVA_TRACK3: "a licence's track 3 (AAMVA)",
    TRACK_STANDARD_CDMV_TRACK1: "a California licence's track 1",
    TRACK_STANDARD_CDMV_TRACK2: "a California licence's track 2",
}
_NAMES = {
    "card_number": "the card number",
    "card_number_rest": "the rest of the card number",
    "facility_code": "the facility code",
    "issue_code": "the issue code",
    "expiry": "the expiry date",
    "word": "the word",
    "fixed_parts": "fixed part",
    "conditions": "condition",
    "checks": "check",
}


def try_formats(
    swipe: DecodedSwipe, *groups: Sequence[pb.CardFormat], reveal: bool = False
) -> list[pb.CardFormatVerdict]:
    """One verdict a format, in the order of the groups; with track data in it only if `reveal`.

    Names are unique within a group of at most 256, not between groups. Raises ValueError as compile_formats does.
    """
    verdicts: list[pb.CardFormatVerdict] = []
    for group in groups:
        for card_format, verdict in zip(group, compile_formats(group).explain(swipe, reveal), strict=True):
            if verdict.HasField("mismatch"):
                verdict.mismatch.description = sentence(card_format, verdict.mismatch)
            verdict.first = verdict.first and not any(earlier.first for earlier in verdicts)
            verdicts.append(verdict)
    return verdicts


def sentence(card_format: pb.CardFormat, mismatch: pb.CardFormatMismatch) -> str:
    """A mismatch as an engineer reads it; without track data, but with the texts that the format wants."""
    track = f"track {mismatch.track}"
    reason = mismatch.reason
    if reason == _R.CARD_FORMAT_MISMATCH_REASON_CHECK_DIGIT:
        return f"{_scheme(card_format, mismatch.path)} is wrong"
    whole = {
        _R.CARD_FORMAT_MISMATCH_REASON_TRACK_MISSING: f"{track} is not there",
        _R.CARD_FORMAT_MISMATCH_REASON_TRACK_UNREAD: f"{track} was not read without doubt, or is empty",
        _R.CARD_FORMAT_MISMATCH_REASON_TRACK_PRESENT: f"{track} is there, the format wants it absent",
        _R.CARD_FORMAT_MISMATCH_REASON_LENGTH: (
            f"{track} has {_count(mismatch.found, 'character')} between the sentinels, {_wanted(mismatch)}"
        ),
        _R.CARD_FORMAT_MISMATCH_REASON_FIELD_COUNT: (
            f"{track} has {_count(mismatch.found, 'field')}, {_wanted(mismatch)}"
        ),
        _R.CARD_FORMAT_MISMATCH_REASON_STANDARD: (
            f"{track} does not have the fields of {_STANDARDS.get(mismatch.low, 'the standard')}"
        ),
        _R.CARD_FORMAT_MISMATCH_REASON_WORD: f"the word is a number of more than {mismatch.high} bits",
        _R.CARD_FORMAT_MISMATCH_REASON_PARITY: f"parity bit {mismatch.low} of the word is wrong",
    }
    return whole.get(reason) or _sentence_of_part(card_format, mismatch)


def _sentence_of_part(card_format: pb.CardFormat, mismatch: pb.CardFormatMismatch) -> str:
    name, part = _named(card_format, mismatch.path)
    place = place_of(part, mismatch.track)
    where = f"{name} ({place})"
    kind = "digit or letter" if part.characters else "digit"
    said = {
        _R.CARD_FORMAT_MISMATCH_REASON_FIELD_MISSING: (
            f"{where}: track {mismatch.track} has {_count(mismatch.found, 'field')}, no field {mismatch.low}"
        ),
        _R.CARD_FORMAT_MISMATCH_REASON_PART_MISSING: (
            f"{where}: there {'is' if mismatch.found == 1 else 'are'} {_count(mismatch.found, 'character')}, "
            f"the format wants at least {mismatch.low}"
        ),
        _R.CARD_FORMAT_MISMATCH_REASON_CHARACTER: f"{where}: character {mismatch.found} is no {kind}",
        _R.CARD_FORMAT_MISMATCH_REASON_PART_LENGTH: (
            f"{where} has {_count(mismatch.found, 'character')}, {_wanted(mismatch)}"
        ),
        _R.CARD_FORMAT_MISMATCH_REASON_TEXT: f"{where} is not {_texts(card_format, mismatch.path)}",
        _R.CARD_FORMAT_MISMATCH_REASON_TEXT_EXCLUDED: (
            f"{where} is {_texts(card_format, mismatch.path)}, which the format excludes"
        ),
        _R.CARD_FORMAT_MISMATCH_REASON_RANGE: (
            f"{where} is not {mismatch.low}"
            if mismatch.low == mismatch.high
            else f"{where} is no number from {mismatch.low} to {mismatch.high}"
        ),
        _R.CARD_FORMAT_MISMATCH_REASON_LETTER: (
            f"{where}: the first two digits stand for no letter, 01 to 26"
        ),
    }
    return said.get(mismatch.reason, f"{where} does not fit")


def place_of(part: pb.CardFormatPart, track: int) -> str:
    """Where a part stands, in words."""
    whole = f"field {part.field} of track {track}" if part.field else f"track {track}"
    first = max(part.position, 1)
    if part.from_end:
        last = f"character {first} from the end" if first > 1 else "the end"
        return f"{_count(part.length, 'character')} up to {last} of {whole}" if part.length else whole
    if part.length == 1:
        return f"character {first} of {whole}"
    if part.length:
        return f"characters {first} to {first + part.length - 1} of {whole}"
    return f"{whole} from character {first}" if first > 1 else whole


def _split(path: str) -> tuple[str, int]:
    """The first step of a path, and its index; -1 without one."""
    step = path.partition(".")[0]
    name, _, index = step.partition("[")
    return name, int(index.rstrip("]")) if index else -1


def _named(card_format: pb.CardFormat, path: str) -> tuple[str, pb.CardFormatPart]:
    name, index = _split(path)
    if index >= 0:
        one = getattr(card_format, name)[index]
        part = one.parts[0] if name == "checks" and one.parts else getattr(one, "part", pb.CardFormatPart())
        return f"{_NAMES[name]} {index + 1}", part
    part = card_format.word.part if name == "word" else getattr(card_format, name, None)
    return _NAMES.get(name, name), part if isinstance(part, pb.CardFormatPart) else pb.CardFormatPart()


def _texts(card_format: pb.CardFormat, path: str) -> str:
    name, index = _split(path)
    if index < 0 or name == "checks":
        return ""
    one = getattr(card_format, name)[index]
    if name == "fixed_parts":
        return f'"{one.text}"'
    if one.WhichOneof("test") == "one_of":
        return " or ".join(f'"{text}"' for text in one.one_of.texts)
    return f'"{getattr(one, one.WhichOneof("test"))}"'


def _scheme(card_format: pb.CardFormat, path: str) -> str:
    name, index = _split(path)
    scheme = card_format.check_digit if name == "check_digit" else card_format.checks[index].scheme
    words = pb.CheckDigit.Name(scheme).removeprefix("CHECK_DIGIT_").replace("_", " ").lower()
    return f"the check digit ({words})"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _wanted(mismatch: pb.CardFormatMismatch) -> str:
    low, high = mismatch.low, mismatch.high
    if low == high:
        return f"the format wants {low}"
    return f"the format wants {low} to {high}" if high else f"the format wants at least {low}"
