"""The serial port and its thread, with a protocol that echoes what it is given as events."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from swipegate.devices import link as link_module
from swipegate.devices import port as port_module
from swipegate.devices.errors import DeviceError, LinkLost, Reason, SettingsError
from swipegate.devices.line import LineSettings
from swipegate.devices.link import DRAIN_BYTES_MAX, EVENTS_MAX, JOBS_MAX, Link
from swipegate.devices.protocols.base import Protocol


class Chunks(Protocol[bytes]):
    """Every chunk of bytes is an event."""

    def __init__(self) -> None:
        self.threads: set[int] = set()
        self.received = 0
        self.wiped = 0
        self.discarded: list[bytes] = []
        self.quiet = False

    def receive(self, data: bytes, now: float) -> list[bytes]:
        assert abs(now - time.monotonic()) < 1.0
        self.threads.add(threading.get_ident())
        self.received += len(data)
        return [] if self.quiet else [data]

    def tick(self, now: float) -> list[bytes]:
        return []

    def wipe(self) -> None:
        self.wiped += 1

    def discard(self, event: bytes) -> None:
        self.discarded.append(event)


class Pty:
    """The far end of a real pseudo-terminal."""

    def __init__(self) -> None:
        import tty

        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)

    def hang_up(self) -> None:
        for descriptor in {self.master, self.slave} - {-1}:
            os.close(descriptor)
        self.master = self.slave = -1


@pytest.fixture
def pty() -> Iterator[Pty]:
    pty = Pty()
    yield pty
    pty.hang_up()


@pytest.fixture
async def link(pty: Pty) -> AsyncIterator[Link[bytes]]:
    link = Link(pty.path, LineSettings(), Chunks())
    await link.open(2.0)
    yield link
    await link.close()


def _wait_for(blocker: threading.Event) -> Callable[[float], bytes]:
    """A job that keeps the owner thread busy."""

    def build(now: float) -> bytes:
        blocker.wait(2.0)
        return b""

    return build


async def _read_events(link: Link[bytes], size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += await link.next_event(1.0)
    return data


async def test_bytes_go_both_ways(pty: Pty, link: Link[bytes]) -> None:
    await link.send(lambda now: b"\x1be")
    assert os.read(pty.master, 10) == b"\x1be"
    os.write(pty.master, bytes(range(256)))
    assert await _read_events(link, 256) == bytes(range(256))


async def test_one_thread_owns_the_protocol(pty: Pty, link: Link[bytes]) -> None:
    built_in = []

    def build(now: float) -> bytes:
        built_in.append(threading.get_ident())
        return b"x"

    await link.send(build)
    os.write(pty.master, b"y")
    await link.next_event(1.0)
    protocol = link._protocol
    assert isinstance(protocol, Chunks)
    assert {*built_in} == protocol.threads
    assert threading.get_ident() not in protocol.threads


async def test_write_is_not_held_up_by_a_read_that_waits(pty: Pty, link: Link[bytes]) -> None:
    start = time.monotonic()
    for _ in range(10):
        await link.send(lambda now: b"x")
    assert time.monotonic() - start < 5 * link_module.READ_SLICE


async def test_what_came_before_a_request_is_taken_before_it(pty: Pty, link: Link[bytes]) -> None:
    protocol = link._protocol
    assert isinstance(protocol, Chunks)
    blocker = threading.Event()
    taken_before: list[int] = []

    def build(now: float) -> bytes:
        taken_before.append(protocol.received)
        return b"x"

    link.post(_wait_for(blocker))
    sending = asyncio.create_task(link.send(build))
    await asyncio.sleep(0.05)
    os.write(pty.master, b"stale")
    await asyncio.sleep(0.05)  # the kernel hands it over in its own time
    blocker.set()
    await sending
    assert taken_before == [5]


async def test_events_that_nobody_takes_are_discarded_at_the_close(pty: Pty, link: Link[bytes]) -> None:
    protocol = link._protocol
    assert isinstance(protocol, Chunks)
    os.write(pty.master, b"card")
    await asyncio.sleep(0.1)
    await link.close()
    assert b"".join(protocol.discarded) == b"card"


async def test_missing_port_is_port_open() -> None:
    link = Link("/dev/does-not-exist", LineSettings(), Chunks())
    with pytest.raises(DeviceError) as failed:
        await link.open(2.0)
    assert failed.value.reason is Reason.PORT_OPEN
    await link.close()


async def test_taken_port_is_port_open(pty: Pty, link: Link[bytes]) -> None:
    second = Link(pty.path, LineSettings(), Chunks())
    with pytest.raises(DeviceError) as failed:
        await second.open(2.0)
    assert failed.value.reason is Reason.PORT_OPEN
    await second.close()


@pytest.mark.parametrize("url", ["nonsense://x", "socket://127.0.0.1:99999", "socket://127.0.0.1:1", ""])
async def test_url_that_leads_nowhere_is_port_open(url: str) -> None:
    link = Link(url, LineSettings(), Chunks())
    with pytest.raises(DeviceError) as failed:
        await link.open(2.0)
    assert failed.value.reason is Reason.PORT_OPEN
    await link.close()


async def test_opening_has_a_deadline(monkeypatch: pytest.MonkeyPatch, pty: Pty) -> None:
    slow = link_module.Port
    monkeypatch.setattr(link_module, "Port", lambda *args: (time.sleep(0.3), slow(*args))[1])
    link = Link(pty.path, LineSettings(), Chunks())
    with pytest.raises(DeviceError, match="did not open within"):
        await link.open(0.05)
    await link.close()


async def test_hang_up_wakes_who_waits(pty: Pty, link: Link[bytes]) -> None:
    waiting = asyncio.create_task(link.next_event(30.0))
    await asyncio.sleep(0.05)
    pty.hang_up()
    with pytest.raises(LinkLost):
        await asyncio.wait_for(waiting, 1.0)
    with pytest.raises(LinkLost):
        await link.send(lambda now: b"x")
    with pytest.raises(LinkLost):
        await link.next_event(1.0)
    assert not link.alive


async def test_events_before_a_hang_up_are_still_taken(pty: Pty, link: Link[bytes]) -> None:
    os.write(pty.master, b"last")
    await asyncio.sleep(0.1)
    pty.hang_up()
    await asyncio.sleep(0.2)
    assert await link.next_event(1.0) == b"last"
    with pytest.raises(LinkLost):
        await link.next_event(1.0)


@pytest.mark.parametrize("what", ["read", "write"])
async def test_every_way_of_losing_a_port_is_one_error(
    monkeypatch: pytest.MonkeyPatch, pty: Pty, what: str
) -> None:
    import termios

    class Broken(link_module.Port):
        error: Exception

        def read(self) -> bytes:
            if what == "read":
                raise self.error
            return super().read()

        def write(self, data: bytes) -> None:
            raise self.error

    monkeypatch.setattr(link_module, "Port", Broken)
    errors = [OSError(5, "EIO"), termios.error(5, "EIO"), TypeError("NoneType"), AttributeError("recv")]
    for error in errors:
        Broken.error = error
        link = Link(pty.path, LineSettings(), Chunks())
        await link.open(2.0)
        with pytest.raises(LinkLost):
            await (link.next_event(1.0) if what == "read" else link.send(lambda now: b"x"))
        await link.close()


async def test_write_that_times_out_is_desync_and_the_link_lives(
    monkeypatch: pytest.MonkeyPatch, pty: Pty
) -> None:
    monkeypatch.setattr(port_module, "WRITE_TIMEOUT", 0.1)
    link = Link(pty.path, LineSettings(), Chunks())
    await link.open(2.0)
    with pytest.raises(DeviceError) as failed:
        await link.send(lambda now: bytes(1_000_000))  # nobody reads: the terminal's buffer fills up
    assert failed.value.reason is Reason.DESYNC
    assert link.alive
    os.write(pty.master, b"still here")
    assert await _read_events(link, 10) == b"still here"
    await link.close()


async def test_babbling_line_is_desync(monkeypatch: pytest.MonkeyPatch, link: Link[bytes]) -> None:
    class Babbling:
        in_waiting = 4096

        def read(self, size: int = 1) -> bytes:
            return bytes(size)

    protocol = link._protocol
    assert isinstance(protocol, Chunks)
    protocol.quiet = True
    with pytest.raises(DeviceError, match=f"over {DRAIN_BYTES_MAX} bytes"):
        link._drain(Babbling())  # type: ignore[arg-type]


async def test_events_that_nobody_takes_are_bounded(link: Link[bytes]) -> None:
    link._deliver([b"x"] * (EVENTS_MAX + 1))
    for _ in range(EVENTS_MAX):
        await link.next_event(1.0)
    with pytest.raises(DeviceError, match=f"over {EVENTS_MAX} events"):
        await link.next_event(1.0)


async def test_jobs_that_wait_are_bounded(link: Link[bytes]) -> None:
    blocker = threading.Event()
    link.post(_wait_for(blocker))
    await asyncio.sleep(0.05)
    for _ in range(JOBS_MAX):
        link.post(lambda now: b"")
    with pytest.raises(DeviceError, match=f"over {JOBS_MAX} jobs"):
        link.post(lambda now: b"")
    blocker.set()


async def test_close_sends_what_was_posted(pty: Pty, link: Link[bytes]) -> None:
    link.post(lambda now: b"\x1ba")
    await link.close()
    assert os.read(pty.master, 10) == b"\x1ba"


async def test_close_works_in_any_state(pty: Pty) -> None:
    protocol = Chunks()
    link = Link(pty.path, LineSettings(), protocol)
    await link.close()
    link = Link(pty.path, LineSettings(), protocol)
    await link.open(2.0)
    waiting = asyncio.create_task(link.next_event(30.0))
    await asyncio.sleep(0.01)
    await asyncio.gather(link.close(), link.close())
    await link.close()
    with pytest.raises(LinkLost):
        await waiting
    assert protocol.wiped


async def test_cancelled_open_leaves_nothing(monkeypatch: pytest.MonkeyPatch, pty: Pty) -> None:
    slow = link_module.Port
    monkeypatch.setattr(link_module, "Port", lambda *args: (time.sleep(0.2), slow(*args))[1])
    link = Link(pty.path, LineSettings(), Chunks())
    opening = asyncio.create_task(link.open(5.0))
    await asyncio.sleep(0.05)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await link.close()


def test_closed_loop_ends_the_thread(pty: Pty) -> None:
    """The fixture `nothing_leaks` sees to it."""

    async def open_and_leave() -> None:
        link = Link(pty.path, LineSettings(), Chunks())
        await link.open(2.0)

    asyncio.run(open_and_leave())


async def test_socket_peer_that_goes_is_a_lost_link() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = Link(f"socket://127.0.0.1:{server.getsockname()[1]}", LineSettings(), Chunks())
        await link.open(2.0)
        host, _ = await asyncio.to_thread(server.accept)
        host.close()
        with pytest.raises(LinkLost):
            await link.next_event(1.0)
        await link.close()


async def test_spy_port_needs_leave_to_write_card_data(tmp_path: Path, pty: Pty) -> None:
    url = f"spy://{pty.path}?file={tmp_path}/trace"
    for refused in (url, url.replace("spy", "SPY")):
        with pytest.raises(SettingsError, match="trace_card_data"):
            Link(refused, LineSettings(), Chunks())
    link = Link(url, LineSettings(trace_card_data=True), Chunks())
    await link.open(2.0)
    os.write(pty.master, b"traced")
    assert await _read_events(link, 6) == b"traced"
    await link.close()


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"baud_rate": 0}, "baud_rate"),
        ({"data_bits": 9}, "data_bits"),
        ({"parity": "X"}, "parity"),
        ({"stop_bits": 3}, "stop_bits"),
    ],
)
def test_wrong_line_setting_is_named(settings: dict[str, int], field: str) -> None:
    with pytest.raises(SettingsError) as refused:
        LineSettings(**settings)  # type: ignore[arg-type]
    assert refused.value.field == field


class Polite(Chunks):
    """Answers every chunk by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = b""

    def receive(self, data: bytes, now: float) -> list[bytes]:
        self.answers += b"\x06"
        return super().receive(data, now)

    def to_send(self) -> bytes:
        answers, self.answers = self.answers, b""
        return answers


async def test_what_a_protocol_says_by_itself_is_on_the_line_before_its_event_is_taken(pty: Pty) -> None:
    link = Link(pty.path, LineSettings(), Polite())
    await link.open(2.0)
    os.write(pty.master, b"frame")
    assert await link.next_event(1.0) == b"frame"
    assert os.read(pty.master, 10) == b"\x06"
    await link.close()


@pytest.mark.parametrize("wire", ["pty", "tcp"])
async def test_a_job_does_not_wait_for_the_slice_to_end(
    monkeypatch: pytest.MonkeyPatch, pty: Pty, wire: str
) -> None:
    monkeypatch.setattr(link_module, "READ_SLICE", 5.0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = pty.path if wire == "pty" else f"socket://127.0.0.1:{listener.getsockname()[1]}"
        link = Link(url, LineSettings(), Chunks())
        await link.open(2.0)
        await asyncio.sleep(0.1)  # the thread waits by now
        start = time.monotonic()
        await link.send(lambda now: b"x")
        assert time.monotonic() - start < 1.0
        await link.close()
