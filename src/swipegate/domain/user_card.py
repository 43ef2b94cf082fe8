"""Assignments of cards to users, and what happens to them."""

import re
from dataclasses import dataclass, field
from enum import StrEnum

from swipegate.domain.errors import invalid

CARD_USER_FLAGS_MASK = 127
"""Every CardUserFlags bit."""
PIN = re.compile(r"[0-9]{1,16}")


@dataclass(frozen=True, slots=True)
class UserCard:
    """An assignment of a card to a user. Times are microseconds UTC."""

    user_card_id: str
    card_id: str
    user_id: str
    start_time: int
    end_time: int | None = None
    activation_time: int | None = None
    deactivation_time: int | None = None
    card_user_flags: int = 0
    has_pin: bool = False


class EventKind(StrEnum):
    """What happened to a card or its assignment."""

    CREATED = "CREATED"
    ASSIGNED = "ASSIGNED"
    REPLACED = "REPLACED"
    REMOVED = "REMOVED"
    UPDATED = "UPDATED"
    MARKED = "MARKED"


UNDOABLE = frozenset({EventKind.ASSIGNED, EventKind.REPLACED, EventKind.REMOVED, EventKind.UPDATED})


@dataclass(frozen=True, slots=True)
class UserCardEvent:
    """One committed change, with the assignment before and after it."""

    kind: EventKind
    card_id: str
    before: UserCard | None
    after: UserCard | None
    time: int
    subject: str
    client: str
    status_before: str = "GOOD"
    status_after: str = "GOOD"
    pin_changed: bool = False
    sealed_pin_before: bytes | None = field(default=None, repr=False)
    undid_sequence: int | None = None
    sequence: int = 0


def check_pin(pin: str | None) -> None:
    """Raise INVALID_FIELD for a PIN that is none; its text is not repeated."""
    if pin is not None and not PIN.fullmatch(pin):
        raise invalid("pin", "must be 1 to 16 digits")


def check_flags(flags: int | None) -> None:
    """Raise INVALID_FIELD for bits that mean nothing."""
    if flags is not None and flags & ~CARD_USER_FLAGS_MASK:
        raise invalid("card_user_flags", f"must be a sum of CardUserFlags, at most {CARD_USER_FLAGS_MASK}")


def check_window(activation: int | None, deactivation: int | None) -> None:
    """Raise INVALID_FIELD unless the activation comes before the deactivation."""
    if activation is not None and deactivation is not None and deactivation <= activation:
        raise invalid("card_deactivation_start_date_time", "must be after card_activation_start_date_time")
