"""Two tracks and one face, with made up measurements."""

from dataclasses import replace

import numpy as np
import pytest

from model.crop import CROP_SCALE, Region
from tests.support.steadiers import steadier
from tracker.tracking.crossing import duplicates, is_alone, rightful, slipped
from tracker.tracking.face_track import Track
from tracker.tracking.landmark_network import Measurement
from tracker.tracking.recognition import recognise

FACE = 100.0
SHAPE = np.random.default_rng(0).uniform(0, FACE, (98, 2))
LOOKS = np.eye(4, dtype=np.float32)


def face(x: float, y: float = 0.0, size: float = FACE) -> Region:
    return Region(x, y, CROP_SCALE * size)


def seen(x: float, look: np.ndarray, expected: float | None = None) -> Measurement:
    """A face at x, looked for where it was expected."""
    there = SHAPE + np.array([x - FACE / 2, -FACE / 2])
    scores = np.ones(98, dtype=np.float32)
    looked = face(x if expected is None else expected)
    return Measurement(there, scores, 1.0, looked, face(x), look.astype(np.float32))


def track(number: int, x: float, look: np.ndarray, lost: bool = False) -> Track:
    made = Track(number, steadier("off"), seen(x, look), 0.0)
    if lost:
        made.miss()
    return made


def like(first: float, second: float) -> np.ndarray:
    """A look that correlates so with the first and the second one of LOOKS."""
    rest = np.sqrt(1 - first**2 - second**2)
    return first * LOOKS[0] + second * LOOKS[1] + rest * LOOKS[2]


def test_who_is_hidden_slips_to_the_face_in_front_and_who_hides_goes_on() -> None:
    behind, front = track(0, 60, LOOKS[0]), track(1, 0, LOOKS[1])
    # The one in front moves on by a tenth as expected, the other's points leap by a quarter.
    claims = [(behind, seen(35, LOOKS[0], 60)), (front, seen(10, LOOKS[1], 10))]
    assert slipped(claims).tolist() == [True, False]
    # The same leap away from the other, or with nobody near, is a fast head.
    claims[0] = (behind, seen(85, LOOKS[0], 60))
    assert slipped(claims).tolist() == [False, False]
    assert slipped([(behind, seen(35, LOOKS[0], 60))]).tolist() == [False]
    far = track(1, -300, LOOKS[1])
    claims = [(behind, seen(35, LOOKS[0], 60)), (far, seen(-300, LOOKS[1]))]
    assert slipped(claims).tolist() == [False, False]


def test_motion_that_was_foreseen_is_no_slip() -> None:
    fast, other = track(0, 100, LOOKS[0]), track(1, 0, LOOKS[1])
    claims = [(fast, seen(55, LOOKS[0], 60)), (other, seen(0, LOOKS[1]))]
    assert slipped(claims).tolist() == [False, False]
    # Points of both faces: the middle hardly moves, the landmarks do.
    half = replace(seen(60, LOOKS[0], 60), next_region=face(55))
    half.landmarks[:49, 0] -= 60
    assert slipped([(track(0, 60, LOOKS[0]), half), claims[1]]).tolist() == [True, False]


@pytest.mark.parametrize("late", [0, 1])
def test_a_face_that_two_claim_goes_to_the_one_it_looks_like(late: int) -> None:
    tracks = [track(0, 0, LOOKS[0]), track(1, 0, LOOKS[1])]
    owner = like(0.5, 0.8) if late else like(0.8, 0.5)
    claims = [(one, seen(0, owner)) for one in tracks]
    assert rightful(claims).tolist() == [not late, bool(late)]


def test_between_equals_the_expected_one_then_the_one_in_sight_then_the_older() -> None:
    both = like(0.7, 0.7)

    def keeps(*claims: tuple[Track, Measurement]) -> list[bool]:
        return rightful(claims).tolist()

    old, young = track(0, 0, LOOKS[0]), track(1, 0, LOOKS[1])
    assert keeps((old, seen(0, both)), (young, seen(0, both))) == [True, False]
    came_from_afar = track(0, 30, LOOKS[0])
    assert keeps((came_from_afar, seen(0, both, 30)), (young, seen(0, both))) == [False, True]
    out_of_sight = track(0, 0, LOOKS[0], lost=True)
    assert keeps((out_of_sight, seen(0, both)), (young, seen(0, both))) == [False, True]
    # Two faces are nobody's rival.
    assert keeps((old, seen(0, both)), (young, seen(150, both))) == [True, True]
    assert keeps() == []


def test_alone() -> None:
    one, near, far = seen(0, LOOKS[0]), seen(80, LOOKS[1]), seen(120, LOOKS[1])
    assert is_alone(one, [one])
    assert is_alone(one, [one, far])
    assert not is_alone(one, [far, one, near])


def test_where_two_come_into_question_nobody_gets_the_other_ones_id() -> None:
    lost = [track(0, 0, LOOKS[0], lost=True), track(1, 10, LOOKS[1], lost=True)]
    clear = [seen(5, like(0.3, 0.9)), seen(5, like(0.9, 0.3))]
    assert {i: t.id for i, t in recognise(lost, clear, 0.1).items()} == {0: 1, 1: 0}
    doubtful = [seen(5, like(0.7, 0.7))]
    assert recognise(lost, doubtful, 0.1) == {}
    # One track, two faces that could be it.
    twins = [seen(5, like(0.9, 0.0)), seen(5, like(0.9, 0.1))]
    assert recognise(lost[:1], twins, 0.1) == {}
    assert [t.id for t in recognise(lost[:1], twins[:1], 0.1).values()] == [0]


def test_duplicates_keep_the_first_of_each_face() -> None:
    points = np.random.default_rng(0).uniform(0, FACE, (98, 2))
    there = [points, points + 300, points + 3, points + 302, points + np.array([30, 0])]
    regions = [face(50, 50)] * 5
    assert duplicates(there, regions) == [2, 3]
    assert duplicates([], []) == []
    # Half the size in the same place is somebody behind, not the same face.
    small = points.mean(axis=0) + 0.5 * (points - points.mean(axis=0))
    assert duplicates([points, small], regions[:2]) == []
