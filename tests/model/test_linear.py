"""The checker itself: it takes what can have happened, and catches every kind of wrong history."""

import math
from dataclasses import replace
from typing import Any

import pytest

from tests.model.assignments import (
    Card,
    Found,
    Get,
    Holding,
    Mark,
    Operation,
    Peek,
    Peeked,
    Refused,
    Remove,
    Replace,
    Replaced,
    Stands,
    Undo,
    Update,
    step,
)
from tests.model.linear import UNKNOWN, Call, order_of

USERS = frozenset("abc")
NEVER = math.inf
LOST = UNKNOWN


def take(user: str, **fields: Any) -> Replace:
    return Replace(user, USERS, **fields)


def moved(previous: str | None, current: str, key: str | None, sequence: int) -> Replaced:
    return Replaced(previous, current, key, False, "x", sequence)


def held(key: str, user: str, sequence: int, **fields: Any) -> Stands:
    return Stands(Holding(key, user, **fields), False, False, sequence)


def possible(*calls: tuple[float, float, Operation, Any]) -> bool:
    """Whether these calls, on a card that nobody holds, can have been answered like this."""
    made = [Call(operation, int(start), end, answer) for start, end, operation, answer in calls]
    return order_of(Card(printed="x"), made, step) is not None


A, B = (1, 2, take("a"), moved(None, "a", "k1", 5)), (3, 4, take("b"), moved("a", "b", "k2", 6))


def test_what_can_have_happened() -> None:
    assert possible(A, B)
    assert possible(B, A)  # the order in which they are told is none
    assert possible((1, 4, *B[2:]), (2, 3, *A[2:]))  # at the same time, in either order
    assert possible(A, B, (5, 6, Get(), Found("k2", "b", "GOOD")))
    assert possible(A, (3, 6, *B[2:]), (4, 5, Get(), Found("k1", "a", "GOOD")))  # before b got it
    assert possible(A, (3, 6, *B[2:]), (4, 5, Get(), Found("k2", "b", "GOOD")))  # and after


@pytest.mark.parametrize(
    "calls",
    [
        pytest.param([A, (3, 4, take("b"), moved(None, "b", "k2", 6))], id="two holders"),
        pytest.param([A, B, (5, 6, take("c"), moved("a", "c", "k3", 7))], id="lost update"),
        pytest.param([A, B, (5, 6, Get(), Found("k1", "a", "GOOD"))], id="stale read"),
        pytest.param([A, (3, 4, Get(), Found(None, None, "GOOD"))], id="lost assignment"),
        pytest.param([A, (3, 4, Get(), Found("k9", "a", "GOOD"))], id="another key"),
        pytest.param([A, (3, 4, take("b"), moved("a", "b", "k1", 6))], id="a key twice"),
        pytest.param([A, (3, 4, take("b"), moved("a", "b", "k2", 5))], id="a sequence twice"),
        pytest.param([A, (3, 4, take("a"), moved("a", "a", "k1", 6))], id="an event for nothing"),
        pytest.param(
            [A, (3, 4, take("a", flags=1), moved("a", "a", "k1", 0))], id="an amendment without event"
        ),
        pytest.param([A, B, (5, 6, Remove("k2"), held("k2", "b", 7))], id="removed and still there"),
        pytest.param(
            [A, B, (5, 6, Undo(6), held("k3", "a", 7)), (7, 8, Undo(6), held("k4", "a", 8))], id="double undo"
        ),
        pytest.param([A, B, (5, 6, Undo(5), Stands(None, False, False, 7))], id="undo of an old event"),
        pytest.param([A, B, (5, 6, Undo(6), held("k1", "a", 7))], id="undo without a new assignment"),
        pytest.param([A, (3, 4, Update("k1", (("flags", 3),)), held("k1", "a", 6))], id="update not seen"),
        pytest.param(
            [A, B, (5, 6, Update("k1", (("flags", 3),)), held("k1", "a", 7, flags=3))], id="ended and updated"
        ),
        pytest.param(
            [A, (3, 4, Mark("LOST"), (Found("k1", "a", "LOST"), 6)), (5, 6, *B[2:])], id="a lost card moves"
        ),
        pytest.param(
            [A, (3, 4, take("b"), Refused("CARD_LOST_OR_STOLEN", (("status", "LOST"),)))],
            id="a good one stays",
        ),
        pytest.param([A, (3, 4, take("b", expected="c"), moved("a", "b", "k2", 6))], id="not the expected"),
        pytest.param(
            [A, (3, 4, take("b", expected="c"), Refused("HOLDER_CHANGED", (("user_id", "b"),)))],
            id="the wrong holder named",
        ),
        pytest.param([A, (3, 4, take("b", validate=True), moved("a", "b", "k2", 6))], id="no rehearsal"),
        pytest.param(
            [
                A,
                (3, 4, take("b", validate=True), moved("a", "b", None, 0)),
                (5, 6, Get(), Found("k2", "b", "GOOD")),
            ],
            id="a rehearsal that moved the card",
        ),
        pytest.param([A, (3, 4, take("z"), moved("a", "z", "k2", 6))], id="nobody gets a card"),
        pytest.param(
            [
                A,
                (3, 4, take("a", pin="1"), moved("a", "a", "k1", 6)),
                (5, 6, Peek(), Peeked("GOOD", Holding("k1", "a"))),
            ],
            id="a PIN not stored",
        ),
    ],
)
def test_a_wrong_history_is_caught(calls: list[Any]) -> None:
    assert not possible(*calls)


