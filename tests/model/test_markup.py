"""Markups: mirrors, curves, normalisers and the points two markups share."""

from __future__ import annotations

import numpy as np
import pytest

from model.errors import InputError
from model.markup import Markup
from model.shipped_markups import COFW, IBUG, MARKUPS, WFLW, WFLW_TO_IBUG, get_markup

EVERY = pytest.mark.parametrize("markup", MARKUPS.values(), ids=lambda m: m.name)

# Written out from the datasets' mark-up sheets, independently of the table under test.
PAIRS = {
    "wflw98": "0-32 1-31 2-30 3-29 4-28 5-27 6-26 7-25 8-24 9-23 10-22 11-21 12-20 13-19 14-18 "
    "15-17 33-46 34-45 35-44 36-43 37-42 38-50 39-49 40-48 41-47 55-59 56-58 60-72 61-71 62-70 "
    "63-69 64-68 65-75 66-74 67-73 76-82 77-81 78-80 83-87 84-86 88-92 89-91 93-95 96-97",
    "ibug68": "0-16 1-15 2-14 3-13 4-12 5-11 6-10 7-9 17-26 18-25 19-24 20-23 21-22 31-35 32-34 "
    "36-45 37-44 38-43 39-42 40-47 41-46 48-54 49-53 50-52 55-59 56-58 60-64 61-63 65-67",
    "cofw29": "0-1 2-3 4-6 5-7 8-9 10-11 12-14 13-15 16-17 18-19 22-23",
}
FIXED = {
    "wflw98": {16, 51, 52, 53, 54, 57, 79, 85, 90, 94},
    "ibug68": {8, 27, 28, 29, 30, 33, 51, 57, 62, 66},
    "cofw29": {20, 21, 24, 25, 26, 27, 28},
}
CURVE_FLIPS = {
    "wflw98": [0, 2, 1, 3, 4, 7, 8, 5, 6, 9, 10, 11, 12, 14, 13],
    "ibug68": [0, 2, 1, 3, 4, 7, 8, 5, 6, 9, 10, 11, 12],
    "cofw29": [2, 3, 0, 1, 6, 7, 4, 5, 8, 9, 10, 11, 12],
}


@EVERY
def test_flip_swaps_the_listed_pairs_and_nothing_else(markup: Markup) -> None:
    expected = np.arange(markup.points)
    for pair in PAIRS[markup.name].split():
        first, second = map(int, pair.split("-"))
        expected[[first, second]] = second, first
    np.testing.assert_array_equal(markup.flip, expected)
    assert set(np.flatnonzero(markup.flip == np.arange(markup.points))) == FIXED[markup.name]


@EVERY
def test_flips_undo_themselves(markup: Markup) -> None:
    np.testing.assert_array_equal(markup.flip[markup.flip], np.arange(markup.points))
    curves = np.arange(len(markup.curves))
    np.testing.assert_array_equal(markup.curve_flip[markup.curve_flip], curves)


@EVERY
def test_mirrored_curves_are_curves(markup: Markup) -> None:
    np.testing.assert_array_equal(markup.curve_flip, CURVE_FLIPS[markup.name])
    for curve, partner in zip(markup.curves, markup.curve_flip, strict=True):
        assert {int(markup.flip[i]) for i in curve} == set(markup.curves[partner])
        # Neighbours stay neighbours, so that the drawn line is the same.
        mirrored = [int(markup.flip[i]) for i in curve]
        assert tuple(mirrored) in (markup.curves[partner], markup.curves[partner][::-1])


@EVERY
def test_curves_and_normalizers_name_existing_points(markup: Markup) -> None:
    assert len(markup.curves) == {"wflw98": 15, "ibug68": 13, "cofw29": 13}[markup.name]
    for curve in markup.curves:
        assert len(curve) == len(set(curve)) >= 2
        assert all(0 <= i < markup.points for i in curve)
    for left, right in markup.normalizers.values():
        # The two ends of a normalising distance mirror each other.
        assert {int(markup.flip[i]) for i in left} == set(right)


def test_normalizers_measure_between_the_documented_points() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(3, 98, 2))
    np.testing.assert_allclose(
        WFLW.normalizer(points), np.hypot(*(points[:, 60] - points[:, 72]).T)
    )
    np.testing.assert_allclose(
        WFLW.normalizer(points, "inter-pupil"), np.hypot(*(points[:, 96] - points[:, 97]).T)
    )
    points = points[:, :68]
    np.testing.assert_allclose(
        IBUG.normalizer(points), np.hypot(*(points[:, 36] - points[:, 45]).T)
    )
    pupils = points[:, 36:42].mean(axis=1) - points[:, 42:48].mean(axis=1)
    np.testing.assert_allclose(IBUG.normalizer(points, "inter-pupil"), np.hypot(*pupils.T))
    points = points[:, :29]
    np.testing.assert_allclose(
        COFW.normalizer(points), np.hypot(*(points[:, 16] - points[:, 17]).T)
    )
    assert [m.default_normalizer for m in (WFLW, IBUG, COFW)] == [
        "inter-ocular",
        "inter-ocular",
        "inter-pupil",
    ]


def test_an_unknown_normalizer_or_markup_is_named() -> None:
    with pytest.raises(InputError, match="wflw98 has no normaliser 'chin': use one of inter-ocu"):
        WFLW.normalizer(np.zeros((98, 2)), "chin")
    with pytest.raises(InputError, match="unknown markup 'wflw': use one of wflw98, ibug68, cofw"):
        get_markup("wflw")
    assert get_markup("ibug68") is IBUG


@EVERY
@pytest.mark.parametrize("degrees", [-170, -90, -20, 0, 35, 120])
def test_roll_of_a_turned_face(markup: Markup, degrees: float) -> None:
    points = np.random.default_rng(1).normal(size=(markup.points, 2))
    left, right = markup.normalizers[markup.default_normalizer]
    points[list(left)] = (-30, 5)
    points[list(right)] = (30, 5)
    angle = np.deg2rad(degrees)
    # x turned towards y, which is down: clockwise on the screen.
    turned = points @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    assert markup.roll(turned) == pytest.approx(angle)


def test_shared_points_are_60_distinct_ones_of_the_same_place() -> None:
    ours, theirs = zip(*WFLW_TO_IBUG, strict=True)
    assert len(set(ours)) == len(set(theirs)) == len(WFLW_TO_IBUG) == 60
    assert set(theirs) == set(range(68)) - {37, 38, 40, 41, 43, 44, 46, 47}
    place = dict(WFLW_TO_IBUG)
    for wflw, ibug in WFLW_TO_IBUG:
        # The same place on the face has the same mirror image.
        assert place[int(WFLW.flip[wflw])] == IBUG.flip[ibug]
    # Points of one iBUG curve lie on one WFLW curve of the same number, in the same order.
    for ours_curve, theirs_curve in zip(WFLW.curves, IBUG.curves, strict=False):
        mapped = [place[i] for i in ours_curve if i in place]
        assert mapped == [i for i in theirs_curve if i in set(mapped)]
        assert set(mapped) == set(theirs_curve) & set(theirs)
