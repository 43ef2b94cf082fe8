"""The database on real files and servers: groups, failures, bounds, ends."""

import asyncio
import contextlib
import stat
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select, text

from swipegate.domain.errors import SwipegateError, name
from swipegate.domain.user import User
from swipegate.store import database as module
from swipegate.store import engine, schema, users
from swipegate.store.database import Database
from swipegate.store.revision import DatabaseFileError
from tests.databases import Where, both, look, somebody_writes
from tests.people import new_id


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of what is SQLite's alone."""
    return tmp_path / "swipegate.db"


@pytest.fixture
def where(where: Where) -> Where:
    """With its folder."""
    if isinstance(where, Path):
        where.parent.mkdir()
    return where


@pytest.fixture
async def database(where: Where) -> AsyncIterator[Database]:
    opened = Database(where)
    opened.open()
    yield opened
    await asyncio.to_thread(opened.close)
    assert [t.name for t in threading.enumerate() if t.name.startswith("swipegate")] == []


def _add(user_id: str) -> module.Unit[str]:
    def unit(connection: Connection) -> str:
        users.add(connection, User(user_id, "u"))
        return user_id

    return unit


def _count(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(schema.user)) or 0


@both
async def test_many_writes_share_a_commit(database: Database) -> None:
    await database.write(_add(new_id()))
    before = database.commits
    ids = [new_id() for _ in range(300)]
    assert await asyncio.gather(*(database.write(_add(key)) for key in ids)) == ids
    assert 300 / module.MAX_GROUP <= database.commits - before < 100
    assert await database.read(_count) == 301


def _pause(seconds: float) -> module.Unit[None]:
    return lambda _: time.sleep(seconds)


@both
async def test_nobody_waits_for_callers_who_do_not_come(database: Database) -> None:
    """After a large group one who is alone is served, and so is one in the middle of an end."""
    await asyncio.gather(*(database.write(_add(new_id())) for _ in range(200)))
    begin = time.monotonic()
    await database.write(_add(new_id()))
    assert time.monotonic() - begin < 2  # GATHER, and a slow machine
    await asyncio.gather(*(database.write(_add(new_id())) for _ in range(200)))
    last = asyncio.create_task(database.write(_count))
    await asyncio.sleep(0)
    await asyncio.to_thread(database.close)
    assert await last == 401


