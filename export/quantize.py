"""`python -m export.quantize`: an exported network in 8 bits, checked on labelled faces.

One file serves OpenVINO and ONNX Runtime. It is not written if it loses too much accuracy.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import onnx
import typer
from rich.console import Console

from export.agreement import Agreement, compare
from export.compared_engines import INT8_NME_TOLERANCE
from export.int8.calibration_crops import training_crops
from export.int8.channel_ranges import equalize
from export.int8.float_layers import Mixed, choose_parts, run_graph
from export.int8.qdq_graph import dense_layers, to_floats
from export.int8.quantizer import quantize_layers, require_nncf
from export.labelled_crops import LabelledCrops, labelled_crops
from export.onnx_graph import build_graph
from model.errors import InputError, run_command
from model.files import replacing, reserve_output, write_json
from model.weights import load_network
from model.zoo import INT8, find_weights
from tracker.engines.base import ModelInfo
from tracker.engines.onnx_file import INT8_LOSS, OUTPUT, PREFIX, read_onnx, with_outputs
from tracker.engines.torch import model_info
from train.data.datasets import DATASET_HELP
from train.data.network_faces import DEV_SEED_HELP, DEV_SHARE_HELP, HIDDEN_HELP, NetworkFaces
from train.data.split import DEV_SHARE

# Faces on which is decided what stays in floats. More take longer: every part of the network is
# tried on them.
_CHOICE = 48
# Faces on which channels are equalised: their maxima hardly change with more.
_EQUALIZED = 48

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Loss:
    """What 8 bits cost in an engine, on the dev split.

    Attributes:
        engine: its name.
        nme: in 8 bits, percent of the normalising distance.
        change: from the NME in floats.
        agreement: distances of the landmarks from those in floats, pixels of the crop.
    """

    engine: str
    nme: float
    change: float
    agreement: Agreement


@app.command()
def quantize(
    *,
    data: Annotated[
        list[Path],
        typer.Option(help="Dataset folder; repeat for more training faces."),
    ],
    out: Annotated[Path, typer.Option(help=f"The file to write, NAME{INT8}.onnx.")],
    dataset: Annotated[str, typer.Option(help=DATASET_HELP)] = "wflw",
    dev_share: Annotated[float, typer.Option(help=DEV_SHARE_HELP)] = DEV_SHARE,
    dev_seed: Annotated[int, typer.Option(help=DEV_SEED_HELP)] = 0,
    hidden_points: Annotated[bool, typer.Option("--hidden-points", help=HIDDEN_HELP)] = False,
    weights: Annotated[
        str | None, typer.Option(help="Shipped name, or a .safetensors file.")
    ] = None,
    onnx_file: Annotated[
        Path | None, typer.Option("--onnx", help="Or the exported network.")
    ] = None,
    crops: Annotated[int, typer.Option(min=1, help="Training faces to calibrate on.")] = 300,
    max_loss: Annotated[
        float, typer.Option(min=0, help="Largest rise of the dev NME, in its percent.")
    ] = INT8_NME_TOLERANCE,
    float_share: Annotated[
        float,
        typer.Option(min=0, max=1, help="Largest share of the multiplications left in floats."),
    ] = 0.15,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here; replaces the file.")
    ] = None,
) -> None:
    """Quantise a network to 8 bits after training.

    Calibrates on training faces, leaves in floats the parts whose rounding moves the landmarks
    most, and compares with the network in floats in every engine that runs int8, on the test split
    (300w: full) of the first --data folder; of own points, on --dev-share of the pictures.
    """
    _reserve(out, overwrite)
    if json_file is not None:
        reserve_output(json_file, overwrite=True)
    require_nncf()
    console = Console()
    given = NetworkFaces(dataset, data, dev_share, dev_seed, hidden_points)
    model, info = _float_model(weights, onnx_file, console)
    size = model.graph.input[0].type.tensor_type.shape.dim[2].dim_value
    dev = labelled_crops(given.dev(info.name, info.markup), size)
    taken = training_crops(given.training(info.name, info.markup), size, crops, _CHOICE)
    engines = [name for name in ("openvino", "onnxruntime") if find_spec(name)]
    with console.status("equalising channels"):
        floats = equalize(to_floats(model), taken.calibration[:_EQUALIZED])
    quantized = quantize_layers(floats, dense_layers(floats), taken.calibration)
    with console.status("choosing what stays in floats") as status:
        mixed = choose_parts(
            quantized,
            floats,
            lambda graph: run_graph(graph, engines[0], taken.choice.images, threads),
            float_share,
            lambda parts, found: status.update(f"in floats: {parts}: mean {found.mean:.3f} px"),
        )
    with console.status(f"comparing on {len(dev.images)} dev faces"):
        nme, losses = _losses((model, mixed.model), info, engines, dev, threads)
    console.print(_describe(mixed), soft_wrap=True)
    for loss in losses:
        console.print(
            f"{loss.engine}: dev NME {nme:.3f} in floats, {loss.nme:.3f} in 8 bits "
            f"({loss.change:+.3f}); landmarks: {loss.agreement}",
            soft_wrap=True,
        )
    _refuse(out, losses, max_loss)
    worst = mixed.model.metadata_props.add()
    worst.key, worst.value = PREFIX + INT8_LOSS, f"{max(loss.change for loss in losses):.4f}"
    with replacing(out) as partial:
        onnx.save_model(mixed.model, partial)
    console.print(f"{out}: {out.stat().st_size / 1e6:.2f} MB", soft_wrap=True)
    if json_file is not None:
        figures = {
            "weights_sha256": read_onnx(str(out), "int8").info.weights_sha256,
            "bytes": out.stat().st_size,
            "in_floats": mixed.floats,
            "float_share": mixed.share,
            "choice": {"all_in_8_bits": asdict(mixed.before), "mixed": asdict(mixed.agreement)},
            "dev_nme": nme,
            "engines": [asdict(loss) for loss in losses],
        }
        write_json(json_file, figures)


def _reserve(out: Path, overwrite: bool) -> None:
    if not out.name.endswith(f"{INT8}.onnx"):
        raise InputError(f"the output {out} must end in {INT8}.onnx: int8 files are found by that.")
    reserve_output(out, overwrite=overwrite)


def _float_model(
    weights: str | None, file: Path | None, console: Console
) -> tuple[onnx.ModelProto, ModelInfo]:
    """The network to quantise, with no output but the landmarks' heatmaps; what it is."""
    if (weights is None) == (file is None):
        raise InputError("give either --weights or --onnx: the network to quantise.")
    if weights is not None and weights.endswith(".safetensors"):
        network, metadata = load_network(weights)
        with console.status("exporting"):
            model = build_graph(network, metadata, metadata.input_size)
        return with_outputs(model, {OUTPUT}), model_info(metadata)
    path = file if weights is None else find_weights(weights, ".onnx")
    source = read_onnx(str(path), "f32")
    return onnx.load_model_from_string(source.data), source.info


