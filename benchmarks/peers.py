"""Speed of the track core on one thread, in turns with the track parsers that the package registries offer.

Run: .venv/bin/python -m benchmarks.peers
It installs the peers under .cache/benchmarks, nothing of them into this environment, and writes its table into
docs/speed.md. A peer that cannot be installed or does not read the card is left out with a line that says so.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import contest, report
from benchmarks.contest import CACHE, CONTENDERS

INSTALL_SECONDS = 600
PEERS = CACHE / "peers"


@dataclass(frozen=True)
class Peer:
    """A package of a registry."""

    name: str
    package: str
    """Registry, name and version."""
    work: str
    """What it does of a row's work."""
    rows: dict[str, str]
    """Row -> what its answer holds when it read the card."""
    command: Callable[[], list[str]]
    """Install it; what runs it, less ROW FILE."""


def call(*command: str, folder: Path = PEERS) -> str:
    """Run an installer in a folder. Raises OSError or SubprocessError."""
    done = subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS
    )
    return done.stdout


def copied(*names: str, folder: str) -> Path:
    """A folder of PEERS with these files of the contenders."""
    path = PEERS / folder
    path.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copy(CONTENDERS / name, path / name)
    return path


def node(peer: str) -> list[str]:
    path = copied("package.json", "peers.cjs", folder="npm")
    if not (path / "node_modules" / peer).exists():
        call("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", folder=path)
    return ["node", str(path / "peers.cjs"), peer]


def java(peer: str) -> list[str]:
    path = copied("pom.xml", "Peers.java", folder="maven")
    if not (path / "target" / "dependency").exists():
        call("mvn", "-q", "-B", "dependency:copy-dependencies", folder=path)
    classes = f"{path / 'target' / 'dependency'}/*:{path}"
    call("javac", "-cp", classes, "Peers.java", folder=path)
    return ["java", "-cp", classes, "Peers", peer]


def rust(peer: str) -> list[str]:
    path = copied("Cargo.toml", "peers.rs", folder="cargo")
    call("cargo", "build", "--quiet", "--release", folder=path)
    return [str(path / "target" / "release" / "peers"), peer]


def python(peer: str) -> list[str]:
    path = copied("peers.py", folder="pip")
    interpreter = path / "venv" / "bin" / "python"
    if not interpreter.exists():
        call(sys.executable, "-m", "venv", "venv", folder=path)
        call(str(interpreter), "-m", "pip", "install", "--quiet", "msrx==0.3", folder=path)
    return [str(interpreter), str(path / "peers.py"), peer]


PAN = "4111111111111111"
ALL: tuple[Peer, ...] = (
    Peer(
        "jPOS",
        "Maven org.jpos:jpos 2.1.10",
        "PAN, name, dates, codes as strings",
        {"line12": PAN, "track2": PAN},
        lambda: java("jpos"),
    ),
    Peer(
        "magnetictrackparser",
        "Maven us.fatehi:magnetictrackparser 3.0.1",
        "fields as objects, Luhn, card scheme",
        {"line12": PAN},
        lambda: java("magnetictrackparser"),
    ),
    Peer(
        "payment-card-magnetic-stripe-parser",
        "npm, 0.2.0",
        "PAN, name, expiry",
        {"line12": PAN},
        lambda: node("payment-card-magnetic-stripe-parser"),
    ),
    Peer(
        "mag-stripe",
        "npm, 1.0.8",
        "PAN, name, expiry of track 1",
        {"line12": PAN},
        lambda: node("mag-stripe"),
    ),
    Peer("aamva", "npm, 2.0.0", "fields", {"aamva": "FL,0400045087290,DOE"}, lambda: node("aamva")),
    Peer(
        "magstripe-rs",
        "crates.io, 0.1.1",
        "characters, parity; its LRC is not the standard's",
        {"bits2": PAN},
        lambda: rust("magstripe-rs"),
    ),
    Peer(
        "msrx",
        "PyPI, 0.3",
        "characters, nothing checked",
        {"bits2": contest.TRACK2},
        lambda: python("msrx"),
    ),
    Peer(
        "a bare `re` match",
        "CPython",
        "PAN, expiry, service code, discretionary data",
        {"track2": PAN},
        lambda: python("re"),
    ),
)
ROWS = ("line12", "track2", "aamva", "bits2")


def installed() -> tuple[dict[str, list[str]], list[str]]:
    """Commands of the peers that could be installed, and a line for each that could not."""
    commands, absent = {}, []
    PEERS.mkdir(parents=True, exist_ok=True)
    for peer in ALL:
        try:
            commands[peer.name] = peer.command()
        except (OSError, subprocess.SubprocessError) as error:
            absent.append(
                f"{peer.name} ({peer.package}) is left out: {type(error).__name__} when it was installed."
            )
    return commands, absent


def works(peer: Peer, row: str, command: Sequence[str]) -> bool:
    """Whether it reads the card of a row."""
    try:
        with contest.Program(peer.name, command, contest.rows()[row]) as program:
            return peer.rows[row] in program.answer
    except (OSError, ValueError, subprocess.SubprocessError):
        return False


def main() -> None:
    """Install, check, measure, write."""
    commands, notes = installed()
    rows = contest.rows()
    lines = []
    for name in ROWS:
        entered = [peer for peer in ALL if name in peer.rows and peer.name in commands]
        fit = [peer for peer in entered if works(peer, name, commands[peer.name])]
        notes += [
            f"{peer.name} did not read the card and is left out." for peer in entered if peer not in fit
        ]
        times, _ = contest.against(rows[name], [(peer.name, commands[peer.name]) for peer in fit])
        ours = times["Swipegate"]
        label = rows[name].label
        lines.append([label, "**Swipegate**", "all of it, in and out of protobuf", f"{ours:.3g}", "1"])
        lines.append(["", "the C loop", "all of it, to a struct", *figures(times["C loop"], ours)])
        for peer in fit:
            who = f"{peer.name} ({peer.package})"
            lines.append(["", who, peer.work, *figures(times[peer.name], ours)])
    text = report.table(("row", "who", "what it gives", "µs of CPU a swipe", "times ours"), lines)
    print(text, *notes, sep="\n")
    versions = (report.first_line("node", "--version"), report.first_line("java", "-version"))
    where = report.circumstances(
        "python -m benchmarks.peers",
        *report.versions("swipegate"),
        f"Node {versions[0]}",
        versions[1],
        report.first_line("rustc", "--version"),
        report.first_line("gcc", "--version"),
    )
    report.write_section("speed.md", "peers", "\n\n".join([text, *notes, where]))


def figures(time: float, ours: float) -> tuple[str, str]:
    return f"{time:.3g}", f"{time / ours:.2g}"


if __name__ == "__main__":
    main()
