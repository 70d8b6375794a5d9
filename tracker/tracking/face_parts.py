"""Parts of a face that move by themselves: landmarks on curves that meet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.markup import Markup

# Parts smaller than this, in radii of the face, count as this large: half the size of an eye. A
# pupil is one point, without a size.
SMALLEST_PART = 0.15


def parts(markup: Markup) -> NDArray[np.intp]:
    """Which part of the face every landmark belongs to: points on curves that meet are one part.

    Args:
        markup: of the landmarks.

    Returns:
        [K] numbers of parts, from 0. WFLW: contour, brows, nose bridge and base, eyes, outer and
        inner lips, pupils.
    """
    part = np.arange(markup.points)
    for curve in markup.curves:
        joined = np.isin(part, part[list(curve)])
        part[joined] = part[list(curve)].min()
    return np.asarray(np.unique(part, return_inverse=True)[1], dtype=np.intp)


def means(part: NDArray[np.intp]) -> NDArray[np.float64]:
    """The matrix that takes landmarks to the means of their parts.

    Args:
        part: [K] which part every landmark belongs to; see `parts`.

    Returns:
        [parts, K]; its rows sum to 1.
    """
    member = part == np.arange(part.max() + 1)[:, None]
    return np.asarray(member / member.sum(axis=1, keepdims=True))
