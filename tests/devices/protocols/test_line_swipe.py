"""What is printed for a swipe, taken apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swipegate.devices.protocols.line.encrypted import ID_TECH, MAGNESAFE, form_of
from swipegate.devices.protocols.line.swipe import TrackText, TwoSwipes, parse

# Published test numbers.
T1 = b"%B4111111111111111^TEST/CARD^30012010000000000000?"
T2 = b";4111111111111111=30012010000000000000?"
T3 = b"+014111111111111111==0000000000000000000?"
OTHER_T1, OTHER_T2 = T1.replace(b"4111", b"4242"), T2.replace(b"4111", b"4242")


def tracks(line: bytes, *, with_lrc: bool = False) -> dict[int, bytes]:
    swipe = parse(bytearray(line), with_lrc=with_lrc)
    assert not swipe.torn
    return {track.number: bytes(track.text) for track in swipe.tracks}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (T1 + T2 + T3 + b"\r", {1: T1, 2: T2, 3: T3}),
        (T1 + T2 + T3, {1: T1, 2: T2, 3: T3}),
        (T2 + b"\r\n", {2: T2}),
        (T1 + T3 + b"\r", {1: T1, 3: T3}),
        (b"%C^DOE$JOHN^?" + T2 + b"#!!90001?\r", {1: b"%C^DOE$JOHN^?", 2: T2, 3: b"#!!90001?"}),
        (b"@ABC123?&ABC?\r", {2: b"@ABC123?", 3: b"&ABC?"}),
        # ID TECH: a line for each track, the standard's sentinels
        (T1 + b"\r" + T2 + b"\r;" + T3[1:] + b"\r", {1: T1, 2: T2, 3: b";" + T3[1:]}),
        (T1 + b"\r" + T2 + b"\r%1ABC?\r", {1: T1, 2: T2, 3: b"%1ABC?"}),
        (T1 + b"\r;" + b"0" * 60 + b"?\r", {1: T1, 3: b";" + b"0" * 60 + b"?"}),
        (T1 + b"\r!CA1?\r", {1: T1, 3: b"!CA1?"}),
        # MagTek port-powered: framing and a sensor digit, that of the insertion before
        (b"\x02\x1b" + T1 + T2 + b"0\r\x03", {1: T1, 2: T2}),
        (b"1" + T1 + T2 + b"0", {1: T1, 2: T2}),
        (b"%E?;E?11", {1: b"%E?", 2: b";E?"}),
        # a preamble
        (b"READER 7: " + T2 + b"\r", {2: T2}),
        # end sentinel lost
        (T1[:-1] + T2 + b"\r", {1: T1[:-1], 2: T2}),
        (T2[:-1] + T3 + b"\r", {2: T2[:-1], 3: T3}),
        (T1[:-1] + b"\r" + T2 + b"\r", {1: T1[:-1], 2: T2}),
        (T1 + T2[:9], {1: T1, 2: T2[:9]}),
        # a track 1 of its own making may hold what looks like another track
        (b"%LIB;1234=5?" + T2 + b"\r", {1: b"%LIB;1234=5?", 2: T2}),
        # nothing of a swipe
        (b"", {}),
        (b"21088819A01", {}),
        (b"\x02\x1b1\r\x03", {}),
    ],
)
def test_tracks_of_a_line(line: bytes, expected: dict[int, bytes]) -> None:
    assert tracks(line) == expected


@pytest.mark.parametrize("lrc", [b";", b"%", b"?", b"5", b" "])
@pytest.mark.parametrize("separator", [b"", b"\x10\x02", b"\r"])
def test_an_lrc_belongs_to_its_track_whatever_it_looks_like(lrc: bytes, separator: bytes) -> None:
    line = b"\x02" + T1 + lrc + separator + T2 + lrc + b"\x03"
    assert tracks(line, with_lrc=True) == {1: T1 + lrc, 2: T2 + lrc}
    swipe = parse(bytearray(line), with_lrc=True)
    assert [track.data for track in swipe.tracks] == [T1[1:-1], T2[1:-1]]


@pytest.mark.parametrize(
    ("line", "numbers"),
    [
        (T1[1:] + T2, [2]),
        (T1 + T2[1:], [1]),
        (T2[9:], []),
        (b"a preamble that is too long" + T2, [2]),
    ],
)
def test_a_text_that_lost_its_beginning_is_told(line: bytes, numbers: list[int]) -> None:
    swipe = parse(bytearray(line))
    assert swipe.torn
    assert swipe
    assert [track.number for track in swipe.tracks] == numbers


@pytest.mark.parametrize(
    "line",
    [
        T1 + T2 + b"\r" + T1 + T2 + b"\r",
        T1 + T2 + b"\r" + OTHER_T1 + OTHER_T2 + b"\r",
        T2 + b"\r" + T2 + b"\r",
        T1 + T1,
        T3 + T3,
        T2 + T1 + T2,
    ],
)
def test_two_swipes_in_one_go_are_refused(line: bytes) -> None:
    with pytest.raises(TwoSwipes):
        parse(bytearray(line))


def test_texts_are_hidden_and_wiped() -> None:
    swipe = parse(bytearray(T1 + T2))
    held = [track.text for track in swipe.tracks]
    assert "4111" not in repr(swipe)
    swipe.wipe()
    assert held == [b"", b""]


def test_the_last_piece_may_be_any_piece() -> None:
    assert parse(bytearray(T2 + b"\x80")).tracks == [TrackText(2, bytearray(T2))]


@given(line=st.binary(max_size=200) | st.text("%;?+@#EB4=^\r\x02", max_size=60).map(str.encode))
def test_whatever_comes_is_taken_apart_into_texts_of_it(line: bytes) -> None:
    for with_lrc in (False, True):
        try:
            swipe = parse(bytearray(line), with_lrc=with_lrc)
        except TwoSwipes:
            continue
        assert [track.number for track in swipe.tracks] == sorted({track.number for track in swipe.tracks})
        assert all(bytes(track.text) in line for track in swipe.tracks)


# The shapes of the manuals, with invented data.
SECURE_MAG = bytes.fromhex("027d0100371f482500") + bytes(range(256)) + b"\x39\x9f\x03"


@pytest.mark.parametrize(
    ("burst", "form"),
    [
        (b"%B4111000000001111^TEST/CARD^3001?;4111000000001111=3001?|0600|ABCD|EF01||", MAGNESAFE),
        (b"%E?;E?|0600||||\r", MAGNESAFE),
        (SECURE_MAG, ID_TECH),
        (SECURE_MAG[:3] + b"\x80" + SECURE_MAG[4:], ID_TECH),
        (b"\x02" + T1 + T2 + b"\x03", ""),
        (b"\x021\x03\x02" + T2 + b"0\x03", ""),
        (T1 + T2 + b"|0600", ""),
        (b"\x02", ""),
    ],
)
def test_encrypted_forms_are_known_by_name(burst: bytes, form: str) -> None:
    assert form_of(burst) == form
