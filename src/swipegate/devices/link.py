"""One serial port and the one thread that owns it.

The thread alone touches the port and the protocol on it. It reads in short slices, feeds the protocol with
bytes and the monotonic clock, and hands its events to the event loop; the event loop hands it jobs. Both ways
are bounded.
"""

import asyncio
import contextlib
import logging
import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import serial

from swipegate.devices.errors import DeviceError, LinkLost, Reason, SettingsError
from swipegate.devices.protocols.base import Protocol as WireProtocol

try:
    from termios import error as TermiosError
except ImportError:  # Windows has no termios, and its ports raise OSError alone

    class TermiosError(Exception):  # type: ignore[no-redef]
        """Never raised."""


# How long one read may block the owner thread, seconds: where the thread can be woken, and where it cannot.
READ_SLICE = 0.1
READ_SLICE_UNWAKEABLE = 0.02
# How long a write may take before the link counts as desynchronised, seconds.
WRITE_TIMEOUT = 1.0
# Bytes taken in one go, and bytes that may wait in front of a request before the line counts as babbling.
READ_CHUNK = 4096
DRAIN_BYTES_MAX = 65536
# Jobs and events that may wait.
JOBS_MAX = 16
EVENTS_MAX = 64
# How long the owner thread may take for what it does at once, seconds.
THREAD_SLACK = 2.0
# Schemes that write every byte, card data included, to a log or file in the clear.
TRACING_SCHEME = "spy://"

# What pyserial raises when a port goes away; TypeError, AttributeError and ValueError come from close races.
PORT_GONE = (OSError, TermiosError, TypeError, AttributeError, ValueError)

E = TypeVar("E")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LineSettings:
    """How a serial line is set."""

    baud_rate: int = 9600
    """Bits a second."""
    data_bits: int = 8
    """5 to 8."""
    parity: str = "N"
    """N none, E even, O odd."""
    stop_bits: int = 1
    """1 or 2."""
    hardware_flow: bool = False
    """RTS and CTS."""
    trace_card_data: bool = False
    """Allow spy:// ports, which write card data in the clear."""

    def __post_init__(self) -> None:
        if not 50 <= self.baud_rate <= 4_000_000:
            raise SettingsError("baud_rate", f"{self.baud_rate} is not 50 to 4000000")
        if self.data_bits not in (5, 6, 7, 8):
            raise SettingsError("data_bits", f"{self.data_bits} is not 5 to 8")
        if self.parity not in ("N", "E", "O"):
            raise SettingsError("parity", "is not N, E or O")
        if self.stop_bits not in (1, 2):
            raise SettingsError("stop_bits", f"{self.stop_bits} is not 1 or 2")


class _Port(Protocol):
    """What is used of a pyserial port."""

    @property
    def in_waiting(self) -> int: ...
    def read(self, size: int = ..., /) -> bytes: ...
    def write(self, data: bytes, /) -> int | None: ...
    def reset_output_buffer(self) -> None: ...
    def close(self) -> None: ...


@dataclass(slots=True)
class _Job:
    """Something to send: `build` runs in the owner thread and gives the bytes."""

    build: Callable[[float], bytes]
    sent: "asyncio.Future[None] | None"


