"""Occupancies."""

from uuid import uuid4

from sqlalchemy import Connection

from swipegate.domain.errors import SwipegateError
from swipegate.domain.fields import canonical_uuid, check_name
from swipegate.domain.occupancy import Occupancy
from swipegate.store import ac_systems, occupancies
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
            if ac_systems.by_id(connection, new.ac_system_id) is None:
                raise SwipegateError(
                    error_pb2.ERROR_REASON_AC_SYSTEM_NOT_FOUND, ac_system_id=new.ac_system_id
                )
            if occupancies.by_id(connection, new.occupancy_id) is not None:
                raise SwipegateError(error_pb2.ERROR_REASON_OCCUPANCY_EXISTS, field="occupancy_id")
            if occupancies.by_name(connection, new.ac_system_id, new.name) is not None:
                raise SwipegateError(error_pb2.ERROR_REASON_OCCUPANCY_EXISTS, field="name")
            occupancies.add(connection, new)
            return new

        return await self._database.write(unit)
