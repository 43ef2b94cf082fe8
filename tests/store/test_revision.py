"""Revisions of the schema: older databases with all that is in them, on both databases, whatever goes wrong."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, event

from swipegate.store import engine as engines
from swipegate.store import revision, schema
from swipegate.store.database import Database
from swipegate.store.revision import SchemaVersionError
from tests.databases import Where, both, engine_of, look, somebody_writes
from tests.store.older import make_older, picture, run_revisions

pytestmark = both
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def where(where: Where) -> Where:
    """With its folder."""
    if isinstance(where, Path):
        where.parent.mkdir()
    return where


@pytest.fixture
def older(where: Where) -> Where:
    """A database of revision 0001."""
    make_older(where)
    return where


def open_and_close(where: Where, *, upgrade: bool = False) -> None:
    database = Database(where)
    try:
        database.open(upgrade=upgrade)
    finally:
        database.close()


def texts(where: Path) -> dict[str, str]:
    """What SQLite keeps of the schema, without its author's layout."""
    rows = look(where, "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {name: re.sub(r'[\s"]+', "", sql) for name, sql in rows}


def differences(where: Where) -> list[Any]:
    """Between the database and schema.py."""
    engine = engine_of(where)
    with engine.connect() as connection, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SQLAlchemy passes over expressions of SQLite's indexes
        options = {"compare_type": True, "compare_server_default": True}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), schema.metadata)
    engine.dispose()
    return list(found)


def catalogue(where: Where) -> list[tuple[Any, ...]]:
    """What PostgreSQL says of columns, indexes and constraints."""
    return look(
        where,
        """SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
            pg_get_expr(d.adbin, d.adrelid)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind = 'r'
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum ORDER BY 1, 2""",
    ) + look(
        where,
        """SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2""",
    )


