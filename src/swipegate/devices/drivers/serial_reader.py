"""What all drivers of a reader on a serial line share: one read at a time, and how it is cancelled."""

import asyncio
import contextlib
import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

from swipegate.devices.drivers.serial_device import E, P, SerialDevice
from swipegate.devices.errors import DeviceError, ReadCancelled, SettingsError
from swipegate.devices.line import LineSettings
from swipegate.devices.reader import (
    MESSAGE_CHARACTERS_MAX,
    CardReader,
    ProbeReport,
    ReadResult,
    ReadState,
)

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


class SerialReader(SerialDevice[P, E], CardReader):
    """One reader on one port, by a protocol P without I/O that gives events E."""

    def __init__(self, url: str, line: LineSettings | None) -> None:
        super().__init__(url, line)
        self._read: ReadUnderWay | None = None

    @abstractmethod
    async def _read_card(self, read: ReadUnderWay, deadline: float, on_state: StateReport) -> ReadResult:
        """One read, as CardReader.read; the port may still have to be opened."""

    @abstractmethod
    async def _probe(self) -> ProbeReport:
        """As CardReader.probe, on an open port."""

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
        await super().close()

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
