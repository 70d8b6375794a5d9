"""A plain face in the order of WFLW, for tests of what moves and what does not."""

import numpy as np
from numpy.typing import NDArray

from tests.support.face_files import template


def face_shape(side: float, centre: tuple[float, float]) -> NDArray[np.float64]:
    """[98, 2] landmarks of an upright face.

    Args:
        side: long side of the tight box, pixels.
        centre: of the box.
    """
    points = template()
    low, high = points.min(axis=0), points.max(axis=0)
    scale = side / (high - low).max()
    return (points - (low + high) / 2) * scale + np.array(centre)
