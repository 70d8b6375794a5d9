"""Fitting a shape correction: ridge regression of labels on what a network finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from model.markup import Markup
from model.shape_correction import ShapeCorrection, align, plain

FOLDS = 5
# Of the sum of the weights, in squares of the mean shape's radius: ways in which faces differ by
# less than its root count as noise. The best on faces left out is taken; thousands of faces want
# the smallest, some dozen the largest. Less than that would make points shake: of errors that have
# nothing to do with each other 2e-5 makes 1.3 times as much, 1e-4 1.03 times.
RIDGES = (1e-4, 1e-3, 1e-2, 1e-1)
# How often the mean shape is aligned with itself; the second time moves it by a thousandth.
_ROUNDS = 4


@dataclass(frozen=True, eq=False)
class Faces:
    """What a correction is fitted on.

    Attributes:
        points: [N, K, 2], as a network finds them.
        labels: [N, K, 2], where they belong; of the same pictures.
        weights: [N], how much each face counts, not all 0.
        groups: [N], numbers; faces with one number (of one picture) are left out together.
    """

    points: NDArray[np.float64]
    labels: NDArray[np.float64]
    weights: NDArray[np.float64]
    groups: NDArray[np.intp]

    def only(self, chosen: NDArray[np.bool_]) -> Faces:
        """Some of them."""
        return Faces(*(values[chosen] for values in vars(self).values()))

    def with_mirrored(self, markup: Markup) -> Faces:
        """Each face, and behind all of them each in a mirror."""
        swap, mirror = markup.flip, np.array([-1.0, 1.0])
        points, labels = (
            np.concatenate([values, values[:, swap] * mirror])
            for values in (self.points, self.labels)
        )
        return Faces(points, labels, np.tile(self.weights, 2), np.tile(self.groups, 2))


@dataclass(frozen=True, eq=False)
class Fit:
    """A correction and what it is worth.

    Attributes:
        correction: fitted on all faces.
        ridge: the one of `RIDGES` that was taken.
        held_out: [N, K, 2], the points, each face's corrected by what the others tell.
    """

    correction: ShapeCorrection
    ridge: float
    held_out: NDArray[np.float64]


def fit_shape(faces: Faces, markup: Markup, ridges: Sequence[float] = RIDGES) -> Fit:
    """Fit a correction with the ridge that does best on faces left out.

    Args:
        faces: of `FOLDS` pictures or more.
        markup: of the network. Where a mirror image is a face as well, the fit sees both, and
            corrects both alike.
        ridges: to choose from.

    Raises:
        InputError: a single landmark has no shape.
    """
    if faces.points.shape[1] < 2:
        raise InputError("a correction moves points by their shape, and one landmark has none.")
    numbers = np.unique(faces.groups, return_inverse=True)[1]
    folds = np.random.default_rng(0).permutation(numbers.max() + 1)[numbers] % FOLDS
    held_out = np.empty((len(ridges), *faces.points.shape))
    for fold in range(FOLDS):
        own = folds == fold
        equations = normal_equations(faces.only(~own), markup)
        for place, ridge in enumerate(ridges):
            held_out[place, own] = equations.solve(ridge)(faces.points[own])
    errors = [
        np.average(relative_errors(points, faces.labels), weights=faces.weights)
        for points in held_out
    ]
    best = int(np.argmin(errors))
    correction = normal_equations(faces, markup).solve(ridges[best])
    return Fit(correction, ridges[best], held_out[best])


@dataclass(frozen=True, eq=False)
class Equations:
    """The normal equations of a fit, which are the same for every ridge.

    Attributes:
        mean: [2K], the mean shape.
        middle: [2K], mean of the faces' distances from it.
        common: [2K], mean of their labels' distances from their points.
        square: [2K, 2K], weighted products of the first distances among each other.
        product: [2K, 2K], and with the second ones.
    """

    mean: NDArray[np.float64]
    middle: NDArray[np.float64]
    common: NDArray[np.float64]
    square: NDArray[np.float64]
    product: NDArray[np.float64]

    def solve(self, ridge: float) -> ShapeCorrection:
        """The correction with a ridge, a share of the sum of the weights."""
        normal = self.square + ridge * np.eye(len(self.square))
        table = np.linalg.solve(normal, self.product)
        return ShapeCorrection.of(self.mean, self.common - self.middle @ table, table)


def normal_equations(faces: Faces, markup: Markup) -> Equations:
    """What all of the faces say about a correction.

    It is to minimise the weighted sum of squared distances to the labels, in the frame and in sizes
    of the mean shape, plus the ridge times the sum of weights times the map's squares.
    """
    if markup.pairs is not None:
        faces = faces.with_mirrored(markup)
    weights = faces.weights[:, None] / faces.weights.sum()
    mean = mean_shape(faces.points, weights)
    shapes, turn = align(faces.points, mean)
    # The label in the frame of what was found: an offset between both is to be seen.
    centre = faces.points.mean(axis=1, keepdims=True)
    placed = np.ascontiguousarray(faces.labels - centre).view(np.complex128)[..., 0]
    found = plain(shapes) - plain(mean)
    moves = plain(placed / np.where(turn == 0, 1, turn)) - plain(shapes)
    # The common move goes with the mean of the shapes, which is not quite the mean shape.
    middle, common = (weights * found).sum(axis=0), (weights * moves).sum(axis=0)
    found, moves = found - middle, moves - common
    weighed = (weights * found).T
    return Equations(plain(mean), middle, common, weighed @ found, weighed @ moves)


def mean_shape(points: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Weighted mean [K] of shapes [N, K, 2] around 0, as they stand, its mean radius 1."""
    places = points - points.mean(axis=1, keepdims=True)
    size = np.sqrt((places**2).sum(axis=2).mean(axis=1))[:, None, None]
    mean = (weights[..., None] * places / np.where(size == 0, 1, size)).sum(axis=0)
    for _ in range(_ROUNDS):
        shape = np.ascontiguousarray(mean).view(np.complex128)[:, 0]
        shape = shape / np.sqrt((np.abs(shape) ** 2).mean())
        aligned, _ = align(points, shape)
        mean = plain((weights * aligned).sum(axis=0)).reshape(-1, 2)
    return shape


def relative_errors(
    points: NDArray[np.float64], labels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[N] mean distances of points from labels, in the square root of the label's tight box.

    Not in distances of the eyes, which a profile has next to none of.
    """
    size = np.sqrt(np.prod(np.ptp(labels, axis=1), axis=1))
    distance = np.linalg.norm(points - labels, axis=2).mean(axis=1)
    return np.asarray(distance / np.where(size == 0, 1, size))
