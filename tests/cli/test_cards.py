"""`swipegate cards` and `swipegate users` as operators call them, against a real server."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from swipegate.api.server import Server
from swipegate.cli.main import app
from swipegate.cli.output import Exit
from swipegate.settings import Settings
from swipegate.v1 import user_pb2
from tests.people import SERIAL, People, new_id

Run = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def run(server: Server, settings: Settings) -> Run:
    """Runs a command beside the server: exit code, standard output, standard error."""

    async def run(*arguments: str) -> tuple[int, str, str]:
        where = ["--server", f"127.0.0.1:{server.port}", "--data-dir", str(settings.data_dir)]
        result = await asyncio.to_thread(
            CliRunner().invoke, app, [*arguments, *where], env={"COLUMNS": "200"}
        )
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.stdout, result.stderr

    return run


async def objects(run: Run, *arguments: str) -> list[dict[str, Any]]:
    """What the command prints as JSON."""
    code, text, _ = await run(*arguments, "--json")
    assert code == Exit.OK
    return [json.loads(line) for line in text.splitlines()]


async def test_a_card_is_shown_and_marked(people: People, run: Run) -> None:
    user = await people.user()
    card = await people.card(user, card_type=SERIAL, card_serial_number=77)
    (shown,) = await objects(run, "cards", "show", card.card_id)
    assert (shown["user_id"], shown["status"], shown["card_serial_number"]) == (user, "good", 77)
    assert shown["facility_code"] is None
    code, text, _ = await run("cards", "show", card.card_id)
    assert code == Exit.OK
    assert all(part in text for part in (user, "card serial number", "77", "good"))
    assert "facility" not in text
    (marked,) = await objects(run, "cards", "mark", card.card_id, "stolen")
    assert (marked["status"], marked["user_id"]) == ("stolen", user)
    assert "good" in (await run("cards", "mark", card.card_id, "good"))[1]
    assert (await run("cards", "mark", card.card_id, "eaten"))[0] == Exit.USAGE


async def test_the_history_of_a_card(people: People, run: Run) -> None:
    first, second = await people.user(), await people.user()
    card = await people.card(first, pin="0042")
    await people.replace(user_id=second, card_id=card.card_id)
    held = await objects(run, "cards", "history", card.card_id)
    assert [(one["user_id"], one["has_pin"]) for one in held] == [(first, True), (second, False)]
    assert held[0]["end_time"] == held[1]["start_time"]
    assert held[1]["end_time"] is None
    _, text, _ = await run("cards", "history", card.card_id)
    assert text.index(first) < text.index(second)
    assert "now" in text


@pytest.mark.parametrize("command", [["show"], ["history"], ["mark", "lost"]])
async def test_a_card_that_is_not_there(run: Run, command: list[str]) -> None:
    name, *rest = command
    for card_id, reason in ((new_id(), "CARD_NOT_FOUND"), ("x", "INVALID_FIELD")):
        code, text, problem = await run("cards", name, card_id, *rest)
        assert (code, text) == (Exit.UNAVAILABLE, "")
        assert reason in problem


async def test_users_in_pages(people: People, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swipegate.cli.users.PAGE", 2)
    client = people.client
    for number in range(5):
        user = user_pb2.User(name=f"[bold]user {number}")
        await client.users.CreateUser(user_pb2.CreateUserRequest(user=user), **client.options)
    inside = await people.user(await people.system())
    found = await objects(run, "users", "list")
    assert [one["name"] for one in found] == [f"[bold]user {number}" for number in range(5)] + ["somebody"]
    (only,) = await objects(run, "users", "list", "--occupancy", found[-1]["occupancy_id"])
    assert only["user_id"] == inside
    _, text, _ = await run("users", "list", "--limit", "3")
    assert "[bold]user 2" in text
    assert "[bold]user 3" not in text
    assert "more than 3" in text
    assert "more" not in (await run("users", "list", "--limit", "6"))[1]
