"""Starting and ending a whole server."""

import asyncio
import gc
import sqlite3
import threading

import grpc
import pytest
from grpc import aio

from swipegate.api.server import Server, ServerError
from swipegate.service.keys import KeyFileError
from swipegate.settings import Settings, load
from swipegate.store.revision import DatabaseFileError, SchemaVersionError
from tests.conftest import Client
from tests.people import People, new_id


def _ours() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("swipegate")}


async def test_it_ends_without_threads_and_starts_again_with_its_data(settings: Settings) -> None:
    for _ in range(3):
        server = Server(settings)
        await server.start()
        assert "swipegate-write" in _ours()
        await server.stop()
        await server.stop()
        assert _ours() == set()
    gc.collect()  # a connection that was forgotten would warn, and a warning is an error


async def test_two_servers_do_not_share_data(server: Server, settings: Settings) -> None:
    with pytest.raises(ServerError, match="another swipegate server works on"):
        await Server(settings).start()


async def test_a_taken_port_is_named_and_nothing_stays_behind(server: Server, settings: Settings) -> None:
    before = _ours()
    taken = load(
        **settings.model_dump() | {"listen": f"127.0.0.1:{server.port}", "data_dir": settings.data_dir / "b"}
    )
    with pytest.raises(ServerError, match="cannot listen on"):
        await Server(taken).start()
    assert _ours() == before


async def test_what_cannot_be_used_is_named(settings: Settings) -> None:
    await (running := Server(settings)).start()
    await running.stop()
    path = settings.data_dir / "swipegate.db"
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(SchemaVersionError, match="revision 9999"):
        await Server(settings).start()
    path.write_bytes(b"not a database" * 100)
    for side in ("-wal", "-shm"):
        path.with_name(path.name + side).unlink(missing_ok=True)
    with pytest.raises(DatabaseFileError, match="not a database"):
        await Server(settings).start()
    (settings.data_dir / "sealing.key").chmod(0o644)
    with pytest.raises(KeyFileError, match="others can read"):
        await Server(settings).start()
    assert _ours() == set()


async def test_calls_at_the_end_are_answered_or_refused_and_none_hangs(
    settings: Settings, bearer: object
) -> None:
    server = Server(settings)
    await server.start()
    async with aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        people = People(Client(channel, bearer()))  # type: ignore[operator]
        user, other = await people.user(), await people.user()
        card = (await people.card(user)).card_id
        done = 0

        async def keep_replacing() -> grpc.StatusCode:
            nonlocal done
            while True:
                try:
                    await people.replace(user_id=(user, other)[done % 2], card_id=card, request_id=new_id())
                except aio.AioRpcError as error:
                    return error.code()
                done += 1

        callers = [asyncio.create_task(keep_replacing()) for _ in range(16)]
        await asyncio.sleep(0.2)
        async with asyncio.timeout(20):
            await server.stop()
            codes = await asyncio.gather(*callers)
    assert set(codes) <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
    connection = sqlite3.connect(settings.data_dir / "swipegate.db")
    assert connection.execute("SELECT count(*) FROM user_card WHERE end_time IS NULL").fetchone() == (1,)
    assert connection.execute("SELECT count(*) FROM idempotency").fetchone()[0] >= done
    connection.close()
    assert _ours() == set()
