"""Card assignments on a database, driven as a host drives them, with a clock that the test winds."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from swipegate.domain.authority import Principal
from swipegate.domain.card_assignment import HeldCardPolicy, State
from swipegate.domain.card_request import Failure
from swipegate.domain.card_request import State as ReadingState
from swipegate.domain.errors import SwipegateError, name
from swipegate.store.statement import Statement
from swipegate.v1 import error_pb2
from tests.databases import Where, both, look
from tests.desk import NUMBER, Desk, opened, swipe_of

GUARD = Principal("guard", "tests")
P = HeldCardPolicy
pytestmark = both


@pytest.fixture
async def desk(where: Where, tmp_path: Path) -> AsyncIterator[Desk]:
    (tmp_path / "data").mkdir(mode=0o700)
    async with opened(where) as one:
        yield one


@contextmanager
def failing_at(step: int) -> Iterator[list[int]]:
    """The database refuses the statement of that number, and that statement whenever it comes again.

    A group that failed is run a second time. The list holds the numbers that were reached.
    """
    seen: list[int] = []
    refused: list[object] = []
    broken = "SELECT a FROM there_is_no_such_table"
    run = Statement._execute

    def is_refused(statement: object) -> bool:
        seen.append(len(seen))
        if seen[-1] == step:
            refused.append(statement)
        return statement in refused

    def core(_connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if is_refused(statement.rstrip("0123456789")):  # of the name of a savepoint
            cursor.execute(broken)

    def bare(self: Statement, connection: Connection, parameters: Any) -> Any:
        if is_refused(self):
            connection.connection.cursor().execute(broken)
        return run(self, connection, parameters)

    event.listen(Engine, "before_cursor_execute", core)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Statement, "_execute", bare)
        try:
            yield seen
        finally:
            event.remove(Engine, "before_cursor_execute", core)


async def fails_at(step: int, call: Awaitable[Any]) -> bool:
    """Whether the call has that many statements, and so failed at that one; as a fault, not as a refusal."""
    with failing_at(step) as seen:
        (outcome,) = await asyncio.gather(call, return_exceptions=True)
    failed = isinstance(outcome, Exception)
    assert failed == (len(seen) > step), "the fault was swallowed"
    assert not isinstance(outcome, SwipegateError)
    return failed


async def test_each_statement_of_the_end_fails(desk: Desk) -> None:
    first = await desk.user()
    await desk.read(await desk.reading(first))
    holder = first
    for step in range(100):
        user = await desk.user()
        claimed = await desk.reading(user)
        before = desk.pictures()
        if not await fails_at(
            step, desk.requests.report(claimed, ReadingState.SUCCEEDED, swipe=swipe_of(NUMBER))
        ):
            break
        assert desk.pictures() == before
        assert desk.holders() == [(holder,)]
        assert (await desk.read(claimed)).state is State.SUCCEEDED  # the same report again
        holder = user
        assert desk.holders() == [(holder,)]
    assert step > 12


async def test_each_statement_of_a_decision_fails(desk: Desk) -> None:
    asking, holder, user = await desk.asking()
    for step in range(100):
        before = desk.pictures()
        if not await fails_at(
            step, desk.assignments.decide(GUARD, asking.card_assignment_id, P.TAKE_OVER, holder)
        ):
            break
        assert desk.pictures() == before
    assert step > 10
    assert desk.holders() == [(user,)]
    assert (await desk.assignments.get(asking.card_assignment_id)).state is State.SUCCEEDED


async def test_each_statement_of_the_creation_fails(desk: Desk) -> None:
    user = await desk.user()
    for step in range(100):
        before = desk.pictures()
        if not await fails_at(step, desk.create(user)):
            break
        assert desk.pictures() == before
    assert step > 8


async def test_a_decision_past_its_time_is_none(desk: Desk) -> None:
    asking, holder, _ = await desk.asking()
    key = asking.card_assignment_id
    desk.now = asking.expire_time - 1
    await desk.assignments.sweep()
    assert (await desk.assignments.get(key)).state is State.NEEDS_DECISION
    desk.now = asking.expire_time
    with pytest.raises(SwipegateError) as caught:  # though no sweep has been there yet
        await desk.assignments.decide(GUARD, key, P.TAKE_OVER, holder)
    assert name(caught.value.reason) == "WRONG_ASSIGNMENT_STATE"
    ended = await desk.assignments.get(key)
    assert (ended.state, ended.outcome.previous_user_id) == (State.EXPIRED, holder)
    assert desk.holders() == [(holder,)]


async def test_the_sweep_expires_and_wipes(desk: Desk) -> None:
    asking, holder, _ = await desk.asking()
    waiting = await desk.create(await desk.user())
    pins = "SELECT count(*) FROM card_assignment WHERE sealed_pin IS NOT NULL"
    assert look(desk.where, pins) == [(2,)]
    desk.now = waiting.expire_time
    await desk.assignments.sweep()
    await desk.requests.sweep()
    for one in (asking, waiting):
        assert (await desk.assignments.get(one.card_assignment_id)).state is State.EXPIRED
    assert look(desk.where, pins) == [(0,)]
    assert desk.holders() == [(holder,)]


async def test_a_card_that_is_read_while_it_is_cancelled_goes_to_nobody(desk: Desk) -> None:
    claimed = await desk.reading(await desk.user())
    cancelling = await desk.assignments.cancel(claimed.card_request_id)
    assert (cancelling.state, cancelling.request.state) == (State.READING, ReadingState.CANCELLING)
    assert (await desk.assignments.cancel(claimed.card_request_id)) == cancelling
    assert (await desk.read(claimed)).state is State.CANCELLED
    assert desk.holders() == []


async def test_a_host_that_died_leaves_the_decision_to_a_person(desk: Desk) -> None:
    claimed = await desk.reading(await desk.user())
    (orphan,) = await desk.requests.adopt_orphans(1, desk.epoch)
    found = await desk.assignments.get(claimed.card_request_id)
    assert (found.state, found.request.state) == (State.READING, ReadingState.UNKNOWN)
    lost = Failure(error_pb2.ERROR_REASON_LINK_LOST)
    await desk.requests.report(orphan, ReadingState.NEEDS_ACTION, failure=lost)
    found = await desk.assignments.get(claimed.card_request_id)
    assert (found.state, found.outcome.reason) == (State.NEEDS_ACTION, lost.reason)
    assert await desk.read(claimed) == found  # the answer that comes after all is of a reading that is over
    assert desk.holders() == []


async def test_a_deleted_user_gets_no_card(desk: Desk) -> None:
    user = await desk.user()
    claimed = await desk.reading(user)
    look(desk.where, "UPDATE user_ SET delete_time = 1 WHERE user_id = :user", user=user)
    failed = await desk.read(claimed)
    assert (failed.state, failed.request.state) == (State.FAILED, ReadingState.SUCCEEDED)
    assert name(failed.outcome.reason or 0) == "USER_NOT_FOUND"
    assert look(desk.where, "SELECT count(*) FROM card") == [(0,)]  # nor is one left behind
