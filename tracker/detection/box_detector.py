"""Detectors of one's own, as ONNX files that give boxes: YOLO's layouts, and a plain one.

The input is one picture, [1, 3, S, S] or [1, 3, H, W] float32, RGB from 0 to 1. The picture is
shrunk to fit, and what is left is grey, as YOLO's detectors are trained. Of the outputs the first
counts:

- [1, 4 + C, N]: middle x, middle y, width, height, and the scores of C classes (YOLOv8 and later);
- [1, N, 5 + C]: the same with an objectness before the scores of the classes (YOLOv5, v7);
- [1, N, 6] with N of 1000 at most: x0, y0, x1, y1, score, class (detectors that end with their own
  suppression, YOLOv10);
- [N, 5] or [1, N, 5]: x0, y0, x1, y1, score (ours).

All in pixels of the input. Classes are not told apart.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from tracker.engines.onnx_checks import running
from tracker.engines.ort_session import open_session

Box = NDArray[np.float64]  # [4] x0, y0, x1, y1, pixels of the picture (centres)

# Side of the input where the file leaves it open: that of nearly all YOLO networks.
_SIZE = 640
_LARGEST = 4096
_GREY = 114
# Boxes that share more than this of their union are one thing: YOLO's own setting is 0.45 to 0.7.
_OVERLAP = 0.5
_END_TO_END, _ROWS = 6, 1000
_PLAIN = 5
_MOST = 300  # boxes looked at


class BoxDetector:
    """Finds boxes in pictures. Not safe to call from two threads at once.

    Args:
        path: the .onnx file.
        min_score: boxes under it are dropped, 0..1.
        threads: CPU threads, None for all cores.

    Raises:
        InputError: no such file, or no detector of the layouts above.
    """

    def __init__(self, path: Path, min_score: float = 0.5, threads: int | None = None) -> None:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"--detector {path} cannot be read: {error.strerror}.") from error
        self._path, self._min_score = path, min_score
        self._session = open_session(data, path, threads)
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 4:
            raise self._wrong("its input is not one picture, [1, 3, S, S] of float32")
        self._input = inputs[0].name
        channels, height, width = inputs[0].shape[1:]
        if channels != 3:
            raise self._wrong(f"its input has {channels} channels instead of 3")
        self._height, self._width = (
            side if isinstance(side, int) and side > 0 else _SIZE for side in (height, width)
        )
        if max(self._height, self._width) > _LARGEST:
            raise self._wrong(f"its input of {self._width}x{self._height} is too large")
        # What it cannot do is found out now, and not in the middle of a video.
        self(np.zeros((self._height, self._width, 3), dtype=np.uint8))

    def __call__(self, image: NDArray[np.uint8]) -> list[tuple[Box, float]]:
        """Find boxes.

        Args:
            image: [H, W, 3], uint8, RGB.

        Returns:
            Box and score of each thing, best first; the boxes of one thing are one.
        """
        pixels, scale, (left, top) = self._fitted(image)
        with running("ONNX Runtime", self._path):
            outputs = self._session.run(None, {self._input: pixels})
        boxes, scores = self._boxes(np.asarray(outputs[0], dtype=np.float64))
        known = np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
        good = np.flatnonzero(known & (scores >= self._min_score))
        good = good[np.argsort(-scores[good], kind="stable")[:_MOST]]
        boxes, scores = boxes[good], scores[good]
        sides = np.column_stack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
        real = (sides[:, 2:] > 0).all(axis=1)
        boxes, scores, sides = boxes[real], scores[real], sides[real]
        kept = (
            cv2.dnn.NMSBoxes(sides.tolist(), scores.tolist(), 0.0, _OVERLAP) if len(sides) else []
        )
        # The picture's pixels are counted from their centres, a network's from the border.
        return [
            ((boxes[i] - [left, top, left, top]) / scale - 0.5, float(scores[i]))
            for i in np.ravel(kept).astype(int)
        ]

    def close(self) -> None:
        """Release the network."""
        del self._session

    def _fitted(
        self, image: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], float, tuple[int, int]]:
        """Input [1, 3, H, W], how the picture was scaled, and where its corner is in it."""
        height, width = image.shape[:2]
        scale = min(self._height / height, self._width / width)
        inner = max(round(width * scale), 1), max(round(height * scale), 1)
        kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        canvas = np.full((self._height, self._width, 3), _GREY, dtype=np.uint8)
        left, top = (self._width - inner[0]) // 2, (self._height - inner[1]) // 2
        canvas[top : top + inner[1], left : left + inner[0]] = cv2.resize(
            image, inner, interpolation=kind
        )
        planes = canvas.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
        return planes, scale, (left, top)

    def _boxes(
        self, output: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Corners [N, 4] and scores [N], pixels of the input."""
        rows = output[0] if output.ndim == 3 and len(output) == 1 else output
        # A column for each box, of a few numbers, or a row for each.
        turned = rows.ndim == 2 and _PLAIN <= len(rows) < rows.shape[1]
        if rows.ndim != 2 or not (turned or rows.shape[1] >= _PLAIN):
            raise self._wrong(f"its output is {list(output.shape)}, no list of boxes")
        if rows.shape[1] == _PLAIN or (rows.shape[1] == _END_TO_END and len(rows) <= _ROWS):
            return rows[:, :4], rows[:, 4]
        if turned:
            middles, scores = rows[:4].T, rows[4:].max(axis=0)
        else:
            middles, scores = rows[:, :4], rows[:, 4] * rows[:, 5:].max(axis=1, initial=0)
        half = middles[:, 2:] / 2
        return np.concatenate([middles[:, :2] - half, middles[:, :2] + half], axis=1), scores

    def _wrong(self, reason: str) -> InputError:
        return InputError(
            f"--detector {self._path} is no detector that can be used: {reason} (docs/markups.md)."
        )
