"""UserService."""

from typing import Any

from grpc import aio

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


def _message_of(user: User) -> pb.User:
    return pb.User(user_id=user.user_id, name=user.name, occupancy_id=user.occupancy_id or "")
