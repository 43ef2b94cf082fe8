"""Random histories of card requests on a real SQLite file, held to a small sequential model.

Hosts of several epochs attach, detach, claim, report late and out of turn, while callers cancel, retry and
watch, and the clock runs. A failing history names its seed: `pytest tests/model -k "seed-17"` replays it.
"""

import asyncio
import random
import sqlite3
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from swipegate.domain.authority import PERMISSIONS, Principal
from swipegate.domain.card_request import AT_WORK, FOLLOWS, TERMINAL, CardRequest, Failure, State
from swipegate.domain.device import Device
from swipegate.domain.errors import SwipegateError
from swipegate.service.bell import Bell
from swipegate.service.card_requests import CardRequests, NewCardRequest
from swipegate.service.clock import SECOND
from swipegate.service.devices import Devices
from swipegate.service.sealing import Sealer
from swipegate.store.database import Database
from swipegate.v1 import error_pb2, track_pb2

SEEDS = range(30)
STEPS = 120
PCS = ("a", "b")
PC_OF_DEVICE = {1: "a", 2: "a", 3: "b"}
CALLER = Principal("tester", "tests", frozenset(PERMISSIONS))
NOT_READ = Failure(error_pb2.ERROR_REASON_NOT_READ, "31")
MOTOR = Failure(error_pb2.ERROR_REASON_MOTOR)
CARD = track_pb2.DecodedSwipe(
    card_number=track_pb2.CardNumber(card_format="f", card_number="4111111111111111")
)
S = State
PROGRESS = (S.DISPATCHED, S.FEEDING, S.WAITING_FOR_CARD, S.READING)
REPORTS = (*PROGRESS, S.NEEDS_ACTION, S.FAILED, S.SUCCEEDED, S.CANCELLED, S.EXPIRED, S.UNKNOWN)


@dataclass
class Modelled:
    """A card request as the model has it."""

    device: int
    expire_time: int
    state: State = S.QUEUED
    attempt: int = 1
    epoch: int | None = None
    retriable: bool = False
    history: list[tuple[State, int]] = field(default_factory=lambda: [(S.QUEUED, 1)])

    @property
    def active(self) -> bool:
        return self.epoch is not None and self.state not in TERMINAL

    def move(self, state: State) -> None:
        self.state = state
        if state is S.QUEUED:
            self.attempt, self.epoch = self.attempt + 1, None
        self.history.append((state, self.attempt))


