"""MediaPipe's BlazeFace networks, run by ONNX Runtime: faces in one square view of a picture.

ONNX Runtime and not OpenVINO on any processor: on one thread of an AVX2 processor the networks
alone take 3.0 ms against 3.3 (short range) and 8.7 against 9.8 ms (full range). MediaPipe's own
looks take half as much again as these: `python -m tracker.bench.detector_speed`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.crop import Region, crop_matrix, from_crop
from tracker.assets import ASSETS
from tracker.detection.anchors import INPUT_SIZES, anchor_centres
from tracker.detection.detection import Detection, DetectorModel
from tracker.detection.suppression import merge_weighted
from tracker.detection.view import view_pixels, whole_view
from tracker.engines.ort_session import open_session

FILES: dict[DetectorModel, str] = {
    "short": "face_detection_short_range.onnx",
    "full": "face_detection_full_range_sparse.onnx",
}
# Names of the networks' tensors: `export.detector` writes them.
PIXELS, REGRESSIONS, SCORES = "pixels", "regressions", "scores"
# Beyond it a sigmoid is 0 or 1: MediaPipe's own limit.
_LOGIT_LIMIT = 100.0
# A box is x, y, width and height; then come x and y of each of six points.
_BOX = 4


class BlazeFace:
    """One of the two networks. Not safe to call from two threads at once.

    Attributes:
        model: which one.

    Args:
        model: "full" or "short".
        min_score: detections under it are dropped, 0..1.
        threads: CPU threads, None for all cores.
    """

    def __init__(
        self, model: DetectorModel, min_score: float = 0.5, threads: int | None = None
    ) -> None:
        self.model: DetectorModel = model
        self._size = INPUT_SIZES[model]
        self._anchors = anchor_centres(model)
        self._min_score = min_score
        self._session = open_session((ASSETS / FILES[model]).read_bytes(), FILES[model], threads)

    def __call__(self, image: NDArray[np.uint8], view: Region | None = None) -> list[Detection]:
        """Find faces that stand upright in a view.

        Args:
            image: [H, W, 3], uint8, RGB.
            view: the square to search; None for all of the picture, upright.

        Returns:
            Detections, best score first; those of one face are merged.
        """
        view = view or whole_view(image)
        pixels = view_pixels(image, view, self._size)
        values, logits = self._session.run([REGRESSIONS, SCORES], {PIXELS: pixels[None]})
        clipped = np.clip(logits[0, :, 0].astype(np.float64), -_LOGIT_LIMIT, _LOGIT_LIMIT)
        scores = 1 / (1 + np.exp(-clipped))
        good = np.flatnonzero(scores >= self._min_score)
        if not len(good):
            return []
        boxes, points = _decoded(values[0, good], self._anchors[good])
        real = (boxes[:, 2:] >= boxes[:, :2]).all(axis=1)
        matrix = crop_matrix(view, self._size)
        return [
            Detection(_upright(box, matrix), from_crop(marks - 0.5, matrix), score, self.model)
            for box, marks, score in merge_weighted(boxes[real], points[real], scores[good][real])
        ]

    def close(self) -> None:
        """Release the network."""
        del self._session


def _decoded(
    values: NDArray[np.float32], centres: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Boxes [N, 4] and points [N, 6, 2], pixels of the input from its corner."""
    middle, sides = values[:, :2] + centres, values[:, 2:_BOX]
    boxes = np.concatenate([middle - sides / 2, middle + sides / 2], axis=1)
    points = values[:, _BOX:].reshape(len(values), -1, 2) + centres[:, None]
    return boxes, points


def _upright(box: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The picture's upright box around a view's box."""
    x0, y0, x1, y1 = box - 0.5
    corners = from_crop(np.array([[x0, y0], [x1, y0], [x0, y1], [x1, y1]]), matrix)
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)])
