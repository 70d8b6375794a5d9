"""An engine that knows the answer, and pictures in which it can read it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from model.heatmap import STRIDE, crop_to_heatmap, encode_landmarks
from model.shipped_markups import get_markup
from tracker.engines.base import ModelInfo
from train.data.sample import Sample, tight_box

SIZE = 128


class Oracle:
    """An engine that finds every landmark, moved by `shift` pixels of the crop."""

    description = "oracle"

    def __init__(self, points: NDArray[np.float64], markup: str, shift: float = 0.0) -> None:
        self.info = ModelInfo("oracle", get_markup(markup), SIZE, "0" * 64)
        self._points = points
        self._shift = shift
        self.batches: list[int] = []

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.batches.append(len(crops))
        maps = [self._heatmaps(crop.astype(np.float64)) for crop in crops]
        return np.stack(maps)

    def _heatmaps(self, crop: NDArray[np.float64]) -> NDArray[np.float32]:
        v, u = np.mgrid[:SIZE, :SIZE]
        columns = np.column_stack([u.ravel(), v.ravel(), np.ones(u.size)])
        to_image = np.linalg.lstsq(columns, crop[..., :2].reshape(-1, 2), rcond=None)[0].T
        face = self._points[round(float(np.median(crop[..., 2])))]
        points = np.linalg.solve(to_image[:, :2], (face - to_image[:, 2]).T).T + self._shift
        if np.linalg.det(to_image[:, :2]) < 0:  # a mirrored crop shows a mirrored face
            points = points[self.info.markup.flip]
        return encode_landmarks(crop_to_heatmap(points), SIZE // STRIDE, 1.5)

    def close(self) -> None:
        pass


def make_samples(folder: Path, points: NDArray[np.float64]) -> list[Sample]:
    samples = []
    y, x = np.mgrid[:256, :256]
    for index, face in enumerate(points):
        path = folder / f"{index}.png"
        assert cv2.imwrite(str(path), np.dstack([np.full_like(x, index), y, x]).astype(np.uint8))
        flags = (index % 2, 0, 0, 0, 0, int(index == 0))
        source = "ytf" if index < 2 else "wild"
        samples.append(Sample(path, face, tight_box(face), source, flags))
    return samples
