"""Every fault of a line or a device, at every step of a read, through driver, worker and card request.

`python -m tests.adversity.fault_matrix` writes docs/faults.md anew.
"""

import asyncio
import contextlib
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from swipegate.devices.simulators.faults import (
    Dribble,
    Duplicate,
    Fault,
    FlipBits,
    HangUp,
    JunkAfter,
    JunkBefore,
    Late,
    LoseByte,
    Silence,
    StopAfter,
)
from swipegate.devices.simulators.motorised import MotorisedSimulator
from swipegate.domain.card_request import TERMINAL, State
from swipegate.domain.device import Device
from swipegate.domain.errors import SwipegateError, name
from swipegate.host import worker
from tests.devices.drivers.motorised import CARD, KINDS, QUICK_QUESTION, Kind
from tests.host.house import House

# Cells at work at once: they mostly wait.
AT_ONCE = 12
# Seconds a request may live, and in which a cell must have come to its end.
TIME_TO_LIVE = 3.0
CELL_TIME = 30.0
PLUGGED_OUT = 0.3
CONTROL_CODES = b"\x00\xff\x02\x03\x10\x06\x15\x05"

Act = Callable[[MotorisedSimulator, bytes], None]
ANY_TRANSPORT = frozenset(
    {"ACK_TIMEOUT", "NAK_EXHAUSTED", "BAD_CHECK", "RESPONSE_TIMEOUT", "DESYNC", "LINK_LOST"}
)


@dataclass(frozen=True)
class Trouble:
    """A fault that can befall any step."""

    name: str
    act: Act
    """Prepares the simulator: the fault befalls the step whose command has this beginning."""
    reasons: frozenset[str] = frozenset()
    """With which a request may end; success is always right, nothing else is where this is empty."""
    cancelled: bool = False
    """The request is cancelled as the step begins."""


def _on_response(fault: Fault, times: int = 1) -> Act:
    return lambda simulator, step: simulator.inject(fault, f"response {step.decode('latin-1')}", times=times)


def _on_ack(fault: Fault, times: int = 1) -> Act:
    return lambda simulator, step: simulator.inject(fault, f"ack {step.decode('latin-1')}", times=times)


def _refuses(times: int) -> Act:
    return lambda simulator, step: simulator.refuse(step, times=times)


def _at(task: Callable[[MotorisedSimulator], None]) -> Act:
    return lambda simulator, step: simulator.at_command(step, lambda: task(simulator))


TROUBLES = [
    Trouble("lost byte", _on_response(LoseByte(2))),
    Trouble("last byte lost", _on_response(LoseByte(-1))),
    Trouble("bad check", _on_response(FlipBits(-1, 0x01))),
    Trouble("bad check, always", _on_response(FlipBits(-1, 0x01), 9), frozenset({"BAD_CHECK"})),
    Trouble("refused once", _refuses(1)),
    Trouble("refused always", _refuses(3), frozenset({"NAK_EXHAUSTED"})),
    Trouble("acknowledgement lost", _on_ack(Silence()), frozenset({"ACK_TIMEOUT"})),
    Trouble("acknowledgement garbled", _on_ack(FlipBits(0)), frozenset({"ACK_TIMEOUT"})),
    Trouble("acknowledged, then silence", _on_response(Silence())),
    Trouble("silence for long", _on_response(Silence(), 9), frozenset({"RESPONSE_TIMEOUT"})),
    Trouble("response after the time-out", _on_response(Late(1.5 * QUICK_QUESTION))),
    Trouble("response twice", _on_response(Duplicate())),
    Trouble("one byte at a time", _on_response(Dribble())),
    Trouble("stops in the middle", _on_response(StopAfter(4))),
    Trouble("junk before", _on_response(JunkBefore(CONTROL_CODES))),
    Trouble("junk after", _on_response(JunkAfter(CONTROL_CODES))),
    Trouble("hangs up in the middle", _on_response(HangUp(3)), frozenset({"LINK_LOST"})),
    Trouble(
        "plug pulled", _at(lambda simulator: simulator.unplug(PLUGGED_OUT)), ANY_TRANSPORT | {"PORT_OPEN"}
    ),
    Trouble(
        "power lost",
        _at(lambda simulator: simulator.power_cycle()),
        ANY_TRANSPORT | {"NOT_INITIALISED", "CARD_PULLED_OUT", "POWER_DOWN"},
    ),
    Trouble(
        "card pulled out",
        _at(lambda simulator: simulator.mechanism.pull_out()),
        frozenset({"CARD_PULLED_OUT"}),
    ),
    Trouble(
        "jam, then cleared",
        _at(lambda simulator: simulator.mechanism.faults.append("jam")),
        frozenset({"JAM"}),
    ),
    Trouble("cancelled", lambda simulator, step: None, frozenset({"CANCELLED"}), cancelled=True),
    Trouble(
        "cancelled, and the response late",
        _on_response(Late(0.5 * QUICK_QUESTION)),
        frozenset({"CANCELLED"}),
        cancelled=True,
    ),
]


@dataclass(frozen=True)
class Cell:
    """One trouble at one step of one kind of device."""

    kind: Kind
    trouble: Trouble
    step: bytes

    def __str__(self) -> str:
        return f"{self.trouble.name} at {self.step.decode('latin-1')} of {self.kind.driver}"


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


def steps_of(kind: Kind, received: list[bytes]) -> list[bytes]:
    """The steps of a read: each command that it sends, by its beginning, in order."""
    return list(dict.fromkeys(command[: kind.simulator.step_size] for command in received))


