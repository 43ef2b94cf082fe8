"""Deliveries from a real database to a real receiver."""

import asyncio
import base64
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection

from swipegate.connectors import webhook
from swipegate.connectors.base import Connector
from swipegate.connectors.webhook import WebhookConnector
from swipegate.domain.ac_system import AcSystem
from swipegate.domain.authority import Principal
from swipegate.domain.card import CardStatus
from swipegate.domain.replacement import ReplaceCard, ReplaceResult
from swipegate.domain.user import User
from swipegate.service import clock, deliveries, receivers
from swipegate.service.ac_systems import AcSystems, NewWebhook
from swipegate.service.bell import Bell
from swipegate.service.cards import Cards
from swipegate.service.clock import SECOND
from swipegate.service.deliveries import FIRST_DELAY, LEASE, LONGEST_DELAY, Deliveries, delay
from swipegate.service.receivers import MAX_PER_RECEIVER, Receivers
from swipegate.service.sealing import Sealer
from swipegate.service.user_card_events import BELL_KEY
from swipegate.service.user_cards import UserCards
from swipegate.store import users
from swipegate.store.database import Database
from tests.connectors.receiver import (
    OK,
    SECRET,
    Received,
    Receiver,
    accept,
    eventually,
    receiving,
    status,
)
from tests.databases import Where, both, look
from tests.people import new_id

CALLER = Principal("tester", "tests")
PENDING = "SELECT 1 FROM outbox WHERE next_try_time IS NOT NULL"
LOOKS = 5
"""Rounds of the worker in which nothing may happen."""
pytestmark = both


class Station:
    """A server's worth of services on a database, without gRPC."""

    def __init__(self, where: Where, ahead: float = 0) -> None:
        self.ahead = ahead
        """Seconds that its clock is fast."""
        self.database = Database(where)
        self.bell = Bell()
        sealer = Sealer(bytes(32))
        self.receivers = Receivers(self.now)
        self.systems = AcSystems(self.database, sealer, self.receivers, self.bell, self.now)
        self.cards = Cards(self.database, self.bell, self.now)
        self.user_cards = UserCards(self.database, sealer, self.bell, self.now)
        self.http = webhook.new_client()
        self.rounds = 0
        connect = partial(WebhookConnector, self.http)
        self.deliveries = self.worker(sealer, connect)

    def worker(self, sealer: Sealer, connect: Callable[[str, bytes], Connector]) -> Deliveries:
        """A deliverer that counts its rounds."""
        made = Deliveries(self.database, sealer, self.receivers, self.bell, self.now, connect)
        counted = made._round

        async def count(listener: Any) -> int:
            found = await counted(listener)
            self.rounds += 1
            return found

        made._round = count  # type: ignore[method-assign]
        return made

    def now(self) -> int:
        """Its clock."""
        return clock.now() + round(self.ahead * SECOND)

    async def system(self, url: str | None) -> str:
        """A new system, with that webhook."""
        given = None if url is None else NewWebhook(url, SECRET)
        return (await self.systems.create(AcSystem("", f"s {new_id()}"), given)).ac_system_id

    async def set_webhook(self, system: str, url: str | None) -> None:
        """Give or take away a webhook."""
        given = None if url is None else NewWebhook(url, SECRET)
        await self.systems.update(AcSystem(system, ""), given, ["webhook"])

    async def user(self) -> str:
        """A new user."""
        key = new_id()
        await self.database.write(lambda connection: users.add(connection, User(key, "u")))
        return key

    async def replace(self, **fields: Any) -> ReplaceResult:
        """Give a card to somebody."""
        found: list[ReplaceResult] = []

        def keep(result: ReplaceResult) -> bytes:
            found.append(result)
            return b""

        await self.user_cards.replace(CALLER, ReplaceCard(**fields), "", b"", keep)
        return found[-1]

    async def card(self, system: str, number: int = 1) -> str:
        """A new card in somebody's hands."""
        made = await self.replace(
            user_id=await self.user(),
            card_type=2,
            card_ac_system_id=system,
            internal_card_number=number,
            external_card_number=str(number),
            pin="4711",
        )
        return made.card.card_id

    async def some_rounds(self) -> None:
        """Return after the worker looked a few times more."""
        goal = self.rounds + LOOKS

        def looked() -> bool:
            self.bell.ring(BELL_KEY)
            return self.rounds >= goal

        await eventually(looked)


@asynccontextmanager
async def stationed(where: Where, ahead: float = 0, *, delivers: bool = True) -> AsyncIterator[Station]:
    station = Station(where, ahead)
    station.database.open()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, station.database.close)
        stack.push_async_callback(station.http.aclose)
        if delivers:
            station.deliveries.start()
        stack.push_async_callback(station.deliveries.stop)
        yield station


