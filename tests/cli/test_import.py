"""`swipegate import` in a process of its own, against a real server."""

import asyncio
import csv
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swipegate.api.server import Server
from swipegate.cli.output import Exit
from swipegate.settings import Settings
from tests.databases import Where, both, look, somebody_writes
from tests.people import People, new_id

pytestmark = both
TIMEOUT = 120.0
"""Seconds for any command, and for anything to happen."""
ROWS = 5_000

Done = tuple[int, str, str]
"""Exit code, standard output, standard error."""
Command = Callable[..., "asyncio.Task[Done]"]


@pytest.fixture
def command(server: Server, settings: Settings) -> Command:
    """Runs `swipegate import` against the server."""

    async def run(*arguments: object) -> Done:
        options = ("--server", f"127.0.0.1:{server.port}", "--data-dir", settings.data_dir)
        process = await start("import", *arguments, *options)
        return await done(process)

    return lambda *arguments: asyncio.ensure_future(run(*arguments))


async def start(*arguments: object) -> asyncio.subprocess.Process:
    """`swipegate` with these arguments."""
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "swipegate.cli.main", *map(str, arguments), stdout=pipe, stderr=pipe
    )


async def done(process: asyncio.subprocess.Process) -> Done:
    """How it ended."""
    async with asyncio.timeout(TIMEOUT):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def report(running: "asyncio.Task[Done]") -> tuple[int, dict[str, Any]]:
    """Exit code and what --json said."""
    code, out, err = await running
    assert out, err
    return code, json.loads(out)


def write(path: Path, header: str, lines: list[str]) -> Path:
    """A CSV file."""
    path.write_text("\n".join((header, *lines, "")), encoding="utf-8-sig")
    return path


CARDS = "ac_system_id,card_type,internal_card_number,external_card_number,user_id"


async def test_five_thousand_users_and_their_cards(
    command: Command, people: People, where: Where, tmp_path: Path
) -> None:
    ids = [new_id() for _ in range(ROWS)]
    users = write(
        tmp_path / "users.csv", "user_id,name", [f'{key},"Name {n}, Æ"' for n, key in enumerate(ids)]
    )
    code, first = await report(command("users", users, "--json"))
    assert code == Exit.OK
    assert {key: first[key] for key in ("created", "unchanged", "refused", "complete", "dry_run")} == {
        "created": ROWS,
        "unchanged": 0,
        "refused": 0,
        "complete": True,
        "dry_run": False,
    }
    assert look(where, "SELECT name FROM user_ WHERE user_id = :key", key=ids[7]) == [("Name 7, Æ",)]

    system = await people.system()
    rows = [f"{system},2,{n:09},{n:09},{key}" for n, key in enumerate(ids, 1)]
    bad = {17: f"{system},2,x,1,", 2_500: f"{system},2,9,9", 4_999: f"{system},2,2600,other,{ids[2599]}"}
    for number, row in bad.items():
        rows[number - 2] = row  # the header is line 1
    cards, refused = write(tmp_path / "cards.csv", CARDS, rows), tmp_path / "refused.csv"
    code, dry = await report(command("cards", cards, "--json", "--dry-run"))
    assert (code, dry["refused"], dry["dry_run"]) == (Exit.REFUSED, 2, True)  # that of 4,999 needs a card
    assert look(where, "SELECT count(*) FROM card") == [(0,)]
    code, out, err = await command("cards", cards, "--refused", refused)
    assert code == Exit.REFUSED
    assert f"{ROWS:,} rows in" in out
    assert f"{ROWS - 3:,} new or changed hands, 0 were there already, 3 refused" in out
    assert "swipegate: line 17: INVALID_FIELD: internal_card_number: must be a whole number" in err
    with refused.open(encoding="utf-8", newline="") as file:
        header, *found = csv.reader(file)
    assert header == ["line", "reason", "field", "description", "row"]
    assert [(int(row[0]), *row[1:3], row[4]) for row in found] == [
        (17, "INVALID_FIELD", "internal_card_number", bad[17]),
        (2_500, "INVALID_FIELD", "", bad[2_500]),
        (4_999, "CARD_EXISTS", "external_card_number", bad[4_999]),
    ]
    assert refused.stat().st_mode & 0o777 == 0o600
    code, again = await report(command("cards", cards, "--json"))
    assert (again["created"], again["unchanged"], again["refused"]) == (0, ROWS - 3, 3)
    held = look(where, "SELECT count(DISTINCT card_id), count(*) FROM user_card WHERE end_time IS NULL")
    assert held == [(ROWS - 3, ROWS - 3)]
    assert look(where, "SELECT count(*) FROM user_card_event") == [(ROWS - 3,)]


