"""`swipegate systems` with a real server in a process of its own and the receiver of docs/outbox.md."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner

from swipegate.cli.main import app
from swipegate.cli.output import Exit
from swipegate.v1 import user_card_pb2, user_card_pb2_grpc, user_pb2, user_pb2_grpc
from tests.adversity.serving import ServeProcess
from tests.connectors.receiver import DEADLINE, SECRET
from tests.connectors.test_outbox_page import running

NOBODY = "http://127.0.0.1:9/"


class Shell:
    """The command against one server."""

    def __init__(self, serving: ServeProcess) -> None:
        self.serving = serving

    def run(self, *arguments: str | Path, code: Exit = Exit.OK) -> str:
        """What it prints."""
        server = ("--server", f"127.0.0.1:{self.serving.port}", "--data-dir", str(self.serving.data_dir))
        done = CliRunner().invoke(app, ["systems", *map(str, arguments), *server], env={"COLUMNS": "200"})
        assert done.exit_code == code, done.output
        return done.output

    def rows(self, *arguments: str | Path) -> list[dict[str, Any]]:
        """What it prints for machines."""
        return [json.loads(line) for line in self.run(*arguments, "--json").splitlines()]

    def card(self, system: str) -> str:
        """A new card of the system, in somebody's hands."""
        call: dict[str, Any] = {"metadata": self.serving.metadata(), "timeout": DEADLINE}
        with grpc.insecure_channel(f"127.0.0.1:{self.serving.port}") as channel:
            request = user_pb2.CreateUserRequest(user=user_pb2.User(name="somebody"))
            user = user_pb2_grpc.UserServiceStub(channel).CreateUser(request, **call).user
            given = user_card_pb2.ReplaceCardIfExistsRequest(
                user_id=user.user_id,
                card_type=2,
                card_ac_system_id=system,
                internal_card_number=0,
                external_card_number="1",
            )
            stub = user_card_pb2_grpc.UserCardServiceStub(channel)
            return str(stub.ReplaceCardIfExists(given, **call).card_id)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with ServeProcess(tmp_path_factory.mktemp("systems")) as serving:
        yield Shell(serving)


def test_a_system_from_its_registration_to_what_it_knows(shell: Shell, tmp_path: Path) -> None:
    (system,) = shell.rows("add", "north [x]")
    assert system["gives_card_numbers"]
    assert system in shell.rows("list")
    key = tmp_path / "key"
    key.write_text("whsec_" + base64.b64encode(SECRET).decode() + "\n")
    with running() as names:
        url = f"http://127.0.0.1:{names['server'].server_port}/"
        (changed,) = shell.rows("webhook", "north [x]", url, "--secret-file", key)
        assert changed == system | {"webhook": url}
        card = shell.card(system["ac_system_id"])
        deadline = time.monotonic() + DEADLINE
        while shell.rows("outbox", system["ac_system_id"].upper(), "--pending"):
            assert time.monotonic() < deadline
        assert list(names["known"]) == [card]
    (entry,) = shell.rows("outbox", "north [x]")
    assert (entry["card_id"], entry["attempts"], entry["error"]) == (card, 0, "")
    assert entry["applied_sequence"] == entry["desired_sequence"] > 0
    assert entry["next_try_time"] is None
    assert "north [x]" in shell.run("list")
    assert card in shell.run("outbox", "north [x]")
    assert "nothing is sent any more" in shell.run("webhook", "north [x]", "--off")
    assert shell.rows("outbox", "north [x]") == []


def test_a_key_that_is_made_is_shown_once(shell: Shell) -> None:
    assert "is registered" in shell.run("add", "south", "--given-numbers")
    assert "whsec_" in shell.run("webhook", "south", NOBODY)
    (changed,) = shell.rows("webhook", "south", NOBODY + "new")
    assert "secret" not in changed
    assert changed["webhook"] == NOBODY + "new"
    shell.run("webhook", "south", "--off")
    (changed,) = shell.rows("webhook", "south", NOBODY)
    assert len(base64.b64decode(changed["secret"].removeprefix("whsec_"))) == 32


def test_an_error_is_shown_and_tried_again(shell: Shell) -> None:
    (system,) = shell.rows("add", "east")
    shell.run("webhook", "east", NOBODY)
    for _ in range(3):
        shell.card(system["ac_system_id"])
    deadline = time.monotonic() + DEADLINE
    while not any(row["error"] == "connection refused" for row in shell.rows("outbox", "east", "--retry")):
        assert time.monotonic() < deadline
    assert len(shell.rows("outbox", "east", "--pending", "--limit", "2")) == 2
    assert "there are more" in shell.run("outbox", "east", "--limit", "1")


def test_what_is_wrong(shell: Shell, tmp_path: Path) -> None:
    shell.run("add", "west")
    assert "AC_SYSTEM_EXISTS" in shell.run("add", "west", code=Exit.UNAVAILABLE)
    assert "no access control system" in shell.run("outbox", "nowhere", code=Exit.UNAVAILABLE)
    assert "INVALID_FIELD" in shell.run("webhook", "west", "http://h/", code=Exit.UNAVAILABLE)
    assert "--off" in shell.run("webhook", "west", code=Exit.USAGE)
    assert "--off" in shell.run("webhook", "west", NOBODY, "--off", code=Exit.USAGE)
    bad = tmp_path / "key"
    bad.write_bytes(b"hunter2\xff")
    for path, words in ((bad, "base 64"), (tmp_path / "none", "No such file")):
        output = shell.run("webhook", "west", NOBODY, "--secret-file", path, code=Exit.USAGE)
        assert words in output
        assert "hunter2" not in output
    assert "UTF-8" in shell.run("add", "west\udcff", code=Exit.USAGE)
