"""ListUserCards over gRPC: cards of a user, holders of a card, now, as of a time, ever."""

import base64
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from swipegate.v1 import user_card_pb2 as pb
from tests.api.user_card_calls import Calls, at
from tests.databases import Where, both, look
from tests.people import People, new_id, refused

pytestmark = both


@pytest.fixture
def calls(people: People) -> Calls:
    """The operations on assignments."""
    return Calls(people.client)


async def keys(calls: Calls, **fields: Any) -> list[str]:
    """Ids of the first page."""
    return [one.user_card_id for one in (await calls.page(**fields)).user_cards]


async def test_the_cards_of_a_user_and_the_holders_of_a_card(people: People, calls: Calls) -> None:
    user, other = await people.user(), await people.user()
    first, second = await people.card(user), await people.card(user, pin="1", card_user_flags=3)
    taken = await people.replace(user_id=other, card_id=first.card_id)
    assert await keys(calls, user_id=user.upper()) == [second.user_card_id]
    assert await keys(calls, user_id=user, include_ended=True) == [first.user_card_id, second.user_card_id]
    assert await keys(calls, card_id=first.card_id.upper()) == [taken.value]
    assert await keys(calls, card_id=first.card_id, include_ended=True) == [first.user_card_id, taken.value]
    assert await keys(calls, user_id=user, card_id=first.card_id) == []
    both_ended = await keys(calls, user_id=user, card_id=first.card_id, include_ended=True)
    assert both_ended == [first.user_card_id]
    assert await keys(calls, user_id=new_id(), include_ended=True) == []
    (found,) = (await calls.page(user_id=user)).user_cards
    assert found == await calls.get(second.user_card_id)
    assert (found.user_id, found.card_id, found.has_pin) == (user, second.card_id, True)
    assert found.card_user_flags == 3


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "user_id"),
        ({"as_of": at(1)}, "user_id"),
        ({"user_id": "x"}, "user_id"),
        ({"card_id": "x"}, "card_id"),
        ({"card_id": new_id(), "as_of": at(1), "include_ended": True}, "include_ended"),
        ({"card_id": new_id(), "as_of": Timestamp(seconds=-1)}, "as_of"),
        ({"card_id": new_id(), "as_of": Timestamp(nanos=-1)}, "as_of"),
        ({"card_id": new_id(), "as_of": Timestamp(seconds=253_402_300_800)}, "as_of"),
        ({"card_id": new_id(), "page_size": 1001}, "page_size"),
        ({"card_id": new_id(), "page_token": "x"}, "page_token"),
        ({"card_id": new_id(), "page_token": base64.urlsafe_b64encode(b"row:-1").decode()}, "page_token"),
    ],
)
async def test_a_bad_list_is_named(calls: Calls, fields: dict[str, Any], field: str) -> None:
    refusal = await refused(calls.page(**fields))
    assert (refusal.reason, refusal.metadata["field"]) == ("INVALID_FIELD", field)


async def test_as_of_every_boundary(people: People, calls: Calls, where: Where) -> None:
    """From the microsecond of the start on, and no longer at that of the end."""
    first, second = await people.user(), await people.user()
    card = await people.card(first)
    taken = await people.replace(user_id=second, card_id=card.card_id)
    await calls.remove(taken.value)
    rows = [(card.user_card_id, 100, 200), (taken.value, 200, 300)]
    for key, start, end in rows:
        look(
            where,
            "UPDATE user_card SET start_time = :start, end_time = :end WHERE user_card_id = :key",
            key=key,
            start=start,
            end=end,
        )

    async def as_of(time: Timestamp, **fields: Any) -> list[str]:
        return await keys(calls, card_id=card.card_id, as_of=time, **fields)

    expected: dict[int, list[str]] = {0: [], 99: [], 300: [], 301: []}
    expected |= {time: [card.user_card_id] for time in (100, 101, 199)}
    expected |= {time: [taken.value] for time in (200, 201, 299)}
    for time, found in expected.items():
        assert await as_of(at(time)) == found, time
        assert await as_of(at(time), user_id=first) == [key for key in found if key == card.user_card_id]
        # what a Timestamp has below a microsecond does not count
        assert await as_of(Timestamp(nanos=time * 1000 + 999)) == found, time


