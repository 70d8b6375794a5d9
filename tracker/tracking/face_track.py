"""The state of one tracked face."""

from __future__ import annotations

from dataclasses import replace
from math import exp

import numpy as np

from model.crop import Region
from tracker.tracking.appearance import blend
from tracker.tracking.landmark_network import Measurement
from tracker.tracking.results import Face
from tracker.tracking.steadier import Steadier

# How long a face goes on as it went, seconds: heads turn back, and a lost one is not pursued.
_INERTIA = 0.15
# Motion between frames under this share of the region's side is not foreseen: the crop has room for
# it, and regions that repeat the noise of the last two frames would add to the jitter.
_ROOM = 0.04
# An appearance is averaged over this time, seconds: long enough to outlast somebody who passes.
_LOOK_SECONDS = 2.0
# Half covered faces look different; they are not to be remembered that way.
_LOOKS_ITSELF = 0.7
# A face that turns or steps into other light looks different too, but bit by bit: it correlates
# with itself in the frame before by more than this, and the network is as sure of it.
_STEADY, _SURE = 0.9, 0.9


class Track:
    """One face through time. A track starts with a face that was seen.

    Attributes:
        id: number of the track.
        seen: what the network said when the face was last seen.
        seen_at: when that was, seconds.
        look: the face's usual appearance; see `tracker.tracking.appearance.face_look`.
        lost: whether the face was not seen in the last frame.

    Args:
        number: the id.
        steadier: its own.
        measurement: the face.
        timestamp: seconds.
    """

    def __init__(
        self,
        number: int,
        steadier: Steadier,
        measurement: Measurement,
        timestamp: float,
    ) -> None:
        self.id = number
        self.lost = False
        self._steadier = steadier
        self.seen = measurement
        self.seen_at = timestamp
        self.look = measurement.look
        self._velocity = np.zeros(2)
        self._smooth, self._region = steadier(measurement, timestamp)

    def expect(self, timestamp: float) -> Region:
        """Where to look at a time: around the last landmarks, smoothed, or a little further on.

        Args:
            timestamp: seconds.

        Returns:
            The region, with the size and roll that the face last had.
        """
        region = self._region
        ahead = max(timestamp - self.seen_at, 0.0)
        shift = self._velocity * (_INERTIA * (1 - exp(-ahead / _INERTIA)))
        distance, room = float(np.linalg.norm(shift)), _ROOM * region.size
        if distance <= room:
            return region
        x, y = shift * (1 - room / distance)
        return replace(region, x=region.x + float(x), y=region.y + float(y))

    def see(self, measurement: Measurement, timestamp: float, alone: bool = True) -> None:
        """Take over what the network saw in a new frame.

        Args:
            measurement: the face.
            timestamp: seconds.
            alone: whether no other face is near that could be hiding this one.
        """
        if self.lost:
            # It may have moved anywhere: what was before says nothing about its speed.
            self._steadier.reset()
        old, new = self.seen.next_region, measurement.next_region
        step = timestamp - self.seen_at
        # After a longer absence the way between says nothing about the speed now.
        known = 0 < step < _INERTIA
        moved = np.array([new.x - old.x, new.y - old.y])
        self._velocity = moved / step if known else np.zeros(2)
        steady = alone and known and measurement.confidence >= _SURE
        steady &= float(self.seen.look @ measurement.look) >= _STEADY
        if steady or float(self.look @ measurement.look) >= _LOOKS_ITSELF:
            self.look = blend(self.look, measurement.look, 1 - exp(-max(step, 0) / _LOOK_SECONDS))
        self.lost = False
        self.seen, self.seen_at = measurement, timestamp
        self._smooth, self._region = self._steadier(measurement, timestamp)

    def miss(self) -> None:
        """Note that the face was not seen in a frame."""
        self.lost = True

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
            maps=seen.maps,
        )
