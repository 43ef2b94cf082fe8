"""A simulated ICT3Q8."""

from typing import ClassVar

from swipegate.devices.errors import Reason
from swipegate.devices.protocols.handshake import Dialect
from swipegate.devices.protocols.sankyo import commands
from swipegate.devices.protocols.sankyo.dialect import DIALECT
from swipegate.devices.simulators.mechanism import Place
from swipegate.devices.simulators.verdict import VerdictSimulator

REVISION = b"3Q8-3A0264 REV 01"
# Error codes by the mechanism's faults, and by what is wrong with a track.
FAULTS = {
    "no card": "02",
    "bin full": "50",
    "jam": "10",
    "shutter": "11",
    "sensor": "12",
    "long card": "13",
    "short card": "14",
    "motor": "51",
    "pulled out": "40",
    "power down": "30",
}
TRACK_FAULTS = {
    Reason.NOT_READ: "21",
    Reason.PARITY: "20",
    Reason.LRC: "28",
    Reason.NO_START: "26",
    Reason.NO_END: "27",
    Reason.EMPTY: "23",
    Reason.JITTER: "21",
    Reason.NO_ENCODING: "24",
}
NOTHING_AT_REAR = "19"
UNDEFINED, WRONG_PARAMETER, IMPOSSIBLE, NOT_INITIALISED = "00", "01", "02", "B0"
BLOCKING_ENTRIES = (commands.ENTRY_ANY, commands.ENTRY_MAGNETIC, commands.ENTRY_REAR)


class SankyoSimulator(VerdictSimulator):
    """An ICT3Q8 that stands before people with cards."""

    dialect: ClassVar[Dialect] = DIALECT
    faults: ClassVar = FAULTS
    track_faults: ClassVar = TRACK_FAULTS
    rear_patience = 10.0
    """Seconds for a card to come to the rear."""

    def _power_on(self) -> None:
        super()._power_on()
        self.initialised = False
        self._rear_waits = 0
        self.status_fault = ""  # told instead of the status until the next initialisation
        self.mechanism.on_card_in = self._card_came

    def _obey(self, command: bytes) -> None:
        if command[:2] == b"C0":
            self._initialise(command)
        elif not self.initialised:
            self._negative(NOT_INITIALISED)
        elif command[:2] == b"C6":
            self._read(command)
        elif command in BLOCKING_ENTRIES:
            self._await_card()
        else:
            self._obey_whole(command)

    def _obey_whole(self, command: bytes) -> None:
        match command:
            case commands.STATUS if self.status_fault:
                self._negative(self.status_fault)
            case commands.STATUS:
                self._positive()
            case commands.SENSORS:
                self._positive(bytes((0x40 | (self.mechanism.place is not Place.NOWHERE) << 2,)))
            case commands.ENABLE_ANY | commands.ENABLE_MAGNETIC | commands.DISABLE:
                self.mechanism.permit(command != commands.DISABLE, rear=command == commands.ENABLE_ANY)
                self._positive()
            case commands.EJECT:
                self._move("eject", self._ended(Place.GATE))
            case commands.CAPTURE:
                self._move("retain", self._ended(Place.NOWHERE))
            case commands.RETRIEVE:
                self._move("pull_in", self._ended(Place.INSIDE))
            case commands.REVISION:
                self._positive(REVISION)
            case commands.CAPTURED_COUNT:
                self._positive(b"%02d" % len(self.mechanism.bin))
            case _:
                self._negative(UNDEFINED)

    def _initialise(self, command: bytes) -> None:
        self.initialised, self.status_fault = True, ""
        self.mechanism.permit(entry=False)
        movements = {commands.TO_GATE: "eject", commands.TO_BIN: "retain"}
        movement = movements.get(command[2:3])
        if movement is None or self.mechanism.card is None or self.mechanism.place is Place.GATE:
            self._positive()
        else:
            self._move(movement, self._ended(Place.GATE if movement == "eject" else Place.NOWHERE))

    def _await_card(self) -> None:
        if self.mechanism.place is Place.INSIDE:
            self._positive()
        elif self.unit.command == commands.ENTRY_REAR:
            self.mechanism.permit(entry=False, rear=True)
            self._rear_waits += 1
            waits = self._rear_waits
            self._after(self.rear_patience, lambda: self._give_up_rear(waits))
        else:
            self.mechanism.permit(entry=True)

    def _give_up_rear(self, waits: int) -> None:
        if (
            waits == self._rear_waits
            and self.unit.command == commands.ENTRY_REAR
            and self.mechanism.rear_entry
        ):
            self.mechanism.permit(entry=False)
            self._negative(NOTHING_AT_REAR)

    def _card_came(self) -> None:
        if self.unit.command in BLOCKING_ENTRIES:
            self._positive()

    def _abort(self) -> None:
        self.mechanism.permit(entry=False)

    def _read(self, command: bytes) -> None:
        card = self._card_to_read()
        if card is None:
            self._negative(IMPOSSIBLE)
            return
        if command == commands.CLEAR_TRACKS:
            self._positive()
            return
        numbers = {commands.read_track(n): n for n in (1, 2, 3)} | {
            commands.read_track_once(n): n for n in (1, 2, 3)
        }
        number = numbers.get(command)
        if number is None:
            self._negative(WRONG_PARAMETER)
        else:
            self._give_track(card.tracks[number - 1])

    def _track_data(self, track: str) -> bytes:
        return track[1:-1].encode("latin-1")
