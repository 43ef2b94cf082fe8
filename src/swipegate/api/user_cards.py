"""UserCardService."""

from typing import Any

from grpc import aio

from swipegate.api.interceptors import principal
from swipegate.api.times import microseconds
from swipegate.domain.errors import SwipegateError, invalid, name
from swipegate.domain.user_card import ReplaceCard, ReplaceResult, ResultCode, canonical_uuid
from swipegate.service.user_cards import UserCards
from swipegate.v1 import user_card_pb2_grpc
from swipegate.v1.user_card_pb2 import (
    RESULT_CODE_SUCCESS,
    ReplaceCardIfExistsRequest,
    ReplaceCardIfExistsResponse,
)

_PLAIN = (
    "card_type",
    "internal_card_number",
    "external_card_number",
    "card_serial_number",
    "facility_code",
    "issue_code",
    "pin",
    "enforce_occupancy_system",
    "card_user_flags",
)
_UUIDS = ("card_id", "card_ac_system_id")
_TIMES = ("card_activation_start_date_time", "card_deactivation_start_date_time")


class UserCardServicer(user_card_pb2_grpc.UserCardServiceServicer):
    """Assignments of cards to users."""

    def __init__(self, user_cards: UserCards) -> None:
        self._user_cards = user_cards

    async def ReplaceCardIfExists(
        self, request: ReplaceCardIfExistsRequest, _context: aio.ServicerContext[Any, Any]
    ) -> ReplaceCardIfExistsResponse:
        """Give a card to a user."""
        try:
            command = command_of(request)
            body = request.SerializeToString(deterministic=True) if request.request_id else b""
            answer = await self._user_cards.replace(principal(), command, request.request_id, body, _encoded)
        except SwipegateError as error:
            code = ResultCode.__members__.get(name(error.reason))
            if code is not None:
                error.metadata["result_code"] = str(int(code))
            raise
        return ReplaceCardIfExistsResponse.FromString(answer)


def command_of(request: ReplaceCardIfExistsRequest) -> ReplaceCard:
    """The request in the words of the domain. Raises INVALID_FIELD."""
    if not request.user_id:
        raise invalid("user_id", "required")
    user_id = canonical_uuid("user_id", request.user_id)
    if request.id and canonical_uuid("id", request.id) != user_id:
        raise invalid("id", "must be user_id where it is given")
    given = {field.name: value for field, value in request.ListFields()}  # with presence: a given 0 is there
    fields: dict[str, Any] = {field: given[field] for field in _PLAIN if field in given}
    for field in _TIMES:
        if field in given:
            fields[field] = microseconds(field, given[field])
    for field in _UUIDS:
        if field in given:
            fields[field] = canonical_uuid(field, given[field])
    return ReplaceCard(user_id=user_id, **fields)


def _encoded(result: ReplaceResult) -> bytes:
    card = result.card
    return ReplaceCardIfExistsResponse(
        previous_user_id=result.previous_user_id,
        current_user_id=result.current_user_id,
        external_card_number=card.external_card_number,
        internal_card_number=card.internal_card_number,
        facility_code=card.facility_code,
        card_type=card.card_type,
        value=result.value,
        result_code=RESULT_CODE_SUCCESS,
        description=result.description,
    ).SerializeToString()
