"""What covers faces: hands, masks, glasses, hair and things held before them, painted over views.

The landmarks stay: points under a cover are where the face has them, as people label them. A
network learns from it to guess what it does not see from what it does, and to be less sure of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from model.markup import Markup
from tracker.measures.openings import EYES
from train.augmentation.face_contour import contour
from train.data.label_groups import face_regions

# Drawn larger by this factor, then shrunk: edges as a camera sees them.
_FINE = 2
# Share of views in which a cover throws a shadow, and how dark it is.
_SHADOWS, _SHADE = 0.5, (0.45, 0.85)


@dataclass(frozen=True, eq=False)
class View:
    """A face to be covered.

    Attributes:
        crop: [S, S, 3], uint8, RGB.
        points: [K, 2], pixels of the crop.
        markup: of the points.
    """

    crop: NDArray[np.uint8]
    points: NDArray[np.float64]
    markup: Markup

    @property
    def size(self) -> int:
        """Side of the crop, pixels."""
        return len(self.crop)

    def middle(self, region: str) -> NDArray[np.float64]:
        """[2] mean point of a region of the face (`train.data.label_groups.face_regions`)."""
        return np.asarray(self.points[face_regions(self.markup)[region]].mean(axis=0))

    @property
    def down(self) -> NDArray[np.float64]:
        """[2] from the eyes to the mouth, pixels: a third of a face, and which way it stands."""
        return self.middle("mouth") - self.middle("eyes")


# A shape drawn into an [S * _FINE, S * _FINE] mask, and what it is filled with, [S, S, 3] or [3].
_Cover = tuple[NDArray[np.uint8], NDArray[np.float32]]


def random_cover(
    crop: NDArray[np.uint8], points: NDArray[np.float64], markup: Markup, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Put something in front of a face.

    Args:
        crop: [S, S, 3], uint8, RGB.
        points: [K, 2], the face's landmarks in pixels of the crop.
        markup: of the points.
        rng: source of chance.

    Returns:
        [S, S, 3], uint8, RGB; another picture than `crop`.
    """
    view = View(crop, points, markup)
    kinds: list[Callable[[View, np.random.Generator], _Cover]] = [hand, hand, thing, hair, glasses]
    if contour(markup) is not None:
        kinds.append(mask)
    shape, filling = kinds[int(rng.integers(len(kinds)))](view, rng)
    size = (view.size, view.size)
    fine = cv2.resize(shape, size, interpolation=cv2.INTER_AREA)
    share = np.asarray(fine, dtype=np.float32) / np.float32(255)
    image = crop.astype(np.float32)
    if rng.random() < _SHADOWS:
        image = _shadowed(image, share, view, rng)
    covered = image + share[..., None] * (filling - image)
    return np.clip(np.rint(covered), 0, 255).astype(np.uint8)


def hand(view: View, rng: np.random.Generator) -> _Cover:
    """A palm and up to five fingers in the colour of the face's own skin."""
    palm = float(np.linalg.norm(view.down)) * rng.uniform(0.45, 0.8)
    # Mostly before mouth, chin and cheeks, where hands go.
    places = face_regions(view.markup)["mouth" if rng.random() < 0.4 else _any_region(view, rng)]
    centre = view.points[rng.choice(places)] + rng.normal(0, 0.3 * palm, 2)
    points_to = rng.uniform(0, 2 * np.pi)
    shape = _canvas(view)
    axes = palm * rng.uniform(0.8, 1.1), palm * rng.uniform(0.9, 1.3)
    _ellipse(shape, centre, axes, points_to)
    spread = rng.uniform(0.08, 0.25)
    fist = rng.random() < 0.25
    for number in range(0 if fist else int(rng.integers(3, 6))):
        angle = points_to + (number - 2) * spread + rng.normal(0, 0.04)
        way = np.array([np.cos(angle), np.sin(angle)])
        root = centre + 0.8 * palm * way
        length = palm * rng.uniform(0.9, 1.7)
        _line(shape, root, root + length * way, palm * rng.uniform(0.26, 0.38))
    return shape, _rounded(_skin(view, rng), shape, rng)


def thing(view: View, rng: np.random.Generator) -> _Cover:
    """A microphone, a cup, a telephone, a book: a ball or a box on a stem, from below or beside."""
    length = float(np.linalg.norm(view.down))
    target = view.points[int(rng.integers(len(view.points)))] + rng.normal(0, 0.3 * length, 2)
    way = view.down / max(length, 1e-6)
    turn = rng.normal(0, 0.6)
    way = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ way
    shape = _canvas(view)
    if rng.random() < 0.5:
        radius = length * rng.uniform(0.25, 0.6)
        _ellipse(shape, target, (radius, radius * rng.uniform(0.7, 1.0)), rng.uniform(0, np.pi))
        _line(shape, target, target + 4 * length * way, radius * rng.uniform(0.5, 1.2))
    else:
        half = length * rng.uniform(0.25, 0.9, 2)
        side = np.array([-way[1], way[0]])
        corners = [target + a * half[0] * side + b * half[1] * way for a, b in _SQUARE]
        _polygon(shape, np.array(corners))
    return shape, _rounded(_material(view, rng), shape, rng)


