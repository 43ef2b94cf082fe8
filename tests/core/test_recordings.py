"""Recordings: every kind of file, made here, and files that are none."""

import contextlib
import io
import json
import random
import struct
import wave
import zipfile
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swipegate.core import recordings, synthesis
from swipegate.core.recordings import (
    RecordingError,
    bit_texts,
    intervals,
    msr,
    parse_recording,
    read_recording,
    track_texts,
    wav,
)
from tests.core import characters
from tests.core.test_flux import RATE, TRACK1, TRACK2, lines, swiped

BITS = "".join(map(str, characters.encode(TRACK2)))


def riff(body: bytes, *, tag=1, channels=1, rate=RATE, width=16, extra=b"") -> bytes:
    frame = channels * width // 8
    layout = struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, width) + extra
    chunks = b"LIST" + struct.pack("<I", 3) + b"odd\0"
    chunks += (
        b"fmt " + struct.pack("<I", len(layout)) + layout + b"data" + struct.pack("<I", len(body)) + body
    )
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def pcm(samples, width: int) -> bytes:
    if width == 8:
        return bytes(int(128 + 127 * value) for value in samples)
    return b"".join(
        int(value * (2 ** (width - 1) - 1)).to_bytes(width // 8, "little", signed=True) for value in samples
    )


def interleave(*channels) -> "array[float]":
    length = max(map(len, channels))
    padded = [[*channel, *([0.0] * (length - len(channel)))] for channel in channels]
    return array("f", (value for frame in zip(*padded, strict=True) for value in frame))


def texts(swipes) -> list[list[str | None]]:
    return [
        [track.text or characters.first(track.candidates()) for track in swipe.tracks] for swipe in swipes
    ]


def sigrok(logic: bytes, *, rate="10 kHz", probes=("D0", "D1"), parts=1, **settings_) -> bytes:
    file = io.BytesIO()
    size = -(-len(logic) // parts)
    lines_ = [f"probe{k + 1}={name}" for k, name in enumerate(probes)]
    values = {"capturefile": "logic-1", "samplerate": rate, "unitsize": "1", **settings_}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("version", "2")
        body = "\n".join([*(f"{key}={value}" for key, value in values.items()), *lines_])
        archive.writestr("metadata", f"[global]\nsigrok version=0.6\n\n[device 1]\n{body}\n")
        for part in reversed(range(parts)):
            archive.writestr(f"logic-1-{part + 1}", logic[part * size : (part + 1) * size])
    return file.getvalue()


def flux_image(intervals, level=0x20) -> bytes:
    place, records, now = 2.0, b"", level
    records += struct.pack("<If", now, place)
    for interval in intervals:
        place, now = place + interval, now ^ level
        records += struct.pack("<If", now, place)
    return struct.pack("<I", len(records) // 8) + records


# WAV


@pytest.mark.parametrize("width", [8, 16, 24, 32])
def test_every_width_of_a_wav_is_read(width):
    data = riff(pcm(swiped(), width), width=width)
    assert texts(parse_recording(data)) == [[TRACK2]]


def test_a_wav_of_floats_is_read():
    assert texts(parse_recording(riff(swiped().tobytes(), tag=3, width=32))) == [[TRACK2]]


def test_a_wav_of_double_floats_is_read():
    assert texts(parse_recording(riff(array("d", swiped()).tobytes(), tag=3, width=64))) == [[TRACK2]]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e38])
def test_float_samples_that_are_no_numbers_are_refused(value):
    data = riff((swiped() + array("f", [value])).tobytes(), tag=3, width=32)
    with pytest.raises(RecordingError, match="no numbers, or too large"):
        parse_recording(data)


def test_a_burst_is_cut_to_what_a_message_holds(monkeypatch):
    monkeypatch.setattr(recordings.bounds, "MAX_BURST_SAMPLES", 10_000)
    (swipe,) = parse_recording(riff(pcm(swiped(), 16)))
    assert len(swipe.tracks[0].samples) == 10_000


def test_an_extensible_wav_is_read():
    extra = struct.pack("<HHIH14x", 22, 16, 0, 1)
    assert texts(parse_recording(riff(pcm(swiped(), 16), tag=0xFFFE, extra=extra))) == [[TRACK2]]


def test_a_wav_of_the_standard_library_is_read(tmp_path):
    path = tmp_path / "swipe.dat"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pcm(swiped(), 16))
    (swipe,) = read_recording(path)
    assert swipe.start == pytest.approx(0.02, abs=0.005)
    assert texts([swipe]) == [[TRACK2]]


