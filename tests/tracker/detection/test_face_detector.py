from collections.abc import Iterator

import numpy as np
import pytest

from model.errors import InputError
from tests.support.portrait_scene import portrait_scene
from tracker.detection.detection import DetectorChoice
from tracker.detection.face_detector import FaceDetector

CHOICES: tuple[DetectorChoice, ...] = ("auto", "full", "short")


@pytest.fixture(scope="module")
def detectors() -> Iterator[dict[DetectorChoice, FaceDetector]]:
    made = {name: FaceDetector(name) for name in CHOICES}
    yield made
    for detector in made.values():
        detector.close()


Detectors = dict[DetectorChoice, FaceDetector]


def test_one_look_is_enough_for_a_face_that_is_plain_to_see(detectors: Detectors) -> None:
    image, _ = portrait_scene(150)
    for detector in detectors.values():
        (detection,) = next(detector.looks(image))
        (same,) = detector(image)
        np.testing.assert_array_equal(detection.box, same.box)


def test_a_face_that_fills_the_picture_is_found_by_the_second_network(
    detectors: Detectors,
) -> None:
    for face in range(460, 760, 20):
        image, _ = portrait_scene(face)
        if next(detectors["short"].looks(image)) and not next(detectors["full"].looks(image)):
            (detection,) = detectors["auto"](image)
            assert detection.model == "short"
            return
    pytest.fail("no size at which only the short-range network sees the face")


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("choice", CHOICES)
def test_faces_that_lie_or_stand_on_their_heads(
    detectors: Detectors, choice: DetectorChoice, degrees: int
) -> None:
    image, _ = portrait_scene(150, degrees=degrees)
    found = [detection for look in detectors[choice].looks(image) for detection in look]
    best = max(found, key=lambda detection: detection.score)
    eyes = best.keypoints[1] - best.keypoints[0]
    turn = (np.rad2deg(np.arctan2(eyes[1], eyes[0])) + degrees + 180) % 360 - 180
    assert abs(turn) < 15


@pytest.mark.parametrize("choice", ["auto", "full"])
@pytest.mark.parametrize(("width", "height"), [(640, 480), (1920, 1080), (3840, 2160)])
def test_small_faces_in_pictures_of_any_size(
    detectors: Detectors, choice: DetectorChoice, width: int, height: int
) -> None:
    place = (0.62 * width, 0.37 * height)
    image, _ = portrait_scene(18, width, height, place=place)
    first, *further = detectors[choice].looks(image)
    assert first == []
    found = [detection for look in further for detection in look]
    best = max(found, key=lambda detection: detection.score)
    np.testing.assert_allclose(best.keypoints.mean(axis=0), place, atol=8)
    assert 10 < best.box[2] - best.box[0] < 32


def test_a_face_at_the_border_of_tiles_is_one_face(detectors: Detectors) -> None:
    # Tiles of 256 pixels: every small face in turn is in one, two or four of them.
    for x in range(200, 440, 40):
        image, _ = portrait_scene(30, 640, 480, place=(x, 240))
        for look in list(detectors["full"].looks(image))[2:]:
            assert len(look) <= 1


def test_in_a_video_one_look_follows_the_first(detectors: Detectors) -> None:
    """The second network's or one turn or tile; after some frames all have been looked at."""
    image, _ = portrait_scene(15)
    hits = 0
    for _ in range(120):
        first, second = detectors["auto"].looks(image, thorough=False)
        assert first == []
        hits += bool(second)
    assert 1 <= hits <= 40


def test_every_turn_and_tile_comes_up(detectors: Detectors) -> None:
    image, _ = portrait_scene(18, 1920, 1080)
    # Four groups at equal pace in every other call, the largest of 45 tiles.
    found = [list(detectors["full"].looks(image, thorough=False))[1:] for _ in range(2 * 4 * 45)]
    assert [len(looks) for looks in found[:4]] in ([0, 1, 0, 1], [1, 0, 1, 0])
    assert any(look for looks in found for look in looks)


def test_the_smallest_face_follows_from_what_is_looked_at(detectors: Detectors) -> None:
    # A 20th of a tile of 256 pixels, of larger ones where there would be too many, and of a picture
    # that is smaller than a tile; but never under 12 pixels.
    auto = detectors["auto"]
    sizes = [(640, 480), (3840, 2160), (7680, 4320), (200, 100)]
    assert [auto.smallest_face(*size) for size in sizes] == [13, 13, 26, 12]
    assert detectors["short"].smallest_face(640, 480) == 32


def test_bad_model() -> None:
    with pytest.raises(InputError, match="auto, short, full, mediapipe"):
        FaceDetector("retina")  # type: ignore[arg-type]
