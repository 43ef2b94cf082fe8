"""Every fault of a line or a device, at every step of a read, through driver, worker and card request.

`python -m tests.adversity.fault_matrix` writes docs/faults.md anew.
"""

import asyncio
import contextlib
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from swipegate.devices.simulators.base import Simulator
from swipegate.devices.simulators.card_machine import CardMachine
from swipegate.domain.card_request import TERMINAL, CardRequest, State
from swipegate.domain.device import Device
from swipegate.domain.errors import SwipegateError, name
from swipegate.host import worker
from tests.adversity.troubles import SUBJECTS, Subject, Trouble
from tests.devices.drivers.motorised import QUICK_QUESTION
from tests.host.house import House

# Cells at work at once: they mostly wait.
AT_ONCE = 12
# Seconds a request may live, and in which a cell must have come to its end.
TIME_TO_LIVE = 3.0
CELL_TIME = 30.0


@dataclass(frozen=True)
class Cell:
    """One trouble at one step of one kind of device."""

    subject: Subject
    trouble: Trouble
    step: bytes

    def __str__(self) -> str:
        return f"{self.trouble.name} at {self.step.decode('latin-1')} of {self.subject.driver}"


@dataclass(frozen=True)
class Outcome:
    """What became of a cell's request, and of the request after it."""

    cell: Cell
    end: str
    """SUCCEEDED, or the reason of the failure, or EXPIRED."""
    next_end: str
    seconds: float

    @property
    def right(self) -> bool:
        """Whether both requests ended as they may."""
        allowed = {"SUCCEEDED", *self.cell.trouble.reasons}
        return self.end in allowed and self.next_end == "SUCCEEDED" and self.seconds < CELL_TIME


async def play(house: House, cell: Cell) -> Outcome:
    """One request with its trouble, and one without."""
    start = time.monotonic()
    with cell.subject.simulator() as simulator:
        cell.trouble.act(simulator, cell.step)
        visit = Visit(house, cell.subject, simulator)
        await visit.register()
        begun = asyncio.Event()
        if cell.trouble.cancelled:
            assert isinstance(simulator, CardMachine)
            loop = asyncio.get_running_loop()
            simulator.at_command(cell.step.decode("latin-1"), lambda: loop.call_soon_threadsafe(begun.set))
        end = await visit.end_of_request(cancel_at=begun)
        simulator.heal()
        next_end = await visit.end_of_request()
    return Outcome(cell, end, next_end, time.monotonic() - start)


class Visit:
    """Somebody with a card in front of a new device."""

    def __init__(self, house: House, subject: Subject, simulator: Simulator) -> None:
        self._house, self._subject, self._simulator = house, subject, simulator
        self._device_id = 0

    async def register(self) -> None:
        url, ports = self._subject.device(self._simulator)
        driver, settings = self._subject.driver, {**self._subject.settings, **ports}
        device = Device(0, url, "test-pc", driver, url, settings, ("iso7813-track2",))
        self._device_id = (await self._house.devices.create(device)).device_id

    async def end_of_request(self, cancel_at: asyncio.Event | None = None) -> str:
        """Request a card, and cancel where a person has to decide, or has decided."""
        house = self._house
        if self._subject.waits and self._simulator.waiting == 0:
            self._simulator.insert(self._subject.card)
        request = await house.request(TIME_TO_LIVE, self._device_id)
        if not self._subject.waits:
            now = await house.until(request, State.WAITING_FOR_CARD, State.NEEDS_ACTION, *TERMINAL)
            if now.state is State.WAITING_FOR_CARD:
                self._simulator.insert(self._subject.card)
        cancelling = asyncio.create_task(self._cancel(request, cancel_at or asyncio.Event()))
        ended = await house.until(request, State.NEEDS_ACTION, *TERMINAL)
        cancelling.cancel()
        await asyncio.wait((cancelling,))
        if ended.state is State.NEEDS_ACTION:
            await house.requests.cancel(request.card_request_id, ended.attempt)
        if ended.failure is not None and ended.state is not State.CANCELLED:
            return name(ended.failure.reason)
        return str(ended.state)

    async def _cancel(self, request: CardRequest, when: asyncio.Event) -> None:
        await when.wait()
        with contextlib.suppress(SwipegateError):  # it has ended by now
            await self._house.requests.cancel(request.card_request_id, 1)


