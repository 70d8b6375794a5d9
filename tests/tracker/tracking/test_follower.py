"""Which network follows faces, and the real pair on a moving face."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from model.errors import InputError
from model.shipped_markups import WFLW
from model.zoo import DEFAULT_WEIGHTS
from tests.support.commands import Run
from tests.support.fake_camera import FakeCapture
from tests.support.portrait_scene import portrait_scene
from tests.support.tiny_onnx import METADATA, tiny_onnx
from tests.support.tracked_scene import SceneEngine
from tracker import Face, Tracker, TrackerOptions, create_engine
from tracker.assets import ASSETS
from tracker.engines.base import Engine
from tracker.tracking import follower
from tracker.tracking.follower import choose_follower

FRAMES = 40


@pytest.fixture(scope="module")
def clip() -> list[NDArray[np.uint8]]:
    """A face that moves, turns in the picture and comes nearer, with a camera's noise."""
    rng = np.random.default_rng(2)
    images = []
    for i in range(FRAMES):
        place = (160 + 20 * np.sin(i / 8), 120 + 10 * np.cos(i / 5))
        image, _ = portrait_scene(110 + i / 2, 320, 240, 8 * np.sin(i / 6), place)
        noisy = np.clip(np.rint(image + rng.normal(0, 3, image.shape)), 0, 255)
        images.append(noisy.astype(np.uint8))
    return images


def raw(clip: list[NDArray[np.uint8]], weights: str, **options: object) -> NDArray[np.float32]:
    with Tracker(weights, options=TrackerOptions(threads=1, **options)) as tracker:  # type: ignore[arg-type]
        return np.array([tracker(image, i / 30)[0].raw for i, image in enumerate(clip)])


def test_followed_landmarks_are_nearer_to_the_large_network_for_a_fraction_of_its_looks(
    clip: list[NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch
) -> None:
    large, small = raw(clip, DEFAULT_WEIGHTS, follower="same"), raw(clip, "propnet-xs")
    looks = {DEFAULT_WEIGHTS: 0, "propnet-xs": 0}

    with Tracker(options=TrackerOptions(threads=1)) as tracker:
        assert tracker.follower == "propnet-xs"
        assert tracker.description.endswith(", faces followed by propnet-xs")
        assert "OpenVINO" in tracker.description

        original = type(tracker.engine).start

        def counted(self: object, crops: NDArray[np.uint8], decoder: str) -> object:
            looks[self.info.name] += len(crops)  # type: ignore[attr-defined]
            return original(self, crops, decoder)  # type: ignore[arg-type]

        monkeypatch.setattr(type(tracker.engine), "start", counted)
        pair = np.array([tracker(image, i / 30)[0].raw for i, image in enumerate(clip)])

    def apart(points: NDArray[np.float32]) -> float:
        # The first frame of each was looked at in the mirror, too.
        off = np.linalg.norm(points[1:] - large[1:], axis=2).mean(axis=1)
        return float((off / WFLW.normalizer(large[1:])).mean())

    assert 0 < apart(pair) < 0.75 * apart(small)
    assert looks["propnet-xs"] == FRAMES - 1
    assert looks[DEFAULT_WEIGHTS] < FRAMES // 3


def test_who_follows_whom(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = SceneEngine()
    engine.description = "OpenVINO 2026.4, CPU, int8, 1 thread"
    usual = TrackerOptions()
    assert choose_follower("propnet-s", engine, usual) == "propnet-xs"
    assert choose_follower("propnet-m", engine, usual) == "propnet-xs"
    assert choose_follower("propnet-xs", engine, usual) is None
    assert choose_follower("mine.onnx", engine, usual) is None
    assert choose_follower(None, engine, usual) is None  # an engine of the caller's
    assert choose_follower("propnet-s", engine, TrackerOptions(follower="same")) is None
    assert choose_follower("propnet-s", engine, TrackerOptions(maps=True)) is None
    named = TrackerOptions(follower="other.onnx")
    assert choose_follower("propnet-m", engine, named) == "other.onnx"
    assert choose_follower(None, engine, named) == "other.onnx"
    monkeypatch.setattr("tracker.tracking.follower.shipped", dict)
    assert choose_follower("propnet-s", engine, usual) is None
    monkeypatch.undo()
    engine.description = "TensorRT 10.14, NVIDIA H100, f16"
    assert choose_follower("propnet-s", engine, usual) is None


def test_a_camera_does_not_wait_at_its_second_frame(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What loads then would be a second without frames; a picture needs no second network."""
    events: list[str] = []
    created, looked = follower.create_engine, Tracker.__call__

    def create(name: str, weights: str, *rest: Any) -> Engine:
        events.append(weights)
        return created(name, weights, *rest)

    def look(self: Tracker, image: NDArray[np.uint8], timestamp: float) -> tuple[Face, ...]:
        events.append("frame")
        return looked(self, image, timestamp)

    monkeypatch.setattr(follower, "create_engine", create)
    monkeypatch.setattr(Tracker, "__call__", look)
    monkeypatch.setattr(cv2, "VideoCapture", lambda index: FakeCapture(last=100_000))

    result = run(
        "--source",
        "0",
        "--no-show",
        "--save",
        tmp_path / "live.csv",
        "--max-frames",
        3,
        "--weights",
        "propnet-s",
    )
    assert result.code == 0, result.err
    assert events == ["propnet-xs", "frame", "frame", "frame"]
    with Tracker("propnet-s") as tracker:
        events.clear()
        next(tracker.track("0"))
        assert events == ["propnet-xs", "frame"]
    with Tracker("propnet-s") as tracker:
        events.clear()
        assert next(tracker.track(ASSETS / "portrait.jpg")).faces
        assert events == ["frame"]


def test_maps_and_a_named_follower_contradict_each_other() -> None:
    with pytest.raises(InputError, match="maps are not handed out by a follower"):
        TrackerOptions(maps=True, follower="propnet-xs")
    TrackerOptions(maps=True, follower="same")


def test_a_follower_of_other_landmarks_is_refused_at_once(tmp_path: Path) -> None:
    engine = create_engine("openvino", "propnet-s", 1)
    other = tiny_onnx(tmp_path / "other.onnx", points=68, metadata=METADATA | {"markup": "ibug68"})
    with pytest.raises(InputError, match=r"other\.onnx has the landmarks .* cannot follow"):
        Tracker(engine=engine, options=TrackerOptions(follower=str(other)))
    engine(np.zeros((1, 128, 128, 3), dtype=np.uint8))  # the caller's: not closed
    engine.close()


def test_a_command_with_a_follower_that_is_not_there_writes_nothing(
    run: Run, tmp_path: Path
) -> None:
    source = Path(__file__).parents[3] / "docs" / "portrait.mp4"
    save = tmp_path / "out.csv"
    result = run(source, "--save", save, "--follower", "none.onnx")
    assert result.code == 2
    assert "no weights file none.onnx" in result.err
    assert not save.exists()


def test_a_command_says_who_follows(run: Run, tmp_path: Path) -> None:
    source = Path(__file__).parents[3] / "docs" / "portrait.mp4"
    tables = {}
    for name in ("auto", "propnet-xs", "same"):
        save = tmp_path / f"{name}.csv"
        result = run(source, "--save", save, "--follower", name, "--max-frames", "12")
        assert result.code == 0, result.err
        assert ("faces followed by propnet-xs" in result.out) == (name != "same")
        tables[name] = save.read_bytes()
    assert tables["auto"] == tables["propnet-xs"] != tables["same"]
