from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import tracker.tracking.face_tracker as module
from model.errors import InputError
from tests.support.tracked_scene import SceneDetector, SceneEngine, landmarks, paint, pose
from tracker import Face, Region, Tracker, TrackerOptions

Make = Callable[..., tuple[Tracker, SceneEngine, SceneDetector]]
FPS = 30


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    """A tracker on painted faces."""

    def build(**options: object) -> tuple[Tracker, SceneEngine, SceneDetector]:
        engine, detector = SceneEngine(), SceneDetector()
        monkeypatch.setattr(module, "open_finder", lambda *_: detector)
        return Tracker(engine=engine, options=TrackerOptions(**options)), engine, detector

    return build


def sway(time: float) -> NDArray[np.float64]:
    """A head that moves at up to 300 px/s, turns at 90 degrees/s and comes nearer."""
    return pose(
        320 + 95 * np.sin(3.1 * time),
        240 + 40 * np.cos(2.3 * time),
        150 + 40 * np.sin(1.7 * time),
        30 * np.sin(3 * time),
    )


def worst(face: Face, truth: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(face.raw - truth, axis=1).max())


def test_landmarks_follow_a_face_exactly(make: Make) -> None:
    tracker, engine, detector = make()
    for i in range(60):
        matrix = sway(i / FPS)
        (face,) = tracker(paint([matrix]), i / FPS)
        assert face.id == 0
        # The colours are whole numbers: a few hundredths of a pixel is all that they allow.
        assert worst(face, landmarks(matrix)) < 0.1
        assert face.raw.dtype == face.landmarks.dtype == np.float32
        assert 0.99 < face.confidence <= 1
        assert (face.scores > 0.95).all()
    assert detector.calls == 1
    assert engine.batches == [1] * 3 + [1] * 59  # at first measured twice, and in the mirror


def test_the_region_is_turned_with_the_face_and_comes_from_the_frame_before(make: Make) -> None:
    tracker, _, _ = make(smoothing="stable")
    tracker(paint([pose(300, 200, 120, 35)]), 0.0)
    (face,) = tracker(paint([pose(310, 200, 120, 35)]), 1 / FPS)
    assert face.region.angle == pytest.approx(np.deg2rad(35), abs=0.01)
    assert (face.region.x, face.region.y) == pytest.approx((300, 200), abs=0.5)
    assert face.region.size == pytest.approx(1.3 * 120, rel=0.01)
    (face,) = tracker(paint([pose(320, 200, 120, 35)]), 2 / FPS)
    # ... and a little further on, as it moves: 300 px/s for a frame, damped, less what the crop
    # has room for (4 % of its side).
    ahead = 300 * 0.15 * (1 - np.exp(-1 / FPS / 0.15)) - 0.04 * 1.3 * 120
    assert face.region.x == pytest.approx(310 + ahead, abs=0.5)


def test_every_face_is_followed_in_one_batch(make: Make) -> None:
    tracker, engine, _ = make(max_faces=3)
    truths: dict[int, NDArray[np.float64]] = {}
    for i in range(20):
        poses = [pose(100 + 3 * i, 120, 90), pose(320, 300 - 3 * i, 110, 20), pose(540, 200, 70)]
        faces = tracker(paint(poses), i / FPS)
        assert [face.id for face in faces] == [0, 1, 2]
        for face in faces:
            errors = [worst(face, landmarks(matrix)) for matrix in poses]
            assert min(errors) < 0.15
            owner = int(np.argmin(errors))
            assert truths.setdefault(face.id, owner) == owner
    assert sorted(truths.values()) == [0, 1, 2]
    assert engine.batches == [3] * 3 + [3] * 19


def test_one_face_wanted_means_the_largest(make: Make) -> None:
    tracker, engine, _ = make()
    large = pose(440, 240, 160)
    (face,) = tracker(paint([pose(120, 240, 90), large]), 0.0)
    assert worst(face, landmarks(large)) < 0.1
    assert engine.batches == [1, 1, 1]


def test_the_detector_runs_on_an_interval_while_faces_are_missing(make: Make) -> None:
    tracker, _, detector = make(max_faces=2, detect_interval=0.25)
    image = paint([pose(200, 200, 120)])
    for i in range(60):
        assert len(tracker(image, i / FPS)) == 1
    assert detector.calls == 1 + 7  # every 8 frames: the first that is 0.25 s later
    # A second face is found within the interval.
    image = paint([pose(200, 200, 120), pose(480, 300, 120)])
    ids = [[face.id for face in tracker(image, 2 + i / FPS)] for i in range(9)]
    assert ids[-1] == [0, 1]


