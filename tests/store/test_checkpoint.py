"""SQLite's log, moved into the file while others write."""

import asyncio
import logging
import shutil
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from swipegate.domain.user import User
from swipegate.store import checkpoint, engine, users
from swipegate.store.database import Database
from tests.databases import look
from tests.people import new_id

TIME = 30.0
"""Seconds for anything a thread does."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "swipegate.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    opened = Database(path)
    opened.open()
    yield opened
    await asyncio.to_thread(opened.close)


async def write(database: Database, rows: int) -> None:
    """That many users, in commits of a hundred."""

    def unit(connection: Connection) -> None:
        for _ in range(100):
            users.add(connection, User(new_id(), "u"))

    for _ in range(rows // 100):
        await database.write(unit)


def moved(path: Path) -> int:
    """Users in the file alone, without its log."""
    alone = path.with_name("alone.db")
    shutil.copy(path, alone)
    try:
        return int(look(alone, "SELECT count(*) FROM user_")[0][0])
    except DatabaseError:  # copied while something was moved
        return -1


async def until_moved(path: Path, rows: int) -> None:
    async with asyncio.timeout(TIME):
        while moved(path) < rows:  # noqa: ASYNC110 - a thread moves it
            await asyncio.sleep(0.05)


async def test_it_is_moved_without_a_commit_that_does_it(database: Database, path: Path) -> None:
    await write(database, checkpoint.EVERY - 100)
    await asyncio.sleep(0.2)
    assert moved(path) == 0
    await write(database, 100)
    await until_moved(path, checkpoint.EVERY)


async def test_a_few_rows_are_moved_in_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "LATEST", 0.2)
    database = Database(path)
    database.open()
    await write(database, 100)
    await until_moved(path, 100)
    await asyncio.to_thread(database.close)


@pytest.mark.parametrize("quick", [True, False])
async def test_it_does_not_grow_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch, quick: bool) -> None:
    """Nor where the thread is always at it, and the writer finds it at it."""
    monkeypatch.setattr(engine, "LONG_LOG", 300)
    monkeypatch.setattr(checkpoint, "EVERY", 1 if quick else 500)
    database = Database(path)
    database.open()
    log = path.with_name("swipegate.db-wal")
    await write(database, 25_000)
    assert log.stat().st_size < 20_000_000  # all of it would be 87,000,000; most often it is 2,000,000
    await asyncio.to_thread(database.close)
    assert not log.exists()
    assert moved(path) == 25_000


async def test_an_error_is_told_and_the_next_time_is_another_chance(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as broken:

        def fail(_connection: Connection) -> bool:
            raise sqlite3.OperationalError("disk I/O error")

        broken.setattr(engine, "checkpoint", fail)
        with caplog.at_level(logging.WARNING, logger=checkpoint.__name__):
            await write(database, checkpoint.EVERY)
            async with asyncio.timeout(TIME):
                while not caplog.records:  # noqa: ASYNC110 - a thread tells it
                    await asyncio.sleep(0.05)
    assert "cannot be moved into the database: OperationalError" in caplog.text
    await write(database, checkpoint.EVERY)
    await until_moved(path, 2 * checkpoint.EVERY)
