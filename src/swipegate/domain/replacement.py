"""Giving a card to a user: the fields of ReplaceCardIfExists and the rules they obey."""

from dataclasses import dataclass, field
from enum import IntEnum

from swipegate.domain.card import Card, CardType
from swipegate.domain.errors import SwipegateError, invalid
from swipegate.domain.fields import MAX_INT64
from swipegate.domain.user_card import check_flags, check_pin, check_window
from swipegate.v1 import error_pb2

MAX_EXTERNAL_CARD_NUMBER = 64
"""Characters."""


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
    HOLDER_CHANGED = 11
    AUTOMATIC_NUMBERS_OFF = 12
    OVERLOADED = 13
    DATABASE_UNAVAILABLE = 14


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
    expected_holder: str | None = None
    """Who may hold the card; empty: nobody."""

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
        check_pin(self.pin)
        check_flags(self.card_user_flags)
        check_window(self.card_activation_start_date_time, self.card_deactivation_start_date_time)

    def check_new_card(self, card_type: CardType) -> None:
        """Raise INVALID_FIELD unless the conditional fields fit the type of the card to be created."""
        if (self.internal_card_number or 0) > card_type.max_internal_card_number:
            raise invalid("internal_card_number", f"must be at most {card_type.max_internal_card_number}")
        check_conditional("facility_code", self.facility_code, card_type.max_facility_code)
        check_conditional("issue_code", self.issue_code, card_type.max_issue_code)
        check_conditional(
            "card_serial_number", self.card_serial_number, MAX_INT64 if card_type.has_serial_number else None
        )

    def check_holder(self, card: Card) -> None:
        """Raise HOLDER_CHANGED where somebody holds the card who is neither expected nor the target."""
        if self.expected_holder is None or card.user_id in (None, self.expected_holder, self.user_id):
            return
        raise SwipegateError(
            error_pb2.ERROR_REASON_HOLDER_CHANGED, card_id=card.card_id, user_id=card.user_id
        )

    def check_same_card(self, card: Card) -> None:
        """Raise CARD_MISMATCH where a field was given and is not that of the card."""
        field_name = self.mismatch(card)
        if field_name is not None:
            raise SwipegateError(error_pb2.ERROR_REASON_CARD_MISMATCH, field=field_name, card_id=card.card_id)

    def mismatch(self, card: Card) -> str | None:
        """The first field that was given and is not that of the card."""
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
                return name
        return None


def check_conditional(name: str, value: int | None, largest: int | None) -> None:
    """Raise INVALID_FIELD for a field that is missing where the card type supports it, or given where it does not.

    `largest` is what the type allows; None: it does not support the field.
    """
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
    card_created: bool = False
    sequence: int = 0
    """Of the event; 0 when nothing changed."""

    @property
    def description(self) -> str:
        """Which of the three successes it is."""
        if self.previous_user_id is None:
            return "the card was assigned to the user"
        if self.previous_user_id == self.current_user_id:
            return "the user already holds the card"
        return "the card was taken from its previous holder and assigned to the user"