def hair(view: View, rng: np.random.Generator) -> _Cover:
    """Strands that fall from above over one side of the face."""
    down = view.down
    side = np.array([-down[1], down[0]]) * (1 if rng.random() < 0.5 else -1)
    top = view.middle("eyes") - down * rng.uniform(0.9, 1.6)
    reach = rng.uniform(1.0, 3.2)
    shape = _canvas(view)
    inner = rng.uniform(-0.3, 0.8)
    for _ in range(int(rng.integers(12, 60))):
        start = top + side * rng.uniform(-0.2, 0.5)
        over = side * (inner + rng.exponential(0.35))
        bend = start + over * rng.uniform(0.5, 1.2) + down * rng.uniform(0.2, 0.6) * reach
        end = start + over + down * reach * rng.uniform(0.7, 1.1)
        t = np.linspace(0, 1, 9)[:, None]
        curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end
        thick = max(1, round(view.size * _FINE * rng.uniform(0.004, 0.03)))
        cv2.polylines(shape, [_fixed(curve)], False, 255, thick, cv2.LINE_AA, 3)
    dark = rng.uniform(5, 90)
    colour = dark * np.array([1.0, rng.uniform(0.7, 1.0), rng.uniform(0.4, 1.0)])
    # Streaks along the strands: grain that is drawn out downwards.
    grain = rng.normal(0, 1, (view.size, view.size)).astype(np.float32)
    streaks = cv2.GaussianBlur(grain, (0, 0), sigmaX=0.7, sigmaY=view.size / 12)
    filling = rng.uniform(0.8, 1.8) * colour * (1 + streaks[..., None])
    return shape, filling.astype(np.float32)


def glasses(view: View, rng: np.random.Generator) -> _Cover:
    """Frames around both eyes, their glass dark, mirroring or clear."""
    shape = _canvas(view)
    eyes = [view.points[list(eye.corners)] for eye in EYES[view.markup.name]]
    middles = [eye.mean(axis=0) for eye in eyes]
    apart = middles[1] - middles[0]
    width = float(np.linalg.norm(apart))
    angle = float(np.arctan2(apart[1], apart[0]))
    half = width * rng.uniform(0.34, 0.48), width * rng.uniform(0.22, 0.42)
    thick = max(width * rng.uniform(0.02, 0.09), 1.0)
    strength = 255 if rng.random() < 0.4 else int(rng.uniform(0, 230))
    lower = view.down * rng.uniform(-0.02, 0.12)
    for middle, outwards in zip(middles, (-1, 1), strict=True):
        centre = middle + lower + outwards * 0.04 * apart
        _ellipse(shape, centre, half, angle, value=strength)
        _ellipse(shape, centre, half, angle, line=thick)
        temple = centre + outwards * np.array([[0.9 * half[0] / width], [2.0]]) * apart
        _line(shape, temple[0], temple[1] - 0.1 * view.down, thick)
    inner = (1 - half[0] / width) * apart
    _line(shape, middles[0] + lower + apart - inner, middles[0] + lower + inner, thick)
    colour = rng.uniform(0, 255, 3) if rng.random() < 0.3 else np.full(3, rng.uniform(0, 70))
    flat = np.broadcast_to(colour.astype(np.float32), view.crop.shape)
    # What a lens mirrors: soft light from somewhere.
    cells = rng.uniform(0, 1, (4, 4)).astype(np.float32) ** 3
    light = cv2.resize(cells, (view.size, view.size), interpolation=cv2.INTER_CUBIC)[..., None]
    return shape, np.asarray(flat + 200 * rng.random() * np.clip(light, 0, 1), np.float32)


def mask(view: View, rng: np.random.Generator) -> _Cover:
    """Cloth over mouth and chin, up to the bridge of the nose or under the nose."""
    jaw = contour(view.markup)
    assert jaw is not None
    ends = int(len(jaw) * rng.uniform(0.1, 0.28))
    line = view.points[jaw[ends : len(jaw) - ends]]
    eyes, mouth = view.middle("eyes"), view.middle("mouth")
    top = eyes + (mouth - eyes) * rng.uniform(0.1, 0.6)
    # Cloth stands off the chin.
    outwards = line - mouth
    line = mouth + outwards * rng.uniform(1.0, 1.12)
    edge = np.stack([line[-1], (line[-1] + 3 * top) / 4, top, (line[0] + 3 * top) / 4, line[0]])
    shape = _canvas(view)
    _polygon(shape, np.concatenate([line, edge[1:-1]]))
    return shape, _rounded(_material(view, rng), shape, rng)


_SQUARE = ((-1, -1), (1, -1), (1, 1), (-1, 1))


def _any_region(view: View, rng: np.random.Generator) -> str:
    names = [name for name, points in face_regions(view.markup).items() if len(points)]
    return names[int(rng.integers(len(names)))]


