"""CSV files, well and badly made."""

import io

import pytest

from swipegate.cli.bulk_import import CARDS, USERS
from swipegate.cli.tables import MAX_ROW, Kind, Row, Table, TableError
from swipegate.v1 import bulk_import_pb2 as pb
from swipegate.v1 import user_pb2

SYSTEM = "0b7e5f3c-3b1e-4a57-9a51-7f2f4b3c1d00"


def rows(text: str | bytes, kind: Kind = USERS) -> list[Row]:
    """The rows of a file of that text."""
    data = text if isinstance(text, bytes) else text.encode()
    return list(Table(io.BytesIO(data), kind).rows())


def problems(text: str | bytes, kind: Kind = USERS) -> list[tuple[int, str, str]]:
    """Line, field and problem of the rows that have one."""
    return [(row.line, row.field, row.problem) for row in rows(text, kind) if row.message is None]


def test_cells_become_fields() -> None:
    (row,) = rows(
        "card_type,internal_card_number,external_card_number,ac_system_id,user_id,facility_code,issue_code\n"
        f"6,00031337,00031337, {SYSTEM} ,,044,0\n",
        CARDS,
    )
    assert row.message == pb.ImportedCard(
        ac_system_id=SYSTEM,
        card_type=6,
        internal_card_number=31337,
        external_card_number="00031337",
        facility_code=44,
        issue_code=0,
    )
    assert not row.message.HasField("card_serial_number")


def test_a_mark_at_the_beginning_quotes_and_other_ends_of_lines() -> None:
    text = b'\xef\xbb\xbfname,user_id\r\n"O""Hara, A.\r\nof two lines",\r\n\r\n\xc3\x86r\xc3\xb8,x\r\nlast,y'
    found = rows(text)
    assert [(row.line, row.message) for row in found] == [
        (2, user_pb2.User(name='O"Hara, A.\r\nof two lines')),
        (5, user_pb2.User(name="Ærø", user_id="x")),
        (6, user_pb2.User(name="last", user_id="y")),
    ]
    assert found[0].text == '"O""Hara, A.\r\nof two lines",'


def test_a_row_that_is_none_takes_no_other_with_it() -> None:
    head = b"ac_system_id,card_type,internal_card_number,external_card_number,facility_code\n"
    lines = [
        b"s,2,1,1",
        b"s,2,1,1,,",
        b"s,2,3.13E+04,1,",
        b"s,2,-1,1,",
        "s,2,١,1,".encode(),
        b"s,2,99999999999999999999,1,",
        b"s,4294967296,1,1,",
        b"s,2,1,\xff,",
        b's,2,1,"1"x,',
        b"s,2,1,1,",
    ]
    whole = "must be a whole number, in digits alone"
    assert problems(head + b"\n".join(lines), CARDS) == [
        (2, "", "has 4 cells, the header 5"),
        (3, "", "has 6 cells, the header 5"),
        (4, "internal_card_number", whole),
        (5, "internal_card_number", whole),
        (6, "internal_card_number", whole),
        (7, "", "holds a number that is too large"),
        (8, "", "holds a number that is too large"),
        (9, "", "is not UTF-8"),
        (10, "", "is no row of CSV: ',' expected after '\"'"),
    ]
    assert [row.line for row in rows(head + b"\n".join(lines), CARDS) if row.message] == [11]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no header: the first line must name the columns; known are user_id, name, occupancy_id"),
        ("\nname\n", "has no header"),
        (
            "name;user_id\n",
            "unknown column 'name;user_id' (cells are parted by commas); known are user_id, name",
        ),
        ("name,user_id,name\n", "column name is there twice"),
        ("user_id\n", "column name is missing; required are name"),
        ('"name\n' + "x\n" * MAX_ROW, "line 1: a row of more than 16,384 bytes; is there a quote that does"),
    ],
)
def test_a_header_that_does_not_fit(text: str, said: str) -> None:
    with pytest.raises(TableError) as caught:
        rows(text)
    assert str(caught.value).startswith(said)


def test_a_quote_that_does_not_end() -> None:
    table = Table(io.BytesIO(b'name\none\n"two\n' + b"x\n" * MAX_ROW), USERS)
    found = table.rows()
    assert next(found).message == user_pb2.User(name="one")
    with pytest.raises(TableError, match=r"line 3: a row of more than 16,384 bytes"):
        next(found)
    assert problems('name\none\n"two\nthree\n') == [(3, "", "is no row of CSV: unexpected end of data")]


def test_a_line_that_does_not_end() -> None:
    table = Table(io.BytesIO(b"name\n" + b"x" * (MAX_ROW + 1)), USERS)
    with pytest.raises(TableError, match=r"line 2: a row of more than 16,384 bytes"):
        list(table.rows())


def test_a_header_alone() -> None:
    assert rows("name\n\n\n") == []