async def play(house: House, cell: Cell) -> Outcome:
    """One request with its trouble, and one without."""
    start = time.monotonic()
    with cell.kind.simulator() as simulator:
        cell.trouble.act(simulator, cell.step)
        device_id = await register(house, cell.kind, simulator)
        simulator.insert(CARD)
        begun = asyncio.Event()
        if cell.trouble.cancelled:
            loop = asyncio.get_running_loop()
            simulator.at_command(cell.step, lambda: loop.call_soon_threadsafe(begun.set))
        end = await end_of_request(house, device_id, cancel_at=begun)
        simulator.heal()
        if simulator.mechanism.waiting == 0:
            simulator.insert(CARD)
        next_end = await end_of_request(house, device_id)
    return Outcome(cell, end, next_end, time.monotonic() - start)


async def register(house: House, kind: Kind, simulator: MotorisedSimulator) -> int:
    """A new device on the simulator."""
    settings = {"poll": "0.02", **kind.settings}
    device = Device(0, simulator.url, "test-pc", kind.driver, simulator.url, settings, ("iso7813-track2",))
    return (await house.devices.create(device)).device_id


async def end_of_request(house: House, device_id: int, cancel_at: asyncio.Event | None = None) -> str:
    """Request a card, and cancel where a person has to decide, or has decided."""
    request = await house.request(TIME_TO_LIVE, device_id)

    async def cancel() -> None:
        if cancel_at is not None and await cancel_at.wait():
            with contextlib.suppress(SwipegateError):  # it has ended by now
                await house.requests.cancel(request.card_request_id, 1)

    cancelling = asyncio.create_task(cancel())
    ended = await house.until(request, State.NEEDS_ACTION, *TERMINAL)
    cancelling.cancel()
    await asyncio.wait((cancelling,))
    if ended.state is State.NEEDS_ACTION:
        await house.requests.cancel(request.card_request_id, ended.attempt)
    if ended.failure is not None and ended.state is not State.CANCELLED:
        return name(ended.failure.reason)
    return str(ended.state)


async def steps_of_a_read(house: House, kind: Kind) -> list[bytes]:
    """The steps of a read without trouble, on a device that was just switched on."""
    with kind.simulator() as simulator:
        device_id = await register(house, kind, simulator)
        simulator.insert(CARD)
        assert await end_of_request(house, device_id) == "SUCCEEDED"
        return steps_of(kind, simulator.received)


async def outcomes(kind: Kind, folder: Path) -> list[Outcome]:
    """Every cell of a kind of device."""
    house = House(folder / "swipegate.db")
    house.database.open()
    await house.host.start()
    try:
        cells = [
            Cell(kind, trouble, step) for step in await steps_of_a_read(house, kind) for trouble in TROUBLES
        ]
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(cell: Cell) -> Outcome:
            async with gate:
                return await play(house, cell)

        return list(await asyncio.gather(*map(one, cells)))
    finally:
        await house.host.stop()
        await asyncio.to_thread(house.database.close)


DOCUMENT = Path(__file__).parents[2] / "docs" / "faults.md"
HEAD = """\
# Faults

Every fault below befalls every step of a read, one at a time, on a simulated device behind a real socket; the read runs
through driver, worker and card request. A request ends in SUCCEEDED (the fault was overcome), or with the reason shown,
for a person to retry or cancel; then the same device serves the next request. The tests run the whole
(`tests/adversity/test_fault_matrix.py`); `python -m tests.adversity.fault_matrix` writes this page anew.

"""


def document(found: dict[str, list[Outcome]]) -> str:
    """The matrix as Markdown: troubles down, kinds of device across, how many steps ended how."""
    lines = [HEAD]
    steps = {kind: len({outcome.cell.step for outcome in ours}) for kind, ours in found.items()}
    lines.append("| fault | " + " | ".join(f"{kind} ({steps[kind]} steps)" for kind in found) + " |\n")
    lines.append("|---|" + "---|" * len(found) + "\n")
    for trouble in TROUBLES:
        row = [trouble.name]
        for ours in found.values():
            ends = Counter(outcome.end for outcome in ours if outcome.cell.trouble is trouble)
            row.append("<br>".join(f"{count} {end}" for end, count in ends.most_common()))
        lines.append("| " + " | ".join(row) + " |\n")
    cells = sum(map(len, found.values()))
    slowest = max(outcome.seconds for ours in found.values() for outcome in ours)
    wrong = sum(not outcome.right for ours in found.values() for outcome in ours)
    lines.append(
        f"\n{cells} cells, {wrong} of them not as they may end; after each the next request was served. The slowest "
        f"took {slowest:.1f} s, with the times of silence shortened ({QUICK_QUESTION:g} s for a question).\n"
    )
    return "".join(lines)


def main() -> None:
    """Play everything and write the page."""
    found: dict[str, list[Outcome]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "POLL", 0.2)
        for title, kind in KINDS.items():
            kind.quicken(patch)
            with tempfile.TemporaryDirectory() as folder:
                found[title] = asyncio.run(outcomes(kind, Path(folder)))
            for outcome in found[title]:
                if not outcome.right:
                    print(
                        f"{outcome.cell}: {outcome.end}, then {outcome.next_end}, in {outcome.seconds:.1f} s"
                    )
    DOCUMENT.write_text(document(found))


if __name__ == "__main__":
    main()
