"""Training crops for calibration, and others for choosing what to keep in floats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.labelled_crops import LabelledCrops
from model.crop import Region, crop_image, crop_matrix, region_from_box, to_crop
from model.errors import InputError
from train.data.sample import Sample

# How far the tracker's region is from the true box: the error of the detector or of a head that
# moved since the last frame (parts of the side), and of the roll (radians).
_SHIFT, _GROWTH, _ROLL = 0.05, 0.07, 0.15


@dataclass(frozen=True, eq=False)
class TrainingCrops:
    """Crops of the training split, no face in both.

    Attributes:
        calibration: [N, S, S, 3], uint8, RGB: the ranges of the activations are measured on them.
        choice: the decisions are taken on these.
    """

    calibration: NDArray[np.uint8]
    choice: LabelledCrops


def training_crops(
    samples: Sequence[Sample], size: int, calibration: int, choice: int
) -> TrainingCrops:
    """Random faces, cut out a little off as a tracker does.

    Args:
        samples: of the training splits, all in one markup.
        size: side of the crops, pixels.
        calibration: crops to calibrate on.
        choice: crops to choose on.

    Returns:
        The crops, the same every time.

    Raises:
        InputError: too few faces, or a picture that cannot be read.
    """
    if len(samples) < calibration + choice:
        raise InputError(
            f"the training split has {len(samples)} faces, calibration needs "
            f"{calibration + choice}: give more --data, or a smaller --crops."
        )
    rng = np.random.default_rng(0)
    picked = [samples[i] for i in rng.permutation(len(samples))[: calibration + choice]]
    images, points = zip(*(_crop(sample, size, rng) for sample in picked), strict=True)
    return TrainingCrops(
        np.stack(images[:calibration]),
        LabelledCrops(
            np.stack(images[calibration:]), np.stack(points[calibration:]), samples[0].markup
        ),
    )


def _crop(
    sample: Sample, size: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """One face [S, S, 3] and its landmarks [K, 2], crop pixels."""
    true = region_from_box(sample.box)
    dx, dy, growth, roll = rng.uniform(-1, 1, 4) * (_SHIFT, _SHIFT, _GROWTH, _ROLL)
    region = Region(
        true.x + dx * true.size,
        true.y + dy * true.size,
        true.size * (1 + growth),
        true.angle + roll,
    )
    return crop_image(sample.load(), region, size), to_crop(
        sample.points, crop_matrix(region, size)
    )
