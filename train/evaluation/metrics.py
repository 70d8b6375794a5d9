"""Face alignment metrics: NME per face, failure rate, area under the cumulative error curve.

Errors are fractions here (0.05 is "5 %"). A face that was not found has the error infinity: it
counts as a failure and adds nothing to the area, and it is left out of the mean and the median.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.markup import Markup

# Thresholds of the literature: 0.10 for WFLW, 0.08 for the 300W challenge and COFW.
THRESHOLDS = (0.08, 0.10)


@dataclass(frozen=True)
class ErrorSummary:
    """What a table row says about a set of faces.

    Attributes:
        n: number of faces.
        detected: share of them that were found, 0..1.
        nme: mean error of the faces found, percent; None if there is none.
        nme_median: median error of the faces found, percent; None if there is none.
        fr8: share of all faces with an error over 8 %, percent; faces not found count.
        fr10: the same over 10 %.
        auc8: area under the cumulative error curve of all faces from 0 to 8 %, over 8 %; 0..1.
        auc10: the same to 10 %.
    """

    n: int
    detected: float
    nme: float | None
    nme_median: float | None
    fr8: float
    fr10: float
    auc8: float
    auc10: float


def face_errors(
    predicted: NDArray[np.floating],
    truth: NDArray[np.floating],
    markup: Markup,
    normalizer: str | None = None,
) -> NDArray[np.float64]:
    """Normalised mean error of every face (the paper's Eq. 6) over the points that are labelled.

    Args:
        predicted: [N, K, 2], pixels; a face of NaNs was not found.
        truth: [N, K, 2], pixels; points that are not labelled are NaN.
        markup: of both.
        normalizer: name of the distance to divide by; the markup's default if None.

    Returns:
        [N] fractions, infinity for faces not found.

    Raises:
        InputError: the markup has no such normaliser.
        ValueError: the shapes differ, a face has no normalising distance or one of 0, no point
            of it is labelled, or only some of its predicted points are NaN.
    """
    if predicted.shape != truth.shape or truth.shape[1:] != (markup.points, 2):
        raise ValueError(f"predicted {predicted.shape}, truth {truth.shape}, {markup.name}")
    distance = markup.normalizer(truth, normalizer)
    if not (distance > 0).all():
        lacking = np.flatnonzero(~(distance > 0))
        raise ValueError(f"faces without a normalising distance: {lacking}")
    missing = np.isnan(predicted).all(axis=(1, 2))
    if np.isnan(predicted[~missing]).any():
        raise ValueError("a face is either found or not: some of its points are NaN")
    labelled = ~np.isnan(truth).any(axis=-1)
    if not labelled.any(axis=-1).all():
        raise ValueError("faces without labelled points")
    apart = np.linalg.norm(predicted - truth, axis=-1)
    errors = np.mean(apart, axis=-1, where=labelled) / distance
    return np.where(missing, np.inf, errors)


def common_offset(
    predicted: NDArray[np.floating],
    truth: NDArray[np.floating],
    markup: Markup,
    normalizer: str | None = None,
) -> tuple[NDArray[np.float64], float]:
    """What all points of all faces have in common: a habit of whoever labelled, or of the network.

    A network that learns from mirrored pictures too cannot be off to one side, so an offset in x
    is the labels'.

    Args:
        predicted: [N, K, 2], pixels; a face of NaNs was not found.
        truth: [N, K, 2], pixels; points that are not labelled are NaN.
        markup: of both.
        normalizer: name of the distance to divide by; the markup's default if None.

    Returns:
        Mean of predicted - truth over the normalising distance [2], fractions, x to the right and y
        down; and the mean error that is left without it. NaN where no face was found.
    """
    found = ~np.isnan(predicted).all(axis=(1, 2))
    if not found.any():
        return np.full(2, np.nan), np.nan
    distance = markup.normalizer(truth[found], normalizer)[:, None, None]
    apart = (predicted[found] - truth[found]) / distance
    offset = np.nanmean(apart, axis=(0, 1))
    return offset, float(np.nanmean(np.linalg.norm(apart - offset, axis=-1)))


def failure_rate(errors: NDArray[np.floating], threshold: float) -> float:
    """FR@threshold: share of faces (0..1) whose error is over it; `errors` [N] fractions, N > 0."""
    return float(np.mean(errors > threshold))


def area_under_curve(errors: NDArray[np.floating], threshold: float) -> float:
    """AUC@threshold: exact area under the cumulative error curve from 0 to threshold, over it.

    The curve is a step function, so no sampling is needed: each face adds the part of
    [0, threshold] that lies right of its error.

    Args:
        errors: [N] fractions, N > 0; infinity for faces not found.
        threshold: fraction, > 0.

    Returns:
        0..1.
    """
    return float(np.mean(np.clip(1 - np.asarray(errors, dtype=np.float64) / threshold, 0, 1)))


def cumulative_curve(
    errors: NDArray[np.floating],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Corners of the cumulative error distribution (CED), a step function.

    Args:
        errors: [N] fractions, N > 0; infinity for faces not found.

    Returns:
        Errors [n + 1], ascending, the first 0; the share of all faces (0..1) with at most that
        error [n + 1]. n is the number of faces found.
    """
    ordered = np.sort(np.asarray(errors, dtype=np.float64)[np.isfinite(errors)])
    shares = np.arange(len(ordered) + 1) / len(errors)
    return np.concatenate([[0.0], ordered]), shares


def summarize(errors: NDArray[np.floating]) -> ErrorSummary:
    """All figures of a set of faces; `errors` [N] fractions, N > 0, infinity for those not found.

    Raises:
        ValueError: there is no face.
    """
    if len(errors) == 0:
        raise ValueError("no face to summarise")
    found = errors[np.isfinite(errors)]
    low, high = THRESHOLDS
    return ErrorSummary(
        n=len(errors),
        detected=len(found) / len(errors),
        nme=100 * float(found.mean()) if len(found) else None,
        nme_median=100 * float(np.median(found)) if len(found) else None,
        fr8=100 * failure_rate(errors, low),
        fr10=100 * failure_rate(errors, high),
        auc8=area_under_curve(errors, low),
        auc10=area_under_curve(errors, high),
    )
