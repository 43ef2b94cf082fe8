"""The reference of repair: the probabilities of ext/repair.pyx's model, added up over a dictionary of states."""

from dataclasses import dataclass, field, replace
from itertools import product
from math import exp, log2

from tests.reference.symbols import (
    CODINGS,
    FORWARD,
    LRC_REPAIRED,
    NO_START,
    REVERSE,
    Characters,
    Coding,
    codes_from,
    placed,
    turned,
)

MAX_STRAYS = 16
PARITY_AND_LRC, PARITY_ERASURE, LRC_ERASURE = 1, 2, 3
SPARE = 10  # bits
MIN_EVIDENCE = 18  # bits, see ext/repair.pyx
BIT, NOISE = 2.0**-10, 2.0**-14
MAX_REPAIRS = 8
MAX_ROWS = 112
HOPELESS = -20
DOUBTFUL = 160


@dataclass
class Search:
    total: float = 0.0
    best: Characters = field(default_factory=lambda: Characters(evidence=float("-inf")))


def share_of(doubt: int) -> float:
    """The probability that a bit is wrong: 255 even odds, 16 less for each nat."""
    return 1 / (1 + exp((255 - doubt) / 16))


def wrong_of(bits: bytes, doubts: bytes | None) -> list[float]:
    """By bit: the probability that it is wrong."""
    return [max(BIT, share_of(doubt)) for doubt in doubts or bytes(len(bits))]


def weights_of(seen: tuple[int, ...], wrong: list[float], coding: Coding) -> dict[tuple[int, ...], float]:
    """By code: how much likelier the bits are for it than random bits."""
    weights = {}
    for data in product((0, 1), repeat=coding.data):
        code = (*data, (sum(data) + 1) % 2)
        likelihood = 1.0
        for bit, other, share in zip(seen, code, wrong, strict=True):
            likelihood *= 1 - share if bit == other else share
        weights[code] = (1 << coding.width) * (1 - NOISE) * likelihood + NOISE
    return weights


def is_doubtful(wrong: list[float], place: int, width: int) -> bool:
    return any(share >= share_of(DOUBTFUL) for share in wrong[place : place + width])


def is_near(bits: bytes, wrong: list[float], place: int, code: tuple[int, ...]) -> bool:
    """Whether a character is the wanted one but for one bit, or but for doubtful bits."""
    flips = sum(a != b for a, b in zip(bits[place:], code, strict=False))
    return flips <= 1 or is_doubtful(wrong, place, len(code))


