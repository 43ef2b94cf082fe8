"""ReplaceCardIfExists: expected_holder, validate_only, result codes, and many who create the same card."""

import asyncio
from typing import Any

import grpc
import pytest
from grpc import aio

from swipegate.api.server import Server
from swipegate.settings import Settings
from swipegate.store import database
from swipegate.v1 import ac_system_pb2
from swipegate.v1 import user_card_pb2 as pb
from tests.api.user_card_calls import (
    ACTIVATION,
    DEACTIVATION,
    LOST,
    Calls,
    at,
    everything,
    pin_of,
)
from tests.conftest import Client
from tests.databases import Where, both, look, somebody_writes
from tests.people import WIEGAND_26, WIEGAND_37, People, Refusal, new_id

STATUS = grpc.StatusCode
pytestmark = both


@pytest.fixture
def calls(people: People) -> Calls:
    """The operations on assignments."""
    return Calls(people.client)


async def without_numbers(client: Client) -> str:
    """A system that gives no card numbers out."""
    system = ac_system_pb2.AcSystem(name="no numbers", gives_card_numbers=False)
    request = ac_system_pb2.CreateAcSystemRequest(ac_system=system)
    answer = await client.ac_systems.CreateAcSystem(request, **client.options)
    return str(answer.ac_system.ac_system_id)


async def test_a_free_card_is_given_whoever_is_expected(people: People, calls: Calls) -> None:
    user, system = await people.user(), await people.system()
    for expected in ("", new_id(), user.upper()):
        fields = people.named(system)
        created = await people.replace(user_id=user, expected_holder=expected, **fields)
        assert created.card_created
        await calls.remove(created.value)
        given = await people.replace(user_id=user, expected_holder=expected, card_id=created.card_id)
        assert not given.HasField("previous_user_id")


async def test_a_held_card_is_taken_from_the_expected_holder_alone(people: People, where: Where) -> None:
    holder, other, target = await people.user(), await people.user(), await people.user()
    card = await people.card(holder)
    before = everything(where)
    for expected in ("", other, new_id()):
        refusal = await people.refusal(
            user_id=target, card_id=card.card_id, expected_holder=expected, request_id="r"
        )
        assert (refusal.code, refusal.reason) == (STATUS.ABORTED, "HOLDER_CHANGED")
        assert refusal.metadata == {"card_id": card.card_id, "user_id": holder, "result_code": "11"}
        assert refusal.details == []  # another time would not help, so no RetryInfo
    assert everything(where) == before
    taken = await people.replace(user_id=target, card_id=card.card_id, expected_holder=holder.upper())
    assert (taken.previous_user_id, taken.current_user_id) == (holder, target)
    # the target holds it now: whoever is expected, it stays
    for expected in ("", holder, target, new_id()):
        again = await people.replace(user_id=target, card_id=card.card_id, expected_holder=expected)
        assert (again.value, again.sequence) == (taken.value, 0)


@pytest.mark.parametrize("expected", ["x", " ", "0"])
async def test_an_expected_holder_is_a_uuid_or_empty(people: People, expected: str) -> None:
    refusal = await people.refusal(user_id=new_id(), card_id=new_id(), expected_holder=expected)
    assert (refusal.reason, refusal.metadata["field"]) == ("INVALID_FIELD", "expected_holder")


async def test_one_of_many_takes_the_card_from_the_holder_they_saw(people: People, where: Where) -> None:
    holder = await people.user()
    card = await people.card(holder)
    others = [await people.user() for _ in range(8)]
    answers = await asyncio.gather(
        *(people.replace(user_id=user, card_id=card.card_id, expected_holder=holder) for user in others),
        return_exceptions=True,
    )
    won = [answer for answer in answers if isinstance(answer, pb.ReplaceCardIfExistsResponse)]
    assert len(won) == 1
    lost = [answer.code() for answer in answers if isinstance(answer, aio.AioRpcError)]
    assert lost == [STATUS.ABORTED] * 7
    assert look(where, "SELECT count(*) FROM user_card") == [(2,)]


