"""ReplaceCardIfExists against a bare echo, side by side: python -m benchmarks.replace [--database postgresql]

One grpc.aio server in a process of its own holds both methods; a client in this process keeps CALLS in flight
over CHANNELS connections. Rounds alternate, and medians are printed with their ratio. Every replacement moves
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
        # else the channels share a connection
        options = [(("grpc.channel_id", number),) for number in range(CHANNELS)]
        targets = [f"127.0.0.1:{port}" for port in ports]
        self.channels = [aio.insecure_channel(target, options=own) for target in targets for own in options]
        self._replaces = [
            channel.unary_unary(
                REPLACE,
                request_serializer=ReplaceCardIfExistsRequest.SerializeToString,
                response_deserializer=ReplaceCardIfExistsResponse.FromString,
            )
            for channel in self.channels[:CHANNELS]
        ]
        self._echoes = [channel.unary_unary(ECHO) for channel in self.channels[CHANNELS:]]
        self._requests = moves(cards, users)
        self._prepared: deque[ReplaceCardIfExistsRequest] = deque()

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


async def measure(pipe: Connection, callers: Callers, rounds: int, seconds: float) -> dict[str, Any]:
    """Medians of rounds in turns, and what the server spent."""
    rates: dict[str, list[float]] = {"echo": [], "replace": []}
    cpu: dict[str, list[float]] = {"echo": [], "replace": []}

    async def measured(name: str, call: Call) -> None:
        callers.prepare(round(MOST * seconds))
        _, before = _ask(pipe)
        rate = await _round(call, seconds)
        _, after = _ask(pipe)
        rates[name].append(rate)
        cpu[name].append((after - before) / (rate * seconds) * 1e6)

    await _round(callers.echo, 1)
    await _round(callers.replace, 1)
    first, _ = _ask(pipe)
    for _ in range(rounds):
        await measured("echo", callers.echo)
        await measured("replace", callers.replace)
    last, _ = _ask(pipe)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    total = sum(rates["replace"]) * seconds
    return {
        "echo_per_second": round(medians["echo"]),
        "replace_per_second": round(medians["replace"]),
        "ratio": round(medians["replace"] / medians["echo"], 3),
        "server_cpu_us_per_call": {name: round(statistics.median(each)) for name, each in cpu.items()},
        "replacements_per_commit": round(total / max(1, last - first), 1),
        "rounds": {name: [round(value) for value in values] for name, values in rates.items()},
    }


@contextlib.contextmanager
def place(database: str) -> Iterator[tuple[Settings, Where, Postgres | None]]:
    """Settings, and a database on a real disk."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        settings = load(data_dir=Path(folder))
        if database == "sqlite":
            yield settings, Path(folder) / "swipegate.db", None
            return
        server = Postgres("shared_buffers = 512MB", "max_wal_size = 4GB", "max_connections = 200")
        try:
            server.command("CREATE DATABASE benchmark")
            yield settings, server.url("benchmark"), server
        finally:
            server.remove()


def run(database: str, *, cards: int, users: int, rounds: int, seconds: float) -> dict[str, Any]:
    """The whole measurement on one database of that size."""
    spawn = multiprocessing.get_context("spawn")
    with place(database) as (settings, where, postgres):
        here, there = spawn.Pipe()
        server = spawn.Process(target=serve, args=(settings, where, there, cards, users))
        server.start()

        async def client() -> dict[str, Any]:
            ports = here.recv()
            token = tokens_of(settings).mint("benchmark", "benchmark", [], 36_000)
            callers = Callers(ports, token, cards, users)
            spent = pgbench.cpu_of(postgres.pid) if postgres else 0.0
            found = await measure(here, callers, rounds, seconds)
            if postgres:
                calls = sum(found["rounds"]["replace"]) * seconds + found["replace_per_second"]
                found["database_cpu_us_per_call"] = round(
                    (pgbench.cpu_of(postgres.pid) - spent) / calls * 1e6
                )
            for channel in callers.channels:
                await channel.close()
            return found

        try:
            result = asyncio.run(client())
            here.send(None)
            server.join(60)
        finally:
            server.kill()
            server.join()
        if postgres:
            result["pgbench"] = pgbench.run(postgres, "benchmark", CALLS, cards, users, seconds * rounds)
            result["of_pgbench"] = _of_pgbench(result)
        return {"database": database, "cards": cards, "users": users, **result}


def _of_pgbench(result: dict[str, Any]) -> dict[str, float]:
    """Our replacements a second of CPU, as a share of pgbench's transactions: the database's alone, and with ours."""
    theirs = result["pgbench"]["database_cpu_us_per_transaction"]
    database = result["database_cpu_us_per_call"]
    everything = database + result["server_cpu_us_per_call"]["replace"]
    return {
        "rate": round(result["replace_per_second"] / result["pgbench"]["transactions_per_second"], 3),
        "per_database_cpu": round(theirs / database, 3),
        "per_cpu_of_database_and_server": round(theirs / everything, 3),
    }


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--cards", type=int, default=10_000)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of a round")
    given = parser.parse_args()
    result = run(
        given.database, cards=given.cards, users=given.users, rounds=given.rounds, seconds=given.seconds
    )
    about = {"calls_in_flight": CALLS, "channels": CHANNELS, "cores": os.cpu_count()}
    print(json.dumps(about | result, indent=2))


if __name__ == "__main__":
    main()
