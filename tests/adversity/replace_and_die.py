"""Replace a card in a process that kills itself at a named step: python replace_and_die.py FOLDER USER CARD REQUEST_ID

Forks one child for each step, 0, 1, 2 ..., each on FOLDER/STEP/swipegate.db: it dies as that statement is about to
run, counted from the BEGIN of the replacement. The last child dies after the commit, before it could answer. Prints
one JSON line: the statements in order.
"""

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import sys
from pathlib import Path

from sqlalchemy import Engine, event

from swipegate.domain.authority import Principal
from swipegate.domain.replacement import ReplaceCard
from swipegate.service import clock
from swipegate.service.bell import Bell
from swipegate.service.sealing import Sealer
from swipegate.service.user_cards import UserCards
from swipegate.store.database import Database

SUBJECT = Principal("dies", "tests")
KEY = b"k" * 32
MOST_STATEMENTS = 40


async def replace(path: Path, user: str, card: str, request_id: str, *, die_at: int) -> list[str]:
    """The statements that ran; dies before the one of that number, or after all of them."""
    statements: list[str] = []
    armed = False

    def trace(statement: str) -> None:
        if not armed or not (statements or statement.startswith("BEGIN IMMEDIATE")):
            return
        if len(statements) == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        statements.append(statement.partition("\n")[0][:60])

    @event.listens_for(Engine, "connect")
    def watch(connection: sqlite3.Connection, _record: object) -> None:
        connection.set_trace_callback(trace)

    database = Database(path)
    database.open()
    armed = True
    command = ReplaceCard(user, card_id=card, pin="4711")
    result = UserCards(database, Sealer(KEY), Bell(), clock.now).replace(
        SUBJECT, command, request_id, b"body", lambda result: result.value.encode()
    )
    await result
    if die_at == len(statements):
        os.kill(os.getpid(), signal.SIGKILL)
    return statements


def main() -> None:
    """Fork the children."""
    folder, user, card, request_id = Path(sys.argv[1]), *sys.argv[2:]
    steps = folder / "steps"
    for step in range(MOST_STATEMENTS):
        path = folder / str(step) / "swipegate.db"
        path.parent.mkdir()
        shutil.copy(folder / "swipegate.db", path)
        child = os.fork()
        if not child:
            ran = asyncio.run(replace(path, user, card, request_id, die_at=step))
            steps.write_text(json.dumps(ran))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):  # more steps than there are: it lived
            assert os.WEXITSTATUS(status) == 0
            break
    print(steps.read_text())


if __name__ == "__main__":
    main()
