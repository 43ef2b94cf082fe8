"""Cards and their types."""

from dataclasses import dataclass
from enum import StrEnum

from swipegate.domain.errors import invalid
from swipegate.domain.fields import MAX_INT64, check_name
from swipegate.domain.user_card import UserCard

MAX_CARD_TYPES = 1000
"""Of an installation: they are listed at once."""
MAX_CARD_TYPE = 2**31 - 1
"""Largest number of a card type."""
MAX_CODE = 2**31 - 1
"""Largest facility or issue code that a card type may allow."""


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

    def check(self) -> None:
        """Raise INVALID_FIELD for what is out of bounds; its number aside."""
        check_name("card_type.name", self.name)
        if not 1 <= self.max_internal_card_number <= MAX_INT64:
            raise invalid("card_type.max_internal_card_number", f"must be 1 to {MAX_INT64}")
        for name in ("max_facility_code", "max_issue_code"):
            largest = getattr(self, name)
            if largest is not None and not 0 <= largest <= MAX_CODE:
                raise invalid(f"card_type.{name}", f"must be 0 to {MAX_CODE}, or absent")

    @property
    def supports(self) -> tuple[bool, bool, bool]:
        """Whether it has a facility code, an issue code, a serial number."""
        return self.max_facility_code is not None, self.max_issue_code is not None, self.has_serial_number


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
