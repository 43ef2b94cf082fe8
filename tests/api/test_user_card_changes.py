"""Remove, update, mark and undo over gRPC."""

import itertools
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from swipegate.settings import Settings
from swipegate.v1 import user_card_pb2 as pb
from swipegate.v1 import user_pb2
from tests.api.user_card_calls import (
    ACTIVATION,
    DEACTIVATION,
    GOOD,
    LOST,
    STOLEN,
    Calls,
    at,
    everything,
    pin_of,
)
from tests.databases import Where, both, look
from tests.people import NOWHERE, People, refused

STATUS = grpc.StatusCode
pytestmark = both


@pytest.fixture
def calls(people: People) -> Calls:
    """The operations on assignments."""
    return Calls(people.client)


async def holder(people: People, card_id: str) -> str:
    """Who holds the card; empty for nobody."""
    (found,) = [card.user_id for card in await people.cards() if card.card_id == card_id]
    return found


async def test_a_removed_card_is_nobodys_and_can_be_given_again(people: People, calls: Calls) -> None:
    user = await people.user()
    card = await people.card(user, pin="1234", card_user_flags=5)
    before = await calls.get(card.user_card_id)
    answer = await calls.remove(card.user_card_id.upper())
    assert answer.sequence > 0
    ended = answer.user_card
    assert ended.end_time.ToMicroseconds() >= ended.start_time.ToMicroseconds() > 0
    before.end_time.CopyFrom(ended.end_time)
    assert ended == before == await calls.get(card.user_card_id)
    assert (await people.cards())[0].user_card_id == ""
    again = await people.replace(user_id=user, card_id=card.card_id)
    assert again.value != card.user_card_id
    assert not again.HasField("previous_user_id")


async def test_what_has_ended_is_answered_as_it_stands(people: People, calls: Calls, where: Where) -> None:
    first, second = await people.user(), await people.user()
    card = await people.card(first)
    taken = await people.replace(user_id=second, card_id=card.card_id)
    ended = await calls.get(card.user_card_id)
    before = everything(where)
    for _ in range(2):  # it ended by the replacement
        answer = await calls.remove(card.user_card_id)
        assert (answer.user_card, answer.sequence) == (ended, 0)
    assert everything(where) == before
    assert await holder(people, card.card_id) == second
    removed = await calls.remove(taken.value)
    again = await calls.remove(taken.value)
    assert (again.user_card, again.sequence) == (removed.user_card, 0)


@pytest.mark.parametrize(
    ("user_card_id", "code", "reason"),
    [
        ("", STATUS.INVALID_ARGUMENT, "INVALID_FIELD"),
        ("x", STATUS.INVALID_ARGUMENT, "INVALID_FIELD"),
        (NOWHERE, STATUS.NOT_FOUND, "USER_CARD_NOT_FOUND"),
    ],
)
async def test_an_assignment_that_is_not_there(
    calls: Calls, user_card_id: str, code: grpc.StatusCode, reason: str
) -> None:
    for call in (
        calls.get(user_card_id),
        calls.remove(user_card_id),
        calls.update(user_card_id, "card_user_flags"),
    ):
        refusal = await refused(call)
        assert (refusal.code, refusal.reason) == (code, reason)


async def test_an_update_changes_what_the_mask_names(
    people: People, calls: Calls, where: Where, settings: Settings
) -> None:
    card = await people.card(await people.user(), pin="0042", card_user_flags=3)
    key = card.user_card_id
    given = {ACTIVATION: at(10), DEACTIVATION: at(20), "card_user_flags": 64}
    before = await calls.get(key)
    for path, value in given.items():
        answer = await calls.update(key, path, pin="9999", **given)
        expected = pb.UserCard()
        expected.CopyFrom(before)
        if isinstance(value, Timestamp):
            getattr(expected, path).CopyFrom(value)
        else:
            setattr(expected, path, value)
        assert answer.user_card == expected == await calls.get(key)
        assert answer.sequence > 0
        again = await calls.update(key, path, **given)
        assert (again.user_card, again.sequence) == (expected, 0)
        before = expected
    assert pin_of(where, settings, key) == "0042"
    cleared = await calls.update(key, *given)  # what is named and absent is taken away
    assert cleared.user_card.HasField(ACTIVATION) is cleared.user_card.HasField(DEACTIVATION) is False
    assert (cleared.user_card.card_user_flags, cleared.user_card.has_pin) == (0, True)


