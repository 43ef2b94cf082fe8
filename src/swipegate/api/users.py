"""UserService."""

from typing import Any

from grpc import aio

from swipegate.api.masks import changes
from swipegate.domain.fields import canonical_uuid
from swipegate.domain.user import User
from swipegate.service.users import Users
from swipegate.v1 import user_pb2 as pb
from swipegate.v1 import user_pb2_grpc


class UserServicer(user_pb2_grpc.UserServiceServicer):
    """Users."""

    def __init__(self, users: Users) -> None:
        self._users = users

    async def CreateUser(
        self, request: pb.CreateUserRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.CreateUserResponse:
        """Create a user."""
        given = request.user
        created = await self._users.create(User(given.user_id, given.name, given.occupancy_id or None))
        return pb.CreateUserResponse(user=_message_of(created))

    async def GetUser(
        self, request: pb.GetUserRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.GetUserResponse:
        """Give one user."""
        return pb.GetUserResponse(user=_message_of(await self._users.get(request.user_id)))

    async def UpdateUser(
        self, request: pb.UpdateUserRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.UpdateUserResponse:
        """Change a user."""
        named = changes(request.update_mask, ("name", "occupancy_id"))
        given = request.user
        changed = await self._users.update(User(given.user_id, given.name, given.occupancy_id), named)
        return pb.UpdateUserResponse(user=_message_of(changed))

    async def DeleteUser(
        self, request: pb.DeleteUserRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.DeleteUserResponse:
        """Delete a user who holds no card."""
        await self._users.delete(request.user_id)
        return pb.DeleteUserResponse()

    async def ListUsers(
        self, request: pb.ListUsersRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.ListUsersResponse:
        """List users."""
        occupancy = request.occupancy_id
        found, token = await self._users.page(
            occupancy_id=canonical_uuid("occupancy_id", occupancy) if occupancy else None,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListUsersResponse(users=[_message_of(user) for user in found], next_page_token=token)


def _message_of(user: User) -> pb.User:
    return pb.User(user_id=user.user_id, name=user.name, occupancy_id=user.occupancy_id or "")
