"""The batch walker against the generated classes, field by field."""

import random
from array import array

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from swipegate.core import (
    DEFAULT_FORMATS,
    InvalidField,
    batch_config,
    compile_formats,
    decode,
    decode_batch,
    decode_one,
    decode_texts,
    flux,
    repair,
    symbols,
    synthesis,
    tracks,
)
from swipegate.v1.track_pb2 import (
    TRACK_ALLOWANCE_UNPROVED_REPAIR,
    TRACK_ERROR_JITTER,
    TRACK_ERROR_NO_ENCODING,
    TRACK_ERROR_NO_START,
    TRACK_ERROR_NOT_READ,
    BitString,
    DecodedSwipe,
    DecodeSwipesRequest,
    DecodeSwipesResponse,
    FluxIntervals,
    LicenceFields,
    RawTrack,
    Repair,
    SampledSignal,
    ServiceMeaning,
    Swipe,
    Track,
    Track3Fields,
    TrackDifference,
    TrackFields,
)
from tests.reference import numbers as reference_numbers
from tests.reference import tracks as reference_tracks

FORMATS = compile_formats(DEFAULT_FORMATS)
TRACK1 = "%B4111111111111111^DOE/JANE Q.MS^2912101000000123?"
TRACK2 = ";4111111111111111=29121010000012300000?"
TRACK3 = ";011234567890123445=724724100001234512030312340202000993012134567890987654=12345678=16543210?"
TRACK3_FIELDS = set(Track3Fields.DESCRIPTOR.fields_by_name)
LICENCE_FIELDS = set(LicenceFields.DESCRIPTOR.fields_by_name)
LICENCE = "%FLDELRAY BEACH^DOE$JANE$^1 EXAMPLE ST^?", ";6360100400045087290=2101198799080=?"
MAX_READINGS = 8
"""Of one signal."""
UNREAD_SIGNAL = Track(errors=[TRACK_ERROR_NOT_READ])
SIGNAL_ERRORS = {TRACK_ERROR_NOT_READ, TRACK_ERROR_NO_ENCODING, TRACK_ERROR_NO_START, TRACK_ERROR_JITTER}


def track_of(parsed: tracks.ParsedTrack) -> Track:
    """A v1 Track of what the track stage says."""
    track3 = {name: text for name, text in parsed.fields.items() if name in TRACK3_FIELDS}
    licence = {name: text for name, text in parsed.fields.items() if name in LICENCE_FIELDS}
    fields = {name: text for name, text in parsed.fields.items() if name not in (track3 | licence)}
    track = Track(
        number=parsed.number,
        text=parsed.text,
        standard=parsed.standard,
        lrc=parsed.lrc,
        lrc_character=parsed.lrc_character,
        errors=parsed.errors,
        allowances=parsed.allowances,
    )
    if parsed.fields:
        track.fields.CopyFrom(TrackFields(**fields, brand=parsed.brand))
        if parsed.luhn_ok is not None:
            track.fields.luhn_ok = parsed.luhn_ok
        if any(parsed.service):
            meaning = dict(zip(("interchange", "authorisation", "range"), parsed.service, strict=True))
            track.fields.service.CopyFrom(ServiceMeaning(**meaning))
        if track3:
            track.fields.track3.CopyFrom(Track3Fields(**track3))
        if licence:
            licence_fields = LicenceFields(**licence, expiry_rule=parsed.expiry_rule, sex=parsed.sex)
            track.fields.licence.CopyFrom(licence_fields)
    return track


def layout_of(number: int, read: symbols.Characters | Track) -> int:
    """The track whose layout a reading is parsed by."""
    if number == 3:
        return 3
    if read.bits_per_character == 7:
        return 1
    return 2 if number or len(read.text) < 40 else 3


def expected_tracks(raw: RawTrack) -> list[Track]:
    form = raw.WhichOneof("form")
    if form == "text":
        return [
            track_of(track)
            for track in ([tracks.parse(raw.text, raw.number)] if raw.number else tracks.split(raw.text))
        ]
    if form == "bits":
        bits = symbols.unpack(raw.bits.data, raw.bits.bit_count)
        return [track_of_characters(raw, symbols.decode(bits))]
    found = [read for run in runs_of(raw) if (read := best_of(run)) is not None]
    return [track_of_characters(raw, read) for read in found[:MAX_READINGS]] or [UNREAD_SIGNAL]


