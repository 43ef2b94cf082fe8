"""A swipe of raw tracks: passes and tracks that are read together, and what is never made of them."""

import random
from array import array

import pytest

from swipegate.core import (
    DEFAULT_FORMATS,
    compile_formats,
    decode,
    decode_batch,
    symbols,
    synthesis,
    tracks,
)
from swipegate.v1 import track_pb2 as v1

PAN = "4111111111111111"
TRACK1 = tracks.encode_track1(PAN, "DOE/JANE", "2912", "101", "0000123")
TRACK2 = tracks.encode_track2(PAN, "2912", "101", "1000001230000")
TRACK3 = f";01{PAN}=724724100001234512030312340202000993012134567890987654==1=0000?"
FORMATS = compile_formats(DEFAULT_FORMATS)
ZEROS = 12
TRIALS = 2000
UNRELIABLE = {v1.TRACK_ERROR_PARITY, v1.TRACK_ERROR_LRC, v1.TRACK_ERROR_NO_END, v1.TRACK_ERROR_NOT_READ}


def width_of(text: str) -> int:
    return 7 if text.startswith("%") else 5


def damaged(text: str, flips: dict[int, int]) -> bytes:
    """Bits of a text; in each character of `flips` the bits of its mask are wrong."""
    bits = bytearray(symbols.encode(text, width_of(text), ZEROS, ZEROS))
    for character, mask in flips.items():
        for bit in range(width_of(text)):
            bits[ZEROS + character * width_of(text) + bit] ^= mask >> bit & 1
    return bytes(bits)


def raw(bits: bytes, number: int = 0, coding: int = 0) -> v1.RawTrack:
    packed = v1.BitString(data=symbols.pack(bits), bit_count=len(bits))
    return v1.RawTrack(number=number, bits=packed, coding=coding)


def read(*raws: v1.RawTrack) -> list[v1.Track]:
    return list(decode(v1.Swipe(tracks=raws)).tracks)


def relied(track: v1.Track) -> str:
    """The text, where its reader may rely on it."""
    unproved = v1.TRACK_ALLOWANCE_UNPROVED_REPAIR in track.allowances
    return "" if unproved or UNRELIABLE & set(track.errors) else track.text


def decode_all(swipes: list[v1.Swipe]) -> list[v1.DecodedSwipe]:
    request = v1.DecodeSwipesRequest(swipes=swipes).SerializeToString()
    return list(v1.DecodeSwipesResponse.FromString(decode_batch(request, FORMATS)).swipes)


def noisy(text: str, count: int, chance: random.Random) -> bytes:
    """Bits in which `count` neighbouring characters are noise."""
    first = chance.randrange(len(text) + 2 - count)
    masks = {first + index: chance.randrange(1 << width_of(text)) for index in range(count)}
    return damaged(text, masks)


def card2(pan: str, expiry: str = "2912") -> str:
    return tracks.encode_track2(pan, expiry, "101", "1000001230000")


# ---- one pass


def test_a_correction_that_nothing_else_proves_gives_no_card_number() -> None:
    swipe = decode(v1.Swipe(tracks=[raw(damaged(TRACK2, {10: 4}), 2)]))
    (track,) = swipe.tracks
    assert track.text == TRACK2
    assert track.lrc == v1.LRC_STATUS_REPAIRED
    assert list(track.errors) == []
    assert list(track.allowances) == [v1.TRACK_ALLOWANCE_UNPROVED_REPAIR]
    (repair,) = track.repairs
    assert (repair.position, repair.character, repair.bits) == (10, TRACK2[10], 1)
    assert repair.method == v1.REPAIR_METHOD_PARITY_AND_LRC
    assert swipe.card_number.card_number == ""


def test_no_single_wrong_bit_gives_a_text_to_rely_on_but_the_right_one() -> None:
    for text in (TRACK1, TRACK2, TRACK3):
        places = [(row, bit) for row in range(len(text) + 1) for bit in range(width_of(text))]
        swipes = [v1.Swipe(tracks=[raw(damaged(text, {row: 1 << bit}))]) for row, bit in places]
        found = [swipe.tracks[0] for swipe in decode_all(swipes)]
        assert {relied(track) for track in found} <= {"", text}
        assert sum(track.text == text for track in found) > 0.95 * len(places)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_no_burst_that_nothing_tells_is_corrected_into_a_text_to_rely_on(count: int) -> None:
    chance = random.Random(count)
    texts = [chance.choice((TRACK1, TRACK2, TRACK3)) for _ in range(TRIALS)]
    swipes = decode_all([v1.Swipe(tracks=[raw(noisy(text, count, chance))]) for text in texts])
    corrected = [
        (text, swipe.tracks[0])
        for text, swipe in zip(texts, swipes, strict=True)
        if swipe.tracks[0].repairs and relied(swipe.tracks[0])
    ]
    assert corrected == []


