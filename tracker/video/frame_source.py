"""What every source of frames tells about itself and hands out, file and camera alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

# Ticks per second where a source has no clock of its own (cameras): the clock of MPEG. Every usual
# frame rate is a whole number of its ticks, except the 1001 family, which is off by half a tick.
CLOCK = Fraction(1, 90_000)


@dataclass(frozen=True)
class ClockJoin:
    """Where the clock of a file is set anew, as in recordings that were joined.

    Attributes:
        at: seconds on the source's clock, which goes on.
        shift: what to add from there on to the times that the file states, seconds.
    """

    at: Fraction
    shift: Fraction


@dataclass
class Timeline:
    """What is known of a file's clock only once its frames have been read; grows meanwhile.

    Attributes:
        joins: where it was set anew, so far.
        end: seconds at which the last frame ends, once all frames have been read; None if unknown.
    """

    joins: list[ClockJoin] = field(default_factory=list)
    end: float | None = None


@dataclass(frozen=True)
class VideoInfo:
    """A source of frames, as its frames come out: turned upright, with square pixels.

    Attributes:
        name: how messages call the source: the path, "camera 0", or an address without password.
        path: the file; None for a camera, a stream or standard input.
        width: pixels.
        height: pixels.
        rate: mean frames per second, exact (30000/1001, not 29.97); None if unknown. Files may have
            a variable rate: the timestamps of the frames are the truth.
        frames: number of frames that the header states; None if it does not. Headers err.
        duration: seconds of video that the header states; None if it does not.
        rotation: degrees, clockwise, that the frames were turned by: 0, 90, 180 or 270.
        has_audio: whether the file has an audio stream.
        time_base: seconds per tick of the source's clock.
        pixel_aspect: width over height of a stored pixel; not 1 for anamorphic video.
        stored: width and height of the stored picture (upright) where its pixels are not square,
            and frames come enlarged; None where frames come as they are stored.
        live: frames come in real time and have no end; frames may be dropped.
        piped: frames come from another program, which waits for us; none is dropped.
        still: a single picture, without time.
        notes: what the user should know about the file.
        timeline: what reading the frames shows of the file's clock.
    """

    name: str
    path: Path | None
    width: int
    height: int
    rate: Fraction | None = None
    frames: int | None = None
    duration: float | None = None
    rotation: int = 0
    has_audio: bool = False
    time_base: Fraction = CLOCK
    pixel_aspect: Fraction = Fraction(1)
    stored: tuple[int, int] | None = None
    live: bool = False
    piped: bool = False
    still: bool = False
    notes: tuple[str, ...] = ()
    timeline: Timeline = field(default_factory=Timeline, compare=False, repr=False)

    @property
    def once(self) -> bool:
        """Whether the frames cannot be had again: a run that is broken off keeps what it made."""
        return self.live or self.piped

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height in stored pixels, upright."""
        return self.stored or (self.width, self.height)

    @property
    def enlargement(self) -> tuple[float, float]:
        """Pixels of the frames per stored pixel, in x and y; 1 where these are square."""
        width, height = self.stored_size
        return self.width / width, self.height / height

    def to_stored(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Points [..., 2] in pixels of the frames as places in the stored picture.

        (0, 0) is the centre of the top left pixel of either.
        """
        return (np.asarray(points, np.float64) + 0.5) / np.array(self.enlargement) - 0.5

    @property
    def expected_frames(self) -> int | None:
        """Frames to expect, for a progress bar; None if nobody knows."""
        if self.frames:
            return self.frames
        if self.duration and self.rate:
            return max(round(self.duration * self.rate), 1)
        return None


class SourceFrame(NamedTuple):
    """One frame of a source.

    Attributes:
        number: of the frame, from 0.
        timestamp: seconds on the source's clock; grows strictly from frame to frame.
        image: [height, width, 3], uint8, RGB.
    """

    number: int
    timestamp: float
    image: NDArray[np.uint8]


class FrameSource(Protocol):
    """An opened source: iterate over it once, then close it (or use it as a context manager)."""

    @property
    def info(self) -> VideoInfo:
        """What the source is."""
        ...

    def __iter__(self) -> Iterator[SourceFrame]: ...

    def close(self) -> None:
        """Free the file or camera."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
