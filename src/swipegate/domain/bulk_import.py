"""Imports: many rows at once, each taken or refused by itself."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from swipegate.domain.errors import SwipegateError, name

MAX_ROWS = 2_000
"""Rows of a batch."""

T = TypeVar("T")
Rows = Sequence[T | SwipegateError]
"""A batch: what each row asks for, or why it cannot be asked for at all."""

_BLAMED = {
    "USER_NOT_FOUND": "user_id",
    "USER_EXISTS": "user_id",
    "CARD_HELD": "user_id",
    "OCCUPANCY_NOT_FOUND": "occupancy_id",
    "AC_SYSTEM_NOT_FOUND": "ac_system_id",
    "CARD_TYPE_NOT_FOUND": "card_type",
}
"""The field that a reason is about, where its metadata do not say."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that was not taken, by its place from 0."""

    row: int
    error: SwipegateError

    @property
    def reason(self) -> str:
        """An ErrorReason without its prefix."""
        return name(self.error.reason)

    @property
    def field(self) -> str:
        """The field that is to blame; empty where none is."""
        return self.error.metadata.get("field") or _BLAMED.get(self.reason, "")


@dataclass(slots=True)
class Report:
    """What became of a batch."""

    created: int = 0
    """Rows that were created, or changed hands."""
    unchanged: int = 0
    """Rows that were there already."""
    refused: list[Refused] = field(default_factory=list)
