"""Devices with a handshake, byte for byte: our vectors, then every published frame and dialogue that is here."""

import json
import os
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from swipegate.devices.protocols.crt310 import commands as crt310
from swipegate.devices.protocols.crt310.dialect import DIALECT as CRT310
from swipegate.devices.protocols.crt591 import commands as crt591
from swipegate.devices.protocols.crt591.dialect import dialect as crt591_dialect
from swipegate.devices.protocols.framing import Control, Damaged, Frame, Framing, Token
from swipegate.devices.protocols.handshake import Dialect, HandshakeHost
from swipegate.devices.protocols.handshake_unit import HandshakeUnit
from swipegate.devices.protocols.omron import commands as omron
from swipegate.devices.protocols.omron.dialect import DIALECT as OMRON
from swipegate.devices.protocols.sankyo import commands as sankyo
from swipegate.devices.protocols.sankyo.dialect import DIALECT as SANKYO
from tests.conformance import handshake_vectors as vectors

SHARED = Path(os.environ.get("SWIPEGATE_SHARED", Path(__file__).parents[3] / "shared"))


@dataclass(frozen=True)
class Device:
    """A device's dialect, and what our side knows to say."""

    trace: str
    rows: int
    dialect: Dialect
    commands: frozenset[bytes]
    vectors: list[tuple[bytes, str]]
    dialogues: bool = True
    """Whether dialogues are published."""


def commands_of(module: Any, *built: bytes) -> frozenset[bytes]:
    """The commands that a module names, and those that its functions build."""
    return frozenset(value for value in vars(module).values() if isinstance(value, bytes)) | frozenset(built)


DEVICES = {
    "crt310": Device(
        "crt310",
        44,
        CRT310,
        commands_of(crt310, crt310.read_tracks(crt310.ALL_TRACKS), crt310.read_again(crt310.ALL_TRACKS)),
        vectors.CRT310_TEXTS,
    ),
    "omron": Device(
        "omron_3s4yr",
        58,
        OMRON,
        commands_of(
            omron,
            *map(omron.read_track, (1, 2, 3)),
            omron.fetch_tracks(omron.ALL_TRACKS),
            *map(omron.initial_reset, (omron.TO_GATE, omron.HOLD)),
            omron.initial_reset(omron.TO_GATE, b"2A"),
        ),
        vectors.OMRON_TEXTS,
    ),
    "sankyo": Device(
        "sankyo_ict3q8",
        63,
        SANKYO,
        commands_of(
            sankyo,
            *map(sankyo.read_track, (1, 2, 3)),
            *map(sankyo.read_track_once, (1, 2, 3)),
            sankyo.initialise(sankyo.TO_GATE),
            sankyo.monitor_removal(30),
        ),
        vectors.SANKYO_COMMANDS + vectors.SANKYO_RESPONSES,
    ),
    "crt591": Device(
        "crt591_f3",
        17,
        crt591_dialect(),
        commands_of(crt591, *map(crt591.initialise, (crt591.TO_GATE, crt591.TO_BIN, crt591.AS_IT_IS))),
        vectors.CRT591_COMMANDS + vectors.CRT591_RESPONSES,
        dialogues=False,
    ),
}
any_device = pytest.mark.parametrize("device", DEVICES.values(), ids=DEVICES)


def tokens(framing: Framing, data: bytes) -> list[Token]:
    return [token for byte in data if (token := framing.feed(byte)) is not None]


@any_device
def test_our_vectors(device: Device) -> None:
    for text, frame in device.vectors:
        framing = device.dialect.framing()
        assert framing.encode(text).hex() == frame
        assert tokens(framing, bytes.fromhex(frame)) == [Frame(bytearray(text))]


def rows_of(device: Device) -> list[dict[str, Any]]:
    file = SHARED / "traces" / f"{device.trace}.jsonl"
    if not file.is_file():
        pytest.skip(f"{file} is not here")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(rows) == device.rows
    return rows


@any_device
def test_every_published_frame(device: Device) -> None:
    for row in rows_of(device):
        data = bytes.fromhex(row["hex"])
        framing = device.dialect.framing()
        (token,) = tokens(framing, data)
        if row["integrity"] == "n/a":
            assert token == Control(data), row["id"]
        elif row["integrity"] == "intentionally-bad":
            assert isinstance(token, Damaged), row["id"]
        else:
            assert isinstance(token, Frame), row["id"]
            text = bytes(token.text)
            assert text == row.get("expect", {}).get("text", text.decode("latin-1")).encode("latin-1"), row[
                "id"
            ]
            assert framing.encode(text) == data, row["id"]
            assert row["dir"] == "dev>host" or text in device.commands, row["id"]


@any_device
def test_every_published_dialogue_between_our_two_ends(device: Device) -> None:
    rows = [row for row in rows_of(device) if "exchange" in row]
    assert bool(rows) == device.dialogues
    for _, dialogue in groupby(rows, key=lambda row: row["exchange"]):
        Dialogue(device.dialect).play(list(dialogue))


class Dialogue:
    """Plays a published dialogue: each end must say what is written at the moment it is written."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.host, self.unit = HandshakeHost(dialect), HandshakeUnit(dialect)
        self.said = {"host>dev": b"", "dev>host": b""}

    def play(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            way, heard = row["dir"], bytes.fromhex(row["hex"])
            said = self._before_damage(heard) if row["integrity"] == "intentionally-bad" else heard
            self._begin(way, said)
            assert self.said[way].startswith(said), row["id"]
            self.said[way] = self.said[way].removeprefix(said)
            self._hear(way, heard)
        assert self.said == {"host>dev": b"", "dev>host": b""}

    def _begin(self, way: str, data: bytes) -> None:
        """Have an end say what it does not say by itself: a command, a cancellation, a response."""
        (token,) = tokens(self.dialect.framing(), data)
        if way == "host>dev" and not self.said[way]:
            if isinstance(token, Frame):
                self.said[way] += self.host.request(bytes(token.text), 1, 0.0)
            elif data == self.dialect.cancel:
                self.said[way] += self.host.cancel(1, 0.0)
        elif way == "dev>host" and isinstance(token, Frame) and self.unit.at_work:
            self.unit.respond(bytes(token.text), 0.0)
            self._collect()

    def _hear(self, way: str, data: bytes) -> None:
        if way == "host>dev":
            self.unit.receive(data, 0.0)
        else:
            self.host.receive(data, 0.0)
        self._collect()

    def _collect(self) -> None:
        self.said["host>dev"] += self.host.to_send()
        self.said["dev>host"] += b"".join(outgoing.data for outgoing in self.unit.take_outgoing())

    def _before_damage(self, data: bytes) -> bytes:
        """The frame that was said, of which the line changed the check."""
        framing = self.dialect.framing()
        texts = (data[i:j] for i in range(len(data)) for j in range(i + 1, len(data)))
        return next(frame for text in texts if (frame := framing.encode(text))[:-2] == data[:-2])