def test_with_nobody_in_sight_every_frame_is_searched(make: Make) -> None:
    tracker, engine, detector = make()
    image = paint([])
    assert [tracker(image, i / FPS) for i in range(10)] == [()] * 10
    assert detector.calls == 10
    assert engine.batches == []


def test_a_short_occlusion_keeps_the_id_and_a_long_one_does_not(make: Make) -> None:
    tracker, _, detector = make(max_lost=0.2)
    shown, hidden = paint([pose(300, 200, 120)]), paint([None])
    ids = []
    for i in range(40):
        image = hidden if 5 <= i < 9 or 15 <= i < 23 else shown
        ids.append([face.id for face in tracker(image, i / FPS)])
    assert ids[:5] == [[0]] * 5
    assert ids[5:9] == [[]] * 4
    assert ids[9:15] == [[0]] * 6
    assert ids[15:23] == [[]] * 8
    assert ids[23:] == [[1]] * 17
    # Looked for at once and in every frame without a face, never otherwise.
    assert detector.calls == 1 + 4 + 8 + 1


def test_a_lost_face_is_found_where_the_detector_sees_it(make: Make) -> None:
    tracker, _, _ = make()
    tracker(paint([pose(200, 200, 120)]), 0.0)
    moved = pose(270, 200, 120)  # further than the crop sees, nearer than another person
    (face,) = tracker(paint([moved]), 1 / FPS)
    assert worst(face, landmarks(moved)) < 0.1
    assert face.id == 0
    far = pose(520, 300, 100)
    (face,) = tracker(paint([far]), 2 / FPS)
    assert worst(face, landmarks(far)) < 0.1
    assert face.id == 1


def test_a_face_found_again_starts_its_filter_anew(make: Make) -> None:
    tracker, _, _ = make(smoothing="stable")
    tracker(paint([pose(200, 200, 120)]), 0.0)
    tracker(paint([]), 1 / FPS)
    (face,) = tracker(paint([pose(230, 200, 120)]), 2 / FPS)
    assert face.id == 0
    np.testing.assert_array_equal(face.landmarks, face.raw)


def test_hysteresis(make: Make) -> None:
    tracker, engine, _ = make()
    image = paint([pose(300, 200, 120)])
    seen = []
    # Without a calibration a face starts at a mean peak of 0.48 and stops at 0.40. Peaks on the
    # grid of a heatmap are a few per cent under the amplitude.
    for i, engine.amplitude in enumerate([0.46, 0.6, 0.46, 0.38, 0.46, 0.6]):
        seen.append([face.id for face in tracker(image, i / FPS)])
    assert seen == [[], [0], [0], [], [], [0]]


def test_a_false_detection_is_rejected_after_one_look(make: Make) -> None:
    tracker, engine, detector = make(max_faces=2)
    detector.extra = [Region(500, 100, 80)]
    faces = tracker(paint([pose(200, 300, 120)]), 0.0)
    assert [face.id for face in faces] == [0]
    assert engine.batches == [2, 1, 1]  # again, and in the mirror, only what is a face
    # ... and its place goes to the next candidate in the same frame.
    alone, engine, detector = make(max_faces=1)
    detector.extra = [Region(500, 100, 300)]
    assert len(alone(paint([pose(200, 300, 120)]), 0.0)) == 1
    assert engine.batches == [1, 1, 1, 1]


def test_two_detections_of_one_face_are_one_face(make: Make) -> None:
    tracker, _, detector = make(max_faces=3)
    detector.extra = [Region(205, 295, 150), Region(190, 300, 170)]
    image = paint([pose(200, 300, 120)])
    for i in range(20):
        assert [face.id for face in tracker(image, i / FPS)] == [0]


def test_tracks_that_run_onto_one_face_become_one(make: Make) -> None:
    tracker, _, detector = make(max_faces=2)
    assert len(tracker(paint([pose(200, 240, 120), pose(430, 240, 120)]), 0.0)) == 2
    detector.blind = True
    # The second face slides over the first and covers it: both crops end on it.
    for i in range(1, 24):
        x = max(430 - 12 * i, 200)
        faces = tracker(paint([pose(200, 240, 120), pose(x, 240, 120)]), i / FPS)
    assert [face.id for face in faces] == [0]


