"""Imports against plain inserts of the same rows: python -m benchmarks.bulk_import

Three ways for the same rows, in turns, each into the same tables of a new database: `swipegate import` from a CSV file
into a server process (cli), ImportUsers and ImportCards from a client in this process (grpc), and the driver's own
executemany with one commit a batch (plain), which checks nothing and finds nothing out. Plain inserts the very rows,
identifiers and events included, that the import left. With --cards N the database holds N cards before.
With --postgresql plain is psycopg's executemany and COPY on a PostgreSQL server of its own.
"""

import argparse
import asyncio
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from grpc import aio
from sqlalchemy import Connection as SqlConnection

from swipegate.api.server import database_of
from swipegate.domain.ac_system import AcSystem
from swipegate.domain.authority import Principal
from swipegate.domain.replacement import ReplaceCard
from swipegate.domain.user import User
from swipegate.service import clock
from swipegate.service.bell import Bell
from swipegate.service.bulk_import import BulkImport
from swipegate.service.sealing import Sealer
from swipegate.service.tokens import tokens_of
from swipegate.settings import Settings, load
from swipegate.store import ac_systems
from swipegate.store.database import Database
from swipegate.v1 import bulk_import_pb2 as pb
from swipegate.v1 import bulk_import_pb2_grpc, user_pb2

BATCH = 1_000
IN_FLIGHT = 4
SYSTEM = "00000000-0000-4000-8000-000000000000"
TABLES = {"users": ("user_",), "cards": ("card", "user_card", "user_card_event")}
Where = Path | str


class Bench:
    """The databases and files of a run."""

    def __init__(self, folder: Path, rows: int, before: int, postgresql: Any) -> None:
        self.folder, self.rows, self.before, self.postgresql = folder, rows, before, postgresql
        self.ids = [str(uuid4()) for _ in range(rows)]
        self._number = 0
        self._model: Path | None = None
        """A SQLite file to begin with."""

    def files(self) -> dict[str, Path]:
        """The CSV files."""
        users, cards = self.folder / "users.csv", self.folder / "cards.csv"
        users.write_text("user_id,name\n" + "".join(f"{key},Name of {n}\n" for n, key in enumerate(self.ids)))
        cards.write_text(
            "ac_system_id,card_type,internal_card_number,external_card_number,user_id\n"
            + "".join(f"{SYSTEM},2,{self.before + n},{n:010},{key}\n" for n, key in enumerate(self.ids, 1))
        )
        return {"users": users, "cards": cards}

    @contextmanager
    def settings(self) -> Iterator[Settings]:
        """Of a server on a new database with a system, and cards where it has some before."""
        self._number += 1
        folder = self.folder / f"data{self._number}"
        folder.mkdir(mode=0o700)
        with ExitStack() as stack:
            url = None
            if self.postgresql is not None:
                url = stack.enter_context(self.postgresql.database()).render_as_string(hide_password=False)
            settings = load(data_dir=folder, database_url=url, listen="127.0.0.1:0", drain_delay=0)
            if self._model is not None and url is None:
                shutil.copy(self._model, folder / "swipegate.db")
            else:
                asyncio.run(self._prepare(settings))
            if self._model is None and url is None:
                self._model = Path(shutil.copy(folder / "swipegate.db", self.folder / "model.db"))
            yield settings
        shutil.rmtree(folder)

    async def _prepare(self, settings: Settings) -> None:
        database = Database(database_of(settings))
        database.open()
        imports = BulkImport(database, Sealer(b"k" * 32), Bell(), clock.now)

        def add(connection: SqlConnection) -> None:
            ac_systems.add(connection, AcSystem(SYSTEM, "benchmark"))

        await database.write(add)
        caller = Principal("benchmark", "benchmark")
        for first in range(0, self.before, BATCH):
            ids = [str(uuid4()) for _ in range(first, min(first + BATCH, self.before))]
            await imports.users([User(key, "before") for key in ids], validate_only=False)
            await imports.cards(
                caller,
                [
                    ReplaceCard(key, None, 2, SYSTEM, first + n + 1, f"{first + n}")
                    for n, key in enumerate(ids)
                ],
                take_over=False,
                validate_only=False,
            )
        await asyncio.to_thread(database.close)


