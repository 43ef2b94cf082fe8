"""Decoding for callers who bring the swipe themselves."""

from collections.abc import Sequence

from swipegate import core
from swipegate.domain.errors import invalid
from swipegate.service.card_formats import CardFormats
from swipegate.v1.track_pb2 import DecodedSwipe, Swipe


class Tracks:
    """The track core behind the bounds of the contract."""

    def __init__(self, formats: CardFormats) -> None:
        self._formats = formats

    async def formats(self, names: Sequence[str], field: str) -> core.FormatSet:
        """The compiled formats that a caller names. Raises CARD_FORMAT_NOT_FOUND, INVALID_FIELD."""
        return await self._formats.compiled(names, field)

    def decode(self, swipe: Swipe, formats: core.FormatSet) -> DecodedSwipe:
        """One swipe. Raises INVALID_FIELD."""
        try:
            return core.decode(swipe, formats)
        except core.InvalidField as error:
            raise invalid(error.field, error.reason) from None

    def decode_batch(self, request: bytes, formats: core.FormatSet) -> bytes:
        """A serialized DecodeSwipesRequest in, a serialized DecodeSwipesResponse out. Raises INVALID_FIELD."""
        try:
            return core.decode_batch(request, formats)
        except core.InvalidField as error:
            raise invalid(error.field, error.reason) from None
        except ValueError:
            raise invalid("request", "is no well-formed DecodeSwipesRequest") from None