def test_a_part_of_a_damaged_track_is_no_track() -> None:
    """A character becomes a sentinel, and the LRC agrees with what it cuts off."""
    cut = 0
    for row in range(1, len(TRACK2) - 1):
        for sentinel in ";?":
            mask = (ord(TRACK2[row]) ^ ord(sentinel)) & 15
            mask |= (mask.bit_count() & 1) << 4
            text = TRACK2[:row] + sentinel + TRACK2[row + 1 :]
            rest = text[row:] if sentinel == ";" else text[: row + 1]
            behind = symbols.lrc(TRACK2, 5) if sentinel == ";" else TRACK2[row + 1]
            cut += symbols.lrc(rest, 5) == behind
            (track,) = read(raw(damaged(TRACK2, {row: mask})))
            assert relied(track) in ("", TRACK2)
    assert cut  # some would read


# ---- passes of one card


def test_two_passes_damaged_elsewhere_are_read_together() -> None:
    first, second = damaged(TRACK2, {5: 1, 6: 2, 7: 4}), damaged(TRACK2, {20: 1, 22: 8})
    assert read(raw(first, 2))[0].text == read(raw(second, 2))[0].text == ""
    found = read(raw(first, 2), raw(second, 2))
    texts = [track.text for track in found]
    assert TRACK2 in texts
    assert set(texts) <= {"", TRACK2}
    track = found[texts.index(TRACK2)]
    rows = {0: [5, 6, 7], 1: [20, 22]}[texts.index(TRACK2)]
    assert [(one.position, one.character, one.method, one.bits) for one in track.repairs] == [
        (row, TRACK2[row], v1.REPAIR_METHOD_OTHER_PASS, 1) for row in rows
    ]
    assert (track.number, track.lrc, list(track.errors)) == (2, v1.LRC_STATUS_REPAIRED, [])


def test_two_raw_tracks_of_no_number_are_not_passes_of_one() -> None:
    found = read(raw(damaged(TRACK2, {5: 1, 6: 2, 7: 4})), raw(damaged(TRACK2, {20: 1, 22: 8})))
    assert [track.text for track in found] == ["", ""]


def test_a_pass_that_reads_stands_and_leaves_the_other_as_it_is() -> None:
    found = read(raw(damaged(TRACK2, {5: 1, 6: 2}), 2), raw(damaged(TRACK2, {}), 2))
    assert [track.text for track in found] == ["", TRACK2]
    assert not found[1].repairs
    assert found[1].lrc == v1.LRC_STATUS_OK


def test_one_pass_in_each_direction() -> None:
    first, second = damaged(TRACK1, {5: 1, 6: 2, 7: 4}), damaged(TRACK1, {30: 1, 33: 8})[::-1]
    texts = [track.text for track in read(raw(first, 1), raw(second, 1))]
    assert TRACK1 in texts
    assert set(texts) <= {"", TRACK1}


def test_passes_agree_where_the_first_is_of_another_card() -> None:
    other = damaged(card2("5555555555554444"), {5: 1, 6: 2, 7: 4})
    first, second = damaged(TRACK2, {5: 1, 6: 2, 7: 4}), damaged(TRACK2, {20: 1, 22: 8})
    assert [relied(track) for track in read(raw(other, 2), raw(first, 2))] == ["", ""]
    texts = [relied(track) for track in read(raw(other, 2), raw(first, 2), raw(second, 2))]
    assert sorted(texts) == ["", "", TRACK2]


def pair_of(kind: str, chance: random.Random) -> tuple[str, str]:
    number = chance.randrange(10**15, 10**16 - 1)
    if kind == "random":
        return card2(str(number)), card2(str(chance.randrange(10**15, 10**16)))
    if kind == "neighbouring":
        return card2(str(number)), card2(str(number + 1))
    return card2(str(number), "2812"), card2(str(number), "3112")


