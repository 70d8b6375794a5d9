"""The similarity (shift, turn, zoom) that takes one set of points onto another.

Points are complex numbers x + iy here: a similarity is then z -> turn * z + shift, with the zoom in
the modulus of `turn` and the roll in its argument.
"""

from __future__ import annotations

from math import sqrt

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
    # Around their middles: sums of squares of numbers far from 0 would be all rounding.
    count = len(source)
    middle, goal = complex(source.sum()) / count, complex(target.sum()) / count
    own, other = source - middle, target - goal
    radius = sqrt(np.vdot(own, own).real / count)
    table = _table(own, other)
    least = _rounding(source), _rounding(target)
    weights = np.ones(count)
    for rounds_left in range(_ROUNDS, -1, -1):
        fit = _fit(table @ weights, least)
        if fit is None:
            return None
        turn, shift = fit
        if rounds_left:
            miss = turn * own + (shift - other)
            miss *= 1 / (_HALF * abs(turn) * radius)
            weights = 1 / (1 + (miss * miss.conj()).real)
    return turn, shift + goal - turn * middle


def _table(own: NDArray[np.complex128], other: NDArray[np.complex128]) -> NDArray[np.float64]:
    """[9, K]: everything whose weighted sums the least squares need, however the weights change."""
    product = own.conj() * other
    table = np.empty((9, len(own)))
    table[0] = 1
    table[1], table[2], table[3], table[4] = own.real, own.imag, other.real, other.imag
    table[5], table[6] = (own * own.conj()).real, (other * other.conj()).real
    table[7], table[8] = product.real, product.imag
    return table


def _fit(sums: NDArray[np.float64], least: tuple[float, float]) -> tuple[complex, complex] | None:
    """Weighted least squares in closed form, from the weighted sums of a `_table`.

    Args:
        sums: [9].
        least: squared sizes of both shapes under which they are rounding errors.
    """
    total, *means = sums.tolist()
    x, y, to_x, to_y, spread, far, real, imaginary = (value / total for value in means)
    middle, goal = complex(x, y), complex(to_x, to_y)
    spread -= abs(middle) ** 2
    far -= abs(goal) ** 2
    # Relative to where they are: below, the differences are rounding errors.
    if not min(spread - least[0], far - least[1]) > 0:
        return None
    turn = (complex(real, imaginary) - middle.conjugate() * goal) / spread
    if abs(turn) ** 2 * spread <= _LEAST_SHARED * far:
        return None
    return turn, goal - turn * middle


# Two shapes with less than this share of their squared size in common are no similar pair (noise).
_LEAST_SHARED = 1e-6


def _rounding(points: NDArray[np.complex128]) -> float:
    """Squared size of what rounding makes of equal points, with a margin."""
    return float((1e-12 * np.abs(points).max()) ** 2) + 1e-12
