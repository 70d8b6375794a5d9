"""What is remembered of a face: closed forms, and a second, obvious regression."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
from numpy.typing import NDArray

from tracker.tracking.face_memory import (
    _ALIKE,
    _DOUBT,
    _ENOUGH,
    _FADES,
    _MOST,
    _NEAR,
    FaceMemory,
)
from tracker.tracking.face_parts import SMALLEST_PART

RNG = np.random.default_rng(3)
SHAPE, CORRECTION = RNG.normal(size=(2, 9, 2))
# Two parts and a point of its own.
PART = np.array([0, 0, 0, 1, 1, 2, 0, 0, 1])


def moved(distance: float) -> NDArray[np.float64]:
    """The shape with every landmark moved by a distance, each elsewhere."""
    way = np.random.default_rng(5).normal(size=SHAPE.shape)
    return SHAPE + distance * way / np.linalg.norm(way, axis=1, keepdims=True)


def test_nothing_is_known_at_first() -> None:
    assert FaceMemory(PART).recall(SHAPE, 0.0) is None


def test_a_look_just_taken_is_used_but_for_the_doubt() -> None:
    memory = FaceMemory(PART)
    memory.remember(SHAPE, CORRECTION, 5.0)
    recalled = memory.recall(SHAPE, 5.0)
    np.testing.assert_allclose(recalled, CORRECTION / (1 + _DOUBT))


@pytest.mark.parametrize("least", [1 + 1e-6, 1 - 1e-6])
def test_how_far_and_for_how_long_one_look_is_enough(least: float) -> None:
    memory = FaceMemory(PART)
    memory.remember(SHAPE, CORRECTION, 0.0)
    age = -_FADES * log(_ENOUGH * least)
    assert (memory.recall(SHAPE, age) is not None) == (least > 1)
    distance = _NEAR * np.sqrt(-2 * log(_ENOUGH * least))
    assert (memory.recall(moved(distance), 0.0) is not None) == (least > 1)
    assert 13 < -_FADES * log(_ENOUGH) < 14.5  # what the comment says


def own(
    shape: NDArray[np.float64], number: int, part: NDArray[np.intp] = PART
) -> NDArray[np.float64]:
    """A part's landmarks around their mean."""
    points = shape[part == number]
    return np.asarray(points - points.mean(axis=0))


def test_many_looks_are_averaged_by_nearness_and_age_part_by_part() -> None:
    memory = FaceMemory(PART)
    looks = [
        (SHAPE + 0.02 * RNG.normal(size=SHAPE.shape), RNG.normal(size=SHAPE.shape), time)
        for time in (0.0, 1.0, 4.0, 9.0)
    ]
    for look in looks:
        memory.remember(*look)
    recalled = memory.recall(SHAPE, 10.0)
    assert recalled is not None
    for k, part in enumerate(PART):
        total, weighted = 0.0, np.zeros(2)
        for shape, correction, time in looks:
            far = np.mean(np.square(shape - SHAPE).sum(axis=1))
            weight = exp(-far / (2 * _NEAR**2)) * exp(-(10.0 - time) / _FADES)
            off = np.mean(np.square(own(shape, part) - own(SHAPE, part)).sum(axis=1))
            size = max(np.mean(np.square(own(SHAPE, part)).sum(axis=1)), SMALLEST_PART**2)
            weight *= exp(-off / size / (2 * _ALIKE**2))
            total += weight
            weighted += weight * correction[k]
        np.testing.assert_allclose(recalled[k], weighted / (total + _DOUBT), atol=1e-4)


def test_a_part_of_another_shape_is_hardly_corrected() -> None:
    # An eye that closes, in a face of many points that stays as it was.
    part = np.repeat([0, 1], [6, 200])
    face, correction = RNG.normal(size=(2, 206, 2))
    closed = face.copy()
    closed[:6] = face[:6].mean(axis=0) + 0.8 * own(face, 0, part)
    memory = FaceMemory(part)
    memory.remember(face, correction, 0.0)
    recalled = memory.recall(closed, 0.0)
    assert recalled is not None
    weight = exp(-np.mean(np.square(closed - face).sum(axis=1)) / (2 * _NEAR**2))
    np.testing.assert_allclose(recalled[6:], correction[6:] * weight / (weight + _DOUBT))
    # It lies a quarter of its own radius from what it was.
    weight *= exp(-(0.25**2) / (2 * _ALIKE**2))
    np.testing.assert_allclose(recalled[:6], correction[:6] * weight / (weight + _DOUBT))


def test_the_oldest_look_makes_room() -> None:
    memory = FaceMemory(PART)
    memory.remember(SHAPE, CORRECTION, 0.0)
    for i in range(_MOST - 1):
        memory.remember(SHAPE + 10.0 + i, CORRECTION, 0.0)
    assert memory.recall(SHAPE, 0.0) is not None
    memory.remember(SHAPE - 10.0, CORRECTION, 0.0)
    assert memory.recall(SHAPE, 0.0) is None
    assert memory.recall(SHAPE + 10.0, 0.0) is not None


def test_a_shape_without_an_answer_leaves_the_memory_as_it_was() -> None:
    memory = FaceMemory(PART)
    memory.remember(SHAPE, CORRECTION, 0.0)
    assert memory.recall(SHAPE + 1.0, 0.0) is None
    np.testing.assert_allclose(memory.recall(SHAPE, 0.0), CORRECTION / (1 + _DOUBT))