def test_never_more_faces_than_asked_for(make: Make) -> None:
    tracker, _, _ = make(max_faces=2)
    one, two, three = pose(100, 200, 90), pose(300, 200, 90), pose(500, 200, 90)
    tracker(paint([one, two]), 0.0)
    # The second goes, a third comes, the second comes back while it is still remembered.
    for i, poses in enumerate([[one, None, three], [one, two, three], [one, two, three]]):
        assert len(tracker(paint(poses), (1 + i) / FPS)) == 2


def test_going_back_in_time_is_another_place(make: Make) -> None:
    tracker, _, detector = make()
    image = paint([pose(300, 200, 120)])
    assert tracker(image, 5.0)[0].id == 0
    assert tracker(image, 5.0)[0].id == 0  # a repeated timestamp is not
    assert tracker(image, 0.0)[0].id == 1
    assert detector.calls == 2


def test_another_size_is_another_source(make: Make) -> None:
    tracker, _, _ = make()
    assert tracker(paint([pose(300, 200, 120)]), 0.0)[0].id == 0
    assert tracker(paint([pose(300, 200, 120)], width=700), 0.1)[0].id == 1


def test_after_a_pause_the_detector_confirms(make: Make) -> None:
    tracker, _, detector = make(max_gap=0.5)
    tracker(paint([pose(300, 200, 120)]), 0.0)
    tracker(paint([pose(300, 200, 120)]), 0.45)
    assert detector.calls == 1
    moved = pose(340, 200, 120)
    (face,) = tracker(paint([moved]), 3.0)
    assert detector.calls == 2
    assert face.id == 0
    np.testing.assert_array_equal(face.landmarks, face.raw)  # no old speed in the filter


def test_after_half_a_minute_without_frames_nobody_is_known(make: Make) -> None:
    tracker, _, _ = make()
    picture = paint([pose(300, 200, 120)])
    for time, number in ((0.0, 0), (29.0, 0), (60.0, 1)):
        (face,) = tracker(picture, time)
        assert face.id == number


def test_a_face_that_leaves_the_picture_is_given_up(make: Make) -> None:
    tracker, _, _ = make()
    counts = []
    for i in range(30):
        counts.append(len(tracker(paint([pose(560 + 8 * i, 200, 120)]), i / FPS)))
    assert counts[0] == 1
    assert counts[-1] == 0


def test_reset_begins_anew_and_going_back_in_time_only_forgets(make: Make) -> None:
    tracker, _, detector = make()
    image = paint([pose(300, 200, 120)])
    for _ in range(2):
        tracker.reset()
        for number in (0, 1, 2):
            assert tracker(image, 1.0 - 0.1 * number)[0].id == number
    assert detector.calls == 6


@pytest.mark.parametrize("preset", ["balanced", "stable", "responsive"])
def test_smoothing_leaves_a_still_face_alone_and_off_leaves_all(make: Make, preset: str) -> None:
    tracker, _, _ = make(smoothing=preset)
    image = paint([pose(300, 200, 120, 5)])
    for i in range(10):
        (face,) = tracker(image, i / FPS)
        np.testing.assert_allclose(face.landmarks, face.raw, atol=0.02)
    tracker, _, _ = make(smoothing="off")
    for i in range(10):
        (face,) = tracker(paint([sway(i / FPS)]), i / FPS)
        np.testing.assert_array_equal(face.landmarks, face.raw)


def test_an_engine_that_was_handed_in_stays_open(make: Make) -> None:
    tracker, engine, _ = make()
    with tracker:
        pass
    assert not engine.closed


def test_bad_frames(make: Make) -> None:
    tracker, _, _ = make()
    good = np.zeros((40, 50, 3), dtype=np.uint8)
    for bad in (good[..., 0], good.astype(np.float32), good[:0], [[1, 2, 3]], good[..., :2]):
        with pytest.raises(InputError, match="a frame must"):
            tracker(bad, 0.0)  # type: ignore[arg-type]
    for time in (float("nan"), float("inf"), None, "now", 10**400):
        with pytest.raises(InputError, match="finite"):
            tracker(good, time)  # type: ignore[arg-type]
    assert tracker(good, 0.0) == ()


def test_a_closed_tracker_says_so(make: Make) -> None:
    tracker, _, _ = make()
    image = np.zeros((80, 80, 3), dtype=np.uint8)
    tracker(image, 0.0)
    tracker.close()
    tracker.close()
    with pytest.raises(RuntimeError, match="this tracker was closed: make another one"):
        tracker(image, 0.1)


