"""Random histories of assignments on both databases, held to a sequential model of a card.

Servers die and databases go away at commits, answers are lost, calls are repeated, clocks disagree. A failing history
names its seed: `SEED=17 pytest tests/model/test_user_cards.py` replays it; put it into REGRESSIONS.
"""

import asyncio
import contextlib
import os
import random
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from grpc import aio
from sqlalchemy import Connection, insert

from swipegate.api.server import SEALING_KEY, Server
from swipegate.domain.ac_system import AcSystem, Webhook
from swipegate.domain.user import User
from swipegate.service.sealing import Sealer
from swipegate.settings import Settings
from swipegate.store import ac_systems, schema, users
from swipegate.store.database import Database
from tests.conftest import Client
from tests.databases import Where, both, look
from tests.invariants import assert_whole
from tests.model.histories import AUTOMATIC_TYPE, LARGEST_AUTOMATIC, History, People
from tests.model.stands import FAULTS, InProcess, OverGrpc
from tests.people import People as Makes
from tests.people import new_id

REGRESSIONS: tuple[int, ...] = ()
"""Seeds of histories that once failed."""
SEEDS = (
    [int(os.environ["SEED"])]
    if "SEED" in os.environ
    else [
        *REGRESSIONS,
        *range(100),
        # a soak: SWIPEGATE_HISTORIES=1000 makes as many more, with seeds that nobody tried
        *(random.SystemRandom().sample(range(1_000, 10**9), int(os.environ.get("SWIPEGATE_HISTORIES", "0")))),
    ]
)
GRPC_SEEDS = [seed for seed in SEEDS if seed < 6 or "SEED" in os.environ]
MOST_COMMITS = 30
"""Of the short history in which every commit fails once."""
TASKS = 64
CARDS = 10
USERS = 10

pytestmark = [both, pytest.mark.slow]
Arena = Callable[[], AbstractContextManager[Where]]


class SkewedClock:
    """Microseconds that go on by chance, and now and then back."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._now = 1_700_000_000_000_000 + self._chance.randrange(50_000)

    def __call__(self) -> int:
        self._now += self._chance.choice((0, 1, 1_000, 1_000, 20_000, -15_000))
        return self._now


@pytest.fixture(scope="module")
def people() -> People:
    """The same in every history."""
    chance = random.Random(7)
    ids = [f"{chance.getrandbits(128):032x}" for _ in range(7)]
    ids = [f"{one[:8]}-{one[8:12]}-{one[12:16]}-{one[16:20]}-{one[20:]}" for one in ids]
    return People(ids[:3], ids[3], ids[4:6], ids[6])


def fill(where: Where, people: People) -> None:
    """Make the database with users and systems."""
    database = Database(where)
    database.open()

    def unit(connection: Connection) -> None:
        for user in people.users:
            users.add(connection, User(user, "u"))
        for name, key in enumerate((*people.systems, people.automatic)):
            webhook = Webhook("https://example.org", b"sealed") if key == people.systems[0] else None
            ac_systems.add(connection, AcSystem(key, str(name), webhook=webhook))
        automatic = {
            "card_type": AUTOMATIC_TYPE,
            "name": "automatic",
            "max_internal_card_number": LARGEST_AUTOMATIC,
            "has_serial_number": False,
        }
        connection.execute(insert(schema.card_type), automatic)

    asyncio.run(database.write(unit))
    database.close()


@pytest.fixture(scope="module")
def arenas(request: pytest.FixtureRequest, people: People) -> Iterator[Callable[[str], Arena]]:
    """Fresh copies of one database of each kind."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        made: dict[str, Arena] = {}

        @contextmanager
        def sqlite() -> Iterator[Where]:
            copy = Path(folder) / "swipegate.db"
            shutil.copy(path, copy)
            yield copy
            for file in Path(folder).glob("swipegate.db*"):
                file.unlink()

        def arena(kind: str) -> Arena:
            if kind not in made:
                if kind == "sqlite":
                    fill(path, people)
                    made[kind] = sqlite
                else:
                    made[kind] = _copies(request.getfixturevalue("postgresql"), people)
            return made[kind]

        yield arena


def _copies(server: Any, people: People) -> Arena:
    server.command("CREATE DATABASE histories")
    fill(server.url("histories"), people)

    @contextmanager
    def copy() -> Iterator[Where]:
        server.command("CREATE DATABASE history TEMPLATE histories")
        try:
            yield server.url("history")
        finally:
            server.command("DROP DATABASE history WITH (FORCE)")

    return copy


@pytest.fixture
def arena(kind: str, arenas: Callable[[str], Arena]) -> Arena:
    """Gives a database of its own to each history."""
    return arenas(kind)


async def play(where: Where, people: People, seed: int, faults: list[dict[int, str]], **size: int) -> History:
    """A history with one server for each of the faults; what happened is printed where it fails."""
    stands = [InProcess(where, SkewedClock(seed + number), fault) for number, fault in enumerate(faults)]
    for stand in stands:
        await stand.start()
    history = History(seed, where, people, stands)
    try:
        await history.run(**size)
    except BaseException:
        tell(seed, history, faults)
        raise
    finally:
        for stand in stands:
            await stand.close()
    return history


def tell(seed: int, history: History, faults: object) -> None:
    """What happened, and how to see it again."""
    print(f"SEED={seed} pytest tests/model/test_user_cards.py -k 'seed-{seed}'; faults {faults}")
    for sent in history.sent:
        print(sent)


