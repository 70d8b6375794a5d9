"""The shipped detectors as .onnx: what their .tflite files say, made again to the byte."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from export.detector import app, to_onnx
from model.errors import InputError
from model.files import sha256
from tests.support.commands import module_command
from tracker.assets import ASSETS
from tracker.detection.anchors import INPUT_SIZES
from tracker.detection.blazeface import FILES, PIXELS, REGRESSIONS, SCORES
from tracker.detection.detection import DetectorModel

ov = pytest.importorskip("openvino")
MODELS: tuple[DetectorModel, ...] = ("full", "short")


@pytest.fixture
def convert(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., SimpleNamespace]:
    return module_command(app, monkeypatch, capsys)


def tflite(model: DetectorModel) -> Path:
    return (ASSETS / FILES[model]).with_suffix(".tflite")


@pytest.mark.parametrize("model", MODELS)
def test_the_shipped_file_is_made_again_to_the_byte(
    convert: Callable[..., SimpleNamespace], model: DetectorModel, tmp_path: Path
) -> None:
    out = tmp_path / "made.onnx"
    result = convert(tflite(model), "--out", out)
    assert result.returncode == 0, result.stderr
    assert sha256(out) in result.stdout
    assert out.read_bytes() == (ASSETS / FILES[model]).read_bytes()
    values = {entry.key: entry.value for entry in onnx.load(out).metadata_props}
    assert values["source_sha256"] == sha256(tflite(model))


@pytest.mark.parametrize("model", MODELS)
def test_it_computes_what_the_tflite_file_does(model: DetectorModel) -> None:
    """Against OpenVINO's own running of the .tflite, which takes -1..1."""
    size = INPUT_SIZES[model]
    pixels = np.random.default_rng(1).integers(0, 256, (1, size, size, 3), dtype=np.uint8)
    compiled = ov.Core().compile_model(tflite(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    expected = compiled([pixels.astype(np.float32) / np.float32(127.5) - 1])
    by_width = {value.shape[-1]: value for value in expected.values()}
    session = ort.InferenceSession(to_onnx(tflite(model)).SerializeToString())
    regressions, scores = session.run([REGRESSIONS, SCORES], {PIXELS: pixels})
    np.testing.assert_allclose(regressions, by_width[16], atol=2e-3)
    np.testing.assert_allclose(scores, by_width[1], atol=2e-3)


def test_files_that_are_no_detectors(
    convert: Callable[..., SimpleNamespace], tmp_path: Path
) -> None:
    junk = tmp_path / "junk.tflite"
    junk.write_bytes(b"no network")
    with pytest.raises(InputError, match="is not a network that OpenVINO reads"):
        to_onnx(junk)
    result = convert(junk, "--out", tmp_path / "a.txt")
    assert result.returncode == 2
    assert "does not end in .onnx" in result.stderr
    missing = convert(tmp_path / "none.tflite", "--out", tmp_path / "a.onnx")
    assert missing.returncode == 2
    assert missing.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["junk.tflite"]
