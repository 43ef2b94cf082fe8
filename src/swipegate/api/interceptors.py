"""What stands before every handler: outermost the translation of failures, then the check of the token."""

import asyncio
import contextlib
import inspect
import logging
import secrets
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc import aio

from swipegate.api import status
from swipegate.domain.authority import Principal
from swipegate.domain.errors import SwipegateError, invalid
from swipegate.service.tokens import Tokens
from swipegate.v1 import error_pb2

OPEN_SERVICES = ("/grpc.health.v1.", "/grpc.reflection.v1", "/grpc.reflection.v1alpha.")
"""Callable without a token."""

log = logging.getLogger(__name__)
_principal: ContextVar[Principal] = ContextVar("principal")

Guard = Callable[[aio.ServicerContext[Any, Any]], AbstractAsyncContextManager[None]]
Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Any]]


def principal() -> Principal:
    """Who makes the call that is being handled."""
    return _principal.get()


class TranslateFailures(aio.ServerInterceptor):
    """Turns a SwipegateError into its status and anything else into INTERNAL, whose text tells nothing."""

    async def intercept_service(self, continuation: Continuation, details: grpc.HandlerCallDetails) -> Any:
        """Wrap the handler."""
        return _wrapped(await continuation(details), _translated)


class DemandToken(aio.ServerInterceptor):
    """Lets a call through only with a valid token; health and reflection are open."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def intercept_service(self, continuation: Continuation, details: grpc.HandlerCallDetails) -> Any:
        """Wrap the handler, unless its service is open."""
        handler = await continuation(details)
        return handler if details.method.startswith(OPEN_SERVICES) else _wrapped(handler, self._admitted)

    @contextlib.asynccontextmanager
    async def _admitted(self, context: aio.ServicerContext[Any, Any]) -> AsyncIterator[None]:
        metadata = dict(context.invocation_metadata() or ())
        scheme, _, token = str(metadata.get("authorization", "")).partition(" ")
        if scheme.lower() != "bearer":
            token = str(metadata.get("jwt", ""))  # the original's header
        _principal.set(self._tokens.verify(token))
        yield


@contextlib.asynccontextmanager
async def _translated(context: aio.ServicerContext[Any, Any]) -> AsyncIterator[None]:
    try:
        yield
    except SwipegateError as error:
        await _abort(context, error)
    except (asyncio.CancelledError, GeneratorExit, aio.AbortError):
        raise
    except Exception as error:
        incident = secrets.token_hex(8)
        # the exception's own text may hold what it failed on, so only its type and place are written down
        place = "".join(traceback.format_tb(error.__traceback__))
        log.error("incident %s: %s at\n%s", incident, type(error).__name__, place)
        await _abort(context, SwipegateError(error_pb2.ERROR_REASON_INTERNAL, incident=incident))


async def _abort(context: aio.ServicerContext[Any, Any], error: SwipegateError) -> None:
    details = status.status_of(error).SerializeToString()
    await context.abort(status.code_of(error), str(error), ((status.DETAILS_KEY, details),))


def _wrapped(handler: Any, guard: Guard) -> Any:
    """The handler, run inside the guard, and so is the parsing of what it is given."""
    if handler is None:
        return None
    kinds = {
        (False, False): ("unary_unary", grpc.unary_unary_rpc_method_handler),
        (False, True): ("unary_stream", grpc.unary_stream_rpc_method_handler),
        (True, False): ("stream_unary", grpc.stream_unary_rpc_method_handler),
        (True, True): ("stream_stream", grpc.stream_stream_rpc_method_handler),
    }
    attribute, make = kinds[bool(handler.request_streaming), bool(handler.response_streaming)]
    inner = getattr(handler, attribute)
    # gRPC's own parsing stands before every interceptor, and what it raises goes to the client as it is
    parsed = _parser(handler.request_deserializer, bool(handler.request_streaming))

    async def answer(request: Any, context: aio.ServicerContext[Any, Any]) -> Any:
        async with guard(context):
            return await inner(parsed(request), context)

    async def answers(request: Any, context: aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
        async with guard(context):
            async for response in inner(parsed(request), context):
                yield response

    behaviour = answers if inspect.isasyncgenfunction(inner) else answer
    return make(behaviour, None, handler.response_serializer)


def _parser(deserialize: Callable[[bytes], Any] | None, streaming: bool) -> Callable[[Any], Any]:
    """Bytes to message, or for a stream of requests iterator to iterator; nothing where a handler takes bytes."""
    if deserialize is None:
        return lambda request: request

    def parse(body: bytes) -> Any:
        try:
            return deserialize(body)
        except DecodeError:
            raise invalid("request", "is no message of the type that this method takes") from None

    async def parse_all(bodies: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        async for body in bodies:
            yield parse(body)

    return parse_all if streaming else parse
