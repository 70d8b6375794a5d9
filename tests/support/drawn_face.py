"""A face to draw, and something to draw it on."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from model.crop import Region, crop_matrix, to_crop
from model.heatmap import crop_to_heatmap, encode_boundaries
from model.shipped_markups import WFLW
from tests.support.tracked_scene import TEMPLATE
from tracker.engines.base import Maps


def face(size: float = 150.0, x: float = 200.0, y: float = 150.0, number: int = 0):
    points = (TEMPLATE - 0.5) * size + (x, y)
    region = Region(x, y, 1.3 * size)
    return SimpleNamespace(
        id=number, landmarks=points.astype(np.float32), region=region, maps=maps_of(points, region)
    )


def maps_of(points: NDArray[np.float64], region: Region) -> Maps:
    inside = crop_to_heatmap(to_crop(points, crop_matrix(region, 128)))
    return Maps(
        encode_boundaries(inside, WFLW.curves, 32),
        np.random.default_rng(0).uniform(0.3, 0.6, (32, 32)).astype(np.float32),
    )


def canvas(level: int, width: int = 400, height: int = 300) -> NDArray[np.uint8]:
    return np.full((height, width, 3), level, dtype=np.uint8)
