import json
from pathlib import Path

import numpy as np
import pytest
import typer
from tiny_onnx import tiny_onnx
from typer.testing import CliRunner

from model.errors import InputError
from tracker.bench import bench_command, parse_size, write_clip
from tracker.options import TrackerOptions
from tracker.timing import STAGES, measure
from tracker.video import VideoReader

# With a random network any confidence is a matter of luck: follow whatever the detector finds.
CREDULOUS = TrackerOptions(start_confidence=0.0, stop_confidence=0.0, threads=1)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_onnx(tmp_path_factory.mktemp("weights") / "tiny.onnx"))


def run(*arguments: str) -> "object":
    app = typer.Typer()
    app.command()(bench_command)
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize(
    ("text", "size"), [("640x480", (640, 480)), ("64x64", (64, 64)), ("1280X720", (1280, 720))]
)
def test_sizes(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "640", "640x", "640x480x3", "640*480", "-640x480", "63x64"])
def test_bad_sizes_are_named(text: str) -> None:
    with pytest.raises(InputError, match="is not a size"):
        parse_size(text)


def test_the_built_in_clip_has_the_size_and_a_face(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", (480, 270))
    from tracker.detect import FaceDetector

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
    result = measure(tmp_path / "clip.mp4", out, weights, "onnxruntime", CREDULOUS, frames=130)
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
        assert sum(1 for _ in video) == 140  # warm-up included


def test_command_writes_json_and_table(weights: str, tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    result = run(
        "--weights", weights, "--size", "320x240", "--frames", "3", "--threads", "1",
        "--engine", "onnxruntime", "--no-write", "--json", str(path),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    values = json.loads(path.read_text())
    assert values["source"] == "built-in clip"
    assert (values["width"], values["height"], values["frames"]) == (320, 240, 3)
    assert "write" not in values["stage_ms"]
    assert "draw" not in values["stage_ms"]
    assert values["stage_ms"]["read"] > 0
    assert "frames/s at 320x240 with tiny on ONNX Runtime" in result.output
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "big"], "is not a size"),
        (["--precision", "fp4"], "no precision 'fp4'"),
        (["--engine", "cuda"], "no engine 'cuda'"),
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
