"""Ridge regression of labels on points, against maps that are known."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from model.errors import InputError
from model.markup import Markup
from model.shape_correction import ShapeCorrection, align, plain
from model.shipped_markups import WFLW
from tests.support.face_files import template
from train.fits.fit_shape import (
    FOLDS,
    RIDGES,
    Faces,
    fit_shape,
    mean_shape,
    normal_equations,
    relative_errors,
)


def shapes(count: int, seed: int = 0, modes: int = 6) -> NDArray[np.float64]:
    """Faces [count, 98, 2] that differ in a few ways, anywhere, of any size."""
    rng = np.random.default_rng(seed)
    ways = np.random.default_rng(99).normal(0, 0.08, (modes, 98, 2))
    faces = template() + np.tensordot(rng.normal(size=(count, modes)), ways, axes=1)
    return faces * rng.uniform(20, 200, (count, 1, 1)) + rng.uniform(0, 500, (count, 1, 2))


def truth(seed: int = 5, strength: float = 0.02) -> ShapeCorrection:
    """A correction that treats both sides of a face alike."""
    rng = np.random.default_rng(seed)
    mean = template() + (template() * (-1, 1))[WFLW.flip]
    mean -= mean.mean(axis=0)
    moves, weights = rng.normal(size=(98, 2)), rng.normal(size=(98, 2, 98, 2))
    moves = moves + (moves * (-1, 1))[WFLW.flip]
    signs = np.array([-1.0, 1.0])
    turned = weights[WFLW.flip][:, :, WFLW.flip] * signs[:, None, None] * signs
    weights = (weights + turned).reshape(196, 196)
    return ShapeCorrection.of(mean.ravel(), strength * moves.ravel(), strength * weights / 5)


def faces(points: NDArray[np.float64], labels: NDArray[np.float64], weight: float = 1.0) -> Faces:
    return Faces(points, labels, np.full(len(points), weight), np.arange(len(points)))


def fit(given: Faces, markup: Markup, ridge: float) -> ShapeCorrection:
    return normal_equations(given, markup).solve(ridge)


def test_a_linear_map_is_found_again() -> None:
    points = shapes(400)
    labels = truth()(points)
    before = relative_errors(points, labels).mean()
    found = fit_shape(faces(points, labels), WFLW)
    assert found.ridge == RIDGES[0]
    others = shapes(50, seed=1)
    after = relative_errors(found.correction(others), truth()(others)).mean()
    assert before > 0.01
    assert after < 0.02 * before
    # What it says about faces that it has not seen is what they say themselves.
    assert relative_errors(found.held_out, labels).mean() < 0.02 * before


def test_faces_left_out_take_no_part() -> None:
    """A face whose label is absurd is not corrected by itself."""
    points = shapes(60)
    labels = points.copy()
    labels[7] += 0.3 * np.ptp(labels[7], axis=0)
    found = fit_shape(faces(points, labels), WFLW)
    own = np.linalg.norm(found.held_out[7] - points[7], axis=1).mean()
    by_all = np.linalg.norm(found.correction(points[7]) - points[7], axis=1).mean()
    assert own < 0.5 * by_all
    # Nor one of the same picture.
    twice = Faces(
        np.concatenate([points, points[7:8]]),
        np.concatenate([labels, labels[7:8]]),
        np.ones(61),
        np.append(np.arange(60), 7),
    )
    again = fit_shape(twice, WFLW).held_out[7]
    assert np.linalg.norm(again - points[7], axis=1).mean() < 0.5 * by_all


def test_few_faces_with_labels_that_scatter_want_a_strong_ridge() -> None:
    rng = np.random.default_rng(3)
    points = shapes(30)
    size = np.ptp(points, axis=1).max(axis=1)[:, None, None]
    labels = points + 0.02 * size * rng.normal(size=points.shape)
    assert fit_shape(faces(points, labels), WFLW).ridge == RIDGES[-1]


def test_a_mirrored_face_is_corrected_alike() -> None:
    points = shapes(80)
    labels = truth()(points) + 0.5
    found = fit(faces(points, labels), WFLW, RIDGES[0])
    swap = WFLW.flip
    mirrored = found(points[:, swap] * (-1.0, 1.0))[:, swap] * (-1.0, 1.0)
    assert mirrored == pytest.approx(found(points), abs=0.05)


def test_weights_count_as_copies_do() -> None:
    points = shapes(40)
    labels = truth()(points)
    weights = np.where(np.arange(40) < 10, 3.0, 1.0)
    weighed = fit(Faces(points, labels, weights, np.arange(40)), WFLW, RIDGES[0])
    copies = np.repeat(np.arange(40), weights.astype(int))
    repeated = fit(faces(points[copies], labels[copies]), WFLW, RIDGES[0])
    assert weighed(points) == pytest.approx(repeated(points), abs=0.02)
    # And how much all count together makes no difference.
    halved = fit(Faces(points, labels, weights / 2, np.arange(40)), WFLW, RIDGES[0])
    assert halved(points) == pytest.approx(weighed(points), abs=1e-6)


def test_the_mean_shape_is_one_in_size_and_in_the_middle() -> None:
    points = shapes(100)
    mean = mean_shape(points, np.full((100, 1), 0.01))
    assert abs(mean.mean()) < 1e-12
    assert np.sqrt((np.abs(mean) ** 2).mean()) == pytest.approx(1)
    aligned, _ = align(points, mean)
    again = aligned.mean(axis=0)
    assert again / np.vdot(mean, again) * np.vdot(mean, mean) == pytest.approx(mean, abs=1e-4)


def test_errors_are_shares_of_the_face() -> None:
    labels = np.array([[[0.0, 0.0], [4.0, 0.0], [0.0, 9.0]]])
    points = labels + np.array([[0.6, 0.0], [0.0, 0.6], [0.0, -0.6]])
    assert relative_errors(points, labels) == pytest.approx([0.1])


def test_of_a_thing_without_a_mirror_image_only_what_is_there_counts() -> None:
    letter = replace(WFLW, pairs=None)
    points = shapes(50)
    size = np.ptp(points, axis=1).max(axis=1)[:, None, None]
    # All labels lie to the right: a face and its mirror image would cancel that.
    labels = points + size * (0.02, 0.0)
    one_sided = fit(faces(points, labels), letter, RIDGES[0])
    both_sided = fit(faces(points, labels), WFLW, RIDGES[0])
    assert relative_errors(one_sided(points), labels).mean() < 0.002
    assert relative_errors(both_sided(points), labels).mean() > 0.01


def test_one_landmark_has_no_shape() -> None:
    points = shapes(FOLDS)[:, :1]
    with pytest.raises(InputError, match="one landmark has none"):
        fit_shape(faces(points, points), WFLW)


def test_there_are_folds_enough() -> None:
    points = shapes(FOLDS)
    assert fit_shape(faces(points, points), WFLW).held_out.shape == points.shape
    assert plain(np.array([1 + 2j])).tolist() == [1.0, 2.0]
