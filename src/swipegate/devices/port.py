"""A serial port as its one thread uses it, over pyserial."""

import contextlib
import os
import select
import socket
import sys
from typing import Any

import serial
from serial.urlhandler.protocol_socket import Serial as SocketPort

from swipegate.devices.line import LineSettings

try:
    from termios import error as TermiosError
except ImportError:  # Windows has no termios, and its ports raise OSError alone

    class TermiosError(Exception):  # type: ignore[no-redef]
        """Never raised."""


# How long a write may take, seconds.
WRITE_TIMEOUT = 1.0
# How long a read may block where the operating system cannot wait for the port and for a call at once, seconds.
BLIND_SLICE = 0.02
# Bytes taken in one go.
READ_CHUNK = 4096

# What pyserial raises when a port goes away; TypeError, AttributeError and ValueError come from close races.
PORT_GONE = (OSError, TermiosError, TypeError, AttributeError, ValueError)
WriteTimedOut = serial.SerialTimeoutException


class Port:
    """An open port.

    Thread-safety: one thread owns it; `wake` may be called from any thread until `close` is.
    """

    def __init__(self, url: str, line: LineSettings) -> None:
        """Open a port exclusively; raises what is in PORT_GONE."""
        self._serial: Any = serial.serial_for_url(
            url,
            do_not_open=True,
            baudrate=line.baud_rate,
            bytesize=line.data_bits,
            parity=line.parity,
            stopbits=line.stop_bits,
            rtscts=line.hardware_flow,
            write_timeout=WRITE_TIMEOUT,
            exclusive=True,
        )
        self._selectable = os.name == "posix" and isinstance(self._serial, serial.Serial | SocketPort)
        # Set once, before the port is open: on a pseudo-terminal with parity a later change fails.
        self._serial.timeout = 0 if self._selectable else BLIND_SLICE
        self._serial.open()
        if (peer := getattr(self._serial, "_socket", None)) is not None:
            # an ACK and the command after it are two small writes
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._bell = os.pipe()
        os.set_blocking(self._bell[1], False)

    def wait(self, seconds: float) -> None:
        """Return when bytes are there, on `wake`, or after `seconds`; at once where the port cannot tell."""
        if not self._selectable:
            return  # read itself waits a little
        bell = self._bell[0]
        readable, _, _ = select.select([self._serial.fileno(), bell], [], [], seconds)
        if bell in readable:
            os.read(bell, READ_CHUNK)

    def wake(self) -> None:
        """End a `wait`, now or the next."""
        with contextlib.suppress(BlockingIOError):  # it is awake many times over
            os.write(self._bell[1], b"w")

    def read(self) -> bytes:
        """The bytes that are there, at most READ_CHUNK."""
        return bytes(self._serial.read(READ_CHUNK if self._selectable else self._serial.in_waiting or 1))

    def write(self, data: bytes) -> None:
        """Write it all.

        :raises WriteTimedOut: it took too long; how much is written nobody knows, and what waits is dropped.
        """
        try:
            self._serial.write(data)
        except WriteTimedOut:
            self._serial.reset_output_buffer()
            raise

    def close(self) -> None:
        """Close it, whatever is left of it."""
        # A socket:// port whose peer is gone forgets its socket without closing it, and spy:// never closes its
        # file.
        trace = getattr(getattr(self._serial, "formatter", None), "output", None)
        leftovers: list[Any] = [
            getattr(self._serial, "_socket", None),
            None if trace is sys.stderr else trace,
        ]
        for end in (self._serial, *leftovers):
            if end is not None:
                with contextlib.suppress(*PORT_GONE):
                    end.close()
        for descriptor in self._bell:
            os.close(descriptor)


def explain(url: str, error: BaseException) -> str:
    """The operating system's words; pyserial's texts hold no bytes of the line."""
    if isinstance(error, OSError | TermiosError):
        return f"{url}: {error}"
    return f"{url}: closed while in use ({type(error).__name__})"
