"""What is remembered of a face: closed forms, and a second, obvious regression."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
from numpy.typing import NDArray

from tracker.tracking.face_memory import _DOUBT, _ENOUGH, _FADES, _MOST, _NEAR, FaceMemory

RNG = np.random.default_rng(3)
SHAPE, CORRECTION = RNG.normal(size=(2, 9, 2))


def moved(distance: float) -> NDArray[np.float64]:
    """The shape with every landmark moved by a distance, each elsewhere."""
    way = np.random.default_rng(5).normal(size=SHAPE.shape)
    return SHAPE + distance * way / np.linalg.norm(way, axis=1, keepdims=True)


def test_nothing_is_known_at_first() -> None:
    assert FaceMemory().recall(SHAPE, 0.0) is None


def test_a_look_just_taken_is_used_but_for_the_doubt() -> None:
    memory = FaceMemory()
    memory.remember(SHAPE, CORRECTION, 5.0)
    recalled = memory.recall(SHAPE, 5.0)
    np.testing.assert_allclose(recalled, CORRECTION / (1 + _DOUBT))


@pytest.mark.parametrize("least", [1 + 1e-6, 1 - 1e-6])
def test_how_far_and_for_how_long_one_look_is_enough(least: float) -> None:
    memory = FaceMemory()
    memory.remember(SHAPE, CORRECTION, 0.0)
    age = -_FADES * log(_ENOUGH * least)
    assert (memory.recall(SHAPE, age) is not None) == (least > 1)
    distance = _NEAR * np.sqrt(-2 * log(_ENOUGH * least))
    assert (memory.recall(moved(distance), 0.0) is not None) == (least > 1)
    assert 6 < -_FADES * log(_ENOUGH) < 8  # what the comment says


def test_many_looks_are_averaged_by_nearness_and_age() -> None:
    memory = FaceMemory()
    looks = [
        (SHAPE + 0.02 * RNG.normal(size=SHAPE.shape), RNG.normal(size=SHAPE.shape), time)
        for time in (0.0, 1.0, 4.0, 9.0)
    ]
    for look in looks:
        memory.remember(*look)
    total, weighted = 0.0, np.zeros_like(SHAPE)
    for shape, correction, time in looks:
        far = np.mean([np.linalg.norm(a - b) ** 2 for a, b in zip(shape, SHAPE, strict=True)])
        weight = exp(-far / (2 * _NEAR**2)) * exp(-(10.0 - time) / _FADES)
        total += weight
        weighted += weight * correction
    np.testing.assert_allclose(memory.recall(SHAPE, 10.0), weighted / (total + _DOUBT))


def test_the_oldest_look_makes_room() -> None:
    memory = FaceMemory()
    memory.remember(SHAPE, CORRECTION, 0.0)
    for i in range(_MOST - 1):
        memory.remember(SHAPE + 10.0 + i, CORRECTION, 0.0)
    assert memory.recall(SHAPE, 0.0) is not None
    memory.remember(SHAPE - 10.0, CORRECTION, 0.0)
    assert memory.recall(SHAPE, 0.0) is None
    assert memory.recall(SHAPE + 10.0, 0.0) is not None


def test_a_shape_without_an_answer_leaves_the_memory_as_it_was() -> None:
    memory = FaceMemory()
    memory.remember(SHAPE, CORRECTION, 0.0)
    assert memory.recall(SHAPE + 1.0, 0.0) is None
    np.testing.assert_allclose(memory.recall(SHAPE, 0.0), CORRECTION / (1 + _DOUBT))