async def test_a_rehearsal_says_what_would_be_and_changes_nothing(
    people: People, calls: Calls, where: Where
) -> None:
    first, second, system = await people.user(), await people.user(), await people.system()
    card = await people.card(first)
    new = people.named(system)
    before = everything(where)

    created = await people.replace(user_id=first, validate_only=True, request_id="a", **new)
    assert (created.card_created, created.card_id, created.HasField("value")) == (True, "", False)
    assert (created.sequence, created.current_user_id) == (0, first)
    assert created.internal_card_number == new["internal_card_number"]

    taken = await people.replace(user_id=second, card_id=card.card_id, validate_only=True, request_id="a")
    assert (taken.previous_user_id, taken.current_user_id) == (first, second)
    assert (taken.card_id, taken.HasField("value"), taken.sequence) == (card.card_id, False, 0)

    again = await people.replace(
        user_id=first, card_id=card.card_id, pin="1", card_user_flags=7, validate_only=True
    )
    assert (again.previous_user_id, again.value, again.sequence) == (first, card.user_card_id, 0)
    assert everything(where) == before
    # none of the request_ids is remembered, so they serve other bodies
    done = await people.replace(user_id=second, card_id=card.card_id, request_id="a")
    assert done.sequence > 0
    assert [event.sequence for event in await calls.events(0, 2)][-1] == done.sequence


async def test_an_automatic_number_is_shown_and_not_used_up(people: People, where: Where) -> None:
    user, system = await people.user(), await people.system()
    fields = people.named(system, card_type=WIEGAND_26, facility_code=1, internal_card_number=0)
    full = people.named(system, card_type=WIEGAND_26, facility_code=2, internal_card_number=65_535)
    await people.replace(user_id=user, **full)
    gap = full | {"internal_card_number": 0}
    for given in (fields, gap):  # the second from a gap: the place of the search is stored
        before = everything(where)
        for _ in range(2):
            shown = await people.replace(user_id=user, validate_only=True, **given)
            assert shown.internal_card_number == 1
        assert everything(where) == before
        assert (await people.replace(user_id=user, **given)).internal_card_number == 1


async def test_a_rehearsal_of_a_repeat_says_what_the_repeat_answers(people: People, where: Where) -> None:
    first, second = await people.user(), await people.user()
    card = await people.card(first)
    call = {"user_id": second, "card_id": card.card_id, "request_id": "once"}
    answer = await people.replace(**call)
    before = everything(where)
    assert await people.replace(**call, validate_only=True) == answer
    refusal = await people.refusal(**(call | {"user_id": first, "validate_only": True}))
    assert refusal.reason == "REQUEST_ID_REUSED"
    assert everything(where) == before


async def refusals(people: People, calls: Calls) -> dict[str, dict[str, Any]]:
    """A call for each rule that can refuse it whatever the load, by reason."""
    user, holder, system = await people.user(), await people.user(), await people.system()
    card, lost = await people.card(holder), await people.card(holder)
    await calls.mark(lost.card_id, LOST)
    used = {"user_id": user, "request_id": "used"}
    await people.replace(**used, **people.named(system))
    tiny = people.named(system, card_type=99, internal_card_number=0)
    await people.replace(user_id=user, **tiny)
    silent = await without_numbers(people.client)
    return {
        "INVALID_FIELD": {"user_id": user, "card_id": card.card_id, "pin": "x"},
        "USER_NOT_FOUND": {"user_id": new_id(), "card_id": card.card_id},
        "CARD_NOT_FOUND": {"user_id": user, "card_id": new_id()},
        "AC_SYSTEM_NOT_FOUND": {"user_id": user, **people.named(new_id())},
        "CARD_TYPE_NOT_FOUND": {"user_id": user, **people.named(system, card_type=77)},
        "CARD_LOST_OR_STOLEN": {"user_id": user, "card_id": lost.card_id},
        "OCCUPANCY_SYSTEM_MISMATCH": {
            "user_id": user,
            "card_id": card.card_id,
            "enforce_occupancy_system": True,
        },
        "CARD_MISMATCH": {"user_id": user, "card_id": card.card_id, "card_type": WIEGAND_26},
        "NO_FREE_CARD_NUMBER": {"user_id": user, **tiny},
        "REQUEST_ID_REUSED": {**used, "card_id": card.card_id},
        "HOLDER_CHANGED": {"user_id": user, "card_id": card.card_id, "expected_holder": ""},
        "AUTOMATIC_NUMBERS_OFF": {"user_id": user, **people.named(silent, internal_card_number=0)},
    }


