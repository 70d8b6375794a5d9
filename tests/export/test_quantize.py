import functools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import export.quantize as quantize_module
from export.agreement import landmarks_of
from export.check import check
from export.compared_engines import Network, int8_network, opened
from export.int8.calibration_crops import training_crops
from export.int8.channel_ranges import equalize
from export.int8.float_layers import parts_of
from export.int8.qdq_graph import dense_layers, multiplications, restore, to_floats
from export.labelled_crops import LabelledCrops, labelled_crops
from export.onnx_graph import build_graph
from export.quantize import quantize
from model import zoo
from model.errors import InputError
from model.files import sha256
from model.network.propnet import PropNet
from model.shipped_markups import WFLW
from model.weights import Metadata, save_network
from tests.support.face_files import write_faces
from tests.support.own_files import arrow_markup, write_coco_folder
from tests.support.small_network import CONFIG, SIZE, exported_small, with_statistics
from tests.support.tiny_onnx import METADATA, tiny_onnx
from tracker.engines import create as engines
from tracker.engines.base import ModelInfo
from tracker.engines.create import create_engine
from tracker.engines.onnx_file import read_onnx, with_outputs
from train.data.datasets import OwnPoints, read_dataset

ENGINES = ("openvino", "onnxruntime")


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("faces"), train=20, test=4)


@pytest.fixture(scope="module")
def floats() -> onnx.ModelProto:
    return to_floats(onnx.load_model_from_string(read_onnx(str(exported_small()[1])).data))


@pytest.fixture
def labelled(monkeypatch: pytest.MonkeyPatch, faces: Path) -> LabelledCrops:
    """Test faces labelled by the network itself: its NME is 0, and whatever moves adds to it."""
    crops = labelled_crops(read_dataset("wflw", faces, "test"), SIZE).images
    engine = create_engine("onnxruntime", str(exported_small()[1]), 1)
    own = LabelledCrops(crops, landmarks_of(engine, crops), WFLW)
    engine.close()
    monkeypatch.setattr(quantize_module, "labelled_crops", lambda samples, size: own)
    return own


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantize_module, "_CHOICE", 4)


@pytest.fixture(scope="module")
def int8(tmp_path_factory: pytest.TempPathFactory, faces: Path) -> Path:
    """The small network in 8 bits, by the real command, all of it."""
    pytest.importorskip("nncf", reason="pip install 'propnet-tracker[int8]'")
    out = tmp_path_factory.mktemp("int8") / "small-int8.onnx"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantize_module, "_CHOICE", 4)
        quantize(
            onnx_file=exported_small()[1],
            data=[faces],
            out=out,
            crops=8,
            # Random weights: the heatmaps have no peaks, so their maxima may be anywhere.
            max_loss=1e6,
            float_share=0.0,
            threads=1,
            json_file=out.with_suffix(".json"),
        )
    return out


def _operators(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(path).graph.node]


def test_the_file_says_what_it_is(int8: Path) -> None:
    before = {entry.key: entry.value for entry in onnx.load(exported_small()[1]).metadata_props}
    after = {entry.key: entry.value for entry in onnx.load(int8).metadata_props}
    file = read_onnx(str(int8))
    loss = after.pop("propnet.int8_loss")
    assert after == before | {"propnet.precision": "int8"}
    assert file.int8
    assert file.info == read_onnx(str(exported_small()[1])).info
    figures = json.loads(int8.with_suffix(".json").read_text())
    assert figures["weights_sha256"] == sha256(exported_small()[0])
    assert figures["bytes"] == int8.stat().st_size
    assert [engine["engine"] for engine in figures["engines"]] == list(ENGINES)
    # What it costs in the worse engine, so that nobody has to measure it again.
    assert file.int8_loss == float(loss)
    worst = max(engine["change"] for engine in figures["engines"])
    assert file.int8_loss == pytest.approx(worst, abs=1e-4)


def test_dense_weights_are_stored_in_8_bits(int8: Path, floats: onnx.ModelProto) -> None:
    model = onnx.load(int8)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    makers = {output: node for node in model.graph.node for output in node.output}
    convolutions = {node.name: node for node in model.graph.node if node.op_type == "Conv"}
    assert set(dense_layers(floats)) < set(convolutions)
    for name, node in convolutions.items():
        if name in dense_layers(floats):
            weights = makers[node.input[1]]
            assert weights.op_type == makers[node.input[0]].op_type == "DequantizeLinear"
            assert stored[weights.input[0]].data_type == onnx.TensorProto.INT8
        else:
            assert stored[node.input[1]].data_type == onnx.TensorProto.FLOAT
    # No f16 weights behind casts are left over.
    assert "Cast" not in [n.op_type for n in model.graph.node if n.input[0] in stored]


