"""Errors of a network on annotated faces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.decoder import DEFAULT_DECODER, Decoder
from model.errors import InputError
from model.markup import Markup
from tracker.engines.base import Engine
from train.data.sample import Sample
from train.evaluation.markup_conversion import to_markup
from train.evaluation.metrics import common_offset, face_errors
from train.evaluation.predict import Locator, predict, true_region


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Errors of a network on a set of faces.

    Attributes:
        markup: the dataset's.
        normalizer: name of the distance that errors are divided by.
        points: [N, K, 2] predicted landmarks in the dataset's markup, pixels of each picture; NaN
            for faces that were not found.
        errors: [N] normalised mean errors as fractions, infinity for faces not found.
        offset: [2] mean of predicted - labelled position over the normaliser, see
            `train.evaluation.metrics.common_offset`.
        centred: mean error without that offset.
    """

    markup: Markup
    normalizer: str
    points: NDArray[np.float64]
    errors: NDArray[np.float64]
    offset: NDArray[np.float64]
    centred: float


def evaluate(
    engine: Engine,
    samples: Sequence[Sample],
    *,
    normalizer: str | None = None,
    locate: Locator = true_region,
    decoder: Decoder = DEFAULT_DECODER,
    flip: bool = False,
    batch: int = 32,
    progress: Callable[[int], object] | None = None,
) -> Evaluation:
    """Predict the landmarks of every sample and compare them with its labels.

    Args:
        engine: the network; its markup may differ from the labels' where
            `train.evaluation.markup_conversion` knows how.
        samples: the faces, all with the same markup, at least one.
        normalizer: distance to divide by; the markup's default if None.
        locate: where to cut; the default is the ground-truth box.
        decoder: how heatmaps become points.
        flip: average the heatmaps with those of the mirrored crop.
        batch: crops given to the network at once.
        progress: called with the number of faces just done.

    Returns:
        Points and errors in the order of the samples.

    Raises:
        InputError: no conversion between the two markups, an unknown normaliser, a face whose
            normalising distance is 0, or a picture that cannot be read.
        ValueError: no samples, or samples of several markups.
    """
    truth = np.stack([sample.points for sample in samples])
    markup, own = samples[0].markup, engine.info.markup
    check_comparable(own, samples, normalizer)
    predicted = predict(
        engine,
        samples,
        locate=locate,
        decoder=decoder,
        flip=flip,
        batch=batch,
        progress=progress,
    )
    points = to_markup(predicted, own, markup)
    offset, centred = common_offset(points, truth, markup, normalizer)
    return Evaluation(
        markup=markup,
        normalizer=normalizer or markup.default_normalizer,
        points=points,
        errors=face_errors(points, truth, markup, normalizer),
        offset=offset,
        centred=centred,
    )


def check_comparable(own: Markup, samples: Sequence[Sample], normalizer: str | None = None) -> None:
    """Find out that errors cannot be had before a network runs for minutes.

    Args:
        own: the network's markup.
        samples: the faces, all with the same markup, at least one.
        normalizer: distance to divide by; the markup's default if None.

    Raises:
        InputError: no conversion between the two markups, an unknown normaliser, or a face whose
            normalising distance is 0.
    """
    markup = samples[0].markup
    to_markup(np.zeros((own.points, 2)), own, markup)
    truth = np.stack([sample.points for sample in samples])
    for sample, distance in zip(samples, markup.normalizer(truth, normalizer), strict=True):
        if not distance > 0:
            raise InputError(
                f"{sample.name}: the points that errors are divided by coincide or are not "
                "labelled; correct the labels or choose another normaliser."
            )
