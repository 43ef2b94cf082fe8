"""Streams of requests."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from typing import TypeVar

from swipegate.domain.errors import SwipegateError
from swipegate.service.bell import Bell
from swipegate.v1 import error_pb2

T = TypeVar("T")


async def until_closed(requests: AsyncIterator[T], bell: Bell) -> AsyncIterator[T]:
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
