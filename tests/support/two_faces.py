"""Composed clips of two people who look different, both made from the one portrait."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.assets.portrait import portrait_image

WIDTH, HEIGHT = 640, 360
_FACE = (224.0, 118.0)  # centre of the head in the portrait
_HEAD = (62, 78)  # half axes of an ellipse around it
Place = tuple[float, float]  # centre of a head in the frame, pixels


@cache
def people() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The portrait, and a mirrored one with another skin and another light."""
    image = portrait_image()
    other = image[:, ::-1].astype(np.float64)
    other = 255 * (other / 255) ** 1.6 * [0.75, 0.65, 0.6]
    light = np.linspace(0.7, 1.2, image.shape[1])[None, :, None]
    return image, np.clip(other * light, 0, 255).astype(np.uint8)


def background(seed: int = 0) -> NDArray[np.uint8]:
    """A room: a few soft blotches."""
    rng = np.random.default_rng(seed)
    small = rng.integers(70, 190, (6, 10, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC))


def compose(scene: NDArray[np.uint8], heads: list[tuple[int, Place, float]]) -> NDArray[np.uint8]:
    """Put heads into a scene, the last one in front.

    Args:
        scene: background.
        heads: (0 or 1: who, where, zoom of the portrait's head).
    """
    frame = scene.astype(np.float32)
    portraits = people()
    for who, (x, y), zoom in heads:
        image = portraits[who]
        centre = np.array(_FACE if who == 0 else (511 - _FACE[0], _FACE[1]))
        matrix = np.column_stack([zoom * np.eye(2), np.array([x, y]) - zoom * centre])
        head = cv2.warpAffine(image, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
        mask = np.zeros(image.shape[:2], dtype=np.float32)
        cv2.ellipse(mask, [int(centre[0]), int(centre[1])], list(_HEAD), 0, 0, 360, 1.0, -1)
        mask = cv2.GaussianBlur(mask, (0, 0), 2)
        mask = cv2.warpAffine(mask, matrix, (WIDTH, HEIGHT))[..., None]
        frame = frame * (1 - mask) + head * mask
    return np.rint(frame).astype(np.uint8)


def who_is_where(faces: tuple, heads: list[tuple[int, Place, float]]) -> dict[int, int]:
    """Face id -> person, by the nearest head."""
    found = {}
    for face in faces:
        middle = face.raw.mean(axis=0)
        away = [float(np.hypot(middle[0] - x, middle[1] - y)) for _, (x, y), _ in heads]
        nearest = int(np.argmin(away))
        assert away[nearest] < 60, "a face where there is nobody"
        found[face.id] = heads[nearest][0]
    return found
