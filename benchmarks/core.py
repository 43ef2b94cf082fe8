"""Speed of the track core, one thread: texts, bits, flux times and samples through decode_batch, and stages alone.

Run: .venv/bin/python -m benchmarks.core
The baseline of the same run is the plain `re` match of track 2 that a hand-made parser would make.
"""

import re
import time
from array import array
from collections.abc import Callable

from swipegate.core import DEFAULT_FORMATS, compile_formats, decode_batch, decode_one, symbols, synthesis
from swipegate.v1.track_pb2 import (
    BitString,
    DecodedSwipe,
    DecodeSwipesRequest,
    DecodeSwipesResponse,
    FluxIntervals,
    RawTrack,
    SampledSignal,
    Swipe,
)

SWIPES = 1000  # a batch
SECONDS = 3.0  # a measurement
RATE = 44100  # samples a second
TRACK1 = "%B4111111111111111^DOE/JANE Q.MS          ^29121011000000000123000000?"
TRACK2 = ";4111111111111111=29121010000012300000?"
PLAIN = re.compile(r"^;(\d{1,19})=(\d{4})(\d{3})(\d*)\?$")


def baseline() -> None:
    """SWIPES plain matches of track 2."""
    for _ in range(SWIPES):
        PLAIN.match(TRACK2)


def measure(name: str, action: Callable[[], object], swipes: int) -> None:
    """Print the fastest of the rounds that fit in SECONDS, and its ratio to the baseline's, in turns with it."""
    best = dict.fromkeys((action, baseline), float("inf"))
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        for one in best:
            start = time.perf_counter()
            one()
            best[one] = min(best[one], time.perf_counter() - start)
    seconds, plain = best[action] / swipes, best[baseline] / SWIPES
    print(
        f"{name:36} {1 / seconds:12,.0f} swipes/s {seconds * 1e6:9.3f} us a swipe {seconds / plain:9.2f} x baseline"
    )


def batch(*tracks: RawTrack) -> bytes:
    swipes = [Swipe(id=index, tracks=tracks) for index in range(SWIPES)]
    return DecodeSwipesRequest(swipes=swipes).SerializeToString()


def signals() -> dict[str, RawTrack]:
    """Half a second of a hand swipe of track 2 at 44.1 kHz, and its flux times."""
    bits = symbols.encode(TRACK2, 5, leading_zeros=20, trailing_zeros=20)
    times = synthesis.intervals_from_bits(bits, 0.4 / len(bits), cell_jitter=0.02, mid_jitter=0.007, seed=1)
    samples = synthesis.samples_from_intervals(times, RATE, seed=1)
    peak = max(map(abs, samples))
    pcm = array("h", [round(value / peak * 30000) for value in samples])
    return {
        "flux times, track 2": RawTrack(intervals=FluxIntervals(nanoseconds=[round(t * 1e9) for t in times])),
        f"{len(pcm):,} samples, track 2": RawTrack(
            samples=SampledSignal(pcm=pcm.tobytes(), sample_rate=RATE)
        ),
    }


def bits_of(text: str, width: int) -> BitString:
    bits = symbols.encode(text, width, leading_zeros=20, trailing_zeros=20)
    return BitString(data=symbols.pack(bits), bit_count=len(bits))


def main() -> None:
    formats = compile_formats(DEFAULT_FORMATS)
    requests = {
        "text, tracks 1 and 2 in two fields": batch(
            RawTrack(number=1, text=TRACK1.encode()), RawTrack(number=2, text=TRACK2.encode())
        ),
        "text, tracks 1 and 2 in one line": batch(RawTrack(text=(TRACK1 + TRACK2).encode())),
        "text, track 2": batch(RawTrack(number=2, text=TRACK2.encode())),
        "bits, track 2": batch(RawTrack(number=2, bits=bits_of(TRACK2, 5))),
        "bits, tracks 1 and 2": batch(
            RawTrack(number=1, bits=bits_of(TRACK1, 7)), RawTrack(number=2, bits=bits_of(TRACK2, 5))
        ),
    }
    for name, request in requests.items():
        answer = DecodeSwipesResponse.FromString(decode_batch(request, formats))
        assert len(answer.swipes) == SWIPES
        assert answer.swipes[0].card_number.card_number == "4111111111111111"
        assert not any(track.errors or track.allowances for track in answer.swipes[0].tracks)
        measure(name, lambda request=request: decode_batch(request, formats), SWIPES)
    for name, track in signals().items():
        message = Swipe(tracks=[track]).SerializeToString()
        assert DecodedSwipe.FromString(decode_one(message, formats)).tracks[0].text == TRACK2
        measure(name, lambda message=message: decode_one(message, formats), 1)
    bits = symbols.encode(TRACK2, 5, leading_zeros=20, trailing_zeros=20)
    for name, source in (("symbols.decode, forward", bits), ("symbols.decode, reverse", bits[::-1])):
        measure(name, lambda source=source: [symbols.decode(source, 5) for _ in range(SWIPES)], SWIPES)
    measure("baseline: re match of track 2", baseline, SWIPES)


if __name__ == "__main__":
    main()
