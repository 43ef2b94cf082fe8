"""CardFormatService."""

from typing import Any

from grpc import aio

from swipegate.service.card_formats import CardFormats
from swipegate.v1 import card_format_pb2 as pb
from swipegate.v1 import card_format_pb2_grpc


class CardFormatServicer(card_format_pb2_grpc.CardFormatServiceServicer):
    """Card formats."""

    def __init__(self, card_formats: CardFormats) -> None:
        self._card_formats = card_formats

    async def CreateCardFormat(
        self, request: pb.CreateCardFormatRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.CreateCardFormatResponse:
        """Store a new card format."""
        created = await self._card_formats.create(request.card_format)
        return pb.CreateCardFormatResponse(card_format=created)

    async def ListCardFormats(
        self, _request: pb.ListCardFormatsRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.ListCardFormatsResponse:
        """List every card format."""
        return pb.ListCardFormatsResponse(card_formats=await self._card_formats.every())
