"""Heatmaps: targets against plain definitions, decoding against its inverse and a slow twin."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from model.decoder import DECODERS, REACH, Decoder, decode
from model.heatmap import (
    BOUNDARY_SIGMA,
    LANDMARK_SIGMA,
    STRIDE,
    crop_to_heatmap,
    encode_boundaries,
    encode_landmarks,
    heatmap_to_crop,
)
from model.shipped_markups import WFLW

SIDE = 32
inside = st.floats(2.0, SIDE - 3.0)


def slow_centroid(heatmap: NDArray[np.float32], row: int, column: int) -> tuple[float, float]:
    """Heatmap pixels of the windowed centroid, cell by cell."""
    height, width = heatmap.shape
    if heatmap[row, column] <= 0:
        return column, row
    left_right = min(3, column, width - 1 - column)
    up_down = min(3, row, height - 1 - row)
    x, y = float(column), float(row)
    for _ in range(2):
        total = to_x = to_y = 0.0
        for r in range(row - up_down, row + up_down + 1):
            for c in range(column - left_right, column + left_right + 1):
                window = math.exp(-((c - x) ** 2 + (r - y) ** 2) / (2 * 2.0**2))
                weight = window * max(float(heatmap[r, c]), 0) ** 2
                total += weight
                to_x += weight * (c - x)
                to_y += weight * (r - y)
        factor = 1 + (1.5**2 / 2) / 2.0**2
        x = min(max(x + factor * to_x / total, column - 3), column + 3)
        y = min(max(y + factor * to_y / total, row - 3), row + 3)
    return x, y


def slow_decode(heatmap: NDArray[np.float32], method: str) -> tuple[float, float]:
    """Crop pixels of one map, written as the papers describe it."""
    height, width = heatmap.shape
    row, column = (int(v) for v in np.unravel_index(heatmap.argmax(), heatmap.shape))
    x, y = float(column), float(row)
    if method == "centroid":
        x, y = slow_centroid(heatmap, row, column)
        return 4 * (x + 0.5) - 0.5, 4 * (y + 0.5) - 0.5
    r, c = min(max(row, 1), height - 2), min(max(column, 1), width - 2)
    dx = dy = 0.0
    if method == "quarter":
        near = heatmap.astype(float)
        dx = 0.25 * np.sign(near[r, c + 1] - near[r, c - 1])
        dy = 0.25 * np.sign(near[r + 1, c] - near[r - 1, c])
    else:
        log = np.log(np.maximum(heatmap.astype(float), 1e-4))
        gradient = np.array(
            [(log[r, c + 1] - log[r, c - 1]) / 2, (log[r + 1, c] - log[r - 1, c]) / 2]
        )
        mixed = log[r + 1, c + 1] - log[r + 1, c - 1] - log[r - 1, c + 1] + log[r - 1, c - 1]
        hessian = np.array(
            [
                [log[r, c + 1] - 2 * log[r, c] + log[r, c - 1], mixed / 4],
                [mixed / 4, log[r + 1, c] - 2 * log[r, c] + log[r - 1, c]],
            ]
        )
        if np.linalg.det(hessian) > 1e-8 and hessian[0, 0] < 0:
            dx, dy = np.clip(-np.linalg.solve(hessian, gradient), -1, 1)
    x += dx if c == column else 0
    y += dy if r == row else 0
    return 4 * (x + 0.5) - 0.5, 4 * (y + 0.5) - 0.5


def distance_to_polyline(
    points: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distance of every (x, y) to the nearest of the segments."""
    nearest = np.full(x.shape, np.inf)
    for first, second in pairwise(points):
        along = second - first
        share = ((x - first[0]) * along[0] + (y - first[1]) * along[1]) / (along @ along)
        share = np.clip(share, 0, 1)
        to_x, to_y = x - first[0] - share * along[0], y - first[1] - share * along[1]
        nearest = np.minimum(nearest, np.hypot(to_x, to_y))
    return nearest


