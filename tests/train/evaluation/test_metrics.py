"""Metrics against closed forms and slow, obvious implementations."""

from __future__ import annotations

import warnings
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import InputError
from model.markup import Markup
from model.shipped_markups import COFW, IBUG, WFLW
from train.data.label_groups import region_errors
from train.drawing.ced_curve import plot_ced
from train.evaluation.metrics import (
    area_under_curve,
    common_offset,
    cumulative_curve,
    face_errors,
    failure_rate,
    summarize,
)

ERRORS = st.lists(st.one_of(st.floats(0, 0.3), st.just(float("inf"))), min_size=1, max_size=40)


@pytest.mark.parametrize("markup", [WFLW, IBUG, COFW])
def test_nme_by_hand(markup: Markup) -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 200, (4, markup.points, 2))
    predicted = truth + rng.normal(size=truth.shape)
    for name, (left, right) in markup.normalizers.items():
        expected = []
        for face, guess in zip(truth, predicted, strict=True):
            eyes = [np.mean([face[i] for i in group], axis=0) for group in (left, right)]
            distance = np.hypot(*(eyes[0] - eyes[1]))
            total = sum(np.hypot(*(g - t)) for g, t in zip(guess, face, strict=True))
            expected.append(total / markup.points / distance)
        np.testing.assert_allclose(face_errors(predicted, truth, markup, name), expected)


def test_known_errors() -> None:
    truth = np.random.default_rng(0).uniform(0, 100, (1, 98, 2))
    truth[0, 60], truth[0, 72] = (10, 50), (90, 50)  # 80 pixels between the outer eye corners
    # Every point off by (3, 4), that is 5 pixels.
    assert face_errors(truth + np.array([3, 4]), truth, WFLW)[0] == pytest.approx(5 / 80)


def test_normalisers_of_the_literature() -> None:
    points = np.zeros((1, 68, 2))
    points[0, 45] = (30, 40)
    assert IBUG.normalizer(points)[0] == 50  # outer corners 36 and 45
    points = np.zeros((1, 68, 2))
    points[0, 42:48] = (6, 8)
    assert IBUG.normalizer(points, "inter-pupil")[0] == 10  # means of 36-41 and 42-47
    points = np.zeros((1, 29, 2))
    points[0, 17] = (0, 7)
    assert COFW.normalizer(points)[0] == 7


def test_faces_not_found() -> None:
    truth = np.random.default_rng(0).uniform(0, 100, (3, 29, 2))
    predicted = truth.copy()
    predicted[1] = np.nan
    assert face_errors(predicted, truth, COFW).tolist() == [0, np.inf, 0]
    predicted[0, 3, 1] = np.nan
    with pytest.raises(ValueError, match="either found or not"):
        face_errors(predicted, truth, COFW)


def test_what_cannot_be_measured() -> None:
    truth = np.random.default_rng(0).uniform(0, 100, (2, 29, 2))
    with pytest.raises(ValueError, match="predicted"):
        face_errors(truth[:, :28], truth, COFW)
    with pytest.raises(ValueError, match="predicted"):
        face_errors(truth, truth, WFLW)
    with pytest.raises(InputError, match="no normaliser 'box'"):
        face_errors(truth, truth, COFW, "box")
    truth[1, 16] = truth[1, 17]
    with pytest.raises(ValueError, match=r"without a normalising distance: \[1\]"):
        face_errors(truth, truth, COFW)
    with pytest.raises(ValueError, match="no face"):
        summarize(np.zeros(0))


def test_figures_of_four_faces() -> None:
    summary = summarize(np.array([0.02, 0.05, 0.09, 0.30]))
    assert summary.n == 4
    assert summary.detected == 1
    assert summary.nme == pytest.approx(11.5)
    assert summary.nme_median == pytest.approx(7.0)
    assert summary.fr8 == 50
    assert summary.fr10 == 25
    # Areas right of each error: (6 + 3 + 0 + 0) / 8 / 4 and (8 + 5 + 1 + 0) / 10 / 4.
    assert summary.auc8 == pytest.approx(9 / 32)
    assert summary.auc10 == pytest.approx(14 / 40)


