"""Card formats proposed from sample cards whose numbers are known.

Every way of reading is searched that a card format can say: a field or a place, zeros at the front kept or dropped,
bits of a binary word. What is proposed was tried on all samples by the compiled matcher. The work is bounded by
the samples (MAX_SAMPLES), the length of their tracks (MAX_DATA) and MAX_READINGS.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import log2

from swipegate.core import check_digits
from swipegate.core.builtin_formats import BUILTIN_FORMATS, DEFAULT_FORMATS
from swipegate.core.dry_run import place_of
from swipegate.core.numbers import compile_formats
from swipegate.v1 import card_format_pb2 as pb
from swipegate.v1.track_pb2 import DecodedSwipe, Track

MAX_SAMPLES = 64
MAX_NUMBER = 20
"""Characters of a card number or facility code."""
MAX_SUGGESTIONS = 10
MAX_READINGS = 32
"""Ways of reading one number, of which each is paired with those of the facility code."""
MAX_PLACES = 64
"""Places of one number in one field; where there are more, a number is no evidence."""
MAX_DATA = 107
"""Characters of a track that is searched: those of the longest (ISO/IEC 7811-2)."""
MAX_FIELDS = 8
MAX_PART = 64
"""Characters of a part, as the matcher takes them."""
MAX_FIXED = 8
MAX_FIXED_TEXT = 32
WORD_BITS = (24, 26, 32, 34, 35, 36, 37, 40, 48, 56, 64)
"""Lengths of Wiegand words and chip numbers that are in use."""
RADIXES = ((10, pb.RADIX_UNSPECIFIED), (8, pb.RADIX_OCTAL), (16, pb.RADIX_HEXADECIMAL))
PART_BITS = (4, 8, 10, 12, 16, 19, 20, 24, 32, 35)
"""Widths of facility codes and card numbers in Wiegand words."""
ENOUGH = 30
"""Bits of evidence from which chance is out of the question."""
CLOSE = 10
"""Bits of evidence by which another proposal may be behind the first and still be taken seriously."""
FOR_FIXED = 3
"""Samples that must differ before what does not differ is taken for fixed."""
_CHECKS: tuple[pb.CheckDigit, ...] = (
    pb.CHECK_DIGIT_GS1,
    pb.CHECK_DIGIT_MOD11_2_TO_7,
    pb.CHECK_DIGIT_ISO7064_MOD11_2,
    pb.CHECK_DIGIT_ISO7064_MOD11_10,
    pb.CHECK_DIGIT_ISO7064_MOD97_10,
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A card: what was read of it, and its numbers."""

    swipe: DecodedSwipe
    card_number: str
    """1 to 20 digits or letters."""
    facility_code: str = ""
    """At most 20 digits; empty when it is not known."""


@dataclass(frozen=True, slots=True)
class _View:
    """The same field of the same track of every sample, field 0 being the whole track."""

    track: int
    field: int
    texts: tuple[str, ...]
    starts: tuple[int, ...]
    """Where each begins between the sentinels."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """One way to a number: a part, and for bits the word they are of."""

    view: _View
    part: pb.CardFormatPart
    spans: tuple[tuple[int, int], ...]
    """Which characters it takes of each sample; for bits which bits."""
    penalty: float
    word: pb.CardFormatWord | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for readings that come to the same in all samples."""
        word = self.word.SerializeToString() if self.word else None
        return (self.view.track, self.spans, word, self.part.drop_leading_zeros, self.part.pad_to)


def suggest_formats(samples: Sequence[Sample]) -> pb.SuggestCardFormatsResponse:
    """Formats that give the numbers of all samples, the likeliest first.

    Raises ValueError that begins with the path of the field, such as `samples[2].card_number:`.
    """
    _check(samples)
    found = [*_built_in(samples), *_built(samples)]
    found.sort(key=lambda one: -one.evidence)
    answer = pb.SuggestCardFormatsResponse()
    answer.distinct_numbers = len({one.card_number for one in samples})
    shapes: set[bytes] = set()
    for one in found:
        shape = _shape(one.card_format)
        if shape in shapes or len(answer.suggestions) == MAX_SUGGESTIONS:
            continue
        shapes.add(shape)
        if not one.card_format.built_in:
            one.card_format.name = f"suggestion-{len(answer.suggestions) + 1}"
        answer.suggestions.append(one)
    answer.needs_more_samples = _needs_more(answer)
    return answer


