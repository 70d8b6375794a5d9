"""Labels with what is wrong with all of a source's taken out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from train.data.sample import Sample
from train.recipe import Recipe


def without_offsets(samples: Sequence[Sample], recipe: Recipe) -> list[Sample]:
    """Faces with their labels moved back by the offset of their source; see `Source.offset`.

    Sideways offsets are worth more than their size: a network that sees every face mirrored as
    well is told once that a point lies to the left and once that it lies to the right.

    Args:
        samples: the faces; one without landmarks stays as it is.
        recipe: holds the offsets.
    """
    return [_moved(sample, recipe.source(sample.source).offset) for sample in samples]


def _moved(sample: Sample, offset: tuple[float, ...]) -> Sample:
    if not any(offset) or not sample.has_points:
        return sample
    pixels = np.array(offset) * sample.markup.normalizer(sample.points)
    return replace(sample, points=sample.points - pixels)
