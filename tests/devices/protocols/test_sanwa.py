"""Both ends of the CRP-1231's wire, by their states, with a clock that the tests turn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swipegate.devices.errors import Reason
from swipegate.devices.protocols.handshake import Answered, Broken
from swipegate.devices.protocols.sanwa import commands, responses
from swipegate.devices.protocols.sanwa.framing import ACK, ENQ, NAK, framing
from swipegate.devices.protocols.sanwa.host import JobEvent, JobHost
from swipegate.devices.protocols.sanwa.responses import Model, Place
from swipegate.devices.protocols.sanwa.unit import Commanded, JobUnit, Polled

COMMAND = framing().encode(commands.DISPENSE)


def response(s: int, command: bytes = commands.DISPENSE, data: bytes = b"") -> bytes:
    return responses.build(command, 0x31, s=s, data=data)


def frame(s: int, command: bytes = commands.DISPENSE) -> bytes:
    return framing().encode(response(s, command))


DONE, RUNNING = frame(responses.NO_JOB), frame(responses.RUNNING)
BAD = DONE[:-1] + b"\x00"
ANSWER = Answered(7, bytearray(response(responses.NO_JOB)))


@pytest.fixture
def host() -> JobHost:
    host = JobHost()
    assert host.request(commands.DISPENSE, 7, 0.0, within=10.0, repeatable=False) == COMMAND
    return host


def polled(host: JobHost) -> JobHost:
    assert host.receive(ACK, 0.1) == []
    assert host.to_send() == ENQ
    return host


def broken(events: list[JobEvent]) -> Reason:
    (event,) = events
    assert isinstance(event, Broken)
    assert event.exchange == 7
    return event.reason


# The host.


def test_a_job_is_polled_until_it_has_ended(host: JobHost) -> None:
    polled(host)
    for now in (0.2, 0.4):
        assert host.receive(RUNNING, now) == host.tick(now + 0.09) == []
        assert host.to_send() == b""
        assert host.tick(now + 0.11) == []
        assert host.to_send() == ENQ
    assert host.receive(frame(responses.WAITING_FOR_CARD), 0.5) == []
    host.tick(0.7)
    assert host.receive(DONE, 0.8) == [ANSWER]
    host.to_send()
    assert host.tick(100.0) == []
    assert host.to_send() == b""


@pytest.mark.parametrize("s", [0x30, 0x32, 0x35, 0x36, 0x37, 0x00, 0xFF])
def test_every_other_state_ends_the_job(host: JobHost, s: int) -> None:
    assert polled(host).receive(frame(s), 0.2) == [Answered(7, bytearray(response(s)))]


def test_a_job_that_does_not_end_is_given_up(host: JobHost) -> None:
    polled(host)
    now, events = 0.1, []
    while not events and now < 20:
        now += 0.1
        events = host.receive(RUNNING, now) + host.tick(now + 0.1)
    assert broken(events) is Reason.RESPONSE_TIMEOUT
    assert 10.0 <= now <= 10.5


def test_a_refused_command_is_sent_again_and_given_up(host: JobHost) -> None:
    for _ in range(2):
        assert host.receive(NAK, 0.1) == []
        assert host.to_send() == COMMAND
    assert broken(host.receive(NAK, 0.1)) is Reason.NAK_EXHAUSTED


def test_a_movement_without_acknowledgement_is_polled_and_not_sent_again(host: JobHost) -> None:
    assert host.tick(0.29) == []
    assert host.tick(0.3) == []
    assert host.to_send() == ENQ
    assert host.receive(RUNNING, 0.4) == []  # it did take the command
    host.tick(0.51)
    assert host.receive(DONE, 0.6) == [ANSWER]


def test_a_movement_that_was_not_taken_is_told(host: JobHost) -> None:
    host.tick(0.3)
    assert broken(host.receive(frame(responses.NO_JOB, commands.STATUS), 0.4)) is Reason.ACK_TIMEOUT
    assert host.to_send() == ENQ


def test_silence_ends(host: JobHost) -> None:
    for now in (0.3, 0.8, 1.3):
        assert host.tick(now) == []
        assert host.to_send() == ENQ
    assert broken(host.tick(1.8)) is Reason.ACK_TIMEOUT


def test_a_question_without_acknowledgement_is_sent_again_and_given_up() -> None:
    host = JobHost()
    question = host.request(commands.STATUS, 7, 0.0, within=2.0)
    for now in (0.3, 0.6):
        assert host.tick(now) == []
        assert host.to_send() == question
    assert broken(host.tick(0.9)) is Reason.ACK_TIMEOUT


@pytest.mark.parametrize("damage", [BAD, framing().encode(b"\xb00")])
def test_a_damaged_response_is_asked_for_again_and_given_up(host: JobHost, damage: bytes) -> None:
    polled(host)
    for _ in range(2):
        assert host.receive(damage, 0.2) == []
        assert host.to_send() == ENQ
    assert broken(host.receive(damage, 0.2)) is Reason.BAD_CHECK


def test_a_response_that_stops_short_is_asked_for_again(host: JobHost) -> None:
    assert polled(host).receive(DONE[:4], 0.2) == []
    assert host.tick(0.44) == []
    assert host.tick(0.45) == []
    assert host.to_send() == ENQ
    assert host.receive(DONE, 0.5) == [ANSWER]


def test_a_late_response_of_the_job_before_is_dropped(host: JobHost) -> None:
    late = frame(responses.NO_JOB, commands.STATUS)
    assert host.receive(late, 0.0) == []
    assert polled(host).receive(late, 0.1) == []
    assert host.stale == 2
    assert host.receive(DONE, 0.2) == [ANSWER]


@pytest.mark.parametrize("stale", [ACK, NAK, ENQ, DONE, BAD, b"\x00\xff"])
def test_what_comes_outside_a_job_makes_no_event(stale: bytes) -> None:
    host = JobHost()
    assert host.receive(stale, 0.0) == host.tick(1.0) == []
    assert host.to_send() == b""


def test_wiping_ends_the_job_and_keeps_no_data(host: JobHost) -> None:
    polled(host).receive(DONE[:-1], 0.2)
    host.wipe()
    assert host.receive(DONE[-1:], 0.3) == host.tick(100.0) == []
    answer = Answered(1, bytearray(response(responses.NO_JOB, data=b"4111")))
    text = answer.text
    host.discard(answer)
    assert not text


@given(
    st.lists(
        st.one_of(st.binary(max_size=300), st.sampled_from([ACK, NAK, ENQ, DONE, RUNNING, BAD])), max_size=20
    )
)
def test_any_bytes_are_legal_and_a_job_ends_once(pieces: list[bytes]) -> None:
    host, unit = JobHost(), JobUnit()
    host.request(commands.DISPENSE, 7, 0.0, within=10.0)
    events: list[JobEvent] = []
    for now, piece in enumerate(pieces):
        events += host.receive(piece, now / 10) + host.tick(now / 10)
        unit.receive(piece, now / 10)
    for later in range(1000):
        events += host.tick(10 + later / 10)
    assert [event.exchange for event in events] == [7]


# The device.


def sent(unit: JobUnit) -> list[tuple[str, bytes]]:
    return [(outgoing.kind, outgoing.data) for outgoing in unit.take_outgoing()]


def test_unit_takes_a_command_at_any_time_and_speaks_when_it_is_polled() -> None:
    unit = JobUnit()
    assert unit.receive(ENQ, 0.0) == []  # it never had a job
    assert unit.receive(COMMAND + ENQ, 0.0) == [Commanded(commands.DISPENSE), Polled()]
    unit.respond(response(responses.RUNNING))
    assert unit.receive(framing().encode(commands.CANCEL), 0.1) == [Commanded(commands.CANCEL)]
    assert sent(unit) == [("ack", ACK), ("response", RUNNING), ("ack", ACK)]


def test_unit_refuses_a_damaged_command_and_one_that_stops_short() -> None:
    unit = JobUnit()
    assert unit.receive(COMMAND[:-1] + b"\x00", 0.0) == []
    unit.receive(COMMAND[:3], 1.0)
    unit.tick(1.2)
    assert sent(unit) == [("nak", NAK)]
    unit.tick(1.25)
    assert sent(unit) == [("nak", NAK)]
    assert unit.command == b""


# What is in the frames.


@pytest.mark.parametrize("tracks", [(), (4,), (1, 1), (0, 1)])
def test_a_choice_of_tracks_that_is_none_is_refused(tracks: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        commands.read(tracks)


def test_a_response_hides_its_data() -> None:
    told = responses.parse(response(responses.NO_JOB, data=b"4111"))
    assert (told.code, told.data) == ("R31 P30 S30", b"4111")
    assert "4111" not in repr(told)
    with pytest.raises(ValueError, match=r"^a response has no head$"):
        responses.parse(b"\xb001")


@pytest.mark.parametrize(
    ("model", "r", "place"),
    [
        *((Model.LR, r, place) for r, place in responses.LR_PLACES.items()),
        *((Model.BR, 0x80 | r, place) for r, place in responses.BR_PLACES.items()),
        *((Model.BR, 0x60 | r, place) for r, place in responses.BR_PLACES.items()),
        (Model.LR, 0x35, None),
        (Model.BR, 0x1F, None),
    ],
)
def test_where_the_card_is(model: Model, r: int, place: Place | None) -> None:
    assert responses.parse(responses.build(commands.STATUS, r)).place(model) is place


def test_every_specified_code_has_its_reason() -> None:
    specified = {*range(0x31, 0x36), 0x38, 0x40, 0x41, *range(0x51, 0x57)}
    assert set(responses.ERRORS) == specified
    assert set(responses.JOB_ERRORS) == {0x32, 0x35, 0x36}
    assert {0x31, *range(0x51, 0x57)} == responses.UNREAD
