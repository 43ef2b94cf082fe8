"""A simulated CRP-1231."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from swipegate.core.symbols import encode, pack, unpack
from swipegate.devices.protocols.sanwa import commands, responses
from swipegate.devices.protocols.sanwa.responses import TRACK_BYTES, Model
from swipegate.devices.protocols.sanwa.unit import Commanded, JobUnit, UnitEvent
from swipegate.devices.simulators.card_machine import MOVEMENT_TIME, CardMachine
from swipegate.devices.simulators.cards import SimulatedCard, Track
from swipegate.devices.simulators.mechanism import Place, Refused

VERSION = b"AP:S1234-5678,OS:S9012-3456"
# What a stripe holds before its start sentinel.
LEADING_ZEROS = 12
BITS_PER_CHARACTER = {1: 7, 2: 5, 3: 5}
# P by the mechanism's faults, and S by those of a job.
FAULTS = {
    "no card": responses.ILLEGAL,
    "jam": 0x33,
    "motor": 0x34,
    "battery": 0x40,
    "system": 0x41,
}
JOB_FAULTS = {
    "illegal": responses.ILLEGAL_COMMAND,
    "stock empty": responses.STOCK_EMPTY,
    "no dispenser": responses.NO_DISPENSER,
}
READS = {commands.read(choice): choice for choice in commands.CHOICES}
PLACES = {
    Place.NOWHERE: responses.Place.NOWHERE,
    Place.GATE: responses.Place.SLOT,
    Place.INSIDE: responses.Place.HEAD,
}


class SanwaSimulator(CardMachine):
    """A CRP-1231 with a stock of cards, before people with cards.

    Kinds of reply for `inject`: `ack`, `nak`, `response`; each also for one command and its parameters:
    `response B01`.
    """

    def __init__(
        self,
        wire: Literal["pty", "tcp"] = "tcp",
        *,
        model: Model = Model.LR,
        stock: Iterable[SimulatedCard] = (),
        path: Path | None = None,
        listen: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        super().__init__(wire, path=path, listen=listen)
        self.model = model
        self.stock = list(stock)
        self.has_dispenser = True
        self.shutter_open = False
        self.lowest_bit_first = True
        """Which bit of a byte was first on the stripe."""
        self.unit = JobUnit()
        self._job = 0
        self._power_on()

    def _power_on(self) -> None:
        self.unit.wipe()
        self.mechanism.on_card_in = self._card_came
        self._begin_job()
        self._s = responses.NO_JOB

    def _on_bytes(self, data: bytes, now: float) -> None:
        self._take(self.unit.receive(data, now))

    def _on_clock(self, now: float) -> None:
        self._take(self.unit.tick(now))

    def _take(self, events: list[UnitEvent]) -> None:
        self._send_outgoing()
        for event in events:
            if isinstance(event, Commanded):
                self._note(event.text)
                if self.unit.command:  # the power may have gone
                    self._begin_job()
                    self._obey(event.text)
            else:
                self._tell()

    def _begin_job(self) -> None:
        """The job before is aborted."""
        self._job += 1
        self._p, self._s, self._data = responses.WELL, responses.RUNNING, b""
        self.mechanism.permit(entry=False)

    def _obey(self, command: bytes) -> None:
        match command:
            case commands.STATUS | commands.CANCEL | commands.INITIALISE | commands.CHECK_BATTERY:
                self._end_job()
            case commands.VERSION:
                self._end_job(VERSION)
            case commands.OPEN_SHUTTER | commands.CLOSE_SHUTTER if self.model is Model.BR:
                self.shutter_open = command == commands.OPEN_SHUTTER
                self._end_job()
            case commands.INITIALISE_AND_EJECT if self.mechanism.card is None:
                self._end_job()
            case commands.EJECT | commands.INITIALISE_AND_EJECT:
                self._act(self.mechanism.eject)
            case commands.CAPTURE:
                self._await_card()
            case commands.CHECK_STOCK:
                self._act(self._check_stock)
            case commands.DISPENSE:
                self._act(self._dispense)
            case _ if command in READS:
                self._act(lambda: self._read(READS[command]))
            case _:
                self._s = responses.ILLEGAL_COMMAND

    def _act(self, action: Callable[[], None]) -> None:
        """Do what takes as long as a movement, unless the job is aborted meanwhile."""
        job = self._job

        def end() -> None:
            if job != self._job:
                return
            try:
                action()
            except Refused as refused:
                self._refuse(refused.fault)
            else:
                if self._s == responses.RUNNING:
                    self._end_job(self._data)

        self._after(MOVEMENT_TIME, end)

    def _refuse(self, fault: str) -> None:
        self._s = JOB_FAULTS.get(fault, responses.NO_JOB)
        self._p = FAULTS.get(fault, responses.WELL)

    def _end_job(self, data: bytes = b"") -> None:
        self._s, self._data = responses.NO_JOB, data

    def _await_card(self) -> None:
        if self.mechanism.place is Place.INSIDE:
            self._end_job()
        else:
            self._s = responses.WAITING_FOR_CARD
            self.mechanism.permit(entry=self.model is Model.LR or self.shutter_open)

    def _card_came(self) -> None:
        if self._s == responses.WAITING_FOR_CARD:
            self._end_job()

    def _check_stock(self) -> None:
        self._refuse_without_stock()
        self._s = responses.STOCK_PRESENT

    def _dispense(self) -> None:
        if self.mechanism.card is not None:
            raise Refused("illegal")
        self._refuse_without_stock()
        self.mechanism.refuse_if_faulty()
        self.mechanism.put_inside(self.stock.pop(0))

    def _refuse_without_stock(self) -> None:
        if not self.has_dispenser:
            raise Refused("no dispenser")
        if not self.stock:
            raise Refused("stock empty")

    def _read(self, numbers: tuple[int, ...]) -> None:
        card = self._card_to_read()
        if card is None:
            raise Refused("no card")
        self.mechanism.refuse_if_faulty()
        unread = tuple(n for n in numbers if not isinstance(card.tracks[n - 1], str | bytes))
        if unread:
            self._p = responses.UNREAD_TRACKS.get(unread, responses.READ_ERROR)
        else:
            self._data = b"".join(self._stripe(number, card.tracks[number - 1]) for number in numbers)

    def _stripe(self, number: int, track: Track) -> bytes:
        """The 69 bytes of a track."""
        if isinstance(track, str):
            track = pack(encode(track, BITS_PER_CHARACTER[number], leading_zeros=LEADING_ZEROS))
        assert isinstance(track, bytes)
        stripe = track[:TRACK_BYTES].ljust(TRACK_BYTES, b"\x00")
        return pack(unpack(stripe, lsb_first=True)) if self.lowest_bit_first else stripe

    def _tell(self) -> None:
        """Answer a poll. The end of a job is told once."""
        self.unit.respond(responses.build(self.unit.command, self._r, self._p, self._s, self._data))
        if self._s not in (*responses.UNDER_WAY, responses.ILLEGAL_COMMAND):
            self._s = responses.NO_JOB
        self._send_outgoing()

    @property
    def _r(self) -> int:
        place = PLACES[self.mechanism.place]
        if self.unit.command == commands.DISPENSE and self._s == responses.RUNNING:
            place = responses.Place.DISPENSER
        if self.model is Model.LR:
            return next(code for code, named in responses.LR_PLACES.items() if named is place)
        code = next(code for code, named in responses.BR_PLACES.items() if named is place)
        shutter = responses.BR_SHUTTER_OPEN if self.shutter_open else responses.BR_SHUTTER_CLOSED
        return code | shutter | (responses.BR_STOCK if self.stock else 0)

    def name_of(self, command: bytes) -> str:
        return f"{command[:1].hex().upper()}{command[4:].decode('latin-1')}"

    def _send_outgoing(self) -> None:
        name = self.name_of(self.unit.command)
        for outgoing in self.unit.take_outgoing():
            self._reply(f"{outgoing.kind} {name}", outgoing.kind, data=outgoing.data)
