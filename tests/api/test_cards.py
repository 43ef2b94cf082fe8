"""Cards of CardService, and AcSystemService, over gRPC."""

import asyncio
import base64

import grpc
import pytest

from swipegate.v1 import ac_system_pb2, card_pb2
from tests.conftest import Client
from tests.databases import both
from tests.people import NOWHERE, People, new_id, refused

STATUS = grpc.StatusCode
pytestmark = both


async def test_one_card_with_its_holder(client: Client, people: People) -> None:
    user = await people.user()
    card = await people.card(user)
    request = card_pb2.GetCardRequest(card_id=card.card_id.upper())
    found = await client.cards.GetCard(request, **client.options)
    assert found.card == card
    assert found.card.create_time.seconds > 0


@pytest.mark.parametrize(
    ("card_id", "code", "reason"),
    [
        ("", STATUS.INVALID_ARGUMENT, "INVALID_FIELD"),
        ("x", STATUS.INVALID_ARGUMENT, "INVALID_FIELD"),
        (NOWHERE, STATUS.NOT_FOUND, "CARD_NOT_FOUND"),
    ],
)
async def test_a_card_that_is_not_there(
    client: Client, card_id: str, code: grpc.StatusCode, reason: str
) -> None:
    refusal = await refused(client.cards.GetCard(card_pb2.GetCardRequest(card_id=card_id), **client.options))
    assert (refusal.code, refusal.reason) == (code, reason)
    mark = card_pb2.MarkCardRequest(card_id=card_id, status=card_pb2.CARD_STATUS_LOST)
    refusal = await refused(client.cards.MarkCard(mark, **client.options))
    assert (refusal.code, refusal.reason) == (code, reason)


async def test_the_cards_of_a_user_stay_right_while_they_come_and_go(people: People) -> None:
    user, other, system = await people.user(), await people.user(), await people.system()
    for _ in range(9):
        await people.replace(user_id=user, **people.named(system))
    cards = await people.cards(user_id=user)
    client, seen, token = people.client, [], ""
    while True:
        request = card_pb2.ListCardsRequest(user_id=user, page_size=2, page_token=token)
        page = await client.cards.ListCards(request, **client.options)
        seen += [card.card_id for card in page.cards]
        token = page.next_page_token
        if not token:
            break
        # the last that was seen goes, so does one that was not; nobody else is skipped or repeated
        await people.replace(user_id=other, card_id=seen[-1])
        if len(seen) == 2:
            await people.replace(user_id=other, card_id=cards[5].card_id)
    assert seen == [card.card_id for card in cards if card is not cards[5]]


async def test_pages_stay_right_while_cards_are_added(people: People) -> None:
    user, system = await people.user(), await people.system()

    async def add(count: int) -> None:
        for _ in range(count):
            await people.replace(user_id=user, **people.named(system))

    await add(25)
    adding = asyncio.create_task(add(25))
    seen: list[int] = []
    token = ""
    while True:
        request = card_pb2.ListCardsRequest(ac_system_id=system, page_size=4, page_token=token)
        page = await people.client.cards.ListCards(request, **people.client.options)
        assert len(page.cards) <= 4
        seen += [card.internal_card_number for card in page.cards]
        token = page.next_page_token
        if not token:
            if adding.done():
                break
            token = base64.urlsafe_b64encode(b"row:%d" % len(seen)).decode()
    assert seen == list(range(1, len(seen) + 1))  # each once, in the order of creation
    assert len(seen) >= 25
    await adding


async def test_cards_of_a_system_and_of_a_user(people: People) -> None:
    one, other = await people.user(), await people.user()
    first, second = await people.card(one), await people.card(other)
    assert await people.cards() == [first, second]
    assert await people.cards(user_id=one) == [first]
    assert await people.cards(ac_system_id=second.ac_system_id.upper()) == [second]
    assert await people.cards(ac_system_id=second.ac_system_id, user_id=one) == []
    assert await people.cards(page_size=1000) == [first, second]


@pytest.mark.parametrize(
    ("request_fields", "field"),
    [
        ({"page_size": 1001}, "page_size"),
        ({"page_size": 2**32 - 1}, "page_size"),
        ({"page_token": "nonsense"}, "page_token"),
        ({"page_token": "\u00e9"}, "page_token"),
        ({"page_token": "x" * 1_000_000}, "page_token"),
        ({"page_token": base64.urlsafe_b64encode(b"row:9999999999999999999").decode()}, "page_token"),
        ({"page_token": base64.urlsafe_b64encode(b"row:-1").decode()}, "page_token"),
        ({"page_token": base64.urlsafe_b64encode(b"raw:1").decode()}, "page_token"),
        ({"ac_system_id": "x"}, "ac_system_id"),
    ],
)
async def test_a_bad_page_is_named(client: Client, request_fields: dict[str, object], field: str) -> None:
    request = card_pb2.ListCardsRequest(**request_fields)  # type: ignore[arg-type]
    refusal = await refused(client.cards.ListCards(request, **client.options))
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.metadata["field"] == field


async def test_the_last_possible_page_is_empty(people: People) -> None:
    await people.card(await people.user())
    assert await people.cards(page_token=base64.urlsafe_b64encode(b"row:%d" % (2**63 - 1)).decode()) == []


async def test_systems_by_name(client: Client, people: People) -> None:
    for name in ("north", "south", "annex"):
        await people.system(name)
    answer = await client.ac_systems.ListAcSystems(ac_system_pb2.ListAcSystemsRequest(), **client.options)
    assert [system.name for system in answer.ac_systems] == ["annex", "north", "south"]


async def _create_system(client: Client, system_id: str, name: str) -> ac_system_pb2.CreateAcSystemResponse:
    system = ac_system_pb2.AcSystem(ac_system_id=system_id, name=name)
    created: ac_system_pb2.CreateAcSystemResponse = await client.ac_systems.CreateAcSystem(
        ac_system_pb2.CreateAcSystemRequest(ac_system=system), **client.options
    )
    return created


async def test_a_system_exists_once(client: Client) -> None:
    key = new_id()
    assert (await _create_system(client, key.upper(), "here")).ac_system.ac_system_id == key
    for system_id, name, field in ((key, "there", "ac_system_id"), ("", "here", "name")):
        refusal = await refused(_create_system(client, system_id, name))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.ALREADY_EXISTS, "AC_SYSTEM_EXISTS")
        assert refusal.metadata == {"field": field}


@pytest.mark.parametrize(
    ("system_id", "name", "field"),
    [("", "", "ac_system.name"), ("", "n" * 129, "ac_system.name"), ("x", "n", "ac_system.ac_system_id")],
)
async def test_a_bad_system_is_named(client: Client, system_id: str, name: str, field: str) -> None:
    refusal = await refused(_create_system(client, system_id, name))
    assert refusal.metadata["field"] == field
