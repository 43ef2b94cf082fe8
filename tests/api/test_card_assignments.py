"""Card assignments through gRPC, on a real server with the real driver and a simulated MSR605 on a pseudo-terminal."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio

from swipegate.devices.simulators.cards import Bad, SimulatedCard
from swipegate.devices.simulators.msr605 import Msr605Simulator
from swipegate.settings import Settings
from swipegate.v1 import card_assignment_pb2 as pb
from swipegate.v1 import card_pb2, card_request_pb2, error_pb2, user_card_pb2
from tests.api.test_card_requests import cancel, get, retry, track_data
from tests.assignments import ASK, CARD, NUMBER, REFUSE, TAKE_OVER, Kiosk, S
from tests.conftest import Client
from tests.databases import Where, both, look
from tests.people import (
    ABA,
    ABA_FACILITY_ISSUE,
    SERIAL,
    WIEGAND_26,
    WIEGAND_37_FACILITY,
    People,
    new_id,
    refused,
    taken_apart,
)

STATUS = grpc.StatusCode
R = card_request_pb2.CardRequest
PAN = "4111111111111111"  # a published test number
PAYMENT_CARD = SimulatedCard(track2=f";{PAN}=30121010000012300000?")
FACILITY_CARD = SimulatedCard(track2=";0044=0000031337=3=010130?")
PIN = "73519462"
pytestmark = both


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Msr605Simulator]:
    with Msr605Simulator(path=tmp_path / "msr605") as simulator:
        yield simulator


@pytest.fixture
async def kiosk(client: Client, people: People, reader: Msr605Simulator) -> Kiosk:
    return await Kiosk(client, people, reader).open()


def assert_failed(assignment: pb.CardAssignment, reason: str, text: str = "") -> None:
    """FAILED after a card was read."""
    assert (assignment.state, assignment.reason) == (S.STATE_FAILED, reason), assignment
    assert text in assignment.description
    assert assignment.card_request.state == R.STATE_SUCCEEDED
    assert not assignment.user_card_id


def whole(where: Where) -> None:
    """What holds at any time: one open assignment a card, no PIN kept past the end, halves that agree."""
    assert (
        look(
            where,
            "SELECT card_id FROM user_card WHERE end_time IS NULL GROUP BY card_id HAVING count(*) > 1",
        )
        == []
    )
    ended = "('SUCCEEDED', 'FAILED', 'CANCELLED', 'EXPIRED')"
    assert (
        look(
            where,
            f"SELECT state FROM card_assignment WHERE state IN {ended} AND sealed_pin IS NOT NULL",
        )
        == []
    )
    halves = """SELECT a.state, r.state FROM card_assignment a
        JOIN card_request r ON r.card_request_id = a.card_assignment_id"""
    of_read = {"SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "NEEDS_DECISION"}
    for assignment, request in look(where, halves):
        allowed = of_read if request == "SUCCEEDED" else {request}
        if request not in ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "NEEDS_ACTION"):
            allowed = {"READING"}
        assert assignment in allowed, (assignment, request)
    last = """SELECT a.card_assignment_id FROM card_assignment a WHERE a.sequence <>
        (SELECT max(e.sequence) FROM card_assignment_event e
         WHERE e.card_assignment_id = a.card_assignment_id)"""
    assert look(where, last) == []


async def test_a_new_card_is_read_and_assigned(kiosk: Kiosk, where: Where) -> None:
    user = await kiosk.people.user()
    kiosk.reader.swipe(CARD, after=0.1)
    made = await kiosk.assign(user, pin=PIN, card_user_flags=1)
    assert (made.state, made.card_request.state) == (S.STATE_READING, R.STATE_QUEUED)
    assert made.card_request.card_request_id == made.card_assignment_id
    assert (made.device_id, made.user_id) == (kiosk.device, user)
    assert made.expire_time == made.card_request.expire_time
    done = await kiosk.until(made, S.STATE_SUCCEEDED)
    assert done.card_request.state == R.STATE_SUCCEEDED
    assert done.card_request.card_format == "paxton-net2"
    assert (done.previous_user_id, done.reason, done.description) == ("", "", "")
    (card,) = await kiosk.people.cards(user_id=user)
    assert (card.card_id, card.user_card_id) == (done.card_id, done.user_card_id)
    assert (card.internal_card_number, card.external_card_number) == (NUMBER, str(NUMBER))
    assert (card.ac_system_id, card.card_type) == (kiosk.system, ABA)
    found = await kiosk.client.user_cards.GetUserCard(
        user_card_pb2.GetUserCardRequest(user_card_id=done.user_card_id), **kiosk.client.options
    )
    assert found.user_card.has_pin
    assert found.user_card.card_user_flags == 1
    assert look(where, "SELECT kind, subject, client FROM user_card_event") == [
        ("ASSIGNED", "tester", "tests")
    ]
    assert (await kiosk.get(made)) == done
    assert (await track_data(kiosk.client, done.card_request)).card_number.card_number == str(NUMBER)
    whole(where)


async def test_every_field_goes_into_the_card_and_its_assignment(kiosk: Kiosk) -> None:
    user = await kiosk.people.user(kiosk.system)
    done = await kiosk.swiped(
        user,
        card_type=SERIAL,
        card_serial_number=7,
        external_card_number="0098 9491 88",
        enforce_occupancy_system=True,
        card_activation_start_date_time=Timestamp(seconds=1_800_000_000),
        card_deactivation_start_date_time=Timestamp(seconds=1_900_000_000),
    )
    assert done.state == S.STATE_SUCCEEDED
    (card,) = await kiosk.people.cards(user_id=user)
    assert (card.external_card_number, card.card_serial_number) == ("0098 9491 88", 7)
    answer = await kiosk.client.user_cards.GetUserCard(
        user_card_pb2.GetUserCardRequest(user_card_id=done.user_card_id), **kiosk.client.options
    )
    assert answer.user_card.card_activation_start_date_time.seconds == 1_800_000_000
    assert answer.user_card.card_deactivation_start_date_time.seconds == 1_900_000_000
    assert not answer.user_card.has_pin


async def test_codes_of_the_format_are_taken_and_leading_zeros_dropped(kiosk: Kiosk) -> None:
    user = await kiosk.people.user()
    done = await kiosk.swiped(user, card=FACILITY_CARD, card_type=ABA_FACILITY_ISSUE, issue_code=3)
    assert done.state == S.STATE_SUCCEEDED, done
    (card,) = await kiosk.people.cards(user_id=user)
    assert (card.internal_card_number, card.facility_code, card.issue_code) == (31337, 44, 3)
    assert card.external_card_number == "0000031337"
    again = await kiosk.swiped(user, card=FACILITY_CARD, card_type=ABA_FACILITY_ISSUE)
    assert (again.card_id, again.user_card_id) == (done.card_id, done.user_card_id)


@pytest.mark.parametrize("policy", [TAKE_OVER, REFUSE, ASK])
async def test_a_card_of_nobody_or_of_the_user_is_never_asked_about(
    kiosk: Kiosk, policy: int, where: Where
) -> None:
    first, user = await kiosk.people.user(), await kiosk.people.user()
    card_id = await kiosk.held_by(first)
    holding = (await kiosk.people.cards(user_id=first))[0].user_card_id
    await kiosk.client.user_cards.RemoveUserCard(
        user_card_pb2.RemoveUserCardRequest(user_card_id=holding), **kiosk.client.options
    )
    done = await kiosk.swiped(user, policy)
    assert (done.state, done.card_id, done.previous_user_id) == (S.STATE_SUCCEEDED, card_id, "")
    again = await kiosk.swiped(user, policy)
    assert (again.state, again.user_card_id) == (S.STATE_SUCCEEDED, done.user_card_id)
    assert again.previous_user_id == user
    (card,) = await kiosk.people.cards()
    assert card.external_card_number == f"printed {NUMBER}"
    whole(where)


async def test_take_over_takes_the_card_from_its_holder(kiosk: Kiosk, where: Where) -> None:
    first, user = await kiosk.people.user(), await kiosk.people.user()
    card_id = await kiosk.held_by(first)
    done = await kiosk.swiped(user, TAKE_OVER)
    assert (done.state, done.card_id, done.previous_user_id) == (S.STATE_SUCCEEDED, card_id, first)
    assert await kiosk.holder(card_id) == user
    whole(where)


async def test_refuse_leaves_the_card_with_its_holder(kiosk: Kiosk, where: Where) -> None:
    first, user = await kiosk.people.user(), await kiosk.people.user()
    card_id = await kiosk.held_by(first)
    failed = await kiosk.swiped(user, REFUSE, pin=PIN)
    assert_failed(failed, "CARD_HELD", first)
    assert (failed.card_id, failed.previous_user_id) == (card_id, first)
    assert await kiosk.holder(card_id) == first
    assert (await get(kiosk.client, failed.card_request)).state == R.STATE_SUCCEEDED
    whole(where)


async def asked(kiosk: Kiosk, **fields: Any) -> tuple[pb.CardAssignment, str, str, str]:
    """An assignment that needs a decision, its card, its holder, and the user it is for."""
    first, user = await kiosk.people.user(), await kiosk.people.user()
    card_id = await kiosk.held_by(first)
    asking = await kiosk.swiped(user, ASK, **fields)
    assert asking.state == S.STATE_NEEDS_DECISION, asking
    assert (asking.card_id, asking.previous_user_id) == (card_id, first)
    assert asking.card_request.state == R.STATE_SUCCEEDED
    assert await kiosk.holder(card_id) == first
    return asking, card_id, first, user


async def test_ask_and_take_over(kiosk: Kiosk, where: Where, bearer: Callable[..., Any]) -> None:
    asking, card_id, first, user = await asked(kiosk, pin=PIN)
    assert look(where, "SELECT sealed_pin IS NOT NULL FROM card_assignment") == [(1,)]
    kiosk.client.metadata = bearer(subject="guard", permissions=())
    done = await kiosk.decide(asking, TAKE_OVER, first.upper())
    assert (done.state, done.previous_user_id) == (S.STATE_SUCCEEDED, first)
    assert await kiosk.holder(card_id) == user
    events = look(where, "SELECT kind, subject FROM user_card_event ORDER BY sequence")
    assert events == [("ASSIGNED", "tester"), ("REPLACED", "guard")]
    assert look(where, "SELECT sealed_pin IS NOT NULL FROM user_card WHERE end_time IS NULL") == [(1,)]
    again = await refused(kiosk.decide(asking, TAKE_OVER, first))
    assert (again.code, again.reason) == (STATUS.FAILED_PRECONDITION, "WRONG_ASSIGNMENT_STATE")
    assert again.metadata["state"] == "SUCCEEDED"
    whole(where)


async def test_ask_and_leave(kiosk: Kiosk, where: Where) -> None:
    asking, card_id, first, _ = await asked(kiosk, pin=PIN)
    left = await kiosk.decide(asking, REFUSE, first)
    assert_failed(left, "CARD_HELD", first)
    assert await kiosk.holder(card_id) == first
    whole(where)


async def test_ask_and_the_holder_changes(kiosk: Kiosk, where: Where) -> None:
    asking, card_id, first, user = await asked(kiosk, pin=PIN)
    other = await kiosk.people.user()
    await kiosk.people.replace(user_id=other, card_id=card_id)
    refusal = await refused(kiosk.decide(asking, TAKE_OVER, first))
    assert (refusal.code, refusal.reason) == (STATUS.ABORTED, "HOLDER_CHANGED")
    assert refusal.metadata == {"card_id": card_id, "user_id": other}
    assert await kiosk.holder(card_id) == other
    now = await kiosk.get(asking)
    assert (now.state, now.previous_user_id) == (S.STATE_NEEDS_DECISION, other)
    assert now.sequence > asking.sequence
    whole(where)
    for decision in (TAKE_OVER, REFUSE):  # a late click on the first question answers nothing
        refusal = await refused(kiosk.decide(asking, decision, first))
        assert (refusal.code, refusal.reason) == (STATUS.ABORTED, "HOLDER_CHANGED")
        assert await kiosk.get(asking) == now
    done = await kiosk.decide(now, TAKE_OVER, other)
    assert (done.state, done.previous_user_id) == (S.STATE_SUCCEEDED, other)
    assert await kiosk.holder(card_id) == user
    seen = [event.card_assignment async for event in kiosk.watch(asking, asking.sequence)]
    assert [(one.state, one.previous_user_id) for one in seen] == [
        (S.STATE_NEEDS_DECISION, other),
        (S.STATE_SUCCEEDED, other),
    ]
    whole(where)


async def test_ask_and_the_card_becomes_free_or_the_users_own(kiosk: Kiosk) -> None:
    asking, card_id, first, user = await asked(kiosk)
    (held,) = await kiosk.people.cards(user_id=first)
    await kiosk.client.user_cards.RemoveUserCard(
        user_card_pb2.RemoveUserCardRequest(user_card_id=held.user_card_id), **kiosk.client.options
    )
    done = await kiosk.decide(asking, TAKE_OVER, first)
    assert (done.state, done.previous_user_id) == (S.STATE_SUCCEEDED, "")
    assert await kiosk.holder(card_id) == user
    await kiosk.people.replace(user_id=first, card_id=card_id)
    asking = await kiosk.swiped(user, ASK)
    await kiosk.people.replace(user_id=user, card_id=card_id)
    done = await kiosk.decide(asking, TAKE_OVER, first)
    assert (done.state, done.previous_user_id) == (S.STATE_SUCCEEDED, user)


async def test_ask_and_the_card_is_lost_meanwhile(kiosk: Kiosk, where: Where) -> None:
    asking, card_id, first, _ = await asked(kiosk, pin=PIN)
    await mark(kiosk, card_id, card_pb2.CARD_STATUS_LOST)
    failed = await kiosk.decide(asking, TAKE_OVER, first)
    assert_failed(failed, "CARD_LOST_OR_STOLEN", "LOST")
    assert await kiosk.holder(card_id) in ("", first)
    whole(where)


async def test_ask_and_nobody_answers(kiosk: Kiosk, where: Where) -> None:
    asking, card_id, first, _ = await asked(kiosk, pin=PIN)
    look(where, "UPDATE card_assignment SET expire_time = update_time")  # its time is over
    ended = await kiosk.until(asking, S.STATE_EXPIRED)
    assert (ended.card_id, ended.previous_user_id) == (card_id, first)
    late = await refused(kiosk.decide(asking, TAKE_OVER, first))
    assert (late.code, late.reason) == (STATUS.FAILED_PRECONDITION, "WRONG_ASSIGNMENT_STATE")
    assert await kiosk.holder(card_id) == first
    whole(where)


async def test_ask_and_cancel(kiosk: Kiosk, where: Where) -> None:
    asking, card_id, first, _ = await asked(kiosk, pin=PIN)
    for _ in range(2):
        assert (await kiosk.cancel(asking)).state == S.STATE_CANCELLED
    late = await refused(kiosk.decide(asking, TAKE_OVER, first))
    assert late.metadata["state"] == "CANCELLED"
    assert await kiosk.holder(card_id) == first
    whole(where)


async def test_decisions_that_are_none(kiosk: Kiosk) -> None:
    asking, _, first, _ = await asked(kiosk)
    for decision in (ASK, 0, 99):
        refusal = await refused(kiosk.decide(asking, decision, first))
        assert (refusal.reason, refusal.metadata["field"]) == ("INVALID_FIELD", "decision")
    for holder in ("", "nobody"):
        refusal = await refused(kiosk.decide(asking, TAKE_OVER, holder))
        assert (refusal.reason, refusal.metadata["field"]) == ("INVALID_FIELD", "previous_user_id")


async def test_two_decisions_at_once_move_the_card_once(kiosk: Kiosk, where: Where) -> None:
    asking, card_id, first, user = await asked(kiosk)
    calls = [kiosk.decide(asking, decision, first) for decision in (TAKE_OVER, REFUSE) * 4]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    done = [answer for answer in answers if isinstance(answer, pb.CardAssignment)]
    assert len(done) == 1
    errors = [taken_apart(error).reason for error in answers if isinstance(error, aio.AioRpcError)]
    assert errors == ["WRONG_ASSIGNMENT_STATE"] * 7
    assert await kiosk.holder(card_id) == (user if done[0].state == S.STATE_SUCCEEDED else first)
    whole(where)


async def mark(kiosk: Kiosk, card_id: str, status: int) -> None:
    request = card_pb2.MarkCardRequest(card_id=card_id, status=status)
    await kiosk.client.cards.MarkCard(request, **kiosk.client.options)


@pytest.mark.parametrize("policy", [TAKE_OVER, REFUSE, ASK])
async def test_what_a_replacement_refuses_is_refused_before_anybody_is_asked(
    kiosk: Kiosk, policy: int, where: Where
) -> None:
    first, user = await kiosk.people.user(), await kiosk.people.user()
    card_id = await kiosk.held_by(first)
    failed = await kiosk.swiped(user, policy, enforce_occupancy_system=True, pin=PIN)
    assert_failed(failed, "OCCUPANCY_SYSTEM_MISMATCH", kiosk.system)
    assert failed.card_id == card_id
    failed = await kiosk.swiped(user, policy, external_card_number="another", pin=PIN)
    assert_failed(failed, "CARD_MISMATCH", "external_card_number")
    await mark(kiosk, card_id, card_pb2.CARD_STATUS_STOLEN)
    failed = await kiosk.swiped(user, policy, pin=PIN)
    assert_failed(failed, "CARD_LOST_OR_STOLEN", "STOLEN")
    assert not await kiosk.people.cards(user_id=user)
    whole(where)


@pytest.mark.parametrize(
    ("card", "fields", "reason", "text"),
    [
        (FACILITY_CARD, {"facility_code": 45}, "CARD_MISMATCH", "facility_code"),
        (FACILITY_CARD, {"issue_code": 4}, "CARD_MISMATCH", "issue_code"),
        (FACILITY_CARD, {"card_type": ABA}, "INVALID_FIELD", "facility_code"),
        (FACILITY_CARD, {"card_type": WIEGAND_37_FACILITY}, "INVALID_FIELD", "issue_code"),
        (CARD, {}, "INVALID_FIELD", "facility_code"),
        (CARD, {"facility_code": 1}, "INVALID_FIELD", "issue_code"),
        (
            CARD,
            {"card_type": WIEGAND_26, "facility_code": 1},
            "INVALID_FIELD",
            "internal_card_number: must be at most 65535",
        ),
        (SimulatedCard(track2=";00000000?"), {"card_type": ABA}, "INVALID_FIELD", "internal_card_number"),
        (PAYMENT_CARD, {"card_type": ABA}, "CARD_NUMBER_IS_PAN", "iso7813-track2"),
    ],
)
async def test_a_card_that_does_not_fit(
    kiosk: Kiosk, where: Where, card: SimulatedCard, fields: dict[str, Any], reason: str, text: str
) -> None:
    user = await kiosk.people.user()
    failed = await kiosk.swiped(user, card=card, pin=PIN, **({"card_type": ABA_FACILITY_ISSUE} | fields))
    assert_failed(failed, reason, text)
    for digits in (PAN, str(NUMBER), "31337"):
        assert digits not in failed.description
    assert not await kiosk.people.cards()
    whole(where)


async def test_what_is_wrong_before_the_read_creates_nothing(
    kiosk: Kiosk, bearer: Callable[..., Any]
) -> None:
    user = await kiosk.people.user()
    for fields, name in (
        ({"device_id": 0}, "device_id"),
        ({"user_id": ""}, "user_id"),
        ({"user_id": "no uuid"}, "user_id"),
        ({"card_ac_system_id": ""}, "card_ac_system_id"),
        ({"card_ac_system_id": "no uuid"}, "card_ac_system_id"),
        ({"card_type": 0}, "card_type"),
        ({"if_held": 0}, "if_held"),
        ({"if_held": 9}, "if_held"),
        ({"external_card_number": ""}, "external_card_number"),
        ({"external_card_number": "x" * 65}, "external_card_number"),
        ({"facility_code": 1}, "facility_code"),
        ({"issue_code": 1}, "issue_code"),
        ({"card_serial_number": 1}, "card_serial_number"),
        ({"card_type": WIEGAND_26, "facility_code": 256}, "facility_code"),
        ({"card_type": WIEGAND_26, "facility_code": -1}, "facility_code"),
        ({"pin": "12a4"}, "pin"),
        ({"card_user_flags": 128}, "card_user_flags"),
        (
            {
                "card_activation_start_date_time": Timestamp(seconds=2),
                "card_deactivation_start_date_time": Timestamp(seconds=1),
            },
            "card_deactivation_start_date_time",
        ),
        ({"message": "x" * 4097}, "message"),
        ({"time_to_live": Duration(nanos=1)}, "time_to_live"),
        ({"time_to_live": Duration(seconds=2, nanos=-1)}, "time_to_live"),
        ({"request_id": "r" * 65}, "request_id"),
    ):
        refusal = await refused(kiosk.assign(user, **({"if_held": TAKE_OVER} | fields)))
        assert (refusal.code, refusal.reason) == (STATUS.INVALID_ARGUMENT, "INVALID_FIELD"), fields
        assert refusal.metadata["field"] == name
    for fields, reason in (
        ({"device_id": 99}, "DEVICE_NOT_FOUND"),
        ({"user_id": new_id()}, "USER_NOT_FOUND"),
        ({"card_ac_system_id": new_id()}, "AC_SYSTEM_NOT_FOUND"),
        ({"card_type": 99}, "CARD_TYPE_NOT_FOUND"),
    ):
        refusal = await refused(kiosk.assign(user, **fields))
        assert (refusal.code, refusal.reason) == (STATUS.NOT_FOUND, reason)
    kiosk.client.metadata = bearer(permissions=())
    refusal = await refused(kiosk.assign(user))
    assert (refusal.code, refusal.reason) == (STATUS.PERMISSION_DENIED, "READ_CARD_NOT_AUTHORIZED")
    kiosk.client.metadata = bearer()
    assert not (await kiosk.list()).card_assignments
    requests = card_request_pb2.ListCardRequestsRequest()
    answer = await kiosk.client.card_requests.ListCardRequests(requests, **kiosk.client.options)
    assert not answer.card_requests


async def test_repeat_with_request_id_gives_the_same_assignment(kiosk: Kiosk, where: Where) -> None:
    user = await kiosk.people.user()
    first = await kiosk.assign(user, request_id="once", pin=PIN)
    again = await kiosk.assign(user, request_id="once", pin=PIN)
    assert again.card_assignment_id == first.card_assignment_id
    refusal = await refused(kiosk.assign(user, request_id="once", pin="1"))
    assert (refusal.code, refusal.reason) == (STATUS.INVALID_ARGUMENT, "REQUEST_ID_REUSED")
    kiosk.reader.swipe(CARD)
    done = await kiosk.until(first, S.STATE_SUCCEEDED)
    assert await kiosk.assign(user, request_id="once", pin=PIN) == done
    assert look(where, "SELECT count(*) FROM card_request") == [(1,)]
    whole(where)


async def test_busy_device(kiosk: Kiosk) -> None:
    user = await kiosk.people.user()
    await kiosk.assign(user, refuse_if_busy=True)
    refusal = await refused(kiosk.assign(user, refuse_if_busy=True))
    assert (refusal.code, refusal.reason) == (STATUS.ABORTED, "DEVICE_BUSY")


async def test_two_assignments_wait_for_one_device(kiosk: Kiosk, where: Where) -> None:
    users = [await kiosk.people.user() for _ in range(2)]
    first, second = [await kiosk.assign(user) for user in users]
    await kiosk.reading(first, R.STATE_WAITING_FOR_CARD)
    assert (await kiosk.get(second)).card_request.state == R.STATE_QUEUED
    kiosk.reader.swipe(CARD)
    done = await kiosk.until(first, S.STATE_SUCCEEDED)
    await kiosk.reading(second, R.STATE_WAITING_FOR_CARD)
    kiosk.reader.swipe(CARD)
    taken = await kiosk.until(second, S.STATE_SUCCEEDED)
    assert (taken.card_id, taken.previous_user_id) == (done.card_id, users[0])
    assert await kiosk.holder(done.card_id) == users[1]
    whole(where)


async def test_cancel_while_it_waits_for_a_card(kiosk: Kiosk, where: Where) -> None:
    user = await kiosk.people.user()
    made, queued = await kiosk.assign(user, pin=PIN), await kiosk.assign(user, pin=PIN)
    await kiosk.reading(made, R.STATE_WAITING_FOR_CARD)
    assert (await kiosk.cancel(queued)).state == S.STATE_CANCELLED
    assert (await kiosk.cancel(made)).state in (S.STATE_READING, S.STATE_CANCELLED)
    ended = await kiosk.until(made, S.STATE_CANCELLED)
    assert ended.card_request.state == R.STATE_CANCELLED
    assert (await kiosk.cancel(made)).state == S.STATE_CANCELLED
    assert not kiosk.reader.armed
    done = await kiosk.swiped(user)
    refusal = await refused(kiosk.cancel(done))
    assert (refusal.code, refusal.reason) == (STATUS.FAILED_PRECONDITION, "WRONG_ASSIGNMENT_STATE")
    assert refusal.metadata["state"] == "SUCCEEDED"
    whole(where)


async def test_no_card_comes(kiosk: Kiosk, where: Where) -> None:
    made = await kiosk.assign(await kiosk.people.user(), time_to_live=Duration(seconds=1), pin=PIN)
    ended = await kiosk.until(made, S.STATE_EXPIRED)
    assert ended.card_request.state == R.STATE_EXPIRED
    whole(where)


async def test_needs_action_and_retry(kiosk: Kiosk, where: Where, bearer: Callable[..., Any]) -> None:
    user = await kiosk.people.user()
    stuck = await kiosk.swiped(user, card=SimulatedCard(track2=Bad.UNREADABLE), pin=PIN)
    assert (stuck.state, stuck.reason) == (S.STATE_NEEDS_ACTION, "NOT_READ")
    assert stuck.card_request.failure.reason == error_pb2.ERROR_REASON_NOT_READ
    refusal = await refused(kiosk.retry(stuck, attempt=2))
    assert (refusal.code, refusal.reason) == (STATUS.FAILED_PRECONDITION, "WRONG_STATE")
    kiosk.client.metadata = bearer(permissions=())
    refusal = await refused(kiosk.retry(stuck))
    assert (refusal.code, refusal.reason) == (STATUS.PERMISSION_DENIED, "READ_CARD_NOT_AUTHORIZED")
    kiosk.client.metadata = bearer()
    kiosk.reader.swipe(CARD, after=0.1)
    again = await kiosk.retry(stuck)
    assert (again.state, again.card_request.attempt, again.reason) == (S.STATE_READING, 2, "")
    refusal = await refused(kiosk.retry(stuck))
    assert refusal.reason == "WRONG_STATE"
    done = await kiosk.until(stuck, S.STATE_SUCCEEDED)
    assert (await kiosk.people.cards(user_id=user))[0].card_id == done.card_id
    whole(where)


async def test_needs_action_and_cancel(kiosk: Kiosk, where: Where) -> None:
    stuck = await kiosk.swiped(await kiosk.people.user(), card=SimulatedCard(track2=Bad.UNREADABLE), pin=PIN)
    assert (await kiosk.cancel(stuck)).state == S.STATE_CANCELLED
    assert (await get(kiosk.client, stuck.card_request)).state == R.STATE_CANCELLED
    whole(where)


async def test_the_assignment_goes_where_its_card_request_is_sent(kiosk: Kiosk, where: Where) -> None:
    stuck = await kiosk.swiped(await kiosk.people.user(), card=SimulatedCard(track2=Bad.UNREADABLE))
    kiosk.reader.swipe(SimulatedCard(track2=Bad.UNREADABLE))
    await retry(kiosk.client, stuck.card_request)
    async for event in kiosk.watch(stuck, stuck.sequence):
        if event.card_assignment.state == S.STATE_NEEDS_ACTION:
            break
        assert event.card_assignment.card_request.attempt == 2
    await cancel(kiosk.client, stuck.card_request, attempt=2)
    assert (await kiosk.get(stuck)).state == S.STATE_CANCELLED
    whole(where)


async def test_watch_resumes_without_gap_or_repeat(kiosk: Kiosk) -> None:
    asking, _, first, _ = await asked(kiosk)
    await kiosk.decide(asking, TAKE_OVER, first)
    every = [event.card_assignment async for event in kiosk.watch(asking, 1)]
    sequences = [one.sequence for one in every]
    assert sequences == sorted(set(sequences))
    assert [one.card_request.state for one in every][-4:] == [
        R.STATE_WAITING_FOR_CARD,
        R.STATE_READING,
        R.STATE_SUCCEEDED,
        R.STATE_SUCCEEDED,
    ]
    assert [one.state for one in every][-3:] == [S.STATE_READING, S.STATE_NEEDS_DECISION, S.STATE_SUCCEEDED]
    for position, sequence in enumerate(sequences):
        rest = [event.card_assignment async for event in kiosk.watch(asking, sequence)]
        assert rest == every[position + 1 :]
    snapshots = [event.card_assignment async for event in kiosk.watch(asking)]
    assert snapshots == [await kiosk.get(asking)]
    with pytest.raises(aio.AioRpcError) as caught:
        await kiosk.watch(asking, sequences[-1] + 1).read()
    assert taken_apart(caught.value).metadata["field"] == "after_sequence"


async def test_a_watch_that_began_early_sees_every_event_once(kiosk: Kiosk) -> None:
    first, user = await kiosk.people.user(), await kiosk.people.user()
    await kiosk.held_by(first)
    made = await kiosk.assign(user, ASK)
    seen = []
    async for event in kiosk.watch(made):
        seen.append(event.card_assignment)
        if event.card_assignment.card_request.state == R.STATE_WAITING_FOR_CARD:
            kiosk.reader.swipe(CARD)
        if event.card_assignment.state == S.STATE_NEEDS_DECISION:
            await kiosk.decide(made, TAKE_OVER, first)
    assert seen[-1].state == S.STATE_SUCCEEDED
    rest = [event.card_assignment async for event in kiosk.watch(made, seen[0].sequence)]
    assert seen[1:] == rest


async def test_watchers_of_cards_are_told(kiosk: Kiosk) -> None:
    request = user_card_pb2.WatchUserCardsRequest()
    events = kiosk.client.user_cards.WatchUserCards(request, **kiosk.client.options)
    done = await kiosk.swiped(await kiosk.people.user())
    event = (await events.read()).event
    assert (event.card_id, event.after.user_card_id) == (done.card_id, done.user_card_id)


async def test_lists(kiosk: Kiosk) -> None:
    one, other = await kiosk.people.user(), await kiosk.people.user()
    made = [(await kiosk.assign(user)).card_assignment_id for user in (one, other, one, one)]
    page = await kiosk.list(page_size=3)
    assert [found.card_assignment_id for found in page.card_assignments] == made[:0:-1]
    page = await kiosk.list(page_size=3, page_token=page.next_page_token)
    assert [found.card_assignment_id for found in page.card_assignments] == made[:1]
    assert not page.next_page_token
    page = await kiosk.list(user_id=other.upper())
    assert [found.card_assignment_id for found in page.card_assignments] == [made[1]]
    assert len((await kiosk.list(device_id=kiosk.device)).card_assignments) == 4
    assert not (await kiosk.list(device_id=kiosk.device + 1)).card_assignments
    for fields in ({"page_token": "?"}, {"page_size": 1001}, {"user_id": "?"}):
        refusal = await refused(kiosk.list(**fields))
        assert (refusal.code, refusal.reason) == (STATUS.INVALID_ARGUMENT, "INVALID_FIELD")


async def test_unknown_ids_are_not_found(kiosk: Kiosk) -> None:
    plain = card_request_pb2.CreateCardRequestRequest(
        id=kiosk.device, action=card_request_pb2.CARD_REQUEST_ACTION_BEGINREADCARD
    )
    answer = await kiosk.client.card_requests.CreateCardRequest(plain, **kiosk.client.options)
    for key in (new_id(), answer.card_request_id):
        nobody = pb.CardAssignment(card_assignment_id=key)
        for call in (
            kiosk.get(nobody),
            kiosk.cancel(nobody),
            kiosk.retry(nobody),
            kiosk.decide(nobody, TAKE_OVER, new_id()),
            kiosk.watch(nobody).read(),
        ):
            refusal = await refused(call)
            assert (refusal.code, refusal.reason) == (STATUS.NOT_FOUND, "CARD_ASSIGNMENT_NOT_FOUND")
    refusal = await refused(kiosk.get(pb.CardAssignment(card_assignment_id="no uuid")))
    assert refusal.metadata["field"] == "card_assignment_id"


async def test_no_pin_and_no_track_data_is_told_or_stored(
    kiosk: Kiosk, where: Where, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    asking, _, first, user = await asked(kiosk, pin=PIN)
    await kiosk.swiped(user, card=PAYMENT_CARD, pin=PIN)
    told = [str(await kiosk.list()), str(await kiosk.get(asking))]
    tables = ("card_assignment", "card_assignment_event", "card_request_event", "user_card_event")
    stored = [str(look(where, f"SELECT * FROM {table}")) for table in tables]
    assert look(where, "SELECT count(*) FROM card_assignment WHERE sealed_pin IS NOT NULL") == [(1,)]
    await kiosk.decide(asking, TAKE_OVER, first)
    told += [str(event) async for event in kiosk.watch(asking, 1)]
    stored += [str(look(where, f"SELECT * FROM {table}")) for table in tables]
    if isinstance(where, Path):
        stored += [str(path.read_bytes()) for path in settings.data_dir.glob("swipegate.db*")]
    for text in (*told, *stored, caplog.text):
        assert PIN not in text
        assert PAN not in text
