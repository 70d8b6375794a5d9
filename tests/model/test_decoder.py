"""The decoder and the normalisation as operators of a graph, in ONNX Runtime, against numpy."""

from pathlib import Path
from typing import get_args

import numpy as np
import onnx
import onnxruntime as ort
import openvino
import pytest
from onnx import TensorProto, helper, numpy_helper

from model.decoder import DECODERS, Decoder, decode
from model.errors import InputError
from tests.support.heatmap_cases import CASES, POINTS, heatmaps
from tests.support.small_network import exported_small
from tests.support.tiny_onnx import reference, tiny_onnx
from tracker.assets.portrait import portrait_crops
from tracker.engines.base import normalize
from tracker.engines.decoder_graph import with_decoder
from tracker.engines.onnx_file import read_onnx
from tracker.engines.tensorrt.half_precision import to_half

# Pixels of the crop. What 32 instead of 64 bits move the Newton step by: measured below 3e-5.
TOLERANCE = 1e-4


def _showing(maps: np.ndarray) -> onnx.ModelProto:
    """A network that shows these maps whatever it sees."""
    points, side = maps.shape[1:3]
    nodes = [
        helper.make_node("ReduceMean", ["image", "axes"], ["grey"], keepdims=1),
        helper.make_node("Mul", ["grey", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "maps"], ["heatmaps"]),
    ]
    size = 4 * side
    graph = helper.make_graph(
        nodes,
        "showing",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, size, size])],
        [helper.make_tensor_value_info("heatmaps", TensorProto.FLOAT, ["n", points, side, side])],
        [
            numpy_helper.from_array(np.array([1, 2, 3]), "axes"),
            numpy_helper.from_array(np.float32(0), "zero"),
            numpy_helper.from_array(maps, "maps"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def _run(model: onnx.ModelProto, pixels: np.ndarray) -> dict[str, np.ndarray]:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"pixels": pixels}), strict=True))


def _agree(results: dict[str, np.ndarray], maps: np.ndarray) -> None:
    """The points are those that numpy decodes from the same maps."""
    for method in get_args(Decoder):
        points, peaks = decode(maps, method)
        assert results[f"points_{method}"].shape == points.shape
        assert results[f"points_{method}"].dtype == results["peaks"].dtype == np.float32
        np.testing.assert_allclose(results[f"points_{method}"], points, rtol=0, atol=TOLERANCE)
        np.testing.assert_array_equal(results["peaks"], peaks)


def _openvino(model: onnx.ModelProto, pixels: np.ndarray) -> dict[str, np.ndarray]:
    core = openvino.Core()
    network = core.read_model(model.SerializeToString())
    compiled = core.compile_model(network, "CPU", _IN_FLOATS)
    results = compiled({"pixels": pixels})
    return {name: results[name] for name in (output.name for output in model.graph.output)}


# As the engine does; a processor with bf16 would take that.
_IN_FLOATS = {"INFERENCE_PRECISION_HINT": "f32"}


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_points_are_those_of_numpy_in_openvino(case: str, channels_last: bool) -> None:
    maps = heatmaps(case, 16)
    crops = np.zeros((len(maps), 64, 64, 3), "u1")
    model = with_decoder(_showing(maps), heatmaps=False, channels_last=channels_last)
    assert "heatmaps" not in {output.name for output in model.graph.output}
    _agree(_openvino(model, crops), maps)