def runs_of(raw: RawTrack) -> list[flux.BitRun]:
    """What the signal stage makes of samples or intervals."""
    if raw.WhichOneof("form") == "samples":
        return flux.swipes(array("h", raw.samples.pcm), raw.samples.sample_rate)
    return flux.bits_from_intervals([time * 1e-9 for time in raw.intervals.nanoseconds])


def best_of(run: flux.BitRun) -> symbols.Characters | None:
    """The first reading without a repair, else what repairs agree on."""
    reads = []
    for bits, doubts, jitter in zip(run.candidates, run.doubts, run.jitters, strict=True):
        bit, character = (1024, 16384) if jitter <= 0.05 else (512, 4096) if jitter <= 0.09 else (128, 1024)
        read = repair.decode(bits, doubts, error_rate=1 / bit, noise_rate=1 / character)
        if read.text and not read.repairs:
            return read
        if read.text:
            reads.append(read)
    return reads[0] if len({read.text for read in reads}) == 1 else None


def without_signal_errors(swipe: DecodedSwipe) -> DecodedSwipe:
    """A copy in which a track without characters says nothing but that: why a signal fails is tested by itself."""
    copy = DecodedSwipe.FromString(swipe.SerializeToString())
    for track in copy.tracks:
        if not track.text and SIGNAL_ERRORS & set(track.errors):
            track.CopyFrom(UNREAD_SIGNAL)
    return copy


def same(one: DecodedSwipe, other: DecodedSwipe) -> bool:
    """Whether two swipes are equal but for why a signal fails."""
    return without_signal_errors(one) == without_signal_errors(other)


def track_of_characters(raw: RawTrack, read: symbols.Characters) -> Track:
    track = Track(number=raw.number, errors=read.errors)
    if read.text:
        track = track_of(tracks.parse(read.text, layout_of(raw.number, read)))
        track.number = raw.number or track.number
        track.errors[:] = sorted({*track.errors, *read.errors})
        if read.repairs and raw.WhichOneof("form") == "bits":  # nothing tells of doubts there
            track.allowances[:] = sorted({*track.allowances, TRACK_ALLOWANCE_UNPROVED_REPAIR})
    track.direction, track.lrc, track.lrc_character = read.direction, read.lrc, read.lrc_character
    track.bits_per_character, track.inverted = read.bits_per_character, read.inverted
    track.repairs.extend(Repair(position=p, character=c, method=m, bits=b) for p, c, m, b in read.repairs)
    return track


def expected(swipe: Swipe) -> DecodedSwipe:
    decoded = DecodedSwipe(
        id=swipe.id, tracks=[track for raw in swipe.tracks for track in expected_tracks(raw)]
    )
    pieces = []
    for track in decoded.tracks:
        layout = layout_of(track.number, track) if track.bits_per_character else track.number
        piece = reference_tracks.parse_piece(track.text, layout)
        piece.number = track.number or piece.number
        piece.error_set |= set(track.errors)
        piece.allowance_set |= set(track.allowances)
        pieces.append(piece)
    for field, first, second in reference_tracks.differences(pieces):
        decoded.differences.append(TrackDifference(field=field, first_track=first, second_track=second))
    number = reference_numbers.match(DEFAULT_FORMATS, pieces)
    if number is not None:
        decoded.card_number.CopyFrom(number)
    return decoded


def bit_string(text: str, width: int, reverse: bool) -> BitString:
    bits = symbols.encode(text, width, 9, 9, reverse)
    return BitString(data=symbols.pack(bits), bit_count=len(bits))


def intervals_of(text: str, width: int, reverse: bool, seed: int) -> list[float]:
    """Seconds between the transitions of a slightly uneven swipe."""
    bits = symbols.encode(text, width, 20, 12, reverse)
    return synthesis.intervals_from_bits(bits, 0.0008, cell_jitter=0.02, mid_jitter=0.007, seed=seed)


