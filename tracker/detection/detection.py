"""A face that a detector has found, and the names of detectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

DetectorModel = Literal["short", "full"]
# What may be asked for; see `tracker.detection.face_detector`.
DetectorChoice = Literal["auto", "short", "full", "mediapipe"]
DETECTORS: tuple[DetectorChoice, ...] = get_args(DetectorChoice)


@dataclass(frozen=True, eq=False)
class Detection:
    """One face found by a detector.

    Attributes:
        box: [4] x0, y0, x1, y1 of the detector's own box, image pixels (pixel centres).
        keypoints: [6, 2] image pixels: the face's right eye, left eye, nose tip, mouth, right ear,
            left ear (right and left of the face: on an upright one the right eye is on the
            picture's left).
        score: 0..1.
        model: the network that found it; their boxes sit differently on a face.
    """

    box: NDArray[np.float64]
    keypoints: NDArray[np.float64]
    score: float
    model: DetectorModel = "full"
