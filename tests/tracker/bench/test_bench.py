import json
import mmap
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from model.errors import InputError
from tests.support.tiny_onnx import tiny_onnx
from tracker.bench import bench_plan, chain_timing, device_limit, memory
from tracker.bench.bench_clip import clip_size, grid, write_clip
from tracker.bench.bench_plan import Choice, parse_engines, parse_faces, parse_weights
from tracker.bench.chain_timing import STAGES, WARM_UP, BenchResult, Memory, measure
from tracker.bench.device_limit import Limit
from tracker.commands import bench
from tracker.commands.bench import bench_command
from tracker.engines.create import ENGINES
from tracker.tracking.face_tracker import Tracker
from tracker.tracking.options import TrackerOptions
from tracker.video.video_reader import VideoReader

# With a random network any confidence is a matter of luck: follow whatever the detector finds.
CREDULOUS = TrackerOptions(start_confidence=0.0, stop_confidence=0.0, threads=1)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_onnx(tmp_path_factory.mktemp("weights") / "tiny.onnx"))


def run(*arguments: str) -> Any:
    app = typer.Typer()
    app.command()(bench_command)
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize(
    ("text", "size"), [("640x480", (640, 480)), ("64x64", (64, 64)), ("1280X720", (1280, 720))]
)
def test_sizes(text: str, size: tuple[int, int]) -> None:
    assert clip_size(text) == size


@pytest.mark.parametrize("text", ["", "640", "640x", "640x480x3", "640*480", "-640x480", "63x64"])
def test_bad_sizes_are_named(text: str) -> None:
    with pytest.raises(InputError, match="is not a size"):
        clip_size(text)


