"""Both ends of the handshake, by their state matrices, with a clock that the tests turn."""

import pytest

from swipegate.devices.errors import Reason
from swipegate.devices.protocols.crt310 import dialect as crt310
from swipegate.devices.protocols.handshake import (
    Acknowledged,
    Answered,
    Broken,
    HandshakeHost,
    HostEvent,
    Stopped,
)
from swipegate.devices.protocols.handshake_unit import Commanded, HandshakeUnit, Interrupted
from swipegate.devices.protocols.omron import dialect as omron
from swipegate.devices.protocols.sankyo.dialect import ACK, DIALECT, DLE_EOT, NAK, framing

COMMAND = framing().encode(b"C10")
RESPONSE = framing().encode(b"P1000")
BAD = RESPONSE[:-1] + b"\x00"
OTHER = framing().encode(b"P6202")
ANSWER = Answered(7, bytearray(b"P1000"))


@pytest.fixture
def host() -> HandshakeHost:
    host = HandshakeHost(DIALECT)
    assert host.request(b"C10", 7, 0.0) == COMMAND
    return host


def acknowledged(host: HandshakeHost) -> HandshakeHost:
    assert host.receive(ACK, 0.1) == [Acknowledged(7)]
    return host


def broken(events: list[HostEvent]) -> Reason:
    (event,) = events
    assert isinstance(event, Broken)
    return event.reason


# The host, waiting for the acknowledgement.


def test_command_acknowledgement_response(host: HandshakeHost) -> None:
    assert host.receive(ACK + RESPONSE, 0.1) == [Acknowledged(7), ANSWER]
    assert host.to_send() == ACK
    assert host.tick(100.0) == []


def test_a_refused_command_is_sent_again_and_given_up(host: HandshakeHost) -> None:
    for _ in range(2):
        assert host.receive(NAK, 0.1) == []
        assert host.to_send() == COMMAND
    assert broken(host.receive(NAK, 0.1)) is Reason.NAK_EXHAUSTED
    assert host.to_send() == b""


def test_a_command_without_acknowledgement_is_sent_again_and_given_up(host: HandshakeHost) -> None:
    assert host.tick(0.29) == []
    for now in (0.3, 0.6):
        assert host.tick(now) == []
        assert host.to_send() == COMMAND
    assert broken(host.tick(0.9)) is Reason.ACK_TIMEOUT


def test_a_command_that_moves_a_card_is_never_sent_twice_unasked() -> None:
    host = HandshakeHost(DIALECT)
    host.request(b"C30", 7, 0.0, repeatable=False)
    assert broken(host.tick(0.3)) is Reason.ACK_TIMEOUT
    host.request(b"C30", 7, 1.0, repeatable=False)
    host.receive(ACK, 1.0)
    assert broken(host.tick(21.0)) is Reason.RESPONSE_TIMEOUT
    assert host.to_send() == b""
    host.request(b"C30", 7, 30.0, repeatable=False)
    assert host.receive(NAK, 30.0) == []  # the device tells that it did not take it
    assert host.to_send() == framing().encode(b"C30")


def test_a_response_before_the_acknowledgement_is_of_something_older(host: HandshakeHost) -> None:
    assert host.receive(RESPONSE, 0.1) == []
    assert host.stale == 1
    assert host.to_send() == b""


# The host, waiting for the response.


def test_a_damaged_response_is_asked_for_again_and_given_up(host: HandshakeHost) -> None:
    acknowledged(host)
    for _ in range(2):
        assert host.receive(BAD, 0.2) == []
        assert host.to_send() == NAK
    assert broken(host.receive(BAD, 0.2)) is Reason.BAD_CHECK


def test_a_response_that_stops_short_is_asked_for_again(host: HandshakeHost) -> None:
    acknowledged(host)
    assert host.receive(RESPONSE[:4], 0.2) == []
    assert host.tick(0.44) == []
    assert host.tick(0.45) == []
    assert host.to_send() == NAK
    assert host.receive(RESPONSE, 0.5) == [ANSWER]


def test_a_response_to_another_command_is_dropped(host: HandshakeHost) -> None:
    acknowledged(host)
    assert host.receive(OTHER, 0.2) == []
    assert host.to_send() == b""
    assert host.receive(RESPONSE, 0.3) == [ANSWER]


def test_a_question_without_response_is_asked_again_and_given_up(host: HandshakeHost) -> None:
    for now in (0.0, 20.1):
        host.receive(ACK, now)
        assert host.tick(now + 20) == []
        assert host.to_send() == COMMAND
    host.receive(ACK, 41.0)
    assert broken(host.tick(61.0)) is Reason.RESPONSE_TIMEOUT


