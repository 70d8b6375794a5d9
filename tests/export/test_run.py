import errno
import functools
import json
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

import export.run as run_module
import export.tensorrt_engine as engine_module
from export.agreement import Agreement, compare, landmarks_of
from export.onnx_graph import _store_half
from export.run import export
from model.config import PropNetConfig
from model.errors import InputError
from model.files import sha256
from model.network.propnet import PropNet
from model.shipped_markups import COFW
from model.weights import Metadata, load_network, save_network
from model.zoo import find_weights
from tests.support.paths import ROOT
from tests.support.small_network import CONFIG, SIZE, exported_small
from tracker.assets.portrait import portrait_crops
from tracker.engines.create import create_engine
from tracker.engines.tensorrt.engine_record import record_path


@pytest.fixture(scope="module")
def weights() -> Path:
    return exported_small()[0]


@pytest.fixture(scope="module")
def graph() -> onnx.ModelProto:
    return onnx.load(exported_small()[1])


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch, graph: onnx.ModelProto) -> None:
    """Takes the exported graph instead of tracing the network again, which takes seconds."""

    def build(*_: Any) -> onnx.ModelProto:
        copy = onnx.ModelProto()
        copy.CopyFrom(graph)
        return copy

    monkeypatch.setattr(run_module, "build_graph", build)


