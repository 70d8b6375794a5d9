import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.crop import (
    CROP_SCALE,
    Region,
    _halved,
    crop_image,
    crop_matrix,
    from_crop,
    region_from_box,
    region_from_landmarks,
    to_crop,
    warp_image,
)

regions = st.builds(
    Region,
    x=st.floats(-200, 900),
    y=st.floats(-200, 900),
    size=st.floats(8, 900),
    angle=st.floats(-np.pi, np.pi),
)


def wavy(height: int = 120, width: int = 160, period: float = 23.0) -> NDArray[np.uint8]:
    """A smooth picture: three waves of different directions."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    waves = [np.sin(2 * np.pi * (x * a + y * b) / period) for a, b in ((1, 0), (0, 1), (0.7, 0.7))]
    return np.rint(127.5 + 120 * np.stack(waves, axis=-1)).astype(np.uint8)


def sample(image: NDArray[np.uint8], x: float, y: float) -> NDArray[np.float64]:
    """Bilinear sample with repeated borders, the textbook way."""
    height, width = image.shape[:2]
    left, top = int(np.floor(x)), int(np.floor(y))
    total = np.zeros(image.shape[2])
    for row, wy in ((top, 1 - (y - top)), (top + 1, y - top)):
        for column, wx in ((left, 1 - (x - left)), (left + 1, x - left)):
            pixel = image[min(max(row, 0), height - 1), min(max(column, 0), width - 1)]
            total += wx * wy * pixel.astype(np.float64)
    return total


def reference_crop(image: NDArray[np.uint8], region: Region, size: int) -> NDArray[np.float64]:
    """The crop from the definition of a region, one pixel after the other."""
    cos, sin = np.cos(region.angle), np.sin(region.angle)
    crop = np.zeros((size, size, image.shape[2]))
    for v in range(size):
        for u in range(size):
            right = ((u + 0.5) / size - 0.5) * region.size
            down = ((v + 0.5) / size - 0.5) * region.size
            crop[v, u] = sample(
                image, region.x + cos * right - sin * down, region.y + sin * right + cos * down
            )
    return crop


@given(regions, st.sampled_from([64, 256]))
def test_points_survive_the_round_trip(region: Region, size: int) -> None:
    points = np.random.default_rng(0).uniform(-300, 1200, (98, 2))
    matrix = crop_matrix(region, size)
    np.testing.assert_allclose(from_crop(to_crop(points, matrix), matrix), points, atol=1e-8)


@given(regions)
def test_the_corners_of_the_region_are_the_corners_of_the_crop(region: Region) -> None:
    size = 64
    matrix = crop_matrix(region, size)
    half = region.size / 2
    cos, sin = np.cos(region.angle), np.sin(region.angle)
    for a, b in ((-1, -1), (1, -1), (-1, 1), (1, 1)):
        corner = np.array(
            [region.x + half * (a * cos - b * sin), region.y + half * (a * sin + b * cos)]
        )
        # Corners are pixel borders: -0.5 and size - 0.5.
        expected = np.array([a, b]) * size / 2 + (size - 1) / 2
        np.testing.assert_allclose(to_crop(corner, matrix), expected, atol=1e-6)


@pytest.mark.parametrize(
    "region",
    [
        Region(80, 60, 40),  # enlarged
        Region(77.3, 58.9, 64),  # shifted by a fraction
        Region(80, 60, 50, 0.6),  # turned
        Region(80, 60, 90, -2.5),  # upside down
        Region(80, 60, 110, 0.3),  # reduced, but not enough for averaging
        Region(3, 4, 60, 0.2),  # over the corner of the picture
        Region(165, 118, 50),  # mostly outside
        Region(-200, 300, 40, 1.0),  # entirely outside
    ],
)
def test_crop_is_the_textbook_bilinear_crop(region: Region) -> None:
    image = wavy()
    crop = crop_image(image, region, 64)
    assert crop.shape == (64, 64, 3)
    assert crop.dtype == np.uint8
    error = np.abs(crop - reference_crop(image, region, 64))
    # OpenCV interpolates at 1/32 pixel; this picture changes by 33 grey values per pixel.
    assert error.max() < 2.5
    assert error.mean() < 0.5


@pytest.mark.parametrize("angle", [0.0, 0.4])
@pytest.mark.parametrize("size", [130.0, 200.0, 330.0])
def test_fine_texture_is_averaged_not_aliased(size: float, angle: float) -> None:
    """Against the mean of the image pixels whose centres lie in each pixel of the crop."""
    image = np.random.default_rng(0).integers(0, 256, (480, 480, 3), dtype=np.uint8)
    region = Region(241.7, 238.2, size, angle)
    y, x = np.mgrid[:480, :480]
    where = to_crop(np.stack([x, y], axis=-1).reshape(-1, 2), crop_matrix(region, 64))
    cells = np.rint(where).astype(int)
    inside = ((cells >= 0) & (cells < 64)).all(axis=1)
    index = cells[inside, 1] * 64 + cells[inside, 0]
    counts = np.bincount(index, minlength=64 * 64)
    flat = image.reshape(-1, 3)[inside].astype(np.float64)
    mean = np.stack([np.bincount(index, flat[:, c], 64 * 64) / counts for c in range(3)], axis=-1)
    crop = crop_image(image, region, 64).reshape(-1, 3).astype(np.float64)
    # Sampling single pixels of this noise would leave its full contrast and no correlation.
    assert crop.std() < 1.25 * mean.std()
    assert np.corrcoef(crop.ravel(), mean.ravel())[0, 1] > 0.6


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("angle", [0.0, 0.35])
def test_nothing_jumps_where_averaging_sets_in(factor: int, angle: float) -> None:
    """A region a hair smaller or larger than a whole factor gives the same crop."""
    image = wavy(480, 640, period=90)
    size = 64 * factor
    under = crop_image(image, Region(301.3, 222.8, size * (1 - 1e-4), angle), 64)
    over = crop_image(image, Region(301.3, 222.8, size * (1 + 1e-4), angle), 64)
    # A shift of half an image pixel, the classic mistake, would differ by 4 grey values.
    assert np.abs(under.astype(float) - over).max() < 2.5
    assert abs(float((under.astype(float) - over).mean())) < 0.2


@pytest.mark.parametrize("size", [40.0, 130.0, 260.0])
def test_a_dot_lands_where_the_matrix_says(size: float) -> None:
    """Pixels and coordinates agree, with and without averaging."""
    for x, y in ((300.0, 200.0), (310.4, 190.7)):
        rows, columns = np.mgrid[:480, :640]
        width = max(size / 64, 1.0) * 1.5
        dot = 250 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * width**2))
        image = np.repeat(np.rint(dot)[..., None], 3, axis=2).astype(np.uint8)
        region = Region(303, 196, size, 0.3)
        crop = crop_image(image, region, 64)[..., 0].astype(np.float64)
        v, u = np.mgrid[:64, :64]
        found = np.array([(crop * u).sum(), (crop * v).sum()]) / crop.sum()
        expected = to_crop(np.array([x, y]), crop_matrix(region, 64))
        np.testing.assert_allclose(found, expected, atol=0.06)


@pytest.mark.parametrize("size", [60.0, 300.0])
def test_a_mirrored_matrix_gives_the_mirrored_crop(size: float) -> None:
    image = wavy(480, 640, period=60)
    matrix = crop_matrix(Region(320, 240, size, 0.2), 64)
    mirror = np.array([[-1.0, 0, 63], [0, 1, 0], [0, 0, 1]])
    mirrored = mirror[:2] @ np.vstack([matrix, [0, 0, 1]])
    plain, flipped = warp_image(image, matrix, 64), warp_image(image, mirrored, 64)
    assert np.abs(plain[:, ::-1].astype(int) - flipped).max() <= 2
    points = np.array([[300.0, 210.0], [333.3, 262.0]])
    expected = to_crop(points, matrix) * [-1, 1] + [63, 0]
    np.testing.assert_allclose(to_crop(points, mirrored), expected, atol=1e-9)


@settings(deadline=None, max_examples=60)
@given(regions, st.integers(1, 70), st.integers(1, 70))
def test_any_region_of_any_picture_gives_a_crop(region: Region, height: int, width: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    crop = crop_image(image, region, 32)
    assert crop.shape == (32, 32, 3)
    assert crop.min() >= image.min()
    assert crop.max() <= image.max()


@pytest.mark.parametrize("size", [40.0, 400.0])
def test_outside_the_picture_the_border_goes_on(size: float) -> None:
    image = np.zeros((100, 100, 3), dtype=np.uint8)
    image[:, :50] = 200  # left half bright
    crop = crop_image(image, Region(0, -size, size), 64)  # wholly above, half of it to the left
    assert (crop[:, :32] == 200).all()
    image[:50] = 90  # top half
    crop = crop_image(image, Region(50, -size, size), 64)
    assert (crop == 90).all()


def test_flat_pictures_stay_flat() -> None:
    image = np.full((300, 400, 3), 137, dtype=np.uint8)
    for size in (30.0, 500.0, 1700.0):
        assert (crop_image(image, Region(390, 10, size, 0.7), 64) == 137).all()


def test_region_from_box() -> None:
    region = region_from_box([10, 20, 110, 80], angle=0.2)
    assert region == Region(60, 50, CROP_SCALE * 100, 0.2)
    assert region_from_box([10, 20, 40, 120], scale=2.0).size == 200
    assert region_from_box([10, 20, 10, 20]).size == CROP_SCALE  # a point still has a crop


@given(st.floats(-3, 3), st.integers(0, 1000))
def test_region_from_landmarks_turns_with_the_face(angle: float, seed: int) -> None:
    points = np.random.default_rng(seed).uniform(0, 200, (98, 2))
    upright = region_from_landmarks(points)
    low, high = points.min(axis=0), points.max(axis=0)
    assert upright == region_from_box([*low, *high])
    # Turn the face about the origin: the region must turn with it, and keep its size.
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = region_from_landmarks(points @ turn.T, angle)
    np.testing.assert_allclose([turned.x, turned.y], turn @ [upright.x, upright.y], atol=1e-6)
    assert turned.size == pytest.approx(upright.size)
    assert turned.angle == angle


@pytest.mark.parametrize("side", [40, 300])
def test_pictures_longer_than_opencv_warps(side: int) -> None:
    strip = np.random.default_rng(3).integers(0, 256, (60, 40_000, 3), dtype=np.uint8)
    region = Region(39_000.3, 20.7, side, 0.2)
    near = crop_image(np.ascontiguousarray(strip[:, 38_000:]), replace(region, x=1_000.3), 64)
    np.testing.assert_allclose(crop_image(strip, region, 64).astype(int), near, atol=1)


@pytest.mark.parametrize("size", [64, 128, 181, 182, 256, 400])
def test_the_crop_is_opencvs_warp_by_the_matrix(size: int) -> None:
    """Rows go through OpenCV behind each other, as many at once as it takes."""
    image, matrix = wavy(), crop_matrix(Region(80.3, 61.7, 90, 0.3), size)
    warped = cv2.warpAffine(
        image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    # OpenCV 4 rounds places to 1/32 pixel in one of them, and the picture is steep.
    np.testing.assert_allclose(warp_image(image, matrix, size).astype(int), warped, atol=2)


@pytest.mark.parametrize("shape", [(2000, 1400, 3), (2001, 1401, 3), (4, 200_000), (2, 2, 3)])
def test_halves_are_those_of_one_call(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(5).integers(0, 256, shape, dtype=np.uint8)
    image = image[: shape[0] // 2 * 2, : shape[1] // 2 * 2]
    half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(_halved(image), half)


# How many threads a process has after a call of OpenCV's, which has four to share work out to.
THREADS = """
import sys
import cv2, psutil
import numpy as np
from model.crop import Region, crop_image
cv2.setNumThreads(4)
image = np.zeros((2000, 2000, 3), np.uint8)
def threads():
    return psutil.Process().num_threads()
before = threads()
for side in (100, 1900):
    for size in (128, 256):
        crop_image(image, Region(1000, 1000, side), size)
cropped = threads() - before
cv2.warpAffine(image, np.eye(2, 3), (128, 128))
print(cropped, threads() - before)
"""


def test_a_crop_wakes_no_threads() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", THREADS], capture_output=True, text=True, check=True
    )
    cropped, warped = map(int, ran.stdout.split())
    assert cropped == 0
    assert warped > 0  # or this test would prove nothing
