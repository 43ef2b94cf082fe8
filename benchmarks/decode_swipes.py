"""DecodeSwipes against one-swipe unary calls, on the same server in the same run.

Run: .venv/bin/python -m benchmarks.decode_swipes
It writes its section of docs/speed.md. The server is `swipegate serve` in a process of its own; its CPU time is what
the kernel counts for that process.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from grpc import aio
from tests.adversity.serving import ServeProcess

from benchmarks import report
from swipegate.v1 import track_pb2 as pb
from swipegate.v1 import track_pb2_grpc

ROUNDS = 5
BATCH = 1000
"""Swipes a message."""
BATCHES = 200
UNARY_CALLS = 2000
IN_FLIGHT = 64
TRACK1 = b"%B4111111111111111^DOE/JANE Q.DR^30121010000000001230000000000?"
TRACK2 = b";4111111111111111=30121010000012300000?"
TICK = os.sysconf("SC_CLK_TCK")

Metadata = tuple[tuple[str, str], ...]


def swipe(number: int) -> pb.Swipe:
    """One swipe of tracks 1 and 2 as text."""
    tracks = [pb.RawTrack(number=1, text=TRACK1), pb.RawTrack(number=2, text=TRACK2)]
    return pb.Swipe(id=number, tracks=tracks)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


async def stream(channel: aio.Channel, metadata: Metadata) -> int:
    """Decode BATCHES batches on one stream."""
    stub = track_pb2_grpc.TrackServiceStub(channel)
    batch = pb.DecodeSwipesRequest(swipes=[swipe(number) for number in range(BATCH)])

    async def requests() -> AsyncIterator[pb.DecodeSwipesRequest]:
        for _ in range(BATCHES):
            yield batch

    decoded = 0
    async for answer in stub.DecodeSwipes(requests(), metadata=metadata):
        decoded += len(answer.swipes)
    return decoded


async def unary(channel: aio.Channel, metadata: Metadata) -> int:
    """Decode UNARY_CALLS swipes, one a call."""
    stub = track_pb2_grpc.TrackServiceStub(channel)
    free = asyncio.Semaphore(IN_FLIGHT)

    async def call(number: int) -> None:
        async with free:
            await stub.DecodeSwipe(pb.DecodeSwipeRequest(swipe=swipe(number)), metadata=metadata)

    await asyncio.gather(*(call(number) for number in range(UNARY_CALLS)))
    return UNARY_CALLS


async def measure(serving: ServeProcess) -> None:
    """Both kinds in turn, ROUNDS times; medians."""
    figures: dict[str, list[tuple[float, float]]] = {"stream": [], "unary": []}
    async with aio.insecure_channel(f"127.0.0.1:{serving.port}") as channel:
        metadata = serving.metadata()
        for turn in range(ROUNDS + 1):
            for name, kind in (("stream", stream), ("unary", unary)):
                wall, cpu = time.perf_counter(), cpu_seconds(serving.pid)
                count = await kind(channel, metadata)
                wall, cpu = time.perf_counter() - wall, cpu_seconds(serving.pid) - cpu
                if turn:  # the first is a warm-up
                    figures[name].append((count / wall, count / cpu))
    medians = {
        name: [statistics.median(column) for column in zip(*rows, strict=True)]
        for name, rows in figures.items()
    }
    ratios = [streamed / single for streamed, single in zip(medians["stream"], medians["unary"], strict=True)]
    lines = [
        [f"`DecodeSwipes`, {BATCH:,} a message", *(f"{figure:,.0f}" for figure in medians["stream"])],
        [f"`DecodeSwipe`, {IN_FLIGHT} in flight", *(f"{figure:,.0f}" for figure in medians["unary"])],
        ["ratio", *(f"{ratio:,.0f}" for ratio in ratios)],
    ]
    text = report.table(("", "swipes/s", "swipes a CPU-second of the server"), lines)
    print(text)
    where = report.circumstances(
        "python -m benchmarks.decode_swipes", *report.versions("swipegate", "grpcio", "protobuf")
    )
    report.write_section("speed.md", "server", f"{text}\n\n{where}")


def main() -> None:
    """Start a server, measure, end it."""
    with tempfile.TemporaryDirectory() as folder, ServeProcess(Path(folder)) as serving:
        asyncio.run(measure(serving))


if __name__ == "__main__":
    main()
