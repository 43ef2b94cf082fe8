"""Where the calls of a history go: servers without a network that can die at a commit, and real ones over gRPC."""

import asyncio
import functools
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NoReturn, Protocol

import psycopg
from grpc import aio
from sqlalchemy import Connection, event

from swipegate.api import border
from swipegate.api.cards import CardServicer
from swipegate.api.server import Server
from swipegate.api.user_cards import UserCardServicer
from swipegate.domain.authority import Principal
from swipegate.service.bell import Bell
from swipegate.service.card_types import CardTypes
from swipegate.service.cards import Cards
from swipegate.service.sealing import Sealer
from swipegate.service.user_card_events import BELL_KEY, UserCardEvents
from swipegate.service.user_cards import UserCards
from swipegate.store.database import Database
from swipegate.v1 import user_card_pb2 as pb
from tests.conftest import Client
from tests.databases import Where
from tests.model.calls import Request

KEY = b"k" * 32
"""Seals the PINs of a history."""
CALLER = Principal("tester", "tests")
TERMINATED_WITHIN = 10_000
"""Milliseconds for PostgreSQL to end a backend."""
FAULTS = ("die before", "die after", "lose before", "lose after")
"""At a commit: the process dies, or the database goes away; before it is done, or after it and before the answer."""


class Died(BaseException):
    """Ends the writer's thread as SIGKILL would: nobody is answered."""


class Mortal(Database):
    """A database whose writer can die."""

    def __init__(self, where: Where, died: Callable[[], object]) -> None:
        super().__init__(where)
        self._on_death = died

    def _write_loop(self, connection: Connection | None) -> None:
        try:
            super()._write_loop(connection)
        except Died as death:
            death.args[0].close()  # as the system does for a process
            self._on_death()


class Lost(Exception):
    """The process died, or the connection to it was cut, before the answer."""


class Stand(Protocol):
    """One server, as its callers see it."""

    async def call(self, request: Request, *, cut: bool) -> Any:
        """The answer. Raises SwipegateError or AioRpcError, and Lost; with `cut` the caller soon goes away."""

    def watch(self, after: int) -> AsyncIterator[pb.UserCardEvent]:
        """WatchUserCards."""

    async def mend(self) -> None:
        """Start again if it has died."""

    async def close(self) -> None:
        """End in good order."""

    def ring(self) -> None:
        """Have the watchers look at once."""


class InProcess:
    """The servicers and everything below them, without the network.

    `faults` says what happens at which commit, counted from 1 over all lives.
    """

    def __init__(self, where: Where, clock: Callable[[], int], faults: dict[int, str]) -> None:
        self._where, self._clock, self._faults = where, clock, dict(faults)
        self.commits = self.deaths = 0
        self._mending = asyncio.Lock()
        border._principal.set(CALLER)  # what the border would do

    async def start(self) -> None:
        """Open the database."""
        self._loop, self._died = asyncio.get_running_loop(), asyncio.Event()
        self._bell = Bell()
        died = functools.partial(self._loop.call_soon_threadsafe, self._died.set)
        self.database = Mortal(self._where, died)
        await asyncio.to_thread(self.database.open)
        event.listen(self.database._engine, "commit", self._at_commit)
        user_cards = UserCards(self.database, Sealer(KEY), self._bell, self._clock)
        self._servicers = {
            "user_cards": UserCardServicer(user_cards, UserCardEvents(self.database, self._bell)),
            "cards": CardServicer(Cards(self.database, self._bell, self._clock), CardTypes(self.database)),
        }

    async def call(self, request: Request, *, cut: bool) -> Any:
        if self._died.is_set():
            raise Lost
        method = getattr(self._servicers[request.service], request.method)
        calling = asyncio.ensure_future(method(request.message, None))
        dying = asyncio.ensure_future(asyncio.sleep(0) if cut else self._died.wait())
        await asyncio.wait({calling, dying}, return_when=asyncio.FIRST_COMPLETED)
        dying.cancel()
        if not calling.done():
            calling.cancel()
            raise Lost
        return calling.result()

    async def watch(self, after: int) -> AsyncIterator[pb.UserCardEvent]:
        servicer: Any = self._servicers["user_cards"]
        async for answer in servicer.WatchUserCards(pb.WatchUserCardsRequest(after_sequence=after), None):
            yield answer.event

    async def mend(self) -> None:
        async with self._mending:
            if self._died.is_set():
                self.deaths += 1
                self._bell.close()
                await asyncio.to_thread(self.database.close)
                await self.start()

    async def close(self) -> None:
        self._bell.close()
        await asyncio.to_thread(self.database.close)

    def ring(self) -> None:
        self._bell.ring(BELL_KEY)

    def _at_commit(self, connection: Connection) -> None:
        """Runs before every commit; the readers' ends count for nothing."""
        if not connection.get_execution_options().get("swipegate_writer"):
            return
        self.commits += 1
        fault = self._faults.pop(self.commits, "")
        if fault.endswith("after"):
            connection.connection.commit()
        if fault.startswith("die"):
            raise Died(connection)
        if fault.startswith("lose"):
            self._lose(connection)

    def _lose(self, connection: Connection) -> NoReturn:
        if isinstance(self._where, Path):
            raise sqlite3.OperationalError("disk I/O error")
        driver: Any = connection.connection.driver_connection
        url = self._where.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, %s)", (driver.info.backend_pid, TERMINATED_WITHIN))
        driver.execute("SELECT 1")
        raise AssertionError("the backend is gone, and answers")


class OverGrpc:
    """A whole server; a cut call loses its connection after a moment that `chance` chooses."""

    def __init__(self, server: Server, metadata: Any, chance: Callable[[], float]) -> None:
        self._server, self._metadata, self._chance = server, metadata, chance
        self._target = f"127.0.0.1:{server.port}"
        self._channel = aio.insecure_channel(self._target)
        self._client = Client(self._channel, metadata)

    async def call(self, request: Request, *, cut: bool) -> Any:
        if not cut:
            stub = getattr(self._client, request.service)
            return await getattr(stub, request.method)(request.message, **self._client.options)
        async with aio.insecure_channel(self._target) as channel:
            client = Client(channel, self._metadata)
            stub = getattr(client, request.service)
            calling = getattr(stub, request.method)(request.message, **client.options)
            asyncio.get_running_loop().call_later(
                self._chance(), lambda: asyncio.ensure_future(channel.close())
            )
            try:
                return await calling
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is not None and task.cancelling():  # the test itself is ended
                    raise
                raise Lost from None
            except aio.AioRpcError as error:
                if "grpc-status-details-bin" in dict(error.trailing_metadata() or ()):
                    raise  # the server said it
                raise Lost from None

    async def watch(self, after: int) -> AsyncIterator[pb.UserCardEvent]:
        watching = self._client.user_cards.WatchUserCards(
            pb.WatchUserCardsRequest(after_sequence=after), metadata=self._metadata
        )
        try:
            async for answer in watching:
                yield answer.event
        finally:
            watching.cancel()

    async def mend(self) -> None:
        pass

    async def close(self) -> None:
        await self._channel.close()

    def ring(self) -> None:
        self._server._bell.ring(BELL_KEY)
