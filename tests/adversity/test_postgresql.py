"""PostgreSQL that crashes, hangs, cuts connections or is held by another: no answer is lost, no card doubled."""

import asyncio
import os
import random
import shutil
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest
from grpc import aio
from sqlalchemy import Connection, func, select

from swipegate.api.server import Server
from swipegate.domain.authority import PERMISSIONS
from swipegate.domain.user import User
from swipegate.service.tokens import tokens_of
from swipegate.settings import Settings
from swipegate.store import engine as engines
from swipegate.store import schema, users
from swipegate.store.database import OUTAGE_PAUSE, Database
from swipegate.store.revision import DatabaseUnavailableError
from swipegate.store.statement import Statement
from swipegate.v1 import user_card_pb2
from swipegate.v1.user_card_pb2 import ReplaceCardIfExistsRequest, ReplaceCardIfExistsResponse
from tests.conftest import Client
from tests.databases import Postgres, Where, engine_of, look, somebody_writes
from tests.people import People, new_id, taken_apart

T = TypeVar("T")
ANSWER, BUSY, CONNECT = 6.0, 2.0, 4
"""Seconds, in the place of the longer ones of store/engine.py."""
BOUND = 40.0
"""Seconds in which a call ends whatever the database does; far over the sum of those, for a busy machine."""
CALLERS = 8


@pytest.fixture(scope="module")
def own() -> Iterator[Postgres]:
    """A server that these tests may break."""
    server = Postgres("fsync = off", "max_connections = 50")
    yield server
    server.remove()


@pytest.fixture
def where(own: Postgres) -> Iterator[Where]:
    if not (own.data / "postmaster.pid").exists():
        own.start()
    with own.database() as url:
        yield url


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that a test can wait for."""
    monkeypatch.setattr(engines, "ANSWER_TIMEOUT", ANSWER)
    monkeypatch.setattr(engines, "STATEMENT_TIMEOUT", ANSWER / 2)
    monkeypatch.setattr(engines, "BUSY_TIMEOUT", BUSY)
    monkeypatch.setattr(engines, "CONNECT_TIMEOUT", CONNECT)


def processes(of: Postgres) -> list[int]:
    """The server's first process and its children; each is a session of its own."""
    found = [of.pid]
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        if int(text.rpartition(")")[2].split()[1]) == of.pid:
            found.append(int(stat.parent.name))
    return found


@contextmanager
def hanging(server: Postgres) -> Iterator[None]:
    """The server takes connections, and answers nothing."""
    stopped = processes(server)
    for process in stopped:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in stopped:
            os.kill(process, signal.SIGCONT)


def cut_connections(where: Where) -> int:
    """End every connection of a Swipegate from the server's side; how many there were."""
    rows = look(
        where,
        """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'swipegate'""",
    )
    return len(rows)


def unavailable(error: BaseException) -> bool:
    """Whether a call ended as the contract has it."""
    assert isinstance(error, aio.AioRpcError), error
    return (error.code(), taken_apart(error).reason) == (
        grpc.StatusCode.UNAVAILABLE,
        "DATABASE_UNAVAILABLE",
    )


async def again_and_again(call: Callable[[], Awaitable[T]]) -> T:
    """What the call gives once the database is there for it again."""
    async with asyncio.timeout(BOUND):
        while True:
            try:
                return await call()
            except aio.AioRpcError as error:
                if not unavailable(error):
                    raise
            await asyncio.sleep(OUTAGE_PAUSE / 4)


def assert_chains(where: Where, cards: list[str]) -> None:
    """Each card has one holder, and its events tell how it came to that one, step by step."""
    assert look(where, "SELECT card_id FROM user_card WHERE end_time IS NULL ORDER BY 1") == [
        (card,) for card in sorted(cards)
    ]
    links = look(
        where,
        """SELECT card_id, before::json->>'user_card_id', after::json->>'user_card_id' FROM user_card_event
        WHERE kind <> 'UPDATED' ORDER BY sequence""",
    )
    last: dict[str, str] = {}
    for card, before, after in links:
        assert last.get(card) == before
        last[card] = after
    assert dict(look(where, "SELECT card_id, user_card_id FROM user_card WHERE end_time IS NULL")) == last
    made = look(where, "SELECT user_card_id FROM user_card ORDER BY 1")
    assert made == sorted((after,) for _, _, after in links)