def may_read(bits: bytes, wrong: list[float], start: int, coding: Coding) -> bool:
    """Whether a text can have the evidence, and at most one character wrong past doubt."""
    width, bad = coding.width, 0
    least = MIN_EVIDENCE - 3 * coding.data - 6
    for row in range(min(MAX_ROWS - 1, (len(bits) - start) // width)):
        place = start + row * width
        near = is_near(bits, wrong, place, coding.code_of(coding.end))
        if row > 1 and row >= least + 9 * bad and near:
            return True
        bad += not coding.is_right(tuple(bits[place : place + width])) and not is_doubtful(
            wrong, place, width
        )
        if bad > 1:
            return False
    return False


def around(bits: bytes, wrong: list[float], first: int, end: int) -> float:
    """Evidence of the clocking zeros in a stretch outside a text: each one-bit in it must be wrong."""
    ones = [1 + log2(wrong[place]) for place in range(first, end) if bits[place]]
    return max(sum(ones), -100.0) if ones else min(max(end - first, 0), 2)


def added(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    """The exclusive or of two codes' data."""
    return tuple(a ^ b for a, b in zip(one[:-1], other[:-1], strict=True))


def walk(search: Search, bits: bytes, wrong: list[float], start: int, coding: Coding, price: int) -> None:
    """Add up every text from a start sentinel on."""
    width = coding.width
    codes = [*codes_from(bits, start, width), (0,) * width]
    shares = [wrong[place : place + width] for place in range(start, start + width * len(codes), width)]
    shares = [share + [0.5] * (width - len(share)) for share in shares]
    first, last = coding.code_of(coding.start), coding.code_of(coding.end)
    weight = weights_of(codes[0], shares[0], coding)[first]
    states = {first[:-1]: (weight, weight, (first,))}
    for row in range(1, min(MAX_ROWS - 1, (len(bits) - start) // width)):
        weights = weights_of(codes[row], shares[row], coding)
        if row > 1 and weights[last] >= 4 * NOISE:
            checks = weights_of(codes[row + 1], shares[row + 1], coding)
            end = min(start + (row + 2) * width, len(bits))
            evidence = around(bits, wrong, 0, start) + around(bits, wrong, end, len(bits)) - price
            for state, (ways, peak, way) in states.items():
                for code, check in checks.items():
                    if added(code, last) != state:
                        continue
                    search.total += ways * weights[last] * check * 2.0**evidence
                    found = log2(peak * weights[last] * check) + evidence if peak else HOPELESS
                    if found > search.best.evidence:
                        search.best = reading_of(codes, shares, (*way, last, code), start, coding, found)
        states = extended(states, weights, last, coding)
        every = sum(ways for ways, _, _ in states.values())
        if not every > 0 or log2(every) < HOPELESS:
            return


def extended(states: dict, weights: dict, last: tuple[int, ...], coding: Coding) -> dict:
    """Take one character of data; what is too unlikely to be followed counts in the sums alone."""
    values = 1 << coding.data
    new: dict = {}
    for code, weight in weights.items():
        share = weight / values
        if code == last:
            continue
        for state, (ways, peak, way) in states.items():
            ways_before, peak_before, way_before = new.get(added(code, (*state, 0)), (0.0, 0.0, ()))
            if share >= 4 * NOISE / values and share * peak > peak_before:
                peak_before, way_before = share * peak, (*way, code)
            new[added(code, (*state, 0))] = (ways_before + share * ways, peak_before, way_before)
    return new


def reading_of(
    codes: list, shares: list, found: tuple, start: int, coding: Coding, evidence: float
) -> Characters:
    repairs = []
    for row, code in enumerate(found):
        flipped = [place for place in range(coding.width) if code[place] != codes[row][place]]
        if not flipped:
            continue
        method = LRC_ERASURE
        if len(flipped) == 1:
            method = PARITY_ERASURE if shares[row][flipped[0]] >= share_of(DOUBTFUL) else PARITY_AND_LRC
        repairs.append((row, coding.character_of(code), method, len(flipped)))
    text = "".join(map(coding.character_of, found))
    return Characters(
        text=text[:-1],
        bits_per_character=coding.width,
        lrc=LRC_REPAIRED,
        lrc_character=text[-1],
        start_bit=start,
        end_bit=start + len(found) * coding.width,
        repairs=tuple(repairs),
        evidence=evidence,
    )


def repaired(
    bits: bytes, doubts: bytes | None = None, bits_per_character: int = 0, msb_first: bool = False
) -> Characters:
    """The likeliest text, if it has the evidence and all but 2^-SPARE of the probability of all."""
    search = Search()
    for inverted in (False, True):
        for direction in (FORWARD, REVERSE):
            source = turned(bits, direction, inverted)
            wrong = wrong_of(bits, doubts)[:: 1 if direction == FORWARD else -1]
            before = search.best
            for width in (bits_per_character,) if bits_per_character else (5, 7):
                if width in (6, 8) or 1 not in source:
                    continue
                coding = replace(CODINGS[width], msb_first=msb_first)
                sentinel = coding.code_of(coding.start)
                for start in range(
                    max(source.index(1) - 1 - sentinel.index(1), 0), len(source) - 4 * width + 1
                ):
                    if around(source, wrong, 0, start) <= HOPELESS:
                        break
                    if is_near(source, wrong, start, sentinel) and may_read(source, wrong, start, coding):
                        walk(search, source, wrong, start, coding, (direction == REVERSE) + inverted)
            if search.best is not before:
                search.best = placed(search.best, len(bits), direction, inverted)
    best = search.best
    if best.evidence < MIN_EVIDENCE or 2.0**best.evidence < search.total * (1 - 2.0**-SPARE):
        return Characters(errors=(NO_START,))
    if not 1 <= len(best.repairs) <= MAX_REPAIRS:
        return Characters(errors=(NO_START,))
    if any(flipped > 2 for row, *_, flipped in best.repairs if row in (0, len(best.text) - 1)):
        return Characters(errors=(NO_START,))  # a sentinel that was not seen
    outside = bits[: best.start_bit] + bits[best.end_bit :]
    if min(sum(outside), len(outside) - sum(outside)) > MAX_STRAYS:
        return Characters(errors=(NO_START,))  # the rest of a longer track
    if doubts is not None:
        return best
    # Nothing told of the damage, and parity and LRC alone do not prove where it was.
    flips = sum(flipped for *_, flipped in best.repairs)
    return best if flips == 1 else Characters(errors=(NO_START,))
