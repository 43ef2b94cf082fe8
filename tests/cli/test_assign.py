"""`swipegate assign` in a process of its own, against a real server, on a terminal and without one."""

import asyncio
import json
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from swipegate.devices.simulators.cards import Bad, SimulatedCard
from swipegate.devices.simulators.msr605 import Msr605Simulator
from swipegate.settings import Settings
from swipegate.v1 import card_request_pb2
from tests.assignments import CARD, Kiosk, S
from tests.conftest import Client
from tests.people import ABA, People

R = card_request_pb2.CardRequest
UNREADABLE, USAGE, UNAVAILABLE = 1, 2, 3
PIN = "73519462"
pytestmark = pytest.mark.slow
TIME = 60.0
"""Seconds for anything a command does."""


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Msr605Simulator]:
    with Msr605Simulator(path=tmp_path / "msr605") as simulator:
        yield simulator


@pytest.fixture
async def kiosk(client: Client, people: People, reader: Msr605Simulator) -> Kiosk:
    return await Kiosk(client, people, reader).open()


class Command:
    """`swipegate assign` for a kiosk."""

    def __init__(self, kiosk: Kiosk, settings: Settings, port: int) -> None:
        self.kiosk = kiosk
        self._server = ["--server", f"127.0.0.1:{port}", "--data-dir", str(settings.data_dir)]

    def line(self, user: str, *options: str) -> list[str]:
        """The command line."""
        command = [sys.executable, "-m", "swipegate.cli.main", "assign", str(self.kiosk.device), user]
        return [*command, "--system", self.kiosk.system, "--type", str(ABA), *self._server, *options]

    async def run(self, user: str, *options: str) -> tuple[int, str, str]:
        """Exit code and outputs, without a terminal."""
        process = await asyncio.create_subprocess_exec(
            *self.line(user, *options),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), TIME)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    @asynccontextmanager
    async def on_terminal(self, user: str, *options: str) -> AsyncIterator["Terminal"]:
        """The command on a terminal of its own."""
        ours, its = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            *self.line(user, *options), stdin=its, stdout=its, stderr=its, start_new_session=True
        )
        os.close(its)
        try:
            yield Terminal(process, ours)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            os.close(ours)


class Terminal:
    """What a person sees and types."""

    def __init__(self, process: asyncio.subprocess.Process, descriptor: int) -> None:
        self.process = process
        self._descriptor = descriptor
        self.seen = ""

    async def until(self, text: str) -> None:
        """Wait until something new holds the text."""
        start = len(self.seen)
        async with asyncio.timeout(TIME):
            while text not in self.seen[start:]:
                self.seen += await asyncio.to_thread(self._read)

    def _read(self) -> str:
        try:
            return os.read(self._descriptor, 4096).decode()
        except OSError as error:  # the command has ended
            raise AssertionError(f"it ended after: {self.seen}") from error

    def type(self, text: str) -> None:
        """A line."""
        os.write(self._descriptor, f"{text}\n".encode())

    async def give_up(self) -> int:
        """The exit code after Ctrl-C, pressed again as a person would: Python loses one just before a read."""
        presses = asyncio.create_task(self._press_until_it_ends())
        try:
            return await self.end()
        finally:
            presses.cancel()

    async def _press_until_it_ends(self) -> None:
        while self.process.returncode is None:
            self.process.send_signal(signal.SIGINT)
            await asyncio.sleep(10)

    async def end(self) -> int:
        """The exit code."""
        code = await asyncio.wait_for(self.process.wait(), TIME)
        while True:
            try:
                self.seen += await asyncio.to_thread(self._read)
            except AssertionError:
                return code


@pytest.fixture
def command(kiosk: Kiosk, settings: Settings, server: object) -> Command:
    return Command(kiosk, settings, server.port)  # type: ignore[attr-defined]