async def test_as_of_far_times(people: People, calls: Calls) -> None:
    user = await people.user()
    card = await people.card(user)
    assert await keys(calls, user_id=user, as_of=Timestamp()) == []
    far = Timestamp(seconds=253_402_300_799, nanos=999_999_999)
    assert await keys(calls, user_id=user, as_of=far) == [card.user_card_id]
    assert await keys(calls, user_id=user, as_of=(await calls.get(card.user_card_id)).start_time) == [
        card.user_card_id
    ]


async def test_pages_stay_right_while_assignments_come_and_go(people: People, calls: Calls) -> None:
    user, other, system = await people.user(), await people.user(), await people.system()
    made = [await people.replace(user_id=user, **people.named(system)) for _ in range(9)]
    seen: list[str] = []
    ever: list[str] = []
    token = ever_token = ""
    while True:
        page = await calls.page(user_id=user, page_size=2, page_token=token)
        seen += [one.user_card_id for one in page.user_cards]
        past = await calls.page(user_id=user, include_ended=True, page_size=2, page_token=ever_token)
        ever += [one.user_card_id for one in past.user_cards]
        token, ever_token = page.next_page_token, past.next_page_token
        if not token:
            break
        await people.replace(user_id=other, card_id=page.user_cards[-1].card_id)  # where the next page begins
        if len(seen) == 2:
            await calls.remove(made[5].value)
            made.append(await people.replace(user_id=user, **people.named(system)))
    while ever_token:
        past = await calls.page(user_id=user, include_ended=True, page_size=2, page_token=ever_token)
        ever += [one.user_card_id for one in past.user_cards]
        ever_token = past.next_page_token
    assert seen == [one.value for one in made if one is not made[5]]
    assert ever == [one.value for one in made]


async def test_the_page_and_its_sequence_are_of_one_moment(people: People, calls: Calls) -> None:
    user, other = await people.user(), await people.user()
    assert (await calls.page(user_id=user)).sequence == 0
    card = await people.card(user)
    page = await calls.page(user_id=user)
    (event,) = await calls.events(0, 1)
    assert page.sequence == event.sequence
    taken = await people.replace(user_id=other, card_id=card.card_id)
    assert (await calls.page(user_id=user)).sequence == taken.sequence
    assert (await calls.events(page.sequence, 1))[0].sequence == taken.sequence


def applied(stands: dict[str, pb.UserCard], event: pb.UserCardEvent) -> None:
    """Bring a picture of who holds what up to an event."""
    if event.HasField("after"):
        stands[event.card_id] = event.after
    else:
        stands.pop(event.card_id, None)


async def test_a_snapshot_and_the_watch_after_it_give_what_stands(people: People, calls: Calls) -> None:
    """Whenever the snapshot was taken, and of whichever page the sequence: that of the first."""
    users = [await people.user() for _ in range(3)]
    card, other = await people.card(users[0]), await people.card(users[0])
    pages = [await calls.page(user_id=users[0])]

    async def moved() -> None:
        pages.append(await calls.page(user_id=users[0]))

    value = (await people.replace(user_id=users[1], card_id=card.card_id, pin="1")).value
    await moved()
    await calls.update(value, "card_user_flags", card_user_flags=5)
    await moved()
    await calls.mark(other.card_id, "CARD_STATUS_LOST")
    await moved()
    removed = await calls.remove(value)
    await moved()
    await calls.undo(removed.sequence)
    await moved()
    last = (await people.replace(user_id=users[0], card_id=card.card_id)).sequence
    final = {one.card_id: one for one in (await calls.page(user_id=users[0])).user_cards}
    call = calls.watch(0)
    events = []
    while not events or events[-1].sequence < last:
        events.append((await call.read()).event)
    call.cancel()
    for page in pages:
        stands = {one.card_id: one for one in page.user_cards}
        for event in events:
            if event.sequence > page.sequence:
                applied(stands, event)
        assert stands == final
