"""The server killed between any two steps of a card assignment: both halves come to one honest end."""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from grpc import aio
from sqlalchemy import Connection

from swipegate.devices.simulators.cards import Bad, SimulatedCard
from swipegate.devices.simulators.faults import Dribble
from swipegate.devices.simulators.msr605 import Msr605Simulator
from swipegate.service import assigning
from swipegate.v1 import card_assignment_pb2 as pb
from swipegate.v1 import card_request_pb2, user_card_pb2
from tests.adversity.serving import ServeProcess
from tests.assignments import ASK, CARD, TAKE_OVER, TERMINAL, Kiosk, S
from tests.conftest import Client
from tests.databases import Where, both, look
from tests.people import People

R = card_request_pb2.CardRequest
AT_REST = (S.STATE_NEEDS_ACTION, S.STATE_NEEDS_DECISION, *TERMINAL)
RANDOM_KILLS = 8
SECRET = "disk I/O error on 98949188"


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Msr605Simulator]:
    with Msr605Simulator(path=tmp_path / "msr605") as simulator:
        yield simulator


class Killable:
    """A kiosk whose server is a process of its own."""

    def __init__(self, serving: ServeProcess, reader: Msr605Simulator, where: Where) -> None:
        self.serving = serving
        self.where = where
        self.reader = reader
        self.device, self.system = 0, ""

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Kiosk]:
        """The kiosk, as long as the server lives."""
        async with aio.insecure_channel(f"127.0.0.1:{self.serving.port}") as channel:
            client = Client(channel, self.serving.metadata())
            kiosk = Kiosk(client, People(client), self.reader, self.device, self.system)
            if not self.device:
                await kiosk.open()
                self.device, self.system = kiosk.device, kiosk.system
            yield kiosk

    def assert_whole(self) -> None:
        """Both halves agree, a card has one holder at most, and no PIN outlives its assignment."""
        halves = """SELECT a.state, r.state FROM card_assignment a
            JOIN card_request r ON r.card_request_id = a.card_assignment_id"""
        for assignment, request in look(self.where, halves):
            if request == "SUCCEEDED":
                assert assignment not in ("READING", "NEEDS_ACTION")
            elif request in ("FAILED", "CANCELLED", "EXPIRED", "NEEDS_ACTION"):
                assert assignment == request
            else:
                assert assignment == "READING"
        twice = "SELECT card_id FROM user_card WHERE end_time IS NULL GROUP BY card_id HAVING count(*) > 1"
        assert look(self.where, twice) == []
        pins = "SELECT state FROM card_assignment WHERE sealed_pin IS NOT NULL"
        assert {state for (state,) in look(self.where, pins)} <= {"READING", "NEEDS_ACTION", "NEEDS_DECISION"}


@pytest.fixture
def killable(tmp_path: Path, reader: Msr605Simulator, where: Where) -> Iterator[Killable]:
    with ServeProcess(tmp_path / "data", where) as process:
        yield Killable(process, reader, where)


async def restarted(killable: Killable, assignment: pb.CardAssignment) -> pb.CardAssignment:
    """The assignment once it waits for a person, or has ended, after a new start."""
    killable.assert_whole()
    await asyncio.to_thread(killable.serving.start)
    async with killable.connected() as kiosk, asyncio.timeout(30):
        return await kiosk.until(assignment, *AT_REST)


@both
@pytest.mark.slow
async def test_kill_with_assignments_in_the_queue(killable: Killable, reader: Msr605Simulator) -> None:
    async with killable.connected() as kiosk:
        user = await kiosk.people.user()
        first, queued = await kiosk.assign(user), await kiosk.assign(user, pin="4711")
        await kiosk.reading(first, R.STATE_WAITING_FOR_CARD)
        killable.serving.kill()
    found = await restarted(killable, first)
    async with killable.connected() as kiosk:
        assert (await kiosk.get(queued)).card_request.state == R.STATE_QUEUED
        await kiosk.cancel(found)
        reader.swipe(CARD)
        assert (await kiosk.until(queued, *TERMINAL)).state == S.STATE_SUCCEEDED
    killable.assert_whole()


@both
@pytest.mark.slow
@pytest.mark.parametrize("state", [R.STATE_WAITING_FOR_CARD, R.STATE_READING, R.STATE_CANCELLING])
async def test_kill_while_the_card_is_read(killable: Killable, reader: Msr605Simulator, state: int) -> None:
    async with killable.connected() as kiosk:
        user = await kiosk.people.user()
        made = await kiosk.assign(user, pin="4711")
        await kiosk.reading(made, R.STATE_WAITING_FOR_CARD)
        if state == R.STATE_READING:
            reader.inject(Dribble(interval=0.05), "block")  # slow enough to die in the middle of
            reader.swipe(CARD)
            await kiosk.reading(made, R.STATE_READING)
        if state == R.STATE_CANCELLING:
            await kiosk.cancel(made)
        killable.serving.kill()
    found = await restarted(killable, made)
    if state == R.STATE_CANCELLING and found.state == S.STATE_CANCELLED:
        return
    assert (found.state, found.reason) == (S.STATE_NEEDS_ACTION, "LINK_LOST")
    async with killable.connected() as kiosk:
        await kiosk.retry(found)
        reader.swipe(CARD)
        done = await kiosk.until(found, *TERMINAL)
        assert done.state == S.STATE_SUCCEEDED
        assert await kiosk.holder(done.card_id) == user
    killable.assert_whole()


