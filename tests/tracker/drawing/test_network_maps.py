"""Maps over the picture: in their place, and in colours that say their values."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from model.crop import Region, crop_matrix, to_crop
from model.heatmap import crop_to_heatmap, encode_boundaries
from model.shipped_markups import WFLW
from tests.support.tracked_scene import TEMPLATE
from tracker.drawing.network_maps import draw_attention, draw_boundaries
from tracker.engines.base import Maps

SIDE = 48  # of the maps; the crop has 4 times as many
REGIONS = [
    Region(200, 150, 192),
    Region(211.3, 140.8, 230.5, 0.4),
    Region(190, 160, 70, -1.0),
    Region(20, 280, 150, 0.2),  # partly outside
]


def maps(seed: int = 0) -> Maps:
    points = TEMPLATE * 0.7 + 0.15
    boundaries = encode_boundaries(crop_to_heatmap(points * 4 * SIDE), WFLW.curves, SIDE)
    row = np.sin(np.arange(SIDE) / 5 + seed)
    return Maps(boundaries, (0.5 + 0.1 * np.outer(row, row)).astype(np.float32))


def sampled(values: NDArray[np.floating], region: Region, shape: tuple[int, int]) -> NDArray:
    """A map at every pixel of a picture by another route, pixel to crop to heatmap; NaN outside."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    crop = to_crop(np.stack([x, y], axis=-1).astype(float), crop_matrix(region, 4 * SIDE))
    u, v = np.moveaxis(crop_to_heatmap(crop), -1, 0)
    found = map_coordinates(values.astype(float), [v, u], order=1, mode="nearest")
    inside = (u >= 0) & (u <= SIDE - 1) & (v >= 0) & (v <= SIDE - 1)
    return np.where(inside, found, np.nan)


@pytest.mark.parametrize("region", REGIONS)
def test_boundaries_lie_where_the_network_saw_them(region: Region) -> None:
    image = np.zeros((300, 400, 3), np.uint8)
    shown = maps()
    draw_boundaries(image, region, shown)
    expected = sampled(shown.boundaries.max(axis=0), region, image.shape[:2])
    brightness = image.max(axis=2) / 255
    known = np.isfinite(expected)
    # Black under it: what shows is the colour's brightness (0.67 to 1) by 0.9 of the response.
    strong = known & (expected > 0.5)
    assert strong.sum() > 100
    assert brightness[strong].min() > 0.35
    faint = known & (expected < 0.05)
    assert brightness[faint].max() < 0.15
    assert np.corrcoef(brightness[known], expected[known])[0, 1] > 0.97
    # Nothing beyond the map but one of its pixels, in which it fades out.
    half = region.size / 2 * 1.42 + region.size / SIDE
    y, x = np.mgrid[:300, :400]
    assert not image[np.hypot(x - region.x, y - region.y) > half].any()


def test_the_stronger_response_is_the_brighter_and_yellower() -> None:
    colours = []
    for level in (-0.3, 0.0, 0.25, 0.5, 1.0, 1.7):
        image = np.full((60, 60, 3), 20, np.uint8)
        flat = np.zeros((15, SIDE, SIDE), np.float32)
        flat[3] = level
        draw_boundaries(image, Region(30, 30, 50), Maps(flat, flat[0]))
        colours.append(tuple(int(v) for v in image[30, 30]))
    assert colours[0] == colours[1] == (20, 20, 20)
    assert colours[4] == colours[5]
    sums = [sum(colour) for colour in colours[1:5]]
    assert sums == sorted(sums) and len(set(sums)) == 4


@pytest.mark.parametrize("region", REGIONS)
def test_attention_spans_blue_to_red_in_its_place(region: Region) -> None:
    image = np.full((300, 400, 3), 100, np.uint8)
    shown = maps()
    draw_attention(image, region, shown)
    values = sampled(shown.attention, region, image.shape[:2])
    low, high = shown.attention.min(), shown.attention.max()
    red, blue = image[..., 0].astype(int), image[..., 2].astype(int)
    hot, cold = values > high - 0.1 * (high - low), values < low + 0.1 * (high - low)
    assert hot.sum() > 20 and cold.sum() > 20
    assert (red > blue)[hot].all()
    assert (blue > red)[cold].all()
    half = region.size / 2 * 1.42 + region.size / SIDE
    y, x = np.mgrid[:300, :400]
    assert (image[np.hypot(x - region.x, y - region.y) > half] == 100).all()


def test_a_flat_map_and_one_outside_the_picture_do_no_harm() -> None:
    flat = Maps(np.zeros((15, SIDE, SIDE), np.float32), np.full((SIDE, SIDE), 0.5, np.float32))
    image = np.full((60, 60, 3), 100, np.uint8)
    draw_attention(image, Region(500, 500, 50), flat)
    draw_boundaries(image, Region(-500, 30, 50), flat)
    assert (image == 100).all()
    draw_attention(image, Region(30, 30, 50), flat)
    assert len(np.unique(image[20:40, 20:40].reshape(-1, 3), axis=0)) == 1