@pytest.fixture
def where(where: Where, kind: str) -> Where:
    if kind == "sqlite":
        where.parent.mkdir(exist_ok=True)  # type: ignore[union-attr]
    return where


@pytest.fixture
async def station(where: Where) -> AsyncIterator[Station]:
    async with stationed(where) as station:
        yield station


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other quickly."""
    for module, name in (
        (deliveries, "FIRST_DELAY"),
        (deliveries, "LONGEST_DELAY"),
        (receivers, "FIRST_PAUSE"),
        (receivers, "LONGEST_PAUSE"),
        (deliveries, "POLL"),
    ):
        monkeypatch.setattr(module, name, 0.02)


class Gate:
    """Answers wait until it opens."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()

    async def __call__(self, _request: Received) -> bytes:
        await self.opened.wait()
        return OK


async def until_applied(where: Where) -> None:
    await eventually(lambda: look(where, PENDING) == [])


@pytest.mark.usefixtures("impatient")
async def test_the_last_state_wins_and_a_card_s_changes_come_in_order(
    station: Station, receiver: Receiver, where: Where
) -> None:
    dice = random.Random(7)
    troubles = [b"", status(500), status(400), b"garbage\r\n\r\n", OK, OK, OK, OK]

    async def moody(_request: Received) -> bytes:
        await asyncio.sleep(dice.random() / 50)
        return dice.choice(troubles)

    receiver.answer = moody
    system = await station.system(receiver.url)
    cards = [await station.card(system, number) for number in range(1, 6)]
    people = [await station.user() for _ in range(3)]
    for _ in range(40):
        card = dice.choice(cards)
        if dice.random() < 0.5:
            await station.cards.mark(CALLER, card, dice.choice(list(CardStatus)))
        elif (await station.cards.get(card)).status is CardStatus.GOOD:
            await station.replace(user_id=dice.choice(people), card_id=card)
    troubles[:] = [OK, OK, status(500)]
    await until_applied(where)
    events = dict(look(where, "SELECT card_id, max(sequence) FROM user_card_event GROUP BY card_id"))
    for card, requests in receiver.by_card().items():
        sequences = [request.data["sequence"] for request in requests]
        assert sequences == sorted(sequences)
        assert sequences[-1] == events[card]
        same: dict[str, bytes] = {}
        for request in requests:
            assert request.identifier == f"{card}-{request.data['sequence']}"
            assert same.setdefault(request.identifier, request.body) == request.body
        stands = await station.cards.get(card)
        told = requests[-1].message["data"]
        assert told["card"]["status"] == stands.status
        assert stands.holding is not None
        assert told["assignment"]["user_card_id"] == stands.holding.user_card_id
    assert set(receiver.by_card()) == set(cards)


async def test_each_change_that_is_waited_for_is_delivered_once(
    station: Station, receiver: Receiver, where: Where
) -> None:
    system = await station.system(receiver.url)
    card = await station.card(system)
    for number in range(20):
        await receiver.until(number + 1)
        await until_applied(where)
        await station.replace(user_id=await station.user(), card_id=card)
    await receiver.until(21)
    await until_applied(where)
    assert [request.data["sequence"] for request in receiver.received] == list(range(1, 22))


async def test_a_change_during_a_delivery_waits_for_its_end(
    where: Where, station: Station, receiver: Receiver
) -> None:
    receiver.answer = gate = Gate()
    card = await station.card(await station.system(receiver.url))
    await receiver.until(1)
    async with stationed(where) as other:
        for _ in range(3):
            last = (await station.replace(user_id=await station.user(), card_id=card)).sequence
        await station.some_rounds()
        await other.some_rounds()
        assert len(receiver.received) == 1
        gate.opened.set()
        await until_applied(where)
    assert [request.data["sequence"] for request in receiver.received] == [1, last]


async def test_two_servers_deliver_each_entry_once(
    where: Where, station: Station, receiver: Receiver
) -> None:
    async def slowly(_request: Received) -> bytes:
        await asyncio.sleep(0.005)
        return OK

    receiver.answer = slowly
    system = await station.system(None)
    cards = [await station.card(system, number) for number in range(1, 81)]
    async with stationed(where) as other:
        await station.set_webhook(system, receiver.url)
        other.bell.ring(BELL_KEY)
        await until_applied(where)
        await other.some_rounds()
    await station.some_rounds()
    assert sorted(request.card_id for request in receiver.received) == sorted(cards)


