from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from export.agreement import compare, landmarks_of
from model.errors import InputError
from model.zoo import find_weights
from tracker.assets.portrait import portrait_crops
from tracker.engines.base import normalize
from tracker.engines.onnx_file import read_onnx
from tracker.engines.onnxruntime import OnnxRuntimeEngine
from tracker.engines.tensorrt.half_precision import (
    LIMIT,
    fold_constants,
    measure_peaks,
    overflowing,
    to_half,
)

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16


def _tensor(name: str, shape: list[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, FLOAT, shape)


def _network(gain: float = 1.0) -> onnx.ModelProto:
    """Every kind of operator that our networks have, 8 x 8 pixels; `gain` scales the inside."""
    rng = np.random.default_rng(3)
    weights = {
        "w1": rng.normal(0, 0.3, (6, 5, 3, 3)).astype(np.float32) * gain,
        "b1": rng.normal(0, 0.1, 6).astype(np.float32),
        "scale": rng.uniform(0.5, 1.5, 6).astype(np.float32),
        "shift": rng.normal(0, 0.3, 6).astype(np.float32),
        "mean": rng.normal(0, 0.3, 6).astype(np.float32) * gain,
        # Beyond f16 in the large case, as trained variances may be.
        "variance": rng.uniform(0.5, 2, 6).astype(np.float32) * gain**2,
        "w2": rng.normal(0, 0.3, (4, 6, 1, 1)).astype(np.float32),
        "threshold": np.float32(0.05),
        "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1], dtype=np.int64),
        "scales": np.array([1, 1, 2, 2], dtype=np.float32),
        "axes": np.array([1], dtype=np.int64),
        "two": np.float32(2),
        "three": np.array([1], dtype=np.int64),
        "grid": np.linspace(-1, 1, 128, dtype=np.float32).reshape(1, 2, 8, 8),
    }
    initializers = [numpy_helper.from_array(np.asarray(v), k) for k, v in weights.items()]
    # Stored as our exporter stores weights: in f16 behind a cast.
    half = rng.normal(0, 0.3, (6, 6, 3, 3)).astype(np.float16)
    initializers.append(numpy_helper.from_array(half, "w3.half"))
    node = helper.make_node
    nodes = [
        node("Cast", ["w3.half"], ["w3"], "c0", to=FLOAT),
        node("Pow", ["grid", "two"], ["squares"], "n0"),
        node("Shape", ["image"], ["batch"], "n1", start=0, end=1),
        node("Concat", ["batch", "three", "three", "three"], ["shape"], "n2", axis=0),
        node("Expand", ["squares", "shape"], ["grids"], "n3"),
        node("Concat", ["image", "grids"], ["x0"], "n4", axis=1),
        node("Pad", ["x0", "pads"], ["x1"], "n5", mode="edge"),
        node("Conv", ["x1", "w1", "b1"], ["x2"], "conv1"),
        node(
            "BatchNormalization",
            ["x2", "scale", "shift", "mean", "variance"],
            ["x3"],
            "norm",
            epsilon=1e-3,
        ),
        node("Relu", ["x3"], ["x4"], "n6"),
        node("Conv", ["x4", "w3"], ["x5"], "conv2", pads=[1, 1, 1, 1], strides=[2, 2]),
        node(
            "Resize",
            ["x5", "", "scales"],
            ["x6"],
            "n7",
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
        node("Add", ["x4", "x6"], ["x7"], "n8"),
        node("ReduceMax", ["x6", "axes"], ["x8"], "n9", keepdims=1),
        node("Greater", ["x8", "threshold"], ["x9"], "n10"),
        node("Cast", ["x9"], ["x10"], "n11", to=FLOAT),
        node("Mul", ["x7", "x10"], ["x11"], "n12"),
        node("Sigmoid", ["x11"], ["x12"], "n13"),
        node("Conv", ["x12", "w2"], ["heatmaps"], "last"),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [_tensor("image", ["n", 3, 8, 8])],
        [_tensor("heatmaps", ["n", 4, 8, 8])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, {"propnet.name": "small"})
    onnx.checker.check_model(model, full_check=True)
    return model


def _run(model: onnx.ModelProto, images: np.ndarray, *names: str) -> list[np.ndarray]:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options)
    return session.run(list(names) or None, {"image": images})


@pytest.fixture
def crops() -> np.ndarray:
    return np.random.default_rng(4).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)


def test_folding_changes_nothing_and_leaves_no_constant_work(crops: np.ndarray) -> None:
    model = _network()
    before = model.SerializeToString()
    folded = fold_constants(model)
    assert model.SerializeToString() == before
    images = normalize(crops)
    np.testing.assert_array_equal(_run(folded, images)[0], _run(model, images)[0])
    assert "Pow" not in {node.op_type for node in folded.graph.node}
    # What is left is what the network reads, in 32 bits.
    stored = {t.name: numpy_helper.to_array(t) for t in folded.graph.initializer}
    assert "w3.half" not in stored
    assert stored["w3"].dtype == np.float32
    grid = np.linspace(-1, 1, 128, dtype=np.float32).reshape(1, 2, 8, 8)
    np.testing.assert_allclose(stored["squares"], grid**2, rtol=1e-6)


def _tensor_types(model: onnx.ModelProto) -> dict[str, int]:
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    values = (*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output)
    return {value.name: value.type.tensor_type.elem_type for value in values}


def test_everything_but_input_and_output_is_half(crops: np.ndarray) -> None:
    model = _network()
    half = to_half(model)
    kinds = _tensor_types(half)
    assert kinds.pop("image") == kinds.pop("heatmaps") == FLOAT
    assert FLOAT not in kinds.values()
    floats = [t.name for t in half.graph.initializer if t.data_type == FLOAT]
    assert floats == ["scales.f32"]  # the operator's definition
    # Two casts and the mask's, no more.
    assert sum(node.op_type == "Cast" for node in half.graph.node) == 3
    images = normalize(crops)
    exact, rounded = _run(model, images)[0], _run(half, images)[0]
    assert rounded.dtype == np.float32
    error = np.abs(rounded - exact)
    assert 0 < error.mean() < 1e-3
    assert error.max() < 1e-2
    assert {p.key: p.value for p in half.metadata_props} == {"propnet.name": "small"}


def test_peaks_are_those_of_every_tensor(crops: np.ndarray) -> None:
    model = _network(gain=300)
    peaks = measure_peaks(model, crops)
    assert {"x1", "x2", "x3", "x10", "heatmaps", "grids"} <= set(peaks)
    assert not {"x9", "shape", "w3", "squares"} & set(peaks)
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.append(helper.make_tensor_value_info("x2", FLOAT, None))
    (x2,) = _run(watched, normalize(crops), "x2")
    assert peaks["x2"] == np.abs(x2).max()


def test_layers_that_overflow_stay_in_32_bits(crops: np.ndarray) -> None:
    model = _network(gain=2e5)
    images = normalize(crops)
    exact = _run(model, images)[0]
    # Without measuring, the convolution overflows: this is what must not happen.
    with np.errstate(all="ignore"):
        broken = _run(to_half(model), images)[0]
    assert not np.isfinite(broken).all() or np.abs(broken - exact).max() > 0.05
    keep = overflowing(model, measure_peaks(model, crops))
    # What makes the large values and what takes them in; nothing beyond the normalisation.
    assert keep == ("conv1", "norm")
    half = to_half(model, keep)
    kinds = _tensor_types(half)
    assert kinds["x2"] == kinds["x3"] == FLOAT
    assert kinds["x1"] == kinds["x4"] == kinds["x5"] == HALF
    error = np.abs(_run(half, images)[0] - exact)
    assert error.max() < 1e-2
    # Kept or not, a variance of 4e10 must not reach f16.
    for tensor in half.graph.initializer:
        assert np.isfinite(numpy_helper.to_array(tensor)).all(), tensor.name


def test_the_limit_leaves_room_below_65504() -> None:
    model = _network()
    assert LIMIT < 65504
    assert overflowing(model, {"x5": LIMIT}) == ()
    assert overflowing(model, {"x5": np.nextafter(LIMIT, np.inf)}) == ("conv2", "n7")
    assert overflowing(model, {"x5": np.inf}) == ("conv2", "n7")
    large = _network(gain=1e6)
    assert overflowing(large, {}) == ("conv1", "norm")  # the weights alone


def test_everything_may_be_kept(crops: np.ndarray) -> None:
    model = _network()
    names = tuple(node.name for node in fold_constants(model).graph.node)
    same = to_half(model, names)
    images = normalize(crops)
    np.testing.assert_allclose(_run(same, images)[0], _run(model, images)[0], atol=1e-6)
    assert HALF not in _tensor_types(same).values()
    with pytest.raises(ValueError, match="no such nodes: conv9"):
        to_half(model, ("conv9",))


def test_values_that_are_no_numbers_count_as_overflow() -> None:
    model = _network()
    weights = next(t for t in model.graph.initializer if t.name == "w2")
    values = numpy_helper.to_array(weights).copy()
    values[0] = np.nan
    weights.CopyFrom(numpy_helper.from_array(values, "w2"))
    peaks = measure_peaks(
        model, np.random.default_rng(4).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)
    )
    assert peaks["heatmaps"] == np.inf
    assert np.isfinite(peaks["x12"])


