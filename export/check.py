"""`python -m export.check`: every engine against torch on the same real crops."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import onnx
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from export.agreement import Agreement, compare, device_landmarks_of, landmarks_of
from export.compared_engines import CANDIDATES, Network, chosen, int8_network, opened
from export.labelled_crops import LabelledCrops, labelled_crops
from export.onnx_graph import build_graph
from model.errors import InputError, run_command
from model.files import reserve_output, write_json
from model.weights import load_network
from model.zoo import find_weights
from tracker.assets.portrait import portrait_crops
from tracker.engines.base import PointEngine
from tracker.engines.onnx_file import read_onnx
from tracker.engines.torch import open_torch_engine
from train.data.datasets import DATASET_HELP
from train.data.network_faces import DEV_SEED_HELP, DEV_SHARE_HELP, HIDDEN_HELP, NetworkFaces
from train.data.split import DEV_SHARE

# Pixels of the crop. Two 32-bit engines differ by the order of sums: measured below 0.02.
EXACT_TOLERANCE = 0.1
# Mean over all landmarks, for engines that round to 16 bits.
MEAN_TOLERANCE = 0.05
# Mean between an engine's own decoder and numpy's on its heatmaps: the same to 32 bits, but for
# landmarks whose heatmap two runs of an f16 network round to another of two equal peaks.
DECODER_TOLERANCE = 0.01

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Verdict:
    """How an engine compares with torch.

    Attributes:
        name: of the candidate.
        engine: its description.
        agreement: distances of its landmarks from torch's, pixels of the crop.
        nme: on the labelled faces, percent; None without them.
        nme_change: from torch's NME.
        decoder: mean distance of the points that the engine decodes itself from those that numpy
            decodes from its heatmaps, pixels of the crop; None where it does not.
        problems: which limits it breaks; empty if it passes.
    """

    name: str
    engine: str
    agreement: Agreement
    nme: float | None
    nme_change: float | None
    decoder: float | None
    problems: tuple[str, ...]


@app.command()
def check(
    *,
    weights: Annotated[
        str, typer.Option(help="Shipped name, or a .safetensors file.")
    ] = "propnet-s",
    onnx_file: Annotated[
        Path | None,
        typer.Option("--onnx", help="Exported network [default: the shipped one, or a new one]."),
    ] = None,
    int8: Annotated[
        Path | None,
        typer.Option(help="Its int8 network [default: shipped, or beside the weights]."),
    ] = None,
    tensorrt: Annotated[
        Path | None, typer.Option(help="An .engine file [default: built for this GPU].")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Dataset folder: up to 200 test faces and their NME.")
    ] = None,
    dataset: Annotated[str, typer.Option(help=DATASET_HELP)] = "wflw",
    dev_share: Annotated[float, typer.Option(help=DEV_SHARE_HELP)] = DEV_SHARE,
    dev_seed: Annotated[int, typer.Option(help=DEV_SEED_HELP)] = 0,
    hidden_points: Annotated[bool, typer.Option("--hidden-points", help=HIDDEN_HELP)] = False,
    engines: Annotated[
        str, typer.Option(metavar="all|NAME,...", help=f"Of {', '.join(CANDIDATES)}.")
    ] = "all",
    tolerance: Annotated[
        float, typer.Option(min=0, help="Largest mean distance from torch, pixels of the crop.")
    ] = MEAN_TOLERANCE,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here; replaces the file.")
    ] = None,
) -> None:
    """Compare every engine that runs here with torch in float32, in decoded landmarks.

    Exit code 1 if an engine is further from torch than it may be. Engines that cannot run here are
    listed with the reason; one that is asked for by name must run.
    """
    names = chosen(engines)
    given = NetworkFaces(dataset, [data] if data else [], dev_share, dev_seed, hidden_points)
    if json_file is not None:
        reserve_output(json_file, overwrite=True)
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        file = _find_onnx(weights, onnx_file, Path(folder), console)
        info = read_onnx(str(file)).info
        size = info.input_size
        crops = portrait_crops(size)
        labelled = None
        if data is not None:
            labelled = labelled_crops(given.dev(info.name, info.markup), size)
            crops = np.concatenate([labelled.images, crops])
        eight = int8_network(weights, int8)
        network = Network(weights, file, tensorrt, crops, threads, int8=eight)
        with console.status("running torch"):
            engine = open_torch_engine(weights)
            title, reference = engine.description, landmarks_of(engine, crops)
            engine.close()
        verdicts, missing = [], {}
        for name in names:
            try:
                with console.status(f"running {name}"):
                    verdicts.append(_judge(name, network, reference, labelled, tolerance))
            except InputError as error:
                if engines != "all":
                    raise
                missing[name] = str(error)
    nme = labelled.nme(reference[: len(labelled.images)], info) if labelled else None
    heading = f"{weights}, {size} x {size}, {len(crops)} crops, against {title}"
    console.print(_table(heading, verdicts, nme))
    for verdict in verdicts:
        decoder = "" if verdict.decoder is None else f"; its decoder: {verdict.decoder:.4f} px off"
        console.print(f"{verdict.name}: {verdict.engine}{decoder}", soft_wrap=True, highlight=False)
    for name, reason in missing.items():
        console.print(f"not compared: {name}: {reason}", soft_wrap=True, highlight=False)
    if json_file is not None:
        figures = {
            "weights": weights,
            "input_size": size,
            "crops": len(crops),
            "reference": title,
            "nme": nme,
            "engines": [asdict(verdict) for verdict in verdicts],
            "not_compared": missing,
        }
        write_json(json_file, figures)
    failed = [verdict for verdict in verdicts if verdict.problems]
    for verdict in failed:
        console.print(f"[red]{verdict.name}: {'; '.join(verdict.problems)}.", soft_wrap=True)
    if failed:
        sys.exit(1)


def _find_onnx(weights: str, given: Path | None, folder: Path, console: Console) -> Path:
    """The exported network of these weights; made in `folder` if there is none."""
    network, metadata = load_network(weights)
    if given is None and not weights.endswith(".safetensors"):
        given = find_weights(weights, ".onnx")
    if given is None:
        given = folder / f"{metadata.name}.onnx"
        with console.status("exporting"):
            onnx.save_model(build_graph(network, metadata, metadata.input_size), given)
    if read_onnx(str(given)).info.weights_sha256 != metadata.sha256:
        raise InputError(f"{given} was not exported from the weights {weights}: export it again.")
    return given


def _judge(
    name: str,
    network: Network,
    reference: NDArray[np.float64],
    labelled: LabelledCrops | None,
    tolerance: float,
) -> Verdict:
    with opened(name, network) as engine:
        title, info = engine.description, engine.info
        landmarks = landmarks_of(engine, network.crops)
        decoder = None
        if isinstance(engine, PointEngine):
            decoder = compare(landmarks, device_landmarks_of(engine, network.crops)).mean
    agreement = compare(reference, landmarks)
    nme = change = None
    if labelled is not None:
        count = len(labelled.images)
        nme = labelled.nme(landmarks[:count], info)
        change = nme - labelled.nme(reference[:count], info)
    candidate = CANDIDATES[name]
    tolerance = max(tolerance, candidate.mean)
    # Comparisons are written so that a value that is no number fails.
    problems = {
        f"mean {agreement.mean:.4f} px is over {tolerance:g}": not agreement.mean <= tolerance,
        f"worst {agreement.worst:.4f} px is over {EXACT_TOLERANCE:g}": candidate.exact
        and not agreement.worst <= EXACT_TOLERANCE,
        f"NME changes by {change or 0:+.4f}, over {candidate.nme:g}": change is not None
        and not abs(change) <= candidate.nme,
        f"its own decoder is {decoder or 0:.4f} px off, over {DECODER_TOLERANCE:g}": decoder
        is not None
        and not decoder <= DECODER_TOLERANCE,
    }
    failures = tuple(text for text, bad in problems.items() if bad)
    return Verdict(name, title, agreement, nme, change, decoder, failures)


def _table(heading: str, verdicts: list[Verdict], nme: float | None) -> Table:
    caption = "distances of decoded landmarks in pixels of the crop"
    if nme is not None:
        caption += f"; NME of torch {nme:.3f} %"
    table = Table(title=heading, caption=caption)
    table.add_column("engine", no_wrap=True)
    for column in ("mean", "p99", "worst", "NME", "change", ""):
        table.add_column(column, justify="right", no_wrap=True)
    for verdict in verdicts:
        distances = (verdict.agreement.mean, verdict.agreement.p99, verdict.agreement.worst)
        table.add_row(
            verdict.name,
            *(f"{value:.4f}" for value in distances),
            "-" if verdict.nme is None else f"{verdict.nme:.3f}",
            "-" if verdict.nme_change is None else f"{verdict.nme_change:+.4f}",
            "[red]fails" if verdict.problems else "passes",
        )
    return table


def main() -> None:
    """Entry point."""
    run_command(app)


if __name__ == "__main__":
    main()
