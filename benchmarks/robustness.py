"""How many damaged swipes are read: `python -m benchmarks.robustness [--swipes N] [CONDITION...]`.

Every swipe is made by seed from the kinematics of real ones and carries a made-up card number.
Jitter is a standard deviation over the smooth cell time, noise one over the pulse amplitude.
"""

import argparse
import json
import random
import time
from array import array
from dataclasses import dataclass
from pathlib import Path

from swipegate import core
from swipegate.core import symbols, synthesis
from swipegate.v1 import track_pb2

PROFILES = Path(__file__).parent.parent / "tests" / "recordings" / "real_swipe_profiles.json"
SAMPLE_RATE = 44_100
DAMPED_TO = 0.12
SPIKE_SHARE, SPIKE_SAMPLES = 0.6, 8
DAMAGE_FROM, DAMAGE_TO = 0.25, 0.70


@dataclass(frozen=True)
class Condition:
    """What is done to a clean swipe."""

    cell_jitter: float = 0.02
    mid_jitter: float = 0.007
    noise: float = 0.01
    lost: bool = False
    spike: bool = False
    reverse: bool = False
    constant: bool = False


CONDITIONS = {
    "C0": Condition(),
    "C1": Condition(0.05, 0.015, 0.02),
    "C2": Condition(0.08, 0.03, 0.02),
    "C3": Condition(0.12, 0.05, 0.02),
    "C4": Condition(lost=True),
    "C5": Condition(spike=True),
    "C6": Condition(reverse=True),
    "C7": Condition(0.0, 0.0, 0.0, constant=True),
    "C8": Condition(noise=0.08),
}


@dataclass
class Score:
    """What became of the swipes of one condition."""

    correct: int = 0
    refused: int = 0
    false: int = 0
    seconds: float = 0.0


def payload(chance: random.Random) -> str:
    """Return a track 2 with a 16-digit number that ends in its Luhn digit."""
    digits = [chance.randrange(10) for _ in range(15)]
    doubled = [sum(divmod(d * 2, 10)) if k % 2 == 0 else d for k, d in enumerate(digits)]
    digits.append(-sum(doubled) % 10)
    tail = "".join(str(chance.randrange(10)) for _ in range(12))
    month = f"{chance.randrange(26, 35)}{chance.randrange(1, 13):02}"
    return f";{''.join(map(str, digits))}={month}101{tail[:10]}?"


def swipe(condition: Condition, seed: int) -> tuple[str, "array[float]"]:
    """Return a text and the samples of a card that carries it."""
    chance = random.Random(seed)
    profiles = json.loads(PROFILES.read_text())["profiles"]
    profile = profiles[seed % len(profiles)]
    text = payload(chance)
    bits = list(symbols.encode(text, 5, chance.randint(18, 30), chance.randint(18, 30)))
    if condition.reverse:
        bits.reverse()
    scale = chance.uniform(0.7, 1.5)
    cells = [ms / 1000 for ms in profile["cell_ms_smoothed"]]
    speed = synthesis.Speed([0.001] if condition.constant else cells, scale)
    intervals = synthesis.intervals_from_bits(
        bits, speed, cell_jitter=condition.cell_jitter, mid_jitter=condition.mid_jitter, seed=seed
    )
    place = int(len(intervals) * chance.uniform(DAMAGE_FROM, DAMAGE_TO))
    spikes = []
    if condition.spike:
        sign = chance.choice((-1, 1))
        when = sum(intervals[:place]) + chance.random() * intervals[place]
        spikes.append((when, sign * SPIKE_SHARE, SPIKE_SAMPLES))
    samples = synthesis.samples_from_intervals(
        intervals,
        SAMPLE_RATE,
        synthesis.Signal(pulse=profile["isolated_pulse_template_half_cell_grid"], noise=condition.noise),
        seed=seed,
        cells=synthesis.cells_of_bits(bits, speed),
        damped={place: DAMPED_TO} if condition.lost else None,
        spikes=spikes,
    )
    return text, samples


def measure(condition: Condition, swipes: int, seed: int) -> Score:
    """Read `swipes` damaged swipes as the service does, from 16-bit samples, and count."""
    score = Score()
    formats = core.compile_formats(core.DEFAULT_FORMATS)
    for number in range(swipes):
        text, samples = swipe(condition, seed + number)
        peak = max(map(abs, samples)) or 1.0
        pcm = array("h", [round(value / peak * 32767) for value in samples]).tobytes()
        signal = track_pb2.SampledSignal(pcm=pcm, sample_rate=SAMPLE_RATE)
        message = track_pb2.Swipe(tracks=[track_pb2.RawTrack(samples=signal)]).SerializeToString()
        started = time.perf_counter()
        answer = core.decode_one(message, formats)
        score.seconds += time.perf_counter() - started
        found = {track.text for track in track_pb2.DecodedSwipe.FromString(answer).tracks} - {""}
        score.correct += found == {text}
        score.refused += not found
        score.false += bool(found - {text})
    return score


def main() -> None:
    """Print one line a condition."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("conditions", nargs="*", default=list(CONDITIONS), metavar="CONDITION")
    parser.add_argument("--swipes", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print("condition  correct  refused  false  us a swipe")
    for name in arguments.conditions:
        score = measure(CONDITIONS[name], arguments.swipes, arguments.seed)
        microseconds = 1e6 * score.seconds / arguments.swipes
        print(
            f"{name:9}  {score.correct:7}  {score.refused:7}  {score.false:5}  {microseconds:10.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
