"""What all drivers of a device on a serial line share: the link, one call at a time, and whose event is whose."""

import asyncio
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from swipegate.devices.errors import DeviceError, Reason
from swipegate.devices.line import LineSettings
from swipegate.devices.link import Link
from swipegate.devices.protocols.base import Protocol as WireProtocol

OPEN_TIMEOUT = 6.0  # seconds; a socket:// port gives up by itself after 5


class ExchangeEvent(Protocol):
    """An event that tells to which exchange it belongs."""

    @property
    def exchange(self) -> int: ...


E = TypeVar("E", bound=ExchangeEvent)
P = TypeVar("P", bound=WireProtocol[Any])


class SerialDevice(ABC, Generic[P, E]):
    """One device on one port, by a protocol P without I/O that gives events E."""

    line: ClassVar[LineSettings]

    def __init__(self, url: str, line: LineSettings | None) -> None:
        self._url = url
        self._line_settings = line or self.line
        self._protocol, self._link = self._new_link()  # a wrong URL is told now, not at the first use
        self._link_used = False
        self._exchange = 0
        self._busy = asyncio.Lock()
        self._closed = False

    @abstractmethod
    def _new_protocol(self) -> P:
        """The host's end of the wire, afresh."""

    async def open(self) -> None:
        self._closed = False
        await self._ensure_open()

    async def close(self) -> None:
        self._closed = True
        await self._link.close()

    async def _ensure_open(self) -> bool:
        """Open the port if it is not; True when it was opened anew."""
        if self._closed:
            raise DeviceError(Reason.PORT_OPEN, "the device is closed")
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
            raise DeviceError(Reason.DEVICE_BUSY, "another call is under way on this device")

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
