"""Logistic regression, and how well probabilities fit what happened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Bins of a reliability diagram: tenths, as the literature draws it.
BINS = 10
# Strength of the prior that holds weights (per standard deviation of a feature) near 0: as much as
# one face says. Without it perfectly separable faces would make them infinite.
_RIDGE = 1.0
_MOST_STEPS = 100


def fit_logistic(
    features: NDArray[np.float64], happened: NDArray[np.bool_], ridge: float = _RIDGE
) -> tuple[float, ...]:
    """Offset and weights of the most probable logistic model, by Newton's method.

    Args:
        features: [N, F].
        happened: [N], of both kinds.
        ridge: strength of the prior, > 0.

    Returns:
        F + 1 numbers: offset, then the weight of every feature.

    Raises:
        ValueError: only one kind.
    """
    target = np.asarray(happened, dtype=np.float64)
    if target.min() == target.max():
        raise ValueError("nothing to tell apart")
    centre, spread = features.mean(axis=0), features.std(axis=0) + 1e-9
    design = np.column_stack([np.ones(len(features)), (features - centre) / spread])
    prior = ridge * np.eye(design.shape[1])
    prior[0, 0] = 0
    share = target.mean()
    weights = np.zeros(design.shape[1])
    weights[0] = np.log(share / (1 - share))
    loss = _loss(design, target, prior, weights)
    for _ in range(_MOST_STEPS):
        chance = 0.5 + 0.5 * np.tanh(design @ weights / 2)
        gradient = design.T @ (chance - target) + prior @ weights
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + prior
        step = np.linalg.solve(curvature + 1e-9 * np.eye(len(weights)), gradient)
        # The loss is convex: a step that is too long is only to be shortened.
        length = 1.0
        while (new := _loss(design, target, prior, weights - length * step)) > loss:
            length /= 2
            if length < 1e-6:
                break
        weights, done = weights - length * step, loss - new < 1e-10 * abs(loss)
        loss = new
        if done:
            break
    own = weights[1:] / spread
    return (float(weights[0] - own @ centre), *(float(value) for value in own))


def _loss(
    design: NDArray[np.float64],
    target: NDArray[np.float64],
    prior: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> float:
    logit = design @ weights
    return float(np.sum(np.logaddexp(0, logit) - target * logit) + weights @ prior @ weights / 2)


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
    order = np.argsort(-np.asarray(scores), kind="stable")
    ranked, yes = np.asarray(scores)[order], np.asarray(happened, dtype=bool)[order]
    # Equal scores are passed by a threshold together.
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    hits = np.concatenate([[0.0], np.cumsum(yes)[last] / yes.sum()])
    alarms = np.concatenate([[0.0], np.cumsum(~yes)[last] / (~yes).sum()])
    return alarms, hits, float(np.trapezoid(hits, alarms))
