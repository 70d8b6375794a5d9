"""From a decoded frame to an upright picture of 8-bit RGB."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

_UNSPECIFIED = 2  # colour matrix "unknown" in the H.264 standard's table
_HD_LINES = 720


def frame_to_rgb(frame: VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
    """Convert whatever the decoder gives (10 bit, grey, alpha, ...) to 8-bit RGB.

    Args:
        frame: as decoded, not rotated.
        width: of the result. A stream may change its size midway; what follows needs one size.
        height: of the result.

    Returns:
        [height, width, 3], uint8.
    """
    # Untagged video follows the convention of its size: BT.709 for HD, BT.601 below.
    untagged = frame.colorspace == _UNSPECIFIED
    matrix = Colorspace.ITU709 if untagged and frame.height >= _HD_LINES else None
    pixels = frame.to_ndarray(format="rgb24", width=width, height=height, src_colorspace=matrix)
    return np.asarray(pixels, dtype=np.uint8)


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
