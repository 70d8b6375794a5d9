"""A small network that errs by the face's own rule, and a large one that does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.crop import Region, region_from_landmarks
from model.shipped_markups import WFLW
from tests.support.steadiers import steadier
from tests.support.tracked_scene import TEMPLATE, landmarks, pose
from tracker.tracking.face_memory import _DOUBT, _FADES, FaceMemory
from tracker.tracking.face_parts import parts
from tracker.tracking.face_track import Track
from tracker.tracking.follower import Follower
from tracker.tracking.landmark_network import LandmarkNetwork, Measurement
from tracker.tracking.light_following import _PATIENCE, _SURE, LightFollowing, _learn, _shape

IMAGE = np.zeros((480, 640, 3), dtype=np.uint8)
LOOK = np.full(432, 432**-0.5, dtype=np.float32)
# What the small network is off by, in the face's own coordinates.
ERROR = 0.03 * np.random.default_rng(4).normal(size=TEMPLATE.shape)
POSES = st.builds(
    pose, st.floats(100, 500), st.floats(100, 400), st.floats(40, 300), st.floats(-180, 180)
)


def roll(points: NDArray[np.float64]) -> float:
    x, y = points[72] - points[60]
    return float(np.arctan2(y, x))


def seen(points: NDArray[np.float64], confidence: float, region: Region) -> Measurement:
    scores = np.full(98, confidence, dtype=np.float32)
    around = region_from_landmarks(points, roll(points))
    return Measurement(points, scores, confidence, region, around, LOOK)


class FakeNetwork:
    """Sees every face at one pose, with an error in the face's own coordinates."""

    def __init__(self, error: NDArray[np.float64] | float = 0.0) -> None:
        self.matrix = pose(320, 240, 150)
        self.error, self.confidence = error, 1.0
        self.looks = 0

    def __call__(self, image: NDArray[np.uint8], regions: list[Region]) -> list[Measurement]:
        self.looks += len(regions)
        points = (TEMPLATE + self.error) @ self.matrix[:, :2].T + self.matrix[:, 2]
        return [seen(points, self.confidence, region) for region in regions]

    def start(
        self, image: NDArray[np.uint8], regions: list[Region]
    ) -> Callable[[], list[Measurement]]:
        return lambda: self(image, regions)


class Scene:
    """Both networks, and one face."""

    def __init__(self) -> None:
        self.large, self.small = FakeNetwork(), FakeNetwork(ERROR)

        class Loaded:
            network = self.small

        self.following = LightFollowing(
            cast(LandmarkNetwork, self.large), cast(Follower, Loaded()), WFLW
        )
        self.track = Track(0, steadier("off"), self.truth(), 0.0)

    def truth(self) -> Measurement:
        points = landmarks(self.large.matrix)
        return seen(points, 1.0, region_from_landmarks(points, roll(points)))

    def place(self, matrix: NDArray[np.float64]) -> None:
        self.large.matrix = self.small.matrix = matrix

    def look(self, time: float) -> tuple[Measurement, float]:
        """The face in a frame, and how far it is from the truth, in faces."""
        region = self.truth().region
        (found,) = self.following.start(IMAGE, [(self.track, region)], time)()
        off = np.linalg.norm(found.landmarks - landmarks(self.large.matrix), axis=1).mean()
        return found, float(off / np.sqrt(abs(np.linalg.det(self.large.matrix[:, :2]))))


USUAL = float(np.linalg.norm(ERROR, axis=1).mean())


def test_the_large_network_looks_once_and_corrects_what_follows() -> None:
    scene = Scene()
    assert scene.look(0.0)[1] == pytest.approx(0, abs=1e-9)
    for frame in range(1, 100):
        found, off = scene.look(frame / 30)
        # As much of the error is left as one look is doubted, ever more.
        weight = np.exp(-frame / 30 / _FADES)
        assert off == pytest.approx(USUAL * _DOUBT / (weight + _DOUBT), rel=1e-6)
        # The small network looks where it would by itself.
        own = scene.small(IMAGE, [found.region])[0]
        assert found.next_region == own.next_region
    assert (scene.large.looks, scene.small.looks) == (1, 100 + 99)


