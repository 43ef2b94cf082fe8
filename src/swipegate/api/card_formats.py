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

    async def TestCardFormats(
        self, request: pb.TestCardFormatsRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.TestCardFormatsResponse:
        """Try card formats on a sample swipe."""
        verdicts = await self._card_formats.test(
            request.swipe, request.card_formats, request.names, reveal=request.reveal
        )
        return pb.TestCardFormatsResponse(verdicts=verdicts)

    async def SuggestCardFormats(
        self, request: pb.SuggestCardFormatsRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.SuggestCardFormatsResponse:
        """Propose card formats for sample cards."""
        return await self._card_formats.suggest(request.samples)