def flux_intervals(text: str, width: int, reverse: bool, seed: int) -> FluxIntervals:
    return FluxIntervals(nanoseconds=[round(t * 1e9) for t in intervals_of(text, width, reverse, seed)])


def sampled_signal(text: str, width: int, reverse: bool, seed: int) -> SampledSignal:
    """Two swipes of the same card in one recording."""
    times = intervals_of(text, width, reverse, seed)
    samples = synthesis.samples_from_intervals(times, 44100, seed=seed)
    peak = max(map(abs, samples))
    once = array("h", [round(value / peak * 30000) for value in samples])
    return SampledSignal(pcm=(once + array("h", bytes(20000)) + once).tobytes(), sample_rate=44100)


@pytest.mark.parametrize(("text", "width"), [(TRACK1, 7), (TRACK2, 5)])
@pytest.mark.parametrize("reverse", [False, True])
def test_signals_read_as_their_stages_do_one_by_one(text: str, width: int, reverse: bool) -> None:
    for seed in range(5):
        intervals = RawTrack(intervals=flux_intervals(text, width, reverse, seed))
        samples = RawTrack(samples=sampled_signal(text, width, reverse, seed))
        swipe = Swipe(tracks=[intervals, samples])
        decoded = decode(swipe)
        assert [track.text for track in decoded.tracks] == [text] * 3
        assert decoded == expected(swipe)


def test_a_signal_that_does_not_read_says_why() -> None:
    silence = decode(Swipe(tracks=[RawTrack(samples=SampledSignal(pcm=bytes(8000), sample_rate=8000))]))
    assert list(silence.tracks[0].errors) == [TRACK_ERROR_NO_ENCODING]
    chance = random.Random(1)
    uneven = FluxIntervals(nanoseconds=[chance.randrange(10**5, 10**6) for _ in range(400)])
    noise = decode(Swipe(tracks=[RawTrack(intervals=uneven)]))
    assert not noise.tracks[0].text
    assert noise.tracks[0].errors
    zeros = FluxIntervals(nanoseconds=[10**6] * 300)
    assert list(decode(Swipe(tracks=[RawTrack(intervals=zeros)])).tracks[0].errors) == [
        TRACK_ERROR_NO_ENCODING
    ]


TEXTS = st.one_of(
    st.sampled_from(
        [TRACK1, TRACK2, TRACK1 + TRACK2, "%E?;E?", ";0004048712?", "\x02" + TRACK2 + "\r", ""]
    ).map(str.encode),
    st.text(list("0123456789=^?;%B/ F+E#\xe9\x7f"), max_size=80).map(str.encode),
    st.binary(max_size=60),
)
RAW_TRACKS = st.one_of(
    st.builds(RawTrack, number=st.integers(0, 3), text=TEXTS),
    st.builds(
        RawTrack,
        number=st.integers(0, 3),
        bits=st.one_of(
            st.builds(bit_string, st.just(TRACK2), st.just(5), st.booleans()),
            st.builds(bit_string, st.just(TRACK1), st.just(7), st.booleans()),
            st.builds(BitString, data=st.binary(max_size=40)),
        ),
    ),
    st.builds(
        RawTrack,
        number=st.integers(0, 3),
        samples=st.builds(
            SampledSignal,
            pcm=st.binary(max_size=8).map(lambda pcm: pcm * 2),
            sample_rate=st.integers(8000, 1000000),
        ),
    ),
    st.builds(
        RawTrack,
        number=st.integers(0, 3),
        intervals=st.builds(FluxIntervals, nanoseconds=st.lists(st.integers(0, 2**32 - 1), max_size=9)),
    ),
)
SWIPES = st.builds(Swipe, id=st.integers(0, 2**64 - 1), tracks=st.lists(RAW_TRACKS, min_size=1, max_size=8))


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def group(field: int, body: bytes) -> bytes:
    return varint(field << 3 | 3) + body + varint(field << 3 | 4)


