"""A simulated CRT-310."""

from typing import ClassVar

from swipegate.devices.errors import Reason
from swipegate.devices.protocols.crt310 import commands, responses
from swipegate.devices.protocols.crt310.dialect import DIALECT
from swipegate.devices.protocols.handshake import Dialect
from swipegate.devices.simulators.cards import Bad, Track
from swipegate.devices.simulators.mechanism import Place
from swipegate.devices.simulators.motorised import MotorisedSimulator

VERSION = b"CRT 310 V3.0 "
PLACES = {
    Place.NOWHERE: responses.NO_CARD,
    Place.GATE: responses.FRONT_HELD,
    Place.INSIDE: responses.INSIDE,
}
# What a movement ends with, by the mechanism's faults; it tells no more than that it failed.
MOVEMENT_FAULTS = {"no card": b"E", "pulled out": b"E", "wrong place": b"W"}
FAILED = b"N"
# Faults for which it refuses the movement, and cards of a wrong length by S1.
REFUSALS = {"voltage": "05", "abnormal card": "06", "power down": "07"}
WRONG_LENGTHS = {"long card": responses.LONG_CARD, "short card": responses.SHORT_CARD}
# By what is wrong with a track.
TRACK_FAULTS = {
    Reason.NO_START: "E1",
    Reason.NO_END: "E2",
    Reason.PARITY: "E3",
    Reason.LRC: "E4",
    Reason.NO_ENCODING: "E5",
}
UNREADABLE = "E0"
RESET_MOVEMENTS = {commands.RESET_KEEP: "", commands.RESET_FRONT: "eject", commands.RESET_REAR: "retain"}
UNDEFINED, WRONG_PARAMETER, IMPOSSIBLE, ABNORMAL_CARD = "00", "01", "02", "06"
FRONTS = {
    b"\x31": responses.PROHIBITED,
    b"\x32": responses.BY_STRIPE,
    b"\x33": responses.BY_SWITCH,
    b"\x34": 0x4B,
}
REARS = {b"\x30": responses.BY_SWITCH, b"\x31": responses.PROHIBITED}
CHOICES = {b"\x31": (1,), b"\x32": (2,), b"\x33": (3,), b"\x34": (1, 2), b"\x35": (2, 3), b"\x36": (1, 3)}
CHOICES[commands.ALL_TRACKS] = (1, 2, 3)


class Crt310Simulator(MotorisedSimulator):
    """A CRT-310 that stands before people with cards, and takes them in from power-on and after a reset."""

    dialect: ClassVar[Dialect] = DIALECT
    accepts_from_power_on = True
    """False: as another program left it, that prohibits entry."""
    entry_success = b"Y"
    """How it says that a control of entry succeeded; the specification prints both."""
    entry_stuck = False
    """A control of entry is answered and not carried out."""

    def _power_on(self) -> None:
        super()._power_on()
        self.wrong_length: int | None = None
        self._accept_cards()

    def _accept_cards(self) -> None:
        closed = not self.accepts_from_power_on
        self._set_entry(
            responses.PROHIBITED if closed else responses.BY_SWITCH,
            responses.PROHIBITED if closed else responses.BY_SWITCH,
        )

    def _set_entry(self, front: int, rear: int) -> None:
        self.front, self.rear = front, rear
        self.mechanism.permit(entry=front != responses.PROHIBITED)

    def _obey(self, command: bytes) -> None:
        match command:
            case commands.STATUS:
                self._done(bytes((self.wrong_length or PLACES[self.mechanism.place], self.front, self.rear)))
            case commands.RESET_KEEP | commands.RESET_FRONT | commands.RESET_REAR:
                self._reset(command)
            case commands.EJECT | commands.EJECT_AND_HOLD:
                self._move("eject", command + responses.SUCCESS)
            case commands.STOP_INSIDE:
                self._done(responses.SUCCESS)
            case _ if command[:1] == commands.PROHIBIT[:1]:
                self._control_entry(command)
            case _ if command[:2] == commands.read_tracks(b"")[:2]:
                self._read(command)
            case _:
                self._reject(UNDEFINED)

    def _reset(self, command: bytes) -> None:
        self._accept_cards()
        movement = RESET_MOVEMENTS[command]
        if not movement or self.mechanism.place is not Place.INSIDE:
            self._done(VERSION)
            return
        self.wrong_length = None
        self._move(movement, command + VERSION)

    def _control_entry(self, command: bytes) -> None:
        front, rear = FRONTS.get(command[1:2]), REARS.get(command[2:])
        if front is None or rear is None:
            self._reject(WRONG_PARAMETER)
        else:
            if not self.entry_stuck:
                self._set_entry(front, rear)
            self._done(self.entry_success)

    def _read(self, command: bytes) -> None:
        card, numbers = self._card_to_read(), CHOICES.get(command[3:])
        if card is None:
            self._reject(IMPOSSIBLE)
        elif numbers is None or command[2:3] != commands.ASCII:
            self._reject(WRONG_PARAMETER)
        else:
            self._done(responses.build_tracks(_field(card.tracks[number - 1]) for number in numbers))

    def _abort(self) -> None:
        """A command that was given up is not carried out."""

    def _refuse(self, fault: str) -> None:
        if fault in WRONG_LENGTHS:
            self.wrong_length = WRONG_LENGTHS[fault]
            self._reject(ABNORMAL_CARD)
        elif fault in REFUSALS:
            self._reject(REFUSALS[fault])
        else:
            self._done(MOVEMENT_FAULTS.get(fault, FAILED))

    def _done(self, data: bytes) -> None:
        self._respond(self.unit.command + data)

    def _reject(self, code: str) -> None:
        self._respond(responses.build_refusal(self.unit.command, code))


def _field(track: Track) -> tuple[str, bytes]:
    if isinstance(track, str):
        return "Y", track[1:-1].encode("latin-1")
    if track is None:
        return TRACK_FAULTS[Reason.NO_ENCODING], b""
    return TRACK_FAULTS.get(track.value, UNREADABLE) if isinstance(track, Bad) else UNREADABLE, b""