def test_a_wav_cut_off_in_its_data_is_read():
    data = riff(pcm([*swiped(), *[0.0] * 1000], 16))
    assert texts(parse_recording(data[:-1001])) == [[TRACK2]]


def test_channels_with_different_tracks_of_one_swipe_are_one_swipe():
    first = swiped(TRACK1, rate=RATE, seed=1)
    bits = len(characters.encode(TRACK2, 24))
    speed = synthesis.Speed([0.58 / bits])
    second = swiped(TRACK2, rate=RATE, speed=speed)
    assert abs(len(first) - len(second)) < 0.4 * len(first)
    (swipe,) = parse_recording(riff(interleave(first, second).tobytes(), tag=3, width=32, channels=2))
    assert texts([swipe]) == [[TRACK1, TRACK2]]


def test_a_channel_that_copies_another_is_one_track():
    samples = swiped()
    data = riff(interleave(samples, samples).tobytes(), tag=3, width=32, channels=2)
    assert texts(parse_recording(data)) == [[TRACK2]]


def test_a_noisy_copy_of_a_channel_is_no_second_track():
    noise = random.Random(0)
    samples = swiped()
    copy = [-0.7 * value + noise.gauss(0.0, 0.03) for value in samples]
    data = riff(interleave(samples, copy).tobytes(), tag=3, width=32, channels=2)
    assert texts(parse_recording(data)) == [[TRACK2]]


