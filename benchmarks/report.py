"""Where the benchmarks write what they measured: a section of a page under docs/, found by its marks."""

import datetime
import os
import platform
import subprocess
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from math import exp, lgamma, log, log1p
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
CONFIDENCE = 0.95


def cpu_name() -> str:
    """The processor, as the system names it."""
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else ():
        if line.startswith("model name"):
            return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine()


def first_line(*command: str) -> str:
    """The first line that a command prints, empty where there is no such command."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return ""
    return next(iter((done.stdout or done.stderr).splitlines()), "").strip()


def versions(*packages: str) -> list[str]:
    """Name and version of each package that is installed."""
    found = []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return found


def circumstances(command: str, *more: str) -> str:
    """One paragraph: the command, the day, the machine, how busy it was, and the versions."""
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    machine = f"{os.cpu_count()} cores, {cpu_name()}, {platform.system()}"
    software = ", ".join([f"CPython {platform.python_version()}", *filter(None, more)])
    load = f"load average {os.getloadavg()[1]:.1f} over the last five minutes"
    return f"Measured by `{command}` on {day}: {machine}, {load}; {software}."


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; the first column is text, the others are figures."""
    marks = ["---", *["---:"] * (len(heads) - 1)]
    lines = [heads, marks, *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_section(page: str, name: str, text: str) -> None:
    """Put text between the marks `<!-- name -->` and `<!-- /name -->` of docs/page; they must be there."""
    path = DOCS / page
    old = path.read_text()
    start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    head, opened, rest = old.partition(start)
    _, closed, tail = rest.partition(end)
    if not opened or not closed:
        raise SystemExit(f"{path}: no section {name}")
    path.write_text(f"{head}{start}\n{text.strip()}\n\n{end}{tail}")


def interval(count: int, trials: int) -> tuple[float, float]:
    """The exact binomial interval of CONFIDENCE for a share (Clopper and Pearson)."""
    tail = (1 - CONFIDENCE) / 2
    low = 0.0 if count == 0 else _bisect(lambda p: 1 - _at_most(count - 1, trials, p) < tail)
    high = 1.0 if count == trials else _bisect(lambda p: _at_most(count, trials, p) > tail)
    return low, high


def upper_bound(trials: int) -> float:
    """The share that is excluded with CONFIDENCE, one-sided, when none of the trials had it."""
    return 1 - exp(log(1 - CONFIDENCE) / trials)


def _at_most(count: int, trials: int, p: float) -> float:
    """The chance of at most count of trials."""
    total = 0.0
    for k in range(count + 1):
        choose = lgamma(trials + 1) - lgamma(k + 1) - lgamma(trials - k + 1)
        total += exp(choose + k * log(p) + (trials - k) * log1p(-p))
    return total


def _bisect(below: Callable[[float], bool]) -> float:
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return (low + high) / 2
