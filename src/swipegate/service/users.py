"""Users."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection

from swipegate.domain.errors import SwipegateError
from swipegate.domain.fields import canonical_uuid, check_name
from swipegate.domain.user import User
from swipegate.service import paging
from swipegate.service.clock import Clock
from swipegate.store import occupancies, user_cards, users
from swipegate.store.database import Database
from swipegate.v1 import error_pb2


class Users:
    """Users."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create(self, user: User) -> User:
        """The new user, with an id when it came without. Raises INVALID_FIELD, USER_EXISTS, OCCUPANCY_NOT_FOUND."""
        check_name("user.name", user.name)
        user_id = canonical_uuid("user.user_id", user.user_id) if user.user_id else str(uuid4())
        given = user.occupancy_id
        new = User(user_id, user.name, canonical_uuid("user.occupancy_id", given) if given else None)

        def unit(connection: Connection) -> User:
            _check_occupancy(connection, new.occupancy_id)
            if users.is_given(connection, user_id):
                raise SwipegateError(error_pb2.ERROR_REASON_USER_EXISTS, user_id=user_id)
            users.add(connection, new)
            return new

        return await self._database.write(unit)

    async def get(self, user_id: str) -> User:
        """The user. Raises USER_NOT_FOUND."""
        key = canonical_uuid("user_id", user_id)
        return await self._database.read(lambda connection: _demand(connection, key))

    async def update(self, given: User, changes: Collection[str]) -> User:
        """The user with new values of the fields that `changes` names, of name and occupancy_id.

        Raises INVALID_FIELD, USER_NOT_FOUND, OCCUPANCY_NOT_FOUND.
        """
        key = canonical_uuid("user.user_id", given.user_id)
        new: dict[str, Any] = dict.fromkeys(changes)
        if "name" in new:
            check_name("user.name", given.name)
            new["name"] = given.name
        if "occupancy_id" in new and given.occupancy_id:
            new["occupancy_id"] = canonical_uuid("user.occupancy_id", given.occupancy_id)

        def unit(connection: Connection) -> User:
            changed = replace(_demand(connection, key), **new)
            _check_occupancy(connection, new.get("occupancy_id"))
            users.change(connection, changed)
            return _demand(connection, key)

        return await self._database.write(unit)

    async def delete(self, user_id: str) -> None:
        """Delete a user who holds no card. Raises USER_NOT_FOUND, IN_USE."""
        key = canonical_uuid("user_id", user_id)

        def unit(connection: Connection) -> None:
            _demand(connection, key)
            if user_cards.holds_any(connection, key):
                raise SwipegateError(error_pb2.ERROR_REASON_IN_USE, what=f"user {key}", by="a card")
            users.erase(connection, key, self._clock())

        await self._database.write(unit)

    async def page(
        self, *, occupancy_id: str | None, page_size: int, page_token: str
    ) -> tuple[list[User], str]:
        """A page of users in the order of creation, and the next page's token. Raises INVALID_FIELD."""
        size, after = paging.size(page_size), paging.row_of(page_token) or 0
        rows = await self._database.read(
            lambda connection: users.page(connection, occupancy_id=occupancy_id, after=after, size=size + 1)
        )
        return paging.cut(rows, size)


def _demand(connection: Connection, key: str) -> User:
    user = users.by_id(connection, key)
    if user is None:
        raise SwipegateError(error_pb2.ERROR_REASON_USER_NOT_FOUND, user_id=key)
    return user


def _check_occupancy(connection: Connection, occupancy_id: str | None) -> None:
    if occupancy_id is not None and occupancies.by_id(connection, occupancy_id) is None:
        raise SwipegateError(error_pb2.ERROR_REASON_OCCUPANCY_NOT_FOUND, occupancy_id=occupancy_id)