def _check(samples: Sequence[Sample]) -> None:
    if not 1 <= len(samples) <= MAX_SAMPLES:
        raise ValueError(f"samples: must be 1 to {MAX_SAMPLES}")
    known = bool(samples[0].facility_code)
    for index, one in enumerate(samples):
        number, facility = one.card_number, one.facility_code
        if not (1 <= len(number) <= MAX_NUMBER and number.isascii() and number.isalnum()):
            raise ValueError(f"samples[{index}].card_number: must be 1 to {MAX_NUMBER} digits or letters")
        if facility and not (len(facility) <= MAX_NUMBER and facility.isascii() and facility.isdigit()):
            raise ValueError(f"samples[{index}].facility_code: must be at most {MAX_NUMBER} digits")
        if bool(facility) != known:
            raise ValueError(f"samples[{index}].facility_code: must be given for all samples or for none")


def _shape(card_format: pb.CardFormat) -> bytes:
    """What a format reads, without its names."""
    copy = pb.CardFormat()
    copy.CopyFrom(card_format)
    for name in ("name", "description", "built_in"):
        copy.ClearField(name)
    return copy.SerializeToString(deterministic=True)


def _needs_more(answer: pb.SuggestCardFormatsResponse) -> bool:
    if not answer.suggestions:
        return False
    first = answer.suggestions[0]
    parts = {
        one.card_format.card_number.SerializeToString()
        for one in answer.suggestions
        if one.evidence + CLOSE >= first.evidence
    }
    return answer.distinct_numbers < 2 or first.evidence < ENOUGH or len(parts) > 1


def _gives(card_format: pb.CardFormat, samples: Sequence[Sample]) -> bool:
    """Whether the matcher gets the numbers of all samples from a format."""
    compiled = compile_formats([card_format])
    for one in samples:
        found = compiled.explain(one.swipe, True)[0].card_number
        if found.card_number != one.card_number:
            return False
        if one.facility_code and found.facility_code != one.facility_code:
            return False
    return True


def _built_in(samples: Sequence[Sample]) -> Iterator[pb.CardFormatSuggestion]:
    for card_format in BUILTIN_FORMATS:
        if _gives(card_format, samples):
            # somebody else has seen this layout before
            bonus = 12.0 if card_format in DEFAULT_FORMATS else 6.0
            yield pb.CardFormatSuggestion(
                card_format=card_format,
                reading=card_format.description,
                evidence=_evidence(card_format, samples, bonus),
            )


def _built(samples: Sequence[Sample]) -> Iterator[pb.CardFormatSuggestion]:
    views = list(_views(samples))
    numbers = [one.card_number for one in samples]
    facilities = [one.facility_code for one in samples]
    for reading in _best(_readings(views, numbers)):
        codes: Sequence[_Reading | None] = [None]
        if facilities[0]:
            codes = [code for code in _best(_readings(views, facilities)) if _go_together(reading, code)]
        for code in codes[:3]:
            for fixed in (True, False):
                made = _made(reading, code, views, samples, fixed)
                if made is not None:
                    yield made


def _best(readings: Iterator[_Reading]) -> list[_Reading]:
    """The likelier ones, of those that come to the same the likeliest."""
    kept: dict[tuple[object, ...], _Reading] = {}
    for reading in sorted(readings, key=lambda one: one.penalty):
        kept.setdefault(reading.key, reading)
    return list(kept.values())[:MAX_READINGS]


def _go_together(number: _Reading, code: _Reading) -> bool:
    """Whether two readings do not overlap, and are of one word if they are of words."""
    if number.word != code.word:
        return False
    if number.view.track != code.view.track:
        return number.word is None  # a format has one word
    pairs = zip(number.spans, code.spans, strict=True)
    return all(one[1] <= other[0] or other[1] <= one[0] for one, other in pairs)


def _views(samples: Sequence[Sample]) -> Iterator[_View]:
    for number in (2, 1, 3):
        tracks = [_track(one.swipe, number) for one in samples]
        texts = [_data(track) for track in tracks if track is not None]
        if len(texts) < len(samples) or max(map(len, texts)) > MAX_DATA:
            continue
        yield _View(number, 0, tuple(texts), (0,) * len(texts))
        mark = "^" if number == 1 else "="
        fields = [text.split(mark) for text in texts]
        if len({len(one) for one in fields}) != 1:
            continue
        for index in range(min(len(fields[0]), MAX_FIELDS)) if len(fields[0]) > 1 else ():
            starts = tuple(sum(len(text) + 1 for text in one[:index]) for one in fields)
            yield _View(number, index + 1, tuple(one[index] for one in fields), starts)


