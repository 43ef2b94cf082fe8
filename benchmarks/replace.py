"""ReplaceCardIfExists against a bare echo, side by side: python benchmarks/replace.py

One grpc.aio server in a process of its own holds both methods; a client in this process keeps CALLS in flight
over CHANNELS connections. Rounds alternate, and medians are printed with their ratio. Every replacement moves
a card from one user to another and is durable (SQLite on disk, WAL, synchronous=FULL) before it is answered.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path

import grpc
from grpc import aio
from sqlalchemy import Connection as SqlConnection

from swipegate.api.interceptors import Border
from swipegate.api.server import tokens_of
from swipegate.api.user_cards import UserCardServicer
from swipegate.domain.ac_system import AcSystem
from swipegate.domain.user import User
from swipegate.service import clock
from swipegate.service.bell import Bell
from swipegate.service.sealing import Sealer
from swipegate.service.user_card_events import UserCardEvents
from swipegate.service.user_cards import UserCards
from swipegate.settings import Settings, load
from swipegate.store import ac_systems, users
from swipegate.store.database import Database
from swipegate.v1 import user_card_pb2_grpc
from swipegate.v1.user_card_pb2 import ReplaceCardIfExistsRequest, ReplaceCardIfExistsResponse

CALLS = 64
"""In flight."""
CHANNELS = 4
USERS = 61
"""Coprime to CARDS: each time round, a card finds another user than the one who holds it."""
CARDS = 1024
ECHO = "/benchmark.Echo/Echo"
REPLACE = "/swipegate.v1.UserCardService/ReplaceCardIfExists"
SYSTEM = "00000000-0000-4000-8000-000000000000"

Call = Callable[[int], Awaitable[object]]


def user_of(number: int) -> str:
    """A user's id."""
    return f"00000000-0000-4000-9000-{number % USERS:012}"


def serve(settings: Settings, pipe: Connection, profile: bool) -> None:
    """The server process."""
    asyncio.run(_serve(settings, pipe, profile))


async def _serve(settings: Settings, pipe: Connection, profile: bool) -> None:
    database = Database(settings.data_dir / "swipegate.db")
    database.open()

    def prepare(connection: SqlConnection) -> None:
        ac_systems.add(connection, AcSystem(SYSTEM, "benchmark"))
        for number in range(USERS):
            users.add(connection, User(user_of(number), f"user {number}"))

    await database.write(prepare)
    server = aio.server(interceptors=(Border(tokens_of(settings)),))
    servicer = UserCardServicer(
        UserCards(database, Sealer(b"k" * 32), Bell(), clock.now), UserCardEvents(database, Bell())
    )
    user_card_pb2_grpc.add_UserCardServiceServicer_to_server(servicer, server)
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
    pipe.send((port, bare_port))
    loop = asyncio.get_running_loop()
    while (asked := await loop.run_in_executor(None, pipe.recv)) is not None:
        if asked == "state":
            pipe.send((database.commits, time.process_time()))
        elif profile:
            _sampling(asked)
    await server.stop(0)
    await bare.stop(0)
    await asyncio.to_thread(database.close)


def _sampling(path: str) -> None:
    """Sample every thread's stack for a while into the file, folded."""
    import collections
    import threading

    counts: collections.Counter[str] = collections.Counter()
    names = {thread.ident: thread.name for thread in threading.enumerate()}

    def sample() -> None:
        end = time.monotonic() + 3
        while time.monotonic() < end:
            time.sleep(0.002)
            for ident, frame in sys._current_frames().items():
                if ident == threading.get_ident():
                    continue
                stack = []
                current = frame
                while current is not None:
                    code = current.f_code
                    stack.append(f"{Path(code.co_filename).name}:{code.co_name}:{current.f_lineno}")
                    current = current.f_back  # type: ignore[assignment]
                counts[f"{names.get(ident, ident)} " + " < ".join(stack[:8])] += 1
        Path(path).write_text("\n".join(f"{n} {s}" for s, n in counts.most_common(60)))

    threading.Thread(target=sample).start()


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


async def _measure(settings: Settings, pipe: Connection, rounds: int, seconds: float, profile: str) -> None:
    port, bare_port = pipe.recv()
    token = tokens_of(settings).mint("benchmark", "benchmark", [], 3600)
    metadata = (("authorization", f"Bearer {token}"),)
    own = lambda number: (("grpc.channel_id", number),)  # noqa: E731 - else the channels share a connection
    channels = [aio.insecure_channel(f"127.0.0.1:{port}", options=own(n)) for n in range(CHANNELS)]
    bare = [aio.insecure_channel(f"127.0.0.1:{bare_port}", options=own(n)) for n in range(CHANNELS)]
    replaces = [
        channel.unary_unary(
            REPLACE,
            request_serializer=ReplaceCardIfExistsRequest.SerializeToString,
            response_deserializer=ReplaceCardIfExistsResponse.FromString,
        )
        for channel in channels
    ]
    echoes = [channel.unary_unary(ECHO) for channel in bare]
    moves = 0

    async def replace(number: int) -> None:
        nonlocal moves
        card = number % CARDS
        moves += 1
        request = ReplaceCardIfExistsRequest(
            user_id=user_of(moves),
            card_type=2,
            card_ac_system_id=SYSTEM,
            internal_card_number=card + 1,
            external_card_number=f"{card + 1}",
            request_id=f"{moves:032}",
        )
        await replaces[number % CHANNELS](request, metadata=metadata, timeout=30)

    body = b"x" * 160

    async def echo(number: int) -> None:
        await echoes[number % CHANNELS](body, timeout=30)

    for card in range(CARDS):
        await replace(card)
    await _round(echo, 1)
    rates: dict[str, list[float]] = {"echo": [], "replace": []}
    cpu: dict[str, list[float]] = {"echo": [], "replace": []}

    async def measured(name: str, call: Call) -> None:
        _, before = _ask(pipe)
        rate = await _round(call, seconds)
        _, after = _ask(pipe)
        rates[name].append(rate)
        cpu[name].append((after - before) / (rate * seconds) * 1e6)

    first, _ = _ask(pipe)
    for number in range(rounds):
        await measured("echo", echo)
        if profile and number == 0:
            pipe.send(profile)
        await measured("replace", replace)
    last, _ = _ask(pipe)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for channel in (*channels, *bare):
        await channel.close()
    total = sum(rates["replace"]) * seconds
    print(
        json.dumps(
            {
                "calls_in_flight": CALLS,
                "channels": CHANNELS,
                "cores": os.cpu_count(),
                "durable": "SQLite WAL, synchronous=FULL, every answer after its commit",
                "echo_per_second": round(medians["echo"]),
                "replace_per_second": round(medians["replace"]),
                "ratio": round(medians["replace"] / medians["echo"], 3),
                "server_cpu_us_per_call": {
                    name: round(statistics.median(each)) for name, each in cpu.items()
                },
                "replacements_per_commit": round(total / max(1, last - first), 1),
                "rounds": {name: [round(value) for value in values] for name, values in rates.items()},
            },
            indent=2,
        )
    )


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of a round")
    parser.add_argument("--profile", default="", help="file for stack samples of the server's first round")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as folder:
        settings = load(data_dir=Path(folder))
        here, there = multiprocessing.get_context("spawn").Pipe()
        server = multiprocessing.get_context("spawn").Process(
            target=serve, args=(settings, there, bool(arguments.profile))
        )
        server.start()
        try:
            asyncio.run(_measure(settings, here, arguments.rounds, arguments.seconds, arguments.profile))
            here.send(None)
            server.join(30)
        finally:
            server.kill()
            server.join()


if __name__ == "__main__":
    main()
