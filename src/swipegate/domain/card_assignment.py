"""A card that is read at a device and given to a user: its states, and how what was read becomes a replacement."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from swipegate.domain.card import Card, CardType
from swipegate.domain.card_request import CardRequest
from swipegate.domain.card_request import State as ReadingState
from swipegate.domain.errors import SwipegateError, invalid
from swipegate.domain.fields import MAX_INT64
from swipegate.domain.replacement import ReplaceCard, check_conditional
from swipegate.v1 import error_pb2
from swipegate.v1.track_pb2 import CardNumber

MAX_DESCRIPTION = 512
"""Characters of the line that says why an assignment failed."""


class HeldCardPolicy(StrEnum):
    """What becomes of a card that another user holds."""

    TAKE_OVER = "TAKE_OVER"
    REFUSE = "REFUSE"
    ASK = "ASK"


class State(StrEnum):
    """Where a card assignment stands."""

    READING = "READING"
    NEEDS_ACTION = "NEEDS_ACTION"
    NEEDS_DECISION = "NEEDS_DECISION"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


S = State
TERMINAL = frozenset({S.SUCCEEDED, S.FAILED, S.CANCELLED, S.EXPIRED})
FOLLOWS: Mapping[State, frozenset[State]] = {
    # READING -> READING: the reading went on by a step
    S.READING: TERMINAL | {S.READING, S.NEEDS_ACTION, S.NEEDS_DECISION},
    S.NEEDS_ACTION: frozenset({S.READING, S.FAILED, S.CANCELLED, S.EXPIRED}),
    # NEEDS_DECISION -> NEEDS_DECISION: the card went to yet another user
    S.NEEDS_DECISION: TERMINAL | {S.NEEDS_DECISION},
    S.SUCCEEDED: frozenset(),
    S.FAILED: frozenset(),
    S.CANCELLED: frozenset(),
    S.EXPIRED: frozenset(),
}
OF_READING: Mapping[ReadingState, State] = {
    **dict.fromkeys(ReadingState, S.READING),
    ReadingState.NEEDS_ACTION: S.NEEDS_ACTION,
    ReadingState.FAILED: S.FAILED,
    ReadingState.CANCELLED: S.CANCELLED,
    ReadingState.EXPIRED: S.EXPIRED,
}
"""Where an assignment stands by its reading; once the card is read, what comes of it says."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a card that was read, or of a reading that came to nothing."""

    state: State
    card_id: str | None = None
    previous_user_id: str | None = None
    user_card_id: str | None = None
    reason: int | None = None
    """Of swipegate.v1.ErrorReason."""
    description: str = ""


@dataclass(frozen=True, slots=True)
class CardAssignment:
    """One card of one device for one user. Times are microseconds since 1970, UTC."""

    command: ReplaceCard
    """Without the PIN, and without what is to be read."""
    if_held: HeldCardPolicy
    subject: str
    """Who asked for it, and with which client application."""
    client: str
    request: CardRequest
    """The reading half, whose identifier is the assignment's."""
    create_time: int
    update_time: int
    expire_time: int
    sequence: int = 0
    """Of its last event."""
    outcome: Outcome = Outcome(State.READING)

    @property
    def card_assignment_id(self) -> str:
        """Its identifier."""
        return self.request.card_request_id

    @property
    def state(self) -> State:
        """Where it stands."""
        return self.outcome.state

    @property
    def live(self) -> bool:
        """Whether it can still change."""
        return self.state not in TERMINAL

    def wrong_state(self) -> SwipegateError:
        """The refusal of whatever this state does not allow."""
        return SwipegateError(
            error_pb2.ERROR_REASON_WRONG_ASSIGNMENT_STATE,
            card_assignment_id=self.card_assignment_id,
            state=self.state,
        )


def check_command(command: ReplaceCard) -> None:
    """Raise INVALID_FIELD for what is wrong whatever the card turns out to hold."""
    stand_in = command.external_card_number if command.external_card_number is not None else "1"
    replace(command, internal_card_number=1, external_card_number=stand_in).check()


def check_command_for(command: ReplaceCard, kind: CardType) -> None:
    """Raise INVALID_FIELD for a field that cards of this type cannot have, or not so large."""
    largest = {
        "facility_code": kind.max_facility_code,
        "issue_code": kind.max_issue_code,
        "card_serial_number": MAX_INT64 if kind.has_serial_number else None,
    }
    for name, bound in largest.items():
        if (value := getattr(command, name)) is not None:
            check_conditional(name, value, bound)


def with_number(command: ReplaceCard, read: CardNumber, kind: CardType) -> ReplaceCard:
    """The command for the card whose number was read.

    Raises CARD_NUMBER_IS_PAN, CARD_MISMATCH where a code that was given is another one, and INVALID_FIELD for what
    the card type does not allow; none repeats what was read.
    """
    if read.number_is_pan:
        raise SwipegateError(error_pb2.ERROR_REASON_CARD_NUMBER_IS_PAN, card_format=read.card_format)
    number = _number("internal_card_number", read.card_number)
    if number == 0:
        raise invalid("internal_card_number", "the card holds 0, which is no card number")
    if number > kind.max_internal_card_number:
        raise invalid("internal_card_number", f"must be at most {kind.max_internal_card_number}")
    complete = replace(
        command,
        internal_card_number=number,
        facility_code=_agreed("facility_code", command.facility_code, read.facility_code),
        issue_code=_agreed("issue_code", command.issue_code, read.issue_code),
    )
    check_command_for(complete, kind)
    return complete


def for_card(command: ReplaceCard, read: CardNumber, card: Card | None) -> ReplaceCard:
    """The complete command for a card that is there; for a new one, with the number as read where none was given."""
    if card is not None:
        return replace(command, card_id=card.card_id)
    if command.external_card_number is not None:
        return command
    return replace(command, external_card_number=read.card_number)


def _number(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise invalid(name, "what the card holds is no number")
    return int(text)


def _agreed(name: str, given: int | None, text: str) -> int | None:
    """The code that was given or read; both must be the same."""
    if not text:
        return given
    read = _number(name, text)
    if given is not None and given != read:
        raise SwipegateError(error_pb2.ERROR_REASON_CARD_MISMATCH, field=name, card_id="that was read")
    return read