def test_an_answer_that_nobody_got() -> None:
    lost = (3, NEVER, take("b"), LOST)
    assert possible(A, lost, (5, 6, Get(), Found("k1", "a", "GOOD")))  # not done
    assert possible(A, lost, (5, 6, Get(), Found("k9", "b", "GOOD")))  # done
    assert possible(
        A, lost, (5, 6, Get(), Found("k1", "a", "GOOD")), (7, 8, Get(), Found("k9", "b", "GOOD"))
    )  # done late
    assert not possible(
        A, lost, (5, 6, Get(), Found("k9", "b", "GOOD")), (7, 8, Get(), Found("k1", "a", "GOOD"))
    )  # undone
    assert not possible(
        A, lost, (5, 6, Get(), Found("k9", "b", "GOOD")), (7, 8, Get(), Found("k8", "b", "GOOD"))
    )
    dead = (3, 4, take("b"), LOST)
    assert not possible(
        A, dead, (5, 6, Get(), Found("k1", "a", "GOOD")), (7, 8, Get(), Found("k9", "b", "GOOD"))
    )  # after the death of its server nothing is done any more


def test_a_sequence_that_nobody_got() -> None:
    lost = (3, 4, take("b"), LOST)
    changed = Refused("CARD_CHANGED_SINCE", (("last_sequence", "8"), ("sequence", "5")))
    assert possible(A, lost, (5, 6, Undo(5), changed), (7, 8, Undo(8), held("k3", "a", 9)))
    assert not possible(A, (5, 6, Undo(5), changed))
    earlier = Refused("CARD_CHANGED_SINCE", (("last_sequence", "4"), ("sequence", "5")))
    assert not possible(A, lost, (5, 6, Undo(5), earlier))


def test_undo_brings_back_what_was() -> None:
    first = (1, 2, take("a", flags=7, activation=10, pin="1"), moved(None, "a", "k1", 5))
    restored = replace(held("k3", "a", 7, flags=7, activation=10), has_pin=True)
    assert possible(first, B, (5, 6, Undo(6), restored))
    assert not possible(first, B, (5, 6, Undo(6), replace(restored, has_pin=False)))
    assert not possible(first, B, (5, 6, Undo(6), replace(held("k3", "a", 7, activation=10), has_pin=True)))
    lost = Refused("CARD_LOST_OR_STOLEN", (("status", "LOST"),))
    marked = (5, 6, Mark("LOST"), (Found("k2", "b", "LOST"), 7))
    assert not possible(first, B, marked, (7, 8, Undo(6), lost))  # changed since comes first
    assert possible(
        first,
        B,
        marked,
        (7, 8, Remove("k2"), Stands(Holding("k2", "b"), True, False, 8)),
        (9, 10, Undo(8), lost),
    )
    assert possible(
        first, B, marked, (7, 8, Undo(7), Refused("NOT_UNDOABLE", (("kind", "MARKED"), ("sequence", "7"))))
    )


def test_a_card_comes_into_being_once() -> None:
    made = Replaced(None, "a", "k1", True, "x", 5)
    again = Replaced("a", "b", "k2", False, "x", 6)
    asked = [replace(take(user), by_number=True, printed="x") for user in "ab"]
    calls = [Call(asked[0], 1, 3, made), Call(asked[1], 2, 4, again)]
    assert order_of(Card(), calls, step)
    twice = [calls[0], Call(asked[1], 2, 4, Replaced(None, "b", "k2", True, "x", 6))]
    assert order_of(Card(), twice, step) is None
