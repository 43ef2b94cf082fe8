"""Fuzz target: the bytes of a DecodeSwipesRequest, against the generated classes and the stages one by one."""

import random
from collections.abc import Iterator

from google.protobuf.message import DecodeError

from swipegate.core import (
    DEFAULT_FORMATS,
    InvalidField,
    batch_config,
    compile_formats,
    decode_batch,
    decode_one,
    symbols,
)
from swipegate.v1.track_pb2 import (
    REPAIR_METHOD_OTHER_PASS,
    REPAIR_METHOD_OTHER_TRACK,
    TRACK_ERROR_ILLEGAL_CHARACTER,
    BitString,
    DecodedSwipe,
    DecodeSwipesRequest,
    DecodeSwipesResponse,
    FluxIntervals,
    RawTrack,
    SampledSignal,
    Swipe,
)
from tests.core.test_wire import bit_string, expected, flux_intervals
from tests.fuzz import vectors
from tests.fuzz.mutation import mutate as mutate_bytes
from tests.fuzz.target import Target

FORMATS = compile_formats(DEFAULT_FORMATS)
MALFORMED = "the message is no well-formed protobuf"
SWIPE_TRANSITIONS = 2048
LONGEST = 8192
"""Bytes of an input."""


def answer_of(data: bytes) -> bytes | None:
    """What decode_batch answers; None when it refuses, which must be in one of the two ways."""
    try:
        return decode_batch(data, FORMATS)
    except InvalidField as error:
        assert error.field.startswith("swipes")  # noqa: PT017 - any other is a finding
        assert str(error) == f"{error.field}: {error.reason}"  # noqa: PT017
    except ValueError as error:
        assert str(error) == MALFORMED  # noqa: PT017
    return None


def check_config(data: bytes, request: DecodeSwipesRequest) -> None:
    config = batch_config(data)
    assert (config is not None) == request.HasField("config")
    if config is not None:
        assert type(request.config).FromString(config) == request.config


def check(data: bytes) -> None:
    answer = answer_of(data)
    try:
        request = DecodeSwipesRequest.FromString(data)
    except DecodeError:
        assert answer is None or batch_config(data) is not None  # handed on unread, several joined
        return
    check_config(data, request)
    if answer is None:
        return
    response = DecodeSwipesResponse.FromString(answer)
    assert response.SerializeToString(deterministic=True) == answer
    assert len(response.swipes) == len(request.swipes)
    for swipe, decoded in zip(request.swipes, response.swipes, strict=True):
        assert decode_one(swipe.SerializeToString(), FORMATS) == decoded.SerializeToString()
        check_swipe(decoded)
        alike = not any(raw.coding or is_long(raw) for raw in swipe.tracks)
        if alike and not is_read_together(decoded):
            assert comparable(decoded) == comparable(expected(swipe))


