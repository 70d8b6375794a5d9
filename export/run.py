"""`python -m export.run`: trained weights to a checked ONNX file, and to a TensorRT engine."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import onnx
import typer
from numpy.typing import NDArray
from rich.console import Console

from export.agreement import Agreement, compare, landmarks_of
from export.labelled_crops import labelled_crops
from export.onnx_graph import build_graph
from export.tensorrt_engine import EngineRequest, export_engine
from model.errors import InputError, run_command
from model.files import replacing, reserve_output
from model.network.propnet import PropNet
from model.weights import Metadata, load_network
from tracker.assets.portrait import portrait_crops
from tracker.engines.onnxruntime import OnnxRuntimeEngine
from tracker.engines.torch import TorchEngine, model_info
from train.data.datasets import DATASET_HELP
from train.data.network_faces import DEV_SEED_HELP, DEV_SHARE_HELP, HIDDEN_HELP, NetworkFaces
from train.data.split import DEV_SHARE

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

# Both compute in f32, so what is left is the order of sums: measured 0.001 px on trained weights.
# A landmark that moves by more than this means that the graph computes something else.
TOLERANCE = 0.1


@app.command()
def export(
    *,
    weights: Annotated[str, typer.Option(help="Shipped name, or a .safetensors file.")],
    out: Annotated[Path | None, typer.Option(help="The .onnx file to write.")] = None,
    tensorrt: Annotated[Path | None, typer.Option(help="The .engine file to write.")] = None,
    precision: Annotated[str, typer.Option(help="Of the engine: f16 or f32.")] = "f16",
    batch: Annotated[
        str, typer.Option(metavar="MIN,OPT,MAX", help="Faces the engine takes at once.")
    ] = "1,1,8",
    rtx: Annotated[
        bool, typer.Option("--rtx", help="TensorRT for RTX, even if TensorRT is there.")
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(help="Dataset folder whose test faces are compared as well."),
    ] = None,
    dataset: Annotated[str, typer.Option(help=DATASET_HELP)] = "wflw",
    dev_share: Annotated[float, typer.Option(help=DEV_SHARE_HELP)] = DEV_SHARE,
    dev_seed: Annotated[int, typer.Option(help=DEV_SEED_HELP)] = 0,
    hidden_points: Annotated[bool, typer.Option("--hidden-points", help=HIDDEN_HELP)] = False,
    input_size: Annotated[
        int | None, typer.Option(help="Side of the input, pixels [default: as trained].")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT.")] = False,
) -> None:
    """Export weights to ONNX, or build a TensorRT engine, or both, and compare with torch.

    The comparison is of decoded landmarks on real crops. A file whose landmarks differ by more than
    0.1 pixel of the crop from torch's, or an f16 network whose landmarks move by more than 0.05
    pixel on average, is not written.
    """
    if out is None and tensorrt is None:
        raise InputError("nothing to write: give --out FILE.onnx, --tensorrt FILE.engine, or both.")
    if out is not None:
        reserve_output(out, (".onnx",), overwrite=overwrite)
    request = None
    if tensorrt is not None:
        # An engine of ours that no longer fits is built again without being asked to.
        reserve_output(tensorrt, (".engine",), overwrite=True)
        request = EngineRequest.make(tensorrt, precision, batch, rtx, overwrite)
    given = NetworkFaces(dataset, [data] if data else [], dev_share, dev_seed, hidden_points)
    network, metadata = load_network(weights)
    size = input_size or metadata.input_size
    if not metadata.config.fits(size):
        raise InputError(f"--input-size {size} must be a multiple of {metadata.config.step}.")
    crops = portrait_crops(size)
    if data is not None:
        faces = given.dev(metadata.name, metadata.config.markup)
        crops = np.concatenate([crops, labelled_crops(faces, size).images])
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        file = out or Path(folder) / f"{metadata.name}.onnx"
        agreement = _export_onnx(file, network, metadata, crops, console)
        console.print(
            f"{out or 'the ONNX network'}: {file.stat().st_size / 1e6:.1f} MB, {metadata.name}, "
            f"{metadata.config.markup}, {size} x {size}; ONNX against torch: {agreement}",
            soft_wrap=True,
        )
        if request is not None:
            export_engine(request, file, crops, console)


def _export_onnx(
    file: Path,
    network: PropNet,
    metadata: Metadata,
    crops: NDArray[np.uint8],
    console: Console,
) -> Agreement:
    """Write the checked ONNX file.

    Raises:
        InputError: its landmarks are not torch's, or it cannot be written.
    """
    size = crops.shape[1]
    info = replace(model_info(metadata), input_size=size)
    with console.status(f"exporting {metadata.name} at {size} pixels"):
        graph = build_graph(network, metadata, size)
    with replacing(file) as partial:
        onnx.save_model(graph, partial)
        with console.status(f"comparing with torch on {len(crops)} crops"):
            agreement = _check(TorchEngine(network, info), partial, crops)
        if not agreement.worst <= TOLERANCE:
            raise InputError(
                f"{file} is not written: its landmarks differ from torch's by up to "
                f"{agreement.worst:.3f} pixels ({agreement}); report this with your versions of "
                "torch and onnx."
            )
    return agreement


def _check(reference: TorchEngine, file: Path, crops: NDArray[np.uint8]) -> Agreement:
    """Compare a file, read as the tracker reads it, with torch."""
    engine = OnnxRuntimeEngine(str(file))
    try:
        return compare(landmarks_of(reference, crops), landmarks_of(engine, crops))
    finally:
        engine.close()


def main() -> None:
    """Entry point."""
    run_command(app)


if __name__ == "__main__":
    main()
