"""Pictures of any size with one known face in them, or none, made of labelled face crops."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from model.crop import warp_image
from train.data.sample import Sample

# Of the box's long side: half axes of the ellipse that is cut out with a face, hair included, and
# the width over which it fades into the picture.
_AXES = (0.8, 0.9)
_FADE = 0.15
# Corners of face crops show what surrounds people and no face: this much of a crop's side lies
# outside the face's box on either side.
_CORNER = 0.15
# Parts of the background, across the picture's long side.
_PARTS = 8


def background(
    samples: Sequence[Sample], width: int, height: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """A picture without a face: pieces from beside the faces of photographs.

    Args:
        samples: where to take the pieces from; crops around faces.
        width: of the picture, pixels.
        height: the same.
        rng: source of the randomness.

    Returns:
        [height, width, 3], uint8, RGB.
    """
    part = -(-max(width, height) // _PARTS)
    picture = np.empty((height, width, 3), dtype=np.uint8)
    for y in range(0, height, part):
        for x in range(0, width, part):
            image = samples[int(rng.integers(len(samples)))].load()
            side = max(int(_CORNER * min(image.shape[:2])), 1)
            left = rng.integers(2) * (image.shape[1] - side)
            piece = cv2.resize(image[:side, left : left + side], (part, part))
            target = picture[y : y + part, x : x + part]
            target[...] = piece[: target.shape[0], : target.shape[1]]
    return picture


def put_face(
    picture: NDArray[np.uint8],
    sample: Sample,
    size: float,
    degrees: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Put a face into a picture, anywhere in it.

    Args:
        picture: [H, W, 3], changed.
        sample: the face.
        size: long side that its box of landmarks shall have, pixels.
        degrees: roll to add, clockwise on the screen.
        rng: source of the randomness.

    Returns:
        [K, 2]: its landmarks in the picture.
    """
    low, high = sample.points.min(axis=0), sample.points.max(axis=0)
    scale = size / float((high - low).max())
    angle = np.deg2rad(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    side = int(np.ceil(2 * (max(_AXES) + _FADE) * size)) + 2
    matrix = np.column_stack([turn, np.full(2, (side - 1) / 2) - turn @ ((low + high) / 2)])
    image = sample.load()
    face = warp_image(image, matrix, side)
    height, width = picture.shape[:2]
    room = np.array([width, height]) - size
    corner = np.floor(rng.uniform(0, 1, 2) * np.maximum(room, 0) + (size - side) / 2).astype(int)
    x0, y0 = np.maximum(corner, 0)
    x1, y1 = np.minimum(corner + side, [width, height])
    inside = np.s_[y0 - corner[1] : y1 - corner[1], x0 - corner[0] : x1 - corner[0]]
    shares = _shares(side, size, angle)[inside]
    target = picture[y0:y1, x0:x1]
    target[...] = np.rint(shares * face[inside] + (1 - shares) * target)
    return np.asarray(sample.points @ turn.T + matrix[:, 2] + corner, dtype=np.float64)


def _shares(side: int, size: float, angle: float) -> NDArray[np.float64]:
    """How much of each pixel is the face's: [side, side, 1], 0..1."""
    places = np.arange(side) - (side - 1) / 2
    x, y = np.meshgrid(places, places)
    across, down = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    radius = np.hypot(across / (_AXES[0] * size), down / (_AXES[1] * size))
    return np.asarray(np.clip((1 + _FADE - radius) / _FADE, 0, 1)[..., None], dtype=np.float64)
