"""What all drivers of a reader on a serial line share: the link, one call at a time, and how a read is cancelled."""

import asyncio
import contextlib
import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from swipegate.devices.errors import DeviceError, ReadCancelled, Reason, SettingsError
from swipegate.devices.line import LineSettings
from swipegate.devices.link import Link
from swipegate.devices.protocols.base import Protocol as WireProtocol
from swipegate.devices.reader import (
    MESSAGE_CHARACTERS_MAX,
    CardReader,
    ProbeReport,
    ReadResult,
    ReadState,
)

OPEN_TIMEOUT = 6.0  # seconds; a socket:// port gives up by itself after 5


class ExchangeEvent(Protocol):
    """An event that tells to which exchange it belongs."""

    @property
    def exchange(self) -> int: ...


E = TypeVar("E", bound=ExchangeEvent)
P = TypeVar("P", bound=WireProtocol[Any])
StateReport = Callable[[ReadState], None]


@dataclass(slots=True)
class ReadUnderWay:
    """What a read and who cancels it tell each other."""

    cancel: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    disarming: bool = False
    """The device is being told to take no card: a failure from here on leaves the cancellation unproven."""
    cancelled: bool = False
    failure: DeviceError | None = None


class SerialReader(CardReader, Generic[P, E]):
    """One device on one port, by a protocol P without I/O that gives events E."""

    def __init__(self, url: str, line: LineSettings | None) -> None:
        self._url = url
        self._line_settings = line or self.line
        self._protocol, self._link = self._new_link()  # a wrong URL is told now, not at the first read
        self._link_used = False
        self._exchange = 0
        self._busy = asyncio.Lock()
        self._read: ReadUnderWay | None = None
        self._closed = False

    @abstractmethod
    def _new_protocol(self) -> P:
        """The host's end of the wire, afresh."""

    @abstractmethod
    async def _read_card(self, read: ReadUnderWay, deadline: float, on_state: StateReport) -> ReadResult:
        """One read, as CardReader.read; the port may still have to be opened."""

    @abstractmethod
    async def _probe(self) -> ProbeReport:
        """As CardReader.probe, on an open port."""

    async def open(self) -> None:
        self._closed = False
        await self._ensure_open()

    async def read(self, message: str, *, deadline: float, on_state: StateReport) -> ReadResult:
        if len(message) > MESSAGE_CHARACTERS_MAX:
            raise SettingsError("message", f"is over {MESSAGE_CHARACTERS_MAX} characters")
        if not math.isfinite(deadline):
            raise SettingsError("deadline", "is no time")
        self._refuse_if_busy()
        async with self._busy:
            self._read = ReadUnderWay()
            try:
                return await self._read_card(self._read, deadline, on_state)
            except ReadCancelled:
                self._read.cancelled = True
                raise
            except DeviceError as error:
                self._read.failure = error
                raise
            finally:
                self._read.ended.set()
                self._read = None

    async def cancel(self) -> bool:
        read = self._read
        if read is None:
            await self.probe()
            return True
        read.cancel.set()
        await read.ended.wait()
        if read.failure is not None and read.disarming:
            raise read.failure.again()
        return read.cancelled

    async def probe(self) -> ProbeReport:
        self._refuse_if_busy()
        async with self._busy:
            await self._ensure_open()
            return await self._probe()

    async def close(self) -> None:
        self._closed = True
        if (read := self._read) is not None:
            read.cancel.set()
            with contextlib.suppress(TimeoutError):  # then the link goes now, and the read with it
                async with asyncio.timeout(self.settle_time):
                    await read.ended.wait()
        await self._link.close()

    async def _ensure_open(self) -> bool:
        """Open the port if it is not; True when it was opened anew."""
        if self._closed:
            raise DeviceError(Reason.PORT_OPEN, "the reader is closed")
        if self._link.alive:
            return False
        if self._link_used:
            await self._link.close()
            self._protocol, self._link = self._new_link()
        self._link_used = True
        await self._link.open(OPEN_TIMEOUT)
        return True

    def _new_link(self) -> tuple[P, Link[E]]:
        protocol = self._new_protocol()
        return protocol, Link(self._url, self._line_settings, protocol)

    def _refuse_if_busy(self) -> None:
        if self._busy.locked():
            raise DeviceError(Reason.DEVICE_BUSY, "another call is under way on this reader")

    def _next_exchange(self) -> int:
        self._exchange += 1
        return self._exchange

    async def _next_event(self, within: float) -> E:
        """The next event of the present exchange; what belongs to an older one is wiped.

        :raises DeviceError: as Link.next_event.
        """
        while True:
            event = await self._link.next_event(within)
            if event.exchange == self._exchange:
                return event
            self._protocol.discard(event)

    async def _next_event_or_cancel(self, read: ReadUnderWay, within: float) -> E | None:
        """As _next_event, or None once the read is cancelled; what the device said first wins."""
        taking = asyncio.ensure_future(self._next_event(within))
        cancelling = asyncio.ensure_future(read.cancel.wait())
        try:
            await asyncio.wait({taking, cancelling}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            cancelling.cancel()
            taking.cancel()
            await asyncio.wait({taking, cancelling})
            if not taking.cancelled():
                taking.exception()  # seen, even when this task was cancelled
        return None if taking.cancelled() else taking.result()
