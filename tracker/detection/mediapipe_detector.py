"""The same networks run by the package mediapipe: for comparisons, and for who wants just that.

That package reports its use to its maker (it looks up play.googleapis.com), which no setting of it
turns off. Nothing else in this project imports it.
"""

from __future__ import annotations

from typing import Any
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from tracker.assets import ASSETS
from tracker.detection.detection import Detection, DetectorModel
from tracker.detection.suppression import OVERLAP
from tracker.system.native_stderr import native_stderr_hidden

_FILES: dict[DetectorModel, str] = {
    "short": "face_detection_short_range.tflite",
    "full": "face_detection_full_range_sparse.tflite",
}


class MediaPipeDetector:
    """One of the two networks. Not safe to call from two threads at once.

    Creating one, and closing it, hides what native code writes to file descriptor 2 (stderr) for
    some 0.1 s: MediaPipe's C++ libraries log dozens of lines there that no setting of theirs turns
    off. Python's own stderr and exceptions are not affected.

    Attributes:
        model: which one.

    Args:
        model: "full" or "short".
        min_score: detections under it are dropped, 0..1.

    Raises:
        InputError: mediapipe is not installed.
    """

    def __init__(self, model: DetectorModel, min_score: float = 0.5) -> None:
        try:
            with native_stderr_hidden():
                import mediapipe as mp  # noqa: PLC0415  (only who asks for it hears from it)
                from mediapipe.tasks.python import BaseOptions, vision  # noqa: PLC0415
        except ImportError as error:
            raise InputError(
                "the detector 'mediapipe' needs mediapipe: pip install 'propnet-tracker[mediapipe]'"
                " (it reports its use to its maker; the other detectors do not)."
            ) from error
        self.model: DetectorModel = model
        self._mp = mp
        with native_stderr_hidden():
            # As bytes: MediaPipe's own file reading depends on the platform's path encoding.
            network = BaseOptions(model_asset_buffer=(ASSETS / _FILES[model]).read_bytes())
            detector = vision.FaceDetector.create_from_options(
                vision.FaceDetectorOptions(
                    base_options=network,
                    min_detection_confidence=min_score,
                    min_suppression_threshold=OVERLAP,
                )
            )
            self._detect = detector.detect
            self.close = finalize(self, _close, detector)
            # The last of the log is written by the first image.
            self(np.zeros((16, 16, 3), dtype=np.uint8))

    def __call__(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Find faces.

        Args:
            image: [H, W, 3], uint8, RGB.

        Returns:
            Detections, best score first; those of one face are merged.
        """
        height, width = image.shape[:2]
        picture = self._mp.Image(
            image_format=self._mp.ImageFormat.SRGB, data=np.ascontiguousarray(image)
        )
        found = [
            _detection(item, width, height, self.model) for item in self._detect(picture).detections
        ]
        return sorted(found, key=lambda detection: -detection.score)


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
