"""Labelled face crops for comparing engines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.crop import crop_image, crop_matrix, region_from_box, to_crop
from model.markup import Markup
from tracker.engines.base import ModelInfo
from train.data.sample import Sample
from train.evaluation.landmark_errors import check_comparable
from train.evaluation.metrics import face_errors

# Faces that are enough to meet hard ones.
MAX_FACES = 200


@dataclass(frozen=True, eq=False)
class LabelledCrops:
    """Crops of annotated faces.

    Attributes:
        images: [N, S, S, 3], uint8, RGB.
        points: [N, K, 2], true landmarks in crop pixels; NaN where one is not labelled.
        markup: of the landmarks.
    """

    images: NDArray[np.uint8]
    points: NDArray[np.float64]
    markup: Markup

    def nme(self, landmarks: NDArray[np.float64], info: ModelInfo) -> float:
        """Mean error of a network's landmarks in percent of the normalising distance.

        The crop is a similarity of the picture, so the error is the picture's.

        Args:
            landmarks: [N, K, 2], crop pixels, as decoded.
            info: of the network; holds the correction of its shapes.
        """
        points = info.corrected(landmarks)
        return float(100 * face_errors(points, self.points, self.markup).mean())


def labelled_crops(samples: Sequence[Sample], size: int) -> LabelledCrops:
    """Up to 200 faces, cut out as in evaluation.

    Args:
        samples: the faces, at least one, all in one markup.
        size: side of the crops, pixels.

    Raises:
        InputError: a picture that cannot be read, or a face whose normalising distance is 0.
    """
    samples = samples[:MAX_FACES]
    markup = samples[0].markup
    check_comparable(markup, samples)
    regions = [region_from_box(sample.box) for sample in samples]
    pairs = list(zip(samples, regions, strict=True))
    return LabelledCrops(
        np.stack([crop_image(sample.load(), region, size) for sample, region in pairs]),
        np.stack([to_crop(sample.points, crop_matrix(region, size)) for sample, region in pairs]),
        markup,
    )