async def test_take_over(command: Command, people: People, where: Where, tmp_path: Path) -> None:
    system, one, two = await people.system(), await people.user(), await people.user()
    before = write(tmp_path / "before.csv", CARDS, [f"{system},2,{n},{n},{one}" for n in range(1, 16)])
    after = write(tmp_path / "after.csv", CARDS, [f"{system},2,{n},{n},{two}" for n in range(1, 16)])
    assert (await command("cards", before))[0] == Exit.OK
    code, out, err = await command("cards", after)
    assert code == Exit.REFUSED
    assert "15 refused" in out
    assert err.count("CARD_HELD") == 10
    assert "and 5 more; --refused FILE.csv keeps them all" in err
    code, taken = await report(command("cards", after, "--take-over", "--json"))
    assert (code, taken["created"]) == (Exit.OK, 15)
    held = look(where, "SELECT DISTINCT user_id FROM user_card WHERE end_time IS NULL")
    assert held == [(two,)]


async def test_ctrl_c_keeps_what_was_answered(
    server: Server, settings: Settings, people: People, where: Where, tmp_path: Path
) -> None:
    names = [f"{new_id()},{n}" for n in range(50_000)]
    file = write(tmp_path / "users.csv", "user_id,name", names)
    options = ("--server", f"127.0.0.1:{server.port}", "--data-dir", settings.data_dir)
    process = await start("import", "users", file, "--json", *options)
    async with asyncio.timeout(TIMEOUT):
        while look(where, "SELECT count(*) FROM user_") == [(0,)]:  # noqa: ASYNC110 - another process counts
            await asyncio.sleep(0.01)
    process.send_signal(signal.SIGINT)
    code, out, err = await done(process)
    said = json.loads(out)
    assert (code, said["complete"], err) == (Exit.INTERRUPTED, False, "")
    assert 0 < said["created"] < len(names)
    assert look(where, "SELECT count(*) FROM user_") == [(said["created"],)]
    assert said["last_line"] == said["created"] + 1

    rest = write(tmp_path / "rest.csv", "user_id,name", names[: said["created"] + 1_500])
    process = await start("import", "users", rest, "--json", *options)
    code, out, err = await done(process)
    again = json.loads(out)
    assert (code, again["created"], again["unchanged"]) == (Exit.OK, 1_500, said["created"])


async def test_a_server_that_ends_on_the_way(
    server: Server, settings: Settings, people: People, where: Where, tmp_path: Path
) -> None:
    file = write(tmp_path / "users.csv", "user_id,name", [f"{new_id()},{n}" for n in range(10_000)])
    options = ("--server", f"127.0.0.1:{server.port}", "--data-dir", settings.data_dir)
    with somebody_writes(where):  # the server waits for it, so the import is on its way
        process = await start("import", "users", file, *options)
        stopping = asyncio.create_task(server.stop())
        code, out, err = await done(process)
    await stopping
    assert code == Exit.UNAVAILABLE
    assert "0 rows in" in out
    assert "Run the same command again to go on" in out
    assert err.startswith("swipegate: ")


async def test_what_is_wrong_with_the_command(
    command: Command, people: People, settings: Settings, tmp_path: Path
) -> None:
    users = write(tmp_path / "users.csv", "user_id,name", [f"{new_id()},x"])
    other = write(tmp_path / "other.csv", "id,name", [])
    broken = tmp_path / "broken.csv"
    broken.write_text('name\none\n"two\n' + "x" * 20_000)
    cases = [
        ((tmp_path / "none.csv",), Exit.USAGE, "none.csv: No such file or directory"),
        ((other,), Exit.USAGE, "unknown column 'id' (cells are parted by commas); known are user_id, name"),
        ((users, "--refused", users), Exit.USAGE, "users.csv: is the file that is imported"),
        ((users, "--refused", tmp_path / "no" / "r.csv"), Exit.USAGE, "r.csv: No such file or directory"),
        ((users, "--token", "none"), Exit.UNAVAILABLE, "UNAUTHENTICATED"),
        ((broken,), Exit.USAGE, "broken.csv: line 3: a row of more than 16,384 bytes"),
    ]
    for arguments, code, text in cases:
        got, _, err = await command("users", *arguments)
        assert (got, text in err, "Traceback" in err) == (code, True, False), err
    assert users.read_text(encoding="utf-8-sig").startswith("user_id,name")
    done_ = await start("import", "users", users, "--server", "127.0.0.1:1", "--data-dir", settings.data_dir)
    got, _, err = await done(done_)
    assert (got, "no server answers at 127.0.0.1:1" in err) == (Exit.UNAVAILABLE, True)