def test_a_burst_of_noise_before_a_swipe_is_none():
    noise = random.Random(10)
    pause = array("f", (noise.gauss(0.0, 0.001) for _ in range(RATE // 2)))
    before = array("f", (noise.gauss(0.0, 0.02) for _ in range(RATE)))
    samples = pause + before + pause + swiped() + pause + swiped(amplitude=0.2, seed=2) + pause
    found = parse_recording(riff(samples.tobytes(), tag=3, width=32))
    assert texts(found) == [[TRACK2], [TRACK2]]


def test_a_silent_channel_is_passed_over():
    samples = swiped()
    data = riff(interleave([0.0] * len(samples), samples).tobytes(), tag=3, width=32, channels=2)
    assert texts(parse_recording(data)) == [[TRACK2]]


def test_swipes_one_after_another_are_swipes_of_their_own():
    samples = swiped() + array("f", [0.0] * RATE) + swiped(";98949188?")
    found = parse_recording(riff(pcm(samples, 16)))
    assert texts(found) == [[TRACK2], [";98949188?"]]
    assert found[0].end < found[1].start


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (riff(b"\0\0" * 50_000), "no swipe"),
        (riff(b"", width=12), "12 bits"),
        (riff(b"", tag=85), "format 85"),
        (riff(b"", channels=0), "0 channels"),
        (riff(b"", channels=9), "9 channels"),
        (riff(b"", rate=4000), "4000 Hz"),
        (b"RIFF\x04\0\0\0WAVE", "without a data chunk"),
        (b"RIFF\x04\0\0\0WAVEfmt \x02\0\0\0\x01\0", "too short"),
        (b"RIFF\x04\0\0\0WAVEdata\x02\0\0\0\x01\0", "before its format"),
    ],
)
def test_a_wav_that_cannot_be_read_says_why(data, reason):
    with pytest.raises(RecordingError, match=rf"^take\.wav: .*{reason}"):
        parse_recording(data, "take.wav")


def test_pcm16_keeps_the_swipe():
    (swipe,) = parse_recording(riff(swiped().tobytes(), tag=3, width=32))
    packed = swipe.tracks[0].pcm16()
    assert len(packed) == 2 * len(swipe.tracks[0].samples)
    assert texts(parse_recording(riff(packed))) == [[TRACK2]]


def test_pcm16_keeps_a_faint_swipe_on_a_large_offset():
    faint = array("f", (0.5 + 1e-4 * value for value in swiped()))
    (swipe,) = parse_recording(riff(faint.tobytes(), tag=3, width=32))
    assert texts(parse_recording(riff(swipe.tracks[0].pcm16()))) == [[TRACK2]]


# Captures, flux images, texts, vectors


@pytest.mark.parametrize("parts", [1, 3, 12])
def test_a_sigrok_capture_is_read(parts):
    found = parse_recording(sigrok(lines([BITS, BITS[::-1]]), parts=parts))
    assert texts(found) == [[TRACK2], [TRACK2]]
    assert found[0].start == pytest.approx(0.0405)


def test_the_lines_of_a_capture_go_by_their_names():
    logic = bytes({0: 0, 1: 2, 2: 1, 3: 3}[value] for value in lines([BITS]))
    assert texts(parse_recording(sigrok(logic, probes=("CLK", "DATA")))) == [[TRACK2]]


@pytest.mark.parametrize("place", [0, 5, 8, 15])
def test_a_capture_of_many_lines_is_read(place):
    probes = [f"D{k}" for k in range(16)]
    probes[place], probes[15 - place] = "clock", "Data out"
    logic = bytearray()
    for value in lines([BITS]):
        logic += ((value >> 1) << place | (value & 1) << (15 - place)).to_bytes(2, "little")
    assert texts(parse_recording(sigrok(bytes(logic), probes=probes, unitsize="2"))) == [[TRACK2]]


@pytest.mark.parametrize("probes", [("x", "CLK"), ("DATA", "x"), ("D0", "x")])
def test_of_two_lines_one_name_is_enough(probes):
    assert texts(parse_recording(sigrok(lines([BITS]), probes=probes))) == [[TRACK2]]


@pytest.mark.parametrize(
    ("settings_", "reason"),
    [
        ({"rate": "fast"}, "samplerate"),
        ({"rate": "0 Hz"}, "samplerate"),
        ({"unitsize": "3"}, "unitsize"),
        ({"probes": ("D5", "D6")}, "clock line"),
        ({"capturefile": "analog"}, "without logic"),
    ],
)
def test_a_capture_that_cannot_be_read_says_why(settings_, reason):
    with pytest.raises(RecordingError, match=reason):
        parse_recording(sigrok(lines([BITS]), **settings_))


def test_a_capture_that_unpacks_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(recordings.bounds, "MAX_FILE_BYTES", 100_000)
    with pytest.raises(RecordingError, match="larger than"):
        parse_recording(sigrok(bytes(200_000)))


def test_a_sigrok_directory_that_points_before_the_file_is_refused() -> None:
    damaged = bytearray(sigrok(lines([BITS])))
    place = slice(-6, -2)  # where the end record of a zip says that its directory begins
    damaged[place] = (int.from_bytes(damaged[place], "little") + 100).to_bytes(4, "little")
    with pytest.raises(RecordingError, match="damaged"):
        parse_recording(bytes(damaged))


@pytest.mark.parametrize(("level", "number"), [(0x10, 1), (0x20, 2), (0x40, 3)])
def test_a_flux_image_is_read(level, number):
    intervals = synthesis.intervals_from_bits(characters.encode(TRACK2), 4.2, cell_jitter=0.02)
    (swipe,) = parse_recording(flux_image(intervals, level))
    assert swipe.tracks[0].number == number
    assert texts([swipe]) == [[TRACK2]]


def test_a_flux_image_that_runs_back_is_refused():
    with pytest.raises(RecordingError, match="do not ascend"):
        parse_recording(flux_image([1.0, -2.0, 1.0]))


def test_bit_text_is_read_line_by_line():
    text = f"{BITS}\r\n{BITS[::-1]}\r\n\r\n{BITS}\n"
    assert texts(parse_recording(text.encode())) == [[TRACK2, TRACK2], [TRACK2]]


@pytest.mark.parametrize(
    ("text", "tracks"),
    [
        (
            "Filetype: Flipper Mag device\nVersion: 1\nTrack 1: %A?\nTrack 2: ;1=2?\nTrack 3: \n",
            [(1, "%A?"), (2, ";1=2?")],
        ),
        ('Filetype: Flipper Mag device\nVersion: 1\nData: "%A?;1=2?"\n', [(0, "%A?;1=2?")]),
        ('Data:";1=2?"\r\n', [(0, ";1=2?")]),
        # deathzombee/msr-py tests/test_convert_mag.py: the legacy file has its tracks in one pair of quotes
        ('Data:"%A?\r\n;1=2?"\r\n\r\n', [(0, "%A?\r\n;1=2?")]),
        ("Data: %A?\n;1=2?\nOther: 1\n", [(0, "%A?\n;1=2?")]),
        ('Data:"%A"B?"\n', [(0, '%A"B?')]),
        ("track 1:\r\nTRACK 2: ;1=2?\r\nTrack 3:", [(2, ";1=2?")]),
        # zacharyweiss/magspoof_flipper magspoof_device.c: the first version of its application
        ("Filetype: Flipper Magspoof device\nVersion: 1\nData: %A?;1=2?\n", [(0, "%A?;1=2?")]),
        ("# Track 1: none\nTrack 3: ;1=2?\n", [(3, ";1=2?")]),
    ],
)
def test_track_text_is_read(text, tracks):
    (swipe,) = parse_recording(text.encode())
    assert [(track.number, track.text) for track in swipe.tracks] == tracks


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_track_text_of_windows_tools_is_read(encoding):
    """PowerShell 5 writes UTF-16 with its mark."""
    mark = "" if encoding in ("utf-16", "utf-8-sig") else "\ufeff"
    (swipe,) = parse_recording(f"{mark}Track 1: %A?\r\nTrack 2: ;1=2?\r\n".encode(encoding))
    assert [track.text for track in swipe.tracks] == ["%A?", ";1=2?"]


def test_a_built_track_text_is_as_the_application_writes_it():
    head = b"Filetype: Flipper Mag device\nVersion: 1\n# Mag device track data\n"
    built = track_texts.build({1: "%A?", 3: ";1=2?"})
    assert built == head + b"Track 1: %A?\nTrack 2: \nTrack 3: ;1=2?\n"
    (swipe,) = parse_recording(built)
    assert [(track.number, track.text) for track in swipe.tracks] == [(1, "%A?"), (3, ";1=2?")]
    for tracks in ({4: "%A?"}, {1: "%A?\nTrack 2: ;1?"}):
        with pytest.raises(ValueError, match=r"^tracks: "):
            track_texts.build(tracks)


def test_a_built_bit_text_is_read():
    swipes = [[b"\1\0\1", b"\0\1"], [b"\1\1"]]
    found = parse_recording(bit_texts.build(swipes))
    assert [[track.bits for track in swipe.tracks] for swipe in found] == swipes


@pytest.mark.parametrize("order", ["msb_first", "lsb_first"])
def test_bit_vectors_are_read(order):
    padded = BITS + "0" * (-len(BITS) % 8)
    octets = [padded[k : k + 8] for k in range(0, len(padded), 8)]
    values = [int(octet if order == "msb_first" else octet[::-1], 2) for octet in octets]
    row = {"bytes": values, "bit_count": len(BITS), "bit_order": order}
    (swipe,) = parse_recording(json.dumps([row]).encode())
    assert "".join(map(str, swipe.tracks[0].bits)) == BITS


@pytest.mark.parametrize(
    "row",
    [
        1,
        {},
        {"bytes": "00"},
        {"bytes": [256]},
        {"bytes": [True]},
        {"bytes": [1], "bit_count": 9},
        {"bytes": [1], "bit_count": 0},
        {"bytes": [1], "bit_count": "8"},
        {"bytes": [1], "bit_order": "middle"},
        {"bytes": [0] * 2000},
    ],
)
def test_a_vector_that_is_none_names_its_field(row):
    with pytest.raises(RecordingError, match=r"^vectors\.json\[1\]: bytes|^vectors\.json\[1\]: bit_"):
        parse_recording(json.dumps([{"bytes": [1]}, row]).encode(), "vectors.json")


# Files that are none


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"hello", b"[", b"[" * 100_000, b"\xff\xfe", b"PK\x03\x04", b"[]", b"  \n"]
)
def test_what_is_no_recording_is_refused(data):
    with pytest.raises(RecordingError, match=r"^here: "):
        parse_recording(data, "here")


