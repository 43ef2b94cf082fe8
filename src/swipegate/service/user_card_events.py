"""The one way by which a change of a card or its assignment becomes known: to auditors, watchers and the outbox."""

from collections.abc import AsyncIterator, Sequence

from sqlalchemy import Connection

from swipegate.domain.authority import Principal
from swipegate.domain.card import Card, CardStatus
from swipegate.domain.errors import SwipegateError, invalid
from swipegate.domain.user_card import EventKind, UserCard, UserCardEvent
from swipegate.service.bell import Bell
from swipegate.service.watching import WATCH_POLL, check_room
from swipegate.store import outbox, user_card_events
from swipegate.store.database import Database
from swipegate.v1 import error_pb2

BELL_KEY = "user_cards"
"""What rings when something was committed."""
WATCH_BATCH = 200
"""Events read at a time."""


def record(connection: Connection, card: Card, event: UserCardEvent) -> int:
    """Append the event, part of the transaction that makes the change to `card`, as it was; its sequence."""
    sequence = user_card_events.append(connection, event)
    if card.delivered:
        outbox.desire(connection, card.card_id, card.ac_system_id, sequence, event.time)
    return sequence


def record_all(connection: Connection, changes: Sequence[tuple[Card, UserCardEvent]]) -> None:
    """Append many events, each with its card, as `record` does one."""
    before = user_card_events.last(connection)
    user_card_events.append_all(connection, [event for _, event in changes])
    delivered = {card.card_id: (card, event.time) for card, event in changes if card.delivered}
    if delivered:
        sequences = user_card_events.last_of_cards(connection, before)
        outbox.desire_many(
            connection,
            [
                outbox.Desire(card_id, card.ac_system_id, sequences[card_id], time)
                for card_id, (card, time) in delivered.items()
            ],
        )


def event_of(
    principal: Principal,
    kind: EventKind,
    card: Card,
    after: UserCard | None,
    now: int,
    *,
    status_after: CardStatus | None = None,
    pin_changed: bool = False,
    sealed_pin_before: bytes | None = None,
    undid_sequence: int | None = None,
) -> UserCardEvent:
    """The event of a change to `card`, as it was."""
    return UserCardEvent(
        kind,
        card.card_id,
        card.holding,
        after,
        now,
        principal.subject,
        principal.client,
        status_before=card.status.value,
        status_after=(status_after or card.status).value,
        pin_changed=pin_changed,
        sealed_pin_before=sealed_pin_before,
        undid_sequence=undid_sequence,
    )


class UserCardEvents:
    """The stream of changes."""

    def __init__(self, database: Database, bell: Bell) -> None:
        self._database = database
        self._bell = bell

    async def watch(self, after: int) -> AsyncIterator[UserCardEvent]:
        """Every event past that number, each once and in order, as they are committed; ends with SHUTTING_DOWN."""
        check_room(self._bell)
        with self._bell.listen(BELL_KEY) as listener:
            if after > await self._database.read(user_card_events.last):
                raise invalid("after_sequence", "is past the last event")
            while True:
                events = await self._after(after)
                for event in events:
                    yield event
                    after = event.sequence
                if self._bell.closed:
                    raise SwipegateError(error_pb2.ERROR_REASON_SHUTTING_DOWN)
                if len(events) < WATCH_BATCH:
                    await listener.wait(WATCH_POLL)

    async def _after(self, sequence: int) -> list[UserCardEvent]:
        return await self._database.read(
            lambda connection: user_card_events.after(connection, sequence, WATCH_BATCH)
        )
