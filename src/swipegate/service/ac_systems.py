"""Access control systems."""

from dataclasses import replace
from uuid import uuid4

from sqlalchemy import Connection

from swipegate.domain.ac_system import AcSystem
from swipegate.domain.errors import SwipegateError
from swipegate.domain.fields import canonical_uuid, check_name
from swipegate.store import ac_systems
from swipegate.store.database import Database
from swipegate.v1 import error_pb2


class AcSystems:
    """Access control systems."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, system: AcSystem) -> AcSystem:
        """The new system, with an id when it came without. Raises INVALID_FIELD, AC_SYSTEM_EXISTS."""
        check_name("ac_system.name", system.name)
        given = system.ac_system_id
        new = replace(
            system, ac_system_id=canonical_uuid("ac_system.ac_system_id", given) if given else str(uuid4())
        )

        def unit(connection: Connection) -> AcSystem:
            if ac_systems.by_id(connection, new.ac_system_id) is not None:
                raise SwipegateError(error_pb2.ERROR_REASON_AC_SYSTEM_EXISTS, field="ac_system_id")
            if ac_systems.by_name(connection, new.name) is not None:
                raise SwipegateError(error_pb2.ERROR_REASON_AC_SYSTEM_EXISTS, field="name")
            ac_systems.add(connection, new)
            return new

        return await self._database.write(unit)

    async def every(self) -> list[AcSystem]:
        """Every system by name."""
        return await self._database.read(ac_systems.every)
