"""`python -m export.detector`: MediaPipe's face detectors as ONNX files, from their .tflite files.

OpenVINO reads .tflite; what it reads is written as ONNX, operator by operator, with the weights in
the 16 bits that they are stored in. The file takes bytes: MediaPipe's normalisation to -1..1 is its
first operator.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import onnx
import openvino as ov
import typer
from onnx import TensorProto, helper

from export.detector_graph import DetectorGraph
from model.errors import InputError, run_command
from model.files import replacing, reserve_output, sha256
from tracker.detection.blazeface import PIXELS, REGRESSIONS, SCORES

# Of the operators that are written; ONNX Runtime and OpenVINO have known it for years.
_OPSET = 17

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def convert(
    tflite: Annotated[Path, typer.Argument(help="The network as MediaPipe ships it.")],
    *,
    out: Annotated[Path, typer.Option(help="The .onnx file to write.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT.")] = False,
) -> None:
    """Convert a BlazeFace detector; the same input gives the same bytes."""
    reserve_output(out, (".onnx",), overwrite=overwrite)
    model = to_onnx(tflite)
    with replacing(out) as partial:
        partial.write_bytes(model.SerializeToString(deterministic=True))
    typer.echo(f"{out}: {out.stat().st_size / 1e3:.0f} KB, SHA-256 {sha256(out)}")


def to_onnx(tflite: Path) -> onnx.ModelProto:
    """The network as an ONNX model.

    Args:
        tflite: a detector with one picture [1, S, S, 3] in, and regressions [1, A, 16] and scores
            [1, A, 1] out.

    Returns:
        `pixels` [1, S, S, 3] uint8, RGB -> `regressions` [1, A, 16], `scores` [1, A, 1], float32.

    Raises:
        InputError: not such a file, or an operator that is not known here.
    """
    try:
        network = ov.Core().read_model(tflite)
    except RuntimeError as error:
        raise InputError(f"{tflite} is not a network that OpenVINO reads.") from error
    graph = DetectorGraph()
    for node in network.get_ordered_ops():
        graph.add(node)
    side = int(network.inputs[0].shape[1])
    outputs = {int(node.output(0).shape[-1]): node for node in network.get_results()}
    names = {width: graph.results[node.get_name()] for width, node in outputs.items()}
    anchors = int(network.outputs[0].shape[1])
    if set(names) != {1, 16}:
        raise InputError(f"{tflite} is no BlazeFace: its outputs are {network.outputs}.")
    for name, width in ((REGRESSIONS, 16), (SCORES, 1)):
        graph.nodes.append(helper.make_node("Identity", [names[width]], [name], name))
    made = helper.make_graph(
        graph.nodes,
        tflite.stem,
        [helper.make_tensor_value_info(PIXELS, TensorProto.UINT8, [1, side, side, 3])],
        [
            helper.make_tensor_value_info(REGRESSIONS, TensorProto.FLOAT, [1, anchors, 16]),
            helper.make_tensor_value_info(SCORES, TensorProto.FLOAT, [1, anchors, 1]),
        ],
        graph.weights,
    )
    model = helper.make_model(
        made,
        opset_imports=[helper.make_opsetid("", _OPSET)],
        producer_name="propnet export.detector",
        ir_version=8,
    )
    helper.set_model_props(model, {"source": tflite.name, "source_sha256": sha256(tflite)})
    onnx.checker.check_model(model, full_check=True)
    return model


def main() -> None:
    """Entry point."""
    run_command(app)


if __name__ == "__main__":
    main()
