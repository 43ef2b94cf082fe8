"""Many callers at once, against what one after another would have done."""

import asyncio
import itertools
import random
import sqlite3
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio

from swipegate.api.server import Server
from swipegate.settings import Settings
from swipegate.v1.user_card_pb2 import ReplaceCardIfExistsRequest, ReplaceCardIfExistsResponse
from tests.conftest import Client
from tests.people import People, new_id

TASKS = 64
CARDS = 10
USERS = 10
SEEDS = (1, 2, 3, 5, 8)
"""Add the seed of a failing history: it replays the same operations."""


class Watcher:
    """Reads the file from a thread and a connection of its own, again and again; never may a card have two holders."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.looks = 0
        self.wrong: list[Any] = []

    def __enter__(self) -> "Watcher":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        connection = sqlite3.connect(self._path)
        # the rows, not the unique index, which could not hold two
        query = "SELECT card_id, count(*) FROM user_card NOT INDEXED WHERE end_time IS NULL GROUP BY card_id"
        while not self._stop.is_set() or not self.looks:
            found = connection.execute(query).fetchall()
            self.wrong += [row for row in found if row[1] != 1]
            if len(found) != CARDS:
                self.wrong.append(f"{len(found)} cards are held")
            self.looks += 1
            self._stop.wait(0.002)
        connection.close()


def assert_one_chain(settings: Settings, card_id: str) -> list[tuple[str, str]]:
    """The card's assignments follow each other without a gap; (user_card_id, user_id) in their order."""
    connection = sqlite3.connect(settings.data_dir / "swipegate.db")
    rows = connection.execute(
        "SELECT user_card_id, user_id, start_time, end_time FROM user_card WHERE card_id = ? ORDER BY rowid",
        (card_id,),
    ).fetchall()
    audit = connection.execute(
        "SELECT previous_user_card_id, user_card_id FROM audit WHERE card_id = ? ORDER BY audit_id",
        (card_id,),
    ).fetchall()
    connection.close()
    for before, after in itertools.pairwise(rows):
        assert before[3] == after[2], "one ends when the next begins"
        assert before[1] != after[1], "the same holder again makes no row"
    assert rows[-1][3] is None
    moves = [entry for entry in audit if entry[0] != entry[1]]
    assert moves == [
        (before, after)
        for before, after in zip([None, *(r[0] for r in rows)], [r[0] for r in rows], strict=False)
    ]
    return [(row[0], row[1]) for row in rows]


@pytest.mark.slow
async def test_sixty_four_callers_move_ten_cards(people: People, settings: Settings) -> None:
    users = [await people.user() for _ in range(USERS)]
    cards = [(await people.card(users[number])).card_id for number in range(CARDS)]
    answers: dict[str, list[ReplaceCardIfExistsResponse]] = defaultdict(list)

    async def move(number: int) -> None:
        choice = random.Random(number)
        for _ in range(8):
            card = choice.choice(cards)
            answers[card].append(await people.replace(user_id=choice.choice(users), card_id=card))

    with Watcher(settings.data_dir / "swipegate.db") as watcher:
        await asyncio.gather(*(move(number) for number in range(TASKS)))
    assert watcher.looks > 3
    assert watcher.wrong == []
    assert sum(map(len, answers.values())) == TASKS * 8
    for number, card in enumerate(cards):
        chain = assert_one_chain(settings, card)
        assert chain[0][1] == users[number]
        before = {
            value: (holder, previous[1])
            for previous, (value, holder) in zip([("", ""), *chain], chain, strict=False)
        }
        made = set()
        for answer in answers[card]:
            holder, previous = before[answer.value]
            assert answer.current_user_id == holder
            if answer.previous_user_id == holder:
                continue  # held it already
            assert answer.previous_user_id == previous
            assert answer.value not in made, "one answer an assignment"
            made.add(answer.value)
        assert made == {value for value, _ in chain[1:]}
        assert (await people.cards(user_id=chain[-1][1])) != []


@dataclass
class Operation:
    """One call of a history and what came of it."""

    request: ReplaceCardIfExistsRequest
    card: str
    sent: list[int] = field(default_factory=list)
    """When it was sent, at each attempt, and when it ended, in steps of the history."""
    ended: int = 0
    answer: ReplaceCardIfExistsResponse | None = None
    refused: str = ""
    lost: int = 0
    """Answers lost to a cut connection."""


