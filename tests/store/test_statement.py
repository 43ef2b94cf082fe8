"""Statements on the drivers' own cursors: values come back as they were given."""

from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    insert,
    select,
)

from swipegate.store import engine
from swipegate.store.statement import LookUp, NumberedInsert, Statement
from tests.databases import Where, both

_TABLE = Table(
    "odd table",
    MetaData(),
    Column("number", BigInteger, primary_key=True),
    Column("after", Text),  # a word of SQL
    Column("yes", Boolean),
    Column("data", LargeBinary),
)
_ADD = Statement(insert(_TABLE))
_ROWS: list[dict[str, Any]] = [
    {"number": number, "after": text, "yes": number % 2 == 0, "data": data}
    for number, (text, data) in enumerate(
        [
            ("plain", b"\x00\xff\\x41\n"),
            ("tab\there, line\nand\r\n end", None),
            ("\\N", b""),
            ("\\.", b"\\."),
            (None, b"\\N"),
            ("", b"\t"),
            ("back\\slash \\t 'quote' \"double\" %s %(x)s :x ?", b"%"),
            ("\u2003\U0001f4b3 é", b"\x80"),
        ]
    )
]
_MORE = [{"number": 2**63 - 1 - number, "after": "", "yes": None, "data": None} for number in range(1500)]


@pytest.fixture
def connection(where: Where) -> Any:
    if not hasattr(where, "drivername"):
        where.parent.mkdir(exist_ok=True)
    made = engine.create(where)
    with engine.connect(made, writer=True) as connection, connection.begin():
        _TABLE.create(connection)
        yield connection
    made.dispose()


def _all(connection: Connection) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in connection.execute(select(_TABLE).order_by(_TABLE.c.number))]


@both
def test_many_rows_at_once(connection: Connection) -> None:
    _ADD.run_all(connection, _ROWS)
    assert _all(connection) == _ROWS
    _ADD.run_all(connection, _MORE)
    assert _all(connection) == _ROWS + sorted(_MORE, key=lambda row: row["number"])
    _ADD.run_all(connection, [])


@both
def test_many_rows_are_what_single_rows_are(connection: Connection) -> None:
    for row in _ROWS:
        _ADD.run(connection, row)
    assert _all(connection) == _ROWS


@both
def test_a_row_among_many_that_is_refused(connection: Connection) -> None:
    savepoint = connection.begin_nested()
    with pytest.raises(Exception, match=r"(?i)unique|duplicate") as caught:
        _ADD.run_all(connection, [*_ROWS, _ROWS[0]])
    assert type(caught.value).__name__ in ("IntegrityError", "UniqueViolation")
    savepoint.rollback()
    _ADD.run_all(connection, _ROWS)
    assert len(_all(connection)) == len(_ROWS)


@both
def test_a_look_up_by_many_keys(connection: Connection) -> None:
    _ADD.run_all(connection, _ROWS + _MORE)
    look_up = LookUp(select(_TABLE.c.number), _TABLE.c.number)
    wanted = [row["number"] for row in _MORE] + [-1, 3]
    for size in (0, 1, 8, 9, 65, 513, len(wanted)):
        found = [number for (number,) in look_up.rows(connection, wanted[-size:] if size else [])]
        assert sorted(found) == sorted(set(wanted[-size:] if size else []) - {-1})


@both
def test_an_insert_tells_the_number_of_its_row(connection: Connection) -> None:
    numbered = Table(
        "numbered", MetaData(), Column("number", Integer, primary_key=True), Column("text", Text)
    )
    numbered.create(connection)
    add = NumberedInsert(insert(numbered), numbered.c.number)
    numbers = [add.run(connection, {"text": text}) for text in ("one", "two", "three")]
    rows = Statement(select(numbered.c.text, numbered.c.number)).all(connection, {})
    assert sorted(rows) == sorted(zip(("one", "two", "three"), numbers, strict=True))
    assert numbers == sorted(set(numbers))
