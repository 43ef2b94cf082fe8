"""Assignments whose change dies, or fails, at every step: no card gets two holders, none is lost, a repeat agrees."""

import asyncio
import contextlib
import json
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import psycopg
import pytest
from grpc import aio
from sqlalchemy import URL, Connection

from swipegate.domain.errors import SwipegateError
from swipegate.store.statement import Statement
from swipegate.v1 import user_card_pb2 as pb
from swipegate.v1.user_card_pb2 import ReplaceCardIfExistsRequest, ReplaceCardIfExistsResponse
from tests.adversity.changes import (
    CHANGES,
    FIRST,
    SECOND,
    THIRD,
    change,
    copied,
    make,
    name_of,
    replacement,
    stand,
    where_of,
)
from tests.adversity.serving import ServeProcess
from tests.adversity.statements import begins, told
from tests.conftest import ROOT, Client
from tests.databases import Where, both, look
from tests.invariants import assert_whole
from tests.model.stands import TERMINATED_WITHIN, InProcess
from tests.people import People, new_id, taken_apart

KILLS = 4
CALLERS = 16
SECRET = "4929505344987113"
MOST_STATEMENTS = 40
DEADLINE = 60.0
"""Seconds for whatever a test waits for."""
HELD = {
    "replace": [(1, FIRST), (1, SECOND), (1, THIRD)],
    "create": [(1, FIRST), (1, SECOND), (2, THIRD)],
    "remove": [(1, FIRST), (1, SECOND)],
    "update": [(1, FIRST), (1, SECOND)],
    "undo": [(1, FIRST), (1, SECOND), (1, FIRST)],
}
"""Number of the card and holder of each assignment once the change is done, in the order in which they were made."""
OPEN = {"replace": {(1, THIRD)}, "create": {(1, SECOND), (2, THIRD)}, "remove": set(), "undo": {(1, FIRST)}}
OPEN["update"] = {(1, SECOND)}

pytestmark = [both, pytest.mark.slow]


def snapshot(where: Where) -> list[Any]:
    """All that a change can touch."""
    tables = ("card", "user_card", "user_card_event", "outbox", "number_range")
    return [look(where, f"SELECT * FROM {table} ORDER BY 1") for table in tables] + [
        look(where, "SELECT request_id, body_mac, answer FROM idempotency ORDER BY request_id")
    ]


def assert_done(where: Where, name: str) -> None:
    """The change was done once."""
    query = """SELECT c.internal_card_number, u.user_id FROM user_card u JOIN card c ON c.card_id = u.card_id {}
        ORDER BY u.row_id"""
    assert look(where, query.format("")) == HELD[name]
    assert set(look(where, query.format("WHERE u.end_time IS NULL"))) == OPEN[name]
    events = 3
    assert look(where, "SELECT count(*) FROM user_card_event") == [(events,)]
    assert_whole(where)


@asynccontextmanager
async def served(where: Where) -> AsyncIterator[InProcess]:
    """A server without a network."""
    serving = stand(where)
    await serving.start()
    try:
        yield serving
    finally:
        await serving.close()


@pytest.fixture
def origin(where: Where, tmp_path: Path) -> Where:
    """An empty database where copies may lie beside it."""
    if isinstance(where, Path):
        where.parent.mkdir(parents=True)
    return where


@pytest.fixture
def drop(request: pytest.FixtureRequest) -> Callable[[Where], None]:
    """Removes a copy."""

    def gone(where: Where) -> None:
        if isinstance(where, URL):
            server = request.getfixturevalue("postgresql")
            server.command(f"DROP DATABASE IF EXISTS {where.database} WITH (FORCE)")

    return gone


