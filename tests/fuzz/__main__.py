"""Fuzz the compiled core: a process a target, one after the other.

Run: make fuzz SECONDS=60 TARGETS="wire tracks". Exits with 1 when there was a finding; its input is named.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.fuzz import NAMES, sanitized

ROOT = Path(__file__).parents[2]
STATUS = re.compile(r"#(\d+)\s+\w+\s+cov: (\d+) ft: (\d+) corp: (\d+)/")
LIMIT_SECONDS = 25
"""Of one input, under sanitizers: a hang."""
LIMIT_MEGABYTES = 2048


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=f"of {', '.join(NAMES)}; all unless given"
    )
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--seed", type=int, default=7811, help="of the engine's chance")
    parser.add_argument("--replay", action="store_true", help="run what was kept before, and nothing else")
    parser.add_argument("--empty", action="store_true", help="begin without the seeds")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "build" / "corpus", help="of corpora, logs, findings"
    )
    given = parser.parse_args()
    if unknown := set(given.targets) - set(NAMES):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    return given


def fuzz(name: str, given: argparse.Namespace) -> bool:
    """Run one target and say what came of it; whether there was no finding."""
    given.folder.mkdir(parents=True, exist_ok=True)
    log = given.folder / f"{name}.log"
    command = [sys.executable, "-m", "tests.fuzz.engine", name, str(given.folder / name)]
    command += [
        "empty" if given.empty else "seeds",
        f"-max_total_time={given.seconds}",
        f"-seed={given.seed}",
    ]
    command += ["-runs=0"] if given.replay else []
    command += [f"-timeout={LIMIT_SECONDS}", f"-rss_limit_mb={LIMIT_MEGABYTES}"]
    command += [f"-artifact_prefix={given.folder / name}-", "-print_final_stats=1"]
    with log.open("wb") as into:
        code = subprocess.run(
            command, stdout=into, stderr=into, env=os.environ | sanitized.environment(), check=False
        ).returncode
    text = log.read_text(errors="replace")
    lines = STATUS.findall(text)
    runs, edges, features, kept = (int(count) for count in lines[-1]) if lines else (0, 0, 0, 0)
    first = int(lines[0][1]) if lines else 0
    print(
        f"{name:10} {runs:9,} executions, edges {first:,} -> {edges:,}, features {features:,}, "
        f"corpus {kept:,}: {'no finding' if code == 0 else 'FINDING, see ' + str(log)}",
        flush=True,
    )
    return code == 0


def main() -> int:
    given = arguments()
    clean = [fuzz(name, given) for name in given.targets or NAMES]
    return 0 if all(clean) else 1


if __name__ == "__main__":
    sys.exit(main())
