from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from model.crop import Region
from model.shipped_markups import WFLW
from tests.support.face_shapes import face_shape
from tracker.tracking.face_parts import parts
from tracker.tracking.offline_smoothing import Recording, follow_twice, smooth_track
from tracker.tracking.results import Face
from tracker.tracking.smoothing import SMOOTHING, FaceFilter
from tracker.video.frame_source import SourceFrame

PART = parts(WFLW)
FACE = face_shape(200.0, (320.0, 240.0))
BALANCED = SMOOTHING["balanced"]
TIMES = np.arange(120) / 30


def sway(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """[T, 98, 2] the head moves sideways by 40 px at 0.5 Hz."""
    return FACE + np.stack([40 * np.sin(np.pi * times), 0 * times], axis=-1)[:, None]


def noisy() -> NDArray[np.float64]:
    return sway(TIMES) + np.random.default_rng(0).normal(0, 0.5, (120, 98, 2))


def test_a_recording_played_backward_is_smoothed_alike() -> None:
    assert BALANCED
    forward = smooth_track(noisy(), TIMES, BALANCED, PART)
    backward = smooth_track(noisy()[::-1], -TIMES[::-1], BALANCED, PART)
    np.testing.assert_allclose(forward, backward[::-1], atol=1e-9)


def test_less_noise_than_online_and_no_lag() -> None:
    assert BALANCED
    online = FaceFilter(BALANCED, PART)
    live = np.array([online(p, t) for p, t in zip(noisy(), TIMES, strict=True)]) - sway(TIMES)
    offline = smooth_track(noisy(), TIMES, BALANCED, PART) - sway(TIMES)
    inner = slice(10, -10)
    assert np.diff(offline, axis=0)[inner].std() < 0.95 * np.diff(live, axis=0)[inner].std()
    assert offline.std() < live.std()
    # Share of the velocity in the mean point's error: the lag in seconds.
    error, velocity = offline.mean(axis=1)[:, 0], 40 * np.pi * np.cos(np.pi * TIMES)
    assert abs(error @ velocity / (velocity @ velocity)) < 0.002


def test_a_gap_ends_a_piece() -> None:
    assert BALANCED
    times = np.concatenate([TIMES[:60], TIMES[60:] + 2])
    whole = smooth_track(noisy(), times, BALANCED, PART)
    first = smooth_track(noisy()[:60], times[:60], BALANCED, PART)
    np.testing.assert_array_equal(whole[:60], first)


def test_one_frame_stays_as_it_is() -> None:
    assert BALANCED
    np.testing.assert_allclose(smooth_track(FACE[None], [3.0], BALANCED, PART)[0], FACE)


def face(number: int, points: NDArray[np.float64]) -> Face:
    flat = points.astype(np.float32)
    return Face(number, flat + 9, flat, np.ones(98, np.float32), 0.9, Region(0, 0, 100))


def test_a_recording_gives_every_frame_its_faces_back() -> None:
    assert BALANCED
    one, other = noisy(), noisy()[::-1] + 200
    recording = Recording(WFLW, BALANCED)
    for i, time in enumerate(TIMES):
        # The second face comes late, leaves and comes back.
        faces = [face(0, one[i])] + ([face(4, other[i])] if 20 <= i < 50 or i >= 80 else [])
        recording.add(float(time), tuple(faces) if i != 60 else ())
    assert len(recording) == 120
    out = list(recording.smoothed())
    assert [[f.id for f in faces] for faces in out[19:21]] == [[0], [0, 4]]
    assert out[60] == ()
    kept = [i for i in range(120) if i != 60]
    expected = smooth_track(one[kept].astype(np.float32), TIMES[kept], BALANCED, PART)
    np.testing.assert_allclose([out[i][0].landmarks for i in kept], expected, atol=1e-3)
    np.testing.assert_array_equal(out[30][1].raw, other[30].astype(np.float32))
    some = list(range(20, 50))
    expected = smooth_track(other[some].astype(np.float32), TIMES[some], BALANCED, PART)
    np.testing.assert_allclose([out[i][1].landmarks for i in some], expected, atol=1e-3)


def test_following_twice_reads_the_second_time_after_the_first() -> None:
    log: list[str] = []

    def frames(name: str):
        for i in range(6):
            log.append(f"{name}{i}")
            yield SourceFrame(i, i / 30, np.zeros((2, 2, 3), np.uint8))

    class Fake:
        markup = WFLW
        options = SimpleNamespace(smoothing="balanced", maps=False)

        def __call__(self, image: object, timestamp: float) -> tuple[Face, ...]:
            return (face(0, FACE + timestamp),)

    told: list[int] = []
    pairs = list(follow_twice(frames("a"), frames("b"), Fake(), 4, told.append))  # type: ignore[arg-type]
    assert [frame[0] for frame, _ in pairs] == [0, 1, 2, 3]
    assert told == [1, 2, 3, 4]
    assert log[:4] == ["a0", "a1", "a2", "a3"]
    assert log[4] == "b0"
    for frame, (found,) in pairs:
        np.testing.assert_allclose(found.landmarks, FACE + frame.timestamp, atol=0.05)


def test_offline_without_smoothing_is_a_contradiction() -> None:
    from model.errors import InputError
    from tracker.runs.job import Job
    from tracker.tracking.options import TrackerOptions

    with pytest.raises(InputError, match="contradict"):
        Job("a.mp4", options=TrackerOptions(smoothing="off"), offline_smooth=True)
