"""Face detection with MediaPipe's BlazeFace networks, and the crop region a detection stands for.

The two networks (`assets/*.tflite`, Apache-2.0, from MediaPipe 0.10.21) are part of the package, so
detection works offline.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, cos, sin
from typing import Any, Literal, get_args
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from model.crop import Region
from model.errors import InputError
from tracker.assets import ASSETS
from tracker.system.native_stderr import native_stderr_hidden

DetectorModel = Literal["short", "full"]
DetectorChoice = Literal["auto", "short", "full"]
DETECTORS: tuple[DetectorChoice, ...] = get_args(DetectorChoice)

_FILES: dict[DetectorModel, str] = {
    "short": "face_detection_short_range.tflite",
    "full": "face_detection_full_range_sparse.tflite",
}
# "auto": the full-range network first. Of labelled faces of 55-75 px in a 640x480 picture it finds
# 90 % (short range: 32 %), and it does not take a print on a shirt for a face, as the other does.
# But of faces over three quarters of the picture's height it misses up to half, the short-range one
# none: that one looks where the first saw nothing. 5 ms and 2.5 ms.
_ORDER: dict[DetectorChoice, tuple[DetectorModel, ...]] = {
    "auto": ("full", "short"),
    "short": ("short",),
    "full": ("full",),
}
# Boxes that overlap more than this are one face: MediaPipe's own setting for these networks.
_SUPPRESSION = 0.3


@dataclass(frozen=True, eq=False)
class Detection:
    """One face found by the detector.

    Attributes:
        box: [4] x0, y0, x1, y1 of the detector's own box, image pixels (pixel centres).
        keypoints: [6, 2] image pixels: left eye, right eye, nose tip, mouth, left ear, right ear
            (left and right of the image).
        score: 0..1.
        model: the network that found it; their boxes sit differently on a face.
    """

    box: NDArray[np.float64]
    keypoints: NDArray[np.float64]
    score: float
    model: DetectorModel = "full"


@dataclass(frozen=True)
class _Fit:
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


_FITS: dict[DetectorModel, _Fit] = {
    "short": _Fit(0.225, 0.062, 1.261),
    "full": _Fit(0.621, 0.119, 1.281),
}


def region_from_detection(detection: Detection) -> Region:
    """The crop region that the landmarks of a detected face would give, on average.

    Args:
        detection: a face found by `FaceDetector`.

    Returns:
        The region, turned by the line through the eyes.
    """
    fit = _FITS[detection.model]
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


class FaceDetector:
    """Finds faces in single images.

    Not safe to call from two threads at once.

    Creating one, and closing it, hides what native code writes to file descriptor 2 (stderr) for
    some 0.1 s: MediaPipe's C++ libraries log dozens of lines there that no setting of theirs turns
    off. Python's own stderr and exceptions are not affected.

    Args:
        model: "full" sees faces down to a twelfth of the picture's height, "short" misses those
            under a fifth but sees faces that fill the picture; "auto" is full, then short where
            full saw nothing.
        min_score: detections under it are dropped, 0..1.

    Raises:
        InputError: there is no such model.
    """

    def __init__(self, model: DetectorChoice = "auto", min_score: float = 0.5) -> None:
        if model not in _ORDER:
            raise InputError(f"no face detector {model!r}; choose one of {', '.join(DETECTORS)}")
        with native_stderr_hidden():
            self._networks = [_Network(name, min_score) for name in _ORDER[model]]

    def __call__(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Find faces.

        Args:
            image: [H, W, 3], uint8, RGB.

        Returns:
            Detections, best score first; overlapping ones are already merged.
        """
        for network in self._networks:
            found = network(image)
            if found:
                return sorted(found, key=lambda detection: -detection.score)
        return []

    def close(self) -> None:
        """Release the networks."""
        with native_stderr_hidden():
            for network in self._networks:
                network.close()
        self._networks = []


class _Network:
    """One of the two networks."""

    def __init__(self, model: DetectorModel, min_score: float) -> None:
        # Imported here: it takes a second that callers with regions of their own never need.
        import mediapipe as mp  # noqa: PLC0415
        from mediapipe.tasks.python import BaseOptions, vision  # noqa: PLC0415

        self.model: DetectorModel = model
        self._mp = mp
        # As bytes: MediaPipe's own file reading depends on the platform's path encoding.
        network = BaseOptions(model_asset_buffer=(ASSETS / _FILES[model]).read_bytes())
        detector = vision.FaceDetector.create_from_options(
            vision.FaceDetectorOptions(
                base_options=network,
                min_detection_confidence=min_score,
                min_suppression_threshold=_SUPPRESSION,
            )
        )
        self._detect = detector.detect
        self.close = finalize(self, _close, detector)
        # The last of the log is written by the first image.
        self(np.zeros((16, 16, 3), dtype=np.uint8))

    def __call__(self, image: NDArray[np.uint8]) -> list[Detection]:
        height, width = image.shape[:2]
        picture = self._mp.Image(
            image_format=self._mp.ImageFormat.SRGB, data=np.ascontiguousarray(image)
        )
        return [
            _detection(item, width, height, self.model) for item in self._detect(picture).detections
        ]


def _detection(item: Any, width: int, height: int, model: DetectorModel) -> Detection:
    """MediaPipe counts from the image's corner; this project from the first pixel's centre."""
    box = item.bounding_box
    corners = (box.origin_x, box.origin_y, box.origin_x + box.width, box.origin_y + box.height)
    keypoints = np.array([(point.x * width, point.y * height) for point in item.keypoints])
    return Detection(
        np.array(corners, dtype=np.float64) - 0.5,
        keypoints - 0.5,
        float(item.categories[0].score),
        model,
    )


def _close(detector: Any) -> None:
    """Release a network, also when Python is on its way out."""
    with native_stderr_hidden():
        try:
            detector.close()
        except RuntimeError:
            # MediaPipe closes through a thread pool, which Python shuts down before it runs exit
            # handlers. The system takes the memory back; without a handle the destructor is silent.
            detector._handle = None
