"""Which faces an epoch serves, and the learning rate over a run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tracker.measures.openings import eye_openings
from train.data.sample import Sample
from train.recipe import Recipe


def epoch_order(samples: Sequence[Sample], recipe: Recipe, seed: int, epoch: int) -> list[int]:
    """Indices of the faces an epoch serves, shuffled.

    A source with rate 0.35 serves a random 35 % of its faces, one with rate 2 each face twice; the
    rate of faces with closed eyes is multiplied by that of `Recipe.closed_eyes`.

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
    whole = np.floor(rates).astype(int)
    counts = whole + (rng.random(len(samples)) < rates - whole)
    order = np.repeat(np.arange(len(samples)), counts)
    return [int(index) for index in rng.permutation(order)]


def _rate(sample: Sample, recipe: Recipe) -> float:
    """How often an epoch serves a face, on average."""
    rate = recipe.source(sample.source).rate
    eyes = recipe.closed_eyes
    if eyes.rate != 1 and np.mean(eye_openings(sample.points, sample.markup.name)) < eyes.below:
        rate *= eyes.rate
    return rate


def learning_rate(recipe: Recipe, step: int, progress: float) -> float:
    """Learning rate of a step.

    Args:
        recipe: peak, warm-up and shape.
        step: optimiser steps done.
        progress: share of the run done, 0 to 1.
    """
    warmup = min(1.0, (step + 1) / recipe.warmup_steps) if recipe.warmup_steps else 1.0
    shape = (1 + math.cos(math.pi * min(progress, 1.0))) / 2 if recipe.schedule == "cosine" else 1
    return recipe.learning_rate * warmup * shape