LOAD = {"OVERLOADED", "DATABASE_UNAVAILABLE"}
"""Refusals that no request alone provokes; each has a test of its own, here and in test_user_card_servers.py."""


async def test_every_rule_has_its_code_and_fires_the_same_in_a_rehearsal(
    people: People, calls: Calls, where: Where
) -> None:
    look(
        where,
        """INSERT INTO card_type
            SELECT 99, 'tiny', 1, NULL, NULL, has_serial_number FROM card_type WHERE card_type = 1""",
    )
    every = await refusals(people, calls)
    names = {name.removeprefix("RESULT_CODE_") for name in pb.ResultCode.DESCRIPTOR.values_by_name}
    assert names == {"SUCCESS", *every, *LOAD}
    before = everything(where)
    for reason, fields in every.items():
        refusal = await people.refusal(**fields)
        assert refusal.reason == reason
        assert refusal.metadata["result_code"] == str(pb.ResultCode.Value(f"RESULT_CODE_{reason}"))
        rehearsed = await people.refusal(**fields, validate_only=True)
        assert rehearsed == refusal, reason
    assert everything(where) == before


async def test_no_automatic_number_where_the_system_gives_none(people: People) -> None:
    user, system = await people.user(), await without_numbers(people.client)
    fields = people.named(system, internal_card_number=0)
    refusal = await people.refusal(user_id=user, **fields)
    assert (refusal.code, refusal.reason) == (STATUS.FAILED_PRECONDITION, "AUTOMATIC_NUMBERS_OFF")
    assert refusal.metadata == {"ac_system_id": system, "result_code": "12"}
    named = await people.replace(user_id=user, **(fields | {"internal_card_number": 5}))
    held = await people.replace(user_id=user, card_id=named.card_id, internal_card_number=0)
    assert held.internal_card_number == 5


async def test_too_many_waiting_have_their_code(
    settings: Settings, bearer: Any, where: Where, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "MAX_WAITING", 8)
    server = Server(settings)
    await server.start()
    waiting: list[asyncio.Task[Refusal]] = []

    def full() -> list[Refusal]:
        over = [task.result() for task in waiting if task.done()]
        return [refusal for refusal in over if refusal.reason == "OVERLOADED"]

    async with aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        people = People(Client(channel, bearer()))
        user, card = await people.user(), new_id()
        with somebody_writes(where):  # the writer takes what comes until it has to wait, then eight more may
            async with asyncio.timeout(20):
                while not full():
                    waiting += [
                        asyncio.create_task(people.refusal(user_id=user, card_id=card)) for _ in range(8)
                    ]
                    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED, timeout=0.2)
        await asyncio.wait(waiting)
    await server.stop()
    assert {one.metadata["result_code"] for one in full()} == {"13"}
    assert {one.code for one in full()} == {STATUS.RESOURCE_EXHAUSTED}


async def test_many_create_the_same_card(people: People, where: Where) -> None:
    users = [await people.user() for _ in range(16)]
    fields = people.named(await people.system())
    answers = await asyncio.gather(*(people.replace(user_id=user, **fields) for user in users))
    assert len({answer.card_id for answer in answers}) == 1
    assert [answer.card_created for answer in answers].count(True) == 1
    assert look(where, "SELECT count(*) FROM card") == [(1,)]
    chain = [row[0] for row in look(where, "SELECT user_id FROM user_card ORDER BY row_id")]
    assert sorted(chain) == sorted(users)
    # each took it from the one before
    previous = {answer.current_user_id: answer.previous_user_id for answer in answers}
    assert [previous[user] for user in chain] == ["", *chain[:-1]]


async def test_the_rules_of_dates_and_pin_hold_in_a_rehearsal(
    people: People, where: Where, settings: Settings
) -> None:
    user = await people.user()
    card = await people.card(user, card_type=WIEGAND_37, pin="0042", **{DEACTIVATION: at(20)})
    again = {"user_id": user, "card_id": card.card_id, "validate_only": True}
    refusal = await people.refusal(**again, **{ACTIVATION: at(20)})
    assert refusal.metadata["field"] == DEACTIVATION
    await people.replace(**again, pin="9", **{ACTIVATION: at(19)})
    assert pin_of(where, settings, card.user_card_id) == "0042"