class Link(Generic[E]):
    """A port with a protocol on it.

    Thread-safety: all methods belong to the event loop in which `open` was awaited. A closed or lost link
    stays so; make a new one.
    """

    def __init__(self, url: str, line: LineSettings, protocol: WireProtocol[E]) -> None:
        if url.lower().startswith(TRACING_SCHEME) and not line.trace_card_data:
            raise SettingsError("url", "spy:// writes card data in the clear; it needs trace_card_data")
        self.url = url
        self._line = line
        self._protocol = protocol
        self._jobs: queue.Queue[_Job] = queue.Queue(JOBS_MAX)
        self._events: asyncio.Queue[E | None] = asyncio.Queue(EVENTS_MAX)
        self._failure: DeviceError | None = None
        self._closing = threading.Event()
        self._wake_lock = threading.Lock()
        self._wake: Callable[[], None] | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop
        self._opened: asyncio.Future[None]
        self._finished: asyncio.Future[None]

    @property
    def alive(self) -> bool:
        """Whether the port is open and well."""
        return self._thread is not None and self._failure is None and not self._closing.is_set()

    async def open(self, within: float) -> None:
        """Open the port exclusively.

        :raises DeviceError: PORT_OPEN: it is missing, taken, refused, or not open within `within` seconds.
        """
        if self._thread is not None:
            raise RuntimeError("a link is opened once")
        self._loop = asyncio.get_running_loop()
        self._opened, self._finished = self._loop.create_future(), self._loop.create_future()
        self._thread = threading.Thread(target=self._own, name=f"swipegate-link {self.url}", daemon=True)
        self._thread.start()
        try:
            async with asyncio.timeout(within):
                await self._opened
        except TimeoutError:
            self._closing.set()
            self._failure = DeviceError(Reason.PORT_OPEN, f"{self.url} did not open within {within:g} s")
            raise self._failure.again() from None
        except BaseException:
            self._closing.set()
            raise

    async def send(self, build: Callable[[float], bytes]) -> None:
        """Send what `build` makes of the protocol, in the owner thread, at the monotonic time it is given.

        All that came in before is given to the protocol first, so that it cannot pass for an answer.

        :raises DeviceError: LINK_LOST; DESYNC: the line babbles, or the write timed out and may be half done.
        """
        sent: asyncio.Future[None] = self._loop.create_future()
        self.post(build, sent)
        try:
            async with asyncio.timeout(WRITE_TIMEOUT + THREAD_SLACK):
                await sent
        except TimeoutError:
            raise self._fail(LinkLost("the port takes no bytes")) from None

    def post(self, build: Callable[[float], bytes], sent: "asyncio.Future[None] | None" = None) -> None:
        """As send, without waiting; for what must be tried on the way out.

        :raises DeviceError: LINK_LOST; DESYNC: too many jobs wait.
        """
        self._raise_if_lost()
        try:
            self._jobs.put_nowait(_Job(build, sent))
        except queue.Full:
            raise DeviceError(Reason.DESYNC, f"over {JOBS_MAX} jobs wait for the port") from None
        self._wake_thread()

    async def next_event(self, within: float) -> E:
        """The next event of the protocol.

        The protocol's own time-outs are events too, so `within` (seconds) only guards against a stuck port.

        :raises DeviceError: LINK_LOST; DESYNC: events were lost because nobody took them.
        """
        if self._events.empty():
            self._raise_if_lost()
        try:
            async with asyncio.timeout(within + THREAD_SLACK):
                event = await self._events.get()
        except TimeoutError:
            raise self._fail(LinkLost("the port's thread does not answer")) from None
        if event is None:
            self._raise_if_lost()
            raise LinkLost("the port is closed")
        return event

    async def close(self, within: float = THREAD_SLACK) -> None:
        """Close the port and end its thread, from any state; what was posted before is sent first."""
        self._closing.set()
        if self._thread is None:
            return
        self._wake_thread()
        try:
            async with asyncio.timeout(within):
                await asyncio.shield(self._finished)
        except TimeoutError:
            logger.warning("port %s is stuck in the operating system; its thread is left", self.url)
            return
        self._thread.join(within)
        while not self._events.empty():
            if (event := self._events.get_nowait()) is not None:
                self._protocol.discard(event)

    def _raise_if_lost(self) -> None:
        if self._failure is not None:
            raise self._failure.again()
        if self._thread is None or self._closing.is_set():
            raise LinkLost("the port is not open")

    def _fail(self, failure: DeviceError) -> DeviceError:
        if self._failure is None:
            self._failure = failure
        self._closing.set()
        self._wake_thread()
        return self._failure.again()

    def _wake_thread(self) -> None:
        with self._wake_lock:
            if self._wake is not None:
                with contextlib.suppress(*PORT_GONE):
                    self._wake()

    # In the event loop, called from the owner thread.

    def _deliver(self, events: list[E]) -> None:
        for event in events:
            try:
                self._events.put_nowait(event)
            except asyncio.QueueFull:
                self._fail(DeviceError(Reason.DESYNC, f"over {EVENTS_MAX} events wait"))
                return

    def _on_opened(self, failure: DeviceError | None) -> None:
        self._failure = self._failure or failure
        if not self._opened.done():
            if failure is None:
                self._opened.set_result(None)
            else:
                self._opened.set_exception(failure)
                self._opened.exception()  # seen, even when nobody waits any more

    def _on_sent(self, job: _Job, failure: DeviceError | None) -> None:
        if isinstance(failure, LinkLost):
            # Known before the thread ends, so that nobody tries the dying link again.
            self._failure = self._failure or failure
        if job.sent is None or job.sent.done():
            return
        if failure is None:
            job.sent.set_result(None)
        else:
            job.sent.set_exception(failure)
            job.sent.exception()

    def _on_finished(self, failure: DeviceError | None) -> None:
        self._failure = self._failure or failure
        with contextlib.suppress(asyncio.QueueFull):
            self._events.put_nowait(None)
        self._finished.set_result(None)

    # In the owner thread.

    def _tell(self, callback: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:  # the loop is closed: nobody listens any more
            self._closing.set()

    def _own(self) -> None:
        failure: DeviceError | None = None
        try:
            port = _open_port(self.url, self._line)
        except PORT_GONE as error:
            self._tell(self._on_opened, DeviceError(Reason.PORT_OPEN, _explain(self.url, error)))
            self._tell(self._on_finished, None)
            return
        cancel_read = getattr(port, "cancel_read", None)
        with self._wake_lock:
            self._wake = cancel_read
        self._tell(self._on_opened, None)
        try:
            self._serve(port)
        except DeviceError as error:
            failure = error
        except PORT_GONE as error:
            failure = LinkLost(_explain(self.url, error))
        finally:
            with self._wake_lock:  # from here on nobody may touch the port's descriptors
                self._wake = None
            _close_port(port)
            self._protocol.wipe()
            self._refuse_jobs(failure or LinkLost("the port is closed"))
            self._tell(self._on_finished, failure)

    def _serve(self, port: _Port) -> None:
        while not (self._closing.is_set() and self._jobs.empty()) and not self._loop.is_closed():
            with contextlib.suppress(queue.Empty):
                for _ in range(JOBS_MAX):
                    self._do(port, self._jobs.get_nowait())
            self._take_slice(port)

    def _do(self, port: _Port, job: _Job) -> None:
        try:
            self._drain(port)
            data = job.build(time.monotonic())
            if data:
                self._write(port, data)
        except DeviceError as error:
            self._tell(self._on_sent, job, error)
        except PORT_GONE as error:
            self._tell(self._on_sent, job, LinkLost(_explain(self.url, error)))
            raise
        else:
            self._tell(self._on_sent, job, None)

    def _write(self, port: _Port, data: bytes) -> None:
        try:
            port.write(data)
        except serial.SerialTimeoutException:
            port.reset_output_buffer()
            self._protocol.wipe()
            raise DeviceError(Reason.DESYNC, "a write timed out and may be half done") from None

    def _drain(self, port: _Port) -> None:
        drained = 0
        while port.in_waiting:
            chunk = port.read(min(port.in_waiting, READ_CHUNK) or 1)
            drained += len(chunk)
            if drained > DRAIN_BYTES_MAX:
                raise DeviceError(Reason.DESYNC, f"over {DRAIN_BYTES_MAX} bytes came unasked")
            self._feed(port, chunk)

    def _take_slice(self, port: _Port) -> None:
        chunk = port.read(1)
        while chunk and len(chunk) < READ_CHUNK and (waiting := port.in_waiting):
            chunk += port.read(min(waiting, READ_CHUNK - len(chunk)))
        self._feed(port, chunk)

    def _feed(self, port: _Port, chunk: bytes) -> None:
        now = time.monotonic()
        events = self._protocol.receive(chunk, now) if chunk else []
        events += self._protocol.tick(now)
        if answer := self._protocol.to_send():  # before anybody acts on the events
            self._write(port, answer)
        if events:
            self._tell(self._deliver, events)

    def _refuse_jobs(self, failure: DeviceError) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._tell(self._on_sent, self._jobs.get_nowait(), failure.again())


def _open_port(url: str, line: LineSettings) -> _Port:
    port = serial.serial_for_url(
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
    # Set once, before the port is open: on a pseudo-terminal with parity a later change fails.
    port.timeout = READ_SLICE if hasattr(port, "cancel_read") else READ_SLICE_UNWAKEABLE
    port.open()
    return port


def _close_port(port: _Port) -> None:
    # A socket:// port whose peer is gone forgets its socket without closing it, and spy:// never closes its
    # file.
    trace = getattr(getattr(port, "formatter", None), "output", None)
    leftovers = [getattr(port, "_socket", None), None if trace is sys.stderr else trace]
    for end in (port, *leftovers):
        if end is not None:
            with contextlib.suppress(*PORT_GONE):
                end.close()


def _explain(url: str, error: BaseException) -> str:
    """The operating system's words; pyserial's texts hold no bytes of the line."""
    if isinstance(error, (OSError, TermiosError)):
        return f"{url}: {error}"
    return f"{url}: closed while in use ({type(error).__name__})"