async def steps_of_a_read(house: House, subject: Subject) -> list[bytes]:
    """The steps of a read without trouble, on a device that was just switched on."""
    with subject.simulator() as simulator:
        visit = Visit(house, subject, simulator)
        await visit.register()
        assert await visit.end_of_request() == "SUCCEEDED"
        return subject.steps(simulator)


async def outcomes(subject: Subject, folder: Path) -> list[Outcome]:
    """Every cell of a kind of device."""
    house = House(folder / "swipegate.db")
    house.database.open()
    await house.host.start()
    try:
        steps = await steps_of_a_read(house, subject)
        cells = [Cell(subject, trouble, step) for step in steps for trouble in subject.troubles]
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(cell: Cell) -> Outcome:
            async with gate:
                return await play(house, cell)

        found = list(await asyncio.gather(*map(one, cells)))
        # On a busy machine all of them are late at once: what ended wrongly is played again by itself.
        return [outcome if outcome.right else await play(house, outcome.cell) for outcome in found]
    finally:
        await house.host.stop()
        await asyncio.to_thread(house.database.close)


DOCUMENT = Path(__file__).parents[2] / "docs" / "faults.md"
HEAD = """\
# Faults

Every fault below befalls every step of a read, one at a time, on a simulated device behind a real socket; the read runs
through driver, worker and card request. A request ends in SUCCEEDED (the fault was overcome), or with the reason shown,
for a person to retry or cancel, or in EXPIRED where a card's data was lost without a trace; then the same device serves
the next request. A step of a motorised reader is a command; of an msr605 or a reader that prints, a kind of reply.
Control codes inside a text are tried on every framing in `tests/devices/protocols`.
The tests run the whole (`tests/adversity/test_fault_matrix.py`); `python -m tests.adversity.fault_matrix` writes this
page anew.

"""


def document(found: dict[str, list[Outcome]]) -> str:
    """The matrix as Markdown: a table for each family of devices that can meet the same troubles."""
    parts = [HEAD]
    families: dict[int, list[str]] = {}
    for title in found:
        families.setdefault(id(SUBJECTS[title].troubles), []).append(title)
    for titles in families.values():
        parts.append(table({title: found[title] for title in titles}))
    outcomes = [outcome for ours in found.values() for outcome in ours]
    wrong = sum(not outcome.right for outcome in outcomes)
    slowest = max(outcome.seconds for outcome in outcomes)
    parts.append(
        f"{len(outcomes)} cells, {wrong} of them not as they may end; after each the next request was served. The "
        f"slowest took {slowest:.1f} s, with the times of silence shortened ({QUICK_QUESTION:g} s for a question).\n"
    )
    return "".join(parts)


def table(found: dict[str, list[Outcome]]) -> str:
    """Troubles down, kinds of device across, how many steps ended how."""
    heads = [f"{title} ({_steps(len({one.cell.step for one in ours}))})" for title, ours in found.items()]
    rows = [["fault", *heads], ["---"] * (len(heads) + 1)]
    for trouble in SUBJECTS[next(iter(found))].troubles:
        ends = [Counter(one.end for one in ours if one.cell.trouble is trouble) for ours in found.values()]
        cells = ["<br>".join(f"{count} {end}" for end, count in each.most_common()) for each in ends]
        rows.append([trouble.name, *cells])
    return "".join("| " + " | ".join(row) + " |\n" for row in rows) + "\n"


def _steps(count: int) -> str:
    return "1 step" if count == 1 else f"{count} steps"


def complaints(found: list[Outcome]) -> list[str]:
    """The cells that did not end as they may."""
    return [
        f"{outcome.cell}: {outcome.end}, then {outcome.next_end}, in {outcome.seconds:.1f} s"
        for outcome in found
        if not outcome.right
    ]


def main() -> None:
    """Play everything and write the page."""
    found: dict[str, list[Outcome]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "POLL", 0.2)
        for title, subject in SUBJECTS.items():
            subject.quicken(patch)
            with tempfile.TemporaryDirectory() as folder:
                found[title] = asyncio.run(outcomes(subject, Path(folder)))
            for complaint in complaints(found[title]):
                print(complaint)
    DOCUMENT.write_text(document(found))


if __name__ == "__main__":
    main()
