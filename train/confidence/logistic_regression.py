"""Logistic regression, and how well probabilities fit what happened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import auc, roc_curve

# Bins of a reliability diagram: tenths, as the literature draws it.
BINS = 10
# Strength of the prior that holds weights (per standard deviation of a feature) near 0: as much as
# one face says. Without it perfectly separable faces would make them infinite.
_RIDGE = 1.0


def fit_logistic(
    features: NDArray[np.float64], happened: NDArray[np.bool_], ridge: float = _RIDGE
) -> tuple[float, ...]:
    """Offset and weights of the most probable logistic model.

    Args:
        features: [N, F].
        happened: [N], of both kinds.
        ridge: strength of the prior, > 0.

    Returns:
        F + 1 numbers: offset, then the weight of every feature.

    Raises:
        ValueError: only one kind.
    """
    if happened.min() == happened.max():
        raise ValueError("nothing to tell apart")
    centre, spread = features.mean(axis=0), features.std(axis=0) + 1e-9
    model = LogisticRegression(C=1 / ridge, solver="newton-cholesky", tol=1e-10)
    model.fit((features - centre) / spread, happened)
    own = model.coef_[0] / spread
    return (float(model.intercept_[0] - own @ centre), *(float(value) for value in own))


@dataclass(frozen=True, eq=False)
class Reliability:
    """What happened, by what was said to be likely.

    Attributes:
        count: [BINS] cases.
        stated: [BINS] mean probability; NaN for an empty bin.
        happened: [BINS] share; NaN for an empty bin.
    """

    count: NDArray[np.int64]
    stated: NDArray[np.float64]
    happened: NDArray[np.float64]

    @property
    def error(self) -> float:
        """Expected calibration error: the mean distance of the two, weighted by cases; 0..1."""
        full = self.count > 0
        apart = np.abs(self.stated - self.happened)[full]
        return float(np.average(apart, weights=self.count[full]))


def reliability(chances: NDArray[np.floating], happened: NDArray[np.bool_]) -> Reliability:
    """Sort cases into bins of equal width; both [N], N > 0, chances in 0..1."""
    bins = np.minimum((np.asarray(chances) * BINS).astype(int), BINS - 1)
    count = np.bincount(bins, minlength=BINS)
    with np.errstate(invalid="ignore"):
        stated = np.bincount(bins, weights=chances, minlength=BINS) / count
        share = np.bincount(bins, weights=happened, minlength=BINS) / count
    return Reliability(count, stated, share)


def roc(
    scores: NDArray[np.floating], happened: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Receiver operating characteristic.

    Args:
        scores: [N].
        happened: [N], of both kinds.

    Returns:
        Rate of false alarms and rate of hits, ascending, for every threshold, and the area under
        the curve: the chance that a random case that happened scores over one that did not.
    """
    alarms, hits, _ = roc_curve(happened, scores, drop_intermediate=False)
    return alarms, hits, float(auc(alarms, hits))
