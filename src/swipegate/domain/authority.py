"""Who calls, and what a caller may do."""

from collections.abc import Collection
from dataclasses import dataclass

from swipegate.domain.errors import SwipegateError
from swipegate.v1 import error_pb2

READ_TRACK_DATA = "ReadTrackData"
"""The original's AttributeFlags_ClientApplications.ReadTrackData."""
PERMISSIONS = (READ_TRACK_DATA,)


@dataclass(frozen=True, slots=True)
class Principal:
    """The bearer of a token."""

    subject: str
    """The user or service."""
    client: str
    """The client application."""
    permissions: frozenset[str] = frozenset()

    def demand(self, permission: str) -> None:
        """Raise READ_CARD_NOT_AUTHORIZED unless the token carries the permission."""
        if permission not in self.permissions:
            raise SwipegateError(error_pb2.ERROR_REASON_READ_CARD_NOT_AUTHORIZED, permission=permission)


@dataclass(frozen=True, slots=True)
class Licences:
    """Which client applications may be used, and by whom not."""

    clients: Collection[str] | None = None
    """Licensed client applications; None licenses all."""
    switched_off: Collection[str] = ()
    """Subjects for whom every client application is switched off."""

    def demand(self, principal: Principal) -> None:
        """Raise NOT_AUTHORIZED_FOR_CLIENT unless the client is licensed and not switched off for the user."""
        licensed = self.clients is None or principal.client in self.clients
        if not licensed or principal.subject in self.switched_off:
            raise SwipegateError(error_pb2.ERROR_REASON_NOT_AUTHORIZED_FOR_CLIENT, client=principal.client)
