"""A simulated 3S4YR."""

import time
from dataclasses import replace
from typing import ClassVar

from swipegate.devices.errors import Reason
from swipegate.devices.protocols.framing import xor_of
from swipegate.devices.protocols.handshake import Dialect
from swipegate.devices.protocols.omron import commands
from swipegate.devices.protocols.omron.dialect import DEVICE_GAP, DIALECT
from swipegate.devices.protocols.omron.errors import AWAIT_RESET, AWAIT_RETURN
from swipegate.devices.simulators.mechanism import Place
from swipegate.devices.simulators.verdict import VerdictSimulator

VERSION = b"HBU-NA053   E 00A1B2" + b" " * 20
# Error codes by the mechanism's faults, and by what is wrong with a track.
FAULTS = {
    "no card": "01",
    "bin full": "16",
    "jam": "10",
    "shutter": "11",
    "sensor": "12",
    "motor": "13",
    "pulled out": "14",
    "power down": "18",
    "long card": "20",
    "short card": "21",
}
TRACK_FAULTS = {
    Reason.NOT_READ: "49",
    Reason.PARITY: "42",
    Reason.LRC: "43",
    Reason.NO_START: "40",
    Reason.NO_END: "41",
    Reason.EMPTY: "45",
    Reason.JITTER: "46",
    Reason.NO_ENCODING: "44",
}
UNDEFINED, IMPOSSIBLE, WRONG_DATA, NOT_INITIALISED, NOBODY = "00", "01", "02", "19", "61"
BLOCKING_INTAKES = (commands.INTAKE_ANY, commands.INTAKE_MAGNETIC)
ENTRIES = {commands.PERMIT_ANY: True, commands.PERMIT_MAGNETIC: True, commands.DENY: False}
# What initial resets do with a card: 00 and 04 to the gate, 01 and 05 to the bin, 02 and 06 nothing.
RESET_MOVEMENTS = {b"0": "eject", b"4": "eject", b"1": "retain", b"5": "retain", b"2": "", b"6": ""}
# How long after a response it is ready for an initial reset, seconds (1.5.1).
RESET_PAUSE = 0.015
INITIAL_RESET = b"\x10\x02C0"


class OmronSimulator(VerdictSimulator):
    """A 3S4YR that stands before people with cards.

    After what is wrong with the mechanism or the card it answers nothing else until the reset or return that it
    waits for (3.4.2).
    """

    dialect: ClassVar[Dialect] = replace(DIALECT, gap=DEVICE_GAP)
    faults: ClassVar = FAULTS
    track_faults: ClassVar = TRACK_FAULTS
    monitor_time = 30.0
    """How long a blocking intake waits, seconds."""
    deaf_from_power_on = False
    """After power-on it understands nothing until an initial reset tells it the speed of the line."""
    hasty_resets = 0
    """Initial resets that came too soon after a response."""

    def _power_on(self) -> None:
        super()._power_on()
        self.trouble = NOT_INITIALISED  # told instead of an answer
        self.format = b"0"
        self._knows_speed = False
        self._responded_at = 0.0
        self.mechanism.on_card_in = self._card_came

    def _on_bytes(self, data: bytes, now: float) -> None:
        self._knows_speed = self._knows_speed or not self.deaf_from_power_on or INITIAL_RESET in data
        if self._knows_speed:
            super()._on_bytes(data, now)

    def _obey(self, command: bytes) -> None:
        if command[:2] == b"C0":
            self._reset(command[2:3])
        elif self.trouble and not (self.trouble in AWAIT_RETURN and command == commands.RETURN):
            self._negative(self.trouble)
        elif command[:2] == b"C6":
            self._read(command)
        elif command in BLOCKING_INTAKES:
            self._await_card()
        elif command in ENTRIES:
            self.mechanism.permit(entry=ENTRIES[command])
            self._positive()
        elif command[:3] == commands.FORMAT_DATA[:3]:
            self._set_format(command[3:])
        else:
            self._obey_whole(command)

    def _obey_whole(self, command: bytes) -> None:
        mechanism = self.mechanism
        match command:
            case commands.STATUS:
                self._positive()
            case commands.SENSORS:
                covered = b"%d" % (mechanism.place is not Place.NOWHERE)
                self._positive(covered + b"0" * 11)
            case commands.RETURN:
                self.trouble = ""
                self._move("eject", self._ended(Place.GATE))
            case commands.CAPTURE:
                self._move("retain", self._ended(Place.NOWHERE))
            case commands.VERSION:
                self._positive(VERSION)
            case commands.CAPTURED_COUNT if mechanism.entry:
                self._negative(IMPOSSIBLE)
            case commands.CAPTURED_COUNT:
                self._positive(b"%03d" % len(mechanism.bin))
            case _:
                self._negative(UNDEFINED)

    def _reset(self, card: bytes) -> None:
        self.hasty_resets += time.monotonic() - self._responded_at < RESET_PAUSE
        if card not in RESET_MOVEMENTS or (self.trouble in AWAIT_RETURN and RESET_MOVEMENTS[card] != "eject"):
            self._negative(self.trouble or UNDEFINED)
            return
        self.trouble = ""
        self.mechanism.permit(entry=False)
        movement = RESET_MOVEMENTS[card]
        if not movement or self.mechanism.place is not Place.INSIDE:
            self._positive()
        else:
            self._move(movement, self._ended(Place.GATE if movement == "eject" else Place.NOWHERE))

    def _set_format(self, choice: bytes) -> None:
        if choice in (b"0", b"1", b"2"):
            self.format = choice
            self._positive()
        else:
            self._negative(WRONG_DATA)

    def _await_card(self) -> None:
        if self.mechanism.place is Place.INSIDE:
            self._negative(IMPOSSIBLE)
            return
        self.mechanism.permit(entry=True)
        self._after(self.monitor_time, self._give_people_up)

    def _give_people_up(self) -> None:
        if self.unit.at_work and self.unit.command in BLOCKING_INTAKES:
            self.mechanism.permit(entry=False)
            self._negative(NOBODY)

    def _card_came(self) -> None:
        if self.unit.command in BLOCKING_INTAKES:
            self._positive()

    def _abort(self) -> None:
        self.mechanism.permit(entry=False)

    def _read(self, command: bytes) -> None:
        if self.mechanism.place is not Place.INSIDE:
            self._negative(IMPOSSIBLE)
            return
        numbers = {commands.read_track(number): number for number in (1, 2, 3)}
        card = self._card_to_read()
        if card is None:
            self._refuse("pulled out")
        elif command in numbers:
            self._give_track(card.tracks[numbers[command] - 1])
        else:
            self._negative(UNDEFINED)

    def _track_data(self, track: str) -> bytes:
        whole = track.encode("latin-1")
        forms = {b"0": whole[1:-1], b"1": whole, b"2": whole + xor_of(whole)}
        return forms[self.format]

    def _refuse(self, fault: str) -> None:
        if (code := FAULTS[fault]) in AWAIT_RESET | AWAIT_RETURN:
            self.trouble = code
        super()._refuse(fault)

    def _respond(self, text: bytes) -> None:
        self._responded_at = time.monotonic()
        super()._respond(text)