def _losses(
    models: tuple[onnx.ModelProto, onnx.ModelProto],
    info: ModelInfo,
    engines: list[str],
    dev: LabelledCrops,
    threads: int | None,
) -> tuple[float, list[Loss]]:
    """NME of the first of two networks, in floats, and what every engine loses with the other."""
    floats, quantized = models
    reference = run_graph(floats, engines[0], dev.images, threads)
    nme = dev.nme(reference, info)
    losses = []
    for engine in engines:
        landmarks = run_graph(quantized, engine, dev.images, threads)
        own = dev.nme(landmarks, info)
        losses.append(Loss(engine, own, own - nme, compare(reference, landmarks)))
    return nme, losses


def _describe(mixed: Mixed) -> str:
    """What stays in floats, and what it gains."""
    if not mixed.floats:
        return f"everything in 8 bits; on the faces of the choice: {mixed.before}"
    return (
        f"in floats: {', '.join(mixed.floats)} ({100 * mixed.share:.1f} % of the multiplications); "
        f"on the faces of the choice: {mixed.agreement}; without: {mixed.before}"
    )


def _refuse(out: Path, losses: list[Loss], max_loss: float) -> None:
    """Stop at a network that lost too much; a loss that is no number is too much."""
    for loss in losses:
        if not loss.change <= max_loss:
            raise InputError(
                f"{out} is not written: in {loss.engine} the dev NME rises by {loss.change:.3f}, "
                f"over {max_loss:g}: give more --crops, a larger --float-share or --max-loss."
            )


def main() -> None:
    """Entry point."""
    run_command(app)


if __name__ == "__main__":
    main()
