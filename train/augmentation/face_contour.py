"""The contour of a face, as people label it: its points are spread along what they see of it.

So they are no spots of the skin. Measured on the labelled faces, each half of the contour keeps
equal distances between its points however far a head is turned: on the wild faces the far half
shrinks from 76 to 65 mm and its points rise, the near half grows from 81 to 95.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.markup import Markup
from train.data.label_groups import face_regions


def respaced(
    points: NDArray[np.float64], before: NDArray[np.float64], markup: Markup
) -> NDArray[np.float64]:
    """Spread the points of each half of the contour along its line as they were before.

    Args:
        points: [K, 2], pixels, after something that moved skin.
        before: [K, 2], pixels, as they were labelled.
        markup: of both.

    Returns:
        [K, 2]; ends and chin stay, like everything that is no contour. COFW's markup has none.
    """
    curve = contour(markup)
    if curve is None:
        return points
    out = points.copy()
    chin = len(curve) // 2
    for half in (curve[: chin + 1], curve[chin:]):
        share, way = _lengths(before[half]), _lengths(points[half])
        if share[-1] > 0:
            at = share / share[-1] * way[-1]
            out[half] = np.stack([np.interp(at, way, points[half, axis]) for axis in (0, 1)], 1)
    return out


def contour(markup: Markup) -> NDArray[np.intp] | None:
    """Indices of the contour from one ear over the chin to the other; None if it has no line."""
    jaw = face_regions(markup).get("jaw")
    return jaw if jaw is not None and len(jaw) > 1 else None


def _lengths(line: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N] the way along a line [N, 2] from its start."""
    return np.append(0.0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1)))
