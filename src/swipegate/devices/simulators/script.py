"""What happens at a simulated device, as lines of text: `insert`, `fault "response C62" silence`, `unplug 2`."""

import shlex
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from swipegate.devices.simulators.base import Simulator
from swipegate.devices.simulators.card_machine import CardMachine
from swipegate.devices.simulators.cards import TEST_CARD, SimulatedCard
from swipegate.devices.simulators.crt591 import Crt591Simulator
from swipegate.devices.simulators.faults import named_fault
from swipegate.devices.simulators.motorised import MotorisedSimulator
from swipegate.devices.simulators.sanwa import SanwaSimulator

LINE_CHARACTERS_MAX = 1000
TIMES_MAX = 1000
SECONDS_MAX = 86_400.0


class ScriptError(ValueError):
    """A line of a script that cannot be done."""


@dataclass(frozen=True, slots=True)
class _Verb:
    """One thing that can happen: what stands behind its name, what it does, and for whom."""

    usage: str
    help: str
    do: Callable[["Director", list[str]], None]
    motorised: bool = False


class Director:
    """Makes things happen at one simulator.

    Cards are named: `test` is there from the start. Thread-safety: one thread.
    """

    def __init__(self, simulator: Simulator, cards: dict[str, SimulatedCard] | None = None) -> None:
        self._simulator = simulator
        self._cards = {"test": TEST_CARD, **(cards or {})}

    def perform(self, lines: Iterable[str]) -> None:
        """Do line after line; empty ones and those that begin with # are skipped.

        :raises ScriptError: a line cannot be done; its number is told, and those before it are done.
        """
        for number, line in enumerate(lines, start=1):
            try:
                self.do(line)
            except ScriptError as error:
                raise ScriptError(f"line {number}: {error}") from None

    def do(self, line: str) -> None:
        """Do one line.

        :raises ScriptError: it cannot be done.
        """
        if len(line) > LINE_CHARACTERS_MAX:
            raise ScriptError(f"is over {LINE_CHARACTERS_MAX} characters")
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise ScriptError(str(error).lower()) from None
        if not words:
            return
        verb = VERBS.get(words[0])
        if verb is None:
            raise ScriptError(f"{words[0]!r} is none of {', '.join(VERBS)}")
        if verb.motorised and not isinstance(self._simulator, CardMachine):
            raise ScriptError(f"{words[0]}: this device has no motor")
        try:
            verb.do(self, words[1:])
        except (ValueError, IndexError) as error:
            problem = str(error) if isinstance(error, ValueError) and str(error) else "something is missing"
            raise ScriptError(f"{words[0]}: {problem}; write: {words[0]} {verb.usage}".rstrip()) from None

    @property
    def _motorised(self) -> CardMachine:
        assert isinstance(self._simulator, CardMachine)
        return self._simulator

    def _card(self, words: list[str]) -> SimulatedCard:
        name = words[0] if words else "test"
        if name not in self._cards:
            raise ValueError(f"no card is named {name!r}")
        return self._cards[name]

    def _insert(self, words: list[str]) -> None:
        self._simulator.insert(self._card(words))

    def _name_card(self, words: list[str]) -> None:
        tracks = [None if track == "-" else track for track in words[1:4]]
        if not tracks:
            raise ValueError("a card has one to three tracks")
        first, second, third = [*tracks, None, None][:3]
        self._cards[words[0]] = SimulatedCard(first, second, third)

    def _inject(self, words: list[str]) -> None:
        number = _number(words[2]) if len(words) > 2 else 0.0
        self._simulator.inject(named_fault(words[1], number), words[0], times=_times(words[3:]))

    def _fill(self, words: list[str]) -> None:
        if not isinstance(self._simulator, Crt591Simulator | SanwaSimulator):
            raise ValueError("this device has no stock")
        self._simulator.stock.append(self._card(words))

    def _refuse(self, words: list[str]) -> None:
        if not isinstance(self._simulator, MotorisedSimulator):
            raise ValueError("this device refuses no command")
        self._simulator.refuse(words[0].encode("latin-1"), times=_times(words[1:]))

    def _unplug(self, words: list[str]) -> None:
        self._simulator.unplug(_seconds(words[0]) if words else None)

    def _set_removal(self, words: list[str]) -> None:
        self._motorised.mechanism.removal_time = None if words[0] == "never" else _seconds(words[0])


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise ValueError(f"{word!r} is no number") from None


def _seconds(word: str) -> float:
    seconds = _number(word)
    if not 0 <= seconds <= SECONDS_MAX:
        raise ValueError(f"{word} is not 0 to {SECONDS_MAX:g} seconds")
    return seconds


def _times(words: list[str]) -> int:
    times = _number(words[0]) if words else 1
    if not 1 <= times <= TIMES_MAX:
        raise ValueError(f"{times:g} is not 1 to {TIMES_MAX} times")
    return int(times)


VERBS = {
    "card": _Verb(
        "NAME TRACK1 TRACK2 TRACK3", "Name a card; - is a track without data.", Director._name_card
    ),
    "insert": _Verb("[NAME]", "A person inserts or swipes a card, once one is awaited.", Director._insert),
    "wait": _Verb("SECONDS", "Do nothing for a while.", lambda _, words: time.sleep(_seconds(words[0]))),
    "fault": _Verb(
        "KIND FAULT [NUMBER [TIMES]]", "Let a fault befall the next replies of a kind.", Director._inject
    ),
    "heal": _Verb(
        "", "Take back the faults that have not befallen a reply.", lambda one, _: one._simulator.heal()
    ),
    "unplug": _Verb("[SECONDS]", "Pull the plug, for good or for a while.", Director._unplug),
    "replug": _Verb("", "Plug in again.", lambda one, _: one._simulator.replug()),
    "power-cycle": _Verb("", "Switch off and on.", lambda one, _: one._simulator.power_cycle()),
    "take": _Verb("", "A person takes the card at the gate.", lambda one, _: one._motorised.take(), True),
    "pull-out": _Verb("", "Pull the card out by force.", lambda one, _: one._motorised.pull_out(), True),
    "put-inside": _Verb(
        "[NAME]", "A card is inside.", lambda one, words: one._motorised.put_inside(one._card(words)), True
    ),
    "stock": _Verb("[NAME]", "Put a card into the stock.", Director._fill, True),
    "fail": _Verb(
        "FAULT [TIMES]",
        "Let the next movements fail: jam, motor, shutter, sensor ...",
        lambda one, words: one._motorised.fail_movement(words[0], times=_times(words[1:])),
        True,
    ),
    "refuse": _Verb(
        "COMMAND [TIMES]",
        "Refuse the next commands with this beginning.",
        Director._refuse,
        True,
    ),
    "removal": _Verb(
        "SECONDS|never", "How long a person leaves the card at the gate.", Director._set_removal, True
    ),
}
