"""A network that shows the same 98 landmarks in every crop: for tests of all that is around it."""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from model.crop import CROP_SCALE
from model.heatmap import crop_to_heatmap, encode_boundaries, encode_landmarks
from model.markup import Markup
from model.shipped_markups import WFLW
from tests.support.tiny_onnx import METADATA
from tests.support.tracked_scene import TEMPLATE
from tracker.engines.onnx_file import markup_text

SIZE = 64


def template_onnx(
    path: Path,
    more: bool = False,
    markup: Markup = WFLW,
    template: NDArray[np.float64] = TEMPLATE,
) -> Path:
    """Write the file; with boundary and attention maps if wanted, the latter falling to the right.

    The maps do not depend on the picture either. `template` [K, 2]: the points in their own box.
    """
    points = (0.5 + (template - 0.5) / CROP_SCALE) * SIZE - 0.5
    maps = encode_landmarks(crop_to_heatmap(points), SIZE // 4)[None]
    nodes = [
        helper.make_node("AveragePool", ["image"], ["small"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("ReduceMean", ["small", "axes"], ["grey"], keepdims=1),
        helper.make_node("Mul", ["grey", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "maps"], ["heatmaps"]),
    ]
    outputs = [
        helper.make_tensor_value_info("heatmaps", TensorProto.FLOAT, ["n", markup.points, 16, 16])
    ]
    constants = []
    if more:
        side = SIZE // 4
        curves = encode_boundaries(crop_to_heatmap(points), markup.curves, side)
        fall = np.tile(np.linspace(0.7, 0.3, side), (side, 1))
        for name, values in (("boundaries", curves), ("attention", fall)):
            constants.append(
                helper.make_tensor(
                    f"{name}.values",
                    TensorProto.FLOAT,
                    (1, *values.shape),
                    values.astype("f4").ravel(),
                )
            )
            source = "nothing" if name == "boundaries" else "nothing.flat"
            nodes.append(helper.make_node("Add", [source, f"{name}.values"], [name]))
            outputs.append(
                helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *values.shape])
            )
        nodes.insert(-1, helper.make_node("Squeeze", ["nothing", "axes"], ["nothing.flat"]))
    graph = helper.make_graph(
        nodes,
        "template",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIZE, SIZE])],
        outputs,
        [
            *constants,
            helper.make_tensor("axes", TensorProto.INT64, [1], [1]),
            helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
            helper.make_tensor("maps", TensorProto.FLOAT, maps.shape, maps.astype("f4").ravel()),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    for key, value in (METADATA | {"input_size": str(SIZE), "markup": markup_text(markup)}).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = f"propnet.{key}", value
    onnx.save(model, path)
    assert np.isfinite(maps).all()
    return path
