"""What access control systems have been told of their cards, and what stands out."""

from sqlalchemy import Connection

from swipegate.domain.fields import canonical_uuid
from swipegate.domain.outbox import OutboxEntry
from swipegate.service import paging
from swipegate.service.ac_systems import demand
from swipegate.service.bell import Bell
from swipegate.service.clock import Clock
from swipegate.service.receivers import Receivers
from swipegate.service.user_card_events import BELL_KEY
from swipegate.store import outbox
from swipegate.store.database import Database


class Outbox:
    """The entries of access control systems with a connector."""

    def __init__(self, database: Database, receivers: Receivers, bell: Bell, clock: Clock) -> None:
        self._database = database
        self._receivers = receivers
        self._bell = bell
        self._clock = clock

    async def page(
        self, ac_system_id: str, *, pending_only: bool, page_size: int, page_token: str
    ) -> tuple[list[OutboxEntry], str]:
        """A page of entries in the order of their cards' creation, and the next page's token.

        Raises INVALID_FIELD, AC_SYSTEM_NOT_FOUND.
        """
        key = canonical_uuid("ac_system_id", ac_system_id)
        size, after = paging.size(page_size), paging.row_of(page_token) or 0

        def unit(connection: Connection) -> list[tuple[int, OutboxEntry]]:
            demand(connection, key)
            found = outbox.page(connection, key, pending_only=pending_only, after=after, size=size + 1)
            return list(found)

        rows = await self._database.read(unit)
        return paging.cut(rows, size)

    async def retry(self, ac_system_id: str) -> int:
        """Make every entry that waits due now; how many are due. Raises INVALID_FIELD, AC_SYSTEM_NOT_FOUND."""
        key = canonical_uuid("ac_system_id", ac_system_id)

        def unit(connection: Connection) -> int:
            demand(connection, key)
            return outbox.retry(connection, key, self._clock())

        due = await self._database.write(unit)
        self._receivers.resume(key)
        self._bell.ring(BELL_KEY)
        return due
