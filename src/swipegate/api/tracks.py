"""TrackService. `DecodeSwipes` takes and gives raw bytes: the core walks them, no message object is made."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc import aio

from swipegate import core
from swipegate.api.border import Border
from swipegate.api.streams import until_closed
from swipegate.domain.errors import invalid
from swipegate.service.bell import Bell
from swipegate.service.tracks import Tracks
from swipegate.v1 import track_pb2 as pb
from swipegate.v1 import track_pb2_grpc

_SERVICE = "swipegate.v1.TrackService"


class TrackServicer(track_pb2_grpc.TrackServiceServicer):
    """Decoding of swipes."""

    def __init__(self, tracks: Tracks, bell: Bell) -> None:
        self._tracks = tracks
        self._bell = bell

    async def DecodeSwipe(
        self, request: pb.DecodeSwipeRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.DecodeSwipeResponse:
        """Decode one swipe."""
        formats = await self._tracks.formats(request.card_formats, "card_formats")
        return pb.DecodeSwipeResponse(swipe=await self._tracks.decode(request.swipe, formats))

    async def DecodeSwipes(
        self, requests: AsyncIterator[bytes], _context: aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[bytes]:
        """Decode batches: serialized DecodeSwipesRequest in, serialized DecodeSwipesResponse out."""
        formats: core.FormatSet | None = None
        async for request in until_closed(requests, self._bell):
            if formats is None:
                config = _config(request) or pb.DecodeSwipesConfig()
                formats = await self._tracks.formats(config.card_formats, "config.card_formats")
            elif _config(request) is not None:
                raise invalid("config", "belongs in the first message of a stream")
            yield await self._tracks.decode_batch(request, formats)


def _config(request: bytes) -> pb.DecodeSwipesConfig | None:
    try:
        config = core.batch_config(request)
        return None if config is None else pb.DecodeSwipesConfig.FromString(config)
    except (ValueError, DecodeError):
        raise invalid("request", "is no well-formed DecodeSwipesRequest") from None


def add_to_server(servicer: TrackServicer, server: Border) -> None:
    """Register the service, with DecodeSwipes in raw bytes."""
    handlers = {
        "DecodeSwipe": grpc.unary_unary_rpc_method_handler(
            servicer.DecodeSwipe,
            request_deserializer=pb.DecodeSwipeRequest.FromString,
            response_serializer=pb.DecodeSwipeResponse.SerializeToString,
        ),
        "DecodeSwipes": grpc.stream_stream_rpc_method_handler(servicer.DecodeSwipes),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
