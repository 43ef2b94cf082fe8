"""Which troubles can befall which kind of device, and at which steps of a read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import pytest

from swipegate.devices.drivers import crt591, motorised, msr605
from swipegate.devices.drivers.crt591 import Crt591Dispenser
from swipegate.devices.drivers.handshake_reader import HandshakeReader
from swipegate.devices.protocols.crt591.dialect import dialect as crt591_dialect
from swipegate.devices.protocols.msr605 import host as msr605_host
from swipegate.devices.protocols.sanwa.framing import framing as sanwa_framing
from swipegate.devices.simulators.base import Simulator
from swipegate.devices.simulators.card_machine import CardMachine
from swipegate.devices.simulators.cards import SimulatedCard
from swipegate.devices.simulators.crt591 import Crt591Simulator
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
    Piece,
    Replace,
    Silence,
    StopAfter,
)
from swipegate.devices.simulators.line import LineSimulator
from swipegate.devices.simulators.motorised import MotorisedSimulator
from swipegate.devices.simulators.msr605 import Msr605Simulator
from swipegate.devices.simulators.sankyo import SankyoSimulator
from tests.devices.drivers.motorised import CARD, KINDS, QUICK_ACK, QUICK_QUESTION, TRACK1, TRACK2, Kind

PLUGGED_OUT = 0.3
CONTROL_CODES = b"\x00\xff\x02\x03\x10\x06\x15\x05"

# The simulator, and the beginning of a step's command or the kind of its reply.
Act = Callable[[Any, bytes], None]
ANY_TRANSPORT = frozenset(
    {"ACK_TIMEOUT", "NAK_EXHAUSTED", "BAD_CHECK", "RESPONSE_TIMEOUT", "DESYNC", "LINK_LOST"}
)
PULLED = ANY_TRANSPORT | {"PORT_OPEN"}


@dataclass(frozen=True)
class Trouble:
    """A fault that can befall any step."""

    name: str
    act: Act
    """Prepares the simulator: the fault befalls this step."""
    reasons: frozenset[str] = frozenset()
    """With which a request may end; success is always right, nothing else is where this is empty."""
    cancelled: bool = False
    """The request is cancelled as the step begins."""


@dataclass(frozen=True)
class Subject:
    """A kind of device, and what can befall it."""

    driver: str
    simulator: Callable[[], Simulator]
    troubles: Sequence[Trouble]
    steps: Callable[[Any], list[bytes]]
    """The steps of a read, of the simulator that has just been read from."""
    quicken: Callable[[pytest.MonkeyPatch], None]
    """Shortens the times of silence."""
    settings: Mapping[str, str] = field(default_factory=dict)
    card: SimulatedCard = CARD
    """What people come with."""
    device: Callable[[Any], tuple[str, Mapping[str, str]]] = lambda simulator: (simulator.url, {})
    """The port of the device, and settings that name other ports, of the simulator that runs."""
    waits: bool = True
    """Cards wait until it takes one; else they pass once the request says that it waits."""


# Motorised readers with a handshake: a step is a command.


def _on_response(fault: Fault, times: int = 1) -> Act:
    return lambda simulator, step: simulator.inject(fault, f"response {step.decode('latin-1')}", times=times)


def _on_ack(fault: Fault, times: int = 1) -> Act:
    return lambda simulator, step: simulator.inject(fault, f"ack {step.decode('latin-1')}", times=times)


def _older(simulator: CardMachine, step: bytes) -> None:
    """What answered another command comes first."""
    framing = simulator.dialect.framing() if isinstance(simulator, MotorisedSimulator) else sanwa_framing()
    older = framing.encode(b"P9900" if isinstance(simulator, MotorisedSimulator) else b"\x9910000")
    _on_response(JunkBefore(older))(simulator, step)


def _refuses(times: int) -> Act:
    return lambda simulator, step: simulator.refuse(step, times=times)


def _at(task: Callable[[CardMachine], None]) -> Act:
    return lambda simulator, step: simulator.at_command(step.decode("latin-1"), lambda: task(simulator))


HANDSHAKE = [
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
    Trouble("response to an older command", _older),
    Trouble("hangs up in the middle", _on_response(HangUp(3)), frozenset({"LINK_LOST"})),
    Trouble("plug pulled", _at(lambda simulator: simulator.unplug(PLUGGED_OUT)), PULLED),
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


def handshake_subject(kind: Kind) -> Subject:
    """A motorised reader; one that polls its jobs refuses no frame by itself."""

    refuses = issubclass(kind.reader, HandshakeReader)
    troubles = [trouble for trouble in HANDSHAKE if refuses or not trouble.name.startswith("refused")]
    settings = {"poll": "0.02", **kind.settings}
    return Subject(kind.driver, kind.simulator, troubles, _names, kind.quicken, settings)


# A dispenser and a reader: the trouble befalls one of them.

STOCK = 8


class _StockedReader(SankyoSimulator):
    """A reader that takes its cards from the dispenser behind it; nobody inserts any."""

    def __enter__(self) -> Self:
        super().__enter__()
        self.dispenser = Crt591Simulator(stock=[CARD] * STOCK, outlet=self.push_in)
        self.dispenser.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self.dispenser.__exit__(*raised)
        super().__exit__(*raised)

    def insert(self, card: SimulatedCard, *, after: float = 0.0) -> None:
        """The stock is full."""


class _StockedDispenser(Crt591Simulator):
    """A dispenser that feeds the reader before it."""

    def __enter__(self) -> Self:
        self.reader = SankyoSimulator()
        self.reader.__enter__()
        self.stock, self.outlet = [CARD] * STOCK, self.reader.push_in
        return super().__enter__()

    def __exit__(self, *raised: object) -> None:
        super().__exit__(*raised)
        self.reader.__exit__(*raised)

    def insert(self, card: SimulatedCard, *, after: float = 0.0) -> None:
        """The stock is full."""


def _ports(reader: Simulator, dispenser: Simulator) -> tuple[str, Mapping[str, str]]:
    return reader.url, {"dispenser_port": dispenser.url}


def _quicken_stocked(monkeypatch: pytest.MonkeyPatch) -> None:
    KINDS["sankyo"].quicken(monkeypatch)
    quick = replace(crt591_dialect(), ack_timeout=QUICK_ACK, gap=QUICK_ACK)
    monkeypatch.setattr(crt591, "dialect", lambda _: quick)
    monkeypatch.setattr(Crt591Dispenser, "dialect", quick)
    monkeypatch.setattr(SankyoSimulator, "rear_patience", 2 * QUICK_QUESTION)
    monkeypatch.setattr(motorised, "ARRIVAL_TIME", 2 * QUICK_QUESTION)


def _names(simulator: CardMachine) -> list[bytes]:
    """Each command that a read sends, by its name, in order."""
    return list(dict.fromkeys(simulator.name_of(command).encode("latin-1") for command in simulator.received))


def _stocked(kind: type[Simulator], device: Callable[[Any], tuple[str, Mapping[str, str]]]) -> Subject:
    settings = {"poll": "0.02", "reader": "sankyo", "dispenser": "crt591"}
    # What one of them suffers, the other may be the first to tell: nothing comes, or nothing is taken.
    more = frozenset({"PICK_FAILED", "JAM"})
    troubles = [
        replace(trouble, reasons=trouble.reasons | more) if trouble.reasons else trouble
        for trouble in HANDSHAKE
    ]
    return Subject("stocked", kind, troubles, _names, _quicken_stocked, settings, device=device)


# Desktop and swipe readers: a step is a kind of reply.


@dataclass(frozen=True)
class _Instead(Fault):
    """Something befalls the device, and the reply does not come."""

    task: Callable[[], None]

    def apply(self, pieces: list[Piece]) -> list[Piece]:
        self.task()
        return []


def _on(fault: Fault, times: int = 1) -> Act:
    return lambda simulator, step: simulator.inject(fault, step.decode(), times=times)


def _instead(task: Callable[[Simulator], None]) -> Act:
    return lambda simulator, step: simulator.inject(_Instead(lambda: task(simulator)), step.decode())


SILENT = frozenset(
    {"ACK_TIMEOUT", "RESPONSE_TIMEOUT", "EXPIRED"}
)  # a card whose data is lost leaves no trace
GARBLED = frozenset({"DESYNC", "RESPONSE_TIMEOUT", "NOT_READ"})

MSR605 = [
    Trouble("lost byte", _on(LoseByte(1)), GARBLED),
    Trouble("last byte lost", _on(LoseByte(-1)), GARBLED),
    Trouble("a bit flipped", _on(FlipBits(-1, 0x01)), GARBLED),
    Trouble("a bit flipped, always", _on(FlipBits(-1, 0x01), 9), GARBLED),
    Trouble("silence once", _on(Silence()), SILENT),
    Trouble("silence for long", _on(Silence(), 9), SILENT),
    Trouble("reply after the time-out", _on(Late(1.5 * QUICK_QUESTION)), SILENT),
    Trouble("reply twice", _on(Duplicate())),
    Trouble("one byte at a time", _on(Dribble())),
    Trouble("stops in the middle", _on(StopAfter(1)), GARBLED | SILENT),
    Trouble("junk before", _on(JunkBefore(CONTROL_CODES))),
    Trouble("junk after", _on(JunkAfter(CONTROL_CODES))),
    Trouble("another status", _on(Replace(b"\x1b1")), GARBLED),
    Trouble("hangs up in the middle", _on(HangUp(1)), frozenset({"LINK_LOST"})),
    Trouble("plug pulled", _instead(lambda simulator: simulator.unplug(PLUGGED_OUT)), PULLED),
    Trouble("power lost", _instead(lambda simulator: simulator.power_cycle()), SILENT),
]
ENCRYPTED = f"{TRACK1}{TRACK2}|0600|00112233445566778899AABBCCDDEEFF||||\r".encode()

LINE = [
    Trouble("start sentinel lost", _on(LoseByte(0)), frozenset({"NO_START"})),
    Trouble("end sentinel lost", _on(LoseByte(-2)), frozenset({"NO_END"})),
    Trouble("end of the line lost", _on(LoseByte(-1))),
    Trouble("a bit flipped", _on(FlipBits(3)), frozenset({"NOT_READ"})),
    Trouble("nothing printed", _on(Silence()), SILENT),
    Trouble("printed late", _on(Late(0.5))),
    Trouble("printed twice", _on(Duplicate()), frozenset({"DESYNC"})),
    Trouble("one byte at a time", _on(Dribble())),
    Trouble("stops in a track", _on(StopAfter(9)), frozenset({"NO_END"})),
    Trouble("its second half alone", _on(Replace(TRACK2[9:].encode())), frozenset({"NO_START"})),
    Trouble("junk before", _on(JunkBefore(CONTROL_CODES))),
    Trouble("junk after", _on(JunkAfter(CONTROL_CODES))),
    Trouble("noise of eight bits", _on(Replace(bytes(range(128, 256)))), frozenset({"DESYNC"})),
    Trouble("a line without end", _on(Replace(b"%1" * 5000)), frozenset({"DESYNC"})),
    Trouble("the reader's words for no track", _on(Replace(b"%E?;E?+E?\r")), frozenset({"NOT_READ"})),
    Trouble("an encrypted swipe", _on(Replace(ENCRYPTED)), frozenset({"NOT_INITIALISED"})),
    Trouble("hangs up in the middle", _on(HangUp(9)), frozenset({"LINK_LOST"})),
    Trouble("plug pulled", _instead(lambda simulator: simulator.unplug(PLUGGED_OUT)), PULLED),
    Trouble("power lost", _instead(lambda simulator: simulator.power_cycle()), SILENT),
]


def _quicken_msr605(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(msr605, "COMMUNICATION_TEST_TIMEOUT", QUICK_QUESTION)
    monkeypatch.setattr(msr605, "SETTING_TIMEOUT", QUICK_QUESTION)
    monkeypatch.setattr(msr605_host, "BLOCK_GAP_MAX", QUICK_QUESTION)


def _msr605(mode: str, *steps: bytes) -> Subject:
    return Subject(
        "msr605",
        lambda: Msr605Simulator("tcp"),
        MSR605,
        lambda _: list(steps),
        _quicken_msr605,
        {"mode": mode},
    )


SUBJECTS = {
    **{title: handshake_subject(kind) for title, kind in KINDS.items()},
    "stocked, its reader": _stocked(_StockedReader, lambda one: _ports(one, one.dispenser)),
    "stocked, its dispenser": _stocked(_StockedDispenser, lambda one: _ports(one.reader, one)),
    "msr605": _msr605("iso", b"test", b"block"),
    "msr605, raw": _msr605("raw", b"test", b"status", b"block"),
    "line": Subject(
        "line",
        LineSimulator,
        LINE,
        lambda _: [b"line"],
        lambda _: None,
        card=SimulatedCard(None, TRACK2, None),  # so that what is wrong with the line is wrong with its track
        waits=False,
    ),
}
