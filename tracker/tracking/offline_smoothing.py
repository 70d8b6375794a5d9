"""Smoothing of whole recordings: what comes later is known, so nothing has to lag."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from model.markup import Markup
from tracker.tracking.face_parts import parts
from tracker.tracking.face_tracker import Tracker
from tracker.tracking.results import Face
from tracker.tracking.smoothing import FaceFilter, SmoothingOptions, smoothing
from tracker.video.frame_source import SourceFrame

# Frames of one face that are further apart than this, seconds, are smoothed separately: what it did
# in between is not known.
_GAP = 0.5
# Frames after which a filter knows a face as well as it ever will.
_WARM = 15


def smooth_track(
    points: NDArray[np.floating],
    timestamps: Sequence[float] | NDArray[np.floating],
    options: SmoothingOptions,
    part: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Smooth the landmarks of one face with zero phase.

    The mean of the filter run forward and the filter run backward in time: the lag of the one is
    the lead of the other. The same for a recording played backward.

    Args:
        points: [T, K, 2], pixels, finite.
        timestamps: [T] seconds, ascending.
        options: constants of the filter.
        part: [K], see `tracker.tracking.smoothing.parts`.

    Returns:
        [T, K, 2].
    """
    times = np.asarray(timestamps, dtype=np.float64)
    breaks = np.flatnonzero(np.diff(times) > _GAP) + 1
    pieces = zip(np.split(np.asarray(points), breaks), np.split(times, breaks), strict=True)
    return np.concatenate([_smooth_piece(piece, when, options, part) for piece, when in pieces])


def _smooth_piece(
    points: NDArray[np.floating],
    times: NDArray[np.float64],
    options: SmoothingOptions,
    part: NDArray[np.intp],
) -> NDArray[np.float64]:
    forward, backward = FaceFilter(options, part), FaceFilter(options, part)
    ahead = [forward(frame, float(time)) for frame, time in zip(points, times, strict=True)]
    behind = [
        backward(frame, -float(time)) for frame, time in zip(points[::-1], times[::-1], strict=True)
    ]
    # At its first frame a filter knows nothing yet and passes the noise on: each run counts as
    # much as the frames that it has seen.
    seen = np.arange(1, len(points) + 1, dtype=np.float64)
    share = np.minimum(seen, _WARM)
    weight = (share / (share + share[::-1]))[:, None, None]
    return np.asarray(weight * np.array(ahead) + (1 - weight) * np.array(behind[::-1]))


class Recording:
    """The faces of a file, kept until all of it is read, then given back smoothed.

    Holds landmarks and scores, no pictures: 2 kB a face and frame, some 200 MB for an hour of one
    face at 30 frames/s.

    Args:
        markup: of the landmarks.
        options: constants of the filter; None gives the faces back as they are.
    """

    def __init__(self, markup: Markup, options: SmoothingOptions | None) -> None:
        self._options = options
        self._part = parts(markup)
        self._times: list[float] = []
        self._frames: list[tuple[Face, ...]] = []

    def add(self, timestamp: float, faces: tuple[Face, ...]) -> None:
        """Take the faces of the next frame.

        Args:
            timestamp: seconds, after the last one's.
            faces: with raw landmarks; maps are not kept.
        """
        self._times.append(timestamp)
        self._frames.append(tuple(replace(face, maps=None) for face in faces))

    def __len__(self) -> int:
        return len(self._frames)

    def smoothed(self) -> Iterator[tuple[Face, ...]]:
        """The faces of every frame in order, with smoothed landmarks; raw ones stay as they are."""
        if self._options is None:
            yield from self._frames
            return
        rows: dict[int, list[int]] = {}
        for index, faces in enumerate(self._frames):
            for face in faces:
                rows.setdefault(face.id, []).append(index)
        smooth: dict[int, Iterator[NDArray[np.float32]]] = {}
        for number, frames in rows.items():
            raw = [next(f.raw for f in self._frames[i] if f.id == number) for i in frames]
            times = [self._times[i] for i in frames]
            track = smooth_track(np.array(raw), times, self._options, self._part)
            smooth[number] = iter(track.astype(np.float32))
        for faces in self._frames:
            yield tuple(replace(face, landmarks=next(smooth[face.id])) for face in faces)


def follow_twice(
    first: Iterable[SourceFrame],
    second: Iterable[SourceFrame],
    tracker: Tracker,
    max_frames: int | None = None,
    on_frame: Callable[[int], None] = lambda count: None,
) -> Iterator[tuple[SourceFrame, tuple[Face, ...]]]:
    """Track a source to its end, then read it again and hand out frames with smoothed faces.

    Pictures are not kept: what is held between the passes is a `Recording`.

    Args:
        first: the frames.
        second: the same frames; read only once the first pass is done.
        tracker: its smoothing preset is the one used.
        max_frames: look at so many frames only; None for all.
        on_frame: told how many frames the first pass has done.

    Yields:
        A frame and its faces.
    """
    recording = Recording(tracker.markup, smoothing(tracker.options.smoothing))
    for frame in islice(first, max_frames):
        recording.add(frame.timestamp, tracker(frame.image, frame.timestamp))
        on_frame(len(recording))
    # A file that grows in between is not followed any further.
    for frame, faces in zip(second, recording.smoothed(), strict=False):
        yield frame, tracker.with_maps(frame.image, faces) if tracker.options.maps else faces
