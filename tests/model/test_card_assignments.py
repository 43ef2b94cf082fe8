"""Random histories of card assignments on a real database, held to a small sequential model.

Cards are read, asked about, decided and moved by others at the same time, while assignments are cancelled and
expire. A failing history names its seed: `pytest tests/model -k "card_assignments and seed-7"` replays it.
"""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from swipegate.domain.authority import Principal
from swipegate.domain.card_assignment import HeldCardPolicy, State
from swipegate.domain.card_request import CardRequest, Failure
from swipegate.domain.card_request import State as ReadingState
from swipegate.domain.errors import SwipegateError, name
from swipegate.domain.replacement import ReplaceCard
from swipegate.service.clock import SECOND
from swipegate.v1 import error_pb2
from tests.databases import Where, look
from tests.desk import Desk, opened, swipe_of
from tests.people import ABA

SEEDS = {"sqlite": range(12), "postgresql": range(12, 15)}
STEPS = 90
NUMBERS = (7, 8)
SOMEBODY = Principal("somebody", "tests")
NOT_READ = Failure(error_pb2.ERROR_REASON_NOT_READ)
P = HeldCardPolicy


@dataclass
class Modelled:
    """A card assignment as the model has it."""

    user: str
    policy: HeldCardPolicy
    expire_time: int
    state: State = State.READING
    number: int = 0
    """Of the card that a decision is about."""
    holder: str | None = None
    """The user it is about."""
    attempt: int = 1


