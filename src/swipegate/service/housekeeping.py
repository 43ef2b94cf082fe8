"""What has to happen in time though nobody asks for it."""

import asyncio
import logging

from sqlalchemy import Connection

from swipegate.domain.errors import SwipegateError
from swipegate.service.card_assignments import CardAssignments
from swipegate.service.card_requests import CardRequests
from swipegate.service.clock import Clock
from swipegate.store import idempotency
from swipegate.store.database import Database

SWEEP_INTERVAL = 1.0
"""Seconds between looks for what is due."""
FORGET_EVERY = 600
"""Sweeps between clearings of old answers."""

log = logging.getLogger(__name__)


class Housekeeping:
    """Expires card requests and card assignments, wipes track data, forgets old answers."""

    def __init__(
        self, database: Database, requests: CardRequests, assignments: CardAssignments, clock: Clock
    ) -> None:
        self._database = database
        self._requests = requests
        self._assignments = assignments
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to sweep."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End after the sweep under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        sweeps = 0
        while True:
            try:
                await self._requests.sweep()
                await self._assignments.sweep()
                while sweeps % FORGET_EVERY == 0 and await self._database.write(self._forget):
                    pass
            except SwipegateError as error:  # the database is away: one line a second says so
                log.warning("a sweep failed: %s", error)
            except Exception:  # one bad sweep must not be the last
                log.exception("a sweep failed")
            sweeps += 1
            await asyncio.sleep(SWEEP_INTERVAL)

    def _forget(self, connection: Connection) -> bool:
        return idempotency.forget(connection, self._clock())
