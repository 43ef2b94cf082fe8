"""Devices: frames a second through each protocol, and how much of a read's time is ours.

Run: .venv/bin/python -m benchmarks.devices
It writes its section of docs/speed.md. The baseline is the line itself at the device's highest rate: the simulator
keeps each byte back as long as the line would take for it. Ours is all the rest of the time between the command for the
first track and the result: the driver, its thread and the event loop; what the simulator is late is left out.
"""

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks import report
from swipegate.devices.drivers import create_reader, find_driver
from swipegate.devices.drivers.handshake_reader import HandshakeReader
from swipegate.devices.line import LineSettings
from swipegate.devices.protocols.base import Protocol
from swipegate.devices.protocols.crt591 import dialect as crt591
from swipegate.devices.protocols.handshake import Dialect, HandshakeHost
from swipegate.devices.protocols.line.host import LineHost
from swipegate.devices.protocols.msr605 import commands as msr605
from swipegate.devices.protocols.msr605.blocks import build_iso_block
from swipegate.devices.protocols.msr605.host import Msr605Host
from swipegate.devices.protocols.sanwa import commands as sanwa
from swipegate.devices.protocols.sanwa import responses as sanwa_responses
from swipegate.devices.protocols.sanwa.framing import framing as sanwa_framing
from swipegate.devices.protocols.sanwa.host import JobHost
from swipegate.devices.reader import ReadState
from swipegate.devices.simulators import find_simulator
from swipegate.devices.simulators.cards import TEST_CARD

FRAMES = 20_000
READS = 50
ROUNDS = 5
# Seconds between exchanges, by the clock that the protocols are told.
PAUSE = 10.0


@dataclass(frozen=True)
class Kind:
    """A device, the highest rate of its line (its manual), and an exchange that gives a track."""

    driver: str
    baud_rate: int
    command: bytes
    response: bytes


TRACK2 = str(TEST_CARD.track2)[1:-1].encode()
KINDS = (
    Kind("sankyo", 38400, b"C62", b"P6202" + TRACK2),
    Kind("omron", 19200, b"C62", b"P6202" + TRACK2),
    Kind("crt310", 38400, b"E002", b"E002Y\x1fY" + TRACK2),
)


def byte_time(line: LineSettings, baud_rate: int) -> float:
    """Seconds that one byte takes: start bit, data, parity, stop."""
    return (1 + line.data_bits + (line.parity != "N") + line.stop_bits) / baud_rate


def reader_of(kind: Kind) -> type[HandshakeReader]:
    """The driver's class."""
    found = find_driver(kind.driver)
    assert issubclass(found, HandshakeReader)
    return found


@dataclass(frozen=True)
class Exchange:
    """What a host says and hears for one answer that holds a track."""

    name: str
    host: Protocol[Any]
    ask: Callable[[int], bytes]
    """Begin the exchange of this number; the bytes that it sends."""
    answer: bytes
    byte_time: float
    """Seconds that the line takes for a byte at the device's highest rate."""
    others: int = 0
    """Bytes that the host says besides."""


def handshake(
    name: str, dialect: Dialect, line: LineSettings, rate: int, command: bytes, text: bytes
) -> Exchange:
    """A command with its acknowledgement and response."""
    host = HandshakeHost(dialect)
    answer = dialect.ack + dialect.framing().encode(text)
    others = len(dialect.execute) + (len(dialect.ack) if dialect.acknowledges else 0)
    ask: Callable[[int], bytes] = lambda number: host.request(command, number, 0.0)  # noqa: E731
    return Exchange(name, host, ask, answer, byte_time(line, rate), others)


