"""What access control systems are told of their cards."""

from dataclasses import dataclass

from swipegate.domain.card import Card

MAX_ERROR = 200
"""Characters."""


@dataclass(frozen=True, slots=True)
class CardChange:
    """A card as it stands after the event of that number."""

    sequence: int
    time: int
    """Of the event; microseconds UTC."""
    card: Card


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """What one system has been told of one card, and what it should know."""

    ac_system_id: str
    card_id: str
    desired_sequence: int
    applied_sequence: int
    attempts: int
    """Tries that failed since the last change and the last success."""
    error: str
    """Why the last try failed; empty when it did not."""
    next_try_time: int | None
    """Microseconds UTC; none: applied."""