@pytest.mark.parametrize("interval", [1, 2, 3])
def test_a_response_that_dribbles_in(host: HandshakeHost, interval: int) -> None:
    acknowledged(host)
    pieces = [RESPONSE[i : i + interval] for i in range(0, len(RESPONSE), interval)]
    events = []
    for index, piece in enumerate(pieces):
        events += host.receive(piece, 0.2 + index * 0.2) + host.tick(0.2 + index * 0.2 + 0.1)
    assert events == [ANSWER]
    assert host.to_send() == ACK


# The host, cancelling.


def test_a_cancellation_is_confirmed_by_its_echo(host: HandshakeHost) -> None:
    acknowledged(host)
    assert host.cancel(7, 1.0) == DLE_EOT
    assert host.receive(DLE_EOT, 1.1) == [Stopped(7)]


def test_a_response_that_crosses_the_cancellation_wins(host: HandshakeHost) -> None:
    acknowledged(host)
    host.cancel(7, 1.0)
    assert host.receive(RESPONSE + DLE_EOT, 1.1) == [ANSWER]
    assert host.to_send() == ACK
    assert host.stale == 1


def test_a_cancellation_without_echo_is_repeated_and_given_up(host: HandshakeHost) -> None:
    acknowledged(host)
    host.cancel(7, 1.0)
    for now in (1.3, 1.6):
        assert host.tick(now) == []
        assert host.to_send() == DLE_EOT
    assert broken(host.tick(1.91)) is Reason.RESPONSE_TIMEOUT


def test_an_idle_device_confirms_a_cancellation_too() -> None:
    host, unit = HandshakeHost(DIALECT), HandshakeUnit(DIALECT)
    assert unit.receive(host.cancel(3, 0.0), 0.0) == []
    (echo,) = unit.take_outgoing()
    assert host.receive(echo.data, 0.0) == [Stopped(3)]


# The host, where ENQ executes and asks again, and nothing is echoed (OMRON 1.5.3, 1.6).

QUESTION = omron.framing().encode(b"C10")
REPLY = omron.framing().encode(b"P1002")


@pytest.fixture
def enquirer() -> HandshakeHost:
    host = HandshakeHost(omron.DIALECT)
    assert host.request(b"C10", 7, 0.0, within=10.0, repeatable=False) == QUESTION
    return host


def test_a_command_is_executed_by_enq_and_its_response_not_acknowledged(enquirer: HandshakeHost) -> None:
    assert enquirer.receive(omron.ACK, 0.1) == [Acknowledged(7)]
    assert enquirer.to_send() == omron.ENQ
    assert enquirer.receive(REPLY, 0.2) == [Answered(7, bytearray(b"P1002"))]
    assert enquirer.to_send() == b""


def test_what_was_not_acknowledged_was_not_executed_and_may_be_sent_again(enquirer: HandshakeHost) -> None:
    for now in (5.2, 10.4):
        assert enquirer.tick(now) == []
        assert enquirer.to_send() == QUESTION
    assert broken(enquirer.tick(15.7)) is Reason.ACK_TIMEOUT


@pytest.mark.parametrize("way", ["damaged", "short", "lost"])
def test_a_response_that_does_not_come_whole_is_asked_for_by_enq_and_given_up(
    enquirer: HandshakeHost, way: str
) -> None:
    enquirer.receive(omron.ACK, 0.0)
    now, outcomes = 0.0, []
    for _ in range(3):
        assert enquirer.to_send() == omron.ENQ
        if way == "damaged":
            outcomes += enquirer.receive(REPLY[:-1] + b"\x00", now)
        elif way == "short":
            enquirer.receive(REPLY[:4], now)
            now += 3.0
            outcomes += enquirer.tick(now)
        else:
            assert enquirer.tick(now + 9.9) == []
            now += 10.0
            outcomes += enquirer.tick(now)
    assert enquirer.to_send() == b""
    assert broken(outcomes) is (Reason.RESPONSE_TIMEOUT if way == "lost" else Reason.BAD_CHECK)


def test_a_cancellation_without_echo_ends_the_exchange_at_once(enquirer: HandshakeHost) -> None:
    enquirer.receive(omron.ACK, 0.0)
    assert enquirer.cancel(8, 0.1) == omron.EOT
    assert enquirer.receive(REPLY, 0.2) == enquirer.tick(100.0) == []
    assert enquirer.to_send() == b""
    assert enquirer.stale == 1