@both
@pytest.mark.slow
async def test_kill_in_needs_action_keeps_the_choice(killable: Killable) -> None:
    async with killable.connected() as kiosk:
        user = await kiosk.people.user()
        stuck = await kiosk.swiped(user, card=SimulatedCard(track2=Bad.UNREADABLE), pin="4711")
        killable.serving.kill()
    found = await restarted(killable, stuck)
    assert (found.state, found.reason) == (S.STATE_NEEDS_ACTION, "NOT_READ")
    async with killable.connected() as kiosk:
        assert (await kiosk.cancel(found)).state == S.STATE_CANCELLED
    killable.assert_whole()


@both
@pytest.mark.slow
@pytest.mark.parametrize("after_decision", [False, True])
async def test_kill_in_needs_decision_keeps_the_question(killable: Killable, *, after_decision: bool) -> None:
    async with killable.connected() as kiosk:
        holder, user = await kiosk.people.user(), await kiosk.people.user()
        card_id = await kiosk.held_by(holder)
        asking = await kiosk.swiped(user, ASK, pin="4711")
        assert asking.state == S.STATE_NEEDS_DECISION
        if after_decision:
            await kiosk.decide(asking, TAKE_OVER, holder)
        killable.serving.kill()
    found = await restarted(killable, asking)
    async with killable.connected() as kiosk:
        if not after_decision:
            assert found == asking
            found = await kiosk.decide(asking, TAKE_OVER, holder)
        assert (found.state, found.previous_user_id) == (S.STATE_SUCCEEDED, holder)
        assert await kiosk.holder(card_id) == user
        given = await kiosk.client.user_cards.GetUserCard(
            user_card_pb2.GetUserCardRequest(user_card_id=found.user_card_id), **kiosk.client.options
        )
        assert given.user_card.has_pin
    killable.assert_whole()


@both
@pytest.mark.slow
async def test_kill_at_random_moments(killable: Killable, reader: Msr605Simulator) -> None:
    chance = random.Random(20261122)
    async with killable.connected() as kiosk:
        users = [await kiosk.people.user() for _ in range(3)]
    for turn in range(RANDOM_KILLS):
        async with killable.connected() as kiosk:
            made = await kiosk.assign(chance.choice(users), chance.choice((TAKE_OVER, ASK)), pin="4711")
            reader.swipe(CARD, after=chance.uniform(0, 0.2))
            await asyncio.sleep(chance.uniform(0, 0.6))
            killable.serving.kill()
        killable.assert_whole()
        await asyncio.to_thread(killable.serving.start)
        async with killable.connected() as kiosk, asyncio.timeout(30):
            reader.swipe(CARD)  # for one that was not taken up yet
            found = await kiosk.until(made, *AT_REST)
            if found.state == S.STATE_NEEDS_ACTION:
                await kiosk.cancel(found)
            if found.state == S.STATE_NEEDS_DECISION:
                found = await kiosk.decide(found, TAKE_OVER, found.previous_user_id)
            if found.state == S.STATE_SUCCEEDED:
                assert await kiosk.holder(found.card_id) == made.user_id, turn
        killable.assert_whole()
    live = "SELECT state FROM card_assignment WHERE state NOT IN ('SUCCEEDED', 'CANCELLED')"
    assert look(killable.where, live) == []


async def test_a_report_of_success_that_fails_leaves_the_choice_to_a_person(
    client: Client,
    people: People,
    reader: Msr605Simulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    kiosk = await Kiosk(client, people, reader).open()
    user = await people.user()

    def fails(connection: Connection, *_: Any) -> None:
        raise sqlite3.OperationalError(SECRET)

    monkeypatch.setattr(assigning, "replace_card", fails)
    stuck = await kiosk.swiped(user, pin="4711")
    assert (stuck.state, stuck.reason) == (S.STATE_NEEDS_ACTION, "LINK_LOST")
    assert stuck.card_request.state == R.STATE_NEEDS_ACTION
    assert not stuck.card_request.has_track_data
    assert not await people.cards()
    monkeypatch.undo()
    reader.swipe(CARD, after=0.1)
    await kiosk.retry(stuck)
    done = await kiosk.until(stuck, *TERMINAL)
    assert done.state == S.STATE_SUCCEEDED
    assert await kiosk.holder(done.card_id) == user
    assert SECRET not in caplog.text
