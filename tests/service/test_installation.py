"""A database and its sealing key belong together."""

from collections.abc import Callable
from pathlib import Path

import pytest

from swipegate.api.server import Server
from swipegate.service.keys import KeyFileError
from swipegate.settings import Settings
from tests.databases import Where, both, look
from tests.store.older import SEALING_KEY, make_older

pytestmark = both
Put = Callable[[bytes], None]


@pytest.fixture
def put(settings: Settings) -> Put:
    """Puts a sealing key in its place."""

    def write(key: bytes) -> None:
        file = settings.data_dir / "sealing.key"
        file.unlink(missing_ok=True)
        file.write_bytes(key)
        file.chmod(0o600)

    return write


async def start_and_stop(settings: Settings) -> None:
    server = Server(settings)
    await server.start()
    await server.stop()


async def test_a_server_with_another_key_does_not_start(settings: Settings, put: Put) -> None:
    put(b"1" * 32)
    await start_and_stop(settings)
    put(b"2" * 32)
    for _ in range(2):
        with pytest.raises(KeyFileError, match=r"sealing\.key is not the key of this database"):
            await start_and_stop(settings)
    put(b"1" * 32)
    await start_and_stop(settings)


async def test_an_upgraded_database_knows_its_key_by_what_was_sealed_with_it(
    settings: Settings, where: Where, put: Put
) -> None:
    make_older(where)
    upgrading = settings.model_copy(update={"upgrade_database": True})
    put(b"2" * 32)
    with pytest.raises(KeyFileError, match="Bring back the key"):
        await start_and_stop(upgrading)
    assert look(where, "SELECT * FROM installation") == []
    put(SEALING_KEY)
    await start_and_stop(upgrading)
    put(b"2" * 32)
    with pytest.raises(KeyFileError):
        await start_and_stop(settings)


async def test_a_second_server_with_the_same_key(settings: Settings, tmp_path: Path, put: Put) -> None:
    put(b"1" * 32)
    await start_and_stop(settings)
    folder = tmp_path / "second"
    folder.mkdir(mode=0o700)
    second = settings.model_copy(update={"data_dir": folder})
    if settings.database_url is None:  # SQLite lies in the folder
        return
    with pytest.raises(KeyFileError):  # it made itself a key of its own
        await start_and_stop(second)
    (folder / "sealing.key").write_bytes(b"1" * 32)
    await start_and_stop(second)
