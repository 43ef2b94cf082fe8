"""Card assignments: a card is read at a device and given to a user, as one durable thing.

The reading half is an ordinary card request of the same identifier. Whatever changes it, a caller, a host or the
sweep, changes the assignment in the same transaction, because this follows every card request.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy import Connection

from swipegate.domain.authority import READ_TRACK_DATA, Principal
from swipegate.domain.card_assignment import (
    OF_READING,
    CardAssignment,
    HeldCardPolicy,
    Outcome,
    State,
    check_command,
    check_command_for,
)
from swipegate.domain.card_request import CardRequest
from swipegate.domain.errors import SwipegateError, invalid
from swipegate.domain.fields import canonical_uuid
from swipegate.domain.replacement import ReplaceCard
from swipegate.service import ac_systems, paging
from swipegate.service.assigning import (
    outcome_of_card,
    outcome_of_held,
    outcome_of_take_over,
    seal_waiting_pin,
)
from swipegate.service.bell import Bell
from swipegate.service.card_requests import CardRequests, NewCardRequest
from swipegate.service.clock import Clock
from swipegate.service.idempotency import Repeats, check_request_id
from swipegate.service.replacement import type_of
from swipegate.service.sealing import Sealer
from swipegate.service.user_card_events import BELL_KEY
from swipegate.service.watching import WATCH_BATCH, watched
from swipegate.store import card_assignments, users
from swipegate.store.database import Database, Unit
from swipegate.v1 import error_pb2
from swipegate.v1.track_pb2 import DecodedSwipe

METHOD = "AssignFromDevice"
SWEEP_BATCH = 100
"""Assignments that one sweep ends."""


@dataclass(frozen=True, slots=True)
class NewCardAssignment:
    """What a caller asks for."""

    reading: NewCardRequest
    command: ReplaceCard
    """Without what is to be read: the number, and the codes that a card format finds."""
    if_held: HeldCardPolicy

    def check(self) -> None:
        """Raise INVALID_FIELD for what is wrong whatever the database holds."""
        if self.reading.device_id < 1:
            raise invalid("device_id", "must be 1 or more")
        self.reading.check()
        check_request_id(self.reading.request_id)
        check_command(self.command)


class CardAssignments:
    """The use cases of card assignments. It follows the card requests that it is given, from its making on."""

    def __init__(
        self, database: Database, sealer: Sealer, bell: Bell, clock: Clock, requests: CardRequests
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._repeats = Repeats(sealer)
        self._bell = bell
        self._clock = clock
        self._requests = requests
        requests.followers.append(self)

    async def create(self, principal: Principal, new: NewCardAssignment, body: bytes) -> CardAssignment:
        """The stored assignment; a repeat with the same request_id gives the first one as it stands now."""
        principal.demand(READ_TRACK_DATA)
        new.check()

        def unit(connection: Connection) -> CardAssignment:
            now = self._clock()

            def work() -> bytes:
                return self._create(connection, principal, new, now).card_assignment_id.encode()

            request_id = new.reading.request_id
            key = self._repeats.once(connection, principal, METHOD, request_id, body, now, work)
            return _demand(connection, key.decode())

        return await self._write(unit)

    def _create(
        self, connection: Connection, principal: Principal, new: NewCardAssignment, now: int
    ) -> CardAssignment:
        command = new.command
        check_command_for(command, type_of(connection, command))
        ac_systems.demand(connection, command.card_ac_system_id or "")
        if users.by_id(connection, command.user_id) is None:
            raise SwipegateError(error_pb2.ERROR_REASON_USER_NOT_FOUND, user_id=command.user_id)
        request = self._requests.create_in(connection, principal, new.reading, now)
        made = CardAssignment(
            command=command,
            if_held=new.if_held,
            subject=principal.subject,
            client=principal.client,
            request=request,
            create_time=now,
            update_time=now,
            expire_time=request.expire_time,
        )
        sealed = seal_waiting_pin(self._sealer, command.pin, made.card_assignment_id)
        return card_assignments.add(connection, made, sealed)

    def follow(self, connection: Connection, request: CardRequest, swipe: DecodedSwipe | None) -> None:
        """Have the assignment of the request, where there is one, go where the request went."""
        if not card_assignments.is_one(connection, request.card_request_id):
            return
        assignment = _demand(connection, request.card_request_id)
        now = request.update_time
        if swipe is not None:
            outcome = outcome_of_card(connection, self._sealer, assignment, swipe.card_number, now)
        elif request.failure is not None:
            failure = request.failure
            outcome = Outcome(
                OF_READING[request.state], reason=failure.reason, description=failure.description
            )
        else:
            outcome = Outcome(OF_READING[request.state])
        card_assignments.change(connection, assignment, outcome, now)

    def announce(self, request: CardRequest) -> None:
        """Wake who watches the assignment of a request that changed, or the cards that it moved."""
        self._bell.ring(("card_assignment", request.card_request_id))
        if not request.live:
            self._bell.ring(BELL_KEY)

    async def get(self, card_assignment_id: str) -> CardAssignment:
        """The assignment. Raises CARD_ASSIGNMENT_NOT_FOUND."""
        key = canonical_uuid("card_assignment_id", card_assignment_id)
        return await self._database.read(lambda connection: _demand(connection, key))

    async def page(
        self, *, device_id: int, user_id: str | None, page_size: int, page_token: str
    ) -> tuple[list[CardAssignment], str]:
        """A page of assignments, the newest first, and the next page's token. Raises INVALID_FIELD."""
        size, before = paging.size(page_size), paging.row_of(page_token)

        def unit(connection: Connection) -> list[tuple[int, CardAssignment]]:
            return card_assignments.page(
                connection, device_id=device_id, user_id=user_id, before=before, size=size + 1
            )

        rows = await self._database.read(unit)
        return paging.cut(rows, size)

    def watch(self, card_assignment_id: str, after: int) -> AsyncIterator[CardAssignment]:
        """The present snapshot, or with `after` the events past it; then every event up to a terminal one."""
        key = canonical_uuid("card_assignment_id", card_assignment_id)
        return watched(
            self._bell, ("card_assignment", key), after, partial(self.get, key), partial(self._events, key)
        )

    async def _events(self, key: str, after: int) -> list[CardAssignment]:
        def unit(connection: Connection) -> list[CardAssignment]:
            return card_assignments.events(connection, _demand(connection, key), after, WATCH_BATCH)

        return await self._database.read(unit)

    async def decide(
        self, principal: Principal, card_assignment_id: str, decision: HeldCardPolicy, holder: str
    ) -> CardAssignment:
        """The assignment after the decision about a card that `holder` was seen to hold.

        Raises WRONG_ASSIGNMENT_STATE, and HOLDER_CHANGED where somebody else holds the card by now; the assignment
        then needs a new decision, which is stored though this raises.
        """
        key = canonical_uuid("card_assignment_id", card_assignment_id)
        holder = canonical_uuid("previous_user_id", holder)

        def unit(connection: Connection) -> tuple[CardAssignment, SwipegateError | None]:
            assignment = _demand(connection, key)
            if assignment.state is not State.NEEDS_DECISION:
                raise assignment.wrong_state()
            now = self._clock()
            if assignment.expire_time <= now:
                ended = self._with(connection, assignment, State.EXPIRED, now)
                return ended, ended.wrong_state()
            if decision is HeldCardPolicy.TAKE_OVER:
                return self._take_over(connection, principal, assignment, holder, now)
            held = assignment.outcome
            if held.previous_user_id != holder:
                return assignment, _holder_changed(held)
            outcome = outcome_of_held(held.card_id, held.previous_user_id)
            return card_assignments.change(connection, assignment, outcome, now), None

        assignment, error = await self._database.write(unit)
        self._announce(assignment)
        if error is not None:
            raise error
        return assignment

    def _take_over(
        self,
        connection: Connection,
        principal: Principal,
        assignment: CardAssignment,
        holder: str,
        now: int,
    ) -> tuple[CardAssignment, SwipegateError | None]:
        outcome = outcome_of_take_over(connection, self._sealer, principal, assignment, holder, now)
        error = _holder_changed(outcome) if outcome.state is State.NEEDS_DECISION else None
        if outcome == assignment.outcome:  # a late click: the question that stands is about another user
            return assignment, error
        return card_assignments.change(connection, assignment, outcome, now), error

    async def retry(self, principal: Principal, card_assignment_id: str, attempt: int) -> CardAssignment:
        """The assignment, whose reading is queued for its next attempt. Raises WRONG_STATE for a late click."""
        principal.demand(READ_TRACK_DATA)
        key = canonical_uuid("card_assignment_id", card_assignment_id)

        def unit(connection: Connection) -> CardAssignment:
            _demand(connection, key)
            self._requests.retry_in(connection, key, attempt)
            return _demand(connection, key)

        return await self._write(unit)

    async def cancel(self, card_assignment_id: str) -> CardAssignment:
        """The assignment, cancelled, or with its reading being cancelled. Raises WRONG_ASSIGNMENT_STATE."""
        key = canonical_uuid("card_assignment_id", card_assignment_id)

        def unit(connection: Connection) -> CardAssignment:
            assignment = _demand(connection, key)
            if assignment.state is State.CANCELLED:
                return assignment
            if not assignment.live:
                raise assignment.wrong_state()
            if assignment.state is State.NEEDS_DECISION:
                return self._with(connection, assignment, State.CANCELLED, self._clock())
            self._requests.cancel_in(connection, key, assignment.request.attempt)
            return _demand(connection, key)

        return await self._write(unit)

    async def sweep(self) -> None:
        """Expire what waited for a decision past its time."""

        def unit(connection: Connection) -> list[CardAssignment]:
            now = self._clock()
            return [
                self._with(connection, assignment, State.EXPIRED, now)
                for assignment in card_assignments.overdue(connection, now, SWEEP_BATCH)
            ]

        for assignment in await self._database.write(unit):
            self._announce(assignment)

    def _with(
        self, connection: Connection, assignment: CardAssignment, state: State, now: int
    ) -> CardAssignment:
        """The assignment in another state, with what is known of its card."""
        return card_assignments.change(connection, assignment, replace(assignment.outcome, state=state), now)

    async def _write(self, unit: Unit[CardAssignment]) -> CardAssignment:
        assignment = await self._database.write(unit)
        self._announce(assignment)
        return assignment

    def _announce(self, assignment: CardAssignment) -> None:
        """Wake whoever waits for either half, this one's watchers among them."""
        self._requests.announce(assignment.request)


def _demand(connection: Connection, key: str) -> CardAssignment:
    assignment = card_assignments.by_id(connection, key)
    if assignment is None:
        raise SwipegateError(error_pb2.ERROR_REASON_CARD_ASSIGNMENT_NOT_FOUND, card_assignment_id=key)
    return assignment


def _holder_changed(outcome: Outcome) -> SwipegateError:
    return SwipegateError(
        error_pb2.ERROR_REASON_HOLDER_CHANGED, card_id=outcome.card_id, user_id=outcome.previous_user_id
    )
