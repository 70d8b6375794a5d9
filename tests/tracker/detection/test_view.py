from math import pi

import numpy as np
import pytest

from model.crop import Region, crop_matrix, to_crop
from tracker.detection.view import view_pixels, whole_view


def test_the_whole_picture_is_in_the_middle_of_black() -> None:
    image = np.full((60, 120, 3), 200, dtype=np.uint8)
    pixels = view_pixels(image, whole_view(image), 120)
    np.testing.assert_array_equal(pixels[31:89, :119], 200)
    np.testing.assert_array_equal(pixels[:30], 0)
    np.testing.assert_array_equal(pixels[91:], 0)


@pytest.mark.parametrize(("angle", "turns"), [(0, 0), (pi / 2, 1), (pi, 2), (-pi / 2, 3)])
def test_a_turned_view_shows_a_face_of_that_roll_upright(angle: float, turns: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    upright = view_pixels(image, whole_view(image), 64)
    # A picture turned clockwise by `angle`, seen in a view of that angle.
    turned = np.ascontiguousarray(np.rot90(image, -turns))
    seen = view_pixels(turned, whole_view(turned, angle), 64)
    np.testing.assert_array_equal(seen[2:-2, 2:-2], upright[2:-2, 2:-2])


def test_a_view_is_a_region_but_for_half_a_pixel() -> None:
    """MediaPipe takes a pixel's number for its place."""
    image = np.zeros((200, 300, 3), dtype=np.uint8)
    image[80:101, 140:161] = 255  # centre of gravity: 150, 90
    view = Region(140, 95, 128, 0.3)
    pixels = view_pixels(image, view, 64)[..., 0].astype(float)
    rows, columns = np.indices(pixels.shape)
    middle = np.array([(columns * pixels).sum(), (rows * pixels).sum()]) / pixels.sum()
    matrix = crop_matrix(view, 64)
    half = 0.5 - 0.5 * 64 / 128
    np.testing.assert_allclose(middle, to_crop(np.array([150.0, 90]), matrix) + half, atol=0.02)
