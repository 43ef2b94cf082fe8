"""Moving what was committed from SQLite's log into the file, beside the writer instead of within a commit.

Nobody waits for it: what is in the log is durable. But the log begins anew only when all of it has been moved while
nobody writes. So SQLite is left to do it too, within a commit, once the log is long; by then there is little to move.
"""

import logging
import sqlite3
import threading

from sqlalchemy import Connection, Engine

from swipegate.store import engine

EVERY = 2000
"""Rows written since the last time."""
LATEST = 60.0
"""Seconds after which fewer are moved too: what was wiped stands in the file until then."""
PAUSE = 0.1
"""Seconds in which a long log is left to SQLite, which cannot move anything while somebody else does."""

log = logging.getLogger(__name__)


class Checkpoints:
    """A thread that moves the log of an SQLite database. `written` belongs to the writer's thread."""

    def __init__(self, of: Engine) -> None:
        self._connection = engine.connect(of, writer=False)
        self._moved_until = 0
        self._wanted = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="swipegate-checkpoint", daemon=True)
        self._thread.start()

    def written(self, connection: Connection) -> None:
        """A transaction was committed on the writer's connection."""
        rows = engine.mark(connection)
        if rows - self._moved_until >= EVERY:
            self._moved_until = rows
            self._wanted.set()

    def close(self) -> None:
        """End the thread once it has done what it is at."""
        self._closing.set()
        self._wanted.set()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while True:
            self._wanted.wait(LATEST)
            self._wanted.clear()  # before the look: a close that comes between the two rings again
            if self._closing.is_set():
                return
            try:
                if engine.checkpoint(self._connection):
                    self._closing.wait(PAUSE)
            except sqlite3.Error as error:  # nothing is lost: it stays in the log
                log.warning("the log cannot be moved into the database: %s", engine.describe_error(error))
