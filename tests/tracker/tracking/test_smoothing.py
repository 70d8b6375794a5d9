import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from model.errors import InputError
from model.shipped_markups import COFW, IBUG, WFLW
from tests.support.face_shapes import face_shape
from tracker.tracking.face_parts import parts
from tracker.tracking.smoothing import (
    SMOOTHING,
    FaceFilter,
    LowPass,
    SmoothingOptions,
    smoothing,
)

PRESETS = [options for options in SMOOTHING.values() if options]
PART = parts(WFLW)
FACE = face_shape(200.0, (320.0, 240.0))
FPS = 30


class PlainFilter:
    """The same filter the long way: matrices, loops and no tricks with complex numbers."""

    def __init__(self, options: SmoothingOptions) -> None:
        self.options = options
        self.shape: NDArray[np.float64] | None = None

    def __call__(self, points: NDArray[np.float64], time: float) -> NDArray[np.float64]:
        if self.shape is None:
            centre = points.mean(axis=0)
            self.shape = points - centre
            self.zoom, self.roll, self.place = 0.0, 0.0, centre  # zoom: logarithm
            self.speeds = [0.0, 0.0, np.zeros(2)]
            self.time = time
            return points
        step, self.time = time - self.time, time
        linear, offset = self.fit(self.shape, points)
        zoom = np.log(np.sqrt(np.linalg.det(linear)))
        roll = np.arctan2(linear[1, 0], linear[0, 0])
        expected = [
            self.zoom + step * self.speeds[0],
            self.roll + step * self.speeds[1],
            self.place + step * self.speeds[2],
        ]
        there = self.shape @ self.matrix(expected[0], expected[1]).T + expected[2]
        here = self.shape @ linear.T + offset
        radius = np.sqrt((self.shape**2).sum(axis=1).mean()) * np.exp(zoom)
        away = np.sqrt(((here - there) ** 2).sum(axis=1).mean()) / radius
        weight = self.weight(self.options.motion, away, step)
        gain = (1 - np.sqrt(1 - weight)) ** 2 / step
        turn = (roll - expected[1] + np.pi) % (2 * np.pi) - np.pi
        off = [zoom - expected[0], turn, offset - expected[2]]
        now = [e + weight * o for e, o in zip(expected, off, strict=True)]
        self.zoom, self.roll, self.place = now
        self.speeds = [v + gain * o for v, o in zip(self.speeds, off, strict=True)]
        own = (points - offset) @ np.linalg.inv(linear).T
        shape = self.shape.copy()
        least = 0.15 * np.sqrt((self.shape**2).sum(axis=1).mean())
        for number in range(PART.max() + 1):
            of = number == PART
            known = self.shape[of]
            radius = np.sqrt(((known - known.mean(axis=0)) ** 2).sum(axis=1).mean())
            away = np.sqrt(((own[of] - known) ** 2).sum(axis=1).mean()) / max(radius, least)
            shape[of] = known + self.weight(self.options.shape, away, step) * (own[of] - known)
        self.shape = shape
        return shape @ self.matrix(self.zoom, self.roll).T + self.place

    @staticmethod
    def weight(low: LowPass, away: float, step: float) -> float:
        cutoff = low.rest * (1 + (away / low.tolerance) ** 4)
        return 1 / (1 + 1 / (2 * np.pi * cutoff * step))

    @staticmethod
    def matrix(zoom: float, roll: float) -> NDArray[np.float64]:
        cos, sin = np.cos(roll), np.sin(roll)
        return np.exp(zoom) * np.array([[cos, -sin], [sin, cos]])

    @staticmethod
    def fit(source: NDArray, target: NDArray) -> tuple[NDArray, NDArray]:
        """Re-weighted least squares by solving for a, b, x, y in (a -b; b a) p + (x, y)."""
        weights = np.ones(len(source))
        for again in range(3):
            rows = np.zeros((2 * len(source), 4))
            rows[0::2] = np.column_stack(
                [source[:, 0], -source[:, 1], np.ones(len(source)), np.zeros(len(source))]
            )
            rows[1::2] = np.column_stack(
                [source[:, 1], source[:, 0], np.zeros(len(source)), np.ones(len(source))]
            )
            root = np.repeat(np.sqrt(weights), 2)
            a, b, x, y = np.linalg.lstsq(rows * root[:, None], target.ravel() * root, rcond=None)[0]
            linear, offset = np.array([[a, -b], [b, a]]), np.array([x, y])
            if again < 2:
                miss = np.linalg.norm(source @ linear.T + offset - target, axis=1)
                spread = np.sqrt(((source - source.mean(axis=0)) ** 2).sum(axis=1).mean())
                weights = 1 / (1 + (miss / (0.03 * np.hypot(a, b) * spread)) ** 2)
        return linear, offset


