"""Swipes in sampled signals: the loud bursts of each channel, those that share their time together."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from swipegate.core import flux, symbols
from swipegate.core.recordings import bounds
from swipegate.core.recordings.swipe import NoSwipeError, RawSwipe, RawTrack

MIN_BURST_BITS = 30
"""A burst that reads as fewer bits is noise: four characters, and clocking zeros on both sides."""
NOISE_JITTER = 0.12
"""Of several bursts one that does not read is noise when its cells are less regular: share of a cell, see flux."""
MARGIN_SECONDS = 0.02
"""Kept before and after a burst."""


@dataclass(slots=True)
class _Burst:
    channel: int
    run: flux.BitRun
    track: RawTrack


def swipes_of(channels: "Iterable[array[float]]", rate: float, name: str) -> list[RawSwipe]:
    """Return the swipes in the channels of one recording, in order of time; a channel is looked at once.

    Raises NoSwipeError.
    """
    bursts: list[_Burst] = []
    quiet: list[RawTrack] = []
    for number, samples in enumerate(channels):
        bursts += _bursts(number, samples, rate)
        if not bursts and samples:
            quiet.append(RawTrack(samples=samples[: bounds.MAX_BURST_SAMPLES], sample_rate=rate))
    if not bursts:
        raise NoSwipeError(name, quiet)
    bursts.sort(key=lambda burst: burst.run.start)
    if len(bursts) > 1:
        bursts = [one for one in bursts if _may_be_a_swipe(one)] or bursts
    return [
        RawSwipe(
            _without_copies([one.track for one in sorted(group, key=lambda one: one.channel)]),
            min(one.run.start for one in group),
            max(one.run.end for one in group),
        )
        for group in _simultaneous(bursts)
    ]


def _bursts(channel: int, samples: "array[float]", rate: float) -> Iterator[_Burst]:
    for run in flux.swipes(samples, rate, candidates=1):
        if len(run.candidates[0]) < MIN_BURST_BITS:
            continue
        first = max(0, int((run.start - MARGIN_SECONDS) * rate))
        last = min(int((run.end + MARGIN_SECONDS) * rate), first + bounds.MAX_BURST_SAMPLES)
        yield _Burst(channel, run, RawTrack(samples=samples[first:last], sample_rate=rate))


def _may_be_a_swipe(burst: _Burst) -> bool:
    """Whether one of several bursts is neither noise nor a hum, whose bits are all alike."""
    regular = burst.run.jitters[0] <= NOISE_JITTER and len(set(burst.run.candidates[0])) > 1
    return regular or _reading(burst.track) is not None


def _simultaneous(bursts: Sequence[_Burst]) -> Iterable[list[_Burst]]:
    """Group the bursts of different channels that share at least half of the shorter one's time."""
    groups: list[list[_Burst]] = []
    for burst in bursts:
        last = groups[-1] if groups else []
        if last and all(other.channel != burst.channel and _together(other.run, burst.run) for other in last):
            last.append(burst)
        else:
            groups.append([burst])
    return groups


def _together(one: flux.BitRun, other: flux.BitRun) -> bool:
    shared = min(one.end, other.end) - max(one.start, other.start)
    return shared >= 0.5 * min(one.end - one.start, other.end - other.start)


def _reading(track: RawTrack) -> str | None:
    """Return the characters of a burst; None when it does not read."""
    read = (symbols.decode(bits[: bounds.MAX_BITS]) for bits in track.candidates())
    return next((one.text for one in read if not one.errors), None)


def _without_copies(tracks: Sequence[RawTrack]) -> tuple[RawTrack, ...]:
    """Leave out the channels that read like an earlier one: they are copies of it."""
    if len(tracks) < 2:
        return tuple(tracks)
    readings = [_reading(track) for track in tracks]
    kept: list[RawTrack] = []
    for place, (track, reading) in enumerate(zip(tracks, readings, strict=True)):
        if reading is not None and reading in readings[:place]:
            continue
        kept.append(track)
    return tuple(kept)