async def test_after_a_crash_it_is_sent_again_under_the_same_name(where: Where, receiver: Receiver) -> None:
    async with stationed(where) as dying:

        async def nothing(*_: object) -> None:
            """The process ended before it could store what came of it."""

        dying.deliveries._store = nothing  # type: ignore[method-assign]
        card = await dying.card(await dying.system(receiver.url))
        await receiver.until(1)
    async with stationed(where) as early:
        await early.some_rounds()
        assert len(receiver.received) == 1, "the lease still runs"
    async with stationed(where, ahead=LEASE + 1) as later:
        await receiver.until(2)
        await until_applied(where)
        assert await later.database.read(lambda connection: _leases(connection)) == 0
    first, second = receiver.received
    assert first.identifier == second.identifier == f"{card}-1"
    assert first.body == second.body


def _leases(connection: Connection) -> int:
    sql = "SELECT count(*) FROM outbox WHERE lease_time IS NOT NULL"
    return int(connection.exec_driver_sql(sql).scalar_one())


async def test_who_lost_the_lease_stores_nothing(where: Where, receiver: Receiver) -> None:
    receiver.answer = gate = Gate()
    async with stationed(where) as slow:
        card = await slow.card(await slow.system(receiver.url))
        await receiver.until(1)
        receiver.answer = accept
        async with stationed(where, ahead=LEASE + 1) as fast:
            await until_applied(where)
            await fast.replace(user_id=await fast.user(), card_id=card)
            await until_applied(where)
            before = look(where, "SELECT * FROM outbox")
            gate.opened.set()
            await eventually(lambda: slow.receivers.under_way == 0)
            assert look(where, "SELECT * FROM outbox") == before
    assert [request.data["sequence"] for request in receiver.received] == [1, 1, 2]


