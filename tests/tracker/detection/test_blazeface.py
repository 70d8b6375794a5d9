import numpy as np
import pytest

from model.crop import Region
from tests.support.portrait_scene import EYES, MOUTH, portrait_scene
from tracker.detection.blazeface import BlazeFace
from tracker.detection.detection import DetectorModel
from tracker.detection.view import whole_view

MODELS: tuple[DetectorModel, ...] = ("full", "short")


@pytest.fixture(scope="module")
def networks() -> dict[DetectorModel, BlazeFace]:
    return {name: BlazeFace(name) for name in MODELS}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("degrees", [0, 90, 180, 270, 200])
def test_the_face_of_the_portrait_is_found_where_it_is(
    networks: dict[DetectorModel, BlazeFace], model: DetectorModel, degrees: int
) -> None:
    image, matrix = portrait_scene(150, degrees=degrees)
    # Turned counterclockwise by whole quarters, and seen in the view that sets that right.
    angle = -np.deg2rad(90 * round(degrees / 90))
    (detection,) = networks[model](image, whole_view(image, angle))
    assert 0.5 < detection.score <= 1
    assert detection.model == model
    true = EYES @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(detection.keypoints[:2], true, atol=9)
    mouth = matrix[:, :2] @ MOUTH + matrix[:, 2]
    np.testing.assert_allclose(detection.keypoints[3], mouth, atol=9)
    x0, y0, x1, y1 = detection.box
    for x, y in (*true, mouth):
        assert x0 < x < x1
        assert y0 < y < y1


@pytest.mark.parametrize("model", MODELS)
def test_a_tile_gives_the_picture_s_coordinates(
    networks: dict[DetectorModel, BlazeFace], model: DetectorModel
) -> None:
    """A tile of a picture is a picture: the same pixels, the same face, moved."""
    image, _ = portrait_scene(150, 1280, 720, place=(900, 400))
    part = np.ascontiguousarray(image[100:612, 700:1212])
    (alone,) = networks[model](part)
    (inside,) = networks[model](image, Region(700 + 255.5, 100 + 255.5, 512))
    np.testing.assert_allclose(inside.box, np.add(alone.box, [700, 100, 700, 100]), atol=1e-3)
    np.testing.assert_allclose(inside.keypoints, np.add(alone.keypoints, [700, 100]), atol=1e-3)
    assert inside.score == pytest.approx(alone.score, abs=1e-4)


def test_scores_under_the_threshold_are_dropped() -> None:
    image, _ = portrait_scene(150)
    (detection,) = BlazeFace("full", 0.5)(image)
    assert BlazeFace("full", detection.score + 1e-3)(image) == []
    assert len(BlazeFace("full", detection.score - 1e-3)(image)) == 1


@pytest.mark.parametrize("shape", [(480, 640), (1, 1), (3, 500)])
def test_nothing_in_nothing(
    networks: dict[DetectorModel, BlazeFace], shape: tuple[int, int]
) -> None:
    for network in networks.values():
        assert network(np.full((*shape, 3), 99, dtype=np.uint8)) == []


def test_pictures_need_not_be_contiguous(networks: dict[DetectorModel, BlazeFace]) -> None:
    image, _ = portrait_scene(150)
    padded = np.zeros((480, 700, 3), dtype=np.uint8)
    padded[:, 30:670] = image
    (whole,) = networks["full"](image)
    (view,) = networks["full"](padded[:, 30:670])
    np.testing.assert_array_equal(whole.box, view.box)


def test_pictures_longer_than_opencv_warps(networks: dict[DetectorModel, BlazeFace]) -> None:
    image, _ = portrait_scene(150)
    panorama = np.zeros((480, 40_000, 3), dtype=np.uint8)
    panorama[:, 39_000:39_640] = image
    assert networks["full"](panorama) == []
    (face,) = networks["full"](panorama, Region(39_319.5, 239.5, 640))
    (alone,) = networks["full"](image)
    np.testing.assert_allclose(face.box, np.add(alone.box, [39_000, 0, 39_000, 0]), atol=4)
