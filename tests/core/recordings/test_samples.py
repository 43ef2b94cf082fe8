"""Sampled recordings: every encoding, header and channel."""

import math
import struct
import wave
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swipegate.core import synthesis
from swipegate.core.recordings import RecordingError, SampleFormat, bounds, parse_recording, samples, wav
from swipegate.core.recordings.samples import ENCODINGS
from tests.core import characters
from tests.core.test_flux import RATE, TRACK1, TRACK2, swiped
from tests.core.test_recordings import riff, texts

OTHER = ";98949188?"
SWIPE = swiped()
TWO = [swiped(), swiped(OTHER, amplitude=0.3, seed=2)]
LENGTH = max(map(len, TWO))
STEREO = [channel + array("f", bytes(4 * (LENGTH - len(channel)))) for channel in TWO]


def read(data: bytes, **options) -> list[list[str | None]]:
    return texts(parse_recording(data, **options))


def aiff(body: bytes, *, rate=RATE, channels=1, bits=16, compression=b"", offset=0) -> bytes:
    exponent = math.frexp(rate)[1] - 1
    mantissa = int(rate * 2.0 ** (63 - exponent))
    frames = len(body) // (channels * -(-bits // 8))
    layout = struct.pack(">HIHHQ", channels, frames, bits, exponent + 16383, mantissa) + compression
    body = struct.pack(">II", offset, 0) + bytes(offset) + body
    chunks = b"".join(
        kind + struct.pack(">I", len(chunk)) + chunk + bytes(len(chunk) % 2)
        for kind, chunk in ((b"NAME", b"odd"), (b"COMM", layout), (b"SSND", body))
    )
    kind = b"AIFC" if compression else b"AIFF"
    return b"FORM" + struct.pack(">I", 4 + len(chunks)) + kind + chunks


# Without a header


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_is_read_without_a_header(encoding):
    data = samples.pack([SWIPE], ENCODINGS[encoding])
    assert read(data, layout=SampleFormat(RATE, encoding)) == [[TRACK2]]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("channel", [1, 2])
def test_a_channel_of_every_encoding_is_chosen(encoding, channel):
    data = samples.pack(STEREO, ENCODINGS[encoding])
    layout = SampleFormat(RATE, encoding, 2)
    assert read(data, layout=layout, channel=channel) == [[[TRACK2, OTHER][channel - 1]]]


@pytest.mark.parametrize("rate", [8_000, 22_050.5, 192_000])
def test_any_rate_of_the_core_is_read(rate):
    data = samples.pack([swiped(rate=rate, jitter=0.01)], ENCODINGS["s16le"])
    assert read(data, layout=SampleFormat(rate)) == [[TRACK2]]


@settings(max_examples=60)
@given(
    st.sampled_from(list(ENCODINGS)),
    st.integers(1, 8).flatmap(
        lambda count: st.lists(
            st.lists(st.floats(-1.0, 1.0, width=32), min_size=count, max_size=count), max_size=8
        )
    ),
)
def test_packed_samples_come_back_at_their_scale(encoding, frames):
    code = ENCODINGS[encoding]
    channels = [list(channel) for channel in zip(*frames, strict=True)] or [[]]
    data = samples.pack(channels, code)
    assert len(data) == len(frames) * len(channels) * code.width
    steps = (
        1.0 if code.code in "fd" else code.full_scale * 2.0 ** (8 * (array(code.code).itemsize - code.width))
    )
    middle = 128 if code.code == "B" else 0
    for number, channel in enumerate(channels):
        found = [(value - middle) / steps for value in samples.unpack(data, code, len(channels), number)]
        assert found == pytest.approx(channel, abs=0.5001 / code.full_scale if steps > 1.0 else 1e-12)


def test_packing_clips_what_is_over_full_scale():
    assert samples.pack([[-9.0, 9.0]], ENCODINGS["s16be"]).hex() == "80017fff"
    assert samples.pack([[-9.0, 9.0]], ENCODINGS["u8"]).hex() == "01ff"
    assert samples.pack([[0.5], [-0.5]], ENCODINGS["s24le"]).hex() == "000040" + "0000c0"