class History:
    """Seeded operations by several callers at once, with cut connections and repeats."""

    def __init__(self, seed: int, server: Server, metadata: Any, users: list[str], cards: list[str]) -> None:
        self._random = random.Random(seed)
        self._target = f"127.0.0.1:{server.port}"
        self._metadata = metadata
        self._users, self._cards = users, cards
        self._clock = 0
        self.operations: list[Operation] = []

    def _now(self) -> int:
        self._clock += 1
        return self._clock

    async def run(self) -> None:
        """Twelve callers, ten operations each."""
        plans = [[self._plan() for _ in range(10)] for _ in range(12)]
        await asyncio.gather(*(self._call_all(plan) for plan in plans))

    def _plan(self) -> tuple[Operation, list[float | None]]:
        choice = self._random
        card = choice.choice(self._cards)
        user = (
            choice.choice([*self._users, new_id()]) if choice.random() < 0.1 else choice.choice(self._users)
        )
        request = ReplaceCardIfExistsRequest(
            user_id=user, card_id=card, request_id=f"{choice.getrandbits(64):x}"
        )
        if choice.random() < 0.3:
            request.card_user_flags = choice.randrange(128)
        cuts: list[float | None] = [choice.uniform(0.0005, 0.02) for _ in range(choice.choice([0, 0, 1, 2]))]
        return Operation(request, card), [*cuts, None]

    async def _call_all(self, plan: list[tuple[Operation, list[float | None]]]) -> None:
        for operation, attempts in plan:
            self.operations.append(operation)
            for cut_after in attempts:
                operation.sent.append(self._now())
                if await self._attempt(operation, cut_after):
                    break
            operation.ended = self._now()
            assert operation.answer is not None or operation.refused

    async def _attempt(self, operation: Operation, cut_after: float | None) -> bool:
        async with aio.insecure_channel(self._target) as channel:
            client = Client(channel, self._metadata)
            call = client.user_cards.ReplaceCardIfExists(operation.request, **client.options)
            if cut_after is not None:
                asyncio.get_running_loop().call_later(
                    cut_after, lambda: asyncio.ensure_future(channel.close())
                )
            try:
                operation.answer = await call
            except asyncio.CancelledError:
                operation.lost += 1
                return False
            except aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.NOT_FOUND:
                    operation.lost += 1
                    return False
                operation.refused = "USER_NOT_FOUND"
        return True


def assert_sequential(history: History, chain: dict[str, list[tuple[str, str]]], users: list[str]) -> None:
    """The answers are those of a model in which the calls happen one after another, each between sent and ended."""
    by_value: dict[tuple[str, str], list[Operation]] = defaultdict(list)
    for operation in history.operations:
        known = operation.request.user_id in users
        assert (operation.answer is not None) == known, operation
        if operation.answer is not None:
            assert operation.answer.current_user_id == operation.request.user_id
            by_value[operation.card, operation.answer.value].append(operation)
    for card, entries in chain.items():
        previous = ""
        earliest = 0
        for position, (value, holder) in enumerate(entries):
            here = by_value.pop((card, value), [])
            makers = [o for o in here if o.answer and o.answer.previous_user_id != holder]
            assert len(makers) == (position > 0), "each assignment but the first was made by one call"
            for operation in here:
                assert operation.answer is not None
                assert operation.answer.current_user_id == holder
                if operation in makers:
                    assert operation.answer.previous_user_id == previous
                # real time: nothing that ended before an earlier assignment was made can come after it
                assert operation.ended > earliest, "an order that real time forbids"
            earliest = max([earliest, *(o.sent[0] for o in makers)])
            previous = holder
    assert not by_value, "an answer names an assignment that is not there"


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
async def test_a_random_history_is_one_of_the_model(
    server: Server, people: People, settings: Settings, seed: int
) -> None:
    users = [await people.user() for _ in range(4)]
    cards = [(await people.card(users[0])).card_id for _ in range(3)]
    history = History(seed, server, people.client.metadata, users, cards)
    try:
        await history.run()
        assert_sequential(history, {card: assert_one_chain(settings, card) for card in cards}, users)
    except AssertionError:
        print(f"the history of seed {seed}; put it into SEEDS to replay it:")
        for operation in history.operations:
            print(operation)
        raise
    # every answer repeats word for word
    for operation in history.operations:
        if operation.answer is not None:
            again = await people.client.user_cards.ReplaceCardIfExists(
                operation.request, **people.client.options
            )
            assert again == operation.answer
    assert sum(operation.lost for operation in history.operations) > 0, "no connection was cut in time"
