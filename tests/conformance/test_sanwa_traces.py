"""The CRP-1231 byte for byte: our vectors, then every published frame and dialogue that is here."""

import json
import os
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from swipegate.devices.protocols.framing import Control, Frame, Token
from swipegate.devices.protocols.handshake import Answered
from swipegate.devices.protocols.sanwa import commands
from swipegate.devices.protocols.sanwa.framing import framing
from swipegate.devices.protocols.sanwa.host import POLL, JobEvent, JobHost
from swipegate.devices.protocols.sanwa.unit import JobUnit, Polled

SHARED = Path(os.environ.get("SWIPEGATE_SHARED", Path(__file__).parents[3] / "shared"))
ROWS = 41
OURS = {value for value in vars(commands).values() if isinstance(value, bytes)} | {
    commands.read(choice, bits)
    for choice in commands.CHOICES
    for bits in (commands.SEVEN_BITS, commands.EIGHT_BITS)
}
# As an emulator that serves real hosts has them.
VECTORS = [
    (commands.INITIALISE, "0207100000003003 24"),
    (commands.STATUS, "0206200000000325"),
    (commands.CAPTURE, "02093300000032303003 0b"),
    (commands.read((1, 2, 3), commands.SEVEN_BITS), "020933000000303036030f"),
    (commands.CANCEL, "0206400000000345"),
    (commands.DISPENSE, "0207b00000003103 85"),
    (commands.CHECK_STOCK, "0207b00000003203 86"),
    (commands.VERSION, "0206f000000003f5"),
    (b"\xb0005", "0206b03030350380"),
    (b"31R0", "0206333152300365"),
]


def tokens(data: bytes) -> list[Token]:
    frames = framing()
    return [token for byte in data if (token := frames.feed(byte)) is not None]


@pytest.mark.parametrize(("payload", "frame"), VECTORS)
def test_our_vectors(payload: bytes, frame: str) -> None:
    assert framing().encode(payload) == bytes.fromhex(frame)
    assert tokens(bytes.fromhex(frame)) == [Frame(bytearray(payload))]


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    file = SHARED / "traces" / "sanwa_c1231.jsonl"
    if not file.is_file():
        pytest.skip(f"{file} is not here")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(rows) == ROWS
    return rows


def test_every_published_frame(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        data = bytes.fromhex(row["hex"])
        (token,) = tokens(data)
        if row["integrity"] == "n/a":
            assert token == Control(data), row["id"]
        else:
            assert isinstance(token, Frame), row["id"]
            assert framing().encode(bytes(token.text)) == data, row["id"]
            assert row["dir"] == "dev>host" or bytes(token.text) in OURS, row["id"]


def test_every_published_dialogue_between_our_two_ends(rows: list[dict[str, Any]]) -> None:
    dialogues = [list(rows) for name, rows in groupby(rows, key=lambda row: row.get("exchange")) if name]
    assert len(dialogues) == 2
    for dialogue in dialogues:
        Dialogue().play(dialogue)


class Dialogue:
    """Plays a published dialogue: each end must say what is written at the moment it is written."""

    def __init__(self) -> None:
        self.host, self.unit = JobHost(), JobUnit()
        self.now = 0.0
        self.ended = True
        self.polled = False

    def play(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            data = bytes.fromhex(row["hex"])
            if row["dir"] == "host>dev":
                assert self._host_says(data) == data, row["id"]
                self.polled = Polled() in self.unit.receive(data, self.now)
            else:
                assert self._unit_says(data) == data, row["id"]
                self._take(self.host.receive(data, self.now))
        assert self.ended
        assert self.host.to_send() == b""

    def _host_says(self, data: bytes) -> bytes:
        (token,) = tokens(data)
        if isinstance(token, Frame):
            assert self.ended  # no job is aborted
            self.ended = False
            return self.host.request(bytes(token.text), 1, self.now, within=20.0, repeatable=False)
        self.now += POLL
        self._take(self.host.tick(self.now))
        return self.host.to_send()

    def _unit_says(self, data: bytes) -> bytes:
        (token,) = tokens(data)
        if isinstance(token, Frame):
            assert self.polled
            self.unit.respond(bytes(token.text))
        (outgoing,) = self.unit.take_outgoing()
        return outgoing.data

    def _take(self, events: list[JobEvent]) -> None:
        for event in events:
            assert isinstance(event, Answered)
            self.ended = True