def brute_boundary(points: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """A line one pixel wide, drawn at eight times the resolution, averaged down and blurred."""
    fine, margin = 8, 8
    count = SIDE + 2 * margin
    grid = (np.arange(count * fine) + 0.5) / fine - 0.5 - margin
    line = (distance_to_polyline(points, *np.meshgrid(grid, grid)) < 0.5).astype(float)
    coarse = line.reshape(count, fine, count, fine).mean(axis=(1, 3))
    blurred = gaussian_filter(coarse, sigma)[margin:-margin, margin:-margin]
    return np.asarray(blurred / blurred.max())


def test_the_two_pixel_grids_share_their_outer_edges() -> None:
    # The map's left edge, -0.5, is the crop's; its last pixel's right edge likewise.
    np.testing.assert_allclose(heatmap_to_crop(np.array([-0.5, 63.5])), [-0.5, 255.5])
    np.testing.assert_allclose(heatmap_to_crop(np.array([0.0])), [1.5])
    crop = np.random.default_rng(0).uniform(-20, 300, (7, 2))
    np.testing.assert_allclose(heatmap_to_crop(crop_to_heatmap(crop)), crop)


@given(st.floats(-5, SIDE + 5), st.floats(-5, SIDE + 5), st.floats(0.8, 3))
@settings(max_examples=50, deadline=None)
def test_landmark_maps_are_gaussians_at_the_exact_place(x: float, y: float, sigma: float) -> None:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    expected = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    found = encode_landmarks(np.array([[x, y], [y, x]]), SIDE, sigma)
    assert found.shape == (2, SIDE, SIDE)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], expected, atol=1e-5)
    np.testing.assert_allclose(found[1], expected.T, atol=1e-5)


def test_leading_dimensions_are_kept() -> None:
    points = np.random.default_rng(0).uniform(3, 28, (2, 5, 2))
    maps = encode_landmarks(points, SIDE)
    assert maps.shape == (2, 5, SIDE, SIDE)
    found, peaks = decode(maps)
    assert found.shape == (2, 5, 2)
    assert peaks.shape == (2, 5)
    np.testing.assert_allclose(found, heatmap_to_crop(points), atol=0.02)


@given(
    st.lists(st.tuples(inside, inside), min_size=1, max_size=8),
    st.sampled_from(["centroid", "dark"]),
)
@settings(max_examples=100, deadline=None)
def test_decoding_inverts_the_encoding(places: list[tuple[float, float]], method: Decoder) -> None:
    points = np.array(places)
    found, peaks = decode(encode_landmarks(points, SIDE), method)
    # Closer to the border than its reach the centroid sees less of a peak.
    far = np.minimum(points, SIDE - 1 - points) > 3
    error = np.abs(found - heatmap_to_crop(points))
    assert (error < np.where(far | (method == "dark"), 0.01, 0.2)).all()
    # The largest sample lies at most half a pixel away in x and in y.
    assert peaks.min() >= math.exp(-(0.5**2 + 0.5**2) / (2 * LANDMARK_SIGMA**2)) - 1e-6
    assert peaks.max() <= 1


@given(st.lists(st.tuples(inside, inside), min_size=1, max_size=8))
@settings(max_examples=100, deadline=None)
def test_quarter_is_within_its_bound(places: list[tuple[float, float]]) -> None:
    points = np.array(places)
    found, _ = decode(encode_landmarks(points, SIDE), "quarter")
    # The maximum is up to half a cell away on the side that the quarter step goes to, so a quarter
    # of a cell remains: one crop pixel.
    assert np.abs(found - heatmap_to_crop(points)).max() <= 0.25 * STRIDE + 1e-4


def test_quarter_steps_towards_the_larger_neighbour() -> None:
    maps = encode_landmarks(np.array([[10.3, 20.4], [9.7, 19.6]]), SIDE)
    found, _ = decode(maps, "quarter")
    np.testing.assert_allclose(
        found, heatmap_to_crop(np.array([[10.25, 20.25], [9.75, 19.75]])), atol=1e-9
    )


