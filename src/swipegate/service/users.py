"""Users."""

from uuid import uuid4

from sqlalchemy import Connection

from swipegate.domain.errors import SwipegateError
from swipegate.domain.fields import canonical_uuid, check_name
from swipegate.domain.user import User
from swipegate.store import occupancies, users
from swipegate.store.database import Database
from swipegate.v1 import error_pb2


class Users:
    """Users."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, user: User) -> User:
        """The new user, with an id when it came without. Raises INVALID_FIELD, USER_EXISTS, OCCUPANCY_NOT_FOUND."""
        check_name("user.name", user.name)
        user_id = canonical_uuid("user.user_id", user.user_id) if user.user_id else str(uuid4())
        given = user.occupancy_id
        new = User(user_id, user.name, canonical_uuid("user.occupancy_id", given) if given else None)

        def unit(connection: Connection) -> User:
            if new.occupancy_id is not None and occupancies.by_id(connection, new.occupancy_id) is None:
                raise SwipegateError(
                    error_pb2.ERROR_REASON_OCCUPANCY_NOT_FOUND, occupancy_id=new.occupancy_id
                )
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
