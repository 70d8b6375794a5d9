"""What is not a face: places beside one, textures, and what may be in front of one."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from model.crop import CROP_SCALE, Region, crop_image, region_from_landmarks
from train.data.sample import Sample

# Sides of a place beside a face, in regions of the face. Data sets often store little more.
_BESIDE = (0.2, 0.6)
_TRIES = 40


def place_beside(
    sample: Sample, image: NDArray[np.uint8], rng: np.random.Generator
) -> Region | None:
    """A square of the picture that the face hardly reaches into, or None if there is no room.

    Args:
        sample: the face.
        image: its picture, [H, W, 3].
        rng: source of chance.

    Returns:
        A region, turned at random, its centre in the picture.
    """
    height, width = image.shape[:2]
    face = region_from_landmarks(sample.points, scale=1.0)
    for _ in range(_TRIES):
        side = float(rng.uniform(*_BESIDE)) * CROP_SCALE * face.size
        x, y = (
            rng.uniform(side / 2, max(width - side / 2, side)),
            rng.uniform(side / 2, max(height - side / 2, side)),
        )
        inside = x + side / 2 <= width and y + side / 2 <= height
        apart = max(abs(x - face.x), abs(y - face.y))
        if inside and apart >= (side + face.size) / 2 * 0.95:
            return Region(float(x), float(y), side, float(np.deg2rad(rng.normal(0, 10))))
    return None


def texture_of(
    sample: Sample, image: NDArray[np.uint8], size: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """A texture: the background of a picture, a colour, a gradient, or noise.

    Args:
        sample: a face.
        image: its picture, [H, W, 3].
        size: side of the texture, pixels.
        rng: source of chance.

    Returns:
        [size, size, 3], uint8, RGB.
    """
    chance = rng.random()
    beside = place_beside(sample, image, rng) if chance < 0.6 else None
    if beside is not None:
        part = crop_image(image, replace(beside, size=beside.size * 0.5), size // 2)
        # Mirrored, so that the pattern goes on.
        tiled = np.concatenate([part, part[:, ::-1]], axis=1)
        return np.asarray(
            cv2.resize(np.concatenate([tiled, tiled[::-1]]), (size, size)), dtype=np.uint8
        )
    colours = rng.uniform(0, 255, (2, 3))
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:size, :size] / size - 0.5
    share = np.clip(0.5 + (x * np.cos(angle) + y * np.sin(angle)) * rng.uniform(0, 2), 0, 1)
    plain = colours[0] + share[..., None] * (colours[1] - colours[0])
    if chance > 0.8:
        cells = int(rng.integers(3, 48))
        grain = rng.normal(0, rng.uniform(5, 60), (cells, cells, 3)).astype(np.float32)
        plain = plain + cv2.resize(grain, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.clip(np.rint(plain), 0, 255).astype(np.uint8)


def cover_mask(
    points: NDArray[np.float64], share: float, size: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Something in front of a face: a half-plane, or an ellipse around one of its points.

    Args:
        points: [K, 2] the face's landmarks, crop pixels.
        share: of the landmarks that are to be covered, 0..1.
        size: side S of the crop, pixels.
        rng: source of chance.

    Returns:
        [S, S], True where it is covered; it covers that share of the landmarks, rounded.
    """
    y, x = np.mgrid[:size, :size].astype(np.float64)
    angle = rng.uniform(0, 2 * np.pi)
    cos, sin = np.cos(angle), np.sin(angle)
    if rng.random() < 0.5:

        def depth(px: NDArray[np.float64], py: NDArray[np.float64]) -> NDArray[np.float64]:
            return px * cos + py * sin
    else:
        cx, cy = points[int(rng.integers(len(points)))]
        flat = rng.uniform(0.5, 1.0)

        def depth(px: NDArray[np.float64], py: NDArray[np.float64]) -> NDArray[np.float64]:
            along, across = (px - cx) * cos + (py - cy) * sin, (py - cy) * cos - (px - cx) * sin
            return np.hypot(along, across / flat)

    reach = np.quantile(depth(points[:, 0], points[:, 1]), share)
    return np.asarray(depth(x, y) <= reach, dtype=np.bool_)
