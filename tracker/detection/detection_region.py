"""The crop region that a detection stands for."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, cos, sin

import numpy as np

from model.crop import Region
from tracker.detection.detection import Detection, DetectorModel


@dataclass(frozen=True)
class Fit:
    """Where the landmarks' region sits relative to a detector's box.

    Printed by `python -m train.fits.fit_detector`, from labelled training faces. x and y are the
    face's own axes (turned by the eye line), in sides of the detector's box, from its centre. What
    scatter is left (standard deviation): 3.5 % of the region's side across, 4 % down, 11 % in size,
    8 degrees of roll.

    Attributes:
        across: share of the ears' x that is the region's x. A turned head moves the box against
            the face; the ears' middle follows the face and halves the scatter.
        down: the region's y.
        scale: the region's side.
    """

    across: float
    down: float
    scale: float


FITS: dict[DetectorModel, Fit] = {
    "short": Fit(0.262, 0.056, 1.256),
    "full": Fit(0.619, 0.110, 1.274),
}


def region_from_detection(detection: Detection) -> Region:
    """The crop region that the landmarks of a detected face would give, on average.

    Args:
        detection: a face found by a detector.

    Returns:
        The region, turned by the line through the eyes.
    """
    fit = FITS[detection.model]
    (x0, y0, x1, y1), points = detection.box, detection.keypoints
    centre = np.array([x0 + x1, y0 + y1]) / 2
    side = max((x1 - x0 + y1 - y0) / 2, 1.0)
    eyes = points[1] - points[0]
    angle = atan2(eyes[1], eyes[0])
    right = np.array([cos(angle), sin(angle)])
    below = np.array([-sin(angle), cos(angle)])
    ears = float((points[4:6].mean(axis=0) - centre) @ right)
    x, y = centre + fit.across * ears * right + fit.down * side * below
    return Region(float(x), float(y), float(fit.scale * side), angle)
