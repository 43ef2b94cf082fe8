"""Users: who can hold cards."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who can hold cards."""

    user_id: str
    name: str
    occupancy_id: str | None = None
    occupancy_ac_system_id: str | None = None
    """The system of the occupancy."""
