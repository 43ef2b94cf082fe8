"""Whether concurrent calls can have happened one after another, each at a moment between its start and its end.

The search of J. M. Wing and C. Gong ("Testing and Verifying Concurrent Objects", 1993), with the memory of G. Lowe
("Testing for Linearizability", 2017): a set of calls done and the state they led to is tried once.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

State = TypeVar("State", bound=Hashable)
MAX_TRIED = 200_000
"""Sets of calls tried before the search gives up: a history of one card needs some hundreds."""


class Unknown:
    """An answer that nobody got: the call may have been done or not."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


@dataclass(frozen=True)
class Call:
    """One call. Start and end are steps of the history; no two calls share one."""

    operation: Any
    start: int
    end: float
    """Where the answer is unknown: the step after which it cannot be done any more, or infinity."""
    answer: Any


Step = Callable[[State, Any, Any], Iterable[State]]
"""(state, operation, answer): the states in which it can end, none where the model would answer something else."""


def order_of(initial: State, calls: Sequence[Call], step: Step[State]) -> list[Call] | None:
    """An order in which a sequential model gives exactly these answers; None where there is none."""
    search = _Search(calls, step)
    return search.run(initial)


class _Search:
    def __init__(self, calls: Sequence[Call], step: Step[Any]) -> None:
        self._calls = sorted(calls, key=lambda call: call.start)
        self._step = step
        self._answered = sum(1 << n for n, call in enumerate(self._calls) if call.answer is not UNKNOWN)

    def run(self, initial: Any) -> list[Call] | None:
        tried = {(0, initial)}
        open_ends: list[tuple[int, Any, list[int]]] = [(0, initial, [])]
        while open_ends:
            done, state, order = open_ends.pop()
            if done & self._answered == self._answered:
                return [self._calls[number] for number in order]
            for number in self._next(done):
                call = self._calls[number]
                for after in self._step(state, call.operation, call.answer):
                    key = (done | 1 << number, after)
                    if key not in tried:
                        tried.add(key)
                        open_ends.append((*key, [*order, number]))
            assert len(tried) < MAX_TRIED, "the search is too large: make the history smaller"
        return None

    def _next(self, done: int) -> list[int]:
        """Calls that may come next: none that has to come later is before them, and none too late for them is done."""
        left = [n for n in range(len(self._calls)) if not done >> n & 1]
        first_end = min(self._calls[n].end for n in left if self._answered >> n & 1)
        last_start = max((self._calls[n].start for n in range(len(self._calls)) if done >> n & 1), default=-1)
        found = [n for n in left if last_start < self._calls[n].end and self._calls[n].start < first_end]
        return found[::-1]  # the stack takes the last first: in the order in which they began
