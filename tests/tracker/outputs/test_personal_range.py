import numpy as np
import pytest

from tracker.outputs.personal_range import OwnRange


def test_the_usual_is_zero_and_the_extremes_are_one() -> None:
    own = OwnRange(least=0.1)
    for index in range(400):  # 40 s: mostly 5, some 7 and 2
        own(index / 10, {0: 7.0, 1: 2.0}.get(index % 20, 5.0))
    assert own(40.0, 5.0) == 0
    assert own(40.01, 7.0) == pytest.approx(1)
    assert own(40.02, 6.0) == pytest.approx(0.5)
    assert own(40.03, 2.0) == pytest.approx(-1)
    assert own(40.04, 3.5) == pytest.approx(-0.5)
    assert (own(40.05, 99.0), own(40.06, -99.0)) == (1, -1)


def test_noise_makes_no_grimaces() -> None:
    own = OwnRange(least=10.0)
    rng = np.random.default_rng(1)
    assert all(abs(own(t / 30, 50 + rng.normal(0, 0.3))) < 0.15 for t in range(300))


def test_old_values_are_forgotten_and_a_new_video_begins_anew() -> None:
    own = OwnRange(least=0.1)
    for index in range(100):
        own(index / 10, 5.0)
    for index in range(700):
        own(10 + index / 10, 8.0)
    assert own(80.01, 8.0) == 0
    assert own(0.0, 3.0) == 0
