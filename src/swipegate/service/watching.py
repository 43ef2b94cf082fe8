"""Following one thing to its end, event by event."""

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from typing import Protocol, TypeVar

from swipegate.domain.errors import SwipegateError, invalid
from swipegate.service.bell import MAX_LISTENERS, Bell
from swipegate.v1 import error_pb2

WATCH_POLL = 1.0
"""Seconds after which a watcher looks again though no bell rang."""
WATCH_BATCH = 100
"""Events read at a time."""


class Snapshot(Protocol):
    """The thing as it stood after one of its events."""

    @property
    def sequence(self) -> int:
        """Of that event."""

    @property
    def live(self) -> bool:
        """Whether it could still change."""


S = TypeVar("S", bound=Snapshot)


def check_room(bell: Bell) -> None:
    """Raise OVERLOADED where one watcher more would be too many."""
    if bell.count >= MAX_LISTENERS:
        raise SwipegateError(
            error_pb2.ERROR_REASON_OVERLOADED, what="the list of watchers", bound=MAX_LISTENERS
        )


async def watched(
    bell: Bell,
    key: Hashable,
    after: int,
    get: Callable[[], Awaitable[S]],
    events: Callable[[int], Awaitable[Sequence[S]]],
) -> AsyncIterator[S]:
    """The present snapshot, or with `after` the events past it; then every event up to a terminal one.

    `get` gives the snapshot, `events` at most WATCH_BATCH snapshots after a sequence number, in order; what changes
    the thing rings `key`. Raises what `get` raises, INVALID_FIELD, OVERLOADED and SHUTTING_DOWN.
    """
    check_room(bell)
    with bell.listen(key) as listener:
        last = await get()
        if after > last.sequence:
            raise invalid("after_sequence", "is past the last event")
        if after == 0:
            yield last
            after = last.sequence
        while True:
            for snapshot in await events(after):
                yield snapshot
                after, last = snapshot.sequence, snapshot
            if not last.live and after >= last.sequence:
                return
            if bell.closed:
                raise SwipegateError(error_pb2.ERROR_REASON_SHUTTING_DOWN)
            await listener.wait(WATCH_POLL)
