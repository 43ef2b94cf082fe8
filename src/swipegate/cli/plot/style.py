"""What all parts of the picture share: measures in pixels, and colours that the colour-blind can tell apart.

Colours are from Okabe and Ito's set and their tints; nothing is said by colour alone.
"""

from swipegate.cli.findings import Finding
from swipegate.cli.plot.picture import Area, Box, Label, Line, Picture

CELL = 20
"""Width of a cell in the close view."""
CELLS_A_LINE = 80
"""At most; less by what does not make a whole character."""
LEFT, RIGHT = 74, 26
"""Margins."""
INNER = CELL * CELLS_A_LINE
WIDTH = LEFT + INNER + RIGHT

INK, GREY, PALE, GROUND = "#222222", "#6f6f6f", "#d4d4d4", "#f4f4f4"
WAVE = "#333333"
RISING, FALLING = "#0072b2", "#b0508a"
WRONG, WRONG_GROUND = "#c44e00", "#fbdccb"
REPAIRED, REPAIRED_GROUND = "#b87a00", "#fdebc4"
SENTINEL, SENTINEL_GROUND = "#00795a", "#d8efe7"
PARITY = "#0072b2"
HIDDEN, HIDDEN_LINE = "#e6e6e6", "#c4c4c4"
DOUBT = (0xF5, 0xE2, 0x3C)
"""Red, green and blue of a bit as likely wrong as right."""
NOTABLE_DOUBT = 96
"""A masked character is shaded from here on; 16 a nat, so a reading 10 nats dearer has other bits."""
CONTROLS = {"\x7f": "DEL", "\x0e": "SO", "\x0f": "SI"}
"""Sentinels and shifts of JIS X 6302-2."""
MARK = 5
"""Height of a transition's triangle."""


PLAIN = ("#ffffff", HIDDEN_LINE)
"""Ground and outline of a character of which there is nothing to say."""


def colours(finding: Finding, place: int) -> tuple[str, str]:
    """Ground and outline of a character."""
    reading = finding.reading
    assert reading is not None
    if place in finding.repairs:
        return REPAIRED_GROUND, REPAIRED
    if not reading.characters[place].parity_ok:
        return WRONG_GROUND, WRONG
    if (
        reading.ended
        and place == len(reading.characters) - 1
        and reading.lrc_ok is False
        and not finding.repairs
    ):
        return WRONG_GROUND, WRONG
    if place == 0 or (reading.ended and place >= len(reading.characters) - 2):
        return SENTINEL_GROUND, SENTINEL
    return PLAIN


def visible(text: str) -> str:
    """A character as it can be drawn: of the controls of JIS X 6302-2 their names, of a blank nothing."""
    return CONTROLS.get(text, text if text.isprintable() else "?").strip()


def doubt_colour(doubt: int) -> str:
    """White for 0 to DOUBT for 255."""
    return "#" + "".join(f"{255 - (255 - part) * doubt // 255:02x}" for part in DOUBT)


def triangle(x: float, y: float, sign: int, kind: str = "transition") -> Area:
    """A transition: on top of a peak and pointing up, or below a trough and pointing down."""
    base = y - sign * 2
    tip = base - sign * MARK * 1.4
    points = ((x, tip), (x - MARK * 0.8, base), (x + MARK * 0.8, base))
    return Area(points, RISING if sign > 0 else FALLING, f"{kind} {'rising' if sign > 0 else 'falling'}")


def hatch(picture: Picture, x: float, y: float, width: float, height: float) -> None:
    """What must not be seen."""
    picture.add(Box(x, y, width, height, HIDDEN, kind="masked"))
    step = 10.0
    lines = int((width + height) // step)
    for place in range(1, lines + 1):
        from_ = place * step
        low_x, low_y = max(0.0, from_ - height), min(from_, height)
        high_x, high_y = min(from_, width), max(0.0, from_ - width)
        picture.add(Line(((x + low_x, y + low_y), (x + high_x, y + high_y)), HIDDEN_LINE, 0.7))


def legend(picture: Picture, y: float, signal: bool) -> float:
    """What the marks stand for, on one line or two; returns the height."""
    items: list[tuple[str, str, str]] = [
        (SENTINEL_GROUND, SENTINEL, "sentinel or LRC"),
        (REPAIRED_GROUND, REPAIRED, "repaired, with what proved it"),
        (WRONG_GROUND, WRONG, "wrong: parity, LRC, or bits too few or many (double frame)"),
        (doubt_colour(255), GREY, "doubtful bit: the yellower, the less sure"),
        (HIDDEN, HIDDEN_LINE, "masked"),
    ]
    x = float(LEFT)
    for fill, colour, text in items:
        picture.add(Box(x, y - 10, 14, 12, fill, colour), Label(x + 20, y, text, 11, INK))
        x += 40 + 6.0 * len(text)
    picture.add(
        Label(x, y, "1", 11, PARITY, kind="legend"),
        Line(((x, y + 2), (x + 7, y + 2)), PARITY),
        Label(x + 14, y, "parity bit", 11, INK),
    )
    if not signal:
        return 16
    y += 20
    for x, sign, text in ((LEFT + 7, 1, "transition, peak up"), (LEFT + 170, -1, "transition, peak down")):
        picture.add(triangle(x, y if sign > 0 else y - 9, sign, "legend"), Label(x + 13, y, text, 11, INK))
    return 36