def where_of(settings: Settings) -> Where:
    """The database for a driver."""
    if settings.database_url is None:
        return settings.data_dir / "swipegate.db"
    return settings.database_url.get_secret_value()


@contextmanager
def served(settings: Settings) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server process, and where it listens."""
    surroundings = os.environ | (
        {} if settings.database_url is None else {"SWIPEGATE_DATABASE_URL": str(where_of(settings))}
    )
    command = [sys.executable, "-m", "swipegate.cli.main", "serve", "--json", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(
        [*command, "--data-dir", str(settings.data_dir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=surroundings,
    ) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["listening"], process
        finally:
            process.terminate()


def by_cli(settings: Settings, files: dict[str, Path]) -> dict[str, float]:
    """Seconds of the whole command, its start included."""
    taken = {}
    with served(settings) as (address, _):
        for kind, file in files.items():
            command = [sys.executable, "-m", "swipegate.cli.main", "import", kind, str(file), "--json"]
            start = time.perf_counter()
            done = subprocess.run(
                [*command, "--server", address, "--data-dir", str(settings.data_dir)],
                check=True,
                capture_output=True,
                text=True,
            )
            taken[kind] = time.perf_counter() - start
            assert json.loads(done.stdout)["refused"] == 0
    return taken


def by_grpc(settings: Settings, bench: Bench) -> dict[str, float]:
    """Seconds of the calls."""
    users = [user_pb2.User(user_id=key, name=f"Name of {n}") for n, key in enumerate(bench.ids)]
    cards = [
        pb.ImportedCard(
            ac_system_id=SYSTEM,
            card_type=2,
            internal_card_number=bench.before + n,
            external_card_number=f"{n:010}",
            user_id=key,
        )
        for n, key in enumerate(bench.ids, 1)
    ]
    batches = range(0, bench.rows, BATCH)
    requests = {
        "users": [pb.ImportUsersRequest(users=users[n : n + BATCH]) for n in batches],
        "cards": [pb.ImportCardsRequest(cards=cards[n : n + BATCH]) for n in batches],
    }
    with served(settings) as (address, _):
        token = tokens_of(settings).mint("benchmark", "benchmark", [], 3600)
        return asyncio.run(_calls(address, token, requests))


async def _calls(address: str, token: str, requests: dict[str, list[Any]]) -> dict[str, float]:
    taken = {}
    async with aio.insecure_channel(address) as channel:
        stub = bulk_import_pb2_grpc.BulkImportServiceStub(channel)
        await channel.channel_ready()
        for kind, method in (("users", stub.ImportUsers), ("cards", stub.ImportCards)):
            start = time.perf_counter()
            call = method(metadata=(("authorization", f"Bearer {token}"),))
            window = asyncio.Semaphore(IN_FLIGHT)

            async def send(call: Any = call, kind: str = kind, window: Any = window) -> None:
                for request in requests[kind]:
                    await window.acquire()
                    await call.write(request)
                await call.done_writing()

            sending = asyncio.create_task(send())
            async for answer in call:
                window.release()
                assert not answer.report.refused
            await sending
            taken[kind] = time.perf_counter() - start
    return taken


def rows_of(where: Where, table: str, newest: int) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Columns and the newest rows of a table, its own numbering left out."""
    connection = sqlite3.connect(where) if isinstance(where, Path) else psycopg.connect(where)
    cursor = connection.cursor()
    key = "sequence" if table == "user_card_event" else "row_id"
    cursor.execute(
        f"SELECT * FROM (SELECT * FROM {table} ORDER BY {key} DESC LIMIT {newest}) x ORDER BY {key}"
    )
    names = [column[0] for column in cursor.description or ()]
    rows = [row[1:] for row in cursor.fetchall()]
    connection.close()
    return names[1:], rows