def test_the_built_in_clip_has_the_size_and_a_face(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", (480, 270))
    from tracker.detection.face_detector import FaceDetector

    detector = FaceDetector("full")
    with VideoReader(tmp_path / "clip.mp4") as video:
        frames = list(video)
    assert len(frames) == 120
    assert frames[0].image.shape == (270, 480, 3)
    places = []
    for frame in frames[::30]:
        (detection,) = detector(frame.image)
        places.append(detection.keypoints.mean(axis=0))
    detector.close()
    assert np.ptp(places, axis=0)[0] > 20  # it moves


def test_every_stage_is_timed(weights: str, tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", (320, 240))
    out = tmp_path / "out.mp4"
    # More frames than the clip has: it is read again from its start.
    with Tracker(weights, "onnxruntime", CREDULOUS) as tracker:
        result = measure(tmp_path / "clip.mp4", out, tracker, frames=130, startup_seconds=0.5)
    assert result.frames == 130
    assert result.fps > 0
    assert result.weights == "tiny"
    assert result.engine.startswith("ONNX Runtime")
    assert 0.9 < result.faces_per_frame <= 1
    assert set(result.stage_ms) >= {"read", "crop", "engine", "decode", "smooth", "draw", "write"}
    assert list(result.stage_ms) == [stage for stage in STAGES if stage in result.stage_ms]
    assert all(value > 0 for value in result.stage_ms.values())
    # The main thread's stages, one after the other, cannot take longer than the whole.
    main = sum(result.stage_ms.get(s, 0) for s in ("detect", "crop", "engine", "decode", "smooth"))
    assert main < 1000 / result.fps * 1.1
    with VideoReader(out) as video:
        assert sum(1 for _ in video) == WARM_UP + 130
    assert result.wall_ms == pytest.approx(1000 / result.fps)
    assert result.busy_ms == pytest.approx(sum(result.stage_ms.values()))
    assert 0 < result.cpu_ms < result.cores * result.wall_ms * 1.1


def test_memory_is_taken_at_the_start_a_quarter_and_the_end(
    weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_clip(tmp_path / "clip.mp4", (96, 64))
    frames: list[int] = []
    asked: list[int] = []

    class Watched(Tracker):
        def __call__(self, image: np.ndarray, timestamp: float) -> tuple:
            frames.append(0)
            return super().__call__(image, timestamp)

    def resident() -> float:
        asked.append(len(frames))
        return 100.0 + len(asked)

    monkeypatch.setattr(chain_timing, "resident_mb", resident)
    peaks = iter([150.0, 160.0, 163.0])
    monkeypatch.setattr(chain_timing, "peak_mb", lambda: next(peaks))
    with Watched(weights, "onnxruntime", CREDULOUS) as tracker:
        result = measure(tmp_path / "clip.mp4", None, tracker, frames=8, startup_seconds=0.5)
    assert asked == [WARM_UP, WARM_UP + 2, WARM_UP + 8]
    assert result.memory == Memory(101.0, 102.0, 103.0, 163.0, 3.0)


def test_this_process_has_memory() -> None:
    grown = []
    for _ in range(5):
        before = memory.resident_mb()
        # Not from the heap, where another test may have left as much.
        block = mmap.mmap(-1, 40_000_000)
        block.write(b"\1" * 40_000_000)
        after = memory.resident_mb()
        peak = memory.peak_mb()
        if before is None or after is None or peak is None:
            pytest.skip("the system does not say")
        grown.append(after - before)
        # The kernel counts the peak a little late.
        assert peak > after - 5
        block.close()
    # It may take idle pages back in between, but gives none that were not asked for.
    assert max(grown) == pytest.approx(40, abs=5)


def test_a_clip_has_as_many_faces_as_asked_for(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", (640, 480), 4)
    from tracker.detection.face_detector import FaceDetector

    detector = FaceDetector("full")
    with VideoReader(tmp_path / "clip.mp4") as video:
        frames = list(video)
    for frame in frames[::40]:
        places = np.array([d.keypoints.mean(axis=0) for d in detector(frame.image)])
        # One in every quarter.
        assert sorted(map(tuple, places // [320, 240])) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    detector.close()


@pytest.mark.parametrize("size", [(640, 480), (1280, 720), (101, 307)])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 12])
def test_cells_cover_the_picture_once(size: tuple[int, int], count: int) -> None:
    cells = grid(size, count)
    assert len(cells) == count
    covered = np.zeros(size[::-1], dtype=int)
    for x0, y0, x1, y1 in cells:
        covered[y0:y1, x0:x1] += 1
    assert (covered == 1).all()


def test_faces_without_room_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no room for 9 faces"):
        write_clip(tmp_path / "clip.mp4", (64, 64), 9)
    assert not list(tmp_path.iterdir())


def test_engines_by_name() -> None:
    assert parse_engines("auto", "bf16") == ((Choice("auto", "bf16"),), False)
    found, lenient = parse_engines("openvino-bf16, onnxruntime,openvino-bf16", "f32")
    assert [choice.name for choice in found] == ["openvino-bf16", "onnxruntime-f32"]
    assert not lenient
    found, lenient = parse_engines("all", "auto")
    assert lenient
    assert {choice.engine for choice in found} == set(ENGINES) - {"auto"}
    assert "auto" not in {choice.precision for choice in found}
    found, _ = parse_engines("all", "f32")
    assert {choice.precision for choice in found} == {"f32"}


def test_networks_and_faces() -> None:
    assert parse_weights(["a.onnx,b.onnx", "a.onnx"]) == ("a.onnx", "b.onnx")
    assert "propnet-s" in parse_weights(["all"])
    assert parse_faces("1,4, 2,4") == (1, 4, 2)
    for text in ("", "0", "1,x", "-1", "1.5"):
        with pytest.raises(InputError, match="must be numbers with commas"):
            parse_faces(text)


def test_command_writes_json_and_table(
    weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Measures the processor's limit as always, with as few repetitions as there can be.
    monkeypatch.setattr(device_limit, "_SECONDS", 0.0)
    path = tmp_path / "bench.json"
    result = run(
        "--weights", weights, "--size", "320x240", "--frames", "3", "--threads", "1",
        "--engine", "onnxruntime", "--no-write", "--json", str(path),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    values = json.loads(path.read_text())
    (run_values,) = values["runs"]
    assert run_values["source"] == "built-in clip"
    assert (run_values["width"], run_values["height"], run_values["frames"]) == (320, 240, 3)
    assert run_values["name"] == "onnxruntime"
    assert "write" not in run_values["stage_ms"]
    assert "draw" not in run_values["stage_ms"]
    assert run_values["stage_ms"]["read"] > 0
    assert values["not_run"] == {}
    assert "built-in clip, 320x240, 3 frames" in result.output
    assert "onnxruntime: ONNX Runtime" in result.output
    assert list(tmp_path.iterdir()) == [path]


def measured(stage_ms: dict[str, float], faces: int, followed: float) -> BenchResult:
    return BenchResult(
        source="x", width=640, height=480, frames=3, faces=faces, faces_per_frame=followed,
        engine="", weights="tiny", follower=None, cores=2, startup_seconds=0.5, fps=50.0,
        wall_ms=20.0, busy_ms=31.0, cpu_ms=27.0, frame_ms_p95=24.0, stage_ms=stage_ms,
        memory=Memory(None, None, None, None, None),
    )  # fmt: skip


def test_every_engine_network_and_number_of_faces_has_a_column(
    weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What runs is compared with the limit, and what does not is listed."""

    def fake(clip: Path, out: Path | None, tracker: Tracker, **_: Any) -> BenchResult:
        stages = {"read": 1.0, "engine": 12.0}
        count = tracker.options.max_faces
        result = measured(stages, count, 1.0 if count == 1 else 2.5)
        return replace(result, engine=tracker.engine.description)

    monkeypatch.setattr(bench, "measure", fake)
    monkeypatch.setattr(bench_plan, "measure_limit", lambda device, width: Limit(1e9, 1e30))
    path = tmp_path / "bench.json"
    result = run(
        "--engine", "all", "--weights", weights, "--faces", "1,4", "--frames", "3",
        "--size", "64x64", "--json", str(path),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    values = json.loads(path.read_text())
    names = {(item["name"], item["faces"]) for item in values["runs"]}
    assert {("openvino-f32", 1), ("openvino-f32", 4), ("onnxruntime-f32", 1)} <= names
    assert values["not_run"][f"{weights} on onnxruntime-bf16"].endswith("'bf16': use f32 or int8.")
    # Nothing is lost: every engine with every precision has run or has a reason.
    ran = {item["name"] for item in values["runs"]}
    assert len(ran) + len(values["not_run"]) == len(parse_engines("all", "auto")[0])
    macs = 98 * 27 * 16 * 16
    for item in values["runs"]:
        if item["name"].endswith("f32"):
            least = 1000 * item["faces_per_frame"] * macs / 1e9
            assert item["limit"]["ms"] == pytest.approx(least)
            assert item["limit"]["times"] == pytest.approx(12 / least)
    assert "limit of cpu, 32 bits: 1 GMAC/s" in result.output
    assert "only 2.50 of 4 faces were followed" in result.output
    assert "only 1.00 of 1" not in result.output
    for line in ("sum of the stages", "one frame, end to end", "processor time", "engine / least"):
        assert line in result.output
    assert "…" not in result.output


def test_one_engine_that_cannot_run_is_an_error_and_none_at_all_too(
    weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Any:
        raise InputError("no such device.")

    monkeypatch.setattr(bench, "Tracker", fail)
    for engine, message in (("openvino", "no such device"), ("all", "no engine can run here: no")):
        result = run("--weights", weights, "--engine", engine, "--size", "64x64")
        assert isinstance(result.exception, InputError)
        assert message in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "big"], "is not a size"),
        (["--precision", "fp4"], "no precision 'fp4'"),
        (["--engine", "cuda"], "no engine 'cuda'"),
        (["--engine", "openvino-fp4"], "no precision 'fp4'"),
        (["--faces", "none"], "must be numbers"),
        (["--stability", "--weights", "a,b"], "give one --weights"),
        (["--stability", "--engine", "all"], "give one --engine"),
        (["--source", "missing.mp4"], "missing.mp4"),
    ],
)
def test_bad_input_is_an_input_error(
    weights: str, arguments: list[str], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "bench.json"
    result = run("--weights", weights, "--frames", "1", "--json", str(path), *arguments)
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)
    assert not path.exists()
