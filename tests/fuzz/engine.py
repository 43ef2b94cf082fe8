"""Runs one target under Atheris (libFuzzer), guided by the coverage of the instrumented core.

`python -m tests.fuzz` starts it, a process a target; it ends with the process.
"""

import ctypes
import hashlib
import sys
from collections.abc import Callable
from math import log2
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["swipegate.core.recordings", "swipegate.devices.protocols"]):
    import tests.fuzz.protocols  # noqa: F401 - their branches are Python's
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS
from tests.fuzz.work import Work

STEPS = 128
"""Counters of cost."""
STEPS_AN_OCTAVE = 4


class Cost:
    """How dear inputs are, told to the engine as if it were coverage: it keeps and changes the dear ones."""

    def __init__(self, engine: ctypes.CDLL) -> None:
        self._steps = (ctypes.c_uint8 * STEPS)()
        self._places = (ctypes.c_size_t * (2 * STEPS))()
        for function, array in (("8bit_counters", self._steps), ("pcs", self._places)):
            start = ctypes.addressof(array)
            add = getattr(engine, f"__sanitizer_cov_{function}_init")
            add(ctypes.c_void_p(start), ctypes.c_void_p(start + ctypes.sizeof(array)))

    def tell(self, blocks_a_byte: float) -> None:
        self._steps[min(int(STEPS_AN_OCTAVE * log2(1.0 + blocks_a_byte)), STEPS - 1)] = 1


def measured(target: Target, engine: ctypes.CDLL) -> Callable[[bytes], None]:
    """The target's check with its bound on work, every stage's edges and the cost told to the engine."""
    work = Work()
    if not work.libraries:
        raise SystemExit("the stages are not instrumented: build them with SWIPEGATE_FUZZ=1")
    for library in work.libraries:
        if not library.swipegate_cover(ctypes.c_void_p(engine._handle)):
            raise SystemExit("the engine takes no counters from elsewhere")
    cost = Cost(engine)

    def check(data: bytes) -> None:
        cost.tell(work.check(target, data) / (len(data) + 16))

    return check


def write_seeds(target: Target, corpus: Path) -> None:
    for data in target.seeds():
        if len(data) <= target.longest:
            (corpus / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)


def main(name: str, corpus: Path, with_seeds: bool, options: list[str]) -> None:
    target = TARGETS[name]
    library = next(Path(atheris.__file__).parent.glob("core_with_libfuzzer*"))
    check = measured(target, ctypes.CDLL(str(library)))
    corpus.mkdir(parents=True, exist_ok=True)
    if with_seeds:
        write_seeds(target, corpus)
    words = corpus.parent / f"{name}.dict"
    words.write_text("".join(f'"{escaped(word)}"\n' for word in target.words))
    arguments = [sys.argv[0], f"-max_len={target.longest}", f"-dict={words}", *options, str(corpus)]
    mutator = target.mutator
    if mutator is None:
        atheris.Setup(arguments, check)
    else:
        atheris.Setup(arguments, check, custom_mutator=mixed(mutator))
    atheris.Fuzz()


def escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def mixed(mutator: Callable[[bytes, int, int], bytes]) -> Callable[[bytes, int, int], bytes]:
    """Every other mutation by the target's own mutator, which knows the format, the rest by the engine's."""

    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        return mutator(data, longest, seed) if seed & 1 else bytes(atheris.Mutate(data, longest))

    return mutate


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3] == "seeds", sys.argv[4:])
