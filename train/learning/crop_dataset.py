"""Samples as training tensors: random crops with their landmark and boundary heatmaps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from model.crop import region_from_box, to_crop, warp_image
from model.heatmap import (
    BOUNDARY_SIGMA,
    LANDMARK_SIGMA,
    STRIDE,
    crop_to_heatmap,
    encode_boundaries,
    encode_landmarks,
)
from model.markup import Markup
from train.augmentation.closed_eyes import random_blink
from train.augmentation.covers import random_cover
from train.augmentation.face_view import FaceView
from train.augmentation.light_and_paint import random_light, random_paint
from train.augmentation.random_view import random_look, random_matrix
from train.augmentation.turned_head import random_turn, turned_crop
from train.data.label_groups import is_face
from train.data.sample import NO_ATTRIBUTES, Sample, tight_box
from train.recipes.augment_config import AugmentConfig

Item = dict[str, Tensor]
# Of views of things with a box of another kind, those cut by their landmarks instead: a tracker
# sees one of the former, then thousands of the latter.
_TIGHT = 0.6


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
        labelled: [len(samples)] bool; False serves a face without its landmarks and attributes.
            None serves all with them.
        clean: also serve each crop before its look is changed, under "clean": a teacher's view.
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
        labelled: NDArray[np.bool_] | None = None,
        clean: bool = False,
    ) -> None:
        self.samples = samples
        self.markup = markup
        self.size = size
        # A mirror image of what has no mirrored points is another thing.
        self.augment = augment if markup.pairs is not None else replace(augment, flip=0.0)
        self.seed = seed
        self.weights = weights
        self.landmark_sigma = landmark_sigma
        self.labelled = np.ones(len(samples), dtype=bool) if labelled is None else labelled
        self.clean = clean
        self._load = load
        self._flip = markup.flip
        self._is_face = is_face(markup)
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
        box = sample.box
        if sample.loose_box and rng.random() < _TIGHT:
            box = tight_box(sample.points)
        matrix, mirrored = random_matrix(region_from_box(box), self.size, self.augment, rng)
        labelled = bool(self.labelled[index])
        points = to_crop(sample.points, matrix)
        if mirrored:
            points = points[self._flip]
        image, markup = self._load(sample), self.markup
        whole = labelled and bool(np.isfinite(points).all())
        # Drawn for faces without labels too: what comes after must not depend on them.
        turns = bool(self.augment.p_turn) and rng.random() < self.augment.p_turn and whole
        if turns and (turn := random_turn(points, markup, rng)):
            clean, points = turned_crop(image, matrix, self.size, points, markup=markup, turn=turn)
        else:
            clean = warp_image(image, matrix, self.size)
        if self.augment.p_blink and rng.random() < self.augment.p_blink and whole:
            clean, points = random_blink(clean, points, markup, rng)
        crop = random_look(self._changed(clean, points, rng), self.augment, rng)
        landmarks, boundaries, known, drawn = self._maps(
            points if labelled else np.full_like(points, np.nan)
        )
        item = {
            "crop": torch.from_numpy(crop),
            "landmarks": torch.from_numpy(landmarks),
            "boundaries": torch.from_numpy(boundaries),
            "attributes": torch.tensor(sample.attributes if labelled else NO_ATTRIBUTES),
            "weight": torch.tensor(self.weights[index]),
            "labelled": torch.tensor(labelled),
            "known": torch.from_numpy(known),
            "known_boundaries": torch.from_numpy(drawn),
        }
        return {**item, "clean": torch.from_numpy(clean)} if self.clean else item

    def _changed(
        self, crop: NDArray[np.uint8], points: NDArray[np.float64], rng: np.random.Generator
    ) -> NDArray[np.uint8]:
        """A crop with another light, with paint on the face and things in front of it, by chance.

        Chance is asked only for what the recipe wants: recipes of before serve what they served.
        Where a point is not known, or it is no face, there is nothing to paint on or to cover.
        """
        known = self._is_face and bool(np.isfinite(points).all())
        augment = self.augment
        if augment.p_paint and rng.random() < augment.p_paint and known:
            crop = random_paint(FaceView(crop, points, self.markup), rng)
        if augment.p_cover and rng.random() < augment.p_cover and known:
            crop = random_cover(FaceView(crop, points, self.markup), rng)
        if augment.p_light and rng.random() < augment.p_light:
            crop = random_light(crop, rng)
        return crop

    def _maps(
        self, points: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
        """Heatmaps of points [K, 2] in pixels of the crop, and which of them are known.

        They are encoded here, not on the device: with a GPU the loading processes have time to
        spare (docs/training.md).

        Returns:
            Landmark maps [K, S, S] and boundary maps [M, S, S], empty where points are NaN; whether
            each of them is known, [K] and [M]: a boundary is, if all of its points are.
        """
        known: NDArray[np.bool_] = np.asarray(np.isfinite(points).all(axis=1))
        whole = [known[list(curve)].all() for curve in self.markup.curves]
        drawn: NDArray[np.bool_] = np.array(whole, dtype=np.bool_)
        cells, side = crop_to_heatmap(points), self.size // STRIDE
        cells[~known] = 0
        landmarks = encode_landmarks(cells, side, self.landmark_sigma)
        boundaries = encode_boundaries(cells, self.markup.curves, side, BOUNDARY_SIGMA)
        landmarks[~known], boundaries[~drawn] = 0, 0
        return landmarks, boundaries, known, drawn
