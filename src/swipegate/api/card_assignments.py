"""CardAssignmentService."""

from collections.abc import AsyncIterator
from typing import Any

from grpc import aio

from swipegate.api.border import principal
from swipegate.api.card_requests import message_of as reading_of
from swipegate.api.times import microseconds, seconds, timestamp
from swipegate.domain.card_assignment import CardAssignment, HeldCardPolicy
from swipegate.domain.errors import invalid, name
from swipegate.domain.fields import canonical_uuid
from swipegate.domain.replacement import ReplaceCard
from swipegate.service.card_assignments import CardAssignments, NewCardAssignment
from swipegate.service.card_requests import NewCardRequest
from swipegate.v1 import card_assignment_pb2 as pb
from swipegate.v1 import card_assignment_pb2_grpc

_PLAIN = (
    "external_card_number",
    "facility_code",
    "issue_code",
    "card_serial_number",
    "pin",
    "enforce_occupancy_system",
    "card_user_flags",
)
_TIMES = ("card_activation_start_date_time", "card_deactivation_start_date_time")
_POLICY_OF = {pb.HeldCardPolicy.Value(f"HELD_CARD_POLICY_{policy}"): policy for policy in HeldCardPolicy}
_DECISIONS = (HeldCardPolicy.TAKE_OVER, HeldCardPolicy.REFUSE)


class CardAssignmentServicer(card_assignment_pb2_grpc.CardAssignmentServiceServicer):
    """Cards that are read at a device and given to a user."""

    def __init__(self, card_assignments: CardAssignments) -> None:
        self._card_assignments = card_assignments

    async def AssignFromDevice(
        self, request: pb.AssignFromDeviceRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.AssignFromDeviceResponse:
        """Ask a device for a card and assign what it reads."""
        body = request.SerializeToString(deterministic=True) if request.request_id else b""
        made = await self._card_assignments.create(principal(), _new(request), body)
        return pb.AssignFromDeviceResponse(card_assignment=_message(made))

    async def GetCardAssignment(
        self, request: pb.GetCardAssignmentRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.GetCardAssignmentResponse:
        """Give the present state."""
        found = await self._card_assignments.get(request.card_assignment_id)
        return pb.GetCardAssignmentResponse(card_assignment=_message(found))

    async def ListCardAssignments(
        self, request: pb.ListCardAssignmentsRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.ListCardAssignmentsResponse:
        """List card assignments, the newest first."""
        found, token = await self._card_assignments.page(
            device_id=request.device_id,
            user_id=canonical_uuid("user_id", request.user_id) if request.user_id else None,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListCardAssignmentsResponse(
            card_assignments=[_message(one) for one in found], next_page_token=token
        )

    async def WatchCardAssignment(
        self, request: pb.WatchCardAssignmentRequest, _context: aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[pb.WatchCardAssignmentResponse]:
        """Follow one card assignment to its end."""
        snapshots = self._card_assignments.watch(request.card_assignment_id, request.after_sequence)
        async for snapshot in snapshots:
            yield pb.WatchCardAssignmentResponse(card_assignment=_message(snapshot))

    async def DecideCardAssignment(
        self, request: pb.DecideCardAssignmentRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.DecideCardAssignmentResponse:
        """Take the card over from the user who holds it, or leave it there."""
        decision = _POLICY_OF.get(request.decision)
        if decision not in _DECISIONS:
            raise invalid("decision", "must be HELD_CARD_POLICY_TAKE_OVER or HELD_CARD_POLICY_REFUSE")
        decided = await self._card_assignments.decide(
            principal(), request.card_assignment_id, decision, request.previous_user_id
        )
        return pb.DecideCardAssignmentResponse(card_assignment=_message(decided))

    async def RetryCardAssignment(
        self, request: pb.RetryCardAssignmentRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.RetryCardAssignmentResponse:
        """Send an assignment whose reading needs action to the device again."""
        retried = await self._card_assignments.retry(principal(), request.card_assignment_id, request.attempt)
        return pb.RetryCardAssignmentResponse(card_assignment=_message(retried))

    async def CancelCardAssignment(
        self, request: pb.CancelCardAssignmentRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.CancelCardAssignmentResponse:
        """Give an assignment up, whichever half it is at."""
        cancelled = await self._card_assignments.cancel(request.card_assignment_id)
        return pb.CancelCardAssignmentResponse(card_assignment=_message(cancelled))


def _new(request: pb.AssignFromDeviceRequest) -> NewCardAssignment:
    """The request in the words of the domain. Raises INVALID_FIELD."""
    for required in ("user_id", "card_ac_system_id", "card_type"):
        if not getattr(request, required):
            raise invalid(required, "required")
    policy = _POLICY_OF.get(request.if_held)
    if policy is None:
        raise invalid("if_held", "must be a HeldCardPolicy")
    given = {field.name: value for field, value in request.ListFields()}  # with presence: a given 0 is there
    fields: dict[str, Any] = {field: given[field] for field in _PLAIN if field in given}
    for field in _TIMES:
        if field in given:
            fields[field] = microseconds(field, given[field])
    command = ReplaceCard(
        user_id=canonical_uuid("user_id", request.user_id),
        card_ac_system_id=canonical_uuid("card_ac_system_id", request.card_ac_system_id),
        card_type=request.card_type,
        **fields,
    )
    reading = NewCardRequest(
        device_id=request.device_id,
        message=request.message,
        request_id=request.request_id,
        refuse_if_busy=request.refuse_if_busy,
        time_to_live=seconds("time_to_live", request.time_to_live) if "time_to_live" in given else None,
    )
    return NewCardAssignment(reading, command, policy)


def _message(assignment: CardAssignment) -> pb.CardAssignment:
    outcome = assignment.outcome
    return pb.CardAssignment(
        card_assignment_id=assignment.card_assignment_id,
        device_id=assignment.request.device_id,
        user_id=assignment.command.user_id,
        state=f"STATE_{outcome.state}",
        card_request=reading_of(assignment.request),
        card_id=outcome.card_id,
        previous_user_id=outcome.previous_user_id,
        user_card_id=outcome.user_card_id,
        reason=name(outcome.reason) if outcome.reason else "",
        description=outcome.description,
        sequence=assignment.sequence,
        create_time=timestamp(assignment.create_time),
        update_time=timestamp(assignment.update_time),
        expire_time=timestamp(assignment.expire_time),
    )
