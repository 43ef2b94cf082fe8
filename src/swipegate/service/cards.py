"""Cards and card types, to look at."""

from sqlalchemy import Connection

from swipegate.domain.user_card import Card, CardType
from swipegate.service import paging
from swipegate.store import cards
from swipegate.store.database import Database


class Cards:
    """Cards and card types."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
        token = paging.token_of(rows[size - 1][0]) if len(rows) > size else ""
        return [card for _, card in rows[:size]], token

    async def types(self) -> list[CardType]:
        """Every card type by number."""
        return await self._database.read(cards.types)