async def test_callers_who_come_a_little_later_share_the_commit(database: Database) -> None:
    async def later(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await database.write(_add(new_id()))

    await asyncio.gather(*(database.write(_add(new_id())) for _ in range(module.MANY)))
    before = database.commits
    for _ in range(20):
        await asyncio.gather(*(later(turns) for turns in range(module.MANY)))
    assert database.commits - before < 20 * module.MANY / 2


async def test_the_event_loop_stands_still_for_a_group_but_not_for_long(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STEP_ASIDE", 0.2)
    at_work = threading.Event()
    group = [asyncio.create_task(database.write(lambda _: at_work.wait(10)))]
    await asyncio.sleep(0.05)  # the writer has it
    group += [asyncio.create_task(database.write(_pause(0.1))) for _ in range(10)]
    await asyncio.sleep(0)
    gaps, last = [], time.monotonic()
    at_work.set()
    while not all(task.done() for task in group):
        await asyncio.sleep(0.001)
        now = time.monotonic()
        gaps.append(now - last)
        last = now
    assert 0.15 < max(gaps) < 0.8  # of the second that the group takes
    assert sum(gap > 0.15 for gap in gaps) == 1


async def test_a_few_callers_stop_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEP_ASIDE", 10)
    writing = asyncio.create_task(database.write(_pause(0.5)))
    begin = time.monotonic()
    await asyncio.sleep(0.1)
    assert time.monotonic() - begin < 0.4
    await writing


@both
async def test_a_failure_undoes_its_own_work_alone(database: Database) -> None:
    def fails(connection: Connection) -> None:
        users.add(connection, User(new_id(), "undone"))
        raise ValueError("mine")

    twice = new_id()
    outcomes = await asyncio.gather(
        database.write(_add(new_id())),
        database.write(fails),
        database.write(_add(twice)),
        database.write(_add(twice)),
        database.write(_add(new_id())),
        return_exceptions=True,
    )
    kinds = [type(outcome).__name__ for outcome in outcomes]
    assert kinds[:3] + kinds[4:] == ["str", "ValueError", "str", "str"]
    assert kinds[3] in ("IntegrityError", "UniqueViolation")  # the driver's own
    assert await database.read(_count) == 3


@both
async def test_an_answer_is_durable_for_another_connection(database: Database, where: Where) -> None:
    for _ in range(20):
        key = await database.write(_add(new_id()))
        assert look(where, "SELECT count(*) FROM user_ WHERE user_id = :key", key=key) == [(1,)]


async def test_the_pragmas_that_durability_and_wiping_need(database: Database) -> None:
    def unit(connection: Connection) -> list[object]:
        return [
            connection.scalar(text(f"PRAGMA {pragma}"))
            for pragma in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        ]

    assert await database.read(unit) == ["wal", 2, 1, 1]
    assert await database.write(unit) == ["wal", 2, 1, 1]


@both
async def test_a_reader_sees_one_snapshot_and_no_work_in_progress(database: Database) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        users.add(connection, User(new_id(), "u"))
        begun.set()
        assert go_on.wait(10)

    def twice(connection: Connection) -> tuple[int, int]:
        first = _count(connection)
        go_on.set()
        while database.commits == before:
            pass
        return first, _count(connection)

    before = database.commits
    writing = asyncio.create_task(database.write(slow))
    assert await asyncio.to_thread(begun.wait, 10)
    assert await database.read(twice) == (0, 0)
    await writing
    assert await database.read(_count) == 1


@both
async def test_the_queue_is_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    waiting = [asyncio.create_task(database.write(lambda _: gate.wait(30))) for _ in range(1)]
    await asyncio.sleep(0.1)
    waiting += [asyncio.create_task(database.write(_count)) for _ in range(module.MAX_WAITING)]
    await asyncio.sleep(0)
    try:
        with pytest.raises(SwipegateError) as caught:
            await database.write(_count)
    finally:
        gate.set()
    assert name(caught.value.reason) == "OVERLOADED"
    assert caught.value.metadata["bound"] == str(module.MAX_WAITING)
    await asyncio.gather(*waiting)  # what was accepted is done


@both
async def test_the_readers_queue_is_bounded(database: Database) -> None:
    gate = threading.Event()
    waiting = [asyncio.create_task(database.read(lambda _: gate.wait(30))) for _ in range(module.MAX_WAITING)]
    await asyncio.sleep(0)
    try:
        with pytest.raises(SwipegateError) as caught:
            await database.read(_count)
    finally:
        gate.set()
    assert name(caught.value.reason) == "OVERLOADED"
    await asyncio.gather(*waiting)
    assert await database.read(_count) == 0


@both
async def test_somebody_else_who_goes_on_writing(
    where: Where, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bounded wait for all who wait, a clear end, reads as ever, and then things go on."""
    monkeypatch.setattr(engine, "BUSY_TIMEOUT", 0.5)
    database = Database(where)
    database.open()
    await database.write(_add(new_id()))
    before = time.monotonic()
    with somebody_writes(where):
        waiting = [asyncio.create_task(database.write(_add(new_id()))) for _ in range(10 * module.MAX_GROUP)]
        assert await database.read(_count) == 1
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert time.monotonic() - before < 20  # one wait, not one for each group
    for outcome in outcomes:
        assert isinstance(outcome, SwipegateError)
        assert name(outcome.reason) == "DATABASE_UNAVAILABLE"
    assert "the database cannot be had: " in caplog.text
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(SwipegateError):
                await database.write(_add(new_id()))
                break
            await asyncio.sleep(module.OUTAGE_PAUSE / 4)
    assert await database.read(_count) == 2
    await asyncio.to_thread(database.close)


@both
async def test_a_caller_that_gives_up_harms_nobody(database: Database) -> None:
    gate = threading.Event()
    first = asyncio.create_task(database.write(lambda _: gate.wait(30)))
    await asyncio.sleep(0.05)
    leaving, staying = (asyncio.create_task(database.write(_add(new_id()))) for _ in range(2))
    await asyncio.sleep(0.05)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    gate.set()
    await asyncio.gather(first, staying)
    assert await database.read(_count) == 2  # an accepted write is done though its caller left


@both
async def test_close_finishes_what_was_accepted_and_refuses_the_rest(where: Where) -> None:
    for _ in range(4):
        database = Database(where)
        database.open()
        before = await database.read(_count)
        accepted = [asyncio.create_task(database.write(_add(new_id()))) for _ in range(50)]
        await asyncio.sleep(0)
        closing = asyncio.create_task(asyncio.to_thread(database.close))
        late: list[asyncio.Task[str]] = []
        while not closing.done():
            late.append(asyncio.create_task(database.write(_add(new_id()))))
            await asyncio.sleep(0)
        async with asyncio.timeout(10):  # nobody waits for ever
            outcomes = await asyncio.gather(*accepted, *late, return_exceptions=True)
        assert all(isinstance(outcome, str) for outcome in outcomes[:50])
        refused = [outcome for outcome in outcomes if not isinstance(outcome, str)]
        for outcome in refused:
            assert isinstance(outcome, SwipegateError)
            assert name(outcome.reason) == "SHUTTING_DOWN"
        for call in (database.write(_count), database.read(_count)):
            with pytest.raises(SwipegateError):
                await call
        database.close()  # once more does nothing
        done = len(outcomes) - len(refused)
        assert look(where, "SELECT count(*) FROM user_") == [(before + done,)]


@both
def test_a_loop_that_is_gone_does_not_stop_the_writer(where: Where) -> None:
    database = Database(where)
    database.open()
    gate = threading.Event()

    async def leave() -> None:
        task = asyncio.create_task(database.write(lambda _: gate.wait(30)))
        await asyncio.sleep(0.05)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(leave())
    gate.set()
    try:
        assert asyncio.run(database.write(_count)) == 0
    finally:
        database.close()


def test_the_files_are_for_their_owner_alone(path: Path) -> None:
    database = Database(path)
    database.open()
    asyncio.run(database.write(_add(new_id())))
    files = list(path.parent.glob("swipegate.db*"))
    assert len(files) == 3
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    database.close()


def test_a_file_that_is_no_database(path: Path) -> None:
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(DatabaseFileError, match=r"swipegate\.db: file is not a database"):
        Database(path).open()
    assert path.read_bytes().startswith(b"no database")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatabaseFileError, match="No such file"):
        Database(tmp_path / "nowhere" / "swipegate.db").open()


@both
def test_a_database_opens_once_and_its_file_many_times(where: Where) -> None:
    database = Database(where)
    database.open()
    asyncio.run(database.write(_add(new_id())))
    with pytest.raises(RuntimeError, match="opens once"):
        database.open()
    database.close()
    again = Database(where)
    again.open()
    assert asyncio.run(again.read(_count)) == 1
    again.close()


@both
def test_close_before_open(where: Where) -> None:
    Database(where).close()