def test_times_may_be_fractions(make: Make) -> None:
    """PyAV's are: `frame.pts * stream.time_base`."""
    tracker, _, _ = make()
    plain, _, _ = make()
    for i in range(6):
        picture = paint([sway(i / FPS)])
        (face,) = tracker(picture, Fraction(i, FPS))  # type: ignore[arg-type]
        (same,) = plain(picture, i / FPS)
        np.testing.assert_array_equal(face.landmarks, same.landmarks)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_faces": 0}, "max_faces"),
        ({"detector": "retina"}, "detector"),
        ({"min_detection": 1.5}, "min_detection"),
        ({"detect_interval": -1.0}, "detect_interval"),
        ({"start_confidence": 0.2, "stop_confidence": 0.3}, "stop_confidence <= start_confidence"),
        ({"max_lost": -1.0}, "max_lost"),
        ({"max_blind": float("nan")}, "max_blind"),
        ({"max_gap": 0.0}, "max_gap"),
        ({"decoder": "argmax"}, "decoder"),
        ({"precision": "f8"}, "precision"),
        ({"threads": 0}, "threads"),
        ({"smoothing": "kalman"}, "balanced, stable, responsive, off"),
    ],
)
def test_bad_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TrackerOptions(**options)  # type: ignore[arg-type]


def test_track_reads_a_file_frame_by_frame(make: Make, tmp_path: Path) -> None:
    from fractions import Fraction

    from tracker.video.frame_source import VideoInfo
    from tracker.video.video_writer import VideoWriter

    path = tmp_path / "faces.mp4"
    matrices = [sway(i / 25) for i in range(12)]
    with VideoWriter(path, VideoInfo("test", None, 640, 480, Fraction(25), 12), crf=4) as writer:
        for i, matrix in enumerate(matrices):
            writer.write(paint([matrix]), i / 25)
    tracker, _, _ = make()
    frames = list(tracker.track(path))
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.timestamp for frame in frames] == pytest.approx([i / 25 for i in range(12)])
    for frame, matrix in zip(frames, matrices, strict=True):
        assert frame.image.shape == (480, 640, 3)
        (face,) = frame.faces
        # Video coding moves colours, and with them what the painted face says, by a pixel or so.
        assert worst(face, landmarks(matrix)) < 3
    with pytest.raises(InputError):
        next(iter(tracker.track(tmp_path / "missing.mp4")))


def test_memory_stays_flat(make: Make) -> None:
    """Faces that come and go for 600 frames leave nothing behind."""
    import tracemalloc

    tracker, _, _ = make(max_lost=0.2)
    shown, empty = paint([pose(80, 60, 60)], 160, 120), paint([], 160, 120)
    try:
        for i in range(600):
            if i == 200:
                tracemalloc.start()
            tracker(shown if i % 20 < 8 else empty, i / FPS)
            if i == 300:
                before = tracemalloc.get_traced_memory()[0]
        growth = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(tracker._tracks) <= 1
    # One picture of this size is 58 kB, the landmarks of one face 1.6 kB.
    assert growth < 20_000


def test_only_the_first_frame_is_searched_thoroughly(make: Make) -> None:
    tracker, _, detector = make()
    asked = []
    looks = detector.looks

    def noted(image: NDArray[np.uint8], *, thorough: bool) -> Iterator[list[Region]]:
        asked.append(thorough)
        return looks(image, thorough=thorough)

    detector.looks = noted  # type: ignore[method-assign]
    detector.blind = True
    image = paint([pose(320, 240, 150)])
    for number in range(3):
        tracker(image, number / FPS)
    tracker.reset()
    tracker(image, 0.0)
    assert asked == [True, False, False, True]


def test_the_search_ends_with_enough_faces(make: Make) -> None:
    image = paint([pose(200, 240, 120), pose(460, 240, 120)])
    for room, needed in ((1, 2), (2, 3), (3, 4)):
        tracker, _, detector = make(max_faces=room)
        taken = []

        def looks(
            image: NDArray[np.uint8],
            *,
            thorough: bool,
            detector: SceneDetector = detector,
            taken: list[int] = taken,
        ) -> Iterator[list[Region]]:
            left, right = sorted(detector.found(image), key=lambda region: region.x)
            # Something that is no face, one face, the other and again the first.
            for found in ([Region(60, 60, 80)], [left], [right], [left]):
                taken.append(len(taken))
                yield found

        detector.looks = looks  # type: ignore[method-assign]
        assert len(tracker(image, 0.0)) == min(room, 2)
        assert len(taken) == needed