@pytest.mark.parametrize("method", DECODERS)
def test_only_the_decoders_that_are_wanted(method: Decoder) -> None:
    maps = heatmaps("peaks", 16)
    crops = np.zeros((len(maps), 64, 64, 3), "u1")
    results = _run(with_decoder(_showing(maps), (method,)), crops)
    assert set(results) == {"heatmaps", f"points_{method}", "peaks"}
    points, _ = decode(maps, method)
    np.testing.assert_allclose(results[f"points_{method}"], points, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("side", [16, 48])
@pytest.mark.parametrize("case", CASES)
def test_points_are_those_of_numpy(case: str, side: int) -> None:
    maps = heatmaps(case, side)
    results = _run(with_decoder(_showing(maps)), np.zeros((len(maps), 4 * side, 4 * side, 3), "u1"))
    np.testing.assert_array_equal(results["heatmaps"], maps)
    _agree(results, maps)


def test_the_cases_have_what_they_promise() -> None:
    """Ties, plateaus and borders are there, or the test above would prove little."""
    ties = heatmaps("ties").reshape(-1, 256)
    assert ((ties == ties.max(axis=1, keepdims=True)).sum(axis=1) > 1).all()
    where = heatmaps("edges").reshape(-1, 256).argmax(axis=1)
    assert {0, 15, 240, 255} <= set(where)
    peaks, _ = decode(heatmaps("peaks"), "dark")
    assert (np.abs(peaks - decode(heatmaps("peaks"), "quarter")[0]) > 0.1).any()
    noise, _ = decode(heatmaps("noise"), "dark")
    assert (np.abs(noise - decode(heatmaps("noise"), "centroid")[0]) > 1).any()


def test_maps_that_are_no_numbers_stay_inside_the_crop() -> None:
    maps = np.full((1, POINTS, 16, 16), np.nan, dtype=np.float32)
    results = _run(with_decoder(_showing(maps)), np.zeros((1, 64, 64, 3), "u1"))
    for method in get_args(Decoder):
        points = results[f"points_{method}"]
        assert ((points >= 0) & (points < 64)).all()


def test_bytes_become_what_every_engine_reads(tmp_path: Path) -> None:
    crops = np.random.default_rng(1).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    crops[0, :16, :16, 0] = np.arange(256, dtype=np.uint8).reshape(16, 16)  # every value
    model = with_decoder(onnx.load(tiny_onnx(tmp_path / "tiny.onnx")))
    results = _run(model, crops)
    np.testing.assert_allclose(results["heatmaps"], reference(crops), atol=2e-6)
    _agree(results, results["heatmaps"])
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.append(helper.make_tensor_value_info("image", TensorProto.FLOAT, None))
    np.testing.assert_array_equal(_run(watched, crops)["image"], normalize(crops))


def test_the_interface_of_the_graph(tmp_path: Path) -> None:
    before = onnx.load(tiny_onnx(tmp_path / "tiny.onnx"))
    kept = before.SerializeToString()
    # Boundary and attention maps go on.
    small = helper.make_tensor_value_info("small", TensorProto.FLOAT, ["batch", 3, 16, 16])
    before.graph.output.append(small)
    model = with_decoder(before)
    assert len(with_decoder(before, ()).graph.output) == 2
    del before.graph.output[1:]
    assert before.SerializeToString() == kept
    (pixels,) = model.graph.input
    assert pixels.name == "pixels"
    assert pixels.type.tensor_type.elem_type == TensorProto.UINT8
    assert [dim.dim_value for dim in pixels.type.tensor_type.shape.dim] == [0, 64, 64, 3]
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in model.graph.output
    }
    assert shapes == {
        "heatmaps": [0, 98, 16, 16],
        "small": [0, 3, 16, 16],
        "points_centroid": [0, 98, 2],
        "points_dark": [0, 98, 2],
        "points_quarter": [0, 98, 2],
        "peaks": [0, 98],
    }
    # TensorRT takes bytes into a cast and into nothing else.
    readers = [node.op_type for node in model.graph.node if "pixels" in node.input]
    assert readers == ["Cast"]
    assert {p.key: p.value for p in model.metadata_props} == {
        p.key: p.value for p in before.metadata_props
    }


@pytest.mark.parametrize("half", [False, True])
def test_a_propnet_from_bytes_to_points(half: bool) -> None:
    """The whole graph that TensorRT gets, with every part of a PropNet inside."""
    plain = onnx.load_model_from_string(read_onnx(str(exported_small()[1])).data)
    model = to_half(plain) if half else plain
    crops = portrait_crops(64)[:4]
    results = _run(with_decoder(model), crops)
    session = ort.InferenceSession(model.SerializeToString())
    (maps,) = session.run(["heatmaps"], {"image": normalize(crops)})
    np.testing.assert_allclose(results["heatmaps"], maps, atol=0.01 if half else 1e-5)
    _agree(results, results["heatmaps"])


def test_real_heatmaps() -> None:
    try:
        model = onnx.load_model_from_string(read_onnx("propnet-s").data)
    except InputError as error:
        pytest.skip(f"no trained network: {error}")
    size = model.graph.input[0].type.tensor_type.shape.dim[2].dim_value
    results = _run(with_decoder(model), portrait_crops(size))
    _agree(results, results["heatmaps"])
    assert results["peaks"].mean() > 0.5  # faces that it sees
