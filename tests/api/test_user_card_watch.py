"""WatchUserCards over gRPC."""

import asyncio
from typing import Any

import grpc
import pytest
from grpc import aio

from swipegate.api.server import Server
from swipegate.service import watching
from swipegate.v1 import card_pb2
from swipegate.v1 import user_card_pb2 as pb
from tests.api.user_card_calls import ACTIVATION, GOOD, LOST, Calls, at
from tests.databases import Where, both, look
from tests.people import People, new_id, refused, taken_apart

STATUS = grpc.StatusCode
KIND = pb.UserCardEvent
WAIT = 30.0
"""Seconds that anything may take."""
pytestmark = both


@pytest.fixture
def calls(people: People) -> Calls:
    """The operations on assignments."""
    return Calls(people.client)


async def some_of_everything(people: People, calls: Calls) -> list[int]:
    """A change of every kind that a caller can make; their sequences."""
    first, second = await people.user(), await people.user()
    card = await people.card(first, pin="0042")
    sequences = [(await calls.page(user_id=first)).sequence]
    taken = await people.replace(user_id=second, card_id=card.card_id)
    updated = await calls.update(taken.value, ACTIVATION, "pin", pin="7", **{ACTIVATION: at(5)})
    undone = await calls.undo(updated.sequence)
    marked = await calls.mark(card.card_id, LOST)
    removed = await calls.remove(taken.value)
    found = await calls.mark(card.card_id, GOOD)
    return sequences + [one.sequence for one in (taken, updated, undone, marked, removed, found)]


async def test_every_kind_of_event(people: People, calls: Calls) -> None:
    sequences = await some_of_everything(people, calls)
    events = await calls.events(0, len(sequences))
    assert [event.sequence for event in events] == sequences
    assigned, replaced, updated, undone, marked, removed, found = events
    assert [event.kind for event in events] == [
        KIND.KIND_ASSIGNED,
        KIND.KIND_REPLACED,
        KIND.KIND_UPDATED,
        KIND.KIND_UPDATED,
        KIND.KIND_MARKED,
        KIND.KIND_REMOVED,
        KIND.KIND_MARKED,
    ]
    assert not assigned.HasField("before")
    assert assigned.after == replaced.before
    assert assigned.after.has_pin
    for earlier, later in ((replaced, updated), (updated, undone), (undone, marked)):
        assert earlier.after == later.before
    assert getattr(updated.after, ACTIVATION) == at(5)
    assert undone.after == updated.before
    assert (undone.undid_sequence, updated.undid_sequence) == (updated.sequence, 0)
    assert [event.pin_changed for event in events] == [True, False, True, True, False, False, False]
    assert marked.before == marked.after == removed.before
    assert not removed.HasField("after")
    assert not found.HasField("before")
    assert not found.HasField("after")
    statuses = [(event.status_before, event.status_after) for event in events]
    assert statuses == [(GOOD, GOOD)] * 4 + [(GOOD, LOST), (LOST, LOST), (LOST, GOOD)]
    assert {(event.card_id, event.subject, event.client) for event in events} == {
        (assigned.card_id, "tester", "tests")
    }
    times = [event.time.ToMicroseconds() for event in events]
    assert times == sorted(times)
    assert "0042" not in str(events)


async def test_a_card_that_was_created_and_given_to_nobody(
    people: People, calls: Calls, where: Where
) -> None:
    """As an import makes them."""
    card = await people.card(await people.user())
    (assigned,) = await calls.events(0, 1)
    look(
        where,
        """INSERT INTO user_card_event (time, kind, card_id, pin_changed, status_before, status_after, subject, client)
            SELECT time, 'CREATED', card_id, pin_changed, 'GOOD', 'GOOD', 'importer', client
            FROM user_card_event WHERE pin_changed = :no""",
        no=False,
    )
    (event,) = await calls.events(assigned.sequence, 1)
    assert (event.kind, event.card_id, event.subject) == (KIND.KIND_CREATED, card.card_id, "importer")
    assert not event.HasField("before")
    assert not event.HasField("after")
    refusal = await refused(calls.undo(event.sequence))
    assert (refusal.reason, refusal.metadata["kind"]) == ("NOT_UNDOABLE", "CREATED")


async def test_a_watch_resumes_after_every_sequence(people: People, calls: Calls) -> None:
    sequences = await some_of_everything(people, calls)
    whole = await calls.events(0, len(sequences))
    for number, sequence in enumerate(sequences[:-1], 1):
        assert await calls.events(sequence, len(sequences) - number) == whole[number:]
    # between two events, too: numbers have gaps
    call = calls.watch(sequences[-1])
    waiting = asyncio.create_task(call.read())
    await people.card(await people.user())
    event = (await asyncio.wait_for(waiting, WAIT)).event
    assert event.sequence > sequences[-1]
    call.cancel()


@pytest.mark.parametrize("past", [1, 2**63, 2**64 - 1])
async def test_a_watch_past_the_last_event_is_refused(people: People, calls: Calls, past: int) -> None:
    await people.card(await people.user())
    (event,) = await calls.events(0, 1)
    after = event.sequence + 1 if past == 1 else past
    refusal = await refused(calls.watch(after).read())
    assert (refusal.code, refusal.metadata["field"]) == (STATUS.INVALID_ARGUMENT, "after_sequence")


