"""TrackService. `DecodeSwipes` takes and gives raw bytes: the core walks them, no message object is made."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc import aio

from swipegate import core
from swipegate.domain.errors import SwipegateError, invalid
from swipegate.service.bell import Bell
from swipegate.service.tracks import Tracks
from swipegate.v1 import error_pb2, track_pb2_grpc
from swipegate.v1 import track_pb2 as pb

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
        async for request in _until_closed(requests, self._bell):
            if formats is None:
                config = _config(request) or pb.DecodeSwipesConfig()
                formats = await self._tracks.formats(config.card_formats, "config.card_formats")
            elif _config(request) is not None:
                raise invalid("config", "belongs in the first message of a stream")
            yield await self._tracks.decode_batch(request, formats)


async def _until_closed(requests: AsyncIterator[bytes], bell: Bell) -> AsyncIterator[bytes]:
    """The requests of a stream; raises SHUTTING_DOWN between two of them."""
    closing = asyncio.create_task(bell.until_closed())
    try:
        while not closing.done():
            # a deadline that the close brings forward: a task and a wait for each message would cost thrice as much
            async with asyncio.timeout(None) as reading:
                end = partial(_expire, reading)
                closing.add_done_callback(end)
                try:
                    request = await anext(requests)
                finally:
                    closing.remove_done_callback(end)
            yield request
    except StopAsyncIteration:
        return
    except TimeoutError:
        pass
    finally:
        closing.cancel()
    raise SwipegateError(error_pb2.ERROR_REASON_SHUTTING_DOWN)


def _expire(reading: asyncio.Timeout, _closing: object) -> None:
    with contextlib.suppress(RuntimeError):  # it was over before
        reading.reschedule(asyncio.get_running_loop().time())


def _config(request: bytes) -> pb.DecodeSwipesConfig | None:
    try:
        config = core.batch_config(request)
        return None if config is None else pb.DecodeSwipesConfig.FromString(config)
    except (ValueError, DecodeError):
        raise invalid("request", "is no well-formed DecodeSwipesRequest") from None


def add_to_server(servicer: TrackServicer, server: aio.Server) -> None:
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
