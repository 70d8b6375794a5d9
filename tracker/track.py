"""The state of one tracked face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracker.crop import CROP_SCALE, Region
from tracker.measure import Measurement
from tracker.results import Face
from tracker.smooth import OneEuroFilter, OneEuroOptions

# A region narrower than this holds no face that the network could see, pixels.
_SMALLEST = 12.0


class Track:
    """One face through time. A track starts with a face that was seen.

    Attributes:
        id: number of the track.
        seen: what the network said when the face was last seen.
        lost: frames since then; 0 while the face is seen.

    Args:
        number: the id.
        smoothing: constants of the filter, None for no smoothing.
        measurement: the face.
        timestamp: seconds.
    """

    def __init__(
        self,
        number: int,
        smoothing: OneEuroOptions | None,
        measurement: Measurement,
        timestamp: float,
    ) -> None:
        self.id = number
        self.lost = 0
        self._filter = OneEuroFilter(smoothing) if smoothing else None
        self._timestamp = timestamp
        self.seen = measurement
        self._smooth = self._smoothed(measurement, timestamp)

    @property
    def region(self) -> Region:
        """Where to look in the next frame: around the last unsmoothed landmarks."""
        return self.seen.next_region

    def see(self, measurement: Measurement, timestamp: float) -> None:
        """Take over what the network saw in a new frame.

        Args:
            measurement: the face.
            timestamp: seconds.
        """
        if self.lost and self._filter:
            # It may have moved anywhere: what was before says nothing about its speed.
            self._filter.reset()
        self.lost = 0
        self.seen = measurement
        self._smooth = self._smoothed(measurement, timestamp)

    def miss(self) -> None:
        """Count a frame in which the face was not seen."""
        self.lost += 1

    def face(self) -> Face:
        """The face as it was last seen, for the user."""
        seen = self.seen
        return Face(
            id=self.id,
            landmarks=self._smooth.astype(np.float32),
            raw=seen.landmarks.astype(np.float32),
            scores=seen.scores,
            confidence=seen.confidence,
            region=seen.region,
        )

    def _smoothed(self, measurement: Measurement, timestamp: float) -> NDArray[np.float64]:
        if self._filter is None:
            return measurement.landmarks
        size = measurement.region.size / CROP_SCALE
        return self._filter(measurement.landmarks, timestamp, size)


def plausible(region: Region, image: NDArray[np.uint8]) -> bool:
    """Whether a region can hold a face in this image.

    Landmarks that run away make regions without end or off the image; a crop of those would be a
    waste of time, and a face in it an accident.

    Args:
        region: the region.
        image: [H, W, 3].

    Returns:
        True if its centre is inside the image and its side between 12 pixels and three times the
        image's long side.
    """
    height, width = image.shape[:2]
    inside = -0.5 <= region.x <= width - 0.5 and -0.5 <= region.y <= height - 0.5
    return inside and _SMALLEST <= region.size <= 3 * max(height, width)
