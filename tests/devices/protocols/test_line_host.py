"""Where a swipe begins and ends, with bytes and a clock of the test's own."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swipegate.devices.errors import Reason
from swipegate.devices.protocols.line.host import (
    BURST_BYTES_MAX,
    BURST_TIME_MAX,
    Broken,
    HostEvent,
    LineHost,
    Started,
    Swiped,
    TimedOut,
)
from tests.devices.protocols.test_line_swipe import SECURE_MAG, T1, T2, T3

GAP = 0.25
LINE = T1 + T2 + T3 + b"\r"


def listening(within: float = 10.0) -> LineHost:
    host = LineHost(gap=GAP, with_lrc=False)
    assert host.listen(7, 0.0, within) == b""
    return host


def texts(event: HostEvent) -> list[bytes]:
    assert isinstance(event, Swiped)
    return [bytes(track.text) for track in event.swipe.tracks]


def test_a_pause_ends_a_swipe() -> None:
    host = listening()
    assert host.receive(LINE, 1.0) == [Started(7)]
    assert host.tick(1.0 + GAP / 2) == []
    (swiped,) = host.tick(1.0 + GAP)
    assert texts(swiped) == [T1, T2, T3]
    assert host.receive(LINE, 2.0) == []
    assert host.tick(30.0) == []


@given(cuts=st.lists(st.integers(0, len(LINE)), max_size=8))
def test_a_swipe_in_any_pieces_is_the_same(cuts: list[int]) -> None:
    host, places = listening(), [0, *sorted(cuts), len(LINE)]
    events: list[HostEvent] = []
    for number, (start, end) in enumerate(pairwise(places)):
        events += host.receive(LINE[start:end], 1.0 + number * GAP / 2)
    events += host.tick(9.0)
    assert events[0] == Started(7)
    assert texts(events[1]) == [T1, T2, T3]
    assert len(events) == 2


def test_a_swipe_after_a_pause_that_no_tick_saw_is_another() -> None:
    host = listening()
    host.receive(T2, 1.0)
    (swiped,) = host.receive(T3, 1.0 + GAP)
    assert texts(swiped) == [T2]


def test_what_began_before_is_dropped_to_its_end() -> None:
    host = listening()
    host.leave()
    assert host.receive(LINE[:30], 1.0) == []
    host.listen(8, 1.0 + GAP / 2, 10.0)
    assert host.receive(LINE[30:], 1.0 + GAP / 2) == []
    assert host.tick(1.0 + 2 * GAP) == []
    assert host.dropped == len(LINE)
    assert host.receive(LINE, 2.0) == [Started(8)]


def test_half_a_swipe_of_a_read_given_up_is_not_the_next_ones() -> None:
    host = listening()
    host.receive(LINE[:30], 1.0)
    host.listen(8, 1.0, 10.0)
    assert host.receive(LINE[30:], 1.0) == []
    assert host.tick(1.0 + GAP) == []
    assert host.receive(T2, 2.0) == [Started(8)]


@pytest.mark.parametrize("chatter", [b"21088819A01", b"\x02\x1b1\r\x03", b"\r\n", b"\xff\x00\x80", b"0"])
def test_a_readers_own_words_and_sparks_are_passed_over(chatter: bytes) -> None:
    host = listening()
    assert host.receive(chatter, 1.0) == []
    assert host.tick(1.0 + GAP) == []
    host.receive(T2, 2.0)
    assert texts(host.tick(2.0 + GAP)[0]) == [T2]


def test_no_swipe_in_time() -> None:
    host = listening(3.0)
    assert host.tick(2.9) == []
    assert host.tick(3.0) == [TimedOut(7)]
    assert host.tick(9.0) == []


def test_a_swipe_that_is_passing_at_the_end_is_taken() -> None:
    host = listening(3.0)
    host.receive(T1, 2.9)
    assert host.receive(T2, 3.05) == []
    assert texts(host.tick(3.05 + GAP)[0]) == [T1, T2]


@pytest.mark.parametrize(
    ("burst", "reason", "words"),
    [
        (SECURE_MAG, Reason.NOT_INITIALISED, "an encrypted swipe of ID TECH SecureMag"),
        (b"%E?;4111?|0600|AB||\r", Reason.NOT_INITIALISED, "an encrypted swipe of MagneSafe"),
        (bytes(range(128, 200)), Reason.DESYNC, "72 of 72 bytes are no text"),
        (bytes(byte | 0x80 for byte in LINE), Reason.DESYNC, "are no text"),
        (b"4111" * 20, Reason.DESYNC, "a line without a track"),
        (LINE + LINE, Reason.DESYNC, "more came than one swipe has"),
    ],
)
def test_what_cannot_be_used_is_told_without_its_bytes(burst: bytes, reason: Reason, words: str) -> None:
    host = listening()
    host.receive(burst, 1.0)
    (broken,) = host.tick(1.0 + GAP)
    assert isinstance(broken, Broken)
    assert broken.reason is reason
    assert words in broken.detail
    assert "4111" not in broken.detail
    host.listen(8, 2.0, 10.0)
    assert host.receive(LINE, 2.0) == [Started(8)]


def test_a_line_without_end_is_cut_at_its_bound() -> None:
    host = listening()
    events = [event for _ in range(BURST_BYTES_MAX) for event in host.receive(b"%4111", 1.0)]
    assert events == [Started(7), Broken(7, Reason.DESYNC, "over 2048 bytes without a pause")]
    host.listen(8, 1.0, 3.0)
    assert host.receive(LINE, 1.1) == []
    assert host.tick(1.1 + GAP) == []
    assert host.receive(T2, 2.0) == [Started(8)]


def test_a_line_that_dribbles_is_cut_at_its_time() -> None:
    host, now = listening(60.0), 1.0
    events: list[HostEvent] = []
    while now < 2 * BURST_TIME_MAX:
        events += host.receive(b"1", now)
        now += GAP / 2
    assert events == [Broken(7, Reason.RESPONSE_TIMEOUT, "a line that goes on for 5 s")]


def test_a_line_that_never_pauses_is_told_at_the_end_of_the_wait() -> None:
    host = LineHost(gap=GAP, with_lrc=False)
    host.receive(b"junk", 0.9)
    host.listen(7, 1.0, 1.0)
    events = [event for tenth in range(10, 31) for event in host.receive(b"junk", tenth / 10)]
    assert events == [Broken(7, Reason.DESYNC, "the line never pauses")]


def test_an_event_that_nobody_takes_is_wiped() -> None:
    host = listening()
    host.receive(LINE, 1.0)
    (swiped,) = host.tick(2.0)
    assert isinstance(swiped, Swiped)
    held = [track.text for track in swiped.swipe.tracks]
    host.discard(swiped)
    assert held == [b"", b"", b""]


@given(bursts=st.lists(st.binary(max_size=40), max_size=6), pauses=st.lists(st.floats(0, 1), min_size=6))
def test_a_listen_ends_just_once(bursts: list[bytes], pauses: list[float]) -> None:
    host, now = listening(2.0), 0.0
    events: list[HostEvent] = []
    for burst, pause in zip(bursts, pauses, strict=False):
        now += pause
        events += host.receive(burst, now)
    events += host.tick(now + 10.0) + host.tick(now + 20.0)
    assert [isinstance(event, Started) for event in events][-1:] == [False]
    assert sum(not isinstance(event, Started) for event in events) == 1
    assert len(events) <= 2
