"""Cards."""

from dataclasses import replace

from sqlalchemy import Connection

from swipegate.domain.authority import Principal
from swipegate.domain.card import Card, CardStatus
from swipegate.domain.errors import SwipegateError
from swipegate.domain.fields import canonical_uuid
from swipegate.domain.user_card import EventKind
from swipegate.service import paging
from swipegate.service.bell import Bell
from swipegate.service.clock import Clock
from swipegate.service.replacement import time_after
from swipegate.service.user_card_events import BELL_KEY, event_of, record
from swipegate.store import cards
from swipegate.store.database import Database
from swipegate.v1 import error_pb2


class Cards:
    """Cards."""

    def __init__(self, database: Database, bell: Bell, clock: Clock) -> None:
        self._database = database
        self._bell = bell
        self._clock = clock

    async def get(self, card_id: str) -> Card:
        """The card with its holder. Raises CARD_NOT_FOUND."""
        key = canonical_uuid("card_id", card_id)
        return await self._database.read(lambda connection: _demand(connection, key))

    async def mark(self, principal: Principal, card_id: str, status: CardStatus) -> tuple[Card, int]:
        """The card, marked, and the event's sequence; 0 where it was so marked. Raises CARD_NOT_FOUND."""
        key = canonical_uuid("card_id", card_id)

        def unit(connection: Connection) -> tuple[Card, int]:
            card = _demand(connection, key)
            if card.status is status:
                return card, 0
            cards.mark(connection, key, status)
            now = time_after(card, self._clock())
            event = event_of(principal, EventKind.MARKED, card, card.holding, now, status_after=status)
            return replace(card, status=status), record(connection, card, event)

        marked = await self._database.write(unit)
        self._bell.ring(BELL_KEY)
        return marked

    async def page(
        self, *, ac_system_id: str | None, user_id: str | None, page_size: int, page_token: str
    ) -> tuple[list[Card], str]:
        """A page of cards in the order of creation, and the next page's token. Raises INVALID_FIELD."""
        size, after = paging.size(page_size), paging.row_of(page_token) or 0

        def unit(connection: Connection) -> list[tuple[int, Card]]:
            return cards.page(
                connection, ac_system_id=ac_system_id, user_id=user_id, after=after, size=size + 1
            )

        rows = await self._database.read(unit)
        return paging.cut(rows, size)


def _demand(connection: Connection, key: str) -> Card:
    card = cards.by_id(connection, key)
    if card is None:
        raise SwipegateError(error_pb2.ERROR_REASON_CARD_NOT_FOUND, card_id=key)
    return card
