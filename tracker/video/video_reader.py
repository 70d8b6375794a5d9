"""Read a video file frame by frame, with real timestamps and the right side up."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from model.errors import InputError
from tracker.system.closing import Closing
from tracker.video.broken_times import LOOK_AHEAD
from tracker.video.container import (
    clock_start,
    has_index,
    is_resettable,
    open_container,
    pick_video,
    picture_error,
)
from tracker.video.decoded_frame import (
    UPRIGHT,
    Orientation,
    orientation_from_matrix,
)
from tracker.video.deinterlacing import Deinterlacer
from tracker.video.frame_clock import FALLBACK_RATE, FrameClock, joined_text
from tracker.video.frame_pixels import FramePixels, frame_notes
from tracker.video.frame_source import SourceFrame, VideoInfo
from tracker.video.picture_size import TOO_LARGE, check_pixels, square_size
from tracker.video.truncation import (
    check_length,
    damaged_text,
    ends_in_zeros,
    is_gap,
    promised_end,
)

# Mean distance of frames against the stated rate: within this share the rate is constant.
_CONSTANT = 0.1


class VideoReader(Closing):
    """The frames of a video file, in order and none left out. A context manager; iterate once.

    Timestamps are the presentation timestamps on the player's clock (0 where the earliest of the
    audio and video streams starts). A frame without one is placed one mean frame after its
    predecessor, one that does not grow a tick after it; where the file's clock is set anew, times
    go on (see `FrameClock`). Rotation and mirroring metadata is applied, and where pixels are not
    square frames are enlarged until they are (`VideoInfo.stored`). Interlaced frames are
    deinterlaced, and HDR is tone-mapped: `notes` says so.

    A file that is cut short is an `InputError`: the container's own sizes go beyond the end of the
    file and video frames are missing, which is found before any work. Frame counts and durations of
    headers are never held against a whole file. Packets that cannot be decoded are skipped and
    counted in `damaged`. If the video ends well before its stated end (`is_gap`), then either
    there is other evidence of a loss (damage, an end in zeros) and `warnings` says so, or the last
    frame is shown until then (`VideoInfo.timeline`), unless a constant rate contradicts that.

    Args:
        path: the file.

    Raises:
        InputError: not a video, a picture, no video stream, truncated, or nothing can be decoded.

    Example:
        ```python
        with VideoReader(Path("video.mp4")) as video:
            for index, timestamp, image in video:
                ...
        ```
    """

    def __init__(self, path: Path) -> None:
        self.damaged = 0
        self.warnings: tuple[str, ...] = ()
        self._broke_off = False
        self._path = Path(path)
        self._container = open_container(self._path)
        try:
            self._stream = pick_video(self._container, self._path)
            self._start = clock_start(self._container)
            self._promised_end = promised_end(self._container, self._stream)
            check_length(self._path, self._container.format.name, self._start)
            # Frame threads keep the decoder off the tracker's critical path.
            self._stream.thread_type = "AUTO"
            self._deinterlace = Deinterlacer()
            self._frames = self._deinterlace(self._decode())
            # Two frames ahead: the size and rotation are known for sure only from a frame, and a
            # picture in a video's clothes (GIF) has no second one.
            self._ahead: deque[VideoFrame] = deque()
            self._look_ahead(2)
            self._orientation = self._check_first()
            self.info = self._describe()
            self._pixels = FramePixels(*self._decoded_size())
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[SourceFrame]:
        clock = FrameClock(self._start, self.info, jumps=is_resettable(self._container))
        count, first, last = 0, 0.0, 0.0
        for count, frame in enumerate(self._pending(), start=1):
            last = clock.tick(frame, lambda: self._look_ahead(LOOK_AHEAD))
            first = last if count == 1 else first
            yield SourceFrame(count - 1, last, self._image(frame))
        self._settle_end(clock.end, count, (last - first) / max(count - 1, 1))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to the frames so far that the user should know."""
        return frame_notes(self._pixels, self._deinterlace)

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _pending(self) -> Iterator[VideoFrame]:
        while self._ahead:
            yield self._ahead.popleft()
            if not self._ahead:
                self._look_ahead(1)

    def _look_ahead(self, count: int) -> Sequence[VideoFrame]:
        """The next frames, fewer at the end."""
        while len(self._ahead) < count and (frame := next(self._frames, None)) is not None:
            self._ahead.append(frame)
        return tuple(self._ahead)[:count]

    def _decode(self) -> Iterator[VideoFrame]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except OSError as error:  # of the disk, not of the file
                raise InputError(f"{self._path} cannot be read on: {error.strerror}.") from error
            except av.FFmpegError:
                self.damaged += 1
                self._broke_off = True
                return
            if packet is None:
                return
            try:
                frames = packet.decode()
            except av.FFmpegError:
                self.damaged += 1
                continue
            yield from frames

    def _check_first(self) -> Orientation:
        if not self._ahead:
            # Of frames that are too large some formats do not keep the size.
            large = "" if self._stream.codec_context.width else f", or {TOO_LARGE}"
            raise InputError(
                f"{self._path} has no frame that can be decoded: it is empty or damaged{large}."
            )
        if len(self._ahead) == 1 and self._container.format.name in ("gif", "apng"):
            raise picture_error(self._path)
        try:
            matrix: Any = self._ahead[0].side_data.get("DISPLAYMATRIX")
        except ValueError:  # PyAV does not know every kind of side data that FFmpeg has
            matrix = None
        if matrix is None:
            return UPRIGHT
        return orientation_from_matrix(np.frombuffer(matrix, dtype=np.int32))

    def _describe(self) -> VideoInfo:
        stream, first = self._stream, self._ahead[0]
        aspect = stream.sample_aspect_ratio or Fraction(1)
        stored = first.width, first.height
        if self._orientation.transposed:
            stored, aspect = (first.height, first.width), 1 / aspect
        width, height = square_size(*stored, aspect)
        check_pixels(str(self._path), width, height)
        duration = None
        if self._promised_end is not None:
            first_start = (stream.start_time or 0) * (stream.time_base or Fraction(0))
            duration = float(self._promised_end - first_start)
        return VideoInfo(
            name=str(self._path),
            path=self._path,
            width=width,
            height=height,
            rate=stream.average_rate or stream.guessed_rate or None,
            frames=stream.frames or None,
            duration=duration,
            rotation=self._orientation.degrees,
            has_audio=bool(self._container.streams.audio),
            time_base=stream.time_base or 1 / FALLBACK_RATE,
            pixel_aspect=aspect,
            stored=stored if stored != (width, height) else None,
        )

    def _image(self, frame: VideoFrame) -> NDArray[np.uint8]:
        return self._orientation.apply(self._pixels(frame))

    def _decoded_size(self) -> tuple[int, int]:
        """Width and height of frames before they are turned."""
        size = self.info.width, self.info.height
        return size[::-1] if self._orientation.transposed else size

    def _settle_end(self, end: float, count: int, spacing: float) -> None:
        """Find out until when the last frame is shown, and whether frames are missing after it."""
        timeline, stated = self.info.timeline, self._promised_end
        timeline.end = end
        if timeline.joins:
            self.warnings = (joined_text(self._path, timeline.joins),)
        if stated is None or timeline.joins or is_resettable(self._container):
            # No duration of the whole: FFmpeg takes the last time of a broadcast less the first.
            if self._broke_off:
                self.warnings += (damaged_text(self._path, end, count),)
            return
        promised = float(stated - self._start)
        # Only MP4 counts its frames in an index of them all.
        indexed = self._stream.frames if has_index(self._container) else 0
        lost = self.damaged or count < indexed or ends_in_zeros(self._path)
        if is_gap(end, promised) and lost:
            self.warnings = (damaged_text(self._path, end, count, promised),)
        elif self.info.rate is None or abs(spacing * float(self.info.rate) - 1) > _CONSTANT:
            timeline.end = max(end, promised)