@pytest.mark.parametrize("name", CHANGES)
async def test_killed_before_each_statement_and_after_the_commit(
    origin: Where, drop: Callable[[Where], None], name: str
) -> None:
    stands = await make(origin)
    before = snapshot(origin)
    command = [sys.executable, "-m", "tests.adversity.changes", name_of(origin), name]
    command.append(stands.SerializeToString().hex())
    process = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=DEADLINE, cwd=ROOT
    )
    assert process.returncode == 0, process.stderr
    done = json.loads(process.stdout)
    statements, copies = done["statements"], [where_of(copy) for copy in done["copies"]]
    assert begins(statements[0])
    assert statements[-1].startswith("COMMIT")
    assert len(statements) > 6
    assert len(copies) == len(statements) + 2
    for step, copy in enumerate(copies[:-1]):
        committed = step == len(statements)
        assert_whole(copy)
        assert (snapshot(copy) == before) != committed, f"step {step}"
        async with served(copy) as serving:
            answer = await serving.call(change(name, stands), cut=False)
            again = await serving.call(change(name, stands), cut=False)
            if name in ("remove", "update"):  # a repeat changes nothing and says so
                assert (answer.sequence == 0) == committed
                assert (answer.user_card, again.sequence) == (again.user_card, 0)
            else:
                assert answer == again
            assert_done(copy, name)
            await serving.call(replacement(SECOND, "later", card_id=stands.card_id), cut=False)
        assert_whole(copy)
    for copy in copies:
        drop(copy)


class Breaker:
    """Makes the database give up, once, in one statement of the transactions that begin while it is armed.

    SQLite interrupts itself in the statement; PostgreSQL ends the backend just before it.
    """

    def __init__(self, at: int) -> None:
        self._at = at
        self.armed = self.broken = False
        self.seen: list[str] = []

    def about(self, connection: Any, statement: str) -> None:
        """Called before each statement."""
        if isinstance(connection, sqlite3.Connection) and not self.seen:
            connection.set_progress_handler(self._progress, 1)
        if not self.armed or not (self.seen or begins(statement)):
            return
        self.seen.append(statement)
        if isinstance(connection, psycopg.Connection) and self._now():
            info = connection.info
            with psycopg.connect(
                host=info.host, dbname=info.dbname, user=info.user, autocommit=True
            ) as other:
                other.execute("SELECT pg_terminate_backend(%s, %s)", (info.backend_pid, TERMINATED_WITHIN))

    def _progress(self) -> int:
        return int(self._now())

    def _now(self) -> bool:
        now = self.armed and not self.broken and len(self.seen) == self._at + 1
        self.broken |= now
        return now


async def test_the_database_gives_up_in_each_statement(
    kind: str, origin: Where, drop: Callable[[Where], None]
) -> None:
    stands = await make(origin)
    failed = 0
    for step in range(2 * MOST_STATEMENTS):
        copy = copied(origin, f"s{step}")
        breaker = Breaker(step)
        with told(breaker.about):
            async with served(copy) as serving:
                breaker.armed = True
                calls = [
                    replacement(user, key, card_id=stands.card_id, pin="1")
                    for user, key in ((FIRST, "a"), (THIRD, "b"))
                ]
                outcomes = await asyncio.gather(
                    *(serving.call(call, cut=False) for call in calls), return_exceptions=True
                )
                breaker.armed = False  # the writer goes on
                await serving.call(replacement(THIRD, "later", card_id=stands.card_id), cut=False)
        assert_whole(copy)
        done = [outcome for outcome in outcomes if isinstance(outcome, ReplaceCardIfExistsResponse)]
        rows = look(copy, "SELECT answer FROM idempotency WHERE request_id IN ('a', 'b')")
        stored = [ReplaceCardIfExistsResponse.FromString(bytes(answer)) for (answer,) in rows]
        assert sorted(one.value for one in done) == sorted(one.value for one in stored), "answered is durable"
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and kind == "postgresql":
                assert isinstance(outcome, SwipegateError), outcome
        failed += len(outcomes) - len(done)
        drop(copy)
        if not breaker.broken:
            break
    assert 10 < step < 2 * MOST_STATEMENTS - 1
    assert failed > 5