class Movers:
    """Callers that move cards about, and remember what they were told."""

    def __init__(self, clients: list[Client], users: list[str], cards: list[str]) -> None:
        self._clients = clients
        self._choice = random.Random(20260202)
        self.users, self.cards = users, cards
        self.answered: dict[str, tuple[ReplaceCardIfExistsRequest, ReplaceCardIfExistsResponse]] = {}
        self.refused: list[ReplaceCardIfExistsRequest] = []
        self.longest = 0.0
        """Seconds of the call that took the longest to be refused."""
        self._stop = False
        self._told = asyncio.Event()

    async def run(self, client: Client) -> None:
        """Move cards until told to stop."""
        while not self._stop:
            request = ReplaceCardIfExistsRequest(
                user_id=self._choice.choice(self.users),
                card_id=self._choice.choice(self.cards),
                request_id=new_id(),
            )
            begun = time.monotonic()
            try:
                await self.call(client, request)
            except aio.AioRpcError as error:
                if not unavailable(error):
                    raise
                self.longest = max(self.longest, time.monotonic() - begun)
                self.refused.append(request)
                self._told.set()
                await asyncio.sleep(0.05)

    async def call(self, client: Client, request: ReplaceCardIfExistsRequest) -> None:
        """Call and remember the answer."""
        answer = await client.user_cards.ReplaceCardIfExists(request, **client.options)
        if request.request_id in self.answered:
            assert self.answered[request.request_id][1] == answer
        self.answered[request.request_id] = (request, answer)
        self._told.set()

    @asynccontextmanager
    async def moving(self) -> AsyncIterator[None]:
        """Move all the time."""
        self._stop = False
        tasks = [asyncio.create_task(self.run(self._clients[n % len(self._clients)])) for n in range(CALLERS)]
        try:
            yield
        finally:
            self._stop = True
            async with asyncio.timeout(BOUND * 2):
                await asyncio.gather(*tasks)

    async def until(self, *, answered: int = 0, refused: int = 0) -> None:
        """Return once so many more were answered and refused."""
        wanted, unwanted = len(self.answered) + answered, len(self.refused) + refused
        async with asyncio.timeout(BOUND * 2):
            while len(self.answered) < wanted or len(self.refused) < unwanted:
                self._told.clear()
                await self._told.wait()

    async def repeat_all(self) -> None:
        """Repeats agree, of what was answered and of what was not."""
        client = self._clients[-1]
        for request in self.refused:
            await self.call(client, request)
        for request, _ in list(self.answered.values())[:100]:
            await self.call(client, request)

    def assert_durable(self, where: Where) -> None:
        """What was answered is there."""
        stored = dict(look(where, "SELECT user_card_id, user_id FROM user_card"))
        for request, answer in self.answered.values():
            assert stored[answer.value] == request.user_id


@pytest.fixture
async def movers(client: Client, people: People) -> Movers:
    """On one server."""
    users = [await people.user() for _ in range(4)]
    cards = [(await people.card(users[0])).card_id for _ in range(4)]
    return Movers([client], users, cards)


async def test_a_crash_while_calls_run(own: Postgres, where: Where, movers: Movers) -> None:
    async with movers.moving():
        for _ in range(2):
            await movers.until(answered=20)
            await asyncio.to_thread(own.stop, "immediate")
            await movers.until(refused=2 * CALLERS)
            await asyncio.to_thread(own.start)
        await movers.until(answered=20)
    assert movers.longest < BOUND
    await movers.repeat_all()
    movers.assert_durable(where)
    assert_chains(where, movers.cards)


async def test_a_server_that_hangs(own: Postgres, where: Where, movers: Movers, people: People) -> None:
    async with movers.moving():
        await movers.until(answered=20)
        with hanging(own):
            await movers.until(refused=2 * CALLERS)
            began = time.monotonic()
            with pytest.raises(aio.AioRpcError) as caught:  # reads have the same end
                await people.cards()
            assert unavailable(caught.value)
            assert time.monotonic() - began < BOUND
        await movers.until(answered=20)
    assert movers.longest < BOUND
    await movers.repeat_all()
    movers.assert_durable(where)
    assert_chains(where, movers.cards)
    await again_and_again(people.cards)