def moved(time: float, shape: NDArray[np.float64] = FACE) -> NDArray[np.float64]:
    """Steady: 90 px/s, half a turn in 4 s about the face's own centre, closer by 20 % a second."""
    angle, zoom = np.pi / 4 * time, np.exp(0.2 * time)
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = shape.mean(axis=0)
    return (shape - centre) @ turn.T + centre + time * np.array([80.0, -40.0])


@pytest.mark.parametrize("options", PRESETS)
def test_equals_the_plain_filter(options: SmoothingOptions) -> None:
    rng = np.random.default_rng(0)
    fast, slow = FaceFilter(options, PART), PlainFilter(options)
    times = np.cumsum(rng.uniform(0.005, 0.15, 40))  # uneven frames
    for time in times:
        points = moved(float(time)) + rng.normal(0, 1.5, FACE.shape)
        if 1.0 < time < 1.2:
            points[76:] += [0, 12.0]  # the mouth moves by itself
        np.testing.assert_allclose(fast(points, float(time)), slow(points, float(time)), atol=1e-7)


@pytest.mark.parametrize("options", PRESETS)
def test_a_still_face_comes_out_unchanged(options: SmoothingOptions) -> None:
    smooth = FaceFilter(options, PART)
    for i in range(20):
        np.testing.assert_allclose(smooth(FACE, i / FPS), FACE, rtol=0, atol=1e-9)


@pytest.mark.parametrize("options", PRESETS)
def test_a_steady_motion_has_no_lag(options: SmoothingOptions) -> None:
    """Shift, turn and zoom at once: after half a second nothing is left of the start."""
    smooth = FaceFilter(options, PART)
    times = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.05, 60))
    for time in times:
        away = np.linalg.norm(smooth(moved(time), time) - moved(time), axis=1).max()
        assert away < 0.03 * 200  # pixels: 3 % of the face, while it learns the speed
        if time > 0.7:
            assert away < 0.01 * 200
    assert away < 0.002 * 200


@pytest.mark.parametrize("options", PRESETS)
def test_jumps_are_followed_at_once_and_overshoot_little(options: SmoothingOptions) -> None:
    smooth = FaceFilter(options, PART)
    for i in range(10):
        smooth(FACE, i / FPS)
    path = [
        smooth(FACE + np.array([100.0, 0.0]), (10 + i) / FPS)[0, 0] - FACE[0, 0] for i in range(60)
    ]
    assert path[0] > 95
    assert max(path) < 110
    assert path[-1] == pytest.approx(100, abs=0.3)


def blink(closed: float) -> NDArray[np.float64]:
    """The face with both upper lids moved towards the lower ones."""
    points = FACE.copy()
    for upper, lower in ((61, 67), (62, 66), (63, 65), (69, 75), (70, 74), (71, 73)):
        points[upper] += closed * (points[lower] - points[upper])
    return points


@pytest.mark.parametrize(("name", "kept"), [("balanced", 0.8), ("responsive", 0.9)])
def test_blinks_keep_their_depth(name: str, kept: float) -> None:
    """150 ms from open to open at 30 frames/s, on a head that moves: three frames."""
    options = SMOOTHING[name]
    assert options
    rng = np.random.default_rng(0)
    smooth = FaceFilter(options, PART)
    openings = []
    for i in range(60):
        lid = max(0.0, np.cos(np.pi * (i - 40) / FPS / 0.15)) ** 2 if abs(i - 40) < 4 else 0.0
        # Noise as measured: 0.1 % of the face's side.
        points = moved(i / FPS, blink(lid) + rng.normal(0, 0.2, FACE.shape))
        out = smooth(points, i / FPS)
        openings.append(np.linalg.norm(out[62] - out[66]) / np.linalg.norm(out[60] - out[64]))
    usual = np.mean(openings[20:36])
    assert min(openings[38:44]) < (1 - kept) * usual
    assert np.argmin(openings) in (40, 41)  # no more than a frame late
    assert openings[48] > 0.85 * usual


def test_presets_order_by_steadiness() -> None:
    rng = np.random.default_rng(0)
    noise = FACE + rng.normal(0, 0.4, (150, *FACE.shape))
    jitter = {}
    for name, options in SMOOTHING.items():
        smooth = FaceFilter(options, PART) if options else lambda points, _: points
        out = np.array([smooth(frame, i / FPS) for i, frame in enumerate(noise)])[20:]
        jitter[name] = float(np.diff(out, axis=0).std())
    assert jitter["stable"] < jitter["balanced"] < jitter["responsive"] < 0.5 * jitter["off"]
    assert jitter["balanced"] < 0.25 * jitter["off"]


def test_time_zero_is_a_time() -> None:
    options = SMOOTHING["balanced"]
    assert options
    from_zero, from_one = FaceFilter(options, PART), FaceFilter(options, PART)
    for i, shift in enumerate([0.0, 0.2, 0.5, 0.1]):
        expected = from_one(FACE + shift, 1.0 + i / 64)
        np.testing.assert_allclose(from_zero(FACE + shift, i / 64), expected, atol=1e-9)
    # A filter that takes 0.0 for "no time yet" would not have smoothed the second frame.
    assert abs(expected - (FACE + 0.1)).max() > 0.01