def _track(swipe: DecodedSwipe, number: int) -> Track | None:
    """The first track of that number whose characters are beyond doubt."""
    for track in swipe.tracks:
        if track.number == number and track.text and not any(error < 9 for error in track.errors):
            return track
    return None


def _data(track: Track) -> str:
    """What stands between the sentinels, as far as they can be told; the matcher has the last word."""
    text = track.text[1:] if track.text[0] in ";%+#!&@" else track.text
    return text.removesuffix("?")


def _readings(views: Sequence[_View], numbers: Sequence[str]) -> Iterator[_Reading]:
    for view in views:
        yield from _whole(view, numbers)
        yield from islice(_windows(view, numbers), MAX_PLACES)
        yield from _words(view, numbers)


def _reading(
    view: _View, part: pb.CardFormatPart, places: Sequence[tuple[int, int]], penalty: float, letters: bool
) -> _Reading:
    part.field = view.field
    if letters:
        part.characters = pb.CHARACTER_SET_DIGITS_AND_LETTERS
    spans = tuple(
        (start + first, start + last) for start, (first, last) in zip(view.starts, places, strict=True)
    )
    return _Reading(view, part, spans, penalty + (view.field == 0), None)


def _whole(view: _View, numbers: Sequence[str]) -> Iterator[_Reading]:
    """The whole field."""
    letters = not all(number.isdigit() for number in numbers)
    places = [(0, len(text)) for text in view.texts]
    sizes = {len(text) for text in view.texts}
    if not all(text and text.isalnum() for text in view.texts) or max(sizes) > MAX_PART:
        return
    for part, penalty in _writings(view.texts, numbers):
        part.min_length, part.max_length = min(sizes), max(sizes)
        yield _reading(view, part, places, penalty, letters)


def _writings(texts: Sequence[str], numbers: Sequence[str]) -> Iterator[tuple[pb.CardFormatPart, float]]:
    """How the texts become the numbers: as they stand, without zeros, with other zeros."""
    stripped = [text[:-1].lstrip("0") + text[-1:] for text in texts]
    size = len(numbers[0])
    if list(texts) == list(numbers):
        yield pb.CardFormatPart(), 0.0
    elif stripped == list(numbers):
        yield pb.CardFormatPart(drop_leading_zeros=True), 2.0
    elif [text.rjust(size, "0") for text in stripped] == list(numbers):
        yield pb.CardFormatPart(drop_leading_zeros=True, pad_to=size), 4.0


def _windows(view: _View, numbers: Sequence[str]) -> Iterator[_Reading]:
    """Characters at the same place from the beginning, or from the end, in all samples."""
    letters = not all(number.isdigit() for number in numbers)
    longest = min(len(text) for text in view.texts)
    bare = [number[:-1].lstrip("0") + number[-1] for number in numbers]
    needed = max(len(number) for number in bare)
    same_size = len({len(text) for text in view.texts}) == 1
    for from_end in (False,) if same_size else (False, True):
        for place in range(needed, longest + 1):
            # characters up to `place`, or what is left before as many from the end
            ends = [len(text) - longest + place if from_end else place for text in view.texts]
            if not all(
                text[:end].endswith(number) for text, end, number in zip(view.texts, ends, bare, strict=True)
            ):
                continue
            for length in _lengths(view.texts, ends, bare, numbers):
                places = [(end - length, end) for end in ends]
                texts = [text[end - length : end] for text, end in zip(view.texts, ends, strict=True)]
                position = longest - place + 1 if from_end else ends[0] - length + 1
                for part, penalty in _writings(texts, numbers):
                    part.position, part.length, part.from_end = position, length, from_end
                    yield _reading(view, part, places, penalty + 3.0 + from_end, letters)


def _lengths(
    texts: Sequence[str], ends: Sequence[int], bare: Sequence[str], numbers: Sequence[str]
) -> list[int]:
    """Lengths that a number of varying size may have: that of the longest, and with every zero before it."""
    least = max(map(len, bare))
    before = [text[: end - least] for text, end in zip(texts, ends, strict=True)]
    zeros = min(len(text) - len(text.rstrip("0")) for text in before)
    most = min(least + zeros, MAX_NUMBER)
    return sorted({length for length in (least, most, *map(len, numbers)) if least <= length <= most})


