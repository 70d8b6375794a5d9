import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.support.face_shapes import face_shape
from tracker.tracking.similarity_fit import fit_similarity

FACE = face_shape(200.0, (0.0, 0.0))
FLAT = FACE[:, 0] + 1j * FACE[:, 1]


@given(st.floats(0.01, 100), st.floats(-np.pi, np.pi), st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
def test_an_exact_similarity_is_found(zoom: float, roll: float, x: float, y: float) -> None:
    turn, shift = zoom * np.exp(1j * roll), complex(x, y)
    fit = fit_similarity(FLAT, turn * FLAT + shift)
    assert fit is not None
    assert fit[0] == pytest.approx(turn, rel=1e-9)
    assert fit[1] == pytest.approx(shift, abs=1e-6)


def test_points_that_move_by_themselves_have_little_say() -> None:
    target = FLAT.copy()
    target[76:96] += 30j  # the mouth drops by 15 % of the face
    fit = fit_similarity(FLAT, target)
    assert fit is not None
    away = np.abs(fit[0] * FLAT + fit[1] - FLAT)[:76].mean()
    plain = np.polyfit(FLAT, target, 1)
    away_plain = np.abs(plain[0] * FLAT + plain[1] - FLAT)[:76].mean()
    assert away < 0.2 * away_plain
    assert away < 1


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (np.zeros(98, complex), FLAT),
        (FLAT, np.full(98, 5 + 5j)),
        (np.full(98, 1e6 + 1e6j), FLAT),
        (FLAT - FLAT.mean(), FLAT.conj() * 0),
    ],
)
def test_points_without_a_direction_have_none(source: NDArray, target: NDArray) -> None:
    assert fit_similarity(source, target) is None