def test_the_schema_is_that_of_the_newest_revision(kind: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(revision._MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [schema.REVISION]
    assert {script.revision for script in scripts.walk_revisions()} == revision._known()


@pytest.mark.parametrize("way", ["from an older one", "from the last one", "from nothing"])
def test_an_upgraded_database_is_as_a_new_one(
    where: Where, tmp_path: Path, request: pytest.FixtureRequest, way: str
) -> None:
    if way == "from nothing":
        run_revisions(where, schema.REVISION)
    elif way == "from the last one":
        run_revisions(where, "0002")
        open_and_close(where, upgrade=True)
    else:
        make_older(where)
        open_and_close(where, upgrade=True)
    assert differences(where) == []
    if isinstance(where, Path):
        new = tmp_path / "new.db"
        open_and_close(new)
        assert texts(where) == texts(new)
        return
    with request.getfixturevalue("postgresql").database() as made:
        open_and_close(made)
        assert catalogue(where) == catalogue(made)


def test_an_older_database_stays_as_it_is_unless_told(older: Where) -> None:
    before = picture(older)
    wanted = "schema revision 0001.* needs 0003.*`swipegate database upgrade`.*--upgrade-database"
    with pytest.raises(SchemaVersionError, match=wanted):
        open_and_close(older)
    assert picture(older) == before


def test_all_that_is_in_it_is_carried_over(older: Where, kind: str) -> None:
    before = picture(older)
    cards = look(older, "SELECT * FROM card ORDER BY row_id")
    held = look(older, "SELECT * FROM user_card")
    open_and_close(older, upgrade=True)
    after = picture(older)
    untouched = ("card", "card_format", "card_request", "card_request_event", "device", "host", "idempotency")
    for table in untouched:
        assert after[table][2] == before[table][2], table
    assert not {"audit", "schema_version", "old_user", "old_user_card"} & set(after)
    assert look(older, "SELECT * FROM card ORDER BY row_id") == cards
    kept = "user_card_id, card_id, user_id, start_time, end_time, activation_time, deactivation_time,"
    assert set(look(older, f"SELECT {kept} card_user_flags, sealed_pin FROM user_card")) == set(held)
    assert look(older, "SELECT DISTINCT gives_card_numbers FROM ac_system") == [(True,)]
    assert look(older, "SELECT card_type FROM card_type ORDER BY 1")[-1] == (7,)
    users = look(
        older,
        """SELECT u.name, o.name, o.ac_system_id FROM user_ u LEFT JOIN occupancy o
        ON o.occupancy_id = u.occupancy_id ORDER BY u.row_id""",
    )
    one, two = (f"00000000-0000-4000-8000-00000000000{number}" for number in (1, 2))
    expected = [
        ("Ada", "North gate", one),
        ("Ben", "North gate", one),
        ("Cleo", "Süd tor", two),
        ("Dan", None, None),
    ]
    assert sorted(users) == sorted(expected)
    if kind == "sqlite":  # PostgreSQL's rows had no order
        assert users == expected
        order = [row[0] for row in held]
        assert [row[0] for row in look(older, "SELECT user_card_id FROM user_card ORDER BY row_id")] == order


def test_the_audit_becomes_events(older: Where) -> None:
    audit = look(
        older,
        """SELECT time, card_id, user_card_id, previous_user_card_id, previous_user_id, current_user_id, subject,
        client FROM audit ORDER BY audit_id""",
    )
    open_and_close(older, upgrade=True)
    rows = look(
        older,
        """SELECT time, card_id, kind, before, after, pin_changed, sealed_pin_before, status_before, status_after,
        undid_sequence, subject, client FROM user_card_event ORDER BY sequence""",
    )
    assert [row[2] for row in rows] == [
        "ASSIGNED",
        "REPLACED",
        "UPDATED",
        "ASSIGNED",
        "ASSIGNED",
        "REPLACED",
        "REPLACED",
    ]
    for old, new in zip(audit, rows, strict=True):
        before = json.loads(new[3]) if new[3] else {}
        after = json.loads(new[4])
        seen = (new[0], new[1], after["user_card_id"], before.get("user_card_id"), before.get("user_id"))
        assert (*seen, after["user_id"], *new[10:]) == old
        assert new[6:10] == (None, "GOOD", "GOOD", None)
        assert before.get("end_time") is after["end_time"] is None
    assert [bool(row[5]) for row in rows] == [True, True, False, False, False, True, False]
    assert json.loads(rows[3][4])["activation_time"] == 1_800_000_000_000_000
    assert json.loads(rows[0][4])["card_user_flags"] == 1


@pytest.mark.parametrize("taken", ["card_type", "name"])
def test_a_card_type_of_ones_own_stays(older: Where, taken: str) -> None:
    number, name = (7, "ours") if taken == "card_type" else (70, "ISO/IEC 7813 account identification")
    look(
        older,
        "INSERT INTO card_type (card_type, name, max_internal_card_number, has_serial_number) "
        "VALUES (:number, :name, 9, FALSE)",
        number=number,
        name=name,
    )
    open_and_close(older, upgrade=True)
    assert look(older, "SELECT card_type, name FROM card_type WHERE card_type > 6") == [(number, name)]


class Failed(Exception):
    """What a test does to a statement."""


@contextmanager
def failing_at(step: int) -> Iterator[list[str]]:
    """Statements that write, in order; the one of that number fails, and the last is the commit."""
    seen: list[str] = []

    def fail(statement: str) -> None:
        seen.append(statement)
        if len(seen) == step + 1:
            raise Failed

    def executing(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if seen or statement.startswith(("BEGIN IMMEDIATE", "SELECT pg_advisory_xact_lock")):
            fail(statement)

    def committing(_connection: object) -> None:
        if seen:
            fail("COMMIT")

    event.listen(Engine, "before_cursor_execute", executing)
    event.listen(Engine, "commit", committing)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", executing)
        event.remove(Engine, "commit", committing)


def test_each_statement_of_an_upgrade_fails(older: Where) -> None:
    before = picture(older)
    for step in range(1000):
        with failing_at(step) as seen:
            try:
                open_and_close(older, upgrade=True)
            except Failed:
                failed = True
            else:
                failed = False
        if not failed:
            break
        assert picture(older) == before, seen[-1]
    assert seen[-1] == "COMMIT"
    assert step > 40
    assert look(older, "SELECT version_num FROM alembic_version") == [("0003",)]
    assert differences(older) == []


_DIE = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import Engine, event, make_url
from swipegate.store.database import Database
where, step, seen = sys.argv[1], int(sys.argv[2]), []
def at(statement):
    if seen or statement.startswith(("BEGIN IMMEDIATE", "SELECT pg_advisory_xact_lock")):
        seen.append(statement)
        if len(seen) > step:
            os.kill(os.getpid(), signal.SIGKILL)
event.listen(Engine, "before_cursor_execute", lambda c, cursor, statement, *_: at(statement))
event.listen(Engine, "commit", lambda c: seen and at("COMMIT"))
Database(make_url(where) if "://" in where else Path(where)).open(upgrade=True)
"""


def test_killed_in_the_middle_of_an_upgrade_and_before_its_commit(older: Where) -> None:
    before = picture(older)
    with failing_at(10_000) as seen:
        name = str(older) if isinstance(older, Path) else older.render_as_string(hide_password=False)
        for step in (1, 25, 50):
            command = [sys.executable, "-c", _DIE, name, str(step)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
            assert done.returncode == -signal.SIGKILL, done.stderr
            assert picture(older) == before
        open_and_close(older, upgrade=True)
    assert len(seen) > 50
    assert differences(older) == []


async def test_two_servers_that_upgrade_at_the_same_time(older: Where) -> None:
    await asyncio.gather(*(asyncio.to_thread(open_and_close, older, upgrade=True) for _ in range(4)))
    assert look(older, "SELECT count(*) FROM user_card_event") == [(7,)]
    assert differences(older) == []


async def test_an_upgrade_waits_for_another_that_takes_its_time(
    older: Where, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "BUSY_TIMEOUT", 0.1)  # what an ordinary writer waits
    with somebody_writes(older):
        upgrading = asyncio.create_task(asyncio.to_thread(open_and_close, older, upgrade=True))
        done, _ = await asyncio.wait((upgrading,), timeout=1)
        assert not done
    await upgrading
    assert differences(older) == []


async def test_many_servers_make_a_new_database_at_the_same_time(where: Where) -> None:
    await asyncio.gather(*(asyncio.to_thread(open_and_close, where) for _ in range(4)))
    assert differences(where) == []
    assert look(where, "SELECT count(*) FROM card_type") == [(7,)]


@pytest.mark.parametrize("upgrade", [False, True])
@pytest.mark.parametrize(
    ("statements", "says"),
    [
        (["UPDATE alembic_version SET version_num = '9999'"], "revision 9999.*needs 0003.*newer Swipegate"),
        (["DELETE FROM alembic_version"], r"another program \(revision none\)"),
        (["INSERT INTO alembic_version VALUES ('0001')"], r"another program \(revision 000., 000.\)"),
        (
            ["DROP TABLE alembic_version", "CREATE TABLE schema_version (version INTEGER)"],
            r"another program \(schema_version none\)",
        ),
        (
            [
                "DROP TABLE alembic_version",
                "CREATE TABLE schema_version (version INTEGER)",
                "INSERT INTO schema_version VALUES (7)",
            ],
            r"another program \(schema_version 7\)",
        ),
        (
            ["DROP TABLE alembic_version"],
            r"tables of another program \(ac_system, card, card_assignment, \.\.\.\)",
        ),
    ],
)
def test_what_is_newer_or_a_strangers_is_refused_and_stays(
    where: Where, upgrade: bool, statements: list[str], says: str
) -> None:
    open_and_close(where)
    for statement in statements:
        look(where, statement)
    before = picture(where)
    with pytest.raises(SchemaVersionError, match=says) as caught:
        open_and_close(where, upgrade=upgrade)
    assert (where.name if isinstance(where, Path) else str(where.database)) in str(caught.value)
    assert picture(where) == before


def test_another_programs_database(where: Where) -> None:
    look(where, "CREATE TABLE invoice (number INTEGER)")
    with pytest.raises(SchemaVersionError, match=r"tables of another program \(invoice\): name a database"):
        open_and_close(where, upgrade=True)


def test_another_programs_alembic(where: Where) -> None:
    look(where, "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
    look(where, "INSERT INTO alembic_version VALUES ('0001')")
    with pytest.raises(SchemaVersionError, match=r"another program \(revision 0001\)"):
        open_and_close(where, upgrade=True)
    assert list(picture(where)) == ["alembic_version"]


def test_a_database_that_is_current_needs_no_lock(where: Where) -> None:
    open_and_close(where)
    with somebody_writes(where):
        revision.prepare(engines.create(where), "it", upgrade=True)
