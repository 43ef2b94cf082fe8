"""A simulated MSR605."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from swipegate.core import symbols
from swipegate.devices.protocols.msr605.blocks import Block, Mark, Status, build_iso_block, build_raw_block
from swipegate.devices.protocols.msr605.commands import AWAIT_CARD, READS, SILENT, WRITES, Code, Command
from swipegate.devices.protocols.msr605.unit import (
    CommandReceived,
    CommandRefused,
    Msr605Unit,
    UnitEvent,
    reply,
)
from swipegate.devices.simulators.base import Simulator
from swipegate.devices.simulators.cards import SimulatedCard

# As a unit comes from the factory (manual, section 3).
LEADING_ZEROS = (0x3D, 0x16)
BITS_PER_CHARACTER = (7, 5, 5)
MODEL = b"3S"
FIRMWARE = b"REVA1.00"
PACKED = (8, 8, 8)
# Zeros after the LRC, on the stripe.
TRAILING_ZEROS = 16


class Msr605Simulator(Simulator):
    """Kinds of reply for `inject`: `block` (a card read), `test` (communication test), `status`, `info`."""

    def __init__(
        self,
        wire: Literal["pty", "tcp"] = "pty",
        *,
        path: Path | None = None,
        listen: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        super().__init__(wire, path=path, listen=listen)
        self._unit = Msr605Unit()
        self.received: list[Command] = []
        self.written: list[Block] = []
        self.leds: Code | None = None
        self._cards: list[tuple[float, SimulatedCard]] = []
        self._armed_for: Command | None = None
        self._arming = threading.Condition()
        self._block_to_write: Block | None = None
        self._leading_zeros: Sequence[int] = LEADING_ZEROS
        self._bits: Sequence[int] = BITS_PER_CHARACTER
        self._hico = True
        self._power_on()

    def swipe(self, card: SimulatedCard, *, after: float = 0.0) -> None:
        """Pass a card as soon as the unit waits for one, or `after` seconds later; cards queue."""
        with self._lock:
            self._cards.append((after, card))
        self._after(0.0, self._pass_next_card)

    def insert(self, card: SimulatedCard, *, after: float = 0.0) -> None:
        self.swipe(card, after=after)

    @property
    def waiting(self) -> int:
        return len(self._cards)

    def swipe_now(self, card: SimulatedCard) -> None:
        """Pass a card whether or not the unit waits for one; it goes unnoticed when not."""
        self._do_in_thread(lambda: self._pass(card))

    def wait_until_armed(self, timeout: float) -> bool:
        """Wait until the unit waits for a card; for other threads than the event loop's."""
        with self._arming:
            return self._arming.wait_for(lambda: self._armed_for is not None, timeout)

    def wait_until_idle(self, timeout: float) -> bool:
        """Wait until the unit waits for no card; for other threads than the event loop's."""
        with self._arming:
            return self._arming.wait_for(lambda: self._armed_for is None, timeout)

    @property
    def armed(self) -> bool:
        """Whether the unit waits for a card."""
        return self._armed_for is not None

    def _power_on(self) -> None:
        self._unit.wipe()
        self._arm(None)
        self._leading_zeros, self._bits, self._hico = LEADING_ZEROS, BITS_PER_CHARACTER, True

    def _on_bytes(self, data: bytes, now: float) -> None:
        self._take(self._unit.receive(data, now))

    def _on_clock(self, now: float) -> None:
        self._take(self._unit.tick(now))

    def _take(self, events: list[UnitEvent]) -> None:
        for event in events:
            if isinstance(event, CommandRefused):
                self._reply("status", data=reply(event.status))
            else:
                self._obey(event)

    def _obey(self, event: CommandReceived) -> None:
        code = event.command.code
        self.received.append(Command(code) if code in WRITES else event.command)
        if self._armed_for is not None and code is not Code.RESET:
            return  # a unit that waits for a card hears nothing but a reset
        if code in AWAIT_CARD:
            self._block_to_write = event.block
            self._arm(event.command)
            self._pass_next_card()
        elif code is Code.RESET:
            self._arm(None)
        elif code in SILENT:
            self.leds = code
        elif code is Code.COMMUNICATION_TEST:
            self._reply("test", data=reply(0x79))
        else:
            self._answer(event.command)

    def _answer(self, command: Command) -> None:
        """The commands that are answered at once."""
        body = command.body
        match command.code:
            case Code.GET_LEADING_ZEROS:
                self._reply("info", data=reply(*self._leading_zeros))
            case Code.GET_COERCIVITY:
                self._reply("info", data=reply(ord("h") if self._hico else ord("l")))
            case Code.GET_MODEL:
                self._reply("info", data=reply(*MODEL))
            case Code.GET_FIRMWARE:
                self._reply("info", data=reply(*FIRMWARE))
            case Code.SET_LEADING_ZEROS:
                self._leading_zeros = tuple(body)
                self._reply("status", data=reply(Status.OK))
            case Code.SET_BPC if not all(5 <= bits <= 8 for bits in body):
                self._reply("status", data=reply(Status.SET_FAILED))
            case Code.SET_BPC:
                self._bits = tuple(body)
                self._reply("status", data=reply(Status.OK, *body))
            case Code.SET_HICO | Code.SET_LOCO:
                self._hico = command.code is Code.SET_HICO
                self._reply("status", data=reply(Status.OK))
            case _:
                self._reply("status", data=reply(Status.OK))

    def _arm(self, command: Command | None) -> None:
        with self._arming:
            self._armed_for = command
            self._arming.notify_all()

    def _pass_next_card(self) -> None:
        with self._lock:
            if self._armed_for is None or not self._cards:
                return
            after, card = self._cards.pop(0)
        if after:
            self._after(after, lambda: self._pass(card))
        else:
            self._pass(card)

    def _pass(self, card: SimulatedCard) -> None:
        """One card goes through the slot now."""
        armed_for = self._armed_for
        if armed_for is None:
            return
        self._arm(None)
        if armed_for.code in READS:
            self._reply("block", data=self._block(card, raw=armed_for.code is Code.READ_RAW))
            return
        if self._block_to_write is not None:
            self.written.append(self._block_to_write)
        self._reply("status", data=reply(Status.OK))

    def _block(self, card: SimulatedCard, *, raw: bool) -> bytes:
        if not raw:
            return self._iso_block(card)
        # How raw data is laid out at other bits a character no source tells: refuse it.
        return self._raw_block(card) if self._bits == PACKED else reply(Status.READ_WRITE_ERROR)

    def _iso_block(self, card: SimulatedCard) -> bytes:
        no_data: Mark | bytes = b"" if card.empty_fields else Mark.NO_DATA
        fields: list[Mark | bytes] = []
        for track in card.tracks:
            if track is None:
                fields.append(no_data)
            elif isinstance(track, str):
                fields.append(track.encode("latin-1"))
            else:  # bits that are no characters, or damage
                fields.append(Mark.UNREADABLE)
        return build_iso_block(fields, card.status)

    def _raw_block(self, card: SimulatedCard) -> bytes:
        fields = []
        for number, track in enumerate(card.tracks, start=1):
            if isinstance(track, bytes):
                fields.append(track)
            elif isinstance(track, str):
                zeros = self._leading_zeros[1 if number == 2 else 0]
                fields.append(_stripe_bytes(track, 7 if number == 1 else 5, zeros))
            else:
                fields.append(b"")
        return build_raw_block(fields, card.status)


def _stripe_bytes(text: str, bits_per_character: int, leading_zeros: int) -> bytes:
    """A text as a raw read gives it: packed, the first bit in the top bit, one byte of 00 at the end."""
    return symbols.pack(symbols.encode(text, bits_per_character, leading_zeros, TRAILING_ZEROS)) + b"\x00"
