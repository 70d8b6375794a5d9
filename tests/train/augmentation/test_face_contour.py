"""Points of the contour spread along their line again after skin has moved."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.shipped_markups import get_markup
from tracker.measures.generic_face import face_model
from train.augmentation.face_contour import contour, respaced


def lengths(line: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.linalg.norm(np.diff(line, axis=0), axis=1)


@pytest.mark.parametrize("markup", ["wflw98", "ibug68"])
def test_the_contour_runs_from_ear_to_chin_to_ear(markup: str) -> None:
    curve = contour(get_markup(markup))
    assert curve is not None
    face = face_model(markup).points[curve]
    chin = len(curve) // 2
    assert face[chin, 1] == face[:, 1].max()
    assert face[0, 0] == face[:, 0].min() and face[-1, 0] == face[:, 0].max()


@pytest.mark.parametrize("markup", ["wflw98", "ibug68"])
@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_points_stay_on_the_line_with_the_distances_they_had(markup: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = get_markup(markup)
    curve = contour(table)
    assert curve is not None
    before = face_model(markup).points[:, :2]
    # Half of the face is squeezed and the line bent, as when a head turns.
    moved = before + rng.normal(0, 2, before.shape)
    moved[:, 0] += 0.3 * np.abs(moved[:, 0])
    after = respaced(moved, before, table)
    rest = np.setdiff1d(np.arange(table.points), curve)
    np.testing.assert_array_equal(after[rest], moved[rest])
    chin = len(curve) // 2
    for half in (curve[: chin + 1], curve[chin:]):
        np.testing.assert_allclose(after[half[[0, -1]]], moved[half[[0, -1]]], atol=1e-9)
        # Where along the moved line each point lies, found by brute force.
        dense = np.concatenate(
            [np.linspace(moved[a], moved[b], 400, endpoint=False) for a, b in pairwise(half)]
            + [moved[half[-1:]]]
        )
        way = np.append(0.0, np.cumsum(lengths(dense)))
        away = np.linalg.norm(dense[None] - after[half][:, None], axis=-1)
        assert away.min(axis=1).max() < 0.1
        share = way[away.argmin(axis=1)] / way[-1]
        want = np.append(0.0, np.cumsum(lengths(before[half]))) / lengths(before[half]).sum()
        np.testing.assert_allclose(share, want, atol=5e-3)


def test_what_moves_as_a_whole_is_left_alone() -> None:
    before = face_model("wflw98").points[:, :2]
    moved = 0.5 * before @ np.array([[0.8, 0.6], [-0.6, 0.8]]) + 7
    np.testing.assert_allclose(respaced(moved, before, get_markup("wflw98")), moved, atol=1e-9)


def test_cofw_has_no_contour() -> None:
    points = face_model("cofw29").points[:, :2]
    assert contour(get_markup("cofw29")) is None
    assert respaced(points + 1, points, get_markup("cofw29")) is not points
    np.testing.assert_array_equal(respaced(points + 1, points, get_markup("cofw29")), points + 1)


def test_a_contour_in_one_spot_stays() -> None:
    points = np.zeros((98, 2))
    np.testing.assert_array_equal(respaced(points, points, get_markup("wflw98")), points)