def test_missed_faces_count_as_failures_but_not_in_the_mean() -> None:
    summary = summarize(np.array([0.02, np.inf, 0.04, np.inf]))
    assert summary.detected == 0.5
    assert summary.nme == pytest.approx(3)
    assert summary.nme_median == pytest.approx(3)
    assert summary.fr10 == 50
    assert summary.auc10 == pytest.approx((0.8 + 0.6) / 4)
    nothing = summarize(np.array([np.inf]))
    assert (nothing.nme, nothing.nme_median, nothing.fr8, nothing.auc10) == (None, None, 100, 0)


def test_an_error_at_the_threshold_is_no_failure() -> None:
    assert failure_rate(np.array([0.1, np.nextafter(0.1, 1)]), 0.1) == 0.5


@given(values=ERRORS, threshold=st.floats(0.01, 0.2))
def test_area_is_that_of_the_step_curve(values: list[float], threshold: float) -> None:
    """Sum the rectangles under the curve one by one."""
    errors = np.array(values)
    corners = sorted({0.0, threshold, *(value for value in values if value < threshold)})
    area = 0.0
    for left, right in pairwise(corners):
        share = sum(value <= left for value in values) / len(values)
        area += share * (right - left)
    assert area_under_curve(errors, threshold) == pytest.approx(area / threshold, abs=1e-9)


@given(values=ERRORS)
def test_curve_and_failure_rate_agree(values: list[float]) -> None:
    errors = np.array(values)
    x, y = cumulative_curve(errors)
    assert len(x) == len(y)
    assert (np.diff(x) >= 0).all()
    assert (np.diff(y) > 0).all()
    assert y[-1] == np.isfinite(errors).mean()
    at = y[np.searchsorted(x, 0.1, side="right") - 1]
    assert at == pytest.approx(1 - failure_rate(errors, 0.1))


def test_ced_plot(tmp_path: Path) -> None:
    path = tmp_path / "ced.png"
    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_ced({"good": rng.uniform(0, 0.04, 50)}, path, "faces")
        good = cv2.imread(str(path))
        plot_ced({"good": np.full(50, np.inf)}, path, "faces")
    bad = cv2.imread(str(path))
    assert good is not None
    assert bad is not None
    assert good.shape == bad.shape == (720, 960, 3)
    assert (good != bad).any()
    assert [entry.name for entry in tmp_path.iterdir()] == ["ced.png"]


def test_points_that_are_not_labelled_do_not_count() -> None:
    rng = np.random.default_rng(5)
    truth = rng.uniform(0, 200, (3, 98, 2))
    found = truth + rng.normal(0, 3, truth.shape)
    missing = truth.copy()
    missing[0, [3, 50]] = missing[2, :60] = np.nan
    # Distances by the eyes' outer corners, which are among those that all have.
    missing[2, [60, 72]] = truth[2, [60, 72]]
    errors = face_errors(found, missing, WFLW)
    for face in range(3):
        known = np.isfinite(missing[face, :, 0])
        apart = np.linalg.norm(found[face, known] - truth[face, known], axis=-1)
        eyes = np.linalg.norm(truth[face, 60] - truth[face, 72])
        assert errors[face] == pytest.approx(apart.mean() / eyes)
    offset, centred = common_offset(found, missing, WFLW)
    assert np.isfinite(offset).all()
    assert 0 < centred < 1
    missing[1] = np.nan
    missing[1, [60, 72]] = truth[1, [60, 72]]
    assert face_errors(found, missing, WFLW)[1] > 0
    missing[1, 72] = np.nan
    with pytest.raises(ValueError, match=r"without a normalising distance: \[1\]"):
        face_errors(found, missing, WFLW)


def test_regions_without_labels_have_no_error() -> None:
    truth = np.random.default_rng(6).uniform(0, 200, (2, 98, 2))
    truth[1, 96:] = np.nan
    errors = region_errors(truth + 1, truth, WFLW)
    assert np.isnan(errors["pupils"][1])
    assert np.isfinite(errors["pupils"][0])
    assert np.isfinite(errors["mouth"]).all()