def _words(view: _View, numbers: Sequence[str]) -> Iterator[_Reading]:
    """Bits of a binary word of which the field has the digits."""
    if not all(number.isdigit() and number == str(int(number)) for number in numbers):
        return
    wanted = [int(number) for number in numbers]
    for radix, code in RADIXES:
        words = [_parsed(text, radix) for text in view.texts]
        values = [word for word in words if word is not None]
        if len(values) < len(words) or max(values) >= 2**64:
            continue
        longest = max(value.bit_length() for value in values)
        bits = next(bits for bits in WORD_BITS if longest <= bits)
        for first, last in _bit_ranges(values, wanted, bits):
            word = pb.CardFormatWord(part=pb.CardFormatPart(field=view.field), radix=code, bit_count=bits)
            part = pb.CardFormatPart(bits=pb.BitRange(first=first, last=last))
            odd = 0.0 if last - first + 1 in PART_BITS else 4.0
            spans = ((first - 1, last),) * len(values)
            yield _Reading(view, part, spans, 12.0 + odd + (view.field == 0), word)


def _parsed(text: str, radix: int) -> int | None:
    digits = "0123456789ABCDEF"[:radix]
    if not 1 <= len(text) <= 22 or any(character not in digits for character in text.upper()):
        return None
    return int(text, radix)


def _bit_ranges(values: Sequence[int], wanted: Sequence[int], bits: int) -> Iterator[tuple[int, int]]:
    """Runs of bits, not the whole word, that are the wanted numbers in all words."""
    least = max(max(number.bit_length() for number in wanted), 1)
    for shift in range(bits - least + 1):
        pairs = [(value >> shift, number) for value, number in zip(values, wanted, strict=True)]
        most = least
        if any((value ^ number) & ((1 << least) - 1) for value, number in pairs):
            continue
        while most < bits - shift and not any(value >> most & 1 for value, _ in pairs):
            most += 1
        usual = [width for width in PART_BITS if least <= width <= most]
        for width in sorted({*usual[:2], most} if usual else {most}):
            if width < bits:
                yield bits - shift - width + 1, bits - shift


def _made(
    reading: _Reading,
    code: _Reading | None,
    views: Sequence[_View],
    samples: Sequence[Sample],
    fixed: bool,
) -> pb.CardFormatSuggestion | None:
    """A format of these readings, if the matcher agrees."""
    view = reading.view
    card_format = pb.CardFormat(name="suggestion", track=view.track, card_number=reading.part)
    if code is not None:
        card_format.facility_code.CopyFrom(code.part)
        if code.view.track != view.track:
            card_format.facility_code.track = code.view.track
    if reading.word is not None:
        card_format.word.CopyFrom(reading.word)
    made = pb.CardFormatSuggestion(reading=_words_of(reading, code))
    _bound(card_format, made, views, samples)
    _prove(card_format, made, samples)
    if fixed and not _fix(card_format, made, reading, code, views, samples):
        return None
    if not _gives(card_format, samples):
        return None
    made.card_format.CopyFrom(card_format)
    bonus = 8.0 * _tiles(reading, code) - reading.penalty - (code.penalty if code else 0.0)
    made.evidence = _evidence(card_format, samples, bonus)
    return made


def _tiles(number: _Reading, code: _Reading | None) -> bool:
    """Whether facility code and number fill their field, or the word inside its parity bits, without a gap."""
    if code is None or code.view != number.view:
        return False
    spans = zip(number.spans, code.spans, number.view.texts, number.view.starts, strict=True)
    if number.word is not None:
        return number.spans[0][0] == code.spans[0][1] or number.spans[0][1] == code.spans[0][0]
    return all(
        {one[0], one[1], other[0], other[1]} == {start, start + len(text), max(one[0], other[0])}
        for one, other, text, start in spans
    )


def _bound(
    card_format: pb.CardFormat,
    made: pb.CardFormatSuggestion,
    views: Sequence[_View],
    samples: Sequence[Sample],
) -> None:
    """The sizes that the samples have."""
    own = [view for view in views if view.track == card_format.track]
    sizes = {len(text) for text in own[0].texts}
    card_format.min_length, card_format.max_length = min(sizes), max(sizes)
    if len(own) > 1:
        card_format.field_count = len(own) - 1 if len(own) - 1 < MAX_FIELDS else 0
    size = f"{min(sizes)}" if len(sizes) == 1 else f"{min(sizes)} to {max(sizes)}"
    made.assumptions.append(f"track {card_format.track} has {size} characters between the sentinels")


