"""Which way up a frame is shown, and when: presentation times that always grow."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from tracker.video.frame_source import VideoInfo


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


# Frame rate to assume where neither packets nor header tell the time (bare H.264 streams); FFmpeg
# assumes the same.
FALLBACK_RATE = Fraction(25)


class FrameClock:
    """Turns the presentation timestamps of decoded frames into seconds.

    Args:
        start: presentation time at which the player's clock shows 0, seconds.
        info: rate and time base of the video, for frames that do not say theirs.

    Attributes:
        end: seconds at which the last frame ends.
    """

    def __init__(self, start: Fraction, info: VideoInfo) -> None:
        self._start = start
        self._base = info.time_base
        self._step = 1 / (info.rate or FALLBACK_RATE)
        self._last: Fraction | None = None
        self.end = 0.0

    def tick(self, frame: VideoFrame) -> float:
        """Time of the next frame, later than the one before."""
        base = frame.time_base or self._base
        time = None if frame.pts is None else frame.pts * base - self._start
        if time is None:
            time = Fraction(0) if self._last is None else self._last + self._step
        elif self._last is not None and time <= self._last:
            # One tick only: the frames after this one keep their own times.
            time = self._last + self._base
        self._last = time
        self.end = float(time + (frame.duration * base if frame.duration else self._step))
        return float(time)
