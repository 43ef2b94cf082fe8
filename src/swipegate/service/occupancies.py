"""Occupancies."""

from collections.abc import Collection
from dataclasses import replace
from uuid import uuid4

from sqlalchemy import Connection

from swipegate.domain.errors import SwipegateError
from swipegate.domain.fields import canonical_uuid, check_name
from swipegate.domain.occupancy import Occupancy
from swipegate.service import ac_systems, paging
from swipegate.store import occupancies, users
from swipegate.store.database import Database
from swipegate.v1 import error_pb2


class Occupancies:
    """Occupancies."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, occupancy: Occupancy) -> Occupancy:
        """The new occupancy. Raises INVALID_FIELD, OCCUPANCY_EXISTS, AC_SYSTEM_NOT_FOUND."""
        check_name("occupancy.name", occupancy.name)
        given = occupancy.occupancy_id
        new = Occupancy(
            canonical_uuid("occupancy.occupancy_id", given) if given else str(uuid4()),
            occupancy.name,
            canonical_uuid("occupancy.ac_system_id", occupancy.ac_system_id),
        )

        def unit(connection: Connection) -> Occupancy:
            ac_systems.demand(connection, new.ac_system_id)
            if occupancies.by_id(connection, new.occupancy_id) is not None:
                raise SwipegateError(error_pb2.ERROR_REASON_OCCUPANCY_EXISTS, field="occupancy_id")
            _demand_free_name(connection, new)
            occupancies.add(connection, new)
            return new

        return await self._database.write(unit)

    async def get(self, occupancy_id: str) -> Occupancy:
        """The occupancy. Raises OCCUPANCY_NOT_FOUND."""
        key = canonical_uuid("occupancy_id", occupancy_id)
        return await self._database.read(lambda connection: _demand(connection, key))

    async def update(self, given: Occupancy, changes: Collection[str]) -> Occupancy:
        """The occupancy with new values of the fields that `changes` names, of name and ac_system_id.

        Raises INVALID_FIELD, OCCUPANCY_NOT_FOUND, AC_SYSTEM_NOT_FOUND, OCCUPANCY_EXISTS.
        """
        key = canonical_uuid("occupancy.occupancy_id", given.occupancy_id)
        new: dict[str, str] = {}
        if "name" in changes:
            check_name("occupancy.name", given.name)
            new["name"] = given.name
        if "ac_system_id" in changes:
            new["ac_system_id"] = canonical_uuid("occupancy.ac_system_id", given.ac_system_id)

        def unit(connection: Connection) -> Occupancy:
            changed = replace(_demand(connection, key), **new)
            ac_systems.demand(connection, changed.ac_system_id)
            _demand_free_name(connection, changed)
            occupancies.change(connection, changed)
            return changed

        return await self._database.write(unit)

    async def delete(self, occupancy_id: str) -> None:
        """Delete an occupancy that no user belongs to. Raises OCCUPANCY_NOT_FOUND, IN_USE."""
        key = canonical_uuid("occupancy_id", occupancy_id)

        def unit(connection: Connection) -> None:
            _demand(connection, key)
            if users.are_in(connection, key):
                raise SwipegateError(error_pb2.ERROR_REASON_IN_USE, what=f"occupancy {key}", by="users")
            occupancies.remove(connection, key)

        await self._database.write(unit)

    async def page(
        self, *, ac_system_id: str | None, page_size: int, page_token: str
    ) -> tuple[list[Occupancy], str]:
        """A page of occupancies in the order of creation, and the next page's token. Raises INVALID_FIELD."""
        size, after = paging.size(page_size), paging.row_of(page_token) or 0
        rows = await self._database.read(
            lambda connection: occupancies.page(
                connection, ac_system_id=ac_system_id, after=after, size=size + 1
            )
        )
        return paging.cut(rows, size)


def _demand(connection: Connection, key: str) -> Occupancy:
    occupancy = occupancies.by_id(connection, key)
    if occupancy is None:
        raise SwipegateError(error_pb2.ERROR_REASON_OCCUPANCY_NOT_FOUND, occupancy_id=key)
    return occupancy


def _demand_free_name(connection: Connection, new: Occupancy) -> None:
    namesake = occupancies.by_name(connection, new.ac_system_id, new.name)
    if namesake is not None and namesake.occupancy_id != new.occupancy_id:
        raise SwipegateError(error_pb2.ERROR_REASON_OCCUPANCY_EXISTS, field="name")
