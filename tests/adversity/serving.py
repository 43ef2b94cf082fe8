"""A real `swipegate serve` in a process of its own, to be killed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

from sqlalchemy import URL

from swipegate.domain.authority import PERMISSIONS
from swipegate.service.tokens import tokens_of
from swipegate.settings import load
from tests.databases import Where

START_TIMEOUT = 20.0
"""Seconds."""


class ServeProcess:
    """`swipegate serve` on a data folder; the port is another one at every start.

    Where the database is PostgreSQL's the folder holds its keys alone; a file is always the folder's own.
    """

    def __init__(self, data_dir: Path, where: Where | None = None) -> None:
        self.data_dir = data_dir
        self._environment = dict(os.environ)
        if isinstance(where, URL):
            url = where.render_as_string(hide_password=False)
            self._environment["SWIPEGATE_DATABASE_URL"] = url
        self.port = 0
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start, and wait until it listens."""
        command = [sys.executable, "-m", "swipegate.cli.main", "serve", "--json"]
        command += ["--data-dir", str(self.data_dir), "--listen", "127.0.0.1:0", "--pc-name", "test-pc"]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self._environment
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the server did not start: {self._process.communicate(timeout=START_TIMEOUT)[1]}"
        self.port = int(json.loads(line)["listening"].rpartition(":")[2])

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL: nothing of the process runs after it."""
        self._end(signal.SIGKILL)

    def terminate(self) -> int:
        """SIGTERM: the graceful end; the answer is the exit code."""
        return self._end(signal.SIGTERM)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """A token with every permission, as the metadata of a call."""
        token = tokens_of(load(data_dir=self.data_dir)).mint("tester", "tests", PERMISSIONS, 600)
        return (("authorization", f"Bearer {token}"),)

    def _end(self, number: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(number)
        process.communicate(timeout=START_TIMEOUT)
        return process.returncode
