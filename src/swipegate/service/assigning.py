"""What becomes of a card that was read for a user: the end of a card assignment, in one transaction.

A refusal of the replacement is the assignment's own failure. It undoes the replacement alone, never the reading,
which has happened; anything else undoes the whole transaction.
"""

from dataclasses import replace

from sqlalchemy import Connection

from swipegate.domain.authority import Principal
from swipegate.domain.card import Card
from swipegate.domain.card_assignment import (
    CardAssignment,
    HeldCardPolicy,
    Outcome,
    State,
    for_card,
    with_number,
)
from swipegate.domain.errors import SwipegateError
from swipegate.domain.replacement import ReplaceCard
from swipegate.service.replacement import replace_card, type_of
from swipegate.service.sealing import Sealer
from swipegate.store import card_assignments, cards
from swipegate.v1 import error_pb2
from swipegate.v1.track_pb2 import CardNumber


def seal_waiting_pin(sealer: Sealer, pin: str | None, card_assignment_id: str) -> bytes | None:
    """A PIN as it may be stored while its card is not there yet."""
    return None if pin is None else sealer.seal(pin.encode(), _pin_context(card_assignment_id))


def outcome_of_card(
    connection: Connection, sealer: Sealer, assignment: CardAssignment, read: CardNumber, now: int
) -> Outcome:
    """What becomes of the card that was just read."""
    card = None
    try:
        command = with_number(assignment.command, read, type_of(connection, assignment.command))
        card = cards.by_number(
            connection,
            command.card_ac_system_id or "",
            command.card_type or 0,
            command.facility_code,
            command.internal_card_number or 0,
        )
        command = for_card(command, read, card)
        if assignment.if_held is not HeldCardPolicy.TAKE_OVER:
            command = replace(command, expected_holder="")
        asker = Principal(assignment.subject, assignment.client)
        return _replaced(connection, sealer, asker, assignment, command, now)
    except SwipegateError as error:
        if card is not None and error.reason == error_pb2.ERROR_REASON_HOLDER_CHANGED:
            if assignment.if_held is HeldCardPolicy.REFUSE:
                return outcome_of_held(card.card_id, card.user_id)
            return Outcome(State.NEEDS_DECISION, card.card_id, card.user_id)
        return _failed(error, card)


def outcome_of_take_over(
    connection: Connection,
    sealer: Sealer,
    principal: Principal,
    assignment: CardAssignment,
    holder: str,
    now: int,
) -> Outcome:
    """What becomes of the card that waits for a decision, once it may be taken over from that holder.

    NEEDS_DECISION where somebody else holds it by now.
    """
    card_id = assignment.outcome.card_id
    assert card_id is not None  # a decision is about a card
    card = cards.by_id(connection, card_id)
    try:
        command = replace(assignment.command, card_id=card_id, expected_holder=holder)
        return _replaced(connection, sealer, principal, assignment, command, now)
    except SwipegateError as error:
        if card is not None and error.reason == error_pb2.ERROR_REASON_HOLDER_CHANGED:
            return Outcome(State.NEEDS_DECISION, card_id, card.user_id)
        return _failed(error, card)


def outcome_of_held(card_id: str | None, holder: str | None) -> Outcome:
    """The card stays with the user who holds it."""
    error = SwipegateError(error_pb2.ERROR_REASON_CARD_HELD, card_id=card_id, user_id=holder)
    return Outcome(State.FAILED, card_id, holder, reason=error.reason, description=str(error))


def _replaced(
    connection: Connection,
    sealer: Sealer,
    principal: Principal,
    assignment: CardAssignment,
    command: ReplaceCard,
    now: int,
) -> Outcome:
    sealed = card_assignments.sealed_pin(connection, assignment.card_assignment_id)
    if sealed is not None:
        pin = sealer.unseal(sealed, _pin_context(assignment.card_assignment_id)).decode()
        command = replace(command, pin=pin)
    with connection.begin_nested():
        result = replace_card(connection, sealer, principal, command, now)
    return Outcome(State.SUCCEEDED, result.card.card_id, result.previous_user_id, result.value)


def _failed(error: SwipegateError, card: Card | None) -> Outcome:
    card_id = None if card is None else card.card_id
    return Outcome(State.FAILED, card_id, reason=error.reason, description=str(error))


def _pin_context(card_assignment_id: str) -> str:
    return f"waiting-pin:{card_assignment_id}"
