import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.errors import InputError
from model.shipped_markups import WFLW
from tests.support.tiny_onnx import METADATA, reference, tiny_onnx
from tracker.engines import create as engines
from tracker.engines import onnx_file
from tracker.engines.base import normalize
from tracker.engines.create import create_engine

NAMES = ("openvino", "onnxruntime")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_onnx(tmp_path_factory.mktemp("weights") / "tiny.onnx"))


@pytest.fixture
def crops() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)


def test_normalize_is_the_formula_planes_first(crops: np.ndarray) -> None:
    planes = normalize(crops)
    assert planes.dtype == np.float32
    assert planes.shape == (5, 3, 64, 64)
    assert planes.flags.c_contiguous
    expected = np.moveaxis(crops / 127.5 - 1, -1, 1)
    np.testing.assert_allclose(planes, expected, atol=2e-7)
    ends = normalize(np.array([[[[0, 255, 0]]]], dtype=np.uint8))
    np.testing.assert_allclose(ends[0, :, 0, 0], [-1, 1, -1], atol=2e-7)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("threads", [None, 1])
def test_engines_compute_the_network(
    name: str, threads: int | None, weights: str, crops: np.ndarray
) -> None:
    engine = create_engine(name, weights, threads, "f32")
    heatmaps = engine(crops)
    assert heatmaps.dtype == np.float32
    np.testing.assert_allclose(heatmaps, reference(crops), atol=2e-6)
    engine.close()


@pytest.mark.parametrize("name", NAMES)
def test_any_number_of_crops_and_results_are_the_callers(
    name: str, weights: str, crops: np.ndarray
) -> None:
    engine = create_engine(name, weights, 1, "f32")
    first = engine(crops[:1])
    kept = first.copy()
    assert engine(crops[:0]).shape == (0, 98, 16, 16)
    np.testing.assert_allclose(engine(crops)[0], kept[0], atol=1e-6)
    engine(crops[3:])
    # A later call must not write into an earlier answer.
    np.testing.assert_array_equal(first, kept)
    first[:] = 0
    np.testing.assert_allclose(engine(crops[:1]), kept, atol=1e-6)
    engine.close()


@pytest.mark.parametrize("name", NAMES)
def test_info_and_description(name: str, weights: str) -> None:
    engine = create_engine(name, weights)
    assert engine.info.name == "tiny"
    assert engine.info.markup == WFLW
    assert engine.info.input_size == 64
    assert engine.info.weights_sha256 == "ab" * 32
    title = {"openvino": "OpenVINO 20", "onnxruntime": "ONNX Runtime 1."}[name]
    assert engine.description.startswith(title)
    assert engine.description.endswith("CPU, f32, 1 thread")
    engine.close()


@pytest.mark.parametrize(
    ("instructions", "loss", "maps", "precision"),
    [
        (True, 0.01, False, "int8"),
        (True, 0.05, False, "f32"),
        (True, None, False, "f32"),
        (False, 0.01, False, "f32"),
        (True, 0.01, True, "f32"),
    ],
)
def test_auto_is_int8_where_that_is_faster_and_as_good(
    monkeypatch: pytest.MonkeyPatch,
    *,
    instructions: bool,
    loss: float | None,
    maps: bool,
    precision: str,
) -> None:
    read = onnx_file.read_onnx

    def measured(*arguments: Any) -> onnx_file.OnnxFile:
        file = read(*arguments)
        return replace(file, int8_loss=loss) if file.int8 else file

    monkeypatch.setattr(engines, "has_dot_products", lambda: instructions)
    monkeypatch.setattr(onnx_file, "read_onnx", measured)
    for name in ("openvino", "onnxruntime"):
        with closing(create_engine(name, "propnet-s", 1, maps=maps)) as engine:
            assert engine.description.endswith(f"CPU, {precision}, 1 thread")
    # What is asked for is what is taken.
    with closing(create_engine("openvino", "propnet-s", 1, "f32")) as engine:
        assert "f32" in engine.description