async def test_connections_cut_at_random(where: Where, movers: Movers) -> None:
    choice = random.Random(20260303)
    async with movers.moving():
        for _ in range(15):
            await movers.until(answered=choice.randrange(1, 20))
            await asyncio.to_thread(cut_connections, where)
        await movers.until(answered=20)
    await movers.repeat_all()
    movers.assert_durable(where)
    assert_chains(where, movers.cards)


async def test_connections_cut_while_nothing_is_asked(where: Where) -> None:
    """Nobody notices. No whole server: its own looks could meet the cut while they connect, and call it an outage."""
    database = Database(where)
    database.open()

    async def write() -> None:
        await database.write(lambda connection: users.add(connection, User(new_id(), "u")))

    try:
        for written in range(1, 4):
            await write()
            assert await database.read(count_users) == 2 * written - 1
            assert await asyncio.to_thread(cut_connections, where) >= 2  # the writer's, and a reader's
            await write()
            assert await database.read(count_users) == 2 * written
    finally:
        await asyncio.to_thread(database.close)


def count_users(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(schema.user)) or 0


async def in_the_end(people: People, call: dict[str, Any]) -> ReplaceCardIfExistsResponse:
    """The answer once the database counts as there again: a cut that meets a new connection is an outage."""
    give_up = time.monotonic() + BOUND
    while True:
        try:
            return await people.replace(**call)
        except aio.AioRpcError as error:
            if not unavailable(error) or time.monotonic() > give_up:
                raise
            await asyncio.sleep(OUTAGE_PAUSE / 4)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_the_connection_cut_at_each_statement(
    where: Where, movers: Movers, people: People, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Either the group was run again over a new connection, or the caller hears of it and nothing is done."""
    run = Statement._execute
    for step in range(100):
        left = step

        def cutting(self: Statement, connection: Connection, parameters: Any) -> Any:
            nonlocal left
            left -= 1
            if left == -1 and moment == "before":
                cut_connections(where)
            cursor = run(self, connection, parameters)
            if left == -1 and moment == "after":
                cut_connections(where)
            return cursor

        call = {
            "user_id": movers.users[step % 2 + 1],
            "card_id": movers.cards[0],
            "request_id": f"{moment} {step}",
            "pin": "4711",
        }
        ((before,),) = look(where, "SELECT count(*) FROM user_card_event")
        monkeypatch.setattr(Statement, "_execute", cutting)
        (outcome,) = await asyncio.gather(people.replace(**call), return_exceptions=True)
        monkeypatch.undo()
        if left >= 0:
            break
        done = not isinstance(outcome, BaseException)
        assert done or unavailable(outcome)
        assert look(where, "SELECT count(*) FROM user_card_event") == [(before + done,)]
        answer = await in_the_end(people, call)
        assert not done or answer == outcome
        assert await in_the_end(people, call) == answer
        assert_chains(where, movers.cards)
    assert step >= 6


@pytest.mark.parametrize("moment", ["before the commit", "after the commit"])
async def test_the_connection_cut_at_the_commit(
    where: Where, movers: Movers, people: People, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Whether it was done nobody knows but the database, and a repeat tells."""
    call = {"user_id": movers.users[1], "card_id": movers.cards[0], "request_id": "once"}
    before = look(where, "SELECT count(*) FROM user_card_event")[0][0]
    dialect = "sqlalchemy.dialects.postgresql.psycopg.PGDialect_psycopg.do_commit"
    armed = True

    def cutting(_self: object, connection: Any) -> None:
        nonlocal armed
        ((events,),) = connection.execute("SELECT count(*) FROM user_card_event").fetchall()
        fires = armed and events > before  # the call's own commit, not a look of somebody else's
        armed = armed and not fires
        if fires and moment == "before the commit":
            cut_connections(where)
        connection.commit()
        if fires:
            cut_connections(where)
            connection.execute("SELECT 1")  # the answer to the commit does not come

    monkeypatch.setattr(dialect, cutting)
    with pytest.raises(aio.AioRpcError) as caught:
        await people.replace(**call)
    assert unavailable(caught.value)
    done = look(where, "SELECT count(*) FROM user_card_event")[0][0] - before
    assert done == (moment == "after the commit")
    answer = await in_the_end(people, call)
    assert answer.current_user_id == movers.users[1]
    assert look(where, "SELECT count(*) FROM user_card_event")[0][0] == before + 1
    assert_chains(where, movers.cards)


async def test_a_table_that_somebody_locks(where: Where, movers: Movers, people: People) -> None:
    """Readers and writers wait their bounded time, and go on as soon as they can."""
    engine = engine_of(where)
    with engine.connect() as connection:
        connection.exec_driver_sql("LOCK TABLE card, user_card IN ACCESS EXCLUSIVE MODE")
        for call in (people.cards(), people.replace(user_id=movers.users[1], card_id=movers.cards[0])):
            began = time.monotonic()
            with pytest.raises(aio.AioRpcError) as caught:
                await call
            assert unavailable(caught.value)
            assert time.monotonic() - began < BOUND
        connection.rollback()
    engine.dispose()
    assert len(await people.cards()) == len(movers.cards)
    await people.replace(user_id=movers.users[1], card_id=movers.cards[0])


async def test_a_server_that_is_not_there_at_the_start(own: Postgres, settings: Settings) -> None:
    await asyncio.to_thread(own.stop)
    try:
        with pytest.raises(DatabaseUnavailableError, match="postgresql://postgres@"):
            await Server(settings).start()
    finally:
        await asyncio.to_thread(own.start)
    server = Server(settings)
    await server.start()
    await server.stop()


async def test_a_writer_elsewhere_that_hangs_at_the_start(settings: Settings, where: Where) -> None:
    await _ended(settings)
    with somebody_writes(where):
        server = Server(settings)
        with pytest.raises(Exception, match="the database does not answer"):
            await server.start()
    await _ended(settings)


async def _ended(settings: Settings) -> None:
    server = Server(settings)
    await server.start()
    await server.stop()


@pytest.fixture
async def two(settings: Settings, tmp_path: Path) -> AsyncIterator[list[Client]]:
    """Clients of two servers on one database, each with a folder and a PC of its own."""
    folder = tmp_path / "second"
    folder.mkdir(mode=0o700)
    other = settings.model_copy(update={"data_dir": folder, "pc_name": "other-pc"})
    servers = [Server(settings), Server(other)]
    await servers[0].start()
    for name in ("sealing.key", "token.key"):
        shutil.copy(settings.data_dir / name, folder / name)
    await servers[1].start()
    token = tokens_of(settings).mint("tester", "tests", PERMISSIONS, 600)
    channels = [aio.insecure_channel(f"127.0.0.1:{server.port}") for server in servers]
    yield [Client(channel, (("authorization", f"Bearer {token}"),)) for channel in channels]
    for channel in channels:
        await channel.close()
    await asyncio.gather(*(server.stop() for server in servers))


async def _watched(client: Client, count: int) -> list[bytes]:
    """The first events that the server tells of."""
    stream = client.user_cards.WatchUserCards(
        user_card_pb2.WatchUserCardsRequest(after_sequence=0), **client.options
    )
    seen = []
    async with asyncio.timeout(BOUND * 2):
        while len(seen) < count:
            seen.append((await stream.read()).event.SerializeToString(deterministic=True))
    stream.cancel()
    return seen


async def test_two_servers_move_the_same_cards(two: list[Client], where: Where) -> None:
    people = People(two[0])
    users = [await people.user() for _ in range(4)]
    cards = [(await people.card(users[0])).card_id for _ in range(2)]
    movers = Movers(two, users, cards)
    most = 100
    watching = [asyncio.create_task(_watched(client, most)) for client in two for _ in range(2)]
    async with movers.moving():
        await movers.until(answered=150)
    seen = await asyncio.gather(*watching)
    assert not movers.refused
    assert seen[0] == seen[1] == seen[2] == seen[3]
    sequences = [user_card_pb2.UserCardEvent.FromString(one).sequence for one in seen[0]]
    assert sequences == [
        row[0]
        for row in look(where, "SELECT sequence FROM user_card_event ORDER BY 1 LIMIT :most", most=most)
    ]
    await movers.repeat_all()  # by the other server than the one that was asked, for half of them
    movers.assert_durable(where)
    assert_chains(where, cards)