@pytest.mark.parametrize("method", DECODERS)
@pytest.mark.parametrize("kind", ["noise", "peaks", "negative", "steps"])
def test_decoder_equals_its_slow_twin(method: Decoder, kind: str) -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(200, 12, 12)).astype(np.float32)
    maps = {
        "noise": noise,
        "peaks": encode_landmarks(rng.uniform(-1, 12, (200, 2)), 12) + 0.02 * np.abs(noise),
        "negative": -np.abs(noise),
        # Many equal neighbours: plateaus, ridges and saddles.
        "steps": np.rint(noise).astype(np.float32),
    }[kind]
    found, peaks = decode(maps, method)
    expected = np.array([slow_decode(heatmap, method) for heatmap in maps])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_array_equal(peaks, maps.max(axis=(1, 2)))
    assert np.isfinite(found).all()


@pytest.mark.parametrize("method", DECODERS)
def test_a_peak_on_the_border_is_refined_along_it_only(method: Decoder) -> None:
    points = np.array([[-0.2, 10.3], [SIDE - 0.9, 10.3], [10.3, 0.1], [10.3, SIDE - 0.9]])
    found, _ = decode(encode_landmarks(points, SIDE), method)
    refined = 10.25 if method == "quarter" else 10.3
    last = SIDE - 1
    expected = [[0, refined], [last, refined], [refined, 0], [refined, last]]
    np.testing.assert_allclose(found, heatmap_to_crop(np.array(expected)), atol=5e-3)


@pytest.mark.parametrize("method", DECODERS)
def test_maps_without_a_peak_stay_where_they_are(method: Decoder) -> None:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    maps = np.stack(
        [
            np.zeros((SIDE, SIDE)),
            np.full((SIDE, SIDE), 0.7),
            (np.hypot(rows - 9, columns - 9) < 3.5).astype(float),
        ]
    ).astype(np.float32)
    found, peaks = decode(maps, method)
    # A plateau reports its first pixel: (0, 0), and the disc's topmost row.
    np.testing.assert_allclose(found[:2], heatmap_to_crop(np.zeros((2, 2))))
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(peaks, np.array([0, 0.7, 1], dtype=np.float32))


def test_noise_of_single_cells_moves_the_centroid_less() -> None:
    rng = np.random.default_rng(4)
    points = rng.uniform(8, 24, (2000, 2))
    maps = encode_landmarks(points, SIDE) + rng.normal(0, 0.02, (2000, SIDE, SIDE))
    errors = {
        method: np.linalg.norm(
            decode(maps.astype(np.float32), method)[0] - heatmap_to_crop(points), axis=1
        ).mean()
        for method in DECODERS
    }
    assert errors["centroid"] < 0.7 * errors["dark"] < errors["quarter"]


@given(st.integers(0, 2**32 - 1), st.sampled_from(DECODERS))
@settings(max_examples=30, deadline=None)
def test_the_step_stays_within_the_cells_read(seed: int, method: Decoder) -> None:
    maps = np.random.default_rng(seed).random((20, 8, 8)).astype(np.float32) ** 8
    found, _ = decode(maps, method)
    rows, columns = np.unravel_index(maps.reshape(20, -1).argmax(axis=1), (8, 8))
    away = crop_to_heatmap(found) - np.column_stack([columns, rows])
    assert np.abs(away).max() <= (REACH if method == "centroid" else 1)


def face_arc(seed: int) -> NDArray[np.float64]:
    """A contour-like arc of nine points, turned and moved at random."""
    rng = np.random.default_rng(seed)
    along = np.linspace(0, np.pi, 9)
    arc = np.column_stack([12 * np.cos(along), 9 * np.sin(along) - 4])
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.asarray(arc @ turn + 15.5 + rng.uniform(-2, 2, 2))


