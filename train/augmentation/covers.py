"""What covers faces: hands, masks, glasses, hair and things held before them, painted over views.

The landmarks stay: points under a cover are where the face has them, as people label them. A
network learns from it to guess what it does not see from what it does, and to be less sure of it.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from train.augmentation.cover_filling import material, rounded, shadowed, skin
from train.augmentation.cover_shapes import FINE, canvas, ellipse, fixed, line, polygon
from train.augmentation.face_contour import contour
from train.augmentation.face_view import FaceView
from train.data.label_groups import face_regions

# Share of views in which a cover throws a shadow.
_SHADOWS = 0.5


# A shape drawn into an [S * FINE, S * FINE] mask, and what it is filled with, [S, S, 3] or [3].
_Cover = tuple[NDArray[np.uint8], NDArray[np.float32]]
_Kind = Callable[[FaceView, np.random.Generator], _Cover]


def random_cover(view: FaceView, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The crop, [S, S, 3], uint8, RGB, with something in front of the face."""
    kinds: list[_Kind] = [hand, hand, thing, hair, glasses]
    if contour(view.markup) is not None:
        kinds.append(mask)
    shape, filling = kinds[int(rng.integers(len(kinds)))](view, rng)
    size = (view.size, view.size)
    fine = cv2.resize(shape, size, interpolation=cv2.INTER_AREA)
    share = np.asarray(fine, dtype=np.float32) / np.float32(255)
    image = view.crop.astype(np.float32)
    if rng.random() < _SHADOWS:
        image = shadowed(image, share, view, rng)
    covered = image + share[..., None] * (filling - image)
    return np.clip(np.rint(covered), 0, 255).astype(np.uint8)


def hand(view: FaceView, rng: np.random.Generator) -> _Cover:
    """A palm and up to five fingers in the colour of the face's own skin."""
    palm = float(np.linalg.norm(view.down)) * rng.uniform(0.45, 0.8)
    # Mostly before mouth, chin and cheeks, where hands go.
    places = face_regions(view.markup)["mouth" if rng.random() < 0.4 else _any_region(view, rng)]
    centre = view.points[rng.choice(places)] + rng.normal(0, 0.3 * palm, 2)
    points_to = rng.uniform(0, 2 * np.pi)
    shape = canvas(view.size)
    axes = palm * rng.uniform(0.8, 1.1), palm * rng.uniform(0.9, 1.3)
    ellipse(shape, centre, axes, points_to)
    spread = rng.uniform(0.08, 0.25)
    fist = rng.random() < 0.25
    for number in range(0 if fist else int(rng.integers(3, 6))):
        angle = points_to + (number - 2) * spread + rng.normal(0, 0.04)
        way = np.array([np.cos(angle), np.sin(angle)])
        root = centre + 0.8 * palm * way
        length = palm * rng.uniform(0.9, 1.7)
        line(shape, root, root + length * way, palm * rng.uniform(0.26, 0.38))
    return shape, rounded(skin(view, rng), shape, rng)


def thing(view: FaceView, rng: np.random.Generator) -> _Cover:
    """A microphone, a cup, a telephone, a book: a ball or a box on a stem, from below or beside."""
    length = float(np.linalg.norm(view.down))
    target = view.points[int(rng.integers(len(view.points)))] + rng.normal(0, 0.3 * length, 2)
    way = view.down / max(length, 1e-6)
    turn = rng.normal(0, 0.6)
    way = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ way
    shape = canvas(view.size)
    if rng.random() < 0.5:
        radius = length * rng.uniform(0.25, 0.6)
        ellipse(shape, target, (radius, radius * rng.uniform(0.7, 1.0)), rng.uniform(0, np.pi))
        line(shape, target, target + 4 * length * way, radius * rng.uniform(0.5, 1.2))
    else:
        half = length * rng.uniform(0.25, 0.9, 2)
        side = np.array([-way[1], way[0]])
        corners = [target + a * half[0] * side + b * half[1] * way for a, b in _SQUARE]
        polygon(shape, np.array(corners))
    return shape, rounded(material(view, rng), shape, rng)


def hair(view: FaceView, rng: np.random.Generator) -> _Cover:
    """Strands that fall from above over one side of the face."""
    down = view.down
    side = np.array([-down[1], down[0]]) * (1 if rng.random() < 0.5 else -1)
    top = view.middle("eyes") - down * rng.uniform(0.9, 1.6)
    reach = rng.uniform(1.0, 3.2)
    shape = canvas(view.size)
    inner = rng.uniform(-0.3, 0.8)
    for _ in range(int(rng.integers(12, 60))):
        start = top + side * rng.uniform(-0.2, 0.5)
        over = side * (inner + rng.exponential(0.35))
        bend = start + over * rng.uniform(0.5, 1.2) + down * rng.uniform(0.2, 0.6) * reach
        end = start + over + down * reach * rng.uniform(0.7, 1.1)
        t = np.linspace(0, 1, 9)[:, None]
        curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end
        thick = max(1, round(view.size * FINE * rng.uniform(0.004, 0.03)))
        cv2.polylines(shape, [fixed(curve)], False, 255, thick, cv2.LINE_AA, 3)
    dark = rng.uniform(5, 90)
    colour = dark * np.array([1.0, rng.uniform(0.7, 1.0), rng.uniform(0.4, 1.0)])
    # Streaks along the strands: grain that is drawn out downwards.
    grain = rng.normal(0, 1, (view.size, view.size)).astype(np.float32)
    streaks = cv2.GaussianBlur(grain, (0, 0), sigmaX=0.7, sigmaY=view.size / 12)
    filling = rng.uniform(0.8, 1.8) * colour * (1 + streaks[..., None])
    return shape, filling.astype(np.float32)


def glasses(view: FaceView, rng: np.random.Generator) -> _Cover:
    """Frames around both eyes, their glass dark, mirroring or clear."""
    shape = canvas(view.size)
    eyes = [view.points[list(eye.corners)] for eye in view.markup.roles.eyes or ()]
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
        ellipse(shape, centre, half, angle, value=strength)
        ellipse(shape, centre, half, angle, line=thick)
        temple = centre + outwards * np.array([[0.9 * half[0] / width], [2.0]]) * apart
        line(shape, temple[0], temple[1] - 0.1 * view.down, thick)
    inner = (1 - half[0] / width) * apart
    line(shape, middles[0] + lower + apart - inner, middles[0] + lower + inner, thick)
    colour = rng.uniform(0, 255, 3) if rng.random() < 0.3 else np.full(3, rng.uniform(0, 70))
    flat = np.broadcast_to(colour.astype(np.float32), view.crop.shape)
    # What a lens mirrors: soft light from somewhere.
    cells = rng.uniform(0, 1, (4, 4)).astype(np.float32) ** 3
    light = cv2.resize(cells, (view.size, view.size), interpolation=cv2.INTER_CUBIC)[..., None]
    return shape, np.asarray(flat + 200 * rng.random() * np.clip(light, 0, 1), np.float32)


def mask(view: FaceView, rng: np.random.Generator) -> _Cover:
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
    shape = canvas(view.size)
    polygon(shape, np.concatenate([line, edge[1:-1]]))
    return shape, rounded(material(view, rng), shape, rng)


_SQUARE = ((-1, -1), (1, -1), (1, 1), (-1, 1))


def _any_region(view: FaceView, rng: np.random.Generator) -> str:
    names = [name for name, points in face_regions(view.markup).items() if len(points)]
    return names[int(rng.integers(len(names)))]
