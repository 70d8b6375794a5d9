"""Which way up a frame is shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Orientation:
    """How stored pixels become the picture to show: transpose first, then mirror.

    Attributes:
        transposed: rows become columns.
        mirror_x: left and right change places.
        mirror_y: top and bottom change places.
    """

    transposed: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @property
    def degrees(self) -> int:
        """Clockwise rotation of the picture: 0, 90, 180 or 270; mirroring is left aside."""
        if self.transposed:
            return 90 if self.mirror_x else 270
        return 180 if self.mirror_y else 0

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn an image [H, W, C]; the result is contiguous, as OpenCV wants it."""
        if self.transposed:
            image = image.transpose(1, 0, 2)
        if self.mirror_x:
            image = image[:, ::-1]
        if self.mirror_y:
            image = image[::-1]
        return np.ascontiguousarray(image)


UPRIGHT = Orientation()


def orientation_from_matrix(matrix: NDArray[np.integer]) -> Orientation:
    """Orientation that a display matrix (ISO 14496-12, `tkhd`) stands for.

    Angles in between (no camera writes them) become the nearest quarter turn.

    Args:
        matrix: 9 fixed-point numbers a b u, c d v, x y w: a stored pixel (p, q) is shown at
            (a p + c q, b p + d q).
    """
    a, b, _, c, d, *_ = (int(value) for value in np.ravel(matrix))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)