def test_a_file_that_cannot_be_opened_is_refused(tmp_path):
    with pytest.raises(RecordingError, match=r"^gone\.wav: No such file"):
        read_recording(tmp_path / "gone.wav")
    with pytest.raises(RecordingError, match="directory"):
        read_recording(tmp_path)


@pytest.mark.parametrize(
    "data",
    [
        b"1" * (recordings.MAX_BITS + 1),
        b"Track 1: " + b"A" * (recordings.MAX_TEXT + 1),
        b"Track 1: " + "\u00e7".encode() * recordings.MAX_TEXT,
        b"\n".join([b"01"] * 9),
        b"\n\n".join([b"01"] * 1001),
        b"Data: A\n" * 9,
        b"[" + b",".join([b"1"] * 1001) + b"]",
    ],
)
def test_what_is_too_much_is_refused(data):
    with pytest.raises(RecordingError, match="more than"):
        parse_recording(data)


MSR = msr.build({1: b"\1\0\1" * 30, 2: b"\1" * 9})
WHOLE = [
    riff(swiped(";98949188?", rate=8000).tobytes(), tag=3, width=32, rate=8000),
    sigrok(lines([BITS])),
    flux_image([1.0] * 40),
    b'Data: "%A?;1=2?"\n',
    json.dumps([{"bytes": [1, 2], "bit_count": 9}]).encode(),
    wav.build([swiped(";98949188?", rate=8000)] * 2, 8000, "u8").replace(b"RIFF", b"RF64"),
    MSR,
    MSR.hex(" ").encode(),
    json.dumps({"track1": "%A?", "raw": {"tracks": {"track2": "d411"}}}).encode(),
    intervals.build([{1: [0.001, 0.002] * 12, 2: [0.001]}]),
    b"\n".join(b"%d" % (k % 7) for k in range(60)),
    b"RD \0\x28" + b"\x64\x02\x64\x80" * 20 + b"RD=OK",
    BITS.encode(),
]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(WHOLE), st.data())
def test_damage_gives_swipes_or_a_recording_error(whole, data):
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for place in data.draw(st.lists(st.integers(0, max(len(damaged) - 1, 0)), max_size=8)):
        if damaged:
            damaged[place] = data.draw(st.integers(0, 255))
    try:
        for swipe in parse_recording(bytes(damaged)):
            assert 1 <= len(swipe.tracks) <= recordings.MAX_TRACKS
            for track in swipe.tracks:
                track.candidates()
    except RecordingError:
        pass


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(
        [
            b"RIFF\0\0\0\0WAVE",
            b"FORM\0\0\0\0AIFF",
            b"PK\3\4",
            b"RD ",
            b"\x1bs\x1b\1",
            b"{",
            b"[",
            b"seconds\n",
        ]
    ),
    st.binary(max_size=200),
)
def test_what_begins_like_a_recording_is_one_or_an_error(start, rest):
    with contextlib.suppress(RecordingError):
        parse_recording(start + rest)


def test_neither_errors_nor_reprs_show_track_data():
    for data in (BITS.encode(), f"Track 2: {TRACK2}".encode(), flux_image([1.0] * 40)):
        assert "4111" not in repr(parse_recording(data))
        assert BITS not in repr(parse_recording(data))
