"""Read a video file frame by frame, with real timestamps and the right side up."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from model.errors import InputError
from tracker.system.closing import Closing
from tracker.video.container import (
    clock_start,
    open_container,
    pick_audio,
    pick_video,
    picture_error,
)
from tracker.video.decoded_frame import (
    FALLBACK_RATE,
    UPRIGHT,
    FrameClock,
    Orientation,
    orientation_from_matrix,
)
from tracker.video.deinterlacing import Deinterlacer
from tracker.video.frame_pixels import FramePixels, frame_notes
from tracker.video.frame_source import SourceFrame, VideoInfo
from tracker.video.picture_size import TOO_LARGE, check_pixels, square_size
from tracker.video.truncation import check_length, promised_end

# A file whose sizes are in order may still end early: a download that was filled up with zeros.
# Durations in headers are rounded up to a second by some writers and to the audio's end by others,
# so only a gap over both of these counts as damage.
GAP_SECONDS = 1.0
GAP_SHARE = 0.02


class VideoReader(Closing):
    """The frames of a video file, in order and none left out. A context manager; iterate once.

    Timestamps are the presentation timestamps on the player's clock (0 where the earliest of the
    audio and video streams starts). A frame without one is placed one mean frame after its
    predecessor, one that does not grow a tick after it. Rotation and mirroring metadata is applied,
    and where pixels are not square frames are enlarged until they are (`VideoInfo.stored`).

    A truncated file is an `InputError`. The rule: it is truncated if the container's own sizes go
    beyond the end of the file and video frames are missing (found when it is opened, before any
    work), or if the last frame ends more than 1 s and more than 2 % before the video's stated end
    (found after the last frame). Frame counts of headers are never held against a whole file.
    Packets that cannot be decoded are skipped and counted in `damaged`. Interlaced frames are
    deinterlaced, and HDR is tone-mapped: `notes` says so.

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
            self._ahead = [frame for _, frame in zip(range(2), self._frames, strict=False)]
            self._orientation = self._check_first()
            self.info = self._describe()
            self._pixels = FramePixels(*self._decoded_size())
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[SourceFrame]:
        clock = FrameClock(self._start, self.info)
        count = 0
        for count, frame in enumerate(self._pending(), start=1):
            yield SourceFrame(count - 1, clock.tick(frame), self._image(frame))
        self._check_end(clock, count)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to the frames so far that the user should know."""
        return frame_notes(self._pixels, self._deinterlace)

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _pending(self) -> Iterator[VideoFrame]:
        while self._ahead:
            yield self._ahead.pop(0)
        yield from self._frames

    def _decode(self) -> Iterator[VideoFrame]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except av.InvalidDataError:
                self.damaged += 1
                return
            except (av.FFmpegError, OSError) as error:
                raise InputError(f"{self._path} cannot be read on: {error.strerror}.") from error
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
        matrix: Any = self._ahead[0].side_data.get("DISPLAYMATRIX")
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
            has_audio=pick_audio(self._container) is not None,
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

    def _check_end(self, clock: FrameClock, count: int) -> None:
        if self._promised_end is None:
            return
        promised = float(self._promised_end - self._start)
        gap = promised - clock.end
        if gap > max(GAP_SECONDS, GAP_SHARE * promised):
            raise InputError(
                f"{self._path} is damaged: its video ends after {clock.end:.1f} s ({count} frames) "
                f"of the {promised:.1f} s that it promises; copy or record it again."
            )
