"""What all drivers of a device with a handshake share: a command and its response."""

import asyncio
import time
from typing import ClassVar

from swipegate.devices.drivers.serial_device import SerialDevice
from swipegate.devices.errors import DeviceError
from swipegate.devices.protocols.framing import wipe
from swipegate.devices.protocols.handshake import Answered, Broken, Dialect, HandshakeHost, HostEvent, Stopped

# Seconds for the response to a question, and to a movement.
QUESTION_TIME = 2.0
MOVEMENT_TIME = 20.0


class HandshakeDevice(SerialDevice[HandshakeHost, HostEvent]):
    """A device whose protocol is a HandshakeHost."""

    dialect: ClassVar[Dialect]
    rest: ClassVar[float] = 0.0
    """Seconds that the device wants between a response and the next command."""
    _answered_at = 0.0

    def _new_protocol(self) -> HandshakeHost:
        return HandshakeHost(self.dialect)

    async def _ask(self, command: bytes) -> bytearray:
        """The response to a command that moves nothing, and so may be repeated."""
        return await self._exchange_texts(command, QUESTION_TIME, repeatable=True)

    async def _order(self, command: bytes) -> bytearray:
        """The response to a command that moves a card; it is sent once."""
        return await self._exchange_texts(command, MOVEMENT_TIME, repeatable=False)

    async def _exchange_texts(self, command: bytes, within: float, *, repeatable: bool) -> bytearray:
        await self._begin(command, within, repeatable=repeatable)
        event = await self._outcome(within)
        if isinstance(event, Answered):
            return event.text
        raise broken(event)

    async def _begin(self, command: bytes, within: float, *, repeatable: bool) -> int:
        """Send a command once the device has had its rest; the number of its exchange."""
        await asyncio.sleep(max(0.0, self._answered_at + self.rest - time.monotonic()))
        exchange, protocol = self._next_exchange(), self._protocol
        await self._link.send(
            lambda now: protocol.request(command, exchange, now, within=within, repeatable=repeatable)
        )
        return exchange

    async def _give_up(self, exchange: int) -> bytearray | None:
        """Have the command under way given up; its response where that was faster."""
        protocol = self._protocol
        await self._link.send(lambda now: protocol.cancel(exchange, now))
        event = await self._outcome(self.dialect.ack_timeout)
        if isinstance(event, Broken):
            raise broken(event)
        return event.text if isinstance(event, Answered) else None

    async def _interrupt(self) -> None:
        """Have the command under way given up, if there is one; the device proves that it is idle.

        :raises DeviceError: RESPONSE_TIMEOUT.
        """
        text = await self._give_up(self._next_exchange())
        if text is not None:
            wipe(text)

    async def _outcome(self, within: float) -> Answered | Stopped | Broken:
        """How the exchange ends; the protocol's own clock sees that it does."""
        guard = self.dialect.tries * (self.dialect.ack_timeout + within) + self.dialect.gap
        while True:
            event = await self._next_event(guard)
            if isinstance(event, Answered | Stopped | Broken):
                self._answered_at = time.monotonic()
                return event


def broken(event: HostEvent) -> DeviceError:
    """The error that an exchange without response stands for."""
    assert isinstance(event, Broken)
    return DeviceError(event.reason, event.detail)
