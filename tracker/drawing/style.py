"""How strokes look: sizes that follow the face, and colours."""

from __future__ import annotations

import re
from dataclasses import dataclass

from model.errors import InputError
from tracker.drawing.strokes import Colour

# One colour per track: light and saturated, far from skin and from each other.
PALETTE: tuple[Colour, ...] = (
    (64, 236, 220),
    (255, 190, 60),
    (255, 110, 190),
    (150, 240, 90),
    (130, 170, 255),
    (250, 240, 110),
)
WHITE: Colour = (255, 255, 255)
COLOURS: dict[str, Colour] = {
    "white": WHITE,
    "black": (0, 0, 0),
    "grey": (128, 128, 128),
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "yellow": (255, 255, 0),
    "orange": (255, 165, 0),
    "pink": (255, 105, 180),
}
# Screens show a picture wider than this smaller than it is: its finest strokes grow with it.
_SCREEN = 1920
_LARGEST_SIZE = 1000.0  # pixels, or per cent


@dataclass(frozen=True)
class Size:
    """A stroke's size as the user wants it.

    Attributes:
        pixels: of the picture, for every face; None lets it follow the face.
        factor: times the usual size, where it follows the face.
    """

    pixels: float | None = None
    factor: float = 1.0


@dataclass(frozen=True)
class DrawStyle:
    """Sizes as shares of the face's size (the long side of its landmark box), limits in pixels.

    Attributes:
        line: width of curves: fine enough to leave the lids visible on a face of 200 px.
        line_limits: thinnest and thickest curve. Below 0.7 px a line fades into the video coding.
        point: radius of a landmark, about the line's width, so that it stands out on its curve.
        point_limits: smallest and largest radius.
        halo: opacity of the dark rim that keeps bright strokes readable on bright images.
        curve_opacity: opacity of the curves; some skin shows through.
        line_width: what the user wants instead.
        point_size: and for the diameter of landmarks.
        colours: of the tracks, in turn.
        point_colour: of the landmarks.
    """

    line: float = 0.0075
    line_limits: tuple[float, float] = (0.75, 7.0)
    point: float = 0.007
    point_limits: tuple[float, float] = (0.6, 7.0)
    halo: float = 0.5
    curve_opacity: float = 0.85
    line_width: Size = Size()
    point_size: Size = Size()
    colours: tuple[Colour, ...] = PALETTE
    point_colour: Colour = WHITE

    def line_pixels(self, face: float, picture: float) -> float:
        """Width of a curve, for a face and a picture of some long side; all in pixels."""
        return _pixels(self.line_width, self.line, self.line_limits, face, picture)

    def point_radius(self, face: float, picture: float) -> float:
        """Radius of a landmark, likewise."""
        if self.point_size.pixels is not None:
            return self.point_size.pixels / 2
        return _pixels(self.point_size, self.point, self.point_limits, face, picture)

    def colour(self, track: int) -> Colour:
        """Colour of a track."""
        return self.colours[track % len(self.colours)]


def _pixels(
    size: Size, share: float, limits: tuple[float, float], face: float, picture: float
) -> float:
    if size.pixels is not None:
        return size.pixels
    low, high = (shrunk(picture) * limit for limit in limits)
    return size.factor * min(max(share * face, low), high)


def shrunk(picture: float) -> float:
    """How many times smaller the usual screen shows a picture of some long side, pixels."""
    return max(picture / _SCREEN, 1.0)


def parse_style(
    point_size: str | None = None,
    line_width: str | None = None,
    color: str | None = None,
    point_color: str | None = None,
) -> DrawStyle:
    """A style from the words of the command line; None is the usual.

    Raises:
        InputError: one of them cannot be understood.
    """
    usual = DrawStyle()
    colours = _colours(color, "--color") if color is not None else usual.colours
    points = _colours(point_color, "--point-color") if point_color is not None else (WHITE,)
    if len(points) != 1:
        raise InputError(f"--point-color {point_color}: points have one colour, give one.")
    return DrawStyle(
        line_width=_size(line_width, "--line-width") if line_width is not None else Size(),
        point_size=_size(point_size, "--point-size") if point_size is not None else Size(),
        colours=colours,
        point_colour=points[0],
    )


def _size(text: str, option: str) -> Size:
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(px|%)?\s*", text)
    value = float(found[1]) if found else 0.0
    if not found or not 0 < value <= _LARGEST_SIZE:
        raise InputError(
            f"{option} {text} is no size: give pixels (2.5), or per cent of the usual size, which "
            "follows the face (150%)."
        )
    return Size(factor=value / 100) if found[2] == "%" else Size(pixels=value)


def _colours(text: str, option: str) -> tuple[Colour, ...]:
    return tuple(_colour(name.strip(), option) for name in text.split(","))


def _colour(name: str, option: str) -> Colour:
    if name.lower() in COLOURS:
        return COLOURS[name.lower()]
    digits = name.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    if not name.startswith("#") or not re.fullmatch(r"[0-9a-fA-F]{6}", digits):
        raise InputError(
            f"{option}: no colour '{name}'; give #RRGGBB, or one of {', '.join(COLOURS)}."
        )
    red, green, blue = bytes.fromhex(digits)
    return red, green, blue
