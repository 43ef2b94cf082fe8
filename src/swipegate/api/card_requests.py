"""CardRequestService."""

from collections.abc import AsyncIterator
from typing import Any

from grpc import aio

from swipegate.api.border import principal
from swipegate.api.times import seconds, timestamp
from swipegate.domain.card_request import CardRequest, Failure, State
from swipegate.domain.errors import invalid
from swipegate.service.card_requests import CardRequests, NewCardRequest
from swipegate.v1 import card_request_pb2 as pb
from swipegate.v1 import card_request_pb2_grpc, error_pb2

_STATE_OF = {pb.CardRequest.State.Value(f"STATE_{state}"): state for state in State}
_MAX_STATES = 32
"""That a list may be filtered by."""


class CardRequestServicer(card_request_pb2_grpc.CardRequestServiceServicer):
    """Card requests."""

    def __init__(self, card_requests: CardRequests) -> None:
        self._card_requests = card_requests

    async def CreateCardRequest(
        self, request: pb.CreateCardRequestRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.CreateCardRequestResponse:
        """Create a card request for a CMC device."""
        if request.action != pb.CARD_REQUEST_ACTION_BEGINREADCARD:
            raise invalid("action", "must be CARD_REQUEST_ACTION_BEGINREADCARD")
        limited = request.HasField("time_to_live")
        new = NewCardRequest(
            device_id=request.id,
            message=request.message,
            request_id=request.request_id,
            refuse_if_busy=request.refuse_if_busy,
            time_to_live=seconds("time_to_live", request.time_to_live) if limited else None,
        )
        body = request.SerializeToString(deterministic=True)
        created = await self._card_requests.create(principal(), new, body)
        return pb.CreateCardRequestResponse(
            card_request_id=created.card_request_id, card_request=message_of(created)
        )

    async def GetCardRequest(
        self, request: pb.GetCardRequestRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.GetCardRequestResponse:
        """Give the present state."""
        found = await self._card_requests.get(request.card_request_id)
        return pb.GetCardRequestResponse(card_request=message_of(found))

    async def ListCardRequests(
        self, request: pb.ListCardRequestsRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.ListCardRequestsResponse:
        """List card requests, the newest first."""
        if len(request.states) > _MAX_STATES or any(number not in _STATE_OF for number in request.states):
            raise invalid("states", f"must be at most {_MAX_STATES} known states")
        found, token = await self._card_requests.page(
            device_id=request.device_id,
            states=[_STATE_OF[number] for number in request.states],
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListCardRequestsResponse(
            card_requests=[message_of(one) for one in found], next_page_token=token
        )

    async def WatchCardRequest(
        self, request: pb.WatchCardRequestRequest, _context: aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[pb.WatchCardRequestResponse]:
        """Follow one card request to its end."""
        async for snapshot in self._card_requests.watch(request.card_request_id, request.after_sequence):
            yield pb.WatchCardRequestResponse(card_request=message_of(snapshot))

    async def RetryCardRequest(
        self, request: pb.RetryCardRequestRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.RetryCardRequestResponse:
        """Send a request that needs action to the device again."""
        retried = await self._card_requests.retry(principal(), request.card_request_id, request.attempt)
        return pb.RetryCardRequestResponse(card_request=message_of(retried))

    async def CancelCardRequest(
        self, request: pb.CancelCardRequestRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.CancelCardRequestResponse:
        """Ask for a request to be given up."""
        cancelled = await self._card_requests.cancel(request.card_request_id, request.attempt)
        return pb.CancelCardRequestResponse(card_request=message_of(cancelled))

    async def GetTrackData(
        self, request: pb.GetTrackDataRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.GetTrackDataResponse:
        """Give what the card held."""
        swipe, wipe_time = await self._card_requests.track_data(principal(), request.card_request_id)
        return pb.GetTrackDataResponse(swipe=swipe, wipe_time=timestamp(wipe_time))


def message_of(request: CardRequest) -> pb.CardRequest:
    """A card request on the wire."""
    return pb.CardRequest(
        card_request_id=request.card_request_id,
        device_id=request.device_id,
        action=pb.CARD_REQUEST_ACTION_BEGINREADCARD,
        state=f"STATE_{request.state}",
        attempt=request.attempt,
        failure=_failure(request.failure, request.state) if request.failure else None,
        sequence=request.sequence,
        create_time=timestamp(request.create_time),
        update_time=timestamp(request.update_time),
        expire_time=timestamp(request.expire_time),
        card_format=request.card_format,
        has_track_data=request.has_track_data,
    )


def _failure(failure: Failure, state: State) -> pb.CardRequestFailure:
    actions = (
        failure.allowed_actions if state is State.NEEDS_ACTION else ()
    )  # what has ended leaves no choice
    return pb.CardRequestFailure(
        reason=error_pb2.ErrorReason.Name(failure.reason),
        severity=failure.severity,
        allowed_actions=[f"CARD_REQUEST_USER_ACTION_{action}" for action in actions],
        retriable=failure.retriable,
        device_code=failure.device_code,
        exception=failure.exception,
        description=failure.description,
    )
