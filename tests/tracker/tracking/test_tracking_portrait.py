"""The shipped network on real pictures: the portrait under known motion, and labelled clips."""

from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model.shipped_markups import WFLW
from tracker import Face, Tracker, TrackerOptions
from tracker.assets.portrait import portrait_image
from tracker.bench.moving_portrait import portrait_frame, portrait_motion

EVERY = 4  # of the clip's 120 frames: motion of 10 px a frame, and a fast test


@pytest.fixture(scope="module")
def clip() -> list[tuple[float, NDArray[np.float64], NDArray[np.uint8]]]:
    image = portrait_image()
    return [
        (i / 30, matrix, portrait_frame(image, matrix))
        for i, matrix in enumerate(portrait_motion(120))
        if i % EVERY == 0
    ]


def follow(clip: list, **options: object) -> list[tuple[Face, ...]]:
    with Tracker(options=TrackerOptions(threads=1, **options)) as tracker:
        return [tracker(image, time) for time, _, image in clip]


def at_rest(face: Face, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Landmarks of a frame, taken back to the portrait's pixels."""
    return (face.raw - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T


def test_landmarks_move_with_the_portrait(clip: list) -> None:
    results = follow(clip)
    assert [[face.id for face in faces] for faces in results] == [[0]] * len(clip)
    assert min(faces[0].confidence for faces in results) > 0.65
    still = np.array(
        [at_rest(faces[0], matrix) for faces, (_, matrix, _) in zip(results, clip, strict=True)]
    )
    size = WFLW.normalizer(still.mean(axis=0))
    wander = np.linalg.norm(still - still.mean(axis=0), axis=-1)
    # In % of the outer eye corner distance: what is left of 120 px of motion and 24 degrees.
    assert 100 * wander.mean() / size < 2.5
    # Read off the portrait: pupils, tip of the nose, corners of the mouth, chin.
    known = {
        96: (202, 101), 97: (245.5, 103), 54: (225, 127),
        76: (201.5, 139.5), 82: (245, 140), 16: (222, 179),
    }  # fmt: skip
    for index, place in known.items():
        assert np.linalg.norm(still.mean(axis=0)[index] - place) < 0.08 * size, index


def test_two_trackers_in_two_threads_do_not_disturb_each_other(clip: list) -> None:
    half, mirrored = clip[:12], [(t, m, i[:, ::-1].copy()) for t, m, i in clip[:12]]
    alone = [follow(half), follow(mirrored)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(follow, [half, mirrored]))
    for one, other in zip(alone, together, strict=True):
        for faces, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(faces[0].landmarks, same[0].landmarks)


def test_a_face_out_of_sight_is_lost_and_found_again(clip: list) -> None:
    _, _, image = clip[0]
    empty = np.full_like(image, 90)
    with Tracker(options=TrackerOptions(threads=1)) as tracker:
        seen = [bool(tracker(image if i < 3 or i >= 15 else empty, i / 30)) for i in range(18)]
    assert seen == [True] * 3 + [False] * 12 + [True] * 3


CLIPS = ("intel_asl_school.mkv", "liveportrait_d12.mp4", "carphone_pristine.mp4")


@pytest.mark.parametrize("name", CLIPS)
def test_real_clips_are_tracked(name: str, data_root: Path) -> None:
    with Tracker(options=TrackerOptions(threads=2)) as tracker:
        frames = list(islice(tracker.track(data_root / "video" / name), 40))
    assert all(frame.faces for frame in frames)
    assert {face.id for frame in frames for face in frame.faces} == {0}
    # No landmarks jump: the fastest head here moves 0.37 eye distances in a frame.
    points = np.array([frame.faces[0].raw for frame in frames])
    steps = np.linalg.norm(np.diff(points, axis=0), axis=-1).mean(axis=1)
    assert (steps / WFLW.normalizer(points[1:]) < 0.5).all()
