"""What the tracker does while an engine works by itself."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

import tracker.tracking.face_tracker as module
from model.decoder import Decoder, decode
from tests.support.tracked_scene import SceneDetector, SceneEngine, paint, pose
from tracker import Face, Region, Tracker, TrackerOptions
from tracker.engines.base import PointEngine, Points

FPS = 30


class WorkingEngine(SceneEngine):
    """The engine of painted faces as one on a GPU: it begins, and is waited for later."""

    def __init__(self, events: list[str]) -> None:
        super().__init__()
        self.events = events

    def start(self, crops: NDArray[np.uint8], decoder: Decoder) -> Callable[[], Points]:
        self.events.append("start")
        points = decode(super().__call__(crops), decoder)

        def finish() -> Points:
            self.events.append("finish")
            return points

        return finish

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        raise AssertionError("the heatmaps are not asked for")


class LoggedDetector(SceneDetector):
    def __init__(self, events: list[str]) -> None:
        super().__init__()
        self.events = events

    def found(self, image: NDArray[np.uint8]) -> list[Region]:
        self.events.append("detect")
        return super().found(image)


Make = Callable[..., tuple[Tracker, list[str]]]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    def build(overlapped: bool = True, **options: object) -> tuple[Tracker, list[str]]:
        events: list[str] = []
        engine = WorkingEngine(events) if overlapped else SceneEngine()
        monkeypatch.setattr(module, "open_finder", lambda *_: LoggedDetector(events))
        tracker = Tracker(engine=engine, options=TrackerOptions(**options))
        is_cut = tracker._is_cut

        class Logged:
            reset = is_cut.reset

            def __call__(self, image: NDArray[np.uint8]) -> bool:
                events.append("cut")
                return is_cut(image)

        tracker._is_cut = Logged()  # type: ignore[assignment]
        return tracker, events

    return build


def _film() -> list[NDArray[np.uint8]]:
    """Faces come, move, leave for a moment, and a cut."""
    frames = [paint([pose(150 + 4 * i, 200, 120), None]) for i in range(6)]
    frames += [paint([pose(174, 200, 120), pose(480 - 3 * i, 300, 110, i)]) for i in range(12)]
    frames += [paint([None, pose(444, 300, 110, 12)])] * 3
    frames += [paint([pose(174, 200, 120), pose(444, 300, 110, 12)])] * 4
    other = np.full_like(frames[0], 235)
    shown = paint([None, None, pose(320, 240, 200)])
    other[shown[..., 2] > 100] = shown[shown[..., 2] > 100]
    return [*frames, other, other, other]


def _same(ours: tuple[Face, ...], theirs: tuple[Face, ...]) -> None:
    assert [face.id for face in ours] == [face.id for face in theirs]
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a.raw, b.raw)
        np.testing.assert_array_equal(a.landmarks, b.landmarks)
        assert a.confidence == b.confidence
        assert a.region == b.region


def test_the_faces_are_those_of_an_engine_on_the_processor(make: Make) -> None:
    (plain, _), (overlapped, events) = (
        make(kind, max_faces=2, detect_interval=0.1) for kind in (False, True)
    )
    assert isinstance(overlapped.engine, PointEngine)
    assert not isinstance(plain.engine, PointEngine)
    seen = set()
    for i, image in enumerate(_film()):
        faces = overlapped(image, i / FPS)
        _same(faces, plain(image, i / FPS))
        seen |= {face.id for face in faces}
    assert len(seen) >= 3
    # Everything that was begun was fetched, but for the frame of the cut.
    assert events.count("start") == events.count("finish") + 1


def test_a_detection_that_is_due_runs_while_the_engine_works(make: Make) -> None:
    tracker, events = make(max_faces=2, detect_interval=0.1)
    image = paint([pose(150, 200, 120)])
    frames = []
    for i in range(8):
        events.clear()
        tracker(image, i / FPS)
        frames.append(list(events))
    # Nobody known: the detector first, then two looks at what it found, and one in the mirror.
    assert frames[0] == ["cut", "detect", *3 * ["start", "finish"]]
    assert frames[1] == frames[2] == ["start", "cut", "finish"]
    # 0.1 s later: the detector sees only the face that is followed.
    assert ["start", "cut", "detect", "finish"] in frames[3:5]
    assert sum("detect" in frame for frame in frames) == 3


def test_a_detection_that_may_not_be_needed_waits(make: Make) -> None:
    """All faces that are wanted are in sight: only what the engine finds can tell."""
    tracker, events = make(max_faces=1, detect_interval=0.01)
    image = paint([pose(150, 200, 120)])
    for i in range(3):
        events.clear()
        tracker(image, i / FPS)
    assert events == ["start", "cut", "finish"]
    events.clear()
    # The face is gone: it was looked for, and then the detector was asked.
    assert tracker(paint([None]), 3 / FPS) == ()
    assert events == ["start", "cut", "finish", "detect"]


def test_a_cut_drops_what_was_begun(make: Make) -> None:
    tracker, events = make()
    first, *_, last = _film()
    tracker(first, 0.0)
    events.clear()
    (face,) = tracker(last, 1 / FPS)
    assert face.id == 1
    assert events == ["start", "cut", "detect", "start", "finish", "start", "finish"]


def test_an_engine_on_the_processor_computes_when_it_is_asked(make: Make) -> None:
    """No threads, and at a cut no work for nothing."""
    tracker, _ = make(False)
    first, *_, last = _film()
    tracker(first, 0.0)
    engine = tracker.engine
    assert isinstance(engine, SceneEngine)
    engine.batches.clear()
    tracker(last, 1 / FPS)
    assert engine.batches == [1, 1]  # the new face, twice; not the old one
    assert {"cut", "detect", "crop", "engine", "decode"} <= set(tracker.stopwatch.seconds)


def test_after_a_failing_detector_the_tracker_goes_on(make: Make) -> None:
    tracker, events = make(max_faces=2, detect_interval=0.1)
    image = paint([pose(150, 200, 120)])
    tracker(image, 0.0)

    class Failing:
        def looks(self, image: object, *, thorough: bool) -> Iterator[list]:
            raise KeyboardInterrupt

    finder, tracker._finder = tracker._finder, Failing()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        tracker(image, 1.0)
    tracker._finder = finder
    (face,) = tracker(image, 1.1)
    assert face.id == 0
    assert events[-1] == "finish"