def test_channels_of_different_lengths_are_not_packed():
    with pytest.raises(ValueError, match=r"^channels: "):
        samples.pack([[0.0], []], ENCODINGS["u8"])


@pytest.mark.parametrize(
    ("layout", "channel", "reason"),
    [
        (SampleFormat(7_999), 0, "sample rate 7999 Hz"),
        (SampleFormat(2_000_000), 0, "sample rate 2000000 Hz"),
        (SampleFormat(float("nan")), 0, "sample rate nan Hz"),
        (SampleFormat(RATE, "s12le"), 0, "sample encoding is none of u8, s8, s16le"),
        (SampleFormat(RATE, channels=0), 0, "0 channels; 1 to 8"),
        (SampleFormat(RATE, channels=9), 0, "9 channels; 1 to 8"),
        (SampleFormat(RATE, channels=2), 3, "no channel 3; it has 2"),
        (SampleFormat(RATE), -1, "no channel -1; it has 1"),
    ],
)
def test_a_layout_that_cannot_be_says_why(layout, channel, reason):
    with pytest.raises(RecordingError, match=f"^take.raw: {reason}"):
        parse_recording(bytes(1000), "take.raw", layout=layout, channel=channel)


def test_too_many_samples_are_refused(monkeypatch):
    monkeypatch.setattr(bounds, "MAX_SAMPLES", 100)
    with pytest.raises(RecordingError, match="more than 100 samples"):
        parse_recording(bytes(404), layout=SampleFormat(RATE, channels=2))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e31, -1e31])
@pytest.mark.parametrize("encoding", ["f32le", "f64be"])
def test_floats_that_are_no_numbers_are_refused(encoding, value):
    code = ENCODINGS[encoding]
    data = struct.pack(f"{'>' if code.big_endian else '<'}{code.code}", value)
    data = samples.pack([SWIPE], code) + data
    with pytest.raises(RecordingError, match="samples are no numbers, or too large"):
        parse_recording(data, layout=SampleFormat(RATE, encoding))


@pytest.mark.parametrize("frames", [1, 2, 3, 100_000])
@pytest.mark.parametrize("level", [0.0, 0.7, -1.0])
@pytest.mark.parametrize("encoding", ["u8", "s24be", "f32le"])
def test_silence_and_a_level_alone_are_no_swipe(frames, level, encoding):
    data = samples.pack([[level] * frames], ENCODINGS[encoding])
    with pytest.raises(RecordingError, match="no swipe in it"):
        parse_recording(data, layout=SampleFormat(RATE, encoding))


def test_bytes_of_half_a_frame_are_left_off():
    data = samples.pack(STEREO, ENCODINGS["s24le"])
    assert read(data + b"\x55" * 5, layout=SampleFormat(RATE, "s24le", 2)) == [[TRACK2, OTHER]]
    with pytest.raises(RecordingError, match="no swipe"):
        parse_recording(b"\x55" * 5, layout=SampleFormat(RATE, "s24le", 2))


# Channels


def test_tracks_1_and_2_side_by_side_are_one_swipe():
    second = swiped(TRACK2, seed=3)
    seconds = len(second) / RATE - 2 * 0.02
    first = swiped(TRACK1, speed=synthesis.Speed([seconds / len(characters.encode(TRACK1, 24))]), seed=4)
    length = max(len(first), len(second))
    channels = [one + array("f", bytes(4 * (length - len(one)))) for one in (first, second)]
    (swipe,) = parse_recording(wav.build(channels, RATE))
    assert texts([swipe]) == [[TRACK1, TRACK2]]
    (swipe,) = parse_recording(wav.build(channels, RATE), channel=2)
    assert texts([swipe]) == [[TRACK2]]


