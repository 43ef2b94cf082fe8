"""OutboxService over gRPC, with a whole server that delivers to a real receiver."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from swipegate.api.server import Server
from swipegate.connectors import webhook as webhook_module
from swipegate.service import deliveries, receivers
from swipegate.v1 import ac_system_pb2 as systems_pb2
from swipegate.v1 import card_pb2, outbox_pb2, user_card_pb2
from tests.api.test_ac_systems import update, webhook
from tests.conftest import Client
from tests.connectors.receiver import SECRET, Received, Receiver, accept, eventually, receiving, status
from tests.databases import Where, both, look
from tests.people import People, new_id, refused

pytestmark = both


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def refuse(_request: Received) -> bytes:
    return status(503)


async def page(client: Client, system: str, **fields: Any) -> outbox_pb2.ListOutboxResponse:
    request = outbox_pb2.ListOutboxRequest(ac_system_id=system, **fields)
    return await client.outbox.ListOutbox(request, **client.options)  # type: ignore[no-any-return]


async def until_applied(where: Where) -> None:
    await eventually(lambda: look(where, "SELECT 1 FROM outbox WHERE next_try_time IS NOT NULL") == [])


async def test_changes_are_delivered_as_they_happen(
    client: Client, people: People, receiver: Receiver, where: Where
) -> None:
    system = await people.system()
    await update(client, system, "webhook", webhook=webhook(receiver.url, SECRET))
    first, second = await people.user(), await people.user()
    card = await people.card(first, card_ac_system_id=system, pin="4711")
    await receiver.until(1)
    await until_applied(where)
    taken = await people.replace(user_id=second, card_id=card.card_id)
    await receiver.until(2)
    await until_applied(where)
    request = card_pb2.MarkCardRequest(card_id=card.card_id, status=card_pb2.CARD_STATUS_LOST)
    marked = await client.cards.MarkCard(request, **client.options)
    await receiver.until(3)
    await until_applied(where)
    removal = user_card_pb2.RemoveUserCardRequest(user_card_id=taken.value)
    removed = await client.user_cards.RemoveUserCard(removal, **client.options)
    await receiver.until(4)
    await until_applied(where)
    sent = [request.message["data"] for request in receiver.received]
    assert [one["sequence"] for one in sent] == [1, taken.sequence, marked.sequence, removed.sequence]
    assert [one["assignment"] and one["assignment"]["user_id"] for one in sent] == [
        first,
        second,
        second,
        None,
    ]
    assert [one["card"]["status"] for one in sent] == ["GOOD", "GOOD", "LOST", "LOST"]
    assert all(b"4711" not in request.body for request in receiver.received)
    (entry,) = (await page(client, system)).entries
    assert entry == outbox_pb2.OutboxEntry(
        ac_system_id=system,
        card_id=card.card_id,
        desired_sequence=removed.sequence,
        applied_sequence=removed.sequence,
    )


async def test_a_failure_is_seen_and_retried_when_asked(
    client: Client,
    people: People,
    receiver: Receiver,
    where: Where,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("FIRST_DELAY", "LONGEST_DELAY"):
        monkeypatch.setattr(deliveries, name, 3600.0)
    for name in ("FIRST_PAUSE", "LONGEST_PAUSE"):
        monkeypatch.setattr(receivers, name, 3600.0)
    receiver.answer = refuse
    system = await people.system()
    card = await people.card(await people.user(), card_ac_system_id=system)
    await update(client, system, "webhook", webhook=webhook(receiver.url, SECRET))
    await eventually(lambda: look(where, "SELECT attempts FROM outbox") == [(1,)])
    (entry,) = (await page(client, system, pending_only=True)).entries
    assert (entry.card_id, entry.attempts, entry.error) == (card.card_id, 1, "HTTP 503")
    assert (entry.desired_sequence, entry.applied_sequence) == (1, 0)
    assert entry.HasField("next_try_time")
    receiver.answer = accept
    request = outbox_pb2.RetryOutboxRequest(ac_system_id=system.upper())
    assert (await client.outbox.RetryOutbox(request, **client.options)).entries == 1
    await until_applied(where)
    (entry,) = (await page(client, system)).entries
    assert (entry.applied_sequence, entry.attempts, entry.error) == (1, 0, "")
    assert not entry.HasField("next_try_time")
    assert (await client.outbox.RetryOutbox(request, **client.options)).entries == 0
    assert not (await page(client, system, pending_only=True)).entries
    assert [one.identifier for one in receiver.received] == [f"{card.card_id}-1"] * 2


async def test_the_end_of_a_server_waits_for_no_receiver(
    server: Server, client: Client, people: People, receiver: Receiver, where: Where
) -> None:
    never = asyncio.Event()

    async def hang(_request: Received) -> bytes:
        await never.wait()
        return b""

    receiver.answer = hang
    system = await people.system()
    await update(client, system, "webhook", webhook=webhook(receiver.url, SECRET))
    await people.card(await people.user(), card_ac_system_id=system)
    await receiver.until(1)
    async with asyncio.timeout(webhook_module.TOTAL_TIMEOUT):
        await server.stop()
    assert look(where, "SELECT attempts, lease_time FROM outbox WHERE next_try_time IS NOT NULL") == [
        (0, None)
    ]


async def test_pages(
    client: Client, people: People, receiver: Receiver, where: Where, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, user = await people.system(), await people.user()
    cards = [(await people.card(user, card_ac_system_id=system)).card_id for _ in range(5)]
    await update(client, system, "webhook", webhook=webhook(receiver.url, SECRET))
    await until_applied(where)
    monkeypatch.setattr(deliveries, "LONGEST_DELAY", 3600.0)
    monkeypatch.setattr(deliveries, "FIRST_DELAY", 3600.0)
    receiver.answer = refuse
    first = await page(client, system, page_size=2)
    for card in (cards[1], cards[4]):
        await people.replace(user_id=await people.user(), card_id=card)
    cards.append((await people.card(user, card_ac_system_id=system)).card_id)
    found, token = [*first.entries], first.next_page_token
    while token:
        more = await page(client, system, page_size=2, page_token=token)
        found += more.entries
        token = more.next_page_token
    assert [entry.card_id for entry in found] == cards
    pending = [entry.card_id for entry in (await page(client, system, pending_only=True)).entries]
    assert pending == [cards[1], cards[4], cards[5]]
    some = await page(client, system, pending_only=True, page_size=2)
    rest = await page(client, system, pending_only=True, page_size=1, page_token=some.next_page_token)
    assert [entry.card_id for entry in (*some.entries, *rest.entries)] == pending
    assert not rest.next_page_token


async def test_every_other_system_is_left_alone(client: Client, people: People) -> None:
    for system in (await people.system(), await people.system()):
        await update(client, system, "webhook", webhook=webhook("http://127.0.0.1:9/", SECRET))
        await people.card(await people.user(), card_ac_system_id=system)
        (entry,) = (await page(client, system)).entries
        assert entry.ac_system_id == system


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"ac_system_id": "x"}, "ac_system_id"),
        ({"page_size": 1001}, "page_size"),
        ({"page_token": "nonsense"}, "page_token"),
    ],
)
async def test_a_bad_page_is_named(
    client: Client, people: People, fields: dict[str, Any], field: str
) -> None:
    request = outbox_pb2.ListOutboxRequest(**({"ac_system_id": await people.system()} | fields))
    refusal = await refused(client.outbox.ListOutbox(request, **client.options))
    assert (refusal.code, refusal.metadata["field"]) == (grpc.StatusCode.INVALID_ARGUMENT, field)


async def test_a_system_that_is_not_there(client: Client) -> None:
    system = new_id()
    retry = outbox_pb2.RetryOutboxRequest(ac_system_id=system)
    for call in (page(client, system), client.outbox.RetryOutbox(retry, **client.options)):
        refusal = await refused(call)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "AC_SYSTEM_NOT_FOUND")
    bad = outbox_pb2.RetryOutboxRequest(ac_system_id="")
    refusal = await refused(client.outbox.RetryOutbox(bad, **client.options))
    assert refusal.metadata["field"] == "ac_system_id"


async def test_no_answer_names_a_secret(client: Client, people: People) -> None:
    assert systems_pb2.Webhook.DESCRIPTOR.fields_by_name["secret"].GetOptions().debug_redact
    system = await people.system()
    changed = await update(client, system, "webhook", webhook=webhook("http://127.0.0.1:9/", SECRET))
    assert SECRET not in changed.SerializeToString()