@pytest.fixture(autouse=True)
def few_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two views are enough to tell networks apart; all 24 take seconds.

    Not the first: a map of its has two cells alike, and 16 bits choose the other one.
    """
    monkeypatch.setattr(run_module, "portrait_crops", lambda size: _views(size)[1:3])


_views = functools.cache(portrait_crops)


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_exported_network_is_the_network(weights: Path) -> None:
    network, _ = load_network(str(weights))
    crops = _views(SIZE)[:5]
    planes = torch.from_numpy(np.moveaxis(crops.astype(np.float64), -1, 1) / 127.5 - 1).float()
    with torch.no_grad():
        expected = network(planes)[-1].landmarks.numpy()
    for name in ("onnxruntime", "openvino"):
        engine = create_engine(name, str(exported_small()[1]), 1, "f32")
        # One crop and several: the batch is not fixed.
        np.testing.assert_allclose(engine(crops[:1]), expected[:1], atol=2e-5)
        np.testing.assert_allclose(engine(crops), expected, atol=2e-5)
        engine.close()


def test_the_file_says_what_it_is(weights: Path, graph: onnx.ModelProto) -> None:
    values = {entry.key: entry.value for entry in graph.metadata_props}
    assert values == {
        "propnet.format": "1",
        "propnet.name": "small",
        "propnet.markup": "wflw98",
        "propnet.input_size": str(SIZE),
        "propnet.normalization": "RGB, x / 127.5 - 1",
        "propnet.weights_sha256": sha256(weights),
        "propnet.notes": "random weights",
    }
    engine = create_engine("onnxruntime", str(exported_small()[1]), 1)
    assert engine.info.weights_sha256 == sha256(weights)
    engine.close()
    shapes = {
        v.name: [d.dim_value or d.dim_param for d in v.type.tensor_type.shape.dim]
        for v in (*graph.graph.input, *graph.graph.output)
    }
    side = SIZE // 4
    assert shapes == {
        "image": ["batch", 3, SIZE, SIZE],
        "heatmaps": ["batch", 98, side, side],
        "boundaries": ["batch", 15, side, side],
        "attention": ["batch", side, side],
    }


def test_no_path_of_this_machine_is_inside(graph: onnx.ModelProto) -> None:
    data = graph.SerializeToString()
    folders = {ROOT, Path(torch.__file__).parents[1], Path.home(), Path.cwd()}
    for folder in folders - {Path("/")}:
        assert str(folder).encode() not in data, folder
    assert b".py" not in data


def test_unused_parts_are_left_out(graph: onnx.ModelProto) -> None:
    """The last propagation module feeds nothing at inference."""
    names = " ".join(t.name for t in graph.graph.initializer)
    assert "stacks.0.propagation" in names
    assert "stacks.1.propagation" not in names


def test_storing_weights_in_f16_loses_nothing(weights: Path, graph: onnx.ModelProto) -> None:
    network, _ = load_network(str(weights))
    state = {f"network.{k}": v.numpy() for k, v in network.state_dict().items()}
    stored = {t.name: numpy_helper.to_array(t) for t in graph.graph.initializer}
    halves = [name for name in stored if name.endswith(".half")]
    assert len(halves) > 50
    compared = 0
    for name in halves:
        assert stored[name].dtype == np.float16
        if (key := name.removesuffix(".half")) in state:
            np.testing.assert_array_equal(stored[name].astype(np.float32), state[key])
            compared += 1
    assert compared > 50
    # Values that f16 does not hold stay as they are, and so do small ones.
    values = {
        "exact": np.arange(32, dtype=np.float32) / 8,
        "odd": np.full(32, 0.1, dtype=np.float32),
        "large": np.full(32, 1e6, dtype=np.float32),
        "few": np.ones(3, dtype=np.float32),
        "whole": np.arange(32, dtype=np.int64),
    }
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            [], "w", [], [], [numpy_helper.from_array(v, k) for k, v in values.items()]
        )
    )
    _store_half(model)
    names = {t.name for t in model.graph.initializer}
    assert names == {"exact.half", "odd", "large", "few", "whole"}
    (cast,) = model.graph.node
    assert (cast.input[0], cast.output[0]) == ("exact.half", "exact")


@pytest.mark.usefixtures("ready")
def test_an_existing_file_is_kept(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "net.onnx"
    out.write_text("precious")
    with pytest.raises(InputError, match=r"net\.onnx exists already: .*--overwrite"):
        export(weights=str(weights), out=out)
    assert out.read_text() == "precious"
    export(weights=str(weights), out=out, overwrite=True)
    assert out.read_bytes() == exported_small()[1].read_bytes()
    assert _files(tmp_path) == ["net.onnx"]


def test_a_graph_that_computes_something_else_is_not_written(
    weights: Path, tmp_path: Path, graph: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = onnx.ModelProto()
    wrong.CopyFrom(graph)
    last = next(t for t in wrong.graph.initializer if "stacks.1.to_landmarks.weight" in t.name)
    values = numpy_helper.to_array(last)
    last.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values[::-1]), last.name))
    monkeypatch.setattr(run_module, "build_graph", lambda *_: wrong)
    with pytest.raises(InputError, match=r"net\.onnx is not written: .*differ from torch's by up"):
        export(weights=str(weights), out=tmp_path / "net.onnx")
    assert _files(tmp_path) == []


@pytest.mark.usefixtures("ready")
def test_a_full_disk_leaves_nothing(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(model: onnx.ModelProto, path: Path) -> None:
        path.write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(run_module.onnx, "save_model", full)
    with pytest.raises(InputError, match=r"cannot write .*net\.onnx: No space left on device"):
        export(weights=str(weights), out=tmp_path / "net.onnx")
    assert _files(tmp_path) == []


def test_requests_that_cannot_be_met(weights: Path, tmp_path: Path) -> None:
    def fails(message: str, **options: Any) -> None:
        with pytest.raises(InputError, match=message):
            export(**{"weights": str(weights), **options})

    out = tmp_path / "net.onnx"
    fails("nothing to write")
    fails(r"net\.pb does not end in \.onnx", out=tmp_path / "net.pb")
    fails(r"net\.trt does not end in \.engine", tensorrt=tmp_path / "net.trt")
    fails(rf"--input-size 60 must be a multiple of {CONFIG.step}", out=out, input_size=60)
    fails("--input-size 4 must be", out=out, input_size=4)
    fails("no weights file", out=out, weights=str(tmp_path / "missing.safetensors"))
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(weights.read_bytes()[:-100])
    fails("is damaged or not a safetensors file", out=out, weights=str(damaged))
    fails("missing", out=out, data=tmp_path / "missing")
    damaged.unlink()
    assert _files(tmp_path) == []


def test_agreement_counts_what_is_no_number_as_far() -> None:
    points = np.zeros((4, 5, 2))
    moved = points + np.array([3.0, 4.0])
    assert compare(points, moved) == Agreement(5.0, 5.0, 5.0, 4)
    moved[1, 2, 0] = np.nan
    found = compare(points, moved)
    assert found.worst == found.mean == np.inf
    assert found.p99 == np.inf
    assert "over 4 crops" in str(found)


def test_landmarks_are_decoded_in_parts() -> None:
    rows = np.random.default_rng(0).uniform(0, 1, (19, 2, 16, 16)).astype(np.float32)
    sizes = []

    def run(crops: np.ndarray) -> np.ndarray:
        sizes.append(len(crops))
        return rows[crops[:, 0, 0, 0]]

    numbers = np.arange(19, dtype=np.uint8)[:, None, None, None]
    whole = landmarks_of(lambda crops: rows, numbers[:1])
    np.testing.assert_array_equal(landmarks_of(run, numbers), whole)
    assert max(sizes) <= 8


# TensorRT


@pytest.fixture
def rtx(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorrt_rtx", reason="pip install 'propnet-tracker[rtx]'")


@pytest.fixture
def trained() -> str:
    try:
        find_weights("propnet-s", ".safetensors")
        file = find_weights("propnet-s", ".onnx")
    except InputError as error:
        pytest.skip(f"no trained network: {error}")
    return str(file)


@pytest.mark.usefixtures("rtx", "ready")
def test_an_engine_is_built_once_and_again_when_it_no_longer_fits(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "net.engine"

    def run(**options: Any) -> str:
        export(weights=str(weights), tensorrt=path, rtx=True, **options)
        return capsys.readouterr().out

    text = run()
    assert "f16, batch 1,1,8, TensorRT for RTX 1." in text
    assert "f16 against f32 in ONNX Runtime: mean 0.0" in text
    assert _files(tmp_path) == ["net.engine", "net.engine.json"]
    values = json.loads(record_path(path).read_text())
    assert values["engine_sha256"] == sha256(path)
    assert values["info"]["name"] == "small"
    first = path.stat().st_mtime_ns
    assert "is up to date" in run()
    assert path.stat().st_mtime_ns == first
    assert "again: it is of another network, TensorRT, GPU, precision or batch" in run(
        batch="1,2,4"
    )
    path.write_bytes(path.read_bytes()[:-1])
    assert "cut off, damaged" in run(batch="1,2,4")
    assert "up to date" in run(batch="1,2,4")
    assert "built in" in run(batch="1,2,4", overwrite=True)


@pytest.mark.usefixtures("rtx", "ready")
def test_both_files_at_once(weights: Path, tmp_path: Path) -> None:
    export(
        weights=str(weights),
        out=tmp_path / "a.onnx",
        tensorrt=tmp_path / "a.engine",
        precision="f32",
    )
    assert _files(tmp_path) == ["a.engine", "a.engine.json", "a.onnx"]
    assert json.loads((tmp_path / "a.engine.json").read_text())["precision"] == "f32"


@pytest.mark.usefixtures("rtx", "ready")
def test_f16_that_moves_landmarks_is_not_built(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for mean in (0.051, float("nan"), float("inf")):
        monkeypatch.setattr(
            engine_module,
            "half_agreement",
            lambda *_: Agreement(mean, 1.0, 2.0, 3),  # noqa: B023
        )
        with pytest.raises(InputError, match=r"net\.engine is not written: in f16 .*--precision"):
            export(weights=str(weights), tensorrt=tmp_path / "net.engine")
    assert _files(tmp_path) == []


@pytest.mark.usefixtures("rtx")
def test_engine_requests_that_cannot_be_met(weights: Path, tmp_path: Path) -> None:
    def fails(message: str, **options: Any) -> None:
        with pytest.raises(InputError, match=message):
            export(weights=str(weights), tensorrt=tmp_path / "net.engine", **options)

    fails("no precision 'int8': use f16 or f32", precision="int8")
    fails("three numbers MIN,OPT,MAX", batch="8")
    (tmp_path / "net.engine").write_text("somebody's")
    fails(r"net\.engine exists and is not known to be an engine of this project")
    assert (tmp_path / "net.engine").read_text() == "somebody's"


def test_without_tensorrt_it_says_what_to_install(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tracker.engines.tensorrt.edition as flavour_module

    for module in (engine_module, flavour_module):
        monkeypatch.setattr(module, "installed_flavours", tuple)
    with pytest.raises(InputError, match=r"TensorRT is not installed: pip install .*\[tensorrt\]"):
        export(weights=str(weights), tensorrt=tmp_path / "net.engine")
    # TensorRT itself builds for the GPU that it finds: without one, no engine.
    monkeypatch.setitem(sys.modules, "tensorrt", ModuleType("tensorrt"))
    sys.modules["tensorrt"].__version__ = "10.9"  # type: ignore[attr-defined]
    for module in (engine_module, flavour_module):
        monkeypatch.setattr(module, "installed_flavours", lambda: ("tensorrt",))

    def no_gpu() -> None:
        raise InputError("this machine has no NVIDIA driver.")

    monkeypatch.setattr(engine_module, "find_gpu", no_gpu)
    with pytest.raises(InputError, match="no NVIDIA driver"):
        export(weights=str(weights), tensorrt=tmp_path / "net.engine")


def test_the_trained_network_exports(
    tmp_path: Path, trained: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole command on the shipped weights: the file is the shipped one, the engine its own."""
    built = find_spec("tensorrt_rtx") is not None
    engine_file: dict[str, Any] = (
        {"tensorrt": tmp_path / "net.engine", "rtx": True} if built else {}
    )
    export(weights="propnet-s", out=tmp_path / "net.onnx", **engine_file)
    if built:
        assert "f16 against f32 in ONNX Runtime: mean 0.0" in capsys.readouterr().out
        values = json.loads(record_path(tmp_path / "net.engine").read_text())
        assert values["info"]["name"] == "propnet-s"
        assert values["engine_sha256"] == sha256(tmp_path / "net.engine")
    new, shipped = onnx.load(tmp_path / "net.onnx"), onnx.load(trained)
    assert new.metadata_props == shipped.metadata_props
    crops = _views(int(new.graph.input[0].type.tensor_type.shape.dim[2].dim_value))[:4]
    engines = [create_engine("onnxruntime", str(p), 1) for p in (tmp_path / "net.onnx", trained)]
    agreement = compare(*(landmarks_of(engine, crops) for engine in engines))
    assert agreement.worst < 0.01


def test_the_plainest_network_at_another_size(tmp_path: Path) -> None:
    """The other end of the configuration: no CoordConv, blur or propagation."""
    config = PropNetConfig(
        stacks=1,
        channels=16,
        depth=1,
        propagation=False,
        coord_conv=False,
        blur_kernel=0,
        markup=COFW,
        block="bottleneck",
    )
    network = PropNet(config).eval()
    weights, out = tmp_path / "plain.safetensors", tmp_path / "plain.onnx"
    save_network(weights, network, Metadata("plain", config, 128), torch.float32)
    export(weights=str(weights), out=out, input_size=32)
    engine = create_engine("onnxruntime", str(out), 1)
    assert engine.info.input_size == 32
    crops = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    planes = torch.from_numpy(np.moveaxis(crops / 127.5 - 1, -1, 1).astype(np.float32))
    with torch.no_grad():
        np.testing.assert_allclose(engine(crops), network.landmarks(planes).numpy(), atol=2e-5)
    engine.close()
