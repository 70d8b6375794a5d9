"""Batches for the training loop, in the same order whoever loads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from model.errors import InputError
from tracker.measures.openings import eye_openings
from train.data.picture_cache import PictureCache
from train.data.sample import Sample
from train.learning.crop_dataset import CropDataset
from train.learning.loader_signals import blocked_signals, leave_group
from train.learning.processes import World
from train.recipes.recipe import Recipe, Stage
from train.recipes.run_config import RunConfig


def epoch_order(samples: Sequence[Sample], recipe: Recipe, seed: int, epoch: int) -> list[int]:
    """Indices of the faces an epoch serves, shuffled.

    A source with rate 0.35 serves a random 35 % of its faces, one with rate 2 each face twice; the
    rate of faces with closed eyes is multiplied by that of `Recipe.closed_eyes`. All rates are
    multiplied where an epoch would be shorter than `Recipe.least_views`.

    Args:
        samples: the training faces.
        recipe: holds the rates.
        seed: the run's seed.
        epoch: number of the epoch.

    Returns:
        Indices into `samples`, the same for the same seed and epoch.
    """
    rng = np.random.default_rng((seed, epoch))
    rates = np.array([_rate(sample, recipe) for sample in samples])
    if 0 < rates.sum() < recipe.least_views:
        rates *= recipe.least_views / rates.sum()
    whole = np.floor(rates).astype(int)
    counts = whole + (rng.random(len(samples)) < rates - whole)
    order = np.repeat(np.arange(len(samples)), counts)
    return [int(index) for index in rng.permutation(order)]


def _rate(sample: Sample, recipe: Recipe) -> float:
    """How often an epoch serves a face, on average."""
    rate = recipe.source(sample.source).rate
    eyes = recipe.closed_eyes
    if eyes.rate != 1 and np.mean(eye_openings(sample.points, sample.markup)) < eyes.below:
        rate *= eyes.rate
    return rate


def without_offsets(samples: Sequence[Sample], recipe: Recipe) -> list[Sample]:
    """Faces with their labels moved back by the offset of their source; see `Source.offset`.

    Sideways offsets are worth more than their size: a network that sees every face mirrored as
    well is told once that a point lies to the left and once that it lies to the right.

    Args:
        samples: the faces; one without landmarks stays as it is.
        recipe: holds the offsets.

    Raises:
        InputError: a face whose source has an offset has no distance to take a share of.
    """
    return [_moved(sample, recipe.source(sample.source).offset) for sample in samples]


def _moved(sample: Sample, offset: tuple[float, ...]) -> Sample:
    if not any(offset) or not sample.has_points:
        return sample
    unit = float(sample.markup.normalizer(sample.points))
    if not unit > 0:
        raise InputError(
            f"{sample.name}: the points that its source's 'offset' is a share of coincide or are "
            "not labelled; label them, or give its source no offset."
        )
    pixels = np.array(offset) * unit
    return replace(sample, points=sample.points - pixels)


class Feed:
    """Serves this process's share of every epoch.

    Args:
        config: the run.
        samples: the training faces.
        world: this process among all.
    """

    def __init__(self, config: RunConfig, samples: Sequence[Sample], world: World) -> None:
        self._config, self._world = config, world
        self._samples = without_offsets(samples, config.recipe)
        self._markup = config.network.markup
        weights = [config.recipe.source(sample.source).weight for sample in samples]
        self._weights = np.array(weights, dtype=np.float32)
        self._labelled = _labelled(config, samples)
        # Loading processes start anew every epoch, and each would keep its own copy.
        self._load = Sample.load if config.workers else PictureCache()

    def length(self, stage: Stage, epoch: int) -> int:
        """Batches of an epoch, the same in every process.

        Raises:
            InputError: there are not enough faces for one batch.
        """
        faces, batch = len(self._order(epoch)), stage.batch * self._world.size
        if faces < batch:
            raise InputError(
                f"{faces} training faces do not fill one batch of {batch}: "
                "give more data or a smaller batch in the recipe."
            )
        return faces // batch

    def batches(self, stage: Stage, epoch: int, done: int) -> Iterator[dict[str, Tensor]]:
        """The batches of an epoch for this process.

        Args:
            stage: size and batch.
            epoch: number of the epoch.
            done: batches served before an interruption.

        Yields:
            Stacked items of a `CropDataset`, stage.batch each.

        Raises:
            InputError: a picture cannot be read.
        """
        config, world = self._config, self._world
        dataset = CropDataset(
            self._samples,
            self._markup,
            size=stage.size,
            augment=config.recipe.augment,
            seed=config.seed,
            weights=self._weights,
            landmark_sigma=config.recipe.landmark_sigma,
            load=self._load,
            labelled=self._labelled,
            clean=bool(config.teachers) and config.recipe.distillation.clean,
        )
        # Every process takes every size-th face of the same order.
        mine = self._order(epoch)[world.rank :: world.size]
        first, end = done * stage.batch, self.length(stage, epoch) * stage.batch
        dataset.plan(epoch * world.size + world.rank, mine[first:end], first)
        loader = DataLoader(
            dataset,
            stage.batch,
            num_workers=config.workers,
            pin_memory=world.device.type == "cuda",
            worker_init_fn=_start_worker,
        )
        with blocked_signals():
            iterator = iter(loader)
        try:
            yield from iterator
        except InputError as error:
            # A loading process's error arrives as its whole traceback; the sentence is at its end.
            raise InputError(str(error).rpartition("InputError: ")[2].strip()) from error

    def _order(self, epoch: int) -> list[int]:
        return epoch_order(self._samples, self._config.recipe, self._config.seed, epoch)


def _labelled(config: RunConfig, samples: Sequence[Sample]) -> NDArray[np.bool_]:
    """Which faces are learned from their labels.

    Raises:
        InputError: a face has neither labels to learn from nor a teacher.
    """
    labelled = np.array([config.recipe.source(sample.source).labels for sample in samples])
    for sample, has in zip(samples, labelled, strict=True):
        if has and not sample.has_points:
            raise InputError(
                f"{sample.name} has no landmarks: set 'labels: false' for the source "
                f"'{sample.source}' in the recipe and give a --teacher."
            )
        if not has and not config.teachers:
            raise InputError(
                f"the recipe sets 'labels: false' for the source '{sample.source}', so nothing "
                "would be learned from it: give a --teacher."
            )
    return labelled


def _start_worker(number: int) -> None:
    """Set up a loading process."""
    leave_group()
    # One thread each: the processes are the parallelism.
    cv2.setNumThreads(0)