UNKNOWN = st.recursive(
    st.one_of(
        st.builds(
            lambda field, value: varint(field << 3) + varint(value),
            st.integers(16, 2**29 - 1),
            st.integers(0, 2**64 - 1),
        ),
        st.builds(
            lambda field, data: varint(field << 3 | 1) + data,
            st.integers(16, 99),
            st.binary(min_size=8, max_size=8),
        ),
        st.builds(
            lambda field, data: varint(field << 3 | 5) + data,
            st.integers(16, 99),
            st.binary(min_size=4, max_size=4),
        ),
        st.builds(
            lambda field, data: varint(field << 3 | 2) + varint(len(data)) + data,
            st.integers(16, 99),
            st.binary(max_size=9),
        ),
    ),
    lambda inner: st.builds(group, st.integers(16, 99), inner),
    max_leaves=3,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(SWIPES, max_size=4), UNKNOWN)
def test_batch_equals_the_generated_classes(swipes: list[Swipe], unknown: bytes) -> None:
    request = DecodeSwipesRequest(swipes=swipes, config={"card_formats": ["x"]}).SerializeToString() + unknown
    answer = DecodeSwipesResponse.FromString(decode_batch(request, FORMATS))
    assert len(answer.swipes) == len(swipes)
    assert all(map(same, answer.swipes, map(expected, swipes)))


@settings(max_examples=100, deadline=None)
@given(SWIPES, st.lists(UNKNOWN, min_size=1, max_size=3), st.data())
def test_unknown_fields_anywhere_in_a_swipe(swipe: Swipe, unknown: list[bytes], data: st.DataObject) -> None:
    pieces = [Swipe(id=swipe.id).SerializeToString()]
    for raw in swipe.tracks:
        body = raw.SerializeToString() + data.draw(st.sampled_from(unknown))
        pieces.append(varint(2 << 3 | 2) + varint(len(body)) + body)
    message = b"".join(data.draw(st.permutations([pieces[0], *unknown]))) + b"".join(pieces[1:])
    assert same(DecodedSwipe.FromString(decode_one(message, FORMATS)), expected(Swipe.FromString(message)))


@pytest.mark.parametrize(
    "parts",
    [
        (RawTrack(text=b"1"), RawTrack(text=TRACK2.encode())),
        (
            RawTrack(bits=BitString(data=b"\1\2", bit_count=9)),
            RawTrack(bits=BitString(data=b"\xd4\x11\x92\x57\xf5\0")),
        ),
        (RawTrack(bits=BitString(data=b"\1\2\3")), RawTrack(text=TRACK2.encode())),
        (
            RawTrack(intervals=FluxIntervals(nanoseconds=[1])),
            RawTrack(intervals=FluxIntervals(nanoseconds=[2])),
        ),
        (RawTrack(samples=SampledSignal(pcm=b"ab")), RawTrack(samples=SampledSignal(sample_rate=8000))),
        (RawTrack(number=3), RawTrack(text=TRACK2.encode(), number=2)),
    ],
)
def test_repeated_members_are_merged_as_protobuf_does(parts: tuple[RawTrack, RawTrack]) -> None:
    body = b"".join(part.SerializeToString() for part in parts)
    message = varint(2 << 3 | 2) + varint(len(body)) + body
    assert same(DecodedSwipe.FromString(decode_one(message, FORMATS)), expected(Swipe.FromString(message)))


@pytest.mark.parametrize("number", [0, 3])
def test_every_field_of_track_3_is_written(number: int) -> None:
    raw = RawTrack(number=number, bits=bit_string(TRACK3, 5, False))
    for swipe in (Swipe(tracks=[raw]), Swipe(tracks=[RawTrack(number=3, text=TRACK3.encode())])):
        decoded = DecodedSwipe.FromString(decode_one(swipe.SerializeToString(), FORMATS))
        assert same(decoded, expected(swipe))
        (track,) = decoded.tracks
        assert {field.name for field, _ in track.fields.track3.ListFields()} == TRACK3_FIELDS
        assert (track.fields.track3.second_san, track.fields.track3.relay_marker) == ("12345678", "1")
        assert track.fields.track3.crypto_check_digits == "654321"


def test_unpacked_intervals_are_read() -> None:
    times = flux_intervals(TRACK2, 5, False, 1).nanoseconds
    body = b"".join(b"\x08" + varint(time) for time in times)
    inner = b"\x2a" + varint(len(body)) + body
    message = varint(2 << 3 | 2) + varint(len(inner)) + inner
    assert Swipe.FromString(message).tracks[0].intervals.nanoseconds == times
    assert DecodedSwipe.FromString(decode_one(message, FORMATS)).tracks[0].text == TRACK2