def exchanges() -> list[Exchange]:
    """One of each protocol class."""
    found = [
        handshake(
            kind.driver,
            reader_of(kind).dialect,
            reader_of(kind).line,
            kind.baud_rate,
            kind.command,
            kind.response,
        )
        for kind in KINDS
    ]
    found.append(handshake("crt591", crt591.dialect(), LineSettings(), 57600, b"C10", b"P10010"))
    jobs = JobHost()
    read = sanwa.read((2,))
    done = b"\x06" + sanwa_framing().encode(sanwa_responses.build(read, 0x31, 0x30, 0x30, bytes(69)))
    ask_job = lambda number: jobs.request(read, number, 0.0, within=9.0)  # noqa: E731
    found.append(Exchange("sanwa", jobs, ask_job, done, byte_time(LineSettings(), 38400), 1))
    swipes = Msr605Host()
    ask_swipe = lambda number: swipes.request(msr605.READ_ISO, number, 0.0, 9.0)  # noqa: E731
    block = build_iso_block([str(track).encode() for track in TEST_CARD.tracks], 0x30)
    found.append(Exchange("msr605", swipes, ask_swipe, block, byte_time(LineSettings(), 9600)))
    prints = LineHost(gap=0.3, with_lrc=False)
    printed = "".join(map(str, TEST_CARD.tracks)).encode() + b"\r"
    ask_print = lambda number: prints.listen(number, PAUSE * number, 9.0)  # noqa: E731
    found.append(Exchange("line", prints, ask_print, printed, byte_time(LineSettings(), 9600)))
    return found


def exchanges_a_second(exchange: Exchange) -> float:
    """Through the host's end, without a line."""
    best = 0.0
    for _ in range(ROUNDS):
        start = time.process_time()
        for number in range(FRAMES):
            exchange.ask(number)
            events = exchange.host.receive(exchange.answer, PAUSE * number)
            events += exchange.host.tick(PAUSE * number + 1)  # ends a line that was printed
            exchange.host.to_send()
            assert len(events) in (1, 2)
        best = max(best, FRAMES / (time.process_time() - start))
    return best


def line_exchanges_a_second(exchange: Exchange) -> float:
    """What the line can carry of the same."""
    size = len(exchange.ask(0)) + len(exchange.answer) + exchange.others
    return 1 / (size * exchange.byte_time)


async def read_times(kind: Kind) -> list[tuple[float, float]]:
    """Of each read: seconds from the command for the first track to the result, and those of the line in them."""
    times = []
    settings = {"poll": "0.01", "baud_rate": str(kind.baud_rate)}
    driver = reader_of(kind)
    with find_simulator(kind.driver)("tcp") as simulator:
        reader = create_reader(kind.driver, simulator.url, settings)
        simulator.pace = byte_time(driver.line, kind.baud_rate)
        for _ in range(READS):
            began: list[tuple[float, int, float]] = []

            def on_state(state: ReadState, began: list[tuple[float, int, float]] = began) -> None:
                if state is ReadState.WAITING_FOR_CARD:
                    simulator.insert(TEST_CARD)
                elif state is ReadState.READING:
                    began.append((time.monotonic(), simulator.carried, simulator.late))

            result = await reader.read("", deadline=time.monotonic() + 10, on_state=on_state)
            start, carried, late = began[0]
            seconds = time.monotonic() - start - (simulator.late - late)
            line = (simulator.carried - carried) * simulator.pace + len(result.tracks) * driver.rest
            times.append((seconds, line))
            await reader.release(accepted=True)
        await reader.close()
    return times


def main() -> None:
    """Measure everything and write the section."""
    rows: list[tuple[str, ...]] = []
    for exchange in exchanges():
        ours, line = exchanges_a_second(exchange), line_exchanges_a_second(exchange)
        rows.append((exchange.name, f"{ours:,.0f}", f"{line:,.0f}", f"{ours / line:,.0f}"))
    heads = ("protocol", "exchanges a second", "the line's", "ratio")
    text = report.table(heads, rows)
    reads: list[tuple[str, ...]] = []
    for kind in KINDS:
        times = asyncio.run(read_times(kind))
        seconds = statistics.median(read for read, _ in times)
        share = statistics.median((read - of_line) / read for read, of_line in times)
        reads.append(
            (f"{kind.driver}, {kind.baud_rate} baud", f"{1000 * seconds:.1f}", f"{100 * share:.1f} %")
        )
    text += "\n\n" + report.table(("three tracks", "ms", "of that not the line's"), reads)
    print(text)
    where = report.circumstances("python -m benchmarks.devices", *report.versions("pyserial"))
    report.write_section("speed.md", "devices", f"{text}\n\n{where}")


if __name__ == "__main__":
    main()
