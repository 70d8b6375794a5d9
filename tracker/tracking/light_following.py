"""Following faces with a small network, which a larger one corrects where a look is new."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from model.crop import Region, crop_matrix
from model.markup import Markup
from tracker.tracking.face_memory import FaceMemory
from tracker.tracking.face_parts import parts
from tracker.tracking.face_track import Track
from tracker.tracking.follower import Follower
from tracker.tracking.landmark_network import LandmarkNetwork, Measurement

# Under this confidence a network's landmarks are neither relied on nor learnt from.
_SURE = 0.9
# Then the larger network follows the face alone for so long, seconds: asking both in every frame
# would take more time than either.
_PATIENCE = 0.25


class LightFollowing:
    """Looks at followed faces, by a small network wherever that is as good.

    The small network looks first. Where its face looks like what the large one saw of the same face
    before, its landmarks are moved by what was corrected then (`FaceMemory`); where it does not, or
    the small network is in doubt, the large one looks as well, and what it corrects is remembered.
    So a video costs a fourteenth of the large network's looks, and two fifths of what the small one
    is away from it are gone (docs/results.md, "Following with a smaller network").

    Args:
        network: the large one.
        follower: the small one; None if the large one is to look at every frame.
        markup: of both.
    """

    def __init__(self, network: LandmarkNetwork, follower: Follower | None, markup: Markup) -> None:
        self._network = network
        self._follower = follower
        self._part = parts(markup)
        # Forgotten with the track.
        self._memories: WeakKeyDictionary[Track, FaceMemory] = WeakKeyDictionary()

    def start(
        self, image: NDArray[np.uint8], looked: Sequence[tuple[Track, Region]], timestamp: float
    ) -> Callable[[], list[Measurement]]:
        """Begin to look at faces.

        Args:
            image: [H, W, 3], uint8, RGB.
            looked: followed faces, each with where it may be.
            timestamp: of the image, seconds.

        Returns:
            Gives one measurement per face. To be called at most once, and before the next look.
        """
        if self._follower is None:
            return self._network.start(image, [region for _, region in looked])
        memories = [self._memory(track) for track, _ in looked]
        # A face that was out of sight may be another one: that is for the network that knows best.
        light = [
            i
            for i, (track, _) in enumerate(looked)
            if not track.lost and timestamp >= memories[i].alone_until
        ]
        # Without any, the small network is not even loaded: a picture has no second frame.
        regions = [looked[i][1] for i in light]
        begun = self._follower.network.start(image, regions) if regions else list

        def finish() -> list[Measurement]:
            first = dict(zip(light, begun(), strict=True))
            found: dict[int, Measurement] = {}
            for i, look in first.items():
                known = _corrected(look, memories[i], timestamp)
                if known is not None:
                    found[i] = known
            asked = [i for i in range(len(looked)) if i not in found]
            sure = self._network(image, [looked[i][1] for i in asked])
            for i, better in zip(asked, sure, strict=True):
                found[i] = better
                if i in first:
                    _learn(memories[i], first[i], better, timestamp)
            return [found[i] for i in range(len(looked))]

        return finish

    def _memory(self, track: Track) -> FaceMemory:
        known = self._memories.get(track)
        if known is None:
            known = self._memories[track] = FaceMemory(self._part)
        return known


def _corrected(look: Measurement, memory: FaceMemory, timestamp: float) -> Measurement | None:
    """What the small network saw, corrected; None if that is not known."""
    if look.confidence < _SURE:
        return None
    shape, axes = _shape(look)
    correction = memory.recall(shape, timestamp)
    if correction is None:
        return None
    landmarks = look.landmarks + correction @ axes
    # `next_region` stays where the small network would look by itself: still faces jitter by
    # 0.064 % of the eyes' distance, and by 0.087 where it is put around the corrected landmarks.
    return replace(look, landmarks=landmarks)


def _learn(memory: FaceMemory, look: Measurement, better: Measurement, timestamp: float) -> None:
    if min(look.confidence, better.confidence) < _SURE:
        memory.alone_until = timestamp + _PATIENCE
        return
    shape, axes = _shape(look)
    correction = (better.landmarks - look.landmarks) @ np.linalg.inv(axes)
    memory.remember(shape, correction, timestamp)


def _shape(look: Measurement) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Landmarks [K, 2] around their mean, by axes of their own; and these [2, 2], as rows, pixels.

    The axes are those of the region, as long as the landmarks' radius.
    """
    around = look.landmarks - look.landmarks.mean(axis=0)
    radius = max(float(np.sqrt(np.square(around).sum(axis=1).mean())), 1.0)
    upright = crop_matrix(look.region, 1)[:, :2] * look.region.size
    return around @ upright.T / radius, upright * radius