@given(first=POSES, second=POSES)
def test_corrections_move_turn_and_grow_with_the_face(
    first: NDArray[np.float64], second: NDArray[np.float64]
) -> None:
    scene = Scene()
    scene.place(first)
    scene.look(0.0)
    scene.place(second)
    assert scene.look(0.1)[1] < 0.4 * USUAL
    assert scene.large.looks == 1


def test_a_shape_that_was_never_seen_is_looked_at_by_both() -> None:
    scene = Scene()
    scene.look(0.0)
    # Half as wide: a head that has turned.
    scene.place(scene.large.matrix @ np.array([[0.5, 0, 0.25], [0, 1, 0], [0, 0, 1]]))
    assert scene.look(0.1)[1] == pytest.approx(0, abs=1e-9)
    assert scene.large.looks == 2
    assert 0 < scene.look(0.2)[1] < 0.6 * USUAL
    assert scene.large.looks == 2


@pytest.mark.parametrize("unsure", ["small", "large"])
def test_in_doubt_the_large_network_looks_alone_for_a_while(unsure: str) -> None:
    scene = Scene()
    getattr(scene, unsure).confidence = _SURE - 0.01
    found, off = scene.look(1.0)
    assert off == pytest.approx(0, abs=1e-9)
    assert found.confidence == scene.large.confidence
    for time in (1.0 + 0.5 * _PATIENCE, 1.0 + 0.99 * _PATIENCE):
        assert scene.look(time)[1] == pytest.approx(0, abs=1e-9)
    assert (scene.large.looks, scene.small.looks) == (3, 1)
    scene.large.confidence = scene.small.confidence = 1.0
    scene.look(1.01 + _PATIENCE)
    assert (scene.large.looks, scene.small.looks) == (4, 2)
    scene.look(1.02 + _PATIENCE)
    assert (scene.large.looks, scene.small.looks) == (4, 3)


def test_a_face_out_of_sight_is_for_the_large_network() -> None:
    scene = Scene()
    scene.look(0.0)
    scene.track.miss()
    assert scene.look(0.1)[1] == pytest.approx(0, abs=1e-9)
    assert (scene.large.looks, scene.small.looks) == (2, 1)


def test_faces_have_memories_of_their_own_and_keep_their_places() -> None:
    scene = Scene()
    region = scene.truth().region
    other = Track(1, steadier("off"), scene.truth(), 0.0)
    scene.look(0.0)
    known, new = scene.following.start(IMAGE, [(scene.track, region), (other, region)], 0.1)()
    truth = landmarks(scene.large.matrix)
    assert np.abs(new.landmarks - truth).max() < 1e-9 < np.abs(known.landmarks - truth).max()
    assert scene.large.looks == 2


def test_without_a_follower_the_network_looks_at_every_frame() -> None:
    scene = Scene()
    scene.following = LightFollowing(cast(LandmarkNetwork, scene.large), None, WFLW)
    for frame in range(5):
        assert scene.look(frame / 30)[1] == pytest.approx(0, abs=1e-9)
    assert (scene.large.looks, scene.small.looks) == (5, 0)


def test_landmarks_in_one_place_are_a_shape_without_size() -> None:
    nowhere = seen(np.full((98, 2), 30.0), 1.0, Region(30.0, 30.0, 20.0))
    shape, axes = _shape(nowhere)
    assert (shape == 0).all()
    assert np.linalg.norm(axes, axis=1) == pytest.approx(1)
    memory = FaceMemory(parts(WFLW))
    _learn(memory, nowhere, nowhere, 0.0)
    recalled = memory.recall(shape, 0.0)
    assert recalled is not None
    assert (recalled == 0).all()
