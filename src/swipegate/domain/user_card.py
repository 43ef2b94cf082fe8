"""Giving a card to a user: the fields of ReplaceCardIfExists and the rules they obey."""

import re
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from uuid import UUID

from swipegate.domain.errors import SwipegateError, invalid
from swipegate.v1 import error_pb2

MAX_EXTERNAL_CARD_NUMBER = 64
"""Characters."""
MAX_NAME = 128
"""Characters of the name of a user or a system."""
MAX_REQUEST_ID = 64
"""Characters."""
MAX_INT64 = 2**63 - 1
CARD_USER_FLAGS_MASK = 127
"""Every CardUserFlags bit."""
PIN = re.compile(r"[0-9]{1,16}")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{32}")
"""RFC 9562, section 4, or without the dashes."""


class ResultCode(IntEnum):
    """Our published codes, one a cause; 0 is success. The numbers are those of swipegate.v1.ResultCode."""

    SUCCESS = 0
    INVALID_FIELD = 1
    USER_NOT_FOUND = 2
    CARD_NOT_FOUND = 3
    AC_SYSTEM_NOT_FOUND = 4
    CARD_TYPE_NOT_FOUND = 5
    CARD_LOST_OR_STOLEN = 6
    OCCUPANCY_SYSTEM_MISMATCH = 7
    CARD_MISMATCH = 8
    NO_FREE_CARD_NUMBER = 9
    REQUEST_ID_REUSED = 10


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
class User:
    """Somebody who can hold cards."""

    user_id: str
    name: str
    occupancy_ac_system_id: str | None = None


@dataclass(frozen=True, slots=True)
class AcSystem:
    """An access control system."""

    ac_system_id: str
    name: str


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
    user_id: str | None = None
    """Its holder."""
    user_card_id: str | None = None
    """The open assignment."""


@dataclass(frozen=True, slots=True)
class ReplaceCard:
    """The fields of ReplaceUserCardIfExistsViewModel; None where one was not given. Times are microseconds UTC."""

    user_id: str
    card_id: str | None = None
    card_type: int | None = None
    card_ac_system_id: str | None = None
    internal_card_number: int | None = None
    external_card_number: str | None = None
    card_serial_number: int | None = None
    facility_code: int | None = None
    issue_code: int | None = None
    pin: str | None = field(default=None, repr=False)
    enforce_occupancy_system: bool = False
    card_activation_start_date_time: int | None = None
    card_deactivation_start_date_time: int | None = None
    card_user_flags: int | None = None

    def check(self) -> None:
        """Raise INVALID_FIELD for what is wrong whatever the database holds."""
        if self.card_id is None:
            for name in ("card_type", "card_ac_system_id", "internal_card_number", "external_card_number"):
                if getattr(self, name) is None:
                    raise invalid(name, "required where card_id is not given")
        for name in ("internal_card_number", "card_serial_number", "facility_code", "issue_code"):
            number = getattr(self, name)
            if number is not None and not 0 <= number <= MAX_INT64:
                raise invalid(name, "must be 0 or more")
        if self.external_card_number is not None:
            if not 1 <= len(self.external_card_number) <= MAX_EXTERNAL_CARD_NUMBER:
                raise invalid("external_card_number", f"must be 1 to {MAX_EXTERNAL_CARD_NUMBER} characters")
            if not self.external_card_number.isprintable():
                raise invalid("external_card_number", "must be printable characters")
        if self.pin is not None and not PIN.fullmatch(self.pin):
            raise invalid("pin", "must be 1 to 16 digits")
        if self.card_user_flags is not None and self.card_user_flags & ~CARD_USER_FLAGS_MASK:
            raise invalid(
                "card_user_flags", f"must be a sum of CardUserFlags, at most {CARD_USER_FLAGS_MASK}"
            )
        start, end = self.card_activation_start_date_time, self.card_deactivation_start_date_time
        if start is not None and end is not None and end <= start:
            raise invalid(
                "card_deactivation_start_date_time", "must be after card_activation_start_date_time"
            )

    def check_new_card(self, card_type: CardType) -> None:
        """Raise INVALID_FIELD unless the conditional fields fit the type of the card to be created."""
        if (self.internal_card_number or 0) > card_type.max_internal_card_number:
            raise invalid("internal_card_number", f"must be at most {card_type.max_internal_card_number}")
        _conditional("facility_code", self.facility_code, card_type.max_facility_code)
        _conditional("issue_code", self.issue_code, card_type.max_issue_code)
        _conditional(
            "card_serial_number", self.card_serial_number, MAX_INT64 if card_type.has_serial_number else None
        )

    def check_same_card(self, card: Card) -> None:
        """Raise CARD_MISMATCH where a field was given and is not that of the card."""
        pairs = (
            ("card_type", self.card_type, card.card_type),
            ("card_ac_system_id", self.card_ac_system_id, card.ac_system_id),
            # 0 asks for any number
            ("internal_card_number", self.internal_card_number or None, card.internal_card_number),
            ("external_card_number", self.external_card_number, card.external_card_number),
            ("card_serial_number", self.card_serial_number, card.card_serial_number),
            ("facility_code", self.facility_code, card.facility_code),
            ("issue_code", self.issue_code, card.issue_code),
        )
        for name, given, present in pairs:
            if given is not None and given != present:
                raise SwipegateError(error_pb2.ERROR_REASON_CARD_MISMATCH, field=name, card_id=card.card_id)


def _conditional(name: str, value: int | None, largest: int | None) -> None:
    """A field that is required where the card type supports it and refused where it does not."""
    if largest is None and value is not None:
        raise invalid(name, "the card type does not support it")
    if largest is not None and value is None:
        raise invalid(name, "required: the card type supports it")
    if largest is not None and value is not None and value > largest:
        raise invalid(name, f"must be at most {largest}")


@dataclass(frozen=True, slots=True)
class ReplaceResult:
    """The fields of ReplaceCardIfExistsResult, for a success."""

    card: Card
    previous_user_id: str | None
    current_user_id: str
    value: str
    """Primary key of the UserCard entry that now stands."""

    @property
    def description(self) -> str:
        """Which of the three successes it is."""
        if self.previous_user_id is None:
            return "the card was assigned to the user"
        if self.previous_user_id == self.current_user_id:
            return "the user already holds the card"
        return "the card was taken from its previous holder and assigned to the user"


def canonical_uuid(field_name: str, text: str) -> str:
    """The UUID in lower case with dashes; INVALID_FIELD when the text is none."""
    if not _UUID.fullmatch(text):  # UUID() itself takes signs, blanks and underscores too
        raise invalid(field_name, "must be a UUID")
    low = text.lower()
    return low if "-" in low else str(UUID(low))
