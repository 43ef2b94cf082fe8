"""`swipegate simulate`: a device to develop against, on a socket or a pseudo-terminal."""

import contextlib
import math
import queue
import sys
import threading
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from swipegate.cli.output import Exit, complain, console, fail, print_json
from swipegate.devices.errors import SettingsError
from swipegate.devices.simulators import find_simulator, simulator_names
from swipegate.devices.simulators.base import Simulator
from swipegate.devices.simulators.cards import TEST_CARD
from swipegate.devices.simulators.script import VERBS, Director, ScriptError

SCRIPT_BYTES_MAX = 1_000_000
PORT_MAX = 65535
# Lines of input that may wait.
LINES_MAX = 100
# How often the clock is looked at, seconds.
SLICE = 0.5


def simulate(
    device: Annotated[str, typer.Argument(help="Which device; `list` shows all.")],
    listen: Annotated[str | None, typer.Option(help="Serve a socket at HOST:PORT.")] = None,
    pty: Annotated[
        Path | None, typer.Option(help="Serve a pseudo-terminal, with a symbolic link to it at this path.")
    ] = None,
    every: Annotated[
        float | None, typer.Option(min=0.01, help="A person comes with the test card every so many seconds.")
    ] = None,
    script: Annotated[Path | None, typer.Option(help="Do what stands in this file, then go on.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="End after so many seconds.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Say where it listens as one JSON object.")] = False,
) -> None:
    """Be a device: real frames on a real line, with cards, people and faults.

    Lines on standard input (and of --script) make things happen; `help` shows them. The device goes on when the
    input ends, until interrupted.
    """
    if device == "list":
        for name in simulator_names():
            console.print(name)
        return
    try:
        with _simulator(device, listen, pty) as simulator:
            if json:
                print_json({"device": device, "url": simulator.url})
            else:
                _greet(device, simulator.url)
            _Stage(simulator, script, every, seconds).run()
    except KeyboardInterrupt:
        return
    except OSError as error:
        fail(Exit.UNAVAILABLE, f"{listen or pty}: {error.strerror or error}")


def _simulator(device: str, listen: str | None, pty: Path | None) -> Simulator:
    if listen is not None and pty is not None:
        fail(Exit.USAGE, "--listen or --pty, not both")
    try:
        kind = find_simulator(device)
    except SettingsError as error:
        fail(Exit.USAGE, str(error))
    return kind("pty", path=pty) if pty is not None else kind("tcp", listen=_address(listen))


def _address(listen: str | None) -> tuple[str, int]:
    if listen is None:
        return "127.0.0.1", 0
    host, _, port = listen.rpartition(":")
    if not host or not (port.isascii() and port.isdigit() and int(port) <= PORT_MAX):
        fail(Exit.USAGE, f"--listen {listen}: write HOST:PORT")
    return host, int(port)


def _greet(device: str, url: str) -> None:
    console.print(f"[bold green]{device}[/]  {url}", soft_wrap=True)
    console.print(
        f"Read a card of it:  [bold]swipegate devices read {url} --driver {device}[/]", soft_wrap=True
    )
    console.print("Write [bold]insert[/] for a person with a card, [bold]help[/] for all that can happen.")


class _Stage:
    """What happens at the device: a script, then people's lines, and a person every so often."""

    def __init__(
        self, simulator: Simulator, script: Path | None, every: float | None, seconds: float | None
    ) -> None:
        self._simulator = simulator
        self._director = Director(simulator)
        self._script = script
        self._every = every
        self._end = math.inf if seconds is None else time.monotonic() + seconds
        self._lines: queue.Queue[str] = queue.Queue(LINES_MAX)

    def run(self) -> None:
        """Until the end, or an interruption."""
        if self._script is not None:
            self._perform(self._script)
        threading.Thread(target=self._listen, name="swipegate-simulate input", daemon=True).start()
        next_person = time.monotonic() + (self._every or math.inf)
        while (now := time.monotonic()) < self._end:
            if now >= next_person:
                self._simulator.insert(TEST_CARD)
                next_person = now + (self._every or math.inf)
            with contextlib.suppress(queue.Empty):
                self._do(self._lines.get(timeout=min(SLICE, self._end - now, max(next_person - now, 0.001))))

    def _perform(self, script: Path) -> None:
        try:
            with script.open("rb") as file:
                text = file.read(SCRIPT_BYTES_MAX + 1)
            if len(text) > SCRIPT_BYTES_MAX:
                fail(Exit.USAGE, f"{script} is over {SCRIPT_BYTES_MAX} bytes")
            self._director.perform(text.decode().splitlines())
        except (OSError, UnicodeDecodeError) as error:
            fail(Exit.USAGE, f"{script}: {error}")
        except ScriptError as error:
            fail(Exit.USAGE, f"{script}: {error}")

    def _listen(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # there is no input, or it is no text
            for line in sys.stdin:
                self._lines.put(line.rstrip("\n"))

    def _do(self, line: str) -> None:
        if line.strip() == "help":
            for name, verb in VERBS.items():
                console.print(f"  [bold]{name}[/] {escape(verb.usage)}  [dim]{verb.help}[/]", soft_wrap=True)
            return
        try:
            self._director.do(line)
        except ScriptError as error:
            complain(str(error))
