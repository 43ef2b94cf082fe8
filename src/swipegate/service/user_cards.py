"""Assignments of cards to users: give, take, change, undo, look up."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from swipegate.domain.authority import Principal
from swipegate.domain.card import Card
from swipegate.domain.errors import SwipegateError, invalid
from swipegate.domain.fields import MAX_INT64, canonical_uuid
from swipegate.domain.replacement import ReplaceCard, ReplaceResult
from swipegate.domain.user_card import (
    UNDOABLE,
    EventKind,
    UserCard,
    UserCardEvent,
    check_flags,
    check_pin,
    check_window,
)
from swipegate.service import paging
from swipegate.service.bell import Bell
from swipegate.service.clock import Clock
from swipegate.service.idempotency import Repeats, check_request_id
from swipegate.service.identifiers import new as new_identifier
from swipegate.service.replacement import (
    check_good,
    pin_context,
    replace_card,
    seal_pin,
    time_after,
    write_amendment,
)
from swipegate.service.sealing import Sealer
from swipegate.service.user_card_events import BELL_KEY, event_of, record
from swipegate.store import cards, user_card_events, user_cards, users
from swipegate.store.database import Database, T, Unit
from swipegate.v1 import error_pb2

REPLACE = "ReplaceCardIfExists"
UNDO = "UndoUserCardEvent"

UPDATABLE = frozenset({"activation_time", "deactivation_time", "card_user_flags", "pin"})


@dataclass(frozen=True, slots=True)
class UserCardUpdate:
    """New values of an assignment; only those that `changes` names count, and None takes one away."""

    user_card_id: str
    changes: Collection[str]
    """Of UPDATABLE."""
    activation_time: int | None = None
    deactivation_time: int | None = None
    card_user_flags: int = 0
    pin: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Stands:
    """How things stand after a call."""

    user_card: UserCard | None
    sequence: int
    """Of the event; 0 when nothing changed."""


class UserCards:
    """Assignments of cards to users."""

    def __init__(self, database: Database, sealer: Sealer, bell: Bell, clock: Clock) -> None:
        self._database = database
        self._sealer = sealer
        self._repeats = Repeats(sealer)
        self._bell = bell
        self._clock = clock

    async def replace(
        self,
        principal: Principal,
        command: ReplaceCard,
        request_id: str,
        body: bytes,
        encode: Callable[[ReplaceResult], bytes],
        *,
        validate_only: bool = False,
    ) -> bytes:
        """The encoded result, durable. `body` is the whole request, by which a repeat is recognised.

        Raises what the contract of ReplaceCardIfExists lists; then nothing has changed. With `validate_only` nothing
        changes either way.
        """
        command.check()
        check_request_id(request_id)

        def unit(connection: Connection) -> bytes:
            now = self._clock()
            return self._repeats.once(
                connection,
                principal,
                REPLACE,
                request_id,
                body,
                now,
                lambda: encode(replace_card(connection, self._sealer, principal, command, now)),
            )

        if validate_only:
            return await self._database.rehearse(unit)
        return await self._write(unit)

    async def remove(self, principal: Principal, user_card_id: str) -> Stands:
        """Take the card from its holder. Raises USER_CARD_NOT_FOUND."""
        key = canonical_uuid("user_card_id", user_card_id)

        def unit(connection: Connection) -> Stands:
            found = _demand(connection, key)
            if found.end_time is not None:
                return Stands(found, 0)
            card = _card_of(connection, found.card_id)
            now = time_after(card, self._clock())
            user_cards.end(connection, card.card_id, now)
            event = event_of(principal, EventKind.REMOVED, card, None, now)
            return Stands(replace(found, end_time=now), record(connection, card, event))

        return await self._write(unit)

    async def update(self, principal: Principal, update: UserCardUpdate) -> Stands:
        """Change dates, flags or PIN. Raises INVALID_FIELD, USER_CARD_NOT_FOUND, USER_CARD_ENDED."""
        key = canonical_uuid("user_card.user_card_id", update.user_card_id)
        if not update.changes or not UPDATABLE.issuperset(update.changes):
            raise invalid("update_mask", "must name what changes, and only what can")
        check_pin(update.pin)
        check_flags(update.card_user_flags)

        def unit(connection: Connection) -> Stands:
            found = _demand(connection, key)
            if found.end_time is not None:
                raise SwipegateError(error_pb2.ERROR_REASON_USER_CARD_ENDED, user_card_id=key)
            names = UPDATABLE.intersection(update.changes) - {"pin"}
            changed = replace(found, **{name: getattr(update, name) for name in names})
            check_window(changed.activation_time, changed.deactivation_time)
            pin_changed = "pin" in update.changes and (update.pin is not None or found.has_pin)
            if changed == found and not pin_changed:
                return Stands(found, 0)
            card = _card_of(connection, found.card_id)
            sealed = seal_pin(self._sealer, update.pin, key)
            now = time_after(card, self._clock())
            sequence = write_amendment(
                connection, principal, card, changed, now, sealed_pin=sealed, pin_changed=pin_changed
            )
            return Stands(_demand(connection, key), sequence)

        return await self._write(unit)

    async def undo(
        self,
        principal: Principal,
        sequence: int,
        request_id: str,
        body: bytes,
        encode: Callable[[Stands], bytes],
    ) -> bytes:
        """The encoded result of taking the event back. Raises what the contract of UndoUserCardEvent lists."""
        check_request_id(request_id)
        if not sequence:
            raise invalid("sequence", "required")

        def unit(connection: Connection) -> bytes:
            now = self._clock()
            return self._repeats.once(
                connection,
                principal,
                UNDO,
                request_id,
                body,
                now,
                lambda: encode(self._undo(connection, principal, sequence, now)),
            )

        return await self._write(unit)

    def _undo(self, connection: Connection, principal: Principal, sequence: int, now: int) -> Stands:
        event = user_card_events.by_sequence(connection, sequence) if sequence <= MAX_INT64 else None
        if event is None:
            raise SwipegateError(error_pb2.ERROR_REASON_USER_CARD_EVENT_NOT_FOUND, sequence=sequence)
        if event.kind not in UNDOABLE:
            raise SwipegateError(
                error_pb2.ERROR_REASON_NOT_UNDOABLE, sequence=sequence, kind=event.kind.value
            )
        last = user_card_events.last_of_card(connection, event.card_id)
        if last != sequence:
            raise SwipegateError(
                error_pb2.ERROR_REASON_CARD_CHANGED_SINCE,
                card_id=event.card_id,
                sequence=sequence,
                last_sequence=last,
            )
        card = _card_of(connection, event.card_id)
        now = time_after(card, now)
        if event.kind is EventKind.UPDATED:
            return self._undo_update(connection, principal, card, event, now)
        return self._undo_move(connection, principal, card, event, now)

    def _undo_update(
        self, connection: Connection, principal: Principal, card: Card, event: UserCardEvent, now: int
    ) -> Stands:
        assert event.before is not None
        made = write_amendment(
            connection,
            principal,
            card,
            event.before,
            now,
            sealed_pin=event.sealed_pin_before,
            pin_changed=event.pin_changed,
            undid_sequence=event.sequence,
        )
        return Stands(event.before, made)

    def _undo_move(
        self, connection: Connection, principal: Principal, card: Card, event: UserCardEvent, now: int
    ) -> Stands:
        """The holder before, if there was one, holds the card again."""
        before, restored = event.before, None
        if card.holding is not None:
            user_cards.end(connection, card.card_id, now)
        if before is not None:
            check_good(card)
            if users.by_id(connection, before.user_id) is None:
                raise SwipegateError(error_pb2.ERROR_REASON_USER_NOT_FOUND, user_id=before.user_id)
            restored = replace(before, user_card_id=new_identifier(now), start_time=now, end_time=None)
            pin = self._resealed(connection, before.user_card_id, restored.user_card_id)
            user_cards.assign(connection, restored, pin)
        kind = _KIND[card.holding is not None, restored is not None]
        made = event_of(
            principal,
            kind,
            card,
            restored,
            now,
            pin_changed=restored is not None and restored.has_pin,
            undid_sequence=event.sequence,
        )
        return Stands(restored, record(connection, card, made))

    def _resealed(self, connection: Connection, old: str, new: str) -> bytes | None:
        """The PIN of an ended assignment, sealed for another one."""
        sealed = user_cards.sealed_pin(connection, old)
        if sealed is None:
            return None
        return self._sealer.seal(self._sealer.unseal(sealed, pin_context(old)), pin_context(new))

    async def get(self, user_card_id: str) -> UserCard:
        """The assignment. Raises USER_CARD_NOT_FOUND."""
        key = canonical_uuid("user_card_id", user_card_id)
        return await self._database.read(lambda connection: _demand(connection, key))

    async def page(
        self,
        *,
        user_id: str | None,
        card_id: str | None,
        as_of: int | None,
        include_ended: bool,
        page_size: int,
        page_token: str,
    ) -> tuple[list[UserCard], str, int]:
        """A page of assignments, the next page's token, and the last event that the page knows of."""
        if user_id is None and card_id is None:
            raise invalid("user_id", "required where card_id is not given")
        if as_of is not None and include_ended:
            raise invalid("include_ended", "must not be set together with as_of")
        size, after = paging.size(page_size), paging.row_of(page_token) or 0

        def unit(connection: Connection) -> tuple[list[tuple[int, UserCard]], int]:
            rows = user_cards.page(
                connection,
                user_id=user_id,
                card_id=card_id,
                as_of=as_of,
                include_ended=include_ended,
                after=after,
                size=size + 1,
            )
            return rows, user_card_events.last(connection)

        rows, last = await self._database.read(unit)
        return *paging.cut(rows, size), last

    async def _write(self, unit: Unit[T]) -> T:
        value = await self._database.write(unit)
        self._bell.ring(BELL_KEY)
        return value


_KIND = {
    (True, True): EventKind.REPLACED,
    (True, False): EventKind.REMOVED,
    (False, True): EventKind.ASSIGNED,
}
"""Whether somebody held the card, and whether somebody holds it."""


def _demand(connection: Connection, key: str) -> UserCard:
    found = user_cards.by_id(connection, key)
    if found is None:
        raise SwipegateError(error_pb2.ERROR_REASON_USER_CARD_NOT_FOUND, user_card_id=key)
    return found


def _card_of(connection: Connection, card_id: str) -> Card:
    card = cards.by_id(connection, card_id)
    assert card is not None  # a foreign key
    return card
