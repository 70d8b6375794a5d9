import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from model.crop import CROP_SCALE, Region
from tracker.tracking.recognition import SAME_FACE, likeness, match

FACE = 100.0


def face(x: float, y: float = 0.0, size: float = FACE, angle: float = 0.0) -> Region:
    return Region(x, y, CROP_SCALE * size, angle)


def test_likeness_of_known_pairs() -> None:
    one = Region(0, 0, 100)
    others = [one, Region(50, 0, 100), Region(0, 0, 50), Region(100, 0, 100), Region(900, 0, 100)]
    # (overlap + 1 - distance / mean side) / 2
    expected = [1, (1 / 3 + 0.5) / 2, (0.25 + 1) / 2, 0, (0 - 8) / 2]
    np.testing.assert_allclose(likeness([one], others), [expected])
    np.testing.assert_allclose(likeness(others, [one])[:, 0], expected)


def test_likeness_does_not_look_at_roll() -> None:
    assert likeness([face(0, angle=0.0)], [face(0, angle=2.0)]) == pytest.approx(1.0)


def test_empty_sides() -> None:
    assert likeness([], [face(0)]).shape == (0, 1)
    assert likeness([face(0)], []).shape == (1, 0)
    assert match(likeness([], [face(0)])) == []
    assert match(likeness([face(0)], [])) == []


def test_same_face_is_between_a_moved_face_and_its_neighbour() -> None:
    assert likeness([face(0)], [face(0.7 * FACE)]) > SAME_FACE
    assert likeness([face(0)], [face(1.05 * FACE)]) < SAME_FACE
    # What a detector is off by: a few per cent in place, ten in size.
    assert likeness([face(0)], [face(0.1 * FACE, size=1.2 * FACE)]) > 0.7


def test_each_face_goes_to_one_track_even_if_greedy_would_not() -> None:
    tracks = [face(0), face(60)]
    detections = [face(35), face(90)]
    # The detection at 35 is nearer to the second track, but then the first would get none.
    assert likeness(tracks, detections).argmax() == 2
    assert match(likeness(tracks, detections)) == [(0, 0), (1, 1)]


scores = st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(0, 10_000))


@given(scores, st.booleans())
def test_match_is_the_best_assignment(case: tuple[int, int, int], ties: bool) -> None:
    rows, columns, seed = case
    rng = np.random.default_rng(seed)
    table = rng.uniform(-1, 1, (rows, columns))
    if ties:
        table = np.rint(4 * table) / 4
    pairs = match(table, minimum=0.1)
    assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs)
    assert all(table[a, b] > 0.1 for a, b in pairs)
    gain = np.clip(table - 0.1, 0, None)
    best = gain[linear_sum_assignment(gain, maximize=True)].sum()
    assert sum(gain[a, b] for a, b in pairs) == pytest.approx(best)


@pytest.mark.parametrize("seed", range(20))
def test_many_faces_have_the_best_assignment_too(seed: int) -> None:
    # Small tables hardly ever need the potentials of columns from earlier rows.
    table = np.random.default_rng(seed).uniform(0.1, 1, (10, 10))
    pairs = match(table, minimum=0)
    best = table[linear_sum_assignment(table, maximize=True)].sum()
    assert sum(table[a, b] for a, b in pairs) == pytest.approx(best)