def faults_of(seed: int) -> list[dict[int, str]]:
    """What happens to one server, or to each of two, at which of its commits."""
    chance = random.Random(seed)
    servers = 1 + (chance.random() < 0.4)
    return [
        {commit: chance.choice(FAULTS) for commit in chance.sample(range(1, 25), chance.choice((0, 1, 2, 4)))}
        for _ in range(servers)
    ]


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed-{seed}")
async def test_a_history_is_one_of_the_model(arena: Arena, people: People, seed: int) -> None:
    with arena() as where:
        await play(where, people, seed, faults_of(seed))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("seed", [1000, 1001])
async def test_a_fault_at_every_commit(arena: Arena, people: People, fault: str, seed: int) -> None:
    for commit in range(1, MOST_COMMITS):
        with arena() as where:
            stands = [{commit: fault}]
            history = await play(where, people, seed, stands, rounds=8, most_at_once=2)
        assert isinstance(history.stands[0], InProcess)
        if history.stands[0].commits < commit:
            break
        assert history.stands[0].deaths == fault.startswith("die")
    assert 5 < commit < MOST_COMMITS - 1


async def test_a_watch_from_any_event_gives_the_rest_once(arena: Arena, people: People) -> None:
    with arena() as where:
        history = await play(where, people, 1002, [{}, {}], rounds=20)
        sequences = history.watchers[0].seen
        assert len(sequences) > 20
        stand = InProcess(where, SkewedClock(0), {})
        await stand.start()
        try:
            for place, after in enumerate([0, *sequences[:-1]]):
                async with contextlib.aclosing(stand.watch(after)) as watching:  # type: ignore[type-var]
                    seen = [(await anext(watching)).sequence for _ in sequences[place:]]
                assert seen == sequences[place:]
        finally:
            await stand.close()


@pytest.mark.parametrize("seed", GRPC_SEEDS, ids=lambda seed: f"seed-{seed}")
async def test_a_history_over_grpc(
    server: Server, settings: Settings, where: Where, bearer: Any, seed: int
) -> None:
    people = await _people_of(server, bearer(), where)
    chance = random.Random(seed)
    stands = [OverGrpc(server, bearer(), lambda: chance.uniform(0.0005, 0.01)) for _ in range(2)]
    sealer = Sealer((settings.data_dir / SEALING_KEY).read_bytes())
    history = History(seed, where, people, stands, sealer)
    try:
        await history.run(rounds=20, most_at_once=8)
    except BaseException:
        tell(seed, history, None)
        raise
    finally:
        for stand in stands:
            await stand.close()


async def _people_of(server: Server, metadata: Any, where: Where) -> People:
    look(
        where,
        "INSERT INTO card_type (card_type, name, max_internal_card_number, has_serial_number)"
        " VALUES (:number, 'automatic', :largest, :serial)",
        number=AUTOMATIC_TYPE,
        largest=LARGEST_AUTOMATIC,
        serial=False,
    )
    async with aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        makes = Makes(Client(channel, metadata))
        return People(
            [await makes.user() for _ in range(3)],
            new_id(),
            [await makes.system() for _ in range(2)],
            await makes.system(),
        )


class Onlooker:
    """Reads from a thread and connections of its own, again and again; never may a card have no or two holders."""

    def __init__(self, where: Where) -> None:
        self._where = where
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.looks = 0
        self.wrong: list[Any] = []

    def __enter__(self) -> "Onlooker":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        # the rows, not the unique index, which could not hold two
        past = " NOT INDEXED" if isinstance(self._where, Path) else ""
        query = f"SELECT card_id, count(*) FROM user_card{past} WHERE end_time IS NULL GROUP BY card_id"
        while not self._stop.is_set() or not self.looks:
            found = look(self._where, query)
            self.wrong += [row for row in found if row[1] != 1]
            if len(found) != CARDS:
                self.wrong.append(f"{len(found)} cards are held")
            self.looks += 1
            self._stop.wait(0.002)


async def test_sixty_four_callers_move_ten_cards(client: Client, where: Where) -> None:
    makes = Makes(client)
    users = [await makes.user() for _ in range(USERS)]
    cards = [(await makes.card(users[number])).card_id for number in range(CARDS)]
    answers = []

    async def move(number: int) -> None:
        choice = random.Random(number)
        for _ in range(8):
            answers.append(await makes.replace(user_id=choice.choice(users), card_id=choice.choice(cards)))

    with Onlooker(where) as onlooker:
        await asyncio.gather(*(move(number) for number in range(TASKS)))
    assert onlooker.looks > 3
    assert onlooker.wrong == []
    assert len(answers) == TASKS * 8
    assert_whole(where)
    rows = look(where, "SELECT user_card_id, user_id, card_id FROM user_card ORDER BY row_id")
    chains = {card: [row[:2] for row in rows if row[2] == card] for card in cards}
    for card, chain in chains.items():
        before = {
            value: previous
            for previous, (value, _) in zip([None, *(h for _, h in chain)], chain, strict=False)
        }
        moved = [a for a in answers if a.card_id == card and a.previous_user_id != a.current_user_id]
        assert {a.value: a.previous_user_id for a in moved} == {
            value: before[value] for value, _ in chain[1:]
        }
        assert len(moved) == len(chain) - 1, "one answer an assignment"
        assert all((a.value, a.current_user_id) in chain for a in answers if a.card_id == card)
