"""Hints that something changed. A hint may be lost or come for nothing: whoever waits looks again in time."""

import asyncio
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

MAX_LISTENERS = 20_000
"""Waiting at the same time: watchers, device workers."""


class Listener:
    """One who waits for a key."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    async def wait(self, timeout: float) -> None:  # noqa: ASYNC109 - a bound on waiting is the point
        """Return at the next ring, at once if it rang since the last wait, or after `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._rung.wait()
        except TimeoutError:
            pass
        self._rung.clear()

    def ring(self) -> None:
        """Wake the waiter."""
        self._rung.set()


class Bell:
    """Listeners by key. Thread-safety: belongs to the event loop."""

    def __init__(self) -> None:
        self._listeners: dict[Hashable, set[Listener]] = {}
        self.count = 0
        self._closing = asyncio.Event()

    @property
    def closed(self) -> bool:
        """Whether the server shuts down: what waits for or serves a stream should end."""
        return self._closing.is_set()

    def close(self) -> None:
        """Have everybody look, and see that the server shuts down."""
        self._closing.set()
        self.ring_all()

    async def until_closed(self) -> None:
        """Return when the server shuts down."""
        await self._closing.wait()

    def ring(self, *keys: Hashable) -> None:
        """Wake whoever listens to one of the keys."""
        for key in keys:
            for listener in self._listeners.get(key, ()):
                listener.ring()

    def ring_all(self) -> None:
        """Wake everybody."""
        self.ring(*self._listeners)

    @contextmanager
    def listen(self, key: Hashable) -> Iterator[Listener]:
        """A listener to the key for the time of the block."""
        listener = Listener()
        self._listeners.setdefault(key, set()).add(listener)
        self.count += 1
        try:
            yield listener
        finally:
            self.count -= 1
            others = self._listeners[key]
            others.discard(listener)
            if not others:
                del self._listeners[key]