async def test_a_watch_of_nothing_yet(people: People, calls: Calls) -> None:
    call = calls.watch(0)
    waiting = asyncio.create_task(call.read())
    await people.card(await people.user())
    assert (await asyncio.wait_for(waiting, WAIT)).event.kind == KIND.KIND_ASSIGNED
    call.cancel()


async def test_a_refused_or_rehearsed_call_makes_no_event(people: People, calls: Calls) -> None:
    user = await people.user()
    card = await people.card(user)
    (event,) = await calls.events(0, 1)
    call = calls.watch(event.sequence)
    await people.replace(user_id=await people.user(), card_id=card.card_id, validate_only=True)
    await people.refusal(user_id=new_id(), card_id=card.card_id)
    await people.replace(user_id=user, card_id=card.card_id)  # held already
    last = await calls.remove(card.user_card_id)
    event = (await call.read()).event
    assert (event.kind, event.sequence) == (KIND.KIND_REMOVED, last.sequence)
    call.cancel()


async def test_another_servers_change_is_seen_though_no_bell_rings(
    people: People, calls: Calls, where: Where
) -> None:
    await people.card(await people.user())
    (event,) = await calls.events(0, 1)
    call = calls.watch(event.sequence)
    waiting = asyncio.create_task(call.read())
    copied = "time, kind, card_id, pin_changed, status_before, status_after, subject, client"
    look(where, f"INSERT INTO user_card_event ({copied}) SELECT {copied} FROM user_card_event")
    assert (await asyncio.wait_for(waiting, WAIT)).event.sequence > event.sequence
    call.cancel()


async def test_shutdown_ends_every_watch(people: People, calls: Calls, server: Server) -> None:
    await people.card(await people.user())
    watches = [calls.watch(0) for _ in range(3)]
    for watch in watches:
        await watch.read()
    rest = [asyncio.create_task(watch.read()) for watch in watches]
    await server.stop()
    for task in rest:
        with pytest.raises(aio.AioRpcError) as caught:
            await asyncio.wait_for(task, WAIT)
        refusal = taken_apart(caught.value)
        assert (refusal.code, refusal.reason) == (STATUS.UNAVAILABLE, "SHUTTING_DOWN")


async def test_the_number_of_watchers_has_a_bound(
    calls: Calls, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    await people.card(await people.user())
    first = calls.watch(0)
    await first.read()
    monkeypatch.setattr(watching, "MAX_LISTENERS", 1)
    refusal = await refused(calls.watch(0).read())
    assert (refusal.code, refusal.reason) == (STATUS.RESOURCE_EXHAUSTED, "OVERLOADED")
    first.cancel()


async def test_a_watcher_that_reads_nothing_holds_nobody_up(
    people: People, calls: Calls, where: Where
) -> None:
    """More events than gRPC's windows hold: the server waits for that watcher alone."""
    user = await people.user()
    card = await people.card(user)
    slow = calls.watch(0)
    await slow.read()
    columns = "time, kind, card_id, before, after, pin_changed, status_before, status_after, subject, client"
    rows = 1
    while rows < 4096:  # 4,096 events of 400 bytes and more
        look(where, f"INSERT INTO user_card_event ({columns}) SELECT {columns} FROM user_card_event")
        rows *= 2
    quick = calls.watch(0)
    seen = [(await quick.read()).event.sequence for _ in range(rows)]
    assert seen == sorted(set(seen))
    removed = await calls.remove(card.user_card_id)
    assert (await quick.read()).event.sequence == removed.sequence
    assert await people.cards(user_id=user) == []
    # and it missed nothing
    late = [(await slow.read()).event.sequence for _ in range(rows)]
    assert late == [*seen[1:], removed.sequence]
    slow.cancel()
    quick.cancel()


async def test_every_watcher_sees_every_change_of_many_callers(people: People, calls: Calls) -> None:
    users = [await people.user() for _ in range(4)]
    cards = [await people.card(users[0]) for _ in range(4)]
    start = (await calls.page(user_id=users[0])).sequence
    watches = [calls.watch(start) for _ in range(3)]

    async def move(number: int) -> set[int]:
        made = set()
        for step in range(5):
            fields: dict[str, Any] = {"user_id": users[(number + step) % 4]}
            made.add((await people.replace(card_id=cards[(number * step) % 4].card_id, **fields)).sequence)
        return made

    made = set().union(*await asyncio.gather(*(move(number) for number in range(8)))) - {0}
    holders: dict[str, str] = {card.card_id: users[0] for card in cards}
    for watch in watches:
        events = [(await watch.read()).event for _ in made]
        watch.cancel()
        assert [event.sequence for event in events] == sorted(made)
        stands = dict(holders)
        for event in events:  # each explains itself by the one before
            assert event.before.user_id == stands[event.card_id]
            stands[event.card_id] = event.after.user_id
        found: list[card_pb2.Card] = await people.cards()
        assert stands == {card.card_id: card.user_id for card in found}
