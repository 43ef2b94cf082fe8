"""Replacements that die, or fail, at every step: no card gets two holders, none is lost, a repeat agrees."""

import asyncio
import json
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio
from sqlalchemy import Connection, Engine, event

from swipegate.domain.ac_system import AcSystem
from swipegate.domain.card import Card
from swipegate.domain.replacement import ReplaceCard
from swipegate.domain.user import User
from swipegate.service import clock
from swipegate.service.bell import Bell
from swipegate.service.sealing import Sealer
from swipegate.service.user_cards import UserCards
from swipegate.settings import Settings
from swipegate.store import ac_systems, cards, users
from swipegate.store.database import Database
from swipegate.store.statement import Statement
from swipegate.v1.user_card_pb2 import ReplaceCardIfExistsRequest, ReplaceCardIfExistsResponse
from tests.adversity.replace_and_die import KEY, SUBJECT
from tests.adversity.serving import ServeProcess
from tests.conftest import Client
from tests.people import People, new_id, taken_apart

HERE = Path(__file__).parent
KILLS = 4
SECRET = "disk I/O error on 4929505344987113"
START_TIMEOUT = 20.0
"""Seconds for a server process to listen."""


def query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """What another process sees."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def assert_whole(path: Path) -> None:
    """Every invariant of assignments that a query can see."""
    assert query(path, "PRAGMA integrity_check") == [("ok",)]
    assert query(path, "PRAGMA foreign_key_check") == []
    twice = "SELECT card_id FROM user_card NOT INDEXED WHERE end_time IS NULL GROUP BY card_id HAVING count(*) > 1"
    assert query(path, twice) == []
    lost = """SELECT card_id FROM card WHERE card_id NOT IN
        (SELECT card_id FROM user_card NOT INDEXED WHERE end_time IS NULL)"""
    assert query(path, lost) == [], "every card of these tests has a holder from its creation on"
    moves = """SELECT json_extract(after, '$.user_card_id') FROM user_card_event WHERE kind <> 'UPDATED' ORDER BY 1"""
    assert query(path, "SELECT user_card_id FROM user_card ORDER BY 1") == query(path, moves)


async def _made(path: Path) -> tuple[list[str], str]:
    """A database with three users and a card that the first holds."""
    database = Database(path)
    database.open()
    people, card, system = [new_id() for _ in range(3)], new_id(), new_id()

    def unit(connection: Connection) -> None:
        ac_systems.add(connection, AcSystem(system, "s"))
        for user in people:
            users.add(connection, User(user, "u"))
        cards.add(connection, Card(card, system, 2, 1, "1", None, None, None))

    await database.write(unit)
    await _replace(database, people[0], card, "first")
    await asyncio.to_thread(database.close)
    return people, card


async def _replace(database: Database, user: str, card: str, request_id: str) -> bytes:
    return await UserCards(database, Sealer(KEY), Bell(), clock.now).replace(
        SUBJECT,
        ReplaceCard(user, card_id=card, pin="4711"),
        request_id,
        b"body",
        lambda result: result.value.encode(),
    )


@pytest.mark.slow
async def test_killed_before_each_statement_and_after_the_commit(tmp_path: Path) -> None:
    path = tmp_path / "swipegate.db"
    (first, second, third), card = await _made(path)
    before = query(path, "SELECT * FROM user_card")
    command = [sys.executable, str(HERE / "replace_and_die.py"), str(tmp_path), second, card, "again"]
    process = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=60, cwd=HERE.parent.parent
    )
    assert process.returncode == 0, process.stderr
    statements = json.loads(process.stdout)
    assert statements[0].startswith("BEGIN IMMEDIATE")
    assert statements[-1].startswith("COMMIT")
    assert sum(statement.startswith("INSERT INTO user_card") for statement in statements) == 1
    for step in range(len(statements) + 1):
        copy = tmp_path / str(step) / "swipegate.db"
        assert_whole(copy)
        committed = step == len(statements)
        assert (query(copy, "SELECT * FROM user_card") != before) == committed, step
        database = Database(copy)
        database.open()
        try:
            answer = await _replace(database, second, card, "again")
            assert await _replace(database, second, card, "again") == answer
            made = query(copy, "SELECT user_card_id, user_id, end_time IS NULL FROM user_card ORDER BY rowid")
            assert made[1:] == [(answer.decode(), second, 1)]
            assert made[0][1:] == (first, 0)
            await _replace(database, third, card, "third")
        finally:
            await asyncio.to_thread(database.close)
        assert_whole(copy)


@contextmanager
def _opened_to_be_interrupted(path: Path, at: int) -> Iterator[tuple[Database, list[str]]]:
    """A database in which SQLite itself gives up, once, in the statement of that number, counted from a BEGIN."""
    seen: list[str] = []
    state = {"armed": False}

    def watch(connection: sqlite3.Connection, _record: object) -> None:
        def trace(statement: str) -> None:
            if state["armed"] and (seen or statement.startswith("BEGIN IMMEDIATE")):
                seen.append(statement)

        def progress() -> int:
            give_up = state["armed"] and len(seen) == at + 1
            if give_up:
                state["armed"] = False
            return int(give_up)

        connection.set_trace_callback(trace)
        connection.set_progress_handler(progress, 1)

    event.listen(Engine, "connect", watch)
    try:
        database = Database(path)
        database.open()
        state["armed"] = True
        yield database, seen
    finally:
        state["armed"] = False
        event.remove(Engine, "connect", watch)


async def test_sqlite_gives_up_in_each_statement(tmp_path: Path) -> None:
    origin = tmp_path / "swipegate.db"
    (_, second, third), card = await _made(origin)
    failed = step = 0
    while True:
        path = tmp_path / f"{step}.db"
        shutil.copy(origin, path)
        with _opened_to_be_interrupted(path, step) as (database, seen):
            outcomes = await asyncio.gather(
                _replace(database, second, card, "a"),
                _replace(database, third, card, "b"),
                return_exceptions=True,
            )
        try:
            await _replace(database, third, card, "later")  # the writer goes on
        finally:
            await asyncio.to_thread(database.close)
        assert_whole(path)
        done = [outcome for outcome in outcomes if isinstance(outcome, bytes)]
        stored = {
            row[0] for row in query(path, "SELECT answer FROM idempotency WHERE request_id IN ('a', 'b')")
        }
        assert set(done) == stored, "answered is what is durable, neither more nor less"
        failed += len(outcomes) - len(done)
        if len(seen) <= step:
            break
        step += 1
        assert step < 100
    assert step > 10
    assert failed > 5


@pytest.mark.parametrize("named_by", ["card_id", "number"])
async def test_each_statement_of_a_replacement_fails(
    people: People,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    named_by: str,
) -> None:
    first, second, system = await people.user(), await people.user(), await people.system()
    card = await people.card(first, card_ac_system_id=system)
    path = settings.data_dir / "swipegate.db"
    tables = "SELECT (SELECT count(*) FROM user_card), (SELECT count(*) FROM card), (SELECT count(*) FROM idempotency)"
    before = query(path, tables)
    run = Statement._execute
    for step in range(100):
        left = step

        def failing(self: Statement, connection: Connection, parameters: Any) -> Any:
            nonlocal left
            left -= 1
            if left == -1:
                raise sqlite3.OperationalError(SECRET)
            return run(self, connection, parameters)

        monkeypatch.setattr(Statement, "_execute", failing)
        named = {"card_id": card.card_id} if named_by == "card_id" else people.named(system)
        call = {"user_id": second, "request_id": f"{step}", **named}
        outcome = await asyncio.gather(people.replace(**call), return_exceptions=True)
        monkeypatch.undo()
        assert_whole(path)
        if left >= 0:
            (answer,) = outcome
            break
        (error,) = outcome
        assert isinstance(error, aio.AioRpcError), "the fault was swallowed"
        assert (error.code(), taken_apart(error).reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
        assert SECRET not in str(error) + caplog.text
        assert query(path, tables) == before
    assert step >= 6
    assert isinstance(answer, ReplaceCardIfExistsResponse)
    assert answer.current_user_id == second
    assert answer.HasField("previous_user_id") == (named_by == "card_id")
    assert_whole(path)


@pytest.mark.slow
async def test_a_server_killed_at_random_moments(tmp_path: Path) -> None:
    serving = ServeProcess(tmp_path / "data")
    choice = random.Random(20260101)
    known_users: list[str] = []
    known_cards: list[str] = []
    unanswered: list[ReplaceCardIfExistsRequest] = []
    answered: dict[str, tuple[ReplaceCardIfExistsRequest, ReplaceCardIfExistsResponse]] = {}

    async def call(client: Client, request: ReplaceCardIfExistsRequest) -> None:
        answered[request.request_id] = (
            request,
            await client.user_cards.ReplaceCardIfExists(request, **client.options),
        )

    async def keep_replacing(client: Client) -> None:
        while True:
            request = ReplaceCardIfExistsRequest(
                user_id=choice.choice(known_users), card_id=choice.choice(known_cards), request_id=new_id()
            )
            try:
                await call(client, request)
            except aio.AioRpcError:
                unanswered.append(request)
                return

    for _ in range(KILLS):
        await asyncio.to_thread(serving.start)
        async with aio.insecure_channel(f"127.0.0.1:{serving.port}") as channel:
            client = Client(channel, serving.metadata())
            people = People(client)
            if not known_users:
                known_users = [await people.user() for _ in range(5)]
                known_cards = [(await people.card(known_users[0])).card_id for _ in range(5)]
            for request in unanswered:
                await call(client, request)
            for request, answer in list(answered.values())[-200:]:
                assert await client.user_cards.ReplaceCardIfExists(request, **client.options) == answer
            unanswered.clear()
            callers = [asyncio.create_task(keep_replacing(client)) for _ in range(16)]
            await asyncio.sleep(choice.uniform(0.02, 0.4))
            await asyncio.to_thread(serving.kill)
            await asyncio.gather(*callers)
        path = serving.data_dir / "swipegate.db"
        assert_whole(path)
        stored = {row[0] for row in query(path, "SELECT request_id FROM idempotency")}
        assert set(answered) <= stored, "what was answered is durable"
        values = {row[0]: row[1] for row in query(path, "SELECT user_card_id, user_id FROM user_card")}
        for request, answer in answered.values():
            assert values[answer.value] == request.user_id
    assert len(answered) > 50