async def test_failures_are_told_and_tried_later_and_later(
    station: Station, receiver: Receiver, where: Where, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receivers, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(receivers, "LONGEST_PAUSE", 0.0)

    async def refuse(_request: Received) -> bytes:
        return status(503)

    receiver.answer = refuse
    card = await station.card(await station.system(receiver.url))
    for attempts in range(1, 13):
        await eventually(lambda n=attempts: look(where, "SELECT attempts FROM outbox") == [(n,)])  # type: ignore[misc]
        (entry,) = look(where, "SELECT error, applied_sequence, next_try_time, lease_time FROM outbox")
        assert entry[0::3] == ("HTTP 503", None)
        assert entry[1] == 0
        wait = (entry[2] - station.now()) / SECOND
        assert wait <= min(FIRST_DELAY * 2**attempts, LONGEST_DELAY)
        await station.some_rounds()
        station.ahead += max(0.0, wait) + 0.001
        station.bell.ring(BELL_KEY)
    receiver.answer = accept
    station.ahead += LONGEST_DELAY
    station.bell.ring(BELL_KEY)
    await until_applied(where)
    assert look(where, "SELECT applied_sequence, attempts, error FROM outbox") == [(1, 0, "")]
    assert {request.identifier for request in receiver.received} == {f"{card}-1"}


def test_delays(kind: str) -> None:
    for attempts in range(1, 100):
        found = [delay(attempts) for _ in range(50)]
        longest = min(FIRST_DELAY * 2**attempts, LONGEST_DELAY)
        assert FIRST_DELAY <= longest / 2 <= min(found)
        assert max(found) <= longest
        assert len(set(found)) > 1
    assert delay(10**9) <= LONGEST_DELAY


async def test_a_card_that_is_refused_does_not_hold_up_another(
    station: Station, receiver: Receiver, where: Where, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FIRST_PAUSE", "LONGEST_PAUSE"):
        monkeypatch.setattr(receivers, name, 3600.0)

    async def choosy(request: Received) -> bytes:
        odd = int(request.data["card"]["internal_card_number"]) % 2
        return status(422) if odd else OK

    receiver.answer = choosy
    system = await station.system(None)
    for number in range(1, 41):
        await station.card(system, number)
    await station.set_webhook(system, receiver.url)
    applied = "SELECT count(*) FROM outbox WHERE applied_sequence > 0"
    await eventually(lambda: look(where, applied) == [(20,)])
    refused = "SELECT count(*) FROM outbox WHERE error = 'HTTP 422'"
    await eventually(lambda: look(where, refused) == [(20,)])


async def test_a_dead_receiver_does_not_hold_up_another(
    station: Station, receiver: Receiver, where: Where
) -> None:
    gate = Gate()
    async with receiving(gate) as dead:
        system = await station.system(dead.url)
        for number in range(1, 31):
            await station.card(system, number)
        await dead.until(MAX_PER_RECEIVER)
        alive = await station.system(receiver.url)
        for number in range(1, 31):
            await station.card(alive, number)
        await receiver.until(30)
        await eventually(lambda: look(where, f"{PENDING} AND ac_system_id = :id", id=alive) == [])
        assert dead.most_open <= MAX_PER_RECEIVER
        gate.opened.set()
        await until_applied(where)


@pytest.mark.usefixtures("impatient")
async def test_a_refused_connection_and_a_receiver_that_comes_back(
    station: Station, where: Where, receiver: Receiver
) -> None:
    system = await station.system("http://127.0.0.1:9/")
    for number in range(1, 21):
        await station.card(system, number)
    await eventually(
        lambda: (
            look(where, "SELECT DISTINCT error FROM outbox WHERE attempts > 0") == [("connection refused",)]
        )
    )
    await station.set_webhook(system, receiver.url)
    await until_applied(where)
    assert len(receiver.by_card()) == 20


async def test_the_end_of_a_server_gives_a_delivery_up(where: Where, receiver: Receiver) -> None:
    receiver.answer = Gate()
    async with stationed(where) as ending:
        card = await ending.card(await ending.system(receiver.url))
        await receiver.until(1)
        async with asyncio.timeout(deliveries.STOP_TIMEOUT):
            await ending.deliveries.stop()
        assert look(where, "SELECT attempts, error, lease_time FROM outbox") == [(0, "", None)]
        assert len(look(where, PENDING)) == 1
    receiver.answer = accept
    async with stationed(where):
        await until_applied(where)
    assert [request.identifier for request in receiver.received] == [f"{card}-1"] * 2
    assert [task for task in asyncio.all_tasks() if "Deliveries" in repr(task)] == []


async def test_the_end_of_a_server_that_delivers_nothing(station: Station) -> None:
    async with asyncio.timeout(deliveries.STOP_TIMEOUT):
        await station.deliveries.stop()
        await station.deliveries.stop()


async def test_a_claim_that_comes_too_late_is_given_back(
    station: Station, receiver: Receiver, where: Where, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "MAX_SKEW", LEASE)
    await station.card(await station.system(receiver.url))
    await station.some_rounds()
    assert not receiver.received
    monkeypatch.undo()
    await until_applied(where)
    assert look(where, "SELECT attempts FROM outbox") == [(0,)]


async def test_without_a_webhook_nothing_is_due(station: Station, receiver: Receiver, where: Where) -> None:
    system = await station.system(None)
    cards = {await station.card(system, number) for number in (1, 2)}
    await station.some_rounds()
    await station.set_webhook(system, receiver.url)
    await until_applied(where)
    await station.set_webhook(system, None)
    await station.replace(user_id=await station.user(), card_id=min(cards))
    await station.some_rounds()
    assert len(receiver.received) == 2
    await station.set_webhook(system, receiver.url)
    await receiver.until(4)
    await until_applied(where)
    assert {request.card_id for request in receiver.received[:2]} == cards
    told = {request.card_id: request.data["sequence"] for request in receiver.received[2:]}
    assert told == dict(look(where, "SELECT card_id, max(sequence) FROM user_card_event GROUP BY card_id"))


async def test_a_fault_of_a_connector_is_an_entry_s_alone(
    where: Where, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    async with stationed(where, delivers=False) as station:

        class Broken:
            async def deliver(self, _change: object) -> None:
                raise RuntimeError("hunter2")

        good = partial(WebhookConnector, station.http)
        station.deliveries._connect = lambda url, secret: Broken() if "broken" in url else good(url, secret)
        station.deliveries.start()
        await station.card(await station.system("https://broken.example/"))
        await station.card(await station.system(receiver.url))
        await receiver.until(1)
        await eventually(lambda: look(where, "SELECT 1 FROM outbox WHERE error = 'a fault of the server'"))
    assert "RuntimeError" in caplog.text
    assert "hunter2" not in caplog.text


async def test_a_secret_of_another_key_is_an_error_of_its_entry(station: Station, where: Where) -> None:
    system = await station.system("https://controller.example/")
    look(where, "UPDATE ac_system SET sealed_webhook_secret = :other", other=bytes(60))
    await station.card(system)
    error = "the webhook's secret cannot be opened"
    await eventually(lambda: look(where, "SELECT error FROM outbox") == [(error,)])


@pytest.mark.usefixtures("impatient")
async def test_no_secret_gets_out(
    station: Station, receiver: Receiver, where: Where, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answers = [b"", status(500), b"garbage\r\n\r\n", status(302)]

    async def fail(_request: Received) -> bytes:
        return answers.pop() if answers else OK

    receiver.answer = fail
    await station.card(await station.system(receiver.url))
    errors: set[str] = set()

    def seen() -> bool:
        errors.update(row[0] for row in look(where, "SELECT error FROM outbox"))
        return look(where, PENDING) == []

    await eventually(seen)
    shown = caplog.text + "".join(errors) + "".join(str(request.body) for request in receiver.received)
    for secret in (SECRET.decode(), SECRET.hex(), base64.b64encode(SECRET).decode(), "4711"):
        assert secret not in shown
