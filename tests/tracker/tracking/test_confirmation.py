"""When a detected face is looked at again, and when it is looked at upside down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import pi

import numpy as np
import pytest
from numpy.typing import NDArray

from model.crop import Region
from tests.support.portrait_scene import EYES, portrait_scene
from tracker import Tracker, TrackerOptions
from tracker.tracking.confirmation import confirm
from tracker.tracking.landmark_network import Measurement

IMAGE = np.zeros((400, 400, 3), dtype=np.uint8)
START = Region(200, 200, 100)
Step = Callable[[Region], tuple[Region, float]]


class FakeNetwork:
    """Says of a region what it is told: where to look next, and how sure it is."""

    def __init__(self, step: Step) -> None:
        self.looks: list[Region] = []
        self._step = step

    def __call__(self, image: NDArray[np.uint8], regions: list[Region]) -> list[Measurement]:
        self.looks += regions
        found = []
        for region in regions:
            following, confidence = self._step(region)
            landmarks, scores = np.zeros((98, 2)), np.zeros(98, np.float32)
            look = np.zeros(432, np.float32)
            found.append(Measurement(landmarks, scores, confidence, region, following, look))
        return found


def ask(step: Step, turned: list[Region] | None = None) -> tuple[FakeNetwork, list[Measurement]]:
    network, options = FakeNetwork(step), TrackerOptions()

    def search(region: Region) -> list[Region]:
        assert turned is not None, "not to be looked at upside down"
        assert abs(abs(region.angle) - pi) < 0.2
        return turned

    return network, confirm(network, IMAGE, [START], options, search)  # type: ignore[arg-type]


def test_every_face_is_looked_at_twice() -> None:
    network, (face,) = ask(lambda region: (region, 0.99))
    assert network.looks == [START, START]
    assert face.region == START


@pytest.mark.parametrize(
    "moved",
    [
        lambda region: replace(region, x=region.x + 0.05 * region.size),
        lambda region: replace(region, y=region.y - 0.05 * region.size),
        lambda region: replace(region, size=1.05 * region.size),
        lambda region: replace(region, size=region.size / 1.05),
        lambda region: replace(region, angle=region.angle + 0.1),
    ],
)
def test_what_still_moves_gets_a_third_look_and_no_fourth(
    moved: Callable[[Region], Region],
) -> None:
    network, (face,) = ask(lambda region: (moved(region), 0.99))
    assert len(network.looks) == 3
    assert face.region == moved(moved(START))


def test_a_turn_by_a_full_circle_is_none() -> None:
    network, _ = ask(lambda region: (replace(region, angle=region.angle + 2 * pi), 0.99))
    assert len(network.looks) == 2


def test_no_face_gets_no_second_look() -> None:
    network, found = ask(lambda region: (region, 0.05))
    assert network.looks == [START]
    assert found == []
    network, found = ask(lambda region: (replace(region, x=-900.0), 0.99))
    assert network.looks == [START]
    assert found == []


def test_a_doubtful_face_is_looked_at_upside_down() -> None:
    turned = replace(START, angle=pi, size=110.0)
    # Surer the other way round, surer this way, not found the other way round.
    _, (face,) = ask(lambda region: (region, 0.99 if region == turned else 0.7), [turned])
    assert face.region == turned
    _, (face,) = ask(lambda region: (region, 0.6 if region == turned else 0.7), [turned])
    assert face.region == START
    _, (face,) = ask(lambda region: (region, 0.7), [])
    assert face.region == START
    # Too unsure to be a face, but the right way round it is one.
    _, (face,) = ask(lambda region: (region, 0.97 if region == turned else 0.2), [turned])
    assert face.region == turned
    _, found = ask(lambda region: (region, 0.2), [turned])
    assert found == []


@pytest.mark.parametrize("degrees", [0, 90, 180, 270, 135])
def test_faces_of_any_roll_are_found_the_right_way_round(degrees: int) -> None:
    image, matrix = portrait_scene(140, degrees=degrees)
    with Tracker() as tracker:
        (face,) = tracker(image, 0.0)
    true = EYES @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(face.landmarks[[96, 97]], true, atol=4)


@pytest.mark.parametrize(("width", "height"), [(640, 480), (3840, 2160)])
def test_small_faces_are_found_in_pictures_of_any_size(width: int, height: int) -> None:
    place = (0.7 * width, 0.4 * height)
    image, matrix = portrait_scene(20, width, height, place=place)
    with Tracker() as tracker:
        (face,) = tracker(image, 0.0)
    true = EYES @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(face.landmarks[[96, 97]], true, atol=1.5)


def test_in_a_video_they_are_found_within_frames() -> None:
    """A black first frame has used up the thorough search."""
    image, _ = portrait_scene(20)
    with Tracker() as tracker:
        assert tracker(np.zeros_like(image), 0.0) == ()
        found = [bool(tracker(image, number / 30)) for number in range(1, 60)]
    assert any(found)
    assert found[-1]
