"""A driver that misbehaves as a test tells it to, because the real ones do not."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar, Self

from swipegate.devices.errors import ReadCancelled
from swipegate.devices.line import LineSettings
from swipegate.devices.reader import Capabilities, CardReader, ProbeReport, ReadResult, ReadState, TrackRead

PAN = "4111111111111111"  # a published test number
Reported = Callable[[ReadState], None]


class Script:
    """What the driver does; a test puts its own steps in."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.open: Callable[[], Awaitable[None]] = nothing
        self.read: Callable[[Reported], Awaitable[ReadResult]] = waits
        self.cancel: Callable[[], Awaitable[None]] = nothing
        self.probe: Callable[[], Awaitable[None]] = nothing
        self.close: Callable[[], Awaitable[None]] = nothing
        self.release: Callable[[], Awaitable[None]] = nothing
        self.accepted: list[bool] = []


async def nothing() -> None:
    """A step that is right."""


async def waits(on_state: Reported) -> ReadResult:
    """No card ever comes."""
    on_state(ReadState.DISPATCHED)
    on_state(ReadState.WAITING_FOR_CARD)
    await asyncio.Event().wait()
    raise AssertionError


def card() -> ReadResult:
    """A good card."""
    return ReadResult([TrackRead(2, text=bytearray(f";{PAN}=30121010000012300000?".encode()))], "30")


class ScriptedReader(CardReader):
    """Follows `script`, which a test sets anew."""

    capabilities: ClassVar = Capabilities(tracks=frozenset({2}))
    line: ClassVar = LineSettings()
    settle_time: ClassVar = 0.3
    script: ClassVar[Script] = Script()

    def __init__(self) -> None:
        self._reading: asyncio.Future[ReadResult] | None = None
        self._cancelled = False

    @classmethod
    def create(cls, url: str, settings: Mapping[str, Any], line: LineSettings | None = None) -> Self:
        return cls()

    async def open(self) -> None:
        self.script.calls.append("open")
        await self.script.open()

    async def read(self, message: str, *, deadline: float, on_state: Reported) -> ReadResult:
        self.script.calls.append("read")
        self._cancelled = False
        self._reading = asyncio.ensure_future(self.script.read(on_state))
        try:
            return await self._reading
        except asyncio.CancelledError:
            if self._cancelled:
                raise ReadCancelled from None
            raise
        finally:
            self._reading.cancel()

    async def release(self, *, accepted: bool) -> None:
        self.script.accepted.append(accepted)
        await self.script.release()

    async def cancel(self) -> bool:
        self.script.calls.append("cancel")
        await self.script.cancel()
        if self._reading is None or self._reading.done():
            return False
        self._cancelled = True
        return self._reading.cancel()

    async def probe(self) -> ProbeReport:
        self.script.calls.append("probe")
        await self.script.probe()
        return ProbeReport(card_inside=None)

    async def close(self) -> None:
        self.script.calls.append("close")
        await self.script.close()
