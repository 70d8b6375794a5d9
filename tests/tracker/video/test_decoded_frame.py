from itertools import product

import numpy as np
import pytest

from tracker.video.decoded_frame import UPRIGHT, Orientation, orientation_from_matrix

ALL = [Orientation(*flags) for flags in product([False, True], repeat=3)]
ONE = 1 << 16  # of the matrix's fixed-point numbers


def shown_at(matrix: np.ndarray, width: int, height: int) -> np.ndarray:
    """[height, width, 2] where the matrix puts every stored pixel, moved to start at (0, 0)."""
    q, p = np.mgrid[:height, :width]
    a, b, _, c, d, *_ = matrix / ONE
    x, y = a * p + c * q, b * p + d * q
    return np.stack([x - x.min(), y - y.min()], axis=-1).astype(int)


@pytest.mark.parametrize(
    ("a", "b", "c", "d"),
    [
        (sign_x if not swap else 0, sign_y if swap else 0, sign_x if swap else 0,
         sign_y if not swap else 0)
        for swap, sign_x, sign_y in product([False, True], [1, -1], [1, -1])
    ],
)  # fmt: skip
def test_pixels_go_where_the_matrix_says(a: int, b: int, c: int, d: int) -> None:
    matrix = ONE * np.array([a, b, 0, c, d, 0, 0, 0, 1 << 14])
    image = np.random.default_rng(0).integers(0, 255, (3, 5, 3), dtype=np.uint8)
    turned = orientation_from_matrix(matrix).apply(image)
    assert turned.flags.c_contiguous
    target = shown_at(matrix, 5, 3)
    assert turned.shape[:2] == (target[..., 1].max() + 1, target[..., 0].max() + 1)
    np.testing.assert_array_equal(turned[target[..., 1], target[..., 0]], image)


def test_eight_different_ways() -> None:
    image = np.arange(5 * 3 * 3, dtype=np.uint8).reshape(3, 5, 3)
    assert len({orientation.apply(image).tobytes() for orientation in ALL}) == 8


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_degrees_are_clockwise(degrees: int) -> None:
    image = np.arange(5 * 3 * 3, dtype=np.uint8).reshape(3, 5, 3)
    (found,) = (o for o in ALL if np.array_equal(o.apply(image), np.rot90(image, -degrees // 90)))
    assert found.degrees == degrees


def test_odd_angles_become_the_nearest_quarter_turn() -> None:
    angle = np.deg2rad(10)
    cos, sin = ONE * np.cos(angle), ONE * np.sin(angle)
    matrix = np.array([cos, -sin, 0, sin, cos, 0, 0, 0, ONE]).astype(int)
    assert orientation_from_matrix(matrix) == UPRIGHT
