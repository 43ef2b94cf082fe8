"""What every connector is."""

from typing import Protocol

from swipegate.domain.outbox import MAX_ERROR, CardChange


class DeliveryError(Exception):
    """The system was not told, or did not say that it was. The text says why, without a secret or what was sent."""

    def __init__(self, text: str, *, refused: bool = False) -> None:
        super().__init__(text[:MAX_ERROR])
        self.refused = refused
        """Whether it is there, and will not have this change; else nothing else would reach it either."""


class Connector(Protocol):
    """The way to one access control system."""

    async def deliver(self, change: CardChange) -> None:
        """Tell the system, in bounded time. The same change may come again. Raises DeliveryError."""
