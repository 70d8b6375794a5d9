"""From a decoder's frame to RGB."""

from __future__ import annotations

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
