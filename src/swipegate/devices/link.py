"""One serial port and the one thread that owns it.

The thread alone touches the port and the protocol on it. It reads in short slices, feeds the protocol with
bytes and the monotonic clock, and hands its events to the event loop; the event loop hands it jobs. Both ways
are bounded.
"""

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from swipegate.devices.errors import DeviceError, LinkLost, Reason, SettingsError
from swipegate.devices.line import LineSettings
from swipegate.devices.port import PORT_GONE, WRITE_TIMEOUT, Port, WriteTimedOut, explain
from swipegate.devices.protocols.base import Protocol

# How often the protocol is told the time though nothing comes, seconds.
READ_SLICE = 0.1
# Bytes that may wait in front of a request before the line counts as babbling.
DRAIN_BYTES_MAX = 65536
# Jobs and events that may wait.
JOBS_MAX = 16
EVENTS_MAX = 64
# How long the owner thread may take for what it does at once, seconds.
THREAD_SLACK = 2.0
# Schemes that write every byte, card data included, to a log or file in the clear.
TRACING_SCHEME = "spy://"

E = TypeVar("E")
logger = logging.getLogger(__name__)


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

    def __init__(self, url: str, line: LineSettings, protocol: Protocol[E]) -> None:
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
        self._port: Port | None = None
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
            if self._port is not None:
                self._port.wake()

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
            port = Port(self.url, self._line)
        except PORT_GONE as error:
            self._tell(self._on_opened, DeviceError(Reason.PORT_OPEN, explain(self.url, error)))
            self._tell(self._on_finished, None)
            return
        with self._wake_lock:
            self._port = port
        self._tell(self._on_opened, None)
        try:
            self._serve(port)
        except DeviceError as error:
            failure = error
        except PORT_GONE as error:
            failure = LinkLost(explain(self.url, error))
        finally:
            with self._wake_lock:  # from here on nobody may touch the port's descriptors
                self._port = None
            port.close()
            self._protocol.wipe()
            self._refuse_jobs(failure or LinkLost("the port is closed"))
            self._tell(self._on_finished, failure)

    def _serve(self, port: Port) -> None:
        while not (self._closing.is_set() and self._jobs.empty()) and not self._loop.is_closed():
            with contextlib.suppress(queue.Empty):
                for _ in range(JOBS_MAX):
                    self._do(port, self._jobs.get_nowait())
            self._take_slice(port)

    def _do(self, port: Port, job: _Job) -> None:
        try:
            self._drain(port)
            data = job.build(time.monotonic())
            if data:
                self._write(port, data)
        except DeviceError as error:
            self._tell(self._on_sent, job, error)
        except PORT_GONE as error:
            self._tell(self._on_sent, job, LinkLost(explain(self.url, error)))
            raise
        else:
            self._tell(self._on_sent, job, None)

    def _write(self, port: Port, data: bytes) -> None:
        try:
            port.write(data)
        except WriteTimedOut:
            self._protocol.wipe()
            raise DeviceError(Reason.DESYNC, "a write timed out and may be half done") from None

    def _drain(self, port: Port) -> None:
        drained = 0
        while chunk := port.read():
            drained += len(chunk)
            if drained > DRAIN_BYTES_MAX:
                raise DeviceError(Reason.DESYNC, f"over {DRAIN_BYTES_MAX} bytes came unasked")
            self._feed(port, chunk)

    def _take_slice(self, port: Port) -> None:
        port.wait(READ_SLICE)
        self._feed(port, port.read())

    def _feed(self, port: Port, chunk: bytes) -> None:
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
