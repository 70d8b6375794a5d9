import numpy as np
import pytest
from numpy.typing import NDArray

from tracker.assets.portrait import portrait_image
from tracker.bench.moving_portrait import portrait_frame, portrait_motion
from tracker.tracking.appearance import CutDetector, _thumbnail, blend, face_look


@pytest.fixture(scope="module")
def portrait() -> NDArray[np.uint8]:
    return portrait_image()


def crop(image: NDArray[np.uint8], x: int = 160, y: int = 60) -> NDArray[np.uint8]:
    return image[y : y + 128, x : x + 128]


def test_a_look_is_a_normalised_vector(portrait: NDArray[np.uint8]) -> None:
    look = face_look(crop(portrait))
    assert look.dtype == np.float32
    assert abs(look.mean()) < 1e-6
    assert np.linalg.norm(look) == pytest.approx(1)


def test_light_and_a_shifted_crop_change_a_look_little(portrait: NDArray[np.uint8]) -> None:
    look = face_look(crop(portrait))
    dark = (crop(portrait) * 0.5 + 20).astype(np.uint8)
    assert look @ face_look(dark) > 0.99
    assert look @ face_look(crop(portrait, 164, 63)) > 0.85
    # Another place, another colour, upside down.
    assert look @ face_look(crop(portrait, 350, 300)) < 0.5
    assert look @ face_look(crop(portrait)[::-1]) < 0.5
    assert look @ face_look(crop(portrait)[..., ::-1]) < look @ face_look(dark) - 0.05


def test_a_crop_of_one_colour_looks_like_nothing() -> None:
    look = face_look(np.full((64, 64, 3), 77, dtype=np.uint8))
    assert (look == 0).all()


def test_blend_goes_from_one_look_to_the_other(portrait: NDArray[np.uint8]) -> None:
    one, other = face_look(crop(portrait)), face_look(crop(portrait, 180, 90))
    np.testing.assert_allclose(blend(one, other, 0.0), one, atol=1e-6)
    np.testing.assert_allclose(blend(one, other, 1.0), other, atol=1e-6)
    half = blend(one, other, 0.5)
    assert half @ one == pytest.approx(half @ other, abs=1e-5)
    assert np.linalg.norm(half) == pytest.approx(1)


def test_motion_light_and_blank_pictures_are_no_cuts(portrait: NDArray[np.uint8]) -> None:
    cut = CutDetector()
    frames = [portrait_frame(portrait, matrix) for matrix in portrait_motion(120)[::6]]
    assert not any(cut(frame) for frame in frames)  # steps of 0.2 s
    assert not cut((frames[-1] * 0.4).astype(np.uint8))
    assert not cut(np.minimum(frames[-1].astype(int) + 60, 255).astype(np.uint8))
    assert not cut(np.zeros_like(frames[0]))
    assert not cut(frames[0])  # back from black in the same shot


def test_another_picture_is_a_cut_also_through_black(portrait: NDArray[np.uint8]) -> None:
    frame = portrait_frame(portrait, portrait_motion()[0])
    other = frame[::-1, ::-1, ::-1].copy()
    cut = CutDetector()
    assert [cut(frame), cut(other), cut(other), cut(frame)] == [False, True, False, True]
    black = np.zeros_like(frame)
    assert [cut(black), cut(black), cut(other)] == [False, False, True]
    cut.reset()
    assert not cut(frame)


@pytest.mark.parametrize("size", [(17, 9), (1, 1), (200, 3000)])
def test_any_size_of_picture(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    cut = CutDetector()
    for _ in range(3):
        cut(rng.integers(0, 255, (*size, 3), dtype=np.uint8))


@pytest.mark.parametrize("size", [(24, 32), (96, 128), (480, 640), (2160, 3840)])
def test_a_scene_of_coloured_tiles_is_its_tiles(size: tuple[int, int]) -> None:
    """Whatever the size of the picture, a thumbnail's pixel is what lies there."""
    tiles = np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    height, width = size
    image = tiles.repeat(height // 24, axis=0).repeat(width // 32, axis=1)
    np.testing.assert_array_equal(_thumbnail(image).reshape(tiles.shape), tiles)
