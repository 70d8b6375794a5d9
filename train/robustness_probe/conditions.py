"""What can make a face hard to follow, in steps: each condition changes one thing about a crop.

Lengths are in face sizes: the long side of the face's box. The clean crop is that of
`train.evaluate` with the true box, so the step of each condition that changes nothing has its NME.
Chance (directions, noise, what covers a face) depends on the face's number only: a longer blur has
the same direction, a larger cover the same place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from model.crop import crop_matrix, from_crop, to_crop
from train.augmentation.occluders import cover_mask
from train.augmentation.random_view import jpeg, motion_kernel
from train.augmentation.turned_head import MOST, Turn, turned_crop
from train.data.label_groups import head_pose
from train.robustness_probe.changed_face import ChangedFace, Shot, clean_shot, cut, cut_near

# Noise and JPEG belong to the pixels of a camera. Larger faces are first shrunk to this size, that
# of a face in a usual video; otherwise the noise of a large photograph would average out.
CAMERA_FACE = 128.0
# More than the crop of any network shows; blurring photographs at full size would take minutes.
_BLURRED_FACE = 256.0
# Electrons of a white pixel at full light, and the read noise: a webcam's small pixels.
_FULL_WELL = 5000.0
_READ_NOISE = 4.0
_GAMMA = 2.2


@dataclass(frozen=True)
class Condition:
    """One thing that changes.

    Attributes:
        name: what it is, and in which unit.
        values: its steps.
        clean: the value that changes nothing, None if each changes something.
        show: format of a value, for people.
        change: makes the shot of a face for a value that is not the clean one and a side of the
            crop in pixels; None for a face that cannot be had like that.
        clean_word: how to call the clean step, where its value says nothing.
    """

    name: str
    values: tuple[float, ...]
    clean: float | None
    show: str
    change: Callable[[ChangedFace, float, int], Shot | None]
    clean_word: str | None = None

    def label(self, value: float) -> str:
        """What people read for a value."""
        if value == self.clean and self.clean_word:
            return self.clean_word
        return self.show.format(value)


def small(face: ChangedFace, pixels: float, size: int) -> Shot | None:
    """A face of that size in a smaller picture; None if it is smaller already."""
    if face.size < pixels:
        return None
    return cut_near(face, pixels, size, lambda image, _: image)


def moving(face: ChangedFace, percent: float, size: int) -> Shot:
    """Motion blur along a straight line, its length rounded to an odd number of pixels."""

    def blur(image: NDArray[np.uint8], side: float) -> NDArray[np.uint8]:
        length = 2 * round((percent / 100 * side - 1) / 2) + 1
        line = motion_kernel(max(length, 1), face.chance().uniform(0, np.pi))
        # A drawn line may lie half a pixel off the middle, which would move the whole face.
        kernel = (line + line[::-1, ::-1]) / 2
        blurred = cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REPLICATE)
        return np.asarray(blurred, dtype=np.uint8)

    return cut_near(face, _BLURRED_FACE, size, blur)


def defocused(face: ChangedFace, percent: float, size: int) -> Shot:
    """Gaussian blur of that standard deviation."""

    def blur(image: NDArray[np.uint8], side: float) -> NDArray[np.uint8]:
        sigma = percent / 100 * side
        blurred = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        return np.asarray(blurred, dtype=np.uint8)

    return cut_near(face, _BLURRED_FACE, size, blur)


def rolled(face: ChangedFace, degrees: float, size: int) -> Shot:
    """The tracker's roll is off: the crop is turned clockwise, so the face in it the other way."""
    return cut(face, replace(face.region, angle=face.region.angle + np.deg2rad(degrees)), size)


def turned(face: ChangedFace, degrees: float, size: int) -> Shot | None:
    """The head is turned further to its side; None where that would be too far."""
    found = head_pose(face.points, face.markup)
    if found is None or abs(found[0].angles[1]) + degrees > MOST:
        return None
    side = -1 if found[0].angles[1] < 0 else 1
    matrix = crop_matrix(face.region, size)
    crop, after = turned_crop(
        face.image, matrix, size, to_crop(face.points, matrix), markup=face.markup,
        turn=Turn(side * degrees),
    )  # fmt: skip
    return Shot(crop, matrix, from_crop(after, matrix))


def shifted(face: ChangedFace, percent: float, size: int) -> Shot:
    """The crop is off by part of the face's size, in some direction."""
    angle = face.chance().uniform(0, 2 * np.pi)
    way = percent / 100 * face.size
    x, y = face.region.x + way * np.cos(angle), face.region.y + way * np.sin(angle)
    return cut(face, replace(face.region, x=float(x), y=float(y)), size)


def scaled(face: ChangedFace, factor: float, size: int) -> Shot:
    """The crop is too large, or too small."""
    return cut(face, replace(face.region, size=factor * face.region.size), size)


def dark(face: ChangedFace, stops: float, size: int) -> Shot:
    """A dark room: see `low_light`."""
    return cut_near(
        face, CAMERA_FACE, size, lambda image, _: low_light(image, 2.0**stops, face.chance())
    )


def compressed(face: ChangedFace, quality: float, size: int) -> Shot:
    """JPEG."""
    return cut_near(face, CAMERA_FACE, size, lambda image, _: jpeg(image, int(quality)))


def covered(face: ChangedFace, percent: float, size: int) -> Shot:
    """Something in front of that share of the landmarks, which grows from step to step."""
    shot = clean_shot(face, size)
    points = to_crop(face.points, shot.matrix)
    mask = cover_mask(points, percent / 100, size, face.chance())
    return Shot(np.where(mask[..., None], face.texture, shot.crop), shot.matrix)


def low_light(
    image: NDArray[np.uint8], light: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """The picture of a camera with less light.

    Shot noise of the photons and read noise of the sensor are added to the linear signal. The gain
    makes up for half of the missing stops, as far as cameras go: the picture gets darker as well.

    Args:
        image: [H, W, 3] at full light.
        light: share of the full light, > 0.
        rng: source of the noise.

    Returns:
        [H, W, 3].
    """
    electrons = (image / 255.0) ** _GAMMA * (_FULL_WELL * light)
    seen = rng.poisson(electrons) + rng.normal(0, _READ_NOISE, image.shape)
    linear = np.clip(seen / (_FULL_WELL * np.sqrt(light)), 0, 1)
    return np.rint(255 * linear ** (1 / _GAMMA)).astype(np.uint8)


CONDITIONS: tuple[Condition, ...] = (
    Condition("face size, pixels", (16, 24, 32, 48, 64, 96, 128), None, "{:g}", small),
    Condition("motion blur, % of the face", (0, 2.5, 5, 10, 15), 0, "{:g}", moving),
    Condition("defocus, % of the face", (0, 1, 2, 4, 6), 0, "{:g}", defocused),
    Condition(
        "roll of the crop, degrees",
        (-90, -60, -45, -30, -15, 0, 15, 30, 45, 60, 90, 180),
        0,
        "{:g}",
        rolled,
    ),
    Condition("head turned further, degrees", (0, 15, 30, 45, 60), 0, "{:g}", turned),
    Condition("crop shifted, % of the face", (0, 5, 10, 15, 20, 30), 0, "{:g}", shifted),
    Condition("crop scaled", (0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4), 1, "{:g}", scaled),
    Condition("low light, stops", (0, -2, -4, -6, -8, -10), 0, "{:g}", dark),
    Condition("JPEG quality", (100, 80, 40, 20, 10, 5), 100, "{:g}", compressed, "none"),
    Condition("landmarks covered, %", (0, 10, 25, 50), 0, "{:g}", covered),
)
