"""A simulated device: a thread at the far end of a pseudo-terminal or a TCP socket."""

import contextlib
import errno
import heapq
import itertools
import os
import select
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Self

from swipegate.devices.simulators.cards import SimulatedCard
from swipegate.devices.simulators.faults import HANG_UP, Fault, Piece

# How long the thread sleeps when nothing happens, and how long it may take to end, seconds.
IDLE_SLICE = 0.05
STOP_TIMEOUT = 5.0
READ_CHUNK = 4096
# Pieces that may wait to be sent; what comes over it is lost.
OUTBOX_MAX = 65536


class Simulator(ABC):
    """A context-managed device; on leaving, its thread and descriptors are gone.

    `wire` is `pty` (POSIX only) or `tcp`. With `path`, a symbolic link at that path leads to the pseudo-
    terminal, as /dev/serial/by-id does, and still does so after a replug. `listen` is a socket's host and port;
    port 0 is any that is free.

    Thread-safety: public methods may be called from any thread.
    """

    def __init__(
        self,
        wire: Literal["pty", "tcp"] = "pty",
        *,
        path: Path | None = None,
        listen: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        self._wire: _Wire = _PtyWire(path) if wire == "pty" else _TcpWire(*listen)
        self._lock = threading.RLock()
        self._tasks: list[Callable[[], None]] = []
        self._outbox: list[tuple[float, int, bytes]] = []
        self._order = itertools.count()
        self._faults: dict[str, list[Fault]] = {}
        self.pace = 0.0
        """Seconds that a byte takes on the line, either way; a pseudo-terminal or socket has no time of its own."""
        self.carried = 0
        """Bytes that the line carried, both ways."""
        self.late = 0.0
        """Seconds by which it said things later than it meant to, in all: its own slowness, not a host's."""
        self._line_free = 0.0
        self._stopping = False
        self._wake_read, self._wake_write = -1, -1
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """What to give pyserial."""
        return self._wire.url

    @property
    def waiting(self) -> int:
        """How many cards have been inserted and wait for the device to take one."""
        return 0

    def __enter__(self) -> Self:
        self._wake_read, self._wake_write = os.pipe()
        self._wire.plug()
        self._thread = threading.Thread(target=self._run, name=f"swipegate-simulator {self.url}", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        self._wake()
        assert self._thread is not None
        self._thread.join(STOP_TIMEOUT)
        self._wire.unplug()
        self._wire.forget()
        with self._lock:
            ends, self._wake_read, self._wake_write = (self._wake_read, self._wake_write), -1, -1
        for end in ends:
            os.close(end)
        if self._thread.is_alive():
            raise RuntimeError("the simulator's thread did not end")

    def inject(self, fault: Fault, to: str = "block", *, times: int = 1) -> None:
        """Let a fault befall the next replies of one kind; each kind of device names its kinds."""
        with self._lock:
            self._faults.setdefault(to, []).extend([fault] * times)

    def heal(self) -> None:
        """Take back every fault that has not befallen a reply yet."""
        with self._lock:
            self._faults.clear()

    def unplug(self, seconds: float | None = None) -> None:
        """Pull the plug, for good or for some seconds; returns when the line is dead."""
        self._do_in_thread(self._go_dark)
        if seconds is not None:
            self._after(seconds, self._come_back)

    def replug(self) -> None:
        """Plug in again, powered on afresh; a pseudo-terminal without `path` has another URL then."""
        self._do_in_thread(self._come_back)

    def power_cycle(self) -> None:
        """Lose everything that is not kept without power, with the line left up."""
        self._do_in_thread(self._power_on)

    @abstractmethod
    def insert(self, card: SimulatedCard, *, after: float = 0.0) -> None:
        """A person inserts or swipes a card as soon as the device waits for one, or `after` seconds later."""

    @abstractmethod
    def _power_on(self) -> None:
        """Forget everything that is not kept without power."""

    @abstractmethod
    def _on_bytes(self, data: bytes, now: float) -> None:
        """Take what the host sent."""

    @abstractmethod
    def _on_clock(self, now: float) -> None:
        """Let time pass."""

    def _reply(self, *kinds: str, data: bytes) -> None:
        """Send a reply, through the first fault injected for one of its kinds, if any."""
        pieces: list[Piece] = [(0.0, data)]
        with self._lock:
            waiting = next((faults for kind in kinds if (faults := self._faults.get(kind))), None)
            if waiting:
                pieces = waiting.pop(0).apply(pieces)
        due = max(time.monotonic(), self._line_free)
        for pause, piece in pieces:
            self.carried += len(piece)
            due += pause + self.pace * len(piece)
            if len(self._outbox) < OUTBOX_MAX:
                heapq.heappush(self._outbox, (due, next(self._order), piece))
        if self.pace:
            self._line_free = due

    def _after(self, seconds: float, task: Callable[[], None]) -> None:
        """Run a task in the thread, later."""
        timer_due = time.monotonic() + seconds

        def wait() -> None:
            if time.monotonic() >= timer_due:
                task()
            else:
                self._tasks.append(wait)

        with self._lock:
            self._tasks.append(wait)
        self._wake()

    def _go_dark(self) -> None:
        self._outbox.clear()
        self._wire.unplug()

    def _come_back(self) -> None:
        self._wire.unplug()
        self._wire.plug()
        self._power_on()

    def _do_in_thread(self, task: Callable[[], None]) -> None:
        if threading.current_thread() is self._thread:
            task()
            return
        done = threading.Event()

        def run() -> None:
            task()
            done.set()

        with self._lock:
            self._tasks.append(run)
        self._wake()
        if not done.wait(STOP_TIMEOUT):
            raise RuntimeError("the simulator's thread is stuck")

    def _wake(self) -> None:
        with self._lock:
            if self._wake_write >= 0:
                os.write(self._wake_write, b"w")

    def _run(self) -> None:
        while not self._stopping:
            self._run_tasks()
            now = time.monotonic()
            self._on_clock(now)
            self._send_due(now)
            readable, _, _ = select.select([self._wake_read, *self._wire.readers()], [], [], self._pause(now))
            if self._wake_read in readable:
                os.read(self._wake_read, READ_CHUNK)
            data = self._wire.receive(readable)
            if data:
                self.carried += len(data)
                self._line_free = max(self._line_free, time.monotonic()) + self.pace * len(data)
                self._on_bytes(data, time.monotonic())

    def _run_tasks(self) -> None:
        with self._lock:
            tasks, self._tasks = self._tasks, []
        for task in tasks:
            task()

    def _pause(self, now: float) -> float:
        with self._lock:
            if self._tasks:
                return 0.005
            return min(IDLE_SLICE, max(self._outbox[0][0] - now, 0.0)) if self._outbox else IDLE_SLICE

    def _send_due(self, now: float) -> None:
        while self._outbox and self._outbox[0][0] <= now:
            due, _, piece = heapq.heappop(self._outbox)
            self.late += time.monotonic() - due
            if piece is HANG_UP:
                self._outbox.clear()
                self._wire.hang_up()
                self._power_on()
            else:
                self._wire.send(piece)


class _Wire(ABC):
    """The device's end of a line."""

    url = ""

    @abstractmethod
    def plug(self) -> None: ...

    @abstractmethod
    def unplug(self) -> None: ...

    @abstractmethod
    def hang_up(self) -> None:
        """Cut the line, and be there for the next caller where the kind of line allows it."""

    @abstractmethod
    def forget(self) -> None:
        """Remove what outlives the line."""

    @abstractmethod
    def readers(self) -> list[int]: ...

    @abstractmethod
    def receive(self, readable: list[int]) -> bytes: ...

    @abstractmethod
    def send(self, data: bytes) -> None: ...


class _PtyWire(_Wire):
    """A pseudo-terminal; the far end is kept open here too, so that hosts may come and go."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._master, self._slave = -1, -1

    def plug(self) -> None:
        import tty  # POSIX only

        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.url = os.ttyname(self._slave)
        if self._path is not None:
            beside = self._path.with_name(f"{self._path.name}.new")
            beside.symlink_to(self.url)
            beside.replace(self._path)  # at no time is there no port at the path
            self.url = str(self._path)

    def unplug(self) -> None:
        for descriptor in (self._slave, self._master):
            if descriptor >= 0:
                os.close(descriptor)
        self._master, self._slave = -1, -1

    def hang_up(self) -> None:
        old = self._slave, self._master
        self._master, self._slave = -1, -1
        if self._path is not None:
            self.plug()
        for descriptor in old:
            os.close(descriptor)

    def forget(self) -> None:
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def readers(self) -> list[int]:
        return [self._master] if self._master >= 0 else []

    def receive(self, readable: list[int]) -> bytes:
        if self._master not in readable:
            return b""
        with contextlib.suppress(OSError):
            return os.read(self._master, READ_CHUNK)
        return b""

    def send(self, data: bytes) -> None:
        if self._master >= 0:
            with contextlib.suppress(OSError):  # a full buffer: a line has no memory
                os.write(self._master, data)


class _TcpWire(_Wire):
    """A socket that listens for one host at a time; a new host takes the place of the one before."""

    def __init__(self, address: str, port: int) -> None:
        self._listener: socket.socket | None = None
        self._host: socket.socket | None = None
        self._address, self._asked_port = address, port
        self._port = port

    def plug(self) -> None:
        self._listener = socket.create_server((self._address, self._port))
        self._listener.setblocking(False)
        self._port = self._listener.getsockname()[1]
        self.url = f"socket://{self._address}:{self._port}"

    def unplug(self) -> None:
        for end in (self._host, self._listener):
            if end is not None:
                end.close()
        self._host = self._listener = None

    def hang_up(self) -> None:
        if self._host is not None:
            self._host.close()
            self._host = None

    def forget(self) -> None:
        self._port = self._asked_port

    def readers(self) -> list[int]:
        return [end.fileno() for end in (self._host, self._listener) if end is not None]

    def receive(self, readable: list[int]) -> bytes:
        if self._listener is not None and self._listener.fileno() in readable:
            self._accept(self._listener)
        if self._host is None or self._host.fileno() not in readable:
            return b""
        try:
            data = self._host.recv(READ_CHUNK)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK):
                return b""
            data = b""
        if not data:
            self._host.close()
            self._host = None
        return data

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            host, _ = listener.accept()
            host.setblocking(False)
            host.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._host is not None:
                self._host.close()
            self._host = host

    def send(self, data: bytes) -> None:
        if self._host is not None:
            with contextlib.suppress(OSError):
                self._host.sendall(data)
