"""`python -m export.run`: trained weights to a checked ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import onnx
import typer
from numpy.typing import NDArray
from rich.console import Console

from export.agreement import Agreement, compare, landmarks_of
from export.crops import labelled_crops, portrait_crops
from export.graph import build_graph
from model.errors import InputError, run_command
from model.files import replacing
from model.weights import load_network
from tracker.engines import ModelInfo
from tracker.engines.onnxruntime import OnnxRuntimeEngine
from tracker.engines.torch import TorchEngine

app = typer.Typer(add_completion=False)

# Both compute in fp32, so what is left is the order of sums: measured 0.001 px on trained weights.
# A landmark that moves by more than this means that the graph computes something else.
TOLERANCE = 0.1


@app.command()
def export(
    weights: Annotated[str, typer.Option(help="Shipped name, or a .safetensors file.")],
    out: Annotated[Path, typer.Option(help="The .onnx file to write.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Folder in WFLW layout whose test faces are compared as well."),
    ] = None,
    input_size: Annotated[
        int | None, typer.Option(help="Side of the input, pixels [default: as trained].")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT.")] = False,
) -> None:
    """Export weights to ONNX and compare the file with torch on real crops, in decoded pixels.

    A file whose landmarks differ by more than 0.1 pixel of the crop is not written.
    """
    if out.suffix != ".onnx":
        raise InputError(f"the output {out} must end in .onnx.")
    if out.exists() and not overwrite:
        raise InputError(f"{out} exists already: choose another name or give --overwrite.")
    network, metadata = load_network(weights)
    size = input_size or metadata.input_size
    step = 4 * 2**metadata.config.depth
    if size < step or size % step:
        raise InputError(f"--input-size {size} must be a multiple of {step}.")
    crops = portrait_crops(size)
    if data is not None:
        crops = np.concatenate([crops, labelled_crops(data, size)])
    console = Console()
    with console.status(f"exporting {metadata.name} at {size} pixels"):
        graph = build_graph(network, metadata, size)
    with replacing(out) as partial:
        onnx.save_model(graph, partial)
        info = ModelInfo(metadata.name, metadata.config.markup, size, metadata.sha256)
        with console.status(f"comparing with torch on {len(crops)} crops"):
            agreement = _check(TorchEngine(network, info), partial, crops)
        if agreement.worst > TOLERANCE:
            raise InputError(
                f"{out} is not written: its landmarks differ from torch's by up to "
                f"{agreement.worst:.3f} pixels ({agreement}); report this with your versions of "
                "torch and onnx."
            )
    console.print(
        f"{out}: {out.stat().st_size / 1e6:.1f} MB, {metadata.name}, {info.markup}, "
        f"{size} x {size}; ONNX against torch: {agreement}",
        soft_wrap=True,
    )


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
