"""CardService."""

from typing import Any

from grpc import aio

from swipegate.api.border import principal
from swipegate.api.masks import changes
from swipegate.api.times import timestamp
from swipegate.domain.card import Card, CardStatus, CardType
from swipegate.domain.errors import invalid
from swipegate.domain.fields import canonical_uuid
from swipegate.service.card_types import CardTypes
from swipegate.service.cards import Cards
from swipegate.v1 import card_pb2 as pb
from swipegate.v1 import card_pb2_grpc

_UPDATABLE = (
    "name",
    "max_internal_card_number",
    "max_facility_code",
    "max_issue_code",
    "has_serial_number",
)
"""Paths of UpdateCardTypeRequest.update_mask."""
_STATUSES = {pb.CardStatus.Value(f"CARD_STATUS_{status}"): status for status in CardStatus}


class CardServicer(card_pb2_grpc.CardServiceServicer):
    """Cards and their types."""

    def __init__(self, cards: Cards, card_types: CardTypes) -> None:
        self._cards = cards
        self._card_types = card_types

    async def GetCard(
        self, request: pb.GetCardRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.GetCardResponse:
        """Give one card, with who holds it."""
        return pb.GetCardResponse(card=_card(await self._cards.get(request.card_id)))

    async def MarkCard(
        self, request: pb.MarkCardRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.MarkCardResponse:
        """Say that a card is lost, stolen or good again."""
        status = _STATUSES.get(request.status)
        if status is None:
            raise invalid("status", "must be CARD_STATUS_GOOD, CARD_STATUS_LOST or CARD_STATUS_STOLEN")
        card, sequence = await self._cards.mark(principal(), request.card_id, status)
        return pb.MarkCardResponse(card=_card(card), sequence=sequence)

    async def ListCards(
        self, request: pb.ListCardsRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.ListCardsResponse:
        """List cards with who holds them."""
        system, user = request.ac_system_id, request.user_id
        cards, token = await self._cards.page(
            ac_system_id=canonical_uuid("ac_system_id", system) if system else None,
            user_id=canonical_uuid("user_id", user) if user else None,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListCardsResponse(cards=[_card(card) for card in cards], next_page_token=token)

    async def ListCardTypes(
        self, _request: pb.ListCardTypesRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.ListCardTypesResponse:
        """List every card type by number."""
        types = await self._card_types.every()
        return pb.ListCardTypesResponse(card_types=[_card_type(kind) for kind in types])

    async def CreateCardType(
        self, request: pb.CreateCardTypeRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.CreateCardTypeResponse:
        """Create a card type."""
        created = await self._card_types.create(_card_type_of(request.card_type))
        return pb.CreateCardTypeResponse(card_type=_card_type(created))

    async def UpdateCardType(
        self, request: pb.UpdateCardTypeRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.UpdateCardTypeResponse:
        """Change a card type."""
        named = changes(request.update_mask, _UPDATABLE)
        changed = await self._card_types.update(_card_type_of(request.card_type), named)
        return pb.UpdateCardTypeResponse(card_type=_card_type(changed))

    async def DeleteCardType(
        self, request: pb.DeleteCardTypeRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.DeleteCardTypeResponse:
        """Delete a card type that no card has."""
        await self._card_types.delete(request.card_type)
        return pb.DeleteCardTypeResponse()


def _card(card: Card) -> pb.Card:
    return pb.Card(
        card_id=card.card_id,
        ac_system_id=card.ac_system_id,
        card_type=card.card_type,
        internal_card_number=card.internal_card_number,
        external_card_number=card.external_card_number,
        facility_code=card.facility_code,
        issue_code=card.issue_code,
        card_serial_number=card.card_serial_number,
        user_id=card.user_id or "",
        user_card_id=card.holding.user_card_id if card.holding else "",
        status=f"CARD_STATUS_{card.status}",
        create_time=timestamp(card.create_time),
    )


def _card_type(kind: CardType) -> pb.CardType:
    return pb.CardType(
        card_type=kind.card_type,
        name=kind.name,
        max_internal_card_number=kind.max_internal_card_number,
        max_facility_code=kind.max_facility_code,
        max_issue_code=kind.max_issue_code,
        has_serial_number=kind.has_serial_number,
    )


def _card_type_of(given: pb.CardType) -> CardType:
    return CardType(
        card_type=given.card_type,
        name=given.name,
        max_internal_card_number=given.max_internal_card_number,
        max_facility_code=given.max_facility_code if given.HasField("max_facility_code") else None,
        max_issue_code=given.max_issue_code if given.HasField("max_issue_code") else None,
        has_serial_number=given.has_serial_number,
    )
