import itertools
from math import pi

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from model.errors import InputError
from tracker.smooth import SMOOTHING, OneEuroFilter, OneEuroOptions, smoothing

PRESETS = [options for options in SMOOTHING.values() if options]


class ScalarOneEuro:
    """The paper's algorithm for one number, as printed, with a face size for the speed."""

    def __init__(self, options: OneEuroOptions) -> None:
        self.o = options
        self.first = True
        self.x = self.dx = self.t = 0.0

    def __call__(self, x: float, t: float, size: float) -> float:
        if self.first:
            self.first, self.x, self.dx, self.t = False, x, 0.0, t
            return x
        rate = 1 / (t - self.t)
        dx = (x - self.x) * rate / size
        self.dx = self.low_pass(dx, self.dx, self.alpha(rate, self.o.derivative_cutoff))
        cutoff = self.o.min_cutoff + self.o.beta * abs(self.dx)
        self.x = self.low_pass(x, self.x, self.alpha(rate, cutoff))
        self.t = t
        return self.x

    @staticmethod
    def low_pass(value: float, last: float, alpha: float) -> float:
        return alpha * value + (1 - alpha) * last

    @staticmethod
    def alpha(rate: float, cutoff: float) -> float:
        tau = 1 / (2 * pi * cutoff)
        te = 1 / rate
        return 1 / (1 + tau / te)


@pytest.mark.parametrize("options", PRESETS)
def test_equals_the_scalar_filter_of_the_paper(options: OneEuroOptions) -> None:
    rng = np.random.default_rng(0)
    points = 300 + np.cumsum(rng.normal(0, 4, (50, 7, 2)), axis=0)
    times = 0.0 + np.cumsum(rng.uniform(0.005, 0.2, 50))  # uneven frames
    sizes = rng.uniform(80, 240, 50)
    fast = OneEuroFilter(options)
    slow = [[ScalarOneEuro(options) for _ in range(2)] for _ in range(7)]
    for frame, time, size in zip(points, times, sizes, strict=True):
        expected = [
            [slow[k][axis](frame[k, axis], time, size) for axis in range(2)] for k in range(7)
        ]
        np.testing.assert_allclose(fast(frame, time, size), expected, rtol=1e-12)


@pytest.mark.parametrize("options", PRESETS)
def test_a_still_face_comes_out_unchanged(options: OneEuroOptions) -> None:
    smooth = OneEuroFilter(options)
    points = np.random.default_rng(0).uniform(0, 600, (98, 2))
    for i in range(20):
        np.testing.assert_allclose(smooth(points, i / 30, 200), points, rtol=0, atol=1e-10)


@pytest.mark.parametrize("options", PRESETS)
def test_a_step_is_followed_without_overshoot(options: OneEuroOptions) -> None:
    smooth = OneEuroFilter(options)
    before, after = np.zeros((1, 2)), np.full((1, 2), 100.0)
    for i in range(10):
        smooth(before, i / 30, 200)
    path = [float(smooth(after, (10 + i) / 30, 200)[0, 0]) for i in range(60)]
    assert all(a <= b + 1e-9 for a, b in itertools.pairwise(path))
    assert path[-1] <= 100
    # Half a face in one frame is a fast turn of the head: there within a fifth of a second.
    assert path[5] > 90


def test_presets_order_by_steadiness() -> None:
    rng = np.random.default_rng(0)
    noise = 300 + rng.normal(0, 1, (200, 20, 2))
    jitter = {}
    for name, options in SMOOTHING.items():
        smooth = OneEuroFilter(options) if options else lambda points, *_: points
        out = np.array([smooth(frame, i / 30, 200) for i, frame in enumerate(noise)])[20:]
        jitter[name] = float(np.diff(out, axis=0).std())
    assert jitter["stable"] < jitter["balanced"] < jitter["responsive"] < 0.7 * jitter["off"]
    assert jitter["balanced"] < 0.5 * jitter["off"]


def test_time_zero_is_a_time() -> None:
    options = SMOOTHING["balanced"]
    assert options
    from_zero, from_one = OneEuroFilter(options), OneEuroFilter(options)
    for i, value in enumerate([10.0, 11.0, 12.5, 9.0]):
        point = np.array([[value, -value]])
        expected = from_one(point, 1.0 + i * 0.25, 100)
        np.testing.assert_allclose(from_zero(point, i * 0.25, 100), expected)
    # A filter that takes 0.0 for "no time yet" would not have smoothed the second value.
    assert expected[0, 0] != 9.0


def test_reset_forgets_everything() -> None:
    options = SMOOTHING["stable"]
    assert options
    used, fresh = OneEuroFilter(options), OneEuroFilter(options)
    for i in range(5):
        used(np.full((3, 2), 50.0 * i), i / 30, 100)
    used.reset()
    for i in range(5):
        point = np.full((3, 2), 7.0 + i)
        # Also earlier times than before the reset.
        np.testing.assert_array_equal(used(point, i / 60, 100), fresh(point, i / 60, 100))


@pytest.mark.parametrize("later", [1.0, 0.5])
def test_time_that_stands_still_or_runs_back_starts_anew(later: float) -> None:
    options = SMOOTHING["stable"]
    assert options
    smooth = OneEuroFilter(options)
    smooth(np.zeros((2, 2)), 0.9, 100)
    smooth(np.zeros((2, 2)), 1.0, 100)
    jumped = np.full((2, 2), 30.0)
    np.testing.assert_array_equal(smooth(jumped, later, 100), jumped)
    # The speed was forgotten as well.
    np.testing.assert_allclose(smooth(jumped, later + 0.1, 100), jumped)


@given(
    arrays(np.float64, (12, 3, 2), elements=st.floats(-1e5, 1e5)),
    arrays(np.float64, (12,), elements=st.floats(-1e3, 1e6)),
    st.floats(1, 1e4),
)
def test_never_nan_and_never_beyond_what_came_in(
    points: np.ndarray, times: np.ndarray, size: float
) -> None:
    smooth = OneEuroFilter(OneEuroOptions(0.5, 20.0))
    for frame, time in zip(points, times, strict=True):
        out = smooth(frame, float(time), size)
        assert np.isfinite(out).all()
        assert (out >= points.min() - 1e-6).all()
        assert (out <= points.max() + 1e-6).all()


def test_size_of_the_face_sets_the_scale_of_the_speed() -> None:
    """The same film at twice the size gives twice the coordinates."""
    options = SMOOTHING["balanced"]
    assert options
    small, large = OneEuroFilter(options), OneEuroFilter(options)
    rng = np.random.default_rng(0)
    for i, frame in enumerate(rng.normal(100, 10, (20, 4, 2))):
        np.testing.assert_allclose(large(2 * frame, i / 30, 400), 2 * small(frame, i / 30, 200))


def test_input_and_output_are_not_shared() -> None:
    smooth = OneEuroFilter(OneEuroOptions(0.5, 20.0))
    points = np.ones((2, 2))
    first = smooth(points, 0.0, 100)
    first += 5
    points += 7
    second = smooth(np.ones((2, 2)), 0.1, 100)
    np.testing.assert_allclose(second, 1)
    second += 5
    np.testing.assert_allclose(smooth(np.ones((2, 2)), 0.2, 100), 1)


def test_bad_constants_and_names() -> None:
    for values in ((0.0, 1.0, 1.0), (-1.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, 0.0)):
        with pytest.raises(InputError, match="One-Euro"):
            OneEuroOptions(*values)
    with pytest.raises(InputError, match="balanced, stable, responsive, off"):
        smoothing("soft")
    assert smoothing("off") is None
