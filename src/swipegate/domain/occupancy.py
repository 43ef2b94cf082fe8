"""Occupancies: what users belong to, each within one access control system."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Occupancy:
    """A tenant's space."""

    occupancy_id: str
    name: str
    ac_system_id: str
