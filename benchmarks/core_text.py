"""Speed of the text half of the track core, one thread: texts and bits through decode_batch, and each stage
alone.

The baseline of the same run is the plain `re` match of track 2 that a hand-made parser would make.
"""

import re
import time
from collections.abc import Callable

from swipegate.core import DEFAULT_FORMATS, compile_formats, decode_batch, symbols
from swipegate.v1.track_pb2 import BitString, DecodeSwipesRequest, DecodeSwipesResponse, RawTrack, Swipe

SWIPES = 1000  # a batch
SECONDS = 1.0  # a measurement
TRACK1 = "%B4111111111111111^DOE/JANE Q.MS          ^29121011000000000123000000?"
TRACK2 = ";4111111111111111=29121010000012300000?"
PLAIN = re.compile(r"^;(\d{1,19})=(\d{4})(\d{3})(\d*)\?$")


def best_of(action: Callable[[], object], swipes: int) -> float:
    """Seconds a swipe in the fastest of the rounds that fit in SECONDS."""
    best = float("inf")
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - start)
    return best / swipes


def show(name: str, seconds: float) -> None:
    print(f"{name:44} {1 / seconds:12,.0f} swipes/s {seconds * 1e6:8.3f} us a swipe")


def batch(*tracks: RawTrack) -> bytes:
    swipes = [Swipe(id=index, tracks=tracks) for index in range(SWIPES)]
    return DecodeSwipesRequest(swipes=swipes).SerializeToString()


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
        show(name, best_of(lambda request=request: decode_batch(request, formats), SWIPES))
    bits = symbols.encode(TRACK2, 5, leading_zeros=20, trailing_zeros=20)
    for name, source in (("symbols.decode, forward", bits), ("symbols.decode, reverse", bits[::-1])):
        show(name, best_of(lambda source=source: [symbols.decode(source, 5) for _ in range(SWIPES)], SWIPES))
    show(
        "baseline: re match of track 2", best_of(lambda: [PLAIN.match(TRACK2) for _ in range(SWIPES)], SWIPES)
    )


if __name__ == "__main__":
    main()