def test_batch_normalisation_against_torch() -> None:
    """The scale and shift that replace mean and variance are torch's, in double precision."""
    model = _network()
    half = to_half(model)
    stored = {t.name: numpy_helper.to_array(t) for t in half.graph.initializer}
    given = {
        t.name: torch.from_numpy(numpy_helper.to_array(t).copy()).double()
        for t in model.graph.initializer
        if t.name in ("scale", "shift", "mean", "variance")
    }
    x = torch.linspace(-3, 3, 60, dtype=torch.float64).reshape(10, 6)
    expected = torch.nn.functional.batch_norm(
        x, given["mean"], given["variance"], given["scale"], given["shift"], eps=1e-3
    )
    ours = x.numpy() * stored["x3.scale.f16"].astype(np.float64) + stored["x3.shift.f16"]
    np.testing.assert_allclose(ours, expected, atol=4e-3)
    assert set(stored["x3.mean.f16"]) == {0}
    assert set(stored["x3.variance.f16"]) == {1}


@pytest.fixture(scope="module")
def shipped() -> Path:
    try:
        return find_weights("propnet-s", ".onnx")
    except InputError as error:
        pytest.skip(f"no trained network: {error}")


def test_the_trained_network_in_half(shipped: Path, tmp_path: Path) -> None:
    """Requirement 2 of the issue on the crops that need no data."""
    model = onnx.load_model_from_string(read_onnx(str(shipped)).data)
    engine = OnnxRuntimeEngine(str(shipped), 1)
    crops = portrait_crops(engine.info.input_size)
    peaks = measure_peaks(model, crops[:4])
    assert 1 < max(peaks.values()) < np.inf
    half = to_half(model, overflowing(model, peaks))
    onnx.save(half, tmp_path / "half.onnx")
    other = OnnxRuntimeEngine(str(tmp_path / "half.onnx"), 1)
    assert other.info == engine.info
    agreement = compare(landmarks_of(engine, crops), landmarks_of(other, crops))
    assert 0 < agreement.mean <= 0.05
    assert np.isfinite(agreement.worst)
    # Nothing of the network is left in 32 bits but input, output and what overflowed: nothing.
    assert (tmp_path / "half.onnx").stat().st_size < 1.05 * shipped.stat().st_size
