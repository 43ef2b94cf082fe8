"""Card formats: the built-in ones and those of this installation."""

import asyncio
from collections.abc import Sequence

from sqlalchemy import Connection

from swipegate import core
from swipegate.core import dry_run, suggestions
from swipegate.domain.errors import SwipegateError, invalid
from swipegate.domain.fields import check_no_nul
from swipegate.store import card_formats
from swipegate.store.database import Database
from swipegate.v1 import error_pb2
from swipegate.v1.card_format_pb2 import (
    CardFormat,
    CardFormatSample,
    CardFormatVerdict,
    SuggestCardFormatsResponse,
)
from swipegate.v1.track_pb2 import DecodedSwipe, Swipe

MAX_NAMES = 32
"""Card formats that one call or device may name."""
MAX_FORMATS = 256
"""Card formats of an installation, which the core can try together."""
_PATH_OF_COMPILER = "card_formats[0]"
"""How the compiler calls the format that it is given alone."""


class CardFormats:
    """Card formats by name, and compiled sets of them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # a format never changes once created, so a compiled set stays right; bounded by emptying it
        self._compiled: dict[tuple[str, ...], core.FormatSet] = {}
        self._created = 0

    async def create(self, new: CardFormat) -> CardFormat:
        """The stored format. Raises INVALID_FIELD, CARD_FORMAT_EXISTS."""
        stored = CardFormat()
        stored.CopyFrom(new)
        stored.built_in = False
        try:
            core.compile_formats([stored])
        except ValueError as error:
            path, _, detail = str(error).partition(": ")
            raise invalid(path.replace(_PATH_OF_COMPILER, "card_format"), detail) from None

        def unit(connection: Connection) -> CardFormat:
            taken = stored.name in core.FORMATS_BY_NAME or card_formats.by_name(connection, stored.name)
            if taken:
                raise SwipegateError(error_pb2.ERROR_REASON_CARD_FORMAT_EXISTS, name=stored.name)
            if len(card_formats.every(connection)) >= MAX_FORMATS:
                raise SwipegateError(
                    error_pb2.ERROR_REASON_OVERLOADED, what="the list of card formats", bound=MAX_FORMATS
                )
            card_formats.add(connection, stored)
            return stored

        created = await self._database.write(unit)
        self._created += 1
        self._compiled.clear()
        return created

    async def every(self) -> list[CardFormat]:
        """Every format by name, built-in ones last."""
        return [*await self._database.read(card_formats.every), *core.FORMATS_BY_NAME.values()]

    async def compiled(self, names: Sequence[str], field: str = "card_formats") -> core.FormatSet:
        """The named formats, in order; without names all of this installation, else the built-in ones.

        Raises CARD_FORMAT_NOT_FOUND, and INVALID_FIELD for too many names and for one named twice.
        """
        check_count(names, field)
        key = tuple(names)
        found = self._compiled.get(key)
        if found is None:
            created = self._created
            found = core.compile_formats(await self._database.read(lambda c: _named(c, key)))
            if created != self._created:  # what was read may lack the new one: good for this call alone
                return found
            if len(self._compiled) >= _MAX_COMPILED:
                self._compiled.clear()
            self._compiled[key] = found
        return found

    async def test(
        self, swipe: Swipe, drafts: Sequence[CardFormat], names: Sequence[str], *, reveal: bool
    ) -> list[CardFormatVerdict]:
        """How drafts, then named formats take a swipe; without either, every format there is.

        Raises INVALID_FIELD, CARD_FORMAT_NOT_FOUND.
        """
        check_count(names, "names")
        if len(drafts) > MAX_NAMES:
            raise invalid("card_formats", f"must be at most {MAX_NAMES}")
        key = tuple(names)
        stored: list[Sequence[CardFormat]] = []
        if key:
            stored = [await self._database.read(lambda c: _named(c, key))]
        elif not drafts:
            stored = [await self._database.read(card_formats.every), core.BUILTIN_FORMATS]
        return await asyncio.to_thread(_tried, swipe, drafts, stored, reveal)

    async def suggest(self, samples: Sequence[CardFormatSample]) -> SuggestCardFormatsResponse:
        """Formats that give the numbers of all samples. Raises INVALID_FIELD."""
        if not 1 <= len(samples) <= suggestions.MAX_SAMPLES:
            raise invalid("samples", f"must be 1 to {suggestions.MAX_SAMPLES}")
        return await asyncio.to_thread(_suggested, samples)


_MAX_COMPILED = 100
"""Sets kept compiled; each takes up to 4 KB a format."""


def _tried(
    swipe: Swipe, drafts: Sequence[CardFormat], stored: Sequence[Sequence[CardFormat]], reveal: bool
) -> list[CardFormatVerdict]:
    decoded = _decoded(swipe, "swipe")
    try:
        return dry_run.try_formats(decoded, drafts, *stored, reveal=reveal)
    except ValueError as error:  # the stored ones were compiled before
        path, _, detail = str(error).partition(": ")
        raise invalid(path, detail) from None


def _suggested(samples: Sequence[CardFormatSample]) -> SuggestCardFormatsResponse:
    known = [
        suggestions.Sample(_decoded(one.swipe, f"samples[{index}].swipe"), one.card_number, one.facility_code)
        for index, one in enumerate(samples)
    ]
    try:
        return suggestions.suggest_formats(known)
    except ValueError as error:
        path, _, detail = str(error).partition(": ")
        raise invalid(path, detail) from None


def _decoded(swipe: Swipe, path: str) -> DecodedSwipe:
    try:
        return core.decode(swipe)
    except core.InvalidField as error:
        raise invalid(error.field.replace("swipe", path, 1), error.reason) from None


def check_count(names: Sequence[str], field: str) -> None:
    """Raise INVALID_FIELD for too many names and for one named twice."""
    if len(names) > MAX_NAMES:
        raise invalid(field, f"must be at most {MAX_NAMES} names")
    check_no_nul(field, *names)
    if len(set(names)) != len(names):
        raise invalid(field, "must name each card format once")


def check_names(connection: Connection, names: Sequence[str]) -> None:
    """Raise CARD_FORMAT_NOT_FOUND unless every format is there."""
    _named(connection, tuple(names))


def _named(connection: Connection, names: tuple[str, ...]) -> list[CardFormat]:
    if not names:
        return card_formats.every(connection) or list(core.DEFAULT_FORMATS)
    formats = []
    for name in names:
        found = core.FORMATS_BY_NAME.get(name) or card_formats.by_name(connection, name)
        if found is None:
            raise SwipegateError(error_pb2.ERROR_REASON_CARD_FORMAT_NOT_FOUND, name=name[:64])
        formats.append(found)
    return formats
