"""What more cores and more input do: speed-up by threads, and how the time grows with the size of the work.

Run: .venv/bin/python -m benchmarks.scaling
It writes two sections of docs/speed.md. Threads are Python threads: the core works without the GIL.
"""

import math
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence

from benchmarks import contest, report, signals
from benchmarks.contest import Row
from swipegate import core
from swipegate.core import symbols, synthesis
from swipegate.v1 import track_pb2 as pb

THREADS = (1, 2, 3, 4)
ROUNDS = 5
TURN = 0.1
"""Seconds of work of one thread in one round."""
SIZES = (1, 2, 5, 10, 20, 50, 100)
"""Times the usual size."""
COST_ROUNDS = 5
COST_SECONDS = 0.5
"""CPU time after which a size has had rounds enough."""
FORMATS = core.compile_formats(core.DEFAULT_FORMATS)

Decode = Callable[[], object]


def rate(decode: Decode, threads: int, calls: int) -> float:
    """Calls a second of all threads together, each with `calls` of them."""
    gate = threading.Barrier(threads + 1)

    def work() -> None:
        gate.wait()
        for _ in range(calls):
            decode()

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    gate.wait()
    start = time.perf_counter()
    for worker in workers:
        worker.join()
    return threads * calls / (time.perf_counter() - start)


def speed_ups(decode: Decode) -> list[float]:
    """The rate of each number of THREADS over that of one, the median of rounds in turns."""
    start = time.perf_counter()
    decode()
    calls = max(1, round(TURN / (time.perf_counter() - start)))
    rates = [[rate(decode, threads, calls) for threads in THREADS] for _ in range(ROUNDS)]
    return [statistics.median(row[k] / row[0] for row in rates) for k in range(len(THREADS))]


def section_threads() -> str:
    """Speed-up by threads."""
    rows = contest.rows()
    lines = []
    for name in ("tracks12", "bits2", "samples"):
        row = rows[name]
        message = row.message(row.swipes)
        decode = core.decode_one if row.swipes == 1 else core.decode_batch
        ratios = speed_ups(lambda message=message, decode=decode: decode(message, FORMATS))
        lines.append([f"{row.label}, {row.swipes:,} a call", *(f"{ratio:.2f}" for ratio in ratios)])
        print(lines[-1], flush=True)
    return report.table(("threads", *map(str, THREADS)), lines)


def seconds(decode: Decode) -> float:
    """CPU time of one call, the least of at most COST_ROUNDS of at least a millisecond each."""
    best, calls, begun = math.inf, 1, time.process_time()
    for _ in range(COST_ROUNDS):
        if time.process_time() - begun > COST_SECONDS:
            break
        while True:
            start = time.process_time_ns()
            for _ in range(calls):
                decode()
            taken = (time.process_time_ns() - start) / 1e9
            if taken >= 0.001:
                break
            calls *= 4
        best = min(best, taken / calls)
    return best


def exponent(sizes: Sequence[float], times: Sequence[float]) -> float:
    """The slope of log time over log size, by least squares: 1 is linear."""
    xs, ys = [math.log(size) for size in sizes], [math.log(time) for time in times]
    return statistics.linear_regression(xs, ys).slope


def batch_of(swipes: int) -> bytes:
    row: Row = contest.rows()["tracks12"]
    return pb.DecodeSwipesRequest(
        swipes=[pb.Swipe(id=index, tracks=row.track) for index in range(swipes)]
    ).SerializeToString()


def text_of(length: int) -> bytes:
    return pb.Swipe(
        tracks=[pb.RawTrack(text=contest.TRACK2[:-1].ljust(length - 1, "0").encode() + b"?")]
    ).SerializeToString()


def bits_of(length: int) -> bytes:
    bits = symbols.encode(contest.TRACK2[:-1].ljust((length - 30) // 5, "0") + "?", 5, 10, 10)
    return pb.Swipe(
        tracks=[pb.RawTrack(bits=pb.BitString(data=symbols.pack(bits), bit_count=len(bits)))]
    ).SerializeToString()


def silence_around(samples: int) -> bytes:
    """One swipe and as much silence as makes up the samples."""
    pcm = contest.rows()["samples"].data
    return sampled(pcm + bytes(max(0, 2 * samples - len(pcm))))


def swipes_of(samples: int) -> bytes:
    """As many swipes, one after the other, as make up the samples; only the first eight are given."""
    pcm = contest.rows()["samples"].data
    return sampled((pcm * (2 * samples // len(pcm) + 1))[: 2 * samples])


def noise_of(samples: int) -> bytes:
    import numpy as np

    wave = np.random.default_rng(1).normal(size=samples)
    return sampled(signals.quantised(wave, signals.Condition()))


def sampled(pcm: bytes) -> bytes:
    signal = pb.SampledSignal(pcm=pcm, sample_rate=signals.SAMPLE_RATE)
    return pb.Swipe(tracks=[pb.RawTrack(samples=signal)]).SerializeToString()


def intervals_of(count: int) -> bytes:
    bits = bytes(max(0, count - 320)) + symbols.encode(contest.TRACK2, 5, leading_zeros=20, trailing_zeros=20)
    times = synthesis.intervals_from_bits(bits, 0.001, cell_jitter=0.02, seed=1)
    nanoseconds = [round(seconds * 1e9) for seconds in times][:count]
    return pb.Swipe(
        tracks=[pb.RawTrack(intervals=pb.FluxIntervals(nanoseconds=nanoseconds))]
    ).SerializeToString()


COSTS: tuple[tuple[str, int, int, Callable[[int], bytes]], ...] = (
    ("swipes of a message", 100, 10_000, batch_of),
    ("characters of a text", 40, 1_024, text_of),
    ("bits of a track", 240, 8_192, bits_of),
    ("times between transitions", 320, 16_384, intervals_of),
    ("samples: a swipe, then silence", 20_000, 2_000_000, silence_around),
    ("samples: swipe after swipe", 20_000, 2_000_000, swipes_of),
    ("samples: white noise", 20_000, 2_000_000, noise_of),
)
"""What grows, its usual size, its bound in track.proto, and a message of a size."""


def section_cost() -> str:
    """Growth of the time with the size."""
    lines = []
    for label, usual, bound, make in COSTS:
        sizes = [usual * times for times in SIZES if usual * times <= bound]
        if sizes[-1] != bound:
            sizes.append(bound)
        decode = core.decode_batch if make is batch_of else core.decode_one
        times = []
        for size in sizes:
            message = make(size)
            times.append(seconds(lambda message=message, decode=decode: decode(message, FORMATS)))
        first, last = (
            f"{1e6 * one:,.3g}" if one < 1e-3 else f"{1e6 * one:,.0f}" for one in (times[0], times[-1])
        )
        lines.append([label, f"{sizes[0]:,}", first, f"{sizes[-1]:,}", last, f"{exponent(sizes, times):.2f}"])
        print(lines[-1], flush=True)
    return report.table(("what grows", "usual", "µs", "bound", "µs", "exponent"), lines)


def main() -> None:
    """Measure both and write them."""
    sections = {"threads": section_threads, "cost": section_cost}
    for name in sys.argv[1:] or sections:
        text = sections[name]()
        cores = f"{len(os.sched_getaffinity(0))} cores to use"
        where = report.circumstances(
            f"python -m benchmarks.scaling {name}", cores, *report.versions("swipegate")
        )
        report.write_section("speed.md", name, f"{text}\n\n{where}")


if __name__ == "__main__":
    main()
