"""A kiosk for tests of card assignments: a device, a system, and the calls of CardAssignmentService."""

from dataclasses import dataclass
from typing import Any

import pytest

from swipegate.devices.simulators.cards import SimulatedCard
from swipegate.devices.simulators.msr605 import Msr605Simulator
from swipegate.v1 import card_assignment_pb2 as pb
from tests.api.test_card_requests import register
from tests.conftest import Client
from tests.people import ABA, People

NUMBER = 98949188
CARD = SimulatedCard(track2=f";{NUMBER}?")
S = pb.CardAssignment
TAKE_OVER, REFUSE, ASK = (
    pb.HELD_CARD_POLICY_TAKE_OVER,
    pb.HELD_CARD_POLICY_REFUSE,
    pb.HELD_CARD_POLICY_ASK,
)
TERMINAL = (S.STATE_SUCCEEDED, S.STATE_FAILED, S.STATE_CANCELLED, S.STATE_EXPIRED)


@dataclass
class Kiosk:
    """A device of a server, and a system whose cards are read there."""

    client: Client
    people: People
    reader: Msr605Simulator
    device: int = 0
    system: str = ""

    async def open(self, **fields: Any) -> "Kiosk":
        """Register the device and make the system."""
        given = {"card_formats": ["paxton-net2", "iso7813-track2", "stanley-field"]} | fields
        self.device = await register(self.client, self.reader, **given)
        self.system = await self.people.system()
        return self

    async def assign(self, user: str, if_held: int = TAKE_OVER, **fields: Any) -> pb.CardAssignment:
        """A new assignment."""
        given = {
            "device_id": self.device,
            "user_id": user,
            "card_ac_system_id": self.system,
            "card_type": ABA,
            "if_held": if_held,
        }
        request = pb.AssignFromDeviceRequest(**(given | fields))
        service = self.client.card_assignments
        return (await service.AssignFromDevice(request, **self.client.options)).card_assignment

    async def swiped(self, user: str, if_held: int = TAKE_OVER, **fields: Any) -> pb.CardAssignment:
        """An assignment of CARD, once it waits for a person or has ended."""
        self.reader.swipe(fields.pop("card", CARD))
        made = await self.assign(user, if_held, **fields)
        return await self.until(made, S.STATE_NEEDS_ACTION, S.STATE_NEEDS_DECISION, *TERMINAL)

    async def get(self, assignment: pb.CardAssignment) -> pb.CardAssignment:
        """As it stands."""
        request = pb.GetCardAssignmentRequest(card_assignment_id=assignment.card_assignment_id)
        service = self.client.card_assignments
        return (await service.GetCardAssignment(request, **self.client.options)).card_assignment

    async def decide(self, assignment: pb.CardAssignment, decision: int, user: str) -> pb.CardAssignment:
        """After a decision about the card that the user holds."""
        request = pb.DecideCardAssignmentRequest(
            card_assignment_id=assignment.card_assignment_id, decision=decision, previous_user_id=user
        )
        service = self.client.card_assignments
        return (await service.DecideCardAssignment(request, **self.client.options)).card_assignment

    async def cancel(self, assignment: pb.CardAssignment) -> pb.CardAssignment:
        """After the cancellation."""
        request = pb.CancelCardAssignmentRequest(card_assignment_id=assignment.card_assignment_id)
        service = self.client.card_assignments
        return (await service.CancelCardAssignment(request, **self.client.options)).card_assignment

    async def retry(self, assignment: pb.CardAssignment, attempt: int = 1) -> pb.CardAssignment:
        """At the next attempt of its reading."""
        request = pb.RetryCardAssignmentRequest(
            card_assignment_id=assignment.card_assignment_id, attempt=attempt
        )
        service = self.client.card_assignments
        return (await service.RetryCardAssignment(request, **self.client.options)).card_assignment

    async def list(self, **fields: Any) -> pb.ListCardAssignmentsResponse:
        """A page."""
        request = pb.ListCardAssignmentsRequest(**fields)
        answer: pb.ListCardAssignmentsResponse = await self.client.card_assignments.ListCardAssignments(
            request, **self.client.options
        )
        return answer

    def watch(self, assignment: pb.CardAssignment, after: int = 0) -> Any:
        """The stream of its events."""
        request = pb.WatchCardAssignmentRequest(
            card_assignment_id=assignment.card_assignment_id, after_sequence=after
        )
        return self.client.card_assignments.WatchCardAssignment(request, **self.client.options)

    async def until(self, assignment: pb.CardAssignment, *states: int) -> pb.CardAssignment:
        """The assignment once it is in one of the states."""
        async for event in self.watch(assignment):
            if event.card_assignment.state in states:
                return event.card_assignment
        pytest.fail("the watch ended in another state")

    async def reading(self, assignment: pb.CardAssignment, state: int) -> pb.CardAssignment:
        """The assignment once its reading is in the state."""
        async for event in self.watch(assignment):
            if event.card_assignment.card_request.state == state:
                return event.card_assignment
        pytest.fail("the reading ended in another state")

    async def held_by(self, user: str, number: int = NUMBER, **fields: Any) -> str:
        """A card of the number in the user's hands; its id."""
        named = self.people.named(
            self.system, card_type=ABA, internal_card_number=number, external_card_number=f"printed {number}"
        )
        return (await self.people.replace(user_id=user, **(named | fields))).card_id

    async def holder(self, card_id: str) -> str:
        """Who holds the card; empty: nobody."""
        (card,) = (one for one in await self.people.cards() if one.card_id == card_id)
        return card.user_id
