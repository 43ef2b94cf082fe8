"""Answers of MSR605 readers in files: bytes, hexadecimal digits, JSON."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swipegate import core
from swipegate.core import symbols
from swipegate.core.recordings import RecordingError, bounds, msr, parse_recording
from swipegate.v1 import track_pb2 as pb
from tests.core.test_recordings import texts

# MSR605 programmer's manual, section 9: what a raw read gives for %ABC123? and ;12345?
RAW1, RAW2 = bytes.fromhex("A30D1E28A9727C54"), bytes.fromhex("D4119257F5")
RAW = bytes.fromhex("1B73 1B01 08 A30D1E28A9727C54 1B02 05 D4119257F5 1B03 00 3F1C 1B30")
ISO = b"\x1bs\x1b\x01%ABC123?\x1b\x02;12345?\x1b\x03\x1b+?\x1c\x1b0"


def numbers(swipes) -> list[list[int]]:
    return [[track.number for track in swipe.tracks] for swipe in swipes]


@pytest.mark.parametrize("end", [b"\x1b0", b"", b"\0\xc2\x1b0", b"\x1b1stale"])
def test_a_raw_answer_is_read(end):
    swipes = parse_recording(RAW[:-2] + end)
    assert texts(swipes) == [["%ABC123?", ";12345?"]]
    assert numbers(swipes) == [[1, 2]]


def test_answers_one_after_another_are_swipes():
    swipes = parse_recording(RAW + msr.build({3: symbols.encode(";1=2?", 5, 20, 20)}) + b"\n" + RAW)
    assert numbers(swipes) == [[1, 2], [3], [1, 2]]


def test_the_payload_is_taken_by_its_length():
    """Case raw_read_esc_in_payload of the msr-py tests: it holds `1B 01`; here also the start and end of a block."""
    payload = bytes.fromhex("1B01 1B731B01 3F1C 1B30")
    data = b"\x1bs\x1b\x01" + bytes([len(payload)]) + payload + bytes.fromhex("1B0200 1B0300 3F1C 1B30")
    (swipe,) = parse_recording(data)
    assert [symbols.pack(track.bits) for track in swipe.tracks] == [payload]


@pytest.mark.parametrize(
    "text",
    [
        RAW.hex(),
        RAW.hex(" ").upper(),
        RAW.hex(":"),
        "\ufeff" + ", ".join(f"0x{octet:02X}" for octet in RAW),
        "".join(f"\\x{octet:02x}" for octet in RAW),
        "\r\n".join(RAW.hex()[k : k + 32] for k in range(0, len(RAW.hex()), 32)),
    ],
)
def test_an_answer_in_hexadecimal_digits_is_read(text):
    assert texts(parse_recording(text.encode())) == [["%ABC123?", ";12345?"]]


def test_an_iso_answer_is_read():
    swipes = parse_recording(ISO)
    assert texts(swipes) == [["%ABC123?", ";12345?"]]
    assert numbers(swipes) == [[1, 2]]


def test_an_empty_field_of_an_iso_answer_is_no_track():
    """As the programmer's manual shows it; real units send 1B 2B."""
    assert texts(parse_recording(b"\x1bs\x1b\x01\x1b\x02;12345?\x1b\x03?\x1c\x1b0")) == [[";12345?"]]


def test_a_track_that_the_reader_could_not_read_says_so():
    (swipe,) = parse_recording(b"\x1bs\x1b\x01\x1b*\x1b\x02\x1b*\x1b\x03\x1b*?\x1c\x1b0")
    for track in swipe.tracks:
        message = pb.Swipe(tracks=[pb.RawTrack(number=track.number, text=track.text.encode())])
        (decoded,) = core.decode(message).tracks
        assert decoded.errors == [pb.TRACK_ERROR_NOT_READ]
        assert decoded.number == track.number


