"""Smoothing of one face: of what is shown, and of where it is looked for next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.crop import Region, region_from_landmarks, wrap_angle
from model.markup import Markup
from tracker.tracking.landmark_network import Measurement
from tracker.tracking.smoothing import SMOOTHING, FaceFilter, SmoothingOptions

# Of where to look, whatever is shown: so what is measured does not depend on that.
_LOOKING = SMOOTHING["balanced"]


class Steadier:
    """Smooths a face's landmarks, and moves the region to look at by as much.

    A network does not see quite the same in a region that lies a little differently on the face. A
    region around measured landmarks hangs on the outermost of them and repeats their noise, so that
    the next landmarks have more of it. Around smoothed ones a still face shakes by a quarter to a
    half less, raw and smoothed, and a moving one flickers less (docs/results.md, "Where to look
    next").

    State: the filters'.

    Args:
        markup: of the landmarks.
        part: [K] which part of the face every landmark belongs to; see
            `tracker.tracking.face_parts.parts`.
        shown: how landmarks are smoothed that are shown; None to show what was measured.
    """

    def __init__(
        self, markup: Markup, part: NDArray[np.intp], shown: SmoothingOptions | None
    ) -> None:
        assert _LOOKING is not None
        self._roll = markup.roll
        self._looking = FaceFilter(_LOOKING, part)
        # A filter of its own, where what is shown is neither that one's nor as measured.
        self._own = FaceFilter(shown, part) if shown not in (None, _LOOKING) else None
        self._shows_measured = shown is None

    def reset(self) -> None:
        """Forget the face: the next landmarks come out unchanged."""
        self._looking.reset()
        if self._own is not None:
            self._own.reset()

    def __call__(self, seen: Measurement, timestamp: float) -> tuple[NDArray[np.float64], Region]:
        """Smooth what was measured in a frame.

        Args:
            seen: the face.
            timestamp: of the frame, seconds.

        Returns:
            Landmarks [K, 2] to show, pixels, and where to look next: `seen.next_region`, moved,
            turned and zoomed by what smoothing does to the region of the landmarks.
        """
        steady = self._looking(seen.landmarks, timestamp)
        shown = seen.landmarks if self._shows_measured else steady
        if self._own is not None:
            shown = self._own(seen.landmarks, timestamp)
        before, after = (
            region_from_landmarks(points, self._roll(points)) for points in (seen.landmarks, steady)
        )
        region, zoom = seen.next_region, after.size / before.size
        return shown, Region(
            region.x + after.x - before.x,
            region.y + after.y - before.y,
            region.size * zoom,
            region.angle + wrap_angle(after.angle - before.angle),
        )