class History:
    """One random history: the real thing and the model take each step together."""

    def __init__(self, path: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now = 1_000 * SECOND
        self.path = path
        self.database = Database(path)
        self.bell = Bell()
        self.devices = Devices(self.database, self.bell, lambda: self.now, "a")
        self.requests = CardRequests(self.database, Sealer(bytes(32)), self.bell, lambda: self.now, 60)
        self.model: dict[str, Modelled] = {}
        self.epochs = dict.fromkeys(PCS, 0)
        self.attached = dict.fromkeys(PCS, False)
        self.claims: list[CardRequest] = []
        self.stale = 0

    async def run(self) -> None:
        self.database.open()
        try:
            for device, pc_name in PC_OF_DEVICE.items():
                formats = ("iso7813-track2",)
                await self.devices.create(
                    Device(device, "d", pc_name, "msr605", "loop://", card_formats=formats)
                )
            for pc_name in PCS:
                await self._attach(pc_name)
            steps = [self.create, self.attach, self.detach, self.claim, self.report, self.cancel, self.retry]
            steps += [self.sweep, self.adopt, self.watch, self.release]
            weights = [5, 1, 1, 6, 14, 3, 3, 2, 1, 2, 1]
            for _ in range(STEPS):
                self.now += self.chance.randrange(2 * SECOND)
                await self.chance.choices(steps, weights)[0]()
                await self.agree()
            for key in self.model:
                await self.explain(key)
        finally:
            await asyncio.to_thread(self.database.close)
        self.hold()

    # the steps

    async def create(self) -> None:
        device = self.chance.choice(list(PC_OF_DEVICE))
        seconds = self.chance.choice((2, 10, 60))
        made = await self.requests.create(CALLER, NewCardRequest(device, time_to_live=seconds), b"")
        self.model[made.card_request_id] = Modelled(device, self.now + seconds * SECOND)

    async def attach(self) -> None:
        await self._attach(self.chance.choice(PCS))

    async def _attach(self, pc_name: str) -> None:
        self.epochs[pc_name] += 1
        self.attached[pc_name] = True
        assert await self.devices.attach(pc_name) == self.epochs[pc_name]

    async def detach(self) -> None:
        pc_name = self.chance.choice(PCS)
        epoch = self.chance.randint(1, self.epochs[pc_name])
        await self.devices.detach(pc_name, epoch)
        if epoch == self.epochs[pc_name]:
            self.attached[pc_name] = False

    async def claim(self) -> None:
        device = self.chance.choice(list(PC_OF_DEVICE))
        newest = self.epochs[PC_OF_DEVICE[device]]
        epoch = newest if self.chance.random() < 0.8 else self.chance.randint(1, newest)
        claimed = await self.requests.claim(device, PC_OF_DEVICE[device], epoch)
        waiting = [
            key
            for key, one in self.model.items()
            if one.device == device and one.state is S.QUEUED and not one.active
        ]
        taken = any(one.active for one in self.model.values() if one.device == device)
        if epoch != newest or taken or not waiting:
            assert claimed is None
            return
        assert claimed is not None
        assert claimed.card_request_id == waiting[0]  # the oldest; a dict keeps the order of creation
        self.model[waiting[0]].epoch = epoch
        self.claims.append(claimed)

    async def report(self) -> None:
        if not self.claims:
            return
        recent = self.claims[-3:] if self.chance.random() < 0.8 else self.claims
        claimed = self.chance.choice(recent)
        state = self.chance.choice(REPORTS)
        failure = self.chance.choice((NOT_READ, MOTOR)) if state in (S.NEEDS_ACTION, S.FAILED) else None
        at_rest = self.chance.random() < 0.7
        swipe = CARD if state is S.SUCCEEDED else None
        answer = await self.requests.report(claimed, state, failure=failure, swipe=swipe, at_rest=at_rest)
        one = self.model[claimed.card_request_id]
        newest = self.epochs[PC_OF_DEVICE[one.device]]
        mine = (one.attempt, one.epoch) == (claimed.attempt, claimed.epoch) and claimed.epoch == newest
        if not mine or one.state in TERMINAL:
            self.stale += 1
            assert answer is None
        elif state is one.state or (one.state is S.CANCELLING and state in PROGRESS):
            assert answer is not None
        elif one.state is S.CANCELLING and state is not S.UNKNOWN:
            one.move(S.CANCELLED if at_rest else S.FAILED)
        elif state not in FOLLOWS[one.state]:
            self.stale += 1
            assert answer is None
        else:
            one.retriable = failure is NOT_READ
            one.move(state)

    async def cancel(self) -> None:
        if not self.model:
            return
        key, one = self.chance.choice(list(self.model.items()))
        attempt = max(1, one.attempt - self.chance.choice((0, 0, 0, 1)))
        allowed = attempt == one.attempt
        allowed &= one.state in (S.QUEUED, S.NEEDS_ACTION, S.CANCELLED, *AT_WORK)
        if await self.refused(self.requests.cancel(key, attempt)):
            assert not allowed
            return
        assert allowed
        if one.state not in (S.CANCELLING, S.CANCELLED):
            at_once = one.state is S.NEEDS_ACTION or one.epoch is None
            one.move(S.CANCELLED if at_once else S.CANCELLING)

    async def retry(self) -> None:
        stuck = [key for key, one in self.model.items() if one.state is S.NEEDS_ACTION]
        if not self.model:
            return
        key = self.chance.choice(stuck if stuck and self.chance.random() < 0.8 else list(self.model))
        one = self.model[key]
        attempt = max(1, one.attempt - self.chance.choice((0, 0, 0, 1)))
        allowed = attempt == one.attempt and one.state is S.NEEDS_ACTION and one.retriable
        if await self.refused(self.requests.retry(CALLER, key, attempt)):
            assert not allowed
        else:
            assert allowed
            one.move(S.QUEUED)

    async def refused(self, call: Awaitable[CardRequest]) -> bool:
        try:
            await call
        except SwipegateError as refusal:
            return refusal.reason == error_pb2.ERROR_REASON_WRONG_STATE
        return False

    async def sweep(self) -> None:
        await self.requests.sweep()
        for one in self.model.values():
            if one.expire_time > self.now:
                continue
            pc_name = PC_OF_DEVICE[one.device]
            served = self.attached[pc_name] and self.epochs[pc_name] == one.epoch
            if one.state is S.NEEDS_ACTION or (one.state is S.QUEUED and not one.active):
                one.move(S.EXPIRED)
            elif one.active and not served:
                one.move(S.FAILED)

    async def adopt(self) -> None:
        device = self.chance.choice(list(PC_OF_DEVICE))
        epoch = self.epochs[PC_OF_DEVICE[device]]
        adopted = await self.requests.adopt_orphans(device, epoch)
        expected = [
            key
            for key, one in self.model.items()
            if one.device == device and one.active and one.state in (S.QUEUED, *AT_WORK)
        ]
        assert [one.card_request_id for one in adopted] == expected
        for key in expected:
            one = self.model[key]
            one.epoch = epoch
            if one.state is not S.UNKNOWN:
                one.move(S.UNKNOWN)
        self.claims += adopted

    async def release(self) -> None:
        if not self.claims:
            return
        claimed = self.chance.choice(self.claims)
        await self.requests.release(claimed)
        one = self.model[claimed.card_request_id]
        if (one.attempt, one.epoch) == (claimed.attempt, claimed.epoch):
            if one.state is S.CANCELLING:
                one.move(S.CANCELLED)
            elif one.state is S.QUEUED:
                one.epoch = None

    async def watch(self) -> None:
        if self.model:
            await self.explain(self.chance.choice(list(self.model)))

    # what must hold

    async def agree(self) -> None:
        """The stored requests are those of the model."""
        found, _ = await self.requests.page(device_id=0, states=(), page_size=1000, page_token="")
        assert {one.card_request_id for one in found} == set(self.model)
        for one in found:
            expected = self.model[one.card_request_id]
            seen = (one.state, one.attempt, one.epoch)
            assert seen == (expected.state, expected.attempt, expected.epoch)
            assert one.has_track_data <= (one.state is S.SUCCEEDED)
            assert (one.failure is not None) <= (one.state in (S.NEEDS_ACTION, S.FAILED))
        active = [one.device for one in self.model.values() if one.active]
        assert len(active) == len(set(active))
        assert self.requests.stale_reports == self.stale
        attached = {device.pc_name: there for device, there in await self.devices.every()}
        assert attached == self.attached

    async def explain(self, key: str) -> None:
        """The events of a request tell its history, and a watch from any of them the rest of it, once."""
        one = self.model[key]
        events = await self._events(key, 1)
        history = [(state, attempt) for _, state, attempt in events]
        # the very first event of the file cannot be asked for again: 0 means the snapshot
        assert history == one.history[1 if key == next(iter(self.model)) else 0 :]
        for place, (sequence, _, _) in enumerate(events):
            assert await self._events(key, sequence) == events[place + 1 :]

    async def _events(self, key: str, after: int) -> list[tuple[int, State, int]]:
        """What a watch gives until it has to wait."""
        seen = []
        last = (await self.requests.get(key)).sequence
        if after >= last:
            return []
        watching = self.requests.watch(key, after)
        async for event in watching:
            seen.append((event.sequence, event.state, event.attempt))
            if event.sequence == last:
                break
        await watching.aclose()  # type: ignore[attr-defined]
        return seen

    def hold(self) -> None:
        """What the file itself must hold."""
        database = sqlite3.connect(self.path)
        try:
            sequences = [
                row[0] for row in database.execute("SELECT sequence FROM card_request_event ORDER BY 1")
            ]
            assert sequences == list(range(1, len(sequences) + 1))
            assert len(sequences) == sum(len(one.history) for one in self.model.values())
            devices = [row[0] for row in database.execute("SELECT device_id FROM card_request WHERE active")]
            assert len(devices) == len(set(devices))
            most = max(database.execute("SELECT count(*) FROM card_request GROUP BY device_id"))[0]
            if most > 1:
                with pytest.raises(sqlite3.IntegrityError):
                    database.execute("UPDATE card_request SET active = 1")
        finally:
            database.close()


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed-{seed}")
async def test_random_history(tmp_path: Path, seed: int) -> None:
    async with asyncio.timeout(60):
        await History(tmp_path / "swipegate.db", seed).run()


async def test_watchers_see_every_event_once_while_it_happens(tmp_path: Path) -> None:
    history = History(tmp_path / "swipegate.db", 0)
    history.database.open()
    device = Device(1, "d", "a", "msr605", "loop://", card_formats=("iso7813-track2",))
    await history.devices.create(device)
    epoch = await history.devices.attach("a")
    made = await history.requests.create(CALLER, NewCardRequest(1), b"")
    key = made.card_request_id

    async def follow() -> list[int]:
        return [event.sequence async for event in history.requests.watch(key, 0)]

    watching = [asyncio.create_task(follow())]
    claimed = await history.requests.claim(1, "a", epoch)
    assert claimed is not None
    for state in PROGRESS:
        await history.requests.report(claimed, state)
        watching.append(asyncio.create_task(follow()))
        await asyncio.sleep(history.chance.choice((0, 0.001)))
    await history.requests.report(claimed, S.SUCCEEDED, swipe=CARD)
    async with asyncio.timeout(10):
        seen = await asyncio.gather(*watching)
    every = list(range(1, 7))
    for sequences in seen:
        assert sequences == every[-len(sequences) :]
    await asyncio.to_thread(history.database.close)
