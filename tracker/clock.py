"""When a frame is shown: presentation times that always grow."""

from __future__ import annotations

from fractions import Fraction

from av.video.frame import VideoFrame

from tracker.videoinfo import VideoInfo

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
