"""What all drivers of a motorised reader with a handshake share: a command that waits for a person."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import ClassVar

from swipegate.devices.drivers import handshake_device
from swipegate.devices.drivers.handshake_device import HandshakeDevice, broken
from swipegate.devices.drivers.motorised import CardSource, MotorisedReader
from swipegate.devices.drivers.serial_reader import ReadUnderWay
from swipegate.devices.protocols.handshake import Acknowledged, Answered, Broken, HandshakeHost, HostEvent


class HandshakeReader(HandshakeDevice, MotorisedReader[HandshakeHost, HostEvent]):
    """A motorised reader whose protocol is a HandshakeHost."""

    forbids_entry: ClassVar[bytes]
    """The command that forbids entry."""

    def _post_stop(self) -> None:
        exchange, protocol = self._next_exchange(), self._protocol
        self._link.post(lambda now: protocol.cancel(exchange, now))
        self._link.post(lambda now: protocol.request(self.forbids_entry, exchange, now))

    async def _await_response(
        self, command: bytes, read: ReadUnderWay, deadline: float, on_taken: Callable[[], None]
    ) -> bytearray | None:
        """The response to a command that waits for a person; None where the read was cancelled or expired first.

        Then the device has proven that it gave the command up. `on_taken` is called as it takes the command.
        """
        waiting = max(0.0, deadline - time.monotonic())
        within = waiting + handshake_device.MOVEMENT_TIME  # the deadline is kept here; the way in is after it
        exchange = await self._begin(command, within, repeatable=False)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(waiting):
                while (event := await self._next_event_or_cancel(read, within)) is not None:
                    if isinstance(event, Answered):
                        self._answered_at = time.monotonic()
                        return event.text
                    if isinstance(event, Broken):
                        raise broken(event)
                    on_taken()
        read.disarming = True
        text = await self._give_up(exchange)
        read.disarming = text is None  # else the card was faster
        return text

    async def _await_fed(self, command: bytes, source: CardSource) -> bytearray:
        """The response to a command that waits for the card that a source feeds."""
        within = handshake_device.MOVEMENT_TIME
        await self._begin(command, within, repeatable=False)
        event = await self._next_event(self.dialect.tries * self.dialect.ack_timeout)
        if isinstance(event, Acknowledged):
            await source.feed()
            event = await self._outcome(within)
        if isinstance(event, Answered):
            return event.text
        raise broken(event)
