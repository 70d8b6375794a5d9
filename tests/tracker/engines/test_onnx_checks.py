"""Damaged networks are one sentence, before an engine takes their word for anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from model.errors import InputError
from model.zoo import find_weights
from tests.support.tiny_onnx import METADATA, tiny_onnx
from tracker.engines.create import create_engine
from tracker.engines.onnx_checks import check_graph, check_names


def _rename(path: Path) -> None:
    data = path.read_bytes()
    assert data.count(b"Sigmoid") == 1
    path.write_bytes(data.replace(b"Sigmoid", b"Sigmoi\xc1"))


def _change(edit: Callable[[onnx.ModelProto], object]) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        model = onnx.load(path)
        edit(model)
        path.write_bytes(model.SerializeToString())

    return change


def _external(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"


def _huge_middle(model: onnx.ModelProto) -> None:
    shape = numpy_helper.from_array(np.array([1 << 20, 1 << 20]), "much")
    model.graph.initializer.append(shape)
    model.graph.node.append(helper.make_node("ConstantOfShape", ["much"], ["unused"]))


def _other_maps(model: onnx.ModelProto) -> None:
    # The graph says 98 maps, its weights make 97: only a run shows it.
    node = model.graph.node[-1]
    inner = "inner"
    node.output[0] = inner
    first = numpy_helper.from_array(np.array([0]), "first")
    last = numpy_helper.from_array(np.array([97]), "last")
    axis = numpy_helper.from_array(np.array([1]), "axis")
    model.graph.initializer.extend([first, last, axis])
    names = [inner, "first", "last", "axis"]
    model.graph.node.append(helper.make_node("Slice", names, ["heatmaps"]))


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_rename, "is damaged .the name b'Sigmoi.*' in it is no text"),
        (_change(_external), "keeps its weights in other files"),
        (_change(lambda m: m.graph.initializer[0].dims.__setitem__(0, 1 << 40)), "its weights are"),
        (_change(lambda m: m.graph.initializer[0].dims.__setitem__(0, -3)), "its weights are"),
        (_change(lambda m: m.graph.initializer[0].dims.__setitem__(0, 97)), "cannot load"),
        (_change(_huge_middle), "is damaged .its tensor 'unused' is too large"),
        (_change(lambda m: m.graph.node.pop(0)), "is damaged"),
        (_change(lambda m: setattr(m.graph.node[0], "op_type", "Nothing")), "is damaged"),
        (_change(_other_maps), "is damaged|cannot"),
    ],
)
def test_damage_is_one_sentence(
    tmp_path: Path, engine: str, damage: Callable[[Path], None], message: str
) -> None:
    path = tiny_onnx(tmp_path / "a.onnx")
    damage(path)
    with pytest.raises(InputError, match=message) as caught:
        create_engine(engine, str(path))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("size", ["40960", "9" * 5000])
def test_a_crop_of_any_size_is_not_believed(tmp_path: Path, size: str) -> None:
    path = tiny_onnx(tmp_path / "a.onnx", metadata={**METADATA, "input_size": size})
    with pytest.raises(InputError, match="impossible input size"):
        create_engine("onnxruntime", str(path))


@pytest.mark.parametrize("name", ["propnet-s", "propnet-m-int8"])
def test_networks_of_ours_are_sound(name: str) -> None:
    path = find_weights(name, ".onnx")
    model = onnx.load(path)
    check_names(model, path)
    check_graph(model, path)