def plain(
    where: Where, rows: dict[str, tuple[list[str], list[tuple[Any, ...]]]]
) -> dict[str, dict[str, float]]:
    """Seconds by way and kind; one commit a batch."""
    ways = ("executemany",) if isinstance(where, Path) else ("executemany", "copy")
    taken: dict[str, dict[str, float]] = {}
    for way in ways:
        taken[way] = {}
        connection: Any
        if isinstance(where, Path):
            connection = sqlite3.connect(where)
            connection.executescript(
                "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-65536; PRAGMA secure_delete=ON"
            )
        else:
            connection = psycopg.connect(where)
            connection.execute("SET synchronous_commit = on")
            if way != ways[0]:
                connection.execute(
                    "TRUNCATE user_, card, user_card, user_card_event, outbox, card_assignment"
                )
                connection.commit()
        for kind, tables in TABLES.items():
            total = len(rows[tables[0]][1])
            start = time.perf_counter()
            for first in range(0, total, BATCH):
                for table in tables:
                    names, values = rows[table]
                    _insert(connection, way, table, names, values[first : first + BATCH])
                connection.commit()
            taken[way][kind] = time.perf_counter() - start
        connection.close()
    return taken


def _insert(connection: Any, way: str, table: str, names: list[str], rows: list[tuple[Any, ...]]) -> None:
    columns = ", ".join(f'"{name}"' for name in names)
    if way == "copy":
        with connection.cursor().copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return
    mark = "?" if isinstance(connection, sqlite3.Connection) else "%s"
    connection.cursor().executemany(
        f"INSERT INTO {table} ({columns}) VALUES ({', '.join([mark] * len(names))})", rows
    )


def measure(bench: Bench, rounds: int) -> dict[str, Any]:
    """Rates of every way, and each as a ratio to the first plain one."""
    files = bench.files()
    seconds: dict[str, dict[str, list[float]]] = {}

    def note(way: str, taken: dict[str, float]) -> None:
        for kind, value in taken.items():
            seconds.setdefault(way, {}).setdefault(kind, []).append(value)

    for _ in range(rounds):
        with bench.settings() as settings:
            note("cli", by_cli(settings, files))
        with bench.settings() as settings:
            note("grpc", by_grpc(settings, bench))
            tables = {
                table: rows_of(where_of(settings), table, bench.rows)
                for each in TABLES.values()
                for table in each
            }
        with bench.settings() as settings:
            for way, taken in plain(where_of(settings), tables).items():
                note(way, taken)
    rates = {
        way: {kind: round(bench.rows / statistics.median(values)) for kind, values in kinds.items()}
        for way, kinds in seconds.items()
    }
    return {
        "rows_per_second": rates,
        "times_of_executemany": {
            way: {kind: round(rates["executemany"][kind] / rate, 2) for kind, rate in kinds.items()}
            for way, kinds in rates.items()
        },
    }


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--cards", type=int, default=0, help="in the database before, each with a holder")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--postgresql", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as folder:
        postgresql = None
        if arguments.postgresql:
            from tests.databases import Postgres

            postgresql = Postgres()
        try:
            bench = Bench(Path(folder), arguments.rows, arguments.cards, postgresql)
            found = measure(bench, arguments.rounds)
        finally:
            if postgresql is not None:
                postgresql.remove()
    about = {
        "database": "PostgreSQL, synchronous_commit=on"
        if arguments.postgresql
        else "SQLite WAL, synchronous=FULL",
        "rows": arguments.rows,
        "cards_before": arguments.cards,
        "rows_a_batch": BATCH,
        "rounds": arguments.rounds,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(about | found, indent=2))


if __name__ == "__main__":
    main()