@pytest.mark.parametrize("name", CHANGES)
async def test_each_statement_fails(
    people: People,
    where: Where,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    first, second, third = [await people.user() for _ in range(3)]
    card = await people.card(first)
    stands = await people.replace(user_id=second, card_id=card.card_id)
    request = change(name, stands)
    if isinstance(request.message, ReplaceCardIfExistsRequest):
        request.message.user_id = third
        if name == "create":
            request.message.card_ac_system_id = card.ac_system_id
    call = getattr(people.client.user_cards, request.method)
    before = snapshot(where)
    run = Statement._execute
    broken: list[Statement] = []
    """Fails whenever it comes: a group that failed is run a second time."""
    for step in range(MOST_STATEMENTS):
        left = step
        broken.clear()

        def failing(self: Statement, connection: Connection, parameters: Any) -> Any:
            nonlocal left
            if not connection.get_execution_options().get("swipegate_writer"):
                return run(self, connection, parameters)
            left -= 1
            if left == -1:
                broken.append(self)
            if self in broken:
                _fail(connection)
            return run(self, connection, parameters)

        monkeypatch.setattr(Statement, "_execute", failing)
        (outcome,) = await asyncio.gather(
            call(request.message, **people.client.options), return_exceptions=True
        )
        monkeypatch.undo()
        assert_whole(where)
        if left >= 0:
            break
        assert isinstance(outcome, aio.AioRpcError), "the fault was swallowed"
        assert (outcome.code(), taken_apart(outcome).reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
        assert SECRET not in str(outcome) + caplog.text
        assert snapshot(where) == before
    assert step >= 4
    assert outcome.sequence
    if name == "create":
        assert outcome.internal_card_number == stands.internal_card_number + 1, "a number was lost"
    assert len(look(where, "SELECT * FROM user_card_event")) == 3


def _fail(connection: Connection) -> None:
    """As the database itself would, with a text that must not be told."""
    if connection.dialect.name == "sqlite":
        raise sqlite3.OperationalError(f"disk I/O error on {SECRET}")
    with connection.connection.cursor() as cursor:
        cursor.execute(f"SELECT 'card {SECRET}'::integer")
    raise AssertionError("PostgreSQL takes it for a number")


class Crowd:
    """Callers of servers that are killed under them; what they were answered, and what not."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.users: list[str] = []
        self.cards: list[str] = []
        self.system = ""
        self.unanswered: list[ReplaceCardIfExistsRequest] = []
        self.answered: dict[str, tuple[ReplaceCardIfExistsRequest, ReplaceCardIfExistsResponse]] = {}
        self.enough = False

    async def settle(self, client: Client) -> None:
        """Make users and cards at first; then ask again for what was not answered, and for what was."""
        if not self.users:
            people = People(client)
            self.users = [await people.user() for _ in range(5)]
            self.cards = [(await people.card(self.users[0])).card_id for _ in range(5)]
            self.system = await people.system()
        for request in self.unanswered:
            await self._call(client, request)
        self.unanswered.clear()
        for request, answer in list(self.answered.values())[-100:]:
            assert await client.user_cards.ReplaceCardIfExists(request, **client.options) == answer

    async def press(self, client: Client) -> None:
        """Call until the server is gone, or it is enough."""
        chance = self.chance
        while not self.enough:
            request = ReplaceCardIfExistsRequest(user_id=chance.choice(self.users), request_id=new_id())
            if chance.random() < 0.3:
                fields = {"card_type": 2, "card_ac_system_id": self.system, "external_card_number": "x"}
                request.MergeFrom(ReplaceCardIfExistsRequest(internal_card_number=0, **fields))
            else:
                request.card_id = chance.choice(self.cards)
            try:
                await self._call(client, request)
            except aio.AioRpcError:
                self.unanswered.append(request)
                return
            with contextlib.suppress(aio.AioRpcError):
                await self._change(client, self.answered[request.request_id][1])

    async def _call(self, client: Client, request: ReplaceCardIfExistsRequest) -> None:
        answer = await client.user_cards.ReplaceCardIfExists(request, **client.options)
        self.answered[request.request_id] = request, answer

    async def _change(self, client: Client, made: ReplaceCardIfExistsResponse) -> None:
        """Whatever else can happen to an assignment."""
        user_cards, options = client.user_cards, client.options
        match self.chance.randrange(4):
            case 0:
                await user_cards.RemoveUserCard(pb.RemoveUserCardRequest(user_card_id=made.value), **options)
            case 1:
                undo = pb.UndoUserCardEventRequest(sequence=made.sequence, request_id=new_id())
                await user_cards.UndoUserCardEvent(undo, **options)

    def hold(self, where: Where) -> None:
        """What was answered is there, and automatic numbers are 1, 2, 3 ..., each given once."""
        assert_whole(where)
        stored = {row[0] for row in look(where, "SELECT request_id FROM idempotency")}
        assert set(self.answered) <= stored, "what was answered is durable"
        values = dict(look(where, "SELECT user_card_id, user_id FROM user_card"))
        for request, answer in self.answered.values():
            assert values[answer.value] == request.user_id
        query = "SELECT internal_card_number FROM card WHERE ac_system_id = :system ORDER BY 1"
        there = [number for (number,) in look(where, query, system=self.system)]
        assert there == list(range(1, len(there) + 1))
        given = [a.internal_card_number for r, a in self.answered.values() if not r.HasField("card_id")]
        assert len(given) == len(set(given)), "a number was given twice"
        assert len(given) <= len(there) <= len(given) + len(self.unanswered)


async def test_servers_killed_at_random_moments(where: Where, tmp_path: Path) -> None:
    """One server on SQLite; on PostgreSQL two, of which one is killed at a time."""
    url = None if isinstance(where, Path) else where
    serving = [ServeProcess(tmp_path / "data", url)]
    await asyncio.to_thread(serving[0].start)
    if url is not None:
        shutil.copytree(tmp_path / "data", tmp_path / "data2", ignore=shutil.ignore_patterns("lock"))
        serving.append(ServeProcess(tmp_path / "data2", url))
        await asyncio.to_thread(serving[1].start)
    crowd = Crowd(random.Random(20260101))
    try:
        async with asyncio.timeout(3 * DEADLINE):
            for kill in range(KILLS):
                await _press_and_kill(crowd, serving, kill)
                if url is None:
                    crowd.hold(where)
                await asyncio.to_thread(serving[kill % len(serving)].start)
            await _with_clients(serving, lambda clients: crowd.settle(clients[-1]))
    finally:
        for process in serving:
            process.kill()
    crowd.hold(where)
    assert len(crowd.answered) > 50


async def _press_and_kill(crowd: Crowd, serving: list[ServeProcess], kill: int) -> None:
    async def press(clients: list[Client]) -> None:
        await crowd.settle(clients[0])
        crowd.enough, before = False, len(crowd.answered)
        callers = [
            asyncio.create_task(crowd.press(clients[number % len(clients)])) for number in range(CALLERS)
        ]
        while len(crowd.answered) < before + 20:  # noqa: ASYNC110 - the callers have no time for events
            await asyncio.sleep(0.01)
        await asyncio.sleep(crowd.chance.uniform(0, 0.2))
        await asyncio.to_thread(serving[kill % len(serving)].kill)
        gone = [task for number, task in enumerate(callers) if number % len(serving) == kill % len(serving)]
        await asyncio.gather(*gone)
        for task in callers:  # those of the other server were never disturbed
            assert task in gone or not task.done()
        crowd.enough = True
        await asyncio.gather(*callers)

    await _with_clients(serving, press)


async def _with_clients(serving: list[ServeProcess], use: Callable[[list[Client]], Any]) -> None:
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            Client(
                await stack.enter_async_context(aio.insecure_channel(f"127.0.0.1:{process.port}")),
                process.metadata(),
            )
            for process in serving
        ]
        await use(clients)
