"""Decoding for callers who bring the swipe themselves."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from swipegate import core
from swipegate.domain.errors import invalid
from swipegate.service.card_formats import CardFormats
from swipegate.v1.track_pb2 import DecodedSwipe, Swipe

T = TypeVar("T")

SHORT = 4096
"""Bytes of a request whose decoding takes no longer than handing it to a thread, whatever it holds."""


class Tracks:
    """The track core behind the bounds of the contract."""

    def __init__(self, formats: CardFormats) -> None:
        self._formats = formats

    async def formats(self, names: Sequence[str], field: str) -> core.FormatSet:
        """The compiled formats that a caller names. Raises CARD_FORMAT_NOT_FOUND, INVALID_FIELD."""
        return await self._formats.compiled(names, field)

    async def decode(self, swipe: Swipe, formats: core.FormatSet) -> DecodedSwipe:
        """One swipe. Raises INVALID_FIELD."""
        work = partial(core.decode, swipe, formats)
        try:
            return await _run(work, swipe.ByteSize())
        except core.InvalidField as error:
            raise invalid(error.field, error.reason) from None

    async def decode_batch(self, request: bytes, formats: core.FormatSet) -> bytes:
        """A serialized DecodeSwipesRequest in, a serialized DecodeSwipesResponse out. Raises INVALID_FIELD."""
        work = partial(core.decode_batch, request, formats)
        try:
            if (answer := core.decode_texts(request, formats)) is not None:
                return answer
            return await _run(work, len(request))
        except core.InvalidField as error:
            raise invalid(error.field, error.reason) from None
        except ValueError:
            raise invalid("request", "is no well-formed DecodeSwipesRequest") from None


async def _run(work: Callable[[], T], size: int) -> T:
    """Run the work here when it is short; else in a thread, since the core lets go of the GIL."""
    return work() if size <= SHORT else await asyncio.to_thread(work)