def is_long(raw: RawTrack) -> bool:
    """Whether a signal may be longer than a swipe, which the stages one by one would read in every way."""
    return max(len(raw.intervals.nanoseconds), len(raw.samples.pcm) // 2) > SWIPE_TRANSITIONS


def is_read_together(decoded: DecodedSwipe) -> bool:
    """Whether a track was read by other tracks or passes, of which the stages one by one know nothing."""
    together = {REPAIR_METHOD_OTHER_TRACK, REPAIR_METHOD_OTHER_PASS}
    return any(repair.method in together for track in decoded.tracks for repair in track.repairs)


def comparable(decoded: DecodedSwipe) -> DecodedSwipe:
    """Leave out why a track does not read: of several attempts at a signal the stages alone name none."""
    for track in decoded.tracks:
        if not track.text:
            track.Clear()
        if TRACK_ERROR_ILLEGAL_CHARACTER in track.errors:
            decoded.ClearField("card_number")  # the reference matcher takes unprintable bytes for sentinels
    return decoded


def check_swipe(decoded: DecodedSwipe) -> None:
    """Assert what holds of every answer."""
    assert 1 <= len(decoded.tracks) <= 64
    texts = [track.text for track in decoded.tracks]
    for track in decoded.tracks:
        assert list(track.errors) == sorted(set(track.errors))
        assert list(track.allowances) == sorted(set(track.allowances))
        assert all(repair.position <= len(track.text) for repair in track.repairs)
    found = [decoded.card_number] if decoded.HasField("card_number") else []
    assert all(any(one.card_number in text.replace(" ", "") for text in texts) for one in found)
    assert [one.card_number for one in FORMATS.explain(decoded, True) if one.first] == found


def mutate(data: bytes, longest: int, seed: int) -> bytes:
    """Change a message in one of its fields, or anywhere in its bytes."""
    chance = random.Random(seed)
    try:
        request = DecodeSwipesRequest.FromString(data)
    except DecodeError:
        return mutate_bytes(data, longest, chance, TARGET.words)
    if chance.random() < 0.3:
        return mutate_bytes(data, longest, chance, TARGET.words)
    if not request.swipes or chance.random() < 0.1:
        request.swipes.add(id=chance.getrandbits(64)).tracks.add(text=vectors.TRACK2.encode())
    swipe = chance.choice(request.swipes)
    if not swipe.tracks or chance.random() < 0.1:
        swipe.tracks.add().CopyFrom(chance.choice(list(raw_tracks())))
    _change(chance.choice(swipe.tracks), chance)
    return request.SerializeToString()[:longest]


def _change(raw: RawTrack, chance: random.Random) -> None:
    """Change one raw track within what its form is."""
    form = raw.WhichOneof("form")
    if chance.random() < 0.2:
        raw.number = chance.randrange(5)
    if chance.random() < 0.1:
        raw.coding = chance.randrange(10)
    if form == "text":
        raw.text = mutate_bytes(raw.text, 1025, chance, WORDS)
    elif form == "bits":
        raw.bits.data = mutate_bytes(raw.bits.data, 1025, chance)
        raw.bits.bit_count = chance.choice((0, 8 * len(raw.bits.data), chance.randint(0, 8200)))
    elif form == "samples":
        raw.samples.pcm = mutate_bytes(raw.samples.pcm, 4000, chance)
        raw.samples.sample_rate = chance.choice((8000, 44100, 1_000_000, chance.getrandbits(21)))
    elif form == "intervals":
        times = [
            max(0, time + chance.choice((0, 0, 0, 40_000, -40_000))) for time in raw.intervals.nanoseconds
        ]
        place = chance.randint(0, len(times))
        times[place : place + chance.randint(0, 2)] = [chance.getrandbits(32)] * chance.randint(0, 2)
        raw.intervals.nanoseconds[:] = times[:1000]


def raw_tracks() -> Iterator[RawTrack]:
    """A raw track of each form."""
    yield RawTrack(number=2, text=vectors.TRACK2.encode())
    yield RawTrack(text=(vectors.TRACK1 + vectors.TRACK2 + vectors.TRACK3).encode())
    yield RawTrack(bits=bit_string(vectors.TRACK2, 5, True))
    yield RawTrack(number=3, bits=bit_string(vectors.TRACK3, 5, False))
    yield RawTrack(bits=BitString(data=b"\xd4\x11\x92\x57\xf5"))
    yield RawTrack(intervals=flux_intervals(vectors.TRACK2, 5, False, 1))
    yield RawTrack(intervals=FluxIntervals(nanoseconds=[0, 2**32 - 1]))
    yield RawTrack(samples=SampledSignal(pcm=b"\0\1\0\0" * 200, sample_rate=8000))


def together() -> Iterator[Swipe]:
    """Swipes whose track 2 reads only with another pass or with track 1, and every coding."""
    whole = bit_string(vectors.TRACK2, 5, False)
    passes = []
    for places in ((30, 31, 41, 42, 52, 53), (90, 91, 101, 102, 112, 113), (150, 151, 161, 162, 172, 173)):
        bits = bytearray(symbols.unpack(whole.data, whole.bit_count))
        for place in places:
            bits[place] ^= 1
        passes.append(RawTrack(number=2, bits=BitString(data=symbols.pack(bits), bit_count=whole.bit_count)))
    yield Swipe(tracks=passes)
    yield Swipe(tracks=[RawTrack(number=1, text=vectors.TRACK1.encode()), passes[0]])
    for coding in range(1, 9):
        yield Swipe(tracks=[RawTrack(coding=coding, bits=whole)])


def seeds() -> Iterator[bytes]:
    for raw in raw_tracks():
        yield DecodeSwipesRequest(swipes=[Swipe(id=7, tracks=[raw])]).SerializeToString()
    for text in vectors.texts():
        yield DecodeSwipesRequest(swipes=[Swipe(tracks=[RawTrack(text=text.encode())])]).SerializeToString()
    for swipe in together():
        yield DecodeSwipesRequest(swipes=[swipe]).SerializeToString()
    swipes = [Swipe(id=2**64 - 1, tracks=raw_tracks()), Swipe(tracks=[RawTrack(text=b"")])]
    yield DecodeSwipesRequest(swipes=swipes, config={"card_formats": ["a", "b"]}).SerializeToString()


WORDS = (b"%B", b";", b"?", b"=", b"^", b"%E?", b"+", b"\r\n", b"4111111111111111")
TARGET = Target(
    name="wire",
    seeds=seeds,
    check=check,
    longest=LONGEST,
    # 16,000 a byte is the most seen, of eight damaged passes of one track; signals take up to 14,000.
    blocks=200_000,
    blocks_a_byte=32_000,
    replays=600,
    words=(
        b"\x12\x02\x12\x00",
        b"\x12",
        b"\x2a\x04\x0a\x02",
        b"\x83\x01",
        b"\x84\x01",
        b"\xff" * 9 + b"\x01",
    ),
    mutator=mutate,
)
