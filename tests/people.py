"""Users, systems and cards for tests of assignment, and refusals taken apart."""

from collections.abc import Awaitable
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc import aio

from swipegate.v1 import ac_system_pb2, card_pb2, occupancy_pb2, user_card_pb2, user_pb2
from swipegate.v1.user_card_pb2 import ReplaceCardIfExistsRequest, ReplaceCardIfExistsResponse
from tests.conftest import Client

WIEGAND_26, WIEGAND_37, WIEGAND_37_FACILITY, SERIAL, ABA, ABA_FACILITY_ISSUE = range(1, 7)
"""Card types of every installation."""


NOWHERE = "00000000-0000-4000-8000-00000000dead"
"""A UUID that nothing ever has."""


def new_id() -> str:
    """A UUID that nothing has yet."""
    return str(uuid4())


@dataclass
class Refusal:
    """A failed call."""

    code: grpc.StatusCode
    message: str
    info: error_details_pb2.ErrorInfo
    details: list[Message]
    """What came beside the ErrorInfo."""

    @property
    def reason(self) -> str:
        """The ErrorReason."""
        return self.info.reason

    @property
    def metadata(self) -> dict[str, str]:
        """What varies in the message."""
        return dict(self.info.metadata)

    def detail(self, kind: type[Message]) -> Any:
        """The one detail of that kind."""
        (found,) = (detail for detail in self.details if isinstance(detail, kind))
        return found


def taken_apart(error: aio.AioRpcError) -> Refusal:
    """The refusal in an error: a google.rpc.Status that agrees with the call's own, with exactly one ErrorInfo."""
    packed = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(packed)
    assert status.code == error.code().value[0]
    assert status.message == error.details()
    infos, others = [], []
    kinds = {
        name: getattr(error_details_pb2, name)
        for name in ("ErrorInfo", "BadRequest", "PreconditionFailure", "RetryInfo")
    }
    for packed_detail in status.details:
        detail = kinds[packed_detail.TypeName().removeprefix("google.rpc.")]()
        assert packed_detail.Unpack(detail)
        (infos if isinstance(detail, error_details_pb2.ErrorInfo) else others).append(detail)
    (info,) = infos
    assert info.domain == "swipegate"
    return Refusal(error.code(), error.details() or "", info, others)


async def refused(call: Awaitable[Any]) -> Refusal:
    """How the call is refused."""
    with pytest.raises(aio.AioRpcError) as caught:
        await call
    return taken_apart(caught.value)


class People:
    """Makes what a replacement needs and calls it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._numbers = count(1)

    async def system(self, name: str = "") -> str:
        """A new access control system's id."""
        request = ac_system_pb2.CreateAcSystemRequest(
            ac_system=ac_system_pb2.AcSystem(name=name or f"system {new_id()}")
        )
        return (
            await self.client.ac_systems.CreateAcSystem(request, **self.client.options)
        ).ac_system.ac_system_id

    async def occupancy(self, system: str) -> str:
        """A new occupancy's id."""
        given = occupancy_pb2.Occupancy(name=f"occupancy {new_id()}", ac_system_id=system)
        request = occupancy_pb2.CreateOccupancyRequest(occupancy=given)
        answer = await self.client.occupancies.CreateOccupancy(request, **self.client.options)
        return answer.occupancy.occupancy_id

    async def user(self, system: str = "") -> str:
        """A new user's id, with an occupancy of its own in the system where one is given."""
        occupancy = await self.occupancy(system) if system else ""
        request = user_pb2.CreateUserRequest(user=user_pb2.User(name="somebody", occupancy_id=occupancy))
        return (await self.client.users.CreateUser(request, **self.client.options)).user.user_id

    def named(self, system: str, **fields: Any) -> dict[str, Any]:
        """Fields that name a 37-bit card without facility code by a number of its own."""
        number = next(self._numbers)
        given = {
            "card_type": WIEGAND_37,
            "card_ac_system_id": system,
            "internal_card_number": number,
            "external_card_number": f"ext-{number}",
        }
        return {key: value for key, value in (given | fields).items() if value is not None}

    async def replace(self, **fields: Any) -> ReplaceCardIfExistsResponse:
        """Call ReplaceCardIfExists."""
        answer: ReplaceCardIfExistsResponse = await self.client.user_cards.ReplaceCardIfExists(
            ReplaceCardIfExistsRequest(**fields), **self.client.options
        )
        assert answer.result_code == user_card_pb2.RESULT_CODE_SUCCESS
        assert answer.description
        return answer

    async def refusal(self, **fields: Any) -> Refusal:
        """How ReplaceCardIfExists refuses."""
        return await refused(
            self.client.user_cards.ReplaceCardIfExists(
                ReplaceCardIfExistsRequest(**fields), **self.client.options
            )
        )

    async def cards(self, **fields: Any) -> list[card_pb2.Card]:
        """The first page of cards."""
        answer = await self.client.cards.ListCards(card_pb2.ListCardsRequest(**fields), **self.client.options)
        return list(answer.cards)

    async def card(self, user_id: str, **fields: Any) -> card_pb2.Card:
        """A new card in the user's hands, in a system of its own unless one is given."""
        system = fields.pop("card_ac_system_id", None) or await self.system()
        await self.replace(user_id=user_id, **self.named(system, **fields))
        return (await self.cards(ac_system_id=system))[-1]
