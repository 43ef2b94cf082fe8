"""A drawing as a list of shapes, and the two renderers that show the same: SVG and PNG."""

from dataclasses import dataclass, field
from io import BytesIO
from xml.sax.saxutils import escape, quoteattr

from PIL import Image, ImageDraw, ImageFont

OVERSAMPLING = 2
"""A PNG is drawn so much larger and then reduced: Pillow draws lines without smoothing."""
BAND = 512
"""Rows of a PNG that are drawn at a time."""
FONTS = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
"""Of an SVG; a PNG has Pillow's own font, which is like them in width."""
ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}
"""text-anchor of SVG -> anchor of Pillow, both on the base line."""

Point = tuple[float, float]
Fonts = dict[float, ImageFont.FreeTypeFont | ImageFont.ImageFont]
"""Size in pixels -> font."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line through two points or more."""

    points: tuple[Point, ...]
    colour: str
    width: float = 1.0
    kind: str = ""
    """What it stands for; the class of the SVG element."""


@dataclass(frozen=True, slots=True)
class Area:
    """A filled polygon."""

    points: tuple[Point, ...]
    colour: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle, filled, outlined, or both."""

    x: float
    y: float
    width: float
    height: float
    fill: str = "none"
    colour: str = "none"
    stroke: float = 1.0
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """One line of text."""

    x: float
    y: float
    """Of the base line."""
    text: str
    size: float = 12.0
    """Pixels."""
    colour: str = "#000000"
    anchor: str = "start"
    kind: str = ""


Shape = Line | Area | Box | Label


@dataclass(slots=True)
class Picture:
    """Shapes on a white ground, the first at the bottom. Pixels, from the upper left corner."""

    title: str
    width: int
    height: int = 0
    shapes: list[Shape] = field(default_factory=list)

    def add(self, *shapes: Shape) -> None:
        """Draw these on top."""
        self.shapes += shapes


def svg(picture: Picture) -> bytes:
    """The picture as an SVG document."""
    size = f'width="{picture.width}" height="{picture.height}" viewBox="0 0 {picture.width} {picture.height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{FONTS}">',
        f"<title>{_text(picture.title)}</title>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        *(_svg_shape(shape) for shape in picture.shapes),
        "</svg>\n",
    ]
    return "\n".join(parts).encode()


def _svg_shape(shape: Shape) -> str:
    kind = f" class={quoteattr(shape.kind)}" if shape.kind else ""
    match shape:
        case Line():
            return (
                f'<polyline{kind} points="{_points(shape.points)}" fill="none" stroke="{shape.colour}" '
                f'stroke-width="{shape.width:g}" stroke-linejoin="round"/>'
            )
        case Area():
            return f'<polygon{kind} points="{_points(shape.points)}" fill="{shape.colour}"/>'
        case Box():
            return (
                f'<rect{kind} x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.width:.1f}" '
                f'height="{shape.height:.1f}" fill="{shape.fill}" stroke="{shape.colour}" '
                f'stroke-width="{shape.stroke:g}"/>'
            )
        case Label():
            return (
                f'<text{kind} x="{shape.x:.1f}" y="{shape.y:.1f}" font-size="{shape.size:g}" '
                f'fill="{shape.colour}" text-anchor="{shape.anchor}" xml:space="preserve">{_text(shape.text)}</text>'
            )


def _points(points: tuple[Point, ...]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _text(text: str) -> str:
    return escape(_printable(text))


def _printable(text: str) -> str:
    """Without what no font and no XML document can show."""
    return "".join(one if one.isprintable() else "?" for one in text)


def png(picture: Picture) -> bytes:
    """The picture as a PNG file."""
    image = Image.new("RGB", (picture.width, picture.height))
    fonts: Fonts = {}
    for top in range(0, picture.height, BAND):
        band = Image.new("RGB", (picture.width * OVERSAMPLING, BAND * OVERSAMPLING), "#ffffff")
        draw = ImageDraw.Draw(band)
        for shape in picture.shapes:
            first, last = _extent(shape)
            if first < top + BAND and last > top:
                _draw_shape(draw, shape, top, fonts)
        image.paste(band.reduce(OVERSAMPLING), (0, top))
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _extent(shape: Shape) -> tuple[float, float]:
    """The least and the greatest y that a shape may touch."""
    match shape:
        case Line(points=points, width=width):
            heights = [y for _, y in points]
            return min(heights) - width, max(heights) + width
        case Area(points=points):
            heights = [y for _, y in points]
            return min(heights), max(heights)
        case Box(y=y, height=height):
            return y, y + height
        case Label(y=y, size=size):
            return y - 1.5 * size, y + size


def _draw_shape(draw: ImageDraw.ImageDraw, shape: Shape, top: float, fonts: Fonts) -> None:
    """Draw a shape into the band that begins at `top`."""
    match shape:
        case Line():
            width = max(1, round(shape.width * OVERSAMPLING))
            draw.line(_scaled(shape.points, top), fill=shape.colour, width=width, joint="curve")
        case Area():
            draw.polygon(_scaled(shape.points, top), fill=shape.colour)
        case Box():
            (left, upper), (right, lower) = _scaled(
                ((shape.x, shape.y), (shape.x + shape.width, shape.y + shape.height)), top
            )
            draw.rectangle(
                (left, upper, max(left, right - 1), max(upper, lower - 1)),
                fill=None if shape.fill == "none" else shape.fill,
                outline=None if shape.colour == "none" else shape.colour,
                width=max(1, round(shape.stroke * OVERSAMPLING)),
            )
        case Label():
            size = shape.size * OVERSAMPLING
            if size not in fonts:
                fonts[size] = ImageFont.load_default(size)
            (place,) = _scaled(((shape.x, shape.y),), top)
            text = _printable(shape.text)
            draw.text(place, text, fill=shape.colour, font=fonts[size], anchor=ANCHORS[shape.anchor])


def _scaled(points: tuple[Point, ...], top: float) -> list[Point]:
    return [(x * OVERSAMPLING, (y - top) * OVERSAMPLING) for x, y in points]
