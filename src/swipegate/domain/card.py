"""Cards and their types."""

from dataclasses import dataclass
from enum import StrEnum

from swipegate.domain.user_card import UserCard


class CardStatus(StrEnum):
    """What happened to a card."""

    GOOD = "GOOD"
    LOST = "LOST"
    STOLEN = "STOLEN"


@dataclass(frozen=True, slots=True)
class CardType:
    """What a kind of card supports; what it supports, a new card of it requires."""

    card_type: int
    name: str
    max_internal_card_number: int
    max_facility_code: int | None
    max_issue_code: int | None
    has_serial_number: bool


@dataclass(frozen=True, slots=True)
class Card:
    """A card of an access control system. `create_time` is microseconds UTC."""

    card_id: str
    ac_system_id: str
    card_type: int
    internal_card_number: int
    external_card_number: str
    facility_code: int | None
    issue_code: int | None
    card_serial_number: int | None
    status: CardStatus = CardStatus.GOOD
    create_time: int = 0
    holding: UserCard | None = None
    """The assignment that stands."""
    delivered: bool = False
    """Whether its system has a connector, which is told of its changes."""
    change_time: int = 0
    """When it or its assignment last changed, in microseconds UTC; 0: never."""

    @property
    def user_id(self) -> str | None:
        """Its holder."""
        return self.holding.user_id if self.holding else None
