"""Draw faces on a frame: landmarks, boundary curves, boxes and ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from model.markup import Markup
from tracker.strokes import Colour, Window

LAYERS = ("points", "curves", "ids", "box")
DEFAULT_LAYERS = frozenset({"points", "curves"})

# One colour per track, RGB: light and saturated, far from skin and from each other.
_PALETTE = (
    (64, 236, 220),
    (255, 190, 60),
    (255, 110, 190),
    (150, 240, 90),
    (130, 170, 255),
    (250, 240, 110),
)
_POINT_COLOUR = (255, 255, 255)
_CURVE_STEPS = 3  # straight pieces between two landmarks: smooth to the eye at any face size


class DrawnFace(Protocol):
    """What drawing needs of a face (see `tracker.results.Face`)."""

    @property
    def id(self) -> int:
        """Number of the track."""
        ...

    @property
    def landmarks(self) -> NDArray[np.float32]:
        """[K, 2], pixels."""
        ...


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
    """

    line: float = 0.0075
    line_limits: tuple[float, float] = (0.75, 7.0)
    point: float = 0.007
    point_limits: tuple[float, float] = (0.6, 7.0)
    halo: float = 0.5
    curve_opacity: float = 0.85


def parse_layers(text: str) -> frozenset[str]:
    """Layers named in a comma-separated list.

    Raises:
        InputError: a name is not in `LAYERS`, or there is none.
    """
    names = {name.strip() for name in text.split(",") if name.strip()}
    unknown = sorted(names - set(LAYERS))
    if unknown or not names:
        what = f"'{unknown[0]}'" if unknown else "nothing"
        raise InputError(f"cannot draw {what}: use a comma-separated list of {', '.join(LAYERS)}.")
    return frozenset(names)


def draw_faces(
    image: NDArray[np.uint8],
    faces: Sequence[DrawnFace],
    markup: Markup,
    layers: frozenset[str] = DEFAULT_LAYERS,
    style: DrawStyle = DrawStyle(),
) -> NDArray[np.uint8]:
    """An annotated copy of an image.

    Strokes are anti-aliased and placed at sub-pixel positions; their size follows the face.

    Args:
        image: [H, W, 3], uint8, RGB; stays as it is.
        faces: faces with landmarks [K, 2] in pixels, which may lie outside the image.
        markup: says which landmarks are joined by curves.
        layers: what to draw, names of `LAYERS`.
        style: stroke sizes.

    Returns:
        [H, W, 3], uint8, RGB.
    """
    canvas = image.copy()
    for face in faces:
        _draw_face(canvas, face, markup, layers, style)
    return canvas


def smooth_curve(points: NDArray[np.floating], steps: int = _CURVE_STEPS) -> NDArray[np.float64]:
    """Catmull-Rom spline through points.

    Args:
        points: [N, 2], N >= 2.
        steps: pieces between two points.

    Returns:
        [(N - 1) * steps + 1, 2]; every `steps`-th point is one of the given ones.
    """
    return _spline_matrix(len(points), steps) @ np.asarray(points, dtype=np.float64)


@lru_cache(maxsize=64)  # a markup has curves of a handful of lengths
def _spline_matrix(count: int, steps: int) -> NDArray[np.float64]:
    """[(count - 1) * steps + 1, count] weights of the given points in those of the spline."""
    # The ends are mirrored, so that the first and the last piece have a tangent.
    p = np.eye(count)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = (np.arange(steps) / steps)[None, :, None]
    a, b, c, d = (p[i : count - 1 + i, None, :] for i in range(4))
    pieces = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return np.concatenate([pieces.reshape(-1, count), p[-2:-1]])


def _draw_face(
    canvas: NDArray[np.uint8],
    face: DrawnFace,
    markup: Markup,
    layers: frozenset[str],
    style: DrawStyle,
) -> None:
    points = np.asarray(face.landmarks, dtype=np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    size = float((high - low).max())
    line = float(np.clip(style.line * size, *style.line_limits))
    radius = float(np.clip(style.point * size, *style.point_limits))
    colour = _PALETTE[face.id % len(_PALETTE)]
    margin = 3 * (line + radius)
    strokes = [smooth_curve(points[list(c)]) for c in markup.curves] if "curves" in layers else []
    if "box" in layers:
        (x0, y0), (x1, y1) = low - margin / 2, high + margin / 2
        strokes.append(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]]))
    dots = points if "points" in layers else points[:0]
    window = Window.around(canvas, low - margin, high + margin, size)
    if window is not None:
        # The rim reaches half a line's width beyond every stroke.
        rim, lines, discs = window.cover(), window.cover(), window.cover()
        window.lines(rim, strokes, 2 * line, rough=True)
        window.dots(rim, dots, radius + line / 2)
        window.lines(lines, strokes, line)
        window.dots(discs, dots, radius)
        window.blend(
            [
                (rim, (0, 0, 0), style.halo),
                (lines, colour, style.curve_opacity),
                (discs, _POINT_COLOUR, 1.0),
            ]
        )
    if "ids" in layers:
        _draw_label(canvas, f"{face.id}", (low[0], low[1] - margin), size, colour)


def _draw_label(
    canvas: NDArray[np.uint8],
    text: str,
    corner: tuple[float, float],
    size: float,
    colour: Colour,
) -> None:
    """Write a line of text with its lower left corner at `corner`, moved into the image."""
    scale = float(np.clip(size / 300, 0.4, 2.0))  # readable from 0.4 on, a tenth of the face above
    thickness = max(round(1.5 * scale), 1)
    (width, height), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    x = round(float(np.clip(corner[0], 0, max(canvas.shape[1] - width, 0))))
    y = round(float(np.clip(corner[1], height + base, max(canvas.shape[0] - base, height))))
    for tint, extra in (((0, 0, 0), 2 * thickness), (colour, 0)):
        cv2.putText(
            canvas,
            text,
            (x, y),
            cv2.FONT_HERSHEY_SIMPLEX,
            scale,
            tint,
            thickness + extra,
            cv2.LINE_AA,
        )
