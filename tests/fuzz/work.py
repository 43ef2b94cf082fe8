"""The work of the instrumented stages in basic blocks, which unlike time are the same at every run."""

import ctypes
from pathlib import Path

import swipegate.core
from tests.fuzz.target import Target

FOLDER = Path(swipegate.core.__file__).parent


class Work:
    """Counters of the compiled stages; of a build without SWIPEGATE_FUZZ=1 there are none."""

    def __init__(self) -> None:
        libraries = [ctypes.CDLL(str(path)) for path in sorted(FOLDER.glob("*.so"))]
        self.libraries = [library for library in libraries if hasattr(library, "swipegate_blocks")]
        self._blocks = [ctypes.c_uint64.in_dll(library, "swipegate_blocks") for library in self.libraries]

    def done(self) -> int:
        """Blocks run since the start."""
        return sum(count.value for count in self._blocks)

    def check(self, target: Target, data: bytes) -> int:
        """Check an input, and its work against the target's bound; the blocks that it ran."""
        before = self.done()
        target.check(data)
        blocks = self.done() - before
        most = target.blocks + target.blocks_a_byte * len(data)
        assert blocks <= most, f"{blocks} blocks for {len(data)} bytes, {most} at most"
        return blocks
