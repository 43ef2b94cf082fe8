"""A real HTTP server on loopback that answers as a test says."""

import asyncio
import json
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook

SECRET = b"a key of at least 24 bytes"
OK = b"HTTP/1.1 204 No Content\r\n\r\n"
DEADLINE = 60.0
"""Seconds for anything to happen on a loaded machine."""
_TURNS = 3
"""Of the loop, after which a connection that was just accepted is served, and so known."""


@dataclass
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> Any:
        """The body, which must bear a good signature."""
        return Webhook(SECRET).verify(self.body, self.headers)

    @property
    def data(self) -> dict[str, Any]:
        """Of the message."""
        data: dict[str, Any] = json.loads(self.body)["data"]
        return data

    @property
    def card_id(self) -> str:
        """Whose change it is."""
        return str(self.data["card"]["card_id"])

    @property
    def identifier(self) -> str:
        """By which repeats are dropped."""
        return self.headers["webhook-id"]


Answer = Callable[[Received], Awaitable[bytes]]
Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def status(code: int, *headers: str) -> bytes:
    """An answer without a body."""
    return "\r\n".join([f"HTTP/1.1 {code} X", "Content-Length: 0", *headers, "", ""]).encode()


async def accept(_request: Received) -> bytes:
    """Say that all is well."""
    return OK


@dataclass
class Receiver:
    """What came, and what is answered; an empty answer closes the connection."""

    answer: Answer = accept
    received: list[Received] = field(default_factory=list)
    hangs_up: bool = False
    """After each answer."""
    connections: int = 0
    open_now: int = 0
    """Requests that wait for their answer."""
    most_open: int = 0
    url: str = ""

    async def until(self, count: int) -> list[Received]:
        """The requests, once there are so many."""
        await eventually(lambda: len(self.received) >= count)
        return self.received

    def by_card(self) -> dict[str, list[Received]]:
        """The requests of each card, in order."""
        found: dict[str, list[Received]] = defaultdict(list)
        for request in self.received:
            found[request.card_id].append(request)
        return found

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        with suppress(asyncio.IncompleteReadError):
            while answer := await self._answered(reader):
                writer.write(answer)
                await writer.drain()
                if self.hangs_up:
                    break

    async def _answered(self, reader: asyncio.StreamReader) -> bytes:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers["content-length"]))
        request = Received(head[0].split(" ")[1], headers, body)
        self.received.append(request)
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        try:
            return await self.answer(request)
        finally:
            self.open_now -= 1


@asynccontextmanager
async def serving(handle: Handle, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a server of TCP; at the end nothing of it is left."""
    tasks: set[asyncio.Task[None] | None] = set()
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        writers.append(writer)
        with suppress(ConnectionError, asyncio.CancelledError):
            await handle(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        running = [task for task in tasks if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()


@asynccontextmanager
async def receiving(answer: Answer = accept, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver at a port of its own."""
    receiver = Receiver(answer)
    async with serving(receiver.serve, tls) as port:
        receiver.url = f"https://localhost:{port}/cards?at=here" if tls else local(port) + "cards?at=here"
        yield receiver


def local(port: int) -> str:
    """The URL of a port here."""
    return f"http://127.0.0.1:{port}/"


async def eventually(condition: Callable[[], Any]) -> None:
    """Return once the condition holds."""
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 - conditions of any kind
            await asyncio.sleep(0.01)