def test_reset_forgets_everything() -> None:
    options = SMOOTHING["stable"]
    assert options
    used, fresh = FaceFilter(options, PART), FaceFilter(options, PART)
    for i in range(5):
        used(moved(i / FPS), i / FPS)
    used.reset()
    for i in range(5):
        # Also earlier times than before the reset.
        points = FACE + 3.0 * i
        np.testing.assert_array_equal(used(points, i / 60), fresh(points, i / 60))


@pytest.mark.parametrize("later", [1.0, 0.5])
def test_time_that_stands_still_or_runs_back_starts_anew(later: float) -> None:
    options = SMOOTHING["stable"]
    assert options
    smooth = FaceFilter(options, PART)
    smooth(FACE, 0.9)
    smooth(FACE + 2.0, 1.0)
    np.testing.assert_array_equal(smooth(FACE + 30.0, later), FACE + 30.0)
    # The speed was forgotten as well.
    np.testing.assert_allclose(smooth(FACE + 30.0, later + 0.1), FACE + 30.0, atol=1e-9)


@given(
    arrays(np.float64, (8, 98, 2), elements=st.floats(-1e5, 1e5)),
    arrays(np.float64, (8,), elements=st.floats(-1e3, 1e6)),
)
def test_never_nan(points: np.ndarray, times: np.ndarray) -> None:
    smooth = FaceFilter(SmoothingOptions(LowPass(1.0, 0.01), LowPass(0.5, 0.05)), PART)
    for frame, time in zip(points, times, strict=True):
        assert np.isfinite(smooth(frame, float(time))).all()


def test_a_velocity_from_a_moment_does_not_outlive_a_pause() -> None:
    """It once overflowed: a zoom within a microsecond, then 21 seconds of it."""
    smooth = FaceFilter(SmoothingOptions(LowPass(1.0, 0.01), LowPass(0.5, 0.05)), PART)
    smooth(FACE, 0.0)
    smooth(FACE * 1.5, 2e-6)
    np.testing.assert_allclose(smooth(FACE + 5, 21.0), FACE + 5, atol=1)
    for i in range(1, 30):
        last = smooth(FACE + 5, 21 + i / 30)
    np.testing.assert_allclose(last, FACE + 5, atol=0.1)


@pytest.mark.parametrize("degenerate", [np.zeros((98, 2)), np.full((98, 2), 1e4)])
def test_points_without_a_size_come_out_unchanged(degenerate: np.ndarray) -> None:
    options = SMOOTHING["balanced"]
    assert options
    smooth = FaceFilter(options, PART)
    for i, points in enumerate([FACE, degenerate, degenerate, FACE, FACE]):
        np.testing.assert_allclose(smooth(points, i / FPS), points, atol=1e-9)


def test_size_of_the_face_does_not_matter() -> None:
    """The same film at twice the size gives twice the coordinates."""
    options = SMOOTHING["balanced"]
    assert options
    small, large = FaceFilter(options, PART), FaceFilter(options, PART)
    rng = np.random.default_rng(0)
    for i in range(20):
        frame = moved(i / FPS) + rng.normal(0, 1, FACE.shape)
        np.testing.assert_allclose(large(2 * frame, i / FPS), 2 * small(frame, i / FPS), atol=1e-8)


def test_input_and_output_are_not_shared() -> None:
    options = SMOOTHING["stable"]
    assert options
    smooth = FaceFilter(options, PART)
    points = FACE.copy()
    first = smooth(points, 0.0)
    first += 5
    points += 7
    second = smooth(FACE, 0.1)
    np.testing.assert_allclose(second, FACE, atol=1e-9)
    second += 5
    np.testing.assert_allclose(smooth(FACE, 0.2), FACE, atol=1e-9)


def test_parts_are_what_moves_together() -> None:
    part = parts(WFLW)
    groups = {tuple(np.flatnonzero(part == i)) for i in range(part.max() + 1)}
    assert tuple(range(33)) in groups  # contour
    assert tuple(range(33, 42)) in groups  # a brow, top and bottom
    assert tuple(range(60, 68)) in groups  # an eye, both lids
    assert tuple(range(76, 88)) in groups  # outer lips
    assert {(96,), (97,)} <= groups  # pupils
    for markup in (IBUG, COFW):
        part = parts(markup)
        assert len(part) == markup.points
        assert set(part) == set(range(part.max() + 1))


def test_bad_constants_and_names() -> None:
    for values in ((0.0, 1.0), (-1.0, 1.0), (1.0, 0.0), (1.0, float("nan"))):
        with pytest.raises(InputError, match="low-pass"):
            LowPass(*values)
    with pytest.raises(InputError, match="balanced, stable, responsive, off"):
        smoothing("soft")
    assert smoothing("off") is None
