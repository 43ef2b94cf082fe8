"""`swipegate database`, and the options of `swipegate serve` about it, on both databases."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from swipegate.cli.output import Exit
from swipegate.store import schema
from tests.adversity.serving import ServeProcess
from tests.databases import Where, both, look
from tests.store.older import SEALING_KEY, make_older

pytestmark = both
PASSWORD = "correct-horse"
OK, USAGE, UNAVAILABLE = int(Exit.OK), int(Exit.USAGE), int(Exit.UNAVAILABLE)


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, where: Where, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With everything in the environment, the password too."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("SWIPEGATE_DATA_DIR", str(folder))
    if not isinstance(where, Path):
        url = where.set(password=PASSWORD).render_as_string(hide_password=False)
        monkeypatch.setenv("SWIPEGATE_DATABASE_URL", url)
    return folder


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a process of its own; what it says never holds the password."""
    done = subprocess.run(
        [sys.executable, "-m", "swipegate.cli.main", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert PASSWORD not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def check() -> tuple[int, dict[str, Any]]:
    code, out, _ = run("database", "check", "--json")
    return code, json.loads(out)


def put_key(folder: Path, key: bytes) -> None:
    file = folder / "sealing.key"
    file.write_bytes(key)
    file.chmod(0o600)


def test_from_nothing_to_a_server(data_dir: Path, where: Where) -> None:
    code, told = check()
    assert (code, told["state"], told["revision"], told["sealing_key"]) == (OK, "empty", None, None)
    assert list(data_dir.iterdir()) == [], "a look makes nothing"
    code, out, _ = run("database", "upgrade", "--json")
    assert (code, json.loads(out)["before"], json.loads(out)["revision"]) == (OK, None, schema.REVISION)
    assert check()[1]["sealing_key"] == "not there"
    put_key(data_dir, SEALING_KEY)
    code, told = check()
    assert (code, told["state"], told["sealing_key"]) == (OK, "current", "not used yet")
    with ServeProcess(data_dir):
        assert check()[1]["sealing_key"] == "fits"
    put_key(data_dir, b"another key of thirty-two bytes!")
    code, told = check()
    assert (code, told["sealing_key"]) == (USAGE, "does not fit")
    code, _, said = run("serve", "--listen", "127.0.0.1:0")
    assert (code, "sealing.key is not the key of this database" in said) == (USAGE, True)
    name = str(where) if isinstance(where, Path) else "postgresql://postgres:***@/"
    assert name in told["database"]


def test_an_older_database_is_checked_and_upgraded(data_dir: Path, where: Where) -> None:
    make_older(where)
    put_key(data_dir, SEALING_KEY)
    code, told = check()
    assert (code, told["revision"], told["needs"]) == (USAGE, "0001", schema.REVISION)
    assert "swipegate database upgrade" in told["state"]
    code, _, said = run("serve", "--listen", "127.0.0.1:0")
    assert (code, "`swipegate database upgrade`" in said) == (USAGE, True)
    code, out, _ = run("database", "upgrade")
    assert (code, "was 0001" in out.replace("\n", " ")) == (OK, True)
    code, told = check()
    assert (code, told["state"], told["sealing_key"]) == (OK, "current", "fits")
    assert "is already" in run("database", "upgrade")[1].replace("\n", " ")


def test_a_server_upgrades_when_told_to(
    data_dir: Path, where: Where, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_older(where)
    put_key(data_dir, SEALING_KEY)
    monkeypatch.setenv("SWIPEGATE_UPGRADE_DATABASE", "true")
    with ServeProcess(data_dir):
        assert look(where, "SELECT version_num FROM alembic_version") == [(schema.REVISION,)]


def test_flags_of_serve(data_dir: Path, where: Where, kind: str) -> None:
    """Given with the command, not in the environment."""
    make_older(where)
    put_key(data_dir, SEALING_KEY)
    url = os.environ.pop("SWIPEGATE_DATABASE_URL", None)
    flags = ["--data-dir", str(data_dir), "--listen", "127.0.0.1:0", "--json", "--upgrade-database"]
    if url is not None:
        flags += ["--database-url", url]
    command = [sys.executable, "-m", "swipegate.cli.main", "serve", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.terminate()
        said = line + "".join(process.communicate(timeout=60))
    assert json.loads(line)["listening"]
    assert PASSWORD not in said
    assert look(where, "SELECT version_num FROM alembic_version") == [(schema.REVISION,)]


@pytest.fixture
def stranger(where: Where) -> Iterator[None]:
    look(where, "CREATE TABLE invoice (number INTEGER)")
    yield
    assert look(where, "SELECT count(*) FROM invoice") == [(0,)]


@pytest.mark.usefixtures("stranger")
def test_another_programs_database() -> None:
    code, told = check()
    assert (code, told["state"]) == (USAGE, "tables of another program (invoice)")
    code, _, said = run("database", "upgrade")
    assert (code, "tables of another program" in said) == (USAGE, True)
    assert said.count("\n") == 1


def test_a_database_that_is_not_there(tmp_path: Path, kind: str) -> None:
    if kind == "sqlite":
        arguments, expected = ["--data-dir", str(tmp_path / "nowhere")], USAGE
    else:
        url = f"postgresql://somebody:{PASSWORD}@/nothing?host={tmp_path}&password={PASSWORD}"
        arguments, expected = ["--database-url", url], UNAVAILABLE
    code, _, said = run("database", "upgrade", *arguments)
    assert code == expected, said
    assert said.count("\n") == 1
    code, _, said = (
        run("serve", "--listen", "127.0.0.1:0", *arguments) if kind != "sqlite" else (expected, "", "")
    )
    assert code == expected, said


def test_no_upgrade_under_a_running_server(data_dir: Path, kind: str) -> None:
    with ServeProcess(data_dir):
        code, _, said = run("database", "upgrade")
    if kind == "sqlite":
        assert (code, "another swipegate server works on" in said) == (UNAVAILABLE, True)
    else:  # nothing to do; the server may be on another machine
        assert code == OK


def test_a_url_that_is_none() -> None:
    for url in ("mysql://somebody@host/db", f"postgresql://somebody:{PASSWORD}@host:port/db"):
        code, _, said = run("database", "check", "--database-url", url)
        assert (code, "postgresql://USER@HOST/DATABASE" in said) == (USAGE, True)