@pytest.mark.parametrize(
    ("swipe", "field"),
    [
        (Swipe(), ".tracks"),
        (Swipe(tracks=[RawTrack(text=b"1")] * 9), ".tracks"),
        (Swipe(tracks=[RawTrack(number=4, text=b"1")]), ".tracks[0].number"),
        (Swipe(tracks=[RawTrack(text=b"1"), RawTrack(number=1)]), ".tracks[1].form"),
        (Swipe(tracks=[RawTrack(text=b"1", coding=9)]), ".tracks[0].coding"),
        (Swipe(tracks=[RawTrack(text=b"1" * 1025)]), ".tracks[0].text"),
        (Swipe(tracks=[RawTrack(bits=BitString(data=b"1" * 1025))]), ".tracks[0].bits.data"),
        (Swipe(tracks=[RawTrack(bits=BitString(data=b"1", bit_count=9))]), ".tracks[0].bits.bit_count"),
        (
            Swipe(tracks=[RawTrack(samples=SampledSignal(pcm=b"123", sample_rate=8000))]),
            ".tracks[0].samples.pcm",
        ),
        (
            Swipe(tracks=[RawTrack(samples=SampledSignal(pcm=bytes(4000002), sample_rate=8000))]),
            ".tracks[0].samples.pcm",
        ),
        (Swipe(tracks=[RawTrack(samples=SampledSignal(sample_rate=7999))]), ".tracks[0].samples.sample_rate"),
        (
            Swipe(tracks=[RawTrack(intervals=FluxIntervals(nanoseconds=[1] * 16385))]),
            ".tracks[0].intervals.nanoseconds",
        ),
    ],
)
def test_bounds_name_the_field(swipe: Swipe, field: str) -> None:
    with pytest.raises(InvalidField) as caught:
        decode_one(swipe.SerializeToString(), FORMATS)
    assert caught.value.field == "swipe" + field
    good = Swipe(tracks=[RawTrack(text=b"1")])
    with pytest.raises(InvalidField) as caught:
        decode_batch(DecodeSwipesRequest(swipes=[good, swipe]).SerializeToString(), FORMATS)
    assert caught.value.field == "swipes[1]" + field


def test_batch_bounds() -> None:
    swipe = Swipe(tracks=[RawTrack(text=b"1")])
    full = DecodeSwipesRequest(swipes=[swipe] * 10000).SerializeToString()
    assert len(DecodeSwipesResponse.FromString(decode_batch(full, FORMATS)).swipes) == 10000
    with pytest.raises(InvalidField, match=r"^swipes: must be at most 10,000"):
        decode_batch(full + full[:7], FORMATS)
    with pytest.raises(InvalidField, match=r"^request: "):
        decode_batch(bytes(4 * 1024 * 1024 + 1), FORMATS)


def test_largest_answers_fit() -> None:
    names = b"%B1^" + b"/A .B" * 203 + b"?"
    many = b"%B1^A/B^?" * 113
    for text in (names, many, b";1=" * 341, b"\xff" * 1024, b"%?" * 512, b"A" * 1024):
        swipe = Swipe(id=2**64 - 1, tracks=[RawTrack(text=text)] * 8)
        assert same(DecodedSwipe.FromString(decode_one(swipe.SerializeToString(), FORMATS)), expected(swipe))


@settings(max_examples=1500, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=80),
        st.builds(
            lambda swipe, cut, junk: swipe.SerializeToString()[:cut] + junk,
            SWIPES,
            st.integers(0, 200),
            st.binary(max_size=9),
        ),
    )
)
def test_any_bytes(message: bytes) -> None:
    try:
        swipe = Swipe.FromString(message)
    except DecodeError:
        with pytest.raises(ValueError):  # noqa: PT011 - a bound may be found broken before the end is
            decode_one(message, FORMATS)
        return
    try:
        answer = decode_one(message, FORMATS)
    except InvalidField:
        return
    assert same(DecodedSwipe.FromString(answer), expected(swipe))


