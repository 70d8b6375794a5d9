"""Samples as training tensors: random crops with their landmark and boundary heatmaps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from model.heatmap import (
    BOUNDARY_SIGMA,
    LANDMARK_SIGMA,
    STRIDE,
    crop_to_heatmap,
    encode_boundaries,
    encode_landmarks,
)
from model.markup import Markup
from tracker.crop import region_from_box, to_crop, warp_image
from train.augment import AugmentConfig, random_look, random_matrix
from train.data.sample import Sample

Item = dict[str, Tensor]


class CropDataset(Dataset[Item]):
    """Augmented crops of annotated faces.

    What a sample looks like depends only on the seed, the epoch and its place in the epoch, never
    on workers or on what was loaded before: that is what makes a resumed run equal an uninterrupted
    one.

    Args:
        samples: the faces.
        markup: their markup.
        size: side of the crops, pixels.
        augment: strength of the augmentation.
        seed: the run's seed.
        weights: [len(samples)] loss weight of each face.
        landmark_sigma: width of the target Gaussians, heatmap pixels.
        load: gives the picture of a sample.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        markup: Markup,
        *,
        size: int,
        augment: AugmentConfig,
        seed: int,
        weights: NDArray[np.float32],
        landmark_sigma: float = LANDMARK_SIGMA,
        load: Callable[[Sample], NDArray[np.uint8]] = Sample.load,
    ) -> None:
        self.samples = samples
        self.markup = markup
        self.size = size
        self.augment = augment
        self.seed = seed
        self.weights = weights
        self.landmark_sigma = landmark_sigma
        self._load = load
        self._flip = markup.flip
        self._plan: list[tuple[int, tuple[int, int, int]]] = []

    def plan(self, epoch: int, order: Sequence[int], first: int = 0) -> None:
        """Set what the next pass serves.

        Args:
            epoch: number of the pass.
            order: indices of the samples in the order they are served.
            first: place of `order[0]` within the epoch, for a resumed pass.
        """
        self._plan = [
            (index, (self.seed, epoch, first + place)) for place, index in enumerate(order)
        ]

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, place: int) -> Item:
        index, entropy = self._plan[place]
        sample = self.samples[index]
        rng = np.random.default_rng(entropy)
        matrix, mirrored = random_matrix(region_from_box(sample.box), self.size, self.augment, rng)
        crop = random_look(warp_image(self._load(sample), matrix, self.size), self.augment, rng)
        points = to_crop(sample.points, matrix)
        if mirrored:
            points = points[self._flip]
        cells = crop_to_heatmap(points)
        side = self.size // STRIDE
        # Encoded here, not on the device: with a GPU the workers have time to spare.
        return {
            "crop": torch.from_numpy(crop),
            "landmarks": torch.from_numpy(encode_landmarks(cells, side, self.landmark_sigma)),
            "boundaries": torch.from_numpy(
                encode_boundaries(cells, self.markup.curves, side, BOUNDARY_SIGMA)
            ),
            "attributes": torch.tensor(sample.attributes),
            "weight": torch.tensor(self.weights[index]),
        }
