"""UserCardService."""

from collections.abc import AsyncIterator
from typing import Any

from grpc import aio

from swipegate.api.border import principal
from swipegate.api.masks import changes
from swipegate.api.times import microseconds, timestamp
from swipegate.domain.errors import SwipegateError, invalid, name
from swipegate.domain.fields import canonical_uuid
from swipegate.domain.replacement import ReplaceCard, ReplaceResult, ResultCode
from swipegate.domain.user_card import UserCard, UserCardEvent
from swipegate.service.user_card_events import UserCardEvents
from swipegate.service.user_cards import Stands, UserCards, UserCardUpdate
from swipegate.v1 import user_card_pb2 as pb
from swipegate.v1 import user_card_pb2_grpc

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
_UPDATABLE = {
    "card_activation_start_date_time": "activation_time",
    "card_deactivation_start_date_time": "deactivation_time",
    "card_user_flags": "card_user_flags",
    "pin": "pin",
}
"""Paths of UpdateUserCardRequest.update_mask, in the words of the domain."""


class UserCardServicer(user_card_pb2_grpc.UserCardServiceServicer):
    """Assignments of cards to users."""

    def __init__(self, user_cards: UserCards, events: UserCardEvents) -> None:
        self._user_cards = user_cards
        self._events = events

    async def ReplaceCardIfExists(
        self, request: pb.ReplaceCardIfExistsRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.ReplaceCardIfExistsResponse:
        """Give a card to a user."""
        try:
            command = command_of(request)
            body = _body(request) if request.request_id else b""
            encode = _rehearsed if request.validate_only else _encoded
            answer = await self._user_cards.replace(
                principal(), command, request.request_id, body, encode, validate_only=request.validate_only
            )
        except SwipegateError as error:
            code = ResultCode.__members__.get(name(error.reason))
            if code is not None:
                error.metadata["result_code"] = str(int(code))
            raise
        return pb.ReplaceCardIfExistsResponse.FromString(answer)

    async def RemoveUserCard(
        self, request: pb.RemoveUserCardRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.RemoveUserCardResponse:
        """Take a card from its holder."""
        stands = await self._user_cards.remove(principal(), request.user_card_id)
        return pb.RemoveUserCardResponse(user_card=_present(stands.user_card), sequence=stands.sequence)

    async def UpdateUserCard(
        self, request: pb.UpdateUserCardRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.UpdateUserCardResponse:
        """Change dates, flags or PIN of an assignment."""
        stands = await self._user_cards.update(principal(), _update_of(request))
        return pb.UpdateUserCardResponse(user_card=_present(stands.user_card), sequence=stands.sequence)

    async def UndoUserCardEvent(
        self, request: pb.UndoUserCardEventRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.UndoUserCardEventResponse:
        """Take back an assignment, a removal or an update."""
        body = request.SerializeToString(deterministic=True)
        answer = await self._user_cards.undo(
            principal(), request.sequence, request.request_id, body, _encoded_undo
        )
        return pb.UndoUserCardEventResponse.FromString(answer)

    async def GetUserCard(
        self, request: pb.GetUserCardRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.GetUserCardResponse:
        """Give one assignment."""
        return pb.GetUserCardResponse(user_card=_message(await self._user_cards.get(request.user_card_id)))

    async def ListUserCards(
        self, request: pb.ListUserCardsRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.ListUserCardsResponse:
        """List the cards of a user, or the holders of a card."""
        user, card = request.user_id, request.card_id
        found, token, sequence = await self._user_cards.page(
            user_id=canonical_uuid("user_id", user) if user else None,
            card_id=canonical_uuid("card_id", card) if card else None,
            as_of=microseconds("as_of", request.as_of) if request.HasField("as_of") else None,
            include_ended=request.include_ended,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListUserCardsResponse(
            user_cards=[_message(one) for one in found], next_page_token=token, sequence=sequence
        )

    async def WatchUserCards(
        self, request: pb.WatchUserCardsRequest, _context: aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[pb.WatchUserCardsResponse]:
        """Give every committed change, once and in order."""
        async for event in self._events.watch(request.after_sequence):
            yield pb.WatchUserCardsResponse(event=_event(event))


def command_of(request: pb.ReplaceCardIfExistsRequest) -> ReplaceCard:
    """The request in the words of the domain. Raises INVALID_FIELD."""
    if not request.user_id:
        raise invalid("user_id", "required")
    user_id = canonical_uuid("user_id", request.user_id)
    if request.id and canonical_uuid("id", request.id) != user_id:
        raise invalid("id", "must be user_id where it is given")
    fields: dict[str, Any] = {field: getattr(request, field) for field in _PLAIN if request.HasField(field)}
    for field in _TIMES:
        if request.HasField(field):
            fields[field] = microseconds(field, getattr(request, field))
    for field in _UUIDS:
        if request.HasField(field):
            fields[field] = canonical_uuid(field, getattr(request, field))
    if request.HasField("expected_holder"):
        expected = request.expected_holder
        fields["expected_holder"] = canonical_uuid("expected_holder", expected) if expected else ""
    return ReplaceCard(user_id=user_id, **fields)


def _update_of(request: pb.UpdateUserCardRequest) -> UserCardUpdate:
    paths = changes(request.update_mask, _UPDATABLE)
    new = request.user_card
    times = {
        _UPDATABLE[field]: microseconds(f"user_card.{field}", getattr(new, field))
        for field in _TIMES
        if new.HasField(field)
    }
    return UserCardUpdate(
        new.user_card_id,
        [_UPDATABLE[path] for path in paths],
        card_user_flags=new.card_user_flags,
        pin=request.pin if request.HasField("pin") else None,
        **times,
    )


def _body(request: pb.ReplaceCardIfExistsRequest) -> bytes:
    """What makes a repeat the same call; a rehearsal is asked what the call itself would answer."""
    if request.validate_only:
        whole, request = request, pb.ReplaceCardIfExistsRequest()
        request.CopyFrom(whole)
        request.ClearField("validate_only")
    return request.SerializeToString(deterministic=True)


def _result(result: ReplaceResult) -> pb.ReplaceCardIfExistsResponse:
    card = result.card
    return pb.ReplaceCardIfExistsResponse(
        previous_user_id=result.previous_user_id,
        current_user_id=result.current_user_id,
        external_card_number=card.external_card_number,
        internal_card_number=card.internal_card_number,
        facility_code=card.facility_code,
        card_type=card.card_type,
        value=result.value,
        result_code=pb.RESULT_CODE_SUCCESS,
        description=result.description,
        card_id=card.card_id,
        card_created=result.card_created,
        sequence=result.sequence,
    )


def _encoded(result: ReplaceResult) -> bytes:
    return _result(result).SerializeToString()


def _rehearsed(result: ReplaceResult) -> bytes:
    """What would be answered, without the names of things that are not there."""
    answer = _result(result)
    answer.sequence = 0
    if result.card_created:
        answer.card_id = ""
    if result.previous_user_id != result.current_user_id:
        answer.ClearField("value")
    return answer.SerializeToString()


def _encoded_undo(stands: Stands) -> bytes:
    return pb.UndoUserCardEventResponse(
        user_card=_present(stands.user_card), sequence=stands.sequence
    ).SerializeToString()


def _message(found: UserCard) -> pb.UserCard:
    return pb.UserCard(
        user_card_id=found.user_card_id,
        card_id=found.card_id,
        user_id=found.user_id,
        start_time=timestamp(found.start_time),
        end_time=_optional(found.end_time),
        card_activation_start_date_time=_optional(found.activation_time),
        card_deactivation_start_date_time=_optional(found.deactivation_time),
        card_user_flags=found.card_user_flags,
        has_pin=found.has_pin,
    )


def _present(found: UserCard | None) -> pb.UserCard | None:
    return None if found is None else _message(found)


def _optional(time: int | None) -> Any:
    return None if time is None else timestamp(time)


def _event(event: UserCardEvent) -> pb.UserCardEvent:
    return pb.UserCardEvent(
        sequence=event.sequence,
        time=timestamp(event.time),
        kind=f"KIND_{event.kind}",
        card_id=event.card_id,
        before=_present(event.before),
        after=_present(event.after),
        pin_changed=event.pin_changed,
        status_before=f"CARD_STATUS_{event.status_before}",
        status_after=f"CARD_STATUS_{event.status_after}",
        undid_sequence=event.undid_sequence or 0,
        subject=event.subject,
        client=event.client,
    )
