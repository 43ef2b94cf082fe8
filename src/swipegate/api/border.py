"""The border of the process: who comes in, and what failures look like outside."""

import inspect
import logging
import secrets
import traceback
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
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
_metadata: ContextVar[Iterable[tuple[str, str | bytes]]] = ContextVar("metadata")
"""What came with the call; ServicerContext.invocation_metadata would decode it a second time."""

Admit = Callable[[], None]


def principal() -> Principal:
    """Who makes the call that is being handled."""
    return _principal.get()


class Border(grpc.GenericRpcHandler):
    """What every call passes, once in and once out: the one handler that the server itself knows.

    In: a valid token, save for health and reflection, then the parsing of the request. Out: a SwipegateError becomes
    its status, anything else INTERNAL, whose text tells nothing.

    It stands in a server's place where services are added. An aio server waits for a call of each method that was
    registered with it, and looks at all of these waits again at every call: some 50 us for 56 methods. What one
    generic handler finds by name costs nothing of that, nor an interceptor's coroutine.
    """

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._services: list[grpc.GenericRpcHandler] = []
        self._wrapped: dict[str, Any] = {}
        """By method; only methods that there are."""

    def add_generic_rpc_handlers(self, handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Take a service behind the border."""
        self._services.extend(handlers)

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Any]) -> None:
        """Nothing: generated code gives these methods to add_generic_rpc_handlers, too."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler of a method, wrapped at its first call; None for a method that there is not."""
        method = handler_call_details.method
        _metadata.set(handler_call_details.invocation_metadata)
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            found = (service.service(handler_call_details) for service in self._services)
            handler = next((handler for handler in found if handler is not None), None)
            if handler is None:
                return None
            is_open = method.startswith(OPEN_SERVICES)
            wrapped = self._wrapped[method] = _wrap(handler, _admit_all if is_open else self._admit)
        return wrapped

    def _admit(self) -> None:
        metadata = dict(_metadata.get())
        scheme, _, token = str(metadata.get("authorization", "")).partition(" ")
        if scheme.lower() != "bearer":
            token = str(metadata.get("jwt", ""))  # the original's header
        _principal.set(self._tokens.verify(token))


def _admit_all() -> None:
    pass


async def _fail(context: aio.ServicerContext[Any, Any], error: Exception) -> None:
    """End the call with the failure's status."""
    if isinstance(error, aio.AbortError):
        raise error
    if isinstance(error, SwipegateError):
        await _abort(context, error)
    incident = secrets.token_hex(8)
    # the exception's own text may hold what it failed on, so only its type and place are written down
    place = "".join(traceback.format_tb(error.__traceback__))
    log.error("incident %s: %s at\n%s", incident, type(error).__name__, place)
    await _abort(context, SwipegateError(error_pb2.ERROR_REASON_INTERNAL, incident=incident))


async def _abort(context: aio.ServicerContext[Any, Any], error: SwipegateError) -> None:
    details = status.status_of(error).SerializeToString()
    await context.abort(status.code_of(error), str(error), ((status.DETAILS_KEY, details),))


def _wrap(handler: Any, admit: Admit) -> Any:
    """The handler behind the border, and so is the parsing of what it is given."""
    kinds = {
        (False, False): ("unary_unary", grpc.unary_unary_rpc_method_handler),
        (False, True): ("unary_stream", grpc.unary_stream_rpc_method_handler),
        (True, False): ("stream_unary", grpc.stream_unary_rpc_method_handler),
        (True, True): ("stream_stream", grpc.stream_stream_rpc_method_handler),
    }
    attribute, make = kinds[bool(handler.request_streaming), bool(handler.response_streaming)]
    inner = getattr(handler, attribute)
    # gRPC's own parsing would stand before the border, and what it raises goes to the client as it is
    parsed = _parser(handler.request_deserializer, bool(handler.request_streaming))

    async def answer(request: Any, context: aio.ServicerContext[Any, Any]) -> Any:
        try:
            admit()
            return await inner(parsed(request), context)
        except Exception as error:
            await _fail(context, error)

    async def answers(request: Any, context: aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
        try:
            admit()
            async for response in inner(parsed(request), context):
                yield response
        except Exception as error:
            await _fail(context, error)

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