async def test_every_event_is_one_object(command: Command) -> None:
    user = await command.kiosk.people.user()
    command.kiosk.reader.swipe(CARD)
    code, out, err = await command.run(user, "--json")
    assert (code, err) == (0, "")
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["state"] for event in events][-1] == "SUCCEEDED"
    assert events[0]["reading"] == "QUEUED"
    assert [event["sequence"] for event in events] == sorted({event["sequence"] for event in events})
    assert await command.kiosk.holder(events[-1]["card_id"]) == user


async def test_without_a_terminal_a_held_card_stays_and_a_bad_one_ends_it(command: Command) -> None:
    kiosk = command.kiosk
    first, user = await kiosk.people.user(), await kiosk.people.user()
    card_id = await kiosk.held_by(first)
    kiosk.reader.swipe(CARD)
    code, out, _ = await command.run(user)
    assert (code, f"CARD_HELD: card {card_id} is held by user {first}" in out) == (UNAVAILABLE, True)
    kiosk.reader.swipe(SimulatedCard(track2=Bad.UNREADABLE))
    code, out, _ = await command.run(user)
    assert (code, "NOT_READ" in out, "CANCELLED" in out) == (UNREADABLE, True, True)
    code, _, err = await command.run(user, "--if-held", "ask")
    assert (code, "needs a terminal" in err) == (USAGE, True)
    code, _, err = await command.run("nobody")
    assert (code, "INVALID_FIELD: user_id" in err) == (UNAVAILABLE, True)
    kiosk.reader.swipe(CARD)
    code, out, _ = await command.run(user, "--if-held", "take-over")
    assert (code, f"it was user {first}'s" in out) == (0, True)


async def test_a_person_is_asked(command: Command) -> None:
    kiosk = command.kiosk
    first, user = await kiosk.people.user(), await kiosk.people.user()
    card_id = await kiosk.held_by(first)
    async with command.on_terminal(user, "--ask-pin") as terminal:
        await terminal.until("PIN: ")
        terminal.type(PIN)
        await terminal.until("confirmation: ")
        terminal.type(PIN)
        await terminal.until("swipe or insert the card now")
        kiosk.reader.swipe(SimulatedCard(track2=Bad.UNREADABLE))
        await terminal.until("Read again?")
        kiosk.reader.swipe(CARD)
        terminal.type("y")
        await terminal.until("Take it over?")
        other = await kiosk.people.user()
        await kiosk.people.replace(user_id=other, card_id=card_id)  # while the person thinks
        terminal.type("y")
        await terminal.until(f"User {other} holds this card")
        terminal.type("y")
        assert await terminal.end() == 0
        assert "HOLDER_CHANGED" in terminal.seen
        assert PIN not in terminal.seen
    assert await kiosk.holder(card_id) == user


async def test_a_person_leaves_the_card(command: Command) -> None:
    kiosk = command.kiosk
    first, user = await kiosk.people.user(), await kiosk.people.user()
    card_id = await kiosk.held_by(first)
    kiosk.reader.swipe(CARD)
    async with command.on_terminal(user) as terminal:
        await terminal.until("Take it over?")
        terminal.type("n")
        assert await terminal.end() == UNAVAILABLE
    assert await kiosk.holder(card_id) == first


@pytest.mark.parametrize("moment", ["swipe or insert", "Take it over?"])
async def test_ctrl_c_gives_it_up(command: Command, moment: str) -> None:
    kiosk = command.kiosk
    first, user = await kiosk.people.user(), await kiosk.people.user()
    card_id = await kiosk.held_by(first)
    if moment == "Take it over?":
        kiosk.reader.swipe(CARD)
    async with command.on_terminal(user) as terminal:
        await terminal.until(moment)
        assert await terminal.give_up() != 0
        assert "Traceback" not in terminal.seen
    (assignment,) = (await kiosk.list()).card_assignments
    assert (await kiosk.until(assignment, S.STATE_CANCELLED)).card_request.attempt == 1
    assert await kiosk.holder(card_id) == first
