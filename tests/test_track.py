import numpy as np
import pytest

from tracker.crop import CROP_SCALE, Region, region_from_landmarks
from tracker.measure import Measurement, confidence
from tracker.smooth import SMOOTHING, OneEuroFilter
from tracker.track import Track, plausible

POINTS = np.random.default_rng(0).uniform(100, 300, (98, 2))
IMAGE = np.zeros((480, 640, 3), dtype=np.uint8)


def seen(shift: float = 0.0, sure: float = 0.9) -> Measurement:
    points = POINTS + shift
    return Measurement(
        landmarks=points,
        scores=np.full(98, sure, dtype=np.float32),
        confidence=sure,
        region=Region(200 + shift, 200, 250),
        next_region=region_from_landmarks(points, 0.1),
    )


def test_confidence_is_the_mean_peak_within_bounds() -> None:
    assert confidence(np.array([0.5, 1.5, -0.2, 0.6])) == pytest.approx((0.5 + 1 + 0 + 0.6) / 4)
    assert confidence(np.zeros((3, 98))).shape == (3,)


def test_a_track_smooths_what_it_sees_and_keeps_the_raw_points() -> None:
    options = SMOOTHING["stable"]
    assert options
    track, reference = Track(3, options, seen(), 0.0), OneEuroFilter(options)
    size = 250 / CROP_SCALE
    reference(POINTS, 0.0, size)
    for i in range(1, 5):
        track.see(seen(4.0 * i), i / 30)
        expected = reference(POINTS + 4.0 * i, i / 30, size)
        face = track.face()
        assert face.id == 3
        np.testing.assert_allclose(face.landmarks, expected, rtol=1e-6)
        np.testing.assert_allclose(face.raw, POINTS + 4.0 * i, rtol=1e-6)
        assert face.confidence == 0.9
        # The next frame is searched around the raw points: smoothed ones lag.
        assert track.region == region_from_landmarks(POINTS + 4.0 * i, 0.1)


def test_lost_frames_are_counted_and_end_the_filters_memory() -> None:
    track = Track(0, SMOOTHING["stable"], seen(), 0.0)
    assert track.lost == 0
    track.miss()
    track.miss()
    assert track.lost == 2
    assert track.region == seen().next_region  # where it was is where to look again
    track.see(seen(40.0), 0.1)
    assert track.lost == 0
    np.testing.assert_array_equal(track.face().landmarks, track.face().raw)


def test_without_smoothing_points_are_the_raw_ones() -> None:
    track = Track(0, None, seen(), 0.0)
    track.see(seen(5.0), 1 / 30)
    np.testing.assert_array_equal(track.face().landmarks, track.face().raw)


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        (Region(320, 240, 100), True),
        (Region(0, 0, 100), True),
        (Region(639.4, 479.4, 100), True),
        (Region(640, 240, 100), False),
        (Region(320, -1, 100), False),
        (Region(320, 240, 11), False),
        (Region(320, 240, 1900), True),
        (Region(320, 240, 2000), False),
        (Region(float("nan"), 240, 100), False),
        (Region(320, 240, float("inf")), False),
    ],
)
def test_plausible_regions(region: Region, expected: bool) -> None:
    assert plausible(region, IMAGE) is expected
