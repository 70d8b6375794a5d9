"""Training views as pictures: the crop that a network is shown, and what it is told."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from model.decoder import decode
from train.data.sample import Sample
from train.learning.crop_dataset import CropDataset
from train.recipes.recipe import Recipe

# Of the dots, RGB and, in pixels of a tile, their radius.
_DOT, _RADIUS = (64, 236, 220), 1.5


def view_tiles(
    samples: Sequence[Sample], recipe: Recipe, side: int, seed: int = 0
) -> list[NDArray[np.uint8]]:
    """One view of every face as the recipe's last stage serves it.

    The dots are decoded from the target heatmaps, so a wrong target shows. What lies outside of the
    crop has none.

    Args:
        samples: faces with labels, at least one, all of one markup.
        recipe: its augmentation, targets and last stage.
        side: of the tiles, pixels.
        seed: of chance.

    Returns:
        Tiles [side, side, 3], RGB.
    """
    size = recipe.stages[-1].size
    data = CropDataset(
        samples,
        samples[0].markup,
        size=size,
        augment=recipe.augment,
        seed=seed,
        weights=np.ones(len(samples), dtype=np.float32),
        landmark_sigma=recipe.landmark_sigma,
    )
    data.plan(0, range(len(samples)))
    tiles = []
    for place in range(len(samples)):
        item = data[place]
        crop, maps = item["crop"].numpy(), item["landmarks"].numpy()
        tile = cv2.resize(crop, (side, side), interpolation=cv2.INTER_CUBIC)
        points, peaks = decode(maps)
        for x, y in ((points[peaks > 0] + 0.5) * side / size - 0.5) * 8:
            radius = round(8 * _RADIUS)
            cv2.circle(tile, (round(x), round(y)), radius, _DOT, cv2.FILLED, cv2.LINE_AA, 3)
        tiles.append(np.asarray(tile, dtype=np.uint8))
    return tiles