@pytest.mark.parametrize("name", ENGINES)
def test_heatmaps_stay_close(name: str, int8: Path, faces: Path) -> None:
    crops = labelled_crops(read_dataset("wflw", faces, "test"), SIZE).images
    exact = create_engine("onnxruntime", str(exported_small()[1]), 1)
    engine = create_engine(name, str(int8), 1, "int8")
    assert engine.description.endswith("CPU, int8, 1 thread")
    expected, found = exact(crops), engine(crops)
    error = np.sqrt(np.mean((found - expected) ** 2)) / expected.std()
    # 8 bits of a hundred layers: a fault would be of the size of the maps themselves.
    assert 1e-4 < error < 0.2
    # One crop at a time or all at once.
    np.testing.assert_allclose(engine(crops[:1]), found[:1], atol=1e-5 * np.abs(found).max())
    for each in (exact, engine):
        each.close()


@pytest.mark.usefixtures("labelled")
def test_a_network_that_loses_too_much_is_not_written(
    int8: Path, tmp_path: Path, faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The same network on the same crops again: what comes out is there already.
    monkeypatch.setattr(quantize_module, "quantize_layers", lambda *_: onnx.load(int8))
    out = tmp_path / "net-int8.onnx"
    options: dict[str, Any] = {
        "onnx_file": exported_small()[1], "data": [faces], "out": out, "crops": 8, "threads": 1,
    }  # fmt: skip
    with pytest.raises(InputError, match=r"net-int8\.onnx is not written: in openvino the dev NME"):
        quantize(**options, max_loss=0.0, float_share=0.0)
    assert list(tmp_path.iterdir()) == []


def test_equal_channels_change_nothing(floats: onnx.ModelProto, faces: Path) -> None:
    crops = labelled_crops(read_dataset("wflw", faces, "test"), SIZE).images
    ranges = _equalized(floats, crops)
    # Behind every ReLU the channels' maxima differ less, by half their logarithms' spread and more.
    assert len(ranges[0]) > 50
    assert np.median(ranges[1]) < 0.75 * np.median(ranges[0])


def test_channels_that_a_depthwise_filter_reads(faces: Path) -> None:
    """The blocks for processors: there a channel's weights are those of its own filter."""
    crops = labelled_crops(read_dataset("wflw", faces, "test"), SIZE).images
    config = replace(CONFIG, block="separable", widths=(32,), attention_depth=1, blur_kernel=2)
    torch.manual_seed(0)
    network = with_statistics(PropNet(config).eval())
    graph = build_graph(network, Metadata("light", config, SIZE, "random weights"), SIZE)
    light = with_outputs(to_floats(graph), {"heatmaps"})
    assert len(dense_layers(light)) < len(multiplications(light))
    ranges = _equalized(light, crops)
    assert len(ranges[0]) > 10
    assert np.median(ranges[1]) < np.median(ranges[0])


def _equalized(floats: onnx.ModelProto, crops: np.ndarray) -> list[list[float]]:
    """Spreads of channels before and after; what the network computes is the same."""
    equal = equalize(floats, crops)
    expected, found = (_run(model, crops) for model in (floats, equal))
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    return [_ranges(model, crops) for model in (floats, equal)]


def test_every_layer_can_go_back_to_floats(int8: Path, faces: Path) -> None:
    crops = training_crops(read_dataset("wflw", faces, "train"), SIZE, 8, 4).calibration
    equal = equalize(to_floats(onnx.load(exported_small()[1])), crops)
    whole = restore(onnx.load(int8), equal, dense_layers(equal))
    assert "QuantizeLinear" not in [node.op_type for node in whole.graph.node]
    test = labelled_crops(read_dataset("wflw", faces, "test"), SIZE).images
    expected, found = (_run(model, test) for model in (equal, whole))
    # Biases that were corrected for 8 bits must not be left.
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    half = restore(onnx.load(int8), equal, dense_layers(equal)[:10])
    count = [node.op_type for node in half.graph.node].count("QuantizeLinear")
    assert 0 < count < _operators(int8).count("QuantizeLinear")


def test_parts_and_their_work(floats: onnx.ModelProto) -> None:
    layers = dense_layers(floats)
    parts = parts_of(layers)
    assert sorted(layer for names in parts.values() for layer in names) == sorted(layers)
    assert parts["stacks.0.to_landmarks"] == ("stacks.0.to_landmarks",)
    assert parts["stacks.0.propagation.merge"] == ("stacks.0.propagation.merge",)
    assert len(parts["stacks.1.hourglass"]) > 10
    work = multiplications(floats)
    # 16 features to 98 maps of a quarter of the side.
    assert work["stacks.1.to_landmarks"] == 16 * 98 * (SIZE // 4) ** 2
    assert work["stacks.0.propagation.to_boundaries"] == 98 * 15 * 49 * (SIZE // 4) ** 2
    assert set(layers) < set(work)


def test_calibration_faces_are_of_the_training_split(faces: Path) -> None:
    crops = training_crops(read_dataset("wflw", faces, "train"), SIZE, 12, 8)
    assert crops.calibration.shape == (12, SIZE, SIZE, 3)
    assert crops.choice.points.shape == (8, 98, 2)
    # The jitter leaves the faces in sight.
    assert crops.choice.points.min() > -0.03 * SIZE
    assert crops.choice.points.max() < 1.03 * SIZE
    everything = np.concatenate([crops.calibration, crops.choice.images])
    assert len(np.unique(everything.reshape(20, -1), axis=0)) == 20
    np.testing.assert_array_equal(
        training_crops(read_dataset("wflw", faces, "train"), SIZE, 12, 8).calibration,
        crops.calibration,
    )
    with pytest.raises(InputError, match="has 20 faces, calibration needs 21"):
        training_crops(read_dataset("wflw", faces, "train"), SIZE, 13, 8)


def test_points_of_ones_own(tmp_path: Path) -> None:
    config = replace(CONFIG, stacks=1, markup=arrow_markup())
    torch.manual_seed(0)
    network = with_statistics(PropNet(config).eval())
    weights = tmp_path / "arrow.safetensors"
    save_network(weights, network, Metadata("arrow", config, SIZE, "random weights"))
    write_coco_folder(tmp_path / "data", 12)
    out, figures = tmp_path / "arrow-int8.onnx", tmp_path / "figures.json"
    quantize(
        weights=str(weights), data=[tmp_path / "data"], dataset="coco", out=out, crops=6,
        max_loss=1e6, float_share=0, json_file=figures,
    )  # fmt: skip
    info = read_onnx(str(out), "int8").info
    assert (info.name, info.markup) == ("arrow", arrow_markup())
    # Of noise, but a number: points that nobody labelled are not counted.
    assert np.isfinite(json.loads(figures.read_text())["dev_nme"])


def test_points_that_nobody_labelled_are_not_counted(tmp_path: Path) -> None:
    write_coco_folder(tmp_path / "data", 12)
    own = OwnPoints(arrow_markup())
    crops = labelled_crops(read_dataset("coco", tmp_path / "data", "dev", own=own), SIZE)
    crops.points[0, 1] = np.nan
    units = arrow_markup().normalizer(crops.points)
    moved = np.nan_to_num(crops.points) + np.array([3, 4])
    moved[0, 1] = 1e6
    info = ModelInfo("arrow", arrow_markup(), SIZE, "")
    assert crops.nme(moved, info) == pytest.approx(500 * np.mean(1 / units))


def test_engines_and_files_fit_together(
    int8: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = str(tiny_onnx(tmp_path / "tiny.onnx"))
    for name in ENGINES:
        engine = create_engine(name, str(int8), 1)
        assert engine.description.endswith("CPU, int8, 1 thread")
        engine.close()
        with pytest.raises(InputError, match=r"tiny\.onnx is not an int8 network"):
            create_engine(name, plain, 1, "int8")
        with pytest.raises(InputError, match=r"is an int8 network and has no precision 'f32'"):
            create_engine(name, str(int8), 1, "f32")
    with pytest.raises(InputError, match="'tensorrt' has no precision 'int8'"):
        create_engine("tensorrt", str(int8), 1, "int8")
    odd = tiny_onnx(tmp_path / "odd.onnx", metadata=METADATA | {"precision": "int4"})
    with pytest.raises(InputError, match="unknown precision 'int4'"):
        read_onnx(str(odd))
    # With a GPU in the machine, too, an int8 network goes to the processor.
    monkeypatch.setattr(engines, "_tensorrt_usable", lambda: True)
    assert engines._choose(plain, "auto") == "tensorrt"
    assert engines._choose(str(int8), "auto") == "openvino"
    assert engines._choose(plain, "int8") == "openvino"


def test_the_shipped_name_finds_its_int8_file(
    int8: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "net.onnx").write_bytes(exported_small()[1].read_bytes())
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path)
    monkeypatch.setattr(zoo, "SUMS", tmp_path / "SHA256SUMS")
    zoo.SUMS.write_text(f"{sha256(tmp_path / 'net.onnx')}  net.onnx\n")
    with pytest.raises(InputError, match="no int8 file of 'net' is shipped: make one with"):
        create_engine("openvino", "net", 1, "int8")
    with pytest.raises(InputError, match="no shipped weights 'other-int8'"):
        create_engine("openvino", "other", 1, "int8")
    (tmp_path / "net-int8.onnx").write_bytes(int8.read_bytes())
    with zoo.SUMS.open("a") as file:
        file.write(f"{sha256(int8)}  net-int8.onnx\n")
    for name, precision in (("net", "int8"), ("net-int8", "auto"), ("net", "f32")):
        engine = create_engine("openvino", name, 1, precision)  # type: ignore[arg-type]
        assert engine.description.endswith(f"{'f32' if precision == 'f32' else 'int8'}, 1 thread")
        engine.close()


def test_check_compares_it(
    int8: Path,
    faces: Path,
    tmp_path: Path,
    labelled: LabelledCrops,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import export.check as check_module

    monkeypatch.setattr(check_module, "portrait_crops", lambda size: labelled.images)
    weights, file = exported_small()
    figures = tmp_path / "figures.json"
    options: dict[str, Any] = {
        "weights": str(weights), "onnx_file": file, "threads": 1, "json_file": figures,
        "engines": "openvino-int8,onnxruntime-int8",
    }  # fmt: skip
    check(**options, int8=int8, tolerance=1e6)
    names = [engine["name"] for engine in json.loads(figures.read_text())["engines"]]
    assert names == ["openvino-int8", "onnxruntime-int8"]
    # Landmarks of noise are all over the place: far over what an int8 engine may be off.
    with pytest.raises(SystemExit):
        check(**options, int8=int8)
    with pytest.raises(InputError, match=r"no int8 network of .*small\.safetensors: make one with"):
        check(**options)
    with pytest.raises(InputError, match="is not an int8 network"):
        check(**options, int8=file)


def test_an_int8_file_beside_the_weights_is_theirs(int8: Path, tmp_path: Path) -> None:
    weights = tmp_path / "small.safetensors"
    weights.write_bytes(exported_small()[0].read_bytes())
    assert int8_network(str(weights)) is None
    beside = tmp_path / "small-int8.onnx"
    beside.write_bytes(int8.read_bytes())
    assert int8_network(str(weights)) == beside
    network = Network(
        str(weights), exported_small()[1], None, np.zeros(0, np.uint8), 1, int8=beside
    )
    with opened("onnxruntime-int8", network) as engine:
        assert engine.description.endswith("int8, 1 thread")
    model = onnx.load(beside)
    for entry in model.metadata_props:
        if entry.key == "propnet.weights_sha256":
            entry.value = "cd" * 32
    onnx.save(model, beside)
    with pytest.raises(InputError, match="was not made from the weights"):
        int8_network(str(weights))


def test_requests_that_cannot_be_met(
    int8: Path, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = exported_small()[1]

    def fails(message: str, **options: Any) -> None:
        values = {"data": [faces], "out": tmp_path / "net-int8.onnx", **options}
        with pytest.raises(InputError, match=message):
            quantize(**values)

    fails(r"net\.onnx must end in -int8\.onnx", onnx_file=file, out=tmp_path / "net.onnx")
    fails("exists already: .*--overwrite", onnx_file=file, out=int8)
    fails("give either --weights or --onnx")
    fails("give either --weights or --onnx", onnx_file=file, weights="propnet-s")
    fails("is an int8 network and has no precision 'f32'", onnx_file=int8)
    fails("no weights file", weights=str(tmp_path / "missing.safetensors"))
    fails("does not exist", onnx_file=file, data=[tmp_path / "missing"])
    fails("has 20 faces, calibration needs 304", onnx_file=file)
    other = tiny_onnx(tmp_path / "t.onnx", points=68, metadata=METADATA | {"markup": "ibug68"})
    fails("finds the points of ibug68, the faces have those of wflw98", onnx_file=other)
    fails("--dataset is 'yolo'; choose one of", onnx_file=file, dataset="yolo")
    other.unlink()
    monkeypatch.setattr("export.int8.quantizer.find_spec", lambda name: None)
    fails(r"needs nncf: pip install 'propnet-tracker\[int8\]'", onnx_file=file)
    assert list(tmp_path.iterdir()) == []


@functools.cache
def _session(data: bytes) -> Any:
    import onnxruntime as ort

    return ort.InferenceSession(data, providers=["CPUExecutionProvider"])


def _ranges(model: onnx.ModelProto, crops: np.ndarray) -> list[float]:
    """Spread of the channels' maxima behind every ReLU."""
    names = [node.output[0] for node in model.graph.node if node.op_type == "Relu"]
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    for name in names:
        probe.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    planes = np.moveaxis(crops / 127.5 - 1, -1, 1).astype(np.float32)
    maps = _session(probe.SerializeToString()).run(names, {"image": planes})
    peaks = [values.max(axis=(0, 2, 3)) for values in maps]
    return [float(np.log(peak[peak > 1e-3]).std()) for peak in peaks]


def _run(model: onnx.ModelProto, crops: np.ndarray) -> np.ndarray:
    planes = np.moveaxis(crops / 127.5 - 1, -1, 1).astype(np.float32)
    return np.asarray(_session(model.SerializeToString()).run(["heatmaps"], {"image": planes})[0])
