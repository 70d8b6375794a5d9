"""Labelled face crops for comparing engines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.crop import crop_image, crop_matrix, region_from_box, to_crop
from model.shipped_markups import WFLW
from train.data.datasets import read_dataset

# Faces that are enough to meet hard ones.
MAX_FACES = 200


@dataclass(frozen=True, eq=False)
class LabelledCrops:
    """Crops of annotated faces.

    Attributes:
        images: [N, S, S, 3], uint8, RGB.
        points: [N, 98, 2], true landmarks in crop pixels.
    """

    images: NDArray[np.uint8]
    points: NDArray[np.float64]

    def nme(self, landmarks: NDArray[np.float64]) -> float:
        """Mean error of landmarks [N, 98, 2], crop pixels, in percent of the inter-ocular distance.

        The crop is a similarity of the picture, so the error is the picture's.
        """
        errors = np.linalg.norm(landmarks - self.points, axis=-1).mean(axis=-1)
        return float(100 * np.mean(errors / WFLW.normalizer(self.points)))


def labelled_crops(root: Path, size: int) -> LabelledCrops:
    """Up to 200 faces of a folder in WFLW's layout, cut out as in evaluation.

    Args:
        root: holds WFLW_annotations/ and WFLW_images/.
        size: side of the crops, pixels.

    Raises:
        InputError: no such folder, list or picture.
    """
    samples = read_dataset("wflw", root, "test")[:MAX_FACES]
    regions = [region_from_box(sample.box) for sample in samples]
    return LabelledCrops(
        np.stack([crop_image(s.load(), r, size) for s, r in zip(samples, regions, strict=True)]),
        np.stack(
            [to_crop(s.points, crop_matrix(r, size)) for s, r in zip(samples, regions, strict=True)]
        ),
    )
