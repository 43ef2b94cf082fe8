"""Devices: frames a second through each protocol, and how much of a read's time is ours.

Run: .venv/bin/python -m benchmarks.devices
It writes its section of docs/speed.md. The baseline is the line itself at the device's highest rate: the simulator
keeps each byte back as long as the line would take for it. Ours is all the rest of the time between the command for the
first track and the result: the driver, its thread, the event loop, and the simulator too.
"""

import asyncio
import statistics
import time
from dataclasses import dataclass

from benchmarks import report
from swipegate.devices.drivers import create_reader, find_driver
from swipegate.devices.drivers.handshake_reader import HandshakeReader
from swipegate.devices.line import LineSettings
from swipegate.devices.protocols.handshake import Answered, HandshakeHost
from swipegate.devices.reader import ReadState
from swipegate.devices.simulators import find_simulator
from swipegate.devices.simulators.cards import TEST_CARD

FRAMES = 20_000
READS = 50
ROUNDS = 5


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


def exchanges_a_second(kind: Kind) -> float:
    """Commands with their acknowledgement and response through the host's end, without a line."""
    dialect = reader_of(kind).dialect
    answer = dialect.ack + dialect.framing().encode(kind.response)
    host = HandshakeHost(dialect)
    best = 0.0
    for _ in range(ROUNDS):
        start = time.process_time()
        for number in range(FRAMES):
            host.request(kind.command, number, 0.0)
            events = host.receive(answer, 0.0)
            host.to_send()
            assert isinstance(events[-1], Answered)
        best = max(best, FRAMES / (time.process_time() - start))
    return best


def line_exchanges_a_second(kind: Kind) -> float:
    """What the line can carry of the same."""
    dialect = reader_of(kind).dialect
    size = len(dialect.ack) * (1 + dialect.acknowledges) + len(dialect.execute)
    size += sum(len(dialect.framing().encode(text)) for text in (kind.command, kind.response))
    return 1 / (size * byte_time(reader_of(kind).line, kind.baud_rate))


async def read_times(kind: Kind) -> list[tuple[float, float]]:
    """Of each read: seconds from the command for the first track to the result, and those of the line in them."""
    times = []
    settings = {"poll": "0.01", "baud_rate": str(kind.baud_rate)}
    driver = reader_of(kind)
    with find_simulator(kind.driver)("tcp") as simulator:
        reader = create_reader(kind.driver, simulator.url, settings)
        simulator.pace = byte_time(driver.line, kind.baud_rate)
        for _ in range(READS):
            began: list[tuple[float, int]] = []

            def on_state(state: ReadState, began: list[tuple[float, int]] = began) -> None:
                if state is ReadState.WAITING_FOR_CARD:
                    simulator.insert(TEST_CARD)
                elif state is ReadState.READING:
                    began.append((time.monotonic(), simulator.carried))

            result = await reader.read("", deadline=time.monotonic() + 10, on_state=on_state)
            start, carried = began[0]
            seconds = time.monotonic() - start
            line = (simulator.carried - carried) * simulator.pace + len(result.tracks) * driver.rest
            times.append((seconds, line))
            await reader.release(accepted=True)
        await reader.close()
    return times


def main() -> None:
    """Measure every kind and write the section."""
    rows = []
    for kind in KINDS:
        ours, line = exchanges_a_second(kind), line_exchanges_a_second(kind)
        times = asyncio.run(read_times(kind))
        seconds = statistics.median(read for read, _ in times)
        share = statistics.median((read - of_line) / read for read, of_line in times)
        rows.append(
            (
                f"{kind.driver}, {kind.baud_rate} baud",
                f"{ours:,.0f}",
                f"{line:,.0f}",
                f"{ours / line:,.0f}",
                f"{1000 * seconds:.1f}",
                f"{100 * share:.1f} %",
            )
        )
    heads = (
        "device",
        "exchanges a second",
        "the line's",
        "ratio",
        "three tracks, ms",
        "of that not the line's",
    )
    text = report.table(heads, rows)
    print(text)
    where = report.circumstances("python -m benchmarks.devices", *report.versions("pyserial"))
    report.write_section("speed.md", "devices", f"{text}\n\n{where}")


if __name__ == "__main__":
    main()
