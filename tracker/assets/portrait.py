"""The shipped portrait, and real face crops that need no data: views of it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from model.crop import Region, crop_image
from model.errors import InputError
from tracker.assets import ASSETS

PORTRAIT = ASSETS / "portrait.jpg"  # see README.md beside it
# Where the full-range detector sees its face: a test holds them together. Written down, so that
# crops for engines and exports need no detector.
PORTRAIT_REGION = Region(
    x=223.81849560378157, y=130.8576874147898, size=133.224, angle=0.04642367577844067
)
_VIEWS = 24
# This far from where the detector sees the face, and so much smaller or larger, in parts of the
# crop's side: a little more than a detector or a fast head is off.
_SHIFT = 0.12
# The rotation of training's augmentation.
_ROLL = np.pi / 6


def portrait_image() -> NDArray[np.uint8]:
    """The portrait: [512, 512, 3], uint8, RGB, one face."""
    image = cv2.imread(str(PORTRAIT), cv2.IMREAD_COLOR)
    if image is None:
        raise InputError(f"{PORTRAIT} is missing or damaged: install the package again.")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def portrait_crops(size: int) -> NDArray[np.uint8]:
    """Crops [24, size, size, 3] of the shipped portrait: turned, moved and scaled views.

    Raises:
        InputError: the portrait is missing.
    """
    image, region = portrait_image(), PORTRAIT_REGION
    views = np.random.default_rng(0).uniform(-1, 1, (_VIEWS, 4)) * (_SHIFT, _SHIFT, _SHIFT, _ROLL)
    return np.stack(
        [
            crop_image(
                image,
                Region(
                    region.x + dx * region.size,
                    region.y + dy * region.size,
                    region.size * (1 + growth),
                    region.angle + roll,
                ),
                size,
            )
            for dx, dy, growth, roll in views
        ]
    )
