"""Access control systems."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from uuid import uuid4

from sqlalchemy import Connection

from swipegate.domain.ac_system import AcSystem, Webhook, check_webhook_secret, check_webhook_url
from swipegate.domain.errors import SwipegateError, invalid
from swipegate.domain.fields import canonical_uuid, check_name
from swipegate.service.bell import Bell
from swipegate.service.clock import Clock
from swipegate.service.receivers import Receivers
from swipegate.service.sealing import Sealer
from swipegate.service.user_card_events import BELL_KEY
from swipegate.store import ac_systems, outbox
from swipegate.store.database import Database
from swipegate.v1 import error_pb2

UPDATABLE = ("name", "gives_card_numbers", "webhook")
"""What an update may name."""


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """A webhook as a caller gives it."""

    url: str
    secret: bytes = field(repr=False, default=b"")
    """Empty: the one that stands."""


class AcSystems:
    """Access control systems."""

    def __init__(
        self, database: Database, sealer: Sealer, receivers: Receivers, bell: Bell, clock: Clock
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._receivers = receivers
        self._bell = bell
        self._clock = clock

    async def create(self, system: AcSystem, webhook: NewWebhook | None = None) -> AcSystem:
        """The new system, with an id when it came without. Raises INVALID_FIELD, AC_SYSTEM_EXISTS."""
        check_name("ac_system.name", system.name)
        given = system.ac_system_id
        key = canonical_uuid("ac_system.ac_system_id", given) if given else str(uuid4())
        new = replace(system, ac_system_id=key, webhook=self._sealed(key, webhook, None))

        def unit(connection: Connection) -> AcSystem:
            if ac_systems.by_id(connection, key) is not None:
                raise SwipegateError(error_pb2.ERROR_REASON_AC_SYSTEM_EXISTS, field="ac_system_id")
            _check_name_is_free(connection, new)
            ac_systems.add(connection, new)
            return new

        return await self._database.write(unit)

    async def get(self, ac_system_id: str) -> AcSystem:
        """The system. Raises INVALID_FIELD, AC_SYSTEM_NOT_FOUND."""
        key = canonical_uuid("ac_system_id", ac_system_id)
        return await self._database.read(lambda connection: demand(connection, key))

    async def update(self, system: AcSystem, webhook: NewWebhook | None, paths: Collection[str]) -> AcSystem:
        """The system, with what the paths name changed; without a webhook its entries of the outbox are removed.

        Raises INVALID_FIELD, AC_SYSTEM_NOT_FOUND, AC_SYSTEM_EXISTS.
        """
        key = canonical_uuid("ac_system.ac_system_id", system.ac_system_id)
        if not paths or not set(UPDATABLE) >= set(paths):
            raise invalid("update_mask", f"must name some of {', '.join(UPDATABLE)}")
        if "name" in paths:
            check_name("ac_system.name", system.name)

        def unit(connection: Connection) -> AcSystem:
            before = demand(connection, key)
            after = before
            if "name" in paths:
                after = replace(after, name=system.name)
                _check_name_is_free(connection, after)
            if "gives_card_numbers" in paths:
                after = replace(after, gives_card_numbers=system.gives_card_numbers)
            if "webhook" in paths:
                after = replace(after, webhook=self._sealed(key, webhook, before.webhook))
            ac_systems.change(connection, after)
            self._follow_webhook(connection, before, after)
            return after

        changed = await self._database.write(unit)
        if "webhook" in paths:
            self._receivers.resume(key)
            self._bell.ring(BELL_KEY)
        return changed

    async def delete(self, ac_system_id: str) -> None:
        """Delete a system that nothing belongs to. Raises INVALID_FIELD, AC_SYSTEM_NOT_FOUND, IN_USE."""
        key = canonical_uuid("ac_system_id", ac_system_id)

        def unit(connection: Connection) -> None:
            demand(connection, key)
            by = ac_systems.user_of(connection, key)
            if by is not None:
                what = f"access control system {key}"
                raise SwipegateError(error_pb2.ERROR_REASON_IN_USE, what=what, by=by)
            ac_systems.remove(connection, key)

        await self._database.write(unit)
        self._receivers.resume(key)

    async def every(self) -> list[AcSystem]:
        """Every system by name."""
        return await self._database.read(ac_systems.every)

    def _sealed(self, key: str, new: NewWebhook | None, old: Webhook | None) -> Webhook | None:
        if new is None:
            return None
        check_webhook_url("ac_system.webhook.url", new.url)
        if not new.secret and old is not None:
            return Webhook(new.url, old.sealed_secret)
        check_webhook_secret("ac_system.webhook.secret", new.secret)
        return Webhook(new.url, self._sealer.seal(new.secret, secret_context(key)))

    def _follow_webhook(self, connection: Connection, before: AcSystem, after: AcSystem) -> None:
        key, now = after.ac_system_id, self._clock()
        if before.webhook is None and after.webhook is not None:
            outbox.desire_all(connection, key, now)
        elif before.webhook is not None and after.webhook is None:
            outbox.forget(connection, key)
        elif before.webhook != after.webhook:
            outbox.retry(connection, key, now)


def secret_context(ac_system_id: str) -> str:
    """What a webhook's secret is sealed for."""
    return f"webhook:{ac_system_id}"


def demand(connection: Connection, key: str) -> AcSystem:
    """The system. Raises AC_SYSTEM_NOT_FOUND."""
    system = ac_systems.by_id(connection, key)
    if system is None:
        raise SwipegateError(error_pb2.ERROR_REASON_AC_SYSTEM_NOT_FOUND, ac_system_id=key)
    return system


def _check_name_is_free(connection: Connection, system: AcSystem) -> None:
    other = ac_systems.by_name(connection, system.name)
    if other is not None and other.ac_system_id != system.ac_system_id:
        raise SwipegateError(error_pb2.ERROR_REASON_AC_SYSTEM_EXISTS, field="name")
