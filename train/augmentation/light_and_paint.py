"""Strong light and painted faces: stages, windows, sunsets, make-up, fans' colours.

Landmarks stay where they are; only colours change.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from train.augmentation.face_contour import contour
from train.augmentation.face_view import FaceView
from train.data.label_groups import face_regions

# Light of the dark side over that of the bright side, logarithms; and how far colours of the two
# sides are apart. A window at dusk is a tenth as bright as outside.
_DARK = (-2.3, -0.3)
_TINT = 0.35
# Lips, lids and cheeks painted, or the whole face.
_WHOLE_FACE = 0.3


def random_light(crop: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Light a view from one side, in colours, with or without an edge of shadow across it.

    Args:
        crop: [S, S, 3], uint8, RGB.
        rng: source of chance.

    Returns:
        [S, S, 3], uint8, RGB.
    """
    side = len(crop)
    y, x = (np.mgrid[:side, :side] / side - 0.5).astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    across = np.cos(angle) * x + np.sin(angle) * y - np.float32(rng.uniform(-0.3, 0.3))
    # A half shadow of a sixth of the crop, or an edge as sharp as that of a hat.
    width = rng.uniform(0.15, 0.6) if rng.random() < 0.6 else rng.uniform(0.01, 0.05)
    bright = 1 / (1 + np.exp(-np.clip(across / np.float32(0.25 * width), -30, 30)))
    near, far = rng.uniform(*_DARK) + rng.normal(0, _TINT, 3), rng.normal(0.2, _TINT, 3)
    levels = near + bright[..., None] * (far - near)
    # In linear light: an exposure of camera values to the power of 2.2.
    image = crop.astype(np.float32) * np.exp(levels.astype(np.float32) / np.float32(2.2))
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def random_paint(view: FaceView, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The crop, [S, S, 3], uint8, RGB, with lips, lids or cheeks painted, or all of the face."""
    whole = rng.random() < _WHOLE_FACE and contour(view.markup) is not None
    shares = _face_paint if whole else _make_up
    image = view.crop.astype(np.float32)
    for share in shares(view, rng):
        colour = rng.uniform(0, 255, 3).astype(np.float32)
        # Paint keeps a part of the light and shade under it.
        light = image.mean(axis=2, keepdims=True) / 128 if rng.random() < 0.7 else 1.0
        image += share[..., None] * (np.minimum(colour * light, 255) - image)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _make_up(view: FaceView, rng: np.random.Generator) -> list[NDArray[np.float32]]:
    """Shares of paint, [S, S] each: of lips, lids, cheeks."""
    side, regions, down = view.size, face_regions(view.markup), view.down
    eyes, mouth = view.points[regions["eyes"]], view.points[regions["mouth"]]
    right = np.array([down[1], -down[0]])
    shares = []
    if rng.random() < 0.6:
        shares.append(_hull(side, mouth, rng))
    if rng.random() < 0.6:
        left = (eyes - eyes.mean(axis=0)) @ right < 0
        lift = rng.uniform(0.1, 0.35) * down
        lids = [np.concatenate([eye, eye - lift]) for eye in (eyes[left], eyes[~left])]
        shares.append(np.maximum(*(_hull(side, lid, rng) for lid in lids)))
    if not shares or rng.random() < 0.4:
        radius = float(np.linalg.norm(down)) * rng.uniform(0.2, 0.5)
        cheeks = [eyes.mean(axis=0) + 0.6 * down + sign * 0.6 * right for sign in (-1, 1)]
        shares.append(np.maximum(*(_spot(side, cheek, radius, rng) for cheek in cheeks)))
    return shares


def _face_paint(view: FaceView, rng: np.random.Generator) -> list[NDArray[np.float32]]:
    """Shares of paint, [S, S] each: stripes or patches within the outline of the face."""
    side = view.size
    face = _hull(side, view.points, rng)
    cells = rng.normal(0, 1, tuple(rng.integers(2, 9, 2))).astype(np.float32)
    if rng.random() < 0.5:
        cells = np.repeat(cells[:, :1], cells.shape[1], axis=1)
        cells = cells.T if rng.random() < 0.5 else cells
    pattern = cv2.resize(np.ascontiguousarray(cells), (side, side), interpolation=cv2.INTER_CUBIC)
    hard = np.float32(rng.uniform(2, 20))
    first = 1 / (1 + np.exp(-np.clip(hard * pattern, -30, 30)))
    if rng.random() < 0.5:
        return [face * first]
    return [face * first, face * (1 - first)]


def _hull(side: int, points: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float32]:
    """[S, S] share of paint, 0..1, within the outline of points, soft at its edge."""
    share = np.zeros((side, side), dtype=np.float32)
    corners = cv2.convexHull(np.rint(np.clip(points, -4000, 4000)).astype(np.int32))
    cv2.fillConvexPoly(share, corners, float(rng.uniform(0.3, 1.0)))
    return np.asarray(cv2.GaussianBlur(share, (0, 0), side * rng.uniform(0.005, 0.025)), np.float32)


def _spot(
    side: int, centre: NDArray[np.float64], radius: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """[S, S] share of paint, 0..1, that fades away from a place."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    off = ((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / max(radius, 1.0) ** 2
    return np.asarray(rng.uniform(0.2, 0.8) * np.exp(-2 * off), dtype=np.float32)
