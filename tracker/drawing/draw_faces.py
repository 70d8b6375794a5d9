"""Draw faces on a frame: landmarks, curves, the network's maps, head axes, boxes and ids."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.crop import Region
from model.errors import InputError
from model.markup import Markup
from tracker.drawing.head_axes import draw_axes
from tracker.drawing.network_maps import draw_attention, draw_boundaries
from tracker.drawing.strokes import Window
from tracker.drawing.style import DrawStyle
from tracker.drawing.text_label import draw_label
from tracker.engines.base import Maps
from tracker.measures.head_pose import tells_pose
from tracker.measures.intrinsics import Intrinsics

LAYERS = ("points", "curves", "boundaries", "pose", "ids", "box", "attention")
MAP_LAYERS = frozenset({"boundaries", "attention"})
DEFAULT_LAYERS = frozenset({"points", "curves"})

_CURVE_STEPS = 3  # straight pieces between two landmarks: smooth to the eye at any face size


class DrawnFace(Protocol):
    """What drawing needs of a face (see `tracker.tracking.results.Face`)."""

    @property
    def id(self) -> int:
        """Number of the track."""
        ...

    @property
    def landmarks(self) -> NDArray[np.float32]:
        """[K, 2], pixels."""
        ...

    @property
    def region(self) -> Region:
        """What the network read; needed for maps only."""
        ...

    @property
    def maps(self) -> Maps | None:
        """What it saw there; needed for maps only."""
        ...


def wants_maps(layers: frozenset[str]) -> bool:
    """Whether a layer shows the network's maps, which the tracker must be asked for."""
    return not layers.isdisjoint(MAP_LAYERS)


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


def check_layers(layers: frozenset[str], markup: Markup) -> None:
    """Refuse to draw what a markup cannot tell.

    Raises:
        InputError: head poses of points of which nobody has said where on a head they are.
    """
    if "pose" in layers and not tells_pose(markup):
        raise InputError(
            f"the markup {markup} does not say where on a head its points are (roles, wflw98), so "
            "there is no pose to draw: leave it out of --draw."
        )


def draw_faces(
    image: NDArray[np.uint8],
    faces: Sequence[DrawnFace],
    markup: Markup,
    layers: frozenset[str] = DEFAULT_LAYERS,
    style: DrawStyle = DrawStyle(),  # noqa: B008 (frozen)
    *,
    camera: Intrinsics | None = None,
) -> NDArray[np.uint8]:
    """An annotated copy of an image.

    Strokes are anti-aliased and placed at sub-pixel positions; their size follows the face. Maps
    lie under the strokes of all faces.

    Args:
        image: [H, W, 3], uint8, RGB; stays as it is.
        faces: faces with landmarks [K, 2] in pixels, which may lie outside the image.
        markup: says which landmarks are joined by curves.
        layers: what to draw, names of `LAYERS`.
        style: sizes and colours.
        camera: for the head's axes; None assumes the usual field of view.

    Returns:
        [H, W, 3], uint8, RGB.

    Raises:
        InputError: maps are to be drawn that the faces do not have.
    """
    canvas = image.copy()
    if wants_maps(layers):
        for face in faces:
            _draw_maps(canvas, face, layers)
    for face in faces:
        _draw_face(canvas, face, markup, layers, style)
    if "pose" in layers:
        camera = camera or Intrinsics.from_fov(image.shape[1], image.shape[0])
        for face in faces:
            draw_axes(canvas, face.landmarks, markup, style, camera)
    return canvas


def _draw_maps(canvas: NDArray[np.uint8], face: DrawnFace, layers: frozenset[str]) -> None:
    if face.maps is None:
        raise InputError(
            "the faces come without the network's maps: track with TrackerOptions(maps=True) to "
            f"draw {' and '.join(sorted(MAP_LAYERS & layers))}."
        )
    if "attention" in layers:
        draw_attention(canvas, face.region, face.maps)
    if "boundaries" in layers:
        draw_boundaries(canvas, face.region, face.maps)


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
    picture = max(canvas.shape[:2])
    line, radius = style.line_pixels(size, picture), style.point_radius(size, picture)
    colour = style.colour(face.id)
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
                (discs, style.point_colour, 1.0),
            ]
        )
    if "ids" in layers:
        draw_label(canvas, f"{face.id}", (low[0], low[1] - margin), size, colour)
