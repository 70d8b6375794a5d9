"""Pictures of the portrait's face at a size, a place and a roll."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.assets.portrait import portrait_image

# Read off the portrait: pupils and the middle of the mouth, pixels; and between brows and chin.
EYES, MOUTH = np.array([[202.0, 101.0], [245.5, 103.0]]), np.array([223.0, 145.0])
_CENTRE, _SIZE = (224.0, 125.0), 105


def portrait_scene(
    face: float,
    width: int = 640,
    height: int = 480,
    degrees: float = 0.0,
    place: tuple[float, float] | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The portrait with a face of about `face` pixels in the middle or at a place.

    `degrees` turns it counterclockwise.

    Returns:
        The picture [height, width, 3], and the matrix [2, 3] from the portrait's pixels to its.
    """
    x, y = place or (width / 2, height / 2)
    matrix = cv2.getRotationMatrix2D(_CENTRE, degrees, face / _SIZE)
    matrix[:, 2] += [x - _CENTRE[0], y - _CENTRE[1]]
    image = cv2.warpAffine(
        portrait_image(), matrix, (width, height), flags=cv2.INTER_AREA,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return np.asarray(image, dtype=np.uint8), np.asarray(matrix, dtype=np.float64)
