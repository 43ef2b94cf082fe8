"""A simulated swipe reader that prints what it reads."""

import enum
from pathlib import Path
from typing import Literal

from swipegate.core import symbols
from swipegate.devices.protocols.line import options
from swipegate.devices.simulators.base import Simulator
from swipegate.devices.simulators.cards import SimulatedCard, Track

SENTINELS = ("%", ";", "+")
STANDARD_SENTINELS = ("%", ";", ";")
UNREADABLE = "E"
SENSOR_FREE = "0"
STX, ETX, CR, DLE, ESC = "\x02", "\x03", "\r", "\x10", "\x1b"


class Form(enum.StrEnum):
    """How a reader prints a swipe."""

    PLAIN = "plain"
    """One line."""
    ID_TECH = "id tech"
    """A line for each track, with the sentinels of the standard."""
    UIC = "uic"
    """STX before and DLE or ETX behind each track, which has its LRC."""
    MAGTEK = "magtek"
    """Port-powered: a sensor digit, and around it what the options say."""


class LineSimulator(Simulator):
    """Kinds of reply for `inject`: `line`."""

    def __init__(
        self,
        wire: Literal["pty", "tcp"] = "tcp",
        *,
        path: Path | None = None,
        listen: tuple[str, int] = ("127.0.0.1", 0),
        form: Form = Form.PLAIN,
    ) -> None:
        super().__init__(wire, path=path, listen=listen)
        self._form = form
        self._in_escape = False
        self.options: frozenset[str] = frozenset()
        """Letters of the options that are set."""

    def insert(self, card: SimulatedCard, *, after: float = 0.0) -> None:
        """Pass a card, now or `after` seconds later; a reader that prints waits for nobody."""
        line = self.line_of(card)
        self._after(after, lambda: self._reply("line", data=line))

    def say(self, data: bytes) -> None:
        """Print something else than a swipe."""
        self._do_in_thread(lambda: self._reply("line", data=data))

    def line_of(self, card: SimulatedCard) -> bytes:
        """What is printed for a card."""
        sentinels = SENTINELS if self._form in (Form.PLAIN, Form.MAGTEK) else STANDARD_SENTINELS
        texts = [
            _printed(track, sentinel) for track, sentinel in zip(card.tracks, sentinels, strict=True) if track
        ]
        return self._framed(texts).encode("latin-1")

    def _framed(self, texts: list[str]) -> str:
        match self._form:
            case Form.PLAIN:
                return "".join(texts) + CR
            case Form.ID_TECH:
                return "".join(text + CR for text in texts)
            case Form.UIC:
                checked = [STX + text + symbols.lrc(text, 7 if text[0] == "%" else 5) for text in texts]
                return DLE.join(checked) + ETX
            case Form.MAGTEK:
                return self._optional("".join(texts) + SENSOR_FREE)

    def _optional(self, text: str) -> str:
        stx, esc, cr, etx = (
            control if letter in self.options else ""
            for letter, control in (
                (options.SEND_STX, STX),
                (options.SEND_ESC, ESC),
                (options.SEND_CR, CR),
                (options.SEND_ETX, ETX),
            )
        )
        return stx + esc + text + cr + etx

    def _power_on(self) -> None:
        self.options, self._in_escape = frozenset(), False

    def _on_bytes(self, data: bytes, now: float) -> None:
        for byte in data:
            letter = chr(byte)
            if self._in_escape and letter in options.LETTERS:
                self.options |= {letter}
            elif self._in_escape:
                self.options -= {letter.upper()}
            self._in_escape = byte == options.ESC

    def _on_clock(self, now: float) -> None:
        """Time changes nothing."""


def _printed(track: Track, sentinel: str) -> str:
    return f"{sentinel}{track[1:-1] if isinstance(track, str) else UNREADABLE}?"
