"""What is no swipe, by seed: noise, sounds, other codings, random bits. None of it may be read."""

import random
from collections.abc import Callable

import numpy as np

from benchmarks import signals
from benchmarks.signals import PROFILES, SAMPLE_RATE, Samples
from swipegate.core import symbols
from swipegate.v1.track_pb2 import BitString, FluxIntervals, RawTrack, SampledSignal

SECONDS = 0.5
BITS = 300
CELL = 0.001  # seconds
WIDTHS = (5, 7)

Chance = random.Random


def sampled(wave: Samples) -> RawTrack:
    pcm = signals.quantised(wave, signals.Condition())
    return RawTrack(samples=SampledSignal(pcm=pcm, sample_rate=SAMPLE_RATE))


def bit_string(bits: bytes) -> RawTrack:
    return RawTrack(bits=BitString(data=symbols.pack(bits), bit_count=len(bits)))


def white_noise(chance: Chance) -> Samples:
    return np.random.default_rng(chance.getrandbits(48)).normal(size=int(SECONDS * SAMPLE_RATE))


def dull_noise(chance: Chance) -> Samples:
    """Noise without what is above some 1 to 6 kHz: peaks as far apart as those of a stripe."""
    kernel = np.hanning(chance.randint(8, 40))
    return np.convolve(white_noise(chance), kernel, mode="same")


def resonant(wave: Samples, frequency: float, width: float) -> Samples:
    """The wave through one resonance, in Hz."""
    time = np.arange(int(0.03 * SAMPLE_RATE)) / SAMPLE_RATE
    ringing = np.exp(-np.pi * width * time) * np.sin(2 * np.pi * frequency * time)
    return np.convolve(wave, ringing)[: len(wave)]


def speech_like(chance: Chance) -> Samples:
    """Pulses of a voice through three formants, cut into syllables, with hisses between them."""
    time = np.arange(int(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = chance.uniform(80, 260) * (1 + 0.1 * np.sin(2 * np.pi * chance.uniform(2, 6) * time))
    pulses = np.diff(np.floor(np.cumsum(pitch) / SAMPLE_RATE), prepend=0.0)
    formants = ((250, 900), (800, 2400), (2200, 3200))
    voice = sum(resonant(pulses, chance.uniform(*span), chance.uniform(60, 200)) for span in formants)
    syllables = np.clip(np.sin(2 * np.pi * chance.uniform(3, 7) * time + chance.random() * 6), 0, 1)
    return voice * syllables + 0.1 * white_noise(chance) * (1 - syllables)


def music_like(chance: Chance) -> Samples:
    """Four notes struck one after the other, each with its overtones."""
    time = np.arange(int(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    wave = np.zeros(len(time))
    for note in range(4):
        frequency = 110 * 2 ** (chance.randrange(48) / 12)
        since = np.clip(time - note * SECONDS / 4, 0, None)
        for overtone in range(1, 8):
            strength = (since > 0) * np.exp(-since * 6 * overtone) / overtone
            wave += strength * np.sin(2 * np.pi * frequency * overtone * since + chance.random() * 6)
    return wave


def tone(chance: Chance) -> Samples:
    """A plain tone: the clocking zeros of a stripe that holds nothing."""
    time = np.arange(int(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    return np.sin(2 * np.pi * chance.uniform(100, 4000) * time) + 0.02 * white_noise(chance)


def random_bits(chance: Chance) -> bytes:
    return bytes(chance.getrandbits(1) for _ in range(BITS))


def wave_of(cells: list[float], chance: Chance) -> RawTrack:
    """A head's wave over intervals given in cells."""
    scale = CELL * chance.uniform(*signals.SCALE)
    intervals = [share * scale * (1 + chance.gauss(0, 0.02)) for share in cells]
    pulse = PROFILES[0]["isolated_pulse_template_half_cell_grid"]
    return sampled(signals.head(intervals, [scale] * (len(intervals) + 1), pulse, SAMPLE_RATE))


def f2f_random(chance: Chance) -> RawTrack:
    """Random bits in the stripe's own coding."""
    return wave_of([part for bit in random_bits(chance) for part in ((0.5, 0.5) if bit else (1.0,))], chance)


def mfm(chance: Chance) -> RawTrack:
    """Modified FM, as on floppy disks: a one turns in mid-cell, two zeros between them."""
    bits, places = random_bits(chance), []
    for index, bit in enumerate(bits):
        if bit:
            places.append(index + 0.5)
        elif index and not bits[index - 1]:
            places.append(float(index))
    return wave_of(list(np.diff(places)), chance)


def nrzi(chance: Chance) -> RawTrack:
    """A turn for a one, none for a zero."""
    places = [index for index, bit in enumerate(random_bits(chance)) if bit]
    return wave_of([float(step) for step in np.diff(places)], chance)


def f2f_in_thirds(chance: Chance) -> RawTrack:
    """Two lengths a bit, one third and two thirds of a cell, as older pulse-width codings have them."""
    return wave_of([p for bit in random_bits(chance) for p in ((1 / 3, 2 / 3), (2 / 3, 1 / 3))[bit]], chance)


def random_intervals(chance: Chance) -> RawTrack:
    times = [round(1e6 * chance.lognormvariate(0, 0.4)) for _ in range(BITS)]
    return RawTrack(intervals=FluxIntervals(nanoseconds=times))


def digits_alone(chance: Chance) -> RawTrack:
    """Characters of right parity, none of them a sentinel."""
    return bit_string(symbols.encode(f";{signals.digits(chance, 50)}?", 5)[5:-10])


def wrong_lrc(chance: Chance) -> RawTrack:
    """A whole track but for its LRC, whose parity is right."""
    number = chance.choice((1, 2))
    width = signals.WIDTH[number]
    bits = bytearray(symbols.encode(signals.card(chance)[number], width, 20, 0))
    wrong = chance.sample(range(1, width), 2)  # two bits, so that the parity still holds
    for place in wrong:
        bits[-place - 1] ^= 1
    return bit_string(bytes(bits) + bytes(20))


WRONG: dict[str, tuple[int, Callable[[Chance], RawTrack]]] = {
    "white noise": (1, lambda chance: sampled(white_noise(chance))),
    "noise without treble": (1, lambda chance: sampled(dull_noise(chance))),
    "like speech": (1, lambda chance: sampled(speech_like(chance))),
    "like music": (1, lambda chance: sampled(music_like(chance))),
    "a tone, as of an empty stripe": (1, lambda chance: sampled(tone(chance))),
    "random bits, F2F": (1, f2f_random),
    "MFM": (1, mfm),
    "NRZI": (1, nrzi),
    "pulse widths of 1/3 and 2/3": (1, f2f_in_thirds),
    "random times between transitions": (2, random_intervals),
    "300 random bits": (20, lambda chance: bit_string(random_bits(chance))),
    "50 digits without sentinels, bits": (20, digits_alone),
    "a track whose LRC is wrong, bits": (20, wrong_lrc),
}
"""Name -> how many for each swipe of a condition, and one of them."""
