"""From 98 WFLW points to 68 iBUG points, so that a 98-point network can be judged on 300W.

60 points are shared and pass through. Each of the eight remaining lid points is a weighted mean of
the eight points of its eye in the 98-point markup. The weights of a mean sum to 1, so the
conversion turns, scales, moves and skews with the face, and needs no frame of reference. The right
eye uses the left one's weights, mirrored.

The weights are fitted by `python -m train.fits.fit_lids --data ROOT` on faces that
have both labels, from a training list only. The fit expects errors of 1 % in its inputs: plain
least squares does a little better on clean labels, but with weights up to 1.1 it magnifies a
network's errors. Mean error of the eight points on held-out training faces (five folds), % of the
inter-ocular distance:

    98-point labels with noise of           0 %     1 %     2 %
    this fit                               0.87    1.10    1.57
    plain least squares                    0.80    1.62    2.87
    arc length on the lid's spline         0.93    1.31    2.09

What it does not do: points that the real WFLW labels put elsewhere than iBUG does (ends of the jaw
line, nose bridge) stay where the network puts them. A network trained on 98-point labels made from
iBUG points needs no more; one trained on the real WFLW keeps that difference of style.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from model.markup import AnyMarkup
from model.shipped_markups import IBUG, WFLW, WFLW_TO_IBUG, get_markup

# The left eye (of the image): its outline in the 98-point markup, and the lid points of the
# 68-point markup that are fitted from it.
EYE_98 = (60, 61, 62, 63, 64, 65, 66, 67)
LIDS_68 = (37, 38, 40, 41)

# Rows: the points LIDS_68; columns: the points EYE_98. Printed by `python -m train.fits.fit_lids`,
# fitted on 1809 faces (AFW, Helen and LFPW training faces with 98-point labels made from their 68
# points).
LID_WEIGHTS = (
    (0.0636, 0.4638, 0.4047, 0.1420, -0.0628, -0.0396, -0.0360, 0.0643),
    (-0.0487, 0.1791, 0.3671, 0.4874, 0.0928, 0.0557, -0.0596, -0.0739),
    (-0.0561, -0.0210, -0.0379, 0.0464, 0.1552, 0.3986, 0.3412, 0.1736),
    (0.0857, 0.1004, -0.0275, -0.1076, -0.0218, 0.1665, 0.3663, 0.4380),
)


def to_markup(
    points: NDArray[np.floating], source: AnyMarkup, target: AnyMarkup
) -> NDArray[np.float64]:
    """Express landmarks in the markup that a dataset is labelled with.

    Args:
        points: [..., K, 2] in the markup `source`.
        source: a markup, or its name.
        target: the same, or "ibug68" where `source` is "wflw98".

    Returns:
        [..., K', 2] in the markup `target`.

    Raises:
        InputError: there is no conversion between the two.
    """
    own, wanted = get_markup(source), get_markup(target)
    if own == wanted:
        return np.asarray(points, dtype=np.float64)
    if (own, wanted) != (WFLW, IBUG):
        raise InputError(
            f"a network of the markup {own} ({own.points} points) cannot be judged on labels of "
            f"{wanted} ({wanted.points} points); the one conversion there is goes from 98 to 68."
        )
    return np.asarray(_matrix() @ points, dtype=np.float64)


def conversion_matrix(lid_weights: NDArray[np.floating]) -> NDArray[np.float64]:
    """The conversion as one matrix.

    Args:
        lid_weights: [4, 8], rows for LIDS_68, columns for EYE_98; each row is scaled to sum to 1.

    Returns:
        [68, 98]; multiplied by points [98, 2] it gives points [68, 2].
    """
    matrix = np.zeros((IBUG.points, WFLW.points))
    for wflw, ibug in WFLW_TO_IBUG:
        matrix[ibug, wflw] = 1
    eye = np.array(EYE_98)
    for lid, row in zip(LIDS_68, lid_weights, strict=True):
        # A sum of 0.9999 after rounding would shift a point at x = 1000 by 0.1 pixels.
        weights = row / row.sum()
        matrix[lid, eye] = weights
        matrix[IBUG.flip[lid], WFLW.flip[eye]] = weights
    return matrix


@cache
def _matrix() -> NDArray[np.float64]:
    return conversion_matrix(np.array(LID_WEIGHTS))
