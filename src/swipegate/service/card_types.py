"""Card types."""

from collections.abc import Collection
from dataclasses import replace

from sqlalchemy import Connection

from swipegate.domain.card import MAX_CARD_TYPE, MAX_CARD_TYPES, CardType
from swipegate.domain.errors import SwipegateError, invalid
from swipegate.store import card_types
from swipegate.store.database import Database
from swipegate.v1 import error_pb2


class CardTypes:
    """Card types."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, new: CardType) -> CardType:
        """The new type, with the next free number for 0. Raises INVALID_FIELD, CARD_TYPE_EXISTS, OVERLOADED."""
        new.check()
        if new.card_type < 0:  # none is larger than its field
            raise invalid("card_type.card_type", f"must be 1 to {MAX_CARD_TYPE}, or 0 for the next free one")

        def unit(connection: Connection) -> CardType:
            if new.card_type and card_types.by_number(connection, new.card_type) is not None:
                raise SwipegateError(error_pb2.ERROR_REASON_CARD_TYPE_EXISTS, field="card_type")
            _demand_free_name(connection, new)
            if card_types.count(connection) >= MAX_CARD_TYPES:
                raise SwipegateError(
                    error_pb2.ERROR_REASON_OVERLOADED, what="the list of card types", bound=MAX_CARD_TYPES
                )
            number = new.card_type or card_types.next_free_number(connection, MAX_CARD_TYPE)
            stored = replace(new, card_type=number)
            card_types.add(connection, stored)
            return stored

        return await self._database.write(unit)

    async def update(self, given: CardType, changes: Collection[str]) -> CardType:
        """The type with new values of the fields that `changes` names.

        Raises INVALID_FIELD, CARD_TYPE_NOT_FOUND, CARD_TYPE_EXISTS, IN_USE.
        """

        def unit(connection: Connection) -> CardType:
            found = _demand(connection, given.card_type)
            changed = replace(found, **{name: getattr(given, name) for name in changes})
            changed.check()
            if changed == found:
                return found
            _demand_free_name(connection, changed)
            if changed.supports != found.supports:
                _demand_unused(connection, found)
            card_types.change(connection, changed)
            return changed

        return await self._database.write(unit)

    async def delete(self, number: int) -> None:
        """Delete a type that no card has. Raises CARD_TYPE_NOT_FOUND, IN_USE."""

        def unit(connection: Connection) -> None:
            _demand_unused(connection, _demand(connection, number))
            card_types.remove(connection, number)

        await self._database.write(unit)

    async def every(self) -> list[CardType]:
        """Every card type by number."""
        return await self._database.read(card_types.every)


def _demand(connection: Connection, number: int) -> CardType:
    found = card_types.by_number(connection, number)
    if found is None:
        raise SwipegateError(error_pb2.ERROR_REASON_CARD_TYPE_NOT_FOUND, card_type=number)
    return found


def _demand_free_name(connection: Connection, new: CardType) -> None:
    namesake = card_types.by_name(connection, new.name)
    if namesake is not None and namesake.card_type != new.card_type:
        raise SwipegateError(error_pb2.ERROR_REASON_CARD_TYPE_EXISTS, field="name")


def _demand_unused(connection: Connection, kind: CardType) -> None:
    if card_types.is_used(connection, kind.card_type):
        raise SwipegateError(
            error_pb2.ERROR_REASON_IN_USE, what=f"card type {kind.card_type}", by="cards of the type"
        )