def _prove(card_format: pb.CardFormat, made: pb.CardFormatSuggestion, samples: Sequence[Sample]) -> None:
    """A check digit that all numbers have, if they are too many for chance."""
    numbers = {one.card_number for one in samples}
    if card_format.HasField("word") or min(map(len, numbers)) < 4:
        return
    for scheme in (pb.CHECK_DIGIT_LUHN, *_CHECKS):
        chances = log2(10) * len(numbers)
        if chances < (6 if scheme == pb.CHECK_DIGIT_LUHN else 12):
            continue
        if all(check_digits.agrees(number, scheme) for number in numbers):
            card_format.check_digit = scheme
            name = pb.CheckDigit.Name(scheme).removeprefix("CHECK_DIGIT_").replace("_", " ").lower()
            made.assumptions.append(f"the card number ends in a check digit ({name})")
            return


def _fix(
    card_format: pb.CardFormat,
    made: pb.CardFormatSuggestion,
    reading: _Reading,
    code: _Reading | None,
    views: Sequence[_View],
    samples: Sequence[Sample],
) -> bool:
    """Fix what no sample varies; False when there is nothing, or there are too few samples to say so."""
    if len({one.card_number for one in samples}) < FOR_FIXED or reading.word is not None:
        return False
    own = [view for view in views if view.track == card_format.track]
    taken = [one.spans[0] for one in (reading, code) if one is not None and one.view.track == own[0].track]
    runs = [run for view in (own[1:] or own) for run in _constant_runs(view, taken)]
    for view, first, text in sorted(runs, key=lambda run: -len(run[2]))[:MAX_FIXED]:
        part = pb.CardFormatPart(field=view.field, position=first + 1, length=len(text))
        card_format.fixed_parts.add(part=part, text=text)
        made.assumptions.append(f"the same on every card: {place_of(part, view.track)}")
    return bool(runs)


def _constant_runs(view: _View, taken: Sequence[tuple[int, int]]) -> Iterator[tuple[_View, int, str]]:
    """Places, from 0, and texts that all samples share, outside of the parts that are read."""
    text = view.texts[0]
    run = ""
    for place in range(min(map(len, view.texts)) + 1):
        absolute = view.starts[0] + place
        same = place < min(map(len, view.texts)) and all(other[place] == text[place] for other in view.texts)
        same = same and not any(first <= absolute < last for first, last in taken)
        if same and len(run) < MAX_FIXED_TEXT:
            run += text[place]
            continue
        if run.strip("0"):  # zeros before a number are more likely its own
            yield view, place - len(run), run
        run = text[place] if same else ""


def _words_of(reading: _Reading, code: _Reading | None) -> str:
    found = f"the card number is {_place(reading)}"
    return found if code is None else f"{found}; the facility code is {_place(code)}"


def _place(reading: _Reading) -> str:
    part, track = reading.part, reading.view.track
    if reading.word is not None:
        base = {
            radix: name for (_, radix), name in zip(RADIXES, ("decimal", "octal", "hexadecimal"), strict=True)
        }
        where = place_of(reading.word.part, track)
        return (
            f"bits {part.bits.first} to {part.bits.last} of the {reading.word.bit_count}-bit word that "
            f"{where} is in {base[reading.word.radix]}"
        )
    zeros = ", zeros at the front dropped" if part.drop_leading_zeros else ""
    filled = f" and filled up to {part.pad_to} digits" if part.pad_to else ""
    return f"{place_of(part, track)}{zeros}{filled}"


def _evidence(card_format: pb.CardFormat, samples: Sequence[Sample], bonus: float) -> int:
    """Bits: the digits that came out right, what else the format holds to, less what was tried to get there."""
    numbers = {one.card_number.lstrip("0") for one in samples}
    facilities = {one.facility_code.lstrip("0") for one in samples}
    digits = sum(map(len, numbers)) + sum(map(len, facilities))
    held = float(sum(len(fixed.text) for fixed in card_format.fixed_parts)) / 2
    held += 4 * bool(card_format.check_digit) + len(card_format.word.parities) * len(numbers)
    held += 2 * bool(card_format.field_count) + 2 * (0 < card_format.max_length == card_format.min_length)
    return max(round(digits * log2(10) + held + bonus), 0)