def test_eight_channels_of_which_one_has_a_swipe():
    quiet = array("f", bytes(4 * len(SWIPE)))
    hum = array("f", (0.3 * math.sin(2 * math.pi * 50 * k / RATE) for k in range(len(SWIPE))))
    level = array("f", [0.8] * len(SWIPE))
    data = wav.build([quiet, hum, level, quiet, SWIPE, quiet, level, quiet], RATE, "s24le")
    assert read(data, channel=5) == [[TRACK2]]
    assert [TRACK2] in read(data)


def test_a_long_burst_on_two_channels_is_one_swipe():
    """More bits than a track may have: what reads a track takes the first of them."""
    wave_ = array("f", [0.0, 0.3, 0.5, 0.3, 0.0, -0.3, -0.5, -0.3] * (bounds.MAX_BITS * 5 // 8))
    swipes = parse_recording(wav.build([wave_, wave_], RATE))
    assert len(swipes) == 1


# WAV


@pytest.mark.parametrize("encoding", ["u8", "s16le", "s24le", "s32le", "f32le", "f64le"])
@pytest.mark.parametrize("count", [1, 2])
def test_a_wav_that_was_built_is_read(encoding, count):
    data = wav.build(STEREO[:count], RATE, encoding)
    assert read(data) == [[TRACK2, OTHER][:count]]
    assert read(data, channel=count) == [[[TRACK2, OTHER][count - 1]]]


@pytest.mark.parametrize(("encoding", "width"), [("u8", 1), ("s16le", 2), ("s24le", 3), ("s32le", 4)])
def test_the_standard_library_reads_what_was_built(tmp_path, encoding, width):
    path = tmp_path / "swipe.wav"
    path.write_bytes(wav.build(STEREO, RATE, encoding))
    with wave.open(str(path)) as file:
        layout = (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes())
        assert layout == (2, width, RATE, LENGTH)
        assert file.readframes(LENGTH) == samples.pack(STEREO, ENCODINGS[encoding])


@pytest.mark.parametrize("encoding", ["s8", "s16be", "f32be", "mp3"])
def test_a_wav_of_another_encoding_is_not_built(encoding):
    with pytest.raises(ValueError, match=r"^encoding: "):
        wav.build([SWIPE], RATE, encoding)


def chunk(kind: bytes, body: bytes, order="<", pad=True) -> bytes:
    return kind + struct.pack(f"{order}I", len(body)) + body + bytes(len(body) % 2 if pad else 0)


def header(bits: int, frame: int, order="<", tag=1, channels=1) -> bytes:
    return chunk(
        b"fmt ", struct.pack(f"{order}HHIIHH", tag, channels, RATE, RATE * frame, frame, bits), order
    )


def wave_file(*chunks: bytes, kind=b"RIFF", order="<") -> bytes:
    return kind + struct.pack(f"{order}I", 4 + sum(map(len, chunks))) + b"WAVE" + b"".join(chunks)


@pytest.mark.parametrize("encoding", ["u8", "s16be", "s24be", "s32be", "f32be", "f64be"])
def test_a_big_endian_wav_is_read(encoding):
    code = ENCODINGS[encoding]
    layout = header(8 * code.width, code.width, ">", 3 if code.code in "fd" else 1)
    body = chunk(b"data", samples.pack([SWIPE], code), ">")
    assert read(wave_file(chunk(b"LIST", b"odd", ">"), layout, body, kind=b"RIFX", order=">")) == [[TRACK2]]


@pytest.mark.parametrize("kind", [b"RF64", b"BW64"])
@pytest.mark.parametrize("after", [b"", chunk(b"LIST", bytes(range(200)) * 50)])
def test_a_wav_with_64_bit_sizes_is_read(kind, after):
    body = samples.pack([SWIPE], ENCODINGS["s16le"])
    sizes = chunk(b"ds64", struct.pack("<QQQI", 0, len(body), len(SWIPE), 0))
    data = b"data" + struct.pack("<I", 0xFFFFFFFF) + body
    (swipe,) = parse_recording(wave_file(sizes, header(16, 2), data, after, kind=kind))
    assert texts([swipe]) == [[TRACK2]]


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFF0])
def test_a_wav_whose_writer_knew_no_length_is_read(size):
    body = samples.pack([SWIPE], ENCODINGS["s16le"])
    assert read(wave_file(header(16, 2), b"data" + struct.pack("<I", size) + body)) == [[TRACK2]]


