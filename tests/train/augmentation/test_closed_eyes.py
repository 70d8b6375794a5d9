"""Eyes warped shut: landmarks stay on what they mark, lids close by the share asked for."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.shipped_markups import WFLW
from tests.support.face_files import draw, template
from tracker.measures.openings import eye_openings
from train.augmentation.closed_eyes import close_eye, random_blink

assert WFLW.roles.eyes
LEFT, RIGHT = WFLW.roles.eyes
OF_LEFT = (*range(60, 68), 96)


def face(angle: float = 0.0, size: float = 64.0) -> NDArray[np.float64]:
    """[98, 2] the drawn face in the middle of a 256 crop, turned."""
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.asarray(template() * size @ turn + 128)


def crop(points: NDArray[np.float64]) -> NDArray[np.uint8]:
    return draw(points, 256, np.random.default_rng(0))


@given(st.floats(0.1, 1), st.floats(-1.5, 1.5), st.floats(40, 90))
@settings(max_examples=30, deadline=None)
def test_an_eye_closes_by_the_share_asked_for_and_only_that_eye(
    share: float, angle: float, size: float
) -> None:
    points = face(angle, size)
    _, moved = close_eye(crop(points), points, LEFT, share)
    before, after = (eye_openings(p, "wflw98") for p in (points, moved))
    # Down to 0.06, the thickness of lids; a chord over a curve is a little longer than its gap.
    assert after[0] == pytest.approx(before[0] + share * (0.06 - before[0]), abs=0.004)
    # A low brow is skin that gives way as well; the rest of the face is out of reach.
    brows = range(33, 51)
    others = np.setdiff1d(np.arange(98), [*OF_LEFT, *brows])
    np.testing.assert_allclose(moved[others], points[others], atol=1e-6)
    assert np.linalg.norm(moved[brows] - points[brows], axis=1).max() < 0.02 * size
    # Corners stay; nothing moves along the eye.
    np.testing.assert_allclose(moved[[60, 64]], points[[60, 64]], atol=1e-6)
    along = (points[64] - points[60]) / np.linalg.norm(points[64] - points[60])
    np.testing.assert_allclose((moved - points) @ along, 0, atol=1e-6)
    # The upper lid does nine tenths of it, towards the cheek.
    down = np.array([-along[1], along[0]])
    upper, lower = ((moved[i] - points[i]) @ down for i in (62, 66))
    assert upper > 0 > lower
    assert upper == pytest.approx(-9 * lower, rel=1e-6)


@pytest.mark.parametrize("angle", [0.0, 0.7, -1.2])
def test_skin_moves_as_the_landmarks_on_it_do(angle: float) -> None:
    """A dot on the upper lid's line, one on the lower's and one on the skin above are followed."""
    points = face(angle, 90)
    fold = points[62] + 0.3 * (points[62] - points[66])
    for place, index in ((points[62], 62), (points[66], 66), (fold, None)):
        image = np.zeros((256, 256, 3), dtype=np.uint8)
        cv2.circle(image, tuple(int(v) for v in np.rint(place * 16)), 32, (255,) * 3, -1, 16, 4)
        traced = points.copy()
        # The dot's own place, as if it were a landmark: the first of the jaw is far from the eye.
        traced[0] = place
        warped, moved = close_eye(image, traced, LEFT, 0.5)
        values = warped[..., 0].astype(float)
        rows, columns = np.mgrid[:256, :256]
        centre = np.array([(values * columns).sum(), (values * rows).sum()]) / values.sum()
        np.testing.assert_allclose(centre, moved[0], atol=1.5)
        if index is not None:
            np.testing.assert_allclose(moved[0], moved[index], atol=1e-6)
        else:
            assert np.linalg.norm(moved[0] - place) > 1.5


def test_a_pupil_stays_until_the_lid_reaches_it_and_never_leaves_the_slit() -> None:
    points = face(size=90)
    heights = []
    for share in np.linspace(0.05, 1, 20):
        _, moved = close_eye(crop(points), points, LEFT, share)
        upper, lower = moved[62, 1], moved[66, 1]
        assert upper < moved[96, 1] < lower
        heights.append(moved[96, 1] - points[96, 1])
    assert heights[:4] == pytest.approx([0] * 4, abs=1e-6)
    assert (np.diff(heights) > -1e-6).all()
    assert heights[-1] > 3


def test_pixels_change_around_the_eye_alone() -> None:
    points = face()
    before = crop(points)
    after, _ = close_eye(before, points, RIGHT, 1.0)
    rows, columns = np.nonzero((before != after).any(axis=-1))
    assert len(rows) > 50
    width = points[72, 0] - points[68, 0]
    assert points[68, 0] <= columns.min() <= columns.max() <= points[72, 0]
    assert points[68, 1] - width < rows.min() < rows.max() < points[68, 1] + width
    # The pupil's colour is gone where it was: skin covers it.
    x, y = np.rint(points[97]).astype(int)
    assert before is not after
    assert not np.array_equal(before[y, x], after[y, x])


def test_what_cannot_close_stays_as_it_is() -> None:
    points = face()
    image = crop(points)
    shut = points.copy()
    shut[[67, 66, 65]] = shut[[61, 62, 63]] + (0, 0.5)
    tiny = face(size=8.0)
    crooked = points.copy()
    crooked[61, 0] = crooked[60, 0] - 5
    for given_points in (shut, tiny, crooked):
        same, moved = close_eye(image, given_points, LEFT, 1.0)
        assert same is image
        assert moved is given_points
    outside = points - (200, 0)
    same, moved = close_eye(image, outside, LEFT, 1.0)
    np.testing.assert_array_equal(same, image)
    assert eye_openings(moved, "wflw98")[0] == pytest.approx(0.06, abs=0.004)


def test_chance_gives_blinks_and_winks_of_every_degree() -> None:
    points = face()
    image = crop(points)
    opened = np.mean(eye_openings(points, "wflw98"))
    found = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        found.append(eye_openings(random_blink(image, points, "wflw98", rng)[1], "wflw98"))
    left, right = np.array(found).T
    still = np.isclose(left, opened, atol=1e-3), np.isclose(right, opened, atol=1e-3)
    assert not (still[0] & still[1]).any()
    # A fifth are winks, half of them left.
    assert 0.12 < (still[0] | still[1]).mean() < 0.28
    assert min(still[0].sum(), still[1].sum()) > 15
    least = np.minimum(left, right)
    assert 0.4 < (least < 0.065).mean() < 0.6
    assert np.ptp(least[least > 0.065]) > 0.1
    again = random_blink(image, points, "wflw98", np.random.default_rng(7))
    first = random_blink(image, points, "wflw98", np.random.default_rng(7))
    np.testing.assert_array_equal(again[0], first[0])
    np.testing.assert_array_equal(again[1], first[1])


def test_a_mirrored_face_blinks_mirrored() -> None:
    points = face(0.3)
    image = crop(points)
    mirrored = points[WFLW.flip].copy()
    mirrored[:, 0] = 255 - mirrored[:, 0]
    closed, moved = close_eye(image, points, LEFT, 0.7)
    other, twin = close_eye(np.ascontiguousarray(image[:, ::-1]), mirrored, RIGHT, 0.7)
    twin = twin[WFLW.flip]
    twin[:, 0] = 255 - twin[:, 0]
    np.testing.assert_allclose(twin, moved, atol=1e-6)
    assert np.abs(other[:, ::-1].astype(int) - closed).mean() < 0.05
