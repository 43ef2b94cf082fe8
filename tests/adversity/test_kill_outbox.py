"""A server that is killed in the middle of deliveries: every card's last state arrives all the same."""

import asyncio
from pathlib import Path

import pytest
from grpc import aio

from swipegate.v1 import ac_system_pb2
from tests.adversity.serving import ServeProcess
from tests.api.test_ac_systems import webhook
from tests.conftest import Client
from tests.connectors.receiver import OK, SECRET, Received, accept, eventually, receiving
from tests.databases import Where, both, look
from tests.people import People

KILLS = 3
CARDS = 12


def end_leases(where: Where) -> None:
    """As if the time of the dead server's leases had passed."""
    look(where, "UPDATE outbox SET lease_time = 1 WHERE lease_time IS NOT NULL")


@both
@pytest.mark.slow
async def test_killed_during_deliveries(tmp_path: Path, where: Where) -> None:
    serving = ServeProcess(tmp_path / "data", where)
    never = asyncio.Event()
    async with receiving() as receiver:

        async def some(request: Received) -> bytes:
            if len(receiver.received) % 4 == 0:
                await never.wait()
            return OK

        system, cards = "", []
        try:
            for kill in range(KILLS):
                receiver.answer, stuck = some, receiver.open_now
                await asyncio.to_thread(serving.start)
                if cards:
                    await asyncio.to_thread(end_leases, where)
                async with aio.insecure_channel(f"127.0.0.1:{serving.port}") as channel:
                    client = Client(channel, serving.metadata())
                    people = People(client)
                    if not cards:
                        new = ac_system_pb2.AcSystem(name="s", webhook=webhook(receiver.url, SECRET))
                        request = ac_system_pb2.CreateAcSystemRequest(ac_system=new)
                        answer = await client.ac_systems.CreateAcSystem(request, **client.options)
                        system = answer.ac_system.ac_system_id
                        user = await people.user()
                        for _ in range(CARDS):
                            cards.append((await people.card(user, card_ac_system_id=system)).card_id)
                    user = await people.user()
                    for card in cards[kill::2]:
                        await people.replace(user_id=user, card_id=card)
                    await eventually(lambda n=stuck: receiver.open_now > n)  # type: ignore[misc]
                    await asyncio.to_thread(serving.kill)
            receiver.answer = accept
            await asyncio.to_thread(serving.start)
            await asyncio.to_thread(end_leases, where)
            await eventually(lambda: not look(where, "SELECT 1 FROM outbox WHERE next_try_time IS NOT NULL"))
        finally:
            await asyncio.to_thread(serving.kill)
    held = dict(look(where, "SELECT card_id, user_id FROM user_card WHERE end_time IS NULL"))
    last = dict(look(where, "SELECT card_id, max(sequence) FROM user_card_event GROUP BY card_id"))
    assert set(receiver.by_card()) == set(held) == set(cards)
    for card, requests in receiver.by_card().items():
        sequences = [request.data["sequence"] for request in requests]
        assert sequences == sorted(sequences)
        assert sequences[-1] == last[card]
        assert requests[-1].data["assignment"]["user_id"] == held[card]
        by_identifier = {request.identifier: request.body for request in requests}
        assert all(by_identifier[request.identifier] == request.body for request in requests)
        assert len(by_identifier) == len(set(sequences))
    assert any(
        len(requests) > len({one.identifier for one in requests}) for requests in receiver.by_card().values()
    )