@pytest.mark.parametrize("pad", [True, False])
def test_a_chunk_of_odd_size_may_lack_its_padding(pad):
    body = chunk(b"data", samples.pack([SWIPE], ENCODINGS["s16le"]))
    assert read(wave_file(chunk(b"bext", b"abc", pad=pad), header(16, 2), body)) == [[TRACK2]]


@pytest.mark.parametrize(
    ("bits", "frame", "encoding"),
    [
        (20, 3, "s24le"),
        (12, 2, "s16le"),
        (24, 4, "s32le"),
        (16, 4, "s16le"),  # a frame size that is wrong
        (16, 0, "s16le"),
        (24, 0, "s24le"),
    ],
)
def test_bits_in_wider_samples_are_read(bits, frame, encoding):
    body = chunk(b"data", samples.pack([SWIPE], ENCODINGS[encoding]))
    assert read(wave_file(header(bits, frame), body)) == [[TRACK2]]


@pytest.mark.parametrize(("tag", "encoding"), [(1, "s24le"), (3, "f32le")])
def test_an_extensible_wav_is_read(tag, encoding):
    code = ENCODINGS[encoding]
    extra = struct.pack("<HHIH14x", 22, 8 * code.width - 4 * (tag == 1), 0, tag)
    body = samples.pack([SWIPE], code)
    assert read(riff(body, tag=0xFFFE, width=8 * code.width, extra=extra)) == [[TRACK2]]


@pytest.mark.parametrize("length", [44, 45, 46, 100])
def test_of_a_wav_cut_off_early_no_swipe_is_left(length):
    data = riff(samples.pack([SWIPE], ENCODINGS["s16le"]))
    with pytest.raises(RecordingError, match=r"^cut\.wav: "):
        parse_recording(data[:length], "cut.wav")


# AIFF


@pytest.mark.parametrize(
    ("encoding", "compression", "bits"),
    [
        ("s8", b"", 8),
        ("s16be", b"", 16),
        ("s24be", b"", 24),
        ("s24be", b"", 20),
        ("s32be", b"", 32),
        ("s16be", b"NONE\0\0", 16),
        ("s16le", b"sowt\0\0", 16),
        ("s24be", b"in24\0\0", 24),
        ("f32be", b"fl32\0\0", 32),
        ("f64be", b"FL64\0\0", 64),
        ("u8", b"raw \0\0", 8),
    ],
)
def test_an_aiff_is_read(encoding, compression, bits):
    body = samples.pack(STEREO, ENCODINGS[encoding])
    data = aiff(body, channels=2, bits=bits, compression=compression, offset=4)
    assert read(data) == [[TRACK2, OTHER]]
    assert read(data, channel=2) == [[OTHER]]


@pytest.mark.parametrize("rate", [8_000, 44_100, 96_000])
def test_the_rate_of_an_aiff_is_read(rate):
    (swipe,) = parse_recording(
        aiff(samples.pack([swiped(rate=rate, jitter=0.01)], ENCODINGS["s16be"]), rate=rate)
    )
    assert swipe.tracks[0].sample_rate == rate
    assert texts([swipe]) == [[TRACK2]]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (aiff(bytes(100), compression=b"ima4\0\0"), "16 bits in this compression"),
        (aiff(bytes(100), bits=40), "40 bits"),
        (aiff(bytes(100), channels=9), "9 channels"),
        (aiff(bytes(100), rate=100), "sample rate 100 Hz"),
        (aiff(b""), "without its format or samples"),
        (b"FORM\0\0\0\x04AIFF", "without its format or samples"),
        (b"FORM\0\0\0\x04AIFFCOMM\0\0\0\x02\0\0", "too short"),
    ],
)
def test_an_aiff_that_cannot_be_read_says_why(data, reason):
    with pytest.raises(RecordingError, match=rf"^take\.aiff: .*{reason}"):
        parse_recording(data, "take.aiff")
