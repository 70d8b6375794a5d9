"""Boundary and attention maps from the network to the face."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from export.onnx_graph import build_graph
from model.config import PropNetConfig
from model.crop import crop_image
from model.errors import InputError
from model.network.propnet import PropNet
from model.weights import Metadata, load_network
from tests.support.small_network import CONFIG, SIZE, exported_small
from tests.support.tiny_onnx import tiny_onnx
from tests.support.tracked_scene import SceneDetector, SceneEngine, paint, pose
from tracker import Tracker, TrackerOptions
from tracker.engines import create as engines
from tracker.engines.base import Maps
from tracker.engines.create import create_engine
from tracker.engines.onnx_file import read_onnx, with_outputs

CROPS = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)
NAMES = ("openvino", "onnxruntime", "torch")


def weights(name: str) -> str:
    trained, exported = exported_small()
    return str(trained if name == "torch" else exported)


@pytest.mark.parametrize("name", NAMES)
def test_engines_hand_out_the_networks_own_maps(name: str) -> None:
    network, _ = load_network(weights("torch"))
    planes = torch.from_numpy(np.moveaxis(CROPS / 127.5 - 1, -1, 1)).float()
    with torch.no_grad():
        first, last = network(planes)
    engine = create_engine(name, weights(name), 1, "f32", maps=True)
    heatmaps, maps = engine.with_maps(CROPS)  # type: ignore[attr-defined]
    np.testing.assert_allclose(heatmaps, last.landmarks.numpy(), atol=2e-5)
    np.testing.assert_allclose(maps.boundaries, first.boundaries.numpy(), atol=2e-5)
    np.testing.assert_allclose(maps.attention, first.attention.numpy().mean(axis=1), atol=2e-5)
    assert maps.boundaries.dtype == maps.attention.dtype == np.float32
    np.testing.assert_allclose(engine(CROPS), heatmaps, atol=2e-5)
    # They are the caller's.
    kept = maps.attention.copy()
    engine.with_maps(CROPS[::-1])  # type: ignore[attr-defined]
    np.testing.assert_array_equal(maps.attention, kept)
    none, empty = engine.with_maps(CROPS[:0])  # type: ignore[attr-defined]
    assert len(none) == len(empty.boundaries) == len(empty.attention) == 0
    engine.close()


def test_engines_without_maps_see_the_graph_without_them() -> None:
    whole = onnx.load(weights("onnx"))
    plain = onnx.load_model_from_string(read_onnx(weights("onnx")).data)
    assert [output.name for output in plain.graph.output] == ["heatmaps"]
    onnx.checker.check_model(plain, full_check=True)
    # The mean over the channels, its axes, and nothing else.
    gone = [node.op_type for node in whole.graph.node]
    for node in plain.graph.node:
        gone.remove(node.op_type)
    assert gone == ["ReduceMean"]
    assert len(whole.graph.initializer) - len(plain.graph.initializer) <= 1
    mapped = onnx.load_model_from_string(read_onnx(weights("onnx"), maps=True).data)
    assert mapped == whole


def test_a_file_without_maps_is_left_as_it_is(tmp_path: Path) -> None:
    path = tiny_onnx(tmp_path / "tiny.onnx")
    assert read_onnx(str(path)).data == path.read_bytes()


def test_pruning_keeps_what_is_needed_and_no_more() -> None:
    graph = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 20]>
        g (float[2] x) => (float[2] a, float[2] b) <float[2] u = {1, 2}, float[2] v = {3, 4}> {
            m = Add(x, u)
            a = Relu(m)
            n = Mul(m, v)
            b = Neg(n)
        }"""
    )
    onnx.helper.set_model_props(graph, {"propnet.name": "tiny"})
    graph = with_outputs(graph, {"a"})
    assert [(entry.key, entry.value) for entry in graph.metadata_props] == [
        ("propnet.name", "tiny")
    ]
    assert [node.op_type for node in graph.graph.node] == ["Add", "Relu"]
    assert [tensor.name for tensor in graph.graph.initializer] == ["u"]
    assert [output.name for output in graph.graph.output] == ["a"]
    onnx.checker.check_model(graph)


@pytest.mark.parametrize("name", NAMES[:2])
def test_old_files_work_but_for_the_maps(name: str, tmp_path: Path) -> None:
    path = str(tiny_onnx(tmp_path / "tiny.onnx"))
    create_engine(name, path, 1).close()
    with pytest.raises(InputError, match=r"tiny\.onnx has no boundary and attention maps .* again"):
        create_engine(name, path, 1, maps=True)


def test_networks_without_propagation_have_none(tmp_path: Path) -> None:
    # Its only propagation module is the last one, which is left out; the rest is as plain as it
    # can be, because tracing takes time.
    config = PropNetConfig(
        stacks=1, channels=16, depth=1, coord_conv=False, blur_kernel=0, block="bottleneck"
    )
    assert config.propagation
    network = PropNet(config).eval()
    assert not network.has_maps
    assert PropNet(CONFIG).has_maps
    graph = build_graph(network, Metadata("one", config, 32), 32)
    assert [output.name for output in graph.graph.output] == ["heatmaps"]


def test_tensorrt_refuses_and_auto_passes_it_over(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tensorrt", "auto"):
        with pytest.raises(
            InputError, match=r"'tensorrt' has no boundary .* openvino, onnxruntime"
        ):
            create_engine(name, "net.engine", maps=True)
    monkeypatch.setattr(engines, "_tensorrt_usable", lambda: True)
    engine = create_engine("auto", weights("onnx"), 1, maps=True)
    assert engine.description.startswith("OpenVINO")
    engine.close()


class SceneMapEngine(SceneEngine):
    """Painted faces whose attention is the crop's own green, at the maps' size."""

    maps = True

    def with_maps(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], Maps]:
        small = crops.reshape(len(crops), 64, 4, 64, 4, 3).mean(axis=(2, 4)).astype(np.float32)
        return self(crops), Maps(np.zeros((len(crops), 15, 64, 64), np.float32), small[..., 1])


def tracker(monkeypatch: pytest.MonkeyPatch, engine: SceneEngine, maps: bool) -> Tracker:
    monkeypatch.setattr("tracker.tracking.face_tracker.open_finder", lambda *_: SceneDetector())
    return Tracker(engine=engine, options=TrackerOptions(max_faces=2, maps=maps))


def test_faces_come_with_the_maps_of_their_region(monkeypatch: pytest.MonkeyPatch) -> None:
    follow = tracker(monkeypatch, SceneMapEngine(), True)
    for index, x in enumerate((200, 205, 210)):
        image = paint([pose(x, 240, 120), pose(450, 200, 150, 20)])
        faces = follow(image, index / 30)
        assert len(faces) == 2
        assert np.abs(faces[0].maps.attention - faces[1].maps.attention).mean() > 1
        for face in faces:
            crop = crop_image(image, face.region, 256)
            own = SceneMapEngine().with_maps(crop[None])[1].attention[0]
            np.testing.assert_allclose(face.maps.attention, own, atol=1e-3)
    again = follow.with_maps(image, faces)
    np.testing.assert_array_equal(again[1].maps.attention, faces[1].maps.attention)
    assert follow.with_maps(image, ()) == ()
    plain = tracker(monkeypatch, SceneMapEngine(), False)
    assert [face.maps for face in plain(image, 0.0)] == [None, None]


def test_an_engine_without_maps_is_no_engine_for_a_tracker_with_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(InputError, match=r"painted faces hands out no .*maps=True"):
        tracker(monkeypatch, SceneEngine(), True)
