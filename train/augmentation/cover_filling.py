"""What covers of a face are made of, and how light falls on them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from train.augmentation.face_view import FaceView

# How dark the shadow of a cover is.
_SHADE = (0.45, 0.85)


def skin(view: FaceView, rng: np.random.Generator) -> NDArray[np.float32]:
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


def material(view: FaceView, rng: np.random.Generator) -> NDArray[np.float32]:
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


def rounded(
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


def shadowed(
    image: NDArray[np.float32], share: NDArray[np.float32], view: FaceView, rng: np.random.Generator
) -> NDArray[np.float32]:
    """A picture [S, S, 3] with the shadow of what covers a share [S, S], 0..1, of each pixel."""
    way = rng.normal(0, 0.04, 2) * view.size
    shift = np.array([[1, 0, way[0]], [0, 1, way[1]]])
    soft = cv2.GaussianBlur(share, (0, 0), view.size * rng.uniform(0.01, 0.05))
    dark = cv2.warpAffine(soft, shift, (view.size, view.size))
    return np.asarray(image * (1 - (1 - rng.uniform(*_SHADE)) * dark[..., None]), np.float32)