def _canvas(view: View) -> NDArray[np.uint8]:
    return np.zeros((view.size * _FINE, view.size * _FINE), dtype=np.uint8)


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Points of the crop as OpenCV's drawing wants them: of the fine mask, with 3 binary digits."""
    fine = (points + 0.5) * _FINE - 0.5
    # Far outside is as good as a little outside; OpenCV's integers end somewhere.
    return np.rint(np.clip(fine, -4000, 4000) * 8).astype(np.int32)


def _ellipse(
    shape: NDArray[np.uint8],
    centre: NDArray[np.float64],
    axes: tuple[float, float],
    angle: float,
    *,
    value: int = 255,
    line: float | None = None,
) -> None:
    thick = cv2.FILLED if line is None else max(1, round(line * _FINE))
    x, y = _fixed(centre).tolist()
    half = [round(8 * _FINE * axis) for axis in axes]
    cv2.ellipse(
        shape, (x, y), half, float(np.rad2deg(angle)), 0, 360, value, thick, cv2.LINE_AA, 3
    )  # fmt: skip


def _line(
    shape: NDArray[np.uint8], start: NDArray[np.float64], end: NDArray[np.float64], width: float
) -> None:
    first, last = _fixed(start).tolist(), _fixed(end).tolist()
    cv2.line(shape, first, last, 255, max(1, round(width * _FINE)), cv2.LINE_AA, 3)


def _polygon(shape: NDArray[np.uint8], corners: NDArray[np.float64]) -> None:
    cv2.fillPoly(shape, [_fixed(corners)], 255, cv2.LINE_AA, 3)


def _skin(view: View, rng: np.random.Generator) -> NDArray[np.float32]:
    """[S, S, 3] skin like the face's: a part of it, drawn out and out of focus."""
    x, y = view.middle("nose") + rng.normal(0, 0.15, 2) * np.linalg.norm(view.down)
    half = max(4, view.size // 10)
    left, upper = (int(np.clip(v - half, 0, view.size - 2 * half)) for v in (x, y))
    patch = view.crop[upper : upper + 2 * half, left : left + 2 * half]
    # Brows and nostrils are smoothed away, not the light on the skin.
    small = cv2.resize(patch, (6, 6), interpolation=cv2.INTER_AREA).astype(np.float32)
    large = cv2.resize(small, (view.size, view.size), interpolation=cv2.INTER_CUBIC)
    strength = rng.uniform(1, 5)
    grain = rng.normal(0, strength, (view.size, view.size, 3)).astype(np.float32)
    tone = rng.uniform(0.75, 1.2) * rng.uniform(0.95, 1.05, 3)
    return np.asarray(large * tone + cv2.GaussianBlur(grain, (0, 0), 1.0), dtype=np.float32)


def _material(view: View, rng: np.random.Generator) -> NDArray[np.float32]:
    """[S, S, 3] of a colour, of stripes or blotches, or of another part of the picture."""
    chance, side = rng.random(), view.size
    if chance < 0.25:
        shift = rng.integers(side // 4, 3 * side // 4, 2)
        rolled = np.roll(view.crop, (int(shift[0]), int(shift[1])), axis=(0, 1))
        return rolled.astype(np.float32)
    bright = rng.uniform(0, 255)
    colour = np.clip(bright + rng.normal(0, 40, 3), 0, 255)
    if chance < 0.6:
        return np.full((side, side, 3), colour, dtype=np.float32)
    rows, columns = (int(rng.integers(1, 24)) for _ in range(2))
    cells = rng.normal(0, rng.uniform(5, 60), (rows, columns, 3)).astype(np.float32)
    return np.asarray(colour + cv2.resize(cells, (side, side)), dtype=np.float32)


def _rounded(
    filling: NDArray[np.float32], shape: NDArray[np.uint8], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Shade a filling towards the edge of its shape, and across it: it is no flat paint."""
    side = len(filling)
    inside = cv2.resize(shape, (side, side), interpolation=cv2.INTER_AREA)
    depth = cv2.distanceTransform((inside > 127).astype(np.uint8), cv2.DIST_L2, 3)
    edge = rng.uniform(0.55, 1.0)
    round_ = edge + (1 - edge) * np.minimum(depth / (side * rng.uniform(0.03, 0.12)), 1)
    y, x = np.mgrid[:side, :side].astype(np.float32) / side - 0.5
    across = rng.normal(0, 0.4, 2)
    light = np.clip(1 + x * across[0] + y * across[1], 0.4, 1.6)
    return np.asarray(filling * (round_ * light)[..., None], dtype=np.float32)


def _shadowed(
    image: NDArray[np.float32], share: NDArray[np.float32], view: View, rng: np.random.Generator
) -> NDArray[np.float32]:
    way = rng.normal(0, 0.04, 2) * view.size
    shift = np.array([[1, 0, way[0]], [0, 1, way[1]]])
    soft = cv2.GaussianBlur(share, (0, 0), view.size * rng.uniform(0.01, 0.05))
    dark = cv2.warpAffine(soft, shift, (view.size, view.size))
    return np.asarray(image * (1 - (1 - rng.uniform(*_SHADE)) * dark[..., None]), np.float32)
