"""The curve of docs/robustness.md as SVG: three panels, our two tracks as lines, the peers as marks."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import NamedTuple

from benchmarks import report

WIDTH, HEIGHT = 1080, 470
TOP, BOTTOM, LEFT, PANEL, GAP = 64, 356, 58, 310, 36
JITTER_END = 16.0  # per cent
INK, FAINT, GRID = "#24292f", "#57606a", "#d8dee4"
OURS = {2: ("#0550ae", "", "Swipegate, track 2"), 1: ("#0a7ea4", "7 4", "Swipegate, track 1")}
"""Track -> colour, dashes, name."""
MARK = 5.0


class Point(NamedTuple):
    """What became of the swipes at one jitter."""

    jitter: float
    """Standard deviation of the cell time in per cent."""
    correct: int
    refused: int
    false: int
    swipes: int


class Peer(NamedTuple):
    """A published decoder on track 2: correct and falsely accepted of 100 at PEER_JITTER."""

    name: str
    shape: str
    colour: str
    correct: tuple[int, ...]
    false: tuple[int, ...]


PEER_JITTER = (2.0, 5.0, 8.0, 12.0)
"""Conditions C0 to C3."""
PEERS = (
    Peer("mslib (C)", "circle", "#953800", (100, 93, 19, 0), (0, 0, 0, 0)),
    Peer("RhombusLib (Java)", "square", "#8250df", (100, 98, 34, 0), (0, 2, 57, 45)),
    Peer("SecureHead (C, intervals)", "triangle", "#1a7f37", (100, 95, 84, 6), (0, 0, 3, 6)),
    Peer("a slow grid search", "diamond", "#bf3989", (100, 100, 99, 17), (0, 0, 0, 3)),
)
"""As published for these conditions, 100 swipes each; see docs/robustness.md."""
PANELS = ("read correctly", "refused", "falsely accepted")


def robustness(curves: Mapping[int, Sequence[Point]]) -> str:
    """The picture for track number -> its points."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="13" role="img">',
        "<title>Swipes read correctly, refused and falsely accepted against cell jitter</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        text(LEFT - 40, 26, "What becomes of a swipe as its cells grow irregular", size=17, weight="600"),
    ]
    for index, title in enumerate(PANELS):
        left = LEFT + index * (PANEL + GAP)
        parts += axes(left, title, labelled=index == 0)
        for track in sorted(curves):
            parts += line(left, index, track, curves[track])
        for place, peer in enumerate(PEERS):
            parts += marks(left, index, peer, (place - 1.5) * 0.3)
    parts += legend()
    return "\n".join([*parts, "</svg>"]) + "\n"


def x_of(left: float, jitter: float) -> float:
    return left + PANEL * jitter / JITTER_END


def y_of(share: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * share


def text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    size: int = 13,
    fill: str = INK,
    weight: str = "400",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
        f'fill="{fill}">{escape(words)}</text>'
    )


def axes(left: float, title: str, labelled: bool) -> Iterator[str]:
    """Grid, scales and title of a panel."""
    yield text(left, TOP - 12, title, size=14, weight="600")
    for step in range(5):
        y = y_of(step / 4)
        yield f'<path d="M{left:.1f} {y:.1f}h{PANEL}" stroke="{GRID if step else FAINT}"/>'
        if labelled:
            yield text(left - 8, y + 4, f"{25 * step} %", anchor="end", size=12, fill=FAINT)
    for jitter in range(0, int(JITTER_END) + 1, 2):
        x = x_of(left, jitter)
        yield f'<path d="M{x:.1f} {BOTTOM}v4" stroke="{FAINT}"/>'
        yield text(x, BOTTOM + 19, str(jitter), anchor="middle", size=12, fill=FAINT)
    yield text(
        left + PANEL / 2, BOTTOM + 40, "cell jitter, % of a cell", anchor="middle", size=12, fill=FAINT
    )


def line(left: float, index: int, track: int, points: Sequence[Point]) -> Iterator[str]:
    """The shares of one track with the band of their intervals."""
    colour, dashes, _ = OURS[track]
    xs = [x_of(left, point.jitter) for point in points]
    counts = [point[1 + index] for point in points]
    bands = [report.interval(count, point.swipes) for count, point in zip(counts, points, strict=True)]
    edge = [*zip(xs, (high for _, high in bands), strict=True)]
    edge += reversed([*zip(xs, (low for low, _ in bands), strict=True)])
    outline = " ".join(f"{x:.1f},{y_of(share):.1f}" for x, share in edge)
    yield f'<polygon points="{outline}" fill="{colour}" opacity="0.18"/>'
    path = " ".join(
        f"{x:.1f},{y_of(count / point.swipes):.1f}"
        for x, count, point in zip(xs, counts, points, strict=True)
    )
    yield (
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.4" '
        f'stroke-dasharray="{dashes or "none"}" stroke-linejoin="round"/>'
    )


def marks(left: float, index: int, peer: Peer, aside: float) -> Iterator[str]:
    """A peer's four points, each set aside a little so that none hides another."""
    for jitter, correct, false in zip(PEER_JITTER, peer.correct, peer.false, strict=True):
        share = (correct, 100 - correct - false, false)[index] / 100
        yield mark(x_of(left, jitter + aside), y_of(share), peer)


def mark(x: float, y: float, peer: Peer) -> str:
    style = f'fill="#ffffff" fill-opacity="0.85" stroke="{peer.colour}" stroke-width="2"'
    if peer.shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{MARK - 0.5}" {style}/>'
    corners = {
        "square": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
        "triangle": ((0, -1.2), (1.15, 0.9), (-1.15, 0.9)),
        "diamond": ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
    }[peer.shape]
    size = MARK - 0.7
    points = " ".join(f"{x + size * dx:.1f},{y + size * dy:.1f}" for dx, dy in corners)
    return f'<polygon points="{points}" {style}/>'


def legend() -> Iterator[str]:
    """One row under the panels."""
    x, y = float(LEFT), HEIGHT - 44
    for track in sorted(OURS, reverse=True):
        colour, dashes, name = OURS[track]
        yield (
            f'<path d="M{x:.1f} {y - 4}h30" stroke="{colour}" stroke-width="2.4" '
            f'stroke-dasharray="{dashes or "none"}"/>'
        )
        yield text(x + 37, y, name)
        x += 177
    for peer in PEERS:
        yield mark(x + MARK, y - 4, peer)
        yield text(x + 16, y, peer.name)
        x += 46 + 6.6 * len(peer.name)
    note = "Bands: 95 % intervals. Marks: the peers' published figures, track 2, of 100 swipes, set slightly apart."
    yield text(LEFT, HEIGHT - 16, note, size=12, fill=FAINT)
