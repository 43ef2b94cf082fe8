"""The changes of an assignment that are killed, and made to fail, at every step; and a process in which they die.

python -m tests.adversity.changes WHERE CHANGE STANDS forks one child for each step 0, 1, 2 ..., each on a copy of the
database WHERE: it dies as that statement of the change is about to run, counted from the begin of its transaction. The
last child but one dies after the commit, before it could answer. Prints a JSON line: the statements and the copies.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from google.protobuf.field_mask_pb2 import FieldMask
from sqlalchemy import Connection, make_url

from swipegate.domain.ac_system import AcSystem, Webhook
from swipegate.domain.user import User
from swipegate.store import ac_systems, users
from swipegate.store.database import Database
from swipegate.v1 import user_card_pb2 as pb
from tests.adversity.statements import begins, told
from tests.databases import Where
from tests.model.calls import Request
from tests.model.stands import InProcess

FIRST, SECOND, THIRD, SYSTEM = (f"00000000-0000-4000-8000-00000000000{n}" for n in range(4))
MOST_STATEMENTS = 40
WIEGAND_37 = 2


def number(wanted: int) -> dict[str, Any]:
    """Fields that name a card of the one system by its number; 0: any."""
    return {
        "card_type": WIEGAND_37,
        "card_ac_system_id": SYSTEM,
        "internal_card_number": wanted,
        "external_card_number": "x",
    }


def replacement(user: str, request_id: str, **fields: Any) -> Request:
    """A call of ReplaceCardIfExists."""
    message = pb.ReplaceCardIfExistsRequest(user_id=user, request_id=request_id, **fields)
    return Request("user_cards", "ReplaceCardIfExists", message)


def change(name: str, stands: pb.ReplaceCardIfExistsResponse) -> Request:
    """The call of that name, on the card that `stands` gave to SECOND."""
    match name:
        case "replace":
            return replacement(THIRD, "again", card_id=stands.card_id, pin="4711", card_user_flags=5)
        case "create":
            return replacement(THIRD, "again", **number(0))
        case "remove":
            return Request(
                "user_cards", "RemoveUserCard", pb.RemoveUserCardRequest(user_card_id=stands.value)
            )
        case "update":
            new = pb.UserCard(user_card_id=stands.value, card_user_flags=9)
            mask = FieldMask(paths=["card_user_flags"])
            return Request(
                "user_cards", "UpdateUserCard", pb.UpdateUserCardRequest(user_card=new, update_mask=mask)
            )
        case "undo":
            undo = pb.UndoUserCardEventRequest(sequence=stands.sequence, request_id="again")
            return Request("user_cards", "UndoUserCardEvent", undo)
    raise AssertionError(name)


CHANGES = ("replace", "create", "remove", "update", "undo")


def stand(where: Where) -> InProcess:
    """A server without a network, not started."""
    now = iter(range(1_000, 10**9, 1_000))
    return InProcess(where, lambda: next(now), {})


async def make(where: Where) -> pb.ReplaceCardIfExistsResponse:
    """A database with a card that was FIRST's and is SECOND's; what SECOND was answered."""

    def unit(connection: Connection) -> None:
        ac_systems.add(connection, AcSystem(SYSTEM, "s", webhook=Webhook("https://example.org", b"sealed")))
        for user in (FIRST, SECOND, THIRD):
            users.add(connection, User(user, "u"))

    database = Database(where)
    database.open()
    await database.write(unit)
    await asyncio.to_thread(database.close)
    serving = stand(where)
    await serving.start()
    await serving.call(replacement(FIRST, "first", **number(1), pin="0"), cut=False)
    answer: pb.ReplaceCardIfExistsResponse = await serving.call(
        replacement(SECOND, "second", **number(1)), cut=False
    )
    await serving.close()
    return answer


def where_of(text: str) -> Where:
    """The database of that name."""
    return make_url(text) if text.startswith("postgresql") else Path(text)


def name_of(where: Where) -> str:
    """What `where_of` reads."""
    return str(where) if isinstance(where, Path) else where.render_as_string(hide_password=False)


def copied(where: Where, suffix: str) -> Where:
    """A copy of a database that nobody uses."""
    if isinstance(where, Path):
        copy = where.with_name(f"{suffix}.db")
        shutil.copy(where, copy)
        return copy
    url = where.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url.replace(f"/{where.database}?", "/postgres?"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {where.database}_{suffix} TEMPLATE {where.database}".encode())
    return where.set(database=f"{where.database}_{suffix}")


async def die(where: Where, request: Request, die_at: int) -> list[str]:
    """The statements that ran; dies before the one of that number, or after all of them."""
    statements: list[str] = []
    armed = False

    def about(_connection: Any, statement: str) -> None:
        if not armed or not (statements or begins(statement)):
            return
        if len(statements) == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        statements.append(statement.partition("\n")[0][:60])

    with told(about):
        serving = stand(where)
        await serving.start()
        armed = True
        await serving.call(request, cut=False)
        if die_at == len(statements):
            os.kill(os.getpid(), signal.SIGKILL)
    return statements


def run_each(where: Where, request: Request, report: Callable[[str], None]) -> None:
    """Fork the children."""
    copies = []
    reading, writing = os.pipe()
    for step in range(MOST_STATEMENTS):
        copies.append(copied(where, str(step)))
        child = os.fork()
        if not child:
            os.write(writing, json.dumps(asyncio.run(die(copies[-1], request, step))).encode())
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):  # more steps than there are: it lived
            assert os.WEXITSTATUS(status) == 0
            break
    statements = json.loads(os.read(reading, 65_536))
    report(json.dumps({"statements": statements, "copies": [name_of(copy) for copy in copies]}))


def main() -> None:
    """What the module says."""
    where, name, stands = where_of(sys.argv[1]), sys.argv[2], bytes.fromhex(sys.argv[3])
    run_each(where, change(name, pb.ReplaceCardIfExistsResponse.FromString(stands)), print)


if __name__ == "__main__":
    main()
