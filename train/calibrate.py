"""`python -m train.calibrate`: what the confidences of a network mean, fitted and measured.

Fits on the training faces of the given folders and judges on the evaluation faces of the first;
with the same command for weights that are calibrated already, without --out, only judges.
docs/confidence.md explains the numbers.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from model.confidence import UNCALIBRATED, Calibration
from model.errors import InputError, run_command
from model.files import reserve_output, write_json
from model.weights import save_calibrated
from tracker.engines.base import Engine
from tracker.engines.create import create_engine
from tracker.engines.torch import open_torch_engine
from tracker.tracking.options import TrackerOptions
from train.confidence.calibration_fit import Assessment, assess, figures, fit_calibration
from train.confidence.confidence_views import KINDS, make_views
from train.confidence.peak_observations import Observations, choose, observe
from train.data.datasets import DATASET_HELP
from train.data.network_faces import (
    DEV_SEED_HELP,
    DEV_SHARE_HELP,
    HIDDEN_HELP,
    NetworkFaces,
    whole,
)
from train.data.option_choice import check_choice
from train.data.sample import Sample
from train.data.split import DEV_SHARE
from train.evaluation.engine_choice import ENGINES, check_outputs

# A fit needs some of every kind on both sides.
_FEWEST = 100

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    *,
    weights: Annotated[
        str, typer.Option(help="Shipped name, or a .safetensors (torch) or .onnx file.")
    ],
    dataset: Annotated[str, typer.Option(help=DATASET_HELP)],
    data: Annotated[
        list[Path],
        typer.Option(help="Folder in the official layout; more for more training faces."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="The calibrated copy of the .safetensors file [default: only measure]."),
    ] = None,
    dev_share: Annotated[float, typer.Option(help=DEV_SHARE_HELP)] = DEV_SHARE,
    dev_seed: Annotated[int, typer.Option(help=DEV_SEED_HELP)] = 0,
    hidden_points: Annotated[bool, typer.Option("--hidden-points", help=HIDDEN_HELP)] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT.")] = False,
    views: Annotated[int, typer.Option(min=_FEWEST, help="Views to fit on.")] = 2000,
    dev_views: Annotated[int, typer.Option(min=_FEWEST, help="Views to judge by.")] = 1000,
    engine: Annotated[str, typer.Option(help="torch, openvino or onnxruntime.")] = "torch",
    device: Annotated[str, typer.Option(help="For torch: auto, cpu, cuda.")] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of the network [default: as few as keep up].")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the views.")] = 0,
    plot: Annotated[
        Path | None, typer.Option(help="Draw reliability and ROC here (.png); replaces the file.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here; replaces the file.")
    ] = None,
) -> None:
    """Fit what a network's confidences mean, and measure how far that is true on other faces."""
    given = NetworkFaces(dataset, data, dev_share, dev_seed, hidden_points)
    check_choice("engine", engine, ENGINES)
    check_outputs(json_file, plot)
    _check_out(out, overwrite)
    with closing(_open(engine, weights, device, threads)) as network:
        info = network.info
        dev = whole(given.dev(info.name, info.markup), "judge by")
        if out is not None:
            training = whole(given.training(info.name, info.markup), "fit on")
            seen = _observe(network, training, views, seed, "fit")
            calibration = fit_calibration(seen)
        else:
            calibration = info.calibration or UNCALIBRATED
        # Other chances than those of the views that were fitted on.
        judged = _observe(network, dev, dev_views, seed + 1, "judge")
        description = network.description
    result = assess(calibration, judged)
    options = TrackerOptions()
    values = figures(result, options.start_confidence, options.stop_confidence)
    calibrated = out is not None or info.calibration is not None
    settings = {
        "weights": info.name,
        "weights_sha256": info.weights_sha256,
        "engine": description,
        "dataset": dataset,
        "seed": seed,
        "fitted_on": views if out is not None else None,
        "calibrated": calibrated,
        "calibration": json.loads(calibration.to_json()),
    }
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    title = info.name + ("" if calibrated else ", uncalibrated")
    console.print(_table(title, result, values))
    if out is not None:
        save_calibrated(out, weights, calibration)
        console.print(f"{out}: {_words(calibration)}", soft_wrap=True)
    if json_file is not None:
        write_json(json_file, {"settings": settings, **values})
    if plot is not None:
        from train.drawing.confidence_plot import plot_confidence  # noqa: PLC0415  (matplotlib is slow)

        plot_confidence(result, plot, f"{title}: {dev_views} views of other faces ({dataset})")


def _open(engine: str, weights: str, device: str, threads: int | None) -> Engine:
    if engine == "torch" and not weights.endswith(".onnx"):
        if threads is not None:
            torch.set_num_threads(threads)
        return open_torch_engine(weights, device, "f32")
    return create_engine("auto" if engine == "torch" else engine, weights, threads)


def _observe(
    network: Engine, samples: Sequence[Sample], count: int, seed: int, what: str
) -> Observations:
    """Run the network on views behind a progress bar."""
    faces, kinds = choose(samples, count, seed)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"views to {what}", total=count)
        advance: Callable[[int], object] = lambda done: bar.advance(task, done)  # noqa: E731
        made = make_views(faces, kinds, network.info.input_size, seed)
        return observe(network, made, progress=advance)


def _table(title: str, result: Assessment, values: dict[str, object]) -> Table:
    table = Table(
        title=(
            f"{title}, {len(result.confidence)} views: calibration error of faces "
            f"{100 * result.face.error:.1f} %, of points {100 * result.point.error:.1f} %; "
            f"AUC face or not {result.face_roc[2]:.5f}, found or not {result.found_roc[2]:.4f}, "
            f"points {result.point_roc[2]:.4f}"
        )
    )
    for name in ("view", "number", "found %", "mean confidence %", "over start %", "over stop %"):
        table.add_column(name, justify="left" if name == "view" else "right")
    kinds = values["kinds"]
    assert isinstance(kinds, dict)
    for kind in KINDS:
        if kind in kinds:
            number, *shares = kinds[kind].values()
            table.add_row(kind, str(number), *(f"{100 * share:.1f}" for share in shares))
    return table


def _words(calibration: Calibration) -> str:
    face, point = (
        ", ".join(f"{x:.3f}" for x in values) for values in (calibration.face, calibration.point)
    )
    return f"calibrated, faces ({face}), points ({point})"


def _check_out(out: Path | None, overwrite: bool) -> None:
    if out is None:
        return
    if out.suffix != ".safetensors":
        raise InputError(f"--out {out}: a calibration goes into a copy of the .safetensors file.")
    reserve_output(out, overwrite=overwrite)


if __name__ == "__main__":
    run_command(app)
