"""What a process that only serves does for itself."""

import subprocess
import sys

_PROGRAM = """
import gc
from swipegate.api import process
kept = [[] for _ in range(1000)]
kept[0].append(kept)
before = gc.get_threshold()
process.settle()
assert gc.isenabled()
assert gc.get_freeze_count() > 1000
assert gc.get_threshold() == (process.COLLECT_AFTER, *before[1:])
class Circle: pass
import weakref
one = Circle()
one.self = one
seen = weakref.ref(one)
del one
more = [[] for _ in range(3 * process.COLLECT_AFTER)]
assert seen() is None, "what comes later is still collected"
"""


def test_the_collector_looks_less_often_and_at_less() -> None:
    subprocess.run([sys.executable, "-c", _PROGRAM], check=True, timeout=60)
