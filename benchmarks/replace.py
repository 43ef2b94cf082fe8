"""ReplaceCardIfExists against a bare echo, side by side: python -m benchmarks.replace [--database postgresql]

One grpc.aio server in a process of its own holds both methods; a client in this process keeps CALLS in flight
over CHANNELS connections. Rounds alternate, and medians are printed with their ratio. With several numbers of --cards
there is a server for each, and the rounds go from one to the next. Every replacement moves
a card from one user to another and is durable before it is answered: SQLite on disk (WAL, synchronous=FULL), or a
PostgreSQL of its own (fsync on), on which pgbench then runs the same statements, a transaction each.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import grpc
from grpc import aio
from sqlalchemy import URL
from tests.databases import Postgres

from benchmarks import pgbench
from benchmarks.population import CARD_TYPE, SYSTEM, name_of, populate, scattered
from swipegate.api.border import Border
from swipegate.api.process import settle
from swipegate.api.user_cards import UserCardServicer
from swipegate.service import clock
from swipegate.service.bell import Bell
from swipegate.service.sealing import Sealer
from swipegate.service.tokens import tokens_of
from swipegate.service.user_card_events import UserCardEvents
from swipegate.service.user_cards import UserCards
from swipegate.settings import Settings, load
from swipegate.store.database import Database
from swipegate.v1 import user_card_pb2_grpc
from swipegate.v1.user_card_pb2 import ReplaceCardIfExistsRequest, ReplaceCardIfExistsResponse

CALLS = 64
"""In flight."""
CHANNELS = 4
MOST = 5000
"""Requests prepared for a second of a round."""
ECHO = "/benchmark.Echo/Echo"
REPLACE = "/swipegate.v1.UserCardService/ReplaceCardIfExists"
FOLDER = Path(__file__).parent.parent / "build"
"""On a real disk, where /tmp may be memory."""

Call = Callable[[int], Awaitable[object]]
Where = Path | URL


def serve(settings: Settings, where: Where, pipe: Connection, cards: int, users: int) -> None:
    """The server process."""
    asyncio.run(_serve(settings, where, pipe, cards, users))


async def _serve(settings: Settings, where: Where, pipe: Connection, cards: int, users: int) -> None:
    database = Database(where)
    database.open()
    await populate(database, users=users, cards=cards)
    bell = Bell()
    border = Border(tokens_of(settings))
    server = aio.server(handlers=(border,))
    servicer = UserCardServicer(
        UserCards(database, Sealer(b"k" * 32), bell, clock.now), UserCardEvents(database, bell)
    )
    user_card_pb2_grpc.add_UserCardServiceServicer_to_server(servicer, border)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()

    async def echo(request: bytes, _context: object) -> bytes:
        return request

    bare = aio.server()
    handler = grpc.unary_unary_rpc_method_handler(echo)
    bare.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("benchmark.Echo", {"Echo": handler}),)
    )
    bare_port = bare.add_insecure_port("127.0.0.1:0")
    await bare.start()
    settle()
    pipe.send((port, bare_port))
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, pipe.recv) is not None:
        pipe.send((database.commits, time.process_time()))
    await server.stop(0)
    await bare.stop(0)
    await asyncio.to_thread(database.close)


async def _round(call: Call, seconds: float) -> float:
    """Calls a second."""
    done = 0
    numbers = iter(range(sys.maxsize))
    end = time.perf_counter() + seconds

    async def keep_calling() -> None:
        nonlocal done
        while time.perf_counter() < end:
            await call(next(numbers))
            done += 1

    start = time.perf_counter()
    await asyncio.gather(*(keep_calling() for _ in range(CALLS)))
    return done / (time.perf_counter() - start)


def _ask(pipe: Connection) -> tuple[int, float]:
    """Commits and CPU seconds of the server so far."""
    pipe.send("state")
    answer: tuple[int, float] = pipe.recv()
    return answer


class Callers:
    """What the client calls: replacements that always move a card, and echoes of the same size."""

    def __init__(self, ports: tuple[int, int], token: str, cards: int, users: int) -> None:
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._ports = ports
        self._requests = moves(cards, users)
        self._prepared: deque[ReplaceCardIfExistsRequest] = deque()

    def open(self) -> None:
        """Connect, in the event loop that is to call."""
        # else the channels share a connection
        options = [(("grpc.channel_id", number),) for number in range(CHANNELS)]
        targets = [f"127.0.0.1:{port}" for port in self._ports]
        self._channels = [aio.insecure_channel(target, options=own) for target in targets for own in options]
        self._replaces = [
            channel.unary_unary(
                REPLACE,
                request_serializer=ReplaceCardIfExistsRequest.SerializeToString,
                response_deserializer=ReplaceCardIfExistsResponse.FromString,
            )
            for channel in self._channels[:CHANNELS]
        ]
        self._echoes = [channel.unary_unary(ECHO) for channel in self._channels[CHANNELS:]]

    async def close(self) -> None:
        """Disconnect."""
        for channel in self._channels:
            await channel.close()

    def prepare(self, count: int) -> None:
        """Make that many requests: to think them up is no part of a call."""
        self._prepared.extend(islice(self._requests, count - len(self._prepared)))

    async def replace(self, number: int) -> None:
        """Move the next card on to the next user."""
        request = self._prepared.popleft() if self._prepared else next(self._requests)
        answer = await self._replaces[number % CHANNELS](request, metadata=self._metadata, timeout=30)
        assert answer.previous_user_id != answer.current_user_id

    async def echo(self, number: int) -> None:
        """Send the same number of bytes to and fro."""
        await self._echoes[number % CHANNELS](b"x" * 230, timeout=30)


def moves(cards: int, users: int) -> Iterator[ReplaceCardIfExistsRequest]:
    """Requests without end, each of which moves a card to another user."""
    taken: dict[int, int] = {}
    for calls, card in enumerate(scattered(cards)):
        moved = taken[card] = taken.get(card, 0) + 1
        yield ReplaceCardIfExistsRequest(
            user_id=name_of("user", (card + moved) % users),
            card_type=CARD_TYPE,
            card_ac_system_id=SYSTEM,
            internal_card_number=card + 1,
            external_card_number=f"{card + 1}",
            request_id=name_of("request", calls),
        )


@dataclass
class Size:
    """A server on a database of its own, and what was measured there."""

    cards: int
    """And users."""
    pipe: Connection
    callers: Callers
    postgres: Postgres | None
    rates: list[float] = field(default_factory=list)
    server_cpu: list[float] = field(default_factory=list)
    """Microseconds a call."""
    database_cpu: list[float] = field(default_factory=list)
    a_commit: list[float] = field(default_factory=list)
    """Calls."""

    async def round(self, call: Call, seconds: float) -> None:
        """Measure for so long."""
        self.callers.prepare(round(MOST * seconds))
        database = pgbench.cpu_of(self.postgres.pid) if self.postgres else 0.0
        commits, server = _ask(self.pipe)
        rate = await _round(call, seconds)
        commits_after, server_after = _ask(self.pipe)
        calls = rate * seconds
        if self.postgres:
            self.database_cpu.append((pgbench.cpu_of(self.postgres.pid) - database) / calls * 1e6)
        self.rates.append(rate)
        self.server_cpu.append((server_after - server) / calls * 1e6)
        self.a_commit.append(calls / max(1, commits_after - commits))


async def measure(sizes: list[Size], rounds: int, seconds: float) -> dict[str, Any]:
    """Medians of rounds in turns, and what the servers spent."""
    first = sizes[0]
    echo = Size(0, first.pipe, first.callers, None)
    await _round(first.callers.echo, 1)
    for size in sizes:
        await _round(size.callers.replace, 1)
    for number in range(rounds):
        await echo.round(first.callers.echo, seconds)
        for size in sizes if number % 2 else reversed(sizes):
            await size.round(size.callers.replace, seconds)
    return {
        "echo": _medians(echo, echo, first),
        **{f"{size.cards:,} cards and users": _medians(size, echo, first) for size in sizes},
    }


def _medians(size: Size, echo: Size, first: Size) -> dict[str, Any]:
    rate = statistics.median(size.rates)
    found = {
        "calls_per_second": round(rate),
        "server_cpu_us_per_call": round(statistics.median(size.server_cpu)),
        "rounds": [round(each) for each in size.rates],
    }
    if size is not echo:
        found["of_echo"] = round(rate / statistics.median(echo.rates), 3)
        found["calls_per_commit"] = round(statistics.median(size.a_commit), 1)
    if size not in (echo, first):
        in_turns = zip(size.rates, first.rates, strict=True)
        found["of_the_first_size"] = round(statistics.median(one / other for one, other in in_turns), 3)
    if size.postgres:
        found["database_cpu_us_per_call"] = round(statistics.median(size.database_cpu))
    return found


@contextlib.contextmanager
def served(where: Where, settings: Settings, cards: int, postgres: Postgres | None) -> Iterator[Size]:
    """A server process on a new database."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    server = spawn.Process(target=serve, args=(settings, where, there, cards, cards))
    server.start()
    try:
        ports = here.recv()
        token = tokens_of(settings).mint("benchmark", "benchmark", [], 36_000)
        yield Size(cards, here, Callers(ports, token, cards, cards), postgres)
        here.send(None)
        server.join(60)
    finally:
        server.kill()
        server.join()


