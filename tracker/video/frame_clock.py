"""When a frame is shown: presentation times that always grow, whatever the file's clock does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

from av.video.frame import VideoFrame

from tracker.system.counted import counted
from tracker.video.broken_times import Verdict, judge
from tracker.video.frame_source import ClockJoin, VideoInfo

# Frame rate to assume where neither packets nor header tell the time (bare H.264 streams); FFmpeg
# assumes the same.
FALLBACK_RATE = Fraction(25)


class FrameClock:
    """Turns the presentation timestamps of decoded frames into seconds.

    Where the file's clock is set anew (joined recordings, cameras), times go on one frame after the
    last one, and `VideoInfo.timeline` says so, for the sound.

    Args:
        start: presentation time at which the player's clock shows 0, seconds.
        info: rate, time base and timeline of the video.
        jumps: whether the clock of this format may be set forward, too.

    Attributes:
        end: seconds at which the last frame ends.
    """

    def __init__(self, start: Fraction, info: VideoInfo, *, jumps: bool = False) -> None:
        self._shift = -start
        self._base = info.time_base
        self._step = 1 / (info.rate or FALLBACK_RATE)
        self._joins = info.timeline.joins
        self._jumps = jumps
        self._last: Fraction | None = None
        self._length = self._step
        self.end = 0.0

    def tick(
        self, frame: VideoFrame, following: Callable[[], Sequence[VideoFrame]] = tuple
    ) -> float:
        """Time of the next frame, later than the one before.

        Args:
            frame: as decoded.
            following: gives the frames after it, see `judge`.
        """
        time = self._place(frame, following)
        self._last = time
        # A length that outlasts a frame's successors (of files that state a mean) is none.
        self._length = frame.duration * self._base_of(frame) if frame.duration else self._step
        self.end = float(time + self._length)
        return float(time)

    def _place(self, frame: VideoFrame, following: Callable[[], Sequence[VideoFrame]]) -> Fraction:
        last = self._last
        time = self._stated(frame)
        if last is None:
            return Fraction(0) if time is None else time
        if time is None:
            return last + self._step
        verdict = judge(
            time,
            last,
            self._step,
            lambda: [t for f in following() if (t := self._stated(f)) is not None],
            jumps=self._jumps,
        )
        if verdict is Verdict.FITS:
            return time
        if verdict is Verdict.RESET:
            expected = last + self._length
            self._shift += expected - time
            self._joins.append(ClockJoin(expected, self._shift))
            return expected
        # One tick only: the frames after this one keep their own times.
        return last + (self._base if time <= last else self._step)

    def _stated(self, frame: VideoFrame) -> Fraction | None:
        return None if frame.pts is None else frame.pts * self._base_of(frame) + self._shift

    def _base_of(self, frame: VideoFrame) -> Fraction:
        return frame.time_base or self._base


def joined_text(path: Path, joins: Sequence[ClockJoin]) -> str:
    """What to say of a file whose clock was set anew."""
    more = f" and {counted(len(joins) - 1, 'time')} more" if len(joins) > 1 else ""
    return (
        f"{path}: its clock begins anew after {float(joins[0].at):.1f} s{more}; "
        "times go on from there."
    )
