"""The similarity (shift, turn, zoom) that takes one set of points onto another.

Points are complex numbers x + iy here: a similarity is then z -> turn * z + shift, with the zoom in
the modulus of `turn` and the roll in its argument.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Points that miss the fit by this share of the face's radius (root mean square distance from its
# centre) count half. A blinking lid and an opening mouth miss it by more, noise by a third of it.
_HALF = 0.03
# Rounds of re-weighting; a third changes the fit by less than the landmarks' noise.
_ROUNDS = 2


def fit_similarity(
    source: NDArray[np.complex128], target: NDArray[np.complex128]
) -> tuple[complex, complex] | None:
    """Robust least squares: points that move by themselves have little say.

    Args:
        source: [K] points.
        target: [K] where they are to go.

    Returns:
        `turn` and `shift` with turn * source + shift near target, or None where the points are so
        close together that they have no direction.
    """
    weights = np.ones(len(source))
    fit = _fit(source, target, weights)
    for _ in range(_ROUNDS):
        if fit is None:
            return None
        turn, shift = fit
        miss = np.abs(turn * source + shift - target)
        radius = abs(turn) * float(np.sqrt(np.mean(np.abs(source - source.mean()) ** 2)))
        fit = _fit(source, target, 1 / (1 + (miss / (_HALF * radius)) ** 2))
    return fit


def _fit(
    source: NDArray[np.complex128], target: NDArray[np.complex128], weights: NDArray[np.float64]
) -> tuple[complex, complex] | None:
    """Weighted least squares in closed form."""
    weights = weights / weights.sum()
    middle, goal = weights @ source, weights @ target
    own, other = source - middle, target - goal
    spread = float(weights @ np.abs(own) ** 2)
    far = float(weights @ np.abs(other) ** 2)
    # Relative to where they are: below, the differences are rounding errors.
    if not min(spread - _rounding(source), far - _rounding(target)) > 0:
        return None
    turn = complex(weights @ (own.conj() * other)) / spread
    if abs(turn) ** 2 * spread <= _LEAST_SHARED * far:
        return None
    return turn, complex(goal - turn * middle)


# Two shapes with less than this share of their squared size in common are no similar pair (noise).
_LEAST_SHARED = 1e-6


def _rounding(points: NDArray[np.complex128]) -> float:
    """Squared size of what rounding makes of equal points, with a margin."""
    return float((1e-12 * np.abs(points).max()) ** 2) + 1e-12
