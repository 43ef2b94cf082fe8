"""Users."""

from uuid import uuid4

from sqlalchemy import Connection

from swipegate.domain.errors import SwipegateError, invalid
from swipegate.domain.user_card import MAX_NAME, User, canonical_uuid
from swipegate.store import ac_systems, users
from swipegate.store.database import Database
from swipegate.v1 import error_pb2


class Users:
    """Users."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, user: User) -> User:
        """The new user, with an id when it came without. Raises INVALID_FIELD, USER_EXISTS, AC_SYSTEM_NOT_FOUND."""
        if not 1 <= len(user.name) <= MAX_NAME:
            raise invalid("user.name", f"must be 1 to {MAX_NAME} characters")
        user_id = canonical_uuid("user.user_id", user.user_id) if user.user_id else str(uuid4())
        system = user.occupancy_ac_system_id or None
        if system is not None:
            system = canonical_uuid("user.occupancy_ac_system_id", system)
        new = User(user_id, user.name, system)

        def unit(connection: Connection) -> User:
            if system is not None and ac_systems.by_id(connection, system) is None:
                raise SwipegateError(error_pb2.ERROR_REASON_AC_SYSTEM_NOT_FOUND, ac_system_id=system)
            if users.by_id(connection, user_id) is not None:
                raise SwipegateError(error_pb2.ERROR_REASON_USER_EXISTS, user_id=user_id)
            users.add(connection, new)
            return new

        return await self._database.write(unit)

    async def get(self, user_id: str) -> User:
        """The user. Raises USER_NOT_FOUND."""
        key = canonical_uuid("user_id", user_id)
        user = await self._database.read(lambda connection: users.by_id(connection, key))
        if user is None:
            raise SwipegateError(error_pb2.ERROR_REASON_USER_NOT_FOUND, user_id=key)
        return user