@pytest.mark.parametrize("seed", range(8))
def test_boundary_maps_match_a_brute_force_line(seed: int) -> None:
    points = face_arc(seed)
    found = encode_boundaries(points, [range(9)], SIDE)[0]
    expected = brute_boundary(points, BOUNDARY_SIGMA)
    # OpenCV's anti-aliased line is 1 to 3 pixels wide, by its slope, and brighter where segments
    # meet; the reference is one pixel wide everywhere. Place and shape must agree all the same.
    assert np.abs(found - expected).max() < 0.3
    assert np.abs(found - expected).mean() < 0.03
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.97
    moved = brute_boundary(points + np.array([0.7, -0.7]), BOUNDARY_SIGMA)
    assert np.abs(found - expected).sum() < 0.5 * np.abs(found - moved).sum()


@pytest.mark.parametrize("seed", range(4))
def test_boundary_maps_are_high_on_the_line_and_vanish_away_from_it(seed: int) -> None:
    points = face_arc(seed)
    found = encode_boundaries(points, [range(9)], SIDE)[0]
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(float)
    distance = distance_to_polyline(points, columns, rows)
    assert found.max() == 1
    assert found[distance < 0.3].min() > 0.5
    # Half the line's width, 1.5, plus the reach of the blur's kernel, 4 sigma, in x and in y.
    assert found[distance > math.sqrt(2) * 5.5].max() == 0
    assert found[distance > 4].max() < 0.02


@given(st.floats(8, 23), st.floats(-0.5, 0.5))
@settings(max_examples=40, deadline=None)
def test_a_straight_boundary_lies_at_its_sub_pixel_place(offset: float, slope: float) -> None:
    points = np.array([[-5.0, offset - 21 * slope], [37.0, offset + 21 * slope]])
    across, along = encode_boundaries(
        np.concatenate([points, points[:, ::-1]]), [(0, 1), (2, 3)], SIDE
    )
    rows = np.arange(SIDE)
    column = across[:, 16] / across[:, 16].sum()
    # One sixteenth of a pixel is the drawing's grid; the anti-aliasing adds half as much.
    assert column @ rows == pytest.approx(offset, abs=0.1)
    line = along[16] / along[16].sum()
    assert line @ rows == pytest.approx(offset, abs=0.1)
    # Blurred by sigma: the variance is at least that of the Gaussian.
    assert column @ (rows - column @ rows) ** 2 > 0.9 * BOUNDARY_SIGMA**2


def test_every_boundary_is_drawn_from_its_own_points() -> None:
    rng = np.random.default_rng(2)
    points = rng.uniform(2, 29, (98, 2))
    maps = encode_boundaries(points, WFLW.curves, SIDE)
    assert maps.shape == (15, SIDE, SIDE)
    assert maps.dtype == np.float32
    for curve, heatmap in zip(WFLW.curves, maps, strict=True):
        alone = encode_boundaries(points[list(curve)], [range(len(curve))], SIDE)[0]
        np.testing.assert_array_equal(heatmap, alone)
        cells = np.rint(points[list(curve)]).astype(int)
        assert heatmap[cells[:, 1], cells[:, 0]].min() > 0.2


def test_an_invisible_boundary_is_empty_and_far_points_do_no_harm() -> None:
    points = np.array([[-400.0, 5.0], [-300.0, 9.0], [1e9, 16.0], [-1e9, 16.0]])
    outside, across = encode_boundaries(points, [(0, 1), (2, 3)], SIDE)
    assert outside.max() == 0
    # OpenCV leaves out the pixel where it clips a line; the blur spreads that over the rim.
    assert across[16].min() > 0.8
    assert across[16, 4:-4].min() > 0.99


@pytest.mark.parametrize("method", DECODERS)
def test_no_maps_have_no_points(method: Decoder) -> None:
    # A frame without faces, or a network without landmarks.
    for lead in ((0, 5), (3, 0)):
        points, peaks = decode(np.zeros((*lead, 16, 16), dtype=np.float32), method)
        assert points.shape == (*lead, 2)
        assert peaks.shape == lead