@contextlib.contextmanager
def sizes_of(database: str, numbers: list[int]) -> Iterator[list[Size]]:
    """A server for each number of cards and users, on a real disk."""
    FOLDER.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        postgres = None
        if database == "postgresql":
            postgres = Postgres("shared_buffers = 512MB", "max_wal_size = 4GB", "max_connections = 200")
            stack.callback(postgres.remove)
        found = []
        for number in numbers:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=FOLDER)))
            where: Where = folder / "swipegate.db"
            if postgres:
                postgres.command(f"CREATE DATABASE of_{number}")
                where = postgres.url(f"of_{number}")
            found.append(stack.enter_context(served(where, load(data_dir=folder), number, postgres)))
        yield found


def run(database: str, numbers: list[int], rounds: int, seconds: float) -> dict[str, Any]:
    """The whole measurement."""
    with sizes_of(database, numbers) as sizes:

        async def client() -> dict[str, Any]:
            for size in sizes:
                size.callers.open()
            found = await measure(sizes, rounds, seconds)
            for size in sizes:
                await size.callers.close()
            return found

        result = asyncio.run(client())
        for size in sizes:
            if size.postgres:
                of_size = result[f"{size.cards:,} cards and users"]
                name = f"of_{size.cards}"
                theirs = pgbench.run(size.postgres, name, CALLS, size.cards, size.cards, seconds * rounds)
                of_size |= {"pgbench": theirs, "of_pgbench": _of_pgbench(of_size, theirs)}
    return result


def _of_pgbench(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, float]:
    """Our replacements a second of CPU, as a share of pgbench's transactions: the database's alone, and with ours."""
    transaction, database = theirs["database_cpu_us_per_transaction"], ours["database_cpu_us_per_call"]
    return {
        "rate": round(ours["calls_per_second"] / theirs["transactions_per_second"], 3),
        "per_database_cpu": round(transaction / database, 3),
        "per_cpu_of_database_and_server": round(transaction / (database + ours["server_cpu_us_per_call"]), 3),
    }


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--cards", type=int, nargs="+", default=[10_000], help="and users; several in turns")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of a round")
    given = parser.parse_args()
    result = run(given.database, given.cards, given.rounds, given.seconds)
    about = {"calls_in_flight": CALLS, "channels": CHANNELS, "cores": os.cpu_count()}
    print(json.dumps({"database": given.database} | about | result, indent=2))


if __name__ == "__main__":
    main()