def test_bf16_is_close_or_refused(weights: str, crops: np.ndarray) -> None:
    try:
        engine = create_engine("openvino", weights, 1, "bf16")
    except InputError as error:
        assert "bf16" in str(error)
        return
    assert "bf16" in engine.description
    heatmaps = engine(crops)
    np.testing.assert_allclose(heatmaps, reference(crops), atol=2e-2)
    engine.close()


def test_auto_takes_the_first_that_is_installed(
    weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "_tensorrt_usable", lambda: False)
    engine = create_engine("auto", weights)
    assert engine.description.startswith("OpenVINO")
    engine.close()
    monkeypatch.setattr(engines, "_installed", lambda package: package != "openvino")
    engine = create_engine("auto", weights)
    assert engine.description.startswith("ONNX Runtime")
    engine.close()
    monkeypatch.setattr(engines, "_installed", lambda package: False)
    with pytest.raises(InputError, match="no engine is installed"):
        create_engine("auto", weights)


@pytest.mark.parametrize("name", NAMES)
def test_an_engine_asked_for_by_name_is_never_replaced(
    name: str, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "_installed", lambda package: package != name)
    with pytest.raises(InputError, match=f"pip install {name}"):
        create_engine(name, weights)


def _rewritten(path: Path, **values: str) -> Path:
    return tiny_onnx(path, metadata={**METADATA, **values})


def _cut(path: Path) -> Path:
    tiny_onnx(path)
    path.write_bytes(path.read_bytes()[:-700])
    return path


def _text(path: Path) -> Path:
    path.write_text("these are not weights\n" * 40)
    return path


def _empty(path: Path) -> Path:
    path.write_bytes(b"")
    return path


BROKEN = {
    "no metadata": (lambda path: tiny_onnx(path, metadata={}), "not exported by this project"),
    "one key missing": (
        lambda path: tiny_onnx(path, metadata={"format": "1", "name": "tiny"}),
        "propnet.markup",
    ),
    "newer format": (lambda path: _rewritten(path, format="2"), "format 2"),
    "unknown markup": (lambda path: _rewritten(path, markup="wflw99"), "unknown markup 'wflw99'"),
    "other markup": (lambda path: _rewritten(path, markup="ibug68"), r"\[68, 16, 16\]"),
    "too few channels": (lambda path: tiny_onnx(path, points=97), r"\[97, 16, 16\]"),
    "other input size": (lambda path: tiny_onnx(path, size=32), r"\[3, 32, 32\]"),
    "odd input size": (lambda path: _rewritten(path, input_size="62"), "input size '62'"),
    "no input size": (lambda path: _rewritten(path, input_size="big"), "input size 'big'"),
    "other output": (lambda path: tiny_onnx(path, output="y"), "no tensor 'heatmaps'"),
    "cut off": (_cut, "not an ONNX file or was cut off"),
    "text": (_text, "not an ONNX file or was cut off"),
    "empty": (_empty, "not exported by this project|not an ONNX file"),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("name", NAMES)
def test_unusable_weights_are_one_sentence(name: str, case: str, tmp_path: Path) -> None:
    make, message = BROKEN[case]
    path = make(tmp_path / "broken.onnx")
    with pytest.raises(InputError, match=message) as caught:
        create_engine(name, str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_requests(weights: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="auto, openvino, onnxruntime"):
        create_engine("tensorflow", weights)
    with pytest.raises(InputError, match="at least one thread"):
        create_engine("auto", weights, threads=0)
    for name, precision in (("onnxruntime", "bf16"), ("onnxruntime", "f16"), ("openvino", "f16")):
        with pytest.raises(InputError, match=f"'{name}' has no precision '{precision}'"):
            create_engine(name, weights, precision=precision)  # type: ignore[arg-type]
    for name in NAMES:
        with pytest.raises(InputError, match="no weights file"):
            create_engine(name, str(tmp_path / "missing.onnx"))


def test_importing_the_package_loads_no_runtime() -> None:
    code = (
        "import sys, tracker, tracker.engines, tracker.engines.base, model.crop;"
        "print([m for m in ('onnxruntime','openvino','onnx','mediapipe','torch') "
        "if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