@pytest.mark.parametrize("kind", ["random", "neighbouring", "renewed"])
def test_passes_of_two_cards_give_a_text_of_one_of_them_or_none(kind: str) -> None:
    chance = random.Random(kind)
    pairs = [pair_of(kind, chance) for _ in range(TRIALS)]
    swipes = decode_all(
        [
            v1.Swipe(
                tracks=[
                    raw(
                        damaged(text, {row: 1 << chance.randrange(5) for row in chance.sample(range(39), 3)}),
                        2,
                    )
                    for text in pair
                ]
            )
            for pair in pairs
        ]
    )
    false = 0
    for pair, swipe in zip(pairs, swipes, strict=True):
        false += bool({relied(track) for track in swipe.tracks} - {"", *pair})
    assert false <= TRIALS // 1000


# ---- tracks of one card


@pytest.mark.parametrize(
    ("text", "number", "beside", "rows"),
    [(TRACK2, 2, TRACK1, (4, 9)), (TRACK1, 1, TRACK2, (5, 12)), (TRACK3, 3, TRACK2, (6, 10))],
)
def test_a_track_is_filled_from_another(text: str, number: int, beside: str, rows: tuple[int, int]) -> None:
    bits = damaged(text, {row: 1 << index for index, row in enumerate(rows)})
    assert read(raw(bits, number))[0].text == ""
    other = raw(damaged(beside, {}), 1 if beside is TRACK1 else 2)
    swipe = decode(v1.Swipe(tracks=[raw(bits, number), other]))
    assert [track.text for track in swipe.tracks] == [text, beside]
    assert [(one.position, one.character, one.method, one.bits) for one in swipe.tracks[0].repairs] == [
        (row, text[row], v1.REPAIR_METHOD_OTHER_TRACK, 1) for row in rows
    ]
    assert not UNRELIABLE & set(swipe.tracks[0].errors)
    assert v1.DIFFERING_FIELD_PAN not in {one.field for one in swipe.differences}


def test_another_track_proves_a_correction_of_one_bit() -> None:
    bits = damaged(TRACK2, {8: 2})
    assert relied(read(raw(bits, 2))[0]) == ""
    for other in (raw(damaged(TRACK1, {}), 1), v1.RawTrack(number=1, text=TRACK1.encode())):
        assert [relied(track) for track in read(raw(bits, 2), other)] == [TRACK2, TRACK1]


def test_a_track_of_another_card_is_not_corrected() -> None:
    chance = random.Random(9)
    swipes, texts = [], []
    for _ in range(TRIALS):
        digits = list(PAN)
        place = chance.randrange(16)
        digits[place] = str((int(digits[place]) + chance.randrange(1, 10)) % 10)
        text = card2("".join(digits))
        where = chance.sample(range(1, 25), 2)
        swipes.append(
            v1.Swipe(
                tracks=[
                    raw(damaged(text, {row: 1 << chance.randrange(5) for row in where}), 2),
                    v1.RawTrack(number=1, text=TRACK1.encode()),
                ]
            )
        )
        texts.append(text)
    found = [relied(swipe.tracks[0]) for swipe in decode_all(swipes)]
    false = sum(text not in ("", right) for text, right in zip(found, texts, strict=True))
    assert false <= TRIALS // 1000


def test_a_track_that_differs_in_one_digit_and_reads_stands() -> None:
    other = card2("4111111111111112")
    swipe = decode(v1.Swipe(tracks=[raw(damaged(other, {}), 2), raw(damaged(TRACK1, {}), 1)]))
    assert [track.text for track in swipe.tracks] == [other, TRACK1]
    assert not any(track.repairs for track in swipe.tracks)
    assert [one.field for one in swipe.differences] == [v1.DIFFERING_FIELD_PAN]


# ---- what is given


@pytest.mark.parametrize(("text", "coding"), [(TRACK2, 1), (TRACK1, 2)])
def test_a_coding_that_is_told_is_the_only_one_tried(text: str, coding: int) -> None:
    bits = damaged(text, {})
    (right,) = read(raw(bits, coding=coding))
    (wrong,) = read(raw(bits, coding=3 - coding))
    assert (right.text, wrong.text) == (text, "")
    turned = symbols.encode(text, width_of(text), ZEROS, ZEROS, msb_first=True)
    (msb,) = read(raw(turned, coding=coding + 4))
    assert (msb.text, msb.msb_first) == (text, True)


