"""Faces, and what a network sees of them when their pictures are changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from model.crop import CROP_SCALE, Region, crop_image, crop_matrix, to_crop
from model.markup import AnyMarkup

# Half of what is cut out around a face before the picture is changed, in face sizes: the crop
# reaches 0.65, the widest blur 0.2 further.
_AROUND = 1.0


@dataclass(frozen=True, eq=False)
class ChangedFace:
    """A face to change.

    Attributes:
        number: seed of its chance.
        image: the picture, [H, W, 3], uint8, RGB.
        region: the clean crop, pixels of the picture.
        points: [K, 2] true landmarks, pixels of the picture.
        markup: of the landmarks.
        texture: [S, S, 3], uint8, what may cover the face; S is the side of the crops.
    """

    number: int
    image: NDArray[np.uint8]
    region: Region
    points: NDArray[np.float64]
    markup: AnyMarkup
    texture: NDArray[np.uint8]

    @property
    def size(self) -> float:
        """Long side of the face's box, pixels."""
        return self.region.size / CROP_SCALE

    def chance(self) -> np.random.Generator:
        """The same numbers for every step."""
        return np.random.default_rng((0, self.number))


@dataclass(frozen=True, eq=False)
class Shot:
    """What the network sees of a face.

    Attributes:
        crop: [S, S, 3], uint8, RGB.
        matrix: [2, 3], pixels of the unchanged picture to pixels of the crop.
        moved: [K, 2] where the landmarks went, pixels of the unchanged picture; None: they stayed.
    """

    crop: NDArray[np.uint8]
    matrix: NDArray[np.float64]
    moved: NDArray[np.float64] | None = None


def clean_shot(face: ChangedFace, size: int) -> Shot:
    """The crop of the unchanged picture."""
    return cut(face, face.region, size)


def cut(face: ChangedFace, region: Region, size: int) -> Shot:
    """A crop of `size` pixels of the unchanged picture; `region` is in its pixels."""
    return Shot(crop_image(face.image, region, size), crop_matrix(region, size))


def cut_near(
    face: ChangedFace,
    pixels: float,
    size: int,
    change: Callable[[NDArray[np.uint8], float], NDArray[np.uint8]],
) -> Shot:
    """Shrink the surroundings of a face to at most that size, change them, and cut the crop.

    Args:
        face: the face.
        pixels: size to shrink it to; a smaller face stays as it is.
        size: side of the crop, pixels.
        change: gets the surroundings and the size of the face in them.
    """
    height, width = face.image.shape[:2]
    reach = _AROUND * face.size
    x0 = int(np.clip(np.floor(face.region.x - reach), 0, width - 1))
    y0 = int(np.clip(np.floor(face.region.y - reach), 0, height - 1))
    x1 = int(np.clip(np.ceil(face.region.x + reach) + 1, x0 + 1, width))
    y1 = int(np.clip(np.ceil(face.region.y + reach) + 1, y0 + 1, height))
    part = face.image[y0:y1, x0:x1]
    factor = min(1.0, pixels / face.size)
    if factor < 1:
        # By the factor, not to a number of pixels: rounded sides would stretch the face.
        resized = cv2.resize(part, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        part = np.asarray(resized, dtype=np.uint8)
    # Pixels are counted from their centres: new + 0.5 = factor (old + 0.5).
    offset = factor * (0.5 - np.array([x0, y0])) - 0.5
    to_part = np.column_stack([factor * np.eye(2), offset])
    x, y = to_crop(np.array([face.region.x, face.region.y]), to_part)
    region = Region(float(x), float(y), factor * face.region.size, face.region.angle)
    crop = crop_image(change(part, factor * face.size), region, size)
    matrix = crop_matrix(region, size) @ np.vstack([to_part, [0, 0, 1]])
    return Shot(crop, matrix)
