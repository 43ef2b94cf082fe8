"""Decoding for callers who bring the swipe themselves."""

from collections.abc import Sequence

from swipegate import core
from swipegate.domain.errors import invalid
from swipegate.service.card_formats import CardFormats


class Tracks:
    """The track core behind the bounds of the contract."""

    def __init__(self, formats: CardFormats) -> None:
        self._formats = formats

    async def formats(self, names: Sequence[str], field: str) -> core.FormatSet:
        """The compiled formats that a caller names. Raises CARD_FORMAT_NOT_FOUND, INVALID_FIELD."""
        return await self._formats.compiled(names, field)

    def decode_batch(self, request: bytes, formats: core.FormatSet) -> bytes:
        """A serialized DecodeSwipesRequest in, a serialized DecodeSwipesResponse out. Raises INVALID_FIELD."""
        try:
            return core.decode_batch(request, formats)
        except ValueError as error:  # its text names the field and holds nothing of the content
            raise invalid("swipes", str(error)) from None