def test_eight_tracks_with_texts_beside() -> None:
    text = v1.RawTrack(number=2, text=TRACK2.encode())
    broken = raw(damaged(TRACK1, dict.fromkeys(range(2, 30, 3), 1)), 1)
    found = read(text, broken, text, broken, raw(damaged(TRACK3, {}), 3), broken, text, raw(bytes(40)))
    assert [track.text for track in found] == [TRACK2, "", TRACK2, "", TRACK3, "", TRACK2, ""]
    (alone,) = read(text)
    assert found[0] == found[2] == found[6] == alone


def test_text_tracks_are_as_they_are_alone() -> None:
    texts = (b"%B4111111111111111^DOE/JANE^2912101?;4111111111111112=2912101?", b"4111111111111111=2912")
    alone = [track for text in texts for track in read(v1.RawTrack(text=text))]
    broken = raw(damaged(TRACK2, {5: 1, 6: 2, 7: 4}), 2)
    beside = read(*(v1.RawTrack(text=text) for text in texts), broken)
    assert beside[: len(alone)] == alone


# ---- signals


def times_of(text: str, jitter: float, seed: int) -> list[float]:
    bits = symbols.encode(text, width_of(text), 30, 30)
    return synthesis.intervals_from_bits(bits, 0.0008, cell_jitter=jitter, mid_jitter=0.4 * jitter, seed=seed)


def intervals(text: str, jitter: float, seed: int, number: int = 0) -> v1.RawTrack:
    times = [round(time * 1e9) for time in times_of(text, jitter, seed)]
    return v1.RawTrack(number=number, intervals=v1.FluxIntervals(nanoseconds=times))


def test_several_swipes_in_one_recording() -> None:
    other = card2("4012888888881881")
    samples = array("h")
    for seed, text in enumerate((TRACK2, other, TRACK2)):
        wave = synthesis.samples_from_intervals(times_of(text, 0.02, seed), 44100, seed=seed)
        peak = max(map(abs, wave))
        samples.extend(round(30000 * value / peak) for value in wave)
        samples.extend([0] * 20000)
    for number in (0, 2):
        signal = v1.SampledSignal(pcm=samples.tobytes(), sample_rate=44100)
        found = read(v1.RawTrack(number=number, samples=signal))
        assert [track.text for track in found] == [TRACK2, other, TRACK2]
        assert {track.number for track in found} == {2}


@pytest.mark.parametrize(("bursts", "transitions"), [(63, 600), (1, 10_000), (5, 10_000)])
def test_a_swipe_behind_more_than_is_read_over_again(bursts: int, transitions: int) -> None:
    chance = random.Random(bursts)
    samples = array("h")
    for _ in range(bursts):
        for index in range(transitions):
            samples.extend([20_000 - index % 2 * 40_000] * chance.choice((6, 12)))
        samples.extend([0] * 4000)
    wave = synthesis.samples_from_intervals(times_of(TRACK2, 0.02, 1), 44_100, seed=1)
    peak = max(map(abs, wave))
    samples.extend(round(30_000 * value / peak) for value in wave)
    (track,) = read(v1.RawTrack(samples=v1.SampledSignal(pcm=samples.tobytes(), sample_rate=44_100)))
    assert track.text == TRACK2


def test_irregular_passes_read_no_less_often_together_and_never_wrong() -> None:
    once = together = 0
    for seed in range(60):
        passes = [intervals(TRACK2, 0.14, 2 * seed + index, 2) for index in range(2)]
        alone = [text for one in passes for track in read(one) if (text := relied(track))]
        both = [text for track in read(*passes) if (text := relied(track))]
        assert {*alone, *both} <= {TRACK2}
        once += bool(alone)
        together += bool(both)
    assert together >= once > 0


def test_a_regular_signal_reads_clean_beside_bits_that_do_not() -> None:
    found = read(intervals(TRACK1, 0.02, 3, 1), raw(damaged(TRACK2, {4: 1, 9: 2}), 2))
    assert [relied(track) for track in found] == [TRACK1, TRACK2]