async def test_a_pin_is_set_and_taken_away(
    people: People, calls: Calls, where: Where, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    card = await people.card(await people.user())
    key = card.user_card_id
    first = await calls.update(key, "pin", pin="0071530")
    assert (first.user_card.has_pin, pin_of(where, settings, key)) == (True, "0071530")
    again = await calls.update(key, "pin", pin="0071530")
    assert again.sequence > first.sequence  # no PIN is compared, so it counts as a change
    gone = await calls.update(key, "pin")
    assert (gone.user_card.has_pin, pin_of(where, settings, key)) == (False, None)
    assert (await calls.update(key, "pin")).sequence == 0
    events = await calls.events(0, 4)
    assert [event.pin_changed for event in events] == [False, True, True, True]
    assert "0071530" not in str(events) + caplog.text + str(look(where, "SELECT * FROM user_card_event"))


@pytest.mark.parametrize(
    ("paths", "fields", "field"),
    [
        ([], {}, "update_mask"),
        (["user_id"], {}, "update_mask"),
        (["end_time", "pin"], {}, "update_mask"),
        (["has_pin"], {}, "update_mask"),
        (["pin"], {"pin": ""}, "pin"),
        (["pin"], {"pin": "12a"}, "pin"),
        (["pin"], {"pin": "1" * 17}, "pin"),
        (["card_user_flags"], {"card_user_flags": 128}, "card_user_flags"),
        ([ACTIVATION], {ACTIVATION: Timestamp(seconds=-1)}, f"user_card.{ACTIVATION}"),
        ([DEACTIVATION], {DEACTIVATION: at(5)}, DEACTIVATION),  # against what is stored
        ([ACTIVATION], {ACTIVATION: at(30)}, DEACTIVATION),
        ([ACTIVATION, DEACTIVATION], {ACTIVATION: at(50), DEACTIVATION: at(50)}, DEACTIVATION),
    ],
)
async def test_a_bad_update_is_named(
    people: People, calls: Calls, where: Where, paths: list[str], fields: dict[str, Any], field: str
) -> None:
    card = await people.card(await people.user(), **{ACTIVATION: at(10), DEACTIVATION: at(20)})
    before = everything(where)
    refusal = await refused(calls.update(card.user_card_id, *paths, **fields))
    assert (refusal.code, refusal.reason) == (STATUS.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refusal.metadata["field"] == field
    assert everything(where) == before
    if fields.get("pin"):
        assert fields["pin"] not in refusal.message


async def test_the_window_of_the_same_holder_is_checked_against_what_is_stored(people: People) -> None:
    user = await people.user()
    card = await people.card(user, **{DEACTIVATION: at(20)})
    again = {"user_id": user, "card_id": card.card_id}
    refusal = await people.refusal(**again, **{ACTIVATION: at(20)})
    assert (refusal.reason, refusal.metadata["field"]) == ("INVALID_FIELD", DEACTIVATION)
    assert refusal.metadata["result_code"] == "1"
    await people.replace(**again, **{ACTIVATION: at(19)})
    refusal = await people.refusal(**again, **{DEACTIVATION: at(19)})
    assert refusal.metadata["field"] == DEACTIVATION
    # for another holder only what is given counts
    await people.replace(user_id=await people.user(), card_id=card.card_id, **{DEACTIVATION: at(5)})


async def test_what_has_ended_is_not_updated(people: People, calls: Calls) -> None:
    card = await people.card(await people.user())
    await calls.remove(card.user_card_id)
    refusal = await refused(calls.update(card.user_card_id, "card_user_flags", card_user_flags=1))
    assert (refusal.code, refusal.reason) == (STATUS.FAILED_PRECONDITION, "USER_CARD_ENDED")
    assert refusal.metadata == {"user_card_id": card.user_card_id}


@pytest.mark.parametrize("status", [LOST, STOLEN])
async def test_a_marked_card_stays_with_its_holder_until_it_is_found(
    people: People, calls: Calls, where: Where, status: Any
) -> None:
    user, other = await people.user(), await people.user()
    card = await people.card(user)
    marked = await calls.mark(card.card_id.upper(), status)
    assert (marked.card.status, marked.card.user_id) == (status, user)
    assert marked.sequence > 0
    before = everything(where)
    assert (await calls.mark(card.card_id, status)).sequence == 0
    assert everything(where) == before
    for target in (user, other):
        assert (await people.refusal(user_id=target, card_id=card.card_id)).reason == "CARD_LOST_OR_STOLEN"
    await calls.update(card.user_card_id, "card_user_flags", card_user_flags=1)
    await calls.remove(card.user_card_id)
    assert (await people.refusal(user_id=other, card_id=card.card_id)).reason == "CARD_LOST_OR_STOLEN"
    found = await calls.mark(card.card_id, GOOD)
    assert (found.card.status, found.card.user_id) == (GOOD, "")
    assert (await people.replace(user_id=other, card_id=card.card_id)).current_user_id == other


@pytest.mark.parametrize("status", [0, 4, 1000])
async def test_a_bad_mark_is_named(people: People, calls: Calls, status: Any) -> None:
    card = await people.card(await people.user())
    refusal = await refused(calls.mark(card.card_id, status))
    assert (refusal.reason, refusal.metadata["field"]) == ("INVALID_FIELD", "status")


FIELDS: dict[str, Any] = {ACTIVATION: at(10), DEACTIVATION: at(20), "card_user_flags": 9, "pin": "0042"}
"""Of the assignment that an undo brings back."""


def assert_restored(restored: pb.UserCard, user_id: str) -> None:
    """The user, the dates, the flags and that there is a PIN."""
    assert restored.user_id == user_id
    assert (getattr(restored, ACTIVATION), getattr(restored, DEACTIVATION)) == (at(10), at(20))
    assert (restored.card_user_flags, restored.has_pin) == (9, True)
    assert not restored.HasField("end_time")


async def test_an_assignment_is_undone_and_that_undone(
    people: People, calls: Calls, where: Where, settings: Settings
) -> None:
    user = await people.user()
    card = await people.card(user, **FIELDS)
    (event,) = await calls.events(0, 1)
    taken = await calls.undo(event.sequence)
    assert not taken.HasField("user_card")
    assert (await people.cards())[0].user_id == ""
    back = await calls.undo(taken.sequence)
    assert_restored(back.user_card, user)
    assert back.user_card.user_card_id != card.user_card_id
    assert pin_of(where, settings, back.user_card.user_card_id) == "0042"
    assert await calls.get(back.user_card.user_card_id) == back.user_card
    events = await calls.events(event.sequence, 2)
    assert [one.kind for one in events] == [pb.UserCardEvent.KIND_REMOVED, pb.UserCardEvent.KIND_ASSIGNED]
    assert [one.undid_sequence for one in events] == [event.sequence, taken.sequence]


async def test_a_replacement_is_undone_and_that_undone(
    people: People, calls: Calls, where: Where, settings: Settings
) -> None:
    first, second = await people.user(), await people.user()
    card = await people.card(first, **FIELDS)
    taken = await people.replace(user_id=second, card_id=card.card_id, pin="7")
    back = await calls.undo(taken.sequence)
    assert_restored(back.user_card, first)
    assert pin_of(where, settings, back.user_card.user_card_id) == "0042"
    assert await holder(people, card.card_id) == first
    forth = await calls.undo(back.sequence)
    assert (forth.user_card.user_id, forth.user_card.has_pin) == (second, True)
    assert pin_of(where, settings, forth.user_card.user_card_id) == "7"
    chain = (await calls.page(card_id=card.card_id, include_ended=True)).user_cards
    assert [one.user_id for one in chain] == [first, second, first, second]
    for before, after in itertools.pairwise(chain):
        assert before.end_time == after.start_time
    assert [event.kind for event in await calls.events(taken.sequence, 2)] == [
        pb.UserCardEvent.KIND_REPLACED
    ] * 2


async def test_a_removal_is_undone_and_that_undone(
    people: People, calls: Calls, where: Where, settings: Settings
) -> None:
    user = await people.user()
    card = await people.card(user, **FIELDS)
    removed = await calls.remove(card.user_card_id)
    back = await calls.undo(removed.sequence)
    assert_restored(back.user_card, user)
    assert pin_of(where, settings, back.user_card.user_card_id) == "0042"
    again = await calls.undo(back.sequence)
    assert not again.HasField("user_card")
    assert await holder(people, card.card_id) == ""


@pytest.mark.parametrize("pin", [None, "8", "none"])
async def test_an_update_is_undone_and_that_undone(
    people: People, calls: Calls, where: Where, settings: Settings, pin: str | None
) -> None:
    user = await people.user()
    key = (await people.card(user, **FIELDS)).user_card_id
    before = await calls.get(key)
    paths = [ACTIVATION, "card_user_flags", *(["pin"] if pin else [])]
    new = {"none": None}.get(pin or "", pin)
    updated = await calls.update(key, *paths, pin=new, card_user_flags=1)
    expected = pin_of(where, settings, key)
    assert expected == {None: "0042", "8": "8", "none": None}[pin]
    back = await calls.undo(updated.sequence)
    assert back.user_card == before == await calls.get(key)  # the same assignment
    assert pin_of(where, settings, key) == "0042"
    forth = await calls.undo(back.sequence)
    assert forth.user_card == updated.user_card == await calls.get(key)
    assert pin_of(where, settings, key) == expected


async def test_an_amendment_by_replacement_is_undone(
    people: People, calls: Calls, where: Where, settings: Settings
) -> None:
    user = await people.user()
    card = await people.card(user)
    amended = await people.replace(user_id=user, card_id=card.card_id, **FIELDS)
    back = await calls.undo(amended.sequence)
    assert (back.user_card.card_user_flags, back.user_card.has_pin) == (0, False)
    assert pin_of(where, settings, card.user_card_id) is None
    assert_restored((await calls.undo(back.sequence)).user_card, user)
    assert pin_of(where, settings, card.user_card_id) == "0042"


@pytest.mark.parametrize("later", ["update", "mark", "remove", "replace", "undo"])
async def test_nothing_is_undone_once_the_card_has_changed(
    people: People, calls: Calls, where: Where, later: str
) -> None:
    user, other = await people.user(), await people.user()
    card = await people.card(user)
    first = await people.replace(user_id=other, card_id=card.card_id)
    await people.card(user)  # another card is no matter
    if later == "update":
        last = (await calls.update(first.value, "card_user_flags", card_user_flags=1)).sequence
    elif later == "mark":
        last = (await calls.mark(card.card_id, LOST)).sequence
    elif later == "remove":
        last = (await calls.remove(first.value)).sequence
    elif later == "replace":
        last = (await people.replace(user_id=user, card_id=card.card_id)).sequence
    else:
        last = (await calls.undo(first.sequence)).sequence
    before = everything(where)
    refusal = await refused(calls.undo(first.sequence))
    assert (refusal.code, refusal.reason) == (STATUS.FAILED_PRECONDITION, "CARD_CHANGED_SINCE")
    assert refusal.metadata == {
        "card_id": card.card_id,
        "sequence": str(first.sequence),
        "last_sequence": str(last),
    }
    assert everything(where) == before


async def test_a_mark_is_not_undone(people: People, calls: Calls) -> None:
    card = await people.card(await people.user())
    marked = await calls.mark(card.card_id, LOST)
    refusal = await refused(calls.undo(marked.sequence))
    assert (refusal.code, refusal.reason) == (STATUS.FAILED_PRECONDITION, "NOT_UNDOABLE")
    assert refusal.metadata == {"sequence": str(marked.sequence), "kind": "MARKED"}


async def test_an_undo_names_its_event(calls: Calls) -> None:
    refusal = await refused(calls.undo(0))
    assert (refusal.code, refusal.reason) == (STATUS.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refusal.metadata["field"] == "sequence"


@pytest.mark.parametrize("sequence", [7, 2**63 - 1, 2**63, 2**64 - 1])
async def test_an_event_that_is_not_there(people: People, calls: Calls, sequence: int) -> None:
    await people.card(await people.user())
    refusal = await refused(calls.undo(sequence))
    assert (refusal.code, refusal.reason) == (STATUS.NOT_FOUND, "USER_CARD_EVENT_NOT_FOUND")
    assert refusal.metadata == {"sequence": str(sequence)}


async def test_an_undo_for_a_deleted_user(people: People, calls: Calls, where: Where) -> None:
    gone, other = await people.user(), await people.user()
    card = await people.card(gone)
    taken = await people.replace(user_id=other, card_id=card.card_id)
    await people.client.users.DeleteUser(user_pb2.DeleteUserRequest(user_id=gone), **people.client.options)
    before = everything(where)
    refusal = await refused(calls.undo(taken.sequence))
    assert (refusal.code, refusal.reason) == (STATUS.NOT_FOUND, "USER_NOT_FOUND")
    assert refusal.metadata == {"user_id": gone}
    assert everything(where) == before
    assert await holder(people, card.card_id) == other


async def test_an_undo_that_would_give_a_lost_card(people: People, calls: Calls, where: Where) -> None:
    card = await people.card(await people.user())
    await calls.mark(card.card_id, LOST)
    removed = await calls.remove(card.user_card_id)
    before = everything(where)
    refusal = await refused(calls.undo(removed.sequence))
    assert (refusal.code, refusal.reason) == (STATUS.FAILED_PRECONDITION, "CARD_LOST_OR_STOLEN")
    assert everything(where) == before


async def test_an_update_of_a_lost_card_is_undone(people: People, calls: Calls) -> None:
    """Nobody gets it by that."""
    card = await people.card(await people.user())
    await calls.mark(card.card_id, LOST)
    updated = await calls.update(card.user_card_id, "card_user_flags", card_user_flags=1)
    assert (await calls.undo(updated.sequence)).user_card.card_user_flags == 0


async def test_a_repeat_of_an_undo_replays_the_answer(people: People, calls: Calls, where: Where) -> None:
    first, second = await people.user(), await people.user()
    card = await people.card(first)
    taken = await people.replace(user_id=second, card_id=card.card_id)
    answer = await calls.undo(taken.sequence, "once")
    await people.replace(user_id=second, card_id=card.card_id)
    before = everything(where)
    assert await calls.undo(taken.sequence, "once") == answer
    assert everything(where) == before
    refusal = await refused(calls.undo(answer.sequence, "once"))
    assert (refusal.code, refusal.reason) == (STATUS.INVALID_ARGUMENT, "REQUEST_ID_REUSED")
    # a refused call is not remembered, and the other operation has its own
    assert (await refused(calls.undo(taken.sequence, "again"))).reason == "CARD_CHANGED_SINCE"
    last = await people.replace(user_id=first, card_id=card.card_id, request_id="once")
    assert (await calls.undo(last.sequence, "again")).user_card.user_id == second


@pytest.mark.parametrize("request_id", ["x" * 65, "a\tb"])
async def test_a_bad_request_id_of_an_undo_is_named(people: People, calls: Calls, request_id: str) -> None:
    await people.card(await people.user())
    refusal = await refused(calls.undo(1, request_id))
    assert (refusal.reason, refusal.metadata["field"]) == ("INVALID_FIELD", "request_id")