# The host, where no response comes again (CRT-310).


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_damaged_response_that_cannot_come_again_repeats_a_question_and_ends_a_movement(
    repeatable: bool,
) -> None:
    host, command = HandshakeHost(crt310.DIALECT), crt310.framing().encode(b"10")
    damaged = crt310.framing().encode(b"10NNN")[:-1] + b"\x00"
    assert host.request(b"10", 7, 0.0, repeatable=repeatable) == command
    host.receive(crt310.ACK, 0.1)
    assert host.to_send() == crt310.ENQ
    if repeatable:
        for now in (0.2, 0.3):
            assert host.receive(damaged, now) == []
            assert host.to_send() == command
            host.receive(crt310.ACK, now)
            assert host.to_send() == crt310.ENQ
    assert broken(host.receive(damaged, 0.4)) is Reason.BAD_CHECK
    assert host.to_send() == b""


# The host, otherwise.


@pytest.mark.parametrize("stale", [ACK, NAK, RESPONSE, BAD, DLE_EOT, b"\x00\xff"])
def test_what_comes_outside_an_exchange_makes_no_event(stale: bytes) -> None:
    host = HandshakeHost(DIALECT)
    assert host.receive(stale, 0.0) == host.tick(1.0) == []
    assert host.to_send() == b""


def test_wiping_ends_the_exchange_and_keeps_no_data(host: HandshakeHost) -> None:
    acknowledged(host)
    host.receive(RESPONSE[:-1], 0.2)
    host.wipe()
    assert host.receive(RESPONSE[-1:], 0.3) == host.tick(100.0) == []
    answer = Answered(1, bytearray(b"P6202;4111"))
    text = answer.text
    assert "4111" not in repr(answer)
    host.discard(answer)
    assert not text


# The device.


@pytest.fixture
def unit() -> HandshakeUnit:
    return HandshakeUnit(DIALECT)


def sent(unit: HandshakeUnit) -> list[tuple[str, bytes]]:
    return [(outgoing.kind, outgoing.data) for outgoing in unit.take_outgoing()]


def test_unit_takes_a_command_and_hears_nothing_else_but_a_cancellation(unit: HandshakeUnit) -> None:
    assert unit.receive(COMMAND, 0.0) == [Commanded(b"C10")]
    assert unit.receive(COMMAND + NAK + ACK + COMMAND[:-1] + b"\x00", 0.1) == []
    assert unit.receive(DLE_EOT, 0.2) == [Interrupted()]
    assert sent(unit) == [("ack", ACK), ("echo", DLE_EOT)]
    assert unit.unheard == 1
    assert not unit.at_work


def test_unit_refuses_a_damaged_command_and_one_that_stops_short(unit: HandshakeUnit) -> None:
    assert unit.receive(COMMAND[:-1] + b"\x00", 0.0) == []
    unit.receive(COMMAND[:3], 1.0)
    unit.tick(1.2)
    assert sent(unit) == [("nak", NAK)]
    unit.tick(1.25)
    assert sent(unit) == [("nak", NAK)]


def test_unit_sends_a_response_again_when_it_is_refused(unit: HandshakeUnit) -> None:
    unit.receive(COMMAND, 0.0)
    unit.respond(b"P1000", 0.1)
    unit.receive(NAK, 0.2)
    unit.receive(ACK, 0.3)
    unit.receive(NAK, 0.4)
    assert sent(unit) == [("ack", ACK), ("response", RESPONSE), ("response", RESPONSE)]


def test_unit_forgets_its_response_in_time_and_takes_a_new_command_instead(unit: HandshakeUnit) -> None:
    for now in (0.0, 10.0):
        unit.receive(COMMAND, now)
        unit.respond(b"P1000", now)
    sent(unit)
    unit.tick(10.3)
    unit.receive(NAK, 10.3)
    assert sent(unit) == []


# The device, where ENQ executes.


@pytest.fixture
def executor() -> HandshakeUnit:
    return HandshakeUnit(omron.DIALECT)


def test_unit_executes_at_enq_and_sends_its_response_again_at_the_next(executor: HandshakeUnit) -> None:
    assert executor.receive(omron.ENQ + QUESTION, 0.0) == []
    assert executor.receive(omron.ENQ, 0.1) == [Commanded(b"C10")]
    assert executor.receive(omron.ENQ, 0.2) == []
    executor.respond(b"P1002", 0.3)
    executor.tick(60.0)
    assert executor.receive(omron.ENQ, 60.0) == []
    assert sent(executor) == [("ack", omron.ACK), ("response", REPLY), ("response", REPLY)]


def test_unit_gives_a_command_up_without_a_word(executor: HandshakeUnit) -> None:
    assert executor.receive(QUESTION + omron.EOT + omron.ENQ, 0.0) == []
    assert executor.receive(QUESTION + omron.ENQ + omron.EOT, 0.1) == [Commanded(b"C10"), Interrupted()]
    assert sent(executor) == [("ack", omron.ACK), ("ack", omron.ACK)]
