"""Imports of users and cards, batch by batch."""

from sqlalchemy import Connection

from swipegate.domain.authority import Principal
from swipegate.domain.bulk_import import MAX_ROWS, Report, Rows
from swipegate.domain.errors import invalid
from swipegate.domain.replacement import ReplaceCard
from swipegate.domain.user import User
from swipegate.service.bell import Bell
from swipegate.service.clock import Clock
from swipegate.service.import_cards import CardImport, import_cards
from swipegate.service.import_users import import_users
from swipegate.service.sealing import Sealer
from swipegate.service.user_card_events import BELL_KEY
from swipegate.store.database import Database, Unit


class BulkImport:
    """Imports. A batch is one transaction, durable when it is answered."""

    def __init__(self, database: Database, sealer: Sealer, bell: Bell, clock: Clock) -> None:
        self._database = database
        self._sealer = sealer
        self._bell = bell
        self._clock = clock

    async def users(self, rows: Rows[User], *, validate_only: bool) -> Report:
        """Create the users; the report counts rows from 0. Raises INVALID_FIELD for a batch over its bound."""
        check_size("users", len(rows))
        return await self._run(
            lambda connection: import_users(connection, rows, self._clock()), validate_only
        )

    async def cards(
        self, principal: Principal, rows: Rows[ReplaceCard], *, take_over: bool, validate_only: bool
    ) -> Report:
        """Create and assign the cards; otherwise as `users`."""
        check_size("cards", len(rows))

        def unit(connection: Connection) -> Report:
            under = CardImport(self._sealer, principal, self._clock(), take_over)
            return import_cards(connection, rows, under)

        report = await self._run(unit, validate_only)
        if report.created:
            self._bell.ring(BELL_KEY)
        return report

    async def _run(self, unit: Unit[Report], validate_only: bool) -> Report:
        if validate_only:
            return await self._database.rehearse(unit)
        return await self._database.write(unit)


def check_size(field: str, rows: int) -> None:
    """Raise INVALID_FIELD for a batch over its bound."""
    if rows > MAX_ROWS:
        raise invalid(field, f"must be at most {MAX_ROWS:,} rows a batch")
