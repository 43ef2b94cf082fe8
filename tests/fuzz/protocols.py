"""Fuzz target: the bytes of a line, into both ends of every device's protocol."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from swipegate.devices.protocols.base import Protocol
from swipegate.devices.protocols.crt310.dialect import DIALECT as CRT310
from swipegate.devices.protocols.crt591 import dialect as crt591
from swipegate.devices.protocols.handshake import Acknowledged, Dialect, HandshakeHost
from swipegate.devices.protocols.handshake_unit import HandshakeUnit
from swipegate.devices.protocols.line.host import LineHost, Started
from swipegate.devices.protocols.msr605 import commands as msr605
from swipegate.devices.protocols.msr605.blocks import build_iso_block, build_raw_block
from swipegate.devices.protocols.msr605.host import BlockStarted, Msr605Host
from swipegate.devices.protocols.msr605.unit import Msr605Unit
from swipegate.devices.protocols.omron.dialect import DIALECT as OMRON
from swipegate.devices.protocols.sankyo.dialect import DIALECT as SANKYO
from swipegate.devices.protocols.sanwa import commands
from swipegate.devices.protocols.sanwa.framing import framing as sanwa_framing
from swipegate.devices.protocols.sanwa.host import JobHost
from swipegate.devices.protocols.sanwa.unit import JobUnit
from tests.conformance import handshake_vectors
from tests.fuzz import vectors
from tests.fuzz.target import Source, Target

LONGEST = 2048
"""Bytes of an input."""
HELD_MAX = 8192
"""Bytes that an end may hold, whatever came."""
SAID_A_BYTE_MAX = 1100
"""Bytes that an end may say for each that it hears or each tick: a frame again."""
TICK = 0.02
"""Seconds of one step of an input's clock."""
PATIENCE = 1000.0
"""Seconds after which every exchange has ended."""


@dataclass(frozen=True)
class Ends:
    """Both ends of a protocol, at work."""

    host: Callable[[], Protocol[Any]]
    unit: Callable[[], Protocol[Any]]
    passing: tuple[type, ...]
    """Events after which an exchange goes on."""
    seeds: tuple[bytes, ...]


def handshake(dialect: Dialect, command: bytes, frames: list[tuple[bytes, str]]) -> Ends:
    """The ends of a dialect, with the command under way."""

    def host() -> HandshakeHost:
        host = HandshakeHost(dialect)
        host.request(command, 1, 0.0)
        return host

    seeds = [dialect.ack + bytes.fromhex(frame) for _, frame in frames]
    return Ends(host, lambda: HandshakeUnit(dialect), (Acknowledged,), (*seeds, dialect.nak, dialect.cancel))


def msr605_host(command: msr605.Command) -> Callable[[], Msr605Host]:
    """An MSR605's host that waits for an answer."""

    def host() -> Msr605Host:
        host = Msr605Host()
        host.request(command, 1, 0.0, 10.0)
        return host

    return host


def sanwa_host() -> JobHost:
    """A CRP-1231's host that waits for the end of a job."""
    host = JobHost()
    host.request(READ_ALL, 1, 0.0, within=10.0)
    return host


def line_host() -> LineHost:
    """A host that waits for a reader to print."""
    host = LineHost(gap=0.3, with_lrc=False)
    host.listen(1, 0.0, 10.0)
    return host


sanwa = sanwa_framing()
READ_ALL = commands.read((1, 2, 3))
PRINTED = (vectors.TRACK1, vectors.TRACK2, vectors.TRACK3)
TRACKS = [text.encode() for text in (vectors.TRACK1, vectors.TRACK2, vectors.TRACK3)]
ENDS = (
    handshake(SANKYO, b"C62", [*handshake_vectors.SANKYO_COMMANDS, *handshake_vectors.SANKYO_RESPONSES]),
    handshake(OMRON, b"C62", handshake_vectors.OMRON_TEXTS),
    handshake(CRT310, b"\x45\x30\x30\x32", handshake_vectors.CRT310_TEXTS),
    handshake(
        crt591.dialect(), b"C10", [*handshake_vectors.CRT591_COMMANDS, *handshake_vectors.CRT591_RESPONSES]
    ),
    Ends(sanwa_host, JobUnit, (), (b"\x06" + sanwa.encode(b"\x330000"), b"\x15", b"\x06\x02\x06\x33")),
    Ends(
        line_host, line_host, (Started,), ("".join(PRINTED).encode() + b"\r", b"%E?;E?+E?\r", b"\x02%1?\x03")
    ),
    Ends(msr605_host(msr605.READ_ISO), Msr605Unit, (BlockStarted,), (build_iso_block(TRACKS, 0x30),)),
    Ends(msr605_host(msr605.READ_RAW), Msr605Unit, (BlockStarted,), (build_raw_block(TRACKS, 0x30),)),
    Ends(msr605_host(msr605.GET_FIRMWARE), Msr605Unit, (), (b"\x1bREVA1.00", b"\x1b\x79")),
)


def held(thing: object, depth: int = 4) -> int:
    """Bytes in the buffers of an object and of what it holds."""
    if isinstance(thing, bytes | bytearray):
        return len(thing)
    if isinstance(thing, list | tuple):
        return sum(held(part, depth - 1) for part in thing) if depth else 0
    return (
        sum(held(part, depth - 1) for part in vars(thing).values())
        if depth and hasattr(thing, "__dict__")
        else 0
    )


def check(data: bytes) -> None:
    source = Source(data)
    ends = ENDS[source.byte() % len(ENDS)]
    script = source.rest()
    check_end(ends.host(), script, ends.passing)
    check_end(ends.unit(), script, None)


def check_end(end: Protocol[Any], script: bytes, passing: tuple[type, ...] | None) -> None:
    """Hear a script: pieces of a length with a pause before each. `passing` is a host's."""
    source, now, events, said = Source(script), 0.0, [], 0
    while size := source.byte():
        now += TICK * source.byte()
        events += end.tick(now) + end.receive(source.take(size), now)
        said += len(end.to_send())
        assert held(end) <= HELD_MAX
    assert said <= SAID_A_BYTE_MAX * (len(script) + 1)
    if passing is not None:
        for step in range(100):
            events += end.tick(now + PATIENCE / 100 * (step + 1))
        ended = [event for event in events if not isinstance(event, passing)]
        assert len(ended) == 1, "an exchange ends once"
    for event in events:
        assert "4111111111" not in repr(event)
        end.discard(event)
    end.wipe()
    assert held(end) <= 64, "what was heard is wiped"


def seeds() -> Iterator[bytes]:
    for index, ends in enumerate(ENDS):
        for data in ends.seeds:
            pieces = [data[place : place + 255] for place in range(0, len(data), 255)]
            yield bytes((index,)) + b"".join(bytes((len(piece), 1)) + piece for piece in pieces)
            yield bytes((index,)) + b"".join(bytes((1, 1, byte)) for byte in data)


TARGET = Target(
    name="protocols",
    seeds=seeds,
    check=check,
    longest=LONGEST,
    blocks=10_000,
    blocks_a_byte=1_000,
    replays=600,
    words=(b"\x06", b"\x15", b"\x10\x04", b"\xf2\x00\x05", b"\x1b\x73", b"\x1b\x01", b"\x3f\x1c\x1b\x30"),
)