class History:
    """One random history: the real thing and the model take each step together."""

    def __init__(self, desk: Desk, seed: int) -> None:
        self.desk = desk
        self.chance = random.Random(seed)
        self.model: dict[str, Modelled] = {}
        self.holders: dict[int, str] = {}
        self.users: list[str] = []
        self.at_work: CardRequest | None = None

    async def run(self) -> None:
        self.users = [await self.desk.user() for _ in range(3)]
        steps = [self.create, self.claim, self.read, self.fail, self.retry, self.cancel, self.decide]
        steps += [self.move, self.remove, self.sweep]
        weights = [6, 8, 10, 1, 2, 1, 8, 4, 2, 2]
        for _ in range(STEPS):
            self.desk.now += self.chance.randrange(3 * SECOND)
            await self.chance.choices(steps, weights)[0]()
            await self.agree()
        for key in self.model:
            await self.watch_agrees(key)

    def some(self, *states: State) -> str | None:
        found = [key for key, one in self.model.items() if one.state in states]
        return self.chance.choice(found) if found else None

    async def create(self) -> None:
        if sum(one.state is State.READING for one in self.model.values()) > 5:
            return
        user, policy = self.chance.choice(self.users), self.chance.choice(list(P))
        made = await self.desk.create(user, policy)
        self.model[made.card_assignment_id] = Modelled(user, policy, made.expire_time)

    async def claim(self) -> None:
        claimed = await self.desk.requests.claim(1, "pc", self.desk.epoch)
        if claimed is not None:
            self.at_work = claimed
            for state in (ReadingState.DISPATCHED, ReadingState.READING):
                await self.desk.requests.report(claimed, state)

    async def read(self) -> None:
        claimed, self.at_work = self.at_work, None
        if claimed is None:
            return
        number = self.chance.choice(NUMBERS)
        await self.desk.requests.report(claimed, ReadingState.SUCCEEDED, swipe=swipe_of(number))
        one = self.model[claimed.card_request_id]
        holder = self.holders.get(number)
        if one.state is not State.READING:
            return
        if holder in (None, one.user) or one.policy is P.TAKE_OVER:
            one.state = State.SUCCEEDED
            self.holders[number] = one.user
        elif one.policy is P.REFUSE:
            one.state = State.FAILED
        else:
            one.state, one.number, one.holder = State.NEEDS_DECISION, number, holder

    async def fail(self) -> None:
        claimed, self.at_work = self.at_work, None
        if claimed is None:
            return
        await self.desk.requests.report(claimed, ReadingState.NEEDS_ACTION, failure=NOT_READ)
        one = self.model[claimed.card_request_id]
        if one.state is State.READING:
            one.state = State.NEEDS_ACTION

    async def retry(self) -> None:
        key = self.some(State.NEEDS_ACTION)
        if key is not None:
            one = self.model[key]
            asker = Principal("tester", "tests", frozenset({"ReadTrackData"}))
            await self.desk.assignments.retry(asker, key, one.attempt)
            one.state, one.attempt = State.READING, one.attempt + 1

    async def cancel(self) -> None:
        key = self.some(*State)
        if key is None:
            return
        one = self.model[key]
        if one.state in (State.SUCCEEDED, State.FAILED, State.EXPIRED):
            with pytest.raises(SwipegateError) as caught:
                await self.desk.assignments.cancel(key)
            assert name(caught.value.reason) == "WRONG_ASSIGNMENT_STATE"
            return
        await self.desk.assignments.cancel(key)
        if self.at_work is not None and self.at_work.card_request_id == key:
            # the device is told to stop, and says that it has: the card that comes with it counts for nothing
            await self.desk.requests.report(self.at_work, ReadingState.SUCCEEDED, swipe=swipe_of(7))
            self.at_work = None
        one.state = State.CANCELLED

    async def decide(self) -> None:
        key = self.some(State.NEEDS_DECISION)
        if key is None:
            return
        one = self.model[key]
        decision = self.chance.choice((P.TAKE_OVER, P.TAKE_OVER, P.REFUSE))
        named = self.chance.choice((one.holder or "", one.holder or "", *self.users))
        holder = self.holders.get(one.number)
        reason = ""
        if one.expire_time <= self.desk.now:
            one.state, reason = State.EXPIRED, "WRONG_ASSIGNMENT_STATE"
        elif decision is P.REFUSE:
            if named == one.holder:
                one.state = State.FAILED
            else:
                reason = "HOLDER_CHANGED"
        elif holder in (None, one.user, named):
            one.state = State.SUCCEEDED
            self.holders[one.number] = one.user
        else:
            one.holder, reason = holder, "HOLDER_CHANGED"
        if not reason:
            await self.desk.assignments.decide(SOMEBODY, key, decision, named)
            return
        with pytest.raises(SwipegateError) as caught:
            await self.desk.assignments.decide(SOMEBODY, key, decision, named)
        assert name(caught.value.reason) == reason

    async def move(self) -> None:
        number, user = self.chance.choice(NUMBERS), self.chance.choice(self.users)
        command = ReplaceCard(
            user,
            card_type=ABA,
            card_ac_system_id=self.desk.system,
            internal_card_number=number,
            external_card_number=f"{number:07}",
        )
        await self.desk.user_cards.replace(SOMEBODY, command, "", b"", lambda _: b"")
        self.holders[number] = user

    async def remove(self) -> None:
        number = self.chance.choice(NUMBERS)
        if self.holders.pop(number, None) is not None:
            open_one = """SELECT user_card_id FROM user_card u JOIN card c ON c.card_id = u.card_id
                WHERE u.end_time IS NULL AND c.internal_card_number = :number"""
            ((key,),) = look(self.desk.where, open_one, number=number)
            await self.desk.user_cards.remove(SOMEBODY, key)

    async def sweep(self) -> None:
        await self.desk.requests.sweep()
        await self.desk.assignments.sweep()
        served = self.at_work.card_request_id if self.at_work is not None else None
        for key, one in self.model.items():
            waits = one.state in (State.READING, State.NEEDS_ACTION, State.NEEDS_DECISION)
            if waits and key != served and one.expire_time <= self.desk.now:
                one.state = State.EXPIRED

    async def agree(self) -> None:
        """The database says what the model says."""
        rows = look(
            self.desk.where, "SELECT card_assignment_id, state, sealed_pin IS NULL FROM card_assignment"
        )
        assert {key: state for key, state, _ in rows} == {key: one.state for key, one in self.model.items()}
        ended = {State.SUCCEEDED, State.FAILED, State.CANCELLED, State.EXPIRED}
        assert all(bool(wiped) == (state in ended) for _, state, wiped in rows)
        held = """SELECT c.internal_card_number, u.user_id FROM user_card u JOIN card c
            ON c.card_id = u.card_id WHERE u.end_time IS NULL"""
        assert sorted(look(self.desk.where, held)) == sorted(self.holders.items())
        for key, one in self.model.items():
            if one.state is State.NEEDS_DECISION:
                found: Any = (await self.desk.assignments.get(key)).outcome
                assert found.previous_user_id == one.holder

    async def watch_agrees(self, key: str) -> None:
        """Every event once, each after the one before, the last as the assignment stands."""
        now = await self.desk.assignments.get(key)
        every = await self.desk.assignments._events(key, 0)
        assert [one.sequence for one in every] == sorted({one.sequence for one in every})
        assert (every[-1].sequence, every[-1].outcome) == (now.sequence, now.outcome)
        if not now.live:
            watched = [one async for one in self.desk.assignments.watch(key, every[0].sequence)]
            assert watched == every[1:]


HISTORIES = [pytest.param(kind, seed, id=f"seed-{seed}") for kind, seeds in SEEDS.items() for seed in seeds]


@pytest.mark.parametrize(("kind", "seed"), HISTORIES, indirect=["kind"])
async def test_history(where: Where, tmp_path: Path, seed: int) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    async with opened(where) as desk:
        await History(desk, seed).run()