@given(st.binary(max_size=60))
def test_any_bytes_as_a_batch(message: bytes) -> None:
    failures = []
    for read in (lambda: decode_batch(message, FORMATS), lambda: batch_config(message)):
        try:
            read()
        except ValueError as error:
            failures.append(error)
    for error in failures:
        assert isinstance(error, InvalidField) or str(error) == "the message is no well-formed protobuf"


def test_config() -> None:
    assert batch_config(b"") is None
    request = DecodeSwipesRequest(config={"card_formats": ["a", "b"]})
    assert batch_config(request.SerializeToString()) == request.config.SerializeToString()


def test_python_api() -> None:
    for swipe in (
        TRACK2,
        TRACK2.encode(),
        bit_string(TRACK2, 5, True),
        Swipe(tracks=[RawTrack(text=TRACK2.encode())]),
    ):
        decoded = decode(swipe)
        assert decoded.tracks[0].text == TRACK2
        assert decoded.card_number.card_number == "4111111111111111"
    with pytest.raises(InvalidField) as caught:
        decode("4" * 1025)
    assert "444" not in str(caught.value)


def test_tracks_that_contradict_each_other() -> None:
    other = ";5555555555554444=28122010000?"
    found = decode(TRACK1 + other).differences
    assert [(one.field, one.first_track, one.second_track) for one in found] == [
        (1, 1, 2),
        (2, 1, 2),
        (3, 1, 2),
    ]
    assert not decode(TRACK1 + TRACK2).differences
    assert not decode(TRACK1 + ";5555555555554444?").differences, "what one track lacks is no difference"


@pytest.mark.parametrize(
    ("identifier", "differs"), [("D000450872", True), ("0400045087", True), ("          ", False)]
)
def test_licence_numbers_of_two_tracks(identifier: str, differs: bool) -> None:
    third = "#" + "! 33435      I               1600         ".ljust(42) + identifier + "?"
    swipe = decode("".join(LICENCE) + third)
    assert swipe == expected(Swipe(tracks=[RawTrack(text=("".join(LICENCE) + third).encode())]))
    assert [one.field for one in swipe.differences] == ([5] if differs else [])


@pytest.mark.parametrize("byte", [b"\xd4", b"\x80", b"\x00", b"\x7f"])
def test_a_licence_number_with_a_byte_that_is_no_character(byte: bytes) -> None:
    line = b";6360100712345678901=210219640226" + byte + b"=?"
    (answer,) = DecodeSwipesResponse.FromString(
        decode_batch(
            DecodeSwipesRequest(swipes=[Swipe(tracks=[RawTrack(text=line)])]).SerializeToString(), FORMATS
        )
    ).swipes
    assert answer == expected(Swipe(tracks=[RawTrack(text=line)]))
    assert answer.tracks[0].fields.licence.licence_number == "G12345678901?"


def test_licence_numbers_that_agree() -> None:
    second = ";636015D1234567=2912=19800101?".replace("D", "0")
    third = "#" + "1 33435      I               1600         " + "01234567  ?"
    assert not decode(second + third).differences


def batch_of(*tracks: RawTrack, swipes: int = 1) -> bytes:
    one = Swipe(tracks=tracks)
    return DecodeSwipesRequest(swipes=[one] * swipes).SerializeToString()


def test_texts_are_decoded_as_any_batch_is() -> None:
    request = batch_of(RawTrack(text=TRACK2.encode()), swipes=1000)
    assert decode_texts(request, FORMATS) == decode_batch(request, FORMATS)


@pytest.mark.parametrize(
    "request_bytes",
    [
        batch_of(RawTrack(text=TRACK2.encode()), RawTrack(bits=bit_string(TRACK2, 5, False))),
        batch_of(RawTrack(samples=SampledSignal(pcm=b"ab", sample_rate=44100))),
        batch_of(RawTrack(text=b"1"), swipes=9000),
        batch_of(RawTrack(text=b"1" * 1024), swipes=300),
    ],
    ids=["bits", "samples", "many swipes", "many bytes"],
)
def test_what_takes_longer_is_left_by_texts(request_bytes: bytes) -> None:
    assert decode_texts(request_bytes, FORMATS) is None