@pytest.mark.parametrize(
    "document",
    [
        # Doridian/libMSRx05 msr.py: --read keeps bytes as characters, --iso-read texts
        {"track1": RAW1.decode("latin-1"), "track2": RAW2.decode("latin-1"), "track3": ""},
        {"iso_track1": "%ABC123?", "iso_track2": ";12345?", "iso_track3": ""},
        # deathzombee/msr-py msr.py: texts, and since version 2 raw fields in digits
        {"track1": "%ABC123?", "track2": ";12345?", "track3": None},
        {
            "schema": "msr-py.capture",
            "version": 2,
            "track2": ";99?",
            "raw": {
                "representation": "msrx6-raw-read-v1",
                "tracks": {"track1": RAW1.hex(), "track2": RAW2.hex()},
            },
        },
    ],
)
def test_an_answer_in_json_is_read(document):
    swipes = parse_recording(json.dumps(document, indent=4).encode())
    assert texts(swipes) == [["%ABC123?", ";12345?"]]
    assert numbers(swipes) == [[1, 2]]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"track1": 1}, "track1: a string"),
        ({"track2": "\u20ac"}, "track2: characters that are bytes"),
        ({"iso_track2": "\ud800"}, "iso_track2: characters that are bytes"),
        ({"iso_track3": "1" * 1025}, "iso_track3: a string of at most 1024"),
        ({"raw": {"tracks": {"track1": "4"}}}, r"raw\.tracks\.track1: pairs"),
        ({"raw": {"tracks": {"track3": [1]}}}, r"raw\.tracks\.track3: pairs"),
        ({"raw": {"tracks": {"track3": "00" * 1025}}}, r"raw\.tracks\.track3: pairs"),
        ({"raw": {"tracks": {}}}, "no swipe"),
        ({}, "no swipe"),
    ],
)
def test_json_that_is_no_answer_names_its_field(document, reason):
    with pytest.raises(RecordingError, match=f"^card.json: {reason}"):
        parse_recording(json.dumps(document).encode(), "card.json")


@pytest.mark.parametrize("length", range(4, len(RAW) - 3))
def test_an_answer_cut_off_is_refused(length):
    with pytest.raises(RecordingError, match=r"^card\.msr: MSR answer 1 is damaged or cut off"):
        parse_recording(RAW[:length], "card.msr")


@pytest.mark.parametrize("text", ["1b731b01f", "1b731b01 xy", "0x1b 0x73 0x1b 0x01 0x"])
def test_digits_that_are_no_pairs_are_refused(text):
    with pytest.raises(RecordingError, match="MSR answer"):
        parse_recording(text.encode())


def test_an_answer_without_tracks_is_no_swipe():
    with pytest.raises(RecordingError, match="no swipe"):
        parse_recording(bytes.fromhex("1B73 1B0100 1B0200 1B0300 3F1C 1B30"))


def test_more_answers_than_swipes_are_refused(monkeypatch):
    monkeypatch.setattr(bounds, "MAX_SWIPES", 2)
    assert len(parse_recording(RAW * 2)) == 2
    with pytest.raises(RecordingError, match="more than 2 MSR answers"):
        parse_recording(RAW * 3)


@settings(max_examples=40)
@given(
    st.dictionaries(
        st.integers(1, 3),
        st.lists(st.integers(0, 1), min_size=1, max_size=2040).map(bytes),
        min_size=1,
    )
)
def test_a_built_answer_is_read(tracks):
    (swipe,) = parse_recording(msr.build(tracks))
    found = {track.number: track.bits for track in swipe.tracks}
    padded = {number: bits + bytes(-len(bits) % 8) for number, bits in tracks.items()}
    assert found == padded


@pytest.mark.parametrize("tracks", [{0: b"\1"}, {4: b"\1"}, {2: bytes(2041)}])
def test_what_no_answer_holds_is_not_built(tracks):
    with pytest.raises(ValueError, match="track"):
        msr.build(tracks)
